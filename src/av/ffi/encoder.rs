//! libavcodec's video encoders.

use std::ffi::{CString, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use ffmpeg_next::ffi as sys;

use super::codec_context::EncoderContext;
use super::frame::{RawFrame, VideoFrame, planar_format};
use super::hardware::Hardware;
use super::packet::InputPacket;
use super::upload::Upload;
use super::{check, out_of_memory};
use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::{Color, ColorRange, Frame, PixelFormat, Planes};

/// What a [`CodecEncoder`] is opened with.
#[derive(Clone, Debug)]
pub struct CodecSettings<'a> {
    /// The encoder's name in libavcodec, such as `libx264`.
    pub name: &'a str,
    /// Width and height in luma samples.
    pub size: (u32, u32),
    /// A planar format.
    pub format: PixelFormat,
    /// Frames a second; the encoder's timestamps count frames of this rate.
    pub frame_rate: Rational,
    /// Width to height of a sample, for the stream's headers; `None` for square ones, or where nobody says.
    pub sample_aspect_ratio: Option<Rational>,
    /// Colour description for the stream's headers.
    pub color: Color,
    /// The longest way from one keyframe to the next, in frames.
    pub keyframe_interval: u32,
    /// The device that pictures have to be brought up to, where the encoder does not do that itself.
    pub upload: Option<Hardware>,
    /// Whether the encoder takes its chroma interleaved, as NV12 or P010, as those in hardware do.
    pub semi_planar: bool,
    /// Threads; 0 leaves it to libavcodec.
    pub threads: u32,
    /// Options of the encoder and of libavcodec, by name.
    pub options: &'a [(String, String)],
}

/// One of libavcodec's video encoders. The codec's configuration comes apart from the packets.
///
/// Law: `send` frames in display order, `receive` until `None` after each; after `send_end` `receive` until `None`.
/// Frames are not copied: a reference is held until the encoder gives it up, which may be in a thread of its own.
pub struct CodecEncoder {
    context: EncoderContext,
    format: c_int,
    semi_planar: bool,
    upload: Option<Upload>,
}

/// Whether libavcodec has a video encoder of that name.
pub fn has_video_encoder(name: &str) -> bool {
    find(name, sys::AVMediaType::AVMEDIA_TYPE_VIDEO).is_some()
}

/// The encoder of that name for that kind of media, where libavcodec has it.
pub(super) fn find(name: &str, kind: sys::AVMediaType) -> Option<&'static sys::AVCodec> {
    let c_name = c_string(name).ok()?;
    // SAFETY: a terminated string; the answer is null or static data.
    let codec = unsafe { sys::avcodec_find_encoder_by_name(c_name.as_ptr()).as_ref() };
    codec.filter(|codec| super::raw_enum!(codec.type_) == kind as c_int)
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(ErrorKind::Usage, format!("{text:?} holds a NUL character")))
}

/// A dictionary of options, freed when it is dropped.
pub(super) struct Dictionary(pub(super) *mut sys::AVDictionary);

impl Dictionary {
    pub(super) fn of(options: &[(String, String)]) -> Result<Self> {
        let mut dictionary = Dictionary(ptr::null_mut());
        for (name, value) in options {
            let (key, value) = (c_string(name)?, c_string(value)?);
            // SAFETY: the dictionary is null or one of libavutil's; both strings are terminated, and copied.
            let code = unsafe { sys::av_dict_set(&mut dictionary.0, key.as_ptr(), value.as_ptr(), 0) };
            check(code, ErrorKind::Encode, "cannot note an encoder's option")?;
        }
        Ok(dictionary)
    }

    /// The first entry.
    pub(super) fn first(&self) -> Option<(String, String)> {
        // SAFETY: the dictionary is null or valid; an empty key with this flag finds every entry. Its strings live as
        // long as the dictionary.
        unsafe {
            let entry = sys::av_dict_get(self.0, c"".as_ptr(), ptr::null(), sys::AV_DICT_IGNORE_SUFFIX).as_ref()?;
            Some((super::text(entry.key)?, super::text(entry.value)?))
        }
    }
}

impl Drop for Dictionary {
    fn drop(&mut self) {
        // SAFETY: null or a dictionary of our own.
        unsafe { sys::av_dict_free(&mut self.0) }
    }
}

