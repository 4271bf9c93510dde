//! Sound to Opus and other codecs: decoded frames in, packets with exact times out.
//!
//! Owns the choice of layout, rate and bit rate by codec, the channel gains and the downmix, the law of time (jitter, gaps,
//! overlaps, codec delay, end trimming), how loud sound is and is made, and libopus itself. Refuses to demux,
//! to decode what it did not encode, to pick tracks and to write containers.
//!
//! ```text
//! Sound → timed (resampled, mixed, in time) → leveller → coder (libopus, libavcodec) → Packet
//! ```
//!
//! The law of time: packets carry `start − delay` onwards, so that a container which adds the
//! codec delay shows the first sample of the source exactly at the source's start, and the last packet's
//! trim makes the decoded length the source's, to the sample.
#![deny(unsafe_code)]

mod av_coder;
mod codecs;
mod coder;
mod downmix;
mod encoder;
mod ffi;
mod layout;
mod leveller;
mod loudness;
mod opus_coder;
mod playback;
mod sound_plan;
mod speaker;
mod stats;
mod timed;
mod timeline;
mod trial;

pub use codecs::{check_encoder, codec_name};
pub use encoder::{AudioConfig, AudioEncoder, PacketSink};
pub use ffi::opus_version;
pub use layout::LayoutPlan;
pub use loudness::LoudnessMeter;
pub use sound_plan::{SoundOptions, SoundPlan};
pub use stats::AudioStats;
pub use trial::{LevelTrial, SoundMeter};
