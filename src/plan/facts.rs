//! What is known of a source once it was looked at: plain data that is measured once, written down and reused.
//!
//! Facts say how sure they are: a look that failed is no answer. What a container says of itself
//! ([`MediaInfo`](crate::media::MediaInfo)) is not among them: it is read whenever the file is opened.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::fields::Fields;
use crate::base::Rational;
use crate::media::{
    AudioInfo, Disposition, DolbyVision, FieldCounts, HdrStatic, MediaInfo, Orientation, Rect, Shown, StreamInfo,
    StreamKind, Transfer,
};

/// The version of this form; facts of another one are measured again.
pub const FACTS_VERSION: u32 = 4;

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding<T> {
    /// Nobody looked.
    NotLookedFor,
    /// This is it.
    Found(T),
    /// It cannot be told, and why.
    Failed(String),
}

impl<T> Finding<T> {
    /// What was found, if anything was.
    pub fn found(&self) -> Option<&T> {
        match self {
            Finding::Found(found) => Some(found),
            Finding::NotLookedFor | Finding::Failed(_) => None,
        }
    }
}

/// The part of the picture that is not black bars: the whole picture where there is nothing to crop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CropReport {
    /// Columns of it.
    pub width: u32,
    /// Rows of it.
    pub height: u32,
    /// Columns left of it.
    pub x: u32,
    /// Rows above it.
    pub y: u32,
    /// The share of samples that agree, 0 to 1.
    pub confidence: f64,
    /// Pictures that were looked at and were not too dark.
    pub samples: usize,
    /// Columns of the film's picture.
    pub source_width: u32,
    /// Rows of the film's picture.
    pub source_height: u32,
}

impl CropReport {
    /// The part as a rectangle.
    pub fn rect(&self) -> Rect {
        Rect { x: self.x, y: self.y, width: self.width, height: self.height }
    }
}

/// What a film's pictures are made of, and on what that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldReport {
    /// The verdict.
    pub fields: Fields,
    /// Where the film was looked at; one at least.
    pub places: Vec<FieldPlace>,
}

/// A look at consecutive pictures somewhere in a film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldPlace {
    /// Where they begin, in hundredths of the film's duration.
    pub at_percent: u32,
    /// What those pictures are made of.
    pub fields: Fields,
    /// What was counted in them.
    pub counts: FieldCounts,
}

/// Dolby Vision by the RPUs of the first pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpuFacts {
    /// What the first RPU that can be read says.
    pub found: Option<DolbyVision>,
    /// Why the very first one cannot be read, if it cannot.
    pub unreadable: Option<String>,
}

/// A size and sample aspect ratio that pictures of a film have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShapeFacts {
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// Width to height of a sample, by the picture itself.
    pub sample_aspect_ratio: (i32, i32),
    /// When it was seen first, in seconds from the start.
    pub from_s: f64,
    /// The share of the film that has it, 0 to 1, as far as it was looked at.
    pub share: f64,
}

/// The widest sound of a stream that was decoded at a few places of the film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundFacts {
    /// The stream, by its index in the source; those that are announced late follow the others.
    pub stream: usize,
    /// Channel count.
    pub channels: u32,
    /// FFmpeg's layout name.
    pub layout: String,
    /// Samples a second.
    pub sample_rate: u32,
}

/// A stream that the source announces after its start, where opening it does not see it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateStream {
    /// The container's own number of it (a PID in transport streams).
    pub id: i32,
    /// Its kind: sound or subtitles.
    pub kind: StreamKind,
    /// FFmpeg's codec name.
    pub codec: String,
    /// Codec configuration bytes.
    pub extradata: Vec<u8>,
    /// Seconds a tick of its timestamps, as numerator and denominator.
    pub time_base: (i32, i32),
    /// Its language.
    pub language: Option<String>,
    /// Player flags.
    pub disposition: Disposition,
}

/// What looking at a source came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// [`FACTS_VERSION`] of whoever wrote them.
    pub version: u32,
    /// The main video, by its index in the source.
    pub stream: usize,
    /// The first picture as it was decoded; its size is the one that lasts.
    pub first: Shown,
    /// The shapes of pictures, in the order they were seen first; several where they change.
    pub shapes: Vec<ShapeFacts>,
    /// How the first picture is to be shown by its own word, which goes before the container's.
    pub orientation: Option<Orientation>,
    /// Whether the file ends before its own structure does; `None` where that cannot be told.
    pub cut_short: Option<bool>,
    /// Bits a sample of it.
    pub depth: u8,
    /// Whether the first pictures bring HDR10+.
    pub hdr10_plus: bool,
    /// Dolby Vision of the first pictures.
    pub rpus: RpuFacts,
    /// Black bars.
    pub crop: Finding<CropReport>,
    /// Whole pictures or fields.
    pub fields: Finding<FieldReport>,
    /// How the pictures of both eyes are packed by their own stream's word (Matroska StereoMode; 0 is a single picture).
    #[serde(default)]
    pub stereo_mode: u8,
    /// Sound that was heard, of each stream of which any was.
    pub sound: Vec<SoundFacts>,
    /// Streams that begin late, in the order of their indices, which follow those known at the start.
    pub late: Vec<LateStream>,
}

impl SourceFacts {
    /// `info` with what only a look into the film tells: sound as wide as it gets, and streams that begin late.
    pub fn refine(&self, info: &MediaInfo) -> MediaInfo {
        let mut info = info.clone();
        for late in &self.late {
            let audio =
                AudioInfo { channels: 0, layout: String::new(), sample_rate: 0, initial_padding: 0, bits: None };
            info.streams.push(StreamInfo {
                uid: None,
                alternate_group: None,
                holds_chapters: false,
                tagged_end: None,
                index: info.streams.len(),
                kind: late.kind,
                codec: late.codec.clone(),
                profile: None,
                time_base: Rational::positive(late.time_base.0, late.time_base.1).unwrap_or(Rational::MILLI),
                start: None,
                duration: None,
                frames: None,
                language: late.language.clone(),
                title: None,
                disposition: late.disposition,
                tags: Vec::new(),
                extradata: late.extradata.clone(),
                bit_rate: None,
                video: None,
                audio: (late.kind == StreamKind::Audio).then_some(audio),
            });
        }
        for heard in &self.sound {
            let stream = info.streams.get_mut(heard.stream).and_then(|s| s.audio.as_mut());
            if let Some(audio) = stream.filter(|audio| heard.channels > audio.channels || audio.sample_rate == 0) {
                (audio.channels, audio.layout) = (heard.channels, heard.layout.clone());
                if audio.sample_rate == 0 {
                    audio.sample_rate = heard.sample_rate;
                }
            }
        }
        info
    }

    /// `SDR`, `HDR10`, `HDR10+`, `HLG`, or `PQ` for PQ without static metadata.
    pub fn hdr_kind(&self) -> &'static str {
        match self.first.color.transfer {
            Transfer::HLG => "HLG",
            Transfer::PQ if self.hdr10_plus => "HDR10+",
            Transfer::PQ if self.first.hdr != HdrStatic::default() => "HDR10",
            Transfer::PQ => "PQ",
            _ => "SDR",
        }
    }
}
