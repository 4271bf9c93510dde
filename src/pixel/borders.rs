//! How bright each row and column of a picture's luma is: what black bars are found by.
//!
//! Mean and maximum of each, in one pass. The mean tells a bar from a picture through noise and ringing; the maximum
//! tells of a logo or a subtitle that stands in a bar.
#![deny(unsafe_code)]

use super::borders_scalar::{Sample, Sum, add_rows};
use super::widen::Level;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, PixelFormat};

/// One row or column of luma.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Mean of its samples, in code values of the picture's own depth.
    pub mean: f32,
    /// The brightest of them.
    pub max: u16,
}

/// All rows and columns of a picture's luma.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Borders {
    /// From the top.
    pub rows: Vec<Line>,
    /// From the left.
    pub columns: Vec<Line>,
    /// Bits a sample.
    pub depth: u8,
}

/// Measures the luma of `frame` with the kernel `level`; all give the same.
///
/// # Errors
/// `Unsupported` for formats that are not planar (the converter makes them so) and planes that are cut short.
pub fn borders(level: Level, frame: &Frame) -> Result<Borders> {
    let PixelFormat::Planar { depth, .. } = frame.format else {
        return Err(Error::new(ErrorKind::Unsupported, "a picture that is not planar cannot be measured").at(frame.pts));
    };
    let (width, height) = frame.plane_size(0);
    let plane = Plane { bytes: frame.planes.plane(0), stride: frame.planes.stride(0), width, height };
    let measured = match depth {
        0..=8 => plane.measure::<u8, u16>(level, |row| row),
        _ => plane.measure::<[u8; 2], u32>(level, |row| row.as_chunks().0),
    };
    let lines =
        measured.ok_or_else(|| Error::new(ErrorKind::Unsupported, "the luma plane is cut short").at(frame.pts))?;
    Ok(Borders { depth, ..lines })
}

struct Plane<'a> {
    bytes: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl Plane<'_> {
    fn measure<S: Sample, A: Sum>(&self, level: Level, samples: impl Fn(&[u8]) -> &[S]) -> Option<Borders> {
        let (mut sums, mut maxima) = (vec![A::default(); self.width], vec![S::Value::default(); self.width]);
        let mut totals = vec![0u64; self.width];
        let mut rows = Vec::with_capacity(self.height);
        let row = |y: usize| {
            let bytes = self.bytes.get(y.checked_mul(self.stride)?..)?.get(..self.width * size_of::<S>())?;
            Some(samples(bytes))
        };
        // The row below the last of an odd number: black, which changes no sum and no maximum.
        let black = vec![0; self.width * size_of::<S>()];
        for y in (0..self.height).step_by(2) {
            let pair = [row(y)?, if y + 1 < self.height { row(y + 1)? } else { samples(&black) }];
            let lines = match level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => super::borders_avx2::add_rows(pair, &mut sums, &mut maxima),
                _ => add_rows(pair, &mut sums, &mut maxima),
            };
            rows.extend(lines.map(|(sum, max)| Line { mean: (sum as f64 / self.width.max(1) as f64) as f32, max }));
            if (y + 2) % A::ROWS == 0 || y + 2 >= self.height {
                for (total, sum) in totals.iter_mut().zip(&mut sums) {
                    *total += std::mem::take(sum).total();
                }
            }
        }
        rows.truncate(self.height);
        let mean = |total: u64| (total as f64 / self.height.max(1) as f64) as f32;
        let columns =
            totals.into_iter().zip(maxima).map(|(total, max)| Line { mean: mean(total), max: max.into() }).collect();
        Some(Borders { rows, columns, depth: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows and columns one by one, as the definition has them.
    fn plain(samples: &[Vec<u16>]) -> (Vec<Line>, Vec<Line>) {
        let line = |values: Vec<u16>| Line {
            mean: (values.iter().map(|&v| u64::from(v)).sum::<u64>() as f64 / values.len() as f64) as f32,
            max: values.iter().copied().max().unwrap_or(0),
        };
        let columns = (0..samples[0].len()).map(|x| line(samples.iter().map(|row| row[x]).collect())).collect();
        (samples.iter().map(|row| line(row.clone())).collect(), columns)
    }

    #[test]
    fn every_kernel_measures_what_the_definition_says() {
        for (width, height, depth) in [(1, 1, 8u8), (33, 7, 8), (64, 600, 8), (5000, 3, 8), (37, 300, 10), (70, 5, 16)]
        {
            let white = (1u32 << depth) - 1;
            let value = |x: usize, y: usize| match (x * 31 + y * 17) % 5 {
                0 => white as u16,
                n => ((x * 7919 + y * 104_729) as u32 % (white / n as u32)) as u16,
            };
            let samples: Vec<Vec<u16>> = (0..height).map(|y| (0..width).map(|x| value(x, y)).collect()).collect();
            let bytes = |v: &u16| if depth > 8 { v.to_ne_bytes().to_vec() } else { vec![*v as u8] };
            // Rows are farther apart than they are long, and the last ends with its last sample.
            let stride = width * bytes(&0).len() + 5;
            let mut memory = Vec::new();
            for row in &samples {
                memory.resize(memory.len().next_multiple_of(stride), 0xEE);
                memory.extend(row.iter().flat_map(bytes));
            }
            let plane = Plane { bytes: &memory, stride, width, height };
            let (rows, columns) = plain(&samples);
            for level in Level::available() {
                let found = match depth {
                    8 => plane.measure::<u8, u16>(level, |row| row),
                    _ => plane.measure::<[u8; 2], u32>(level, |row| row.as_chunks().0),
                };
                let found = found.expect("a whole plane");
                assert!(found.rows == rows && found.columns == columns, "{width}x{height} {depth} bit, {level:?}");
            }
            let cut = Plane { bytes: &memory[..memory.len() - 1], ..plane };
            assert!(cut.measure::<u8, u16>(Level::Scalar, |row| row).is_none() || depth > 8);
        }
    }
}
