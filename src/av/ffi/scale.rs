//! libswscale, for the pixel formats that have no kernel of our own.

use std::ffi::c_int;
use std::ptr;

use ffmpeg_next::ffi as sys;

use super::frame::VideoFrame;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Color, ColorRange, Frame, FramePool, Matrix, PixelFormat, PoolBuffer};

/// Converts pictures of any FFmpeg format to 10-bit or 8-bit planar 4:2:0, of the same size or another.
///
/// Chroma is resampled bicubically with accurate rounding, all of it by Lanczos where the size changes; range and matrix stay the source's (RGB becomes
/// BT.709 limited range, or BT.601 below 720 lines, as swscale's own default would not say).
pub struct Scaler {
    context: *mut sys::SwsContext,
    key: Key,
    target: c_int,
    size: (u32, u32),
    pool: FramePool,
}

/// What a context is made for: pixel format, width, height, matrix.
type Key = (c_int, u32, u32, c_int);

// SAFETY: a scaling context has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for Scaler {}

/// SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP by their fixed values: macros up to FFmpeg 7, an enum
/// from 8.
const FLAGS: i64 = 0x4 | 0x4_0000 | 0x4000;

/// SWS_LANCZOS instead of SWS_BICUBIC.
const SCALING_FLAGS: i64 = 0x200 | 0x4_0000 | 0x4000;

impl Scaler {
    /// A scaler whose output is `target`, one of the two 4:2:0 formats the encoder takes, of `size` luma samples, in
    /// buffers of `pool`, which has them of that format and size.
    pub fn new(target: PixelFormat, size: (u32, u32), pool: FramePool) -> Result<Self> {
        let target = match target {
            PixelFormat::YUV420P8 => c"yuv420p",
            PixelFormat::YUV420P10 => c"yuv420p10",
            other => return Err(Error::new(ErrorKind::Unsupported, format!("cannot convert to {other:?}"))),
        };
        // SAFETY: a terminated name; "yuv420p10" finds the variant of this machine's endianness.
        let target = unsafe { sys::av_get_pix_fmt(target.as_ptr()) } as c_int;
        Ok(Scaler { context: ptr::null_mut(), key: (-1, 0, 0, 0), target, size, pool })
    }

    /// What the samples that [`convert`](Self::convert) makes of `frame` mean: RGB becomes limited-range Y'CbCr.
    pub fn color(frame: &Frame) -> Color {
        let number = match frame.format {
            PixelFormat::Other(number) => number,
            PixelFormat::Planar { .. } => return frame.color,
        };
        match super::frame::descriptor(number) {
            Some(format) if is_rgb(format) => {
                let matrix = if frame.height >= HD { Matrix::BT709 } else { Matrix::BT601 };
                Color { matrix, range: ColorRange::Limited, ..frame.color }
            }
            _ => frame.color,
        }
    }

    /// The samples of `frame`, converted. A `frame` that is not planar must hold a decoder's picture.
    pub fn convert(&mut self, frame: &Frame) -> Result<PoolBuffer> {
        let source = ScalerInput::of(frame).map_err(|e| e.at(frame.pts))?;
        self.prepare(&source, frame).map_err(|e| e.at(frame.pts))?;
        let mut out = self.pool.take();
        let [(y, ys), (u, us), (v, vs)] = out.planes_mut();
        let planes = [y.as_mut_ptr(), u.as_mut_ptr(), v.as_mut_ptr(), ptr::null_mut()];
        let strides = [ys as c_int, us as c_int, vs as c_int, 0];
        // SAFETY: the source planes are a valid picture of the format and size the context was made for; the
        // target planes are pool planes of the context's target size, with the strides given, exclusively borrowed.
        unsafe { source.scale(self.context, frame.height, (planes, strides), self.size.1) }
            .map_err(|e| e.at(frame.pts))?;
        Ok(out)
    }

