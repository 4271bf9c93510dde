//! Pictures on their way up to a device that encodes them.

use std::ffi::c_int;
use std::ptr::NonNull;

use ffmpeg_next::ffi as sys;

use super::frame::RawFrame;
use super::hardware::{Device, Hardware};
use super::{check, out_of_memory};
use crate::base::{Error, ErrorKind, Result};

/// Pictures that may be in the device at once: more than an encoder looks ahead.
const POOL: c_int = 32;

/// A pool of pictures in a device: an owned reference to an `AVHWFramesContext`.
pub(super) struct Upload(NonNull<sys::AVBufferRef>);

// SAFETY: buffer references are counted atomically, and the pool behind this one locks itself.
unsafe impl Send for Upload {}

impl Upload {
    /// For pictures of this size, whose samples are of the format `software` in memory.
    ///
    /// # Errors
    /// `Unsupported` where the device cannot be opened, or has no room for such pictures.
    pub(super) fn open(hardware: Hardware, size: (u32, u32), software: c_int) -> Result<Self> {
        let (kind, format) = match hardware {
            Hardware::Vaapi => (sys::AVHWDeviceType::AV_HWDEVICE_TYPE_VAAPI, sys::AVPixelFormat::AV_PIX_FMT_VAAPI),
            other => {
                let message = format!("pictures are not brought up to {}", other.name());
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        };
        let device = Device::open(kind, hardware)?;
        // SAFETY: the device is valid; the new context takes a reference of its own.
        let frames = unsafe { sys::av_hwframe_ctx_alloc(device.as_ptr()) };
        let upload = NonNull::new(frames).map(Upload).ok_or_else(|| out_of_memory("pictures in a device"))?;
        // SAFETY: the data of such a reference is an `AVHWFramesContext`, which is ours alone until it is set up; the formats
        // are written as the integers they are in C.
        unsafe {
            let frames = (*upload.0.as_ptr()).data.cast::<sys::AVHWFramesContext>();
            (*frames).format = format;
            (&raw mut (*frames).sw_format).cast::<c_int>().write(software);
            (*frames).width = c_int::try_from(size.0).unwrap_or(c_int::MAX);
            (*frames).height = c_int::try_from(size.1).unwrap_or(c_int::MAX);
            (*frames).initial_pool_size = POOL;
            let what = format!("{} has no room for pictures of {}x{}", hardware.name(), size.0, size.1);
            check(sys::av_hwframe_ctx_init(upload.0.as_ptr()), ErrorKind::Unsupported, &what)?;
        }
        Ok(upload)
    }

    /// Ties an encoder to the device; its pictures are of the device's own format from here on.
    ///
    /// # Safety
    /// `context` is valid and not opened yet.
    pub(super) unsafe fn attach(&self, context: *mut sys::AVCodecContext) -> Result<()> {
        // SAFETY: by the contract; the context takes a reference of its own, which avcodec_free_context gives up.
        unsafe {
            let frames = sys::av_buffer_ref(self.0.as_ptr());
            if frames.is_null() {
                return Err(out_of_memory("pictures in a device"));
            }
            (*context).hw_frames_ctx = frames;
            (*context).pix_fmt = (*(*self.0.as_ptr()).data.cast::<sys::AVHWFramesContext>()).format;
        }
        Ok(())
    }

    /// The picture, which is in memory, in the device.
    ///
    /// # Errors
    /// `Encode` where the device does not take it.
    pub(super) fn up(&self, picture: &RawFrame) -> Result<RawFrame> {
        let mut up = RawFrame::new()?;
        // SAFETY: all are valid and ours; `up` is blank, and gets a buffer of the pool before it is written to.
        unsafe {
            let code = sys::av_hwframe_get_buffer(self.0.as_ptr(), up.as_mut_ptr(), 0);
            check(code, ErrorKind::Encode, "the device has no room for a picture")?;
            let code = sys::av_hwframe_transfer_data(up.as_mut_ptr(), picture.as_ptr(), 0);
            check(code, ErrorKind::Encode, "cannot bring a picture up to the device")?;
        }
        Ok(up)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut frames = self.0.as_ptr();
        // SAFETY: we own this reference; the call gives it up and nulls the local pointer.
        unsafe { sys::av_buffer_unref(&mut frames) }
    }
}
