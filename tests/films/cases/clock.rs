//! Time before zero, and one clock for a source.

use std::path::Path;

use serde_json::Value;

use super::{Found, Lab, Row, right_if};
use crate::support::*;

pub const ROWS: &[Row] = &[
    Row { name: "cut_mid_gop", check: cut_mid_gop },
    Row { name: "concat_back5", check: |lab| joined(lab, "concat_back5.ts") },
    Row { name: "concat_leap", check: |lab| joined(lab, "concat_leap.ts") },
    Row { name: "wrap_start", check: |lab| from_zero(lab, "wrap_start.ts") },
    Row { name: "wrap_mid", check: |lab| from_zero(lab, "wrap_mid.ts") },
    Row { name: "starts_at_20h", check: |lab| from_zero(lab, "starts_at_20h.ts") },
    Row { name: "aac_codecdelay", check: aac_codecdelay },
];

fn cut_mid_gop(lab: &Lab) -> Found {
    let (_, report) = lab.encode("cut_mid_gop.mp4", &[]);
    let frames = &report["output"]["frames"];
    right_if(*frames == 52, format!("{frames} pictures"))
}

/// What ffprobe says of when the pictures are shown and of the whole, in seconds.
struct Times {
    pictures: Vec<f64>,
    sound_start: f64,
    start: f64,
    duration: f64,
}

fn seconds(value: &Value) -> f64 {
    value.as_str().and_then(|s| s.parse().ok()).unwrap_or(f64::NAN)
}

fn times(path: &Path) -> Times {
    let found =
        ffprobe(path, &["-select_streams", "v:0", "-show_entries", "packet=pts_time:format=start_time,duration"]);
    let mut pictures: Vec<f64> = array(&found, "packets").iter().map(|p| seconds(&p["pts_time"])).collect();
    pictures.sort_by(f64::total_cmp);
    let sound = ffprobe(path, &["-select_streams", "a:0", "-show_entries", "stream=start_time"]);
    let sound_start = array(&sound, "streams").first().map_or(f64::NAN, |s| seconds(&s["start_time"]));
    let (start, duration) = (seconds(&found["format"]["start_time"]), seconds(&found["format"]["duration"]));
    Times { pictures, sound_start, start, duration }
}

/// How many seconds of sound decode.
fn heard(path: &Path) -> f64 {
    let args = ["-i".as_ref(), path.as_os_str(), "-map".as_ref(), "0:a:0".as_ref(), "-ac".as_ref(), "1".as_ref()];
    let more = ["-ar", "8000", "-f", "s16le", "-"].map(AsRef::as_ref);
    ffmpeg(&args.into_iter().chain(more).collect::<Vec<_>>()).len() as f64 / 16_000.0
}

/// The tone that is loudest around `at`, in Hz, of some.
fn tone(path: &Path, at: f64) -> u32 {
    let from = format!("{:.3}", at - 0.1);
    let args = ["-i".as_ref(), path.as_os_str(), "-ss".as_ref(), from.as_ref(), "-t".as_ref(), "0.2".as_ref()];
    let more = ["-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f", "s16le", "-"].map(AsRef::as_ref);
    let raw = ffmpeg(&args.into_iter().chain(more).collect::<Vec<_>>());
    let samples: Vec<f64> = raw.as_chunks::<2>().0.iter().map(|b| f64::from(i16::from_le_bytes(*b))).collect();
    let power = |hz: u32| {
        let turn = f64::from(hz) * std::f64::consts::TAU / 8_000.0;
        let sum = samples
            .iter()
            .enumerate()
            .fold((0.0, 0.0), |(re, im), (n, s)| (re + s * (turn * n as f64).cos(), im + s * (turn * n as f64).sin()));
        sum.0.hypot(sum.1)
    };
    [440, 660, 880].into_iter().max_by(|a, b| power(*a).total_cmp(&power(*b))).expect("tones")
}

