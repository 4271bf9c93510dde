//! One video stream of a file, as an iterator of pictures.

use std::path::Path;

use super::{DecodeStats, VideoDecoder};
use crate::av::{DecoderOptions, Input};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::media::{Frame, MediaInfo};

/// Opens a file and gives out the pictures of one stream, in the calling thread.
///
/// For what looks at a film without encoding it. `next` answers `Ok(None)` at the end, also when reading
/// broke off: [`stats`](Self::stats) tells.
pub struct Pictures {
    input: Input,
    info: MediaInfo,
    decoder: VideoDecoder,
    stream: usize,
    finished: bool,
}

impl Pictures {
    /// Opens stream `choose(info)` of the file at `path`.
    ///
    /// # Errors
    /// As [`Input::open`], and `Unsupported` where `choose` finds no video stream.
    pub fn open(
        path: &Path,
        choose: impl FnOnce(&MediaInfo) -> Option<usize>,
        options: DecoderOptions,
        cancel: &CancelToken,
    ) -> Result<Self> {
        let mut input = Input::open(path, cancel)?;
        let info = input.info();
        let stream = choose(&info)
            .and_then(|index| info.streams.get(index))
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "there is no video stream in it").with_file(path))?;
        let stream = stream.index;
        let decoder = VideoDecoder::open(&input, &info.streams[stream], options).map_err(|e| e.with_file(path))?;
        input.keep_only(&[stream]);
        Ok(Pictures { input, info, decoder, stream, finished: false })
    }

    /// What the file holds.
    pub fn info(&self) -> &MediaInfo {
        &self.info
    }

    /// What decoding met with so far.
    pub fn stats(&self) -> DecodeStats {
        self.decoder.stats()
    }

    /// The next picture in display order.
    #[allow(clippy::should_implement_trait)] // It can fail, and ends with `Ok(None)` as all streams here.
    pub fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.receive() {
                return Ok(Some(frame));
            }
            if self.finished {
                return Ok(None);
            }
            match self.input.read_packet()? {
                Some(packet) if packet.stream() == self.stream => {
                    self.decoder.send(&packet).map_err(|e| e.with_file(self.input.path()))?;
                }
                Some(_) => {}
                None => {
                    self.finished = true;
                    self.decoder.finish().map_err(|e| e.with_file(self.input.path()))?;
                }
            }
        }
    }
}
