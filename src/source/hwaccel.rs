//! What decoding is asked to do.
#![deny(unsafe_code)]

use crate::av::{DecoderOptions, Hardware};
use crate::base::{Error, ErrorKind, Result};
use crate::media;

/// Whether pictures are decoded in hardware. What it cannot decode is decoded in software, to the same pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HardwareUse {
    /// Never.
    #[default]
    Off,
    /// By the first of [`Hardware::candidates`] that opens and decodes the first picture.
    Auto,
    /// By this one.
    Named(Hardware),
}

impl HardwareUse {
    /// What to try, in that order.
    pub(super) fn candidates(self) -> Vec<Hardware> {
        match self {
            HardwareUse::Off => Vec::new(),
            HardwareUse::Auto => Hardware::candidates().to_vec(),
            HardwareUse::Named(hardware) => vec![hardware],
        }
    }
}

/// How a video stream is decoded. [`DecoderOptions`] alone become options without hardware.
#[derive(Clone, Copy, Debug, Default)]
pub struct VideoOptions {
    /// For the decoder in software and, where they apply, in hardware.
    pub decoder: DecoderOptions,
    /// Whether hardware is tried.
    pub hwaccel: HardwareUse,
}

impl From<DecoderOptions> for VideoOptions {
    fn from(decoder: DecoderOptions) -> Self {
        VideoOptions { decoder, hwaccel: HardwareUse::Off }
    }
}

/// More decoder threads than this do not feed one encoder faster; each costs pictures of memory.
const MAX_DECODER_THREADS: usize = 8;

/// How a source is decoded beside an encoder: with threads on half the cores. The encoder is many times slower than any
/// decoder, and frame threads it does not need cost time (on two cores, two threads took half as much again as one).
pub fn decoder_options() -> DecoderOptions {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    DecoderOptions { threads: (cores / 2).clamp(1, MAX_DECODER_THREADS) as u32, ..DecoderOptions::default() }
}

/// The same for the one pass that feeds the encoders, in hardware where `asked` for.
///
/// # Errors
/// `Usage` for hardware nobody knows.
pub fn video_options(asked: &media::Hwaccel) -> Result<VideoOptions> {
    let hwaccel = match asked {
        media::Hwaccel::Off => HardwareUse::Off,
        media::Hwaccel::Auto => HardwareUse::Auto,
        media::Hwaccel::Named(name) => {
            let known = Hardware::ALL.map(|h| h.name()).join(", ");
            let unknown = || Error::new(ErrorKind::Usage, format!("no hardware {name:?} is known, only {known}"));
            HardwareUse::Named(Hardware::parse(name).ok_or_else(unknown)?)
        }
    };
    Ok(VideoOptions { decoder: decoder_options(), hwaccel })
}
