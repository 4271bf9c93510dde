//! What the reader tells of a file: plain data, as stored.
#![deny(unsafe_code)]

use crate::base::{Rational, Timestamp};
use crate::media::{Color, ContentLight, Disposition, FieldOrder, StreamKind};

/// A track as its header describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackFacts {
    /// Track number, as frames name it.
    pub number: u64,
    /// Track UID, as tags name it.
    pub uid: u64,
    /// Kind; `None` for kinds drapto does not carry.
    pub kind: Option<StreamKind>,
    /// CodecID.
    pub codec_id: String,
    /// CodecPrivate, empty where there is none.
    pub codec_private: Vec<u8>,
    /// ISO 639-2 code; `None` where the element is absent (which means English).
    pub language: Option<String>,
    /// BCP 47 tag.
    pub language_bcp47: Option<String>,
    /// Title.
    pub name: Option<String>,
    /// Player flags.
    pub disposition: Disposition,
    /// CodecDelay in nanoseconds.
    pub codec_delay_ns: u64,
    /// SeekPreRoll in nanoseconds.
    pub seek_pre_roll_ns: u64,
    /// DefaultDuration in nanoseconds.
    pub default_duration_ns: Option<u64>,
    /// For video.
    pub video: Option<VideoFacts>,
    /// For audio.
    pub audio: Option<AudioFacts>,
}

/// A video track's header.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoFacts {
    /// PixelWidth.
    pub width: u64,
    /// PixelHeight.
    pub height: u64,
    /// DisplayWidth and DisplayHeight, where both are given.
    pub display: Option<(u64, u64)>,
    /// Whether the display size is an aspect ratio (DisplayUnit 3).
    pub display_is_ratio: bool,
    /// Colour; what the header does not say is unspecified.
    pub color: Color,
    /// MaxCLL and MaxFALL.
    pub content_light: Option<ContentLight>,
    /// Mastering display, where all ten values are given.
    pub mastering: Option<MasteringFacts>,
    /// Clockwise rotation a player applies, in degrees.
    pub rotation: f64,
    /// FlagInterlaced and FieldOrder.
    pub field_order: FieldOrder,
    /// Dolby Vision configuration record (BlockAddIDExtraData of type `dvvC`).
    pub dolby_vision: Option<Vec<u8>>,
}

/// MasteringMetadata as stored, in CIE xy and cd/m².
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct MasteringFacts {
    pub red: [f64; 2],
    pub green: [f64; 2],
    pub blue: [f64; 2],
    pub white: [f64; 2],
    pub max_luminance: f64,
    pub min_luminance: f64,
}

/// An audio track's header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AudioFacts {
    /// SamplingFrequency.
    pub sample_rate: f64,
    /// Channels.
    pub channels: u64,
    /// BitDepth.
    pub bit_depth: Option<u64>,
}

#[cfg(any(test, feature = "internals"))]
/// A chapter as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChapterFacts {
    /// Start in nanoseconds.
    pub start_ns: u64,
    /// End in nanoseconds.
    pub end_ns: Option<u64>,
    /// The first title.
    pub title: Option<String>,
    /// Its ISO 639-2 code.
    pub language: Option<String>,
}

/// An attachment as stored, without its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachmentFacts {
    /// File name.
    pub name: String,
    /// Media type.
    pub mime: String,
    /// Description.
    pub description: Option<String>,
    /// Length of the data in bytes.
    pub bytes: u64,
}

/// One frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameFacts {
    /// Track number.
    pub track: u64,
    /// Block time in nanoseconds; the track's codec delay is not taken off.
    pub timestamp_ns: u64,
    /// BlockDuration in nanoseconds.
    pub duration_ns: Option<u64>,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// DiscardPadding.
    pub discard_padding_ns: i64,
    /// BlockAdditional with id 1.
    pub additional: Option<Vec<u8>>,
    /// The frame.
    pub data: Vec<u8>,
}

impl FrameFacts {
    /// Block time as a timestamp in milliseconds, which is exact for files of ours.
    pub fn time(&self) -> Timestamp {
        Timestamp::new((self.timestamp_ns / 1_000_000).min(i64::MAX as u64) as i64, Rational::MILLI)
    }
}
