//! Decoded pictures and sound as libavcodec's reference-counted frames.

use std::any::Any;
use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::Arc;

use ffmpeg_next::ffi as sys;

use sys::AVFrameSideDataType as Side;

use super::{out_of_memory, rational, raw_enum, span, timestamp};
use crate::base::{Error, ErrorKind, Rational, Result, Span, Timestamp};
use crate::media::{
    ChromaLocation, Color, ColorRange, ContentLight, Dynamic, FieldFlags, HdrStatic, MasteringDisplay, Matrix,
    Orientation, PixelFormat, Planes, Primaries, Samples, Sound, Subsampling, Transfer,
};

/// An owned `AVFrame`.
pub(crate) struct RawFrame(NonNull<sys::AVFrame>);

// SAFETY: an AVFrame is plain memory plus atomically reference-counted buffers; nothing in it belongs to a
// thread. It is only mutated through `&mut` or before it is shared.
unsafe impl Send for RawFrame {}
// SAFETY: as above; through `&` only fields and sample bytes are read.
unsafe impl Sync for RawFrame {}

impl RawFrame {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: no preconditions; null means out of memory.
        let frame = unsafe { sys::av_frame_alloc() };
        NonNull::new(frame).map(RawFrame).ok_or_else(|| out_of_memory("a frame"))
    }

    pub(crate) fn as_ptr(&self) -> *const sys::AVFrame {
        self.0.as_ptr()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut sys::AVFrame {
        self.0.as_ptr()
    }

    pub(crate) fn fields(&self) -> &sys::AVFrame {
        // SAFETY: the pointer is valid until drop, and nobody writes while we are borrowed.
        unsafe { self.0.as_ref() }
    }

    fn duration_ticks(&self) -> i64 {
        #[cfg(ffmpeg_6_0)]
        return self.fields().duration;
        #[cfg(not(ffmpeg_6_0))]
        self.fields().pkt_duration
    }

    /// Whether the stream asks for film grain on this picture, where the decoder was told to say so.
    pub(super) fn has_film_grain(&self) -> bool {
        let kind = sys::AVFrameSideDataType::AV_FRAME_DATA_FILM_GRAIN_PARAMS;
        // SAFETY: the frame is valid; only whether there is side data of that kind is asked.
        unsafe { !sys::av_frame_get_side_data(self.as_ptr(), kind).is_null() }
    }

    /// Bytes of all reference-counted buffers.
    fn buffer_bytes(&self) -> usize {
        let f = self.fields();
        let plain = f.buf.iter().filter(|b| !b.is_null());
        // SAFETY: non-null entries of `buf` are valid buffer references for the life of the frame.
        plain.map(|&b| unsafe { (*b).size }).sum()
    }
}

impl Drop for RawFrame {
    fn drop(&mut self) {
        let mut frame = self.0.as_ptr();
        // SAFETY: we own the frame; av_frame_free releases its references and nulls the local pointer.
        unsafe { sys::av_frame_free(&mut frame) }
    }
}

/// One decoded picture, with its stream's time base.
pub struct VideoFrame {
    raw: RawFrame,
    base: Rational,
}

impl VideoFrame {
    pub(super) fn new(raw: RawFrame, base: Rational) -> Self {
        VideoFrame { raw, base }
    }

    pub(crate) fn raw(&self) -> &RawFrame {
        &self.raw
    }

    /// The tag of the packet that the picture came in; 0 where that had none or the decoder does not tell.
    pub fn tag(&self) -> u64 {
        #[cfg(ffmpeg_6_0)]
        return self.raw.fields().opaque.addr() as u64;
        #[cfg(not(ffmpeg_6_0))]
        u64::try_from(self.raw.fields().reordered_opaque).unwrap_or(0)
    }

    /// Whether the decoder knows that the picture leans on others. Where an encoder renews the picture bit by bit
    /// (periodic intra refresh), a packet can be marked as a keyframe and its picture still do so.
    pub fn is_predicted(&self) -> bool {
        let f = self.raw.fields();
        #[cfg(ffmpeg_6_1)]
        let key = f.flags & sys::AV_FRAME_FLAG_KEY as c_int != 0;
        #[cfg(not(ffmpeg_6_1))]
        let key = f.key_frame != 0;
        // The kind is that of the later field in a pair, so it says nothing where the frame is a keyframe.
        let kind = raw_enum!(f.pict_type);
        let leans = [sys::AVPictureType::AV_PICTURE_TYPE_P, sys::AVPictureType::AV_PICTURE_TYPE_B];
        !key && leans.iter().any(|&l| l as i32 == kind)
    }

