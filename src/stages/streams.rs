//! What becomes of each stream of a source.
//!
//! A pure decision over what the probe and the codec tables say; its reasons go into the report, so that
//! nothing is dropped in silence.
#![deny(unsafe_code)]

use std::path::Path;

use serde::Serialize;

use crate::audio::{SoundOptions, SoundPlan, check_encoder, codec_name};
use crate::av::{codec_is_text_subtitle, has_decoder};
use crate::base::{Error, ErrorKind, Result};
use crate::config::{AudioMode, EncodeSettings, SoundCodec};
use crate::container::reader::codec_ids;
use crate::container::{self, Format, codec::CodecMapping};
use crate::media::{MediaInfo, StreamInfo, StreamKind};
use crate::plan::{main_video, why_main};

/// What is done with a stream, in the words of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Its bytes come through unchanged.
    Kept,
    /// Encoded, to AV1 and Opus unless others are asked for.
    Encoded,
    /// Changed to another format with the same content.
    Converted,
    /// Not in the output; the reason says why.
    Dropped,
}

/// What becomes of one stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamDecision {
    /// The stream's index in the source.
    pub index: usize,
    /// Its kind.
    pub kind: StreamKind,
    /// Its codec in the source.
    pub codec: String,
    /// Its codec in the output, unless it is dropped.
    pub output_codec: Option<String>,
    /// Its language.
    pub language: Option<String>,
    /// What is done.
    pub action: Action,
    /// Why, where that is not plain.
    pub reason: Option<String>,
    #[serde(skip)]
    pub(crate) task: Task,
}

/// The work behind an [`Action`].
#[derive(Clone, Debug)]
pub(crate) enum Task {
    EncodeVideo,
    EncodeAudio(SoundPlan),
    CopyAudio(CodecMapping),
    CopySubtitle { codec_id: String, codec_private: Vec<u8> },
    ConvertSubtitle,
    Attach,
    Drop,
}

impl Task {
    /// The Matroska CodecID of the track this makes, where its video is coded as FFmpeg's `video`; `None` where it makes
    /// none.
    pub(crate) fn codec_id(&self, video: Option<&str>) -> Option<String> {
        Some(match self {
            Task::EncodeVideo => container::codec::video_codec_id(video?)?.to_owned(),
            Task::EncodeAudio(plan) => container::codec::sound_codec_id(plan.codec_name())?.to_owned(),
            Task::CopyAudio(mapping) => mapping.codec_id.to_owned(),
            Task::CopySubtitle { codec_id, .. } => codec_id.clone(),
            Task::ConvertSubtitle => "S_TEXT/UTF8".to_owned(),
            Task::Attach | Task::Drop => return None,
        })
    }
}

impl StreamDecision {
    /// The same, with the main video coded as FFmpeg's `codec` instead of AV1.
    pub(crate) fn coded_as(&self, codec: &str) -> Self {
        let mut decision = self.clone();
        if matches!(self.task, Task::EncodeVideo) {
            decision.output_codec = Some(codec.to_owned());
        }
        decision
    }

    /// The same in a file of `format`, which may hold less than Matroska does.
    pub(crate) fn kept_in(&self, format: Format) -> Self {
        if format == Format::Matroska {
            return self.clone();
        }
        let name = format.name();
        let text = codec_is_text_subtitle(&self.codec);
        let (task, action, output_codec, reason) = match (&self.task, format) {
            (Task::CopySubtitle { .. } | Task::ConvertSubtitle, Format::Mp4) if text => {
                let reason = format!("{name} holds subtitles as mov_text");
                (Task::ConvertSubtitle, Action::Converted, Some("mov_text".to_owned()), Some(reason))
            }
            (Task::CopySubtitle { .. } | Task::ConvertSubtitle, _) => {
                dropped(format!("{name} cannot carry {}: Matroska can", self.codec))
            }
            (Task::Attach, _) if !format.holds_attachment(self.output_codec.as_deref().unwrap_or_default()) => {
                dropped(format!("{name} holds no such attachments: Matroska does"))
            }
            (Task::Attach, Format::Mp4) => {
                let reason = format!("{name} holds it as a cover, without its name");
                (Task::Attach, Action::Converted, self.output_codec.clone(), Some(reason))
            }
            (Task::Drop, Format::MpegTs) if self.action == Action::Converted => {
                dropped(format!("{name} holds no chapters: Matroska and MP4 do"))
            }
            (Task::Drop, _) if self.kind == StreamKind::Data && self.action == Action::Dropped => {
                dropped(format!("{name} has no place for it here"))
            }
            _ => return self.clone(),
        };
        StreamDecision { task, action, output_codec, reason, ..self.clone() }
    }

