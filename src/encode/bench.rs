//! Every stage of the encode path timed alone, then together.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::beside::Beside;
use super::usage::Stopwatch;
use crate::av::{Decoder, DecoderOptions, Received};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::config::EncodeSettings;
use crate::container::Writer;
use crate::event::{Event, Sink};
use crate::media::{FileParams, Frame, MediaInfo, Packet, PacketData, Shown, TrackKind, TrackParams, VideoInfo};
use crate::meter::{Model, Session, SessionConfig};
use crate::pixel::Converter;
use crate::plan::main_video;
use crate::report::Report;
use crate::source::{Pictures, Source, decoder_options};
use crate::stages::pairing::{FrameNote, Kept, PairingEncoder};
use crate::stages::progress::Pulse;
use crate::stages::spec::{encode_spec, factory, video_params};
use crate::syntax::av1;
use crate::video::{EncodeSpec, EncoderFactory, KeyRequest, VideoParams};

/// Decoded pictures are kept in memory while the stages after them are timed: at most this many bytes.
const MEMORY: usize = 1 << 30;

/// The result of [`bench()`].
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The file.
    #[serde(serialize_with = "crate::config::path_text::lossy")]
    pub input: std::path::PathBuf,
    /// Pictures each stage was given.
    pub frames: u64,
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// SVT-AV1 preset.
    pub preset: u8,
    /// Constant rate factor.
    pub crf: f64,
    /// Each stage alone, in the order of the path.
    pub stages: Vec<BenchStage>,
    /// Processor time of the stages that an encode runs beside the encoder, in percent of all stages: demux,
    /// decode, convert, check and mux, each by its time for one picture.
    pub beside_encoder_percent: Option<f64>,
    /// The whole film through the whole pipeline, verification included.
    pub together: Option<BenchStage>,
}

/// The share of an encode's processor time that is not the encoder's.
fn beside_encoder(stages: &[BenchStage]) -> Option<f64> {
    let mut beside = 0.0;
    let mut encoder = 0.0;
    for stage in stages.iter().filter(|s| s.name != "vmaf" && s.frames > 0) {
        let each = stage.cpu_s? / stage.frames as f64;
        if stage.name == "encode" { encoder += each } else { beside += each }
    }
    Some(100.0 * beside / (beside + encoder))
}

/// The speed of one stage.
#[derive(Clone, Debug, Serialize)]
pub struct BenchStage {
    /// Name.
    pub name: &'static str,
    /// Pictures (demux: packets) handled.
    pub frames: u64,
    /// Seconds taken.
    pub seconds: f64,
    /// Processor seconds taken, all threads together.
    pub cpu_s: Option<f64>,
    /// Frames a second.
    pub fps: f64,
    /// Thousand-million bytes a second: read for demux and VMAF, written for the others.
    pub gb_per_s: f64,
}

impl BenchStage {
    fn new(name: &'static str, frames: u64, bytes: u64, started: Stopwatch) -> Self {
        let seconds = started.wall().as_secs_f64().max(1e-9);
        let cpu_s = started.cpu_s();
        BenchStage {
            name,
            frames,
            seconds,
            cpu_s,
            fps: frames as f64 / seconds,
            gb_per_s: bytes as f64 / seconds / 1e9,
        }
    }
}

