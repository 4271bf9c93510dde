//! The parts of a pipeline: source, pixel, video, audio, meter and container as stages that hand things on.
//!
//! Owns what a stage does with one item and what it found at its end. Refuses to know which stages make a run, which
//! file is written, and what is tried again.
#![deny(unsafe_code)]

pub(crate) mod decode_back;
pub(crate) mod demux;
pub(crate) mod describe;
pub(crate) mod digest;
pub(crate) mod disks;
pub(crate) mod mux;
pub(crate) mod pairing;
pub(crate) mod picture;
pub(crate) mod progress;
pub(crate) mod sound;
pub(crate) mod spec;
pub(crate) mod streams;
pub(crate) mod track;
pub(crate) mod treat;
mod versions;
mod weights;

pub use streams::{Action, StreamDecision};
pub use versions::versions;
