//! What one picture's code values are: how dark it is, what lies outside of the legal range, how far it is from others.
//!
//! All at the sample's own depth. Black goes by the share of dark luma, as libavfilter's blackdetect has it; what stands
//! still by the mean difference of luma, as its freezedetect has it. Those filters see 8 bits or need a graph each; here
//! the samples are read once for all of it.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Result};
use crate::media::{ColorRange, Frame, PixelFormat, Subsampling};

/// Up to which part of the way from black to white luma is dark (blackdetect's `pixel_black_th`).
const DARK: f64 = 0.10;

/// How far a picture may be from the one a still stretch began with, in full scale (freezedetect's `noise`, −60 dB).
const STILL: f64 = 0.001;

/// One picture's levels; shares are 0 to 1, differences in full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureLevels {
    /// Share of luma samples that are dark.
    pub dark: f32,
    /// Share of samples of all planes outside of 16–235 (luma) and 16–240 (chroma) at their depth; `None` for full range.
    pub outside: Option<f32>,
    /// Mean difference of luma from the picture before; `None` for the first, and after a change of size.
    pub moved: Option<f32>,
    /// Whether it is still the picture that one of those before it was: all between them are, too.
    pub still: bool,
}

/// Measures pictures in display order. Holds two of them.
#[derive(Default)]
pub struct LevelMeasurer {
    last: Option<Frame>,
    /// The first of the pictures that stand still.
    anchor: Option<Frame>,
}

impl LevelMeasurer {
    /// A measurer that saw no picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures the next picture.
    ///
    /// # Errors
    /// `Unsupported` for formats that are not planar and planes that are cut short.
    pub fn measure(&mut self, frame: &Frame) -> Result<PictureLevels> {
        let PixelFormat::Planar { depth, subsampling } = frame.format else {
            let message = "the levels of a picture that is not planar cannot be measured";
            return Err(Error::new(ErrorKind::Unsupported, message).at(frame.pts));
        };
        let short = || Error::new(ErrorKind::Unsupported, "a plane of a picture is cut short").at(frame.pts);
        let full = frame.color.range == ColorRange::Full;
        let step = 1u32 << (depth - 8);
        let (black, white) = if full { (0, (1u32 << depth) - 1) } else { (16 * step, 235 * step) };
        let dark_up_to = black + (f64::from(white - black) * DARK) as u32;
        let luma = count(frame, 0, dark_up_to, (16 * step, 235 * step)).ok_or_else(short)?;
        let mut outside = luma.outside;
        let mut samples = luma.samples;
        if subsampling != Subsampling::Yuv400 {
            for plane in [1, 2] {
                let chroma = count(frame, plane, 0, (16 * step, 240 * step)).ok_or_else(short)?;
                outside += chroma.outside;
                samples += chroma.samples;
            }
        }
        let moved = self.last.as_ref().and_then(|last| difference(last, frame));
        // The picture before stands for the anchor as long as it is one.
        let drifted = self.anchor.as_ref().and_then(|anchor| difference(anchor, frame));
        let still = drifted.is_some_and(|d| d <= STILL);
        if !still {
            self.anchor = Some(frame.clone());
        }
        self.last = Some(frame.clone());
        let share = |count: u64, of: u64| count as f32 / of.max(1) as f32;
        Ok(PictureLevels {
            dark: share(luma.dark, luma.samples),
            outside: (!full).then(|| share(outside, samples)),
            moved: moved.map(|m| m as f32),
            still,
        })
    }
}

struct LevelCount {
    samples: u64,
    dark: u64,
    outside: u64,
}

/// The bytes of row `y` of a plane; `None` where the plane is cut short.
fn row(frame: &Frame, plane: usize, y: usize, bytes: usize) -> Option<&[u8]> {
    let start = y.checked_mul(frame.planes.stride(plane))?;
    frame.planes.plane(plane).get(start..)?.get(..bytes)
}

fn count(frame: &Frame, plane: usize, dark_up_to: u32, (least, most): (u32, u32)) -> Option<LevelCount> {
    let (width, height) = frame.plane_size(plane);
    let bytes = frame.format.bytes_per_sample()?;
    let (mut dark, mut outside) = (0, 0);
    for y in 0..height {
        let row = row(frame, plane, y, width * bytes)?;
        let (d, o) = if bytes == 1 {
            let limits = (dark_up_to.min(255) as u8, least as u8, most as u8);
            row.iter().fold((0u32, 0u32), |(d, o), &v| {
                (d + u32::from(v <= limits.0), o + u32::from(v < limits.1 || v > limits.2))
            })
        } else {
            let limits = (dark_up_to as u16, least as u16, most as u16);
            row.as_chunks::<2>().0.iter().map(|v| u16::from_ne_bytes(*v)).fold((0u32, 0u32), |(d, o), v| {
                (d + u32::from(v <= limits.0), o + u32::from(v < limits.1 || v > limits.2))
            })
        };
        dark += u64::from(d);
        outside += u64::from(o);
    }
    Some(LevelCount { samples: (width * height) as u64, dark, outside })
}

