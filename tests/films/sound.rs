//! Sound in other codecs, mixed down, and in files of its own; judged by ffprobe and by what ffmpeg decodes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::*;

/// Noise whose place can be told to the sample, in stereo at 48 kHz, of 16 bits.
const NOISE: &str =
    "anoisesrc=r=48000:d=3.3:a=0.4:seed=3,lowpass=f=6000,aformat=channel_layouts=stereo:sample_fmts=s16";

fn made(args: &[&str], to: &Path) {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).chain([to.as_os_str()]).collect();
    ffmpeg(&args);
}

/// A film of plain colour with the sound of filter graphs, one a track, as FLAC; with tags, chapters and a cover.
fn film(folder: &Path, sounds: &[&str]) -> Option<PathBuf> {
    if !tool("ffmpeg") {
        return None;
    }
    let (film, words, cover) = (folder.join("film.mkv"), folder.join("words.txt"), folder.join("cover.png"));
    let text = ";FFMETADATA1\ntitle=The Title\nartist=Somebody\nalbum=The Album\ndate=1999\n\
                [CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=One\n\
                [CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=3300\ntitle=Two\n";
    std::fs::write(&words, text).expect("a file");
    made(&["-f", "lavfi", "-i", "color=red:size=64x48", "-frames:v", "1"], &cover);
    let mut args = vec!["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=12:duration=3.5"];
    sounds.iter().for_each(|sound| args.extend(["-f", "lavfi", "-i", sound]));
    let maps: Vec<String> = (0..=sounds.len()).map(|n| n.to_string()).collect();
    let last = (sounds.len() + 1).to_string();
    args.extend(["-i", words.to_str().expect("a path")]);
    maps.iter().for_each(|map| args.extend(["-map", map]));
    args.extend(["-map_metadata", &last, "-map_chapters", &last, "-attach", cover.to_str().expect("a path")]);
    args.extend(["-metadata:s:t", "mimetype=image/png", "-metadata:s:t", "filename=cover.png"]);
    args.extend(["-c:v", "mpeg4", "-c:a", "flac"]);
    made(&args, &film);
    Some(film)
}

/// The first channel of an audio track as ffmpeg decodes it; by its times, so that what lies before zero is left out.
fn heard(file: &Path, by_time: bool) -> Vec<f32> {
    let mut args: Vec<&OsStr> = Vec::new();
    if by_time {
        args.push("-copyts".as_ref());
    }
    args.extend([OsStr::new("-i"), file.as_os_str(), "-map".as_ref(), "0:a:0".as_ref()]);
    let filter = if by_time { "aresample=async=1:first_pts=0,pan=mono|c0=c0" } else { "pan=mono|c0=c0" };
    args.extend(["-af", filter, "-f", "f32le", "-"].map(OsStr::new));
    ffmpeg(&args).as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// By how many samples `found` lags `source`: where they are most alike.
fn lag(source: &[f32], found: &[f32]) -> i64 {
    const FROM: usize = 40_000;
    const LENGTH: usize = 8_000;
    let piece = &source[FROM..FROM + LENGTH];
    let alike = |lag: i64| {
        let at = (FROM as i64 + lag) as usize;
        found.get(at..at + LENGTH).map_or(f32::MIN, |other| piece.iter().zip(other).map(|(a, b)| a * b).sum())
    };
    (-2_000..2_000).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).expect("a range")
}

