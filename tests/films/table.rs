//! Every clip of the shared folder: what it is known to be against what drapto found and made of it.
//!
//! The table is written to `target/media-table.md`.

use std::fmt::Write;
use std::path::Path;

use rayon::prelude::*;
use serde_json::Value;

use crate::support::*;

/// Clips whose crop is known; all others keep the whole picture or are not asserted on.
const CROPS: &[(&str, &str)] = &[
    ("film/sintel_trailer-720p.mp4", "1280:544:0:88"),
    ("crop/pillarbox_bars_1080p.mp4", "1440:1080:240:0"),
    ("derived/letterbox_960x540_crop_960-400-0-70.mkv", "960:400:0:70"),
    ("derived/pillarbox_960x540_crop_720-540-120-0.mkv", "720:540:120:0"),
    ("derived/bars_change_720p_crop_none.mkv", "whole"),
    ("crop/crop_trap_black_1080p50_pcm.mov", "whole"),
    ("geometry/all_black_25s.mp4", "whole"),
    ("film/bbb_720p_000-180s.mp4", "whole"),
    ("film/motorway_540p60.mp4", "whole"),
    ("film/flower.mp4", "whole"),
];

const DOLBY_VISION: &[(&str, &str)] = &[
    ("hdr/dovi_p81_259f.mkv", "8.1"),
    ("hdr/dovi_dual_layer.hevc", "8.1"),
    ("hdr/dovi_p84_phone.mov", "8.4"),
    ("hdr/hlg_dovi84_realcam_1080p_vfr.mp4", "8.4"),
    ("hdr/dovi_p9_avc_1080p60.mp4", "9.2"),
];

const FIELDS: &[(&str, &str)] = &[
    ("geometry/interlaced_tff_480i.mkv", "interlaced-top-first"),
    ("derived/interlaced_tff_720x576_mpeg2_16-9.mkv", "interlaced-top-first"),
    ("geometry/telecine_hard_480i.mkv", "hard-telecine"),
    ("geometry/telecine_soft_480.mkv", "soft-telecine"),
];

/// More frames than this are decoded and not encoded here; other tests encode such films.
const MOST_FRAMES: u64 = 800;

fn known<'a>(table: &[(&str, &'a str)], clip: &str) -> Option<&'a str> {
    table.iter().find(|(name, _)| *name == clip).map(|(_, value)| *value)
}

fn hdr_kind(clip: &Clip) -> &'static str {
    match (clip["colour"].as_str(), clip["hdr_side_data"].as_str()) {
        (colour, _) if colour.contains("arib-std-b67") => "HLG",
        (colour, side) if colour.contains("smpte2084") && side.contains("2094-40") => "HDR10+",
        (colour, side) if colour.contains("smpte2084") && side.contains("Mastering") => "HDR10",
        (colour, _) if colour.contains("smpte2084") => "PQ",
        _ => "SDR",
    }
}

/// As the manifest writes it, by FFmpeg: range/primaries/transfer/matrix, `-` where nothing is said.
fn colour(color: &Value) -> String {
    let word = |key: &str| match color[key].as_str() {
        None | Some("unspecified" | "unknown" | "reserved") => "-".to_owned(),
        Some(word) => word.to_owned(),
    };
    let range = match word("range").as_str() {
        "limited" => "tv".to_owned(),
        "full" => "pc".to_owned(),
        other => other.to_owned(),
    };
    format!("{range}/{}/{}/{}", word("primaries"), word("transfer"), word("matrix"))
}

/// The manifest has the container's words; where these are silent, the decoder's may say more.
fn said_by_both(expected: &str, found: &str) -> String {
    let parts = expected.split('/').zip(found.split('/'));
    parts.map(|(e, f)| if e == "-" { f } else { e }).collect::<Vec<_>>().join("/")
}

/// One line of the table: what was compared, and what of it differs.
struct Row {
    cells: Vec<(&'static str, String, String)>,
}

impl Row {
    fn compare(&mut self, what: &'static str, expected: impl ToString, found: impl ToString) {
        self.cells.push((what, expected.to_string(), found.to_string()));
    }

