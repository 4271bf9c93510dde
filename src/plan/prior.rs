//! The first CRF of a chunk, from a fast encode of it and from what earlier chunks came to.
//!
//! A probe is the whole chunk encoded by a preset several times as fast, at one CRF for the whole film, and scored.
//! As a verdict it would pick wrong CRFs; but by how much it is off hardly changes within a title (standard deviation
//! 1.2 CRF over the films measured, where the right CRFs themselves are spread by 4), so that is learnt from the chunks
//! that are finished.
//!
//! "Earlier" is by index in the film, never by time of completion: the chunks that chunk `p` may learn from are
//! those up to `p - lag`, on any machine and with any number of workers.
#![deny(unsafe_code)]

use super::chunks::ChunkMeans;
use super::search::{Observation, SLOPE, SearchRules, log_distance};
use crate::media::Crf;

/// The first CRF of a film, where nothing is known.
const UNKNOWN: f64 = 38.0;

/// What a chunk one further back counts.
const FADE: f64 = 0.85;

/// The CRF of probes for a target of 93: what they say there varies least.
const PROBE_CRF: f64 = 36.0;

/// By how much the right CRF is above what a probe says, where the film has not shown its own offset, and how many
/// chunks that counts for.
const OFFSET: f64 = 9.5;
const OFFSET_WEIGHT: f64 = 1.0;

/// How many chunks' worth of slopes the usual slope counts for.
const SLOPE_WEIGHT: f64 = 2.0;

/// What a finished chunk tells of its film.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What its pictures are like.
    pub means: ChunkMeans,
    /// The CRF of the try nearest to the target.
    pub crf: Crf,
    /// Its score.
    pub score: f64,
    /// The score of its probe, if it had one.
    pub probe: Option<f64>,
    /// `ln(101 − VMAF)` a CRF between its tries; see [`slope_of`].
    pub slope: Option<f64>,
}

/// The slope between the outermost whole tries of a chunk; `None` where they are too close to tell.
pub fn slope_of(tries: impl Iterator<Item = Observation>) -> Option<f64> {
    const APART: f64 = 2.0;
    let wholes: Vec<Observation> = tries.filter(|t| t.whole).collect();
    let (low, high) = (wholes.iter().min_by_key(|t| t.crf)?, wholes.iter().max_by_key(|t| t.crf)?);
    let run = high.crf.as_f64() - low.crf.as_f64();
    let rise = log_distance(high.score) - log_distance(low.score);
    (run >= APART).then(|| (rise / run).clamp(0.015, 0.15))
}

/// What the finished chunks of a film say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The first CRF to try.
    pub crf: Crf,
    /// `ln(101 − VMAF)` a CRF.
    pub slope: f64,
    /// The chunk's probe, if it had one.
    pub reading: Option<Reading>,
}

/// A probe as a point near the chunk's own curve: its offset is taken off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The CRF at which the chunk is thought to score that.
    pub crf: f64,
    /// The probe's score.
    pub score: f64,
}

/// The CRF at which probes are made.
pub fn probe_crf(rules: &SearchRules) -> Crf {
    rules.nearest(PROBE_CRF + (log_distance(rules.target) - log_distance(93.0)) / SLOPE)
}

/// How many chunks back the nearest one is that a chunk may learn from: enough that workers seldom wait for it,
/// and fixed by the film's length, so that it is the same on any machine.
pub fn lag(film_s: Option<f64>, chunk_s: f64) -> usize {
    let chunks = film_s.unwrap_or(0.0) / chunk_s.max(0.1);
    ((chunks / 8.0) as usize).clamp(2, 16)
}

/// The forecast for a chunk with these `means` and this `probe`, after chunks with these `outcomes` in the order of
/// the film.
pub fn forecast(outcomes: &[Outcome], means: &ChunkMeans, probe: Option<f64>, rules: &SearchRules) -> Forecast {
    let slopes: Vec<f64> = outcomes.iter().filter_map(|o| o.slope).collect();
    let slope = (SLOPE * SLOPE_WEIGHT + slopes.iter().sum::<f64>()) / (SLOPE_WEIGHT + slopes.len() as f64);
    // A chunk at the end of the range tells only that it is easier or harder than that.
    let bound = |o: &Outcome| o.crf == rules.max || o.crf == rules.min;
    let to_target = |score: f64| ((log_distance(rules.target) - log_distance(score)) / slope).clamp(-15.0, 15.0);
    let by_probe = |score: f64| probe_crf(rules).as_f64() + to_target(score);
    let (mut sum, mut weight) = (0.0, 0.0);
    if let Some(probe) = probe {
        (sum, weight) = (OFFSET * OFFSET_WEIGHT, OFFSET_WEIGHT);
        for (age, outcome) in outcomes.iter().rev().enumerate() {
            let Some(of_it) = outcome.probe.filter(|_| !bound(outcome)) else { continue };
            let near = FADE.powi(age.min(200) as i32);
            sum += near * (outcome.crf.as_f64() + to_target(outcome.score) - by_probe(of_it));
            weight += near;
        }
        let offset = sum / weight;
        let reading = Reading { crf: probe_crf(rules).as_f64() + offset, score: probe };
        return Forecast { crf: rules.nearest(by_probe(probe) + offset), slope, reading: Some(reading) };
    }
    for (age, outcome) in outcomes.iter().rev().enumerate() {
        let near = FADE.powi(age.min(200) as i32) * outcome.means.likeness(means);
        let near = near * if bound(outcome) { 0.1 } else { 1.0 };
        sum += near * (outcome.crf.as_f64() + to_target(outcome.score));
        weight += near;
    }
    Forecast { crf: rules.nearest(if weight > 0.0 { sum / weight } else { UNKNOWN }), slope, reading: None }
}
