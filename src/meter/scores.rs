//! Scores of frames and what they amount to.
#![deny(unsafe_code)]

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize, Serializer};

use super::MetricKind;
use crate::base::{Error, ErrorKind, Result};

/// Each how many frames one is scored, counted from the session's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stride(NonZeroU32);

impl Stride {
    /// Every frame.
    pub const EVERY: Stride = Stride(NonZeroU32::MIN);

    /// Every `n`-th frame.
    ///
    /// # Errors
    /// `Usage` for 0.
    pub fn new(n: u32) -> Result<Stride> {
        let n = NonZeroU32::new(n).ok_or_else(|| Error::new(ErrorKind::Usage, "a VMAF stride of 0 scores nothing"))?;
        Ok(Stride(n))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// Whether it is even, and so beats with the encoder's pyramid of picture layers: it then sees the better
    /// pictures more often, and the mean comes out too high (by 0.6 at 2, 2.7 at 8 on one stream).
    pub fn is_even(self) -> bool {
        self.get().is_multiple_of(2)
    }

    /// Whether the frame at `position` (0 for the session's first) is scored.
    pub fn selects(self, position: u64) -> bool {
        position.is_multiple_of(u64::from(self.get()))
    }
}

impl Default for Stride {
    fn default() -> Self {
        Self::EVERY
    }
}

/// The score of one pair of frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameScore {
    /// The index the pair was given with.
    pub index: u64,
    /// Its score by the session's metric.
    pub score: f64,
}

/// The result of a session. Serialises without the single frames.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Arithmetic mean.
    pub mean: f64,
    /// Harmonic mean as libvmaf has it: `n / Σ 1/(x+1) − 1`, defined also where a frame scores 0.
    pub harmonic_mean: f64,
    /// 5th percentile by nearest rank: the score at place ⌈n/20⌉ from below, so always one that was measured;
    /// up to 20 frames it is the minimum.
    pub p5: f64,
    /// The lowest score.
    pub min: f64,
    /// Pairs fed, scored or not.
    pub frames: u64,
    /// Each how many of them one was scored.
    pub stride: Stride,
    /// The metric; VMAF names its model. Serialises as `model`, by name.
    #[serde(rename = "model", serialize_with = "by_name")]
    pub metric: MetricKind,
    /// The frames that were scored, in order.
    #[serde(skip)]
    pub per_frame: Vec<FrameScore>,
}

fn by_name<S: Serializer>(metric: &MetricKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(metric.name())
}

impl Scores {
    /// Pools `per_frame` of `metric`.
    ///
    /// # Errors
    /// `Input` where nothing was scored; `Encode` where a score is no number.
    pub(super) fn pool(metric: MetricKind, stride: Stride, frames: u64, per_frame: Vec<FrameScore>) -> Result<Scores> {
        if let Some(bad) = per_frame.iter().find(|s| !s.score.is_finite()) {
            return Err(Error::new(ErrorKind::Encode, format!("libvmaf scored frame {} as {}", bad.index, bad.score)));
        }
        let none = || Error::new(ErrorKind::Input, "there is no pair of frames to score");
        let Pooled { mean, harmonic_mean, p5, min } = Pooled::of(per_frame.iter().map(|s| s.score)).ok_or_else(none)?;
        Ok(Scores { mean, harmonic_mean, p5, min, frames, stride, metric, per_frame })
    }
}

/// What scores of frames amount to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pooled {
    /// Arithmetic mean.
    pub mean: f64,
    /// As [`Scores::harmonic_mean`].
    pub harmonic_mean: f64,
    /// As [`Scores::p5`].
    pub p5: f64,
    /// The lowest.
    pub min: f64,
}

impl Pooled {
    /// `None` where there are no scores.
    pub fn of(scores: impl IntoIterator<Item = f64>) -> Option<Pooled> {
        let mut sorted: Vec<f64> = scores.into_iter().collect();
        let n = sorted.len();
        let inverse: f64 = sorted.iter().map(|score| 1.0 / (score + 1.0)).sum();
        let sum: f64 = sorted.iter().sum();
        sorted.sort_by(f64::total_cmp);
        Some(Pooled {
            mean: sum / n as f64,
            harmonic_mean: n as f64 / inverse - 1.0,
            p5: *sorted.get(n.div_ceil(20).checked_sub(1)?)?,
            min: *sorted.first()?,
        })
    }
}
