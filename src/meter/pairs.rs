//! What all metrics ask of the pairs they are given: one size, one format, one after the other.
#![deny(unsafe_code)]

use super::ffi::MeterPicture;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, PixelFormat, Subsampling};

/// The most threads one session may start; a guard against a number that was meant for something else.
const MAX_THREADS: u32 = 256;

/// Refuses depths libvmaf's features do not take; `metric` is its name in messages.
pub(super) fn check_depth(metric: &str, depth: u8) -> Result<()> {
    if matches!(depth, 8 | 10) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, format!("{metric} of {depth}-bit pictures (8 and 10 are taken)")))
}

/// Refuses more threads than any machine has use for.
pub(super) fn check_threads(metric: &str, threads: u32) -> Result<()> {
    if threads <= MAX_THREADS {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("{threads} threads for {metric} (at most {MAX_THREADS})")))
}

/// The pictures a session was set up for: planar 4:2:0.
#[derive(Clone, Copy, Debug)]
pub(super) struct PictureShape {
    /// The metric's name in messages.
    pub(super) metric: &'static str,
    /// Luma samples a row.
    pub(super) width: u32,
    /// Luma rows.
    pub(super) height: u32,
    /// Bits a sample: 8 or 10.
    pub(super) depth: u8,
    /// Whether the metric looks at chroma; if not, it is not copied.
    pub(super) chroma: bool,
}

impl PictureShape {
    fn format(&self) -> PixelFormat {
        PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth: self.depth }
    }

    /// Refuses a frame of another size or format; `role` says in the message which of the pair it is.
    fn check(&self, frame: &Frame, role: &str) -> Result<()> {
        if (frame.width, frame.height, frame.format) == (self.width, self.height, self.format()) {
            return Ok(());
        }
        let (given, own) = (describe(frame.format), describe(self.format()));
        let message = format!(
            "the {role} picture is {}x{} {given}, {} was set up for {}x{} {own}",
            frame.width, frame.height, self.metric, self.width, self.height,
        );
        Err(Error::new(ErrorKind::Unsupported, message))
    }

    /// A copy of `frame` in libvmaf's memory.
    fn copy(&self, frame: &Frame, role: &str) -> Result<MeterPicture> {
        self.check(frame, role)?;
        let mut picture = MeterPicture::alloc(self.width, self.height, self.depth, self.chroma)?;
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
                copy_samples(self.depth, from, to);
            }
        }
        Ok(picture)
    }
}

/// Counts the pairs of one stream and makes libvmaf's pictures of them.
///
/// Law: indices rise by one from whatever the first is. `expect` and `copy` change nothing, so a pair that is refused
/// leaves the stream as it was; `accept` counts it.
#[derive(Debug)]
pub(super) struct Pairs {
    shape: PictureShape,
    first: Option<u64>,
    fed: u32,
}

impl Pairs {
    pub(super) fn new(shape: PictureShape) -> Self {
        Pairs { shape, first: None, fed: 0 }
    }

    /// Pairs accepted so far.
    pub(super) fn fed(&self) -> u32 {
        self.fed
    }

    /// The index that the pair at `position` was given with.
    pub(super) fn index_of(&self, position: u32) -> u64 {
        self.first.unwrap_or(0).saturating_add(u64::from(position))
    }

    /// The position of the pair `index`; `Usage` where another has to come, at the time of its `reference`.
    pub(super) fn expect(&self, index: u64, reference: &Frame) -> Result<u32> {
        let metric = self.shape.metric;
        let expected = self.first.map_or(index, |first| first.saturating_add(u64::from(self.fed)));
        if index != expected {
            let message = format!("{metric} was given frame {index} where {expected} has to come");
            return Err(Error::new(ErrorKind::Usage, message).at(reference.pts));
        }
        if self.fed == u32::MAX {
            let message = format!("a {metric} session of more than 2^32 frames");
            return Err(Error::new(ErrorKind::Unsupported, message).at(reference.pts));
        }
        Ok(self.fed)
    }

    /// Refuses a pair of another size or format, at the reference's time.
    pub(super) fn check(&self, reference: &Frame, distorted: &Frame) -> Result<()> {
        let both = self.shape.check(reference, "reference").and_then(|()| self.shape.check(distorted, "distorted"));
        both.map_err(|e| e.at(reference.pts))
    }

    /// Copies of both frames; `Unsupported`, at the reference's time, as `check` and where planes are too short.
    pub(super) fn copy(&self, reference: &Frame, distorted: &Frame) -> Result<(MeterPicture, MeterPicture)> {
        let one = self.shape.copy(reference, "reference").map_err(|e| e.at(reference.pts))?;
        let other = self.shape.copy(distorted, "distorted").map_err(|e| e.at(reference.pts))?;
        Ok((one, other))
    }

    /// As [`copy`](Self::copy), for a pair of which no feature looks at the distorted picture: that is black.
    pub(super) fn copy_reference(&self, reference: &Frame, distorted: &Frame) -> Result<(MeterPicture, MeterPicture)> {
        let PictureShape { width, height, depth, chroma, .. } = self.shape;
        self.check(reference, distorted)?;
        let one = self.shape.copy(reference, "reference").map_err(|e| e.at(reference.pts))?;
        Ok((one, MeterPicture::alloc(width, height, depth, chroma)?))
    }

    /// Counts the pair `index`.
    pub(super) fn accept(&mut self, index: u64) {
        self.first = Some(self.first.unwrap_or(index));
        self.fed += 1;
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
