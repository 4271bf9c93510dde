//! Text subtitles of any kind FFmpeg decodes, converted to SubRip text.

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::input::Input;
use super::packet::InputPacket;
use super::{check, out_of_memory, time_base};
use crate::base::{Error, ErrorKind, Rational, Result, Span, Timestamp};

/// More than any cue: FFmpeg's own command line uses the same.
const MAX_CUE_BYTES: usize = 1 << 20;
/// Cues that a decoder holds back at most.
const MAX_CUES_AT_END: usize = 64;

/// A text and when it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtitleCue {
    /// When it appears.
    pub start: Timestamp,
    /// How long it stays, where that is known.
    pub duration: Option<Span>,
    /// The text in SubRip's markup, without a line end behind it.
    pub text: Vec<u8>,
}

/// Turns packets of one text subtitle stream (mov_text, microdvd, eia_608, ...) into SubRip cues.
///
/// Law: cues have the times their decoder says, which need not be those of the packet that completes them: line 21
/// captions are known when they are erased (CTA-608-E, 8.4). After the last packet [`finish`](Self::finish) gives what
/// is still on the screen.
pub struct SubtitleConverter {
    decoder: SubtitleContext,
    encoder: SubtitleContext,
    base: Rational,
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
    ///
    /// # Errors
    /// `Unsupported` where there is no such stream or no decoder for it, `Input` for damaged codec parameters.
    pub fn open(input: &Input, index: usize) -> Result<Self> {
        let streams = input.streams();
        let stream = streams
            .get(index)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "no such stream").with_stream(index))?;
        // SAFETY: the parameters belong to an open input.
        unsafe {
            Self::with((*stream.codecpar).codec_id, stream.codecpar, time_base(stream.time_base), None)
                .map(|converter| SubtitleConverter { stream: index, ..converter })
                .map_err(|e| e.with_stream(index))
        }
    }

    /// A converter for the line 21 captions of one field, 0 or 1, as A/53 carries them beside pictures (`cc_data` of
    /// ANSI/SCTE 128, three bytes a construct); times are in `base`.
    ///
    /// # Errors
    /// `Unsupported` where this FFmpeg has no decoder for them.
    pub fn captions(field: u8, base: Rational) -> Result<Self> {
        let option = if field == 0 { c"first" } else { c"second" };
        // SAFETY: null parameters are allowed; the id is a constant of the bindings.
        unsafe { Self::with(sys::AVCodecID::AV_CODEC_ID_EIA_608, ptr::null(), base, Some((c"data_field", option))) }
    }

    /// # Safety
    /// `id` was set by this libavcodec or is a constant of its bindings; `par` is null or valid parameters.
    unsafe fn with(
        id: sys::AVCodecID,
        par: *const sys::AVCodecParameters,
        base: Rational,
        option: Option<(&CStr, &CStr)>,
    ) -> Result<Self> {
        // SAFETY: by this function's contract; contexts are owned from the moment they exist, and the header copied to
        // the encoder is freed with it by libavcodec (av_malloc'ed as it demands).
        unsafe {
            let codec = sys::avcodec_find_decoder(id);
            let srt = sys::avcodec_find_encoder(sys::AVCodecID::AV_CODEC_ID_SUBRIP);
            if codec.is_null() || srt.is_null() {
                return Err(Error::new(ErrorKind::Unsupported, "no converter to SubRip for this codec"));
            }
            let decoder = SubtitleContext::alloc(codec)?;
            let d = decoder.as_ptr();
            if !par.is_null() {
                check(sys::avcodec_parameters_to_context(d, par), ErrorKind::Input, "bad codec parameters")?;
            }
            (*d).pkt_timebase = sys::AVRational { num: base.num(), den: base.den() };
            let mut options = ptr::null_mut();
            if let Some((name, value)) = option {
                sys::av_dict_set(&mut options, name.as_ptr(), value.as_ptr(), 0);
            }
            let code = sys::avcodec_open2(d, codec, &mut options);
            sys::av_dict_free(&mut options);
            check(code, ErrorKind::Unsupported, "cannot open the subtitle decoder")?;
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
            let code = sys::avcodec_open2(e, srt, ptr::null_mut());
            check(code, ErrorKind::Unsupported, "cannot open the SubRip encoder")?;
            Ok(SubtitleConverter { decoder, encoder, base, stream: 0 })
        }
    }

    /// Whether cues may come after packets of a later time than their own.
    pub fn is_late(&self) -> bool {
        // SAFETY: an open context has a codec, which is static data.
        unsafe { (*(*self.decoder.as_ptr()).codec).capabilities & sys::AV_CODEC_CAP_DELAY as c_int != 0 }
    }

    /// The cue that `packet` completes; `None` for packets that show nothing (MP4 fills gaps between cues with empty
    /// ones) and for cues without a time.
    ///
    /// # Errors
    /// `Input` for a packet that is damaged; decoding may go on with the next one.
    pub fn convert(&mut self, packet: &InputPacket) -> Result<Option<SubtitleCue>> {
        self.decode(packet).map(|(cue, _)| cue).map_err(|e| match packet.pts() {
            Some(pts) => e.at(pts),
            None => e,
        })
    }

    /// The cue that some constructs of `cc_data` complete, which came with a picture of that time.
    ///
    /// # Errors
    /// As [`convert`](Self::convert).
    pub fn convert_captions(&mut self, constructs: &[u8], time: Timestamp) -> Result<Option<SubtitleCue>> {
        let mut packet = InputPacket::of_bytes(constructs)?;
        packet.set_base(self.base);
        packet.set_time(time);
        self.convert(&packet)
    }

    /// What the decoder holds back; no packet follows.
    ///
    /// # Errors
    /// As [`convert`](Self::convert).
    pub fn finish(&mut self) -> Result<Vec<SubtitleCue>> {
        let mut cues = Vec::new();
        if !self.is_late() {
            return Ok(cues);
        }
        let end = InputPacket::empty()?;
        for _ in 0..MAX_CUES_AT_END {
            match self.decode(&end)? {
                // Decoders before FFmpeg 6 give the last cue for ever.
                (cue, true) if cue.is_none() || cue.as_ref() != cues.last() => cues.extend(cue),
                _ => break,
            }
        }
        Ok(cues)
    }

    /// The cue, and whether the decoder gave one at all.
    fn decode(&mut self, packet: &InputPacket) -> Result<(Option<SubtitleCue>, bool)> {
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
            let mut text = Vec::new();
            let written = match (&decoded, got != 0 && subtitle.num_rects > 0) {
                (Ok(_), true) => {
                    text.resize(MAX_CUE_BYTES, 0u8);
                    sys::avcodec_encode_subtitle(
                        self.encoder.as_ptr(),
                        text.as_mut_ptr(),
                        MAX_CUE_BYTES as c_int,
                        &subtitle,
                    )
                }
                _ => 0,
            };
            let times = self.times(&subtitle, packet);
            sys::avsubtitle_free(&mut subtitle);
            decoded?;
            let written = check(written, ErrorKind::Encode, "cannot write a subtitle as SubRip")
                .map_err(|e| e.with_stream(self.stream))?;
            text.truncate(written as usize);
            while matches!(text.last(), Some(b'\n' | b'\r' | 0)) {
                text.pop();
            }
            let cue = times.filter(|_| !text.is_empty()).map(|(start, duration)| SubtitleCue { start, duration, text });
            Ok((cue, got != 0))
        }
    }

    /// When a subtitle is shown. Its own times count in microseconds and milliseconds: where they only repeat the
    /// packet's, those are exact.
    fn times(&self, subtitle: &sys::AVSubtitle, packet: &InputPacket) -> Option<(Timestamp, Option<Span>)> {
        let micro = Rational::positive(1, 1_000_000)?;
        let (begin, end) = (subtitle.start_display_time, subtitle.end_display_time);
        let exact = packet.pts().filter(|pts| self.in_units(pts.ticks(), micro) == subtitle.pts);
        if let Some(pts) = exact
            && begin == 0
        {
            let packets = packet.duration();
            let repeats = |span: &Span| self.in_units(span.ticks(), Rational::MILLI) == i64::from(end);
            return Some((pts, packets.filter(repeats).or_else(|| shown_for(begin, end)).or(packets)));
        }
        if subtitle.pts == sys::AV_NOPTS_VALUE {
            return packet.pts().map(|pts| (pts, packet.duration()));
        }
        let start = Timestamp::new(subtitle.pts.saturating_add(i64::from(begin) * 1_000), micro);
        Some((start, shown_for(begin, end).or_else(|| packet.duration())))
    }

    /// As libavcodec counts ticks of the stream in other units.
    fn in_units(&self, ticks: i64, unit: Rational) -> i64 {
        let of = |r: Rational| sys::AVRational { num: r.num(), den: r.den() };
        // SAFETY: plain arithmetic on positive rationals.
        unsafe { sys::av_rescale_q(ticks, of(self.base), of(unit)) }
    }
}

/// From one display time to the other, in milliseconds; the end is 0 where it is unknown and the largest number where
/// the next subtitle says.
fn shown_for(begin: u32, end: u32) -> Option<Span> {
    (end > begin && end != u32::MAX).then(|| Span::new(i64::from(end - begin), Rational::MILLI))
}

/// Whether this FFmpeg decodes the codec of this name.
pub fn has_decoder(name: &str) -> bool {
    let Ok(name) = std::ffi::CString::new(name) else { return false };
    // SAFETY: the name is a terminated string; descriptors and decoders are static data.
    unsafe {
        let descriptor = sys::avcodec_descriptor_get_by_name(name.as_ptr());
        descriptor.as_ref().is_some_and(|d| !sys::avcodec_find_decoder(d.id).is_null())
    }
}
