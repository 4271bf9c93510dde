//! The search for the CRF at which one chunk meets its target: a state machine from scores to tries.
//!
//! It works in the distance of the metric's [`Curve`], for VMAF `ln(101 − x)`, which is close to linear in CRF: a line
//! through two tries misses by 0.1 to 0.3 VMAF where one in VMAF itself misses by 0.6 to 1.0.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::curve::{CrfScale, Curve};
use crate::media::Crf;

/// The farthest one try goes from the ones before it, in CRF.
const LONGEST_STEP: f64 = 20.0;

/// From this close to the lowest CRF the ceiling is asked for before the bytes of a very low CRF are spent.
const NEAR_LOWEST: f64 = 6.0;

/// From this close to the highest CRF that is tried itself: curves are flat there.
const NEAR_HIGHEST: f64 = 2.5;

/// What a line through a try that was stopped tells of a slope, where one through two whole tries tells 1.
const TRUST_IN_ESTIMATE: f64 = 0.25;

/// As [`TRUST_IN_ESTIMATE`], through the chunk's probe, whose offset is known to about 0.1 in distance; see
/// benches/forecast.
const TRUST_IN_PROBE: f64 = 1.0 / 16.0;

/// What a chunk's search may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRules {
    /// The metric's, on the encoder's scale (see [`Curve::on`]).
    pub curve: Curve,
    /// The encoder's.
    pub scale: CrfScale,
    /// The score asked for.
    pub target: f64,
    /// How far from it a chunk may be on either side.
    pub tolerance: f64,
    /// The lowest CRF.
    pub min: Crf,
    /// The highest CRF.
    pub max: Crf,
    /// The least distance between tries, in quarters.
    pub step: u16,
    /// The least distance the encoder knows, in quarters: for tiers that look closer.
    pub finest: u16,
    /// The most whole tries.
    pub max_tries: u32,
    /// Whether the end of a chunk may be encoded on its own: not where pictures are decoded in another order than they are
    /// shown, as then those before a cut lean on some behind it.
    pub ends: bool,
}

impl SearchRules {
    /// The CRFs that may be tried, from the lowest.
    pub(super) fn crfs(&self) -> impl Iterator<Item = Crf> + use<> {
        let quarters = (self.min.quarters()..=self.max.quarters()).step_by(usize::from(self.step.max(1)));
        quarters.filter_map(|quarters| Crf::from_quarters(quarters).ok())
    }

    /// Whole CRFs from 8 to 55 for VMAF.
    #[cfg(test)]
    pub(super) fn of_tests(target: f64) -> Self {
        let whole = |crf| Crf::whole(crf).unwrap_or(Crf::MIN);
        let (curve, min, max) = (Curve::VMAF, whole(8), whole(55));
        let scale = CrfScale::SVT_AV1;
        SearchRules { curve, scale, target, tolerance: 0.5, min, max, step: 4, finest: 4, max_tries: 4, ends: true }
    }

    /// The CRF nearest to `crf` that may be tried.
    pub fn nearest(&self, crf: f64) -> Crf {
        let step = f64::from(self.step.max(1));
        let quarters = if crf.is_nan() { 0.0 } else { (crf * 4.0 / step).round() * step };
        let quarters = quarters.clamp(0.0, f64::from(u16::MAX)) as u16;
        Crf::from_quarters(quarters).unwrap_or(if crf > 30.0 { Crf::MAX } else { Crf::MIN }).clamp(self.min, self.max)
    }
}

/// What a try came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The CRF tried.
    pub crf: Crf,
    /// Its score, or what it would have been.
    pub score: f64,
    /// Whether all of the chunk was encoded; if not, there are no bytes to keep.
    pub whole: bool,
}

/// What the finished chunks of a film say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The first CRF to try.
    pub crf: Crf,
    /// Distance a CRF.
    pub slope: f64,
    /// The chunk's probe, if it had one.
    pub reading: Option<Reading>,
}

/// A point that is thought to be on the chunk's own curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Where the probe was made.
    pub crf: Crf,
    /// The probe's score, with its offset taken off.
    pub score: f64,
}

/// Why a chunk does not meet the target it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clamp {
    /// It is better than asked for even at the highest CRF.
    Above,
    /// It is worse even at the lowest CRF.
    Below,
    /// Its source scores so little against itself that a lower target was taken.
    Ceiling,
    /// No CRF lies between one that is too good and one that is not good enough: the nearer was taken.
    BetweenSteps,
    /// It did not land within the tolerance in the tries it had.
    Missed,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Encode the chunk at this CRF.
    Try(Crf),
    /// Score the source against itself.
    MeasureCeiling,
    /// Keep the whole try at this CRF.
    Done {
        /// Which.
        crf: Crf,
        /// Why it does not meet the target as asked, if it does not.
        clamp: Option<Clamp>,
    },
}

/// The search of one chunk.
///
/// Law: `next` says what to do, `observe` is told what came of it; `next` changes only by `observe`.
#[derive(Clone, Debug)]
pub struct Search {
    rules: SearchRules,
    first: Crf,
    /// Distance a CRF as far as the film is known.
    slope: f64,
    /// The chunk's probe.
    reading: Option<Reading>,
    points: Vec<Observation>,
    ceiling: Option<f64>,
}

