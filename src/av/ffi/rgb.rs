//! libswscale, for pictures that are looked at as red, green and blue.

use std::ffi::c_int;
use std::ptr;

use ffmpeg_next::ffi as sys;

use super::scale::{HD, ScalerInput};
use crate::base::{Error, ErrorKind, Result};
use crate::media::{ColorRange, Frame, Matrix};

/// The widest and highest picture converted, in samples.
const MAX_SIDE: u32 = 16_384;

/// SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP, by their fixed values.
const FLAGS: i64 = 0x4 | 0x4_0000 | 0x2000 | 0x4000;

/// A picture in 8-bit R'G'B', row after row without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbPicture {
    /// Samples a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue of each sample, from the top left on.
    pub bytes: Vec<u8>,
}

/// Converts pictures to R'G'B' of one size.
///
/// Primaries and transfer stay as they are; matrix and range are those the picture names, by its height where it does not.
pub struct RgbConverter {
    context: *mut sys::SwsContext,
    key: RgbKey,
    size: Option<(u32, u32)>,
}

/// What a context is made for: pixel format, size, target size, matrix, whether the range is full.
type RgbKey = (c_int, (u32, u32), (u32, u32), u8, bool);

// SAFETY: a scaling context has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for RgbConverter {}

impl RgbConverter {
    /// A converter to pictures of `size` samples, or of each picture's own.
    pub fn new(size: Option<(u32, u32)>) -> Self {
        RgbConverter { context: ptr::null_mut(), key: (-1, (0, 0), (0, 0), 0, false), size }
    }

    /// `frame` in R'G'B'. One that is not planar must hold a decoder's picture.
    ///
    /// # Errors
    /// `Unsupported` for sizes and formats that cannot be converted, at the frame's time.
    pub fn convert(&mut self, frame: &Frame) -> Result<RgbPicture> {
        self.convert_one(frame).map_err(|e| e.at(frame.pts))
    }

    fn convert_one(&mut self, frame: &Frame) -> Result<RgbPicture> {
        let (width, height) = self.size.unwrap_or((frame.width, frame.height));
        let sides = [width, height, frame.width, frame.height];
        if sides.iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return Err(Error::new(ErrorKind::Unsupported, "a picture of no size, or too large, to be shown"));
        }
        let source = ScalerInput::of(frame)?;
        self.prepare(source.format, frame, (width, height))?;
        // libswscale may write past the end of a row, up to the next multiple of its vectors: rows are given room.
        let stride = (width as usize * 3).next_multiple_of(64) + 64;
        let mut rows = vec![0u8; stride * height as usize];
        let planes = [rows.as_mut_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut()];
        let strides = [stride as c_int, 0, 0, 0];
        // SAFETY: the source planes are a valid picture of the format and size the context was made for; the target is
        // one packed plane of the context's target size with the stride given, exclusively borrowed.
        unsafe { source.scale(self.context, frame.height, (planes, strides), height)? };
        let bytes = rows.chunks_exact(stride).flat_map(|row| &row[..width as usize * 3]).copied().collect();
        Ok(RgbPicture { width, height, bytes })
    }

    fn prepare(&mut self, format: c_int, frame: &Frame, target: (u32, u32)) -> Result<()> {
        let full = frame.color.range == ColorRange::Full;
        let key = (format, (frame.width, frame.height), target, frame.color.matrix.0, full);
        if self.key == key && !self.context.is_null() {
            return Ok(());
        }
        if super::frame::descriptor(format).is_none() {
            return Err(Error::new(ErrorKind::Unsupported, format!("pixel format {format} is unknown")));
        }
        // SAFETY: both format numbers are of the bindings' enum; sizes are positive; the coefficient tables are static.
        // The old context is freed exactly once.
        unsafe {
            sys::sws_freeContext(self.context);
            let source = std::mem::transmute::<c_int, sys::AVPixelFormat>(format);
            self.context = sys::sws_getContext(
                frame.width as c_int,
                frame.height as c_int,
                source,
                target.0 as c_int,
                target.1 as c_int,
                sys::AVPixelFormat::AV_PIX_FMT_RGB24,
                FLAGS as _,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            );
            if self.context.is_null() {
                let name = super::frame::format_name(format);
                return Err(Error::new(ErrorKind::Unsupported, format!("pixel format {name} cannot be converted")));
            }
            let table = match frame.color.matrix {
                Matrix(1) => sys::SWS_CS_ITU709 as c_int,
                Matrix(4) => sys::SWS_CS_FCC as c_int,
                Matrix(5 | 6) => sys::SWS_CS_ITU601 as c_int,
                Matrix(7) => sys::SWS_CS_SMPTE240M as c_int,
                Matrix(9 | 10) => SWS_CS_BT2020,
                _ if frame.height >= HD => sys::SWS_CS_ITU709 as c_int,
                _ => sys::SWS_CS_ITU601 as c_int,
            };
            let coefficients = sys::sws_getCoefficients(table);
            let one = 1 << 16;
            // A context for R'G'B' sources has no such details; then this fails and changes nothing.
            sys::sws_setColorspaceDetails(self.context, coefficients, full.into(), coefficients, 1, 0, one, one);
        }
        self.key = key;
        Ok(())
    }
}

/// libswscale's number for BT.2020, which older bindings lack.
const SWS_CS_BT2020: c_int = 9;

impl Drop for RgbConverter {
    fn drop(&mut self) {
        // SAFETY: null or a context of our own.
        unsafe { sys::sws_freeContext(self.context) }
    }
}
