//! The one trait that every metric is used through.
#![deny(unsafe_code)]

use super::{FrameScore, Scores};
use crate::base::Result;
use crate::media::Frame;

/// Scores pairs of frames of one stream.
///
/// Law: *every* pair of the stream is pushed, in order, also those a stride leaves out (a metric may compare a picture
/// with the one before it); indices rise by one from the first. `push` copies what it needs, so the frames may go at
/// once. What `known` gives only grows, in order of index, and is the beginning of what `finish` gives, bit for bit;
/// how soon a score is known is the metric's own affair, so long as it depends on how many pairs were pushed alone.
/// Dropping discards. One thread at a time, any thread.
pub trait Metric: Send {
    /// Takes the pair number `index`: the caller guarantees that the two show the same moment.
    ///
    /// # Errors
    /// `Unsupported`, at the reference's time, where a frame's size or format is not what the metric was opened for or
    /// its planes are shorter than that; `Usage` where `index` does not follow the last one; `Encode` where the
    /// library below fails. Only after an `Unsupported` or `Usage` may the metric be used on: the pair was not taken.
    fn push(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()>;

    /// The scores that are known so far.
    fn known(&self) -> &[FrameScore];

    /// Ends the stream and pools its scores.
    ///
    /// # Errors
    /// `Input` where no pair was pushed; `Encode` where the library below fails or a score is no number.
    fn finish(self: Box<Self>) -> Result<Scores>;
}
