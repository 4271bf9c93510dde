//! A part of the film that is encoded on its own, and how its frames are had.

use std::path::PathBuf;

use super::memory::Share;
use crate::base::{CancelToken, Error, ErrorKind, Result, Span, Timestamp};
use crate::media::Frame;
use crate::plan::{ChunkMeans, ChunkSpan};

use super::super::picture::Shown;
use super::super::pipeline::decoder_options;
use super::super::treatment::{TreatedPictures, Treatment};

/// A chunk whose end is known.
pub(super) struct Chunk {
    pub(super) span: ChunkSpan,
    /// What the decode pass measured.
    pub(super) means: ChunkMeans,
    /// The film's picture, as its first frame has it.
    pub(super) shown: Shown,
    /// Whether all its frames are 8-bit 4:2:0.
    pub(super) eight_bit: bool,
    /// Time of the frame before its first.
    pub(super) before: Option<Timestamp>,
    /// Digest of each frame's metadata.
    pub(super) messages: Vec<u64>,
    /// Time and duration of each frame.
    pub(super) times: Vec<(Timestamp, Option<Span>)>,
    pub(super) source: Source,
}

/// Where the frames are.
pub(super) enum Source {
    /// In memory, in the source's own format.
    Held {
        frames: Vec<Frame>,
        /// Given back with the frames.
        _share: Share,
    },
    /// In the file: there is not the memory to hold them, so each try decodes them again.
    File {
        path: PathBuf,
        /// Stream index.
        stream: usize,
        treatment: Treatment,
    },
    /// Nowhere: the chunk was finished by an earlier run.
    Finished,
}

impl Chunk {
    pub(super) fn index(&self) -> usize {
        self.span.index
    }

    pub(super) fn first_frame(&self) -> u64 {
        self.span.first_frame
    }

    /// Frames in it.
    pub(super) fn len(&self) -> u64 {
        self.span.frames
    }

    /// Its frames from the first.
    pub(super) fn frames(&self, cancel: &CancelToken) -> Result<Frames<'_>> {
        match &self.source {
            Source::Held { frames, .. } => Ok(Frames::Held(frames.iter())),
            Source::File { path, stream, treatment } => {
                let (at, how) = ((self.span.start, self.before), (decoder_options(), *treatment));
                let pictures = TreatedPictures::open_at(path, *stream, at, self.first_frame(), how, cancel)?;
                Ok(Frames::File { pictures: Box::new(pictures), left: self.times.iter() })
            }
            Source::Finished => Err(Error::new(ErrorKind::Encode, "internal error: a finished chunk was tried again")),
        }
    }
}

/// Frames of a chunk in display order.
pub(super) enum Frames<'a> {
    Held(std::slice::Iter<'a, Frame>),
    File { pictures: Box<TreatedPictures>, left: std::slice::Iter<'a, (Timestamp, Option<Span>)> },
}

impl Frames<'_> {
    /// The next frame; `Ok(None)` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Frame>> {
        match self {
            Frames::Held(frames) => Ok(frames.next().cloned()),
            Frames::File { pictures, left } => {
                let Some((expected, duration)) = left.next() else { return Ok(None) };
                let frame = pictures.next()?;
                match frame {
                    // What the sequential pass made of times (gaps, repairs) is what counts.
                    Some(frame) => Ok(Some(Frame { pts: *expected, duration: *duration, ..frame })),
                    None => Err(Error::new(ErrorKind::Input, "the file ends earlier than at first").at(*expected)),
                }
            }
        }
    }
}
