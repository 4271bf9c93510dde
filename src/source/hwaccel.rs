//! What decoding is asked to do.
#![deny(unsafe_code)]

use crate::av::{DecoderOptions, Hardware};

/// Whether pictures are decoded in hardware. What it cannot decode is decoded in software, to the same pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hwaccel {
    /// Never.
    #[default]
    Off,
    /// By the first of [`Hardware::candidates`] that opens and decodes the first picture.
    Auto,
    /// By this one.
    Named(Hardware),
}

impl Hwaccel {
    /// The setting of that name: `off`, `auto` or a [`Hardware::name`].
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Hwaccel::Off),
            "auto" => Some(Hwaccel::Auto),
            name => Hardware::parse(name).map(Hwaccel::Named),
        }
    }

    /// What to try, in that order.
    pub(super) fn candidates(self) -> Vec<Hardware> {
        match self {
            Hwaccel::Off => Vec::new(),
            Hwaccel::Auto => Hardware::candidates().to_vec(),
            Hwaccel::Named(hardware) => vec![hardware],
        }
    }
}

/// How a video stream is decoded. [`DecoderOptions`] alone become options without hardware.
#[derive(Clone, Copy, Debug, Default)]
pub struct VideoOptions {
    /// For the decoder in software and, where they apply, in hardware.
    pub decoder: DecoderOptions,
    /// Whether hardware is tried.
    pub hwaccel: Hwaccel,
}

impl From<DecoderOptions> for VideoOptions {
    fn from(decoder: DecoderOptions) -> Self {
        VideoOptions { decoder, hwaccel: Hwaccel::Off }
    }
}
