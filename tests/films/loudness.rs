//! How loud tracks are made, judged by FFmpeg's own meter.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::*;

/// What FFmpeg's ebur128 says of the `track`-th audio track: LUFS, and the highest true peak in dBTP.
fn heard(file: &Path, track: usize) -> (f64, f64) {
    let map = format!("0:a:{track}");
    let filter = "ebur128=metadata=1:peak=true,ametadata=mode=print:file=-";
    let args = ["-i".as_ref(), file.as_os_str(), "-map".as_ref(), map.as_ref(), "-af".as_ref(), filter.as_ref()];
    let text = ffmpeg(&[&args[..], &["-f".as_ref(), "null".as_ref(), "/dev/null".as_ref()]].concat());
    let text = String::from_utf8(text).expect("text");
    let last = |key: &str| {
        let of_key = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        of_key.filter_map(|value| value.parse::<f64>().ok()).collect::<Vec<_>>()
    };
    let peaks = (0..8).flat_map(|c| last(&format!("lavfi.r128.true_peaks_ch{c}")));
    let peak = peaks.fold(0.0, f64::max);
    (last("lavfi.r128.I").last().copied().expect("a loudness"), 20.0 * peak.log10())
}

/// A film whose sound is that of a filter graph, one a track, in Matroska.
fn film(folder: &Path, sounds: &[&str], codec: &str) -> Option<PathBuf> {
    if !tool("ffmpeg") {
        return None;
    }
    let film = folder.join("film.mkv");
    let mut args = vec!["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=24:duration=12"];
    sounds.iter().for_each(|sound| args.extend(["-f", "lavfi", "-i", sound]));
    let maps: Vec<String> = (0..=sounds.len()).map(|n| n.to_string()).collect();
    maps.iter().for_each(|map| args.extend(["-map", map]));
    args.extend(["-c:v", "mpeg4", "-c:a", codec, "-shortest", film.to_str().expect("a path")]);
    ffmpeg(&args.iter().map(OsStr::new).collect::<Vec<_>>());
    Some(film)
}

/// A tone with short bursts of noise that are far louder; 12 s at 48 kHz in stereo.
const BURSTS: &str = "aevalsrc='0.07*sin(3141.6*t)+(random(0)-0.5)*1.9*lt(mod(t,3),0.005)|\
                      0.07*sin(3141.6*t)+(random(1)-0.5)*1.9*lt(mod(t,3),0.005)':s=48000:d=12";

fn levelled(film: &Path, output: &Path, more: &[&str]) -> Value {
    encode(film, output, &[&["--crf", "60", "--preset", "13"], more].concat())
}

#[test]
fn tracks_are_as_loud_as_asked_for_by_another_meter() {
    let folder = scratch();
    let Some(clip) = fixture("showcase") else { return };
    let output = folder.path().join("out.mkv");
    let report = levelled(&clip, &output, &["--loudness", "ebu"]);
    let tracks = array(&report, "loudness");
    assert_eq!(tracks.len(), 2, "{report}");
    for (n, track) in tracks.iter().enumerate() {
        let (lufs, peak) = heard(&output, n);
        assert!((lufs + 23.0).abs() <= 0.1 && peak <= -1.0, "track {n}: {lufs} LUFS, {peak} dBTP; {track}");
        let ours = |key: &str| track["after"][key].as_f64().expect("a number");
        assert!((ours("integrated_lufs") - lufs).abs() <= 0.1, "{track} and {lufs}");
        assert!((ours("true_peak_dbtp") - peak).abs() <= 0.4, "{track} and {peak}");
        let before = track["before"]["integrated_lufs"].as_f64().expect("a number");
        assert!((before - heard(&clip, n).0).abs() <= 0.1, "{track}");
    }
    verified(&clip, &output);
}

