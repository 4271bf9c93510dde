//! Whether a try that runs is worth going on.
#![deny(unsafe_code)]

use super::search::SearchRules;

/// Scores that are pooled to one, so that the spread between parts of a chunk is seen and not that between the
/// encoder's layers of pictures.
const GROUP: usize = 8;

/// A verdict needs this many groups.
const FEWEST_GROUPS: usize = 3;

/// How many standard deviations the target has to be away.
const CONFIDENCE: f64 = 2.0;

/// Parts of a chunk differ at least by this standard deviation, in VMAF, whatever the first ones look like.
const LEAST_SPREAD: f64 = 0.8;

/// Frames the encoder is ahead of the scores: they are encoded whether the try is stopped or not.
const AHEAD: u64 = 64;

/// A try is stopped only if at least this share of its chunk is saved.
const WORTH: f64 = 0.2;

/// What the scores so far mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The target may still be met.
    Continue,
    /// It will not be; the score of the whole chunk would be about `estimate`.
    Stop {
        /// VMAF.
        estimate: f64,
    },
}

/// Watches the scores of one try in display order.
///
/// What it says depends on the scores and their positions alone, never on how far the encoder is, so a try is
/// stopped at the same frame on any machine.
#[derive(Clone, Debug)]
pub struct Watch {
    aim: f64,
    tolerance: f64,
    frames: u64,
    stride: u64,
    /// Scores above the aim exclude nothing at the highest CRF, below it nothing at the lowest.
    open_above: bool,
    open_below: bool,
    group: Vec<f64>,
    groups: Vec<f64>,
    enabled: bool,
}

impl Watch {
    /// A watch over a try at `crf` of a chunk of `frames`, each `stride`-th of them scored, that aims at `aim`.
    pub fn new(rules: &SearchRules, aim: f64, crf: crate::media::Crf, frames: u64, stride: u64) -> Self {
        Watch {
            aim,
            tolerance: rules.tolerance,
            frames,
            stride,
            open_above: crf == rules.max,
            open_below: crf == rules.min,
            group: Vec::new(),
            groups: Vec::new(),
            enabled: true,
        }
    }

    /// A watch that lets every try go on to its end.
    pub fn idle() -> Self {
        Watch {
            aim: 0.0,
            tolerance: 0.0,
            frames: 0,
            stride: 1,
            open_above: true,
            open_below: true,
            group: Vec::new(),
            groups: Vec::new(),
            enabled: false,
        }
    }

    /// Takes the score of the frame at `position` of the chunk.
    pub fn observe(&mut self, position: u64, score: f64) -> Verdict {
        if !self.enabled || !score.is_finite() {
            return Verdict::Continue;
        }
        self.group.push(score);
        if self.group.len() < GROUP {
            return Verdict::Continue;
        }
        self.groups.push(harmonic_mean(&self.group));
        self.group.clear();
        let seen = position + self.stride;
        let saved = self.frames.saturating_sub(seen + AHEAD);
        if self.groups.len() < FEWEST_GROUPS || (saved as f64) < WORTH * self.frames as f64 {
            return Verdict::Continue;
        }
        self.judge(seen)
    }

    fn judge(&self, seen: u64) -> Verdict {
        let estimate = harmonic_mean(&self.groups);
        let miss = estimate - self.aim;
        if (miss > 0.0 && self.open_above) || (miss < 0.0 && self.open_below) {
            return Verdict::Continue;
        }
        let n = self.groups.len() as f64;
        let mean = self.groups.iter().sum::<f64>() / n;
        let variance = self.groups.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let spread = variance.sqrt().max(LEAST_SPREAD);
        // The part that was seen is known; the mean of the rest is about the same, give or take the spread.
        let rest = 1.0 - seen as f64 / self.frames as f64;
        let uncertain = CONFIDENCE * spread * rest;
        if miss.abs() > self.tolerance + uncertain { Verdict::Stop { estimate } } else { Verdict::Continue }
    }
}

/// As libvmaf pools.
fn harmonic_mean(scores: &[f64]) -> f64 {
    scores.len() as f64 / scores.iter().map(|s| 1.0 / (s + 1.0)).sum::<f64>() - 1.0
}
