//! Whether a try that runs is worth going on.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use super::search::SearchRules;
use crate::media::Crf;

/// Frames whose scores are pooled to one, so that the spread between parts of a chunk is seen and not that between
/// the encoder's layers of pictures.
const GROUP: u64 = 24;

/// A verdict needs this many groups.
const FEWEST_GROUPS: usize = 4;

/// A verdict on scores that are held against no others needs this share of the chunk: its parts differ too much.
const LEAST_SHARE: f64 = 0.4;

/// How many standard deviations the target has to be away.
const CONFIDENCE: f64 = 2.0;

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
        /// A score.
        estimate: f64,
    },
}

/// The scores of another whole encode of a chunk: which of its parts are hard, and how much.
///
/// Parts of a chunk differ by far more than its tolerance, and its start is the least typical, so scores so far are
/// held against those of the same frames there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Position in the chunk and score, by position.
    frames: Vec<(u64, f64)>,
    whole: f64,
}

impl Profile {
    /// From the scores of frames at positions in display order, and the score of them all.
    pub fn new(scores: impl IntoIterator<Item = (u64, f64)>, whole: f64) -> Self {
        Profile { frames: scores.into_iter().collect(), whole }
    }

    fn at(&self, position: u64) -> Option<f64> {
        self.frames.binary_search_by_key(&position, |f| f.0).ok().map(|i| self.frames[i].1)
    }
}

/// What a watch is made from; plain data, so that it can be sent to where the try is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchSpec {
    /// The metric's.
    pub curve: Curve,
    /// The score aimed at.
    pub aim: f64,
    /// How far from it is near enough.
    pub tolerance: f64,
    /// Frames of the chunk.
    pub frames: u64,
    /// Scores above the aim exclude nothing: the try is at the highest CRF.
    pub open_above: bool,
    /// Scores below the aim exclude nothing: the try is at the lowest CRF.
    pub open_below: bool,
    /// Of another encode of the chunk.
    pub profile: Option<Profile>,
}

impl WatchSpec {
    /// For a try at `crf` of a chunk of `frames` that aims at `aim`; `profile` is of another encode of it.
    pub fn new(rules: &SearchRules, aim: f64, crf: Crf, frames: u64, profile: Option<Profile>) -> Self {
        let (open_above, open_below) = (crf == rules.max, crf == rules.min);
        WatchSpec { curve: rules.curve, aim, tolerance: rules.tolerance, frames, open_above, open_below, profile }
    }

    /// The same, with `tolerance` on either side of the aim.
    pub(super) fn within(self, tolerance: f64) -> Self {
        WatchSpec { tolerance, ..self }
    }
}

/// Watches the scores of one try in display order.
///
/// What it says depends on the scores and their positions alone, never on how far the encoder is, so a try is
/// stopped at the same frame on any machine.
#[derive(Clone, Debug)]
pub struct Watch {
    spec: WatchSpec,
    /// The group that is not complete: which, its sum and count.
    group: (u64, f64, u32),
    groups: Vec<f64>,
}

impl From<WatchSpec> for Watch {
    fn from(spec: WatchSpec) -> Self {
        Watch { spec, group: (0, 0.0, 0), groups: Vec::new() }
    }
}

impl Watch {
    #[cfg(test)]
    /// A watch over a try at `crf` of a chunk of `frames` that aims at `aim`; `profile` is of another encode of it.
    pub fn new(rules: &SearchRules, aim: f64, crf: Crf, frames: u64, profile: Option<Profile>) -> Self {
        WatchSpec::new(rules, aim, crf, frames, profile).into()
    }

    /// A watch that lets every try go on to its end.
    pub fn idle() -> Self {
        let (curve, aim, tolerance, frames) = (Curve::VMAF, 0.0, f64::INFINITY, 0);
        WatchSpec { curve, aim, tolerance, frames, open_above: true, open_below: true, profile: None }.into()
    }

    /// Takes the score of the frame at `position` of the chunk.
    pub fn observe(&mut self, position: u64, score: f64) -> Verdict {
        if !score.is_finite() {
            return Verdict::Continue;
        }
        let mut verdict = Verdict::Continue;
        // A group is complete when the first frame after it comes.
        let (group, sum, count) = self.group;
        if position / GROUP != group {
            self.group = (position / GROUP, 0.0, 0);
            if count > 0 {
                self.groups.push(sum / f64::from(count));
                verdict = self.judge(position);
            }
        }
        let other = match &self.spec.profile {
            None => Some(0.0),
            Some(profile) => profile.at(position).map(|score| self.spec.curve.distance(score)),
        };
        if let Some(other) = other {
            self.group.1 += self.spec.curve.distance(score) - other;
            self.group.2 += 1;
        }
        verdict
    }

    fn judge(&self, seen: u64) -> Verdict {
        let (frames, groups) = (self.spec.frames as f64, self.groups.len() as f64);
        let saved = self.spec.frames.saturating_sub(seen + AHEAD) as f64;
        let enough = self.spec.profile.is_some() || seen as f64 >= LEAST_SHARE * frames;
        if self.groups.len() < FEWEST_GROUPS || saved < WORTH * frames || !enough {
            return Verdict::Continue;
        }
        let mean = self.groups.iter().sum::<f64>() / groups;
        let variance = self.groups.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (groups - 1.0);
        let curve = &self.spec.curve;
        let (base, least) = match &self.spec.profile {
            None => (0.0, curve.spread),
            Some(profile) => (curve.distance(profile.whole), curve.paired_spread),
        };
        let distance = base + mean;
        let estimate = curve.score(distance).clamp(curve.lowest, curve.highest);
        let miss = estimate - self.spec.aim;
        if (miss > 0.0 && self.spec.open_above) || (miss < 0.0 && self.spec.open_below) {
            return Verdict::Continue;
        }
        // The part that was seen is known; the mean of the rest is about the same, give or take the spread.
        let rest = 1.0 - seen as f64 / frames;
        let uncertain = CONFIDENCE * variance.sqrt().max(least) * rest * curve.fall(distance);
        if miss.abs() > self.spec.tolerance + uncertain { Verdict::Stop { estimate } } else { Verdict::Continue }
    }
}
