//! Every encoder of sound behind one trait.
#![deny(unsafe_code)]

use crate::base::Result;
use crate::media::{AudioTrackParams, PacketData};

/// A packet, and how many samples a channel a decoder makes of it.
pub(super) struct CodedSound {
    pub(super) data: PacketData,
    pub(super) samples: usize,
}

/// An encoder of sound.
///
/// Law: `encode` takes runs of [`frame`](Self::frame) samples a channel, interleaved, full scale at 1; the last may be shorter where
/// [`takes_less`](Self::takes_less). Packets are added to `out` in order. After `finish` what all packets decode to is, from the
/// `delay`-th sample on, at least as long as what went in less the delay: whoever wants the end feeds so much more silence.
pub(super) trait SoundCoder: Send {
    /// Samples a channel of a run.
    fn frame(&self) -> usize;

    /// Whether the last run may be shorter; else it is filled with silence.
    fn takes_less(&self) -> bool;

    /// Samples that are decoded before the first that went in.
    fn delay(&self) -> usize;

    /// Encodes a run.
    fn encode(&mut self, pcm: &[f32], out: &mut Vec<CodedSound>) -> Result<()>;

    /// Gives out what is held back.
    fn finish(&mut self, out: &mut Vec<CodedSound>) -> Result<()>;

    /// The track that its packets make.
    fn track(&self) -> Result<AudioTrackParams>;

    /// The configuration as it is at the end, where it differs from the track's (FLAC's count of samples).
    fn last_configuration(&self) -> Option<Vec<u8>>;
}
