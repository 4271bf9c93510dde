//! One CRF for a whole film from samples of it: decoded once into memory, encoded at several CRFs side by side, scored.
//!
//! Owns how samples are had and tried. Refuses to decide which parts and CRFs those are: that is `plan`'s.
#![deny(unsafe_code)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::chunk::{Chunk, ChunkFrames};
use super::cutter::Cutter;
use super::layout::Room;
use super::memory::FrameBudget;
use super::setup::{SearchInput, UNITS_HELD};
use super::template::TryTemplate;
use super::trial::{EncodeTries, ScoreTries, TryUnit};
use super::workers::{LocalWorkers, Note, Order, Tried, TryKind, Workers};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Rounding, Timestamp};
use crate::config::{SampleSettings, SampleTier};
use crate::event::Event;
use crate::flow::{Bound, Graph, StageContext};
use crate::media::{Crf, Frame, PixelFormat, Shown};
use crate::meter::Pooled;
use crate::pixel::Converter;
use crate::plan::{
    ChunkMeans, ChunkSpan, Cut, FilmMarks, FramePoint, SampleSpan, SampleStep, SearchRules, begins_scene, complexity,
    sample_spans, sample_step,
};
use crate::source::{Pictures, Source, video_options};
use crate::stages::progress::{Progress, Teller};
use crate::stages::treat::TreatedPictures;

/// What the samples of a film came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SampleReport {
    /// By what they were chosen.
    pub tier: SampleTier,
    /// Where each begins, in seconds.
    pub starts_s: Vec<f64>,
    /// Frames of all.
    pub frames: u64,
    /// How complex the film is by its cuts, 0 to 1; absent where nobody looked for them.
    pub complexity: Option<f64>,
    /// What was tried: rate factor and score over all samples.
    pub tries: Vec<(f64, f64)>,
    /// The rate factor of the film.
    pub crf: f64,
    /// The score of the samples at it.
    pub score: f64,
    /// Whether that is the target, within the tolerance.
    pub reached: bool,
}

impl SearchInput<'_> {
    /// Tries samples of the film; the CRF at which they meet the target.
    ///
    /// # Errors
    /// Of decoding and encoding; `Input` where no picture of a sample can be decoded.
    pub(crate) fn sampled(&self, teller: &Teller<'_>, cancel: &CancelToken) -> Result<SampleReport> {
        teller.sink.event(&Event::Stage { name: "samples" });
        let metric = self.metric()?;
        let video = self.picture.video()?.clone();
        let room = Room::of(self.settings, self.target, &video, self.picture.frame_bytes())?;
        let progress = Arc::new(Progress::default());
        let mut graph = Graph::new(cancel);
        let (to_samples, notes) = graph.channel::<Note>(Bound::items(64));
        let mut orders = Vec::new();
        for worker in 0..room.layout.workers {
            let (order_outlet, order_port) = graph.channel::<Order>(Bound::items(2));
            let (unit_outlet, unit_port) = graph.channel::<TryUnit>(UNITS_HELD);
            orders.push(order_outlet);
            let encode = EncodeTries {
                worker,
                orders: order_port,
                units: unit_outlet,
                notes: to_samples.clone(),
                converter: Converter::to_depth(video.bit_depth),
                progress: Arc::clone(&progress),
            };
            graph.task(("encode", worker), move |context| encode.run(context));
            let score = ScoreTries { units: unit_port, notes: to_samples.clone() };
            graph.task(("score", worker), move |context| score.run(context));
        }
        drop(to_samples);
        let film = SampledFilm {
            path: self.settings.source().to_path_buf(),
            stream: self.picture.stream.index,
            seconds: self.info.duration_s,
            template: TryTemplate::new(self.settings, self.picture.stream.index, video, self.picture.treatment, metric),
            options: video_options(&self.settings.hwaccel)?,
            most: room.memory / 2 / self.picture.frame_bytes().max(1),
        };
        let sampler = Sampler {
            film,
            rules: self.rules(&metric)?,
            samples: self.settings.samples,
            parallelism: room.layout.parallelism(None),
            workers: LocalWorkers { orders, notes },
        };
        let found = graph.task("samples", move |context| sampler.run(context));
        teller.wait(graph.start(), &progress, false)?;
        found.found()
    }
}

/// Where samples are taken from.
struct SampledFilm {
    path: std::path::PathBuf,
    stream: usize,
    seconds: Option<f64>,
    template: TryTemplate,
    options: crate::source::VideoOptions,
    /// So many frames may be held.
    most: u64,
}

