//! MPEG transport streams (ISO/IEC 13818-1): written by libavformat, read back by a reader of our own.
#![deny(unsafe_code)]

mod muxer;
mod psi;
pub mod reader;

pub use muxer::TsMuxer;

/// Half of how far decoding times stand ahead of the clock, in microseconds: 0.7 s are more than any picture waits here, and less
/// than a decoder's buffer may hold. A file's clock begins at about zero, so its pictures do 0.7 s later.
const HALF_AHEAD: &std::ffi::CStr = c"350000";
