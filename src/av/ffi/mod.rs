//! The only files that call FFmpeg. One owner type a file; each frees what it allocated, once.
//!
//! Enumerations that come from a file are read as plain integers: a value newer than the bindings must not
//! become an invalid Rust enum.
#![allow(unsafe_code)]

mod codec_context;
pub(super) mod decoder;
pub(super) mod encoder;
pub(super) mod filter;
pub(super) mod frame;
pub(super) mod hardware;
mod hdr10_plus;
mod info;
pub(super) mod input;
pub(super) mod output;
pub(super) mod output_stream;
pub(super) mod packet;
pub(super) mod parameters;
pub(super) mod resample;
pub(super) mod rgb;
pub(super) mod scale;
pub(super) mod sound_encoder;
pub(super) mod subtitle;
mod upload;

use std::ffi::{CStr, c_char, c_int};

use ffmpeg_next::ffi as sys;

use crate::base::{Error, ErrorKind, Rational, Result, Span, Timestamp};

/// An `AVERROR` with the library's own words.
#[derive(Debug)]
pub(crate) struct AvError(pub(crate) c_int);

impl std::fmt::Display for AvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut buffer = [0 as c_char; 128];
        // SAFETY: the buffer is writable for its whole length and av_strerror always terminates it.
        let text = unsafe {
            sys::av_strerror(self.0, buffer.as_mut_ptr(), buffer.len());
            CStr::from_ptr(buffer.as_ptr())
        };
        f.write_str(&text.to_string_lossy())
    }
}

impl std::error::Error for AvError {}

/// Turns a negative return code into an error of `kind` saying that `what` failed.
pub(crate) fn check(code: c_int, kind: ErrorKind, what: &str) -> Result<c_int> {
    if code >= 0 {
        return Ok(code);
    }
    let kind = if code == sys::AVERROR_EXIT { ErrorKind::Interrupted } else { kind };
    Err(Error::new(kind, what).caused_by(AvError(code)))
}

/// What an allocation function that returned null means.
pub(crate) fn out_of_memory(what: &str) -> Error {
    Error::new(ErrorKind::Encode, format!("out of memory for {what}"))
}

/// Reads a field whose Rust type is an enum as the integer it is in C.
macro_rules! raw_enum {
    ($place:expr) => {
        // SAFETY: bindgen's enums are repr(u32/i32); reading the place as i32 is valid for any bits in it.
        unsafe { std::ptr::read(std::ptr::addr_of!($place).cast::<i32>()) }
    };
}
pub(crate) use raw_enum;

pub(crate) fn rational(r: sys::AVRational) -> Option<Rational> {
    Rational::new(r.num, r.den)
}

/// A stream's time base; FFmpeg promises a positive one, damaged files have broken that promise.
pub(crate) fn time_base(r: sys::AVRational) -> Rational {
    Rational::positive(r.num, r.den).unwrap_or(Rational::MILLI)
}

pub(crate) fn timestamp(ticks: i64, base: Rational) -> Option<Timestamp> {
    (ticks != sys::AV_NOPTS_VALUE).then(|| Timestamp::new(ticks, base))
}

pub(crate) fn span(ticks: i64, base: Rational) -> Option<Span> {
    (ticks != sys::AV_NOPTS_VALUE && ticks > 0).then(|| Span::new(ticks, base))
}

/// A C string that may be null, with bad UTF-8 replaced.
///
/// # Safety
/// `text` is null or a terminated string that lives through the call.
pub(crate) unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Silences FFmpeg's libraries for the whole process; for programs, not for code inside the library.
pub fn quiet_logs() {
    // SAFETY: stores one integer.
    unsafe { sys::av_log_set_level(sys::AV_LOG_QUIET) }
}

/// The versions of the FFmpeg libraries that are loaded, as `(name, version)`.
pub fn versions() -> Vec<(&'static str, String)> {
    let dotted = |v: u32| format!("{}.{}.{}", v >> 16, (v >> 8) & 0xff, v & 0xff);
    let resampler = if has_soxr() { "soxr" } else { "its own resampler" };
    // SAFETY: these functions return constants.
    unsafe {
        vec![
            ("ffmpeg", text(sys::av_version_info()).unwrap_or_default()),
            ("libavformat", dotted(sys::avformat_version())),
            ("libavcodec", dotted(sys::avcodec_version())),
            ("libavfilter", dotted(sys::avfilter_version())),
            ("libswresample", format!("{} ({resampler})", dotted(sys::swresample_version()))),
            ("libavutil", dotted(sys::avutil_version())),
        ]
    }
}

/// Whether libswresample was built with soxr, which then changes sample rates in the place of its own filter.
fn has_soxr() -> bool {
    // SAFETY: the answer is a static string.
    unsafe { text(sys::swresample_configuration()) }.is_some_and(|text| text.contains("--enable-libsoxr"))
}

/// Whether FFmpeg's subtitle codec of this name holds text rather than pictures.
pub fn codec_is_text_subtitle(name: &str) -> bool {
    let Ok(name) = std::ffi::CString::new(name) else { return false };
    // SAFETY: the name is a terminated string; descriptors are static data.
    unsafe {
        let descriptor = sys::avcodec_descriptor_get_by_name(name.as_ptr());
        !descriptor.is_null() && (*descriptor).props & sys::AV_CODEC_PROP_TEXT_SUB as c_int != 0
    }
}
