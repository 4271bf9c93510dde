//! Coded packets as the demuxer hands them out.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::{check, out_of_memory, span, timestamp};
use crate::base::{ErrorKind, Rational, Result, Rounding, Span, Timestamp};
use crate::media::PacketData;

/// An owned `AVPacket` with the time base of its stream. Its bytes are shared with the demuxer, not copied.
pub struct InputPacket {
    raw: NonNull<sys::AVPacket>,
    base: Rational,
}

// SAFETY: an AVPacket is plain memory plus an atomically reference-counted buffer.
unsafe impl Send for InputPacket {}
// SAFETY: as above; through `&` it is only read.
unsafe impl Sync for InputPacket {}

impl InputPacket {
    pub(super) fn empty() -> Result<Self> {
        // SAFETY: no preconditions; null means out of memory.
        let raw = NonNull::new(unsafe { sys::av_packet_alloc() }).ok_or_else(|| out_of_memory("a packet"))?;
        Ok(InputPacket { raw, base: Rational::MILLI })
    }

    pub(super) fn set_base(&mut self, base: Rational) {
        self.base = base;
    }

    pub(super) fn as_ptr(&self) -> *const sys::AVPacket {
        self.raw.as_ptr()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut sys::AVPacket {
        self.raw.as_ptr()
    }

    /// A second owner of the same bytes, with all that belongs to them.
    pub fn share(&self) -> Result<Self> {
        let mut shared = Self::empty()?;
        shared.base = self.base;
        // SAFETY: both are valid; the target is blank. Nothing of the source is changed but its reference count.
        let code = unsafe { sys::av_packet_ref(shared.as_mut_ptr(), self.as_ptr()) };
        check(code, ErrorKind::Encode, "out of memory for a packet")?;
        Ok(shared)
    }

    /// A number by which a decoder's pictures are known again (see [`VideoFrame::tag`](super::frame::VideoFrame::tag));
    /// 0 where none was set.
    pub fn tag(&self) -> u64 {
        self.fields().opaque.addr() as u64
    }

    /// Sets [`tag`](Self::tag).
    pub fn set_tag(&mut self, tag: u64) {
        // SAFETY: we own the packet. The field is the user's and never followed by FFmpeg.
        unsafe { (*self.as_mut_ptr()).opaque = ptr::without_provenance_mut(tag as usize) }
    }

    /// Whether the packet brings new codec parameters (`AV_PKT_DATA_NEW_EXTRADATA`), without which what follows it
    /// cannot be decoded.
    pub fn changes_parameters(&self) -> bool {
        self.new_parameters().is_some()
    }

    /// Those parameters: the codec's configuration from here on, or at the end of an encode the one that holds for all of it.
    pub fn new_parameters(&self) -> Option<&[u8]> {
        let bytes = self.side_data(sys::AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA);
        (!bytes.is_empty()).then_some(bytes)
    }

    fn fields(&self) -> &sys::AVPacket {
        // SAFETY: valid until drop, and nobody writes while we are borrowed.
        unsafe { self.raw.as_ref() }
    }

    /// The index of the stream it belongs to.
    pub fn stream(&self) -> usize {
        self.fields().stream_index.max(0) as usize
    }

    /// Makes it a packet of another stream.
    pub fn set_stream(&mut self, stream: usize) {
        // SAFETY: we own the packet; the index is a plain number.
        unsafe { (*self.as_mut_ptr()).stream_index = c_int::try_from(stream).unwrap_or(c_int::MAX) }
    }

    /// Presentation time, where the file says.
    pub fn pts(&self) -> Option<Timestamp> {
        timestamp(self.fields().pts, self.base)
    }

    /// Decoding time, where the file says.
    pub fn dts(&self) -> Option<Timestamp> {
        timestamp(self.fields().dts, self.base)
    }

    /// Duration, where the file says.
    pub fn duration(&self) -> Option<Span> {
        span(self.fields().duration, self.base)
    }

    /// Gives it a time, in its stream's base.
    pub(super) fn set_time(&mut self, time: Timestamp) {
        let ticks = time.rescale(self.base, Rounding::Nearest).ticks();
        // SAFETY: we own the packet; its times are plain numbers.
        unsafe {
            (*self.as_mut_ptr()).pts = ticks;
            (*self.as_mut_ptr()).dts = ticks;
        }
    }

    /// Moves both times by `span`.
    pub fn shift(&mut self, span: Span) {
        let ticks = span.rescale(self.base, Rounding::Nearest).ticks();
        let moved = |time: i64| match time {
            sys::AV_NOPTS_VALUE => time,
            // The value that means "none" is no time.
            time => time.saturating_add(ticks).max(sys::AV_NOPTS_VALUE + 1),
        };
        // SAFETY: we own the packet; its times are plain numbers.
        unsafe {
            let packet = self.as_mut_ptr();
            (*packet).pts = moved((*packet).pts);
            (*packet).dts = moved((*packet).dts);
        }
    }

    /// Whether decoding can start here.
    pub fn is_key(&self) -> bool {
        self.fields().flags & sys::AV_PKT_FLAG_KEY as c_int != 0
    }

    /// Whether what is decoded of it is not to be shown (an edit list leaves it out).
    pub fn is_discarded(&self) -> bool {
        self.fields().flags & sys::AV_PKT_FLAG_DISCARD as c_int != 0
    }

    /// Whether the container says that the packet is damaged.
    pub fn is_corrupt(&self) -> bool {
        self.fields().flags & sys::AV_PKT_FLAG_CORRUPT as c_int != 0
    }

    /// Where its bytes end in the file, where the demuxer says where they begin.
    pub fn end_position(&self) -> Option<u64> {
        let p = self.fields();
        Some(u64::try_from(p.pos).ok()? + u64::try_from(p.size).ok()?)
    }

    /// The coded bytes.
    pub fn data(&self) -> &[u8] {
        let p = self.fields();
        match (p.data.is_null(), usize::try_from(p.size)) {
            // SAFETY: libavformat guarantees `size` readable bytes at `data` while the packet lives.
            (false, Ok(size)) => unsafe { std::slice::from_raw_parts(p.data, size) },
            _ => &[],
        }
    }

    /// A packet of these bytes, of which nothing else is known.
    pub(crate) fn of_bytes(data: &[u8]) -> Result<Self> {
        let mut packet = Self::empty()?;
        let size = c_int::try_from(data.len()).map_err(|_| out_of_memory("a packet"))?;
        // SAFETY: the packet is valid and blank, and gets a padded buffer of `size` bytes of its own, of which all are
        // written.
        unsafe {
            if sys::av_new_packet(packet.as_mut_ptr(), size) < 0 {
                return Err(out_of_memory("a packet"));
            }
            std::ptr::copy_nonoverlapping(data.as_ptr(), (*packet.as_mut_ptr()).data, data.len());
        }
        Ok(packet)
    }

    /// The same packet with other bytes.
    pub fn with_data(&self, data: &[u8]) -> Result<Self> {
        let mut packet = Self::of_bytes(data)?;
        packet.base = self.base;
        // SAFETY: both packets are valid; the properties of the old one do not touch the data of the new one.
        unsafe {
            if sys::av_packet_copy_props(packet.as_mut_ptr(), self.as_ptr()) < 0 {
                return Err(out_of_memory("a packet's properties"));
            }
        }
        Ok(packet)
    }

    /// Samples that a player skips at the start and at the end of this packet (`AV_PKT_DATA_SKIP_SAMPLES`).
    pub fn skip_samples(&self) -> (u32, u32) {
        let side = self.side_data(sys::AVPacketSideDataType::AV_PKT_DATA_SKIP_SAMPLES);
        let word = |i: usize| side.get(i..i + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        (word(0), word(4))
    }

    /// A second owner of the same bytes whose decoder throws away the first `samples` it makes.
    ///
    /// # Errors
    /// `Encode` without memory.
    pub fn skipping(&self, samples: u32) -> Result<Self> {
        let mut packet = self.share()?;
        packet.set_skip_samples(samples, 0)?;
        Ok(packet)
    }

    /// Tells a decoder, or a muxer, to throw away so many samples at the start and at the end.
    pub(super) fn set_skip_samples(&mut self, start: u32, end: u32) -> Result<()> {
        // Samples to skip at the start and at the end, and why.
        let bytes = [&start.to_le_bytes()[..], &end.to_le_bytes(), &[0, 0]].concat();
        self.add_side_data(sys::AVPacketSideDataType::AV_PKT_DATA_SKIP_SAMPLES, &bytes)
    }

    /// Adds side data.
    pub(super) fn add_side_data(&mut self, kind: sys::AVPacketSideDataType, bytes: &[u8]) -> Result<()> {
        // SAFETY: the packet is valid and ours; the answer is null or as many writable bytes that it owns.
        unsafe {
            let data = sys::av_packet_new_side_data(self.as_mut_ptr(), kind, bytes.len());
            if data.is_null() {
                return Err(out_of_memory("a packet's properties"));
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), data, bytes.len());
        }
        Ok(())
    }

    /// Matroska's BlockAdditional bytes without FFmpeg's 8-byte id prefix, where the packet has some.
    pub fn block_additional(&self) -> Option<Vec<u8>> {
        let side = self.side_data(sys::AVPacketSideDataType::AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL);
        side.get(8..).filter(|b| !b.is_empty()).map(<[u8]>::to_vec)
    }

    /// The identifier and the settings of a WebVTT cue, where the demuxer split them off.
    pub fn webvtt(&self) -> (&[u8], &[u8]) {
        (
            self.side_data(sys::AVPacketSideDataType::AV_PKT_DATA_WEBVTT_IDENTIFIER),
            self.side_data(sys::AVPacketSideDataType::AV_PKT_DATA_WEBVTT_SETTINGS),
        )
    }

    fn side_data(&self, kind: sys::AVPacketSideDataType) -> &[u8] {
        let mut size = 0;
        // SAFETY: the packet is valid; the answer is null or `size` bytes that live as long as the packet.
        unsafe {
            let data = sys::av_packet_get_side_data(self.as_ptr(), kind, &mut size);
            if data.is_null() { &[] } else { std::slice::from_raw_parts(data, size) }
        }
    }

    /// The bytes, shared on their way to the container.
    pub fn into_data(self) -> PacketData {
        PacketData::new(self)
    }
}

impl AsRef<[u8]> for InputPacket {
    fn as_ref(&self) -> &[u8] {
        self.data()
    }
}

impl Drop for InputPacket {
    fn drop(&mut self) {
        let mut packet = self.raw.as_ptr();
        // SAFETY: we own the packet; av_packet_free releases its buffer and nulls the local pointer.
        unsafe { sys::av_packet_free(&mut packet) }
    }
}