impl Search {
    /// A search that begins where `forecast` says.
    pub fn new(rules: SearchRules, forecast: Forecast) -> Self {
        let first = forecast.crf.clamp(rules.min, rules.max);
        Search {
            slope: rules.curve.slopes.hold(forecast.slope),
            rules,
            first,
            reading: forecast.reading,
            points: Vec::new(),
            ceiling: None,
        }
    }

    /// What was tried.
    pub fn points(&self) -> &[Observation] {
        &self.points
    }

    /// The score aimed at: the target, or less where the chunk's ceiling is too low for it.
    pub fn aim(&self) -> f64 {
        self.ceiling.map_or(self.rules.target, |c| self.rules.target.min(c - self.rules.curve.below_ceiling))
    }

    /// The score of the source against itself, where it was measured.
    pub fn ceiling(&self) -> Option<f64> {
        self.ceiling
    }

    /// Takes the score of the source against itself.
    pub fn observe_ceiling(&mut self, ceiling: f64) {
        let curve = &self.rules.curve;
        self.ceiling = Some(curve.hold(ceiling, curve.highest));
    }

    /// Takes what a try came to; scores that are no numbers count as the lowest.
    pub fn observe(&mut self, mut seen: Observation) {
        let curve = &self.rules.curve;
        seen.score = curve.hold(seen.score, curve.lowest);
        self.points.retain(|p| p.crf != seen.crf);
        self.points.push(seen);
    }

    /// Whether the next try may be stopped early: as long as none was. What was estimated of one that was may mislead
    /// (the parts of a chunk need not be alike), and a search that goes by estimates alone need not end.
    pub fn may_stop(&self) -> bool {
        self.points.iter().all(|p| p.whole)
    }

    /// What to do next.
    pub fn next(&self) -> Step {
        if self.points.is_empty() {
            return Step::Try(self.first);
        }
        if let Some(best) = self.best_whole() {
            let miss = best.score - self.aim();
            let clamped = self.ceiling.filter(|_| self.aim() < self.rules.target).map(|_| Clamp::Ceiling);
            if miss.abs() <= self.rules.tolerance {
                return Step::Done { crf: best.crf, clamp: clamped };
            }
            let at = |crf| self.wholes().find(|p| p.crf == crf);
            // A curve may be flat: the end of the range ends the search also where another try is as near.
            if let Some(end) = at(self.rules.max).filter(|p| p.score > self.aim()) {
                return Step::Done { crf: end.crf, clamp: clamped.or(Some(Clamp::Above)) };
            }
            if let Some(end) = at(self.rules.min).filter(|p| p.score < self.aim()) {
                return Step::Done { crf: end.crf, clamp: Some(Clamp::Below) };
            }
            if self.wholes().count() as u32 >= self.rules.max_tries
                || self.points.len() as u32 >= 2 * self.rules.max_tries
            {
                return Step::Done { crf: best.crf, clamp: Some(Clamp::Missed) };
            }
        }
        self.next_try()
    }

    fn wholes(&self) -> impl Iterator<Item = &Observation> {
        self.points.iter().filter(|p| p.whole)
    }

    /// The whole try nearest to the aim; of two as near, the better picture.
    fn best_whole(&self) -> Option<&Observation> {
        let miss = |p: &Observation| (p.score - self.aim()).abs();
        self.wholes().min_by(|a, b| miss(a).total_cmp(&miss(b)).then(a.crf.cmp(&b.crf)))
    }

    fn next_try(&self) -> Step {
        let wanted = self.estimate();
        if self.ceiling.is_none() && wanted < self.rules.min.as_f64() + NEAR_LOWEST && self.all_below() {
            return Step::MeasureCeiling;
        }
        let (low, high) = self.bracket();
        // A chunk that was too good so far and is to be tried next to the end of the range most often is so there, too.
        let at_the_end =
            self.points.iter().all(|p| p.score > self.aim()) && wanted > self.rules.max.as_f64() - NEAR_HIGHEST;
        let crf = if at_the_end { high } else { self.rules.nearest(wanted).clamp(low, high) };
        if let Some(free) = self.free_near(crf, low, high) {
            return Step::Try(free);
        }
        // Nothing lies between what was tried. A try that was stopped has no bytes, and its score is only thought to be
        // on that side: it is made whole.
        let unsure = self.points.iter().find(|p| !p.whole && (p.crf == low || p.crf == high));
        match (unsure, self.best_whole()) {
            (Some(unsure), _) => Step::Try(unsure.crf),
            (_, Some(best)) => Step::Done { crf: best.crf, clamp: Some(Clamp::BetweenSteps) },
            _ => Step::Try(crf),
        }
    }

    fn all_below(&self) -> bool {
        self.points.iter().all(|p| p.score < self.aim())
    }

