//! Encodes the chunks of films by several presets at several CRFs and writes down what each scored and cost.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use drapto::internals::av::{Decoder, DecoderOptions, Received};
use drapto::internals::base::{CancelToken, Rational};
use drapto::internals::media::{Frame, MediaInfo, PixelFormat, StreamKind};
use drapto::internals::meter::{Model, Session, SessionConfig, Stride};
use drapto::internals::pixel::{Converter, PictureMeasure, PictureMeasurer};
use drapto::internals::plan::{ChunkPlanner, ChunkRules, ChunkSpan, FramePoint, begins_scene};
use drapto::internals::source::Pictures;
use drapto::internals::video::{Crf, EncoderConfig, SvtSession};

use super::Fallible;
use super::table::{Row, Way};

/// The longest chunk in seconds: the default.
const CHUNK_S: f64 = 15.0;

/// A scene shorter than this is joined to the one before.
const SHORTEST_SCENE_S: f64 = 1.0;

fn first_video(info: &MediaInfo) -> Option<usize> {
    info.streams.iter().find(|s| s.kind == StreamKind::Video).map(|s| s.index)
}

/// A chunk as it lies in memory.
struct Held {
    span: ChunkSpan,
    frames: Vec<Frame>,
    measures: Vec<PictureMeasure>,
    /// Position of the first frame of each scene.
    scenes: Vec<usize>,
}

/// Encodes every chunk of `film` in every way that `table` does not know yet, and appends what came of it.
pub fn collect(film: &Path, ways: &[Way], every: usize, table: &Path) -> Fallible<()> {
    let name = film.file_name().ok_or("a film has a name")?.to_string_lossy().into_owned();
    let version = drapto::internals::video::encoder("svt-av1")?.version();
    let known: HashSet<(String, String, usize, Way)> = match fs::File::open(table) {
        Ok(file) => {
            let rows = BufReader::new(file).lines().map(|line| Row::parse(&line?));
            rows.map(|row| row.map(|r| (r.version, r.film, r.chunk, r.way))).collect::<Fallible<_>>()?
        }
        Err(_) => HashSet::new(),
    };
    let mut out = fs::OpenOptions::new().create(true).append(true).open(table)?;
    chunks(film, |held, rate| {
        if held.span.index % every != 0 {
            return Ok(());
        }
        for way in ways {
            if known.contains(&(version.clone(), name.clone(), held.span.index, *way)) {
                continue;
            }
            let row = encode(&held, rate, *way, &version, &name)?;
            writeln!(out, "{row}")?;
            eprintln!("{name} chunk {} {way:?}: {:.2} in {:.1} s", row.chunk, row.score, row.cpu_s);
        }
        Ok(())
    })
}

/// Calls `each` with the chunks of the film.
fn chunks(film: &Path, mut each: impl FnMut(Held, Rational) -> Fallible<()>) -> Fallible<()> {
    let mut pictures = Pictures::open(film, first_video, DecoderOptions::default(), &CancelToken::new())?;
    let video = pictures.info().streams.iter().find_map(|s| s.video.clone()).ok_or("it has no video")?;
    let rate = video.frame_rate.ok_or("it has no frame rate")?;
    let mut planner = ChunkPlanner::new(ChunkRules::up_to(CHUNK_S));
    let (mut meter, mut waiting) = (PictureMeasurer::new(), Vec::<(Frame, PictureMeasure, FramePoint)>::new());
    let mut take = |span: ChunkSpan, waiting: &mut Vec<(Frame, PictureMeasure, FramePoint)>| {
        let taken: Vec<_> = waiting.drain(..span.frames as usize).collect();
        let points: Vec<FramePoint> = taken.iter().map(|t| t.2).collect();
        let mut scenes = vec![0];
        for at in 1..points.len() {
            let apart = points[at].pts.since(points[scenes[scenes.len() - 1]].pts).as_secs_f64();
            if apart >= SHORTEST_SCENE_S && begins_scene(points.get(at - 1), &points[at], points.get(at + 1)) {
                scenes.push(at);
            }
        }
        let (frames, measures) = taken.into_iter().map(|t| (t.0, t.1)).unzip();
        each(Held { span, frames, measures, scenes }, rate)
    };
    while let Some(frame) = pictures.next()? {
        let measure = meter.measure(&frame)?;
        let point = FramePoint {
            index: frame.index,
            pts: frame.pts,
            change: measure.change,
            change_from_second: measure.change_from_second,
            effort: measure.detail + measure.motion,
        };
        waiting.push((frame, measure, point));
        if let Some(span) = planner.push(point) {
            take(span, &mut waiting)?;
        }
    }
    planner.finish().into_iter().try_for_each(|span| take(span, &mut waiting))
}

