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

use super::chunked::Chunks;
use super::crew::Crew;
use super::demux::{Demux, Route};
use super::job::Job;
use super::look::Look;
use super::mux::{Mux, MuxMessage};
use super::picture::{Check, Convert, Decode, Encode};
use super::queue::{Sender, queue};
use super::sound::Sound;
use super::stage::StageMeter;
use super::streams::{StreamDecision, Task, in_track_order};
use super::tally::{Film, Tally};
use super::treatment::Treat;
use crate::audio::{AudioConfig, AudioEncoder};
use crate::av::{DecoderOptions, Hardware, Input, InputPacket, SubtitleConverter};
use crate::base::{Error, ErrorKind, Result};
use crate::config::{self, EncodeSettings};
use crate::container::{AudioTrack, MuxHeader, SubtitleTrack, Track, TrackKind, VideoTrack, tags};
use crate::media::{Frame, MediaInfo, PacketData, StreamInfo};
use crate::pixel::Converter;
use crate::source::{AudioDecoder, Hwaccel, VideoDecoder, VideoOptions};

/// Pictures a queue holds: enough to smooth the decoder's bursts, few enough not to matter beside the
/// encoder's own look-ahead.
const FRAMES: usize = 4;
const FRAME_BYTES: usize = 192 << 20;
const PACKETS: usize = 256;
const PACKET_BYTES: usize = 16 << 20;

/// More decoder threads than this do not feed one encoder faster; each costs pictures of memory.
const MAX_DECODER_THREADS: usize = 8;

/// How the source is decoded beside the encoder: with threads on half the cores. The encoder is many times slower than any decoder, and
/// frame threads it does not need cost time (on two cores, two threads took half as much again as one).
pub(super) fn decoder_options() -> DecoderOptions {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    DecoderOptions { threads: (cores / 2).clamp(1, MAX_DECODER_THREADS) as u32, ..DecoderOptions::default() }
}

/// The same for the one pass that feeds the encoders, in hardware where that is asked for.
///
/// # Errors
/// `Usage` for hardware nobody knows.
pub(super) fn video_options(settings: &EncodeSettings) -> Result<VideoOptions> {
    let hwaccel = match &settings.hwaccel {
        config::Hwaccel::Off => Hwaccel::Off,
        config::Hwaccel::Auto => Hwaccel::Auto,
        config::Hwaccel::Named(name) => {
            let known = Hardware::ALL.map(|h| h.name()).join(", ");
            let unknown = || Error::new(ErrorKind::Usage, format!("no hardware {name:?} is known, only {known}"));
            Hwaccel::Named(Hardware::parse(name).ok_or_else(unknown)?)
        }
    };
    Ok(VideoOptions { decoder: decoder_options(), hwaccel })
}

/// Everything a run starts from.
pub(super) struct Plan<'a> {
    pub(super) settings: &'a EncodeSettings,
    pub(super) info: &'a MediaInfo,
    pub(super) decisions: &'a [StreamDecision],
    pub(super) look: &'a Look,
    pub(super) path: &'a Path,
    /// The picture track, where it is encoded already.
    pub(super) finished: Option<FinishedPicture>,
}

/// A picture track whose chunks are in a job directory.
pub(super) struct FinishedPicture {
    pub(super) job: Arc<Job>,
    pub(super) film: Film,
}

