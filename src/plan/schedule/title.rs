//! The part of the scheduler for a target of the whole title.
//!
//! Some chunks are encoded first, and all are probed where probes are made; when the whole film was read and all of that is
//! known, it is written down that the title is decided, and every chunk is encoded and scored. At one CRF for all, bytes a
//! search made at that very CRF are kept. At a CRF for each ([`TitleWay::EqualSlope`]) chunk `p` gets its own when the chunks
//! up to `p - lag` are finished: what those came to is fixed, and the rest is allocated anew, so that what one misses is
//! made good by those after it. A chunk that falls below the floor is encoded again.
#![deny(unsafe_code)]

use std::collections::BTreeMap;

use super::super::allocation::{ChunkCost, TitlePart, equal_slope, raised_stretch};
use super::super::prior::ChunkOutcome;
use super::super::search::SearchRules;
use super::super::stretch::{TitleFloor, dips};
use super::super::title::{TitleRules, TitleWay, probed, title_crf};
use super::work::{ChunkWork, TitleChunk};
use crate::media::Crf;

/// How often what is thought of all chunks is gone over, at the most.
const OVERHAULS: usize = 32;

/// A title, as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct TitleState {
    pub(super) rules: TitleRules,
    /// Known when the chunks it is calibrated on were encoded: at one CRF that of all chunks.
    pub(super) crf: Option<Crf>,
    /// Decided with it: the score below which no stretch is to fall.
    pub(super) worst: Option<f64>,
    /// What the chunks it is calibrated on came to, where each chunk has a CRF of its own.
    pub(super) calibrated: BTreeMap<usize, ChunkOutcome>,
    /// What is known of chunks that an earlier run finished.
    pub(super) finished: BTreeMap<usize, TitleChunk>,
    allocation: Allocation,
}

/// The CRFs of chunks, in order as far as they are decided.
#[derive(Clone, Debug, Default)]
struct Allocation {
    chunks: Vec<TitleChunk>,
    costs: Vec<ChunkCost>,
    parts: Vec<TitlePart>,
    crfs: Vec<Crf>,
}

impl TitleState {
    pub(super) fn new(rules: TitleRules) -> Self {
        TitleState {
            rules,
            crf: None,
            worst: None,
            calibrated: BTreeMap::new(),
            finished: BTreeMap::new(),
            allocation: Allocation::default(),
        }
    }

    /// Below what no chunk may fall, where each has a CRF of its own.
    pub(super) fn floor(&self) -> Option<TitleFloor> {
        match self.rules.way {
            TitleWay::OneCrf => None,
            TitleWay::EqualSlope { floor: chunk, stretch } => {
                Some(TitleFloor { chunk, stretch: self.worst.map(|least| (stretch, least)) })
            }
        }
    }

    /// Decides below what no stretch is to fall, by what is known of all chunks: `works`, in order, of which some were
    /// `calibrated` on.
    pub(super) fn decide_worst(&mut self, works: &BTreeMap<usize, ChunkWork>, rules: &SearchRules) {
        let TitleWay::EqualSlope { floor, stretch } = self.rules.way else { return };
        let chunks: Vec<TitleChunk> = works.values().map(ChunkWork::title_chunk).collect();
        let costs = costs(&chunks, &self.calibrated, &[], (stretch, rules));
        let raised = raised_stretch(&costs, floor, stretch, rules);
        self.worst = raised.and_then(|floor| floor.stretch).map(|(_, least)| least);
        tracing::info!(worst = self.worst, "the title's stretches");
    }

    /// The CRF of a chunk, once that is decided.
    pub(super) fn crf_of(&self, index: usize) -> Option<Crf> {
        match self.rules.way {
            TitleWay::OneCrf => self.crf,
            TitleWay::EqualSlope { .. } => self.allocation.crfs.get(index).copied(),
        }
    }

