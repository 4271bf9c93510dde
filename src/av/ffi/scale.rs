//! libswscale, for the pixel formats that have no kernel of our own.

use std::ffi::c_int;
use std::ptr;

use ffmpeg_next::ffi as sys;

use super::frame::VideoFrame;
use super::raw_enum;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{ColorRange, Frame, FramePool, PixelFormat, PoolBuffer};

/// Converts pictures of any FFmpeg format to 10-bit or 8-bit planar 4:2:0 of the same size.
///
/// Chroma is resampled bicubically with accurate rounding; range and matrix stay the source's (RGB becomes
/// BT.709 limited range, or BT.601 below 720 lines, as swscale's own default would not say).
pub struct Scaler {
    context: *mut sys::SwsContext,
    key: (c_int, u32, u32, c_int),
    target: c_int,
    pool: FramePool,
}

// SAFETY: a scaling context has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for Scaler {}

/// SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP by their fixed values: macros up to FFmpeg 7, an enum
/// from 8.
const FLAGS: i64 = 0x4 | 0x4_0000 | 0x4000;

impl Scaler {
    /// A scaler whose output is `target`, one of the two 4:2:0 formats the encoder takes, in buffers of
    /// `pool`.
    pub fn new(target: PixelFormat, pool: FramePool) -> Result<Self> {
        let target = match target {
            PixelFormat::YUV420P8 => c"yuv420p",
            PixelFormat::YUV420P10 => c"yuv420p10",
            other => return Err(Error::new(ErrorKind::Unsupported, format!("cannot convert to {other:?}"))),
        };
        // SAFETY: a terminated name; "yuv420p10" finds the variant of this machine's endianness.
        let target = unsafe { sys::av_get_pix_fmt(target.as_ptr()) } as c_int;
        Ok(Scaler { context: ptr::null_mut(), key: (-1, 0, 0, 0), target, pool })
    }

    /// The samples of `frame`, converted. `frame` must hold a decoder's picture.
    pub fn convert(&mut self, frame: &Frame) -> Result<PoolBuffer> {
        let picture = frame.planes.as_any().downcast_ref::<VideoFrame>().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "only a decoder's pictures can be converted").at(frame.pts)
        })?;
        self.prepare(picture, frame.color.range).map_err(|e| e.at(frame.pts))?;
        let mut out = self.pool.take();
        let [(y, ys), (u, us), (v, vs)] = out.planes_mut();
        let planes = [y.as_mut_ptr(), u.as_mut_ptr(), v.as_mut_ptr(), ptr::null_mut()];
        let strides = [ys as c_int, us as c_int, vs as c_int, 0];
        let f = picture.raw().fields();
        // SAFETY: the source planes are a valid frame of the format and size the context was made for; the
        // target planes are pool planes of that same size, with the strides given, exclusively borrowed.
        let rows = unsafe {
            sys::sws_scale(
                self.context,
                f.data.as_ptr().cast(),
                f.linesize.as_ptr(),
                0,
                f.height,
                planes.as_ptr(),
                strides.as_ptr(),
            )
        };
        if rows != f.height {
            return Err(Error::new(ErrorKind::Encode, "pixel conversion stopped early").at(frame.pts));
        }
        Ok(out)
    }

    fn prepare(&mut self, picture: &VideoFrame, range: ColorRange) -> Result<()> {
        let f = picture.raw().fields();
        let (width, height) = picture.size();
        let matrix = raw_enum!(f.colorspace);
        let key = (f.format, width, height, matrix);
        if self.key == key && !self.context.is_null() {
            return Ok(());
        }
        let format = super::frame::descriptor(f.format)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, format!("pixel format {} is unknown", f.format)))?;
        let is_rgb = format.flags & sys::AV_PIX_FMT_FLAG_RGB as u64 != 0;
        let full = c_int::from(range == ColorRange::Full);
        // SAFETY: both format numbers were checked against the bindings' enum; sizes are positive; the
        // coefficient tables are static. The old context is freed exactly once.
        unsafe {
            sys::sws_freeContext(self.context);
            let source = std::mem::transmute::<c_int, sys::AVPixelFormat>(f.format);
            let target = std::mem::transmute::<c_int, sys::AVPixelFormat>(self.target);
            let (w, h) = (f.width, f.height);
            self.context = sys::sws_getContext(
                w,
                h,
                source,
                w,
                h,
                target,
                FLAGS as _,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            );
            if self.context.is_null() {
                let name = super::frame::format_name(f.format);
                return Err(Error::new(ErrorKind::Unsupported, format!("pixel format {name} cannot be converted")));
            }
            let table = match (is_rgb, h) {
                (true, 720..) => sys::SWS_CS_ITU709,
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

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: null or a context of our own.
        unsafe { sys::sws_freeContext(self.context) }
    }
}
