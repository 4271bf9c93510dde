//! Encoders that stand in for each other: one after the other, until one works; and where one fails on the way, the next goes
//! on from the last picture behind which nothing is missing.
//!
//! ```text
//! frames ─┬─► encoder in charge ─► pictures ─► held until no frame before them is missing ─► given out
//!         └─► held until then, for the encoder that may have to take over
//! ```
//!
//! The one that takes over begins with a keyframe. Where its configuration is another one, its parameter sets stand in the
//! stream, before that keyframe (ISO/IEC 14496-15 §5.3 knows this as `avc3` and `hev1`; decoders take it in all forms).
#![deny(unsafe_code)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{Dynamic, Frame, FramePool, HdrStatic, PacketData, PixelFormat};
use crate::syntax::nal;

use super::facts::EncoderTraits;
use super::spec::{EncodeSpec, VideoParams};
use super::traits::{Coded, EncoderFactory, KeyRequest, VideoEncoder};

/// Encoders of one codec, the first of which that still works is in charge.
#[derive(Debug)]
pub(super) struct ChainFactory(Arc<Chain>);

/// What a chain's factory and its open encoders share.
#[derive(Debug)]
struct Chain {
    members: Vec<&'static dyn EncoderFactory>,
    /// Which of them failed in this process.
    broken: Vec<AtomicBool>,
    /// What happened, until somebody asks.
    notes: Mutex<Vec<String>>,
}

impl ChainFactory {
    /// Of at least one member, all of one codec.
    ///
    /// # Errors
    /// `Usage` for none, and for members of different codecs.
    pub(super) fn new(members: Vec<&'static dyn EncoderFactory>) -> Result<Self> {
        let first = members.first().ok_or_else(|| Error::new(ErrorKind::Usage, "a list of encoders without one"))?;
        let (name, codec) = (first.traits().name, first.traits().codec);
        if let Some(other) = members.iter().map(|m| m.traits()).find(|other| other.codec != codec) {
            let message = format!("{name} makes {codec}, and {} makes {}", other.name, other.codec);
            return Err(Error::new(ErrorKind::Usage, format!("encoders of one list make one codec: {message}")));
        }
        let broken = members.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(ChainFactory(Arc::new(Chain { members, broken, notes: Mutex::default() })))
    }
}

impl Chain {
    /// The first that has not failed; the last where all have.
    fn in_charge(&self) -> usize {
        let works = |broken: &AtomicBool| !broken.load(Ordering::Relaxed);
        self.broken.iter().position(works).unwrap_or(self.members.len() - 1)
    }

    /// Takes note of a failure of `member`; the one that takes over, if there is one and the failure is the encoder's.
    fn after(&self, member: usize, error: &Error, frame: Option<u64>) -> Option<usize> {
        if !matches!(error.kind(), ErrorKind::Encode | ErrorKind::Unsupported) {
            return None;
        }
        let next = (member + 1..self.members.len()).find(|next| !self.broken[*next].load(Ordering::Relaxed))?;
        let at = frame.map_or(String::new(), |frame| format!(" at frame {frame}"));
        let (was, now) = (self.members[member].traits().name, self.members[next].traits().name);
        if !self.broken[member].swap(true, Ordering::Relaxed) {
            let note = format!("{was} failed{at}, {now} went on in its place: {error}");
            tracing::warn!("{note}");
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        }
        Some(next)
    }

    /// `spec`, which is for the first, in the words of a member: its quality and speed are those nearest on its own scales.
    fn spec_of(&self, member: usize, spec: &EncodeSpec) -> EncodeSpec {
        let (first, traits) = (self.members[0].traits(), self.members[member].traits());
        EncodeSpec {
            encoder: traits.name.to_owned(),
            quality: traits.scale.nearest(spec.quality),
            preset: proportional(spec.preset, first.fastest_preset, traits.fastest_preset),
            ..spec.clone()
        }
    }
}

