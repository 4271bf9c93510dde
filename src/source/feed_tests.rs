//! A decoder in software that pretends to be hardware and fails on purpose: whatever comes of a file must not change.
#![deny(unsafe_code)]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::feed::{Coder, DecodeFeed, Opener};
use super::{DecodeStats, HardwareUse, Pictures, VideoDecoder, VideoOptions, video_options};
use crate::av::{CodecParameters, Decoder, DecoderOptions, Hardware, Input, InputPacket, Received, VideoFrame};
use crate::base::{CancelToken, Error, ErrorKind, Result, Timestamp};
use crate::media::{Frame, Hwaccel, StreamKind};

/// When the pretended hardware fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fails {
    Never,
    Opening,
    /// Instead of giving out the picture of that number.
    Picture(u64),
    /// When it is sent the packet of that number.
    Packet(u64),
    /// After the last packet.
    Finishing,
}

/// What hardware is pretended: when it fails, and how many pictures it holds back beyond the decoder inside.
#[derive(Clone, Copy, Debug)]
struct Plan {
    fails: Fails,
    delay: usize,
}

struct Pretended {
    inner: Decoder,
    plan: Plan,
    packets: u64,
    pictures: u64,
    held: std::collections::VecDeque<VideoFrame>,
    ending: bool,
}

fn failure() -> Error {
    Error::new(ErrorKind::Encode, "failed on purpose")
}

impl Coder for Pretended {
    fn name(&self) -> &str {
        "pretended"
    }

    fn send(&mut self, packet: &InputPacket) -> Result<()> {
        self.packets += 1;
        if self.plan.fails == Fails::Packet(self.packets - 1) { Err(failure()) } else { self.inner.send(packet) }
    }

    fn send_end(&mut self) -> Result<()> {
        self.ending = true;
        if self.plan.fails == Fails::Finishing { Err(failure()) } else { self.inner.send_end() }
    }

    fn receive(&mut self) -> Result<Received<VideoFrame>> {
        let end = loop {
            match self.inner.receive_video()? {
                Received::Frame(picture) => self.held.push_back(picture),
                end => break end,
            }
        };
        if self.held.len() <= self.plan.delay && !self.ending || self.held.is_empty() {
            return Ok(end);
        }
        self.pictures += 1;
        if self.plan.fails == Fails::Picture(self.pictures - 1) {
            return Err(failure());
        }
        Ok(self.held.pop_front().map_or(end, Received::Frame))
    }

    fn reorder_delay(&self) -> u32 {
        self.inner.reorder_delay()
    }
}

struct Pretender {
    parameters: Arc<CodecParameters>,
    plans: Vec<Plan>,
    software: DecoderOptions,
    window_bytes: usize,
}

impl Opener for Pretender {
    fn software(&self, reorder: u32) -> Result<Box<dyn Coder>> {
        Ok(Box::new(self.parameters.decoder(self.software, reorder)?))
    }

    fn window_bytes(&self) -> usize {
        self.window_bytes
    }

    fn hardware(&self) -> Vec<&'static str> {
        ["first", "second", "third"][..self.plans.len()].to_vec()
    }

    fn open_hardware(&self, place: usize) -> Result<Box<dyn Coder>> {
        let plan = self.plans[place];
        if plan.fails == Fails::Opening {
            return Err(failure());
        }
        let options = DecoderOptions { threads: 1, ..DecoderOptions::default() };
        let inner = self.parameters.decoder(options, 0)?;
        Ok(Box::new(Pretended { inner, plan, packets: 0, pictures: 0, held: Default::default(), ending: false }))
    }
}

/// All that makes a picture what it is.
#[derive(Debug, PartialEq)]
struct Seen {
    index: u64,
    pts: Timestamp,
    samples: u64,
    rest: String,
}

fn seen(frame: &Frame) -> Seen {
    let mut hasher = DefaultHasher::new();
    let bytes = frame.format.bytes_per_sample().unwrap_or(0);
    for plane in 0..3 {
        let (width, _) = frame.plane_size(plane);
        if !frame.planes.plane(plane).is_empty() {
            for row in frame.planes.plane(plane).chunks(frame.planes.stride(plane)) {
                row[..width * bytes].hash(&mut hasher);
            }
        }
    }
    let rest = format!("{:?}", (frame.duration, frame.width, frame.height, frame.format, frame.color, frame.hdr));
    Seen { index: frame.index, pts: frame.pts, samples: hasher.finish(), rest }
}

/// The film of a test, or a word about why it is left out.
fn clip(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media").join(name);
    if !path.is_file() {
        crate::base::missing(format_args!("there is no {}", path.display()));
        return None;
    }
    Some(path)
}

/// Some packets of a film, and all it takes to decode them.
struct Film {
    input: Input,
    stream: usize,
    packets: Vec<InputPacket>,
    software: DecoderOptions,
    window_bytes: usize,
}

