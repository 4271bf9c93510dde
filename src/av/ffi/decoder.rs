//! libavcodec's decoders.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::frame::{AudioFrame, RawFrame, VideoFrame};
use super::hardware::{self, Accelerator};
use super::packet::InputPacket;
use super::{AvError, check, out_of_memory, raw_enum};
use crate::base::{Error, ErrorKind, Rational, Result};

/// How a decoder works.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecoderOptions {
    /// Threads; 0 leaves it to libavcodec (one a core).
    pub threads: u32,
    /// Leave AV1 film grain out of the decoded picture.
    pub without_film_grain: bool,
}

/// What [`Decoder::receive`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// A decoded frame.
    Frame(T),
    /// Nothing until the next packet is sent.
    NeedsPacket,
    /// Everything was given out after [`Decoder::send_end`].
    End,
}

/// One stream's decoder.
///
/// Law: send a packet, then receive until `NeedsPacket`; after the last packet `send_end`, then receive
/// until `End`. Frames come in display order. A packet that is damaged is an `Err` of kind `Input` from
/// `send`; decoding may go on with the next one.
pub struct Decoder {
    context: NonNull<sys::AVCodecContext>,
    base: Rational,
    stream: usize,
    name: String,
    device: Option<InDevice>,
}

/// What is done with pictures that come from a device.
struct InDevice {
    /// The pixel format of those that are still there.
    format: c_int,
    /// Refuse pictures with film grain, which a device adds in its own way or not at all.
    refuses_grain: bool,
}

/// What a context is opened with beside its codec's parameters.
#[derive(Default)]
pub(super) struct Setup {
    pub(super) options: DecoderOptions,
    /// Pictures held back for reordering at least, from the first on.
    pub(super) reorder: u32,
    pub(super) accelerator: Option<Accelerator>,
}

// SAFETY: a codec context has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for Decoder {}

