//! The scheduler.
#![deny(unsafe_code)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::super::prior::{ChunkOutcome, forecast, lag, probe_crf};
use super::super::search::Clamp;
use super::super::tail::Piece;
use super::super::watch::WatchSpec;
use super::message::{ChunkFacts, ScheduleAction, ScheduleEvent, ScheduleRules, TryEnd};
use super::record::ScheduleRecord;
use super::title::{TitleState, decide};
use super::work::{ChunkWork, Next, TryCost, WorkerTask, unknown};
use crate::base::Result;
use crate::media::Crf;

/// Decides what is done next; see the [module](super).
#[derive(Clone, Debug)]
pub struct Scheduler {
    rules: ScheduleRules,
    /// Where all chunks have the same CRF.
    title: Option<TitleState>,
    free: Vec<usize>,
    works: BTreeMap<usize, ChunkWork>,
    /// By chunk; `None` until it is finished, or calibrated on.
    outcomes: Vec<Option<ChunkOutcome>>,
    ended: bool,
    done: bool,
    past: BTreeMap<usize, Past>,
}

/// What an earlier run wrote down of a chunk.
#[derive(Clone, Debug, Default)]
struct Past {
    search: Vec<ScheduleRecord>,
    /// After the CRF of the title was known.
    of_title: Vec<ScheduleRecord>,
    kept: Option<ScheduleRecord>,
}

impl Scheduler {
    /// A scheduler that knows nothing yet and has no workers.
    pub fn new(rules: ScheduleRules) -> Self {
        let title = rules.title.map(TitleState::new);
        Scheduler {
            rules,
            title,
            free: Vec::new(),
            works: BTreeMap::new(),
            outcomes: Vec::new(),
            ended: false,
            done: false,
            past: BTreeMap::new(),
        }
    }

    /// Takes what happened; what is to be done, in this order. After [`Done`](ScheduleAction::Done) or
    /// [`GiveUp`](ScheduleAction::GiveUp) nothing more is asked for.
    ///
    /// # Errors
    /// `Encode` where the event cannot be: of a chunk nobody works on, or a finished one that was not restored.
    pub fn on(&mut self, event: ScheduleEvent) -> Result<Vec<ScheduleAction>> {
        let mut out = Vec::new();
        match event {
            ScheduleEvent::Restored { record } => self.restore(record),
            ScheduleEvent::ChunkArrived { chunk, finished } => self.arrive(chunk, finished)?,
            ScheduleEvent::FilmEnded => self.ended = true,
            ScheduleEvent::WorkerFree { worker } => self.free.push(worker),
            ScheduleEvent::Probed { chunk, scores, bytes } => {
                let work = self.ended_of(chunk, |running| running == WorkerTask::Probe)?.1;
                work.probed(&scores, bytes);
                out.push(ScheduleAction::Journal { record: ScheduleRecord::Probe { chunk, scores, bytes } });
            }
            ScheduleEvent::Tried { chunk, end, frames, bytes, remembered } => {
                let title = self.is_decided().then(|| self.title.as_ref().and_then(TitleState::floor));
                let rules = self.rules.search.clone();
                let (running, work) = self.ended_of(chunk, |running| matches!(running, WorkerTask::Try { .. }))?;
                let WorkerTask::Try { piece, stride, again } = running else { return Err(unknown()) };
                let whole = matches!(end, TryEnd::Whole(_));
                let cost = TryCost { frames, bytes, remembered };
                let learnt = work.tried((piece, stride, again), end, cost, (title, &rules))?;
                out.extend(learnt.record.map(|record| ScheduleAction::Journal { record }));
                match learnt.hold {
                    // What is held until now is given up when the bytes of what is remembered are made.
                    _ if remembered => {}
                    Some(from) => out.push(ScheduleAction::Hold { chunk, from }),
                    None if whole => out.push(ScheduleAction::Discard { chunk }),
                    None => {}
                }
                self.settle(chunk, &mut out)?;
            }
            ScheduleEvent::CeilingMeasured { chunk, score } => {
                self.ended_of(chunk, |running| running == WorkerTask::Ceiling)?.1.measured(score);
                out.push(ScheduleAction::Journal { record: ScheduleRecord::Ceiling { chunk, score } });
                self.settle(chunk, &mut out)?;
            }
            ScheduleEvent::Failed { chunk, retryable } => {
                let most = self.rules.max_failures;
                let work = self.ended_of(chunk, |_| true)?.1;
                work.failures += 1;
                if !retryable || work.failures >= most {
                    self.done = true;
                    out.push(ScheduleAction::GiveUp { chunk });
                }
            }
        }
        self.dispatch(&mut out)?;
        Ok(out)
    }

