//! The only file of this room that calls libopus: one owner type, its settings and its packets.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

use opusic_sys as sys;

use crate::base::{Error, ErrorKind, Result};
use crate::syntax::opus::{ChannelMapping, OPUS_RATE, OpusHead};

/// Samples a channel in one packet: 20 ms.
pub(super) const FRAME: usize = 960;

/// The most bytes libopus writes for one stream's frame in a multistream packet (RFC 6716 §3.4 and two bytes
/// of length, Appendix B).
const MAX_STREAM_BYTES: usize = 1_277;

/// libopus's version, such as `libopus 1.6.1`.
pub fn opus_version() -> String {
    // SAFETY: returns a static terminated string.
    unsafe { CStr::from_ptr(sys::opus_get_version_string()) }.to_string_lossy().into_owned()
}

/// Turns a negative libopus code into an error saying that `what` failed.
fn check(code: c_int, what: &str) -> Result<c_int> {
    if code >= 0 {
        return Ok(code);
    }
    // SAFETY: returns a static terminated string for any code.
    let words = unsafe { CStr::from_ptr(sys::opus_strerror(code)) }.to_string_lossy();
    Err(Error::new(ErrorKind::Encode, format!("{what}: {words}")))
}

/// An `OpusMSEncoder` at 48 kHz and 20 ms frames, VBR, complexity 10.
pub(super) struct OpusEncoder {
    raw: NonNull<sys::OpusMSEncoder>,
    channels: usize,
    mapping: ChannelMapping,
    pre_skip: u16,
}

// SAFETY: an OpusMSEncoder is plain memory that no thread owns; it is used through `&mut` only.
unsafe impl Send for OpusEncoder {}

impl OpusEncoder {
    /// An encoder of `channels` channels in Vorbis order: 1 or 2 in mapping family 0, 1 to 8 in family 1.
    pub(super) fn new(channels: usize, family: u8, bitrate: u32) -> Result<Self> {
        if !(1..=8).contains(&channels) {
            return Err(Error::new(ErrorKind::Unsupported, format!("Opus with {channels} channels")));
        }
        let (mut streams, mut coupled, mut code) = (0, 0, 0);
        let mut table = [0u8; 8];
        // SAFETY: all pointers are valid for the call; the table has room for up to 8 channels (checked
        // above), and libopus writes one entry a channel.
        let raw = unsafe {
            sys::opus_multistream_surround_encoder_create(
                OPUS_RATE as i32,
                channels as c_int,
                c_int::from(family),
                &mut streams,
                &mut coupled,
                table.as_mut_ptr(),
                sys::OPUS_APPLICATION_AUDIO,
                &mut code,
            )
        };
        check(code, "cannot create an Opus encoder")?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::new(ErrorKind::Encode, "cannot create an Opus encoder"))?;
        let (streams, coupled) = (streams as u8, coupled as u8);
        let mapping = ChannelMapping { family, streams, coupled, table: table[..channels].to_vec() };
        // Owned from here on, so that it is freed on every way out.
        let mut encoder = OpusEncoder { raw, channels, mapping, pre_skip: 0 };
        encoder.set(sys::OPUS_SET_BITRATE_REQUEST, bitrate.min(i32::MAX as u32) as c_int, "bit rate")?;
        encoder.set(sys::OPUS_SET_VBR_REQUEST, 1, "variable bit rate")?;
        encoder.set(sys::OPUS_SET_VBR_CONSTRAINT_REQUEST, 0, "variable bit rate")?;
        encoder.set(sys::OPUS_SET_COMPLEXITY_REQUEST, 10, "complexity")?;
        encoder.pre_skip = encoder.lookahead()?;
        Ok(encoder)
    }

    fn set(&mut self, request: c_int, value: c_int, what: &str) -> Result<()> {
        // SAFETY: the encoder is valid, and each request passed here takes one opus_int32.
        let code = unsafe { sys::opus_multistream_encoder_ctl(self.raw.as_ptr(), request, value) };
        check(code, &format!("cannot set the Opus {what}")).map(drop)
    }

    fn lookahead(&mut self) -> Result<u16> {
        let mut value: i32 = 0;
        // SAFETY: the encoder is valid, and this request takes a pointer to one opus_int32.
        let code = unsafe {
            sys::opus_multistream_encoder_ctl(self.raw.as_ptr(), sys::OPUS_GET_LOOKAHEAD_REQUEST, &raw mut value)
        };
        check(code, "cannot read the Opus lookahead")?;
        u16::try_from(value).map_err(|_| Error::new(ErrorKind::Encode, "libopus gave no usable lookahead"))
    }

    /// Streams and their channels.
    pub(super) fn mapping(&self) -> &ChannelMapping {
        &self.mapping
    }

    /// Samples by which the decoded sound lags the input.
    pub(super) fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// Encodes exactly [`FRAME`] samples of every channel, interleaved, into one packet.
    pub(super) fn encode(&mut self, pcm: &[f32]) -> Result<Vec<u8>> {
        if pcm.len() != FRAME * self.channels {
            return Err(Error::new(ErrorKind::Encode, "an Opus frame of the wrong size"));
        }
        let mut packet = vec![0u8; MAX_STREAM_BYTES * usize::from(self.mapping.streams)];
        // SAFETY: the encoder is valid; it reads FRAME samples a channel, whose number was just checked, and
        // writes at most the length it is told.
        let written = unsafe {
            sys::opus_multistream_encode_float(
                self.raw.as_ptr(),
                pcm.as_ptr(),
                FRAME as c_int,
                packet.as_mut_ptr(),
                packet.len() as i32,
            )
        };
        packet.truncate(check(written, "cannot encode Opus")? as usize);
        packet.shrink_to_fit();
        Ok(packet)
    }
}