impl Film {
    fn open(path: &Path, range: Range<usize>) -> Option<Self> {
        let mut input = Input::open(path, &CancelToken::new()).ok()?;
        let stream = input.info().streams.iter().find(|s| s.kind == StreamKind::Video)?.index;
        let mut packets = Vec::new();
        while packets.len() < range.end
            && let Ok(Some(packet)) = input.read_packet()
        {
            if packet.stream() == stream {
                packets.push(packet);
            }
        }
        packets.drain(..range.start);
        Some(Film { input, stream, packets, software: DecoderOptions::default(), window_bytes: usize::MAX })
    }

    fn decode(&self, feed: impl FnOnce() -> Result<DecodeFeed>) -> (Vec<Seen>, DecodeStats) {
        let mut decoder = VideoDecoder::with(&self.input.info().streams[self.stream], feed).unwrap();
        let mut all = Vec::new();
        for packet in &self.packets {
            decoder.send(packet).unwrap();
            all.extend(std::iter::from_fn(|| decoder.receive()).map(|f| seen(&f)));
        }
        decoder.finish().unwrap();
        all.extend(std::iter::from_fn(|| decoder.receive()).map(|f| seen(&f)));
        (all, decoder.stats())
    }

    fn in_software(&self) -> (Vec<Seen>, DecodeStats) {
        self.decode(|| DecodeFeed::open(&self.input, self.stream, self.software.into()))
    }

    fn pretending(&self, plans: &[Plan]) -> (Vec<Seen>, DecodeStats) {
        let parameters = Arc::new(CodecParameters::of(&self.input, self.stream).unwrap());
        let (software, window_bytes) = (self.software, self.window_bytes);
        let opener = Pretender { parameters, plans: plans.to_vec(), software, window_bytes };
        self.decode(|| DecodeFeed::with(Box::new(opener)))
    }

    /// Asserts that `plans` change nothing of `expected`; gives the warning.
    #[track_caller]
    fn same(&self, expected: &(Vec<Seen>, DecodeStats), plans: &[Plan]) -> Option<String> {
        let (pictures, stats) = self.pretending(plans);
        let unlike = pictures.iter().zip(&expected.0).find(|(a, b)| a != b);
        assert!(unlike.is_none(), "{plans:?}: {unlike:#?}");
        assert_eq!(pictures.len(), expected.0.len(), "{plans:?}");
        assert_eq!(DecodeStats { hardware_fallback: None, ..stats.clone() }, expected.1, "{plans:?}");
        stats.hardware_fallback
    }
}

/// Lets hardware fail in every way at `places` of a film.
fn fails_everywhere(name: &str, range: Range<usize>, places: &[u64]) {
    let Some(path) = clip(name) else { return };
    let mut film = Film::open(&path, range).unwrap();
    // What libavcodec makes up for lost blocks differs from run to run when frames are decoded in parallel.
    film.software.threads = u32::from(name.starts_with("hostile/"));
    let expected = film.in_software();
    assert!(expected.0.len() > 5 && expected.1.hardware_fallback.is_none());
    let plan = |fails, delay| [Plan { fails, delay }];
    let clean = expected.1.damaged_packets + expected.1.damaged_frames == 0;
    for fails in [Fails::Opening, Fails::Finishing] {
        let warning = film.same(&expected, &plan(fails, 0)).unwrap();
        assert!(!clean || warning.contains("first: failed on purpose"), "{warning}");
    }
    assert_eq!(film.same(&expected, &plan(Fails::Never, 0)).is_none(), clean);
    for &n in places {
        for (fails, delay) in [(Fails::Picture(n), 0), (Fails::Packet(n), 0), (Fails::Picture(n), 5)] {
            assert!(film.same(&expected, &plan(fails, delay)).is_some(), "it did fail");
        }
    }
}

#[test]
fn h264_with_b_frames_goes_on_bit_for_bit_wherever_hardware_fails() {
    fails_everywhere("film/sintel_trailer-720p.mp4", 0..130, &[0, 1, 101]);
    // Keyframes are the packets 0, 37, 74 and 188 of these.
    fails_everywhere("film/sintel_trailer-720p.mp4", 584..790, &[76, 113, 190]);
}

#[test]
fn hevc_without_timestamps_goes_on_bit_for_bit_wherever_hardware_fails() {
    fails_everywhere("hdr/tos_hdr10plus_s07.h265", 0..300, &[0, 1, 4, 8]);
    fails_everywhere("hdr/hdr10plus_259f.hevc", 0..300, &[0, 1, 130, 251]);
    fails_everywhere("film/realcam_720p_cabac.264", 0..60, &[9, 40]);
}

#[test]
fn vp9_goes_on_bit_for_bit_wherever_hardware_fails() {
    fails_everywhere("film/tears-of-steel-battle-clip-medium.webm", 0..230, &[0, 1, 210]);
}

#[test]
fn interlaced_mpeg2_with_open_groups_goes_on_bit_for_bit_wherever_hardware_fails() {
    fails_everywhere("geometry/telecine_soft_480.mkv", 0..200, &[0, 1, 17, 18, 120]);
}

