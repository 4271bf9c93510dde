//! Decoding in hardware: devices, and the way of their pictures down to memory.

use std::ffi::{CString, c_int, c_void};
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::super::planar::{Rows, RowsMut, SampleForm, copy_plane, split_plane};
use super::frame::{RawFrame, descriptor, format_name, pixel_format};
use super::{check, out_of_memory, raw_enum};
use crate::base::{Error, ErrorKind, Result};
use crate::media::{PixelFormat, Subsampling};

/// An interface to decoding hardware. All names are known everywhere; whether one works shows when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hardware {
    /// Apple's VideoToolbox.
    VideoToolbox,
    /// The Video Acceleration API of Linux.
    Vaapi,
    /// NVIDIA's CUDA (NVDEC).
    Cuda,
    /// Vulkan Video; FFmpeg decodes with it from 6.1 on.
    Vulkan,
    /// Direct3D 11 on Windows.
    D3d11va,
}

impl Hardware {
    /// All there are.
    pub const ALL: [Hardware; 5] =
        [Hardware::VideoToolbox, Hardware::Vaapi, Hardware::Cuda, Hardware::Vulkan, Hardware::D3d11va];

    /// FFmpeg's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Hardware::VideoToolbox => "videotoolbox",
            Hardware::Vaapi => "vaapi",
            Hardware::Cuda => "cuda",
            Hardware::Vulkan => "vulkan",
            Hardware::D3d11va => "d3d11va",
        }
    }

    /// The one of that name, in FFmpeg's spelling.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|h| h.name() == name)
    }

    /// Those worth trying on this operating system, the likeliest first.
    pub fn candidates() -> &'static [Hardware] {
        match std::env::consts::OS {
            "macos" => &[Hardware::VideoToolbox],
            "linux" => &[Hardware::Vaapi, Hardware::Cuda, Hardware::Vulkan],
            "windows" => &[Hardware::D3d11va, Hardware::Cuda],
            _ => &[],
        }
    }
}

/// An opened device: an owned reference to an `AVHWDeviceContext`.
pub(super) struct Device(NonNull<sys::AVBufferRef>);

impl Device {
    pub(super) fn open(kind: sys::AVHWDeviceType, hardware: Hardware) -> Result<Self> {
        let mut device = ptr::null_mut();
        // SAFETY: the target is a local pointer; null names the default device and no options.
        let code = unsafe { sys::av_hwdevice_ctx_create(&mut device, kind, ptr::null(), ptr::null_mut(), 0) };
        check(code, ErrorKind::Unsupported, &format!("cannot open a {} device", hardware.name()))?;
        NonNull::new(device).map(Device).ok_or_else(|| out_of_memory("a device"))
    }

    pub(super) fn as_ptr(&self) -> *mut sys::AVBufferRef {
        self.0.as_ptr()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let mut device = self.0.as_ptr();
        // SAFETY: we own this reference; the call gives it up and nulls the local pointer.
        unsafe { sys::av_buffer_unref(&mut device) }
    }
}

/// What makes a decoder decode in hardware: the codec that can, a device, and the format its pictures have there.
pub(super) struct Accelerator {
    codec: &'static sys::AVCodec,
    format: c_int,
    device: Device,
}

impl Accelerator {
    /// Opens `hardware` for codec `id`; `Unsupported` where FFmpeg, the codec or the machine does not have it.
    pub(super) fn open(id: sys::AVCodecID, hardware: Hardware) -> Result<Self> {
        let name = hardware.name();
        let c_name = CString::new(name).map_err(|e| Error::new(ErrorKind::Unsupported, name).caused_by(e))?;
        // SAFETY: a terminated name; one this FFmpeg does not have is answered with NONE.
        let kind = unsafe { sys::av_hwdevice_find_type_by_name(c_name.as_ptr()) };
        if kind == sys::AVHWDeviceType::AV_HWDEVICE_TYPE_NONE {
            return Err(Error::new(ErrorKind::Unsupported, format!("this FFmpeg has no {name}")));
        }
        let (codec, format) = find_codec(id, kind as c_int)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, format!("{name} does not decode this codec")))?;
        Ok(Accelerator { codec, format, device: Device::open(kind, hardware)? })
    }

    pub(super) fn codec(&self) -> &'static sys::AVCodec {
        self.codec
    }

    /// The pixel format of pictures that are still in the device.
    pub(super) fn format(&self) -> c_int {
        self.format
    }

    /// Ties a context to the device.
    ///
    /// # Safety
    /// `context` is valid and not opened yet.
    pub(super) unsafe fn attach(&self, context: *mut sys::AVCodecContext) -> Result<()> {
        // SAFETY: the context takes a reference of its own, which avcodec_free_context gives up. `opaque` is never
        // followed: it carries an integer to the callback.
        unsafe {
            let device = sys::av_buffer_ref(self.device.0.as_ptr());
            if device.is_null() {
                return Err(out_of_memory("a device"));
            }
            (*context).hw_device_ctx = device;
            (*context).opaque = ptr::without_provenance_mut::<c_void>(self.format as usize);
            (*context).get_format = Some(pick_format);
        }
        Ok(())
    }
}