    /// Gives the chunks up to `index` their CRFs. `works` are those that are not finished, `outcomes` what the finished ones
    /// came to, of which chunk `p` goes by the first `needed(p)`.
    pub(super) fn allocate(
        &mut self,
        index: usize,
        works: &BTreeMap<usize, ChunkWork>,
        outcomes: &[Option<ChunkOutcome>],
        (needed, rules): (impl Fn(usize) -> usize, &SearchRules),
    ) {
        let (Some(floor), TitleWay::EqualSlope { stretch, .. }) = (self.floor(), self.rules.way) else { return };
        let all = &mut self.allocation;
        if all.chunks.is_empty() {
            let known =
                |at: usize| works.get(&at).map(ChunkWork::title_chunk).or_else(|| self.finished.get(&at).cloned());
            all.chunks = (0..outcomes.len()).map_while(known).collect();
        }
        let every = all.chunks.len().div_ceil(OVERHAULS).max(1);
        while all.crfs.len() <= index && all.crfs.len() < all.chunks.len() {
            let at = all.crfs.len();
            let finished = &outcomes[..needed(at).min(outcomes.len())];
            if at.is_multiple_of(every) {
                all.costs = costs(&all.chunks, &self.calibrated, finished, (stretch, rules));
                all.parts.truncate(at);
                all.parts.extend(all.costs[at..].iter().map(|cost| cost.open(&floor, rules)));
            }
            for (chunk, outcome) in finished.iter().enumerate() {
                if let Some(ChunkOutcome { score, .. }) = outcome {
                    all.parts[chunk] = TitlePart::Fixed { frames: all.chunks[chunk].frames, score: *score };
                }
            }
            let frames = all.chunks.iter().map(|c| c.frames).sum();
            // The first that is open is this chunk.
            let crf = equal_slope(&all.parts, frames, rules.target).first().copied().unwrap_or(rules.min);
            let crf = self
                .calibrated
                .get(&at)
                .and_then(|o| close_enough(o, crf, all.costs[at].least(&floor, rules), 2 * at < all.chunks.len()))
                .unwrap_or(crf);
            let score = all.costs[at].score_at(crf, rules);
            all.parts[at] = TitlePart::Fixed { frames: all.chunks[at].frames, score };
            all.crfs.push(crf);
        }
    }
}

/// The CRF that a chunk was encoded at, where that is as good as the one allocated: near the optimum bytes hardly depend on
/// it, and what the title then misses is made good by the chunks after it, of which there are fewer in its second half.
fn close_enough(made: &ChunkOutcome, crf: Crf, least: f64, early: bool) -> Option<Crf> {
    let most = if early { 2.0 } else { 1.0 };
    let close = (made.crf.as_f64() - crf.as_f64()).abs() <= most;
    (close && made.score >= least).then_some(made.crf)
}

/// What is thought of all chunks, by what some came to.
fn costs(
    chunks: &[TitleChunk],
    calibrated: &BTreeMap<usize, ChunkOutcome>,
    finished: &[Option<ChunkOutcome>],
    (stretch, rules): (u64, &SearchRules),
) -> Vec<ChunkCost> {
    let own = |at: usize| finished.get(at).and_then(Option::as_ref).or_else(|| calibrated.get(&at));
    let known: Vec<ChunkOutcome> = (0..chunks.len()).filter_map(own).cloned().collect();
    let none: &[f64] = &[];
    let probes: Vec<&[f64]> = chunks.iter().map(|c| c.probe.as_ref().map_or(none, |probe| &probe.frames)).collect();
    let stride = chunks.iter().find_map(|c| c.probe.as_ref()).map_or(1, |probe| probe.stride);
    let dips = dips(&probes, stride, stretch, rules);
    let cost = |(at, chunk): (usize, &TitleChunk)| {
        let score = chunk.probe.as_ref().map(|probe| probe.harmonic_mean);
        let outcome = score.and_then(|probe| probed(&known, &chunk.means, probe, rules));
        let slope = outcome.as_ref().and_then(|o| o.slope).unwrap_or(rules.curve.slope);
        // A chunk that was encoded is known better than by its probe.
        let (crf, score) = own(at).or(outcome.as_ref()).map_or((rules.min, rules.target), |o| (o.crf, o.score));
        let dip = dips[at];
        ChunkCost { frames: chunk.frames, crf, score, slope, bytes: chunk.bytes.max(1) as f64, dip }
    };
    chunks.iter().enumerate().map(cost).collect()
}

/// The CRF of a title whose chunks are `works`, each with what its search came to if it was searched.
pub(super) fn decide(works: &[(&ChunkWork, Option<&ChunkOutcome>)], rules: &SearchRules) -> Option<Crf> {
    let calibrated: Vec<ChunkOutcome> = works.iter().filter_map(|(_, outcome)| outcome.cloned()).collect();
    let of = |(work, outcome): &(&ChunkWork, Option<&ChunkOutcome>)| {
        let only_probed = || probed(&calibrated, &work.facts.means, work.probe_score()?, rules);
        Some((outcome.cloned().or_else(only_probed)?, work.facts.frames))
    };
    let known: Vec<_> = works.iter().filter_map(of).collect();
    (!known.is_empty()).then(|| title_crf(&known, rules))
}
