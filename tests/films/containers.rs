//! Codecs and containers that are not the default: what others find in the files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use drapto::{EncodeRequest, Outcome, Silent, Sink, start};
use serde_json::Value;

use super::support::{drapto, ffprobe, fixture, libx264, media, missing, said, scratch, tool, verified};

/// Whether libavcodec was built with libx265; says so where it was not.
fn libx265() -> bool {
    let there = drapto::internals::video::encoder("libx265").is_ok();
    if !there {
        missing("this libavcodec has no libx265");
    }
    there
}

/// Encodes at a fixed CRF and verifies by decoding both; what ffprobe says of the file.
fn encoded(film: &Path, output: &Path, more: &[&str]) -> Value {
    let out = drapto().args(["encode", "--preset", "9", "--crf", "40"]).args(more).args([film, output]).output();
    let out = out.expect("drapto runs");
    assert!(out.status.success(), "{}: {}", output.display(), said(&out));
    verified(film, output);
    ffprobe(output, &["-show_streams", "-show_chapters", "-show_format", "-count_packets"])
}

fn stream<'a>(found: &'a Value, kind: &str) -> &'a Value {
    let streams = found["streams"].as_array().expect("streams");
    streams.iter().find(|s| s["codec_type"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// What a decoder makes of the pictures or the sound of a file, hashed.
fn decoded(path: &Path, stream: &str) -> String {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-xerror", "-i"]).arg(path).args(["-map", stream, "-f", "md5", "-"]);
    let out = ffmpeg.output().expect("ffmpeg runs");
    assert!(out.status.success(), "{}: {}", path.display(), said(&out));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The samples of a track of sound.
fn heard(path: &Path, track: usize) -> Vec<u8> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-xerror", "-i"]).arg(path).args(["-map", &format!("0:a:{track}"), "-f", "s16le", "-"]);
    let out = ffmpeg.output().expect("ffmpeg runs");
    assert!(out.status.success(), "{}: {}", path.display(), said(&out));
    out.stdout
}

#[test]
fn every_codec_comes_out_the_same_of_every_container_that_holds_it() {
    let Some(film) = fixture("showcase") else { return };
    if !(tool("ffprobe") && libx264() && libx265()) {
        return;
    }
    let folder = scratch();
    for (codec, ends, tag) in [
        ("av1", &["mkv", "webm", "mp4"][..], "av01"),
        ("h264", &["mkv", "mp4"], "avc1"),
        ("hevc", &["mkv", "mp4"], "hvc1"),
    ] {
        let (mut all, mut sounds) = (Vec::new(), Vec::new());
        for end in ends {
            let output = folder.path().join(format!("{codec}.{end}"));
            let found = encoded(&film, &output, &["--codec", codec]);
            let video = stream(&found, "video");
            assert_eq!(video["codec_name"], codec);
            assert_eq!(video["nb_read_packets"], "192", "{codec} {end}");
            let format = found["format"]["format_name"].as_str().expect("a format");
            assert!(format.contains(end) || *end == "mkv" && format.contains("matroska"), "{format}");
            let tracks = found["streams"].as_array().expect("streams").iter().filter(|s| s["codec_type"] == "audio");
            let languages: Vec<_> = tracks.map(|s| s["tags"]["language"].clone()).collect();
            assert_eq!(languages, ["eng", "eng"], "{codec} {end}");
            if *end == "mp4" {
                assert_eq!(video["codec_tag_string"], tag);
                assert_eq!(stream(&found, "subtitle")["codec_name"], "mov_text");
            }
            assert!(!found["chapters"].as_array().expect("chapters").is_empty(), "{codec} {end}");
            all.push(decoded(&output, "0:v"));
            sounds.push(heard(&output, 0));
        }
        // FFmpeg 5.1 plays Opus in MP4 to the end of its last packet, beyond the end of the edit list.
        let shortest = sounds.iter().map(Vec::len).min().expect("files");
        assert!(sounds.iter().all(|sound| sound[..shortest] == sounds[0][..shortest]), "{codec}");
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{codec}: {all:?}");
    }
}

#[test]
fn subtitles_of_an_mp4_say_what_they_said_when_they_said_it() {
    let Some(film) = fixture("showcase") else { return };
    let folder = scratch();
    let output = folder.path().join("film.mp4");
    encoded(&film, &output, &[]);
    let cues = |path: &Path| {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-i"]).arg(path).args(["-map", "0:s:0", "-f", "srt", "-"]);
        let out = ffmpeg.output().expect("ffmpeg runs");
        assert!(out.status.success(), "{}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let (source, written) = (cues(&film), cues(&output));
    assert!(source.contains("-->"), "{source}");
    assert_eq!(written, source);
}

/// A second of HDR10 by libx265 from a synthetic picture.
pub(super) fn hdr10(folder: &Path) -> PathBuf {
    let path = folder.join("hdr10.mkv");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=24:duration=1"])
        .args(["-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "smpte2084"])
        .args(["-colorspace", "bt2020nc", "-color_range", "tv"])
        .args(["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"])
        .arg(
            "log-level=none:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400:\
             master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)",
        )
        .arg(&path)
        .output()
        .expect("ffmpeg runs");
    assert!(made.status.success(), "{}", said(&made));
    path
}

#[test]
fn hdr10_is_in_every_codec_and_container() {
    if !(tool("ffmpeg") && tool("ffprobe") && libx264() && libx265()) {
        return;
    }
    let folder = scratch();
    let film = hdr10(folder.path());
    for (codec, ends) in [("av1", &["mkv", "webm", "mp4"][..]), ("h264", &["mkv", "mp4"]), ("hevc", &["mkv", "mp4"])] {
        for end in ends {
            let output = folder.path().join(format!("{codec}.{end}"));
            let found = encoded(&film, &output, &["--codec", codec]);
            let video = stream(&found, "video");
            let keys = ["color_primaries", "color_transfer", "color_space", "color_range"];
            let colours = keys.map(|key| video[key].clone());
            assert_eq!(colours, ["bt2020", "smpte2084", "bt2020nc", "tv"], "{codec} {end}");
            let side = video["side_data_list"].to_string();
            for part in ["Mastering display metadata", "\"max_content\":1000", "\"max_average\":400"] {
                assert!(side.contains(part), "{codec} {end}: {part}: {side}");
            }
            // Also for those who get the stream without its container; FFmpeg 5.1 does not look for it in H.264.
            if codec == "h264" {
                continue;
            }
            let frame = ffprobe(&output, &["-select_streams", "v", "-show_frames", "-read_intervals", "%+#1"]);
            let side = frame["frames"][0]["side_data_list"].to_string();
            assert!(side.contains("Content light level"), "{codec} {end}: {side}");
        }
    }
}

#[test]
fn one_decode_fills_files_of_several_formats_with_what_each_can_hold() {
    let Some(film) = fixture("everything") else { return };
    if !(tool("ffprobe") && libx264()) {
        return;
    }
    let folder = scratch();
    let paths = ["film.mkv", "film.mp4", "film.webm"].map(|name| folder.path().join(name));
    let mut request = EncodeRequest::new(&film, &paths[0]);
    for (name, value) in [("quality.crf", "45"), ("video.preset", "9")] {
        request.set(name, value).expect("a setting");
    }
    let mp4 = request.add_output(&paths[1]);
    request.set_for(mp4, "video.codec", "h264").expect("a setting");
    request.add_output(&paths[2]);
    let sink: Arc<dyn Sink> = Arc::new(Silent);
    let outcome = start(request, sink).expect("a job").wait().expect("the job ends well");
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let mut kinds = Vec::new();
    for path in &paths {
        verified(&film, path);
        let found = ffprobe(path, &["-show_streams"]);
        let count = |kind: &str| {
            found["streams"].as_array().expect("streams").iter().filter(|s| s["codec_type"] == kind).count()
        };
        kinds.push(["audio", "subtitle", "attachment"].map(count));
    }
    let [mkv, mp4, webm] = &kinds[..] else { panic!("three files") };
    assert!(mkv[0] == mp4[0] && mp4[0] == webm[0] && mkv[0] > 0, "{kinds:?}");
    assert!(mkv[1] > 0 && mp4[1] > 0 && webm[1] == 0, "{kinds:?}");
    assert!(mp4[2] == 0 && webm[2] == 0, "{kinds:?}");
}

#[test]
fn what_a_container_cannot_hold_is_refused_before_anything_is_encoded() {
    let Some(film) = fixture("tenframes") else { return };
    let folder = scratch();
    for (name, more, part) in [
        ("film.webm", &["--codec", "h264"][..], "WebM cannot carry h264"),
        ("film.avi", &[], "name it .mkv, .webm, .mp4 or .ts"),
        ("film.mkv", &["--codec", "hevc", "--encoder", "libx264"], "libx264 makes h264, and hevc is asked for"),
        ("film.mkv", &["--codec", "hevc", "--svt", "x265-params=aq-mod=3"], "did you mean aq-mode"),
        ("film.mp4", &["--codec", "h264", "--dolby-vision", "require"], "Dolby Vision"),
        ("film.webm", &["--audio-codec", "flac"], "WebM cannot carry sound in flac"),
    ] {
        let output = folder.path().join(name);
        let out = drapto().args(["encode", "--crf", "40"]).args(more).args([&film, &output]).output();
        let out = out.expect("drapto runs");
        assert_eq!(out.status.code(), Some(2), "{name} {more:?}: {}", said(&out));
        assert!(said(&out).contains(part), "{name} {more:?}: {}", said(&out));
        assert!(!output.exists());
    }
}

#[test]
fn sound_of_a_real_clip_is_copied_into_mp4_and_plays_when_it_did() {
    let Some(media) = media() else { return };
    if !tool("ffprobe") {
        return;
    }
    let folder = scratch();
    let (film, output) = (media.join("film/flower.mp4"), folder.path().join("film.mp4"));
    let found = encoded(&film, &output, &["--audio", "copy", "--crop", "off"]);
    assert_eq!(stream(&found, "audio")["codec_name"], "aac");
    let packets = |path: &Path| {
        let found = ffprobe(path, &["-select_streams", "a", "-show_packets", "-show_entries", "packet=pts_time,size"]);
        found["packets"].as_array().expect("packets").clone()
    };
    let (before, after) = (packets(&film), packets(&output));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        let time = |packet: &Value| packet["pts_time"].as_str().and_then(|t| t.parse::<f64>().ok()).expect("a time");
        assert!((time(before) - time(after)).abs() < 0.001, "{before} {after}");
        assert_eq!(before["size"], after["size"]);
    }
}

#[test]
fn sound_in_aac_is_heard_when_it_was_in_matroska_and_mp4() {
    let Some(film) = fixture("showcase") else { return };
    if !tool("ffprobe") {
        return;
    }
    let folder = scratch();
    let source = heard(&film, 0);
    for end in ["mkv", "mp4"] {
        let output = folder.path().join(format!("film.{end}"));
        let found = encoded(&film, &output, &["--audio-codec", "aac"]);
        assert_eq!(stream(&found, "audio")["codec_name"], "aac");
        // The first second of it, against the source, a sample of six channels of 16 bits at a time.
        let sound = heard(&output, 0);
        // What ffmpeg leaves in at the start of Matroska, it skips by the edit list in MP4.
        let skipped = (sound.len() as i64 - source.len() as i64).max(0) as usize / 12;
        let samples =
            |bytes: &[u8]| bytes.chunks_exact(12).map(|s| i64::from(i16::from_le_bytes([s[0], s[1]]))).collect();
        let (source, sound): (Vec<i64>, Vec<i64>) = (samples(&source), samples(&sound));
        let off = |lag: usize| {
            let pairs = source[4_800..24_000].iter().zip(&sound[4_800 + lag..]);
            pairs.map(|(a, b)| (a - b).pow(2)).sum::<i64>()
        };
        let best = (0..=skipped.min(4_096)).min_by_key(|lag| off(*lag)).expect("a lag");
        let lag = if end == "mp4" { best } else { best.saturating_sub(1024) };
        assert!(lag <= 48, "{end}: {best} samples late");
    }
}

#[test]
fn what_is_turned_empty_or_shown_twice_at_one_time_comes_into_mp4() {
    let (Some(media), Some(silent)) = (media(), fixture("noaudioframes")) else { return };
    if !(tool("ffprobe") && libx264()) {
        return;
    }
    let folder = scratch();
    let output = |name: &str| folder.path().join(format!("{name}.mp4"));
    let turned = encoded(&media.join("geometry/tiny_3frames_hevc.mp4"), &output("turned"), &[]);
    let rotation = |found: &Value| stream(found, "video")["side_data_list"][0]["rotation"].clone();
    let source = ffprobe(&media.join("geometry/tiny_3frames_hevc.mp4"), &["-show_streams"]);
    assert_eq!(rotation(&turned), rotation(&source));
    let empty = encoded(&silent, &output("empty"), &[]);
    assert_eq!(empty["streams"].as_array().expect("streams").len(), 1);
    for codec in ["av1", "h264"] {
        let film = media.join("geometry/anamorphic_vfr_damaged_first.mp4");
        let found = encoded(&film, &output(codec), &["--codec", codec, "--accept-damage"]);
        assert_eq!(stream(&found, "video")["codec_name"], codec);
    }
}

/// When the first packet of a track is shown, in seconds.
fn first_time(path: &Path, stream: &str) -> f64 {
    let found = ffprobe(path, &["-select_streams", stream, "-show_packets", "-show_entries", "packet=pts_time"]);
    let times = found["packets"].as_array().expect("packets").iter();
    times.filter_map(|p| p["pts_time"].as_str()?.parse().ok()).fold(f64::MAX, f64::min)
}

#[test]
fn a_transport_stream_holds_the_pictures_and_the_sound_of_the_matroska_file_at_their_times() {
    let Some(film) = fixture("showcase") else { return };
    if !(tool("ffprobe") && libx264() && libx265()) {
        return;
    }
    let folder = scratch();
    for (video, sound) in [("h264", None), ("hevc", Some("ac3")), ("h264", Some("eac3")), ("h264", Some("mp3"))] {
        let codec = sound.unwrap_or("aac");
        let [ts, mkv] = ["ts", "mkv"].map(|end| folder.path().join(format!("{video}_{codec}.{end}")));
        let more = ["--codec", video, "--audio-codec", codec];
        let downmix = if codec == "mp3" { &["--downmix", "stereo"][..] } else { &[] };
        // Nobody has to say AAC.
        let found = encoded(&film, &ts, &[&more[..if sound.is_some() { 4 } else { 2 }], downmix].concat());
        encoded(&film, &mkv, &[&more[..], downmix].concat());
        assert_eq!(found["format"]["format_name"], "mpegts");
        let picture = stream(&found, "video");
        assert_eq!((&picture["codec_name"], &picture["nb_read_packets"]), (&video.into(), &"192".into()));
        let tracks = found["streams"].as_array().expect("streams").iter().filter(|s| s["codec_type"] == "audio");
        let tracks: Vec<_> = tracks.map(|s| (s["codec_name"].clone(), s["tags"]["language"].clone())).collect();
        assert_eq!(tracks, [(codec.into(), "eng".into()), (codec.into(), "eng".into())]);
        assert_eq!(decoded(&ts, "0:v"), decoded(&mkv, "0:v"), "{video}");
        // The times of pictures, to a tick of 90 kHz, less where each file begins.
        let times = |path: &Path| {
            let found = ffprobe(path, &["-select_streams", "v", "-show_packets", "-show_entries", "packet=pts_time"]);
            let all = found["packets"].as_array().expect("packets").iter();
            all.map(|p| p["pts_time"].as_str().and_then(|t| t.parse::<f64>().ok()).expect("a time")).collect::<Vec<_>>()
        };
        let first = first_time(&ts, "v");
        let (ours, theirs) = (times(&ts), times(&mkv));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            // Matroska's are rounded to a millisecond.
            assert!((ours - first - (theirs - first_time(&mkv, "v"))).abs() < 0.000_6, "{ours} {theirs}");
        }
    }
}

/// Two seconds of moving bars and of noise, which is like itself at one place only.
fn noisy(folder: &Path) -> PathBuf {
    let path = folder.join("noisy.mkv");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2"])
        .args(["-f", "lavfi", "-i", "anoisesrc=color=pink:seed=7:sample_rate=48000:duration=2"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"])
        .arg(&path)
        .output()
        .expect("ffmpeg runs");
    assert!(made.status.success(), "{}", said(&made));
    path
}

#[test]
fn sound_of_a_transport_stream_is_heard_to_a_millisecond_when_it_was() {
    if !(tool("ffmpeg") && tool("ffprobe") && libx264()) {
        return;
    }
    let folder = scratch();
    let film = noisy(folder.path());
    let samples = |path: &Path| -> Vec<i64> {
        heard(path, 0).chunks_exact(2).map(|s| i64::from(i16::from_le_bytes([s[0], s[1]]))).collect()
    };
    let want = samples(&film);
    for codec in ["aac", "ac3", "eac3", "mp3"] {
        let output = folder.path().join(format!("{codec}.ts"));
        encoded(&film, &output, &["--codec", "h264", "--audio-codec", codec]);
        let have = samples(&output);
        // By its time, and by where the source's samples are found in it.
        let off = |lag: &usize| {
            let pairs = want[9_600..24_000].iter().zip(&have[9_600 + lag..]);
            pairs.map(|(a, b)| (a - b).pow(2)).sum::<i64>()
        };
        let best = (0..=3_000).min_by_key(off).expect("a lag");
        let late = first_time(&output, "a:0") - first_time(&output, "v") + best as f64 / 48_000.0;
        assert!(late.abs() < 0.001, "{codec}: {:.3} ms late", late * 1e3);
    }
}

#[test]
fn a_transport_stream_can_be_entered_at_every_keyframe_and_what_it_lacks_is_named() {
    let Some(film) = fixture("everything") else { return };
    if !(tool("ffprobe") && libx264()) {
        return;
    }
    let folder = scratch();
    let output = folder.path().join("film.ts");
    let out = drapto()
        .args(["encode", "--codec", "h264", "--crf", "40", "--preset", "9"])
        .args([&film, &output])
        .output()
        .expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    verified(&film, &output);
    let words = said(&out);
    for part in [
        "MPEG-TS cannot carry",
        "MPEG-TS holds no such attachments",
        "MPEG-TS holds no chapters",
        "MPEG-TS has no place for",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let found = ffprobe(&output, &["-show_streams", "-show_programs"]);
    let kinds: Vec<_> = found["streams"].as_array().expect("streams").iter().map(|s| s["codec_type"].clone()).collect();
    assert!(kinds.iter().all(|kind| kind == "video" || kind == "audio") && kinds.len() > 1, "{kinds:?}");
    let title = ffprobe(&film, &["-show_format"])["format"]["tags"]["title"].clone();
    assert_eq!(found["programs"][0]["tags"]["service_name"], title);
    // Cut anywhere, it plays from the next keyframe on: each brings what a decoder has to know.
    let bytes = std::fs::read(&output).expect("a file");
    let half = folder.path().join("half.ts");
    std::fs::write(&half, &bytes[..bytes.len() / 376 * 188]).expect("a file");
    assert!(!decoded(&half, "0:v").is_empty());
    // A byte that is lost is seen.
    let mut torn = bytes.clone();
    torn.drain(188 * 200..188 * 201);
    let path = folder.path().join("torn.ts");
    std::fs::write(&path, torn).expect("a file");
    let out = drapto().arg("verify").args([&film, &path]).output().expect("drapto runs");
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
}

#[test]
fn what_a_transport_stream_cannot_hold_is_refused_before_anything_is_encoded() {
    let (Some(film), Some(media)) = (fixture("tenframes"), media()) else { return };
    let turned = media.join("geometry/tiny_3frames_hevc.mp4");
    let folder = scratch();
    for (film, more, part) in [
        (&film, &[][..], "MPEG-TS cannot carry av1"),
        (&film, &["--codec", "h264", "--audio-codec", "opus"], "MPEG-TS cannot carry sound in opus"),
        (&film, &["--codec", "h264", "--audio-codec", "flac"], "MPEG-TS cannot carry sound in flac"),
        (&turned, &["--codec", "h264"], "cannot say that the picture is to be turned"),
    ] {
        let output = folder.path().join("film.ts");
        let out = drapto().args(["encode", "--crf", "40"]).args(more).args([film, &output]).output();
        let out = out.expect("drapto runs");
        assert_eq!(out.status.code(), Some(2), "{more:?}: {}", said(&out));
        assert!(said(&out).contains(part), "{more:?}: {}", said(&out));
        assert!(!output.exists());
    }
}

#[test]
fn hdr10_and_shapes_are_in_a_transport_stream_s_pictures() {
    if !(tool("ffmpeg") && tool("ffprobe") && libx264() && libx265()) {
        return;
    }
    let folder = scratch();
    let film = hdr10(folder.path());
    let output = folder.path().join("hdr10.ts");
    let found = encoded(&film, &output, &["--codec", "hevc"]);
    let video = stream(&found, "video");
    let colours = ["color_primaries", "color_transfer", "color_space"].map(|key| video[key].clone());
    assert_eq!(colours, ["bt2020", "smpte2084", "bt2020nc"]);
    let frame = ffprobe(&output, &["-select_streams", "v", "-show_frames", "-read_intervals", "%+#1"]);
    let side = frame["frames"][0]["side_data_list"].to_string();
    assert!(side.contains("Content light level") && side.contains("Mastering display"), "{side}");
    let Some(anamorphic) = fixture("anamorphic") else { return };
    for codec in ["h264", "hevc"] {
        let output = folder.path().join(format!("{codec}.ts"));
        let found = encoded(&anamorphic, &output, &["--codec", codec]);
        let source = ffprobe(&anamorphic, &["-show_streams"]);
        let shape = |found: &Value| stream(found, "video")["display_aspect_ratio"].clone();
        assert_eq!(shape(&found), shape(&source), "{codec}");
    }
}
