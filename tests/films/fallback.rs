//! An encoder in hardware that is not there, and one that fails on the way: software goes on, and the films are whole.
//!
//! No hardware is needed: the one that fails is libx264 under another name and with other headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drapto::internals::media::Frame;
use drapto::internals::video::{
    Coded, EncodeSpec, EncoderFactory, EncoderTraits, KeyRequest, VideoEncoder, VideoParams, encoder, inject,
};
use drapto::{CancelToken, EncodeRequest, Error, ErrorKind, Outcome, Report, Silent, VmafOptions, start, verify};

use super::support;

/// Takes so many frames in all, in any number of encodes.
#[derive(Debug)]
struct Failing {
    name: &'static str,
    left: Arc<AtomicU64>,
}

struct FailingEncoder {
    inner: Box<dyn VideoEncoder>,
    left: Arc<AtomicU64>,
}

impl EncoderFactory for Failing {
    fn traits(&self) -> EncoderTraits {
        EncoderTraits { name: self.name, hardware: true, ..encoder("libx264").expect("libx264").traits() }
    }

    fn many_at_once(&self) -> bool {
        true
    }

    fn version(&self) -> String {
        self.name.to_owned()
    }

    fn parameters(&self, _: &EncodeSpec, _: &VideoParams) -> drapto::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn open(
        &self,
        spec: &EncodeSpec,
        video: &VideoParams,
        cancel: &CancelToken,
    ) -> drapto::Result<Box<dyn VideoEncoder>> {
        let parameters = vec![("refs".to_owned(), "1".to_owned()), ("coder".to_owned(), "cavlc".to_owned())];
        let spec = EncodeSpec { encoder: "libx264".to_owned(), parameters, ..spec.clone() };
        let inner = encoder("libx264")?.open(&spec, video, cancel)?;
        Ok(Box::new(FailingEncoder { inner, left: Arc::clone(&self.left) }))
    }
}

impl VideoEncoder for FailingEncoder {
    fn send(&mut self, frame: &Frame, key: KeyRequest) -> drapto::Result<()> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.map_err(|_| Error::new(ErrorKind::Encode, "the device is lost"))?;
        self.inner.send(frame, key)
    }

    fn receive(&mut self) -> drapto::Result<Option<Coded>> {
        self.inner.receive()
    }

    fn finish(&mut self) -> drapto::Result<()> {
        self.inner.finish()
    }

    fn reorder_delay(&self) -> u32 {
        self.inner.reorder_delay()
    }

    fn codec_config(&self) -> Option<Vec<u8>> {
        self.inner.codec_config()
    }
}

/// Injects one that takes `frames` after the one it is tried with.
fn failing(name: &'static str, frames: u64) {
    inject(Box::leak(Box::new(Failing { name, left: Arc::new(AtomicU64::new(frames + 1)) })));
}

fn encode(film: &std::path::Path, file: &std::path::Path, settings: &[(&str, &str)]) -> Report {
    let mut request = EncodeRequest::new(film, file);
    for (name, value) in settings {
        request.set(name, value).expect("a setting");
    }
    match start(request, Arc::new(Silent)).and_then(|job| job.wait()).expect("it is encoded") {
        Outcome::Done(report) => *report,
        other => panic!("{other:?}"),
    }
}

/// Frames that ffmpeg decodes, without a complaint.
fn decoded(file: &std::path::Path) -> usize {
    let path = file.to_str().expect("a name");
    let args = ["-v", "error", "-i", path, "-map", "0:v", "-f", "framehash", "-"];
    let out = std::process::Command::new("ffmpeg").args(args).output().expect("ffmpeg runs");
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().filter(|line| !line.starts_with('#')).count()
}

#[test]
fn software_goes_on_where_hardware_fails_on_the_way() {
    let Some(media) = support::media() else { return };
    if !(support::libx264() && support::tool("ffmpeg")) {
        return;
    }
    let film = media.join("film/flower.mp4");
    let folder = support::scratch();
    for (name, settings) in [
        ("crf.mp4", &[("quality.crf", "28"), ("quality.measure", "true")][..]),
        ("target.mkv", &[("quality.target_vmaf", "88"), ("quality.chunk_size", "1")]),
    ] {
        // Enough for the first chunks, not for all.
        let lost: &'static str = Box::leak(format!("lost_{}", name.replace('.', "_")).into_boxed_str());
        failing(lost, 64);
        let file = folder.path().join(name);
        let list = format!("nvenc,{lost},software");
        let mut all =
            vec![("video.codec", "h264"), ("video.encoder", &list), ("video.preset", "8"), ("picture.crop", "off")];
        all.extend(settings);
        let report = encode(&film, &file, &all);
        assert!(report.verification.pass, "{name}");
        let told: Vec<_> = report.warnings.iter().filter(|w| w.contains("the device is lost")).collect();
        assert!(told.len() == 1 && told[0].contains("libx264 went on in its place"), "{name}: {:?}", report.warnings);
        assert_eq!(decoded(&file), 150, "{name}");
        assert!(verify(&film, &file, &CancelToken::new()).expect("it is read").pass, "{name}");
        let scores = drapto::vmaf(&film, &file, &VmafOptions::default(), &Silent, &CancelToken::new());
        let found = scores.expect("a score").mean;
        eprintln!("{name}: VMAF {found:.3}, {:?}", report.quality.mean);
        match report.quality.mean {
            Some(measured) => assert!((measured - found).abs() < 0.5, "{name}: {measured} while it ran, {found}"),
            None => assert!((found - 88.0).abs() < 2.0, "{name}: {found}"),
        }
    }
}

#[test]
fn a_list_takes_what_works_and_says_why_nothing_does() {
    let Some(media) = support::media() else { return };
    if !support::libx264() {
        return;
    }
    let film = media.join("film/flower.mp4");
    let folder = support::scratch();
    let run = |name: &str, list: &str| {
        let mut command = support::drapto();
        command.arg("encode").arg(&film).arg(folder.path().join(name));
        command.args(["--crf", "40", "--preset", "9", "--crop", "off", "--encoder", list]).output().expect("it runs")
    };
    // Named by its own name, hardware that is not there ends the run, and says so.
    let refused = run("none.mkv", "h264_nvenc,h264_qsv");
    let text = support::said(&refused);
    assert_eq!(refused.status.code(), Some(3), "{text}");
    assert!(text.contains("h264_nvenc") && text.contains("h264_qsv"), "{text}");
    let misspelt = run("misspelt.mkv", "libx246");
    let text = support::said(&misspelt);
    assert!(misspelt.status.code() == Some(2) && text.contains("did you mean libx264?"), "{text}");
    let mixed = run("mixed.mkv", "libx264,libx265");
    assert_eq!(mixed.status.code(), Some(0), "the first works, the other is not asked: {}", support::said(&mixed));
}
