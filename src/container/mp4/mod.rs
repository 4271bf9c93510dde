//! MP4: written by libavformat's muxer, read back by a reader that shares nothing with it.
//!
//! Owns what goes into an MP4 and how (codecs, times, languages), the reader that tells what a file holds, and the boxes by
//! which a source describes itself. Refuses fragments and encryption.
//!
//! # The law of time
//!
//! Times are rounded once, to the track's time base: that of the packets where it is known, 1/90000 s else; the sample rate
//! for sound. A track that begins before zero (pre-skip, pictures that are decoded before they are shown) gets an edit list
//! that begins at zero, as ISO/IEC 14496-12 §8.6.6 has it. A sound's end is told by the duration of its last packet. Of samples that
//! are at one tick after that, each but the first gets the next that is free ([`RisingTicks`]).
#![deny(unsafe_code)]

pub mod boxes;
mod muxer;
pub mod reader;
mod rising;
pub mod tags;
mod timed_text;

#[cfg(test)]
mod tests;

pub use muxer::{Mp4Muxer, Mp4Options};
pub use rising::RisingTicks;
pub(crate) use rising::timed;
