//! Jobs by the front door: one decode into two files, and an encoder that is not the default.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drapto::{
    CancelToken, EncodeRequest, Health, Outcome, Report, RunState, Silent, Sink, VmafOptions, start, verify, vmaf,
};

use super::support;

/// Runs `request` and looks at the job's health meanwhile.
fn run(request: EncodeRequest) -> (Report, Vec<Health>) {
    let sink: Arc<dyn Sink> = Arc::new(Silent);
    let job = start(request, sink).expect("a job");
    let mut seen = Vec::new();
    while !job.is_finished() {
        seen.push(job.health());
        std::thread::sleep(Duration::from_millis(20));
    }
    match job.wait().expect("the job ends well") {
        Outcome::Done(report) => (*report, seen),
        other => panic!("{other:?}"),
    }
}

/// Asserts that others read the file: its codec, size and number of frames.
fn assert_read_by_others(path: &Path, codec: &str, (width, height): (u32, u32), frames: u64) {
    if support::tool("ffprobe") {
        let entries = "stream=codec_name,width,height,nb_read_frames";
        let found = support::ffprobe(path, &["-select_streams", "v", "-count_frames", "-show_entries", entries]);
        let video = &found["streams"][0];
        assert_eq!(video["codec_name"], codec);
        assert_eq!(video["width"], width);
        assert_eq!(video["height"], height);
        assert_eq!(video["nb_read_frames"], frames.to_string());
    }
    if support::tool("mkvmerge") {
        let found = support::mkvmerge(path);
        assert_eq!(found["container"]["recognized"], true);
        assert_eq!(found["tracks"][0]["type"], "video");
    }
}

/// Of the file against the film, by what `drapto vmaf` calls.
fn score(film: &Path, file: &Path) -> f64 {
    vmaf(film, file, &VmafOptions::default(), &Silent, &CancelToken::new()).expect("a score").mean
}

#[test]
fn one_decode_is_encoded_in_two_sizes_and_both_are_scored_and_verified() {
    let Some(media) = support::media() else { return };
    let film = media.join("film/flower.mp4");
    let folder = support::scratch();
    let (large, small) = (folder.path().join("large.mkv"), folder.path().join("small.mkv"));
    let mut request = EncodeRequest::new(&film, &large);
    for (name, value) in
        [("quality.crf", "40"), ("quality.measure", "true"), ("video.preset", "13"), ("picture.crop", "off")]
    {
        request.set(name, value).unwrap();
    }
    let second = request.add_output(&small);
    request.set_for(second, "picture.scale", "270").unwrap();
    let (report, seen) = run(request);

    assert_eq!(report.others.len(), 1);
    let other = &report.others[0];
    assert!(report.verification.pass && other.verification.pass);
    assert_eq!((report.video.width, report.video.height), (960, 540));
    assert_eq!((other.video.width, other.video.height), (480, 270));
    assert_read_by_others(&large, "av1", (960, 540), 150);
    assert_read_by_others(&small, "av1", (480, 270), 150);
    for (file, report) in [(&large, &report), (&small, other)] {
        assert_eq!(report.output.bytes, std::fs::metadata(file).unwrap().len());
        assert!(verify(&film, file, &CancelToken::new()).unwrap().pass, "{}", file.display());
    }
    assert!(other.output.bytes < report.output.bytes);

    let (measured, found) = (report.quality.mean.unwrap(), score(&film, &large));
    let small_mean = other.quality.mean.unwrap();
    eprintln!("960x540: VMAF {measured:.3} while it ran, {found:.3} of the file; 480x270: {small_mean:.3}");
    assert!((measured - found).abs() < 0.3, "{measured} while it ran, {found} of the file");
    // Each size is scored against the source in that size.
    assert!((40.0..=100.0).contains(&small_mean), "{small_mean}");

    let decodes: Vec<_> = report.stages.iter().filter(|s| s.name.starts_with("decode")).collect();
    assert_eq!(decodes.len(), 1, "{:?}", report.stages);
    assert_eq!((decodes[0].name.as_str(), decodes[0].items), ("decode", 150));
    let encodes = report.stages.iter().filter(|s| s.name.starts_with("encode")).count();
    assert_eq!(encodes, 2, "{:?}", report.stages);

    let running: Vec<_> = seen.iter().filter(|h| h.state == RunState::Running && !h.stages.is_empty()).collect();
    let whole = running.last().expect("it was seen running");
    eprintln!("{whole}");
    assert!(whole.stages.iter().any(|s| s.name == "decode" && s.items > 0), "{whole}");
    // A queue is shown while there is one.
    assert!(running.iter().any(|h| h.stages.iter().any(|s| s.queue_capacity > 0)), "{whole}");
    let text = serde_json::to_value(whole).unwrap();
    for field in ["items", "mean_s", "queue_depth", "blocked_in_s", "blocked_out_s", "stalled", "back_pressured"] {
        assert!(text["stages"][0].get(field).is_some(), "{field}");
    }
    // A decoder is faster than two encoders.
    let waits = |h: &&Health| h.stages.iter().any(|s| s.back_pressured);
    assert!(running.iter().any(waits), "nothing was ever back-pressured: {whole}");
}

