//! A part of the film that is encoded on its own, and how its frames are had.

use std::path::PathBuf;

use super::memory::Share;
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{Frame, Shown};
use crate::plan::{ChunkMeans, ChunkSpan, Cut, Treatment};
use crate::source::{PicturePlace, decoder_options};
use crate::stages::treat::TreatedPictures;
use crate::store::job::{FrameTime, PlannedChunk, ReadPoint, SegmentRecord};

/// A chunk whose end is known.
pub(crate) struct Chunk {
    pub(crate) span: ChunkSpan,
    /// What the decode pass measured.
    pub(crate) means: ChunkMeans,
    /// Positions of frames that begin a scene, without the first.
    pub(crate) scenes: Vec<u64>,
    /// The film's picture, as its first frame has it.
    pub(crate) shown: Shown,
    /// Whether all its frames are 8-bit 4:2:0.
    pub(crate) eight_bit: bool,
    /// Time of the frame before its first.
    pub(crate) before: Option<Timestamp>,
    /// Digest of each frame's metadata.
    pub(crate) messages: Vec<u64>,
    /// Time and duration of each frame.
    pub(crate) times: Vec<FrameTime>,
    /// Where reading was at its end, for a chunk that is to be planned; nothing where an earlier run planned it.
    pub(crate) point: Option<ReadPoint>,
    pub(crate) source: ChunkFrames,
}

/// Where the frames are.
pub(crate) enum ChunkFrames {
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
        /// Whether times lead to them.
        may_seek: bool,
    },
    /// Nowhere: the chunk was finished by an earlier run.
    Finished,
}

impl Chunk {
    /// One that an earlier run planned, of frames at `times`.
    pub(crate) fn again(
        planned: PlannedChunk,
        times: Vec<FrameTime>,
        before: Option<Timestamp>,
        source: ChunkFrames,
    ) -> Self {
        let messages = planned.messages();
        let PlannedChunk { segment, shown, means, scenes, eight_bit, .. } = planned;
        let SegmentRecord { chunk: index, first_frame, frames, .. } = segment;
        let start = times.first().map_or_else(|| Timestamp::new(0, Rational::NANO), |(pts, _)| *pts);
        // Why it ends was told when it was planned.
        let span = ChunkSpan { index, first_frame, frames, start, cut: Cut::Length };
        Chunk { span, means, scenes, shown, eight_bit, before, messages, times, point: None, source }
    }

    /// What is written down of it, where it is to be planned.
    pub(crate) fn plan(&mut self) -> Option<PlannedChunk> {
        let point = self.point.take()?;
        let measured = (self.means, self.scenes.clone(), self.eight_bit);
        Some(PlannedChunk::new(
            (SegmentRecord::of(&self.span), self.shown),
            measured,
            (&self.times, &self.messages),
            point,
        ))
    }

    pub(crate) fn index(&self) -> usize {
        self.span.index
    }

    pub(crate) fn first_frame(&self) -> u64 {
        self.span.first_frame
    }

    /// Frames in it.
    pub(crate) fn len(&self) -> u64 {
        self.span.frames
    }

    /// Its frames from the one at position `from`.
    pub(crate) fn frames(&self, from: u64, cancel: &CancelToken) -> Result<Frames<'_>> {
        let at = from as usize;
        let short = || Error::new(ErrorKind::Encode, "internal error: a chunk has not the frame that was asked for");
        match &self.source {
            ChunkFrames::Held { frames, .. } => Ok(Frames::Held(frames.get(at..).ok_or_else(short)?.iter())),
            ChunkFrames::File { path, stream, treatment, may_seek } => {
                let left = self.times.get(at..).ok_or_else(short)?;
                let before = at.checked_sub(1).map_or(self.before, |at| Some(self.times[at].0));
                let start = left.first().map_or(self.span.start, |(pts, _)| *pts);
                let index = self.first_frame() + from;
                let place = PicturePlace { stream: *stream, start, index, may_seek: *may_seek };
                let how = (decoder_options(), *treatment);
                let pictures = TreatedPictures::open_at(path, place, before, how, cancel)?;
                Ok(Frames::File { pictures: Box::new(pictures), left: left.iter() })
            }
            ChunkFrames::Finished => {
                Err(Error::new(ErrorKind::Encode, "internal error: a finished chunk was tried again"))
            }
        }
    }
}

/// Frames of a chunk in display order.
pub(crate) enum Frames<'a> {
    Held(std::slice::Iter<'a, Frame>),
    File { pictures: Box<TreatedPictures>, left: std::slice::Iter<'a, FrameTime> },
}

impl Frames<'_> {
    /// The next frame; `Ok(None)` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
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
