//! A chunk that is not finished: what is known of it, and what follows from that.
#![deny(unsafe_code)]

use super::super::curve::Curve;
use super::super::policy::{ChunkSearch, Tier};
use super::super::prior::{ChunkOutcome, slope_of};
use super::super::search::{Clamp, Forecast, SearchRules, Step};
use super::super::watch::{Profile, WatchSpec};
use super::message::{ChunkFacts, TryEnd};
use super::record::{KeptChunk, ScheduleRecord, ScoredFrames, TryRecord};
use crate::base::{Error, ErrorKind, Result};
use crate::media::Crf;

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum WorkerTask {
    Try { crf: Crf, stride: u32 },
    Probe,
    Ceiling,
}

/// The try whose bytes are thought to be the chunk's.
#[derive(Clone, Debug)]
pub(super) struct BestTry {
    pub(super) crf: Crf,
    pub(super) scores: ScoredFrames,
    pub(super) bytes: u64,
    /// Its bytes are there. Those of an earlier run are not: they are made again, and only they.
    pub(super) held: bool,
}

/// What comes next for a chunk.
#[derive(Clone, Debug)]
pub(super) enum Next {
    MeasureCeiling,
    Try {
        crf: Crf,
        stride: u32,
        watch: Option<Box<WatchSpec>>,
    },
    /// Its search is over; the bytes at this CRF are wanted.
    Decided {
        crf: Crf,
        clamp: Option<Clamp>,
    },
}

/// What was learnt of a try.
#[derive(Clone, Debug, Default)]
pub(super) struct Learnt {
    /// To be written down, if it decides anything.
    pub(super) record: Option<ScheduleRecord>,
    /// Its bytes are the best.
    pub(super) hold: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ChunkWork {
    pub(super) facts: ChunkFacts,
    pub(super) search: Option<ChunkSearch>,
    pub(super) running: Option<WorkerTask>,
    pub(super) failures: u32,
    pub(super) best: Option<BestTry>,
    /// The score of its probe.
    pub(super) probe: Option<f64>,
    ceiling: Option<f64>,
    /// Scores of its last whole encode.
    profile: Option<Profile>,
    tries: Vec<TryRecord>,
    /// What an earlier run wrote down and its search has not seen.
    past: Vec<ScheduleRecord>,
}

impl ChunkWork {
    pub(super) fn new(facts: ChunkFacts) -> Self {
        ChunkWork {
            facts,
            search: None,
            running: None,
            failures: 0,
            best: None,
            probe: None,
            ceiling: None,
            profile: None,
            tries: Vec::new(),
            past: Vec::new(),
        }
    }

    /// Takes what an earlier run wrote down of it, up to the CRF of the title if there is one.
    pub(super) fn restore(&mut self, past: Vec<ScheduleRecord>) {
        for record in past {
            match record {
                ScheduleRecord::Probe { scores, .. } => self.probed(&scores),
                other => self.past.push(other),
            }
        }
    }

    /// Whether an earlier run searched it.
    pub(super) fn has_past(&self) -> bool {
        !self.past.is_empty()
    }

    pub(super) fn probed(&mut self, scores: &ScoredFrames) {
        self.probe = Some(scores.harmonic_mean);
        self.profile = Some(scores.profile());
    }

    /// Starts its search, and goes over what an earlier run tried.
    pub(super) fn begin(&mut self, rules: &SearchRules, forecast: Forecast) {
        self.search = Some(ChunkSearch::new(rules.clone(), forecast));
        for record in std::mem::take(&mut self.past) {
            match record {
                ScheduleRecord::Try { tried, frames } => {
                    self.observe(tried, frames, false);
                }
                ScheduleRecord::Ceiling { score, .. } => self.measured(score),
                ScheduleRecord::Probe { .. } | ScheduleRecord::Title { .. } | ScheduleRecord::Kept { .. } => {}
            }
        }
    }

    /// Takes a try that an earlier run made at the CRF of the title.
    pub(super) fn restore_of_title(&mut self, record: ScheduleRecord) {
        if let ScheduleRecord::Try { tried, frames } = record {
            let scores = ScoredFrames { stride: tried.stride, harmonic_mean: tried.score, frames };
            self.best = Some(BestTry { crf: tried.crf, scores, bytes: tried.bytes, held: false });
            self.tries.push(tried);
        }
    }

    pub(super) fn measured(&mut self, ceiling: f64) {
        self.ceiling = Some(ceiling);
        if let Some(search) = &mut self.search {
            search.observe_ceiling(ceiling);
        }
    }

    /// What its search wants next.
    pub(super) fn next(&self, rules: &SearchRules, stride: u32) -> Result<Next> {
        let search = self.search.as_ref().ok_or_else(unknown)?;
        Ok(match search.next() {
            Step::MeasureCeiling => Next::MeasureCeiling,
            Step::Done { crf, clamp } => Next::Decided { crf, clamp },
            Step::Try(crf) => {
                let stride = stride_of(search.tier(), stride);
                let spec = || WatchSpec::new(rules, search.aim(), crf, self.facts.frames, self.profile.clone());
                Next::Try { crf, stride, watch: search.may_stop().then(|| Box::new(spec())) }
            }
        })
    }