#[test]
fn peaks_that_a_gain_would_bring_above_the_ceiling_are_limited_and_the_loudness_is_kept() {
    let folder = scratch();
    let Some(film) = film(folder.path(), &[BURSTS], "flac") else { return };
    let output = folder.path().join("out.mkv");
    let report = levelled(&film, &output, &["--loudness", "-16", "--true-peak", "-2"]);
    let track = &array(&report, "loudness")[0];
    assert!(track["limited"] == true && track["trials"].as_u64() > Some(1), "{track}");
    let (lufs, peak) = heard(&output, 0);
    match track["note"].as_str() {
        None => assert!((lufs + 16.0).abs() <= 0.1, "{lufs} LUFS; {track}"),
        Some(note) => panic!("{note}: {track}"),
    }
    assert!(peak <= -1.95, "{peak} dBTP; {track}");
}

#[test]
fn all_tracks_of_an_album_get_one_gain() {
    let folder = scratch();
    let sounds = ["sine=f=500:d=12:r=48000,volume=-10dB", "sine=f=500:d=12:r=48000,volume=-22dB"];
    let Some(film) = film(folder.path(), &sounds, "flac") else { return };
    let output = folder.path().join("out.mkv");
    let report = levelled(&film, &output, &["--loudness", "atsc", "--loudness-group", "album"]);
    let gains: Vec<_> = array(&report, "loudness").iter().map(|track| track["gain_db"].as_f64()).collect();
    assert!(gains.len() == 2 && gains[0] == gains[1] && gains[0].is_some(), "{gains:?}");
    let apart = heard(&output, 0).0 - heard(&output, 1).0;
    assert!((apart - 12.0).abs() < 0.15, "{apart}");
}

#[test]
fn silence_is_left_as_it_is_and_opus_is_encoded_again() {
    let folder = scratch();
    let quiet = "anullsrc=r=48000:cl=stereo:d=12";
    let Some(film) = film(folder.path(), &[quiet, "sine=f=997:d=12:r=48000,volume=-6dB"], "libopus") else { return };
    let output = folder.path().join("out.mkv");
    let report = levelled(&film, &output, &["--loudness", "streaming"]);
    let tracks = array(&report, "loudness");
    assert!(tracks[0]["note"].as_str().is_some_and(|note| note.contains("nothing to be heard")), "{report}");
    assert!(array(&report, "warnings").iter().any(|w| w.as_str().is_some_and(|w| w.contains("nothing to be heard"))));
    assert!((heard(&output, 1).0 + 14.0).abs() <= 0.1, "{report}");
    assert_eq!(array(&report, "streams")[2]["action"], "encoded");
}

#[test]
fn what_is_copied_keeps_its_loudness_and_that_is_said() {
    let folder = scratch();
    let Some(clip) = fixture("tenframes") else { return };
    let output = folder.path().join("out.mkv");
    let run = |more: &[&str]| drapto().arg("encode").args([&clip, &output]).args(more).output().expect("drapto runs");
    let out = run(&["--audio", "copy", "--loudness", "ebu"]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("--audio") && said(&out).contains("loud"), "{}", said(&out));
    for (wrong, word) in [("loud", "streaming"), ("-60", "-40"), ("3", "-5")] {
        let out = run(&["--loudness", wrong]);
        assert!(out.status.code() == Some(2) && said(&out).contains(word), "{wrong}: {}", said(&out));
    }
}

#[test]
fn the_loudness_of_a_file_is_that_of_another_meter() {
    let folder = scratch();
    let Some(film) = film(folder.path(), &[BURSTS, "anullsrc=r=48000:cl=stereo:d=12"], "aac") else { return };
    let out = drapto().arg("audio").arg(&film).arg("--json").output().expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    let tracks: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let (lufs, peak) = heard(&film, 0);
    let ours = |key: &str| tracks[0]["loudness"][key].as_f64().expect("a number");
    assert!((ours("integrated_lufs") - lufs).abs() <= 0.1, "{tracks} and {lufs}");
    assert!((ours("true_peak_dbtp") - peak).abs() <= 0.4, "{tracks} and {peak}");
    assert!(tracks[1]["loudness"]["integrated_lufs"].is_null(), "{tracks}");
    let text = drapto().arg("audio").arg(&film).output().expect("drapto runs");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("LUFS  range") && text.contains("silent") && text.lines().count() == 2, "{text}");
    let Some(clip) = fixture("tenframes") else { return };
    let silent = drapto().arg("audio").arg(&clip).output().expect("drapto runs");
    assert_eq!(silent.status.code(), Some(3), "{}", said(&silent));
}
