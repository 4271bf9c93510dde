//! The tracks of a pass: what each file is to hold, before the encoder says how its picture is coded.

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

/// The tracks in the source's order, the main video first: the same in every file of a pass.
pub(super) struct Tracks {
    pub(super) params: FileParams,
    /// Number of the main video.
    pub(super) video: usize,
    /// Source stream index of each track.
    pub(super) sources: Vec<usize>,
    /// Encoders, made early because the header needs their delay.
    encoders: HashMap<usize, AudioEncoder>,
    /// What is done to the loudness of a source's streams.
    levels: BTreeMap<usize, SoundLevel>,
}

impl Tracks {
    pub(super) fn new(
        info: &MediaInfo,
        decisions: &[StreamDecision],
        said: &FileDescription,
        levels: &BTreeMap<usize, SoundLevel>,
    ) -> Result<Self> {
        let mut tracks = Tracks {
            params: params(info, decisions, said),
            video: 0,
            sources: Vec::new(),
            encoders: HashMap::new(),
            levels: levels.clone(),
        };
        for track in &said.tracks {
            let Some(decision) = decisions.iter().find(|d| d.index == track.stream) else { continue };
            let Some(kind) = tracks.kind(decision, &info.streams[track.stream])? else { continue };
            tracks.params.tracks.push(TrackParams {
                kind,
                language: track.language.clone(),
                title: track.title.clone(),
                disposition: track.disposition,
                tags: track.tags.clone(),
            });
            tracks.sources.push(track.stream);
        }
        Ok(tracks)
    }

    fn kind(&mut self, decision: &StreamDecision, stream: &StreamInfo) -> Result<Option<TrackKind>> {
        let audio = stream.audio.as_ref();
        Ok(Some(match &decision.task {
            // A place for the video track until the encoder says how it is coded.
            Task::EncodeVideo => TrackKind::Video(VideoTrackParams::new("av1", Vec::new(), 0, 0)),
            Task::EncodeAudio(plan) => {
                let encoder = AudioEncoder::new(AudioConfig {
                    plan: plan.clone(),
                    source_rate: audio.map_or(48_000, |a| a.sample_rate),
                    start: stream.start,
                    level: self.levels.get(&stream.index).copied(),
                })
                .map_err(|e| e.with_stream(stream.index))?;
                let track = encoder.track().map_err(|e| e.with_stream(stream.index))?;
                self.encoders.insert(stream.index, encoder);
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
            Task::ConvertSubtitle => TrackKind::Subtitle(SubtitleTrackParams::new("subrip", Vec::new())),
            Task::Attach | Task::Drop => return Ok(None),
        }))
    }

    /// What a file is to hold whose picture is treated so, that says this of itself and begins at `start`: how it was
    /// cropped is for whoever verifies it later.
    pub(super) fn params_for(&self, treatment: &Treatment, said: &FileDescription, start: Span) -> FileParams {
        let mut params = self.params.clone();
        for chapter in &mut params.chapters {
            (chapter.start, chapter.end) = (chapter.start.plus(start), chapter.end.plus(start));
        }
        params.editions.iter_mut().for_each(|edition| edition.later(start));
        if let Some((video, said)) = params.tracks.get_mut(self.video).zip(said.tracks.get(self.video)) {
            // The only track that differs from one file of a pass to the next.
            video.tags.clone_from(&said.tags);
            if treatment.is_cropped() {
                video.tags.push((tags::CROP.to_owned(), treatment.crop.to_string()));
            }
        }
        params
    }

    /// The number of the track that is made of a source stream.
    pub(super) fn number(&self, stream: usize) -> Option<usize> {
        self.sources.iter().position(|s| *s == stream)
    }

    /// The encoder of an audio stream; there is one a pass.
    pub(super) fn encoder(&mut self, stream: usize) -> Result<AudioEncoder> {
        let missing = || Error::new(ErrorKind::Encode, "no encoder was made for this stream").with_stream(stream);
        self.encoders.remove(&stream).ok_or_else(missing)
    }
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
