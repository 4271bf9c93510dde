//! Pictures and sound are shown when they were shown in the source.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::support::{array, encode, ffmpeg, ffprobe, fixture, media, scratch, tool};

/// Presentation times of the main video's packets in order of display, in milliseconds.
fn times(path: &Path) -> Vec<i64> {
    let found = ffprobe(path, &["-select_streams", "v:0", "-show_entries", "frame=pts_time"]);
    let seconds = array(&found, "frames").iter().filter_map(|f| f["pts_time"].as_str()?.parse::<f64>().ok());
    seconds.map(|s| (s * 1000.0).round() as i64).collect()
}

#[test]
fn every_frame_keeps_its_time_whatever_the_frame_rate() {
    if !tool("ffprobe") {
        return;
    }
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let real = [
        "derived/vfr_720p.mkv",
        "geometry/start_at_10s_bbb.mp4",
        "geometry/edit_list_positive_shift_1080p.mp4",
        "geometry/rotated180_vfr_720p.mp4",
        "geometry/telecine_soft_480.mkv",
        "subs/pgs.mkv",
    ];
    let clips = media().into_iter().flat_map(|m| real.map(|c| m.join(c)));
    let mut tried = 0;
    for clip in ["vfr", "offset", "movtext", "interlaced", "fast"].into_iter().filter_map(fixture).chain(clips) {
        encode(&clip, &output, &[]);
        let start = ffprobe(&clip, &["-show_entries", "format=start_time"])["format"]["start_time"].clone();
        let start = start.as_str().map_or(0.0, |s| s.parse::<f64>().expect("seconds")) * 1000.0;
        // The earliest stream of an output begins at zero.
        let before: Vec<i64> = times(&clip).iter().map(|t| (*t as f64 - start).round() as i64).collect();
        let after = times(&output);
        assert_eq!(before.len(), after.len(), "{}", clip.display());
        // Within a millisecond: ffprobe prints microseconds of times that fall between Matroska's ticks.
        let worst = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).max();
        assert!(worst <= Some(1), "{}: off by {worst:?} ms", clip.display());
        tried += 1;
    }
    assert!(tried == 0 || tried >= 4);
}

/// Where the loudest sample is, in seconds on the shared timeline of the file.
pub fn click(path: &Path) -> f64 {
    // -copyts keeps the file's own times; aresample puts silence before a late start, so samples count from 0.
    let filter: &OsStr = "aresample=async=1:first_pts=0,pan=mono|c0=c0".as_ref();
    let args: [&OsStr; 13] = [
        "-copyts".as_ref(),
        "-i".as_ref(),
        path.as_os_str(),
        "-map".as_ref(),
        "0:a:0".as_ref(),
        "-af".as_ref(),
        filter,
        "-ar".as_ref(),
        "48000".as_ref(),
        "-f".as_ref(),
        "f32le".as_ref(),
        "-y".as_ref(),
        "-".as_ref(),
    ];
    let raw = ffmpeg(&args);
    let samples = raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b).abs());
    let (at, loudest) = samples.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).expect("sound");
    assert!(loudest > 0.1, "a click of {loudest}");
    at as f64 / 48_000.0
}

#[test]
fn sound_stays_with_the_picture_to_the_millisecond() {
    if !tool("ffmpeg") {
        return;
    }
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    // A click of one millisecond at 1.25 s of sound that itself starts 0, 0.1 or 0.4 s after the picture.
    for (delay, rate, codec) in [("0", "48000", "flac"), ("0.1", "44100", "pcm_s16le"), ("0.4", "32000", "flac")] {
        let clip = folder.path().join(format!("click-{rate}.mkv"));
        let sound = format!("aevalsrc='if(between(t,1.25,1.251),0.9,0)':s={rate}:d=3");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=3"])
            .args(["-itsoffset", delay, "-f", "lavfi", "-i", &sound, "-c:v", "mpeg4", "-c:a", codec])
            .arg(&clip)
            .status();
        assert!(made.expect("ffmpeg runs").success());
        encode(&clip, &output, &[]);
        let (before, after) = (click(&clip), click(&output));
        assert!((before - after).abs() <= 0.0011, "{rate} Hz, {delay} s late: {before:.4} s became {after:.4} s");
        let begun = before - delay.parse::<f64>().expect("a number");
        assert!((begun - 1.25).abs() < 0.003, "the source itself has the click at {begun}");
    }
}

#[test]
fn the_length_of_the_sound_is_kept_to_the_sample() {
    if !tool("ffmpeg") {
        return;
    }
    let Some(clip) = fixture("everything") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    encode(&clip, &output, &[]);
    let samples = |p: &Path| {
        let args: [&OsStr; 9] = [
            "-i".as_ref(),
            p.as_os_str(),
            "-map".as_ref(),
            "0:a:1".as_ref(),
            "-ar".as_ref(),
            "48000".as_ref(),
            "-f".as_ref(),
            "f32le".as_ref(),
            "-".as_ref(),
        ];
        ffmpeg(&args).len() / 8
    };
    assert!(samples(&clip) > 200_000);
    assert_eq!(samples(&clip), samples(&output));
}