    /// The presentation time, or the decoder's best estimate of it.
    pub fn pts(&self) -> Option<Timestamp> {
        let f = self.raw.fields();
        timestamp(f.pts, self.base).or_else(|| timestamp(f.best_effort_timestamp, self.base))
    }

    /// How long it is shown, where the file says.
    pub fn duration(&self) -> Option<Span> {
        span(self.raw.duration_ticks(), self.base)
    }

    /// Visible size in luma samples.
    pub fn size(&self) -> (u32, u32) {
        let f = self.raw.fields();
        (f.width.max(0) as u32, f.height.max(0) as u32)
    }

    /// Sample layout.
    pub fn format(&self) -> PixelFormat {
        pixel_format(self.raw.fields().format)
    }

    /// Sample aspect ratio, where the stream says.
    pub fn sample_aspect_ratio(&self) -> Option<Rational> {
        rational(self.raw.fields().sample_aspect_ratio).filter(|r| r.num() > 0)
    }

    /// Whether the decoder had to conceal damage in this picture.
    pub fn is_damaged(&self) -> bool {
        let f = self.raw.fields();
        f.flags & sys::AV_FRAME_FLAG_CORRUPT as c_int != 0 || f.decode_error_flags != 0
    }

    /// What the stream says of its two fields.
    pub fn field_flags(&self) -> FieldFlags {
        let f = self.raw.fields();
        #[cfg(ffmpeg_6_1)]
        let (interlaced, top_first) = (
            f.flags & sys::AV_FRAME_FLAG_INTERLACED as c_int != 0,
            f.flags & sys::AV_FRAME_FLAG_TOP_FIELD_FIRST as c_int != 0,
        );
        #[cfg(not(ffmpeg_6_1))]
        let (interlaced, top_first) = (f.interlaced_frame != 0, f.top_field_first != 0);
        FieldFlags { interlaced, top_first, repeats: f.repeat_pict.clamp(0, 255) as u8 }
    }

    /// Colour description.
    pub fn color(&self) -> Color {
        let f = self.raw.fields();
        let mut color = color(
            raw_enum!(f.color_primaries),
            raw_enum!(f.color_trc),
            raw_enum!(f.colorspace),
            raw_enum!(f.color_range),
            raw_enum!(f.chroma_location),
        );
        if color.range == ColorRange::Unspecified && is_full_range_format(f.format) {
            color.range = ColorRange::Full;
        }
        color
    }

    fn side_data(&self, kind: sys::AVFrameSideDataType) -> Option<&[u8]> {
        // SAFETY: the frame is valid; the answer is null or side data that lives as long as the frame.
        unsafe {
            let side = sys::av_frame_get_side_data(self.raw.as_ptr(), kind).as_ref()?;
            (!side.data.is_null()).then(|| std::slice::from_raw_parts(side.data, side.size))
        }
    }

    /// Whether ATSC A/53 closed captions travel with this picture.
    pub fn has_captions(&self) -> bool {
        self.captions().is_some()
    }

    /// The closed captions of this picture: `cc_data` constructs of three bytes (ATSC A/53 Part 4, 6.2.3.1).
    pub fn captions(&self) -> Option<&[u8]> {
        self.side_data(Side::AV_FRAME_DATA_A53_CC)
    }

    /// Whether HDR10+ metadata travels with this picture, also such that [`dynamic`](Self::dynamic) cannot give.
    pub fn has_hdr10_plus(&self) -> bool {
        self.side_data(Side::AV_FRAME_DATA_DYNAMIC_HDR_PLUS).is_some()
    }

    /// How this picture is to be shown, where its own stream says: a display orientation SEI message of H.264 or H.265, or
    /// the orientation in a photograph's EXIF.
    pub fn orientation(&self) -> Option<Orientation> {
        self.side_data(Side::AV_FRAME_DATA_DISPLAYMATRIX).and_then(display_matrix).map(Orientation::of_matrix)
    }

    /// How the pictures of both eyes are packed, where its own stream says: a frame packing arrangement SEI message.
    pub fn stereo_mode(&self) -> u8 {
        self.side_data(Side::AV_FRAME_DATA_STEREO3D).map_or(0, stereo_mode)
    }