    /// The chunk whose order ended, and what that was.
    fn ended_of(&mut self, chunk: usize, is: impl Fn(WorkerTask) -> bool) -> Result<(WorkerTask, &mut ChunkWork)> {
        let work = self.works.get_mut(&chunk).ok_or_else(unknown)?;
        let running = work.running.take().filter(|running| is(*running)).ok_or_else(unknown)?;
        Ok((running, work))
    }

    fn restore(&mut self, record: ScheduleRecord) {
        let Some(chunk) = record.chunk() else {
            if let (ScheduleRecord::Title { crf, worst }, Some(title)) = (record, &mut self.title) {
                (title.crf, title.worst) = (Some(crf), worst);
            }
            return;
        };
        let of_title = self.is_decided();
        let past = self.past.entry(chunk).or_default();
        match record {
            ScheduleRecord::Kept { .. } => past.kept = Some(record),
            _ if of_title => past.of_title.push(record),
            _ => past.search.push(record),
        }
    }

    fn arrive(&mut self, facts: ChunkFacts, finished: bool) -> Result<()> {
        let past = self.past.remove(&facts.index).unwrap_or_default();
        if self.outcomes.len() <= facts.index {
            self.outcomes.resize_with(facts.index + 1, || None);
        }
        if finished {
            let Some(ScheduleRecord::Kept { crf, score, probe, slope, .. }) = past.kept else { return Err(unknown()) };
            if let Some(title) = &mut self.title {
                let mut work = ChunkWork::new(facts.clone());
                work.restore(past.search);
                title.calibrated.extend(work.first_try().map(|outcome| (facts.index, outcome)));
                title.finished.insert(facts.index, work.title_chunk());
            }
            self.outcomes[facts.index] = Some(ChunkOutcome { means: facts.means, crf, score, probe, slope });
            return Ok(());
        }
        let index = facts.index;
        let mut work = ChunkWork::new(facts);
        work.restore(past.search);
        // The search of a chunk a title is calibrated on depends on no other chunk.
        let floor = self.title.as_ref().and_then(TitleState::floor);
        if let Some(title) = &mut self.title
            && work.has_past()
        {
            title.calibrated.extend(work.first_try().map(|outcome| (index, outcome)));
            begin(&mut work, &[], &self.rules);
        }
        past.of_title.into_iter().for_each(|record| work.restore_of_title(record, floor, &self.rules.search));
        self.works.insert(index, work);
        Ok(())
    }

    /// Gives orders to workers that are free.
    fn dispatch(&mut self, out: &mut Vec<ScheduleAction>) -> Result<()> {
        while !self.done && !self.free.is_empty() {
            // Each turn gives an order, or finishes or calibrates a chunk.
            self.decide_title(out);
            if let Some(index) = self.choose() {
                self.begin(index)?;
                self.order(index, out)?;
            } else if let Some(chunk) = self.next_to_probe() {
                let worker = self.give(chunk, WorkerTask::Probe)?;
                let (crf, parallelism) = (probe_crf(&self.rules.search), self.parallelism());
                out.push(ScheduleAction::Probe { worker, chunk, crf, parallelism });
            } else {
                break;
            }
        }
        if self.ended && self.works.is_empty() && !self.done {
            self.done = true;
            out.push(ScheduleAction::Done);
        }
        Ok(())
    }

    /// The chunk to work on next: one that was begun, because its frames are held; else the longest.
    fn choose(&self) -> Option<usize> {
        let ready = |(index, work): &(&usize, &ChunkWork)| {
            let probed = work.probe_score().is_some() || !self.rules.probes;
            let begun = (work.search.is_some() && !self.is_decided()) || self.one_crf();
            work.running.is_none() && self.is_due(**index) && (begun || (probed && self.prior_is_known(**index)))
        };
        let rank = |(index, work): &(&usize, &ChunkWork)| (work.search.is_some(), work.facts.frames, Reverse(**index));
        self.works.iter().filter(ready).max_by_key(rank).map(|(index, _)| *index)
    }

    /// How many chunks from the start of the film the first CRF of a chunk depends on.
    fn needed(&self, index: usize) -> usize {
        // The chunks a title is calibrated on are searched each on its own.
        let on_its_own = self.title.is_some() && (!self.is_decided() || self.one_crf());
        if on_its_own { 0 } else { (index + 1).saturating_sub(lag(index, self.rules.lag)) }
    }