/// Times the stages on up to `frames` pictures of `settings.input`; the whole film goes through the pipeline
/// into `settings.output` unless `alone`.
///
/// # Errors
/// As [`encode`](super::encode()).
pub fn bench(
    settings: &EncodeSettings,
    frames: u64,
    alone: bool,
    sink: &dyn Sink,
    cancel: &CancelToken,
) -> Result<BenchReport> {
    settings.check()?;
    let say = |name| sink.event(&Event::Stage { name });
    say("demux");
    let demux = demux(&settings.input, cancel)?;
    say("decode");
    let (info, pictures, decode) = decode(&settings.input, frames, cancel)?;
    let first = pictures
        .first()
        .ok_or_else(|| Error::new(ErrorKind::Input, "no picture of it can be decoded").with_file(&settings.input))?;
    let (width, height) = (first.width & !1, first.height & !1);
    say("convert");
    let (converted, convert) = convert(&pictures)?;
    drop(pictures);
    say("encode");
    let video = main_video(&info).and_then(|i| info.streams[i].video.clone());
    let video = video.ok_or_else(|| Error::new(ErrorKind::Unsupported, "there is no video stream in it"))?;
    // As the stages alone are fed.
    let video = VideoInfo { bit_depth: 10, ..video };
    let shown = Shown::of(&converted[0]);
    let (spec, params) = (encode_spec(settings, &shown)?, video_params(&video, &shown));
    let (packets, encode) = encode(factory(settings)?, &spec, &params, &converted, cancel)?;
    say("vmaf");
    let vmaf = vmaf(&packets, &converted, cancel)?;
    say("mux");
    let mux = mux(&packets, &converted)?;
    let mut report = BenchReport {
        input: settings.input.clone(),
        frames: converted.len() as u64,
        width,
        height,
        preset: settings.preset,
        crf: spec.quality.as_f64(),
        stages: vec![demux, decode, convert, encode],
        beside_encoder_percent: None,
        together: None,
    };
    report.stages.extend(vmaf);
    report.stages.push(mux);
    report.beside_encoder_percent = beside_encoder(&report.stages);
    drop((packets, converted));
    if !alone {
        say("together");
        let started = Stopwatch::start();
        let whole =
            super::run::encode_all(std::slice::from_ref(settings), Beside::default(), sink, cancel, &Pulse::default())?;
        let sum = |of: fn(&Report) -> u64| whole.iter().map(of).sum();
        report.together = Some(BenchStage::new("together", sum(|r| r.output.frames), sum(|r| r.output.bytes), started));
    }
    Ok(report)
}

fn demux(path: &Path, cancel: &CancelToken) -> Result<BenchStage> {
    let mut source = Source::open(path, cancel)?;
    let started = Stopwatch::start();
    let (mut packets, mut bytes) = (0, 0);
    while let Some(packet) = source.read_packet()? {
        packets += 1;
        bytes += packet.data().len() as u64;
    }
    Ok(BenchStage::new("demux", packets, bytes, started))
}

fn decode(path: &Path, limit: u64, cancel: &CancelToken) -> Result<(MediaInfo, Vec<Frame>, BenchStage)> {
    let mut pictures = Pictures::open(path, main_video, decoder_options(), cancel)?;
    let info = pictures.info().clone();
    let started = Stopwatch::start();
    let (mut frames, mut bytes) = (Vec::new(), 0);
    while (frames.len() as u64) < limit && bytes < MEMORY {
        cancel.check()?;
        let Some(frame) = pictures.next()? else { break };
        bytes += frame.byte_len();
        frames.push(frame);
    }
    let stage = BenchStage::new("decode", frames.len() as u64, bytes as u64, started);
    Ok((info, frames, stage))
}

fn convert(pictures: &[Frame]) -> Result<(Vec<Frame>, BenchStage)> {
    let mut converter = Converter::new();
    // Once to fill the pool: in a run, buffers are used again too.
    drop(pictures.iter().take(8).map(|f| converter.for_encoder(f.clone())).collect::<Result<Vec<_>>>()?);
    let mut bytes = 0;
    let started = Stopwatch::start();
    for frame in pictures {
        bytes += converter.for_encoder(frame.clone())?.byte_len() as u64;
    }
    let stage = BenchStage::new("convert", pictures.len() as u64, bytes, started);
    let kept = pictures.iter().enumerate().map(|(index, frame)| {
        let mut frame = converter.for_encoder(frame.clone())?;
        frame.index = index as u64;
        frame.width &= !1;
        frame.height &= !1;
        Ok(frame)
    });
    Ok((kept.collect::<Result<_>>()?, stage))
}

