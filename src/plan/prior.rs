//! The first CRF of a chunk, from what earlier chunks came to.
//!
//! "Earlier" is by index in the film, never by time of completion: the chunks that chunk `p` may learn from are
//! those up to `p - lag`, on any machine and with any number of workers.
#![deny(unsafe_code)]

use super::chunks::ChunkMeans;
use super::search::{SLOPE, SearchRules, log_distance};
use crate::media::Crf;

/// The first CRF of a film, where nothing is known.
const UNKNOWN: f64 = 32.0;

/// What a chunk one further back counts.
const FADE: f64 = 0.85;

/// What a finished chunk tells of its film.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What its pictures are like.
    pub means: ChunkMeans,
    /// The CRF of the try nearest to the target.
    pub crf: Crf,
    /// Its score.
    pub score: f64,
}

impl Outcome {
    /// The CRF at which it would have met the target, by the usual slope.
    fn solved(&self, rules: &SearchRules) -> f64 {
        let step = (log_distance(rules.target) - log_distance(self.score)) / SLOPE;
        self.crf.as_f64() + step.clamp(-10.0, 10.0)
    }
}

/// How many chunks back the nearest one is that a chunk may learn from: enough that workers seldom wait for it,
/// and fixed by the film's length, so that it is the same on any machine.
pub fn lag(film_s: Option<f64>, chunk_s: f64) -> usize {
    let chunks = film_s.unwrap_or(0.0) / chunk_s.max(0.1);
    ((chunks / 8.0) as usize).clamp(2, 16)
}

/// The first CRF for a chunk with these `means`, after chunks with these `outcomes` in the order of the film.
pub fn first_crf(outcomes: &[Outcome], means: &ChunkMeans, rules: &SearchRules) -> Crf {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (age, outcome) in outcomes.iter().rev().enumerate() {
        let near = FADE.powi(age.min(200) as i32) * outcome.means.likeness(means);
        // A chunk at the end of the range tells only that it is easier or harder than that.
        let bound = outcome.crf == rules.max || outcome.crf == rules.min;
        let near = near * if bound { 0.1 } else { 1.0 };
        sum += near * outcome.solved(rules);
        weight += near;
    }
    rules.nearest(if weight > 0.0 { sum / weight } else { UNKNOWN })
}
