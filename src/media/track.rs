//! What a file is to hold, said before its first packet, in no container's words.
//!
//! Owns the description only: plain data, made by whoever fills the file and read by each muxer, which finds the words of
//! its own format for it. Codecs have FFmpeg's names (`av1`, `h264`, `opus`, `subrip`) and FFmpeg's configuration bytes.
#![deny(unsafe_code)]

use super::{Attachment, Chapter, Color, Disposition, Edition, FieldOrder, HdrStatic, StreamKind, Tag, TagEntry};
use crate::base::{Rational, Span};

/// Everything that is known of a file before its first packet.
#[derive(Clone, Debug, Default)]
pub struct FileParams {
    /// The film's title.
    pub title: Option<String>,
    /// The library that writes the file, with its version.
    pub muxing_app: String,
    /// The program the user ran, with its version.
    pub writing_app: String,
    /// The tracks, in the order of the file: a [`TrackId`] is an index into them.
    pub tracks: Vec<TrackParams>,
    /// Chapter marks, in order.
    pub chapters: Vec<Chapter>,
    /// Editions, where chapter marks do not say all; formats that know them write these instead.
    pub editions: Vec<Edition>,
    /// Tags with their targets, beside the others.
    pub tag_entries: Vec<TagEntry>,
    /// Files that travel along.
    pub attachments: Vec<Attachment>,
    /// Tags of the whole film, without those that would be false in a new file.
    pub tags: Vec<Tag>,
}

/// A track of a file that is written: an index into [`FileParams::tracks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub usize);

impl From<usize> for TrackId {
    fn from(index: usize) -> Self {
        TrackId(index)
    }
}

/// One track.
#[derive(Clone, Debug)]
pub struct TrackParams {
    /// Kind and coding.
    pub kind: TrackKind,
    /// ISO 639-2 code or BCP 47 tag; `None` where it is not known.
    pub language: Option<String>,
    /// The track's title.
    pub title: Option<String>,
    /// Player flags.
    pub disposition: Disposition,
    /// The track's tags, without those that would be false in a new file.
    pub tags: Vec<Tag>,
}

/// The kind of a track and how it is coded.
#[derive(Clone, Debug)]
pub enum TrackKind {
    /// Moving pictures.
    Video(VideoTrackParams),
    /// Sound.
    Audio(AudioTrackParams),
    /// Text or pictures over the film.
    Subtitle(SubtitleTrackParams),
}

/// The codec of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackCodec {
    /// FFmpeg's name (`AVCodecDescriptor.name`); the configuration has FFmpeg's form (`extradata`).
    Named(String),
    /// A codec that FFmpeg does not know, by the CodecID of the Matroska file it came from; the configuration is that
    /// file's CodecPrivate. Only Matroska can hold it.
    Matroska(String),
}

impl TrackCodec {
    /// The name, for messages and for the report.
    pub fn name(&self) -> &str {
        match self {
            TrackCodec::Named(name) | TrackCodec::Matroska(name) => name,
        }
    }

    /// Whether it is the codec that FFmpeg calls `name`.
    pub fn is(&self, name: &str) -> bool {
        matches!(self, TrackCodec::Named(own) if own == name)
    }
}

impl From<&str> for TrackCodec {
    fn from(name: &str) -> Self {
        TrackCodec::Named(name.to_owned())
    }
}

/// A video track.
#[derive(Clone, Debug)]
pub struct VideoTrackParams {
    /// Codec.
    pub codec: TrackCodec,
    /// Codec configuration: `av1C` for AV1, `avcC` for H.264.
    pub configuration: Vec<u8>,
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
    /// Bits a sample, where known.
    pub bits_per_channel: Option<u8>,
    /// Clockwise degrees a player has to turn the picture by.
    pub rotation: i32,
    /// A frame's duration, where all frames last equally long.
    pub frame_duration: Option<Span>,
    /// The time base in which the packets' times are exact, where it is known; for formats that have to choose one before
    /// the first packet.
    pub time_base: Option<Rational>,
    /// Field order; nothing is written where unknown.
    pub field_order: FieldOrder,
    /// How the pictures of both eyes are packed (Matroska StereoMode; 0 is a single picture).
    pub stereo_mode: u8,
    /// Dolby Vision configuration record (`dvvC`), of 24 bytes, where the stream has RPUs.
    pub dolby_vision: Option<[u8; 24]>,
}