impl Drop for OpusEncoder {
    fn drop(&mut self) {
        // SAFETY: we own the encoder and drop it once.
        unsafe { sys::opus_multistream_encoder_destroy(self.raw.as_ptr()) }
    }
}

/// An `OpusMSDecoder`, by which what was encoded is heard.
pub(super) struct OpusDecoder {
    raw: NonNull<sys::OpusMSDecoder>,
    channels: usize,
}

// SAFETY: an OpusMSDecoder is plain memory that no thread owns; it is used through `&mut` only.
unsafe impl Send for OpusDecoder {}

impl OpusDecoder {
    /// A decoder for what an `OpusHead` describes.
    pub(super) fn new(head: &OpusHead) -> Result<Self> {
        let channels = usize::from(head.channels);
        if head.mapping.table.len() != channels {
            return Err(Error::new(ErrorKind::Encode, "an Opus header whose mapping has other channels"));
        }
        let mut code = 0;
        // SAFETY: the table has an entry for each channel, and the pointers are valid for the call.
        let raw = unsafe {
            sys::opus_multistream_decoder_create(
                OPUS_RATE as i32,
                channels as c_int,
                c_int::from(head.mapping.streams),
                c_int::from(head.mapping.coupled),
                head.mapping.table.as_ptr(),
                &mut code,
            )
        };
        check(code, "cannot create an Opus decoder")?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::new(ErrorKind::Encode, "cannot create an Opus decoder"))?;
        Ok(OpusDecoder { raw, channels })
    }

    /// All samples of one packet, interleaved.
    pub(super) fn decode(&mut self, packet: &[u8]) -> Result<Vec<f32>> {
        let mut pcm = vec![0.0f32; 5_760 * self.channels];
        // SAFETY: the decoder is valid; the buffer holds 5760 samples of every channel, as it is told.
        let samples = unsafe {
            let (data, len) = (packet.as_ptr(), packet.len() as i32);
            sys::opus_multistream_decode_float(self.raw.as_ptr(), data, len, pcm.as_mut_ptr(), 5_760, 0)
        };
        pcm.truncate(check(samples, "cannot decode Opus")? as usize * self.channels);
        Ok(pcm)
    }
}

impl Drop for OpusDecoder {
    fn drop(&mut self) {
        // SAFETY: we own the decoder and drop it once.
        unsafe { sys::opus_multistream_decoder_destroy(self.raw.as_ptr()) }
    }
}
