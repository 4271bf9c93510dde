//! MPEG transport streams (ISO/IEC 13818-1): written by libavformat, read back by a reader of our own.
#![deny(unsafe_code)]

mod muxer;
mod psi;
pub mod reader;

pub use muxer::TsMuxer;

/// How far ahead of the clock a file's first decoding time stands, in ticks of 90 kHz: what a decoder's buffer may take.
pub(crate) const AHEAD: i64 = 63_000;