impl VideoTrackParams {
    /// A track of square pixels of which nothing else is known.
    pub fn new(codec: impl Into<TrackCodec>, configuration: Vec<u8>, width: u32, height: u32) -> Self {
        VideoTrackParams {
            codec: codec.into(),
            configuration,
            width,
            height,
            sample_aspect_ratio: None,
            color: Color::default(),
            hdr: HdrStatic::default(),
            bits_per_channel: None,
            rotation: 0,
            frame_duration: None,
            time_base: None,
            field_order: FieldOrder::Unknown,
            stereo_mode: 0,
            dolby_vision: None,
        }
    }
}

/// An audio track.
#[derive(Clone, Debug)]
pub struct AudioTrackParams {
    /// Codec.
    pub codec: TrackCodec,
    /// Codec configuration: OpusHead, AudioSpecificConfig and so on; empty where the codec has none.
    pub configuration: Vec<u8>,
    /// Channels.
    pub channels: u32,
    /// Samples a second; for Opus the input rate its header names.
    pub sample_rate: u32,
    /// Bits a sample; of use for lossless codecs.
    pub bit_depth: Option<u8>,
    /// What a decoder gives before the first sample that counts (pre-skip).
    pub codec_delay: Option<Span>,
    /// What a decoder needs before a seek target.
    pub seek_pre_roll: Option<Span>,
}

impl AudioTrackParams {
    /// A track without delay.
    pub fn new(codec: impl Into<TrackCodec>, configuration: Vec<u8>, channels: u32, sample_rate: u32) -> Self {
        AudioTrackParams {
            codec: codec.into(),
            configuration,
            channels,
            sample_rate,
            bit_depth: None,
            codec_delay: None,
            seek_pre_roll: None,
        }
    }
}

/// A subtitle track.
#[derive(Clone, Debug)]
pub struct SubtitleTrackParams {
    /// Codec.
    pub codec: TrackCodec,
    /// Codec configuration; empty where the codec has none.
    pub configuration: Vec<u8>,
    /// Whether packets may bring bytes beside the data (the settings of WebVTT cues). It has to be known in advance; a
    /// packet that brings some on another track is an error.
    pub block_additions: bool,
}

impl SubtitleTrackParams {
    /// Subtitles in `codec`; WebVTT gets its block additions.
    pub fn new(codec: impl Into<TrackCodec>, configuration: Vec<u8>) -> Self {
        let codec = codec.into();
        let block_additions = matches!(codec.name(), "webvtt" | "S_TEXT/WEBVTT");
        SubtitleTrackParams { codec, configuration, block_additions }
    }
}

impl TrackParams {
    /// A track without language, title, flags and tags.
    pub fn new(kind: TrackKind) -> Self {
        TrackParams { kind, language: None, title: None, disposition: Disposition::default(), tags: Vec::new() }
    }

    /// The kind alone.
    pub fn stream_kind(&self) -> StreamKind {
        match self.kind {
            TrackKind::Video(_) => StreamKind::Video,
            TrackKind::Audio(_) => StreamKind::Audio,
            TrackKind::Subtitle(_) => StreamKind::Subtitle,
        }
    }

    /// The codec.
    pub fn codec(&self) -> &TrackCodec {
        match &self.kind {
            TrackKind::Video(v) => &v.codec,
            TrackKind::Audio(a) => &a.codec,
            TrackKind::Subtitle(s) => &s.codec,
        }
    }

    /// The codec's configuration, empty where there is none.
    pub fn configuration(&self) -> &[u8] {
        match &self.kind {
            TrackKind::Video(v) => &v.configuration,
            TrackKind::Audio(a) => &a.configuration,
            TrackKind::Subtitle(s) => &s.configuration,
        }
    }

    /// What a decoder gives before the first sample that counts, in nanoseconds; zero for all but audio.
    pub fn codec_delay_ns(&self) -> u64 {
        match &self.kind {
            TrackKind::Audio(a) => nanos(a.codec_delay),
            TrackKind::Video(_) | TrackKind::Subtitle(_) => 0,
        }
    }

    /// A frame's duration in nanoseconds, where all last equally long.
    pub fn frame_duration_ns(&self) -> Option<u64> {
        match &self.kind {
            TrackKind::Video(v) => Some(nanos(v.frame_duration)).filter(|d| *d > 0),
            TrackKind::Audio(_) | TrackKind::Subtitle(_) => None,
        }
    }
}

fn nanos(span: Option<Span>) -> u64 {
    span.and_then(|s| u64::try_from(s.as_nanos()).ok()).unwrap_or(0)
}