    fn prepare(&mut self, picture: &ScalerInput, frame: &Frame) -> Result<()> {
        let (width, height) = (frame.width, frame.height);
        let matrix = c_int::from(frame.color.matrix.0);
        let key = (picture.format, width, height, matrix);
        if self.key == key && !self.context.is_null() {
            return Ok(());
        }
        let format = super::frame::descriptor(picture.format)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, format!("pixel format {} is unknown", picture.format)))?;
        let is_rgb = is_rgb(format);
        let full = c_int::from(frame.color.range == ColorRange::Full);
        let flags = if self.size == (width, height) { FLAGS } else { SCALING_FLAGS };
        // SAFETY: both format numbers were checked against the bindings' enum; sizes are positive; the
        // coefficient tables are static. The old context is freed exactly once.
        unsafe {
            sys::sws_freeContext(self.context);
            let source = std::mem::transmute::<c_int, sys::AVPixelFormat>(picture.format);
            let target = std::mem::transmute::<c_int, sys::AVPixelFormat>(self.target);
            self.context = sys::sws_getContext(
                width as c_int,
                height as c_int,
                source,
                self.size.0 as c_int,
                self.size.1 as c_int,
                target,
                flags as _,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            );
            if self.context.is_null() {
                let name = super::frame::format_name(picture.format);
                return Err(Error::new(ErrorKind::Unsupported, format!("pixel format {name} cannot be converted")));
            }
            let table = match (is_rgb, height) {
                (true, HD..) => sys::SWS_CS_ITU709,
                (true, _) => sys::SWS_CS_ITU601,
                (false, _) if matrix == 1 => sys::SWS_CS_ITU709,
                (false, _) => sys::SWS_CS_DEFAULT,
            };
            let coefficients = sys::sws_getCoefficients(table as c_int);
            // Planar Y'CbCr keeps its range; RGB is full by nature and becomes limited.
            let (from, to) = if is_rgb { (1, 0) } else { (full, full) };
            let one = 1 << 16;
            sys::sws_setColorspaceDetails(self.context, coefficients, from, coefficients, to, 0, one, one);
        }
        self.key = key;
        Ok(())
    }
}

/// From this height on RGB is turned into BT.709.
pub(super) const HD: u32 = 720;

/// Whether a format's components are red, green and blue; palettes have such colours.
fn is_rgb(format: &sys::AVPixFmtDescriptor) -> bool {
    format.flags & (sys::AV_PIX_FMT_FLAG_RGB | sys::AV_PIX_FMT_FLAG_PAL) as u64 != 0
}

/// A picture as libswscale takes it; valid as long as its frame.
pub(super) struct ScalerInput {
    pub(super) format: c_int,
    pub(super) planes: [*const u8; 4],
    pub(super) strides: [c_int; 4],
}

impl ScalerInput {
    /// Scales the whole picture, which has so many rows, into `target`, of as many as are named last.
    ///
    /// # Safety
    /// `context` is valid and made for pictures of this format, size and target; the target's planes have room for it with
    /// their strides, and nobody else uses them.
    ///
    /// # Errors
    /// `Encode` where libswscale stops early.
    pub(super) unsafe fn scale(
        &self,
        context: *mut sys::SwsContext,
        rows: u32,
        (planes, strides): ([*mut u8; 4], [c_int; 4]),
        wanted: u32,
    ) -> Result<()> {
        let (from, to) = ((self.planes.as_ptr(), self.strides.as_ptr()), (planes.as_ptr(), strides.as_ptr()));
        // SAFETY: by the contract of this function; our own planes are a picture of that format, as long as it is borrowed.
        let done = unsafe { sys::sws_scale(context, from.0, from.1, 0, rows as c_int, to.0, to.1) };
        if done == wanted as c_int {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Encode, "pixel conversion stopped early"))
    }

    pub(super) fn of(frame: &Frame) -> Result<Self> {
        if let Some(format) = super::frame::planar_format(frame.format) {
            // Planar pictures may be windows into larger ones.
            let plane = |index: usize| match frame.planes.plane(index) {
                [] => ptr::null(),
                samples => samples.as_ptr(),
            };
            let whole = (0..3).all(|i| {
                let (width, height) = frame.plane_size(i);
                let row = width * frame.format.bytes_per_sample().unwrap_or(1);
                height == 0 || frame.planes.plane(i).len() >= frame.planes.stride(i) * (height - 1) + row
            });
            if !whole {
                return Err(Error::new(ErrorKind::Unsupported, "a picture is cut short"));
            }
            let stride = |index: usize| frame.planes.stride(index) as c_int;
            return Ok(ScalerInput {
                format,
                planes: [plane(0), plane(1), plane(2), ptr::null()],
                strides: [stride(0), stride(1), stride(2), 0],
            });
        }
        let picture = frame.planes.as_any().downcast_ref::<VideoFrame>();
        let picture =
            picture.ok_or_else(|| Error::new(ErrorKind::Unsupported, "only a decoder's pictures can be converted"))?;
        let f = picture.raw().fields();
        let (planes, strides) = (&f.data[..4], &f.linesize[..4]);
        Ok(ScalerInput {
            format: f.format,
            planes: [0, 1, 2, 3].map(|i| planes[i].cast_const()),
            strides: [0, 1, 2, 3].map(|i| strides[i]),
        })
    }
}

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: null or a context of our own.
        unsafe { sys::sws_freeContext(self.context) }
    }
}
