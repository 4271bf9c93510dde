//! What a file says of how it was made, as others read it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::support::*;

/// The tags of the video track, as ffprobe has them.
fn tags(path: &Path) -> Value {
    ffprobe(path, &["-select_streams", "v", "-show_streams"])["streams"][0]["tags"].clone()
}

fn tag<'a>(tags: &'a Value, name: &str) -> &'a str {
    tags[name].as_str().unwrap_or_else(|| panic!("{name} in {tags}"))
}

fn own(tags: &Value) -> Vec<&String> {
    let of_ours = |name: &&String| name.starts_with("DRAPTO_") || name.starts_with("ENCODER");
    tags.as_object().into_iter().flat_map(|all| all.keys()).filter(of_ours).collect()
}

fn probe(path: &Path) -> Value {
    let out = drapto().args(["probe", "--json"]).arg(path).output().expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    serde_json::from_slice::<Value>(&out.stdout).expect("JSON")["provenance"].clone()
}

fn near(a: &Value, b: &Value) -> bool {
    a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| (a - b).abs() <= 0.005_001)
}

/// The sample's first seconds.
fn small(folder: &Path) -> Option<std::path::PathBuf> {
    let sample = fixture("sample")?;
    let clip = folder.join("small.mkv");
    let (from, to) = (sample.to_str().expect("a path"), clip.to_str().expect("a path"));
    let filter = "scale=320:180";
    let args = ["-i", from, "-t", "6", "-map", "0:v", "-vf", filter, "-c:v", "mpeg4", "-q:v", "3", to];
    ffmpeg(&args.map(std::ffi::OsStr::new));
    Some(clip)
}

const TARGET: [&str; 6] = ["--target-vmaf", "85", "--chunk-size", "2", "--preset", "11"];

