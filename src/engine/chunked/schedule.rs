//! The stage that drives the scheduler: tells it what happened, does what it says.
//!
//! Owns the job directory, the bytes of tries that wait, and the counts of the run. Decides nothing: that is
//! [`Scheduler`]'s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::picture::encoder_config;
use super::super::queue::{Receiver, Sender};
use super::super::stage::StageMeter;
use super::super::tally::Tally;
use super::chunk::{Chunk, Source};
use super::probe;
use super::trial::{Cost, Note, Order, Task, Tried};
use crate::base::{Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::container::IvfHeader;
use crate::engine::job::{ChunkFile, ChunkRecord, Job, SegmentRecord};
use crate::media::{Crf, VideoInfo};
use crate::meter::{Scores, SessionConfig, Stride};
use crate::plan::{
    ChunkFacts, KeptChunk, ScheduleAction, ScheduleEvent, Scheduler, ScoredFrames, TryEnd, Watch, WatchSpec,
};

/// The stage.
pub(super) struct Schedule {
    pub(super) notes: Receiver<Note>,
    /// By worker.
    pub(super) orders: Vec<Sender<Order>>,
    pub(super) job: Job,
    pub(super) settings: EncodeSettings,
    pub(super) video: VideoInfo,
    pub(super) session: SessionConfig,
    pub(super) tally: Arc<Tally>,
    pub(super) scheduler: Scheduler,
    /// Chunks that are not finished.
    pub(super) works: BTreeMap<usize, Work>,
    pub(super) done: bool,
}

/// A chunk that is not finished, and what is there of it.
pub(super) struct Work {
    chunk: Arc<Chunk>,
    /// A try of it runs, whose frames are counted.
    counted: bool,
    /// Bytes of the try that just ended, and of the best one.
    fresh: Option<ChunkFile>,
    held: Option<ChunkFile>,
    /// Why the last order failed.
    error: Option<Error>,
}

impl Schedule {
    pub(super) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        for record in self.job.decisions() {
            self.tell(ScheduleEvent::Restored { record })?;
        }
        for worker in (0..self.orders.len()).rev() {
            self.tell(ScheduleEvent::WorkerFree { worker })?;
        }
        while !self.done {
            let note = self.notes.receive()?;
            self.take(note.ok_or_else(|| Error::new(ErrorKind::Encode, "the workers ended early"))?)?;
            meter.item();
        }
        // Dropping the senders is the flush.
        self.orders.clear();
        Ok(())
    }

    fn tell(&mut self, event: ScheduleEvent) -> Result<()> {
        self.scheduler.on(event)?.into_iter().try_for_each(|action| self.act(action))
    }

    fn take(&mut self, note: Note) -> Result<()> {
        let event = match note {
            Note::Chunk(chunk) => return self.arrive(*chunk),
            Note::End => ScheduleEvent::FilmEnded,
            Note::Free(worker) => ScheduleEvent::WorkerFree { worker },
            Note::Tried { chunk, cost, tried } => self.tried(chunk, cost, *tried)?,
            Note::Ceiling { chunk, score: Ok(score) } => ScheduleEvent::CeilingMeasured { chunk, score },
            Note::Ceiling { chunk, score: Err(error) } => {
                self.work(chunk)?.error = Some(error.with_chunk(chunk));
                ScheduleEvent::Failed { chunk, retryable: false }
            }
        };
        self.tell(event)
    }

    /// A chunk whose end is known.
    fn arrive(&mut self, chunk: Chunk) -> Result<()> {
        self.job.add_segment(SegmentRecord::of(&chunk.span))?;
        let mut findings = self.tally.lock();
        findings.film.shown.get_or_insert(chunk.shown);
        findings.film.times.extend(&chunk.times);
        findings.film.messages.extend(&chunk.messages);
        findings.film.chunks.push(chunk.len());
        drop(findings);
        let facts = ChunkFacts { index: chunk.index(), frames: chunk.len(), means: chunk.means };
        let finished = matches!(chunk.source, Source::Finished);
        if finished {
            let record = self.job.finished(chunk.index()).ok_or_else(unknown)?;
            self.tally.encoded.fetch_add(chunk.len(), Ordering::Relaxed);
            self.tally.resumed.fetch_add(chunk.len(), Ordering::Relaxed);
            self.tally.bytes.fetch_add(record.bytes, Ordering::Relaxed);
        } else {
            let work = Work { chunk: Arc::new(chunk), counted: false, fresh: None, held: None, error: None };
            self.works.insert(facts.index, work);
        }
        self.tell(ScheduleEvent::ChunkArrived { chunk: facts, finished })
    }

    fn work(&mut self, chunk: usize) -> Result<&mut Work> {
        self.works.get_mut(&chunk).ok_or_else(unknown)
    }

    /// What a try or a probe came to.
    fn tried(&mut self, chunk: usize, cost: Cost, tried: Result<Tried>) -> Result<ScheduleEvent> {
        let tally = Arc::clone(&self.tally);
        let work = self.work(chunk)?;
        // Probes were never counted.
        if std::mem::take(&mut work.counted) {
            tally.take_back(cost.frames, cost.bytes);
        }
        let first = work.chunk.first_frame();
        let Cost { frames, bytes } = cost;
        Ok(match tried {
            Ok(Tried::Whole { scores, file }) => {
                work.fresh = Some(file);
                ScheduleEvent::Tried { chunk, end: TryEnd::Whole(scored(&scores, first)?), frames, bytes }
            }
            Ok(Tried::Stopped { estimate }) => {
                ScheduleEvent::Tried { chunk, end: TryEnd::Stopped { estimate }, frames, bytes }
            }
            Ok(Tried::Probed { scores }) => ScheduleEvent::Probed { chunk, scores: scored(&scores, first)? },
            Err(error) => {
                let retryable = error.kind() == ErrorKind::Encode;
                tracing::error!(chunk, %error, retryable, "a try failed");
                work.error = Some(error);
                ScheduleEvent::Failed { chunk, retryable }
            }
        })
    }

    fn act(&mut self, action: ScheduleAction) -> Result<()> {
        match action {
            ScheduleAction::Probe { worker, chunk, crf, parallelism } => {
                let of = Arc::clone(&self.work(chunk)?.chunk);
                let (mut config, session) = probe::probe(&self.settings, &self.video, &of, crf, self.session)?;
                config.parallelism = parallelism;
                self.give(worker, of, session, Task::Probe { config: Box::new(config) })
            }
            ScheduleAction::Try { worker, chunk, crf, stride, watch, parallelism } => {
                self.try_at(worker, chunk, (crf, stride, parallelism), watch)
            }
            ScheduleAction::MeasureCeiling { worker, chunk } => {
                let of = Arc::clone(&self.work(chunk)?.chunk);
                self.give(worker, of, self.session, Task::Ceiling)
            }
            ScheduleAction::Journal { record } => {
                tracing::info!(?record, "learnt");
                self.job.record(record)
            }
            ScheduleAction::Hold { chunk } => {
                let work = self.work(chunk)?;
                work.held = work.fresh.take();
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

    fn try_at(
        &mut self,
        worker: usize,
        index: usize,
        (crf, stride, parallelism): (Crf, u32, u32),
        watch: Option<WatchSpec>,
    ) -> Result<()> {
        let chunk = Arc::clone(&self.work(index)?.chunk);
        let mut config = encoder_config(&self.settings, &self.video, &chunk.shown)?;
        config.crf = crf;
        config.parallelism = parallelism;
        let header = IvfHeader {
            width: u16::try_from(config.width).unwrap_or(0),
            height: u16::try_from(config.height).unwrap_or(0),
            rate: config.frame_rate,
            frames: u32::try_from(chunk.len()).unwrap_or(u32::MAX),
        };
        let file = self.job.chunk_file(index, &header)?;
        let session = SessionConfig { stride: Stride::new(stride)?, ..self.session };
        let watch = watch.map_or_else(Watch::idle, Watch::from);
        self.work(index)?.counted = true;
        self.give(worker, chunk, session, Task::Try { config: Box::new(config), watch, file })
    }

    fn give(&mut self, worker: usize, chunk: Arc<Chunk>, session: SessionConfig, task: Task) -> Result<()> {
        // A worker that is free has an empty queue.
        self.orders.get(worker).ok_or_else(unknown)?.send(Order { chunk, session, task })
    }

    fn keep(&mut self, kept: KeptChunk) -> Result<()> {
        let work = self.works.remove(&kept.chunk).ok_or_else(unknown)?;
        let file = work.held.ok_or_else(unknown)?;
        let record = ChunkRecord::of(&work.chunk.span, kept);
        self.tally.encoded.fetch_add(record.frames, Ordering::Relaxed);
        self.tally.bytes.fetch_add(record.bytes, Ordering::Relaxed);
        self.tally.chunk_done(&record);
        self.job.finish(record, file)
    }
}

/// The scores of a chunk that begins with the film's frame `first`.
fn scored(scores: &Scores, first: u64) -> Result<ScoredFrames> {
    let stride = scores.stride.get();
    let mut at = (first..).step_by(stride as usize);
    if scores.per_frame.iter().any(|score| at.next() != Some(score.index)) {
        return Err(Error::new(ErrorKind::Encode, "internal error: scores of other frames than were asked for"));
    }
    let frames = scores.per_frame.iter().map(|score| score.vmaf).collect();
    Ok(ScoredFrames { stride, harmonic_mean: scores.harmonic_mean, frames })
}

fn unknown() -> Error {
    Error::new(ErrorKind::Encode, "internal error: a chunk nobody knows")
}
