//! Sound to Opus: decoded frames in, packets with exact times out.
//!
//! Owns the choice of the Opus layout and bit rate, the channel gains, the law of time (jitter, gaps,
//! overlaps, pre-skip, end trimming) and libopus itself, and reads the headers of tracks that are Opus
//! already. Refuses to demux, to decode, to pick tracks and to write containers.
//!
//! The law of time: packets carry `start − pre-skip` onwards, so that a container which adds the pre-skip as
//! codec delay shows the first sample of the source exactly at the source's start, and the last packet's
//! discard padding makes the decoded length the source's, to the sample.
#![deny(unsafe_code)]

mod encoder;
mod ffi;
mod head;
mod layout;
mod timeline;

pub use encoder::{AudioConfig, AudioEncoder, AudioStats, PacketSink};
pub use ffi::opus_version;
pub use head::{ChannelMapping, OPUS_RATE, OpusHead, opus_head_facts, packet_samples};
pub use layout::LayoutPlan;

/// Matroska's SeekPreRoll for Opus, in nanoseconds: 80 ms (RFC 7845 §4.6).
pub const SEEK_PRE_ROLL_NS: u64 = 80_000_000;
