//! Which chunk is tried next, at what CRF, and which bytes are kept.
//!
//! Owns the order of work and the state of each chunk. Every decision that reaches the bytes comes from `plan` and
//! depends on the chunk's own scores and on chunks at fixed earlier indices; which worker is free when decides
//! only when something happens.

mod title;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::chunk::{Chunk, Source};
use super::probe;
use super::trial::{Cost, Note, Order, Task, Tried};
use crate::base::{Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::container::IvfHeader;
use crate::media::{Crf, VideoInfo};
use crate::meter::{Scores, SessionConfig, Stride};
use crate::plan::{ChunkSearch, Clamp, Layout, Outcome, Profile, SearchRules, Step, Tier, Watch, forecast};
use crate::stages::picture::encoder_config;
use crate::stages::queue::{Receiver, Sender};
use crate::stages::stage::StageMeter;
use crate::stages::tally::Tally;
use crate::store::job::{ChunkFile, ChunkRecord, Job, SegmentRecord, TryRecord};

pub(crate) use title::Title;

/// How often a chunk may fail (an encoder that breaks, not a score) before the run does.
const FAILURES: u32 = 2;

/// The stage.
pub(crate) struct Schedule {
    pub(crate) notes: Receiver<Note>,
    /// By worker.
    pub(crate) orders: Vec<Sender<Order>>,
    pub(crate) job: Job,
    pub(crate) settings: EncodeSettings,
    pub(crate) video: VideoInfo,
    pub(crate) session: SessionConfig,
    pub(crate) rules: SearchRules,
    /// A chunk's first CRF may depend on chunks at least this far before it.
    pub(crate) lag: usize,
    /// How chunks are probed, if they are.
    pub(crate) layout: Layout,
    /// Where all chunks have the same CRF.
    pub(crate) title: Option<Title>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) free: Vec<usize>,
    pub(crate) works: BTreeMap<usize, Work>,
    /// By chunk; `None` until it is finished.
    pub(crate) outcomes: Vec<Option<Outcome>>,
    pub(crate) ended: bool,
}

/// A chunk that is not finished.
pub(crate) struct Work {
    chunk: Arc<Chunk>,
    search: Option<ChunkSearch>,
    running: Option<Running>,
    failures: u32,
    /// The whole try nearest to the target so far.
    best: Option<Best>,
    ceiling: Option<f64>,
    /// The score of its probe.
    probe: Option<f64>,
    /// Scores of its last whole encode.
    profile: Option<Profile>,
}

/// What a worker is at.
#[derive(Clone, Copy)]
enum Running {
    Try { crf: Crf, stride: Stride },
    Probe,
    Ceiling,
}

struct Best {
    crf: Crf,
    scores: Scores,
    bytes: u64,
    file: ChunkFile,
}

