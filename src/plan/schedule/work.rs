//! A chunk that is not finished: what is known of it, and what follows from that.
#![deny(unsafe_code)]

use super::super::chunks::ChunkMeans;
use super::super::curve::Curve;
use super::super::policy::{ChunkSearch, Tier};
use super::super::prior::{ChunkOutcome, slope_of, usual_slope};
use super::super::search::{Clamp, Forecast, SearchRules, Step};
use super::super::stretch::TitleFloor;
use super::super::tail::{Made, Piece, harmonic_mean, mean_crf, mendable, scores_before, tail};
use super::super::watch::{Profile, WatchSpec};
use super::message::{ChunkFacts, TryEnd};
use super::record::{KeptChunk, ScheduleRecord, ScoredFrames, TryRecord};
use crate::base::{Error, ErrorKind, Result};
use crate::media::Crf;

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum WorkerTask {
    Try {
        piece: Piece,
        stride: u32,
        /// It decides nothing: the bytes are wanted, of what was decided before.
        again: bool,
    },
    Probe,
    Ceiling,
}

/// How many ends of a chunk are encoded alone, at the most.
const MOST_TAILS: usize = 3;

/// How often a chunk that falls below the floor of its title is made again.
const MOST_RAISES: u32 = 3;

/// How many standard errors of its score a chunk is to be within the tolerance. What frames that were not scored made of
/// a score was little more than half of one (benches/forecast).
const MARGIN: f64 = 0.5;

/// The standard error of a try's score, of every third frame, in that of its probe's, of every ninth, once that is as far
/// from perfect (benches/forecast).
const THIRD_OF_NINTH: f64 = 0.4;

/// From how many tolerances of standard error on every frame is scored.
const ROUGH: f64 = 0.8;

/// How many CRFs apart two encodes of an end have to be to tell a slope.
const APART: f64 = 2.0;

/// The pieces whose bytes are thought to be the chunk's, each with whether its bytes are there: those of an earlier run
/// are not, and are made again, and only they.
#[derive(Clone, Debug)]
pub(super) struct BestTry {
    pieces: Vec<(Piece, bool)>,
    pub(super) scores: ScoredFrames,
}

impl BestTry {
    fn whole(crf: Crf, scores: ScoredFrames, held: bool) -> Self {
        BestTry { pieces: vec![(Piece { from: 0, crf }, held)], scores }
    }

    fn pieces(&self) -> Vec<Piece> {
        self.pieces.iter().map(|(piece, _)| *piece).collect()
    }

    /// Whether it is of one piece, of this CRF.
    pub(super) fn is_whole_at(&self, crf: Crf) -> bool {
        self.pieces.len() == 1 && self.pieces[0].0.crf == crf
    }

    /// The first piece whose bytes are not there.
    fn missing(&self) -> Option<Piece> {
        self.pieces.iter().find(|(_, held)| !held).map(|(piece, _)| *piece)
    }
}

/// What the allocation has to know of a chunk.
#[derive(Clone, Debug)]
pub(super) struct TitleChunk {
    pub(super) frames: u64,
    pub(super) means: ChunkMeans,
    /// The scores of its probe, and its bytes.
    pub(super) probe: Option<ScoredFrames>,
    pub(super) bytes: u64,
}

/// What comes next for a chunk.
#[derive(Clone, Debug)]
pub(super) enum Next {
    MeasureCeiling,
    Try {
        piece: Piece,
        stride: u32,
        watch: Option<Box<WatchSpec>>,
    },
    /// Its search is over; the bytes at this CRF are wanted, or of the pieces that are best where there is none.
    Decided {
        crf: Option<Crf>,
        clamp: Option<Clamp>,
    },
}

/// What the encoder gave out for a try, and whether that was now.
#[derive(Clone, Copy, Debug)]
pub(super) struct TryCost {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) remembered: bool,
}