impl CodecEncoder {
    /// Opens an encoder.
    ///
    /// # Errors
    /// `Unsupported` where this FFmpeg has no such encoder, `Usage` for an option that neither it nor libavcodec knows,
    /// naming it, `Encode` where it does not start with these settings.
    pub fn open(settings: &CodecSettings<'_>) -> Result<Self> {
        let missing = || {
            let message = format!("this FFmpeg has no video encoder {}", settings.name);
            Error::new(ErrorKind::Unsupported, message)
        };
        let codec = find(settings.name, sys::AVMediaType::AVMEDIA_TYPE_VIDEO).ok_or_else(missing)?;
        let base = settings.frame_rate.inverse().filter(|base| base.num() > 0);
        let format =
            if settings.semi_planar { semi_planar_format(settings.format) } else { planar_format(settings.format) };
        let (Some(format), Some(base)) = (format, base) else {
            let message = format!("{} cannot encode {:?}", settings.name, settings.format);
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let mut options = Dictionary::of(settings.options)?;
        let encoder = CodecEncoder {
            context: EncoderContext::new(codec, settings.name, base)?,
            format,
            semi_planar: settings.semi_planar,
            upload: settings.upload.map(|device| Upload::open(device, settings.size, format)).transpose()?,
        };
        // SAFETY: the context is fresh and only configured before it is opened; its owner frees it on any error. Enumerations
        // are written as the integers they are in C, also such as the bindings do not know.
        unsafe {
            let c = encoder.context.as_ptr();
            (*c).width = c_int::try_from(settings.size.0).unwrap_or(c_int::MAX);
            (*c).height = c_int::try_from(settings.size.1).unwrap_or(c_int::MAX);
            write_enum(&raw mut (*c).pix_fmt, format);
            if let Some(upload) = &encoder.upload {
                upload.attach(c)?;
            }
            (*c).time_base = sys::AVRational { num: base.num(), den: base.den() };
            (*c).framerate = sys::AVRational { num: base.den(), den: base.num() };
            (*c).gop_size = c_int::try_from(settings.keyframe_interval).unwrap_or(c_int::MAX);
            (*c).thread_count = settings.threads.min(64) as c_int;
            (*c).flags |= (sys::AV_CODEC_FLAG_GLOBAL_HEADER | sys::AV_CODEC_FLAG_CLOSED_GOP) as c_int;
            if let Some(shape) = settings.sample_aspect_ratio {
                (*c).sample_aspect_ratio = sys::AVRational { num: shape.num(), den: shape.den() };
            }
            let color = Numbers::of(&settings.color);
            write_enum(&raw mut (*c).color_primaries, color.primaries);
            write_enum(&raw mut (*c).color_trc, color.transfer);
            write_enum(&raw mut (*c).colorspace, color.matrix);
            write_enum(&raw mut (*c).color_range, color.range);
            write_enum(&raw mut (*c).chroma_sample_location, color.location);
            let what = format!("{} does not start with these settings", settings.name);
            check(sys::avcodec_open2(c, codec, &mut options.0), ErrorKind::Encode, &what)?;
            match options.first() {
                None => Ok(encoder),
                Some((name, value)) => {
                    let message = format!("{} does not know the option {name}={value}", settings.name);
                    Err(Error::new(ErrorKind::Usage, message))
                }
            }
        }
    }

    /// Gives the encoder a frame, with `pts` in frames. Returns whether it was taken: where not, packets have to be
    /// received first.
    ///
    /// # Errors
    /// `Encode` if the frame's planes are too short, or the encoder fails.
    pub fn send(&mut self, frame: &Frame, pts: i64, keyframe: bool) -> Result<bool> {
        let picture = if self.semi_planar { interleaved(frame, self.format) } else { lend(frame, self.format) };
        let picture = match &self.upload {
            Some(upload) => picture.and_then(|picture| upload.up(&picture)),
            None => picture,
        };
        let mut picture = picture.map_err(|e| e.at(frame.pts))?;
        let kind =
            if keyframe { sys::AVPictureType::AV_PICTURE_TYPE_I } else { sys::AVPictureType::AV_PICTURE_TYPE_NONE };
        let color = Numbers::of(&frame.color);
        // SAFETY: the frame is ours and nobody else has it yet; enumerations are written as integers.
        unsafe {
            let f = picture.as_mut_ptr();
            (*f).pts = pts;
            (*f).pict_type = kind;
            write_enum(&raw mut (*f).color_range, color.range);
        }
        self.context.send(picture.as_mut_ptr()).map_err(|e| e.at(frame.pts))
    }

    /// Says that no frame follows.
    ///
    /// # Errors
    /// `Encode` from the encoder.
    pub fn send_end(&mut self) -> Result<()> {
        self.context.send_end()
    }

    /// The next packet, in decode order, with times in frames. `None` means that there is none yet, or after
    /// [`send_end`](Self::send_end) that there is none any more.
    ///
    /// # Errors
    /// `Encode` from the encoder.
    pub fn receive(&mut self) -> Result<Option<InputPacket>> {
        self.context.receive()
    }

    /// The codec's configuration in the library's own form (for H.264 parameter sets behind start codes).
    pub fn extradata(&self) -> &[u8] {
        self.context.extradata()
    }

    /// How many pictures may be decoded before one that is shown earlier.
    pub fn reorder_delay(&self) -> u32 {
        self.context.fields().has_b_frames.max(0) as u32
    }
}

/// Writes a field whose Rust type is an enum as the integer it is in C.
///
/// # Safety
/// `place` is valid for writes, and its type has the size of an `int`. It is read by C alone.
unsafe fn write_enum<T>(place: *mut T, value: c_int) {
    const { assert!(size_of::<T>() == size_of::<c_int>()) };
    // SAFETY: by the contract of this function.
    unsafe { place.cast::<c_int>().write(value) }
}

/// A colour description as libavutil numbers it.
struct Numbers {
    primaries: c_int,
    transfer: c_int,
    matrix: c_int,
    range: c_int,
    location: c_int,
}

impl Numbers {
    fn of(color: &Color) -> Self {
        // 0 and 3 are reserved; matrix 0 is RGB, which planar Y'CbCr is not: whoever converted it left it behind.
        let known = |code: u8| c_int::from(if matches!(code, 0 | 3) { 2 } else { code });
        Numbers {
            primaries: known(color.primaries.0),
            transfer: known(color.transfer.0),
            matrix: known(color.matrix.0),
            range: match color.range {
                ColorRange::Unspecified => 0,
                ColorRange::Limited => 1,
                ColorRange::Full => 2,
            },
            location: location(color),
        }
    }
}

fn location(color: &Color) -> c_int {
    use crate::media::ChromaLocation as At;
    match color.chroma_location {
        At::Unspecified => 0,
        At::Left => 1,
        At::Center => 2,
        At::TopLeft => 3,
        At::Top => 4,
        At::BottomLeft => 5,
        At::Bottom => 6,
    }
}

/// The number of the format of that depth whose chroma is interleaved.
fn semi_planar_format(format: PixelFormat) -> Option<c_int> {
    let name = match format {
        PixelFormat::YUV420P8 => c"nv12",
        PixelFormat::YUV420P10 => c"p010",
        _ => return None,
    };
    // SAFETY: a terminated string; a name without byte order finds this machine's.
    let number = unsafe { sys::av_get_pix_fmt(name.as_ptr()) } as c_int;
    (number >= 0).then_some(number)
}

/// A copy of a frame with its chroma interleaved; 10 bits stand in the upper ones of 16.
fn interleaved(frame: &Frame, format: c_int) -> Result<RawFrame> {
    let short = || Error::new(ErrorKind::Encode, "the frame's planes are shorter than their rows");
    let mut copy = RawFrame::new()?;
    let f = copy.as_mut_ptr();
    // SAFETY: the frame is fresh and ours; its buffers are allocated for the size and format that were just set.
    unsafe {
        (*f).width = frame.width as c_int;
        (*f).height = frame.height as c_int;
        (*f).format = format;
        check(sys::av_frame_get_buffer(f, 0), ErrorKind::Encode, "out of memory for a frame")?;
    }
    let bytes = if frame.format == PixelFormat::YUV420P8 { 1 } else { 2 };
    let row = |plane: usize, y: usize| {
        let (stride, width) = (frame.planes.stride(plane), frame.plane_size(plane).0 * bytes);
        frame.planes.plane(plane).get(y * stride..y * stride + width).ok_or_else(short)
    };
    for plane in 0..2 {
        let (width, height) = frame.plane_size(plane);
        let length = width * bytes * (plane + 1);
        for y in 0..height {
            // SAFETY: `av_frame_get_buffer` gave both planes rows of at least so many bytes, as far apart as `linesize` says,
            // which is positive for frames it allocates; nobody else has the frame.
            let target = unsafe {
                let start = (*f).data[plane].offset((*f).linesize[plane] as isize * y as isize);
                std::slice::from_raw_parts_mut(start, length)
            };
            match plane {
                0 => shifted(row(0, y)?, target, bytes),
                _ => {
                    let (blue, red) = (row(1, y)?, row(2, y)?);
                    let pairs = blue.chunks_exact(bytes).zip(red.chunks_exact(bytes));
                    for ((blue, red), pair) in pairs.zip(target.chunks_exact_mut(2 * bytes)) {
                        shifted(blue, &mut pair[..bytes], bytes);
                        shifted(red, &mut pair[bytes..], bytes);
                    }
                }
            }
        }
    }
    Ok(copy)
}

/// Copies samples; those of two bytes go to the upper ten bits.
fn shifted(source: &[u8], target: &mut [u8], bytes: usize) {
    if bytes == 1 {
        return target.copy_from_slice(source);
    }
    for (sample, place) in source.chunks_exact(2).zip(target.chunks_exact_mut(2)) {
        place.copy_from_slice(&(u16::from_ne_bytes([sample[0], sample[1]]) << 6).to_ne_bytes());
    }
}

impl VideoFrame {
    /// The samples of a planar frame, shared, with its colour.
    ///
    /// # Errors
    /// `Unsupported` for formats that are not planar; `Encode` for planes shorter than their rows.
    pub(crate) fn lent(frame: &Frame) -> Result<VideoFrame> {
        let format = planar_format(frame.format)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "only planar pictures can be filtered"))?;
        let mut lent = lend(frame, format)?;
        let color = Numbers::of(&frame.color);
        let f = lent.as_mut_ptr();
        // SAFETY: the frame is ours and nobody else has it yet; enumerations are written as integers.
        unsafe {
            write_enum(&raw mut (*f).color_primaries, color.primaries);
            write_enum(&raw mut (*f).color_trc, color.transfer);
            write_enum(&raw mut (*f).colorspace, color.matrix);
            write_enum(&raw mut (*f).color_range, color.range);
            write_enum(&raw mut (*f).chroma_location, color.location);
        }
        Ok(VideoFrame::new(lent, Rational::ONE))
    }
}