/// Encodes a chunk and scores it.
fn encode(held: &Held, rate: Rational, way: Way, version: &str, film: &str) -> Fallible<Row> {
    let begun = processor_s()?;
    let first = &held.frames[0];
    let mut converter = Converter::to_depth(way.depth);
    let at_depth = |converter: &mut Converter, frame: &Frame| match (way.depth, frame.format) {
        (8, PixelFormat::YUV420P8) => Ok(frame.clone()),
        _ => converter.for_encoder(frame.clone()),
    };
    let crf = Crf::from_quarters(way.crf_quarters)?;
    let mut config = EncoderConfig::new(first.width, first.height, rate, crf, way.preset);
    (config.bit_depth, config.parallelism) = (way.depth, 1);
    let mut encoder = SvtSession::open_when_free(&config, &CancelToken::new())?;
    let mut packets = Vec::new();
    for frame in &held.frames {
        encoder.send(&at_depth(&mut converter, frame)?)?;
        while let Some(packet) = encoder.receive()? {
            packets.push(packet);
        }
    }
    let mut rest = encoder.finish()?;
    while let Some(packet) = rest.next_packet()? {
        packets.push(packet);
    }
    let cpu_s = processor_s()? - begun;
    let bytes = packets.iter().map(|p| p.data.len() as u64).sum();

    let model = Model::for_size(first.width, first.height);
    let stride = Stride::new(way.stride)?;
    let mut session =
        Session::new(SessionConfig { stride, ..SessionConfig::new(model, first.width, first.height, way.depth) })?;
    let options = DecoderOptions { threads: 1, without_film_grain: true };
    let mut decoder = Decoder::av1(Rational::MILLI, options)?;
    let by_index: HashMap<u64, &Frame> = held.frames.iter().map(|f| (f.index, f)).collect();
    let mut take = |decoder: &mut Decoder| -> Fallible<()> {
        while let Received::Frame(picture) = decoder.receive_video()? {
            let index = picture.pts().ok_or("a picture without its name")?.ticks() as u64;
            let reference = at_depth(&mut converter, by_index[&index])?;
            let (width, height) = picture.size();
            let format = picture.format();
            let twin = Frame { width, height, format, planes: Arc::new(picture), ..reference.clone() };
            session.score(index, &reference, &twin)?;
        }
        Ok(())
    };
    for packet in &packets {
        decoder.send_bytes(&packet.data, packet.frame_index as i64)?;
        take(&mut decoder)?;
    }
    decoder.send_end()?;
    take(&mut decoder)?;
    let scores = session.finish()?;
    let score_cpu_s = processor_s()? - begun - cpu_s;
    let mean = |value: fn(&PictureMeasure) -> f32| {
        held.measures.iter().map(|m| f64::from(value(m))).sum::<f64>() / held.measures.len() as f64
    };
    Ok(Row {
        version: version.to_owned(),
        film: film.to_owned(),
        chunk: held.span.index,
        frames: held.span.frames,
        detail: mean(|m| m.detail),
        motion: mean(|m| m.motion),
        brightness: mean(|m| m.brightness),
        way,
        score: scores.harmonic_mean,
        bytes,
        cpu_s,
        score_cpu_s,
        scenes: held.scenes.clone(),
        frame_scores: scores.per_frame.iter().map(|s| s.score).collect(),
    })
}

/// Processor time of this process so far.
fn processor_s() -> Fallible<f64> {
    /// What Linux counts it in, whatever the kernel's own clock is.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS)
}