    fn wrong(&self) -> Vec<String> {
        let differ = self.cells.iter().filter(|(_, expected, found)| expected != found);
        differ.map(|(what, expected, found)| format!("{what}: expected {expected}, found {found}")).collect()
    }
}

fn row(clip: &Clip, path: &Path, folder: &Path) -> Row {
    let name = clip["file"].as_str();
    let mut row = Row { cells: Vec::new() };
    let out = drapto().args(["probe", "--json", "--crop"]).arg(path).output().expect("drapto runs");
    assert!(out.status.success(), "{name}: {}", said(&out));
    let probed: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let picture = &probed["picture"];
    row.compare("size", &clip["resolution"], format!("{}x{}", picture["width"], picture["height"]));
    let color = colour(&picture["color"]);
    row.compare("colour", said_by_both(&clip["colour"], &color), color);
    row.compare("HDR", hdr_kind(clip), picture["hdr_kind"].as_str().unwrap_or("-"));
    let dolby = picture["dolby_vision"]["name"].as_str().unwrap_or("-");
    row.compare("Dolby Vision", known(DOLBY_VISION, name).unwrap_or("-"), dolby);
    let fields = picture["fields"].as_str().unwrap_or("-");
    row.compare("fields", known(FIELDS, name).unwrap_or("progressive"), fields);
    let c = &probed["crop"];
    let crop = match c["width"] == c["source_width"] && c["height"] == c["source_height"] {
        true => "whole".to_owned(),
        false => format!("{}:{}:{}:{}", c["width"], c["height"], c["x"], c["y"]),
    };
    row.compare("crop", known(CROPS, name).unwrap_or(&crop), &crop);
    let frames: u64 = clip["frames_decoded"].parse().unwrap_or(0);
    if frames <= MOST_FRAMES {
        // The smallest picture SVT-AV1 2.3 takes has 64 lines.
        let small = clip["resolution"].split('x').any(|side| side.parse().unwrap_or(0) < 64);
        let scale: &[&str] = if small { &["--scale", "128"] } else { &[] };
        let more = ["--preset", "12", "--crf", "55", "--accept-damage"];
        let output = folder.join(format!("{}.mkv", name.replace('/', "-")));
        let report = encode(path, &output, &[&more[..], scale].concat());
        std::fs::remove_file(output).expect("the output");
        row.compare("frames", frames, &report["output"]["frames"]);
        let checks = array(&report["verification"], "checks");
        let times = checks.iter().find(|c| c["name"] == "timestamps").map(|c| c["pass"] == true);
        row.compare("timestamps", true, times.unwrap_or(false));
    } else {
        let out = drapto().args(["scenes", "--json"]).arg(path).output().expect("drapto runs");
        assert!(out.status.success(), "{name}: {}", said(&out));
        let scenes: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        row.compare("frames", frames, &scenes["frames"]);
    }
    row
}

#[test]
fn every_clip_is_found_and_encoded_as_what_it_is() {
    let Some(media) = media() else { return };
    let folder = scratch();
    let mut table = "| clip | what | expected | found |\n| --- | --- | --- | --- |\n".to_owned();
    let mut clips = manifest();
    clips.retain(|clip| !clip["file"].starts_with("hostile/") && !clip["resolution"].is_empty());
    // Looks at one film keep one core busy.
    let found = clips.par_iter().map(|clip| row(clip, &media.join(&clip["file"]), folder.path()));
    let (rows, mut wrong) = (found.collect::<Vec<Row>>(), Vec::new());
    for (clip, row) in clips.iter().zip(&rows) {
        let name = clip["file"].as_str();
        for (what, expected, found) in &row.cells {
            let _ = writeln!(table, "| {name} | {what} | {expected} | {found} |");
        }
        wrong.extend(row.wrong().into_iter().map(|w| format!("{name}: {w}")));
    }
    std::fs::write(root().join("target/media-table.md"), table).expect("the table is written");
    assert!(clips.len() > 50, "{} clips", clips.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
