//! Pictures in, packets out; and scores of pictures.

use std::ffi::c_char;

use super::error::drapto_error;
use super::look::{cancel, drapto_token};
use super::pointers::{free, give, give_text, given, given_mut, place, text};
use super::shell::shell;
use super::version::expect_version;
use crate::capi::failure::{Failure, drapto_code};
use crate::capi::frames::{CallerPicture, HeldEncoder, HeldMeter};
use crate::capi::job::json;
use drapto::{EncodedFrame, FrameEncoderOptions, Picture};

/// The versions of the structures that are known; those of the header.
pub(super) const VIDEO: u32 = 1;
pub(super) const PICTURE: u32 = 1;
pub(super) const PACKET: u32 = 1;

/// What the pictures given to an encoder are. Filled by the caller; what is 0 is the default.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct drapto_video {
    /// `DRAPTO_VIDEO_VERSION`.
    pub version: u32,
    /// Width in luma samples; even.
    pub width: u32,
    /// Height in luma samples; even.
    pub height: u32,
    /// Frames a second, for the distance of keyframes and the encoder's model of rates, never for times: numerator.
    pub frame_rate_num: i32,
    /// Denominator.
    pub frame_rate_den: i32,
    /// Seconds a tick of `pts`: numerator. 0 over 0 is one frame a tick.
    pub time_base_num: i32,
    /// Denominator.
    pub time_base_den: i32,
    /// Bits a sample: 8 or 10; 0 is 10.
    pub bit_depth: u32,
    /// Colour primaries by ITU-T H.273: 1 is BT.709, 9 BT.2020; 0 and 2 say nothing.
    pub primaries: u32,
    /// Transfer characteristics by ITU-T H.273; 0 and 2 say nothing.
    pub transfer: u32,
    /// Matrix coefficients by ITU-T H.273; 2 says nothing (0 is RGB's, which is not taken: it says nothing, too).
    pub matrix: u32,
    /// Whether samples use all code values (0 to 255 in 8 bits) instead of 16 to 235.
    pub full_range: bool,
    /// Whether `drapto_encoder_send` will force keyframes.
    pub forced_keyframes: bool,
}

/// The samples of one 4:2:0 picture. Filled by the caller, to whom the samples belong; they are read during the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct drapto_picture {
    /// `DRAPTO_PICTURE_VERSION`.
    pub version: u32,
    /// Y, Cb, Cr: the first sample of each. At 8 bits a sample is a byte; at 10 two bytes of the machine's order, in the
    /// low bits. Chroma has half as many samples each way, rounded up.
    pub planes: [*const u8; 3],
    /// Bytes from one row to the next. The last row need not reach beyond its last sample.
    pub strides: [usize; 3],
}

/// One coded picture. Filled by the library, to whom it belongs until `drapto_packet_free`.
#[repr(C)]
#[derive(Debug)]
pub struct drapto_packet {
    /// `DRAPTO_PACKET_VERSION`.
    pub version: u32,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// The picture it shows: how many were sent before.
    pub index: u64,
    /// When that is shown, as it was sent.
    pub pts: i64,
    /// When it is decoded; rises from packet to packet, is never above `pts`, and may begin below zero.
    pub dts: i64,
    /// Bytes of `data`.
    pub size: usize,
    /// As Matroska and MP4 store it: of AV1 a temporal unit without its delimiter, the sequence header in keyframes; of
    /// H.264 NAL units behind lengths of four bytes. Put `12 00` before each unit of AV1 for an OBU stream.
    pub data: *const u8,
}

/// A packet with what its `data` points into.
#[repr(C)]
struct Held {
    /// First: a pointer to it is one to the whole.
    packet: drapto_packet,
    owner: EncodedFrame,
}

/// How an encoder is to work. It belongs to the caller, who frees it by `drapto_encoder_options_free`.
///
/// Threads: any, one at a time.
pub struct drapto_encoder_options(FrameEncoderOptions);

/// An encoder that is given pictures. It belongs to the caller, who frees it by `drapto_encoder_free`.
///
/// Pictures come in display order, their times rising; packets leave in decode order, one for each picture. It has threads
/// of its own. Threads: any, one at a time.
pub struct drapto_encoder(HeldEncoder);