    /// HDR10+ and Dolby Vision metadata of this picture.
    pub fn dynamic(&self) -> Dynamic {
        let hdr10_plus = self.side_data(Side::AV_FRAME_DATA_DYNAMIC_HDR_PLUS).and_then(super::hdr10_plus::message);
        Dynamic {
            hdr10_plus: hdr10_plus.map(Into::into),
            dolby_vision: self.side_data(Side::AV_FRAME_DATA_DOVI_RPU_BUFFER).map(Into::into),
        }
    }

    /// Static HDR metadata among this frame's side data.
    pub fn hdr(&self) -> HdrStatic {
        HdrStatic {
            mastering_display: self
                .side_data(Side::AV_FRAME_DATA_MASTERING_DISPLAY_METADATA)
                .and_then(mastering_display),
            content_light: self.side_data(Side::AV_FRAME_DATA_CONTENT_LIGHT_LEVEL).and_then(content_light),
        }
    }
}

impl Planes for VideoFrame {
    fn plane(&self, index: usize) -> &[u8] {
        let f = self.raw.fields();
        let PixelFormat::Planar { subsampling, .. } = self.format() else { return &[] };
        let bytes = self.format().bytes_per_sample().unwrap_or(1);
        let (sx, sy) = if index == 0 { (0, 0) } else { subsampling.chroma_shift() };
        if index > 2 || (index > 0 && subsampling == Subsampling::Yuv400) || f.data[index].is_null() {
            return &[];
        }
        let (width, height) = (f.width.max(0) as usize, f.height.max(0) as usize);
        let (width, rows) = ((width + (1 << sx) - 1) >> sx, (height + (1 << sy) - 1) >> sy);
        let Ok(stride) = usize::try_from(f.linesize[index]) else { return &[] };
        if rows == 0 || stride < width * bytes {
            return &[];
        }
        // SAFETY: libavcodec guarantees `linesize` bytes between rows and the visible width in the last
        // row; the buffer lives as long as the frame and is not written while shared.
        unsafe { std::slice::from_raw_parts(f.data[index], stride * (rows - 1) + width * bytes) }
    }

    fn stride(&self, index: usize) -> usize {
        self.raw.fields().linesize.get(index).map_or(0, |&l| l.max(0) as usize)
    }