fn audio(input: &Path, output: &Path, more: &[&str]) -> Value {
    let out = drapto().arg("audio").args([input, output]).arg("--json").args(more).output().expect("drapto runs");
    assert!(out.status.success(), "{}: {}", output.display(), said(&out));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

fn encoded(film: &Path, output: &Path, more: &[&str]) -> Value {
    encode(film, output, &[&["--crf", "60", "--preset", "13"], more].concat())
}

/// Whether the encoder is there; where it is not, drapto has to say what to install.
fn has(codec: &str) -> bool {
    let encoder = match codec {
        "mp3" => "libmp3lame",
        "vorbis" | "ogg" | "oga" => "libvorbis",
        _ => return true,
    };
    let there = drapto::internals::av::has_sound_encoder(encoder);
    if !there {
        missing(&format!("this libavcodec has no {encoder}"));
    }
    there
}

#[test]
fn sound_in_each_codec_is_within_a_millisecond_of_the_source() {
    let folder = scratch();
    let Some(film) = film(folder.path(), &[NOISE]) else { return };
    let source = heard(&film, false);
    for codec in ["aac", "vorbis", "ac3", "eac3", "mp3", "opus"].into_iter().filter(|codec| has(codec)) {
        let output = folder.path().join(format!("{codec}.mkv"));
        let report = encoded(&film, &output, &["--audio-codec", codec]);
        assert_eq!(report["streams"][1]["output_codec"], codec, "{report}");
        let found = ffprobe(&output, &["-show_entries", "stream=codec_name", "-select_streams", "a"]);
        assert_eq!(found["streams"][0]["codec_name"], codec);
        let by_time = heard(&output, true);
        let lag = lag(&source, &by_time);
        assert!(lag.abs() < 48, "{codec}: {lag} samples");
        let longer = by_time.len() as i64 - source.len() as i64;
        assert!(longer.abs() < 48, "{codec}: {longer} samples more");
        if matches!(codec, "aac" | "mp3") {
            verified(&film, &output);
        }
    }
    let output = folder.path().join("flac.mkv");
    let report = encoded(&film, &output, &["--audio-codec", "flac"]);
    assert_eq!(report["streams"][1]["reason"], "already FLAC");
}

#[test]
fn flac_loses_nothing_also_of_24_bits() {
    let folder = scratch();
    if !tool("ffmpeg") {
        return;
    }
    for (form, bits) in [("pcm_s16le", "16"), ("pcm_s24le", "24")] {
        let film = folder.path().join(format!("{bits}.mkv"));
        let noise = "anoisesrc=r=44100:d=2:seed=5,aformat=channel_layouts=stereo";
        let picture = "testsrc2=size=128x96:rate=12:duration=2";
        made(&["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", noise, "-c:v", "mpeg4", "-c:a", form], &film);
        let (inside, alone) =
            (folder.path().join(format!("{bits}.flac.mkv")), folder.path().join(format!("{bits}.flac")));
        encoded(&film, &inside, &["--audio-codec", "flac"]);
        audio(&film, &alone, &[]);
        let samples = |file: &Path| {
            let args = [OsStr::new("-i"), file.as_os_str(), "-map".as_ref(), "0:a".as_ref(), "-f".as_ref()];
            ffmpeg(&[&args[..], &["s32le".as_ref(), "-".as_ref()]].concat())
        };
        assert!(samples(&film) == samples(&inside), "{bits} bits in Matroska");
        assert!(samples(&film) == samples(&alone), "{bits} bits alone");
        let found = ffprobe(&alone, &["-show_entries", "stream=bits_per_raw_sample,sample_rate"]);
        assert_eq!(found["streams"][0]["bits_per_raw_sample"], bits);
        assert_eq!(found["streams"][0]["sample_rate"], "44100", "nothing is resampled");
    }
}

#[test]
fn files_of_sound_are_as_long_as_the_sound_and_say_what_the_film_says() {
    let folder = scratch();
    let Some(film) = film(folder.path(), &[NOISE]) else { return };
    let source = heard(&film, false);
    for ending in ["mp3", "m4a", "ogg", "opus", "flac", "wav", "aac", "ac3", "eac3"].into_iter().filter(|e| has(e)) {
        let output = folder.path().join(format!("film.{ending}"));
        let report = audio(&film, &output, &[]);
        assert_eq!(report["verification"]["pass"], true);
        assert_eq!(report["samples"].as_u64(), Some(source.len() as u64), "{ending}");
        let bare = matches!(ending, "aac" | "ac3" | "eac3");
        // Nothing in frames alone says what a codec adds before and after.
        let before = if bare { report["delay_samples"].as_i64().expect("a number") } else { 0 };
        let after = report["padding_samples"].as_i64().expect("a number");
        let found = heard(&output, false);
        assert_eq!(lag(&source, &found), before, "{ending}");
        let more = found.len() as i64 - source.len() as i64 - before;
        // FFmpeg before 7 plays an M4A's last packet whole; the edit list says where it ends.
        let ends = more == 0 || matches!(ending, "m4a" | "aac" | "ac3" | "eac3") && more == after;
        assert!(ends, "{ending}: {more} samples more");
        if matches!(ending, "flac" | "wav") {
            assert!(found == source, "{ending} is not what it was");
        }
        let shown = ffprobe(&output, &["-show_format", "-show_streams", "-show_chapters"]);
        if bare {
            let notes = report["notes"].to_string();
            assert!(notes.contains("late"), "{notes}");
            continue;
        }
        let tags = [&shown["format"]["tags"], &shown["streams"][0]["tags"]];
        let tag = |name: &str| tags.iter().find_map(|t| t[name].as_str().or(t[name.to_uppercase()].as_str()));
        for (name, value) in [("title", "The Title"), ("artist", "Somebody"), ("album", "The Album"), ("date", "1999")]
        {
            assert_eq!(tag(name), Some(value), "{ending}: {shown}");
        }
        let covers = array(&shown, "streams").iter().filter(|s| s["disposition"]["attached_pic"] == 1).count();
        assert_eq!(covers, usize::from(matches!(ending, "mp3" | "m4a" | "flac")), "{ending}");
        let chapters = if matches!(ending, "mp3" | "m4a" | "opus") { 2 } else { 0 };
        assert_eq!(array(&shown, "chapters").len(), chapters, "{ending}");
    }
    let names = names(folder.path());
    assert!(!names.iter().any(|name| name.ends_with(".part")), "{names:?}");
}

#[test]
fn a_track_in_the_formats_own_codec_can_be_copied_packet_by_packet() {
    let folder = scratch();
    let Some(film) = film(folder.path(), &[NOISE]) else { return };
    let packets = |file: &Path| {
        let args = [OsStr::new("-i"), file.as_os_str(), "-map".as_ref(), "0:a".as_ref()];
        ffmpeg(&[&args[..], &["-c", "copy", "-f", "data", "-"].map(OsStr::new)].concat())
    };
    for ending in ["m4a", "mp3", "opus", "flac", "ac3"].into_iter().filter(|e| has(e)) {
        let (first, copy) = (folder.path().join(format!("a.{ending}")), folder.path().join(format!("b.{ending}")));
        audio(&film, &first, &[]);
        let report = audio(&first, &copy, &["--copy"]);
        assert_eq!(report["copied"], true);
        assert!(packets(&first) == packets(&copy), "{ending}");
        assert_eq!(heard(&first, false).len(), heard(&copy, false).len(), "{ending}");
    }
    let out =
        drapto().arg("audio").args([&film, &folder.path().join("c.mp3")]).arg("--copy").output().expect("drapto runs");
    assert!(out.status.code() == Some(2) && said(&out).contains("flac"), "{}", said(&out));
}

/// A WAV of 12000 samples whose channel `c` is 0.5 at sample `1000 * (c + 1)`, and else silent.
fn impulses(file: &Path, channels: u16, mask: u32) {
    let mut data = Vec::new();
    for n in 0..12_000u32 {
        for channel in 0..u32::from(channels) {
            let value: i16 = if n == 1_000 * (channel + 1) { 16_384 } else { 0 };
            data.extend(value.to_le_bytes());
        }
    }
    let mut out = b"RIFF".to_vec();
    out.extend((60 + data.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt \x28\0\0\0\xfe\xff");
    out.extend(channels.to_le_bytes());
    out.extend(48_000u32.to_le_bytes());
    out.extend((96_000 * u32::from(channels)).to_le_bytes());
    out.extend((2 * channels).to_le_bytes());
    out.extend([16, 0, 22, 0, 16, 0]);
    out.extend(mask.to_le_bytes());
    out.extend(b"\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    std::fs::write(file, out).expect("a file");
}

#[test]
fn a_downmix_has_the_coefficients_of_bs_775_and_cannot_clip() {
    let folder = scratch();
    if !tool("ffmpeg") {
        return;
    }
    let (surround, side, seven, quad) = (0x3F, 0x60F, 0x63F, 0x33);
    // What each input channel is at, in each output.
    let five = [[0.414, 0.0], [0.0, 0.414], [0.293, 0.293], [0.0, 0.0], [0.293, 0.0], [0.0, 0.293]];
    let flat = |rows: &[[f64; 2]]| rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>();
    let h = std::f64::consts::FRAC_1_SQRT_2;
    let mut down: Vec<Vec<f64>> = (0..6).map(|c| (0..6).map(|o| if o == c { h } else { 0.0 }).collect()).collect();
    let behind = |o: usize| (0..6).map(|at| if at == o { 0.5 } else { 0.0 }).collect::<Vec<f64>>();
    (down[4], down[5]) = (behind(4), behind(5));
    down.extend([behind(4), behind(5)]);
    let mono = [0.207, 0.207, 0.293, 0.0, 0.146, 0.146].map(|gain| vec![gain]).to_vec();
    let cases = [
        ("5.1", 6, surround, "stereo", flat(&five)),
        ("5.1(side)", 6, side, "stereo", flat(&five)),
        ("5.1(side)", 6, side, "mono", mono),
        ("7.1", 8, seven, "5.1", down),
        ("quad", 4, quad, "stereo", flat(&[[0.586, 0.0], [0.0, 0.586], [0.414, 0.0], [0.0, 0.414]])),
    ];
    for (layout, channels, mask, to, gains) in cases {
        let (source, mixed) = (folder.path().join("in.wav"), folder.path().join("out.flac"));
        impulses(&source, channels, mask);
        let report = audio(&source, &mixed, &["--downmix", to, "--overwrite"]);
        let note = report["notes"][0].as_str().unwrap_or_default();
        assert!(note.contains(&format!("{layout} mixed down to {to} by ITU-R BS.775")), "{report}");
        assert_eq!((&report["source_layout"], &report["layout"]), (&layout.into(), &to.into()));
        let args = [OsStr::new("-i"), mixed.as_os_str(), "-f".as_ref(), "f32le".as_ref(), "-".as_ref()];
        let pcm: Vec<f32> = ffmpeg(&args).as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let outputs = gains[0].len();
        for (input, wanted) in gains.iter().enumerate() {
            let at = 1_000 * (input + 1) * outputs;
            for (output, wanted) in wanted.iter().enumerate() {
                let gain = f64::from(pcm[at + output]) * 2.0;
                assert!((gain - wanted).abs() < 0.001, "{layout} to {to}: {input} in {output} is {gain}, not {wanted}");
            }
        }
    }
}

#[test]
fn what_cannot_be_had_is_refused_by_name() {
    let folder = scratch();
    if !tool("ffmpeg") {
        return;
    }
    let at = |name: &str| folder.path().join(name);
    impulses(&at("mono.wav"), 1, 4);
    impulses(&at("five.wav"), 6, 0x3F);
    impulses(&at("seven.wav"), 8, 0x63F);
    impulses(&at("many.wav"), 32, 0);
    let cases: [(&str, &str, &[&str], i32, &str); 9] = [
        ("mono.wav", "a.flac", &["--downmix", "stereo"], 2, "mono is not mixed up to stereo"),
        ("five.wav", "a.mp3", &[], 3, "--downmix stereo"),
        ("seven.wav", "a.eac3", &[], 3, "--downmix 5.1"),
        ("many.wav", "a.flac", &[], 3, "32 channels"),
        ("mono.wav", "a.wma", &[], 2, "flac"),
        ("mono.wav", "a.flac", &["--bitrate", "128"], 2, "no bit rate"),
        ("mono.wav", "a.mp3", &["--sample-rate", "47000"], 2, "44100, 48000"),
        ("mono.wav", "a.wav", &["--copy", "--loudness", "ebu"], 2, "stays as it is"),
        ("mono.wav", "a.wav", &["--track", "2"], 2, "no track 2"),
    ];
    for (input, output, more, code, word) in cases {
        let out = drapto().arg("audio").args([at(input), at(output)]).args(more).output().expect("drapto runs");
        assert!(out.status.code() == Some(code) && said(&out).contains(word), "{input} {more:?}: {}", said(&out));
    }
    std::fs::write(at("a.mp3"), b"precious").expect("a file");
    let out = drapto().arg("audio").args([at("mono.wav"), at("a.mp3")]).output().expect("drapto runs");
    assert!(out.status.code() == Some(2) && said(&out).contains("--overwrite"), "{}", said(&out));
    assert_eq!(std::fs::read(at("a.mp3")).expect("a file"), b"precious");
    assert_eq!(names(folder.path()), ["a.mp3", "five.wav", "many.wav", "mono.wav", "seven.wav"]);
}

#[test]
fn silence_stays_silent_and_loud_sound_comes_to_its_target_in_any_codec() {
    let folder = scratch();
    if !tool("ffmpeg") || !has("mp3") {
        return;
    }
    let (silence, tone) = (folder.path().join("silence.wav"), folder.path().join("tone.wav"));
    made(&["-f", "lavfi", "-i", "anullsrc=r=44100:cl=stereo:d=2"], &silence);
    made(&["-f", "lavfi", "-i", "sine=f=997:r=44100:d=4", "-ac", "2"], &tone);
    let report = audio(&silence, &folder.path().join("silence.mp3"), &["--loudness", "ebu"]);
    assert!(report["loudness"]["note"].as_str().is_some_and(|n| n.contains("nothing to be heard")), "{report}");
    let report = audio(&tone, &folder.path().join("tone.mp3"), &["--loudness", "-16"]);
    let after = report["loudness"]["after"]["integrated_lufs"].as_f64().expect("a number");
    assert!((after + 16.0).abs() <= 0.1 && report["sample_rate"] == 44_100, "{report}");
}

#[test]
fn a_film_is_mixed_down_where_it_has_more_channels_and_else_left_as_it_is() {
    let folder = scratch();
    let surround = "anoisesrc=r=48000:d=3.3:a=0.2:seed=5,aformat=channel_layouts=5.1(side):sample_fmts=s16";
    let mono = "sine=f=440:r=48000:d=3.3";
    let Some(film) = film(folder.path(), &[surround, mono]) else { return };
    let output = folder.path().join("out.mkv");
    let report = encoded(&film, &output, &["--audio-codec", "aac", "--audio-bitrate", "96", "--downmix", "stereo"]);
    let reason = |n: usize| report["streams"][n]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason(1).contains("5.1(side) mixed down to stereo by ITU-R BS.775") && reason(1).contains("LFE left out"));
    assert!(reason(2).contains("mono has fewer channels than stereo"), "{}", reason(2));
    let found = ffprobe(&output, &["-show_entries", "stream=codec_name,channels", "-select_streams", "a"]);
    let channels: Vec<_> = array(&found, "streams").iter().map(|s| s["channels"].as_u64()).collect();
    assert_eq!(channels, [Some(2), Some(1)]);
    verified(&film, &output);
    let run = |more: &[&str]| {
        drapto().arg("encode").args([&film, &output]).arg("--overwrite").args(more).output().expect("drapto runs")
    };
    let out = run(&["--audio-codec", "mp3"]);
    assert!(out.status.code() == Some(3) && said(&out).contains("--downmix stereo"), "{}", said(&out));
    let out = run(&["--audio", "copy", "--downmix", "stereo"]);
    assert!(out.status.code() == Some(2) && said(&out).contains("--downmix"), "{}", said(&out));
    let out = run(&["--audio-codec", "flac", "--audio-bitrate", "96"]);
    assert!(out.status.code() == Some(2) && said(&out).contains("FLAC"), "{}", said(&out));
}

#[test]
fn sound_that_breaks_off_is_taken_only_where_that_was_accepted() {
    let folder = scratch();
    let Some(film) = film(folder.path(), &[NOISE]) else { return };
    let (cut, output) = (folder.path().join("cut.mkv"), folder.path().join("cut.flac"));
    let bytes = std::fs::read(&film).expect("a file");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("a file");
    let out = drapto().arg("audio").args([&cut, &output]).output().expect("drapto runs");
    assert!(out.status.code() == Some(3) && said(&out).contains("--accept-damage"), "{}", said(&out));
    assert!(!output.exists());
    let report = audio(&cut, &output, &["--accept-damage"]);
    assert!(report["notes"][0].as_str().is_some_and(|note| note.contains("breaks off")), "{report}");
    assert_eq!(heard(&output, false).len() as u64, report["samples"].as_u64().expect("a number"));
}
