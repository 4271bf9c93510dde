//! Wires the stages of one run together.
//!
//! ```text
//! demux ─► decode ─► convert ─► encode ─► mux ─► file
//!   │                              └────► check
//!   ├────► audio (one a track) ────────► mux
//!   └────► copied packets ─────────────► mux
//! ```

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::audio::{AudioConfig, AudioEncoder};
use crate::av::{Input, InputPacket, SubtitleConverter};
use crate::base::{Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::container::{codec::for_copy, tags};
use crate::media::{
    AudioTrackParams, FileParams, Frame, MediaInfo, PacketData, StreamInfo, SubtitleTrackParams, TrackCodec, TrackKind,
    TrackParams, VideoTrackParams,
};
use crate::pixel::Converter;
use crate::plan::PicturePlan;
use crate::search::Chunks;
use crate::source::{AudioDecoder, VideoDecoder, video_options};
use crate::stages::crew::Crew;
use crate::stages::demux::{Demux, Route};
use crate::stages::mux::{Mux, MuxMessage};
use crate::stages::picture::{Check, Convert, Decode, Encode};
use crate::stages::queue::{Sender, queue};
use crate::stages::sound::Sound;
use crate::stages::stage::StageMeter;
use crate::stages::streams::{StreamDecision, Task, in_track_order};
use crate::stages::tally::{Film, Tally};
use crate::stages::treat::{Treat, dolby_vision_record};
use crate::store::job::Job;
use crate::syntax::opus;

/// Pictures a queue holds: enough to smooth the decoder's bursts, few enough not to matter beside the
/// encoder's own look-ahead.
const FRAMES: usize = 4;
const FRAME_BYTES: usize = 192 << 20;
const PACKETS: usize = 256;
const PACKET_BYTES: usize = 16 << 20;

/// Everything a run starts from.
pub(crate) struct PipelinePlan<'a> {
    pub(crate) settings: &'a EncodeSettings,
    pub(crate) info: &'a MediaInfo,
    pub(crate) decisions: &'a [StreamDecision],
    pub(crate) picture: &'a PicturePlan,
    pub(crate) path: &'a Path,
    /// The picture track, where it is encoded already.
    pub(crate) finished: Option<FinishedPicture>,
}

/// A picture track whose chunks are in a job directory.
pub(crate) struct FinishedPicture {
    pub(crate) job: Arc<Job>,
    pub(crate) film: Film,
}

/// Starts all stages of `plan` in `crew`.
pub(crate) fn start(
    crew: &mut Crew,
    plan: &PipelinePlan<'_>,
    input: Input,
    file: File,
    tally: &Arc<Tally>,
) -> Result<()> {
    let tracks = Tracks::new(plan)?;
    let meter = |name: &str| StageMeter::new(name);
    let (demux, mux) = (meter("demux"), meter("mux"));
    let (to_mux, messages) = queue::<MuxMessage>(PACKETS, PACKET_BYTES, crew.cancel(), &demux, &mux);

    let mut routes = Vec::new();
    for decision in plan.decisions {
        let stream = &plan.info.streams[decision.index];
        let track = tracks.number(decision.index);
        routes.push(match (&decision.task, track) {
            (Task::EncodeVideo, Some(track)) if plan.finished.is_some() => {
                start_chunks(crew, plan, track, &to_mux, tally)?;
                Route::Skip
            }
            (Task::EncodeVideo, Some(track)) => {
                Route::Decode(start_video(crew, plan, &input, stream, track, &demux, &to_mux, tally)?)
            }
            (Task::EncodeAudio(_), Some(track)) => {
                let encoder = tracks.encoder(decision.index)?;
                Route::Decode(start_audio(crew, &input, stream, track, encoder, &demux, &to_mux, tally)?)
            }
            (Task::CopyAudio(mapping), Some(track)) => Route::CopyAudio { track, delay_ns: mapping.codec_delay_ns },
            (Task::CopySubtitle { codec_id, .. }, Some(track)) => {
                Route::CopySubtitle { track, webvtt: codec_id == "S_TEXT/WEBVTT" }
            }
            (Task::ConvertSubtitle, Some(track)) => {
                Route::ConvertSubtitle { track, converter: SubtitleConverter::open(&input, decision.index)? }
            }
            _ => Route::Skip,
        });
    }
    let main = tracks.sources.get(tracks.video).copied().unwrap_or(0);
    // The main video's times pace the tracks that come seldom, also where nothing else is wanted of it.
    let wanted: Vec<usize> =
        routes.iter().enumerate().filter(|(i, r)| *i == main || !matches!(r, Route::Skip)).map(|(i, _)| i).collect();
    let mut input = input;
    input.keep_only(&wanted);

    let state = Mux {
        messages,
        video_track: tracks.video,
        header: tracks.header,
        file: Some(file),
        path: plan.path.to_path_buf(),
        tally: Arc::clone(tally),
    };
    crew.spawn("mux", &mux, state, |s, meter| s.run(meter))?;
    let state = Demux { input, routes, main, mux: to_mux, tally: Arc::clone(tally), cancel: crew.cancel().clone() };
    crew.spawn("demux", &demux, state, |s, meter| s.run(meter))
}