/// A metric that takes a picture and what became of it, pair after pair. It belongs to the caller, who frees it by
/// `drapto_meter_free`. It computes in the calling thread. Threads: any, one at a time.
pub struct drapto_meter(HeldMeter);

/// Options for pictures of this kind, with the default encoder (SVT-AV1) and its defaults.
///
/// Gives `DRAPTO_WRONG_VERSION` for another version of the structure, `DRAPTO_USAGE` for numbers there are not. Memory:
/// `video` is copied; the caller frees `*options`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_options_new(
    video: *const drapto_video,
    options: *mut *mut drapto_encoder_options,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let place = unsafe { place(options, "options")? };
        // SAFETY: as above; the version, which stands first in every version, is read before the rest.
        let video = unsafe {
            expect_version("the drapto_video", *given(video.cast::<u32>(), "video")?, VIDEO)?;
            given(video, "video")?
        };
        *place = give(drapto_encoder_options(options_of(video)?));
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

fn options_of(video: &drapto_video) -> Result<FrameEncoderOptions, Failure> {
    let code = |name: &str, point: u32| match u8::try_from(point) {
        Ok(0) => Ok(2),
        Ok(point) => Ok(point),
        Err(_) => Err(Failure::usage(format!("{name} {point} is no code point of H.273"))),
    };
    let mut options = FrameEncoderOptions::new(video.width, video.height, (video.frame_rate_num, video.frame_rate_den));
    let base = (video.time_base_num, video.time_base_den);
    options.time_base = (base != (0, 0)).then_some(base);
    options.bit_depth = match video.bit_depth {
        0 => 10,
        depth => u8::try_from(depth).map_err(|_| Failure::usage(format!("there are no pictures of {depth} bits")))?,
    };
    options.color =
        (code("primaries", video.primaries)?, code("transfer", video.transfer)?, code("matrix", video.matrix)?);
    (options.full_range, options.forced_keyframes) = (video.full_range, video.forced_keyframes);
    Ok(options)
}

