//! Scores while a stream still runs.
#![deny(unsafe_code)]

use super::{FrameScore, Metric, Scores, Session, SessionConfig};
use crate::base::Result;
use crate::media::Frame;

/// About how many frames make a block: scores come at most this many frames after their pictures. Each block costs
/// one scored frame more (two at stride 1).
const BLOCK: u64 = 48;

/// A session whose scores are known while it runs, in blocks of about a second.
///
/// libvmaf computes the motion feature when a session ends (3.2), so a running session cannot be asked. This one is
/// a row of sessions instead, one a block. What the v0.6.1 models see of a frame are its own picture, the motion
/// from the frame before it and the motion to the frame after it; so each block's session is also given the last
/// scored frame before its block and the first frame after it, and its scores are exactly those of one session over
/// the whole stream. Models of version 1 average motion over the past: for them there is one session, and no
/// score before the end.
///
/// Law: as of [`Session`].
pub struct RunningSession {
    config: SessionConfig,
    /// Frames a block, a multiple of the stride; `None` for one session over all.
    length: Option<u64>,
    /// The index the stream began with.
    start: u64,
    fed: u64,
    /// The session of the block that is being fed, and that of the next one once its first frames came.
    current: Option<RunningBlock>,
    next: Option<RunningBlock>,
    known: Vec<FrameScore>,
}

struct RunningBlock {
    session: Session,
    /// Position in the stream of the first frame whose score counts, and of the first one whose score no longer does.
    first: u64,
    end: u64,
}

impl RunningSession {
    /// Opens a session; errors as [`Session::new`].
    pub fn new(config: SessionConfig) -> Result<Self> {
        let stride = u64::from(config.stride.get());
        let length = (!config.model.is_v1()).then(|| BLOCK.div_ceil(stride) * stride);
        let mut running =
            RunningSession { config, length, start: 0, fed: 0, current: None, next: None, known: Vec::new() };
        running.current = Some(running.open(0)?);
        Ok(running)
    }

    fn open(&self, first: u64) -> Result<RunningBlock> {
        Ok(RunningBlock {
            session: Session::new(self.config)?,
            first,
            end: self.length.map_or(u64::MAX, |length| first + length),
        })
    }

    /// Feeds the pair number `index`; errors as [`Session::score`].
    pub fn score(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()> {
        if self.fed == 0 {
            self.start = index;
        }
        let end = self.current.as_ref().map_or(u64::MAX, |block| block.end);
        let last_scored = end - u64::from(self.config.stride.get());
        if self.fed == last_scored {
            self.next = Some(self.open(end)?);
        }
        for block in [&mut self.current, &mut self.next].into_iter().flatten() {
            block.session.score(index, reference, distorted)?;
        }
        if self.fed == last_scored + 1 {
            // The frame after the last scored one was the block's last need.
            self.close_current()?;
            self.current = self.next.take();
        }
        self.fed += 1;
        Ok(())
    }

    #[cfg(test)]
    /// The scores that are known so far, in order.
    pub fn known(&self) -> &[FrameScore] {
        &self.known
    }

    fn close_current(&mut self) -> Result<()> {
        if let Some(block) = self.current.take() {
            let own = self.start.saturating_add(block.first)..self.start.saturating_add(block.end);
            self.known.extend(block.session.finish()?.per_frame.into_iter().filter(|s| own.contains(&s.index)));
        }
        Ok(())
    }

    /// Ends the session and pools its scores; errors as [`Session::finish`].
    pub fn finish(mut self) -> Result<Scores> {
        self.close_current()?;
        Scores::pool(self.config.kind(), self.config.stride, self.fed, self.known)
    }
}

impl Metric for RunningSession {
    fn push(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()> {
        self.score(index, reference, distorted)
    }

    fn known(&self) -> &[FrameScore] {
        &self.known
    }

    fn finish(self: Box<Self>) -> Result<Scores> {
        RunningSession::finish(*self)
    }
}
