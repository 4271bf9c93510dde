//! Colour: HDR made SDR, matrices that follow the size, depths that hold what is in them. Others judge: ffprobe what is said,
//! ffmpeg and zimg what is shown.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::*;

/// What ffprobe says of the picture.
fn picture(path: &Path) -> Value {
    ffprobe(path, &["-select_streams", "v:0", "-show_streams"])["streams"][0].clone()
}

/// Primaries, transfer, matrix, range.
fn colours(path: &Path) -> [Value; 4] {
    let found = picture(path);
    ["color_primaries", "color_transfer", "color_space", "color_range"].map(|key| found[key].clone())
}

/// The pictures of a film through filters, as bytes of three samples each.
fn rgb(path: &Path, filters: &str) -> Vec<u8> {
    let filters = format!("{filters},format=rgb24");
    let args: [&OsStr; 9] = [
        "-i".as_ref(),
        path.as_ref(),
        "-map".as_ref(),
        "0:v:0".as_ref(),
        "-vf".as_ref(),
        filters.as_ref(),
        "-f".as_ref(),
        "rawvideo".as_ref(),
        "-".as_ref(),
    ];
    ffmpeg(&args)
}

/// Mean difference of two runs of bytes.
fn off(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len().max(1) as f64
}

#[test]
fn hdr_becomes_the_sdr_that_others_make_of_it_and_says_so_everywhere() {
    let Some(media) = media() else { return };
    let there = drapto::internals::video::encoder("libx265").is_ok();
    if !(filters(&["zscale", "tonemap"]) && tool("ffprobe") && libx264() && there) {
        return;
    }
    let folder = scratch();
    // The two clips of the tools' authors are black: they show what is said, the others what is seen.
    let clips = [
        (media.join("hdr/hdr10plus_259f.mkv"), "hable", "HDR10+"),
        (media.join("hdr/dovi_p81_259f.mkv"), "mobius", "Dolby Vision 8.1"),
        (media.join("hdr/dovi_p84_phone.mov"), "reinhard", "Dolby Vision 8.4"),
        (super::containers::hdr10(folder.path()), "hable", "the mastering display, the content light level"),
    ];
    for (film, curve, lost) in clips {
        let name = film.display();
        for (file, more) in [("av1.mkv", &[][..]), ("h264.mp4", &["--codec", "h264"])] {
            let output = folder.path().join(file);
            let more = [&["--tonemap", curve, "--crop", "off", "--crf", "12", "--preset", "9"], more].concat();
            let report = encode(&film, &output, &more);
            assert_eq!(colours(&output), ["bt709", "bt709", "bt709", "tv"], "{name} {file}");
            let (found, deep) = (picture(&output), file == "av1.mkv");
            let side = found["side_data_list"].to_string();
            assert!(!side.contains("Mastering") && !side.contains("light level") && !side.contains("DOVI"), "{side}");
            assert_eq!(found["pix_fmt"], if deep { "yuv420p10le" } else { "yuv420p" });
            let frame = ffprobe(&output, &["-select_streams", "v", "-show_frames", "-read_intervals", "%+#1"]);
            let side = frame["frames"][0]["side_data_list"].to_string();
            assert!(!side.contains("Mastering") && !side.contains("HDR") && !side.contains("Dolby"), "{side}");
            let warnings = report["warnings"].to_string();
            assert!(warnings.contains("tone mapped to SDR") && warnings.contains(lost), "{warnings}");
            assert_eq!(report["video"]["hdr_kind"], "SDR");
            assert_eq!(report["video"]["tonemap"]["curve"], curve);
            let peak = report["video"]["tonemap"]["peak"].as_f64().expect("a peak") / 100.0;
            let chain = format!(
                "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap={curve}:peak={peak}:desat=0,\
                 zscale=t=bt709:m=bt709:r=tv,format=yuv420p10le"
            );
            let theirs = rgb(&film, &chain);
            let ours = rgb(&output, "null");
            let difference = off(&ours, &theirs);
            // What the codec loses; the source taken as it is, or another curve, is far off.
            assert!(difference < 2.5, "{name} {file}: off by {difference:.2}");
            let untouched = off(&rgb(&film, "null"), &theirs);
            let black = theirs.iter().all(|sample| *sample < 3);
            assert!(black || untouched > 3.0 * difference, "{name}: {untouched:.2} against {difference:.2}");
            verified(&film, &output);
        }
    }
}