#[test]
fn a_target_is_told_with_the_scores_of_the_report_and_every_chunk() {
    let folder = scratch();
    let Some(clip) = small(folder.path()) else { return };
    let output = folder.path().join("out.mkv");
    let report = encode(&clip, &output, &[&TARGET[..], &["--svt", "enable-tf=0"]].concat());
    let tags = tags(&output);
    assert!(tag(&tags, "ENCODER").starts_with("SVT-AV1 "), "{tags}");
    let told = tag(&tags, "ENCODER_SETTINGS");
    assert!(told.starts_with("preset=11:keyint=") && told.ends_with(":tune=0:enable-tf=0"), "{told}");
    assert_eq!(tag(&tags, "DRAPTO_SETTINGS"), r"target_vmaf=85:chunk_size=2:preset=11:svt=enable-tf=0");
    assert_eq!(tag(&tags, "DRAPTO_TARGET"), "vmaf=85:tolerance=0.5:per=chunk:stride=3:model=vmaf_v0.6.1");
    let score = format!("harmonic_mean={:.2}:", report["quality"]["harmonic_mean"].as_f64().expect("a score"));
    assert!(tag(&tags, "DRAPTO_SCORE").starts_with(&score), "{tags}");

    let found = probe(&output);
    for name in ["harmonic_mean", "mean", "p5", "min", "worst_chunk"] {
        assert!(
            near(&found["score"][name], &report["quality"][name]),
            "{name}: {} {}",
            found["score"],
            report["quality"]
        );
    }
    let (said, done) = (array(&found, "chunks"), array(&report, "chunks"));
    assert!(said.len() == done.len() && said.len() >= 3, "{} chunks of {}", said.len(), done.len());
    // A chunk begins at a keyframe, by others' reading.
    let packets = ffprobe(&output, &["-select_streams", "v", "-show_entries", "packet=pts_time,flags"]);
    let packets = array(&packets, "packets");
    for (said, done) in said.iter().zip(done) {
        assert_eq!((&said["frames"], &said["crf"]), (&done["frames"], &done["crf"]));
        assert!(near(&said["score"], &done["vmaf"]), "{said} {done}");
        let first = &packets[said["first_frame"].as_u64().expect("a number") as usize];
        let seconds: f64 = first["pts_time"].as_str().expect("a time").parse().expect("a number");
        assert_eq!(said["start_ms"].as_i64(), Some((seconds * 1000.0).round() as i64));
        assert!(first["flags"].as_str().is_some_and(|flags| flags.starts_with('K')), "{first}");
    }
    let frames: u64 = said.iter().filter_map(|c| c["frames"].as_u64()).sum();
    assert_eq!(frames, packets.len() as u64);

    let out = drapto().arg("probe").arg(&output).output().expect("drapto runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    for part in ["made by: SVT-AV1 ", "target: VMAF 85 ± 0.5 per chunk", "score: harmonic mean ", "chunks: "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    verified(&clip, &output);
    for place in [folder.path().to_str().expect("a path"), "small.mkv"] {
        assert!(own(&tags).iter().all(|name| !tag(&tags, name).contains(place)), "{place} in {tags}");
    }
}

#[test]
fn a_fixed_crf_is_told_and_nothing_where_that_is_not_wanted() {
    let folder = scratch();
    let Some(clip) = small(folder.path()) else { return };
    let (output, silent) = (folder.path().join("out.mkv"), folder.path().join("silent.mkv"));
    encode(&clip, &output, &["--film-grain", "8", "--preset", "8"]);
    let told = tags(&output);
    let names = ["DRAPTO_SETTINGS", "DRAPTO_VERSION", "ENCODER", "ENCODER_SETTINGS"];
    let mut found = own(&told);
    found.sort();
    assert_eq!(found, names);
    assert_eq!(tag(&told, "DRAPTO_SETTINGS"), "crf=25:preset=8:film_grain=8");
    let settings = tag(&told, "ENCODER_SETTINGS");
    for part in ["preset=8:crf=25:keyint=", ":film-grain=8:film-grain-denoise=0"] {
        assert!(settings.contains(part), "{settings}");
    }
    assert_eq!(probe(&output)["chunks"], Value::Null);
    verified(&clip, &output);

    encode(&clip, &silent, &["--film-grain", "8", "--preset", "8", "--no-provenance"]);
    assert_eq!(own(&tags(&silent)), Vec::<&String>::new());
    assert_eq!(probe(&silent), Value::Null);
    verified(&clip, &silent);
}

#[test]
fn what_is_made_of_an_encode_tells_of_its_own_making_alone() {
    let folder = scratch();
    let Some(clip) = small(folder.path()) else { return };
    let (first, again, third) =
        (folder.path().join("first.mkv"), folder.path().join("again.mkv"), folder.path().join("third.mkv"));
    encode(&clip, &first, &TARGET);
    encode(&first, &again, &[]);
    let told = tags(&again);
    assert_eq!(tag(&told, "DRAPTO_SETTINGS"), "crf=25:preset=10");
    assert_eq!(told["DRAPTO_CHUNKS"], Value::Null);
    verified(&first, &again);
    // Tags that are more than names and values take another way; here by a language.
    if !tool("mkvpropedit") {
        return;
    }
    let xml = folder.path().join("tags.xml");
    let text = "<Tags><Tag><Targets/><Simple><Name>COMMENT</Name><String>bonjour</String>\
                <TagLanguage>fre</TagLanguage></Simple><Simple><Name>ENCODER_SETTINGS</Name>\
                <String>old</String></Simple></Tag></Tags>";
    std::fs::write(&xml, text).expect("written");
    let global = format!("global:{}", xml.display());
    let chunks = array(&probe(&first), "chunks").len();
    let done = Command::new("mkvpropedit").arg(&first).args(["--tags", &global]).output().expect("mkvpropedit runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!((chunks > 0, array(&probe(&first), "chunks").len()), (true, chunks), "read on that way, too");
    encode(&first, &third, &[]);
    assert_eq!(tags(&third), told);
    let film = ffprobe(&third, &["-show_format"])["format"]["tags"].clone();
    assert!(film.to_string().contains("bonjour") && film["ENCODER_SETTINGS"] == Value::Null, "{film}");
    verified(&first, &third);
}

#[test]
fn a_text_that_was_changed_is_found_by_verify_and_named_by_probe() {
    let folder = scratch();
    let Some(clip) = small(folder.path()) else { return };
    let output = folder.path().join("out.mkv");
    encode(&clip, &output, &TARGET);
    let mut bytes = std::fs::read(&output).expect("the output");
    let head = b"drapto chunks 1";
    let at = bytes.windows(head.len()).position(|w| w == head).expect("the chunks");
    bytes[at] = b'D';
    std::fs::write(&output, bytes).expect("written");
    let found = probe(&output);
    assert_eq!((&found["chunks"], &found["unreadable"][0]), (&Value::Null, &Value::from("DRAPTO_CHUNKS")));
    let out = drapto().arg("verify").args([&clip, &output]).output().expect("drapto runs");
    assert_eq!(out.status.code(), Some(4));
    let told = String::from_utf8_lossy(&out.stdout).into_owned() + &said(&out);
    assert!(told.contains("DRAPTO_CHUNKS"), "{told}");
}
