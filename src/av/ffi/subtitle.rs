//! Text subtitles of any kind FFmpeg decodes, converted to SubRip text.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::input::Input;
use super::packet::InputPacket;
use super::{check, out_of_memory, time_base};
use crate::base::{Error, ErrorKind, Result};

/// More than any cue: FFmpeg's own command line uses the same.
const MAX_CUE_BYTES: usize = 1 << 20;

/// Turns packets of one text subtitle stream (mov_text, microdvd, sami, ...) into SubRip cues.
pub struct SubtitleConverter {
    decoder: SubtitleContext,
    encoder: SubtitleContext,
    stream: usize,
}

struct SubtitleContext(NonNull<sys::AVCodecContext>);

// SAFETY: a codec context has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for SubtitleContext {}

impl SubtitleContext {
    /// # Safety
    /// `codec` is null or a codec of libavcodec.
    unsafe fn alloc(codec: *const sys::AVCodec) -> Result<Self> {
        // SAFETY: by this function's contract.
        NonNull::new(unsafe { sys::avcodec_alloc_context3(codec) })
            .map(SubtitleContext)
            .ok_or_else(|| out_of_memory("a codec"))
    }

    fn as_ptr(&self) -> *mut sys::AVCodecContext {
        self.0.as_ptr()
    }
}

impl Drop for SubtitleContext {
    fn drop(&mut self) {
        let mut context = self.0.as_ptr();
        // SAFETY: we own the context; this frees it once.
        unsafe { sys::avcodec_free_context(&mut context) }
    }
}

impl SubtitleConverter {
    /// A converter for text subtitle stream `index` of `input`.
    pub fn open(input: &Input, index: usize) -> Result<Self> {
        let streams = input.streams();
        let stream = streams
            .get(index)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "no such stream").with_stream(index))?;
        // SAFETY: the parameters belong to an open input; contexts are owned from the moment they exist, and
        // the header copied to the encoder is freed with it by libavcodec (av_malloc'ed as it demands).
        unsafe {
            let codec = sys::avcodec_find_decoder((*stream.codecpar).codec_id);
            let srt = sys::avcodec_find_encoder(sys::AVCodecID::AV_CODEC_ID_SUBRIP);
            if codec.is_null() || srt.is_null() {
                return Err(
                    Error::new(ErrorKind::Unsupported, "no converter to SubRip for this codec").with_stream(index)
                );
            }
            let decoder = SubtitleContext::alloc(codec)?;
            let d = decoder.as_ptr();
            check(sys::avcodec_parameters_to_context(d, stream.codecpar), ErrorKind::Input, "bad codec parameters")?;
            let base = time_base(stream.time_base);
            (*d).pkt_timebase = sys::AVRational { num: base.num(), den: base.den() };
            check(
                sys::avcodec_open2(d, codec, ptr::null_mut()),
                ErrorKind::Unsupported,
                "cannot open the subtitle decoder",
            )
            .map_err(|e| e.with_stream(index))?;
            let encoder = SubtitleContext::alloc(srt)?;
            let e = encoder.as_ptr();
            let size = (*d).subtitle_header_size.max(0) as usize;
            let header = sys::av_mallocz(size + 1).cast::<u8>();
            if header.is_null() {
                return Err(out_of_memory("a subtitle header"));
            }
            if size > 0 {
                ptr::copy_nonoverlapping((*d).subtitle_header, header, size);
            }
            (*e).subtitle_header = header;
            (*e).subtitle_header_size = size as c_int;
            (*e).time_base = sys::AVRational { num: 1, den: 1000 };
            check(
                sys::avcodec_open2(e, srt, ptr::null_mut()),
                ErrorKind::Unsupported,
                "cannot open the SubRip encoder",
            )
            .map_err(|e| e.with_stream(index))?;
            Ok(SubtitleConverter { decoder, encoder, stream: index })
        }
    }

    /// The cue's text; `None` for packets that show nothing (MP4 fills gaps between cues with empty ones).
    pub fn convert(&mut self, packet: &InputPacket) -> Result<Option<Vec<u8>>> {
        // SAFETY: AVSubtitle is plain data for which zeroes are valid; it is freed on every path after it was
        // filled. The output buffer is as long as stated.
        unsafe {
            let mut subtitle: sys::AVSubtitle = std::mem::zeroed();
            let mut got = 0;
            let code = sys::avcodec_decode_subtitle2(
                self.decoder.as_ptr(),
                &mut subtitle,
                &mut got,
                packet.as_ptr().cast_mut(),
            );
            let decoded =
                check(code, ErrorKind::Input, "cannot decode a subtitle").map_err(|e| e.with_stream(self.stream));
            let mut text = vec![0u8; MAX_CUE_BYTES];
            let written = match (&decoded, got != 0 && subtitle.num_rects > 0) {
                (Ok(_), true) => sys::avcodec_encode_subtitle(
                    self.encoder.as_ptr(),
                    text.as_mut_ptr(),
                    MAX_CUE_BYTES as c_int,
                    &subtitle,
                ),
                _ => 0,
            };
            sys::avsubtitle_free(&mut subtitle);
            decoded?;
            let written = check(written, ErrorKind::Encode, "cannot write a subtitle as SubRip")
                .map_err(|e| e.with_stream(self.stream))?;
            text.truncate(written as usize);
            while matches!(text.last(), Some(b'\n' | b'\r' | 0)) {
                text.pop();
            }
            Ok((!text.is_empty()).then_some(text))
        }
    }
}