/// Mean absolute difference of luma in full scale; `None` for pictures of another size or format.
fn difference(one: &Frame, other: &Frame) -> Option<f64> {
    if (one.width, one.height, one.format) != (other.width, other.height, other.format) {
        return None;
    }
    let PixelFormat::Planar { depth, .. } = other.format else { return None };
    let (width, height) = other.plane_size(0);
    let bytes = other.format.bytes_per_sample()?;
    let mut sum = 0u64;
    for y in 0..height {
        let (a, b) = (row(one, 0, y, width * bytes)?, row(other, 0, y, width * bytes)?);
        sum += u64::from(if bytes == 1 {
            a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum::<u32>()
        } else {
            let sample = |v: &[u8; 2]| u16::from_ne_bytes(*v);
            let pairs = a.as_chunks::<2>().0.iter().zip(b.as_chunks::<2>().0);
            pairs.map(|(a, b)| u32::from(sample(a).abs_diff(sample(b)))).sum::<u32>()
        });
    }
    let peak = ((1u64 << depth) - 1) as f64;
    Some(sum as f64 / (width * height).max(1) as f64 / peak)
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::Arc;

    use super::*;
    use crate::base::{Rational, Timestamp};
    use crate::media::{Color, Dynamic, HdrStatic, Planes};

    struct Bytes([Vec<u8>; 3], [usize; 3]);

    impl Planes for Bytes {
        fn plane(&self, index: usize) -> &[u8] {
            &self.0[index]
        }
        fn stride(&self, index: usize) -> usize {
            self.1[index]
        }
        fn byte_len(&self) -> usize {
            0
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    /// 8 × 4 luma of these values over and over, chroma of one.
    fn picture(depth: u8, luma: &[u16], chroma: u16, range: ColorRange) -> Frame {
        let bytes = |v: u16| if depth == 8 { vec![v as u8] } else { v.to_ne_bytes().to_vec() };
        let plane =
            |n: usize, values: &[u16]| -> Vec<u8> { (0..n).flat_map(|i| bytes(values[i % values.len()])).collect() };
        let size = if depth == 8 { 1 } else { 2 };
        let planes = [plane(32, luma), plane(8, &[chroma]), plane(8, &[chroma])];
        Frame {
            index: 0,
            pts: Timestamp::new(0, Rational::MILLI),
            duration: None,
            width: 8,
            height: 4,
            format: PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth },
            color: Color { range, ..Color::default() },
            hdr: HdrStatic::default(),
            dynamic: Dynamic::default(),
            planes: Arc::new(Bytes(planes, [8 * size, 4 * size, 4 * size])),
        }
    }

    fn levels(frame: &Frame) -> PictureLevels {
        LevelMeasurer::new().measure(frame).unwrap()
    }

    #[test]
    fn legal_range_is_that_of_the_depth_and_full_range_has_none() {
        for (depth, step) in [(8, 1), (10, 4), (12, 16)] {
            let legal = picture(depth, &[16 * step, 235 * step], 240 * step, ColorRange::Limited);
            assert_eq!(levels(&legal).outside, Some(0.0), "{depth} bits");
            // Half of luma, which is two thirds of the samples.
            let outside = picture(depth, &[16 * step - 1, 128 * step], 128 * step, ColorRange::Unspecified);
            assert!((levels(&outside).outside.unwrap() - 1.0 / 3.0).abs() < 1e-6, "{depth} bits");
            let chroma = picture(depth, &[235 * step], 240 * step + 1, ColorRange::Limited);
            assert!((levels(&chroma).outside.unwrap() - 1.0 / 3.0).abs() < 1e-6, "{depth} bits");
            assert_eq!(levels(&picture(depth, &[0], 0, ColorRange::Full)).outside, None);
        }
    }

    #[test]
    fn dark_is_a_tenth_of_the_way_to_white() {
        assert_eq!(levels(&picture(8, &[16, 37], 128, ColorRange::Limited)).dark, 1.0);
        assert_eq!(levels(&picture(8, &[16, 38], 128, ColorRange::Limited)).dark, 0.5);
        assert_eq!(levels(&picture(10, &[64, 151], 512, ColorRange::Limited)).dark, 1.0);
        assert_eq!(levels(&picture(8, &[25, 26], 128, ColorRange::Full)).dark, 0.5);
    }

    #[test]
    fn slow_drift_ends_a_still_stretch_though_no_picture_differs_much_from_the_one_before() {
        let mut measurer = LevelMeasurer::new();
        let mut look = |luma: u16| measurer.measure(&picture(10, &[luma], 512, ColorRange::Limited)).unwrap();
        assert_eq!((look(500).still, look(500).still), (false, true));
        let one = look(501);
        assert!(one.still && one.moved.unwrap() > 0.0009, "{one:?}");
        assert!(!look(502).still, "2/1023 from where it began");
        assert_eq!(look(502).moved, Some(0.0));
    }

    #[test]
    fn a_plane_that_is_cut_short_is_refused() {
        let mut frame = picture(8, &[16], 128, ColorRange::Limited);
        frame.height = 6;
        assert_eq!(LevelMeasurer::new().measure(&frame).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
