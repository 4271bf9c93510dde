//! Films in, films out: nothing is lost, and others read what we wrote.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::{Value, json};

use super::support::{array, drapto, encode, ffmpeg, ffprobe, fixture, media, mkvmerge, said, scratch, tool};

/// The parts of a track that have to survive.
fn identity(track: &Value) -> Value {
    let p = &track["properties"];
    json!({
        "type": track["type"],
        "language": p["language"],
        "name": p["track_name"],
        "default": p["default_track"],
        "forced": p["forced_track"],
        "commentary": p["flag_commentary"],
        "original": p["flag_original"],
        "visual_impaired": p["flag_visual_impaired"],
    })
}

fn assert_nothing_lost(source: &Path, output: &Path) {
    let (before, after) = (mkvmerge(source), mkvmerge(output));
    let tracks = |v: &Value| array(v, "tracks").iter().map(identity).collect::<Vec<_>>();
    assert_eq!(tracks(&before), tracks(&after), "{}", source.display());
    let attachments = |v: &Value| {
        let of = |a: &Value| (a["file_name"].clone(), a["content_type"].clone(), a["size"].clone());
        array(v, "attachments").iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(attachments(&before), attachments(&after));
    assert_eq!(before["chapters"], after["chapters"]);
    assert_eq!(before["container"]["properties"]["title"], after["container"]["properties"]["title"]);
    let chapters = |p: &Path| ffprobe(p, &["-show_chapters"])["chapters"].clone();
    let marks = |v: Value| {
        let of = |c: &Value| (c["start_time"].clone(), c["end_time"].clone(), c["tags"]["title"].clone());
        v.as_array().map(|a| a.iter().map(of).collect::<Vec<_>>())
    };
    assert_eq!(marks(chapters(source)), marks(chapters(output)));
}

#[test]
fn every_track_flag_chapter_attachment_and_title_comes_through() {
    if !tool("mkvmerge") || !tool("ffprobe") {
        return;
    }
    let real = media().map(|m| m.join("derived/everything_720p.mkv"));
    for source in ["everything", "commentary"].into_iter().filter_map(fixture).chain(real) {
        let folder = scratch();
        let output = folder.path().join("out.mkv");
        encode(&source, &output, &[]);
        assert_nothing_lost(&source, &output);
        let codecs: Vec<_> = array(&mkvmerge(&output), "tracks").iter().map(|t| t["codec"].clone()).collect();
        assert_eq!(codecs[0], "AV1");
        let audio = ffprobe(&output, &["-select_streams", "a", "-show_entries", "stream=codec_name"]);
        assert!(array(&audio, "streams").iter().all(|s| s["codec_name"] == "opus"));
        // Tags of the film are kept, those of the old coding are not.
        let tags = |p: &Path| ffprobe(p, &["-show_entries", "format_tags"])["format"]["tags"].clone();
        for name in ["DIRECTOR", "COMMENT"] {
            assert_eq!(tags(&source)[name], tags(&output)[name]);
        }
    }
}

#[test]
fn subtitles_are_copied_bit_for_bit_and_what_matroska_cannot_carry_becomes_subrip() {
    if !tool("ffprobe") {
        return;
    }
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let clips = ["ass", "pgs", "srt", "srt_2_languages", "srt_overlapping", "vobsub", "webvtt"];
    for clip in media().iter().flat_map(|m| clips.map(|c| m.join(format!("subs/{c}.mkv")))) {
        encode(&clip, &output, &[]);
        // The earliest stream of an output begins at zero.
        let start = ffprobe(&clip, &["-show_entries", "format=start_time"])["format"]["start_time"].clone();
        let packets = |p: &Path, start: &Value| {
            let start = start.as_str().map_or(0.0, |s| s.parse::<f64>().expect("seconds"));
            let args = [
                "-select_streams",
                "s",
                "-show_data_hash",
                "md5",
                "-show_entries",
                "packet=data_hash,pts_time,duration_time",
            ];
            let mut found = array(&ffprobe(p, &args), "packets").to_vec();
            for packet in &mut found {
                let at = packet["pts_time"].as_str().and_then(|s| s.parse::<f64>().ok()).expect("a time");
                packet["pts_time"] = json!(((at - start) * 1000.0).round());
            }
            found
        };
        assert!(!packets(&clip, &start).is_empty());
        assert_eq!(packets(&clip, &start), packets(&output, &Value::Null), "{}", clip.display());
    }
    let Some(clip) = fixture("movtext") else { return };
    let report = encode(&clip, &output, &[]);
    let subtitle = array(&report, "streams").iter().find(|s| s["kind"] == "subtitle").expect("a subtitle");
    assert_eq!((&subtitle["action"], &subtitle["output_codec"]), (&json!("converted"), &json!("subrip")));
    // -copyts: by itself ffmpeg counts from the start of the earliest track, which for Opus is its pre-skip.
    let srt = |p: &Path| {
        let args: [&OsStr; 8] = ["-copyts", "-i", "", "-map", "0:s", "-f", "srt", "-"].map(|a| match a {
            "" => p.as_os_str(),
            a => a.as_ref(),
        });
        String::from_utf8(ffmpeg(&args)).expect("text")
    };
    assert_eq!(srt(&clip), srt(&output));
}

#[test]
fn channels_stay_in_number_and_an_opus_track_is_copied() {
    if !tool("ffprobe") {
        return;
    }
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let Some(clip) = fixture("layouts") else { return };
    encode(&clip, &output, &[]);
    let found = ffprobe(&output, &["-select_streams", "a", "-show_entries", "stream=channels,codec_name"]);
    let channels: Vec<_> = array(&found, "streams").iter().map(|s| s["channels"].as_u64().unwrap_or(0)).collect();
    assert_eq!(channels, [1, 2, 3, 4, 5, 6, 7, 8]);

    let Some(clip) = fixture("commentary") else { return };
    let report = encode(&clip, &output, &[]);
    let kept = array(&report, "streams").iter().find(|s| s["codec"] == "opus").expect("an Opus track");
    assert_eq!((&kept["action"], &kept["reason"]), (&json!("kept"), &json!("already Opus")));
    let track = |p: &Path| {
        let args = ["-select_streams", "a:2", "-show_data_hash", "md5", "-show_entries", "packet=data_hash"];
        array(&ffprobe(p, &args), "packets").to_vec()
    };
    assert_eq!(track(&clip), track(&output));

    encode(&clip, &output, &["--audio", "copy"]);
    let found = ffprobe(&output, &["-select_streams", "a", "-show_entries", "stream=codec_name"]);
    assert!(array(&found, "streams").iter().any(|s| s["codec_name"] == "aac"), "{found}");
}

#[test]
fn five_point_one_keeps_every_speaker() {
    if !tool("ffprobe") {
        return;
    }
    let Some(clip) = fixture("surround") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    encode(&clip, &output, &[]);
    // Channel c carries a tone of 200 × (c + 1) Hz: count its zero crossings in the decoded output.
    for (track, channels) in [(0usize, 6usize), (1, 8)] {
        let map = format!("0:a:{track}");
        let args = [
            "-i".as_ref(),
            output.as_os_str(),
            "-map".as_ref(),
            map.as_ref(),
            "-f".as_ref(),
            "f32le".as_ref(),
            "-".as_ref(),
        ];
        let raw = ffmpeg(&args);
        let samples: Vec<f32> = raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        // A second from the middle, where nothing fades.
        let middle: Vec<&[f32]> = samples.chunks_exact(channels).skip(24_000).take(48_000).collect();
        assert_eq!(middle.len(), 48_000, "track {track} has a second and a half");
        for channel in 0..channels {
            let crossings = middle.windows(2).filter(|w| w[0][channel] < 0.0 && w[1][channel] >= 0.0).count();
            let expected = 200 * (channel + 1);
            // The low-frequency channel is coded coarsely, so its tone is only told from silence.
            let tone = crossings.abs_diff(expected) <= 4;
            assert!(
                tone || (channel == 3 && crossings > 0),
                "track {track} channel {channel}: {crossings} Hz, not {expected}"
            );
        }
    }
}

#[test]
fn colour_and_hdr_metadata_are_in_av1_and_in_matroska_and_never_invented() {
    if !tool("ffprobe") {
        return;
    }
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let entries = ["-select_streams", "v:0", "-show_streams"];
    if let Some(clip) = fixture("pq") {
        encode(&clip, &output, &[]);
        let v = ffprobe(&output, &entries)["streams"][0].clone();
        assert_eq!((&v["color_transfer"], &v["color_primaries"]), (&json!("smpte2084"), &json!("bt2020")));
        assert_eq!((&v["color_space"], &v["pix_fmt"]), (&json!("bt2020nc"), &json!("yuv420p10le")));
        assert!(array(&v, "side_data_list").is_empty(), "{v}");
    }
    let real =
        ["hdr/hdr10plus_realcam_1080p_sdr_container.mp4", "hdr/hdr10_av1_mdcv_clli.mp4", "hdr/mkv_colour_hdr.mkv"];
    for clip in media().iter().flat_map(|m| real.map(|c| m.join(c))) {
        encode(&clip, &output, &[]);
        // Container: what ffprobe reads without decoding. Bitstream: what the first decoded frame carries.
        let stream = |p: &Path| array(&ffprobe(p, &entries)["streams"][0], "side_data_list").to_vec();
        let frame = |p: &Path| {
            let args = ["-select_streams", "v:0", "-show_frames", "-read_intervals", "%+#1"];
            array(&ffprobe(p, &args)["frames"][0], "side_data_list").to_vec()
        };
        let of = |list: &[Value], kind: &str| list.iter().find(|s| s["side_data_type"] == kind).cloned();
        for kind in ["Mastering display metadata", "Content light level metadata"] {
            let expected = of(&frame(&clip), kind).or(of(&stream(&clip), kind));
            let expected = expected.unwrap_or_else(|| panic!("{} has {kind}", clip.display()));
            for found in [of(&stream(&output), kind), of(&frame(&output), kind)] {
                let found = found.unwrap_or_else(|| panic!("{kind} of {}", clip.display()));
                assert_same_metadata(&expected, &found);
            }
        }
    }
    if let Some(clip) = fixture("fullrange") {
        encode(&clip, &output, &[]);
        assert_eq!(ffprobe(&output, &entries)["streams"][0]["color_range"], "pc");
    }
}

/// Equal as numbers: AV1 and Matroska hold the same values as other fractions.
fn assert_same_metadata(expected: &Value, found: &Value) {
    for (key, value) in expected.as_object().expect("an object") {
        let number = |v: &Value| match v {
            Value::String(s) => {
                s.split_once('/').and_then(|(n, d)| Some(n.parse::<f64>().ok()? / d.parse::<f64>().ok()?))
            }
            other => other.as_f64(),
        };
        if let (Some(e), Some(f)) = (number(value), number(&found[key])) {
            // AV1 counts luminance in 256ths, chromaticity in 65536ths.
            assert!((e - f).abs() <= 1.0 / 256.0, "{key}: {e} became {f}");
        }
    }
}

#[test]
fn what_is_av1_already_is_left_alone_unless_it_is_asked_for() {
    let Some(media) = media() else { return };
    let clip = media.join("hdr/hdr10_av1_mdcv_clli.mp4");
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let out =
        drapto().args(["encode", "--crf", "50", "--preset", "12"]).args([&clip, &output]).output().expect("drapto");
    assert_eq!(out.status.code(), Some(5), "{}", said(&out));
    assert!(said(&out).contains("AV1 already") && !output.exists(), "{}", said(&out));
    let report = encode(&clip, &output, &["--crf", "50", "--preset", "12", "--reencode"]);
    assert_eq!(report["video"]["source_codec"], "av1");
}

#[test]
fn other_pixel_formats_and_odd_sizes_become_ten_bit_420() {
    if !tool("ffprobe") {
        return;
    }
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    for (name, frames) in [
        ("odd", None),
        ("yuv422p10", Some(24)),
        ("yuv444p", Some(24)),
        ("yuv444p12", Some(24)),
        ("gray", Some(24)),
        ("rgb", Some(24)),
        ("oneframe", Some(1)),
    ] {
        let Some(clip) = fixture(name) else { return };
        let report = encode(&clip, &output, &[]);
        let v = ffprobe(
            &output,
            &["-select_streams", "v:0", "-count_frames", "-show_entries", "stream=pix_fmt,width,height,nb_read_frames"],
        )["streams"][0]
            .clone();
        assert_eq!(v["pix_fmt"], "yuv420p10le", "{name}");
        assert_eq!(v["width"].as_u64().unwrap_or(1) % 2, 0);
        if let Some(frames) = frames {
            assert_eq!(v["nb_read_frames"], json!(frames.to_string()), "{name}");
        }
        if name == "rgb" {
            // Full-range RGB becomes limited-range Y'CbCr, and says so.
            let v = ffprobe(&output, &["-select_streams", "v:0", "-show_streams"])["streams"][0].clone();
            assert_eq!((&v["color_range"], &v["color_space"]), (&json!("tv"), &json!("smpte170m")));
            let options = drapto::VmafOptions::default();
            let scores = drapto::vmaf(&clip, &output, &options, &drapto::Silent, &drapto::CancelToken::new());
            let score = scores.expect("scores").harmonic_mean;
            assert!(score > 80.0, "{score}: the colours are others");
        }
        if name == "odd" {
            let warnings = report["warnings"].to_string();
            assert!(warnings.contains("161x121 to 160x120"), "{warnings}");
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let Some(clip) = fixture("everything") else { return };
    let folder = scratch();
    let files: Vec<Vec<u8>> = ["a.mkv", "b.mkv", "c.mkv"]
        .iter()
        .map(|name| {
            let output = folder.path().join(name);
            encode(&clip, &output, &[]);
            std::fs::read(output).expect("an output")
        })
        .collect();
    assert!(files[0] == files[1] && files[1] == files[2], "three runs differ");
}

#[test]
fn a_ten_bit_picture_reaches_the_encoder_without_a_copy_and_buffers_are_used_again() {
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    if let Some(clip) = fixture("pq") {
        let report = encode(&clip, &output, &[]);
        assert_eq!(report["frame_pool"], json!({"allocations": 0, "reuses": 0}));
    }
    if let Some(clip) = fixture("sample") {
        let report = encode(&clip, &output, &[]);
        let (allocations, reuses) = (&report["frame_pool"]["allocations"], &report["frame_pool"]["reuses"]);
        assert!(allocations.as_u64() <= Some(16) && reuses.as_u64() >= Some(200), "{allocations} against {reuses}");
    }
}
