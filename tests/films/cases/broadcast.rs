//! Broadcasts that change, streams that begin late, and subtitles of every kind.

use std::path::Path;

use serde_json::Value;

use super::{Found, Lab, Row, right_if};
use crate::support::*;

pub const ROWS: &[Row] = &[
    Row { name: "ac3_switch", check: ac3_switch },
    Row { name: "late_stream", check: late_stream },
    Row { name: "rate_switch", check: rate_switch },
    Row { name: "ts_midgop", check: ts_midgop },
    Row { name: "cc608", check: cc608 },
    Row { name: "textst", check: |lab| named_as_lost(lab, "textst.mkv") },
    Row { name: "ttml", check: |lab| named_as_lost(lab, "ttml.mp4") },
];

fn warnings(report: &Value) -> String {
    array(report, "warnings").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

/// Channels of each audio track, as ffprobe says.
fn channels(path: &Path) -> Vec<u64> {
    let found = ffprobe(path, &["-select_streams", "a", "-show_entries", "stream=channels"]);
    array(&found, "streams").iter().filter_map(|s| s["channels"].as_u64()).collect()
}

/// A few seconds of one audio track as samples of its channels side by side, at 48 kHz.
fn samples(path: &Path, track: usize, from: f64, seconds: f64) -> Vec<f64> {
    let (map, from, seconds) = (format!("0:a:{track}"), format!("{from:.3}"), format!("{seconds:.3}"));
    let args = ["-i".as_ref(), path.as_os_str(), "-ss".as_ref(), from.as_ref(), "-t".as_ref(), seconds.as_ref()];
    let more = ["-map", &map, "-ar", "48000", "-f", "s16le", "-"].map(AsRef::as_ref);
    let raw = ffmpeg(&args.into_iter().chain(more).collect::<Vec<_>>());
    raw.as_chunks::<2>().0.iter().map(|b| f64::from(i16::from_le_bytes(*b))).collect()
}

/// How loud each channel is, root mean square.
fn loudness(path: &Path, track: usize, channels: usize, from: f64, seconds: f64) -> Vec<f64> {
    let all = samples(path, track, from, seconds);
    let of = |channel: usize| {
        let own: Vec<f64> = all.iter().skip(channel).step_by(channels).copied().collect();
        (own.iter().map(|s| s * s).sum::<f64>() / own.len().max(1) as f64).sqrt()
    };
    (0..channels).map(of).collect()
}

/// The pitch of the first channel by its zero crossings, in Hz.
fn pitch(path: &Path, track: usize, channels: usize, from: f64) -> f64 {
    let own: Vec<f64> = samples(path, track, from, 0.5).into_iter().step_by(channels).collect();
    let rising = own.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
    rising as f64 / (own.len().max(1) as f64 / 48_000.0)
}

/// Where each cue of the first subtitle track is, and its text without markup, as ffmpeg's SubRip has it.
fn cues(path: &Path) -> Vec<String> {
    let args = ["-copyts".as_ref(), "-i".as_ref(), path.as_os_str(), "-map".as_ref(), "0:s:0".as_ref()];
    let more = ["-f", "srt", "-"].map(AsRef::as_ref);
    plain(&ffmpeg(&args.into_iter().chain(more).collect::<Vec<_>>()))
}

/// The cues of a SubRip file, each on a line: times and text without markup.
fn plain(srt: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(srt);
    let mut out = Vec::new();
    for block in text.split("\n\n").filter(|b| b.contains("-->")) {
        let mut line = String::new();
        for part in block.trim().lines().skip(1) {
            let mut inside = 0;
            line.extend(part.chars().filter(|c| {
                inside += i32::from("<{".contains(*c));
                let keep = inside == 0;
                inside -= i32::from(">}".contains(*c));
                keep || part.contains("-->")
            }));
            line.push(' ');
        }
        out.push(line.trim().to_owned());
    }
    out
}

fn ac3_switch(lab: &Lab) -> Found {
    let (output, report) = lab.encode("ac3_switch.ts", &[]);
    let (channels, warnings) = (channels(&output), warnings(&report));
    let (stereo, full) = (loudness(&output, 0, 6, 0.5, 1.0), loudness(&output, 0, 6, 3.5, 1.0));
    let right = channels == [6]
        && stereo[0] > 500.0
        && stereo[2..].iter().all(|loud| *loud < 100.0)
        && full.iter().all(|loud| *loud > 500.0)
        && warnings.contains("changes its format");
    right_if(right, format!("{channels:?} channels, {stereo:.0?} then {full:.0?}: {warnings}"))
}

fn late_stream(lab: &Lab) -> Found {
    let (output, report) = lab.encode("late_stream.ts", &[]);
    let channels = channels(&output);
    let found = ffprobe(&output, &["-select_streams", "a:1", "-show_entries", "packet=pts_time"]);
    let first = array(&found, "packets").first().and_then(|p| p["pts_time"].as_str()?.parse::<f64>().ok());
    let first = first.unwrap_or(f64::NAN);
    let (hertz, heard) = (pitch(&output, 1, 1, 3.5), samples(&output, 1, 0.0, 60.0).len() as f64 / 48_000.0);
    // ffmpeg fills what is before the first packet with nothing: what is heard begins late.
    let right =
        channels == [1, 1] && (2.9..3.2).contains(&first) && (hertz - 880.0).abs() < 6.0 && (2.8..3.1).contains(&heard);
    let text = format!("{} audio tracks, the second from {first:.3} s, {hertz:.0} Hz, {heard:.2} s", channels.len());
    right_if(right, format!("{text}: {}", report["streams"][2]["action"]))
}

fn rate_switch(lab: &Lab) -> Found {
    let (output, report) = lab.encode("rate_switch.ts", &[]);
    let pitches: Vec<f64> = [0.5, 2.0, 3.5, 5.0].into_iter().map(|at| pitch(&output, 0, 1, at)).collect();
    let heard = samples(&output, 0, 0.0, 60.0).len() as f64 / 48_000.0;
    let right = pitches.iter().all(|hertz| (hertz - 1000.0).abs() < 6.0) && (heard - 6.0).abs() < 0.1;
    right_if(right, format!("{pitches:.0?} Hz, {heard:.3} s: {}", warnings(&report)))
}

fn ts_midgop(lab: &Lab) -> Found {
    let (output, _) = lab.encode("ts_midgop.ts", &[]);
    let found =
        ffprobe(&output, &["-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets"]);
    let pictures = &found["streams"][0]["nb_read_packets"];
    right_if(pictures == "50", format!("{pictures} pictures"))
}

fn cc608(lab: &Lab) -> Found {
    let (output, _) = lab.encode("cc608.mov", &[]);
    let found = cues(&output);
    let wanted = ["00:00:00,330 --> 00:00:02,000 Hello", "00:00:02,330 --> 00:00:02,660 world"];
    right_if(found == wanted, found.join(", "))
}

/// The film is encoded, and its subtitles are named as dropped, with a reason, at a fixed CRF and with a target.
fn named_as_lost(lab: &Lab, case: &str) -> Found {
    let mut text = Vec::new();
    for how in [&["--crf", "40"][..], &["--target-vmaf", "80"]] {
        let (output, report) = lab.encode(case, how);
        let tracks = mkvmerge(&output)["tracks"].as_array().map_or(0, Vec::len);
        let lost = array(&report, "streams").iter().find(|s| s["action"] == "dropped");
        let reason = lost.and_then(|s| s["reason"].as_str()).unwrap_or_default().to_owned();
        if reason.is_empty() || tracks == 0 {
            return Err(format!("{tracks} tracks, nothing named"));
        }
        text.push(reason);
    }
    Ok(text.remove(0))
}

/// Later than any probe looks: announced at the end of the file, or in its middle only.
#[test]
fn a_stream_that_begins_after_the_probe_is_kept() {
    for name in ["latetrack", "midtrack"] {
        let Some(clip) = fixture(name) else { return };
        let folder = scratch();
        let output = folder.path().join("out.mkv");
        let report = encode(&clip, &output, &["--preset", "12"]);
        assert_eq!(channels(&output), [1, 1], "{name}: {}", warnings(&report));
        let heard = samples(&output, 1, 0.0, 120.0).len() as f64 / 48_000.0;
        assert!((heard - 6.0).abs() < 0.1, "{name}: {heard} s");
        let hertz = pitch(&output, 1, 1, 25.0);
        assert!((hertz - 880.0).abs() < 6.0, "{name}: {hertz} Hz");
        assert_eq!(mkvmerge(&output)["tracks"][2]["properties"]["language"], "ger", "{name}");
        verified(&clip, &output);
    }
}

/// The header says stereo, and so does the start.
#[test]
fn sound_is_planned_by_its_widest_layout() {
    let Some(clip) = fixture("widens") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let report = encode(&clip, &output, &[]);
    assert_eq!(channels(&output), [6]);
    let mut loud = loudness(&output, 0, 6, 5.0, 1.0);
    // The fourth is the low frequency one, which AC-3 cuts.
    loud.remove(3);
    assert!(loud.iter().all(|l| *l > 500.0), "{loud:?}");
    let loud = loudness(&output, 0, 6, 1.0, 1.0);
    assert!(loud[0] > 500.0 && loud[1] > 500.0 && loud[2..].iter().all(|l| *l < 100.0), "{loud:?}");
    assert!(warnings(&report).contains("changes its format"), "{}", warnings(&report));
}

#[test]
fn captions_have_their_own_times_and_the_last_one_stays() {
    let Some(clip) = fixture("popon") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    encode(&clip, &output, &[]);
    let (wanted, found) = (cues(&clip), cues(&output));
    assert!(wanted.len() >= 2, "{wanted:?}");
    assert_eq!(found, wanted);
}

#[test]
fn a_broken_cue_is_named_and_the_others_are_kept() {
    let Some(clip) = fixture("brokencue") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let report = encode(&clip, &output, &[]);
    assert_eq!(cues(&output), ["00:00:00,200 --> 00:00:00,900 first", "00:00:02,000 --> 00:00:02,900 third"]);
    assert!(warnings(&report).contains("a subtitle is left out"), "{}", warnings(&report));
}

#[test]
fn embedded_captions_are_named_and_written_where_that_is_asked_for() {
    for name in ["captions", "captionsmp4", "digital"] {
        if name == "captionsmp4" && !libx264() {
            return;
        }
        let Some(clip) = fixture(name) else { return };
        let folder = scratch();
        let output = folder.path().join("out.mkv");
        let report = encode(&clip, &output, &[]);
        assert!(warnings(&report).contains("--extract-captions"), "{}", warnings(&report));
        assert_eq!(names(folder.path()), ["out.json", "out.mkv"]);

        let report = encode(&clip, &output, &["--extract-captions"]);
        // Pictures 17, 40, 60, 85 and 25, 50, from the first one on.
        let found = ffprobe(&output, &["-select_streams", "v:0", "-show_entries", "stream=start_time"]);
        let first: f64 = found["streams"][0]["start_time"].as_str().expect("a start").parse().expect("a time");
        let read = |channel: &str| {
            let srt = std::fs::read(output.with_extension(format!("{channel}.srt"))).expect("captions were written");
            let cue = |line: String| {
                let (times, text) = line.split_at(29);
                let picture = |at: &str| {
                    let part = |range: std::ops::Range<usize>| at[range].parse::<f64>().expect("a number");
                    ((part(6..8) + part(9..12) / 1000.0 - first) * 25.0 * 20.0).round() / 20.0
                };
                (picture(&times[..12]), picture(&times[17..]), text.trim().to_owned())
            };
            plain(&srt).into_iter().map(cue).collect::<Vec<_>>()
        };
        assert_eq!(read("cc1"), [(17.0, 40.0, "Hello".to_owned()), (60.0, 85.0, "world".to_owned())], "{name}");
        assert_eq!(read("cc3"), [(25.0, 50.0, "Zwei".to_owned())], "{name}");
        assert_eq!(report["captions"][1]["cues"], 1);
        let cue = |from: f64, to: f64, text: &str| (from, to, text.to_owned());
        if name == "digital" {
            // Shown in picture 10; typed from picture 50 on, and rolled up.
            let typed = [cue(50.0, 70.0, "one two"), cue(70.0, 90.0, "two three")];
            assert_eq!(read("service1"), [[cue(10.0, 40.0, "Good day Bücher ♪")].as_slice(), &typed].concat());
            assert_eq!(read("service2"), [cue(21.0, 45.0, "Otra")], "a packet of two pictures");
        }
        assert!(!warnings(&report).contains("captions"), "{}", warnings(&report));
    }
}

#[test]
fn captions_are_written_over_nothing() {
    let Some(clip) = fixture("captions") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    std::fs::write(folder.path().join("out.cc3.srt"), "mine").expect("a file");
    let how = ["encode", "--extract-captions", "--crf", "50", "--preset", "13"];
    let out = drapto().args(how).args([&clip, &output]).output().expect("drapto runs");
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("out.cc3.srt"), "{}", said(&out));
    assert_eq!(names(folder.path()), ["out.cc3.srt"]);
    assert_eq!(std::fs::read(folder.path().join("out.cc3.srt")).expect("it is there"), b"mine");
}
