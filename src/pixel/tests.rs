//! Tests of [`Converter`] on frames.

use std::any::Any;
use std::sync::Arc;

use super::*;
use crate::base::{Rational, Timestamp};
use crate::media::{Color, HdrStatic, Planes, Rect, Subsampling};

/// Planes in plain vectors, with a stride of the test's choosing.
struct Plain {
    planes: [Vec<u8>; 3],
    strides: [usize; 3],
}

impl Planes for Plain {
    fn plane(&self, index: usize) -> &[u8] {
        self.planes.get(index).map_or(&[], Vec::as_slice)
    }
    fn stride(&self, index: usize) -> usize {
        self.strides.get(index).copied().unwrap_or(0)
    }
    fn byte_len(&self) -> usize {
        self.planes.iter().map(Vec::len).sum()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn frame(format: PixelFormat, width: u32, height: u32, range: ColorRange) -> Frame {
    let mut frame = Frame {
        index: 3,
        pts: Timestamp::new(1500, Rational::MILLI),
        duration: None,
        width,
        height,
        format,
        color: Color { range, ..Color::default() },
        hdr: HdrStatic::default(),
        dynamic: Default::default(),
        planes: Arc::new(Plain { planes: Default::default(), strides: [0; 3] }),
    };
    let (mut planes, mut strides) = (<[Vec<u8>; 3]>::default(), [0; 3]);
    for i in 0..3 {
        let (w, h) = frame.plane_size(i);
        let row = w * format.bytes_per_sample().unwrap_or(0);
        strides[i] = row + 5 + i;
        planes[i] = (0..h * strides[i]).map(|n| (n * 31 + i * 7) as u8).collect();
        // The law only promises memory up to the last visible sample.
        planes[i].truncate((h * strides[i]).saturating_sub(5 + i));
    }
    frame.planes = Arc::new(Plain { planes, strides });
    frame
}

fn sample10(frame: &Frame, plane: usize, x: usize, y: usize) -> u16 {
    let at = y * frame.planes.stride(plane) + 2 * x;
    u16::from_ne_bytes(frame.planes.plane(plane)[at..at + 2].try_into().unwrap())
}

#[test]
fn ten_bit_frames_pass_through_with_the_same_memory() {
    let mut converter = Converter::new();
    let source = frame(PixelFormat::YUV420P10, 64, 36, ColorRange::Limited);
    let memory = Arc::clone(&source.planes);
    let out = converter.for_encoder(source).unwrap();
    assert!(Arc::ptr_eq(&out.planes, &memory));
    assert_eq!(converter.stats(), PoolStats::default());
}

#[test]
fn eight_bit_frames_are_widened_sample_by_sample_also_at_odd_sizes() {
    for (width, height) in [(64, 36), (161, 121), (1, 1), (33, 2)] {
        for range in [ColorRange::Limited, ColorRange::Unspecified, ColorRange::Full] {
            let source = frame(PixelFormat::YUV420P8, width, height, range);
            let out = Converter::new().for_encoder(source.clone()).unwrap();
            assert_eq!((out.format, out.width, out.height), (PixelFormat::YUV420P10, width, height));
            assert_eq!((out.index, out.pts, out.color), (source.index, source.pts, source.color));
            for plane in 0..3 {
                let (w, h) = source.plane_size(plane);
                for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
                    let before = f64::from(source.planes.plane(plane)[y * source.planes.stride(plane) + x]);
                    let expected = match (range, plane) {
                        (ColorRange::Full, 0) => (before * 1023.0 / 255.0).round(),
                        (ColorRange::Full, _) => (512.0 + (before - 128.0) * 1023.0 / 255.0).round().max(0.0),
                        _ => before * 4.0,
                    };
                    assert_eq!(f64::from(sample10(&out, plane, x, y)), expected, "{range:?} {plane} {x},{y}");
                }
            }
        }
    }
}

#[test]
fn a_large_picture_takes_the_streaming_path_and_is_the_same() {
    let source = frame(PixelFormat::YUV420P8, 1920, 1080, ColorRange::Full);
    let out = Converter::new().for_encoder(source.clone()).unwrap();
    let mut plain = Converter { level: Level::Scalar, ..Converter::new() };
    let expected = plain.for_encoder(source).unwrap();
    assert_eq!(Stores::for_picture(out.byte_len()), Stores::Streaming);
    for plane in 0..3 {
        assert!(out.planes.plane(plane) == expected.planes.plane(plane), "plane {plane}");
    }
}

#[test]
fn buffers_come_back_to_the_pool() {
    let mut converter = Converter::new();
    for _ in 0..5 {
        converter.for_encoder(frame(PixelFormat::YUV420P8, 64, 36, ColorRange::Limited)).unwrap();
    }
    assert_eq!(converter.stats(), PoolStats { allocations: 1, reuses: 4 });
}

fn refusal(converter: &mut Converter, frame: Frame) -> String {
    let error = converter.for_encoder(frame).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    error.to_string()
}

#[test]
fn a_change_of_size_is_refused_and_names_the_time() {
    let mut converter = Converter::new();
    converter.for_encoder(frame(PixelFormat::YUV420P8, 64, 36, ColorRange::Limited)).unwrap();
    let message = refusal(&mut converter, frame(PixelFormat::YUV420P10, 32, 36, ColorRange::Limited));
    assert_eq!(message, "at 1.500 s: the picture size changes from 64x36 to 32x36");
}

#[test]
fn empty_oversize_and_truncated_pictures_are_refused() {
    let mut empty = frame(PixelFormat::YUV420P8, 64, 36, ColorRange::Limited);
    empty.width = 0;
    assert!(refusal(&mut Converter::new(), empty.clone()).contains("0x36"));
    empty.width = 65_535;
    assert!(refusal(&mut Converter::new(), empty).contains("65535x36"));
    let mut short = frame(PixelFormat::YUV420P8, 64, 36, ColorRange::Limited);
    short.height = 40;
    assert_eq!(refusal(&mut Converter::new(), short), "at 1.500 s: plane 0 of 64x40 is cut short");
}

#[test]
fn a_picture_that_is_not_planar_must_come_from_a_decoder() {
    let other = Frame { format: PixelFormat::Other(2), ..frame(PixelFormat::YUV420P8, 64, 36, ColorRange::Limited) };
    let message = refusal(&mut Converter::new(), other);
    assert_eq!(message, "at 1.500 s: only a decoder's pictures can be converted");
}

#[test]
fn a_part_of_a_picture_is_converted_as_the_picture_is() {
    let rect = Rect { x: 8, y: 6, width: 48, height: 24 };
    let yuv422 = PixelFormat::Planar { subsampling: Subsampling::Yuv422, depth: 10 };
    for (format, depth) in
        [(PixelFormat::YUV420P8, 10), (PixelFormat::YUV420P8, 8), (PixelFormat::YUV420P10, 10), (yuv422, 10)]
    {
        let source = frame(format, 64, 36, ColorRange::Limited);
        let part = Converter::to_depth(depth).for_encoder(source.clone().cropped(rect).unwrap()).unwrap();
        let whole = Converter::to_depth(depth).for_encoder(source).unwrap().cropped(rect).unwrap();
        assert_eq!((part.width, part.height, part.format), (48, 24, whole.format));
        let bytes = part.format.bytes_per_sample().unwrap();
        // Chroma of 4:2:2 is filtered over rows, so its edges differ.
        for plane in 0..if format == yuv422 { 1 } else { 3 } {
            let (width, height) = part.plane_size(plane);
            for y in 0..height {
                let row = |f: &Frame| f.planes.plane(plane)[y * f.planes.stride(plane)..][..width * bytes].to_vec();
                assert_eq!(row(&part), row(&whole), "{format:?} to {depth} bits, plane {plane}, row {y}");
            }
        }
    }
    let source = frame(PixelFormat::YUV420P8, 64, 36, ColorRange::Limited);
    assert!(source.clone().cropped(Rect { x: 1, ..rect }).is_none(), "half a chroma sample");
    assert!(source.cropped(Rect { width: 58, ..rect }).is_none(), "beyond the edge");
}

#[test]
fn a_picture_is_scaled_and_keeps_its_level() {
    let flat = |value: u8| {
        let mut source = frame(PixelFormat::YUV420P8, 64, 36, ColorRange::Limited);
        let strides = [64, 32, 32];
        let planes = [vec![value; 64 * 36], vec![100; 32 * 18], vec![150; 32 * 18]];
        source.planes = Arc::new(Plain { planes, strides });
        source
    };
    for (depth, factor) in [(8, 1), (10, 4)] {
        let out = Converter::to_depth(depth).scaling_to(32, 20).for_encoder(flat(80)).unwrap();
        assert_eq!((out.width, out.height), (32, 20));
        for (plane, value) in [(0, 80), (1, 100), (2, 150)] {
            let found = match depth {
                8 => u16::from(out.planes.plane(plane)[out.planes.stride(plane) + 3]),
                _ => sample10(&out, plane, 3, 1),
            };
            assert_eq!(found, value * factor, "plane {plane} at {depth} bits");
        }
    }
}
