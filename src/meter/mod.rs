//! VMAF: how close a decoded picture is to its source, by libvmaf's own models.
//!
//! Owns sessions: pairs of frames in, scores out. Refuses files, decoding, conversion (both frames of a pair
//! already have the size and format of the session) and decisions about what a score means. A score is relative
//! to the reference: a frame against itself is usually below 100, and for PQ and HLG no model was trained.
//!
//! A session is one libvmaf context. With `threads` 0 it computes in the calling thread and starts none, so a
//! worker owns one each; contexts do not share anything that changes a score.
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod ffi;
mod metric;
mod model;
mod running;
mod scores;

pub use metric::{Metric, MetricKind, MetricSpec};
pub use model::Model;
pub use running::RunningSession;
pub use scores::{FrameScore, Pooled, Scores, Stride};

use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, PixelFormat, Subsampling};

/// The most threads one session may start; a guard against a number that was meant for something else.
const MAX_THREADS: u32 = 256;

/// The version of the linked libvmaf.
pub fn version() -> String {
    ffi::version()
}

/// What a session scores and how. Pictures are planar 4:2:0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The model.
    pub model: Model,
    /// Luma samples a row; odd ones are fine.
    pub width: u32,
    /// Luma rows; odd ones are fine.
    pub height: u32,
    /// Bits a sample: 8 or 10.
    pub depth: u8,
    /// Threads of libvmaf's own; 0 computes in the thread that calls [`Session::score`].
    pub threads: u32,
    /// Each how many frames one is scored.
    pub stride: Stride,
    /// Whether scores are clipped to 0..100, as libvmaf does by default.
    pub clip: bool,
}

impl SessionConfig {
    /// Every frame scored, in the calling thread, clipped.
    pub fn new(model: Model, width: u32, height: u32, depth: u8) -> Self {
        SessionConfig { model, width, height, depth, threads: 0, stride: Stride::EVERY, clip: true }
    }

    fn format(&self) -> PixelFormat {
        PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth: self.depth }
    }
}

/// Scores pairs of frames that are given in order.
///
/// Law: *every* pair of the stream is fed, also those the stride leaves out, because the motion feature
/// compares a reference with the one before it; so the scores are those of libvmaf's tool with `--subsample`.
/// Indices rise by one from the first. Feeding copies the samples, so the frames may go at once. Dropping a
/// session discards it; [`finish`](Self::finish) is what gives scores. One thread at a time may use it.
pub struct Session {
    config: SessionConfig,
    context: ffi::Context,
    first: Option<u64>,
    fed: u32,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// `Unsupported` for a depth other than 8 or 10, a size the model does not take, or a model this libvmaf
    /// does not have; `Usage` for more than 256 threads; `Encode` where libvmaf fails.
    pub fn new(config: SessionConfig) -> Result<Session> {
        if !matches!(config.depth, 8 | 10) {
            let message = format!("VMAF of {}-bit pictures (8 and 10 are taken)", config.depth);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        config.model.check_size(config.width, config.height)?;
        if config.threads > MAX_THREADS {
            let message = format!("{} threads for VMAF (at most {MAX_THREADS})", config.threads);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let context = ffi::Context::new(config.model.c_name(), config.clip, config.threads, config.stride.get())?;
        Ok(Session { config, context, first: None, fed: 0 })
    }

    /// What it was opened with.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// Pairs fed so far.
    pub fn fed(&self) -> u64 {
        u64::from(self.fed)
    }

    /// Feeds the pair number `index`: the caller guarantees that the two show the same moment.
    ///
    /// # Errors
    /// `Unsupported`, at the reference's time, where a frame's size or format is not the session's or its planes
    /// are shorter than that; `Usage` where `index` does not follow the last one; `Encode` where libvmaf fails.
    /// Only after an `Unsupported` or `Usage` may the session be used on.
    pub fn score(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()> {
        let expected = self.first.map_or(index, |first| first.saturating_add(u64::from(self.fed)));
        if index != expected {
            let message = format!("VMAF was given frame {index} where {expected} has to come");
            return Err(Error::new(ErrorKind::Usage, message).at(reference.pts));
        }
        let next = self.fed.checked_add(1).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "a VMAF session of more than 2^32 frames").at(reference.pts)
        })?;
        let one = self.picture(reference, "reference").map_err(|e| e.at(reference.pts))?;
        let other = self.picture(distorted, "distorted").map_err(|e| e.at(reference.pts))?;
        self.context.read(one, other, self.fed).map_err(|e| e.at(reference.pts))?;
        self.first = Some(self.first.unwrap_or(index));
        self.fed = next;
        Ok(())
    }

    /// Ends the session and pools its scores.
    ///
    /// # Errors
    /// `Input` where no pair was fed; `Encode` where libvmaf fails.
    pub fn finish(mut self) -> Result<Scores> {
        let per_frame = self.flush()?;
        Scores::pool(self.config.model, self.config.stride, self.fed(), per_frame)
    }

    fn flush(&mut self) -> Result<Vec<FrameScore>> {
        let Some(first) = self.first else { return Ok(Vec::new()) };
        self.context.flush()?;
        let score = |position: u32| {
            let vmaf = self.context.score(position)?;
            Ok(FrameScore { index: first.saturating_add(u64::from(position)), vmaf })
        };
        (0..self.fed).step_by(self.config.stride.get() as usize).map(score).collect()
    }

    /// A copy of `frame` in libvmaf's memory; only luma for models that look at nothing else.
    fn picture(&self, frame: &Frame, role: &str) -> Result<ffi::Picture> {
        let config = &self.config;
        if (frame.width, frame.height, frame.format) != (config.width, config.height, config.format()) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the {role} picture is {}x{} {}, VMAF was set up for {}x{} {}",
                    frame.width,
                    frame.height,
                    describe(frame.format),
                    config.width,
                    config.height,
                    describe(config.format()),
                ),
            ));
        }
        let mut picture = ffi::Picture::alloc(config.width, config.height, config.depth, config.model.is_v1())?;
        for plane in 0..3 {
            // libvmaf rounds the chroma of odd sizes down where frames round up: it sees one column less.
            let (_, height) = picture.plane_size(plane);
            let (bytes, stride) = (frame.planes.plane(plane), frame.planes.stride(plane));
            for y in 0..height {
                let to = picture.row_mut(plane, y);
                let from = y.checked_mul(stride).and_then(|start| bytes.get(start..)?.get(..to.len()));
                let from = from.ok_or_else(|| {
                    Error::new(ErrorKind::Unsupported, format!("plane {plane} of the {role} picture is cut short"))
                })?;
                copy_samples(config.depth, from, to);
            }
        }
        Ok(picture)
    }
}

/// Copies a row, holding 10-bit samples to 10 bits: libvmaf looks values up in tables of that size, and the
/// unused bits of an uncompressed source are whatever its file says.
fn copy_samples(depth: u8, from: &[u8], to: &mut [u8]) {
    if depth == 8 {
        return to.copy_from_slice(from);
    }
    for (to, from) in to.as_chunks_mut::<2>().0.iter_mut().zip(from.as_chunks::<2>().0) {
        *to = u16::from_ne_bytes(*from).min(1023).to_ne_bytes();
    }
}

fn describe(format: PixelFormat) -> String {
    match format {
        PixelFormat::Planar { subsampling, depth } => format!("{subsampling:?} {depth}-bit"),
        PixelFormat::Other(number) => format!("pixel format {number}"),
    }
}

#[cfg(test)]
mod tests;
