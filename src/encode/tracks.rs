//! The tracks of a pass: what each of its files is to hold, before the encoder says how its picture is coded.

use std::collections::{BTreeMap, HashMap};

use crate::audio::{AudioConfig, AudioEncoder};
use crate::base::{Error, ErrorKind, Result, Span};
use crate::container::{codec::for_copy, tags};
use crate::media::{
    AudioTrackParams, FileParams, MediaInfo, StreamInfo, SubtitleTrackParams, TrackCodec, TrackKind, TrackParams,
    VideoTrackParams,
};
use crate::plan::{SoundLevel, Treatment};
use crate::stages::describe::FileDescription;
use crate::stages::streams::{StreamDecision, Task};

/// The tracks that the files of a pass are filled from.
pub(super) struct Tracks<'a> {
    info: &'a MediaInfo,
    /// How each source stream is coded, by group of files that have the same sound; subtitles as Matroska has them.
    kinds: Vec<BTreeMap<usize, TrackKind>>,
    /// Encoders by group and stream, made early because the header needs their delay.
    encoders: HashMap<(usize, usize), AudioEncoder>,
}

/// What becomes of streams in the files of a group, and what is done to their loudness.
type GroupPlan<'a> = (&'a [StreamDecision], &'a BTreeMap<usize, SoundLevel>);

impl<'a> Tracks<'a> {
    pub(super) fn new(info: &'a MediaInfo, groups: &[GroupPlan<'_>]) -> Result<Self> {
        let mut tracks = Tracks { info, kinds: Vec::new(), encoders: HashMap::new() };
        for (group, (decisions, levels)) in groups.iter().enumerate() {
            let mut kinds = BTreeMap::new();
            for decision in *decisions {
                let Some(stream) = info.streams.get(decision.index) else { continue };
                if let Some(kind) = tracks.kind(group, decision, levels.get(&stream.index).copied(), stream)? {
                    kinds.insert(decision.index, kind);
                }
            }
            tracks.kinds.push(kinds);
        }
        Ok(tracks)
    }

    fn kind(
        &mut self,
        group: usize,
        decision: &StreamDecision,
        level: Option<SoundLevel>,
        stream: &StreamInfo,
    ) -> Result<Option<TrackKind>> {
        let audio = stream.audio.as_ref();
        Ok(Some(match &decision.task {
            // A place for the video track until the encoder says how it is coded.
            Task::EncodeVideo => TrackKind::Video(VideoTrackParams::new("av1", Vec::new(), 0, 0)),
            Task::EncodeAudio(plan) => {
                let encoder = AudioEncoder::new(AudioConfig {
                    plan: plan.clone(),
                    source_rate: audio.map_or(48_000, |a| a.sample_rate),
                    start: stream.start,
                    level,
                })
                .map_err(|e| e.with_stream(stream.index))?;
                let track = encoder.track().map_err(|e| e.with_stream(stream.index))?;
                self.encoders.insert((group, stream.index), encoder);
                TrackKind::Audio(track)
            }
            Task::CopyAudio(mapping) => TrackKind::Audio(AudioTrackParams {
                bit_depth: audio.and_then(|a| a.bits),
                codec_delay: Some(mapping.codec_delay()),
                seek_pre_roll: Some(mapping.seek_pre_roll()),
                ..AudioTrackParams::new(
                    stream.codec.as_str(),
                    stream.extradata.clone(),
                    audio.map_or(2, |a| a.channels),
                    audio.map_or(48_000, |a| a.sample_rate),
                )
            }),
            Task::CopySubtitle { codec_id, codec_private } => {
                TrackKind::Subtitle(match for_copy(&stream.codec, &stream.extradata) {
                    Some(mapping) if mapping.codec_id == codec_id.as_str() => {
                        SubtitleTrackParams::new(stream.codec.as_str(), stream.extradata.clone())
                    }
                    _ => SubtitleTrackParams::new(TrackCodec::Matroska(codec_id.clone()), codec_private.clone()),
                })
            }
            Task::ConvertSubtitle => text(),
            Task::Attach | Task::Drop => return Ok(None),
        }))
    }

    /// What a file is to hold: how its picture was cropped is for whoever verifies it later.
    pub(super) fn params_of(
        &self,
        group: usize,
        (decisions, said): (&[StreamDecision], &FileDescription),
        treatment: &Treatment,
        start: Span,
    ) -> FileParams {
        let mut params = params(self.info, decisions, said);
        for chapter in &mut params.chapters {
            (chapter.start, chapter.end) = (chapter.start.plus(start), chapter.end.plus(start));
        }
        params.editions.iter_mut().for_each(|edition| edition.later(start));
        for said in &said.tracks {
            let Some(kind) = self.kinds.get(group).and_then(|kinds| kinds.get(&said.stream)) else { continue };
            let converted = decisions.iter().any(|d| d.index == said.stream && matches!(d.task, Task::ConvertSubtitle));
            let mut track = TrackParams {
                kind: if converted { text() } else { kind.clone() },
                language: said.language.clone(),
                title: said.title.clone(),
                disposition: said.disposition,
                tags: said.tags.clone(),
            };
            if matches!(kind, TrackKind::Video(_)) && treatment.is_cropped() {
                track.tags.push((tags::CROP.to_owned(), treatment.crop.to_string()));
            }
            params.tracks.push(track);
        }
        params
    }

    /// The encoder of an audio stream for a group of files; there is one a pass.
    pub(super) fn encoder(&mut self, group: usize, stream: usize) -> Result<AudioEncoder> {
        let missing = || Error::new(ErrorKind::Encode, "no encoder was made for this stream").with_stream(stream);
        self.encoders.remove(&(group, stream)).ok_or_else(missing)
    }
}

/// Text, as subtitles are converted to it.
fn text() -> TrackKind {
    TrackKind::Subtitle(SubtitleTrackParams::new("subrip", Vec::new()))
}

fn params(info: &MediaInfo, decisions: &[StreamDecision], said: &FileDescription) -> FileParams {
    let app = format!("drapto {}", env!("CARGO_PKG_VERSION"));
    let attached = |stream: usize| decisions.iter().any(|d| d.index == stream && matches!(d.task, Task::Attach));
    FileParams {
        title: said.title.clone(),
        muxing_app: app.clone(),
        writing_app: app,
        tracks: Vec::new(),
        chapters: said.chapters.clone(),
        editions: said.editions.clone(),
        tag_entries: said.tag_entries.clone(),
        attachments: info.attachments.iter().filter(|a| attached(a.stream)).cloned().collect(),
        tags: said.tags.clone(),
    }
}
