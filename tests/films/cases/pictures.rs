//! Which pictures are the film, how they are shown, and what of them is lost.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Found, Lab, Row, right_if};
use crate::support::*;

pub const ROWS: &[Row] = &[
    Row { name: "second_longer", check: second_longer },
    Row { name: "last_frame_long", check: last_frame_long },
    Row { name: "mirror_v", check: |lab| as_shown(lab, "mirror_v.mp4") },
    Row { name: "mkv_roll", check: mkv_roll },
    Row { name: "cover_first", check: cover_first },
    Row { name: "still_png", check: |lab| pictures(lab, "still_png.png", Some(1)) },
    Row { name: "aspect_switch", check: aspect_switch },
    Row { name: "../media/hdr/dovi_dual_layer.hevc", check: dolby_vision },
    Row { name: "live_interlaced", check: live_interlaced },
    Row { name: "fps480", check: fps480 },
    Row { name: "two_edits", check: two_edits },
    Row { name: "pal8", check: pal8 },
    Row { name: "dv_ntsc", check: dv_ntsc },
    Row { name: "odd853", check: odd853 },
    Row { name: "tiny", check: tiny },
    Row { name: "wmv", check: |lab| pictures(lab, "wmv.wmv", None) },
    Row { name: "rm", check: |lab| pictures(lab, "rm.rm", None) },
    Row { name: "flv", check: |lab| pictures(lab, "flv.flv", None) },
    Row { name: "3gp", check: |lab| pictures(lab, "3gp.3gp", None) },
    Row { name: "ogv", check: |lab| pictures(lab, "ogv.ogv", None) },
    Row { name: "vcd", check: |lab| pictures(lab, "vcd.mpg", None) },
    Row { name: "vob", check: |lab| pictures(lab, "vob.vob", None) },
    Row { name: "mjpeg_avi", check: |lab| pictures(lab, "mjpeg_avi.avi", None) },
    Row { name: "mxf", check: |lab| pictures(lab, "mxf.mxf", None) },
    Row { name: "cue_after_end", check: cue_after_end },
];

/// What is finer than the eye.
const FINE: &[&str] = &["--crf", "5"];

fn number(value: &Value) -> f64 {
    value.as_str().and_then(|s| s.parse().ok()).or(value.as_f64()).unwrap_or(f64::NAN)
}

/// Pictures of a video track that decode, by ffprobe.
fn count(path: &Path, track: &str) -> Option<u64> {
    let found = ffprobe(path, &["-select_streams", track, "-count_frames", "-show_entries", "stream=nb_read_frames"]);
    array(&found, "streams").first()?["nb_read_frames"].as_str()?.parse().ok()
}

/// When the pictures of the first video track are shown, in seconds, and for how long the whole lasts.
fn times(path: &Path) -> (Vec<f64>, f64) {
    let found = ffprobe(path, &["-select_streams", "v:0", "-show_entries", "packet=pts_time:format=duration"]);
    let mut times: Vec<f64> = array(&found, "packets").iter().map(|p| number(&p["pts_time"])).collect();
    times.sort_by(f64::total_cmp);
    (times, number(&found["format"]["duration"]))
}

/// The lowest PSNR of the luma of any picture as ffmpeg shows both files, which turns and mirrors what their matrices say.
fn psnr(output: &Path, source: &Path) -> f64 {
    let even = "setpts=N/25/TB,format=yuv420p,crop=floor(iw/2)*2:floor(ih/2)*2:0:0";
    let graph = format!("[0:v:0]{even}[a];[1:v:0]{even}[b];[a][b]psnr=stats_file=-");
    let args = ["-i".as_ref(), output.as_os_str(), "-i".as_ref(), source.as_os_str()];
    let more = ["-lavfi", &graph, "-f", "null", "/dev/null"].map(AsRef::as_ref);
    let said = ffmpeg(&args.into_iter().chain(more).collect::<Vec<_>>());
    let text = String::from_utf8_lossy(&said).into_owned();
    let values = text.split_whitespace().filter_map(|word| word.strip_prefix("psnr_y:"));
    let values = values.map(|value| if value == "inf" { 100.0 } else { value.parse().expect("a number") });
    let least = values.fold(f64::INFINITY, f64::min);
    assert!(least.is_finite(), "no pictures to compare: {text}");
    least
}