impl Decoder {
    /// A decoder for AV1 packets of our own making, whose timestamps count in `base`.
    pub fn av1(base: Rational, options: DecoderOptions) -> Result<Self> {
        // SAFETY: the id is a constant of the bindings.
        let (codec, name) = unsafe { find_decoder(sys::AVCodecID::AV_CODEC_ID_AV1) };
        let codec = codec
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "this FFmpeg has no AV1 decoder (it needs libdav1d)"))?;
        // SAFETY: null parameters are allowed by `open_with`.
        unsafe { Self::open_with(codec, ptr::null(), base, 0, name, Setup { options, ..Setup::default() }) }
    }

    /// A decoder by FFmpeg's codec name for packets that carry all they need (Opus with its header).
    pub fn by_name(codec: &str, extradata: &[u8], base: Rational, channels: u32) -> Result<Self> {
        let c_name = std::ffi::CString::new(codec)
            .map_err(|_| Error::new(ErrorKind::Unsupported, "a codec name with a zero byte"))?;
        // SAFETY: the parameters are freshly allocated, filled by their own functions and freed below; the
        // extradata copy is padded as libavcodec demands.
        unsafe {
            let descriptor = sys::avcodec_descriptor_get_by_name(c_name.as_ptr());
            let id = descriptor.as_ref().map_or(sys::AVCodecID::AV_CODEC_ID_NONE, |d| d.id);
            let (found, name) = find_decoder(id);
            let found =
                found.ok_or_else(|| Error::new(ErrorKind::Unsupported, format!("no decoder for codec {codec}")))?;
            let mut par = sys::avcodec_parameters_alloc();
            if par.is_null() {
                return Err(out_of_memory("codec parameters"));
            }
            (*par).codec_id = id;
            (*par).codec_type = sys::avcodec_get_type(id);
            (*par).sample_rate = 48_000;
            sys::av_channel_layout_default(&mut (*par).ch_layout, channels as c_int);
            let padding = sys::AV_INPUT_BUFFER_PADDING_SIZE as usize;
            let data = sys::av_mallocz(extradata.len() + padding).cast::<u8>();
            if !data.is_null() {
                ptr::copy_nonoverlapping(extradata.as_ptr(), data, extradata.len());
                (*par).extradata = data;
                (*par).extradata_size = extradata.len() as c_int;
            }
            let decoder = Self::open_with(found, par, base, 0, name, Setup::default());
            sys::avcodec_parameters_free(&mut par);
            decoder
        }
    }

    /// # Safety
    /// `codec` is a decoder of libavcodec; `par` is null or valid parameters.
    pub(super) unsafe fn open_with(
        codec: &'static sys::AVCodec,
        par: *const sys::AVCodecParameters,
        base: Rational,
        stream: usize,
        name: String,
        setup: Setup,
    ) -> Result<Self> {
        let Setup { options, reorder, accelerator } = setup;
        let device =
            accelerator.as_ref().map(|a| InDevice { format: a.format(), refuses_grain: !options.without_film_grain });
        // SAFETY: the context is fresh and only configured before it is opened; on any error the owner made
        // first frees it.
        unsafe {
            let context = NonNull::new(sys::avcodec_alloc_context3(codec)).ok_or_else(|| out_of_memory("a decoder"))?;
            let decoder = Decoder { context, base, stream, name, device };
            let c = context.as_ptr();
            if !par.is_null() {
                check(sys::avcodec_parameters_to_context(c, par), ErrorKind::Input, "bad codec parameters")?;
            }
            (*c).pkt_timebase = sys::AVRational { num: base.num(), den: base.den() };
            (*c).thread_count = options.threads.min(64) as c_int;
            // Cropping to any pixel. Pictures before the first that is whole are left out, as FFmpeg does.
            (*c).flags |= sys::AV_CODEC_FLAG_UNALIGNED as c_int;
            // Each picture carries the tag of its packet.
            #[cfg(ffmpeg_6_0)]
            {
                (*c).flags |= sys::AV_CODEC_FLAG_COPY_OPAQUE as c_int;
            }
            (*c).has_b_frames = (*c).has_b_frames.max(reorder.min(16) as c_int);
            if let Some(accelerator) = accelerator {
                accelerator.attach(c)?;
            }
            // From a device grain is wanted as a description too, to know of it.
            if options.without_film_grain || decoder.device.is_some() {
                (*c).export_side_data |= sys::AV_CODEC_EXPORT_DATA_FILM_GRAIN;
            }
            let what = format!("cannot open the {} decoder", decoder.name);
            check(sys::avcodec_open2(c, codec, ptr::null_mut()), ErrorKind::Unsupported, &what)?;
            Ok(decoder)
        }
    }

    /// The decoder's name in FFmpeg, such as `libdav1d`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the decoder a packet. `Err` means that the packet is damaged.
    pub fn send(&mut self, packet: &InputPacket) -> Result<()> {
        // SAFETY: a plain field of an open context, which the pictures of the next packet take on.
        #[cfg(not(ffmpeg_6_0))]
        unsafe {
            (*self.context.as_ptr()).reordered_opaque = packet.tag() as i64;
        }
        // SAFETY: both are valid; libavcodec takes its own reference to the packet's buffer.
        let code = unsafe { sys::avcodec_send_packet(self.context.as_ptr(), packet.as_ptr()) };
        self.sent(code).map_err(|e| match packet.pts().or(packet.dts()) {
            Some(pts) => e.at(pts),
            None => e,
        })
    }

    /// Gives the decoder bytes that did not come from an [`Input`], with `pts` in this decoder's base.
    pub fn send_bytes(&mut self, data: &[u8], pts: i64) -> Result<()> {
        let mut packet = InputPacket::empty()?;
        // SAFETY: the packet is blank and owned; av_new_packet gives it a padded buffer of that size.
        unsafe {
            let p = packet.as_mut_ptr();
            let size = c_int::try_from(data.len())
                .map_err(|_| Error::new(ErrorKind::Unsupported, "a packet of over 2 GiB"))?;
            check(sys::av_new_packet(p, size), ErrorKind::Encode, "out of memory for a packet")?;
            ptr::copy_nonoverlapping(data.as_ptr(), (*p).data, data.len());
            (*p).pts = pts;
            (*p).dts = pts;
        }
        packet.set_base(self.base);
        self.send(&packet)
    }

    /// Says that no packet follows.
    pub fn send_end(&mut self) -> Result<()> {
        // SAFETY: a null packet starts draining.
        let code = unsafe { sys::avcodec_send_packet(self.context.as_ptr(), ptr::null()) };
        if code == sys::AVERROR_EOF { Ok(()) } else { self.sent(code) }
    }

    fn sent(&self, code: c_int) -> Result<()> {
        let what = format!("{} cannot decode a packet", self.name);
        check(code, ErrorKind::Input, &what).map(drop).map_err(|e| e.with_stream(self.stream))
    }

    fn receive(&mut self) -> Result<Received<RawFrame>> {
        let mut frame = RawFrame::new()?;
        // SAFETY: both are valid; the frame is blank.
        let code = unsafe { sys::avcodec_receive_frame(self.context.as_ptr(), frame.as_mut_ptr()) };
        if code == sys::AVERROR(sys::EAGAIN) {
            return Ok(Received::NeedsPacket);
        }
        if code == sys::AVERROR_EOF {
            return Ok(Received::End);
        }
        if code < 0 {
            let what = format!("{} cannot decode a packet", self.name);
            return Err(Error::new(ErrorKind::Input, what).with_stream(self.stream).caused_by(AvError(code)));
        }
        Ok(Received::Frame(frame))
    }

    /// The next decoded picture.
    pub fn receive_video(&mut self) -> Result<Received<VideoFrame>> {
        let base = self.base;
        Ok(match self.receive()? {
            Received::Frame(raw) => Received::Frame(VideoFrame::new(self.in_memory(raw)?, base)),
            Received::NeedsPacket => Received::NeedsPacket,
            Received::End => Received::End,
        })
    }

    /// The picture itself, or its copy in memory where it is in a device.
    fn in_memory(&self, raw: RawFrame) -> Result<RawFrame> {
        let Some(device) = &self.device else { return Ok(raw) };
        if raw.fields().format != device.format {
            return Ok(raw);
        }
        if device.refuses_grain && raw.has_film_grain() {
            let what = "film grain is added in software only";
            return Err(Error::new(ErrorKind::Unsupported, what).with_stream(self.stream));
        }
        // SAFETY: the context is open and valid until drop.
        let context = unsafe { self.context.as_ref() };
        let software = raw_enum!(context.sw_pix_fmt);
        hardware::download(&raw, software).map_err(|e| e.with_stream(self.stream))
    }

    /// How many pictures the decoder holds back to bring them into display order, as far as it knows by now.
    pub fn reorder_delay(&self) -> u32 {
        // SAFETY: the context is open and valid until drop.
        unsafe { self.context.as_ref() }.has_b_frames.max(0) as u32
    }

    /// The next decoded run of sound.
    pub fn receive_audio(&mut self) -> Result<Received<AudioFrame>> {
        let base = self.base;
        Ok(self.receive()?.map(|raw| AudioFrame::new(raw, base)))
    }
}

impl<T> Received<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Received<U> {
        match self {
            Received::Frame(frame) => Received::Frame(f(frame)),
            Received::NeedsPacket => Received::NeedsPacket,
            Received::End => Received::End,
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let mut context = self.context.as_ptr();
        // SAFETY: we own the context; this frees it and nulls the local pointer.
        unsafe { sys::avcodec_free_context(&mut context) }
    }
}

/// The decoder for a codec and its name; without one, the codec's name.
///
/// # Safety
/// `id` was set by this libavcodec or is a constant of its bindings.
pub(super) unsafe fn find_decoder(id: sys::AVCodecID) -> (Option<&'static sys::AVCodec>, String) {
    // SAFETY: decoders and names are static data.
    unsafe {
        let codec = sys::avcodec_find_decoder(id).as_ref();
        let name = match codec {
            Some(codec) => super::text(codec.name),
            None => super::text(sys::avcodec_get_name(id)),
        };
        (codec, name.unwrap_or_default())
    }
}