/// Two pieces of 3 s: 150 pictures, evenly spaced, all the sound, and a word about the place.
fn joined(lab: &Lab, case: &str) -> Found {
    let (output, report) = lab.encode(case, &[]);
    evenly(&output, &report, &[3.0, 3.0], &[440, 880], 0.04)
}

/// Whether pieces of some seconds and tones follow each other.
fn evenly(output: &Path, report: &Value, pieces: &[f64], tones: &[u32], frame: f64) -> Found {
    let found = times(output);
    let length: f64 = pieces.iter().sum();
    let gaps = found.pictures.windows(2).map(|w| w[1] - w[0]);
    let (least, most) = gaps.fold((f64::MAX, 0.0), |(least, most), gap: f64| (least.min(gap), gap.max(most)));
    let sound = heard(output);
    let (mut end, mut off) = (0.0, Vec::new());
    for (piece, wanted) in pieces.iter().zip(tones) {
        for at in [end + 0.4, end + piece - 0.4] {
            let heard = tone(output, at);
            if heard != *wanted {
                off.push(format!("{heard} Hz at {at:.1} s"));
            }
        }
        end += piece;
    }
    let named = array(report, "warnings").iter().filter(|w| w.as_str().is_some_and(|w| w.contains("clock"))).count();
    let right = found.pictures.len() as f64 == (length / frame).round()
        && least > frame - 0.002
        && most < frame + 0.1
        && (sound - length).abs() < 0.15
        && (found.duration - length).abs() < 0.15
        && off.is_empty()
        && named == pieces.len() - 1;
    let text = format!(
        "{} pictures {least:.3} to {most:.3} s apart, {sound:.2} s of sound, {:.2} s, {named} jumps named {}",
        found.pictures.len(),
        found.duration,
        off.join(", ")
    );
    right_if(right, text)
}

/// Three seconds from zero on, pictures and sound as far apart as they were.
fn from_zero(lab: &Lab, case: &str) -> Found {
    let (output, _) = lab.encode(case, &[]);
    let (source, found) = (times(&lab.case(case)), times(&output));
    // ffprobe takes no pre-skip off Opus that Matroska's CodecDelay took off already: it plays from zero on.
    let apart = |t: &Times| t.pictures[0] - t.sound_start;
    let off = (apart(&source) - apart(&found) - 0.0065).abs().min((apart(&source) - apart(&found) + 0.0065).abs());
    let right = found.pictures.len() == 75
        && found.start.abs() < 0.008
        && found.pictures[0] < 0.05
        && (found.duration - 3.0).abs() < 0.05
        && off < 0.0021;
    right_if(right, format!("{:.3} s from {:.3} s on, apart by {off:.4} s more", found.duration, found.start))
}

fn aac_codecdelay(lab: &Lab) -> Found {
    let (output, _) = lab.encode("aac_codecdelay.mkv", &[]);
    let found = times(&output);
    let copied = lab.dir.join("copied.mkv");
    encode(&lab.case("aac_codecdelay.mkv"), &copied, &["--audio", "copy"]);
    let packets = |path: &Path| {
        let found = ffprobe(path, &["-select_streams", "a:0", "-show_entries", "packet=pts"]);
        array(&found, "packets").iter().map(|p| p["pts"].as_i64()).collect::<Vec<_>>()
    };
    let delay = &mkvmerge(&copied)["tracks"][1]["properties"]["codec_delay"];
    let same = packets(&lab.case("aac_codecdelay.mkv")) == packets(&copied);
    let right = (found.pictures[0] - 0.021).abs() < 0.0011
        && (found.sound_start + 0.0065).abs() < 0.0011
        && (heard(&output) - 3.0).abs() < 0.03
        && *delay == 21_333_333
        && same;
    let text =
        format!("picture at {:.3} s, sound at {:.3} s; copied: delay {delay}", found.pictures[0], found.sound_start);
    right_if(right, format!("{text}, packets {}", if same { "the same" } else { "others" }))
}

