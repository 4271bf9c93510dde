//! The front door: a request, the job it becomes, what came of it.
//!
//! Owns requests as data, threads that run jobs, and their states; beside jobs, an encoder and a meter for pictures that a
//! caller has. Refuses to know how a film is encoded (that is
//! `encode`), to print, and to read arguments or the environment.
//!
//! ```text
//! EncodeRequest ─ start ─→ JobHandle ─ wait ─→ Outcome: Done(Report) | Skipped(reason)
//!                             │  ↘ health, cancel
//!                             └─ events with a JobId → Sink
//! Picture ─→ FrameEncoder ─→ EncodedFrame        Picture, Picture ─→ PictureMeter ─→ Scores
//! ```
#![deny(unsafe_code)]

mod extension;
mod frames;
#[cfg(test)]
mod frames_tests;
mod job;
mod measure;
mod picture;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use extension::matroska_name;
pub use frames::{EncodedFrame, FrameEncoder, FrameEncoderOptions};
pub use job::{JobHandle, Outcome, SkipReason, start, start_with};
pub use measure::PictureMeter;
pub use picture::{Picture, PicturePool};
pub use request::{EncodeRequest, OutputRequest};