fn start_chunks(
    crew: &mut Crew,
    plan: &PipelinePlan<'_>,
    track: usize,
    mux: &Sender<MuxMessage>,
    tally: &Arc<Tally>,
) -> Result<()> {
    let Some(finished) = &plan.finished else { return Ok(()) };
    let chunks = StageMeter::new("chunks");
    let state = Chunks {
        job: Arc::clone(&finished.job),
        film: finished.film.clone(),
        video: plan.picture.video()?.clone(),
        dolby_vision: dolby_vision_record(&plan.picture.treatment, plan.picture.video()?),
        track,
        mux: mux.for_stage(&chunks),
        tally: Arc::clone(tally),
        cancel: crew.cancel().clone(),
    };
    crew.spawn("chunks", &chunks, state, |s, meter| s.run(meter))
}

#[allow(clippy::too_many_arguments)] // The ends of a pipeline meet here and nowhere else.
fn start_video(
    crew: &mut Crew,
    plan: &PipelinePlan<'_>,
    input: &Input,
    stream: &StreamInfo,
    track: usize,
    demux: &Arc<StageMeter>,
    mux: &Sender<MuxMessage>,
    tally: &Arc<Tally>,
) -> Result<Sender<InputPacket>> {
    let [decode, convert, encode, check] = ["decode", "convert", "encode", "check"].map(StageMeter::new);
    let cancel = crew.cancel().clone();
    let (packet_sender, packets) = queue::<InputPacket>(PACKETS, PACKET_BYTES, &cancel, demux, &decode);
    let (frame_sender, frames) = queue::<Frame>(FRAMES, FRAME_BYTES, &cancel, &decode, &convert);
    let (converted_sender, converted) = queue::<Frame>(FRAMES, FRAME_BYTES, &cancel, &convert, &encode);
    let (check_sender, to_check) = queue::<PacketData>(PACKETS, PACKET_BYTES, &cancel, &encode, &check);

    let decoder = VideoDecoder::open(input, stream, video_options(&plan.settings.hwaccel)?)?;
    let state = Decode { decoder, packets, frames: frame_sender, tally: Arc::clone(tally) };
    crew.spawn("decode", &decode, state, |s, meter| s.run(meter))?;
    let treatment = plan.picture.treatment;
    let state = Convert {
        treat: Treat::new(treatment),
        converter: Converter::to_depth(treatment.depth),
        frames,
        converted: converted_sender,
        tally: Arc::clone(tally),
    };
    crew.spawn("convert", &convert, state, |s, meter| s.run(meter))?;
    let state = Encode {
        settings: plan.settings.clone(),
        stream: plan.picture.stream.clone(),
        dolby_vision: dolby_vision_record(&plan.picture.treatment, plan.picture.video()?),
        track,
        frames: converted,
        mux: mux.for_stage(&encode),
        check: check_sender,
        tally: Arc::clone(tally),
        cancel,
    };
    crew.spawn("encode", &encode, state, |s, meter| s.run(meter))?;
    let state = Check { packets: to_check, tally: Arc::clone(tally) };
    crew.spawn("check", &check, state, |s, meter| s.run(meter))?;
    Ok(packet_sender)
}