    /// The CRFs between the highest that was too good and the lowest that was not good enough, both included.
    fn bracket(&self) -> (Crf, Crf) {
        let aim = self.aim();
        let low = self.points.iter().filter(|p| p.score >= aim).map(|p| p.crf).max().unwrap_or(self.rules.min);
        let high = self.points.iter().filter(|p| p.score < aim).map(|p| p.crf).min().unwrap_or(self.rules.max);
        // A curve that is not monotone between its tries brackets nothing.
        if low <= high { (low, high) } else { (self.rules.min, self.rules.max) }
    }

    /// The CRF nearest to `crf` within `low..=high` that was not tried.
    fn free_near(&self, crf: Crf, low: Crf, high: Crf) -> Option<Crf> {
        let tried = |q: u16| self.points.iter().any(|p| p.crf.quarters() == q);
        let step = self.rules.step.max(1);
        (0..=(high.quarters() - low.quarters()) / step + 1)
            .flat_map(|n| {
                let away = n * step;
                [crf.quarters().checked_sub(away), crf.quarters().checked_add(away)]
            })
            .flatten()
            .filter(|q| (low.quarters()..=high.quarters()).contains(q))
            .find(|&q| !tried(q))
            .and_then(|q| Crf::from_quarters(q).ok())
    }

    /// Where the aim is met: by the line through the nearest tries on both sides of it, else through the two nearest,
    /// else through one with the usual slope.
    fn estimate(&self) -> f64 {
        let (aim, curve) = (self.aim(), &self.rules.curve);
        let above = self.points.iter().filter(|p| p.score >= aim).max_by_key(|p| p.crf);
        let below = self.points.iter().filter(|p| p.score < aim).min_by_key(|p| p.crf);
        let wanted = |p: &Observation| curve.distance(aim) - curve.distance(p.score);
        if let (Some(above), Some(below)) = (above, below)
            && above.crf < below.crf
        {
            // Between two tries no slope is too steep to believe.
            let part = wanted(above) / (wanted(above) - wanted(below)).max(f64::MIN_POSITIVE);
            return above.crf.as_f64() + part.clamp(0.0, 1.0) * (below.crf.as_f64() - above.crf.as_f64());
        }
        let mut near: Vec<&Observation> = self.points.iter().collect();
        // Where scores are at the end of their scale, the try that is nearer in CRF to where the aim must be.
        let beyond = |p: &Observation| if p.score >= aim { -p.crf.as_f64() } else { p.crf.as_f64() };
        // What differs by less than a grain is as near: a flat curve's scores differ by the order of their sums.
        let miss = |p: &Observation| ((p.score - aim).abs() * curve.grains).round();
        near.sort_by(|a, b| miss(a).total_cmp(&miss(b)).then(beyond(a).total_cmp(&beyond(b))));
        let Some(first) = near.first() else { return self.first.as_f64() };
        let slope = near.get(1).map_or_else(|| self.slope_by_probe(first), |second| self.slope_between(first, second));
        first.crf.as_f64() + (wanted(first) / slope).clamp(-LONGEST_STEP, LONGEST_STEP)
    }

    /// The slope where the aim is: through the two whole tries nearest to it, else as [`estimate`](Self::estimate) has it.
    pub(super) fn slope_at_hand(&self) -> f64 {
        let miss = |p: &Observation| (p.score - self.aim()).abs();
        let mut near: Vec<&Observation> = self.wholes().collect();
        near.sort_by(|a, b| miss(a).total_cmp(&miss(b)).then(a.crf.cmp(&b.crf)));
        match near[..] {
            [] => self.slope,
            [only] => self.slope_by_probe(only),
            [first, second, ..] => self.slope_between(first, second),
        }
    }

    /// The slope of the line through a try and the probe, where that is far enough away to tell one: chunks of one
    /// film differ by more in slope than a probe is off.
    fn slope_by_probe(&self, first: &Observation) -> f64 {
        const APART: f64 = 4.0;
        match self.reading {
            Some(Reading { crf, score }) if (crf.as_f64() - first.crf.as_f64()).abs() >= APART => {
                self.slope_drawn(first, &Observation { crf, score, whole: false }, TRUST_IN_PROBE)
            }
            _ => self.slope,
        }
    }

    /// The slope of the line through two tries.
    fn slope_between(&self, a: &Observation, b: &Observation) -> f64 {
        let trust = if a.whole && b.whole { 1.0 } else { TRUST_IN_ESTIMATE };
        self.slope_drawn(a, b, trust)
    }

    /// The slope of the line through two points. The nearer they are the more of it is noise, so it is drawn towards the
    /// film's as if that had been seen over two CRFs by points of a `trust` of 1.
    fn slope_drawn(&self, a: &Observation, b: &Observation, trust: f64) -> f64 {
        const WEIGHT: f64 = 4.0;
        let run = a.crf.as_f64() - b.crf.as_f64();
        let curve = &self.rules.curve;
        let rise = curve.distance(a.score) - curve.distance(b.score);
        if run == 0.0 || (curve.is_end(a.score) && curve.is_end(b.score)) {
            return self.slope;
        }
        let trust = trust * run * run;
        let slope = (rise / run * trust + self.slope * WEIGHT) / (trust + WEIGHT);
        curve.slopes.hold(slope)
    }
}