#[test]
fn recordings_that_were_joined_are_one_film() {
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let joined: [(&str, &[f64], &[u32]); 4] = [
        ("restart", &[3.0, 4.0, 2.0], &[440, 880, 660]),
        ("leap", &[3.0, 3.0], &[440, 880]),
        ("joinedvob", &[3.0, 3.0], &[440, 880]),
        ("twicewrapped", &[3.0, 3.0], &[440, 880]),
    ];
    for (name, pieces, tones) in joined {
        let Some(clip) = fixture(name) else { return };
        let report = encode(&clip, &output, &[]);
        let found = evenly(&output, &report, pieces, tones, 0.04);
        assert!(found.is_ok(), "{name}: {found:?}");
        verified(&clip, &output);
    }
}

/// The same at a target, where chunks are decoded again because memory holds none.
#[test]
fn chunks_of_a_joined_recording_are_its_own() {
    let Some(clip) = fixture("restart") else { return };
    let folder = scratch();
    let held = folder.path().join("held.mkv");
    let again = folder.path().join("again.mkv");
    let how = ["--target-vmaf", "80", "--chunk-size", "2", "--preset", "12"];
    let report = encode(&clip, &held, &how);
    let found = evenly(&held, &report, &[3.0, 4.0, 2.0], &[440, 880, 660], 0.04);
    assert!(found.is_ok(), "{found:?}");
    encode(&clip, &again, &[&how[..], &["--max-memory", "300M"]].concat());
    let frames = |path: &Path| {
        ffmpeg(&[
            "-i".as_ref(),
            path.as_os_str(),
            "-map".as_ref(),
            "0:v".as_ref(),
            "-f".as_ref(),
            "md5".as_ref(),
            "-".as_ref(),
        ])
    };
    assert_eq!(frames(&held), frames(&again));
}

#[test]
fn a_hole_in_the_sound_is_silence_and_no_jump() {
    let Some(clip) = fixture("hole") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let report = encode(&clip, &output, &[]);
    let warnings = array(&report, "warnings").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    assert!(!warnings.contains("clock"), "{warnings}");
    assert!((heard(&output) - 5.0).abs() < 0.1, "{} s", heard(&output));
    assert_eq!(times(&output).pictures.len(), 125);
}

#[test]
fn the_start_of_a_broadcast_is_kept_where_that_is_asked_for() {
    let Some(clip) = fixture("offset") else { return };
    let folder = scratch();
    let (zero, kept) = (folder.path().join("zero.mkv"), folder.path().join("kept.mkv"));
    encode(&clip, &zero, &[]);
    encode(&clip, &kept, &["--keep-start"]);
    let (source, zero_times, kept_times) = (times(&clip), times(&zero), times(&kept));
    assert!(source.pictures[0] > 10.0 && zero_times.pictures[0] < 0.01);
    let off = |of: &Times, by: f64| {
        source.pictures.iter().zip(&of.pictures).map(|(a, b)| (a - by - b).abs()).fold(0.0, f64::max)
    };
    assert!(off(&kept_times, 0.0) < 0.0011);
    assert!(off(&zero_times, source.start) < 0.0011, "{}", off(&zero_times, source.start));
    for output in [&zero, &kept] {
        verified(&clip, output);
    }
}

/// A click stays where it was although the sound before the codec's delay is cut.
#[test]
fn priming_is_cut_exactly() {
    if !tool("mkvpropedit") {
        return;
    }
    let Some(clip) = fixture("primed") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    encode(&clip, &output, &[]);
    let (before, after) = (crate::time::click(&clip), crate::time::click(&output));
    assert!((before - after).abs() <= 0.0011, "{before:.4} s became {after:.4} s");
    let copied = folder.path().join("copied.mkv");
    encode(&clip, &copied, &["--audio", "copy"]);
    let after = crate::time::click(&copied);
    assert!((before - after).abs() <= 0.0011, "copied: {before:.4} s became {after:.4} s");
    assert_eq!(
        mkvmerge(&copied)["tracks"][1]["properties"]["codec_delay"],
        mkvmerge(&clip)["tracks"][1]["properties"]["codec_delay"]
    );
}
