//! Decoded sound, shared by reference count.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::base::Timestamp;

/// Whoever holds the samples of a run of sound: a decoder's buffer, or one that was filled by hand.
///
/// Law: the samples do not change while any reference lives. Their format is known to the room that made them.
pub trait Samples: Send + Sync {
    /// For the room that made it.
    fn as_any(&self) -> &dyn Any;
}

/// A run of decoded sound: as many samples of each channel, of one format, rate and layout. Cloning shares the samples.
///
/// Law: runs of a stream travel in presentation order; a hole between two shows in their times.
#[derive(Clone)]
pub struct Sound {
    /// The time of the first sample in the source stream's time base, where the stream says.
    pub pts: Option<Timestamp>,
    /// Samples in each channel.
    pub samples: usize,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channel count.
    pub channels: u32,
    /// The samples.
    pub data: Arc<dyn Samples>,
}

impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples of {} channels at {} Hz, {:?}", self.samples, self.channels, self.sample_rate, self.pts)
    }
}
