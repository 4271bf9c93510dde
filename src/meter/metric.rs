//! What every metric is to those who feed it, and how one is asked for.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::{FrameScore, Model, RunningSession, Scores, SessionConfig, Stride};
use crate::base::Result;
use crate::media::Frame;

/// A measure of how close pictures are to their references.
///
/// Law: *every* pair of a stream is pushed, in display order, its indices rising by one. Any one thread at a time may hold
/// it; dropping it discards what was measured.
pub trait Metric: Send {
    /// Takes the pair number `index`: the caller guarantees that the two show the same moment.
    ///
    /// # Errors
    /// `Unsupported` for frames of another size or format than it was opened for, `Usage` for an index out of turn, `Encode`
    /// where the library fails.
    fn push(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()>;

    /// The scores that are known so far, in order.
    fn known(&self) -> &[FrameScore];

    /// All scores.
    ///
    /// # Errors
    /// `Input` where no pair was pushed, `Encode` where the library fails.
    fn finish(self: Box<Self>) -> Result<Scores>;
}

/// Which metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// VMAF by this model, or by the one for the picture's size.
    Vmaf {
        /// Which model.
        model: Option<Model>,
    },
}

/// How pictures are measured, without what depends on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricSpec {
    /// Which metric.
    pub kind: MetricKind,
    /// Every how many-th pair is scored.
    pub stride: Stride,
    /// Threads of the library's own; 0 computes in the calling thread.
    #[serde(default)]
    pub threads: u32,
}

impl MetricSpec {
    /// VMAF of every frame, by `model` or by the one for the picture's size, in the calling thread.
    pub fn vmaf(model: Option<Model>) -> Self {
        MetricSpec { kind: MetricKind::Vmaf { model }, stride: Stride::EVERY, threads: 0 }
    }

    /// Opens the metric for 4:2:0 pictures of this size and depth.
    ///
    /// # Errors
    /// As [`Session::new`](super::Session::new).
    pub fn open(&self, width: u32, height: u32, depth: u8) -> Result<Box<dyn Metric>> {
        match self.kind {
            MetricKind::Vmaf { model } => {
                let model = model.unwrap_or_else(|| Model::for_size(width, height));
                let config = SessionConfig::new(model, width, height, depth);
                let config = SessionConfig { stride: self.stride, threads: self.threads, ..config };
                Ok(Box::new(RunningSession::new(config)?))
            }
        }
    }
}

impl Metric for RunningSession {
    fn push(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()> {
        self.score(index, reference, distorted)
    }

    fn known(&self) -> &[FrameScore] {
        RunningSession::known(self)
    }

    fn finish(self: Box<Self>) -> Result<Scores> {
        RunningSession::finish(*self)
    }
}
