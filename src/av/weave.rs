//! How well the fields of a picture fit each other, held against fields of its neighbours.
//!
//! idet compares a picture's fields with those of its neighbours, and never with each other: what moves up or down by an
//! odd number of rows a picture (a tilt of the camera, rolling titles) is interlaced to it.
#![deny(unsafe_code)]

use super::ffi::frame::VideoFrame;
use crate::media::{PixelFormat, Planes};

/// Of eight rows two are looked at, one of each field.
const EVERY: usize = 8;

/// The combing of `cur` by itself, divided by the combing of the better of its weaves with fields of `prev` and `next`.
///
/// Whole pictures with motion have less than 1, what is interlaced or telecined about 1 or more, what stands still 1.
/// Pictures of different shapes or without planes have 1.
pub(super) fn weave(prev: &VideoFrame, cur: &VideoFrame, next: &VideoFrame) -> f32 {
    let PixelFormat::Planar { depth, .. } = cur.format() else { return 1.0 };
    let same = |other: &VideoFrame| (other.format(), other.size()) == (cur.format(), cur.size());
    if !same(prev) || !same(next) {
        return 1.0;
    }
    let combs = if depth > 8 { combs::<2> } else { combs::<1> };
    let (own, woven) = combs(prev, cur, next);
    // A picture without any detail fits everything.
    match woven[0].min(woven[1]) {
        0 => 1.0,
        best => (own as f64 / best as f64) as f32,
    }
}

/// The combing of `cur`; and of its weaves with the fields nearest in time, were the top field the first, and were it
/// the second.
fn combs<const BYTES: usize>(prev: &VideoFrame, cur: &VideoFrame, next: &VideoFrame) -> (u64, [u64; 2]) {
    let (width, height) = cur.size();
    let (width, height) = (width as usize, height as usize);
    let row = |picture: &VideoFrame, y: usize| {
        let at = y * picture.stride(0);
        at..at + width * BYTES
    };
    let (mut own, mut woven) = (0, [0; 2]);
    for y in (2..height.saturating_sub(2)).filter(|y| y % EVERY < 2) {
        let of = |picture: &VideoFrame, middle: &VideoFrame| {
            let (luma, between) = (picture.plane(0), middle.plane(0));
            let lines = (luma.get(row(picture, y - 1)), between.get(row(middle, y)), luma.get(row(picture, y + 1)));
            let (Some(above), Some(middle), Some(below)) = lines else { return 0 };
            comb::<BYTES>(above, middle, below)
        };
        own += of(cur, cur);
        woven[y % 2] += of(cur, prev);
        woven[1 - y % 2] += of(cur, next);
    }
    (own, woven)
}

/// The sum of |above − 2 middle + below| over a row of samples of `BYTES` bytes.
fn comb<const BYTES: usize>(above: &[u8], middle: &[u8], below: &[u8]) -> u64 {
    let sample = |bytes: &[u8; BYTES]| match bytes.as_slice() {
        [byte] => i32::from(*byte),
        [a, b, ..] => i32::from(u16::from_ne_bytes([*a, *b])),
        [] => 0,
    };
    let ((above, _), (middle, _), (below, _)) = (above.as_chunks(), middle.as_chunks(), below.as_chunks());
    let rows = above.iter().zip(middle).zip(below);
    rows.map(|((a, m), b)| u64::from((sample(a) - 2 * sample(m) + sample(b)).unsigned_abs())).sum()
}
