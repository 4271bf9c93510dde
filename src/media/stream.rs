//! What a file holds: streams, chapters, attachments, tags.

use serde::{Deserialize, Serialize};

use super::{Color, DolbyVision, Edition, Flip, HdrStatic, Orientation, PixelCrop, Subsampling, TagEntry};
use crate::base::{Rational, Span, Timestamp};

/// A name and a value, in the source's order and spelling.
pub type Tag = (String, String);

/// The kind of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Moving pictures (attached pictures are [`Attachment`](StreamKind::Attachment)).
    Video,
    /// Sound.
    Audio,
    /// Text or pictures over the film.
    Subtitle,
    /// A file that travels along: fonts, cover art.
    Attachment,
    /// Anything else (timecode, camera metadata).
    Data,
}

/// The flags a player chooses tracks by (Matroska Flag*, FFmpeg AV_DISPOSITION_*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, clippy::struct_excessive_bools)]
pub struct Disposition {
    pub default: bool,
    pub forced: bool,
    pub commentary: bool,
    pub original: bool,
    pub hearing_impaired: bool,
    pub visual_impaired: bool,
    pub text_descriptions: bool,
    /// Not to be played (Matroska FlagEnabled 0).
    pub disabled: bool,
}

/// How a picture's fields are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldOrder {
    /// The source does not say.
    #[default]
    Unknown,
    /// Whole pictures.
    Progressive,
    /// Two fields, the top one first.
    TopFirst,
    /// Two fields, the bottom one first.
    BottomFirst,
}

/// What is particular to a video stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VideoInfo {
    /// Coded width shown, in luma samples (before aspect ratio and rotation).
    pub width: u32,
    /// Coded height shown, in luma samples.
    pub height: u32,
    /// FFmpeg's pixel format name, such as `yuv420p10le`.
    pub pixel_format: String,
    /// Significant bits a sample.
    pub bit_depth: u8,
    /// Chroma subsampling, unless the format is RGB or unknown.
    pub subsampling: Option<Subsampling>,
    /// Sample (pixel) aspect ratio, where the source says.
    #[serde(serialize_with = "as_text")]
    pub sample_aspect_ratio: Option<Rational>,
    /// Whether that is the container's word, which holds for all pictures.
    #[serde(skip)]
    pub aspect_by_container: bool,
    /// The average frame rate, for people and for the encoder's rate fields; never for timestamps.
    #[serde(serialize_with = "as_text")]
    pub frame_rate: Option<Rational>,
    /// The duration of a frame where all are equal by the container's word, in seconds.
    #[serde(skip)]
    pub frame_duration: Option<Rational>,
    /// Colour description.
    pub color: Color,
    /// HDR10 static metadata.
    pub hdr: HdrStatic,
    /// Dolby Vision, by the container's word.
    pub dolby_vision: Option<DolbyVision>,
    /// Field order.
    pub field_order: FieldOrder,
    /// Clockwise rotation to apply for display, in degrees (0, 90, 180, 270 and what phones write).
    pub rotation: i32,
    /// How the picture is mirrored for display, before it is turned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip: Option<Flip>,
    /// Edges that are not to be shown.
    pub pixel_crop: PixelCrop,
    /// How the pictures of both eyes are packed (Matroska StereoMode; 0 is a single picture).
    pub stereo_mode: u8,
    /// Whether it is transparent in places.
    pub alpha: bool,
}

impl VideoInfo {
    /// How the picture is shown.
    pub fn orientation(&self) -> Orientation {
        Orientation { flip: self.flip, rotation: self.rotation }
    }
}

/// What is particular to an audio stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AudioInfo {
    /// Channel count.
    pub channels: u32,
    /// FFmpeg's layout name, such as `5.1(side)`.
    pub layout: String,
    /// Samples a second.
    pub sample_rate: u32,
    /// Samples at the start that the container says are the codec's delay and are not heard.
    #[serde(skip)]
    pub initial_padding: u32,
    /// Bits a sample of lossless codecs.
    pub bits: Option<u8>,
}