#[allow(clippy::too_many_arguments)] // As above.
fn start_audio(
    crew: &mut Crew,
    input: &Input,
    stream: &StreamInfo,
    track: usize,
    encoder: AudioEncoder,
    demux: &Arc<StageMeter>,
    mux: &Sender<MuxMessage>,
    tally: &Arc<Tally>,
) -> Result<Sender<InputPacket>> {
    let audio = StageMeter::new(format!("audio {}", stream.index));
    let (sender, packets) = queue::<InputPacket>(PACKETS, PACKET_BYTES, crew.cancel(), demux, &audio);
    let state = Sound {
        stream: stream.index,
        track,
        decoder: AudioDecoder::open(input, stream.index)?,
        encoder: Some(encoder),
        packets,
        mux: mux.for_stage(&audio),
        tally: Arc::clone(tally),
    };
    crew.spawn("audio", &audio, state, |s, meter| s.run(meter))?;
    Ok(sender)
}

/// The tracks of the output in the source's order, the main video first.
struct Tracks {
    header: FileParams,
    video: usize,
    /// Source stream index of each track.
    sources: Vec<usize>,
    /// Encoders, made early because the header needs their pre-skip.
    encoders: std::cell::RefCell<std::collections::HashMap<usize, AudioEncoder>>,
}

impl Tracks {
    fn new(plan: &PipelinePlan<'_>) -> Result<Self> {
        let mut tracks = Tracks { header: header(plan), video: 0, sources: Vec::new(), encoders: Default::default() };
        for decision in in_track_order(plan.decisions) {
            let stream = &plan.info.streams[decision.index];
            let Some(kind) = tracks.kind(decision, stream)? else { continue };
            let recoded = !matches!(decision.task, Task::CopyAudio(_) | Task::CopySubtitle { .. });
            tracks.header.tracks.push(TrackParams {
                kind,
                language: stream.language.clone(),
                title: stream.title.clone(),
                disposition: stream.disposition,
                tags: tags::track_tags(&stream.tags, recoded),
            });
            tracks.sources.push(decision.index);
        }
        Ok(tracks)
    }

    fn kind(&self, decision: &StreamDecision, stream: &StreamInfo) -> Result<Option<TrackKind>> {
        let audio = stream.audio.as_ref();
        Ok(Some(match &decision.task {
            // A place for the video track until the encoder says how it is coded.
            Task::EncodeVideo => TrackKind::Video(VideoTrackParams::new("av1", Vec::new(), 0, 0)),
            Task::EncodeAudio(plan) => {
                let encoder = AudioEncoder::new(AudioConfig {
                    plan: plan.clone(),
                    bitrate: None,
                    source_rate: audio.map_or(48_000, |a| a.sample_rate),
                    start: stream.start,
                })
                .map_err(|e| e.with_stream(stream.index))?;
                let track = opus::track(&encoder.head().to_bytes())
                    .ok_or_else(|| Error::new(ErrorKind::Encode, "the Opus header cannot be read back"))?;
                self.encoders.borrow_mut().insert(stream.index, encoder);
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
                    Some(_) => SubtitleTrackParams::new(stream.codec.as_str(), stream.extradata.clone()),
                    None => SubtitleTrackParams::new(TrackCodec::Matroska(codec_id.clone()), codec_private.clone()),
                })
            }
            Task::ConvertSubtitle => TrackKind::Subtitle(SubtitleTrackParams::new("subrip", Vec::new())),
            Task::Attach | Task::Drop => return Ok(None),
        }))
    }

    fn number(&self, stream: usize) -> Option<usize> {
        self.sources.iter().position(|s| *s == stream)
    }

    fn encoder(&self, stream: usize) -> Result<AudioEncoder> {
        self.encoders
            .borrow_mut()
            .remove(&stream)
            .ok_or_else(|| Error::new(ErrorKind::Encode, "no encoder was made for this stream").with_stream(stream))
    }
}

fn header(plan: &PipelinePlan<'_>) -> FileParams {
    let app = format!("drapto {}", env!("CARGO_PKG_VERSION"));
    let attached = |stream: usize| plan.decisions.iter().any(|d| d.index == stream && matches!(d.task, Task::Attach));
    FileParams {
        title: plan.info.title.clone(),
        muxing_app: app.clone(),
        writing_app: app,
        tracks: Vec::new(),
        chapters: plan.info.chapters.clone(),
        attachments: plan.info.attachments.iter().filter(|a| attached(a.stream)).cloned().collect(),
        tags: tags::file_tags(&plan.info.tags),
    }
}
