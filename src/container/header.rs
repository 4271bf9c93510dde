//! What a file is to hold, said before its first packet.
//!
//! Owns the description only: plain data, made by the caller, checked and written by the writer.
#![deny(unsafe_code)]

use super::av1::SequenceHeader;
use super::codec::CodecMapping;
use crate::base::{Rational, Result};
use crate::media::{Attachment, Chapter, Color, Disposition, FieldOrder, HdrStatic, StreamKind, Tag};

/// Opus wants 80 ms decoded before a seek target (RFC 7845 §4.6).
pub const OPUS_SEEK_PRE_ROLL_NS: u64 = 80_000_000;

/// Everything that is written before the first cluster.
#[derive(Clone, Debug, Default)]
pub struct MuxHeader {
    /// The film's title.
    pub title: Option<String>,
    /// The library that writes the file, with its version.
    pub muxing_app: String,
    /// The program the user ran, with its version.
    pub writing_app: String,
    /// The tracks; a track's number in the file is its index here plus one.
    pub tracks: Vec<Track>,
    /// Chapter marks, in order.
    pub chapters: Vec<Chapter>,
    /// Files that travel along.
    pub attachments: Vec<Attachment>,
    /// Tags of the whole film, already filtered by [`file_tags`](super::tags::file_tags).
    pub tags: Vec<Tag>,
}

/// One track.
#[derive(Clone, Debug)]
pub struct Track {
    /// Kind and coding.
    pub kind: TrackKind,
    /// ISO 639-2 code or BCP 47 tag; `None` is written as `und`.
    pub language: Option<String>,
    /// The track's title.
    pub title: Option<String>,
    /// Player flags.
    pub disposition: Disposition,
    /// The track's tags, already filtered by [`track_tags`](super::tags::track_tags).
    pub tags: Vec<Tag>,
}

/// The kind of a track and how it is coded.
#[derive(Clone, Debug)]
pub enum TrackKind {
    /// AV1 video.
    Video(VideoTrack),
    /// Any audio codec.
    Audio(AudioTrack),
    /// Any subtitle codec.
    Subtitle(SubtitleTrack),
}

/// AV1 video.
#[derive(Clone, Debug)]
pub struct VideoTrack {
    /// `av1C`: four bytes and the configuration OBUs (see [`av1::codec_private`](super::av1::codec_private)).
    pub codec_private: Vec<u8>,
    /// Coded width in luma samples.
    pub width: u32,
    /// Coded height in luma samples.
    pub height: u32,
    /// Shape of a sample, where known.
    pub sample_aspect_ratio: Option<Rational>,
    /// Colour; only what is specified is written.
    pub color: Color,
    /// HDR10 static metadata; only the halves there are.
    pub hdr: HdrStatic,
    /// Bits a sample, written as BitsPerChannel where given.
    pub bits_per_channel: Option<u8>,
    /// Clockwise degrees a player has to turn the picture by.
    pub rotation: i32,
    /// A frame's duration in nanoseconds, where all frames last equally long.
    pub default_duration_ns: Option<u64>,
    /// Field order; nothing is written where unknown.
    pub field_order: FieldOrder,
    /// Dolby Vision configuration record (`dvvC`), of 24 bytes, where the stream has RPUs.
    pub dolby_vision: Option<[u8; 24]>,
}

impl VideoTrack {
    /// A track of square pixels without colour, for the AV1 stream that `access_unit` begins.
    ///
    /// Width, height and depth are those of its sequence header.
    ///
    /// # Errors
    /// Kind `Encode` where there is no sequence header or it cannot be read.
    pub fn av1(access_unit: &[u8]) -> Result<Self> {
        let codec_private = super::av1::codec_private(access_unit)?;
        let header = SequenceHeader::find(access_unit)?;
        Ok(VideoTrack {
            codec_private,
            width: header.width,
            height: header.height,
            sample_aspect_ratio: None,
            color: Color::default(),
            hdr: HdrStatic::default(),
            bits_per_channel: Some(header.bit_depth()),
            rotation: 0,
            default_duration_ns: None,
            field_order: FieldOrder::Unknown,
            dolby_vision: None,
        })
    }
}

/// Audio of any codec.
#[derive(Clone, Debug)]
pub struct AudioTrack {
    /// Matroska CodecID, such as `A_OPUS`.
    pub codec_id: String,
    /// CodecPrivate; empty is not written.
    pub codec_private: Vec<u8>,
    /// Channels.
    pub channels: u32,
    /// Samples a second; for Opus the input rate its header names.
    pub sample_rate: u32,
    /// Bits a sample; needed for PCM, useful for lossless codecs.
    pub bit_depth: Option<u8>,
    /// What a decoder gives before the first sample that counts, in nanoseconds (pre-skip).
    pub codec_delay_ns: u64,
    /// What a decoder needs before a seek target, in nanoseconds.
    pub seek_pre_roll_ns: u64,
}

