//! Encoders that stand in for each other, with one among them that fails where it is told to.
#![deny(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use super::chain::{ChainFactory, proportional};
use super::svt::tests::support::film;
use super::*;
use crate::av::{CodecEncoder, CodecSettings, Decoder, Received};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result};
use crate::media::{Color, Frame};

/// libx264 under another name, with other headers, which fails once it was given so many frames.
#[derive(Debug)]
struct Failing {
    name: &'static str,
    /// Frames it takes; at 0 it does not open.
    takes: u64,
    opened: AtomicU64,
}

struct FailingEncoder {
    inner: Box<dyn VideoEncoder>,
    left: u64,
}

impl EncoderFactory for Failing {
    fn traits(&self) -> EncoderTraits {
        EncoderTraits { name: self.name, hardware: true, ..encoder("libx264").unwrap().traits() }
    }

    fn many_at_once(&self) -> bool {
        true
    }

    fn version(&self) -> String {
        self.name.to_owned()
    }

    fn parameters(&self, _: &EncodeSpec, _: &VideoParams) -> Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn open(&self, spec: &EncodeSpec, video: &VideoParams, cancel: &CancelToken) -> Result<Box<dyn VideoEncoder>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        if self.takes == 0 {
            return Err(Error::new(ErrorKind::Encode, "no device"));
        }
        // One reference and no CABAC: parameter sets that are not those of the other.
        let parameters = vec![("refs".to_owned(), "1".to_owned()), ("coder".to_owned(), "cavlc".to_owned())];
        let spec = EncodeSpec { encoder: "libx264".to_owned(), parameters, ..spec.clone() };
        let inner = encoder("libx264")?.open(&spec, video, cancel)?;
        Ok(Box::new(FailingEncoder { inner, left: self.takes }))
    }
}

impl VideoEncoder for FailingEncoder {
    fn send(&mut self, frame: &Frame, key: KeyRequest) -> Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| Error::new(ErrorKind::Encode, "the device is lost"))?;
        self.inner.send(frame, key)
    }

    fn receive(&mut self) -> Result<Option<Coded>> {
        self.inner.receive()
    }

    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }

    fn reorder_delay(&self) -> u32 {
        self.inner.reorder_delay()
    }

    fn codec_config(&self) -> Option<Vec<u8>> {
        self.inner.codec_config()
    }
}

fn failing(takes: u64) -> &'static Failing {
    Box::leak(Box::new(Failing { name: "failing", takes, opened: AtomicU64::new(0) }))
}

fn video() -> VideoParams {
    let rate = Rational::positive(24, 1).unwrap();
    VideoParams { bit_depth: 8, ..VideoParams::new(320, 180, rate) }
}

/// Encodes `count` frames; the pictures, and the positions of the frames that the decoder gives for them.
fn encode(chain: &ChainFactory, count: usize) -> (Vec<Coded>, Vec<u64>) {
    let spec = EncodeSpec::new("failing", Crf::whole(30).unwrap(), 6);
    let mut open = chain.open(&spec, &video(), &CancelToken::new()).unwrap();
    let mut all = Vec::new();
    for frame in film(320, 180, 8, count) {
        open.send(&frame, KeyRequest::Auto).unwrap();
        all.extend(std::iter::from_fn(|| open.receive().unwrap()));
    }
    open.finish().unwrap();
    all.extend(std::iter::from_fn(|| open.receive().unwrap()));
    let delay = u64::from(open.reorder_delay());
    let first = all.iter().map(|c| c.frame_index).min().unwrap();
    for (at, coded) in all.iter().enumerate() {
        assert_eq!(coded.decode_index, at as u64);
        assert!(coded.decode_index <= coded.frame_index - first + delay, "picture {at} comes later than was said");
    }
    let config = open.codec_config().unwrap();
    let mut decoder = Decoder::by_name("h264", &config, Rational::MILLI, 1).unwrap();
    let mut shown = Vec::new();
    let mut take = |decoder: &mut Decoder| {
        while let Received::Frame(picture) = decoder.receive_video().unwrap() {
            shown.push(picture.pts().unwrap().ticks() as u64 - first);
        }
    };
    for coded in &all {
        decoder.send_bytes(&coded.data, coded.frame_index as i64).unwrap();
        take(&mut decoder);
    }
    decoder.send_end().unwrap();
    take(&mut decoder);
    (all, shown)
}

#[test]
fn another_goes_on_where_one_fails_and_no_picture_is_lost() {
    let Ok(libx264) = encoder("libx264") else { return };
    for takes in [0, 1, 2, 30, 61, 89, 90] {
        let first = failing(takes);
        let chain = ChainFactory::new(vec![first, libx264]).unwrap();
        let (all, shown) = encode(&chain, 90);
        assert_eq!(all.len(), 90, "after {takes}");
        assert_eq!(shown, (0..90).collect::<Vec<u64>>(), "after {takes}");
        let notes = chain.notes();
        assert_eq!(notes.len(), usize::from(takes < 90), "{notes:?}");
        assert!(notes.iter().all(|note| note.contains("libx264 went on in its place")), "{notes:?}");
        assert!(chain.notes().is_empty(), "told once");
        let keyframes = all.iter().filter(|c| c.keyframe).count();
        // One that took over begins with a keyframe behind what was given out.
        assert!(keyframes >= 1, "after {takes}");
        // What failed is not tried again.
        let opened = first.opened.load(Ordering::Relaxed);
        encode(&chain, 8);
        assert_eq!(first.opened.load(Ordering::Relaxed), opened + u64::from(takes == 90), "after {takes}");
    }
}

