//! What a stream's decoders are opened with.

use std::ptr::NonNull;

use ffmpeg_next::ffi as sys;

use super::decoder::{Decoder, DecoderOptions, Setup, find_decoder};
use super::hardware::{Accelerator, Hardware};
use super::input::Input;
use super::{check, out_of_memory, time_base};
use crate::base::{Error, ErrorKind, Rational, Result};

/// A stream's codec parameters, apart from the file: decoders can be opened when the [`Input`] is out of reach.
pub struct CodecParameters {
    raw: NonNull<sys::AVCodecParameters>,
    base: Rational,
    stream: usize,
}

// SAFETY: plain memory that only this owner frees.
unsafe impl Send for CodecParameters {}
// SAFETY: as above; it is only read after it was made.
unsafe impl Sync for CodecParameters {}

impl CodecParameters {
    /// Those of stream `index` of `input`.
    ///
    /// # Errors
    /// `Unsupported` where there is no such stream.
    pub fn of(input: &Input, index: usize) -> Result<Self> {
        let streams = input.streams();
        let stream = streams
            .get(index)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "no such stream").with_stream(index))?;
        // SAFETY: the parameters belong to an open input; the copy is freshly allocated and owned from then on.
        unsafe {
            let raw = NonNull::new(sys::avcodec_parameters_alloc()).ok_or_else(|| out_of_memory("codec parameters"))?;
            let parameters = CodecParameters { raw, base: time_base(stream.time_base), stream: index };
            let code = sys::avcodec_parameters_copy(raw.as_ptr(), stream.codecpar);
            check(code, ErrorKind::Encode, "out of memory for codec parameters")?;
            Ok(parameters)
        }
    }

    /// A decoder in software. It holds back at least `reorder` pictures from the first on, for one that goes on
    /// where another, whose [`reorder_delay`](Decoder::reorder_delay) that was, broke off; 0 in all other cases.
    ///
    /// # Errors
    /// `Unsupported` where this FFmpeg has no decoder for it, `Input` for parameters that are damaged.
    pub fn decoder(&self, options: DecoderOptions, reorder: u32) -> Result<Decoder> {
        // SAFETY: our own parameters, valid until drop.
        let (codec, name) = unsafe { find_decoder((*self.raw.as_ptr()).codec_id) };
        let codec = codec.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("no decoder for codec {name}")).with_stream(self.stream)
        })?;
        self.open(codec, name, Setup { options, reorder, accelerator: None })
    }

    /// A decoder that decodes on `hardware`.
    ///
    /// It gives out what the software decoder gives out, in memory, or fails: it never goes on in software by itself.
    ///
    /// # Errors
    /// `Unsupported` where this FFmpeg, the codec or the machine does not have `hardware`. That a device cannot decode
    /// this very stream often shows at the first packets only, as any error of `send` or `receive_video`.
    pub fn hardware_decoder(&self, options: DecoderOptions, hardware: Hardware) -> Result<Decoder> {
        // SAFETY: as in `decoder`.
        let id = unsafe { (*self.raw.as_ptr()).codec_id };
        let accelerator = Accelerator::open(id, hardware).map_err(|e| e.with_stream(self.stream))?;
        let codec = accelerator.codec();
        // SAFETY: names are static strings.
        let name = unsafe { super::text(codec.name) }.unwrap_or_default();
        // The device works by itself: more threads would only hold back pictures, each in a surface of its own.
        let options = DecoderOptions { threads: 1, ..options };
        self.open(codec, name, Setup { options, reorder: 0, accelerator: Some(accelerator) })
    }

    pub(super) fn open(&self, codec: &'static sys::AVCodec, name: String, setup: Setup) -> Result<Decoder> {
        // SAFETY: a decoder of libavcodec and valid parameters of our own.
        unsafe { Decoder::open_with(codec, self.raw.as_ptr(), self.base, self.stream, name, setup) }
            .map_err(|e| e.with_stream(self.stream))
    }
}

impl Decoder {
    /// A decoder for stream `index` of `input`.
    pub fn open(input: &Input, index: usize, options: DecoderOptions) -> Result<Self> {
        CodecParameters::of(input, index)?.decoder(options, 0)
    }
}

impl Drop for CodecParameters {
    fn drop(&mut self) {
        let mut raw = self.raw.as_ptr();
        // SAFETY: we own the parameters; the call frees them and nulls the local pointer.
        unsafe { sys::avcodec_parameters_free(&mut raw) }
    }
}
