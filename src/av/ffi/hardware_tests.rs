//! What needs no device: the choice of a format, its refusal, and the making of planar pictures.

use std::path::Path;

use super::super::decoder::{DecoderOptions, Received, Setup};
use super::super::frame::VideoFrame;
use super::super::input::Input;
use super::super::parameters::CodecParameters;
use super::*;
use crate::base::{CancelToken, Rational};
use crate::media::{Planes, StreamKind};

fn format(name: &str) -> c_int {
    let name = CString::new(name).unwrap();
    // SAFETY: a terminated name.
    unsafe { sys::av_get_pix_fmt(name.as_ptr()) as c_int }
}

/// A frame of `width` by `height` whose rows of plane `i` are `planes[i]`, in bytes.
fn frame(name: &str, (width, height): (c_int, c_int), planes: &[Vec<Vec<u8>>]) -> RawFrame {
    let mut frame = RawFrame::new().unwrap();
    // SAFETY: the frame is blank and gets a buffer for its format and size, into whose rows the test's bytes fit.
    unsafe {
        let f = frame.as_mut_ptr();
        ((*f).format, (*f).width, (*f).height, (*f).pts) = (format(name), width, height, 77);
        assert_eq!(sys::av_frame_get_buffer(f, 0), 0);
        for (i, rows) in planes.iter().enumerate() {
            for (y, row) in rows.iter().enumerate() {
                let to = (*f).data[i].add(y * (*f).linesize[i] as usize);
                ptr::copy_nonoverlapping(row.as_ptr(), to, row.len());
            }
        }
    }
    frame
}

/// The rows of each plane, `widths` bytes of them.
fn rows(frame: RawFrame, widths: [usize; 3]) -> Vec<Vec<Vec<u8>>> {
    let frame = VideoFrame::new(frame, Rational::MILLI);
    assert_eq!(frame.pts().map(|t| t.ticks()), Some(77), "properties come along");
    let plane = |i: usize| frame.plane(i).chunks(frame.stride(i)).map(|row| row[..widths[i]].to_vec()).collect();
    (0..3).map(plane).collect()
}

fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_ne_bytes()).collect()
}

#[test]
fn nv12_of_an_odd_size_becomes_yuv420p() {
    let luma = vec![vec![1, 2, 3, 4, 5], vec![6, 7, 8, 9, 10], vec![11, 12, 13, 14, 15]];
    let chroma = vec![vec![20, 30, 21, 31, 22, 32], vec![23, 33, 24, 34, 25, 35]];
    let source = frame("nv12", (5, 3), &[luma.clone(), chroma]);
    let target = planar(source, format("yuv420p")).unwrap();
    assert_eq!(pixel_format(target.fields().format), PixelFormat::YUV420P8);
    let expected = [luma, vec![vec![20, 21, 22], vec![23, 24, 25]], vec![vec![30, 31, 32], vec![33, 34, 35]]];
    assert_eq!(rows(target, [5, 3, 3]), expected);
}

#[test]
fn p010_and_p016_come_down_to_the_depth_of_the_stream() {
    for (name, target, bits) in [("p010", "yuv420p10", 6), ("p016", "yuv420p12", 4), ("p016", "yuv420p10", 6)] {
        let high = |values: &[u16]| words(&values.iter().map(|v| v << bits).collect::<Vec<_>>());
        let source = frame(name, (3, 1), &[vec![high(&[0, 1023, 512])], vec![high(&[1, 2, 1023, 940])]]);
        let target = planar(source, format(target)).unwrap();
        let expected = [vec![words(&[0, 1023, 512])], vec![words(&[1, 1023])], vec![words(&[2, 940])]];
        assert_eq!(rows(target, [6, 4, 4]), expected, "{name}");
    }
}