/// Reads options: `{"width": 1280, "height": 720, "frame_rate": [24000, 1001], "time_base": [1, 1000], "bit_depth": 10,
/// "color": [1, 1, 1], "full_range": false, "encoder": "svt-av1", "crf": 30, "preset": 6, "threads": 0,
/// "keyframe_interval": 0, "forced_keyframes": false, "film_grain": 0, "parameters": [["tune", "0"]]}`; all but the size may
/// be left out.
///
/// Gives `DRAPTO_USAGE` for what are no options. Memory: the text is copied; the caller frees `*options`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_options_from_json(
    json_text: *const c_char,
    options: *mut *mut drapto_encoder_options,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, text) = unsafe { (place(options, "options")?, text(json_text, "json_text")?) };
        let read = serde_json::from_str(text);
        let read = read.map_err(|e| Failure::usage(format!("cannot read the options of an encoder: {e}")))?;
        *place = give(drapto_encoder_options(read));
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Sets an option by name: as jobs call it (`video.encoder`, `quality.crf`, `video.preset`, `video.film_grain`, `video.svt`
/// for parameters of any encoder, `picture.bit_depth`), or `threads`, `keyframe_interval` (frames) and
/// `forced_keyframes`.
///
/// Gives `DRAPTO_USAGE` for names and values there are not. Memory: both texts are copied.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_options_set(
    options: *mut drapto_encoder_options,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (options, name, value) =
            unsafe { (given_mut(options, "options")?, text(name, "name")?, text(value, "value")?) };
        crate::capi::frames::set(&mut options.0, name, value)
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Frees options. Null is allowed. Encoders that were opened with them go on.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_options_free(options: *mut drapto_encoder_options) {
    // SAFETY: by the header's law.
    unsafe { free(options) }
}

/// Opens an encoder. Where a process can have one only, it waits until the other is freed or `token` (which may be null)
/// is cancelled; a thread that holds the other itself would wait for ever.
///
/// Gives `DRAPTO_USAGE` for options the encoder does not take, `DRAPTO_UNSUPPORTED` for a size it does not take,
/// `DRAPTO_ENCODE` where the library fails, `DRAPTO_INTERRUPTED`. Memory: the options are copied; the token must live while
/// the call lasts; the caller frees `*encoder`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_open(
    options: *const drapto_encoder_options,
    token: *const drapto_token,
    encoder: *mut *mut drapto_encoder,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, options, cancel) =
            unsafe { (place(encoder, "encoder")?, given(options, "options")?, cancel(token)) };
        *place = give(drapto_encoder(HeldEncoder::open(&options.0, &cancel)?));
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// The caller's samples as slices, as long as the law of `drapto_picture` says.
///
/// # Safety
/// `picture` is null or points to a picture whose planes hold what `shape` says, and are not written during `'a`.
unsafe fn planes<'a>(
    picture: *const drapto_picture,
    shape: &CallerPicture,
    name: &str,
) -> Result<[(&'a [u8], usize); 3], Failure> {
    // SAFETY: by the caller's promise; the version stands first in every version and is read before the rest.
    let picture = unsafe {
        expect_version(name, *given(picture.cast::<u32>(), name)?, PICTURE)?;
        given(picture, name)?
    };
    let mut planes = [(&[][..], 0); 3];
    for (index, plane) in planes.iter_mut().enumerate() {
        let (pointer, stride) = (picture.planes[index], picture.strides[index]);
        if pointer.is_null() {
            return Err(Failure::usage(format!("plane {index} of {name} is null")));
        }
        let length = shape.plane_bytes(index, stride)?;
        // SAFETY: not null, and by the caller's promise as long as its rows need; `plane_bytes` keeps the length within
        // what a slice may have.
        *plane = (unsafe { std::slice::from_raw_parts(pointer, length) }, stride);
    }
    Ok(planes)
}

/// Encodes a picture, which is shown at `pts`, in ticks of the time base; `key` makes it a keyframe, before which no later
/// one reaches back (it needs `forced_keyframes`).
///
/// It may wait while the encoder is full, never for `drapto_encoder_receive`. Gives `DRAPTO_USAGE` for a time that is not
/// after the one before, rows that are too short, samples of too many bits, and after `drapto_encoder_finish`: nothing was
/// taken and the encoder goes on; `DRAPTO_ENCODE` where the library fails: the stream is lost. Memory: the samples are
/// copied and belong to the caller again when the call returns. Each plane holds (rows - 1) x stride bytes and one row.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_send(
    encoder: *mut drapto_encoder,
    picture: *const drapto_picture,
    pts: i64,
    key: bool,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let encoder = unsafe { given_mut(encoder, "encoder")? };
        // SAFETY: as above.
        let planes = unsafe { planes(picture, encoder.0.shape(), "picture")? };
        encoder.0.send(planes, pts, key)
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// The next packet, in decode order. Before `drapto_encoder_finish` it does not wait, and a `*packet` of null with
/// `DRAPTO_OK` means "none yet"; afterwards it waits, and null is the end and stays it.
///
/// Memory: the packet and its bytes belong to the library until the caller frees it by `drapto_packet_free`, also beyond
/// the encoder's end.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_receive(
    encoder: *mut drapto_encoder,
    packet: *mut *mut drapto_packet,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, encoder) = unsafe { (place(packet, "packet")?, given_mut(encoder, "encoder")?) };
        if let Some(owner) = encoder.0.receive()? {
            *place = held(owner).cast();
        }
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

fn held(owner: EncodedFrame) -> *mut Held {
    // The bytes are shared and stay where they are when their owner moves.
    let (size, data) = (owner.data().len(), owner.data().as_ptr());
    let EncodedFrame { index, pts, dts, keyframe, .. } = owner;
    let packet = drapto_packet { version: PACKET, keyframe, index, pts, dts, size, data };
    give(Held { packet, owner })
}

/// Frees a packet and its bytes. Null is allowed. Threads: any.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_packet_free(packet: *mut drapto_packet) {
    // SAFETY: by the header's law it came from `held`, whose first field it is.
    unsafe { free(packet.cast::<Held>()) }
}

