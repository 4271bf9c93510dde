//! A film as a stream of packets, pictures and sound.
//!
//! Owns probing, demuxing and decoding, and the repair of what damaged files get wrong (timestamps that are
//! missing or run backwards, packets that do not decode), which it counts and never hides. Hardware may decode where it
//! is asked for; software takes over when it fails, and the pictures are the same. Refuses to choose streams or to
//! judge how much damage is too much.
#![deny(unsafe_code)]

mod audio;
mod clocked;
mod feed;
#[cfg(test)]
mod feed_tests;
mod hwaccel;
mod pictures;
mod replay;
mod rpu;
mod spool;
mod stills;
mod timeline;
mod video;

pub use audio::AudioDecoder;
pub use clocked::Source;
pub use hwaccel::{HardwareUse, VideoOptions, decoder_options, video_options};
pub use pictures::{PicturePlace, Pictures};
pub(crate) use spool::{Spool, gives_once, looked_at};
pub use video::{DecodeStats, VideoDecoder};

/// A decoder that answers every question with the same error must not hold its stage for ever.
const MAX_ERRORS_A_PACKET: u32 = 16;
