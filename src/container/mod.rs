//! Files: Matroska, MP4, IVF and those of sound alone, written behind one trait, and read back by readers of their own.
//!
//! Owns the formats, the order of packets in a file and the codecs as each format stores them. Refuses to decode or
//! encode, to choose tracks, and to know what a source is. What a file is to hold is told in the words of
//! [`FileParams`](crate::media::FileParams), which are no container's.
//!
//! Size: three formats; a writer of our own for Matroska and readers that share nothing with the writers.
#![deny(unsafe_code)]

use std::fs::File;
use std::path::Path;

use crate::base::Result;
use crate::media::FileParams;

mod interleave;
pub mod ivf;
pub mod language;
pub mod mkv;
// Written and read back by tests only, until `encode` has a choice of containers.
#[cfg_attr(not(feature = "internals"), allow(dead_code))]
pub mod mp4;
mod muxer;
pub mod provenance;
pub mod sound_file;
mod whole;

pub use interleave::{DEFAULT_HOLD_BYTES, Interleaver};
pub use ivf::{IvfHeader, IvfMuxer, IvfReader, IvfWriter, read_header};
pub use mkv::{Writer, chapters, codec, ebml, elements, reader, tags};
pub use mp4::{Mp4Muxer, Mp4Options};
pub use muxer::{Lane, MuxStats, Muxer, TrackStats};
pub use whole::is_cut_short;

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "internals"), allow(dead_code))] // as above
pub enum Format {
    /// Matroska: any codec, subtitles, chapters, attachments, tags.
    Matroska,
    /// MP4 through libavformat: video and sound, chapters and a title.
    Mp4,
    /// IVF: one AV1 track, without the times of its pictures.
    Ivf,
}

/// A muxer of `format` that writes to `file`, from its start; `path` names it in errors.
///
/// # Errors
/// Kind `Output` where the file cannot be written, `Encode` for a description the format cannot hold.
pub fn muxer(format: Format, file: File, path: Option<&Path>, params: &FileParams) -> Result<Box<dyn Muxer>> {
    Ok(match format {
        Format::Matroska => Box::new(Writer::new(file, path, params)?),
        Format::Mp4 => Box::new(Mp4Muxer::new(file, path, params, Mp4Options::default())?),
        Format::Ivf => Box::new(IvfMuxer::new(file, params)?),
    })
}