/// Says that no more pictures follow; the packets that are left are then to be received. Again, it does nothing.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_finish(
    encoder: *mut drapto_encoder,
    error: *mut *mut drapto_error,
) -> drapto_code {
    // SAFETY: by the header's law.
    unsafe { shell(error, || given_mut(encoder, "encoder")?.0.finish()) }
}

/// What a container's codec configuration is made of: of H.264 an `AVCDecoderConfigurationRecord`, from the opening on; of
/// AV1 the sequence header OBU, from the first packet on (`*data` null and `*size` 0 before).
///
/// Memory: the bytes belong to the encoder, until it is asked again or freed.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_codec_config(
    encoder: *mut drapto_encoder,
    data: *mut *const u8,
    size: *mut usize,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (data, size) = unsafe { (given_mut(data, "data")?, given_mut(size, "size")?) };
        (*data, *size) = (std::ptr::null(), 0);
        // SAFETY: as above.
        let encoder = unsafe { given_mut(encoder, "encoder")? };
        if let Some(bytes) = encoder.0.codec_config() {
            (*data, *size) = (bytes.as_ptr(), bytes.len());
        }
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Frees an encoder. Null is allowed. Packets that were not received are lost; those that were stay.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_encoder_free(encoder: *mut drapto_encoder) {
    // SAFETY: by the header's law.
    unsafe { free(encoder) }
}

/// Opens a metric for 4:2:0 pictures of `width` x `height` luma samples of `bit_depth` bits (8 or 10): `vmaf` (the model
/// for the size), a model of it by libvmaf's name (`vmaf_v0.6.1`), `psnr`, `ssim`, or a spec in JSON: `{"kind": {"vmaf":
/// {"model": "vmaf_4k_v0.6.1"}}, "stride": 3, "threads": 2}`.
///
/// Gives `DRAPTO_USAGE` for a metric there is not, `DRAPTO_UNSUPPORTED` for sizes and depths it does not take. Memory: the
/// text is copied; the caller frees `*meter`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_meter_open(
    metric: *const c_char,
    width: u32,
    height: u32,
    bit_depth: u32,
    meter: *mut *mut drapto_meter,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, metric) = unsafe { (place(meter, "meter")?, text(metric, "metric")?) };
        *place = give(drapto_meter(HeldMeter::open(metric, width, height, bit_depth)?));
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Takes the next pair: `distorted` shows what `reference` shows. Every pair of a stream is given, in display order.
///
/// Memory: the samples are copied and belong to the caller again when the call returns. Each plane holds
/// (rows - 1) x stride bytes and one row.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_meter_push(
    meter: *mut drapto_meter,
    reference: *const drapto_picture,
    distorted: *const drapto_picture,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let meter = unsafe { given_mut(meter, "meter")? };
        // SAFETY: as above.
        let (reference, distorted) = unsafe {
            (planes(reference, meter.0.shape(), "reference")?, planes(distorted, meter.0.shape(), "distorted")?)
        };
        let (reference, distorted): (Picture, Picture) =
            (meter.0.shape().copy(reference)?, meter.0.shape().copy(distorted)?);
        meter.0.push(&reference, &distorted)
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Ends the stream: the scores of all its pairs, as `drapto vmaf --json` prints them. Afterwards the meter can only be
/// freed.
///
/// Memory: the caller frees `*json_text` by `drapto_string_free`, and the meter.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_meter_finish(
    meter: *mut drapto_meter,
    json_text: *mut *mut c_char,
    error: *mut *mut drapto_error,
) -> drapto_code {
    let twin = || {
        // SAFETY: by the header's law.
        let (place, meter) = unsafe { (place(json_text, "json_text")?, given_mut(meter, "meter")?) };
        *place = give_text(json(&meter.0.finish()?)?);
        Ok(())
    };
    // SAFETY: by the header's law.
    unsafe { shell(error, twin) }
}

/// Frees a meter. Null is allowed.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn drapto_meter_free(meter: *mut drapto_meter) {
    // SAFETY: by the header's law.
    unsafe { free(meter) }
}
