//! What libavformat flattens, and what verification has to see as it was written.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Found, Lab, Row, right_if};
use crate::support::*;

pub const ROWS: &[Row] = &[
    Row { name: "chapters_30k", check: chapters_30k },
    Row { name: "chapters_rich", check: |lab| same_chapters(lab, "chapters_rich.mkv") },
    Row { name: "empty_track_name", check: |lab| unnamed(lab, "empty_track_name.mkv") },
    Row { name: "empty_title", check: |lab| unnamed(lab, "empty_title.mkv") },
    Row { name: "bcp47", check: bcp47 },
    Row { name: "pixelcrop", check: pixelcrop },
    Row { name: "stereo3d", check: stereo3d },
    Row { name: "tags_multi", check: |lab| same_tags(lab, "tags_multi.mkv") },
    Row { name: "attach_nomime", check: attach_nomime },
    Row { name: "ssa", check: ssa },
    Row { name: "flags", check: flags },
    Row { name: "alpha_vp9", check: alpha_vp9 },
    Row { name: "many_tracks", check: many_tracks },
];

fn mkvextract(path: &Path, what: &str) -> String {
    let out = Command::new("mkvextract")
        .env("LC_ALL", "C.UTF-8")
        .arg(path)
        .args([what, "-"])
        .output()
        .expect("mkvextract runs");
    assert!(out.status.success(), "{}", said(&out));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Whether `drapto verify` holds the same.
fn verifies(source: &Path, output: &Path) -> bool {
    let out = drapto().arg("verify").args([source, output]).output().expect("drapto runs");
    if !out.status.success() {
        eprintln!("{}: {}{}", source.display(), String::from_utf8_lossy(&out.stdout), said(&out));
    }
    out.status.success()
}

/// The property `name` of each track, in order.
fn properties(path: &Path, name: &str) -> Vec<Value> {
    array(&mkvmerge(path), "tracks").iter().map(|t| t["properties"][name].clone()).collect()
}

fn warnings(report: &Value) -> String {
    array(report, "warnings").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

/// Each tag of a file, with all tags inside it and what it is about, but for statistics and tracks' UIDs.
fn tags(path: &Path) -> Vec<String> {
    let xml = mkvextract(path, "tags");
    let mut out = Vec::new();
    for entry in xml.split("<Tag>").skip(1) {
        let (mut about, mut found) = (Vec::new(), Vec::new());
        // Of each open tag its own lines, and the tags inside it.
        let mut open: Vec<(Vec<&str>, String)> = Vec::new();
        for line in entry.lines().map(str::trim).take_while(|l| *l != "</Tag>") {
            match line {
                "<Simple>" => open.push(Default::default()),
                "</Simple>" => {
                    let (mut own, inside) = open.pop().expect("an open tag");
                    own.sort_unstable();
                    let text = format!("{}{{{inside}}}", own.concat());
                    match open.last_mut() {
                        Some((_, around)) => *around += &text,
                        None => found.push(text),
                    }
                }
                _ if line.ends_with("Targets>") || line.ends_with("Targets />") => {}
                _ if line.starts_with("<TagLanguage>und") || line.is_empty() => {}
                _ => match open.last_mut() {
                    Some((own, _)) => own.push(line),
                    None if line.starts_with("<TrackUID>") => about.push("<a track>"),
                    None => about.push(line),
                },
            }
        }
        about.sort_unstable();
        let ours = [
            "<Name>BPS<",
            "<Name>DURATION<",
            "<Name>NUMBER_OF_",
            "<Name>_STATISTICS_",
            "<Name>DRAPTO_",
            "<Name>ENCODER",
        ];
        found.retain(|tag| !ours.iter().any(|name| tag.contains(name)));
        out.extend(found.into_iter().map(|tag| about.concat() + &tag));
    }
    out
}

/// The XML of a file's chapters, its elements in one order.
fn chapters(path: &Path) -> Vec<String> {
    let mut lines: Vec<String> = mkvextract(path, "chapters").lines().map(str::to_owned).collect();
    // Flags that are written as their default say nothing.
    let defaults = ["FlagHidden>0<", "FlagEnabled>1<", "FlagDefault>0<", "FlagOrdered>0<"];
    lines.retain(|line| !defaults.iter().any(|d| line.contains(d)));
    lines.sort();
    lines
}

fn same_chapters(lab: &Lab, case: &str) -> Found {
    let (output, _) = lab.encode(case, &[]);
    let source = lab.case(case);
    let (want, have) = (chapters(&source), chapters(&output));
    let right = want == have && want.len() > 10 && verifies(&source, &output);
    right_if(right, format!("{} lines of chapters, {} in the source", have.len(), want.len()))
}

fn same_tags(lab: &Lab, case: &str) -> Found {
    let (output, _) = lab.encode(case, &[]);
    let source = lab.case(case);
    let (want, have) = (tags(&source), tags(&output));
    let right = want == have && !want.is_empty() && verifies(&source, &output);
    right_if(right, format!("{} tags, {} in the source", have.len(), want.len()))
}

fn chapters_30k(lab: &Lab) -> Found {
    let (output, _) = lab.encode("chapters_30k.mp4", &[]);
    let starts = |path: &Path| -> Vec<f64> {
        let found = ffprobe(path, &["-show_chapters"]);
        let second = |c: &Value| c["start_time"].as_str().and_then(|s| s.parse().ok()).unwrap_or(f64::NAN);
        array(&found, "chapters").iter().map(second).collect()
    };
    let (want, have) = (starts(&lab.case("chapters_30k.mp4")), starts(&output));
    let near = want.len() == 2 && have.len() == 2 && want.iter().zip(&have).all(|(a, b)| (a - b).abs() < 2e-6);
    right_if(near && verifies(&lab.case("chapters_30k.mp4"), &output), format!("{have:?}"))
}

fn unnamed(lab: &Lab, case: &str) -> Found {
    let (output, _) = lab.encode(case, &[]);
    let found = mkvmerge(&output);
    let title = &found["container"]["properties"]["title"];
    let names = properties(&output, "track_name");
    let right = title.is_null() && names.iter().all(Value::is_null) && verifies(&lab.case(case), &output);
    // The other name of each of these is "x", in the source as well.
    let kept = case == "empty_title.mkv" || names.iter().all(Value::is_null);
    right_if(right && kept, format!("title {title}, names {names:?}"))
}

fn bcp47(lab: &Lab) -> Found {
    let (output, _) = lab.encode("bcp47.mkv", &[]);
    same_properties(&lab.case("bcp47.mkv"), &output, &["language_ietf", "language"])
}

fn same_properties(source: &Path, output: &Path, names: &[&str]) -> Found {
    let mut text = Vec::new();
    for name in names {
        let (want, have) = (properties(source, name), properties(output, name));
        if want != have {
            return Err(format!("{name}: {have:?} instead of {want:?}"));
        }
        text.push(format!("{name} {}", Value::Array(have)));
    }
    right_if(verifies(source, output), text.join(", "))
}

fn pixelcrop(lab: &Lab) -> Found {
    let (output, report) = lab.encode("pixelcrop.mkv", &[]);
    let sizes =
        (properties(&output, "pixel_dimensions")[0].clone(), properties(&output, "display_dimensions")[0].clone());
    let right = sizes.0 == "288x140"
        && report["video"]["crop"] == "288:140:16:20"
        && psnr(&lab.case("pixelcrop.mkv"), "288:140:16:20", &output) > 30.0
        && verifies(&lab.case("pixelcrop.mkv"), &output);
    right_if(right, format!("{} shown as {}", sizes.0, sizes.1))
}

/// The PSNR of `output` against the part `crop` of `source`, in dB.
fn psnr(source: &Path, crop: &str, output: &Path) -> f64 {
    // By their number: with sound that has a pre-skip ffmpeg moves all times.
    let alike = "setsar=1,settb=1/25,setpts=N,format=yuv420p";
    let graph = format!("[0:v]crop={crop},{alike}[a];[1:v]{alike}[b];[a][b]psnr");
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "info", "-i"])
        .arg(source)
        .arg("-i")
        .arg(output)
        .args(["-lavfi", &graph, "-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let text = said(&out);
    let found = text.split("average:").nth(1).and_then(|t| t.split_whitespace().next()?.parse().ok());
    found.unwrap_or_else(|| panic!("{text}"))
}

fn stereo3d(lab: &Lab) -> Found {
    let (output, _) = lab.encode("stereo3d.mkv", &[]);
    let (mode, display) =
        (properties(&output, "stereo_mode")[0].clone(), properties(&output, "display_dimensions")[0].clone());
    let stray = mkvextract(&output, "tags").to_uppercase().contains("STEREO_MODE");
    let right = mode == 1 && display == "320x180" && !stray && verifies(&lab.case("stereo3d.mkv"), &output);
    right_if(right, format!("StereoMode {mode}, display {display}, stray tag: {stray}"))
}

fn attach_nomime(lab: &Lab) -> Found {
    let (output, _) = lab.encode("attach_nomime.mkv", &[]);
    let count = |path: &Path| array(&mkvmerge(path), "attachments").len();
    let (want, have) = (count(&lab.case("attach_nomime.mkv")), count(&output));
    right_if(
        want == have && verifies(&lab.case("attach_nomime.mkv"), &output),
        format!("{have} listed, {want} in the source"),
    )
}

fn ssa(lab: &Lab) -> Found {
    let (output, _) = lab.encode("ssa.mkv", &[]);
    let source = lab.case("ssa.mkv");
    // mkvmerge names both kinds alike: the CodecID tells.
    let id = properties(&output, "codec_id").last().cloned().unwrap_or_default();
    let text = |path: &Path| {
        let args = ["-i".as_ref(), path.as_os_str(), "-map".as_ref(), "0:s".as_ref(), "-f".as_ref(), "ass".as_ref()];
        let ass = ffmpeg(&args.into_iter().chain(["-".as_ref()]).collect::<Vec<_>>());
        let ass = String::from_utf8_lossy(&ass).into_owned();
        // All but the times of the cues, which ffmpeg moves by the pre-skip of the sound.
        let parts = |line: &str| {
            line.split(',')
                .enumerate()
                .filter(|(n, _)| ![1, 2].contains(n))
                .map(|(_, p)| p.to_owned())
                .collect::<Vec<_>>()
        };
        ass.lines()
            .map(|line| if line.starts_with("Dialogue") { parts(line).join(",") } else { line.to_owned() })
            .collect::<Vec<_>>()
    };
    let right = id == "S_TEXT/SSA" && text(&source) == text(&output) && verifies(&source, &output);
    right_if(right, format!("{id}"))
}

fn flags(lab: &Lab) -> Found {
    let (output, _) = lab.encode("flags.mkv", &[]);
    let names = ["enabled_track", "default_track", "forced_track", "flag_hearing_impaired"];
    same_properties(&lab.case("flags.mkv"), &output, &names)
}

fn alpha_vp9(lab: &Lab) -> Found {
    let (output, report) = lab.encode("alpha_vp9.webm", &[]);
    let named = warnings(&report).contains("alpha");
    let stray = mkvextract(&output, "tags").to_uppercase().contains("ALPHA_MODE");
    right_if(
        named && !stray && verifies(&lab.case("alpha_vp9.webm"), &output),
        format!("named: {named}, stray tag: {stray}"),
    )
}

fn many_tracks(lab: &Lab) -> Found {
    let (output, _) = lab.encode("many_tracks.mkv", &[]);
    let count = |path: &Path| array(&mkvmerge(path), "tracks").len();
    let (want, have) = (count(&lab.case("many_tracks.mkv")), count(&output));
    right_if(want == have && verifies(&lab.case("many_tracks.mkv"), &output), format!("{have} tracks of {want}"))
}

/// A source of our own and what is made of it.
fn encoded(name: &str) -> Option<(tempfile::TempDir, std::path::PathBuf, std::path::PathBuf, Value)> {
    if !["mkvmerge", "mkvextract", "mkvpropedit"].into_iter().all(tool) {
        return None;
    }
    let clip = fixture(name)?;
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let report = encode(&clip, &output, &[]);
    assert!(verifies(&clip, &output), "{name}");
    Some((folder, clip, output, report))
}

/// Three levels, three languages, a hidden edition, times that are no whole milliseconds, tags about a chapter.
#[test]
fn nested_chapters_keep_names_flags_and_nanoseconds() {
    let Some((_folder, clip, output, _)) = encoded("editions") else { return };
    assert_eq!(chapters(&clip), chapters(&output));
    assert_eq!(chapters(&output).iter().filter(|l| l.contains("<ChapterString>")).count(), 6);
    assert!(chapters(&output).iter().any(|l| l.contains("00:00:00.333333333")));
    assert_eq!(tags(&clip), tags(&output));
}

/// One edition of plain names: their language stays.
#[test]
fn plain_chapters_keep_their_language() {
    let Some((_folder, _, output, _)) = encoded("german") else { return };
    let languages = chapters(&output).iter().filter(|l| l.contains("<ChapterLanguage>ger<")).count();
    assert_eq!(languages, 2, "{:?}", chapters(&output));
}

/// Tags about tracks, an attachment, a chapter and an edition; nested three deep; in two languages.
#[test]
fn tags_keep_their_targets() {
    let Some((_folder, clip, output, _)) = encoded("tagtargets") else { return };
    assert_eq!(tags(&clip), tags(&output));
    let found = tags(&output);
    for wanted in [
        "<AttachmentUID>77</AttachmentUID>",
        "<ChapterUID>11</ChapterUID>",
        "<EditionUID>5</EditionUID>",
        "<a track>",
        "<Name>THIRD</Name>",
    ] {
        assert!(found.iter().any(|tag| tag.contains(wanted)), "{wanted}: {found:#?}");
    }
}

/// A SeekHead that leads nowhere: the elements are found by walking.
#[test]
fn elements_are_found_where_the_seek_head_is_ruined() {
    let Some((_folder, clip, output, _)) = encoded("noseekhead") else { return };
    assert_eq!(tags(&clip), tags(&output));
    assert_eq!(tongues(&clip), tongues(&output));
}

/// The BCP 47 tag of each track that says more than the code beside it, else that code.
fn tongues(path: &Path) -> Vec<Value> {
    let more = |tag: &Value| tag.as_str().is_some_and(|tag| tag.contains('-') || tag == "yue");
    let pairs = properties(path, "language_ietf").into_iter().zip(properties(path, "language"));
    pairs.map(|(tag, code)| if more(&tag) { tag } else { code }).collect()
}

#[test]
fn languages_and_disabled_tracks_stay() {
    let Some((_folder, clip, output, _)) = encoded("tongues") else { return };
    assert_eq!(tongues(&clip), tongues(&output));
    assert!(tongues(&output).contains(&Value::from("yue")));
    for name in ["language", "enabled_track", "default_track"] {
        assert_eq!(properties(&clip, name), properties(&output, name), "{name}");
    }
}

/// Names of tracks, a BCP 47 tag, chapters and a title in two languages, alternate groups, both eyes side by side.
#[test]
fn what_mp4_says_in_its_own_boxes_comes_through() {
    let Some((_folder, _clip, output, report)) = encoded("mp4names") else { return };
    assert_eq!(properties(&output, "track_name")[1..], [Value::from("Original"), Value::from("Director's commentary")]);
    assert_eq!(tongues(&output)[1..], [Value::from("pt-BR"), Value::from("eng")]);
    assert_eq!(properties(&output, "stereo_mode")[0], 1, "left eye first");
    let chapters = mkvextract(&output, "chapters");
    let names = |tag: &str| -> Vec<&str> {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        chapters.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
    };
    assert_eq!(names("ChapterString"), ["Start", "Début", "End", "Fin"]);
    assert_eq!(names("ChapterLanguage"), ["eng", "fre", "eng", "fre"]);
    assert_eq!(names("ChapterTimeStart"), ["00:00:00.000000000", "00:00:01.200000000"]);
    assert_eq!(mkvmerge(&output)["container"]["properties"]["title"], "The Film");
    assert!(tags(&output).iter().any(|tag| tag.contains("Le Film") && tag.contains("fre")), "{:?}", tags(&output));
    assert!(!mkvextract(&output, "tags").contains("HANDLER_NAME"));
    assert!(!warnings(&report).contains("not kept"), "{}", warnings(&report));
    let reasons = array(&report, "streams").iter().filter(|s| s["kind"] == "audio");
    assert!(reasons.clone().count() == 2);
    for stream in reasons {
        assert!(stream["reason"].as_str().is_some_and(|why| why.contains("alternate group")), "{stream}");
    }
}

#[test]
fn eyes_that_only_the_pictures_tell_of_are_carried() {
    let Some((_folder, _clip, output, _)) = encoded("packedsei") else { return };
    assert_eq!(properties(&output, "stereo_mode")[0], 3, "left eye above");
}

/// Odd edges, and one picture above the other.
#[test]
fn cropped_and_packed_pictures_keep_their_shape() {
    let Some((_folder, clip, output, report)) = encoded("croppedthree") else { return };
    assert_eq!(properties(&output, "stereo_mode")[0], 3);
    assert_eq!(properties(&output, "pixel_dimensions")[0], "304x176");
    assert_eq!(report["video"]["crop"], "304:176:16:0");
    let (right, beside) = (psnr(&clip, "304:176:16:0", &output), psnr(&clip, "304:176:14:0", &output));
    assert!(right > beside + 3.0, "{right} dB, {beside} dB two columns beside");
    assert!(!mkvextract(&output, "tags").contains("STEREO_MODE"));
}

/// Bars inside what is shown are found there, and edges that are hidden play no part.
#[test]
fn bars_are_looked_for_in_what_is_shown() {
    let Some((_folder, _, _, report)) = encoded("hiddenedges") else { return };
    assert_eq!(report["video"]["crop"], "304:120:8:30");
}

#[test]
fn names_that_are_empty_are_none() {
    let Some((_folder, _, output, _)) = encoded("nameless") else { return };
    assert!(properties(&output, "track_name").iter().all(Value::is_null));
    assert!(mkvmerge(&output)["container"]["properties"]["title"].is_null());
}

/// 400 chapters, 100 attachments, 30 tracks.
#[test]
fn many_of_everything_fits() {
    let Some((_folder, clip, output, report)) = encoded("crowd") else { return };
    let found = mkvmerge(&output);
    assert_eq!(array(&found, "tracks").len(), 30);
    assert_eq!(array(&found, "attachments").len(), 100);
    assert_eq!(array(&ffprobe(&output, &["-show_chapters"]), "chapters").len(), 400);
    assert_eq!(array(&mkvmerge(&clip), "attachments").len(), 100);
    let peak = report["peak_memory_bytes"].as_u64().unwrap_or(u64::MAX);
    assert!(peak < 1 << 30, "{peak} bytes");
}

/// 28 tracks of sound, 200 MB of subtitles.
#[test]
#[ignore = "takes half an hour and 2 GB; make test-long runs it"]
fn six_hours_stay_within_memory() {
    let Some((_folder, _clip, output, report)) = encoded("sixhours") else { return };
    let found = mkvmerge(&output);
    assert_eq!(array(&found, "tracks").len(), 30);
    let cues = ["-select_streams", "s", "-count_packets", "-show_entries", "stream=nb_read_packets"];
    assert_eq!(ffprobe(&output, &cues)["streams"][0]["nb_read_packets"], "200000");
    let peak = report["peak_memory_bytes"].as_u64().unwrap_or(u64::MAX);
    assert!(peak < 512 << 20, "{peak} bytes");
}

#[test]
fn transparency_is_named_whatever_says_it() {
    let Some(cases) = super::cases() else { return };
    let folder = scratch();
    for case in ["alpha_vp9.webm", "alpha_qtrle.mov", "ya8.mov", "rgb24.mov"] {
        let report = encode(&cases.join(case), &folder.path().join("out.mkv"), &[]);
        let named = report["warnings"].to_string().contains("transparency");
        assert_eq!(named, case != "rgb24.mov", "{case}: {}", report["warnings"]);
    }
}
