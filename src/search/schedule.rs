//! The stage that drives the scheduler: tells it what happened, does what it says.
//!
//! Owns the job directory, the bytes of tries that wait, and the counts of the run. Decides nothing: that is
//! [`Scheduler`]'s.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::chunk::{Chunk, ChunkFrames};
use super::film::Film;
use super::relief::Relief;
use super::remembered::{RememberedTry, TryMemory};
use super::template::TryTemplate;
use super::workers::{Cost, LocalWorkers, Note, Order, Tried, TryJob, TryKind, Workers};
use crate::base::{Error, ErrorKind, Result};
use crate::container::{IvfCodec, IvfHeader};
use crate::event::Event;
use crate::flow::StageContext;
use crate::media::Crf;
use crate::meter::{Scores, Stride};
use crate::plan::{ChunkFacts, KeptChunk, ScheduleAction, ScheduleEvent, Scheduler, ScoredFrames, TryEnd};
use crate::stages::progress::Progress;
use crate::stages::spec::factory;
use crate::store::job::{ChunkFile, ChunkRecord, Job};

/// Every how many-th frame of a probe is scored: a multiple of the default stride, so that its scores are of frames
/// that the tries score, too.
const PROBE_STRIDE: u32 = 9;

/// The stage.
pub(crate) struct Schedule {
    pub(crate) workers: LocalWorkers,
    pub(crate) job: Job,
    pub(super) template: TryTemplate,
    pub(crate) progress: Arc<Progress>,
    pub(crate) scheduler: Scheduler,
    /// The frames of all chunks that came.
    pub(crate) film: Film,
    /// Chunks that are not finished.
    pub(crate) works: BTreeMap<usize, Work>,
    pub(crate) done: bool,
    /// What was made before.
    pub(super) remembered: Option<TryMemory>,
    /// What workers are at, by chunk.
    pub(super) asked: BTreeMap<usize, TryJob>,
    /// Workers that rest.
    pub(super) relief: Relief,
    /// What is known without a worker and is still to be told, with the worker that was to find it out.
    pub(super) known: VecDeque<(usize, ScheduleEvent)>,
}

/// A chunk that is not finished, and what is there of it.
pub(crate) struct Work {
    chunk: Arc<Chunk>,
    /// A try of it runs, whose frames are counted.
    counted: bool,
    /// Bytes of the try that just ended.
    fresh: Option<ChunkFile>,
    /// Bytes of the pieces that are best, in order, each with the position of its first frame.
    held: Vec<(u64, ChunkFile)>,
    /// Position of the first frame of the try that runs.
    from: u64,
    /// Tries that were begun in this run, and frames their encoders gave out.
    begun: u32,
    spent: u64,
    /// Why the last order failed.
    error: Option<Error>,
}

impl Work {
    fn of(chunk: Arc<Chunk>) -> Self {
        Work { chunk, counted: false, fresh: None, held: Vec::new(), from: 0, begun: 0, spent: 0, error: None }
    }
}

impl Schedule {
    /// Works until all chunks are kept; the frames of the film.
    pub(crate) fn run(mut self, context: &StageContext) -> Result<Film> {
        for record in self.job.decisions() {
            self.tell(ScheduleEvent::Restored { record })?;
        }
        for worker in (0..self.workers.count()).rev() {
            self.tell(ScheduleEvent::WorkerFree { worker })?;
        }
        while !self.done {
            match self.known.pop_front() {
                Some((worker, event)) => {
                    self.tell(event)?;
                    self.tell(ScheduleEvent::WorkerFree { worker })?;
                }
                None => {
                    let note = self.workers.next()?;
                    self.take(note)?;
                    while let Some(worker) = self.relief.wake() {
                        self.tell(ScheduleEvent::WorkerFree { worker })?;
                    }
                }
            }
            context.item();
        }
        self.workers.finish()?;
        Ok(self.film)
    }

    fn tell(&mut self, event: ScheduleEvent) -> Result<()> {
        self.scheduler.on(event)?.into_iter().try_for_each(|action| self.act(action))
    }

    fn take(&mut self, note: Note) -> Result<()> {
        let event = match note {
            Note::Chunk(chunk) => return self.arrive(*chunk),
            Note::End(read) => {
                read.map_or(Ok(()), |read| self.job.end_plan(*read))?;
                ScheduleEvent::FilmEnded
            }
            Note::Free(worker) if self.relief.rests(worker, self.workers.count()) => return Ok(()),
            Note::Free(worker) => ScheduleEvent::WorkerFree { worker },
            Note::Tried { chunk, cost, tried } => self.tried(chunk, cost, *tried)?,
            Note::Ceiling { chunk, score: Ok(score) } => {
                let end = TryEnd::Whole(ScoredFrames { stride: 1, harmonic_mean: score, frames: Vec::new() });
                self.remember(chunk, RememberedTry { end, frames: 0, bytes: 0 });
                ScheduleEvent::CeilingMeasured { chunk, score }
            }
            Note::Ceiling { chunk, score: Err(error) } => {
                self.work(chunk)?.error = Some(error.with_chunk(chunk));
                ScheduleEvent::Failed { chunk, retryable: false }
            }
        };
        self.tell(event)
    }