/// Starts all stages of `plan` in `crew`.
pub(super) fn start(crew: &mut Crew, plan: &Plan<'_>, input: Input, file: File, tally: &Arc<Tally>) -> Result<()> {
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
    plan: &Plan<'_>,
    track: usize,
    mux: &Sender<MuxMessage>,
    tally: &Arc<Tally>,
) -> Result<()> {
    let Some(finished) = &plan.finished else { return Ok(()) };
    let chunks = StageMeter::new("chunks");
    let state = Chunks {
        job: Arc::clone(&finished.job),
        film: finished.film.clone(),
        video: plan.look.video()?.clone(),
        dolby_vision: plan.look.record(),
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
    plan: &Plan<'_>,
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

    let decoder = VideoDecoder::open(input, stream, video_options(plan.settings)?)?;
    let state = Decode { decoder, packets, frames: frame_sender, tally: Arc::clone(tally) };
    crew.spawn("decode", &decode, state, |s, meter| s.run(meter))?;
    let treatment = plan.look.treatment;
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
        stream: plan.look.stream.clone(),
        dolby_vision: plan.look.record(),
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
    header: MuxHeader,
    video: usize,
    /// Source stream index of each track.
    sources: Vec<usize>,
    /// Encoders, made early because the header needs their pre-skip.
    encoders: std::cell::RefCell<std::collections::HashMap<usize, AudioEncoder>>,
}

impl Tracks {
    fn new(plan: &Plan<'_>) -> Result<Self> {
        let mut tracks = Tracks { header: header(plan), video: 0, sources: Vec::new(), encoders: Default::default() };
        for decision in in_track_order(plan.decisions) {
            let stream = &plan.info.streams[decision.index];
            let Some(kind) = tracks.kind(decision, stream)? else { continue };
            let recoded = !matches!(decision.task, Task::CopyAudio(_) | Task::CopySubtitle { .. });
            let mut held = tags::track_tags(&stream.tags, recoded);
            let treatment = &plan.look.treatment;
            if matches!(decision.task, Task::EncodeVideo) && treatment.is_cropped() {
                held.push((tags::CROP.to_owned(), treatment.crop.to_string()));
            }
            tracks.header.tracks.push(Track {
                kind,
                language: stream.language.clone(),
                title: stream.title.clone(),
                disposition: stream.disposition,
                tags: held,
            });
            tracks.sources.push(decision.index);
        }
        Ok(tracks)
    }

    fn kind(&self, decision: &StreamDecision, stream: &StreamInfo) -> Result<Option<TrackKind>> {
        let audio = stream.audio.as_ref();
        Ok(Some(match &decision.task {
            Task::EncodeVideo => TrackKind::Video(unknown_video()),
            Task::EncodeAudio(plan) => {
                let encoder = AudioEncoder::new(AudioConfig {
                    plan: plan.clone(),
                    bitrate: None,
                    source_rate: audio.map_or(48_000, |a| a.sample_rate),
                    start: stream.start,
                })
                .map_err(|e| e.with_stream(stream.index))?;
                let track = AudioTrack::opus(&encoder.head().to_bytes())
                    .ok_or_else(|| Error::new(ErrorKind::Encode, "the Opus header cannot be read back"))?;
                self.encoders.borrow_mut().insert(stream.index, encoder);
                TrackKind::Audio(track)
            }
            Task::CopyAudio(mapping) => TrackKind::Audio(AudioTrack::copied(
                mapping.clone(),
                audio.map_or(2, |a| a.channels),
                audio.map_or(48_000, |a| a.sample_rate),
                audio.and_then(|a| a.bits),
            )),
            Task::CopySubtitle { codec_id, codec_private } => {
                TrackKind::Subtitle(SubtitleTrack::new(codec_id.clone(), codec_private.clone()))
            }
            Task::ConvertSubtitle => TrackKind::Subtitle(SubtitleTrack::new("S_TEXT/UTF8", Vec::new())),
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

/// A place for the video track until the encoder says how it is coded.
fn unknown_video() -> VideoTrack {
    VideoTrack {
        codec_private: Vec::new(),
        width: 0,
        height: 0,
        sample_aspect_ratio: None,
        color: Default::default(),
        hdr: Default::default(),
        bits_per_channel: None,
        rotation: 0,
        default_duration_ns: None,
        field_order: Default::default(),
        dolby_vision: None,
    }
}

fn header(plan: &Plan<'_>) -> MuxHeader {
    let app = format!("drapto {}", env!("CARGO_PKG_VERSION"));
    let attached = |stream: usize| plan.decisions.iter().any(|d| d.index == stream && matches!(d.task, Task::Attach));
    MuxHeader {
        title: plan.info.title.clone(),
        muxing_app: app.clone(),
        writing_app: app,
        tracks: Vec::new(),
        chapters: plan.info.chapters.clone(),
        attachments: plan.info.attachments.iter().filter(|a| attached(a.stream)).cloned().collect(),
        tags: tags::file_tags(&plan.info.tags),
    }
}
