//! Matroska, written directly: tracks, chapters, attachments, tags, clusters and cues.
//!
//! Owns the file format: EBML, the header, the block layout, the index, codecs as Matroska stores them, and a reader that
//! checks what was written. The writer shares no code with the parser that checks it (`matroska-demuxer`), and takes no
//! clock and no random number: the same packets give the same bytes.
//!
//! # The law of time
//!
//! A [`Packet`](crate::media::Packet)'s `pts` is the presentation time of its **first decoded** sample or
//! frame. A track with a codec delay (Opus pre-skip) begins with samples that are never heard, so its first
//! packet has a `pts` of *start − pre-skip*, which may be negative (−6.5 ms at 48 kHz and 312 samples).
//!
//! RFC 9559 §5.1.4.1.26 subtracts `CodecDelay` from every block timestamp on playback. The writer therefore
//! stores
//!
//! ```text
//! block = round_to_ms(pts + CodecDelay)        rounded once, halves away from zero
//! ```
//!
//! computed in exact integers. A stream that starts at zero has its first block at zero; mkvmerge writes
//! the same. A block that would be earlier than zero is an error that names the track.
//!
//! Ends are rounded as ends, `BlockDuration = round(pts + duration + delay) − block`, so that two
//! subtitles that touch still touch.

pub mod chapters;
mod cluster;
pub mod codec;
pub mod ebml;
pub mod elements;
mod facts;
pub mod reader;
pub mod tags;
mod ticks;
mod tracks;
mod walk;
mod writer;

#[cfg(test)]
pub(in crate::container) mod tests;

pub use writer::Writer;