    /// Whether it is decided at what CRF each chunk of a title is made, or how that follows.
    fn is_decided(&self) -> bool {
        self.title.as_ref().is_some_and(|title| title.crf.is_some())
    }

    /// Whether all chunks have the same CRF, and it is known.
    fn one_crf(&self) -> bool {
        self.is_decided() && self.title.as_ref().is_some_and(|title| title.floor().is_none())
    }

    fn prior_is_known(&self, index: usize) -> bool {
        self.outcomes.get(..self.needed(index)).is_some_and(|known| known.iter().all(Option::is_some))
    }

    /// The first chunk without a probe.
    fn next_to_probe(&self) -> Option<usize> {
        if !self.rules.probes || self.is_decided() {
            return None;
        }
        let wants = |work: &ChunkWork| work.running.is_none() && work.search.is_none() && work.probe_score().is_none();
        // A title is judged by the probes of all its chunks.
        self.works.iter().find(|(_, work)| wants(work)).map(|(index, _)| *index)
    }

    /// Starts the search of a chunk, from what chunks before it came to and what an earlier run tried.
    fn begin(&mut self, index: usize) -> Result<()> {
        let (needed, title) = (self.needed(index), self.is_decided());
        if title {
            self.allocate(index);
            return Ok(());
        }
        let work = self.works.get_mut(&index).ok_or_else(unknown)?;
        if work.search.is_none() {
            let known: Vec<ChunkOutcome> = self.outcomes.iter().take(needed).flatten().cloned().collect();
            begin(work, &known, &self.rules);
        }
        Ok(())
    }

    /// Decides the CRF of a chunk of a title.
    fn allocate(&mut self, index: usize) {
        let longest = self.rules.lag;
        let needed = move |at: usize| (at + 1).saturating_sub(lag(at, longest));
        if let Some(title) = &mut self.title {
            title.allocate(index, &self.works, &self.outcomes, (needed, &self.rules.search));
        }
    }

    /// Gives the next step of a chunk to a worker, or finishes the chunk.
    fn order(&mut self, index: usize, out: &mut Vec<ScheduleAction>) -> Result<()> {
        let work = self.works.get(&index).ok_or_else(unknown)?;
        let stride = self.stride_of(work);
        if self.is_decided() {
            let crf = self.crf_of_title(index, work).ok_or_else(unknown)?;
            if work.holds(Some(crf)) {
                return self.finish(index, None, out);
            }
            let best = work.best.as_ref().filter(|best| best.is_whole_at(crf));
            let stride = best.map_or(stride, |best| best.scores.stride);
            return self.try_at(index, (Piece { from: 0, crf }, stride, true), None, out);
        }
        // Where each chunk has a CRF of its own, one try of some tells enough.
        if let (Some(_), Some(outcome)) = (self.title.as_ref().and_then(TitleState::floor), work.first_try()) {
            self.outcomes[index] = Some(outcome);
            return Ok(());
        }
        match work.next(&self.rules.search, stride, self.title.is_none())? {
            Next::MeasureCeiling => {
                let worker = self.give(index, WorkerTask::Ceiling)?;
                out.push(ScheduleAction::MeasureCeiling { worker, chunk: index });
                Ok(())
            }
            Next::Try { piece, stride, watch } => {
                let watch = watch.filter(|_| self.title.as_ref().and_then(TitleState::floor).is_none());
                self.try_at(index, (piece, stride, false), watch.map(|watch| *watch), out)
            }
            Next::Decided { crf: Some(crf), .. } if self.title.is_some() => {
                self.outcomes[index] = Some(work.calibrated(&self.rules.search.curve, crf)?);
                Ok(())
            }
            Next::Decided { crf, clamp } if work.holds(crf) => self.finish(index, clamp, out),
            Next::Decided { crf, .. } => {
                // The bytes went with an earlier run, or were not the best when they were made.
                let work = self.works.get_mut(&index).ok_or_else(unknown)?;
                let (piece, stride) = work.wanting(crf, stride).ok_or_else(unknown)?;
                self.try_at(index, (piece, stride, true), None, out)
            }
        }
    }

    fn try_at(
        &mut self,
        chunk: usize,
        (piece, stride, again): (Piece, u32, bool),
        watch: Option<WatchSpec>,
        out: &mut Vec<ScheduleAction>,
    ) -> Result<()> {
        let worker = self.give(chunk, WorkerTask::Try { piece, stride, again })?;
        let parallelism = self.parallelism();
        out.push(ScheduleAction::Try { worker, chunk, piece, stride, watch, again, parallelism });
        Ok(())
    }

