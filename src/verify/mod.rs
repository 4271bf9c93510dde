//! Is an output what was promised?
//!
//! Owns the checks of a written file, by a parser that shares no code with the writer, the comparison of two files by
//! their decoded pictures, and scores of one file against another. Refuses to repair.
#![deny(unsafe_code)]

mod check;
mod file;
mod mp4;
mod provenance;
mod sound;
mod source;
mod ts;
mod verification;
mod vmaf;

pub(crate) use check::{Expected, ExpectedAudio, ExpectedTrack, ExpectedVideo, expected_attachments};
pub(crate) use file::verify_file;
pub(crate) use sound::{ExpectedSound, verify_sound};
pub use source::verify;
pub(crate) use verification::failure;
pub use verification::{CheckResult, Verification};
pub use vmaf::{VmafOptions, vmaf};
