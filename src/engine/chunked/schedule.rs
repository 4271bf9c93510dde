//! Which chunk is tried next, at what CRF, and which bytes are kept.
//!
//! Owns the order of work and the state of each chunk. Every decision that reaches the bytes comes from `plan` and
//! depends on the chunk's own scores and on chunks at fixed earlier indices; which worker is free when decides
//! only when something happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::picture::encoder_config;
use super::super::queue::{Receiver, Sender};
use super::super::stage::StageMeter;
use super::super::tally::Tally;
use super::chunk::{Chunk, Source};
use super::trial::{Cost, Note, Order, Task, Tried};
use crate::base::{Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::engine::job::{ChunkFile, ChunkRecord, Job, Record, TryRecord};
use crate::event::Event;
use crate::media::{Crf, VideoInfo};
use crate::meter::{Scores, SessionConfig, Stride};
use crate::plan::{ChunkSearch, Observation, Outcome, SearchRules, Step, Watch, first_crf};

/// How often a chunk may fail (an encoder that breaks, not a score) before the run does.
const FAILURES: u32 = 2;

/// The stage.
pub(super) struct Schedule {
    pub(super) notes: Receiver<Note>,
    /// By worker.
    pub(super) orders: Vec<Sender<Order>>,
    pub(super) job: Job,
    pub(super) settings: EncodeSettings,
    pub(super) video: VideoInfo,
    pub(super) session: SessionConfig,
    pub(super) rules: SearchRules,
    /// A chunk's first CRF may depend on chunks at least this far before it.
    pub(super) lag: usize,
    /// The encoders' level of parallelism.
    pub(super) parallelism: u32,
    pub(super) tally: Arc<Tally>,
    pub(super) free: Vec<usize>,
    pub(super) works: BTreeMap<usize, Work>,
    /// By chunk; `None` until it is finished.
    pub(super) outcomes: Vec<Option<Outcome>>,
    pub(super) ended: bool,
}

/// A chunk that is not finished.
pub(super) struct Work {
    chunk: Arc<Chunk>,
    search: Option<ChunkSearch>,
    running: Option<Running>,
    attempts: u32,
    failures: u32,
    /// The whole try nearest to the target so far.
    best: Option<Best>,
    ceiling: Option<f64>,
}

/// What a worker is at.
#[derive(Clone, Copy)]
enum Running {
    Try { crf: Crf, stride: Stride },
    Ceiling,
}

struct Best {
    crf: Crf,
    scores: Scores,
    bytes: u64,
    file: ChunkFile,
}

impl Schedule {
    pub(super) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        loop {
            self.dispatch()?;
            if self.ended && self.works.is_empty() {
                break;
            }
            let note = self.notes.receive()?;
            self.take(note.ok_or_else(|| Error::new(ErrorKind::Encode, "the workers ended early"))?)?;
            meter.item();
        }
        // Dropping the senders is the flush.
        self.orders.clear();
        Ok(())
    }

    fn take(&mut self, note: Note) -> Result<()> {
        match note {
            Note::Chunk(chunk) => self.arrive(chunk),
            Note::End => {
                self.ended = true;
                Ok(())
            }
            Note::Free(worker) => {
                self.free.push(worker);
                Ok(())
            }
            Note::Tried { chunk, cost, tried } => self.tried(chunk, cost, *tried),
            Note::Ceiling { chunk, score } => {
                let score = score.map_err(|e| e.with_chunk(chunk))?;
                let work = self.works.get_mut(&chunk).ok_or_else(unknown)?;
                work.running = None;
                work.ceiling = Some(score);
                if let Some(search) = &mut work.search {
                    search.observe_ceiling(score);
                }
                self.advance(chunk)
            }
        }
    }

    /// A chunk whose end is known.
    fn arrive(&mut self, chunk: Chunk) -> Result<()> {
        let index = chunk.index();
        self.job.add_segment(chunk.segment())?;
        if self.outcomes.len() <= index {
            self.outcomes.resize_with(index + 1, || None);
        }
        self.tally.lock().film.get_or_insert_with(Default::default).add(&chunk);
        if let Source::Finished = chunk.source {
            let record = self.job.finished(index).ok_or_else(unknown)?;
            self.outcomes[index] = Some(record.outcome(&chunk.means));
            self.tally.encoded.fetch_add(chunk.len(), Ordering::Relaxed);
            self.tally.bytes.fetch_add(record.bytes, Ordering::Relaxed);
            return Ok(());
        }
        let work = Work {
            chunk: Arc::new(chunk),
            search: None,
            running: None,
            attempts: 0,
            failures: 0,
            best: None,
            ceiling: None,
        };
        self.works.insert(index, work);
        Ok(())
    }

    /// Gives orders to workers that are free.
    fn dispatch(&mut self) -> Result<()> {
        while !self.free.is_empty() {
            let Some(index) = self.choose() else { return Ok(()) };
            self.begin(index)?;
            self.order(index)?;
        }
        Ok(())
    }

    /// The chunk to work on next: one that was begun, because its frames are held; else the longest.
    fn choose(&self) -> Option<usize> {
        let ready = |(index, work): &(&usize, &Work)| {
            work.running.is_none() && (work.search.is_some() || self.prior_is_known(**index))
        };
        let rank = |(index, work): &(&usize, &Work)| {
            (work.search.is_some(), work.chunk.len(), std::cmp::Reverse(**index))
        };
        self.works.iter().filter(ready).max_by_key(rank).map(|(index, _)| *index)
    }

    fn prior_is_known(&self, index: usize) -> bool {
        let needed = (index + 1).saturating_sub(self.lag);
        self.outcomes.get(..needed).is_some_and(|known| known.iter().all(Option::is_some))
    }

    /// Starts the search of a chunk, from what chunks before it came to and what an earlier run tried.
    fn begin(&mut self, index: usize) -> Result<()> {
        let needed = (index + 1).saturating_sub(self.lag);
        let known: Vec<Outcome> = self.outcomes.iter().take(needed).flatten().cloned().collect();
        let work = self.works.get_mut(&index).ok_or_else(unknown)?;
        if work.search.is_some() {
            return Ok(());
        }
        let mut search = ChunkSearch::new(self.rules.clone(), first_crf(&known, &work.chunk.means, &self.rules));
        for done in self.job.tries(index) {
            work.attempts += 1;
            match done.observation() {
                Some(observation) => search.observe(observation),
                None => {}
            }
        }
        work.search = Some(search);
        Ok(())
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::Encode, "internal error: a chunk nobody knows")
}
