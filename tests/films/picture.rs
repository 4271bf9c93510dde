//! What is done to the picture on its way: cropped, scaled, deinterlaced, at 8 or 10 bits, with grain. What is scored is
//! what was encoded.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::*;

/// `clip` through a filter of ffmpeg's, losslessly.
fn filtered(clip: &Path, filter: &str, folder: &Path) -> PathBuf {
    let out = folder.join("reference.mkv");
    let args = ["-y", "-i", clip.to_str().expect("a name"), "-vf", filter, "-an", "-sn", "-c:v", "ffv1"];
    let args: Vec<&std::ffi::OsStr> = args.iter().map(AsRef::as_ref).chain([out.as_os_str()]).collect();
    ffmpeg(&args);
    out
}

fn score(reference: &Path, output: &Path) -> f64 {
    let options = drapto::VmafOptions::default();
    let scores = drapto::vmaf(reference, output, &options, &drapto::Silent, &drapto::CancelToken::new());
    scores.expect("scores").harmonic_mean
}

fn stream(output: &Path) -> Value {
    ffprobe(output, &["-select_streams", "v:0", "-show_streams"])["streams"][0].clone()
}

#[test]
fn a_cropped_film_is_scored_against_the_cropped_source_and_no_bar_is_left() {
    let Some(clip) = media().map(|m| m.join("derived/letterbox_960x540_crop_960-400-0-70.mkv")) else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let report = encode(&clip, &output, &["--target-vmaf", "80", "--chunk-size", "3", "--stride", "1"]);
    assert_eq!((&report["video"]["crop"], &report["video"]["height"]), (&json!("960:400:0:70"), &json!(400)));
    let own = report["quality"]["harmonic_mean"].as_f64().expect("a score");
    let reference = filtered(&clip, "crop=960:400:0:70", folder.path());
    let independent = score(&reference, &output);
    assert!((own - independent).abs() < 0.2, "{own} by the encode, {independent} against ffmpeg's crop");
    let report = encode(&clip, &output, &["--crf", "50", "--crop", "off"]);
    assert_eq!((&report["video"]["crop"], &report["video"]["height"]), (&Value::Null, &json!(540)));
}