/// The native decoder for `id` that works on a device of type `kind`, and the format of its pictures there. Decoders
/// that wrap another library are left out: they are other decoders, and may give out other pictures.
fn find_codec(id: sys::AVCodecID, kind: c_int) -> Option<(&'static sys::AVCodec, c_int)> {
    let mut state = ptr::null_mut();
    // SAFETY: `state` is the iterator's own; codecs are static data.
    while let Some(codec) = unsafe { sys::av_codec_iterate(&mut state).as_ref() } {
        // SAFETY: as above.
        let decodes = unsafe { sys::av_codec_is_decoder(codec) } != 0;
        if !decodes || raw_enum!(codec.id) != id as i32 || !codec.wrapper_name.is_null() {
            continue;
        }
        // SAFETY: configurations are static data; past the last the answer is null.
        let configs = (0..).map_while(|i| unsafe { sys::avcodec_get_hw_config(codec, i).as_ref() });
        for config in configs {
            let by_device = config.methods & sys::AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX as c_int != 0;
            let format = raw_enum!(config.pix_fmt);
            // `pick_format` may only name formats that the bindings know.
            if by_device && raw_enum!(config.device_type) == kind && descriptor(format).is_some() {
                return Some((codec, format));
            }
        }
    }
    None
}

/// Called by libavcodec with the formats it could decode to: the device's, or none, which fails the decoder instead
/// of letting it go on in software unseen.
unsafe extern "C" fn pick_format(
    context: *mut sys::AVCodecContext,
    offered: *const sys::AVPixelFormat,
) -> sys::AVPixelFormat {
    // SAFETY: the context is the caller's; `opaque` is the number of a format that the bindings know (see
    // `find_codec`); the list ends with NONE and is read as integers.
    unsafe {
        let wanted = (*context).opaque.addr() as c_int;
        let mut next = offered.cast::<c_int>();
        while *next != sys::AVPixelFormat::AV_PIX_FMT_NONE as c_int {
            if *next == wanted {
                return std::mem::transmute::<c_int, sys::AVPixelFormat>(wanted);
            }
            next = next.add(1);
        }
    }
    sys::AVPixelFormat::AV_PIX_FMT_NONE
}

/// The picture `source`, which is in a device, as planar samples in memory: of the format `software`, which is what
/// the decoder would have given without the device.
pub(super) fn download(source: &RawFrame, software: c_int) -> Result<RawFrame> {
    let mut down = RawFrame::new()?;
    // SAFETY: all frames are valid and owned; `down` is blank, so it gets a buffer of its own.
    unsafe {
        let code = sys::av_hwframe_transfer_data(down.as_mut_ptr(), source.as_ptr(), 0);
        check(code, ErrorKind::Encode, "cannot take a picture from the device")?;
    }
    copy_properties(&mut down, source)?;
    // In the device libavcodec crops at the right and at the bottom only.
    // SAFETY: the frame is valid, in memory and not shared.
    let code = unsafe { sys::av_frame_apply_cropping(down.as_mut_ptr(), sys::AV_FRAME_CROP_UNALIGNED as c_int) };
    check(code, ErrorKind::Encode, "cannot crop a picture from the device")?;
    planar(down, software)
}

fn copy_properties(target: &mut RawFrame, source: &RawFrame) -> Result<()> {
    // SAFETY: both frames are valid and owned.
    let code = unsafe { sys::av_frame_copy_props(target.as_mut_ptr(), source.as_ptr()) };
    check(code, ErrorKind::Encode, "out of memory for a frame").map(drop)
}