impl AudioTrack {
    /// Opus, described by its identification header (`OpusHead`, RFC 7845 §5.1): channels, input rate and
    /// delay are taken from it, as the Matroska mapping demands.
    ///
    /// `None` where `head` is no OpusHead.
    pub fn opus(head: &[u8]) -> Option<Self> {
        let (channels, pre_skip, rate) = super::codec::opus_head(head)?;
        Some(AudioTrack {
            codec_id: "A_OPUS".to_owned(),
            codec_private: head.to_vec(),
            channels,
            // An OpusHead may leave the input rate open; what a decoder gives is then what there is.
            sample_rate: if rate == 0 { 48_000 } else { rate },
            bit_depth: None,
            codec_delay_ns: super::codec::opus_delay_ns(pre_skip),
            seek_pre_roll_ns: OPUS_SEEK_PRE_ROLL_NS,
        })
    }

    /// A copied stream in the codec that [`codec::for_copy`](super::codec::for_copy) found.
    pub fn copied(mapping: CodecMapping, channels: u32, sample_rate: u32, bit_depth: Option<u8>) -> Self {
        AudioTrack {
            codec_id: mapping.codec_id.to_owned(),
            codec_private: mapping.codec_private,
            channels,
            sample_rate,
            bit_depth: mapping.bit_depth.or(bit_depth),
            codec_delay_ns: mapping.codec_delay_ns,
            seek_pre_roll_ns: mapping.seek_pre_roll_ns,
        }
    }
}

/// Subtitles of any codec.
#[derive(Clone, Debug)]
pub struct SubtitleTrack {
    /// Matroska CodecID, such as `S_TEXT/UTF8`.
    pub codec_id: String,
    /// CodecPrivate; empty is not written.
    pub codec_private: Vec<u8>,
    /// Whether packets may bring bytes beside the block (`S_TEXT/WEBVTT` cue settings do). The header has
    /// to say so in advance; a packet that brings some on another track is an error.
    pub block_additions: bool,
}

impl SubtitleTrack {
    /// Subtitles in `codec_id`; WebVTT gets its block additions.
    pub fn new(codec_id: impl Into<String>, codec_private: Vec<u8>) -> Self {
        let codec_id = codec_id.into();
        let block_additions = codec_id == "S_TEXT/WEBVTT";
        SubtitleTrack { codec_id, codec_private, block_additions }
    }
}

impl Track {
    /// A track without language, title, flags and tags.
    pub fn new(kind: TrackKind) -> Self {
        Track { kind, language: None, title: None, disposition: Disposition::default(), tags: Vec::new() }
    }

    /// The kind in the words of [`crate::media`].
    pub fn stream_kind(&self) -> StreamKind {
        match self.kind {
            TrackKind::Video(_) => StreamKind::Video,
            TrackKind::Audio(_) => StreamKind::Audio,
            TrackKind::Subtitle(_) => StreamKind::Subtitle,
        }
    }

    /// The Matroska CodecID.
    pub fn codec_id(&self) -> &str {
        match &self.kind {
            TrackKind::Video(_) => "V_AV1",
            TrackKind::Audio(a) => &a.codec_id,
            TrackKind::Subtitle(s) => &s.codec_id,
        }
    }

    /// CodecPrivate, empty where there is none.
    pub fn codec_private(&self) -> &[u8] {
        match &self.kind {
            TrackKind::Video(v) => &v.codec_private,
            TrackKind::Audio(a) => &a.codec_private,
            TrackKind::Subtitle(s) => &s.codec_private,
        }
    }

    /// CodecDelay in nanoseconds; zero for all but audio.
    pub fn codec_delay_ns(&self) -> u64 {
        match &self.kind {
            TrackKind::Audio(a) => a.codec_delay_ns,
            TrackKind::Video(_) | TrackKind::Subtitle(_) => 0,
        }
    }

    /// A frame's duration in nanoseconds, where all last equally long.
    pub fn default_duration_ns(&self) -> Option<u64> {
        match &self.kind {
            TrackKind::Video(v) => v.default_duration_ns.filter(|d| *d > 0),
            TrackKind::Audio(_) | TrackKind::Subtitle(_) => None,
        }
    }
}
