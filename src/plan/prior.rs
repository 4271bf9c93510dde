//! The first CRF of a chunk, from a fast encode of it and from what earlier chunks came to.
//!
//! A probe is the whole chunk encoded by a preset several times as fast, at one CRF for the whole film, and scored.
//! As a verdict it would pick wrong CRFs; but in the distance of its metric's curve it is off by nearly the same for
//! chunks of a title that are alike, and the rest is learnt from the chunks that are finished. How much a CRF changes
//! that is told by what motion compensation leaves of the pictures: still ones gain little, fast ones much. How well
//! this does on films and encoder versions that it was not fitted to is in benches/forecast/README.md.
//!
//! "Earlier" is by index in the film, never by time of completion: the chunks that chunk `p` may learn from are
//! those up to `p - lag`, on any machine and with any number of workers.
#![deny(unsafe_code)]

use super::chunks::ChunkMeans;
use super::curve::Curve;
use super::search::{Forecast, Observation, Reading, SearchRules};
use crate::media::Crf;

/// What a chunk one further back counts.
const FADE: f64 = 0.85;

/// How far apart the CRFs of probes are on SVT-AV1's scale: a film that is encoded for another target needs none where its target is less than
/// half of that away. Replayed over the encodes of benches/forecast with probes at 36, a target of 95 takes as many encodes
/// as 93 does.
const PROBE_STEP: f64 = 18.0;

/// How many chunks the usual offset of probes counts for: the square of what chunks of one film differ by (a standard
/// deviation of 0.075 in distance) over that of what films do (0.085), both after motion and detail; see benches/forecast.
const OFFSET_WEIGHT: f64 = 0.8;

/// How many chunks' worth of slopes the usual ones count for.
const SLOPE_WEIGHT: f64 = 2.0;

/// The farthest a forecast goes from a CRF whose score is known.
const LONGEST_REACH: f64 = 20.0;

/// Distance a CRF for pictures like these.
pub(super) fn usual_slope(curve: &Curve, means: &ChunkMeans) -> f64 {
    curve.slope_by_motion(means.motion)
}

/// What a finished chunk tells of its film.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkOutcome {
    /// What its pictures are like.
    pub means: ChunkMeans,
    /// The CRF of the try nearest to the target.
    pub crf: Crf,
    /// Its score.
    pub score: f64,
    /// The score of its probe, if it had one.
    pub probe: Option<f64>,
    /// Distance a CRF between its tries; see [`slope_of`].
    pub slope: Option<f64>,
}

/// The slope between the outermost whole tries of a chunk; `None` where they are too close to tell.
pub fn slope_of(curve: &Curve, tries: impl Iterator<Item = Observation>) -> Option<f64> {
    const APART: f64 = 2.0;
    let wholes: Vec<Observation> = tries.filter(|t| t.whole).collect();
    let (low, high) = (wholes.iter().min_by_key(|t| t.crf)?, wholes.iter().max_by_key(|t| t.crf)?);
    let run = high.crf.as_f64() - low.crf.as_f64();
    let rise = curve.distance(high.score) - curve.distance(low.score);
    (run >= APART).then(|| curve.shown_slopes.hold(rise / run))
}

/// The CRF at which probes are made: for the curve's usual target and those near it the scale's own, where what they say
/// varies least.
pub fn probe_crf(rules: &SearchRules) -> Crf {
    let curve = &rules.curve;
    let away = (curve.distance(rules.target) - curve.distance(curve.usual_target)) / curve.slope;
    let step = PROBE_STEP / rules.scale.steepness;
    rules.nearest(rules.scale.probe + (away / step).round() * step)
}

/// The farthest back the nearest chunk is that a chunk may learn from.
pub const LONGEST_LAG: usize = 32;

/// How many chunks back the nearest one is that chunk `index` may learn from, `longest` at most.
///
/// Knowledge is worth most at the start: what the probes of one film are off by differs from the next film's by twice
/// as much as from one chunk to another, and one outcome tells most of it. So the third chunk waits for the first; and
/// the further a film goes, the more chunks may be in work at once without a wait. It follows from the index alone, so
/// it is the same on any machine and for any length a file claims.
pub fn lag(index: usize, longest: usize) -> usize {
    (2 + index / 3).min(longest.max(1))
}

/// The forecast for a chunk with these `means` and this `probe`, after chunks with these `outcomes` in the order of
/// the film.
pub fn forecast(outcomes: &[ChunkOutcome], means: &ChunkMeans, probe: Option<f64>, rules: &SearchRules) -> Forecast {
    let curve = &rules.curve;
    let steeper = steeper_than_usual(curve, outcomes);
    let slope_of = |means: &ChunkMeans| usual_slope(curve, means) * steeper;
    let slope = slope_of(means);
    let to_target = |distance: f64, slope: f64| {
        ((curve.distance(rules.target) - distance) / slope).clamp(-LONGEST_REACH, LONGEST_REACH)
    };
    // A chunk at the end of the range tells only that it is easier or harder than that.
    let bound = |o: &ChunkOutcome| o.crf == rules.max || o.crf == rules.min;
    let by_age = || outcomes.iter().rev().enumerate().map(|(age, o)| (FADE.powi(age.min(200) as i32), o));
    if let Some(probe) = probe {
        let at = probe_crf(rules);
        let usual_offset = |means: &ChunkMeans| curve.usual_probe_offset(means.motion, means.detail);
        // How far its probe was off beyond what is usual for pictures like its.
        let beyond = |o: &ChunkOutcome, probe: f64| {
            let shown = curve.distance(probe) - curve.distance(o.score);
            let to_probe = (o.crf.as_f64() - at.as_f64()) * slope_of(&o.means);
            shown + to_probe - usual_offset(&o.means)
        };
        let (mut sum, mut weight) = (0.0, OFFSET_WEIGHT);
        for (near, o) in by_age() {
            let Some(of_it) = o.probe.filter(|_| !bound(o)) else { continue };
            sum += near * beyond(o, of_it);
            weight += near;
        }
        let distance = curve.distance(probe) - usual_offset(means) - sum / weight;
        let crf = rules.nearest(at.as_f64() + to_target(distance, slope));
        return Forecast { crf, slope, reading: Some(Reading { crf: at, score: curve.score(distance) }) };
    }
    let (mut sum, mut weight) = (0.0, 0.0);
    for (near, o) in by_age() {
        let near = near * o.means.likeness(means) * if bound(o) { 0.1 } else { 1.0 };
        sum += near * (o.crf.as_f64() + to_target(curve.distance(o.score), slope_of(&o.means)));
        weight += near;
    }
    Forecast { crf: rules.nearest(if weight > 0.0 { sum / weight } else { rules.scale.first }), slope, reading: None }
}

/// By what factor the slopes of a film are above the usual ones.
fn steeper_than_usual(curve: &Curve, outcomes: &[ChunkOutcome]) -> f64 {
    let steeper = outcomes.iter().filter_map(|o| Some((o.slope? / usual_slope(curve, &o.means)).ln()));
    let (sum, n) = steeper.fold((0.0, SLOPE_WEIGHT), |(sum, n), s| (sum + s, n + 1.0));
    (sum / n).exp()
}
