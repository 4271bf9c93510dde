//! VMAF of one stream: pairs of frames in, scores out at its end.
#![deny(unsafe_code)]

use super::pairs::{Pairs, PictureShape, check_depth, check_threads};
use super::{FrameScore, MetricKind, Model, Scores, Stride, ffi};
use crate::base::Result;
use crate::media::Frame;

/// What a session scores and how. Pictures are planar 4:2:0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The model.
    pub model: Model,
    /// Luma samples a row; odd ones are fine.
    pub width: u32,
    /// Luma rows; odd ones are fine.
    pub height: u32,
    /// Bits a sample: 8 or 10.
    pub depth: u8,
    /// Threads of libvmaf's own; 0 computes in the thread that calls [`Session::score`].
    pub threads: u32,
    /// Each how many frames one is scored.
    pub stride: Stride,
    /// Whether scores are clipped to 0..100, as libvmaf does by default.
    pub clip: bool,
}

impl SessionConfig {
    /// Every frame scored, in the calling thread, clipped.
    pub fn new(model: Model, width: u32, height: u32, depth: u8) -> Self {
        SessionConfig { model, width, height, depth, threads: 0, stride: Stride::EVERY, clip: true }
    }

    /// How many pairs libvmaf is given for each that is scored.
    pub(super) fn given_a_score(&self) -> u32 {
        let stride = self.stride.get();
        if self.model.is_v1() { stride } else { stride.min(PAIRS_A_SCORE) }
    }

    /// As which pair libvmaf is given the one at `position`; none where no score depends on it.
    pub(super) fn given_as(&self, position: u32) -> Option<u32> {
        let (stride, given) = (self.stride.get(), self.given_a_score());
        let nth = match position % stride {
            after if given == stride || after < 2 => after,
            last if last == stride - 1 => given - 1,
            _ => return None,
        };
        Some(position / stride * given + nth)
    }

    /// Whether a score depends on the distorted picture at `position`.
    fn looks_at(&self, position: u32) -> bool {
        self.model.is_v1() || self.stride.selects(u64::from(position))
    }

    pub(super) fn kind(&self) -> MetricKind {
        MetricKind::Vmaf { model: Some(self.model) }
    }
}

/// How many pairs libvmaf is given for a score of a v0.6.1 model: what is scored, the pair after it and the pair before
/// the next one. Those models see no more of a stream than the motion between them.
const PAIRS_A_SCORE: u32 = 3;

/// Scores pairs of frames that are given in order.
///
/// Law: *every* pair of the stream is fed, also those the stride leaves out, because the motion feature
/// compares a reference with its neighbours; so the scores are those of libvmaf's tool with `--subsample`.
/// Indices rise by one from the first. Feeding copies the samples, so the frames may go at once. Dropping a
/// session discards it; [`finish`](Self::finish) is what gives scores. One thread at a time may use it.
pub struct Session {
    config: SessionConfig,
    pub(super) context: ffi::ModelContext,
    pairs: Pairs,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// `Unsupported` for a depth other than 8 or 10, a size the model does not take, or a model this libvmaf
    /// does not have; `Usage` for more than 256 threads; `Encode` where libvmaf fails.
    pub fn new(config: SessionConfig) -> Result<Session> {
        check_depth("VMAF", config.depth)?;
        config.model.check_size(config.width, config.height)?;
        check_threads("VMAF", config.threads)?;
        let context =
            ffi::ModelContext::new(config.model.c_name(), config.clip, config.threads, config.given_a_score())?;
        let SessionConfig { width, height, depth, .. } = config;
        // Only luma for models that look at nothing else.
        let pairs = Pairs::new(PictureShape { metric: "VMAF", width, height, depth, chroma: config.model.is_v1() });
        Ok(Session { config, context, pairs })
    }

    /// Pairs fed so far.
    pub fn fed(&self) -> u64 {
        u64::from(self.pairs.fed())
    }

    /// Feeds the pair number `index`: the caller guarantees that the two show the same moment.
    ///
    /// # Errors
    /// `Unsupported`, at the reference's time, where a frame's size or format is not the session's or its planes
    /// are shorter than that; `Usage` where `index` does not follow the last one; `Encode` where libvmaf fails.
    /// Only after an `Unsupported` or `Usage` may the session be used on.
    pub fn score(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()> {
        let position = self.pairs.expect(index, reference)?;
        if let Some(as_pair) = self.config.given_as(position) {
            let (one, other) = match self.config.looks_at(position) {
                true => self.pairs.copy(reference, distorted)?,
                false => self.pairs.copy_reference(reference, distorted)?,
            };
            self.context.read(one, other, as_pair).map_err(|e| e.at(reference.pts))?;
        } else {
            self.pairs.check(reference, distorted)?;
        }
        self.pairs.accept(index);
        Ok(())
    }

    /// Ends the session and pools its scores.
    ///
    /// # Errors
    /// `Input` where no pair was fed; `Encode` where libvmaf fails.
    pub fn finish(mut self) -> Result<Scores> {
        let per_frame = self.flush()?;
        Scores::pool(self.config.kind(), self.config.stride, self.fed(), per_frame)
    }

    pub(super) fn flush(&mut self) -> Result<Vec<FrameScore>> {
        if self.pairs.fed() == 0 {
            return Ok(Vec::new());
        }
        self.context.flush()?;
        let score = |position: u32| {
            let as_pair = self.config.given_as(position).unwrap_or(position);
            Ok(FrameScore { index: self.pairs.index_of(position), score: self.context.score(as_pair)? })
        };
        (0..self.pairs.fed()).step_by(self.config.stride.get() as usize).map(score).collect()
    }
}