/// The stage.
struct Sampler {
    film: SampledFilm,
    rules: SearchRules,
    samples: SampleSettings,
    parallelism: u32,
    workers: LocalWorkers,
}

impl Sampler {
    fn run(mut self, context: &StageContext) -> Result<SampleReport> {
        let marks = self.film.marks(self.samples.tier, context)?;
        let (tier, spans) = sample_spans(&self.samples, &marks);
        let samples = self.film.samples(&spans, context)?;
        if samples.is_empty() {
            return Err(Error::new(ErrorKind::Input, "no picture of its samples can be decoded"));
        }
        // All are free at first; later each says when it is.
        let mut idle: VecDeque<usize> = (0..self.workers.count()).collect();
        let mut seen: Vec<(Crf, f64)> = Vec::new();
        let (crf, score, reached) = loop {
            match sample_step(&self.rules, &seen) {
                SampleStep::Take { crf, score, reached } => break (crf, score, reached),
                SampleStep::Try(crfs) => {
                    for (crf, score) in self.round(&crfs, &samples, &mut idle, context)? {
                        tracing::info!(crf = crf.as_f64(), score, "samples");
                        seen.push((crf, score));
                    }
                }
            }
        };
        self.workers.finish()?;
        Ok(SampleReport {
            tier,
            starts_s: samples.iter().map(|sample| sample.span.start.as_secs_f64()).collect(),
            frames: samples.iter().map(|sample| sample.len()).sum(),
            complexity: (self.samples.tier == SampleTier::Scenes).then(|| complexity(&marks)),
            tries: seen.iter().map(|(crf, score)| (crf.as_f64(), *score)).collect(),
            crf: crf.as_f64(),
            score,
            reached,
        })
    }

    /// Tries all samples at each of `crfs`, as many at once as there are workers; the score over all samples at each.
    fn round(
        &mut self,
        crfs: &[Crf],
        samples: &[Arc<Chunk>],
        idle: &mut VecDeque<usize>,
        context: &StageContext,
    ) -> Result<Vec<(Crf, f64)>> {
        let mut left: VecDeque<(usize, usize)> =
            (0..crfs.len()).flat_map(|at| (0..samples.len()).map(move |sample| (at, sample))).collect();
        // By sample, which of the CRFs is tried: notes name the sample alone, so one try of it runs at a time.
        let mut running: Vec<Option<usize>> = vec![None; samples.len()];
        let mut scores: Vec<Vec<Vec<f64>>> = vec![vec![Vec::new(); samples.len()]; crfs.len()];
        let mut open = left.len();
        while open > 0 {
            while let Some(worker) = idle.front().copied() {
                let Some(next) = left.iter().position(|(_, sample)| running[*sample].is_none()) else { break };
                let Some((at, sample)) = left.remove(next) else { break };
                idle.pop_front();
                running[sample] = Some(at);
                self.order(worker, &samples[sample], crfs[at])?;
            }
            match self.workers.next()? {
                Note::Free(worker) => idle.push_back(worker),
                Note::Tried { chunk, tried, .. } => {
                    let at = running.get_mut(chunk).and_then(Option::take).ok_or_else(unasked)?;
                    let Tried::Probed { scores: got } = (*tried)? else { return Err(unasked()) };
                    scores[at][chunk] = got.per_frame.iter().map(|frame| frame.score).collect();
                    open -= 1;
                }
                _ => return Err(unasked()),
            }
            context.item();
        }
        let pooled = |of: Vec<Vec<f64>>| Pooled::of(of.into_iter().flatten()).map(|pooled| pooled.harmonic_mean);
        let with_crf = |(crf, of): (&Crf, Vec<Vec<f64>>)| Ok((*crf, pooled(of).ok_or_else(unasked)?));
        crfs.iter().zip(scores).map(with_crf).collect()
    }

    fn order(&mut self, worker: usize, sample: &Arc<Chunk>, crf: Crf) -> Result<()> {
        // As a probe, whose bytes are not kept, by the settings of the film.
        let mut job = self.film.template.job(TryKind::Probe, sample)?;
        (job.encode.quality, job.encode.parallelism) = (crf, self.film.template.level(self.parallelism)?);
        self.workers.submit(worker, Order { job, chunk: Arc::clone(sample), file: None })
    }
}

fn unasked() -> Error {
    Error::new(ErrorKind::Encode, "internal error: an answer that was not asked for")
}

