//! Files: Matroska (and WebM, a part of it), MP4, IVF and those of sound alone, written behind one trait, and read back by
//! readers of their own.
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

mod cover;
mod format;
mod interleave;
pub mod ivf;
pub mod language;
pub mod mkv;
pub mod mp4;
mod muxer;
pub mod provenance;
pub mod sound_file;
pub mod ts;
mod whole;

pub use format::Format;
pub use interleave::{DEFAULT_HOLD_BYTES, Interleaver};
pub use ivf::{IvfCodec, IvfHeader, IvfMuxer, IvfReader, IvfUnit, IvfWriter, read_header};
pub use mkv::{Writer, chapters, codec, ebml, elements, reader, tags};
pub use mp4::{Mp4Muxer, Mp4Options};
pub use muxer::{Lane, MuxStats, Muxer, TrackStats};
pub use ts::TsMuxer;
pub use whole::is_cut_short;

/// A muxer of `format` that writes to `file`, from its start; `path` names it in errors, and is where an MP4 is read back
/// from when its index is put before its media.
///
/// # Errors
/// Kind `Output` where the file cannot be written, `Encode` for a description the format cannot hold.
pub fn muxer(format: Format, file: File, path: Option<&Path>, params: &FileParams) -> Result<Box<dyn Muxer>> {
    Ok(match format {
        Format::Matroska => Box::new(Writer::new(file, path, params)?),
        Format::WebM => Box::new(Writer::webm(file, path, params)?),
        // Where a muxer cannot go back into the file by its name, the index stays at the end.
        Format::Mp4 => Box::new(Mp4Muxer::new(file, path, params, Mp4Options { index_first: path.is_some() })?),
        Format::MpegTs => Box::new(TsMuxer::new(file, path, params)?),
        Format::Ivf => Box::new(IvfMuxer::new(file, params)?),
    })
}
