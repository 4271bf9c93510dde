//! The 8→10 bit kernel in plain Rust: the reference the others are held to.
#![deny(unsafe_code)]

use super::rows::{Mapping, RowPairs};

/// 65536 / 85, rounded up: `(n * RECIPROCAL_85) >> 16` is `n / 85` for all n up to 339, which the test of every
/// code value covers.
pub(super) const RECIPROCAL_85: u16 = 772;

/// `(add, sub)` of a full-range mapping: the 10-bit value is `4x + (x + add) / 85 - sub`, not below 0.
///
/// 1023/255 is 4 + 1/85, so only the rounded 85th is left to add: 42 is half of 85, and chroma, which counts
/// from 128, moves the zero of the division by 128 − 42 = 86, kept positive by two whole steps.
pub(super) const fn full_range(mapping: Mapping) -> (u16, u16) {
    match mapping {
        Mapping::FullChroma => (2 * 85 - 86, 2),
        _ => (42, 0),
    }
}

/// One sample.
#[inline(always)]
pub(super) fn sample(mapping: Mapping, x: u8) -> u16 {
    let x = u16::from(x);
    match mapping {
        Mapping::Limited => x << 2,
        Mapping::FullLuma | Mapping::FullChroma => {
            let (add, sub) = full_range(mapping);
            let step = (u32::from(x + add) * u32::from(RECIPROCAL_85)) >> 16;
            ((x << 2) + step as u16).saturating_sub(sub)
        }
    }
}

/// All rows.
pub(super) fn widen(mapping: Mapping, mut rows: RowPairs<'_>) {
    let mut each = |mapping| {
        rows.for_each(|src, dst| {
            for (out, &x) in dst.iter_mut().zip(src) {
                *out = sample(mapping, x);
            }
        });
    };
    // Spelt out so that each loop is compiled with its mapping known.
    match mapping {
        Mapping::Limited => each(Mapping::Limited),
        Mapping::FullLuma => each(Mapping::FullLuma),
        Mapping::FullChroma => each(Mapping::FullChroma),
    }
}