impl SampledFilm {
    /// Where parts of the film begin. Scenes need all of it decoded, keyframes all of it read.
    fn marks(&self, tier: SampleTier, context: &StageContext) -> Result<FilmMarks> {
        let mut marks = FilmMarks { seconds: self.seconds.unwrap_or(0.0), ..FilmMarks::default() };
        if tier == SampleTier::Even && marks.seconds > 0.0 {
            return Ok(marks);
        }
        let mut source = Source::open(&self.path, context.cancel_token())?;
        source.keep_only(&[self.stream]);
        let mut end = 0.0_f64;
        while let Ok(Some(packet)) = source.read_packet() {
            context.check()?;
            context.item();
            let Some(pts) = packet.pts().map(Timestamp::as_secs_f64) else { continue };
            end = end.max(pts);
            if packet.is_key() {
                marks.keyframes.push(pts);
            }
        }
        if marks.seconds <= 0.0 {
            marks.seconds = end;
        }
        if tier == SampleTier::Scenes {
            marks.scenes = self.scenes(context)?;
        }
        Ok(marks)
    }

    /// Where scenes begin, by a look at every picture.
    fn scenes(&self, context: &StageContext) -> Result<Vec<f64>> {
        let mut pictures = self.open(&self.path, context)?;
        let mut cutter = Cutter::new(self.template.longest_chunk());
        let mut points: [Option<FramePoint>; 2] = [None, None];
        let mut scenes = Vec::new();
        let mut look = |before: Option<&FramePoint>, point: Option<&FramePoint>, after: Option<&FramePoint>| {
            if let Some(point) = point
                && before.is_some()
                && begins_scene(before, point, after)
            {
                scenes.push(point.pts.as_secs_f64());
            }
        };
        // A film that breaks off has the scenes up to there.
        while let Ok(Some(frame)) = pictures.next() {
            context.check()?;
            context.item();
            let point = cutter.take(frame)?.point;
            look(points[0].as_ref(), points[1].as_ref(), Some(&point));
            points = [points[1].take(), Some(point)];
        }
        look(points[0].as_ref(), points[1].as_ref(), None);
        Ok(scenes)
    }

    fn open(&self, path: &Path, context: &StageContext) -> Result<TreatedPictures> {
        let pictures = Pictures::open(path, |_| Some(self.stream), self.options, context.cancel_token())?;
        Ok(TreatedPictures::new(pictures, self.template.treatment()))
    }

    /// The samples, decoded; those of which nothing can be decoded are left out.
    fn samples(&self, spans: &[SampleSpan], context: &StageContext) -> Result<Vec<Arc<Chunk>>> {
        let most = (self.most / spans.len().max(1) as u64).max(1);
        let budget = FrameBudget::new(u64::MAX);
        let mut out: Vec<Arc<Chunk>> = Vec::new();
        for span in spans {
            let frames = self.decoded(*span, most, context)?;
            let Some(first) = frames.first() else { continue };
            out.push(Arc::new(Chunk {
                span: ChunkSpan {
                    index: out.len(),
                    first_frame: 0,
                    frames: frames.len() as u64,
                    start: first.pts,
                    cut: Cut::Length,
                },
                means: ChunkMeans::default(),
                scenes: Vec::new(),
                shown: Shown::of(first),
                eight_bit: frames.iter().all(|frame| frame.format == PixelFormat::YUV420P8),
                before: None,
                messages: Vec::new(),
                times: frames.iter().map(|frame| (frame.pts, frame.duration)).collect(),
                point: None,
                source: ChunkFrames::Held { frames, _share: budget.hand_over(0) },
            }));
        }
        Ok(out)
    }

    /// The pictures of one sample, `most` of them at most, counted from 0.
    fn decoded(&self, span: SampleSpan, most: u64, context: &StageContext) -> Result<Vec<Frame>> {
        let at = |seconds: f64| {
            Timestamp::new((seconds * 1e9) as i64, Rational::NANO).rescale(Rational::NANO, Rounding::Nearest)
        };
        let (start, end) = (at(span.start_s), at(span.start_s + span.seconds));
        let mut pictures = Pictures::open(&self.path, |_| Some(self.stream), self.options, context.cancel_token())?;
        if span.start_s > 0.0 && pictures.seek(start).is_err() {
            // What cannot be sought in is decoded up to there.
            pictures = Pictures::open(&self.path, |_| Some(self.stream), self.options, context.cancel_token())?;
        }
        let mut pictures = TreatedPictures::new(pictures, self.template.treatment());
        let mut frames: Vec<Frame> = Vec::new();
        while let Ok(Some(frame)) = pictures.next() {
            context.check()?;
            context.item();
            if frame.pts >= end || frames.len() as u64 >= most {
                break;
            }
            if frame.pts >= start {
                frames.push(Frame { index: frames.len() as u64, ..frame });
            }
        }
        Ok(frames)
    }
}