fn encode(
    factory: &dyn EncoderFactory,
    spec: &EncodeSpec,
    params: &VideoParams,
    frames: &[Frame],
    cancel: &CancelToken,
) -> Result<(Vec<PacketData>, BenchStage)> {
    let started = Stopwatch::start();
    let mut encoder = PairingEncoder::<FrameNote>::open(factory, spec, params, cancel)?;
    let mut packets = Vec::with_capacity(frames.len());
    for frame in frames {
        cancel.check()?;
        encoder.send(frame, FrameNote::of(frame), KeyRequest::Auto)?;
        while let Some(picture) = encoder.receive()? {
            packets.push(picture.data);
        }
    }
    encoder.finish()?;
    while let Some(picture) = encoder.receive()? {
        packets.push(picture.data);
    }
    let bytes = packets.iter().map(|p| p.len() as u64).sum();
    Ok((packets, BenchStage::new("encode", frames.len() as u64, bytes, started)))
}

/// Decoding what was encoded, and scoring it in one thread, as a worker of the search does. Nothing for
/// pictures too small for VMAF.
fn vmaf(packets: &[PacketData], references: &[Frame], cancel: &CancelToken) -> Result<Vec<BenchStage>> {
    let (width, height) = (references[0].width, references[0].height);
    let Ok(mut session) = Session::new(SessionConfig::new(Model::for_size(width, height), width, height, 10)) else {
        return Ok(Vec::new());
    };
    let started = Stopwatch::start();
    let decoded = decode_av1(packets)?;
    let bytes = decoded.iter().map(|f| f.byte_len() as u64).sum();
    let check = BenchStage::new("check", decoded.len() as u64, bytes, started);
    let started = Stopwatch::start();
    for (index, (reference, distorted)) in references.iter().zip(&decoded).enumerate() {
        cancel.check()?;
        session.score(index as u64, reference, distorted)?;
    }
    session.finish()?;
    Ok(vec![check, BenchStage::new("vmaf", decoded.len() as u64, 2 * bytes, started)])
}

fn decode_av1(packets: &[PacketData]) -> Result<Vec<Frame>> {
    let mut decoder = Decoder::av1(Rational::MILLI, DecoderOptions { threads: 1, without_film_grain: true })?;
    let mut frames = Vec::new();
    let mut take = |decoder: &mut Decoder| -> Result<()> {
        while let Received::Frame(picture) = decoder.receive_video()? {
            let (width, height) = picture.size();
            let index = frames.len() as u64;
            frames.push(Frame {
                index,
                pts: Timestamp::new(index as i64, Rational::MILLI),
                duration: None,
                width,
                height,
                format: picture.format(),
                color: picture.color(),
                hdr: picture.hdr(),
                dynamic: Default::default(),
                planes: Arc::new(picture),
            });
        }
        Ok(())
    };
    for (pts, packet) in packets.iter().enumerate() {
        decoder.send_bytes(packet, pts as i64)?;
        take(&mut decoder)?;
    }
    decoder.send_end()?;
    take(&mut decoder)?;
    Ok(frames)
}

fn mux(packets: &[PacketData], frames: &[Frame]) -> Result<BenchStage> {
    let started = Stopwatch::start();
    let track = av1::track(&packets[0])?;
    let header = FileParams {
        muxing_app: "drapto".to_owned(),
        writing_app: "drapto bench".to_owned(),
        tracks: vec![TrackParams::new(TrackKind::Video(track))],
        ..FileParams::default()
    };
    let mut writer = Writer::new(Cursor::new(Vec::new()), None, &header)?;
    // A film may start anywhere; the file of a bench starts at zero.
    for (index, (packet, frame)) in packets.iter().zip(frames).enumerate() {
        let data = PacketData::new(av1::block_data(packet)?.into_owned());
        let mut packet = Packet::new(Timestamp::new(frame.pts.since(frames[0].pts).ticks(), frame.pts.base()), data);
        packet.keyframe = index == 0;
        writer.write(0, &packet)?;
    }
    let (stats, _) = writer.finish()?;
    Ok(BenchStage::new("mux", packets.len() as u64, stats.bytes, started))
}