#[test]
fn tone_mapped_pictures_are_scored_as_such_and_are_the_same_with_any_number_of_workers() {
    let Some(media) = media() else { return };
    if !filters(&["zscale", "tonemap"]) {
        return;
    }
    let (folder, film) = (scratch(), media.join("hdr/hdr10plus_259f.mkv"));
    let measured = folder.path().join("measured.mkv");
    let report = encode(&film, &measured, &["--tonemap", "hable", "--crf", "15", "--measure"]);
    assert!(report["quality"]["harmonic_mean"].as_f64().expect("a score") > 90.0, "{}", report["quality"]);
    let bytes = |name: &str, workers: &str| {
        let output = folder.path().join(name);
        let more = ["--tonemap", "hable", "--target-vmaf", "80", "--chunk-size", "3", "--preset", "12"];
        let report = encode(&film, &output, &[&more[..], &["--workers", workers]].concat());
        assert_eq!(colours(&output), ["bt709", "bt709", "bt709", "tv"]);
        assert_eq!(report["quality"]["relative"], Value::Null, "a score of SDR");
        std::fs::read(&output).expect("a file")
    };
    let one = bytes("one.mkv", "1");
    assert!(one == bytes("two.mkv", "2"), "with one worker and two");
    // A part of the picture, scaled: whatever the rows' places in memory are.
    let part = folder.path().join("part.mkv");
    let report = encode(&film, &part, &["--tonemap", "mobius", "--crop", "202:102:2:10", "--scale", "64"]);
    assert_eq!(report["video"]["height"], 64);
    verified(&film, &part);
}

#[test]
fn tone_mapping_sdr_says_that_there_is_nothing_to_do() {
    let Some(film) = fixture("tenframes") else { return };
    let folder = scratch();
    let [plain, asked] = ["plain", "asked"].map(|name| folder.path().join(format!("{name}.mkv")));
    encode(&film, &plain, &["--no-provenance"]);
    let report = encode(&film, &asked, &["--no-provenance", "--tonemap", "hable"]);
    assert!(report["warnings"].to_string().contains("SDR already"), "{}", report["warnings"]);
    assert!(std::fs::read(plain).expect("a file") == std::fs::read(asked).expect("a file"));
}

#[test]
fn hdr_into_8_bits_is_refused_with_the_ways_out_and_h264_is_as_deep_as_it_has_to_be() {
    let Some(media) = media() else { return };
    if !libx264() {
        return;
    }
    let (folder, hdr) = (scratch(), media.join("hdr/hdr10plus_259f.mkv"));
    let output = folder.path().join("film.mkv");
    for more in [&["--bit-depth", "8"][..], &["--bit-depth", "8", "--codec", "h264"]] {
        let out = drapto().args(["encode", "--crf", "40"]).args(more).args([&hdr, &output]).output();
        let out = out.expect("drapto runs");
        assert_eq!(out.status.code(), Some(2), "{}", said(&out));
        for part in ["HDR (PQ)", "--bit-depth 10", "--tonemap"] {
            assert!(said(&out).contains(part), "{part}: {}", said(&out));
        }
        assert!(!output.exists());
    }
    let depth = |film: &Path, more: &[&str]| {
        let report = encode(film, &output, &[&["--codec", "h264", "--preset", "9"], more].concat());
        (report["video"]["bit_depth"].clone(), picture(&output)["pix_fmt"].clone())
    };
    let (eight, ten) = ((json!(8), json!("yuv420p")), (json!(10), json!("yuv420p10le")));
    assert_eq!(depth(&hdr, &[]), ten);
    let Some(sdr) = fixture("tenframes") else { return };
    assert_eq!(depth(&sdr, &[]), eight);
    assert_eq!(depth(&sdr, &["--bit-depth", "10"]), ten);
}

/// A second of colour bars whose samples are of a matrix, said or not.
fn bars(folder: &Path, name: &str, size: &str, matrix: &str, said: bool) -> PathBuf {
    let path = folder.join(format!("{name}.mkv"));
    let filter = format!("scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p");
    let source = format!("smptebars=size={size}:rate=25:duration=0.4");
    let mut args: Vec<&OsStr> =
        vec!["-f".as_ref(), "lavfi".as_ref(), "-i".as_ref(), source.as_ref(), "-vf".as_ref(), filter.as_ref()];
    let codec = ["-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv420p"];
    args.extend(codec.iter().map(AsRef::<OsStr>::as_ref));
    // The filter tags what it makes; unsaid is what no tag says.
    let tag = if said { matrix } else { "unspecified" };
    let mark = format!(
        "h264_metadata=matrix_coefficients={}",
        match tag {
            "bt709" => 1,
            "smpte170m" => 6,
            "bt470bg" => 5,
            _ => 2,
        }
    );
    args.extend(["-bsf:v".as_ref(), mark.as_ref(), "-y".as_ref(), path.as_os_str()] as [&OsStr; 4]);
    ffmpeg(&args);
    path
}

