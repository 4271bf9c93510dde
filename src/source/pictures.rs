//! One video stream of a file, as an iterator of pictures.

use std::path::Path;

use super::clocked::Source;
use super::{DecodeStats, HardwareUse, VideoDecoder, VideoOptions};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Rounding, Span, Timestamp};
use crate::media::{Frame, MediaInfo};

/// Opens a file and gives out the pictures of one stream, in the calling thread.
///
/// For what looks at a film without encoding it. `next` answers `Ok(None)` at the end, also when reading
/// broke off: [`stats`](Self::stats) tells.
pub struct Pictures {
    source: Source,
    decoder: VideoDecoder,
    options: VideoOptions,
    /// Why hardware failed before a seek; it is not tried again.
    hardware_fallback: Option<String>,
    stream: usize,
    finished: bool,
    /// Decoded while looking for the first picture.
    held: Option<Frame>,
    /// Added to the decoder's count.
    offset: u64,
}

/// A picture of a film, as who decoded all before it knows it.
#[derive(Clone, Copy, Debug)]
pub struct PicturePlace {
    /// The stream.
    pub stream: usize,
    /// When it is shown.
    pub start: Timestamp,
    /// Pictures before it.
    pub index: u64,
    /// Whether times lead to it: the clock of the source did not jump before.
    pub may_seek: bool,
}

/// How far before a picture a seek aims.
const LEAD_MS: i64 = 1_000;

impl Pictures {
    /// Opens stream `choose(info)` of the file at `path`.
    ///
    /// # Errors
    /// As [`Source::open`], and `Unsupported` where `choose` finds no video stream.
    pub fn open(
        path: &Path,
        choose: impl FnOnce(&MediaInfo) -> Option<usize>,
        options: impl Into<VideoOptions>,
        cancel: &CancelToken,
    ) -> Result<Self> {
        let source = Source::open(path, cancel)?;
        let info = source.info();
        let stream = choose(info)
            .and_then(|index| info.streams.get(index))
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "there is no video stream in it").with_file(path))?;
        let stream = stream.index;
        Self::of(source, stream, options)
    }

    /// Of stream `stream` of a source that was opened.
    ///
    /// # Errors
    /// `Unsupported` where there is no such stream or no decoder for it.
    pub fn of(mut source: Source, stream: usize, options: impl Into<VideoOptions>) -> Result<Self> {
        let options = options.into();
        let in_file = |e: Error| e.with_file(source.path());
        let missing = || in_file(Error::new(ErrorKind::Unsupported, "there is no such stream").with_stream(stream));
        let of = source.info().streams.get(stream).ok_or_else(missing)?;
        let decoder = VideoDecoder::open(source.input(), of, options).map_err(in_file)?;
        source.keep_only(&[stream]);
        let hardware_fallback = None;
        let (finished, held, offset) = (false, None, 0);
        Ok(Pictures { source, decoder, options, hardware_fallback, stream, finished, held, offset })
    }

    /// Opens the file at `path` and goes to a picture: `next` gives that first, with its index.
    ///
    /// Where it may, it seeks to a keyframe well before, because the first pictures after one may lean on what was skipped. Where
    /// that does not lead to a picture at exactly `start`, or times are not the file's own, all pictures from the first
    /// on are decoded and counted.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `Input` where the file ends before.
    pub fn open_at(
        path: &Path,
        place: PicturePlace,
        options: impl Into<VideoOptions>,
        cancel: &CancelToken,
    ) -> Result<Self> {
        let (PicturePlace { stream, start, index, may_seek }, options) = (place, options.into());
        let open = || Self::open(path, |_| Some(stream), options, cancel);
        let mut pictures = open()?;
        if index == 0 {
            return Ok(pictures);
        }
        let before = start.plus(Span::new(-LEAD_MS, Rational::MILLI).rescale(start.base(), Rounding::Down));
        if may_seek && pictures.source.seek(stream, before).is_ok() && pictures.skip_to(|_, pts| pts >= start)? {
            let own_times = pictures.stats().synthesised_timestamps + pictures.stats().repaired_timestamps == 0;
            if own_times && pictures.held.as_ref().is_some_and(|f| f.pts == start) {
                pictures.renumber(index);
                return Ok(pictures);
            }
        }
        tracing::debug!(path = %path.display(), %index, "cannot seek to a picture; decoding up to it");
        let mut pictures = open()?;
        match pictures.skip_to(|seen, _| seen >= index)? {
            true => Ok(pictures),
            false => Err(Error::new(ErrorKind::Input, "the file ends earlier than at first").with_file(path)),
        }
    }

    /// Goes to the last keyframe at or before `target`: `next` gives that, counted from 0.
    ///
    /// # Errors
    /// `Input` where the file cannot be sought in.
    pub fn seek(&mut self, target: Timestamp) -> Result<()> {
        self.source.seek(self.stream, target)?;
        // A new decoder costs little, and knows nothing of what was before.
        self.hardware_fallback = self.stats().hardware_fallback;
        if self.hardware_fallback.is_some() {
            self.options.hwaccel = HardwareUse::Off;
        }
        self.decoder = VideoDecoder::open(self.source.input(), &self.source.info().streams[self.stream], self.options)?;
        (self.finished, self.held, self.offset) = (false, None, 0);
        Ok(())
    }

    /// Decodes until `found(index, pts)`; whether that was before the end.
    fn skip_to(&mut self, found: impl Fn(u64, Timestamp) -> bool) -> Result<bool> {
        while let Some(frame) = self.next()? {
            if found(frame.index, frame.pts) {
                self.held = Some(frame);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Counts from `index` on from the picture that is held.
    fn renumber(&mut self, index: u64) {
        let held = self.held.as_ref().map_or(0, |f| f.index);
        self.offset = index.wrapping_sub(held);
        if let Some(frame) = &mut self.held {
            frame.index = index;
        }
    }

    /// The decoder's name in FFmpeg.
    pub fn decoder_name(&self) -> String {
        self.decoder.decoder_name()
    }

    /// What the file holds.
    pub fn info(&self) -> &MediaInfo {
        self.source.info()
    }

    /// Whether the source's clock jumped so far: then no seek finds what comes after.
    pub fn has_jumped(&self) -> bool {
        !self.source.jumps().is_empty()
    }

    /// What decoding met with so far.
    pub fn stats(&self) -> DecodeStats {
        let stats = self.decoder.stats();
        let hardware_fallback = stats.hardware_fallback.or_else(|| self.hardware_fallback.clone());
        DecodeStats { hardware_fallback, ..stats }
    }

    /// The file below, to look at other streams of it: where it is in the file is not said.
    pub fn into_source(self) -> Source {
        self.source
    }

    /// The next picture in display order.
    #[allow(clippy::should_implement_trait)] // It can fail, and ends with `Ok(None)` as all streams here.
    pub fn next(&mut self) -> Result<Option<Frame>> {
        if let Some(frame) = self.held.take() {
            return Ok(Some(frame));
        }
        loop {
            if let Some(frame) = self.decoder.receive() {
                let index = frame.index.wrapping_add(self.offset);
                return Ok(Some(Frame { index, ..frame }));
            }
            if self.finished {
                return Ok(None);
            }
            match self.source.read_packet()? {
                Some(packet) if packet.stream() == self.stream => {
                    self.decoder.send(&packet).map_err(|e| e.with_file(self.source.path()))?;
                }
                Some(_) => {}
                None => {
                    self.finished = true;
                    self.decoder.finish().map_err(|e| e.with_file(self.source.path()))?;
                }
            }
        }
    }
}
