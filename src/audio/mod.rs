//! Sound to Opus: decoded frames in, packets with exact times out.
//!
//! Owns the choice of the Opus layout and bit rate, the channel gains, the law of time (jitter, gaps,
//! overlaps, pre-skip, end trimming), how loud sound is and is made, and libopus itself. Refuses to demux,
//! to decode what it did not encode, to pick tracks and to write containers.
//!
//! The law of time: packets carry `start − pre-skip` onwards, so that a container which adds the pre-skip as
//! codec delay shows the first sample of the source exactly at the source's start, and the last packet's
//! discard padding makes the decoded length the source's, to the sample.
#![deny(unsafe_code)]

mod encoder;
mod ffi;
mod layout;
mod leveller;
mod loudness;
mod stats;
mod timed;
mod timeline;
mod trial;

pub use encoder::{AudioConfig, AudioEncoder, PacketSink};
pub use ffi::opus_version;
pub use layout::LayoutPlan;
pub use loudness::LoudnessMeter;
pub use stats::AudioStats;
pub use trial::{LevelTrial, SoundMeter};