#[test]
fn a_film_is_encoded_by_libx264_and_verified_like_any_other() {
    let Some(media) = support::media() else { return };
    if !support::libx264() {
        return;
    }
    let film = media.join("film/bbb_720p_aac5.1.mp4");
    let folder = support::scratch();
    let file = folder.path().join("film.mkv");
    let mut request = EncodeRequest::new(&film, &file);
    for (name, value) in [
        ("video.encoder", "libx264"),
        ("quality.crf", "26"),
        ("video.preset", "8"),
        ("quality.measure", "true"),
        ("picture.bit_depth", "8"),
        ("picture.crop", "off"),
    ] {
        request.set(name, value).unwrap();
    }
    let (report, _) = run(request);
    assert!(report.verification.pass);
    assert_eq!(report.video.codec, "h264");
    let video = report.streams.iter().find(|s| s.decision.output_codec.as_deref() == Some("h264"));
    assert!(video.is_some(), "{:?}", report.streams);
    assert_read_by_others(&file, "h264", (1280, 720), report.output.frames);
    assert!(verify(&film, &file, &CancelToken::new()).unwrap().pass);
    let (measured, found) = (report.quality.mean.unwrap(), score(&film, &file));
    eprintln!("libx264: {} bytes, VMAF {measured:.3} while it ran, {found:.3} of the file", report.output.bytes);
    assert!((measured - found).abs() < 0.3, "{measured} while it ran, {found} of the file");
}

#[test]
fn a_target_is_met_with_encoders_that_reorder_pictures_and_workers_change_no_byte() {
    let Some(media) = support::media() else { return };
    if !support::libx264() {
        return;
    }
    let film = media.join("film/flower.mp4");
    let folder = support::scratch();
    let encode = |codec: &str, name: &str, workers: &str| {
        let file = folder.path().join(name);
        let mut request = EncodeRequest::new(&film, &file);
        for (setting, value) in [
            ("video.codec", codec),
            ("quality.target_vmaf", "90"),
            ("quality.chunk_size", "1"),
            ("video.preset", "7"),
            ("run.workers", workers),
            ("picture.crop", "off"),
        ] {
            request.set(setting, value).unwrap();
        }
        let (report, _) = run(request);
        assert!(report.verification.pass, "{codec}");
        (file, report)
    };
    let (two, report) = encode("h264", "two.mkv", "2");
    let (one, _) = encode("h264", "one.mkv", "1");
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    for (codec, file, report) in [("h264", two, report), {
        let (file, report) = encode("hevc", "hevc.mp4", "2");
        ("hevc", file, report)
    }] {
        assert!(report.chunks.len() > 2, "{codec}: {} chunks", report.chunks.len());
        let off: Vec<f64> =
            report.chunks.iter().map(|c| c.vmaf.unwrap_or(0.0) - 90.0).filter(|off| off.abs() > 0.5).collect();
        assert!(off.len() * 3 <= report.chunks.len(), "{codec}: {off:?} off");
        assert_read_by_others(&file, codec, (960, 540), 150);
        assert!(verify(&film, &file, &CancelToken::new()).unwrap().pass);
        let found = score(&film, &file);
        eprintln!("{codec}: {} chunks, {} bytes, VMAF {found:.3}", report.chunks.len(), report.output.bytes);
        assert!((found - 90.0).abs() < 1.0, "{codec}: VMAF {found}");
        // Pictures do go out of order, and their packets' decoding times rise.
        let packets = support::ffprobe(&file, &["-select_streams", "v", "-show_entries", "packet=pts,dts"]);
        let packets = packets["packets"].as_array().expect("packets");
        let times = |of: &str| packets.iter().filter_map(|p| p[of].as_i64()).collect::<Vec<_>>();
        let (pts, dts) = (times("pts"), times("dts"));
        assert_eq!(pts.len(), 150, "{codec}");
        assert!(pts.windows(2).any(|w| w[1] < w[0]), "{codec}: nothing is reordered");
        assert!(dts.len() > 140 && dts.windows(2).all(|w| w[0] < w[1]), "{codec}: decoding times do not rise");
    }
}
