//! An open encoder of libavcodec, of pictures or of sound: what both have in common.

use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::packet::InputPacket;
use super::{AvError, check, out_of_memory};
use crate::base::{Error, ErrorKind, Rational, Result};

/// A codec context that encodes, freed when it is dropped.
///
/// Law: after `send_end` nothing is sent; `receive` until `None`.
pub(super) struct EncoderContext {
    context: NonNull<sys::AVCodecContext>,
    base: Rational,
    name: String,
}

// SAFETY: a codec context has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for EncoderContext {}

impl EncoderContext {
    /// A context for `codec`, called `name` in errors, whose times are in `base`; it is still to be configured and opened.
    pub(super) fn new(codec: &'static sys::AVCodec, name: &str, base: Rational) -> Result<Self> {
        // SAFETY: the codec is static data; the answer is null or a context of our own.
        let context = unsafe { sys::avcodec_alloc_context3(codec) };
        let context = NonNull::new(context).ok_or_else(|| out_of_memory("an encoder"))?;
        Ok(EncoderContext { context, base, name: name.to_owned() })
    }

    pub(super) fn as_ptr(&self) -> *mut sys::AVCodecContext {
        self.context.as_ptr()
    }

    pub(super) fn fields(&self) -> &sys::AVCodecContext {
        // SAFETY: the context is valid until drop, and changed through `&mut self` only.
        unsafe { self.context.as_ref() }
    }

    /// Gives it a frame; whether it was taken. Where not, packets have to be received first.
    ///
    /// # Errors
    /// `Encode` from the encoder.
    pub(super) fn send(&mut self, frame: *const sys::AVFrame) -> Result<bool> {
        // SAFETY: the context is open; a frame is valid while this runs, and null starts draining.
        let code = unsafe { sys::avcodec_send_frame(self.context.as_ptr(), frame) };
        if code == sys::AVERROR(sys::EAGAIN) {
            return Ok(false);
        }
        check(code, ErrorKind::Encode, &format!("{} cannot encode what it was given", self.name)).map(|_| true)
    }

    /// Says that nothing follows. Again, it does nothing.
    ///
    /// # Errors
    /// `Encode` from the encoder.
    pub(super) fn send_end(&mut self) -> Result<()> {
        // SAFETY: a null frame starts draining.
        let code = unsafe { sys::avcodec_send_frame(self.context.as_ptr(), ptr::null()) };
        if code == sys::AVERROR_EOF {
            return Ok(());
        }
        check(code, ErrorKind::Encode, &format!("{} cannot come to its end", self.name)).map(drop)
    }

    /// The next packet. `None` means that there is none yet, or after [`send_end`](Self::send_end) that there is none any more.
    ///
    /// # Errors
    /// `Encode` from the encoder.
    pub(super) fn receive(&mut self) -> Result<Option<InputPacket>> {
        let mut packet = InputPacket::empty()?;
        packet.set_base(self.base);
        // SAFETY: both are valid; the packet is blank.
        let code = unsafe { sys::avcodec_receive_packet(self.context.as_ptr(), packet.as_mut_ptr()) };
        if code == sys::AVERROR(sys::EAGAIN) || code == sys::AVERROR_EOF {
            return Ok(None);
        }
        if code < 0 {
            let what = format!("{} cannot encode what it was given", self.name);
            return Err(Error::new(ErrorKind::Encode, what).caused_by(AvError(code)));
        }
        Ok(Some(packet))
    }

    /// The codec's configuration in the library's own form.
    pub(super) fn extradata(&self) -> &[u8] {
        let c = self.fields();
        match usize::try_from(c.extradata_size) {
            // SAFETY: the library allocated that many bytes, which live as long as the context.
            Ok(size) if !c.extradata.is_null() => unsafe { std::slice::from_raw_parts(c.extradata, size) },
            _ => &[],
        }
    }
}

impl Drop for EncoderContext {
    fn drop(&mut self) {
        let mut context = self.context.as_ptr();
        // SAFETY: we own the context; this frees it and nulls the local pointer.
        unsafe { sys::avcodec_free_context(&mut context) }
    }
}