fn warnings(report: &Value) -> String {
    array(report, "warnings").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

/// What the output's roll is, in degrees.
fn roll(path: &Path) -> f64 {
    let found = ffprobe(path, &["-select_streams", "v:0", "-show_streams"]);
    let side = array(&array(&found, "streams")[0], "side_data_list").to_vec();
    side.iter().find_map(|s| s["rotation"].as_f64()).unwrap_or(0.0)
}

/// All the pictures that ffprobe counts, or so many.
fn pictures(lab: &Lab, case: &str, wanted: Option<u64>) -> Found {
    let (output, report) = lab.encode(case, &[]);
    let wanted = wanted.or_else(|| count(&lab.case(case), "v:0"));
    let found = count(&output, "v:0");
    right_if(found.is_some() && found == wanted, format!("{found:?} of {wanted:?} pictures; {}", warnings(&report)))
}

fn second_longer(lab: &Lab) -> Found {
    let fixed = lab.encode("second_longer.mkv", &[]);
    let found = count(&fixed.0, "v:0");
    let searched = lab.encode("second_longer.mkv", &["--target-vmaf", "80", "--preset", "12"]);
    let with_target = count(&searched.0, "v:0");
    let size = (&searched.1["video"]["width"], &searched.1["video"]["height"]);
    let right = found == Some(75) && with_target == Some(75) && (size.0 == 320 && size.1 == 180);
    right_if(right, format!("{found:?} pictures, with a target {with_target:?} of {}x{}", size.0, size.1))
}

fn last_frame_long(lab: &Lab) -> Found {
    let mut words = Vec::new();
    let mut right = true;
    // The MP4 says 3 s everywhere: its muxer did not take the 5 s.
    for (case, wanted) in [("last_frame_long.mkv", 7.5), ("last_frame_long_mp4.mp4", 3.0)] {
        for how in [&[][..], &["--target-vmaf", "80", "--preset", "12"]] {
            let (output, _) = lab.encode(case, how);
            let (found, duration) = times(&output);
            right &= found.len() == 6 && (duration - wanted).abs() < 0.002;
            verified(&lab.case(case), &output);
            words.push(format!("{} pictures, {duration:.3} s", found.len()));
        }
    }
    right_if(right, words.join("; "))
}

fn as_shown(lab: &Lab, case: &str) -> Found {
    let (output, _) = lab.encode(case, FINE);
    let least = psnr(&output, &lab.case(case));
    verified(&lab.case(case), &output);
    right_if(least > 40.0, format!("{least:.1} dB as shown"))
}

fn mkv_roll(lab: &Lab) -> Found {
    let (output, _) = lab.encode("mkv_roll.mkv", FINE);
    let (least, roll) = (psnr(&output, &lab.case("mkv_roll.mkv")), roll(&output));
    right_if(least > 40.0 && roll == -90.0, format!("{roll}, {least:.1} dB"))
}

fn cover_first(lab: &Lab) -> Found {
    let (output, report) = lab.encode("cover_first.mkv", &[]);
    let found = mkvmerge(&output);
    let size = &found["tracks"][0]["properties"]["pixel_dimensions"];
    let covers = array(&found, "attachments");
    let number = count(&output, "v:0");
    let right = number == Some(75)
        && *size == "320x180"
        && covers.len() == 1
        && covers[0]["content_type"] == "image/jpeg"
        && report["streams"][0]["action"] == "kept";
    right_if(right, format!("{number:?} pictures of {size}, {} covers kept", covers.len()))
}

fn aspect_switch(lab: &Lab) -> Found {
    let (output, report) = lab.encode("aspect_switch.ts", &[]);
    let found = ffprobe(&output, &["-select_streams", "v:0", "-show_entries", "stream=display_aspect_ratio"]);
    let shape = &array(&found, "streams")[0]["display_aspect_ratio"];
    let said = warnings(&report);
    verified(&lab.case("aspect_switch.ts"), &output);
    right_if(*shape == "16:9" && said.contains("4:3"), format!("{shape}; {said}"))
}

/// T.35 messages of Dolby Vision in an output, by ffmpeg's trace of its headers, and pictures.
fn messages(output: &Path) -> (usize, u64) {
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "verbose", "-i"])
        .arg(output)
        .args(["-map", "0:v:0", "-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let text = said(&out);
    let country = text.lines().filter(|l| l.contains("itu_t_t35_country_code") && l.ends_with("= 181")).count();
    (country, count(output, "v:0").unwrap_or(0))
}

fn dolby_vision(lab: &Lab) -> Found {
    let case = "../media/hdr/dovi_dual_layer.hevc";
    let (output, report) = lab.encode(case, &["--preset", "12", "--crf", "50", "--dolby-vision", "require"]);
    let carried = &report["video"]["dolby_vision"]["frames"];
    let (there, pictures) = messages(&output);
    verified(&lab.case(case), &output);
    let checks = array(&report["verification"], "checks");
    let counted = checks.iter().find(|c| c["name"].as_str().is_some_and(|n| n.contains("metadata by picture")));
    let counted = counted.map(|c| c["found"].clone()).unwrap_or_default();
    let right = *carried == 259 && there == 259 && pictures == 259 && counted == "259";
    right_if(right, format!("{pictures} pictures, {there} messages, verification counts {counted}"))
}

fn live_interlaced(lab: &Lab) -> Found {
    let (output, report) = lab.encode("live_interlaced.mkv", &[]);
    let (fields, done) = (&report["video"]["fields"], &report["video"]["deinterlaced"]);
    let found = count(&output, "v:0");
    let right =
        *fields == "interlaced-top-first" && *done == true && found == count(&lab.case("live_interlaced.mkv"), "v:0");
    right_if(right, format!("{fields}, deinterlaced {done}, {found:?} pictures"))
}

fn same_times(lab: &Lab, case: &str, wanted: usize) -> Found {
    let (output, _) = lab.encode(case, &[]);
    let (found, _) = times(&output);
    let shown = ffprobe(&lab.case(case), &["-select_streams", "v:0", "-show_entries", "frame=pts_time"]);
    let shown: Vec<f64> = array(&shown, "frames").iter().map(|f| number(&f["pts_time"])).collect();
    let off = shown.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let right = found.len() == wanted && shown.len() == wanted && off < 0.0011;
    right_if(right, format!("{} of {} pictures, times off by {:.2} ms at most", found.len(), shown.len(), off * 1e3))
}

fn fps480(lab: &Lab) -> Found {
    same_times(lab, "fps480.mp4", 240)
}

fn two_edits(lab: &Lab) -> Found {
    same_times(lab, "two_edits.mp4", 50)
}

fn pal8(lab: &Lab) -> Found {
    // The preset of the defaults: what is asked is whether the colours are right, and 4.2.0 at its fastest loses 18 dB.
    let (output, _) = lab.encode("pal8.gif", &["--crf", "5", "--preset", "6"]);
    let least = psnr(&output, &lab.case("pal8.gif"));
    right_if(least > 40.0, format!("{least:.1} dB"))
}

fn dv_ntsc(lab: &Lab) -> Found {
    let (output, report) = lab.encode("dv_ntsc.avi", &["--deinterlace", "off"]);
    let found =
        ffprobe(&output, &["-select_streams", "v:0", "-show_entries", "stream=sample_aspect_ratio,field_order"]);
    let stream = &array(&found, "streams")[0];
    let (shape, order) = (&stream["sample_aspect_ratio"], &stream["field_order"]);
    let fields = &report["video"]["fields"];
    let right = *shape == "8:9" && (*order == "bb" || *order == "bt") && *fields == "interlaced-bottom-first";
    right_if(right, format!("{fields}, {order}, {shape}"))
}

fn odd853(lab: &Lab) -> Found {
    let (output, report) = lab.encode("odd853.mkv", &[]);
    let size = mkvmerge(&output)["tracks"][0]["properties"]["pixel_dimensions"].clone();
    let said = warnings(&report);
    right_if(size == "852x480" && said.contains("853x480"), format!("{size}; {said}"))
}

fn tiny(lab: &Lab) -> Found {
    let output = lab.dir.join("out.mkv");
    let out =
        drapto().args(["encode", "--crf", "30"]).args([&lab.case("tiny.mkv"), &output]).output().expect("drapto runs");
    if drapto::internals::video::limits().min <= 36 {
        // SVT-AV1 takes it from 3.0 on.
        let size = mkvmerge(&output)["tracks"][0]["properties"]["pixel_dimensions"].clone();
        return right_if(out.status.success() && size == "64x36", format!("encoded, {size}"));
    }
    let text = said(&out);
    let last = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default().to_owned();
    right_if(!out.status.success() && last.contains("64x36") && !output.exists(), last)
}

fn cue_after_end(lab: &Lab) -> Found {
    let (output, report) = lab.encode("cue_after_end.mkv", &[]);
    let found = ffprobe(&output, &["-select_streams", "s:0", "-show_entries", "packet=pts_time"]);
    let cues: Vec<f64> = array(&found, "packets").iter().map(|p| number(&p["pts_time"])).collect();
    let number = count(&output, "v:0");
    let right = cues.len() == 2 && (cues[1] - 60.0).abs() < 0.002 && number == Some(75);
    right_if(right, format!("cues at {cues:?} s, {number:?} pictures; {}", warnings(&report)))
}

/// What is said and done where a run fails.
fn refused(clip: &Path, more: &[&str]) -> (Option<i32>, String) {
    let folder = scratch();
    let out = drapto()
        .args(["encode", "--crf", "40", "--preset", "12"])
        .args(more)
        .args([clip, &folder.path().join("out.mkv")])
        .output()
        .expect("drapto runs");
    (out.status.code(), said(&out))
}

/// A last picture stays as long as its block, its sample or its track's tag says.
#[test]
fn a_last_picture_that_stays_keeps_its_time() {
    if !tool("mkvmerge") {
        return;
    }
    let folder = scratch();
    for (name, wanted) in [("staysblock", 6.5), ("stayssample", 6.5), ("staystag", 9.0)] {
        let Some(clip) = fixture(name) else { return };
        for (how, more) in [("fixed", &[][..]), ("target", &["--target-vmaf", "80", "--preset", "12"])] {
            let output = folder.path().join(format!("{name}-{how}.mkv"));
            let report = encode(&clip, &output, more);
            let (found, duration) = times(&output);
            assert_eq!(found.len(), 6, "{name}, {how}");
            assert!((duration - wanted).abs() < 0.002, "{name}, {how}: {duration} s; {}", warnings(&report));
            let shown = &mkvmerge(&output)["container"]["properties"]["duration"];
            assert!((number(shown) / 1e9 - wanted).abs() < 0.002, "{name}, {how}: {shown}");
            verified(&clip, &output);
        }
    }
}

#[test]
fn headers_that_promise_too_much_are_no_damage() {
    let folder = scratch();
    for (name, pictures) in [("longheader", 75), ("longscript", 75), ("secondvideo", 50)] {
        let Some(clip) = fixture(name) else { return };
        for (how, more) in [("fixed", &[][..]), ("target", &["--target-vmaf", "80", "--preset", "12"])] {
            let output = folder.path().join(format!("{name}-{how}.mkv"));
            encode(&clip, &output, more);
            assert_eq!(count(&output, "v:0"), Some(pictures), "{name}, {how}");
            let (_, duration) = times(&output);
            assert!((duration - pictures as f64 / 25.0).abs() < 0.1, "{name}, {how}: {duration} s");
            verified(&clip, &output);
        }
    }
}

#[test]
fn what_is_cut_off_is_damage_in_every_container() {
    for name in ["truncated", "holes", "cutmp4", "cutavi", "cutflv"] {
        let Some(clip) = fixture(name) else { return };
        let (code, said) = refused(&clip, &[]);
        assert_eq!(code, Some(3), "{name}: {said}");
        assert!(said.contains("--accept-damage"), "{name}: {said}");
        let folder = scratch();
        let output = folder.path().join("out.mkv");
        encode(&clip, &output, &["--accept-damage", "--preset", "12"]);
        let (found, duration) = times(&output);
        assert!((duration - found.len() as f64 / 25.0).abs() < 0.3, "{name}: {duration} s of {} pictures", found.len());
    }
}

/// All ways MP4 has to turn and to mirror, by ffmpeg's own eyes.
#[test]
fn turned_and_mirrored_pictures_are_shown_as_before() {
    let folder = scratch();
    let clips =
        ["shownh", "shownv", "showntranspose", "showntransverse", "shown90", "shown180", "shown270", "shownnone"];
    for (name, wanted) in clips.into_iter().zip([0.0, 0.0, -90.0, 90.0, -90.0, 180.0, 90.0, 0.0]) {
        let Some(clip) = fixture(name) else { return };
        let output = folder.path().join(format!("{name}.mkv"));
        encode(&clip, &output, FINE);
        let least = psnr(&output, &clip);
        assert!(least > 40.0, "{name}: {least:.1} dB");
        let found = roll(&output);
        assert!((found - wanted).rem_euclid(360.0) == 0.0, "{name}: turned by {found}, not {wanted}");
        verified(&clip, &output);
        let scored = drapto().args(["vmaf", "--json"]).args([&clip, &output]).output().expect("drapto runs");
        let scores: Value = serde_json::from_slice(&scored.stdout).expect("JSON");
        assert!(scores["mean"].as_f64().is_some_and(|mean| mean > 95.0), "{name}: {scores}");
    }
}

/// With bars at the top and something below, cropped, scaled and at a target.
#[test]
fn a_mirrored_picture_is_cropped_where_its_bars_are() {
    let Some(clip) = fixture("mirroredbars") else { return };
    let folder = scratch();
    let crop = drapto().args(["crop", "--json"]).arg(&clip).output().expect("drapto runs");
    let crop: Value = serde_json::from_slice(&crop.stdout).expect("JSON");
    assert_eq!((&crop["height"], &crop["y"]), (&Value::from(180), &Value::from(60)), "{crop}");
    let output = folder.path().join("out.mkv");
    let how = ["--target-vmaf", "90", "--preset", "10"];
    let report = encode(&clip, &output, &how);
    assert_eq!(report["video"]["crop"], "320:180:0:60");
    verified(&clip, &output);
    let shown = folder.path().join("shown.mkv");
    let made = ["-vf", "crop=320:180:0:20", "-c:v", "ffv1", "-an"];
    ffmpeg(&[&["-i".as_ref(), clip.as_os_str()][..], &made.map(AsRef::as_ref), &[shown.as_os_str()]].concat());
    let least = psnr(&output, &shown);
    assert!(least > 30.0, "{least:.1} dB");
    let mean = report["quality"]["mean"].as_f64().expect("a score");
    assert!((mean - 90.0).abs() < 4.0, "{mean}");
}

/// Where the stream itself says how it is shown, and the container nothing or something else.
#[test]
fn a_stream_that_says_how_it_is_shown_is_believed() {
    let folder = scratch();
    for name in ["seiflip", "seiturn", "exifflip"] {
        if name != "exifflip" && !libx264() {
            continue;
        }
        let Some(clip) = fixture(name) else { return };
        let output = folder.path().join(format!("{name}.mkv"));
        encode(&clip, &output, FINE);
        let shown = match name {
            // The message holds until it is repeated (ITU-T H.264 §D.2.27); FFmpeg 5.1 has it turn its own picture alone.
            "seiflip" | "seiturn" => {
                let shown = folder.path().join("shown.mkv");
                let filter = if name == "seiflip" { "vflip" } else { "transpose=cclock_flip" };
                let made = ["-vf", filter, "-c:v", "ffv1"].map(AsRef::as_ref);
                let from = ["-noautorotate".as_ref(), "-i".as_ref(), clip.as_os_str()];
                ffmpeg(&[&["-y".as_ref()][..], &from, &made, &[shown.as_os_str()]].concat());
                shown
            }
            _ => clip.clone(),
        };
        let least = psnr(&output, &shown);
        assert!(least > 40.0, "{name}: {least:.1} dB");
        verified(&clip, &output);
    }
}

#[test]
fn the_film_is_encoded_and_not_what_travels_with_it() {
    if !tool("mkvmerge") {
        return;
    }
    let folder = scratch();
    for (name, size, attached) in [("coverpng", "320x180", 1), ("preview", "640x360", 0), ("titlecard", "320x180", 0)] {
        let Some(clip) = fixture(name) else { return };
        let output = folder.path().join(format!("{name}.mkv"));
        let report = encode(&clip, &output, &[]);
        let found = mkvmerge(&output);
        assert_eq!(found["tracks"][0]["properties"]["pixel_dimensions"], size, "{name}");
        assert_eq!(array(&found, "attachments").len(), attached, "{name}");
        assert_eq!(count(&output, "v:0"), Some(75), "{name}");
        if attached == 0 {
            let streams = array(&report, "streams");
            let why = streams.iter().find(|s| s["action"] == "encoded" && s["kind"] == "video");
            let why = why.and_then(|s| s["reason"].as_str()).unwrap_or_default();
            assert!(why.contains("it is the film rather than stream 0"), "{name}: {why}");
        }
        verified(&clip, &output);
    }
}

#[test]
fn a_shape_that_changes_early_does_not_last() {
    let folder = scratch();
    for (name, shape, word) in
        [("lateaspect", "4:3", "16:9"), ("latesize", "16:9", "352x288"), ("aspectavc", "16:9", "4:3")]
    {
        if name == "aspectavc" && !libx264() {
            continue;
        }
        let Some(clip) = fixture(name) else { return };
        for (how, more) in [("fixed", &[][..]), ("target", &["--target-vmaf", "80", "--preset", "12"])] {
            let output = folder.path().join(format!("{name}-{how}.mkv"));
            let report = encode(&clip, &output, more);
            let found = ffprobe(&output, &["-select_streams", "v:0", "-show_entries", "stream=display_aspect_ratio"]);
            assert_eq!(array(&found, "streams")[0]["display_aspect_ratio"], shape, "{name}, {how}");
            assert!(warnings(&report).contains(word), "{name}, {how}: {}", warnings(&report));
            assert_eq!(count(&output, "v:0"), count(&clip, "v:0"), "{name}, {how}");
            verified(&clip, &output);
        }
    }
}

/// The same stream in Matroska, and cut in the middle of its sequences.
#[test]
fn no_message_of_dolby_vision_goes_astray() {
    let Some(media) = media() else { return };
    if !tool("mkvmerge") {
        return;
    }
    let raw = std::fs::read(media.join("hdr/dovi_dual_layer.hevc")).expect("a stream");
    let folder = scratch();
    let (muxed, ended) = (folder.path().join("muxed.mkv"), folder.path().join("ended.hevc"));
    let made =
        Command::new("mkvmerge").arg("-q").arg("-o").arg(&muxed).arg(media.join("hdr/dovi_dual_layer.hevc")).status();
    assert!(made.expect("mkvmerge runs").success());
    // An end of sequence (36) behind each tenth picture, before its layer (63) and its RPU (62).
    let starts: Vec<usize> = raw.windows(4).enumerate().filter(|(_, w)| *w == [0, 0, 0, 1]).map(|(at, _)| at).collect();
    let kind = |at: usize| raw[at + 4] >> 1 & 0x3F;
    let (mut out, mut slices, mut from) = (Vec::new(), 0, 0);
    for pair in starts.windows(2) {
        if kind(pair[0]) < 32 && kind(pair[1]) == 63 {
            slices += 1;
            if slices % 10 == 0 {
                out.extend_from_slice(&raw[from..pair[1]]);
                out.extend([0, 0, 0, 1, 36 << 1, 1]);
                from = pair[1];
            }
        }
    }
    out.extend_from_slice(&raw[from..]);
    std::fs::write(&ended, out).expect("written");
    for clip in [&muxed, &ended] {
        let rpus = 259;
        let output = clip.with_extension("out.mkv");
        let report = encode(clip, &output, &["--preset", "12", "--crf", "55"]);
        let (there, pictures) = messages(&output);
        let said = warnings(&report);
        assert_eq!((there, pictures), (rpus, 259), "{}: {said}", clip.display());
        verified(clip, &output);
    }
}