/// What was learnt of a try.
#[derive(Clone, Debug, Default)]
pub(super) struct Learnt {
    /// To be written down, if it decides anything.
    pub(super) record: Option<ScheduleRecord>,
    /// Its bytes are the best, from this frame on.
    pub(super) hold: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct ChunkWork {
    pub(super) facts: ChunkFacts,
    pub(super) search: Option<ChunkSearch>,
    pub(super) running: Option<WorkerTask>,
    pub(super) failures: u32,
    pub(super) best: Option<BestTry>,
    /// The scores of its probe.
    probe: Option<ScoredFrames>,
    probe_bytes: u64,
    /// The CRF it is made at in place of its title's: at that it fell below the floor.
    pub(super) raised: Option<Crf>,
    ceiling: Option<f64>,
    /// Scores of its last whole encode.
    profile: Option<Profile>,
    tries: Vec<TryRecord>,
    /// By how many CRFs ends that were encoded again differed from what was there, by how much distance, and their part of
    /// the chunk.
    bends: Vec<(f64, f64, f64)>,
    /// Its best is what its search decided on, made again: that is not written down, so nothing may follow from it.
    settled: bool,
    /// How often it fell below the floor of its title.
    raises: u32,
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
            probe_bytes: 0,
            raised: None,
            ceiling: None,
            profile: None,
            tries: Vec::new(),
            bends: Vec::new(),
            settled: false,
            raises: 0,
            past: Vec::new(),
        }
    }

    /// Takes what an earlier run wrote down of it, up to the CRF of the title if there is one.
    pub(super) fn restore(&mut self, past: Vec<ScheduleRecord>) {
        for record in past {
            match record {
                ScheduleRecord::Probe { scores, bytes, .. } => self.probed(&scores, bytes),
                other => self.past.push(other),
            }
        }
    }

    /// Whether an earlier run searched it.
    pub(super) fn has_past(&self) -> bool {
        !self.past.is_empty()
    }

    pub(super) fn probed(&mut self, scores: &ScoredFrames, bytes: u64) {
        self.probe = Some(scores.clone());
        self.probe_bytes = bytes;
        self.profile = Some(scores.profile());
    }

    /// The score of its probe, if it had one.
    pub(super) fn probe_score(&self) -> Option<f64> {
        self.probe.as_ref().map(|scores| scores.harmonic_mean)
    }

    /// Whether its frames differ so much, by its probe, that of every third one the score could be off by most of the
    /// tolerance.
    pub(super) fn is_rough(&self, rules: &SearchRules) -> bool {
        let Some(probe) = &self.probe else { return false };
        let curve = &rules.curve;
        let fall = |score: f64| curve.fall(curve.distance(score));
        let there = THIRD_OF_NINTH * probe.doubt() * fall(rules.target) / fall(probe.harmonic_mean);
        there > ROUGH * rules.tolerance
    }

    /// Starts its search, and goes over what an earlier run tried.
    pub(super) fn begin(&mut self, rules: &SearchRules, forecast: Forecast) {
        self.search = Some(ChunkSearch::new(rules.clone(), forecast));
        for record in std::mem::take(&mut self.past) {
            match record {
                ScheduleRecord::Try { tried, frames } => {
                    self.observe(tried, frames, false, &rules.curve);
                }
                ScheduleRecord::Ceiling { score, .. } => self.measured(score),
                ScheduleRecord::Probe { .. } | ScheduleRecord::Title { .. } | ScheduleRecord::Kept { .. } => {}
            }
        }
    }

    /// What the first try of all of it came to, whether its search has seen that or not.
    pub(super) fn first_try(&self) -> Option<ChunkOutcome> {
        let past = self.past.iter().filter_map(|record| match record {
            ScheduleRecord::Try { tried, .. } => Some(tried),
            _ => None,
        });
        let TryRecord { crf, score, .. } = self.tries.iter().chain(past).find(|t| t.whole && t.from == 0)?;
        Some(ChunkOutcome { means: self.facts.means, crf: *crf, score: *score, probe: self.probe_score(), slope: None })
    }

    /// What the allocation of a title has to know of it.
    pub(super) fn title_chunk(&self) -> TitleChunk {
        let ChunkFacts { frames, means, .. } = self.facts;
        TitleChunk { frames, means, probe: self.probe.clone(), bytes: self.probe_bytes }
    }

    /// Decides the CRF it is made at next where it fell below the floor of its title.
    fn keep_above(&mut self, floor: Option<TitleFloor>, tried: &TryRecord, frames: &[f64], rules: &SearchRules) {
        let scores = (frames, tried.stride);
        let rise = floor.filter(|_| tried.crf > rules.min).and_then(|f| f.shortfall(tried.score, scores, rules));
        let Some(rise) = rise else { return };
        self.raises += 1;
        if self.raises > MOST_RAISES {
            return;
        }
        let curve = &rules.curve;
        let slope = slope_of(curve, self.wholes().map(TryRecord::observation));
        let slope = slope.unwrap_or_else(|| usual_slope(curve, &self.facts.means));
        self.raised = Some(rules.nearest(tried.crf.as_f64() - (rise / slope).max(1.0)));
    }

    /// Takes a try that an earlier run made for the title.
    pub(super) fn restore_of_title(&mut self, record: ScheduleRecord, floor: Option<TitleFloor>, rules: &SearchRules) {
        if let ScheduleRecord::Try { tried, frames } = record {
            self.tries.push(tried.clone());
            self.keep_above(floor, &tried, &frames, rules);
            let scores = ScoredFrames { stride: tried.stride, harmonic_mean: tried.score, frames };
            self.best = Some(BestTry::whole(tried.crf, scores, false));
        }
    }

    pub(super) fn measured(&mut self, ceiling: f64) {
        self.ceiling = Some(ceiling);
        if let Some(search) = &mut self.search {
            search.observe_ceiling(ceiling);
        }
    }

    /// What its search wants next. Where `mends`, a chunk that misses by little has its end alone encoded again.
    pub(super) fn next(&self, rules: &SearchRules, stride: u32, mends: bool) -> Result<Next> {
        let search = self.search.as_ref().ok_or_else(unknown)?;
        let stride = stride_of(search.tier(), stride);
        let step = search.next();
        if mends && let Some(next) = self.next_of_its_end(search, step, rules, stride) {
            return Ok(next);
        }
        Ok(match step {
            Step::MeasureCeiling => Next::MeasureCeiling,
            Step::Done { crf, clamp } => Next::Decided { crf: Some(crf), clamp },
            Step::Try(crf) => {
                let spec = || {
                    let spec = WatchSpec::new(rules, search.aim(), crf, self.facts.frames, self.profile.clone());
                    if mends { spec.within(mendable(rules, search.aim(), search.slope())) } else { spec }
                };
                let watch = search.may_stop().then(|| Box::new(spec()));
                Next::Try { piece: Piece { from: 0, crf }, stride, watch }
            }
        })
    }

    /// What comes next if that has to do with an end that is encoded alone; `step` is what the search wants.
    ///
    /// Where most frames are not scored a chunk that is only just within the tolerance may not be: it has its end made
    /// again, too, but nothing more than that.
    fn next_of_its_end(&self, search: &ChunkSearch, step: Step, rules: &SearchRules, stride: u32) -> Option<Next> {
        let best = self.best.as_ref().filter(|_| !self.settled)?;
        let missed = match step {
            Step::MeasureCeiling | Step::Done { clamp: Some(Clamp::Above | Clamp::Below), .. } => return None,
            Step::Try(_) => None,
            Step::Done { crf, clamp } => Some((crf, clamp)),
        };
        let miss = |score: f64| (score - search.aim()).abs();
        let (pieced, off) = (best.pieces.len() > 1, miss(best.scores.harmonic_mean));
        let landed = pieced.then_some(Next::Decided { crf: None, clamp: search.clamp_of_landing() });
        if off + MARGIN * best.scores.doubt() <= rules.tolerance {
            return landed;
        }
        let tails = self.tries.iter().filter(|t| t.from > 0).count();
        if rules.ends && tails < MOST_TAILS && best.scores.stride == stride {
            let piece = self.made(best, |made| tail(made, search.aim(), self.slope(search, rules), rules));
            let tried = |piece: &Piece| self.tries.iter().any(|t| (t.from, t.crf) == (piece.from, piece.crf));
            if let Some(piece) = piece.filter(|piece| !tried(piece)) {
                return Some(Next::Try { piece, stride, watch: None });
            }
        }
        if off <= rules.tolerance {
            return landed;
        }
        let (crf, clamp) = missed?;
        let whole = self.tries.iter().rfind(|t| t.whole && t.from == 0 && t.crf == crf)?;
        let nearer = pieced && off < miss(whole.score);
        nearer.then_some(Next::Decided { crf: None, clamp })
    }

    fn made<T>(&self, best: &BestTry, with: impl FnOnce(&Made<'_>) -> T) -> T {
        let ScoredFrames { stride, frames: scores, .. } = &best.scores;
        let pieces = best.pieces();
        let Self { facts: ChunkFacts { frames, scenes, .. }, .. } = self;
        with(&Made { pieces: &pieces, scores, stride: *stride, frames: *frames, scenes })
    }

    /// Distance a CRF: as the search has it, drawn towards what its ends have shown.
    fn slope(&self, search: &ChunkSearch, rules: &SearchRules) -> f64 {
        // As if the search's had been seen over two CRFs.
        const WEIGHT: f64 = 4.0;
        let seen =
            |(sum, weight), &(run, rise, part): &(f64, f64, f64)| (sum + rise * run * part, weight + run * run * part);
        let (sum, weight) = self.bends.iter().fold((search.slope() * WEIGHT, WEIGHT), seen);
        rules.curve.slopes.hold(sum / weight)
    }

    /// The piece that is to be made for the bytes of what was decided, and with what stride; none where they are there. What
    /// was best until now and is something else is given up.
    pub(super) fn wanting(&mut self, crf: Option<Crf>, stride: u32) -> Option<(Piece, u32)> {
        self.best = self.best.take().filter(|best| crf.is_none_or(|crf| best.is_whole_at(crf)));
        match (&self.best, crf) {
            (Some(best), _) => best.missing().map(|piece| (piece, best.scores.stride)),
            (None, Some(crf)) => {
                let stride = self.search.as_ref().map_or(stride, |search| stride_of(search.tier(), stride));
                Some((Piece { from: 0, crf }, stride))
            }
            (None, None) => None,
        }
    }

    /// Takes what a try came to. `title` is there once that is decided, with its floor if it has one.
    pub(super) fn tried(
        &mut self,
        (piece, stride, again): (Piece, u32, bool),
        end: TryEnd,
        TryCost { frames, bytes, remembered }: TryCost,
        (title, rules): (Option<Option<TitleFloor>>, &SearchRules),
    ) -> Result<Learnt> {
        let open = self.search.as_ref().filter(|_| title.is_none() && !again);
        let (tier, searching) = (open.map_or(Tier::Configured, ChunkSearch::tier), open.is_some());
        let (score, whole, what) = match &end {
            TryEnd::Whole(scores) => (self.with_end(piece, &scores.frames, scores.harmonic_mean), true, "scored"),
            TryEnd::Stopped { estimate } => (*estimate, false, "stopped early"),
        };
        let scored = match end {
            TryEnd::Whole(scores) => scores.frames,
            TryEnd::Stopped { .. } => Vec::new(),
        };
        let why = match (title, piece.from) {
            (Some(_), _) => "for the title",
            (None, 0) => tier.reason(),
            (None, _) => "its end alone",
        };
        let (reason, Piece { from, crf }) = (format!("{why}: {what}"), piece);
        let chunk = self.facts.index;
        let tried = TryRecord { chunk, from, crf, tier, stride, whole, score, frames, bytes, reason };
        if searching {
            let record = Some(ScheduleRecord::Try { tried: tried.clone(), frames: scored.clone() });
            return Ok(Learnt { record, hold: self.observe(tried, scored, !remembered, &rules.curve) });
        }
        if !whole || remembered {
            return Err(Error::new(
                ErrorKind::Encode,
                "internal error: a try whose bytes are wanted came without them",
            ));
        }
        // A chunk whose bytes are made again was decided before: that decides nothing anew.
        let of_best = self.best.as_mut().filter(|best| best.scores.stride == stride);
        if let Some((_, held)) = of_best.and_then(|best| best.pieces.iter_mut().find(|(p, _)| *p == piece)) {
            *held = true;
            return Ok(Learnt { record: None, hold: Some(from) });
        }
        let record = title.map(|_| ScheduleRecord::Try { tried: tried.clone(), frames: scored.clone() });
        if let Some(floor) = title {
            self.tries.push(tried.clone());
            self.keep_above(floor, &tried, &scored, rules);
        }
        self.best = Some(BestTry::whole(crf, ScoredFrames { stride, harmonic_mean: score, frames: scored }, true));
        self.settled = true;
        Ok(Learnt { record, hold: Some(0) })
    }

    /// The score of the chunk with the end `piece`, whose frames have these scores; `own` is their own.
    fn with_end(&self, piece: Piece, scores: &[f64], own: f64) -> f64 {
        match &self.best {
            Some(best) if piece.from > 0 => {
                let kept = self.made(best, |made| scores_before(made, piece.from)).min(best.scores.frames.len());
                harmonic_mean(best.scores.frames[..kept].iter().chain(scores).copied())
            }
            _ => own,
        }
    }

    /// Takes a try into the search; from which frame on it is the best so far, if it is. Live or from the journal, it is
    /// the same.
    fn observe(&mut self, tried: TryRecord, frames: Vec<f64>, live: bool, curve: &Curve) -> Option<u64> {
        if tried.from > 0 {
            return self.observe_end(tried, frames, live, curve);
        }
        let search = self.search.as_mut()?;
        search.observe(tried.observation());
        let aim = search.aim();
        let (crf, whole) = (tried.crf, tried.whole);
        let scores = ScoredFrames { stride: tried.stride, harmonic_mean: tried.score, frames };
        self.tries.push(tried);
        if !whole {
            return None;
        }
        self.profile = Some(scores.profile());
        let miss = |score: f64| (score - aim).abs();
        let is_best = self.best.as_ref().is_none_or(|b| miss(scores.harmonic_mean) <= miss(b.scores.harmonic_mean));
        if is_best {
            self.best = Some(BestTry::whole(crf, scores, live));
        }
        is_best.then_some(0)
    }

    /// As [`observe`](Self::observe), of an end that was encoded alone.
    fn observe_end(&mut self, tried: TryRecord, frames: Vec<f64>, live: bool, curve: &Curve) -> Option<u64> {
        let aim = self.search.as_ref()?.aim();
        let best = self.best.as_ref()?;
        let (piece, pieces) = (Piece { from: tried.from, crf: tried.crf }, best.pieces());
        let kept = self.made(best, |made| scores_before(made, piece.from)).min(best.scores.frames.len());
        let part = 1.0 - piece.from as f64 / self.facts.frames.max(1) as f64;
        let was = mean_crf(&from_on(&pieces, piece.from), self.facts.frames - piece.from.min(self.facts.frames));
        let distance =
            |scores: &[f64]| scores.iter().map(|s| curve.distance(*s)).sum::<f64>() / (scores.len() as f64).max(1.0);
        let rise = distance(&frames) - distance(&best.scores.frames[kept..]);
        self.bends.push((piece.crf.as_f64() - was, rise, part));
        let miss = |score: f64| (score - aim).abs();
        let (score, before) = (tried.score, best.scores.harmonic_mean);
        self.tries.push(tried);
        if miss(score) >= miss(before) {
            return None;
        }
        let best = self.best.as_mut()?;
        best.scores.frames.truncate(kept);
        best.scores.frames.extend(frames);
        best.scores.harmonic_mean = score;
        best.pieces.retain(|(p, _)| p.from < piece.from);
        // What is in front of it went with an earlier run: all of it is made again, in order.
        let complete = live && best.missing().is_none();
        best.pieces.push((piece, complete));
        complete.then_some(piece.from)
    }

    /// Whether the bytes of what was decided are there.
    pub(super) fn holds(&self, crf: Option<Crf>) -> bool {
        let decided = |best: &&BestTry| crf.is_none_or(|crf| best.is_whole_at(crf));
        self.best.as_ref().filter(decided).is_some_and(|best| best.missing().is_none())
    }

    /// What the search of a chunk a title is calibrated on came to, which ended at `crf`.
    pub(super) fn calibrated(&self, curve: &Curve, crf: Crf) -> Result<ChunkOutcome> {
        let tries = || self.wholes().map(TryRecord::observation);
        let score = tries().filter(|t| t.crf == crf).last().ok_or_else(unknown)?.score;
        Ok(ChunkOutcome {
            means: self.facts.means,
            crf,
            score,
            probe: self.probe_score(),
            slope: slope_of(curve, tries()),
        })
    }

    /// Its tries of all of it that came to their end.
    fn wholes(&self) -> impl Iterator<Item = &TryRecord> {
        self.tries.iter().filter(|t| t.whole && t.from == 0)
    }

    /// The slope that the end which differed most has shown.
    fn bend(&self, curve: &Curve) -> Option<f64> {
        let most = self.bends.iter().filter(|b| b.0.abs() >= APART).max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()))?;
        Some(curve.shown_slopes.hold(most.1 / most.0))
    }

    /// The finished chunk.
    pub(super) fn finish(self, aim: f64, clamp: Option<Clamp>, curve: &Curve) -> Result<KeptChunk> {
        let slope = slope_of(curve, self.wholes().map(TryRecord::observation)).or_else(|| self.bend(curve));
        let probe = self.probe_score();
        let best = self.best.ok_or_else(unknown)?;
        Ok(KeptChunk {
            chunk: self.facts.index,
            pieces: best.pieces(),
            aim,
            slope,
            scores: best.scores,
            ceiling: self.ceiling,
            probe,
            clamp,
            tries: self.tries,
        })
    }
}

/// What of the pieces is from frame `from` on, counted from there.
fn from_on(pieces: &[Piece], from: u64) -> Vec<Piece> {
    let covers = |i: usize| pieces.get(i + 1).is_none_or(|next| next.from > from);
    let rest = pieces.iter().enumerate().filter(|(i, _)| covers(*i));
    rest.map(|(_, p)| Piece { from: p.from.saturating_sub(from), crf: p.crf }).collect()
}

fn stride_of(tier: Tier, configured: u32) -> u32 {
    if tier == Tier::Configured { configured } else { 1 }
}

pub(super) fn unknown() -> Error {
    Error::new(ErrorKind::Encode, "internal error: a chunk nobody knows")
}
