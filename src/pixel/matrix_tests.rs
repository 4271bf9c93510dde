use proptest::prelude::*;

use super::*;
use crate::base::{Rational, Timestamp};
use crate::media::{Color, Dynamic, HdrStatic, Primaries};

const TO_601: MatrixChange = MatrixChange { unsaid: Matrix::BT709, primaries: Primaries::BT709, to: Matrix::BT601 };
const TO_709: MatrixChange = MatrixChange { unsaid: Matrix::BT601, primaries: Primaries(6), to: Matrix::BT709 };

/// A flat picture.
fn flat(format: PixelFormat, size: (u32, u32), yuv: [u16; 3], color: Color) -> Frame {
    let pool = FramePool::new(format, size.0, size.1);
    let mut buffer = pool.take();
    for ((bytes, _), value) in buffer.planes_mut().into_iter().zip(yuv) {
        match format {
            PixelFormat::YUV420P8 => bytes.fill(value as u8),
            _ => bytemuck::cast_slice_mut(bytes).fill(value),
        }
    }
    Frame {
        index: 0,
        pts: Timestamp::new(0, Rational::MILLI),
        duration: None,
        width: size.0,
        height: size.1,
        format,
        color,
        hdr: HdrStatic::default(),
        dynamic: Dynamic::default(),
        planes: Arc::new(buffer),
    }
}

/// Code values of R'G'B' from 0 to 1, limited range.
fn coded(rgb: [f64; 3], matrix: Matrix, depth: u32) -> [u16; 3] {
    let (kr, kb) = if matrix.is_bt601() { (0.299, 0.114) } else { (0.2126, 0.0722) };
    let y = kr * rgb[0] + (1.0 - kr - kb) * rgb[1] + kb * rgb[2];
    let (cb, cr) = ((rgb[2] - y) / (2.0 * (1.0 - kb)), (rgb[0] - y) / (2.0 * (1.0 - kr)));
    let unit = f64::from(1 << (depth - 8));
    [16.0 + 219.0 * y, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr].map(|code| (code * unit).round() as u16)
}

fn sample(frame: &Frame, plane: usize, x: usize, y: usize) -> u16 {
    match frame.format {
        PixelFormat::YUV420P8 => row::<u8>(frame, plane, y).unwrap()[x].into(),
        _ => row::<u16>(frame, plane, y).unwrap()[x],
    }
}

proptest! {
    #[test]
    fn a_colour_is_the_same_colour_in_the_other_matrix(
        rgb in prop::array::uniform3(0.0f64..=1.0),
        deep in any::<bool>(),
        down in any::<bool>(),
        location in prop::sample::select(vec![
            ChromaLocation::Left, ChromaLocation::Center, ChromaLocation::TopLeft, ChromaLocation::Top,
            ChromaLocation::BottomLeft, ChromaLocation::Bottom, ChromaLocation::Unspecified,
        ]),
    ) {
        let (format, depth) = if deep { (PixelFormat::YUV420P10, 10) } else { (PixelFormat::YUV420P8, 8) };
        let (change, from) = if down { (TO_601, Matrix::BT709) } else { (TO_709, Matrix::BT601) };
        let color = Color { matrix: from, chroma_location: location, ..Color::default() };
        let out = MatrixChanger::new(change).change(flat(format, (6, 6), coded(rgb, from, depth), color)).unwrap();
        prop_assert_eq!(out.color.matrix, change.to);
        let wanted = coded(rgb, change.to, depth);
        for (plane, wanted) in wanted.into_iter().enumerate() {
            let (w, h) = out.plane_size(plane);
            for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
                // Each side is rounded once.
                prop_assert!(sample(&out, plane, x, y).abs_diff(wanted) <= 1, "plane {} at {},{}", plane, x, y);
            }
        }
    }
}

#[test]
fn there_and_back_is_where_it_was_and_others_are_let_be() {
    let color = Color { matrix: Matrix::BT709, ..Color::default() };
    let red = coded([1.0, 0.0, 0.0], Matrix::BT709, 10);
    let there = MatrixChanger::new(TO_601).change(flat(PixelFormat::YUV420P10, (16, 8), red, color)).unwrap();
    assert_eq!(there.color.primaries, Primaries::BT709, "what nobody said is said, as it was taken for");
    let back = MatrixChanger::new(TO_709).change(there).unwrap();
    for (plane, value) in red.into_iter().enumerate() {
        assert!(sample(&back, plane, 1, 1).abs_diff(value) <= 1, "plane {plane}");
    }
    for matrix in [Matrix::BT2020, Matrix(0), Matrix(7)] {
        let other = flat(PixelFormat::YUV420P8, (4, 4), [50, 60, 70], Color { matrix, ..Color::default() });
        let changer = &mut MatrixChanger::new(MatrixChange { unsaid: matrix, ..TO_601 });
        let same = changer.change(other).unwrap();
        assert_eq!((sample(&same, 1, 0, 0), same.color.matrix), (60, matrix));
    }
    let said = flat(PixelFormat::YUV420P8, (4, 4), [50, 60, 70], Color { matrix: Matrix(5), ..Color::default() });
    let same = MatrixChanger::new(TO_601).change(said).unwrap();
    assert_eq!((sample(&same, 2, 0, 0), same.color.matrix), (70, Matrix::BT601), "the same by another name");
}

/// An edge of chroma moves luma where it lies, by where chroma is sited.
#[test]
fn luma_changes_where_chroma_says() {
    let mut frame = flat(PixelFormat::YUV420P10, (8, 2), [512; 3], Color { matrix: Matrix::BT709, ..Color::default() });
    let pool = FramePool::new(frame.format, 8, 2);
    let mut buffer = pool.take();
    for (plane, (bytes, _)) in buffer.planes_mut().into_iter().enumerate() {
        let samples: &mut [u16] = bytemuck::cast_slice_mut(bytes);
        samples.fill(512);
        if plane == 2 {
            samples[2..].fill(912);
        }
    }
    frame.planes = Arc::new(buffer);
    let lumas = |location| {
        let frame = Frame { color: Color { chroma_location: location, ..frame.color }, ..frame.clone() };
        let out = MatrixChanger::new(TO_601).change(frame).unwrap();
        (0..8).map(|x| i32::from(sample(&out, 0, x, 0)) - 512).collect::<Vec<_>>()
    };
    let left = lumas(ChromaLocation::Left);
    assert_eq!(left[..3], [0, 0, 0]);
    assert!(left[3].abs_diff(left[4] / 2) <= 1 && left[4] == left[7] && left[4] != 0, "{left:?}");
    let center = lumas(ChromaLocation::Center);
    assert!(center[3].abs_diff(center[7] / 4) <= 1 && center[4].abs_diff(center[7] * 3 / 4) <= 1, "{center:?}");
}