/// A frame as libavutil's, whose buffers each hold a reference to the planes.
fn lend(frame: &Frame, format: c_int) -> Result<RawFrame> {
    let wrong = || Error::new(ErrorKind::Encode, "the frame's planes are shorter than their rows, or not aligned");
    let sample = frame.format.bytes_per_sample().ok_or_else(wrong)?;
    let mut lent = RawFrame::new()?;
    let f = lent.as_mut_ptr();
    // SAFETY: the frame is fresh and ours.
    unsafe {
        (*f).width = frame.width as c_int;
        (*f).height = frame.height as c_int;
        (*f).format = format;
    }
    for index in 0..3 {
        let (width, height) = frame.plane_size(index);
        if height == 0 {
            continue;
        }
        let (plane, stride) = (frame.planes.plane(index), frame.planes.stride(index));
        let aligned = stride.is_multiple_of(sample) && plane.as_ptr().addr().is_multiple_of(sample);
        let long = stride.checked_mul(height - 1).is_some_and(|rows| plane.len() >= rows + width * sample);
        let linesize = c_int::try_from(stride).ok().filter(|_| aligned && long && stride >= width * sample);
        let linesize = linesize.ok_or_else(wrong)?;
        let owner = Box::into_raw(Box::new(Arc::clone(&frame.planes))).cast::<c_void>();
        let data = plane.as_ptr().cast_mut();
        // SAFETY: the bytes live and do not change as long as the planes do, of which the buffer has an owner that
        // `give_back` drops; it is marked as not to be written.
        unsafe {
            let flags = sys::AV_BUFFER_FLAG_READONLY as c_int;
            let buffer = sys::av_buffer_create(data, plane.len() as _, Some(give_back), owner, flags);
            if buffer.is_null() {
                give_back(owner, data);
                return Err(out_of_memory("a frame"));
            }
            (*f).buf[index] = buffer;
            (*f).data[index] = data;
            (*f).linesize[index] = linesize;
        }
    }
    Ok(lent)
}

/// Drops the owner of a lent plane.
unsafe extern "C" fn give_back(owner: *mut c_void, _data: *mut u8) {
    // SAFETY: `owner` is the box that `lend` made for this buffer; libavutil calls this once, from any thread, which
    // planes bear (they are Send and Sync).
    drop(unsafe { Box::from_raw(owner.cast::<Arc<dyn Planes>>()) });
}