fn planar(mut source: RawFrame, software: c_int) -> Result<RawFrame> {
    let format = source.fields().format;
    let wanted = pixel_format(software);
    if wanted == pixel_format(format) && matches!(wanted, PixelFormat::Planar { .. }) {
        // The same samples; the two may differ in name (yuvj420p), which says the range.
        // SAFETY: a plain field of a frame we own; the layouts are equal.
        unsafe { (*source.as_mut_ptr()).format = software };
        return Ok(source);
    }
    let samples = semi_planar(format, wanted).ok_or_else(|| {
        let (from, to) = (format_name(format), format_name(software));
        Error::new(ErrorKind::Unsupported, format!("the device gives {from} for {to}"))
    })?;
    let mut target = RawFrame::new()?;
    let (width, height) = (source.fields().width, source.fields().height);
    // SAFETY: the frame is blank and owned; av_frame_get_buffer allocates for the fields set before.
    unsafe {
        let f = target.as_mut_ptr();
        ((*f).format, (*f).width, (*f).height) = (software, width, height);
        check(sys::av_frame_get_buffer(f, 0), ErrorKind::Encode, "out of memory for a frame")?;
    }
    copy_properties(&mut target, &source)?;
    fill(&mut target, &source, samples)?;
    Ok(target)
}

/// How samples lie in the semi-planar 4:2:0 format `format`, where `wanted` can be made of it by moving bits only.
fn semi_planar(format: c_int, wanted: PixelFormat) -> Option<SampleForm> {
    let PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth } = wanted else { return None };
    let d = descriptor(format)?;
    let wide = d.comp[0].depth > 8;
    let size: c_int = if wide { 2 } else { 1 };
    // Y alone, then Cb and Cr in turn; NV21 has them the other way round.
    let places = [(0, size, 0), (1, 2 * size, 0), (1, 2 * size, size)];
    let placed = (0..3).all(|i| (d.comp[i].plane, d.comp[i].step, d.comp[i].offset) == places[i]);
    let native = (d.flags & sys::AV_PIX_FMT_FLAG_BE as u64 != 0) == cfg!(target_endian = "big");
    if d.nb_components != 3 || (d.log2_chroma_w, d.log2_chroma_h) != (1, 1) || !placed {
        return None;
    }
    match (wide, depth) {
        (false, 8) => Some(SampleForm::Bytes),
        // Values stand in the high bits of the word; P016 is also what carries 12 bits.
        (true, 9..=16) if native && d.comp[0].depth + d.comp[0].shift == 16 && i32::from(depth) <= d.comp[0].depth => {
            Some(SampleForm::Words(16 - u32::from(depth)))
        }
        _ => None,
    }
}

/// Copies the samples of the semi-planar `source` to the planar `target` of the same size.
fn fill(target: &mut RawFrame, source: &RawFrame, samples: SampleForm) -> Result<()> {
    let f = source.fields();
    let (width, height) = (f.width.max(0) as usize, f.height.max(0) as usize);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let (luma, chroma) = (width * samples.size(), half_width * samples.size());
    let t = target.fields();
    let strides = [0, 1, 2].map(|i| usize::try_from(t.linesize[i]).unwrap_or(0));
    let from = [0, 1].map(|i| usize::try_from(f.linesize[i]).unwrap_or(0));
    let fits = strides[0] >= luma && strides[1].min(strides[2]) >= chroma && from[0] >= luma && from[1] >= 2 * chroma;
    let planes = t.data[..3].iter().chain(&f.data[..2]).all(|p| !p.is_null());
    if width == 0 || height == 0 || !fits || !planes {
        return Err(Error::new(ErrorKind::Unsupported, "the device gives pictures of no known layout"));
    }
    let length = |stride: usize, rows: usize, row: usize| stride * (rows - 1) + row;
    // SAFETY: each plane of both frames has at least `rows` rows, `stride` bytes apart, and the visible bytes in the
    // last of them. The three target planes do not overlap, belong to a buffer that was just allocated, and `target`
    // is borrowed exclusively.
    let (y, uv, mut to) = unsafe {
        let source = |i: usize, bytes| std::slice::from_raw_parts(f.data[i].cast_const(), bytes);
        let target = |i: usize, bytes| std::slice::from_raw_parts_mut(t.data[i], bytes);
        (
            source(0, length(from[0], height, luma)),
            source(1, length(from[1], half_height, 2 * chroma)),
            [
                target(0, length(strides[0], height, luma)),
                target(1, length(strides[1], half_height, chroma)),
                target(2, length(strides[2], half_height, chroma)),
            ],
        )
    };
    let [ty, tu, tv] = &mut to;
    let rows = |bytes, i: usize| RowsMut { bytes, stride: strides[i] };
    copy_plane(Rows { bytes: y, stride: from[0] }, rows(ty, 0), (width, height), samples);
    let chroma = Rows { bytes: uv, stride: from[1] };
    split_plane(chroma, rows(tu, 1), rows(tv, 2), (half_width, half_height), samples);
    Ok(())
}

#[cfg(test)]
#[path = "hardware_tests.rs"]
mod tests;