#[test]
fn planar_pictures_pass_with_the_range_that_the_streams_format_says() {
    let source = frame("yuv420p", (2, 2), &[vec![vec![1, 2], vec![3, 4]], vec![vec![5]], vec![vec![6]]]);
    let target = planar(source, format("yuvj420p")).unwrap();
    assert_eq!(target.fields().format, format("yuvj420p"));
    assert_eq!(rows(target, [2, 1, 1]), [vec![vec![1, 2], vec![3, 4]], vec![vec![5]], vec![vec![6]]]);
}

#[test]
fn layouts_that_would_change_values_are_refused() {
    let wrong = [("nv21", "yuv420p"), ("nv12", "yuv420p10"), ("p010", "yuv420p12"), ("p010", "yuv420p")];
    for (from, to) in wrong.into_iter().chain([("nv16", "yuv422p"), ("yuyv422", "yuv420p"), ("yuv420p", "nv12")]) {
        let error = planar(frame(from, (4, 4), &[]), format(to)).err().expect("not exact");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{from} to {to}");
    }
}

/// H.264 in VA-API, where this FFmpeg was built with it, but a device of another type that was never opened.
fn unusable() -> Option<Accelerator> {
    let (h264, vaapi) = (sys::AVCodecID::AV_CODEC_ID_H264, sys::AVHWDeviceType::AV_HWDEVICE_TYPE_VAAPI);
    let (codec, format) = find_codec(h264, vaapi as c_int)?;
    // SAFETY: allocates a device context without a device, which can be freed; null where that type is missing.
    let device = unsafe { sys::av_hwdevice_ctx_alloc(sys::AVHWDeviceType::AV_HWDEVICE_TYPE_CUDA) };
    Some(Accelerator { codec, format, device: Device(NonNull::new(device)?) })
}

#[test]
fn only_the_devices_format_is_picked() {
    let Some(accelerator) = unusable() else { return };
    let of = |names: &[&str]| names.iter().map(|n| format(n)).chain([-1]).collect::<Vec<c_int>>();
    // SAFETY: the context is valid and not opened; lists end with NONE; the context is freed once.
    unsafe {
        let mut context = sys::avcodec_alloc_context3(accelerator.codec());
        accelerator.attach(context).unwrap();
        let pick = |list: Vec<c_int>| pick_format(context, list.as_ptr().cast()) as c_int;
        assert_eq!(pick(of(&["cuda", "vaapi", "yuv420p"])), accelerator.format());
        assert_eq!(pick(of(&["cuda", "yuv420p"])), -1);
        assert_eq!(pick(of(&[])), -1);
        sys::avcodec_free_context(&mut context);
    }
}

#[test]
fn a_decoder_whose_device_is_refused_fails_instead_of_going_on_in_software() {
    let film = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media/film/sintel_trailer-720p.mp4");
    if !film.is_file() {
        return crate::base::missing(format_args!("there is no {}", film.display()));
    }
    let Some(accelerator) = unusable() else { return crate::base::skipped("there is no VA-API in this FFmpeg") };
    let mut input = Input::open(&film, &CancelToken::new()).unwrap();
    let stream = input.info().streams.iter().position(|s| s.kind == StreamKind::Video).unwrap();
    let (parameters, codec) = (CodecParameters::of(&input, stream).unwrap(), accelerator.codec());
    let options = DecoderOptions { threads: 1, ..DecoderOptions::default() };
    let setup = Setup { options, reorder: 0, accelerator: Some(accelerator) };
    let mut decoder = parameters.open(codec, "h264".to_owned(), setup).unwrap();
    let mut failed = false;
    for _ in 0..20 {
        let Some(packet) = input.read_packet().unwrap() else { break };
        if packet.stream() == stream {
            failed |= decoder.send(&packet).is_err();
            match decoder.receive_video() {
                Ok(Received::Frame(_)) => panic!("a picture came without a device"),
                Ok(_) => {}
                Err(_) => failed = true,
            }
        }
    }
    assert!(failed);
}