    /// The Matroska CodecID of the track it makes; `None` where it makes none.
    pub(crate) fn codec_id(&self) -> Option<String> {
        self.task.codec_id(self.output_codec.as_deref())
    }
}

/// How Matroska itself names a track that FFmpeg does not know: CodecID and CodecPrivate by stream index.
pub(crate) type UnknownCodecs = std::collections::HashMap<usize, (String, Vec<u8>)>;

/// What is asked of audio tracks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoundWish<'a> {
    pub(crate) mode: AudioMode,
    /// Whether their loudness is changed, for which they have to be encoded.
    pub(crate) levelled: bool,
    /// What they are encoded to.
    pub(crate) options: SoundOptions,
    /// The formats of the files they go into, all of them.
    pub(crate) formats: &'a [Format],
}

impl<'a> SoundWish<'a> {
    /// Of a run into files of these formats.
    pub(crate) fn of(settings: &EncodeSettings, formats: &'a [Format]) -> Self {
        let bitrate = settings.audio_bitrate.map(|kbps| kbps * 1000);
        let options =
            SoundOptions { codec: settings.audio_codec, downmix: settings.downmix, bitrate, ..SoundOptions::default() };
        SoundWish { mode: settings.audio, levelled: settings.loudness.target().is_some(), options, formats }
    }

    /// The first of the formats that cannot hold the sound of this stream as it is.
    fn refusing_copy(&self, stream: &StreamInfo) -> Option<Format> {
        let holds = |format: &Format| format.holds_copied_sound(&stream.codec, &stream.extradata);
        self.formats.iter().copied().find(|format| !holds(format))
    }

    /// The first of the formats that cannot hold sound of this codec.
    fn refusing(&self, codec: &str) -> Option<Format> {
        self.formats.iter().copied().find(|format| !format.holds_sound(codec))
    }
}

/// Decides for every stream of `info`.
pub(crate) fn decide(info: &MediaInfo, wish: SoundWish<'_>, unknown: &UnknownCodecs) -> Vec<StreamDecision> {
    let main = main_video(info);
    info.streams
        .iter()
        .map(|stream| {
            let (task, action, output_codec, reason) = match stream.kind {
                StreamKind::Video if Some(stream.index) == main => {
                    (Task::EncodeVideo, Action::Encoded, Some("av1".to_owned()), why_main(info))
                }
                StreamKind::Video => dropped("the output holds one video track, and this is not the main one"),
                StreamKind::Audio => in_company(info, stream, audio(stream, wish)),
                StreamKind::Subtitle => subtitle(stream, unknown.get(&stream.index)),
                StreamKind::Attachment => attachment(info, stream),
                _ if stream.holds_chapters => (Task::Drop, Action::Converted, Some("chapters".to_owned()), None),
                StreamKind::Data => dropped("Matroska has no place for data streams"),
            };
            StreamDecision {
                index: stream.index,
                kind: stream.kind,
                codec: stream.codec.clone(),
                output_codec,
                language: stream.language.clone(),
                action,
                reason,
                task,
            }
        })
        .collect()
}

/// The decisions in the order of the output's tracks: the main video first, the others as in the source.
pub(crate) fn in_track_order(decisions: &[StreamDecision]) -> Vec<&StreamDecision> {
    let mut order: Vec<_> = decisions.iter().collect();
    order.sort_by_key(|d| !matches!(d.task, Task::EncodeVideo));
    order
}

type StreamVerdict = (Task, Action, Option<String>, Option<String>);

fn dropped(reason: impl Into<String>) -> StreamVerdict {
    (Task::Drop, Action::Dropped, None, Some(reason.into()))
}

