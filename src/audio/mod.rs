//! Sound to Opus: decoded frames in, packets with exact times out.
//!
//! Owns the choice of the Opus layout and bit rate, the channel gains, the law of time (jitter, gaps,
//! overlaps, pre-skip, end trimming) and libopus itself. Refuses to demux, to decode, to pick tracks and to
//! write containers.
//!
//! The law of time: packets carry `start − pre-skip` onwards, so that a container which adds the pre-skip as
//! codec delay shows the first sample of the source exactly at the source's start, and the last packet's
//! discard padding makes the decoded length the source's, to the sample.
#![deny(unsafe_code)]

mod encoder;
mod ffi;
mod layout;
mod timeline;

pub use encoder::{AudioConfig, AudioEncoder, AudioStats, PacketSink};
pub use ffi::opus_version;
pub use layout::LayoutPlan;