#[test]
fn all_that_fail_are_an_error_of_the_last() {
    let Ok(_) = encoder("libx264") else { return };
    let chain = ChainFactory::new(vec![failing(0), failing(3)]).unwrap();
    let spec = EncodeSpec::new("failing", Crf::whole(30).unwrap(), 6);
    let mut open = chain.open(&spec, &video(), &CancelToken::new()).unwrap();
    let error = film(320, 180, 8, 9).find_map(|frame| open.send(&frame, KeyRequest::Auto).err()).unwrap();
    assert!(error.to_string().contains("the device is lost"), "{error}");
}

#[test]
fn one_is_chosen_that_encodes_a_frame_and_software_stands_behind_hardware() {
    let Ok(libx264) = encoder("libx264") else { return };
    static BROKEN: Failing = Failing { name: "broken", takes: 0, opened: AtomicU64::new(0) };
    static WORKING: Failing = Failing { name: "working", takes: 7, opened: AtomicU64::new(0) };
    inject(&BROKEN);
    inject(&WORKING);
    let asked = |text: &str| meant(text, "h264").unwrap();
    let spec = EncodeSpec::new("libx264", Crf::whole(30).unwrap(), 4);
    let (name, preset, passed_over) = choose(&asked("broken,working,h264_nvenc,software"), &spec, &video()).unwrap();
    assert_eq!((name.as_str(), preset), ("working>libx264", 4));
    assert!(passed_over.len() == 1 && passed_over[0].starts_with("broken: "), "{passed_over:?}");
    assert_eq!(encoder(&name).unwrap().traits().name, "working");
    // No hardware is here, as far as these know; where there is, it is taken.
    let (name, ..) = choose(&asked("auto"), &spec, &video()).unwrap();
    assert!(name.ends_with(libx264.traits().name), "{name}");
    let error = choose(&asked("broken"), &spec, &video()).unwrap_err().to_string();
    assert!(error.contains("broken: no device"), "{error}");
    let unknown = encoder("libx246").err().unwrap().to_string();
    assert!(unknown.contains("did you mean libx264?"), "{unknown}");
    assert_eq!(meant("nvenc,libx265", "hevc").unwrap(), ["hevc_nvenc", "libx265"]);
    assert_eq!(meant("auto", "av1").unwrap(), ["av1_nvenc", "av1_qsv", "av1_vaapi", "svt-av1"]);
    assert!(meant("videotoolbox", "av1").is_err());
}

#[test]
fn presets_keep_their_place_on_another_scale() {
    assert_eq!([0, 4, 6, 9].map(|preset| proportional(preset, 9, 13)), [0, 6, 9, 13]);
    assert_eq!([0, 4, 9].map(|preset| proportional(preset, 9, 6)), [0, 3, 6]);
    assert_eq!((proportional(5, 9, 9), proportional(3, 9, 0)), (5, 0));
}

#[test]
fn hardware_is_given_its_chroma_interleaved() {
    for depth in [8u8, 10] {
        let frame = film(64, 48, depth, 1).next().unwrap();
        let settings = CodecSettings {
            name: "rawvideo",
            size: (64, 48),
            format: frame.format,
            frame_rate: Rational::positive(24, 1).unwrap(),
            sample_aspect_ratio: None,
            color: Color::default(),
            keyframe_interval: 10,
            upload: None,
            semi_planar: true,
            threads: 1,
            options: &[],
        };
        let mut raw = CodecEncoder::open(&settings).unwrap();
        assert!(raw.send(&frame, 0, false).unwrap());
        let packet = raw.receive().unwrap().unwrap();
        let bytes = usize::from(depth > 8) + 1;
        let sample = |plane: usize, x: usize, y: usize| {
            let at = y * frame.planes.stride(plane) + x * bytes;
            let sample = &frame.planes.plane(plane)[at..at + bytes];
            if depth == 8 { u16::from(sample[0]) } else { u16::from_ne_bytes([sample[0], sample[1]]) << 6 }
        };
        let luma = (0..48).flat_map(|y| (0..64).map(move |x| (0, x, y)));
        let chroma = (0..24).flat_map(|y| (0..32).flat_map(move |x| [(1, x, y), (2, x, y)]));
        let expected: Vec<u16> = luma.chain(chroma).map(|(plane, x, y)| sample(plane, x, y)).collect();
        let found: Vec<u16> = match depth {
            8 => packet.data().iter().map(|b| u16::from(*b)).collect(),
            _ => packet.data().chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect(),
        };
        assert!(found == expected, "{depth} bits");
    }
}
