//! What a picture is like, for cutting films and predicting how hard they are: measured on luma alone.
//!
//! Scene changes are found as x264 finds them: a picture begins a scene when predicting its blocks from the picture
//! before costs as much as predicting each block from its own mean. That is done on luma averaged down to about 160
//! columns, where a search of a few samples reaches far and noise is gone.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, PixelFormat};

/// About how many columns the small picture has.
const COLUMNS: usize = 160;

/// Side of the blocks that are predicted, in small samples.
const BLOCK: usize = 8;

/// How far a block is looked for in the picture before, in small samples: 1/40 of the width.
const REACH: usize = 4;

/// A block's cost that is noise, a sample, in 1/16 of an 8-bit step: keeps black from being all changes.
const NOISE: u64 = 8;

/// A picture this unlike the one before may be a flash, so the next is held against both.
const SUSPECT: f32 = 0.25;

/// Every how many-th row is looked at for detail.
const DETAIL_ROWS: usize = 8;

/// One picture's measures; all in units that do not depend on the bit depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PictureMeasure {
    /// How unlike the picture before it is: the cost of predicting it from that one against predicting it from
    /// itself, 0 to 1, a half where they are equal. 0 for the first picture.
    pub change: f32,
    /// The same against the picture two before: low after a flash of one picture. Only known where the picture
    /// before may have begun a scene; else the same as `change`.
    pub change_from_second: f32,
    /// Fine detail: mean of `|2p(x) − p(x−1) − p(x+1)|` over sampled rows at full size, in 8-bit steps.
    pub detail: f32,
    /// What motion compensation leaves: mean difference of small samples, in 8-bit steps.
    pub motion: f32,
    /// Mean luma, 0 to 1 of full scale.
    pub brightness: f32,
}

impl PictureMeasure {
    /// Whether a measurer that saw no more than one picture before found the very same.
    pub(crate) fn is_of_the_same(&self, other: &PictureMeasure) -> bool {
        let exact = |m: &PictureMeasure| [m.detail, m.motion, m.brightness].map(f32::to_bits);
        exact(self) == exact(other)
    }
}

/// Measures pictures in display order. Remembers the last two.
#[derive(Default)]
pub struct PictureMeasurer {
    last: VecDeque<Small>,
    last_change: f32,
}

/// A block's samples by row.
type LumaBlock = [[u16; BLOCK]; BLOCK];

/// A picture averaged down; samples in 1/16 of an 8-bit step.
struct Small {
    width: usize,
    height: usize,
    samples: Vec<u16>,
}

impl PictureMeasurer {
    /// A meter that saw no picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures the next picture.
    ///
    /// # Errors
    /// `Unsupported` for formats that are not planar (the converter makes them so) and planes that are cut short.
    pub fn measure(&mut self, frame: &Frame) -> Result<PictureMeasure> {
        let PixelFormat::Planar { depth, .. } = frame.format else {
            return Err(
                Error::new(ErrorKind::Unsupported, "a picture that is not planar cannot be measured").at(frame.pts)
            );
        };
        let (width, height) = frame.plane_size(0);
        let luma = Luma { bytes: frame.planes.plane(0), stride: frame.planes.stride(0), width, height, depth };
        let (small, detail) = luma
            .shrink()
            .zip(luma.detail())
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "the luma plane is cut short").at(frame.pts))?;
        let area = (small.samples.len() as f64).max(1.0);
        let brightness = small.samples.iter().map(|&s| u64::from(s)).sum::<u64>() as f64 / area / (16.0 * 255.0);
        let intra = small.intra();
        let against = |old: Option<&Small>| match old {
            Some(old) if (old.width, old.height) == (small.width, small.height) => Some(small.inter(old)),
            _ => None,
        };
        let one = against(self.last.front());
        let share = |inter: Option<u64>| {
            let Some(inter) = inter else { return 0.0 };
            let floor = NOISE * small.samples.len() as u64;
            (inter as f64 / (inter + intra + floor).max(1) as f64) as f32
        };
        let change = share(one);
        let second = self.last_change >= SUSPECT;
        let measure = PictureMeasure {
            change,
            change_from_second: if second { share(against(self.last.get(1))) } else { change },
            detail: detail as f32,
            motion: (one.unwrap_or(0) as f64 / area / 16.0) as f32,
            brightness: brightness as f32,
        };
        self.last_change = change;
        self.last.truncate(1);
        self.last.push_front(small);
        Ok(measure)
    }
}

struct Luma<'a> {
    bytes: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
    depth: u8,
}

