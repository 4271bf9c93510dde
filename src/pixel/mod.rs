//! Pixels: what has to happen to a decoded picture before the encoder can take it.
//!
//! Owns the conversion of 8-bit 4:2:0 to 10-bit 4:2:0 (scalar and SIMD kernels that agree bit for bit), of BT.601 to
//! BT.709 and back, and the pools their results live in. Refuses I/O, threads and decisions; what it does to a frame follows from the frame
//! alone, so the same frame gives the same samples on any machine.
//!
//! Full-range samples go by the equations of ITU-T H.273, as zimg has them: `round(1023 · E)`. FFmpeg's scaler
//! repeats the high bits for luma and shifts chroma, which is off by one at a few code values.
#![deny(unsafe_code)]

mod borders;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod borders_avx2;
mod borders_scalar;
mod flip;
mod levels;
mod matrix;
mod measure;
mod rows;
mod widen;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod widen_avx2;
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
mod widen_neon;
mod widen_scalar;

use std::sync::Arc;

pub use borders::{Borders, Line, borders};
pub use flip::Flipper;
pub use levels::{LevelMeasurer, PictureLevels};
pub use matrix::MatrixChanger;
pub use measure::{PictureMeasure, PictureMeasurer};
pub use rows::{ByteRows, Mapping, SampleRows, Stores};
pub use widen::{Level, widen_plane};

use crate::av::Scaler;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{ColorRange, Frame, FramePool, PixelFormat, PoolStats};

/// The widest and highest picture taken, in luma samples: what the encoder can be given.
const MAX_SIDE: u32 = 16_384;

/// Turns decoded frames into what the encoder is fed: 4:2:0 of 10 bits, or of 8 where that is asked for.
///
/// Law: frames come in display order and all have the size of the first. Everything about a frame but its
/// format and samples stays as it was, and so does its share in the decoder's memory where it already is
/// what is asked for. One converter belongs to one stream; it may move between threads.
pub struct Converter {
    level: Level,
    target: PixelFormat,
    size: Option<(u32, u32)>,
    /// The size to scale to.
    scale: Option<(u32, u32)>,
    /// Buffers for converted pictures; made with the first frame that needs one.
    pool: Option<FramePool>,
    scaler: Option<Scaler>,
}

impl Default for Converter {
    fn default() -> Self {
        Self::new()
    }
}

impl Converter {
    /// A converter to 10 bits with the fastest kernel of this processor.
    pub fn new() -> Self {
        Self::to_depth(10)
    }

    /// A converter to 8 bits if `depth` is 8, else to 10.
    pub fn to_depth(depth: u8) -> Self {
        let target = if depth == 8 { PixelFormat::YUV420P8 } else { PixelFormat::YUV420P10 };
        Converter { level: Level::detect(), target, size: None, scale: None, pool: None, scaler: None }
    }

    /// The same, which also scales pictures to `width` by `height` luma samples (Lanczos).
    pub fn scaling_to(self, width: u32, height: u32) -> Self {
        Converter { scale: Some((width, height)), ..self }
    }

    /// Allocations against reuses of the buffers converted pictures live in; both zero when none was converted.
    pub fn stats(&self) -> PoolStats {
        self.pool.as_ref().map(FramePool::stats).unwrap_or_default()
    }

    /// `frame` as the encoder takes it: the very same samples if it is that already, else a converted copy.
    ///
    /// # Errors
    /// `Unsupported`, naming the frame's time: a size other than the first frame's, a size of 0 or above
    /// 16384 on a side, planes shorter than their size says, or a format without a conversion.
    pub fn for_encoder(&mut self, frame: Frame) -> Result<Frame> {
        self.check_size(&frame)?;
        let scaled = self.scale.is_some_and(|size| size != (frame.width, frame.height));
        match frame.format {
            _ if scaled => self.convert_other(frame),
            format if format == self.target => Ok(frame),
            PixelFormat::YUV420P8 => self.widen(frame),
            _ => self.convert_other(frame),
        }
    }

    /// `frame` itself where its planes can be measured as they are, else as [`Self::for_encoder`] has it.
    ///
    /// Not for converters that scale.
    ///
    /// # Errors
    /// As [`Self::for_encoder`].
    pub fn for_measuring(&mut self, frame: Frame) -> Result<Frame> {
        match frame.format {
            PixelFormat::Planar { .. } => Ok(frame),
            PixelFormat::Other(_) => self.for_encoder(frame),
        }
    }

    fn check_size(&mut self, frame: &Frame) -> Result<()> {
        let (w, h) = (frame.width, frame.height);
        if !(1..=MAX_SIDE).contains(&w) || !(1..=MAX_SIDE).contains(&h) {
            return Err(unsupported(frame, format!("a picture of {w}x{h} (1 to {MAX_SIDE} on a side are taken)")));
        }
        let (first_w, first_h) = *self.size.get_or_insert((w, h));
        if (w, h) != (first_w, first_h) {
            return Err(unsupported(frame, format!("the picture size changes from {first_w}x{first_h} to {w}x{h}")));
        }
        Ok(())
    }

    fn widen(&mut self, frame: Frame) -> Result<Frame> {
        let pool = self.pool.get_or_insert_with(|| FramePool::new(self.target, frame.width, frame.height));
        let mut buffer = pool.take();
        let planes = buffer.planes_mut();
        let stores = Stores::for_picture(planes.iter().map(|(bytes, _)| bytes.len()).sum());
        for (i, (bytes, stride)) in planes.into_iter().enumerate() {
            let mapping = match (frame.color.range, i) {
                (ColorRange::Full, 0) => Mapping::FullLuma,
                (ColorRange::Full, _) => Mapping::FullChroma,
                (ColorRange::Limited | ColorRange::Unspecified, _) => Mapping::Limited,
            };
            let src = ByteRows { bytes: frame.planes.plane(i), stride: frame.planes.stride(i) };
            // Pool memory is aligned to 64 bytes, so seeing it as samples cannot fail.
            let dst = SampleRows { samples: bytemuck::cast_slice_mut(bytes), stride: stride / 2 };
            widen_plane(self.level, mapping, stores, src, dst, frame.plane_size(i)).ok_or_else(|| {
                unsupported(&frame, format!("plane {i} of {}x{} is cut short", frame.width, frame.height))
            })?;
        }
        Ok(Frame { format: PixelFormat::YUV420P10, planes: Arc::new(buffer), ..frame })
    }

    /// Every other format (subsampling, depth, packing) and size goes through libswscale.
    fn convert_other(&mut self, frame: Frame) -> Result<Frame> {
        let (width, height) = self.scale.unwrap_or((frame.width, frame.height));
        let scaler = match &mut self.scaler {
            Some(scaler) => scaler,
            none => {
                let pool = self.pool.get_or_insert_with(|| FramePool::new(self.target, width, height));
                none.insert(Scaler::new(self.target, (width, height), pool.clone())?)
            }
        };
        let buffer = scaler.convert(&frame)?;
        let color = Scaler::color(&frame);
        Ok(Frame { width, height, format: self.target, color, planes: Arc::new(buffer), ..frame })
    }
}

fn unsupported(frame: &Frame, message: String) -> Error {
    Error::new(ErrorKind::Unsupported, message).at(frame.pts)
}

#[cfg(test)]
mod tests;