    /// With what stride bytes at `crf` are made again, or made for the first time though the search is over.
    pub(super) fn stride_at(&self, crf: Crf, stride: u32) -> u32 {
        match (&self.best, &self.search) {
            (Some(best), _) if best.crf == crf => best.scores.stride,
            (_, Some(search)) => stride_of(search.tier(), stride),
            _ => stride,
        }
    }

    /// Takes what a try at `crf` and `stride` came to. `title` is the CRF of the title, once that is decided.
    pub(super) fn tried(
        &mut self,
        (crf, stride): (Crf, u32),
        end: TryEnd,
        (frames, bytes): (u64, u64),
        title: Option<Crf>,
    ) -> Result<Learnt> {
        let open = self.search.as_ref().filter(|s| title.is_none() && !matches!(s.next(), Step::Done { .. }));
        let (tier, searching) = (open.map_or(Tier::Configured, ChunkSearch::tier), open.is_some());
        let (score, whole, what) = match &end {
            TryEnd::Whole(scores) => (scores.harmonic_mean, true, "scored"),
            TryEnd::Stopped { estimate } => (*estimate, false, "stopped early"),
        };
        let why = if title.is_some() { "the CRF of the title" } else { tier.reason() };
        let reason = format!("{why}: {what}");
        let tried = TryRecord { chunk: self.facts.index, crf, tier, stride, whole, score, frames, bytes, reason };
        let scored = match end {
            TryEnd::Whole(scores) => scores.frames,
            TryEnd::Stopped { .. } => Vec::new(),
        };
        if searching {
            let record = Some(ScheduleRecord::Try { tried: tried.clone(), frames: scored.clone() });
            return Ok(Learnt { record, hold: self.observe(tried, scored, true) });
        }
        if !whole {
            return Err(Error::new(ErrorKind::Encode, "internal error: a try that nothing watched was stopped"));
        }
        // A chunk whose bytes are made again was decided before: that decides nothing anew.
        if let Some(best) = self.best.as_mut().filter(|best| best.crf == crf && best.scores.stride == stride) {
            best.held = true;
            return Ok(Learnt { record: None, hold: true });
        }
        let record = title.map(|_| ScheduleRecord::Try { tried: tried.clone(), frames: scored.clone() });
        let scores = ScoredFrames { stride, harmonic_mean: score, frames: scored };
        self.best = Some(BestTry { crf, scores, bytes, held: true });
        if record.is_some() {
            self.tries.push(tried);
        }
        Ok(Learnt { record, hold: true })
    }

    /// Takes a try into the search; whether it is the best so far. Live or from the journal, it is the same.
    fn observe(&mut self, tried: TryRecord, frames: Vec<f64>, live: bool) -> bool {
        let Some(search) = &mut self.search else { return false };
        search.observe(tried.observation());
        let aim = search.aim();
        let (crf, bytes, whole) = (tried.crf, tried.bytes, tried.whole);
        let scores = ScoredFrames { stride: tried.stride, harmonic_mean: tried.score, frames };
        self.tries.push(tried);
        if !whole {
            return false;
        }
        self.profile = Some(scores.profile());
        let miss = |score: f64| (score - aim).abs();
        let is_best = self.best.as_ref().is_none_or(|b| miss(scores.harmonic_mean) <= miss(b.scores.harmonic_mean));
        if is_best {
            self.best = Some(BestTry { crf, scores, bytes, held: live });
        }
        is_best
    }

    /// Whether the bytes at this CRF are there.
    pub(super) fn holds(&self, crf: Crf) -> bool {
        self.best.as_ref().is_some_and(|best| best.crf == crf && best.held)
    }

    /// What the search of a chunk a title is calibrated on came to, which ended at `crf`.
    pub(super) fn calibrated(&self, curve: &Curve, crf: Crf) -> Result<ChunkOutcome> {
        let tries = || self.tries.iter().map(TryRecord::observation);
        let score = tries().rfind(|t| t.whole && t.crf == crf).ok_or_else(unknown)?.score;
        Ok(ChunkOutcome { means: self.facts.means, crf, score, probe: self.probe, slope: slope_of(curve, tries()) })
    }

    /// The finished chunk.
    pub(super) fn finish(self, aim: f64, clamp: Option<Clamp>) -> Result<KeptChunk> {
        let best = self.best.ok_or_else(unknown)?;
        Ok(KeptChunk {
            chunk: self.facts.index,
            crf: best.crf,
            aim,
            bytes: best.bytes,
            scores: best.scores,
            ceiling: self.ceiling,
            probe: self.probe,
            clamp,
            tries: self.tries,
        })
    }
}

fn stride_of(tier: Tier, configured: u32) -> u32 {
    if tier == Tier::Configured { configured } else { 1 }
}

pub(super) fn unknown() -> Error {
    Error::new(ErrorKind::Encode, "internal error: a chunk nobody knows")
}