impl Luma<'_> {
    fn row(&self, y: usize) -> Option<&[u8]> {
        let bytes = self.width * if self.depth > 8 { 2 } else { 1 };
        self.bytes.get(y.checked_mul(self.stride)?..)?.get(..bytes)
    }

    /// Averages squares of samples.
    fn shrink(&self) -> Option<Small> {
        let side = (self.width / COLUMNS).max(1);
        let (width, height) = (self.width / side, self.height / side);
        let mut samples = Vec::with_capacity(width * height);
        // Down the columns first: that is what vectorises.
        let mut columns = vec![0u32; width * side];
        // Samples of any depth come to 1/16 of an 8-bit step: 12 bits in all.
        let scale = |sum: u32| {
            let count = (side * side) as u64;
            ((u64::from(sum) << 12 >> self.depth.min(16)) / count) as u16
        };
        for y in 0..height {
            columns.fill(0);
            for row in y * side..(y + 1) * side {
                let row = self.row(row)?;
                if self.depth > 8 {
                    add(&mut columns, row.as_chunks::<2>().0, |s| u32::from(u16::from_ne_bytes(*s)));
                } else {
                    add(&mut columns, row, |s| u32::from(*s));
                }
            }
            samples.extend(columns.chunks_exact(side).map(|square| scale(square.iter().sum())));
        }
        Some(Small { width, height, samples })
    }

    /// Mean second difference along sampled rows, in 8-bit steps.
    fn detail(&self) -> Option<f64> {
        let (mut sum, mut count) = (0u64, 0u64);
        for y in (0..self.height).step_by(DETAIL_ROWS) {
            let row = self.row(y)?;
            sum += if self.depth > 8 {
                second_differences(row.as_chunks::<2>().0, |s| i32::from(u16::from_ne_bytes(*s)))
            } else {
                second_differences(row, |s| i32::from(*s))
            };
            count += self.width.saturating_sub(2) as u64;
        }
        Some(sum as f64 / count.max(1) as f64 / f64::from(1u32 << (self.depth.clamp(8, 16) - 8)))
    }
}

fn add<S>(columns: &mut [u32], row: &[S], value: impl Fn(&S) -> u32) {
    columns.iter_mut().zip(row).for_each(|(sum, sample)| *sum += value(sample));
}

fn second_differences<S>(row: &[S], value: impl Fn(&S) -> i32) -> u64 {
    let Some(inner) = row.len().checked_sub(2) else { return 0 };
    // Slices of one length each, so that it vectorises; a row's sum fits 32 bits.
    let (left, centre, right) = (&row[..inner], &row[1..=inner], &row[2..]);
    let triples = left.iter().zip(centre).zip(right);
    let sum: u32 = triples.map(|((a, b), c)| (2 * value(b) - value(a) - value(c)).unsigned_abs()).sum();
    u64::from(sum)
}

