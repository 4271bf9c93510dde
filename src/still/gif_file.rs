//! GIF: one palette for all pictures, ordered dither that stands still where the film does, and only what changed.

use std::borrow::Cow;

use gif::{DisposalMethod, Encoder, Frame, Repeat};

use crate::av::RgbPicture;
use crate::base::{Error, ErrorKind, Result};

/// What a GIF holds at most on a side.
const MAX_SIDE: u32 = 65_535;

/// Bits of each channel that colours are counted and looked up by.
const BITS: u32 = 5;
const CELLS: usize = 1 << (3 * BITS);

/// A 4 by 4 ordered dither (Bayer 1973), 0 to 15.
const BAYER: [[i32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

/// The bytes of a file: each picture with how long it is shown, in hundredths of a second. All are of one size.
///
/// # Errors
/// `Encode` where there is none, or the encoder fails.
pub(super) fn encode(pictures: &[(RgbPicture, u16)], colors: u16, repeat: bool) -> Result<Vec<u8>> {
    let failed = |e: gif::EncodingError| Error::new(ErrorKind::Encode, "cannot write the GIF").caused_by(e);
    let none = || Error::new(ErrorKind::Encode, "a GIF without pictures");
    let (first, _) = pictures.first().ok_or_else(none)?;
    let (width, height) = (first.width.min(MAX_SIDE), first.height.min(MAX_SIDE));
    let palette = palette(pictures, usize::from(colors).min(255));
    let clear = palette.len() as u8;
    let flat: Vec<u8> = palette.iter().copied().chain([[0; 3]]).flatten().collect();
    let spread = spread(palette.len());
    let mut nearest = Nearest::new(&palette);
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width as u16, height as u16, &flat).map_err(failed)?;
    encoder.set_repeat(if repeat { Repeat::Infinite } else { Repeat::Finite(0) }).map_err(failed)?;
    let mut shown: Vec<u8> = Vec::new();
    for (picture, delay) in pictures {
        let dots = indices(picture, &mut nearest, spread);
        let area = if shown.is_empty() { (0, 0, width, height) } else { changed(&shown, &dots, width) };
        let (left, top, w, h) = area;
        let mut buffer = Vec::with_capacity((w * h) as usize);
        for y in top..top + h {
            let row = (y * width + left) as usize..(y * width + left + w) as usize;
            let before = shown.get(row.clone()).unwrap_or_default();
            let dots = dots[row].iter().enumerate();
            buffer.extend(dots.map(|(at, dot)| if before.get(at) == Some(dot) { clear } else { *dot }));
        }
        let frame = Frame {
            delay: *delay,
            dispose: DisposalMethod::Keep,
            transparent: Some(clear),
            left: left as u16,
            top: top as u16,
            width: w as u16,
            height: h as u16,
            buffer: Cow::Owned(buffer),
            ..Frame::default()
        };
        encoder.write_frame(&frame).map_err(failed)?;
        shown = dots;
    }
    drop(encoder);
    Ok(out)
}

/// The smallest rectangle that holds all that differs: left, top, width, height; one dot where nothing does.
fn changed(before: &[u8], now: &[u8], width: u32) -> (u32, u32, u32, u32) {
    let places = || before.iter().zip(now).enumerate().filter(|(_, (a, b))| a != b).map(|(at, _)| at as u32);
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for at in places() {
        let (x, y) = (at % width, at / width);
        (left, right) = (left.min(x), right.max(x));
        (top, bottom) = (top.min(y), bottom.max(y));
    }
    if left > right { (0, 0, 1, 1) } else { (left, top, right - left + 1, bottom - top + 1) }
}

/// How far dither moves a channel: about the distance between colours.
fn spread(colors: usize) -> i32 {
    (256.0 / (colors.max(2) as f64).cbrt() * 0.6) as i32
}

fn indices(picture: &RgbPicture, nearest: &mut Nearest<'_>, spread: i32) -> Vec<u8> {
    let width = picture.width as usize;
    let dots = picture.bytes.as_chunks::<3>().0.iter().enumerate();
    let index = dots.map(|(at, dot)| {
        let by = (BAYER[at / width % 4][at % width % 4] * 2 - 15) * spread / 32;
        nearest.of(dot.map(|v| (i32::from(v) + by).clamp(0, 255) as u8))
    });
    index.collect()
}

fn cell(dot: [u8; 3]) -> usize {
    dot.iter().fold(0, |all, v| all << BITS | usize::from(v >> (8 - BITS)))
}

/// The nearest colour of a palette, remembered by cell.
struct Nearest<'a> {
    palette: &'a [[u8; 3]],
    known: Vec<u16>,
}

impl<'a> Nearest<'a> {
    const UNKNOWN: u16 = u16::MAX;

    fn new(palette: &'a [[u8; 3]]) -> Self {
        Nearest { palette, known: vec![Self::UNKNOWN; CELLS] }
    }

    fn of(&mut self, dot: [u8; 3]) -> u8 {
        let known = &mut self.known[cell(dot)];
        if *known == Self::UNKNOWN {
            let middle = dot.map(|v| (v & !7) | 4);
            let far = |color: &[u8; 3]| {
                // Green counts most, as for the eye.
                let weights = [3i32, 6, 1];
                let parts = color.iter().zip(middle).zip(weights);
                parts.map(|((a, b), weight)| weight * (i32::from(*a) - i32::from(b)).pow(2)).sum::<i32>()
            };
            let found = self.palette.iter().enumerate().min_by_key(|(_, color)| far(color));
            *known = found.map_or(0, |(at, _)| at as u16);
        }
        *known as u8
    }
}