#[test]
fn a_crop_that_cannot_be_is_refused_before_anything_is_done() {
    let Some(clip) = media().map(|m| m.join("film/flower.mp4")) else { return };
    let folder = scratch();
    for crop in ["961:540:0:0", "960:540:2:0", "0:0:0:0", "wide"] {
        let output = folder.path().join("out.mkv");
        let out = drapto().args(["encode", "--crop", crop]).args([&clip, &output]).output().expect("drapto runs");
        assert_eq!(out.status.code(), Some(2), "{crop}: {}", said(&out));
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_scaled_film_is_scored_against_the_scaled_source_and_keeps_its_shape() {
    let Some(media) = media() else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let clip = media.join("film/flower.mp4");
    let report =
        encode(&clip, &output, &["--scale", "270", "--target-vmaf", "85", "--chunk-size", "3", "--stride", "1"]);
    assert_eq!((&report["video"]["width"], &report["video"]["height"]), (&json!(480), &json!(270)));
    let own = report["quality"]["harmonic_mean"].as_f64().expect("a score");
    let reference = filtered(&clip, "scale=480:270:flags=lanczos+accurate_rnd+full_chroma_inp", folder.path());
    let independent = score(&reference, &output);
    assert!((own - independent).abs() < 0.5, "{own} by the encode, {independent} against ffmpeg's scaler");
    // A height alone makes square samples of a DVD's; a size keeps the shape by the shape of its samples.
    let dvd = media.join("derived/interlaced_tff_720x576_mpeg2_16-9.mkv");
    for (scale, size, shape) in [("576", [1024, 576], "1:1"), ("640x480", [640, 480], "4:3")] {
        encode(&dvd, &output, &["--scale", scale, "--crf", "55", "--preset", "12", "--crop", "off"]);
        let found = stream(&output);
        assert_eq!([&found["width"], &found["height"]], size.map(|n| json!(n)).each_ref(), "{scale}");
        let aspect = found["sample_aspect_ratio"].as_str().unwrap_or("1:1");
        assert_eq!(aspect, shape, "{scale}");
    }
}

#[test]
fn the_bit_depth_is_the_one_asked_for() {
    let Some(media) = media() else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    for (clip, asked, found) in [
        ("film/flower.mp4", "8", "yuv420p"),
        ("film/flower.mp4", "source", "yuv420p"),
        ("geometry/hevc_10bit_sdr.mp4", "source", "yuv420p10le"),
        ("geometry/hevc_10bit_sdr.mp4", "8", "yuv420p"),
        ("film/flower.mp4", "10", "yuv420p10le"),
    ] {
        for mode in [&["--crf", "50"][..], &["--target-vmaf", "70"]] {
            let report =
                encode(&media.join(clip), &output, &[mode, &["--preset", "12", "--bit-depth", asked]].concat());
            assert_eq!(stream(&output)["pix_fmt"], found, "{clip} at {asked}");
            assert_eq!(report["video"]["bit_depth"], if found == "yuv420p" { 8 } else { 10 }, "{clip} at {asked}");
        }
    }
}

/// How many pictures FFmpeg's idet takes for interlaced, and for whole.
fn idet(film: &Path) -> (u64, u64) {
    let out = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-i"])
        .arg(film)
        .args(["-an", "-sn", "-vf", "idet", "-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let text = said(&out);
    let line = text.lines().rfind(|l| l.contains("Multi frame detection")).expect("idet's count");
    let number = |name: &str| -> u64 {
        let rest = line.split_once(name).expect("a count").1;
        rest.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
    };
    (number("TFF:") + number("BFF:"), number("Progressive:"))
}

#[test]
fn interlaced_pictures_become_whole_ones_at_the_same_rate_unless_told_otherwise() {
    let Some(clip) = media().map(|m| m.join("derived/interlaced_tff_720x576_mpeg2_16-9.mkv")) else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let fast = ["--preset", "12", "--crf", "20", "--crop", "off"];
    let report = encode(&clip, &output, &fast);
    assert_eq!(
        (&report["video"]["fields"], &report["video"]["deinterlaced"]),
        (&json!("interlaced-top-first"), &json!(true))
    );
    assert_eq!(report["output"]["frames"], report["input"]["frames"]);
    let (interlaced, whole) = idet(&output);
    assert!(interlaced * 10 < whole, "{interlaced} interlaced, {whole} whole");
    let report = encode(&clip, &output, &[&fast[..], &["--deinterlace", "off"]].concat());
    assert!(report["warnings"].to_string().contains("encoded as it is"), "{}", report["warnings"]);
    let (interlaced, whole) = idet(&output);
    assert!(interlaced > whole, "{interlaced} interlaced, {whole} whole");
}

/// Deinterlacing looks at the pictures beside, cropping and scaling at nothing: seeking to a chunk must not show.
#[test]
fn the_bytes_are_the_same_where_chunks_are_decoded_again() {
    let Some(clip) = media().map(|m| m.join("geometry/interlaced_tff_480i.mkv")) else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let mut bytes: Option<Vec<u8>> = None;
    for memory in ["4G", "250M"] {
        let more =
            ["--target-vmaf", "70", "--chunk-size", "2", "--preset", "12", "--scale", "240", "--max-memory", memory];
        let report = encode(&clip, &output, &more);
        assert!(array(&report, "chunks").len() >= 4, "{} chunks", array(&report, "chunks").len());
        assert_eq!(report["video"]["deinterlaced"], true);
        let now = std::fs::read(&output).expect("the output");
        assert!(bytes.get_or_insert_with(|| now.clone()) == &now, "with {memory}");
    }
}

#[test]
fn film_grain_is_put_over_the_picture_and_not_scored() {
    let Some(clip) = media().map(|m| m.join("film/flower.mp4")) else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let grain = |output: &Path| {
        let frames =
            ffprobe(output, &["-select_streams", "v:0", "-show_streams", "-show_frames", "-read_intervals", "%+#1"]);
        frames["streams"][0]["film_grain"].clone()
    };
    let fast = ["--preset", "8", "--target-vmaf", "80"];
    let plain = encode(&clip, &output, &fast);
    let none = grain(&output);
    let grainy = encode(&clip, &output, &[&fast[..], &["--film-grain", "12"]].concat());
    assert_ne!(grain(&output), none, "the stream says that it has grain");
    let mean = |r: &Value| r["quality"]["harmonic_mean"].as_f64().expect("a score");
    assert!((mean(&plain) - mean(&grainy)).abs() <= 1.0, "{} and {}", mean(&plain), mean(&grainy));
    let out = drapto().args(["encode", "--film-grain", "51"]).args([&clip, &output]).output().expect("drapto runs");
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
}

#[test]
fn of_several_videos_the_main_one_is_encoded_and_cover_art_is_none() {
    let Some(media) = media() else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let report = encode(&media.join("film/nasa_13013.mp4"), &output, &["--preset", "12", "--crf", "50"]);
    let videos: Vec<&Value> = array(&report, "streams").iter().filter(|s| s["kind"] == "video").collect();
    assert_eq!((videos.len(), videos.iter().filter(|s| s["action"] == "encoded").count()), (2, 1));
    assert!(videos.iter().any(|s| s["reason"].as_str().is_some_and(|r| r.contains("not the main one"))));
    let out = drapto()
        .arg("encode")
        .args([&media.join("audio/flac_cover_art.flac"), &folder.path().join("none.mkv")])
        .output()
        .expect("drapto runs");
    assert_eq!(out.status.code(), Some(3), "a cover is no film: {}", said(&out));
}

#[test]
fn fields_that_nothing_flags_are_found() {
    let Some(clip) = fixture("unflagged") else { return };
    let out = drapto().args(["probe", "--json"]).arg(&clip).output().expect("drapto runs");
    let found: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(found["picture"]["fields"], "interlaced-top-first");
}

/// AV1 itself has no word for fields, so Matroska says it: a player deinterlaces what was left as it is.
#[test]
fn the_field_order_of_what_is_left_interlaced_is_in_the_container() {
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    for (name, order, interlaced) in [("interlaced", "tt", 1), ("bottomfirst", "bb", 1), ("sample", "progressive", 2)] {
        let Some(clip) = fixture(name) else { return };
        let fast = ["--preset", "12", "--crf", "55"];
        encode(&clip, &output, &[&fast[..], &["--deinterlace", "off"]].concat());
        assert_eq!(stream(&output)["field_order"], order, "{name}");
        let report = encode(&clip, &output, &fast);
        assert_eq!(stream(&output)["field_order"], "progressive", "{name}");
        assert_eq!(report["video"]["deinterlaced"], interlaced == 1, "{name}");
    }
}

#[test]
fn a_film_without_presentation_times_and_one_with_a_cover_as_a_video_come_out_whole() {
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let Some(clip) = fixture("bframes") else { return };
    let report = encode(&clip, &output, &["--preset", "12", "--crf", "55"]);
    assert_eq!(report["output"]["frames"], 50);
    let frames = ffprobe(&output, &["-select_streams", "v:0", "-show_entries", "frame=pts_time"]);
    let times: Vec<f64> =
        array(&frames, "frames").iter().filter_map(|f| f["pts_time"].as_str()?.parse().ok()).collect();
    assert!(times.windows(2).all(|w| (w[1] - w[0] - 0.04).abs() < 0.0015), "{times:?}");
    let Some(clip) = fixture("cover") else { return };
    let report = encode(&clip, &output, &["--preset", "12", "--crf", "55"]);
    assert_eq!(report["output"]["frames"], 24);
    let found = mkvmerge(&output);
    assert_eq!((array(&found, "tracks").len(), array(&found, "attachments").len()), (1, 1), "{found}");
}