    fn byte_len(&self) -> usize {
        self.raw.buffer_bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A run of decoded sound, with its stream's time base.
pub struct AudioFrame {
    raw: RawFrame,
    base: Rational,
}

impl AudioFrame {
    pub(super) fn new(raw: RawFrame, base: Rational) -> Self {
        AudioFrame { raw, base }
    }

    /// For the resampler.
    #[allow(dead_code)]
    pub(crate) fn raw(&self) -> &RawFrame {
        &self.raw
    }

    /// The time of the first sample, where the stream says.
    pub fn pts(&self) -> Option<Timestamp> {
        let f = self.raw.fields();
        timestamp(f.pts, self.base).or_else(|| timestamp(f.best_effort_timestamp, self.base))
    }

    /// Samples in each channel.
    pub fn samples(&self) -> usize {
        self.raw.fields().nb_samples.max(0) as usize
    }

    /// Samples a second.
    pub fn sample_rate(&self) -> u32 {
        self.raw.fields().sample_rate.max(0) as u32
    }

    /// FFmpeg's name of its channel layout, such as `5.1(side)`.
    pub fn layout_name(&self) -> String {
        // SAFETY: the layout belongs to a valid frame that is borrowed for the call.
        unsafe { layout_name(&self.raw.fields().ch_layout) }
    }

    /// Channel count.
    pub fn channels(&self) -> u32 {
        self.raw.fields().ch_layout.nb_channels.max(0) as u32
    }
}

impl Samples for AudioFrame {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl From<AudioFrame> for Sound {
    fn from(frame: AudioFrame) -> Self {
        Sound {
            pts: frame.pts(),
            samples: frame.samples(),
            sample_rate: frame.sample_rate(),
            channels: frame.channels(),
            data: Arc::new(frame),
        }
    }
}

impl AudioFrame {
    /// The frame that holds the samples of `sound`.
    ///
    /// # Errors
    /// `Unsupported` for sound that was not made here.
    pub fn of(sound: &Sound) -> Result<&AudioFrame> {
        let foreign = || Error::new(ErrorKind::Unsupported, "sound whose samples are in no form that can be converted");
        sound.data.as_any().downcast_ref().ok_or_else(foreign)
    }
}

/// FFmpeg's name of a channel layout; empty where it has none.
///
/// # Safety
/// `layout` points to an initialised layout that nobody changes meanwhile.
pub(super) unsafe fn layout_name(layout: *const sys::AVChannelLayout) -> String {
    let mut name = [0 as std::ffi::c_char; 256];
    // SAFETY: by this function's contract; the buffer is writable for its length and the function terminates what it
    // writes.
    unsafe {
        let code = sys::av_channel_layout_describe(layout, name.as_mut_ptr(), name.len());
        if code > 0 { super::text(name.as_ptr()) } else { None }
    }
    .unwrap_or_default()
}

/// Maps FFmpeg's pixel format to ours.
pub(super) fn pixel_format(format: c_int) -> PixelFormat {
    let Some(d) = descriptor(format) else { return PixelFormat::Other(format) };
    let unwanted =
        sys::AV_PIX_FMT_FLAG_RGB | sys::AV_PIX_FMT_FLAG_PAL | sys::AV_PIX_FMT_FLAG_HWACCEL | sys::AV_PIX_FMT_FLAG_ALPHA;
    let gray = d.nb_components == 1;
    let planar = gray || d.flags & sys::AV_PIX_FMT_FLAG_PLANAR as u64 != 0;
    let foreign_endian =
        d.comp[0].depth > 8 && (d.flags & sys::AV_PIX_FMT_FLAG_BE as u64 != 0) != cfg!(target_endian = "big");
    let float = d.flags & sys::AV_PIX_FMT_FLAG_FLOAT as u64 != 0;
    let one_each = (0..d.nb_components as usize).all(|i| {
        let c = &d.comp[i];
        let bytes = if c.depth > 8 { 2 } else { 1 };
        c.plane == i as c_int && c.step == bytes && c.offset == 0 && c.shift == 0 && c.depth == d.comp[0].depth
    });
    if d.flags & unwanted as u64 != 0 || !planar || foreign_endian || float || !one_each {
        return PixelFormat::Other(format);
    }
    let subsampling = match (d.nb_components, d.log2_chroma_w, d.log2_chroma_h) {
        (1, _, _) => Subsampling::Yuv400,
        (3, 1, 1) => Subsampling::Yuv420,
        (3, 1, 0) => Subsampling::Yuv422,
        (3, 0, 0) => Subsampling::Yuv444,
        _ => return PixelFormat::Other(format),
    };
    match u8::try_from(d.comp[0].depth) {
        Ok(depth @ 8..=16) => PixelFormat::Planar { subsampling, depth },
        _ => PixelFormat::Other(format),
    }
}

/// FFmpeg's number of a planar format in this machine's byte order; `None` for others.
pub(super) fn planar_format(format: PixelFormat) -> Option<c_int> {
    let PixelFormat::Planar { subsampling, depth } = format else { return None };
    let name = match subsampling {
        Subsampling::Yuv420 => "yuv420p",
        Subsampling::Yuv422 => "yuv422p",
        Subsampling::Yuv444 => "yuv444p",
        Subsampling::Yuv400 => "gray",
    };
    let name = if depth == 8 { name.to_owned() } else { format!("{name}{depth}") };
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: a terminated string; a name without byte order finds this machine's.
    let number = unsafe { sys::av_get_pix_fmt(name.as_ptr()) } as c_int;
    (number >= 0).then_some(number)
}

/// The description of a pixel format number, if it is one this libavutil knows.
pub(super) fn descriptor(format: c_int) -> Option<&'static sys::AVPixFmtDescriptor> {
    if format < 0 || format >= sys::AVPixelFormat::AV_PIX_FMT_NB as c_int {
        return None;
    }
    // SAFETY: the number is within the enum the bindings were made from; descriptors are static data.
    unsafe { sys::av_pix_fmt_desc_get(std::mem::transmute::<c_int, sys::AVPixelFormat>(format)).as_ref() }
}

/// FFmpeg's name of a pixel format.
pub(super) fn format_name(format: c_int) -> String {
    // SAFETY: descriptor names are static strings.
    descriptor(format).and_then(|d| unsafe { super::text(d.name) }).unwrap_or_else(|| "unknown".to_owned())
}

/// The deprecated `yuvj` formats say full range by their name alone.
pub(super) fn is_full_range_format(format: c_int) -> bool {
    format_name(format).starts_with("yuvj")
}

pub(super) fn color(primaries: i32, transfer: i32, matrix: i32, range: i32, location: i32) -> Color {
    let code = |v: i32| u8::try_from(v).unwrap_or(2);
    Color {
        primaries: Primaries(code(primaries)),
        transfer: Transfer(code(transfer)),
        matrix: Matrix(code(matrix)),
        range: match range {
            1 => ColorRange::Limited,
            2 => ColorRange::Full,
            _ => ColorRange::Unspecified,
        },
        chroma_location: match location {
            1 => ChromaLocation::Left,
            2 => ChromaLocation::Center,
            3 => ChromaLocation::TopLeft,
            4 => ChromaLocation::Top,
            5 => ChromaLocation::BottomLeft,
            6 => ChromaLocation::Bottom,
            _ => ChromaLocation::Unspecified,
        },
    }
}

/// `AVMasteringDisplayMetadata` of libavutil/mastering_display_metadata.h, which ffmpeg-sys-next does not bind.
/// FFmpeg only ever appends to it.
#[repr(C)]
struct RawMasteringDisplay {
    display_primaries: [[sys::AVRational; 2]; 3],
    white_point: [sys::AVRational; 2],
    min_luminance: sys::AVRational,
    max_luminance: sys::AVRational,
    has_primaries: c_int,
    has_luminance: c_int,
}

/// Matroska's StereoMode (RFC 9559 §5.1.4.1.28.3) of an `AVStereo3D`; 0 where it has none for it.
pub(super) fn stereo_mode(data: &[u8]) -> u8 {
    let int = |at: usize| data.get(at..at + 4).map(|b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    // The type and the flags come first; the first flag says that the right eye does.
    let (Some(packing), Some(flags)) = (int(0), int(4)) else { return 0 };
    let right_first = flags & 1 != 0;
    match (packing, right_first) {
        (1, false) => 1,
        (1, true) => 11,
        (2, false) => 3,
        (2, true) => 2,
        (4, false) => 5,
        (4, true) => 4,
        (6, false) => 7,
        (6, true) => 6,
        (7, false) => 9,
        (7, true) => 8,
        _ => 0,
    }
}

/// Reads the nine numbers of a display matrix (`libavutil/display.h`).
pub(super) fn display_matrix(bytes: &[u8]) -> Option<[i32; 9]> {
    let numbers: Vec<i32> = bytes.as_chunks::<4>().0.iter().map(|b| i32::from_ne_bytes(*b)).collect();
    numbers.get(..9)?.try_into().ok()
}

/// Reads an `AVMasteringDisplayMetadata`; halves the source leaves out are zero, ST 2086's "unknown".
pub(super) fn mastering_display(bytes: &[u8]) -> Option<MasteringDisplay> {
    if bytes.len() < size_of::<RawMasteringDisplay>() {
        return None;
    }
    // SAFETY: side data of this type holds this struct, the length was checked, and the copy needs no
    // alignment.
    let m = unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast::<RawMasteringDisplay>()) };
    if m.has_primaries == 0 && m.has_luminance == 0 {
        return None;
    }
    let zero = Rational::new(0, 1)?;
    let xy = |p: [sys::AVRational; 2]| match m.has_primaries {
        0 => [zero; 2],
        _ => p.map(|r| rational(r).unwrap_or(zero)),
    };
    let luminance = |r| if m.has_luminance == 0 { zero } else { rational(r).unwrap_or(zero) };
    Some(MasteringDisplay {
        red: xy(m.display_primaries[0]),
        green: xy(m.display_primaries[1]),
        blue: xy(m.display_primaries[2]),
        white: xy(m.white_point),
        min_luminance: luminance(m.min_luminance),
        max_luminance: luminance(m.max_luminance),
    })
}

/// Reads an `AVContentLightMetadata`.
pub(super) fn content_light(bytes: &[u8]) -> Option<ContentLight> {
    let word = |i: usize| Some(u32::from_ne_bytes(bytes.get(i * 4..i * 4 + 4)?.try_into().ok()?));
    let light = ContentLight { max_cll: word(0)?, max_fall: word(1)? };
    (light.max_cll != 0 || light.max_fall != 0).then_some(light)
}
