//! What a picture is like, for cutting films and predicting how hard they are: measured on luma alone.
//!
//! Scene changes are found as x264 finds them: a picture begins a scene when predicting its blocks from the picture
//! before costs as much as predicting each block from its own mean. That is done on luma averaged down to about 160
//! columns, where a search of a few samples reaches far and noise is gone.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, PixelFormat};

/// About how many columns the small picture has.
const COLUMNS: usize = 160;

/// Side of the blocks that are predicted, in small samples.
const BLOCK: usize = 8;

/// How far a block is looked for in the picture before, in small samples: 1/40 of the width.
const REACH: isize = 4;

/// A block's cost that is noise, a sample, in 1/16 of an 8-bit step: keeps black from being all changes.
const NOISE: u64 = 8;

/// Every how many-th row is looked at for detail.
const DETAIL_ROWS: usize = 8;

/// One picture's measures; all in units that do not depend on the bit depth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureMeasure {
    /// How unlike the picture before it is: the cost of predicting it from that one against predicting it from
    /// itself, 0 to 1, a half where they are equal. 0 for the first picture.
    pub change: f32,
    /// The same against the picture two before: low after a flash of one picture.
    pub change_from_second: f32,
    /// Fine detail: mean of `|2p(x) − p(x−1) − p(x+1)|` over sampled rows at full size, in 8-bit steps.
    pub detail: f32,
    /// What motion compensation leaves: mean difference of small samples, in 8-bit steps.
    pub motion: f32,
    /// Mean luma, 0 to 1 of full scale.
    pub brightness: f32,
}

/// Measures pictures in display order. Remembers the last two.
#[derive(Default)]
pub struct PictureMeter {
    last: VecDeque<Small>,
}

/// A picture averaged down; samples in 1/16 of an 8-bit step.
struct Small {
    width: usize,
    height: usize,
    samples: Vec<u16>,
}

impl PictureMeter {
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
        let (one, two) = (against(self.last.front()), against(self.last.get(1)));
        let share = |inter: Option<u64>| {
            let Some(inter) = inter else { return 0.0 };
            let floor = NOISE * small.samples.len() as u64;
            (inter as f64 / (inter + intra + floor).max(1) as f64) as f32
        };
        let measure = PictureMeasure {
            change: share(one),
            change_from_second: share(two),
            detail: detail as f32,
            motion: (one.unwrap_or(0) as f64 / area / 16.0) as f32,
            brightness: brightness as f32,
        };
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
        let mut sums = vec![0u32; width];
        // Samples of any depth come to 1/16 of an 8-bit step: 12 bits in all.
        let scale = |sum: u32| {
            let count = (side * side) as u64;
            ((u64::from(sum) << 12 >> self.depth.min(16)) / count) as u16
        };
        for y in 0..height {
            sums.fill(0);
            for row in y * side..(y + 1) * side {
                let row = self.row(row)?;
                if self.depth > 8 {
                    add_squares(&mut sums, row.as_chunks::<2>().0, side, |s| u32::from(u16::from_ne_bytes(*s)));
                } else {
                    add_squares(&mut sums, row, side, |s| u32::from(*s));
                }
            }
            samples.extend(sums.iter().map(|&sum| scale(sum)));
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

fn add_squares<S>(sums: &mut [u32], row: &[S], side: usize, value: impl Fn(&S) -> u32) {
    for (sum, samples) in sums.iter_mut().zip(row.chunks_exact(side)) {
        *sum += samples.iter().map(&value).sum::<u32>();
    }
}

fn second_differences<S>(row: &[S], value: impl Fn(&S) -> i32) -> u64 {
    let triples = row.iter().zip(row.iter().skip(1)).zip(row.iter().skip(2));
    triples.map(|((a, b), c)| u64::from((2 * value(b) - value(a) - value(c)).unsigned_abs())).sum()
}

impl Small {
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (across, down) = (self.width / BLOCK, self.height / BLOCK);
        (0..down).flat_map(move |y| (0..across).map(move |x| (x * BLOCK, y * BLOCK)))
    }

    fn block_row(&self, x: usize, y: usize) -> &[u16] {
        &self.samples[y * self.width + x..][..BLOCK]
    }

    /// The cost of predicting each block from its own mean.
    fn intra(&self) -> u64 {
        let cost = |(x, y)| {
            let sum: u32 = (0..BLOCK).flat_map(|r| self.block_row(x, y + r)).map(|&s| u32::from(s)).sum();
            let mean = (sum / (BLOCK * BLOCK) as u32) as u16;
            (0..BLOCK).flat_map(|r| self.block_row(x, y + r)).map(|&s| u64::from(s.abs_diff(mean))).sum::<u64>()
        };
        self.blocks().map(cost).sum()
    }

    /// The cost of predicting each block from the best place near it in `old`.
    fn inter(&self, old: &Small) -> u64 {
        self.blocks().map(|(x, y)| u64::from(self.best_match(old, x, y))).sum()
    }

    fn best_match(&self, old: &Small, x: usize, y: usize) -> u32 {
        let within = |at: usize, by: isize, size: usize| {
            let moved = at.checked_add_signed(by)?;
            (moved + BLOCK <= size).then_some(moved)
        };
        let mut best = u32::MAX;
        for dy in -REACH..=REACH {
            let Some(oy) = within(y, dy, self.height) else { continue };
            for dx in -REACH..=REACH {
                let Some(ox) = within(x, dx, self.width) else { continue };
                let mut cost = 0;
                for r in 0..BLOCK {
                    let (new, old) = (self.block_row(x, y + r), old.block_row(ox, oy + r));
                    cost += new.iter().zip(old).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
                }
                best = best.min(cost);
            }
        }
        best
    }
}
