//! `drapto verify` says yes to what is right and no to what is not.

use std::path::Path;

use serde_json::Value;

use super::support::{array, drapto, encode, ffprobe, fixture, media, scratch};

fn verify(source: &Path, output: &Path) -> (Option<i32>, Value) {
    let out = drapto().args(["verify", "--json"]).args([source, output]).output().expect("drapto runs");
    (out.status.code(), serde_json::from_slice(&out.stdout).unwrap_or(Value::Null))
}

fn failed(report: &Value) -> Vec<String> {
    let failed = array(report, "checks").iter().filter(|c| c["pass"] == false);
    failed.map(|c| c["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_faithful_encode_passes_without_the_memory_of_its_run() {
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    for name in ["everything", "vfr", "movtext", "commentary", "odd", "anamorphic"] {
        let Some(clip) = fixture(name) else { return };
        encode(&clip, &output, &[]);
        let (code, report) = verify(&clip, &output);
        assert_eq!((code, failed(&report)), (Some(0), Vec::new()), "{name}");
    }
}

#[test]
fn another_film_a_flipped_byte_and_a_missing_end_are_found() {
    let Some(clip) = fixture("everything") else { return };
    let Some(other) = fixture("vfr") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    encode(&clip, &output, &[]);
    let (code, report) = verify(&other, &output);
    assert_eq!(code, Some(4));
    let names = failed(&report);
    assert!(names.contains(&"frames".to_owned()) && names.contains(&"tracks".to_owned()), "{names:?}");

    let good = std::fs::read(&output).expect("the output");
    let torn = folder.path().join("torn.mkv");
    std::fs::write(&torn, &good[..good.len() / 2]).expect("a file");
    assert_eq!(verify(&clip, &torn).0, Some(4), "half a file");

    // The title "Kommentar der Regie" in the header: a byte that no player would stumble over.
    let title = b"Kommentar der Regie";
    let at = good.windows(title.len()).position(|w| w == title).expect("the title");
    let mut changed = good.clone();
    changed[at] ^= 1;
    std::fs::write(&torn, &changed).expect("a file");
    let (code, report) = verify(&clip, &torn);
    assert_eq!(code, Some(4));
    assert_eq!(failed(&report), ["title of stream 2"]);
}

#[test]
fn what_is_no_matroska_file_fails_as_an_output() {
    let Some(clip) = fixture("oneframe") else { return };
    let Some(text) = fixture("text") else { return };
    let (code, report) = verify(&clip, &text);
    assert_eq!(code, Some(4));
    assert_eq!(failed(&report), ["container"]);
}

#[test]
fn a_crop_by_hand_passes_also_where_it_is_not_what_is_found_and_is_not_handed_on() {
    let Some(clip) = fixture("everything") else { return };
    let folder = scratch();
    let (output, again) = (folder.path().join("out.mkv"), folder.path().join("again.mkv"));
    for more in [&[][..], &["--scale", "100"]] {
        encode(&clip, &output, &[&["--crop", "200:100:20:30"], more].concat());
        let (code, report) = verify(&clip, &output);
        assert_eq!((code, failed(&report)), (Some(0), Vec::new()), "{more:?}");
    }
    let tag = |path: &Path| ffprobe(path, &["-show_streams"])["streams"][0]["tags"]["DRAPTO_CROP"].clone();
    assert_eq!(tag(&output), "200:100:20:30");
    // What is made of the cropped film is not cropped.
    encode(&output, &again, &["--crop", "off"]);
    assert_eq!(tag(&again), Value::Null);
    let (code, report) = verify(&output, &again);
    assert_eq!((code, failed(&report)), (Some(0), Vec::new()));
}

#[test]
fn what_was_done_to_the_picture_is_known_again_from_source_and_output() {
    let Some(media) = media() else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let fast = ["--preset", "12", "--crf", "50"];
    for (clip, more) in [
        ("derived/letterbox_960x540_crop_960-400-0-70.mkv", &[][..]),
        ("derived/letterbox_960x540_crop_960-400-0-70.mkv", &["--crop", "off"]),
        ("derived/letterbox_960x540_crop_960-400-0-70.mkv", &["--scale", "200"]),
        ("hdr/dovi_p81_259f.mkv", &[]),
        ("hdr/dovi_p81_259f.mkv", &["--dolby-vision", "strip"]),
        ("hdr/hdr10plus_259f.mkv", &[]),
        ("derived/interlaced_tff_720x576_mpeg2_16-9.mkv", &[]),
    ] {
        encode(&media.join(clip), &output, &[&fast[..], more].concat());
        let (code, report) = verify(&media.join(clip), &output);
        assert_eq!((code, failed(&report)), (Some(0), Vec::new()), "{clip} {more:?}");
    }
    // A bit of one picture's HDR10+ turns over.
    let clip = media.join("hdr/hdr10plus_259f.mkv");
    encode(&clip, &output, &fast);
    let mut bytes = std::fs::read(&output).expect("the output");
    let start = [0xB5, 0x00, 0x3C, 0x00, 0x01, 0x04];
    let places: Vec<usize> = bytes.windows(6).enumerate().filter(|(_, w)| *w == start).map(|(i, _)| i).collect();
    assert_eq!(places.len(), 259);
    bytes[places[100] + 12] ^= 1;
    std::fs::write(&output, bytes).expect("written");
    let (code, report) = verify(&clip, &output);
    assert_eq!((code, failed(&report)), (Some(4), vec!["HDR10+ and Dolby Vision metadata by picture".to_owned()]));
}