/// Refuses what cannot be made of the sound of `info`: a codec that the library cannot encode to or a file cannot hold, layouts
/// that the codec does not have.
///
/// # Errors
/// `Unsupported`, saying what to install or to ask for; `Usage` for a codec that a file cannot hold.
pub(crate) fn check_sound(info: &MediaInfo, wish: SoundWish<'_>) -> Result<()> {
    check_encoder(wish.options.codec)?;
    let codec = codec_name(wish.options.codec);
    if let Some(format) = wish.refusing(codec) {
        return Err(Error::new(ErrorKind::Usage, format!("{} cannot carry sound in {codec}", format.name())));
    }
    let mut sound = info.streams.iter().filter(|stream| stream.kind == StreamKind::Audio);
    sound.try_for_each(|stream| encoded_or_copied(stream, wish).map(drop).map_err(|e| e.with_stream(stream.index)))
}

fn audio(stream: &StreamInfo, wish: SoundWish<'_>) -> StreamVerdict {
    encoded_or_copied(stream, wish).unwrap_or_else(|error| dropped(error.to_string()))
}

/// What becomes of a track; an error where the codec that is asked for does not hold it.
fn encoded_or_copied(stream: &StreamInfo, wish: SoundWish<'_>) -> Result<StreamVerdict> {
    let SoundWish { mode, levelled, options, .. } = wish;
    let refusing = wish.refusing_copy(stream);
    let mapping = container::codec::for_copy(&stream.codec, &stream.extradata)
        .map(|mapping| with_delay(mapping, stream))
        .filter(|_| refusing.is_none());
    let copied = |mapping: CodecMapping, reason: Option<String>| {
        Ok((Task::CopyAudio(mapping), Action::Kept, Some(stream.codec.clone()), reason))
    };
    let layout = stream.audio.as_ref().filter(|a| a.channels > 0 && a.sample_rate > 0);
    let plan = layout.map(|layout| SoundPlan::new(layout, options));
    let mixed = plan.as_ref().is_some_and(|plan| plan.as_ref().is_ok_and(|plan| plan.layout.mixes_down()));
    if stream.codec == codec_name(options.codec)
        && !levelled
        && !mixed
        && options.bitrate.is_none()
        && let Some(mapping) = mapping
    {
        return copied(mapping, Some(format!("already {}", options.codec.title())));
    }
    if mode == AudioMode::Copy
        && let Some(mapping) = mapping
    {
        return copied(mapping, None);
    }
    let Some((layout, plan)) = layout.zip(plan) else {
        return Ok(dropped("its channels and sample rate are unknown: nothing of it can be decoded"));
    };
    match plan {
        Ok(plan) => {
            let mut reason = plan.note(layout.sample_rate);
            if mode == AudioMode::Copy {
                let format = refusing.unwrap_or(Format::Matroska).name();
                reason = Some(format!("{format} cannot carry {} as it is", stream.codec));
            }
            let codec = plan.codec_name().to_owned();
            Ok((Task::EncodeAudio(plan), Action::Encoded, Some(codec), reason))
        }
        // Opus has a layout for all that can be heard.
        Err(error) if options.codec == SoundCodec::Opus => Ok(dropped(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Says where a source plays `stream` and another at the same time. Matroska's tracks of a kind are chosen from.
fn in_company(info: &MediaInfo, stream: &StreamInfo, verdict: StreamVerdict) -> StreamVerdict {
    let (task, action, codec, reason) = verdict;
    let beside = |other: &&StreamInfo| {
        let groups = stream.alternate_group.zip(other.alternate_group);
        let both = stream.disposition.default && other.disposition.default;
        other.kind == StreamKind::Audio && both && groups.is_some_and(|(a, b)| a != b)
    };
    let Some(other) = info.streams.iter().find(beside) else { return (task, action, codec, reason) };
    let said = format!(
        "the source plays it together with stream {}, of another alternate group: in Matroska one of them is chosen",
        other.index
    );
    let reason = reason.map_or(said.clone(), |reason| format!("{reason}; {said}"));
    (task, action, codec, Some(reason))
}

/// The delay that a source's container says of its sound. Opus says its own.
fn with_delay(mapping: CodecMapping, stream: &StreamInfo) -> CodecMapping {
    let audio = stream.audio.as_ref().filter(|a| mapping.codec_delay_ns == 0 && a.sample_rate > 0);
    match audio {
        Some(a) => {
            let ns = u64::from(a.initial_padding) * 1_000_000_000 / u64::from(a.sample_rate);
            CodecMapping { codec_delay_ns: ns, ..mapping }
        }
        None => mapping,
    }
}

/// What becomes of subtitles: text and pictures are kept as they are where Matroska can carry them, other text is
/// converted, and what nothing can be made of is named.
fn subtitle(stream: &StreamInfo, unknown: Option<&(String, Vec<u8>)>) -> StreamVerdict {
    let mapping = container::codec::for_copy(&stream.codec, &stream.extradata);
    // FFmpeg takes SubStation Alpha for its younger form; the header in its CodecPrivate is of the older one.
    if let Some((codec_id, _)) = unknown.filter(|_| mapping.is_some()) {
        let task = Task::CopySubtitle { codec_id: codec_id.clone(), codec_private: stream.extradata.clone() };
        return (task, Action::Kept, Some("ssa".to_owned()), None);
    }
    if let Some(mapping) = mapping {
        let task = Task::CopySubtitle { codec_id: mapping.codec_id.to_owned(), codec_private: mapping.codec_private };
        return (task, Action::Kept, Some(stream.codec.clone()), None);
    }
    if let Some((codec_id, codec_private)) = unknown {
        let task = Task::CopySubtitle { codec_id: codec_id.clone(), codec_private: codec_private.clone() };
        return (task, Action::Kept, Some(codec_id.clone()), Some("kept as the source's Matroska names it".to_owned()));
    }
    // Matroska keeps the dialog style segment of TextST as CodecPrivate (Matroska codec specifications, S_HDMV/TEXTST).
    if stream.codec == "hdmv_text_subtitle" {
        return dropped("it comes without the dialog style segment that Blu-ray text subtitles are shown with");
    }
    if !has_decoder(&stream.codec) {
        return dropped(format!("Matroska cannot carry {}, and FFmpeg has no decoder for it", stream.codec));
    }
    if codec_is_text_subtitle(&stream.codec) {
        let reason = format!("Matroska cannot carry {}", stream.codec);
        return (Task::ConvertSubtitle, Action::Converted, Some("subrip".to_owned()), Some(reason));
    }
    dropped(format!("Matroska cannot carry {}, and it holds pictures, which cannot become text", stream.codec))
}

fn attachment(info: &MediaInfo, stream: &StreamInfo) -> StreamVerdict {
    match info.attachments.iter().find(|a| a.stream == stream.index) {
        Some(a) if !a.data.is_empty() => (Task::Attach, Action::Kept, Some(a.mime.clone()), None),
        _ => dropped("the attachment is empty"),
    }
}

/// SubStation Alpha before version 4+.
const SSA: &str = "S_TEXT/SSA";

/// Asks the Matroska file itself about tracks whose codec FFmpeg does not know (`S_TEXT/WEBVTT` before 6.1), or gives the
/// name of another (`S_TEXT/SSA`).
pub(crate) fn unknown_codecs(path: &Path, info: &MediaInfo) -> UnknownCodecs {
    let strange = |s: &&StreamInfo| s.kind == StreamKind::Subtitle && matches!(s.codec.as_str(), "unknown" | "ass");
    if !info.container.contains("matroska") || !info.streams.iter().any(|s| strange(&s)) {
        return UnknownCodecs::new();
    }
    let Ok(tracks) = codec_ids(path) else { return UnknownCodecs::new() };
    // FFmpeg makes a stream of each video, audio and subtitle track, in the file's order.
    let carried = tracks.into_iter().filter(|t| t.kind.is_some());
    let streams = info.streams.iter().filter(|s| s.kind != StreamKind::Attachment || s.video.is_some());
    streams
        .zip(carried)
        .filter(|(s, t)| strange(s) && t.kind == Some(s.kind))
        .filter(|(s, t)| match s.codec.as_str() {
            "ass" => t.codec_id == SSA,
            _ => t.codec_id.starts_with("S_TEXT/"),
        })
        .map(|(s, t)| (s.index, (t.codec_id, t.codec_private)))
        .collect()
}
