//! A decoder on its way through the film, which can begin where an earlier run was.
#![deny(unsafe_code)]

use std::collections::VecDeque;
use std::path::PathBuf;

use super::chunk::ChunkFrames;
use super::cutter::Cutter;
use crate::base::{CancelToken, Result, Timestamp};
use crate::media::{Carried, Frame, PoolStats};
use crate::plan::Treatment;
use crate::source::{DecodeStats, PicturePlace, Pictures, VideoOptions};
use crate::stages::treat::TreatedPictures;
use crate::store::job::{FilmRead, FrameTime, ReadPoint};

/// Where the pictures come from.
#[derive(Clone, Debug)]
pub(crate) struct FilmSource {
    pub(crate) path: PathBuf,
    pub(crate) stream: usize,
    pub(crate) options: VideoOptions,
    pub(crate) treatment: Treatment,
}

/// Pictures that a measurer has to see before it measures the next as one that saw all.
const WARM: u64 = 2;

/// A place in the film between two frames that an earlier run came by.
#[derive(Clone, Debug, Default)]
pub(super) struct FilmSeam {
    /// Frames before it.
    pub(super) frames: u64,
    /// Times of the last frames before it, as many as are needed to go there.
    last: VecDeque<Timestamp>,
    /// What was known there; nothing at the start of the film.
    pub(super) point: Option<ReadPoint>,
}

/// A decoder that is open, and where it is.
pub(super) struct FilmReading {
    pictures: TreatedPictures,
    /// Index of the frame that comes next.
    pub(super) next: u64,
    /// Whether times lead to what follows.
    may_seek: bool,
}

impl FilmSeam {
    /// Moves behind frames with these times.
    pub(super) fn pass(&mut self, times: &[FrameTime], point: ReadPoint) {
        self.frames += times.len() as u64;
        self.last.extend(times.iter().map(|(pts, _)| *pts));
        let spare = self.last.len().saturating_sub(WARM as usize + 1);
        self.last.drain(..spare);
        self.point = Some(point);
    }

    fn may_seek(&self) -> bool {
        self.point.as_ref().is_none_or(|point| point.may_seek)
    }

    /// What a decoder is told that is to give the frames before it first, `WARM` of them where there are as many.
    fn place(&self, stream: usize, may_seek: bool) -> (PicturePlace, Option<Timestamp>) {
        let warm = self.last.len().min(WARM as usize);
        let at = self.last.len() - warm;
        let start = self.last.get(at).copied().unwrap_or_else(|| Timestamp::new(0, crate::base::Rational::NANO));
        let before = at.checked_sub(1).and_then(|at| self.last.get(at)).copied();
        (PicturePlace { stream, start, index: self.frames - warm as u64, may_seek }, before)
    }
}

impl FilmSource {
    /// What a chunk is told that decodes its frames itself.
    pub(super) fn in_file(&self, may_seek: bool) -> ChunkFrames {
        ChunkFrames::File { path: self.path.clone(), stream: self.stream, treatment: self.treatment, may_seek }
    }

    /// Begins after `seam`, with `cutter` as one that measured all frames up to there.
    ///
    /// # Errors
    /// Of opening and decoding; `Input` where the file ends before.
    pub(super) fn open_after(&self, seam: &FilmSeam, cutter: &mut Cutter, cancel: &CancelToken) -> Result<FilmReading> {
        if seam.frames == 0 {
            let pictures = Pictures::open(&self.path, |_| Some(self.stream), self.options, cancel)?;
            let pictures = TreatedPictures::new(pictures, self.treatment);
            return Ok(FilmReading { pictures, next: 0, may_seek: true });
        }
        if seam.may_seek()
            && let (reading, true) = self.open_at(seam, true, cutter, cancel)?
        {
            return Ok(reading);
        }
        let (reading, same) = self.open_at(seam, false, cutter, cancel)?;
        if !same {
            tracing::warn!(frame = seam.frames, "a picture before it decodes otherwise than in an earlier run");
        }
        Ok(reading)
    }

    /// Whether the frame before `seam` came and is the one that was there at first.
    fn open_at(
        &self,
        seam: &FilmSeam,
        may_seek: bool,
        cutter: &mut Cutter,
        cancel: &CancelToken,
    ) -> Result<(FilmReading, bool)> {
        let (place, before) = seam.place(self.stream, may_seek);
        let how = (self.options, self.treatment);
        let mut pictures = TreatedPictures::open_at(&self.path, place, before, how, cancel)?;
        cutter.forget();
        let mut last = None;
        for _ in place.index..seam.frames {
            let Some(frame) = pictures.next()? else { break };
            last = Some((frame.pts, cutter.measure(&frame)?));
        }
        let known = seam.last.back().copied().zip(seam.point.as_ref());
        let same = last
            .zip(known)
            .is_some_and(|((pts, measure), (known, point))| pts == known && measure.is_of_the_same(&point.last));
        Ok((FilmReading { pictures, next: seam.frames, may_seek: seam.may_seek() }, same))
    }
}

impl FilmReading {
    /// The next frame in display order; `Ok(None)` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Frame>> {
        let frame = self.pictures.next()?;
        self.next += u64::from(frame.is_some());
        Ok(frame)
    }

    /// What was met with since it was opened.
    pub(super) fn met(&self) -> (DecodeStats, Carried) {
        (self.pictures.stats(), self.pictures.carried().clone())
    }

    pub(super) fn decoder_name(&self) -> String {
        self.pictures.decoder_name()
    }

    /// Whether times lead to what follows.
    pub(super) fn may_seek(&self) -> bool {
        self.may_seek && !self.pictures.source_has_jumped()
    }

    pub(super) fn pool(&self) -> PoolStats {
        self.pictures.pool()
    }
}

/// What was met with up to a place, counted from where a decoder was opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Before that.
    base: FilmRead,
    /// The decoder's counts when it came there.
    from: (DecodeStats, Carried),
}

impl Tally {
    /// From `seam` on, where `reading` is.
    pub(super) fn from(seam: &FilmSeam, reading: &FilmReading) -> Self {
        let base = seam.point.as_ref().map(|point| point.read.clone()).unwrap_or_default();
        Tally { base, from: reading.met() }
    }

    /// Where a decoder's counts are `met`.
    pub(super) fn read(&self, (stats, carried): &(DecodeStats, Carried), decoder: String, end_s: f64) -> FilmRead {
        FilmRead {
            decoder,
            stats: self.base.stats.plus(&stats.since(&self.from.0)),
            carried: self.base.carried.plus(&carried.since(&self.from.1)),
            end_s: self.base.end_s.max(end_s),
        }
    }
}