impl Schedule {
    pub(crate) fn run(&mut self, meter: &StageMeter) -> Result<()> {
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
            Note::Chunk(chunk) => self.arrive(*chunk),
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
                self.settle(chunk)
            }
        }
    }

    /// A chunk whose end is known.
    fn arrive(&mut self, chunk: Chunk) -> Result<()> {
        let index = chunk.index();
        self.job.add_segment(SegmentRecord::of(&chunk.span))?;
        if self.outcomes.len() <= index {
            self.outcomes.resize_with(index + 1, || None);
        }
        let mut findings = self.tally.lock();
        findings.film.shown.get_or_insert(chunk.shown);
        findings.film.times.extend(&chunk.times);
        findings.film.messages.extend(&chunk.messages);
        findings.film.chunks.push(chunk.len());
        drop(findings);
        if let Source::Finished = chunk.source {
            let record = self.job.finished(index).ok_or_else(unknown)?;
            self.outcomes[index] = Some(record.outcome(&chunk.means, &self.rules.curve));
            self.tally.encoded.fetch_add(chunk.len(), Ordering::Relaxed);
            self.tally.resumed.fetch_add(chunk.len(), Ordering::Relaxed);
            self.tally.bytes.fetch_add(record.bytes, Ordering::Relaxed);
            return Ok(());
        }
        let work = Work {
            chunk: Arc::new(chunk),
            search: None,
            running: None,
            failures: 0,
            best: None,
            ceiling: None,
            probe: None,
            profile: None,
        };
        self.works.insert(index, work);
        Ok(())
    }

    /// Gives orders to workers that are free.
    fn dispatch(&mut self) -> Result<()> {
        while !self.free.is_empty() {
            // Each turn gives an order, or finishes or calibrates a chunk.
            self.decide_title()?;
            if let Some(index) = self.choose() {
                self.begin(index)?;
                self.order(index)?;
            } else if let Some(index) = self.next_to_probe() {
                self.probe(index)?;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The chunk to work on next: one that was begun, because its frames are held; else the longest.
    fn choose(&self) -> Option<usize> {
        let ready = |(index, work): &(&usize, &Work)| {
            let probed = work.probe.is_some() || !probe::pays(self.settings.preset);
            let begun = work.search.is_some() || self.title_crf().is_some();
            work.running.is_none() && self.is_due(**index) && (begun || (probed && self.prior_is_known(**index)))
        };
        let rank =
            |(index, work): &(&usize, &Work)| (work.search.is_some(), work.chunk.len(), std::cmp::Reverse(**index));
        self.works.iter().filter(ready).max_by_key(rank).map(|(index, _)| *index)
    }

    /// How many chunks from the start of the film the first CRF of a chunk depends on.
    fn needed(&self, index: usize) -> usize {
        // The chunks a title is calibrated on are searched each on its own.
        if self.title.is_some() { 0 } else { (index + 1).saturating_sub(self.lag) }
    }

    fn prior_is_known(&self, index: usize) -> bool {
        self.outcomes.get(..self.needed(index)).is_some_and(|known| known.iter().all(Option::is_some))
    }

    /// The first chunk without a probe.
    fn next_to_probe(&self) -> Option<usize> {
        if !probe::pays(self.settings.preset) || self.title_crf().is_some() {
            return None;
        }
        let wants = |work: &Work| work.running.is_none() && work.search.is_none() && work.probe.is_none();
        // A title is judged by the probes of all its chunks.
        self.works.iter().find(|(_, work)| wants(work)).map(|(index, _)| *index)
    }

    fn probe(&mut self, index: usize) -> Result<()> {
        let chunk = Arc::clone(&self.works.get(&index).ok_or_else(unknown)?.chunk);
        let (mut config, session) = probe::probe(&self.settings, &self.video, &chunk, &self.rules, self.session)?;
        config.parallelism = self.parallelism();
        self.give(index, Order { chunk, session, task: Task::Probe { config: Box::new(config) } }, Running::Probe)
    }

    /// Starts the search of a chunk, from what chunks before it came to and what an earlier run tried.
    fn begin(&mut self, index: usize) -> Result<()> {
        let needed = self.needed(index);
        let known: Vec<Outcome> = self.outcomes.iter().take(needed).flatten().cloned().collect();
        let title = self.title_crf().is_some();
        let work = self.works.get_mut(&index).ok_or_else(unknown)?;
        if work.search.is_some() || title {
            return Ok(());
        }
        let forecast = forecast(&known, &work.chunk.means, work.probe, &self.rules);
        tracing::info!(chunk = index, probe = work.probe, crf = %forecast.crf, slope = forecast.slope, means = ?work.chunk.means, "forecast");
        let mut search = ChunkSearch::new(self.rules.clone(), forecast);
        for tried in self.job.tries(index) {
            search.observe(tried.observation());
        }
        work.search = Some(search);
        Ok(())
    }

    /// Gives the next step of a chunk to a worker, or finishes the chunk.
    fn order(&mut self, index: usize) -> Result<()> {
        let work = self.works.get(&index).ok_or_else(unknown)?;
        if let Some(crf) = self.title_crf() {
            return match &work.best {
                Some(best) if best.crf == crf => self.finish(index, None),
                _ => self.try_at(index, crf, self.session.stride, Watch::idle()),
            };
        }
        let search = work.search.as_ref().ok_or_else(unknown)?;
        let (tier, aim) = (search.tier(), search.aim());
        let stride = if tier == Tier::Configured { self.session.stride } else { Stride::EVERY };
        let (chunk, frames) = (Arc::clone(&work.chunk), work.chunk.len());
        match search.next() {
            Step::MeasureCeiling => {
                self.give(index, Order { chunk, session: self.session, task: Task::Ceiling }, Running::Ceiling)
            }
            Step::Try(crf) => {
                let watch = match search.may_stop() {
                    true => Watch::new(&self.rules, aim, crf, frames, work.profile.clone()),
                    false => Watch::idle(),
                };
                self.try_at(index, crf, stride, watch)
            }
            Step::Done { crf, .. } if self.title.is_some() => self.calibrated(index, crf),
            Step::Done { crf, clamp } => match &work.best {
                Some(best) if best.crf == crf => self.finish(index, clamp),
                // The bytes went with an earlier run, or were not the best when they were made.
                _ => self.try_at(index, crf, stride, Watch::idle()),
            },
        }
    }

    fn try_at(&mut self, index: usize, crf: Crf, stride: Stride, watch: Watch) -> Result<()> {
        let work = self.works.get(&index).ok_or_else(unknown)?;
        let chunk = Arc::clone(&work.chunk);
        let mut config = encoder_config(&self.settings, &self.video, &chunk.shown)?;
        config.crf = crf;
        config.parallelism = self.parallelism();
        let header = IvfHeader {
            width: u16::try_from(config.width).unwrap_or(0),
            height: u16::try_from(config.height).unwrap_or(0),
            rate: config.frame_rate,
            frames: u32::try_from(chunk.len()).unwrap_or(u32::MAX),
        };
        let file = self.job.chunk_file(index, &header)?;
        let session = SessionConfig { stride, ..self.session };
        let task = Task::Try { config: Box::new(config), watch, file };
        self.give(index, Order { chunk, session, task }, Running::Try { crf, stride })
    }

    fn parallelism(&self) -> u32 {
        self.layout.parallelism(self.ended.then_some(self.works.len()))
    }

    fn give(&mut self, index: usize, order: Order, running: Running) -> Result<()> {
        let worker = self.free.pop().ok_or_else(unknown)?;
        let work = self.works.get_mut(&index).ok_or_else(unknown)?;
        work.running = Some(running);
        // A worker that is free has an empty queue.
        self.orders.get(worker).ok_or_else(unknown)?.send(order)
    }

    fn tried(&mut self, index: usize, cost: Cost, tried: Result<Tried>) -> Result<()> {
        let work = self.works.get_mut(&index).ok_or_else(unknown)?;
        let running = work.running.take();
        // Probes were never counted.
        if let Some(Running::Try { .. }) = running {
            self.tally.take_back(cost.frames, cost.bytes);
        }
        let tried = match tried {
            Ok(tried) => tried,
            Err(error) => {
                work.failures += 1;
                let again = error.kind() == ErrorKind::Encode && work.failures < FAILURES;
                tracing::error!(chunk = index, %error, again, "a try failed");
                return if again { Ok(()) } else { Err(error) };
            }
        };
        let first_frame = work.chunk.first_frame();
        let profile = |scores: &Scores| {
            let frames = scores.per_frame.iter().map(|s| (s.index - first_frame, s.score));
            Some(Profile::new(frames, scores.harmonic_mean))
        };
        let (score, whole, what) = match &tried {
            Tried::Whole { scores, .. } => {
                work.profile = profile(scores);
                (scores.harmonic_mean, true, "scored")
            }
            Tried::Stopped { estimate } => (*estimate, false, "stopped early"),
            Tried::Probed { scores } => {
                work.probe = Some(scores.harmonic_mean);
                work.profile = profile(scores);
                return Ok(());
            }
        };
        let Some(Running::Try { crf, stride }) = running else { return Err(unknown()) };
        let title = self.title_crf().is_some();
        let search = self.works.get(&index).and_then(|work| work.search.as_ref()).filter(|_| !title);
        let tier = search.map_or(Tier::Configured, ChunkSearch::tier);
        let reason = format!("{}: {what}", if title { "the CRF of the title" } else { tier.reason() });
        let (stride, Cost { frames, bytes }) = (stride.get(), cost);
        tracing::info!(chunk = index, %crf, score, whole, frames, reason, "try");
        self.learn(TryRecord { chunk: index, crf, tier, stride, whole, score, frames, bytes, reason }, tried)
    }

    /// Takes what a try came to into the search of its chunk and the journal, and keeps its bytes if they are the best.
    fn learn(&mut self, record: TryRecord, tried: Tried) -> Result<()> {
        let (index, crf, score, bytes) = (record.chunk, record.crf, record.score, record.bytes);
        let title = self.title_crf().is_some();
        let work = self.works.get_mut(&index).ok_or_else(unknown)?;
        // A chunk whose bytes are made again was decided before: that decides nothing anew.
        let search = work.search.as_mut().filter(|search| !title && !matches!(search.next(), Step::Done { .. }));
        let decided = search.is_none();
        if let Some(search) = search {
            search.observe(record.observation());
        }
        if !decided || (title && !self.job.tries(index).contains(&record)) {
            self.job.record_try(record)?;
        }
        if let Tried::Whole { scores, file } = tried {
            let aim = work.search.as_ref().map_or(self.rules.target, ChunkSearch::aim);
            let miss = |score: f64| (score - aim).abs();
            let best = work.best.as_ref().is_none_or(|best| decided || miss(score) <= miss(best.scores.harmonic_mean));
            if best {
                work.best = Some(Best { crf, scores, bytes, file });
            }
        }
        self.settle(index)
    }

    /// Finishes the chunk if its search is over and its bytes are there.
    fn settle(&mut self, index: usize) -> Result<()> {
        let work = self.works.get(&index).ok_or_else(unknown)?;
        if let Some(title) = &self.title {
            let made = title.crf.is_some() && work.best.as_ref().map(|best| best.crf) == title.crf;
            return if made { self.finish(index, None) } else { Ok(()) };
        }
        match (work.search.as_ref().map(ChunkSearch::next), &work.best) {
            (Some(Step::Done { crf, clamp }), Some(best)) if best.crf == crf => self.finish(index, clamp),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, index: usize, clamp: Option<Clamp>) -> Result<()> {
        let work = self.works.remove(&index).ok_or_else(unknown)?;
        let best = work.best.ok_or_else(unknown)?;
        let aim = work.search.filter(|_| self.title.is_none()).map_or(self.rules.target, |search| search.aim());
        let span = &work.chunk.span;
        let record = ChunkRecord {
            chunk: index,
            first_frame: span.first_frame,
            frames: span.frames,
            start_s: span.start.as_secs_f64(),
            length: 0,
            hash: String::new(),
            bytes: best.bytes,
            crf: best.crf,
            aim,
            harmonic_mean: best.scores.harmonic_mean,
            stride: best.scores.stride.get(),
            scores: best.scores.per_frame.iter().map(|s| (s.score * 100.0).round() as u16).collect(),
            ceiling: work.ceiling,
            probe: work.probe,
            clamp,
            tries: self.job.tries(index).to_vec(),
        };
        self.outcomes[index] = Some(record.outcome(&work.chunk.means, &self.rules.curve));
        self.tally.encoded.fetch_add(span.frames, Ordering::Relaxed);
        self.tally.bytes.fetch_add(record.bytes, Ordering::Relaxed);
        self.tally.chunk_done(record.event());
        self.job.finish(record, best.file)
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::Encode, "internal error: a chunk nobody knows")
}