/// Colours that fall into a cell: how many, and their sums.
#[derive(Clone, Copy, Default)]
struct CountedColors {
    count: u64,
    sums: [u64; 3],
    squares: [u64; 3],
}

impl CountedColors {
    fn add(&mut self, other: &CountedColors) {
        self.count += other.count;
        for n in 0..3 {
            self.sums[n] += other.sums[n];
            self.squares[n] += other.squares[n];
        }
    }

    /// The sum of squared distances from the mean, by channel.
    fn spread(&self) -> [f64; 3] {
        let n = self.count.max(1) as f64;
        std::array::from_fn(|c| self.squares[c] as f64 - (self.sums[c] as f64).powi(2) / n)
    }

    fn mean(&self) -> [u8; 3] {
        self.sums.map(|sum| (sum as f64 / self.count.max(1) as f64).round() as u8)
    }
}

/// The colours that stand for all: the box of the largest variance is cut at its mean, until there are enough (after
/// Wan, Wong and Prusinkiewicz 1988).
fn palette(pictures: &[(RgbPicture, u16)], most: usize) -> Vec<[u8; 3]> {
    let mut cells = vec![CountedColors::default(); CELLS];
    for dot in pictures.iter().flat_map(|(picture, _)| picture.bytes.as_chunks::<3>().0) {
        let found = &mut cells[cell(*dot)];
        found.count += 1;
        for (n, value) in dot.iter().enumerate() {
            let value = u64::from(*value);
            found.sums[n] += value;
            found.squares[n] += value * value;
        }
    }
    let all: Vec<CountedColors> = cells.into_iter().filter(|cell| cell.count > 0).collect();
    let sum = |part: &[CountedColors]| {
        part.iter().fold(CountedColors::default(), |mut sum, cell| {
            sum.add(cell);
            sum
        })
    };
    let mut boxes = vec![(sum(&all), all)];
    while boxes.len() < most.max(1) {
        let widest = |(total, _): &(CountedColors, Vec<CountedColors>)| total.spread().iter().sum::<f64>();
        let splits = boxes.iter().enumerate().filter(|(_, (_, cells))| cells.len() > 1);
        let Some((at, _)) = splits.max_by(|a, b| widest(a.1).total_cmp(&widest(b.1))) else { break };
        let (total, cells) = boxes.swap_remove(at);
        let spread = total.spread();
        let axis = (0..3).max_by(|a, b| spread[*a].total_cmp(&spread[*b])).unwrap_or(0);
        let middle = total.sums[axis] as f64 / total.count.max(1) as f64;
        let is_low = |cell: &CountedColors| cell.sums[axis] as f64 / cell.count as f64 <= middle;
        let (mut low, mut high): (Vec<_>, Vec<_>) = cells.into_iter().partition(is_low);
        if high.is_empty() {
            // All lie at the mean: any half will do.
            high = low.split_off(low.len() / 2);
        }
        boxes.push((sum(&low), low));
        boxes.push((sum(&high), high));
    }
    boxes.iter().map(|(total, _)| total.mean()).collect()
}

/// Size, pictures and length in hundredths of a second of a file.
///
/// # Errors
/// `Verification` where it cannot be decoded.
pub(super) fn decode(bytes: &[u8]) -> Result<(u32, u32, usize, u64)> {
    let failed = |e: gif::DecodingError| Error::new(ErrorKind::Verification, "the GIF cannot be decoded").caused_by(e);
    let mut decoder = gif::DecodeOptions::new().read_info(bytes).map_err(failed)?;
    let (mut count, mut length) = (0, 0);
    while let Some(frame) = decoder.read_next_frame().map_err(failed)? {
        count += 1;
        length += u64::from(frame.delay);
    }
    Ok((u32::from(decoder.width()), u32::from(decoder.height()), count, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(rgb: [u8; 3]) -> RgbPicture {
        RgbPicture { width: 8, height: 4, bytes: rgb.repeat(32) }
    }

    #[test]
    fn a_gif_has_its_pictures_its_length_and_few_colours() {
        let pictures = [(flat([255, 0, 0]), 8), (flat([255, 0, 0]), 8), (flat([0, 0, 255]), 9)];
        let bytes = encode(&pictures, 256, true).unwrap();
        assert_eq!(decode(&bytes).unwrap(), (8, 4, 3, 25));
        assert_eq!(palette(&pictures, 255).len(), 2);
        assert!(bytes.windows(11).any(|w| w == b"NETSCAPE2.0"), "it repeats");
        let once = encode(&pictures, 256, false).unwrap();
        assert_eq!(decode(&once).unwrap().2, 3);
    }

    #[test]
    fn a_palette_holds_the_colours_there_are_and_no_more_than_asked() {
        let dots: Vec<u8> = (0..=255u8).flat_map(|v| [v, 255 - v, 128]).collect();
        let picture = RgbPicture { width: 256, height: 1, bytes: dots };
        for most in [2, 16, 255] {
            assert!(palette(&[(picture.clone(), 1)], most).len() <= most);
        }
        let few = palette(&[(picture, 1)], 4);
        assert_eq!(few.len(), 4);
        assert!(few.iter().all(|[_, _, blue]| *blue == 128));
    }

    #[test]
    fn only_what_changed_is_written_again() {
        let (before, mut now) = (vec![0; 12], vec![0; 12]);
        assert_eq!(changed(&before, &now, 4), (0, 0, 1, 1));
        (now[5], now[10]) = (1, 1);
        assert_eq!(changed(&before, &now, 4), (1, 1, 2, 2));
    }
}