impl Small {
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (across, down) = (self.width / BLOCK, self.height / BLOCK);
        (0..down).flat_map(move |y| (0..across).map(move |x| (x * BLOCK, y * BLOCK)))
    }

    /// The samples of one row of the block at `(x, y)`, which lies within the picture.
    fn row_at(&self, x: usize, y: usize) -> &[u16; BLOCK] {
        self.samples[y * self.width + x..].first_chunk().expect("a block within the picture")
    }

    /// The cost of predicting each block from its own mean.
    fn intra(&self) -> u64 {
        let cost = |(x, y)| {
            let sum: u32 = (0..BLOCK).flat_map(|r| self.row_at(x, y + r)).map(|&s| u32::from(s)).sum();
            let mean = (sum / (BLOCK * BLOCK) as u32) as u16;
            (0..BLOCK).flat_map(|r| self.row_at(x, y + r)).map(|&s| u64::from(s.abs_diff(mean))).sum::<u64>()
        };
        self.blocks().map(cost).sum()
    }

    /// The cost of predicting each block from the best place near it in `old`.
    fn inter(&self, old: &Small) -> u64 {
        self.blocks().map(|(x, y)| u64::from(self.best_match(old, x, y))).sum()
    }

    fn best_match(&self, old: &Small, x: usize, y: usize) -> u32 {
        let block: LumaBlock = std::array::from_fn(|r| *self.row_at(x, y + r));
        let reach = |at: usize, size: usize| at.saturating_sub(REACH)..=(at + REACH).min(size - BLOCK);
        let places = reach(y, self.height).flat_map(|oy| reach(x, self.width).map(move |ox| (ox, oy)));
        places.map(|(ox, oy)| old.difference(&block, ox, oy)).min().unwrap_or(u32::MAX)
    }

    /// The sum of absolute differences between `block` and the samples from `(x, y)`.
    fn difference(&self, block: &LumaBlock, x: usize, y: usize) -> u32 {
        // Samples have 12 bits, so the sums of eight fit in 16: one register a row.
        let mut lanes = [0u16; BLOCK];
        for (r, new) in block.iter().enumerate() {
            for ((lane, a), b) in lanes.iter_mut().zip(new).zip(self.row_at(x, y + r)) {
                *lane += a.abs_diff(*b);
            }
        }
        lanes.iter().map(|&lane| u32::from(lane)).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::{Rational, Timestamp};
    use crate::media::{Color, FramePool, HdrStatic};

    /// A picture whose luma is `value(x, y)` in 8-bit steps.
    fn picture(format: PixelFormat, width: u32, height: u32, value: impl Fn(usize, usize) -> u8) -> Frame {
        let wide = format == PixelFormat::YUV420P10;
        let mut buffer = FramePool::new(format, width, height).take();
        let (luma, stride) = buffer.planes_mut().into_iter().next().unwrap();
        for (y, row) in luma.chunks_mut(stride).enumerate().take(height as usize) {
            for x in 0..width as usize {
                match wide {
                    true => row[2 * x..2 * x + 2].copy_from_slice(&(u16::from(value(x, y)) << 2).to_ne_bytes()),
                    false => row[x] = value(x, y),
                }
            }
        }
        Frame {
            index: 0,
            pts: Timestamp::new(0, Rational::MILLI),
            duration: None,
            width,
            height,
            format,
            color: Color::default(),
            hdr: HdrStatic::default(),
            dynamic: Default::default(),
            planes: Arc::new(buffer),
        }
    }

    /// Blobs of a size that the small picture keeps; another seed is another scene.
    fn texture(seed: usize, dx: usize) -> impl Fn(usize, usize) -> u8 {
        move |x, y| {
            let mix = |h: u64, v: usize| (h ^ v as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
            (mix(mix(mix(seed as u64, (x + dx) / 20), y / 20), seed) >> 40) as u8
        }
    }

    fn sequence(pictures: &[Frame]) -> Vec<PictureMeasure> {
        let mut meter = PictureMeasurer::new();
        pictures.iter().map(|p| meter.measure(p).unwrap()).collect()
    }

    fn hd(value: impl Fn(usize, usize) -> u8) -> Frame {
        picture(PixelFormat::YUV420P8, 1280, 720, value)
    }

    #[test]
    fn motion_is_no_change_of_scene_and_another_picture_is() {
        let seen = sequence(&[hd(texture(1, 0)), hd(texture(1, 0)), hd(texture(1, 16)), hd(texture(2, 0))]);
        assert_eq!((seen[0].change, seen[1].change, seen[1].motion), (0.0, 0.0, 0.0));
        assert!(seen[2].change < 0.2, "a pan: {:?}", seen[2]);
        assert!(seen[3].change > 0.45, "another scene: {:?}", seen[3]);
        assert!(seen[3].motion > 10.0 * seen[2].motion.max(0.1), "{:?}", seen[3]);
    }

    #[test]
    fn after_a_flash_the_picture_is_like_the_one_two_before() {
        let seen =
            sequence(&[hd(texture(1, 0)), hd(|_, _| 255), hd(texture(1, 0)), hd(texture(2, 0)), hd(texture(2, 0))]);
        assert!(seen[2].change > 0.4 && seen[2].change_from_second < 0.1, "{:?}", seen[2]);
        assert!(seen[4].change < 0.1 && seen[4].change_from_second > 0.45, "after a cut: {:?}", seen[4]);
    }

    #[test]
    fn measures_do_not_depend_on_the_depth() {
        let of = |format| sequence(&[1, 2].map(|seed| picture(format, 640, 360, texture(seed, 0))));
        let (eight, ten) = (of(PixelFormat::YUV420P8), of(PixelFormat::YUV420P10));
        assert_eq!(eight, ten);
        assert!(eight[0].detail > 1.0 && (0.3..0.7).contains(&eight[0].brightness), "{:?}", eight[0]);
    }

    #[test]
    fn pictures_without_room_for_a_block_are_measured_and_those_cut_short_refused() {
        for (width, height) in [(2, 2), (2, 500), (500, 2), (8, 8), (160, 7)] {
            let of = |seed| picture(PixelFormat::YUV420P8, width, height, texture(seed, 0));
            let seen = sequence(&[of(1), of(2)]);
            assert!((0.0..=1.0).contains(&seen[1].change), "{width}x{height}: {:?}", seen[1]);
        }
        let mut cut = hd(|_, _| 0);
        cut.height = 4000;
        assert_eq!(PictureMeasurer::new().measure(&cut).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_picture_of_another_shape_is_held_against_nothing() {
        let seen = sequence(&[hd(texture(1, 0)), picture(PixelFormat::YUV420P8, 640, 480, texture(2, 0))]);
        assert_eq!(seen[1].change, 0.0);
    }
}