/// One stream of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamInfo {
    /// FFmpeg's stream index in the file.
    pub index: usize,
    /// Kind.
    pub kind: StreamKind,
    /// FFmpeg's codec name (`h264`, `subrip`), or `unknown`.
    pub codec: String,
    /// Codec profile in words, where known.
    pub profile: Option<String>,
    /// Seconds a tick of this stream's timestamps.
    #[serde(serialize_with = "rational_text")]
    pub time_base: Rational,
    /// The first timestamp by the container's word.
    #[serde(serialize_with = "time_secs", rename = "start_s")]
    pub start: Option<Timestamp>,
    /// The duration by the container's word.
    #[serde(serialize_with = "span_secs", rename = "duration_s")]
    pub duration: Option<Span>,
    /// When the stream ends by Matroska's `DURATION` tag, where it has one.
    #[serde(skip)]
    pub tagged_end: Option<Timestamp>,
    /// The number of frames by the container's word.
    pub frames: Option<u64>,
    /// ISO 639-2 code or BCP 47 tag; `None` where the source has none.
    pub language: Option<String>,
    /// Track title.
    pub title: Option<String>,
    /// Player flags.
    pub disposition: Disposition,
    /// Other tags of the stream.
    pub tags: Vec<Tag>,
    /// Codec configuration bytes (FFmpeg's extradata).
    #[serde(skip)]
    pub extradata: Vec<u8>,
    /// Bits a second by the container's word.
    pub bit_rate: Option<u64>,
    /// Matroska's TrackUID.
    #[serde(skip)]
    pub uid: Option<u64>,
    /// MP4's alternate group: tracks of one are played one for another, tracks of several together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternate_group: Option<u16>,
    /// Whether its content is the film's chapters.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub holds_chapters: bool,
    /// For video.
    pub video: Option<VideoInfo>,
    /// For audio.
    pub audio: Option<AudioInfo>,
}

impl StreamInfo {
    /// When the stream ends by the container's word, if it has one for this stream.
    pub fn promised_end(&self) -> Option<Timestamp> {
        let by_duration = self.duration.map(|length| match self.start {
            Some(start) => start.plus(length),
            None => Timestamp::new(length.ticks(), length.base()),
        });
        by_duration.or(self.tagged_end)
    }

    /// How long the stream is by the container's word, in seconds.
    pub fn length_s(&self) -> Option<f64> {
        let start = self.start.map_or(0.0, Timestamp::as_secs_f64);
        self.promised_end().map(|end| end.as_secs_f64() - start).filter(|length| *length > 0.0)
    }
}

/// A chapter mark.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chapter {
    /// Start.
    #[serde(serialize_with = "time_secs_bare", rename = "start_s")]
    pub start: Timestamp,
    /// End.
    #[serde(serialize_with = "time_secs_bare", rename = "end_s")]
    pub end: Timestamp,
    /// Title, where it has one.
    pub title: Option<String>,
    /// The title's language, where the source says.
    pub language: Option<String>,
}

/// A file attached to the film.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attachment {
    /// The source stream it came from.
    pub stream: usize,
    /// File name.
    pub name: String,
    /// Media type.
    pub mime: String,
    /// A description, where the source has one.
    pub description: Option<String>,
    /// Matroska's FileUID, where tags name it.
    #[serde(skip)]
    pub uid: Option<u64>,
    /// The file's bytes.
    #[serde(serialize_with = "byte_count", rename = "bytes")]
    pub data: Vec<u8>,
}

/// Everything known of a file without decoding it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MediaInfo {
    /// FFmpeg's demuxer name, such as `matroska,webm`.
    pub container: String,
    /// The title of the film, where the container has one.
    pub title: Option<String>,
    /// Duration of the whole by the container's word, in seconds.
    pub duration_s: Option<f64>,
    /// Where the source's own clock begins: what was taken off all times, so that its earliest stream begins at zero.
    #[serde(serialize_with = "time_secs", rename = "start_s")]
    pub start: Option<Timestamp>,
    /// Why what only the container's own elements say could not be read, where it could not.
    #[serde(skip)]
    pub unread: Option<String>,
    /// All streams, in the file's order.
    pub streams: Vec<StreamInfo>,
    /// All chapters, in order.
    pub chapters: Vec<Chapter>,
    /// All attachments, cover pictures included.
    pub attachments: Vec<Attachment>,
    /// Tags of the whole file, without the title.
    pub tags: Vec<Tag>,
    /// Editions, where a list of chapters does not say all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub editions: Vec<Edition>,
    /// Tags with their targets, where names and values do not say all; the others are empty then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag_entries: Vec<TagEntry>,
}

impl MediaInfo {
    /// What an output adds to all times that is to `keep` the source's own start; never negative.
    pub fn start_kept(&self, keep: bool) -> Span {
        let start = self.start.filter(|start| keep && start.ticks() > 0);
        start.map_or(Span::new(0, Rational::MILLI), |start| Span::new(start.ticks(), start.base()))
    }
}

fn as_text<S: serde::Serializer>(r: &Option<Rational>, s: S) -> Result<S::Ok, S::Error> {
    match r {
        Some(r) => s.serialize_str(&r.to_string()),
        None => s.serialize_none(),
    }
}

fn rational_text<S: serde::Serializer>(r: &Rational, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&r.to_string())
}

fn time_secs<S: serde::Serializer>(t: &Option<Timestamp>, s: S) -> Result<S::Ok, S::Error> {
    t.map(Timestamp::as_secs_f64).serialize(s)
}

fn time_secs_bare<S: serde::Serializer>(t: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64(t.as_secs_f64())
}

fn span_secs<S: serde::Serializer>(t: &Option<Span>, s: S) -> Result<S::Ok, S::Error> {
    t.map(Span::as_secs_f64).serialize(s)
}

fn byte_count<S: serde::Serializer>(data: &[u8], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(data.len() as u64)
}