    /// Every how many-th frame of a chunk is scored.
    fn stride_of(&self, work: &ChunkWork) -> u32 {
        let rough = self.rules.every_where_rough && work.is_rough(&self.rules.search);
        if rough { 1 } else { self.rules.stride }
    }

    fn parallelism(&self) -> u32 {
        self.rules.layout.parallelism(self.ended.then_some(self.works.len()))
    }

    fn give(&mut self, index: usize, running: WorkerTask) -> Result<usize> {
        let worker = self.free.pop().ok_or_else(unknown)?;
        self.works.get_mut(&index).ok_or_else(unknown)?.running = Some(running);
        Ok(worker)
    }

    /// Finishes the chunk if its search is over and its bytes are there.
    fn settle(&mut self, index: usize, out: &mut Vec<ScheduleAction>) -> Result<()> {
        let work = self.works.get(&index).ok_or_else(unknown)?;
        if self.title.is_some() {
            let crf = if self.is_decided() { self.crf_of_title(index, work) } else { None };
            let made = crf.is_some_and(|crf| work.holds(Some(crf)));
            return if made { self.finish(index, None, out) } else { Ok(()) };
        }
        match work.next(&self.rules.search, self.stride_of(work), true)? {
            Next::Decided { crf, clamp } if work.holds(crf) => self.finish(index, clamp, out),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, index: usize, clamp: Option<Clamp>, out: &mut Vec<ScheduleAction>) -> Result<()> {
        let work = self.works.remove(&index).ok_or_else(unknown)?;
        let search = work.search.as_ref().filter(|_| self.title.is_none());
        let (aim, means) = (search.map_or(self.rules.search.target, |search| search.aim()), work.facts.means);
        let kept = work.finish(aim, clamp, &self.rules.search.curve)?;
        self.outcomes[index] = Some(kept.outcome(means).ok_or_else(unknown)?);
        out.push(ScheduleAction::Keep { chunk: Box::new(kept) });
        Ok(())
    }

    /// The CRF a chunk of a title is to be made at, once that is decided.
    fn crf_of_title(&self, index: usize, work: &ChunkWork) -> Option<Crf> {
        work.raised.or_else(|| self.title.as_ref()?.crf_of(index))
    }

    /// Whether a chunk is worked on now: until the CRF of a title is known, those it is calibrated on, each once.
    fn is_due(&self, index: usize) -> bool {
        match &self.title {
            Some(TitleState { rules, crf: None, .. }) => {
                let chunks = self.ended.then_some(self.outcomes.len());
                rules.calibration.includes(index, chunks) && self.outcomes[index].is_none()
            }
            // Chunks are allocated by what is known of all.
            Some(title) => title.floor().is_none() || self.ended,
            None => true,
        }
    }

    /// Decides the CRF of the title once all it depends on is known.
    fn decide_title(&mut self, out: &mut Vec<ScheduleAction>) {
        let Some(TitleState { crf: None, .. }) = self.title else { return };
        let unknown = |(index, work): (&usize, &ChunkWork)| {
            let probed = work.probe_score().is_some() || !self.rules.probes;
            self.is_due(*index) || !(probed || self.outcomes[*index].is_some())
        };
        if !self.ended || self.works.iter().any(unknown) {
            return;
        }
        let works: Vec<_> = self.works.iter().map(|(index, work)| (work, self.outcomes[*index].as_ref())).collect();
        let Some(crf) = decide(&works, &self.rules.search) else { return };
        if let Some(title) = &mut self.title {
            title.crf = Some(crf);
            if title.floor().is_some() {
                // From here on it is what they are finished with.
                let calibrated = self.outcomes.iter_mut().enumerate();
                title.calibrated.extend(calibrated.filter_map(|(index, outcome)| Some((index, outcome.take()?))));
                title.decide_worst(&self.works, &self.rules.search);
            }
            out.push(ScheduleAction::Journal { record: ScheduleRecord::Title { crf, worst: title.worst } });
        }
    }
}

fn begin(work: &mut ChunkWork, known: &[ChunkOutcome], rules: &ScheduleRules) {
    let forecast = forecast(known, &work.facts.means, work.probe_score(), &rules.search);
    tracing::info!(chunk = work.facts.index, probe = work.probe_score(), crf = %forecast.crf, slope = forecast.slope, means = ?work.facts.means, "forecast");
    work.begin(&rules.search, forecast);
}