#[test]
fn colours_stay_what_they_were_when_the_size_changes_class() {
    if !(tool("ffmpeg") && tool("ffprobe") && libx264()) {
        return;
    }
    let folder = scratch();
    // What the source is, whether it says so, its size; the size asked for, what comes out.
    for (name, size, matrix, said, to, wanted) in [
        ("hd", "1280x720", "bt709", true, "854x480", "smpte170m"),
        ("hd_silent", "1280x720", "bt709", false, "854x480", "smpte170m"),
        ("hd_pal", "1280x720", "bt709", true, "1024x576", "bt470bg"),
        ("sd", "640x480", "smpte170m", true, "960x720", "bt709"),
        ("sd_silent", "640x480", "smpte170m", false, "960x720", "bt709"),
        ("sd_as_hd", "640x480", "bt709", true, "960x720", "bt709"),
        ("hd_as_sd", "1280x720", "smpte170m", true, "854x480", "smpte170m"),
        ("same", "1280x720", "bt709", true, "1920x1080", "bt709"),
        ("small", "640x480", "smpte170m", true, "320x240", "smpte170m"),
    ] {
        let film = bars(folder.path(), name, size, matrix, said);
        for (codec, end) in [("av1", "mkv"), ("h264", "mp4")] {
            let output = folder.path().join(format!("{name}_{codec}.{end}"));
            let more = ["--codec", codec, "--scale", to, "--crop", "off", "--crf", "8", "--preset", "8"];
            encode(&film, &output, &more);
            assert_eq!(picture(&output)["color_space"], wanted, "{name} {codec}");
            // Read by those names, and by nothing that ffmpeg may think itself.
            let as_of = |matrix: &str| format!("scale=64:36:flags=area:in_color_matrix={matrix}:in_range=tv");
            let difference = off(&rgb(&film, &as_of(matrix)), &rgb(&output, &as_of(wanted)));
            assert!(difference < 2.0, "{name} {codec}: off by {difference:.2}");
            // Relabelled, they would not be.
            if wanted != matrix {
                let relabelled = off(&rgb(&film, &as_of(matrix)), &rgb(&film, &as_of(wanted)));
                assert!(relabelled > 2.0 * difference, "{name}: {relabelled:.2} against {difference:.2}");
            }
            verified(&film, &output);
        }
    }
}

#[test]
fn a_picture_scaled_to_sd_is_scored_against_its_own_colours() {
    if !(tool("ffmpeg") && libx264()) {
        return;
    }
    let folder = scratch();
    let film = bars(folder.path(), "bars", "1280x720", "bt709", true);
    let output = folder.path().join("film.mkv");
    let report = encode(&film, &output, &["--scale", "480", "--crop", "off", "--crf", "10", "--measure"]);
    assert!(report["quality"]["min"].as_f64().expect("a score") > 85.0, "{}", report["quality"]);
    // Compared again by whoever has the files only.
    let score = |file: &Path, more: &[&str]| {
        let args = ["analyze", "--json", "--metrics", "vmaf,psnr"];
        let out = drapto().args(args).args(more).args([&film, file]).output().expect("drapto runs");
        let found: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&out)));
        let mean = |name: &str| {
            let all = array(&found, "metrics").iter();
            all.filter(|m| m["metric"] == name).find_map(|m| m["mean"].as_f64()).unwrap_or_else(|| panic!("{found}"))
        };
        (mean("vmaf"), mean("psnr"))
    };
    let (vmaf, psnr) = score(&output, &[]);
    let difference = vmaf - report["quality"]["mean"].as_f64().expect("a mean");
    assert!(difference.abs() < 0.5, "{vmaf} {}", report["quality"]);
    assert!(psnr > 35.0, "{psnr}");
    // ffmpeg's scaled pictures keep their matrix: the reference they are held against does, too.
    let theirs = folder.path().join("theirs.mkv");
    let args =
        ["-c:v", "libx264", "-qp", "4", "-vf", "scale=854:480:out_color_matrix=bt709", "-colorspace", "bt709", "-y"];
    let mut all: Vec<&OsStr> = vec!["-i".as_ref(), film.as_os_str()];
    all.extend(args.iter().map(AsRef::<OsStr>::as_ref));
    all.push(theirs.as_os_str());
    ffmpeg(&all);
    let (vmaf, psnr) = score(&theirs, &[]);
    assert!(vmaf > 85.0 && psnr > 35.0, "{vmaf} {psnr}");
}
