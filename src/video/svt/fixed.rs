//! Colour and HDR metadata as the numbers AV1 stores (AV1 specification 5.8.3, 5.8.4 and 6.7.3, 6.7.4).
#![deny(unsafe_code)]

use crate::base::Rational;
use crate::media::{ChromaLocation, Color, ColorRange, ContentLight, MasteringDisplay};

/// `chroma_sample_position` (AV1 6.4.2): 0 unknown, 1 vertical (left), 2 colocated (top left).
///
/// AV1 cannot say the other positions; Matroska can.
pub(super) fn chroma_sample_position(location: ChromaLocation) -> u8 {
    match location {
        ChromaLocation::Left => 1,
        ChromaLocation::TopLeft => 2,
        _ => 0,
    }
}

/// `[color_primaries, transfer_characteristics, matrix_coefficients]`; reserved codes become 2, unspecified.
pub(super) fn code_points(color: &Color) -> [u8; 3] {
    let known = |code: u8| if matches!(code, 0 | 3) { 2 } else { code };
    // Matrix 0 is RGB, which 4:2:0 pictures never are: whoever converted them left it behind.
    [known(color.primaries.0), known(color.transfer.0), known(color.matrix.0)]
}

/// `color_range`: whether samples use the full swing.
pub(super) fn is_full_range(color: &Color) -> bool {
    color.range == ColorRange::Full
}

/// `metadata_hdr_mdcv`: chromaticities in 0.16, luminance in 24.8 and 18.14 fixed point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mdcv {
    /// Red, green, blue, white; each `[x, y]`.
    pub(super) points: [[u16; 2]; 4],
    pub(super) max_luminance: u32,
    pub(super) min_luminance: u32,
}

/// The nearest fixed-point numbers, saturating at what the fields hold.
pub(super) fn mdcv(display: &MasteringDisplay) -> Mdcv {
    let xy = |p: [Rational; 2]| p.map(|c| fixed(c, 16, u64::from(u16::MAX)) as u16);
    Mdcv {
        points: [xy(display.red), xy(display.green), xy(display.blue), xy(display.white)],
        max_luminance: fixed(display.max_luminance, 8, u64::from(u32::MAX)) as u32,
        min_luminance: fixed(display.min_luminance, 14, u64::from(u32::MAX)) as u32,
    }
}

/// `metadata_hdr_cll`: `[max_cll, max_fall]`, saturating at 16 bits.
pub(super) fn cll(light: &ContentLight) -> [u16; 2] {
    [light.max_cll, light.max_fall].map(|v| u16::try_from(v).unwrap_or(u16::MAX))
}

/// `value × 2^bits`, rounded to nearest (halves up), within `0..=max`.
fn fixed(value: Rational, bits: u32, max: u64) -> u64 {
    let num = i128::from(value.num()) << bits;
    let den = i128::from(value.den());
    let nearest = (2 * num + den).div_euclid(2 * den);
    nearest.clamp(0, i128::from(max)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Matrix, Primaries, Transfer};

    fn r(num: i32, den: i32) -> Rational {
        Rational::new(num, den).unwrap()
    }

    #[test]
    fn hdr10_metadata_takes_the_values_of_the_specification() {
        // BT.2020 primaries as HEVC writes them, in units of 0.00002 and 0.0001 cd/m².
        let display = MasteringDisplay {
            red: [r(35_400, 50_000), r(14_600, 50_000)],
            green: [r(8_500, 50_000), r(39_850, 50_000)],
            blue: [r(6_550, 50_000), r(2_300, 50_000)],
            white: [r(15_635, 50_000), r(16_450, 50_000)],
            min_luminance: r(1, 10_000),
            max_luminance: r(10_000_000, 10_000),
        };
        let fixed = mdcv(&display);
        assert_eq!(fixed.points, [[46_399, 19_137], [11_141, 52_232], [8_585, 3_015], [20_493, 21_561]]);
        assert_eq!((fixed.max_luminance, fixed.min_luminance), (256_000, 2));
    }

    #[test]
    fn impossible_values_saturate() {
        assert_eq!(fixed(r(1, 1), 16, u64::from(u16::MAX)), 65_535);
        assert_eq!(fixed(r(-1, 2), 16, u64::from(u16::MAX)), 0);
        assert_eq!(fixed(r(i32::MAX, 1), 14, u64::from(u32::MAX)), u64::from(u32::MAX));
        assert_eq!(cll(&ContentLight { max_cll: 100_000, max_fall: 400 }), [65_535, 400]);
    }

    #[test]
    fn code_points_pass_through_and_reserved_ones_become_unspecified() {
        let pq = Color { primaries: Primaries(9), transfer: Transfer(16), matrix: Matrix(9), ..Color::default() };
        assert_eq!(code_points(&pq), [9, 16, 9]);
        let odd = Color { primaries: Primaries(0), transfer: Transfer(3), matrix: Matrix(0), ..Color::default() };
        assert_eq!(code_points(&odd), [2, 2, 2]);
    }
}