    /// A chunk whose end is known.
    fn arrive(&mut self, mut chunk: Chunk) -> Result<()> {
        chunk.plan().map_or(Ok(()), |planned| self.job.plan(planned))?;
        self.film.shown.get_or_insert(chunk.shown);
        self.film.times.extend(&chunk.times);
        self.film.messages.extend(&chunk.messages);
        self.film.chunks.push(chunk.len());
        let facts =
            ChunkFacts { index: chunk.index(), frames: chunk.len(), means: chunk.means, scenes: chunk.scenes.clone() };
        let (index, finished) = (facts.index, matches!(chunk.source, ChunkFrames::Finished));
        let start_s = chunk.span.start.as_secs_f64();
        self.progress.tell(Event::ChunkPlanned { index, start_s, frames: chunk.len(), finished });
        if finished {
            let record = self.job.finished(chunk.index()).ok_or_else(unknown)?;
            self.progress.add_resumed(chunk.len(), record.bytes);
        } else {
            let chunk = Arc::new(chunk);
            self.works.insert(index, Work::of(chunk));
        }
        self.tell(ScheduleEvent::ChunkArrived { chunk: facts, finished })
    }

    /// FFmpeg's name of what is made.
    fn codec(&self) -> Result<&'static str> {
        Ok(factory(self.template.settings())?.traits().codec)
    }

    fn work(&mut self, chunk: usize) -> Result<&mut Work> {
        self.works.get_mut(&chunk).ok_or_else(unknown)
    }

    fn remember(&mut self, chunk: usize, tried: RememberedTry) {
        if let (Some(remembered), Some(job)) = (&self.remembered, self.asked.remove(&chunk)) {
            remembered.keep(&job, &tried);
        }
    }

    /// What a try or a probe came to.
    fn tried(&mut self, chunk: usize, cost: Cost, tried: Result<Tried>) -> Result<ScheduleEvent> {
        let progress = Arc::clone(&self.progress);
        let work = self.work(chunk)?;
        // Probes were never counted.
        if std::mem::take(&mut work.counted) {
            progress.try_ended(cost.frames);
            work.spent += cost.frames;
        }
        let first = work.chunk.first_frame() + std::mem::take(&mut work.from);
        let (probe, end) = match tried {
            Ok(Tried::Whole { scores, file }) => {
                work.fresh = Some(file);
                (false, TryEnd::Whole(scored(&scores, first)?))
            }
            Ok(Tried::Stopped { estimate }) => (false, TryEnd::Stopped { estimate }),
            Ok(Tried::Probed { scores }) => (true, TryEnd::Whole(scored(&scores, first)?)),
            Err(error) => {
                let retryable = error.kind() == ErrorKind::Encode;
                tracing::error!(chunk, %error, retryable, "a try failed");
                work.error = Some(error);
                return Ok(ScheduleEvent::Failed { chunk, retryable });
            }
        };
        progress.made_encode();
        let tried = RememberedTry { end, frames: cost.frames, bytes: cost.bytes };
        self.remember(chunk, tried.clone());
        tried.event(chunk, probe, false)
    }

    fn act(&mut self, action: ScheduleAction) -> Result<()> {
        match action {
            ScheduleAction::Probe { worker, chunk, crf, parallelism } => self.probe(worker, chunk, crf, parallelism),
            ScheduleAction::Try { worker, chunk, piece, stride, watch, again, parallelism } => {
                let of = Arc::clone(&self.work(chunk)?.chunk);
                let mut job = self.template.job(TryKind::Try, &of)?;
                (job.from, job.encode.quality, job.encode.parallelism) =
                    (piece.from, piece.crf, self.template.level(parallelism)?);
                (job.metric.stride, job.watch) = (Stride::new(stride)?, watch);
                if !again && self.is_remembered(worker, &job)? { Ok(()) } else { self.try_at(worker, of, job) }
            }
            ScheduleAction::MeasureCeiling { worker, chunk } => {
                let of = Arc::clone(&self.work(chunk)?.chunk);
                let job = self.template.job(TryKind::Ceiling, &of)?;
                if self.is_remembered(worker, &job)? { Ok(()) } else { self.submit(worker, job, of, None) }
            }
            ScheduleAction::Journal { record } => {
                tracing::info!(?record, "learnt");
                self.job.record(record)
            }
            ScheduleAction::Hold { chunk, from } => {
                let work = self.work(chunk)?;
                work.held.retain(|(first, _)| *first < from);
                work.held.extend(work.fresh.take().map(|file| (from, file)));
                Ok(())
            }
            ScheduleAction::Discard { chunk } => {
                self.work(chunk)?.fresh = None;
                Ok(())
            }
            ScheduleAction::Keep { chunk } => self.keep(*chunk),
            ScheduleAction::GiveUp { chunk } => Err(self.work(chunk)?.error.take().unwrap_or_else(unknown)),
            ScheduleAction::Done => {
                self.done = true;
                Ok(())
            }
        }
    }

    /// Orders a probe of a chunk: in the source's own depth where that is 8, which is faster.
    fn probe(&mut self, worker: usize, index: usize, crf: Crf, parallelism: u32) -> Result<()> {
        let chunk = Arc::clone(&self.work(index)?.chunk);
        let mut job = self.template.job(TryKind::Probe, &chunk)?;
        (job.encode.quality, job.encode.parallelism) = (crf, self.template.level(parallelism)?);
        job.encode.preset = factory(self.template.settings())?.traits().probe.preset;
        // The user's parameters are for the preset they were given with.
        (job.encode.film_grain, job.encode.parameters) = (0, Vec::new());
        job.metric.stride = Stride::new(PROBE_STRIDE)?;
        if chunk.eight_bit {
            job.depth = 8;
        }
        if self.is_remembered(worker, &job)? { Ok(()) } else { self.submit(worker, job, chunk, None) }
    }

    /// Answers a job that was done in an earlier run; whether it was.
    fn is_remembered(&mut self, worker: usize, job: &TryJob) -> Result<bool> {
        let Some(tried) = self.remembered.as_ref().and_then(|remembered| remembered.known(job)) else {
            return Ok(false);
        };
        let (chunk, kind) = (job.span.chunk, job.kind);
        tracing::debug!(chunk, ?kind, crf = %job.encode.quality, from = job.from, "it was made before");
        let event = match (kind, &tried.end) {
            (TryKind::Ceiling, TryEnd::Whole(scores)) => {
                ScheduleEvent::CeilingMeasured { chunk, score: scores.harmonic_mean }
            }
            _ => {
                self.progress.remembered_encode();
                tried.event(chunk, kind == TryKind::Probe, true)?
            }
        };
        self.known.push_back((worker, event));
        Ok(true)
    }

    fn submit(&mut self, worker: usize, job: TryJob, chunk: Arc<Chunk>, file: Option<ChunkFile>) -> Result<()> {
        if self.remembered.is_some() {
            self.asked.insert(chunk.index(), job.clone());
        }
        self.workers.submit(worker, Order { job, chunk, file })
    }

    fn try_at(&mut self, worker: usize, chunk: Arc<Chunk>, job: TryJob) -> Result<()> {
        let (index, from, crf) = (chunk.index(), job.from, job.encode.quality);
        let params = job.video_params();
        let header = IvfHeader {
            width: u16::try_from(params.width).unwrap_or(0),
            height: u16::try_from(params.height).unwrap_or(0),
            rate: params.frame_rate,
            frames: u32::try_from(chunk.len().saturating_sub(from)).unwrap_or(u32::MAX),
            codec: IvfCodec::of(self.codec()?).ok_or_else(unknown)?,
        };
        let file = Some(self.job.chunk_file(index, &header)?);
        let work = self.work(index)?;
        (work.counted, work.from) = (true, from);
        work.begun += 1;
        let begun = Event::ChunkBegun { index, attempt: work.begun, crf: crf.as_f64() };
        self.progress.tell(begun);
        self.submit(worker, job, chunk, file)
    }

    fn keep(&mut self, kept: KeptChunk) -> Result<()> {
        let Work { chunk, held, spent, .. } = self.works.remove(&kept.chunk).ok_or_else(unknown)?;
        let froms = || held.iter().map(|(from, _)| *from);
        if !kept.pieces.iter().map(|piece| piece.from).eq(froms()) {
            return Err(unknown());
        }
        let ends: Vec<u64> = froms().skip(1).chain([chunk.len()]).collect();
        let pieces = held.into_iter().zip(ends).map(|((from, file), end)| (file, end.saturating_sub(from))).collect();
        let record = self.job.finish(ChunkRecord::of(&chunk.span, kept), pieces)?;
        self.progress.add_kept(record.frames, record.bytes, spent);
        self.progress.tell(record.event());
        Ok(())
    }
}

/// The scores of a chunk that begins with the film's frame `first`.
fn scored(scores: &Scores, first: u64) -> Result<ScoredFrames> {
    let stride = scores.stride.get();
    let mut at = (first..).step_by(stride as usize);
    if scores.per_frame.iter().any(|score| at.next() != Some(score.index)) {
        return Err(Error::new(ErrorKind::Encode, "internal error: scores of other frames than were asked for"));
    }
    let frames = scores.per_frame.iter().map(|score| score.score).collect();
    Ok(ScoredFrames { stride, harmonic_mean: scores.harmonic_mean, frames })
}

fn unknown() -> Error {
    Error::new(ErrorKind::Encode, "internal error: a chunk nobody knows")
}