/// Preset `preset` of 0 to `of` as one of 0 to `to`.
pub(super) fn proportional(preset: u8, of: u8, to: u8) -> u8 {
    if of == to || of == 0 {
        return preset.min(to);
    }
    let (preset, of, to) = (u32::from(preset.min(of)), u32::from(of), u32::from(to));
    u8::try_from((2 * preset * to + of) / (2 * of)).unwrap_or(u8::MAX)
}

impl EncoderFactory for ChainFactory {
    fn traits(&self) -> EncoderTraits {
        self.0.members[self.0.in_charge()].traits()
    }

    fn many_at_once(&self) -> bool {
        self.0.members.iter().all(|member| member.many_at_once())
    }

    fn version(&self) -> String {
        self.0.members[self.0.in_charge()].version()
    }

    fn parameters(&self, spec: &EncodeSpec, video: &VideoParams) -> Result<Vec<(String, String)>> {
        let member = self.0.in_charge();
        self.0.members[member].parameters(&self.0.spec_of(member, spec), video)
    }

    fn open(&self, spec: &EncodeSpec, video: &VideoParams, cancel: &CancelToken) -> Result<Box<dyn VideoEncoder>> {
        let chain = Arc::clone(&self.0);
        if chain.members.len() > 1 && !spec.parameters.is_empty() {
            let message = "an encoder's own parameters need one encoder by name, not a list of them";
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let mut member = chain.in_charge();
        let open = |member: usize| chain.members[member].open(&chain.spec_of(member, spec), video, cancel);
        let inner = loop {
            match open(member) {
                Ok(inner) => break inner,
                Err(error) => member = chain.after(member, &error, None).ok_or(error)?,
            }
        };
        // How far the last may reorder has to be known before it takes over.
        let last = chain.members.len() - 1;
        let delay = if member == last { 0 } else { open(last)?.reorder_delay() };
        Ok(Box::new(ChainEncoder {
            delay: delay.max(inner.reorder_delay()),
            member,
            asked: (spec.clone(), video.clone(), cancel.clone()),
            config: inner.codec_config(),
            inner,
            sent: VecDeque::new(),
            coded: Vec::new(),
            ready: VecDeque::new(),
            given: 0,
            sets: None,
            finished: false,
            chain,
        }))
    }

    fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The encoder in charge, and what the next would need.
struct ChainEncoder {
    chain: Arc<Chain>,
    member: usize,
    asked: (EncodeSpec, VideoParams, CancelToken),
    inner: Box<dyn VideoEncoder>,
    delay: u32,
    /// Of the encoder that began.
    config: Option<Vec<u8>>,
    /// Frames whose pictures were not given out, in order.
    sent: VecDeque<(Frame, KeyRequest)>,
    /// Pictures of some of them.
    coded: Vec<Coded>,
    ready: VecDeque<Coded>,
    /// Pictures that were given out or are ready.
    given: u64,
    /// Parameter sets that the next picture begins with.
    sets: Option<Vec<u8>>,
    finished: bool,
}

impl ChainEncoder {
    /// Keeps a picture until those of all frames before it are there.
    fn take(&mut self, coded: Coded) {
        let data = match self.sets.take() {
            Some(sets) => PacketData::new([&sets[..], &coded.data[..]].concat()),
            None => coded.data,
        };
        self.coded.push(Coded { data, ..coded });
        let Some((first, _)) = self.sent.front() else { return };
        let count = self.coded.len();
        let latest = self.coded.iter().map(|c| c.frame_index).max().unwrap_or_default();
        if latest.checked_sub(first.index).is_some_and(|behind| behind + 1 == count as u64) {
            self.sent.drain(..count.min(self.sent.len()));
            for coded in self.coded.drain(..) {
                self.ready.push_back(Coded { decode_index: self.given, ..coded });
                self.given += 1;
            }
        }
    }

    /// Lets the next encoder take over.
    fn fall(&mut self, mut error: Error) -> Result<()> {
        let chain = Arc::clone(&self.chain);
        loop {
            let frame = self.sent.front().map(|(frame, _)| frame.index);
            self.member = chain.after(self.member, &error, frame).ok_or(error)?;
            match self.again(&chain) {
                Ok(()) => return Ok(()),
                Err(next) => error = next,
            }
        }
    }

    /// Opens the encoder that is in charge now and gives it what is not coded.
    fn again(&mut self, chain: &Chain) -> Result<()> {
        let (spec, video, cancel) = &self.asked;
        cancel.check()?;
        self.coded.clear();
        self.inner = chain.members[self.member].open(&chain.spec_of(self.member, spec), video, cancel)?;
        let codec = chain.members[self.member].traits().codec;
        let config = self.inner.codec_config();
        self.sets = match (&config, codec) {
            (Some(config), "h264" | "hevc") if self.given > 0 && Some(config) != self.config.as_ref() => {
                Some(nal::parameter_sets(codec, config)?)
            }
            _ => None,
        };
        if self.given == 0 {
            self.config = config;
        }
        for (frame, key) in self.sent.clone() {
            self.inner.send(&frame, key)?;
            while let Some(coded) = self.inner.receive()? {
                self.take(coded);
            }
        }
        if self.finished { self.inner.finish() } else { Ok(()) }
    }
}

impl VideoEncoder for ChainEncoder {
    fn send(&mut self, frame: &Frame, key: KeyRequest) -> Result<()> {
        self.sent.push_back((frame.clone(), key));
        self.inner.send(frame, key).or_else(|error| self.fall(error))
    }

    fn receive(&mut self) -> Result<Option<Coded>> {
        loop {
            if let Some(coded) = self.ready.pop_front() {
                return Ok(Some(coded));
            }
            match self.inner.receive() {
                Ok(Some(coded)) => self.take(coded),
                Ok(None) if self.finished && !self.sent.is_empty() => {
                    let message = format!("the pictures of {} frames never came", self.sent.len());
                    self.fall(Error::new(ErrorKind::Encode, message))?;
                }
                Ok(None) => return Ok(None),
                Err(error) => self.fall(error)?,
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.finished = true;
        self.inner.finish().or_else(|error| self.fall(error))
    }

    fn reorder_delay(&self) -> u32 {
        self.delay
    }

    fn codec_config(&self) -> Option<Vec<u8>> {
        self.config.clone().or_else(|| self.inner.codec_config())
    }
}

/// Whether an encoder encodes a frame of this size and format.
///
/// # Errors
/// Of opening it and encoding.
pub(super) fn encodes_one(factory: &dyn EncoderFactory, spec: &EncodeSpec, video: &VideoParams) -> Result<()> {
    let cancel = CancelToken::new();
    let mut encoder = factory.open(spec, video, &cancel)?;
    encoder.send(&gray(video), KeyRequest::Auto)?;
    encoder.finish()?;
    match encoder.receive()? {
        Some(coded) if coded.keyframe && !coded.data.is_empty() => Ok(()),
        _ => Err(Error::new(ErrorKind::Encode, format!("{} gives no picture of a frame", spec.encoder))),
    }
}

/// A frame of one grey.
fn gray(video: &VideoParams) -> Frame {
    let format = if video.bit_depth == 8 { PixelFormat::YUV420P8 } else { PixelFormat::YUV420P10 };
    let mut buffer = FramePool::new(format, video.width, video.height).take();
    for (plane, _) in buffer.planes_mut() {
        match video.bit_depth {
            8 => plane.fill(128),
            _ => plane.chunks_exact_mut(2).for_each(|sample| sample.copy_from_slice(&512u16.to_ne_bytes())),
        }
    }
    Frame {
        index: 0,
        pts: Timestamp::new(0, Rational::MILLI),
        duration: None,
        width: video.width,
        height: video.height,
        format,
        color: video.color,
        hdr: HdrStatic::default(),
        dynamic: Dynamic::default(),
        planes: Arc::new(buffer),
    }
}