#[test]
fn damage_is_found_and_counted_as_software_alone_does() {
    fails_everywhere("hostile/bbb_damaged_middle.mkv", 0..usize::MAX, &[0, 1, 90]);
}

#[test]
fn hardware_that_fails_before_its_first_picture_makes_way_for_the_next() {
    let Some(path) = clip("film/sintel_trailer-720p.mp4") else { return };
    let film = Film::open(&path, 0..60).unwrap();
    let expected = film.in_software();
    let plan = |fails| Plan { fails, delay: 0 };
    let tries = [plan(Fails::Opening), plan(Fails::Picture(0)), plan(Fails::Never)];
    assert_eq!(film.same(&expected, &tries), None, "the third decodes it all");
    let warning = film.same(&expected, &[plan(Fails::Picture(0)), plan(Fails::Packet(9)), plan(Fails::Never)]).unwrap();
    assert!(warning.contains("first: failed") && warning.contains("second: failed"), "{warning}");
    assert!(!warning.contains("third"), "what has begun is not handed from device to device: {warning}");
    let warning =
        film.same(&expected, &[plan(Fails::Packet(2)), plan(Fails::Opening), plan(Fails::Packet(0))]).unwrap();
    assert!(warning.contains("third: failed"), "{warning}");
}

#[test]
fn a_film_of_keyframes_only_loses_nothing_that_hardware_held_back() {
    let Some(path) = clip("film/sintel_trailer-720p.mp4") else { return };
    // The packets between keyframes left out: few pictures, all of them keyframes.
    let mut film = Film::open(&path, 0..usize::MAX).unwrap();
    film.packets.retain(InputPacket::is_key);
    let expected = film.in_software();
    assert!(expected.0.len() > 5);
    for n in 0..expected.0.len() as u64 {
        for (fails, delay) in [(Fails::Picture(n), 4), (Fails::Packet(n), 4), (Fails::Packet(n), 0)] {
            film.same(&expected, &[Plan { fails, delay }]);
        }
    }
}

#[test]
fn hardware_is_left_while_there_is_still_a_way_back() {
    let Some(path) = clip("film/sintel_trailer-720p.mp4") else { return };
    let mut film = Film::open(&path, 584..800).unwrap();
    let expected = film.in_software();
    // At the first packet, amid the first pictures, and where something was dropped already.
    for bytes in [0, 20_000, 1_000_000] {
        film.window_bytes = bytes;
        let warning = film.same(&expected, &[Plan { fails: Fails::Never, delay: 3 }]).unwrap();
        assert!(warning.contains("keyframes are too far apart"), "{warning}");
    }
}

#[test]
fn all_hardware_worth_trying_gives_the_pictures_of_software_or_makes_way() {
    let Some(path) = clip("hdr/tos_hdr10plus_s07.h265") else { return };
    let film = Film::open(&path, 0..60).unwrap();
    let expected = film.in_software();
    let named = Hardware::ALL.map(HardwareUse::Named);
    for hwaccel in named.into_iter().chain([HardwareUse::Auto]) {
        let options = VideoOptions { hwaccel, ..VideoOptions::default() };
        let (pictures, stats) = film.decode(|| DecodeFeed::open(&film.input, film.stream, options));
        assert_eq!(pictures, expected.0, "{hwaccel:?}");
        assert_eq!(DecodeStats { hardware_fallback: None, ..stats.clone() }, expected.1, "{hwaccel:?}");
    }
}

#[test]
fn a_seek_does_not_try_hardware_again_that_failed_and_keeps_the_warning() {
    let Some(path) = clip("film/sintel_trailer-720p.mp4") else { return };
    // No machine has both.
    let absent = if cfg!(target_os = "macos") { Hardware::D3d11va } else { Hardware::VideoToolbox };
    let options = VideoOptions { hwaccel: HardwareUse::Named(absent), ..VideoOptions::default() };
    let stream = |info: &crate::media::MediaInfo| info.streams.iter().position(|s| s.kind == StreamKind::Video);
    let mut pictures = Pictures::open(&path, stream, options, &CancelToken::new()).unwrap();
    let warning = pictures.stats().hardware_fallback.expect("there is no such hardware here");
    assert!(warning.contains(absent.name()), "{warning}");
    let first = pictures.next().unwrap().unwrap();
    pictures.seek(first.pts).unwrap();
    assert_eq!(seen(&pictures.next().unwrap().unwrap()), seen(&first));
    assert_eq!(pictures.stats().hardware_fallback, Some(warning));
}

#[test]
fn names_are_ffmpegs() {
    let named = |name: &str| video_options(&Hwaccel::from_str(name).unwrap()).map(|options| options.hwaccel);
    for hardware in Hardware::ALL {
        assert_eq!(named(hardware.name()).unwrap(), HardwareUse::Named(hardware));
    }
    assert_eq!((named("off").unwrap(), named("auto").unwrap()), (HardwareUse::Off, HardwareUse::Auto));
    assert_eq!(named("quantum").unwrap_err().kind(), ErrorKind::Usage);
    assert!(Hardware::candidates().iter().all(|h| Hardware::ALL.contains(h)));
}
