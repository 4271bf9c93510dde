//! How a film's picture is shown, as one of its frames has it.

use serde::{Deserialize, Serialize};

use super::{
    ChromaLocation, Color, ColorRange, ContentLight, Frame, HdrStatic, MasteringDisplay, Matrix, Primaries, Transfer,
};
use crate::base::Rational;

/// Size, colour and static HDR metadata of a frame: what a track says of its pictures. Written down exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Codes", into = "Codes")]
pub struct Shown {
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// Colour.
    pub color: Color,
    /// Static HDR metadata.
    pub hdr: HdrStatic,
}

impl Shown {
    /// Of a frame.
    pub fn of(first: &Frame) -> Self {
        Shown { width: first.width, height: first.height, color: first.color, hdr: first.hdr }
    }
}

/// The same by its numbers: reports have names and decimal fractions, which do not come back as they were.
#[derive(Serialize, Deserialize)]
struct Codes {
    width: u32,
    height: u32,
    /// Primaries, transfer, matrix (H.273).
    color: [u8; 3],
    range: ColorRange,
    chroma_location: ChromaLocation,
    /// Red, green, blue, white (x, y each), least and greatest luminance; numerator and denominator of each.
    mastering_display: Option<[(i32, i32); 10]>,
    /// MaxCLL and MaxFALL.
    content_light: Option<(u32, u32)>,
}

impl From<Shown> for Codes {
    fn from(shown: Shown) -> Self {
        let Color { primaries, transfer, matrix, range, chroma_location } = shown.color;
        let fractions = |m: MasteringDisplay| {
            let [red, green, blue, white] = [m.red, m.green, m.blue, m.white];
            let all = [
                red[0],
                red[1],
                green[0],
                green[1],
                blue[0],
                blue[1],
                white[0],
                white[1],
                m.min_luminance,
                m.max_luminance,
            ];
            all.map(|r| (r.num(), r.den()))
        };
        Codes {
            width: shown.width,
            height: shown.height,
            color: [primaries.0, transfer.0, matrix.0],
            range,
            chroma_location,
            mastering_display: shown.hdr.mastering_display.map(fractions),
            content_light: shown.hdr.content_light.map(|l| (l.max_cll, l.max_fall)),
        }
    }
}

impl From<Codes> for Shown {
    fn from(codes: Codes) -> Self {
        let [primaries, transfer, matrix] = codes.color;
        let display = |numbers: [(i32, i32); 10]| {
            // A fraction that is none means that the file was changed; the metadata then counts as missing.
            let r: Vec<Rational> = numbers.iter().filter_map(|&(num, den)| Rational::new(num, den)).collect();
            let &[rx, ry, gx, gy, bx, by, wx, wy, min_luminance, max_luminance] = r.as_slice() else { return None };
            let (red, green, blue, white) = ([rx, ry], [gx, gy], [bx, by], [wx, wy]);
            Some(MasteringDisplay { red, green, blue, white, min_luminance, max_luminance })
        };
        Shown {
            width: codes.width,
            height: codes.height,
            color: Color {
                primaries: Primaries(primaries),
                transfer: Transfer(transfer),
                matrix: Matrix(matrix),
                range: codes.range,
                chroma_location: codes.chroma_location,
            },
            hdr: HdrStatic {
                mastering_display: codes.mastering_display.and_then(display),
                content_light: codes.content_light.map(|(max_cll, max_fall)| ContentLight { max_cll, max_fall }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_comes_back_exactly() {
        let r = |num| Rational::new(num, 50_000).unwrap();
        let display = MasteringDisplay {
            red: [r(34_000), r(16_000)],
            green: [r(13_250), r(34_500)],
            blue: [r(7_500), r(3_000)],
            white: [r(15_635), r(16_450)],
            min_luminance: Rational::new(1, 10_000).unwrap(),
            max_luminance: Rational::new(1_000, 1).unwrap(),
        };
        let color = Color {
            primaries: Primaries(9),
            transfer: Transfer::PQ,
            matrix: Matrix(9),
            range: ColorRange::Limited,
            chroma_location: ChromaLocation::TopLeft,
        };
        let hdr = HdrStatic {
            mastering_display: Some(display),
            content_light: Some(ContentLight { max_cll: 1000, max_fall: 400 }),
        };
        for shown in [
            Shown { width: 3840, height: 2160, color, hdr },
            Shown { width: 1, height: 2, color: Color::default(), hdr: HdrStatic::default() },
        ] {
            let text = serde_json::to_string(&shown).unwrap();
            assert_eq!(serde_json::from_str::<Shown>(&text).unwrap(), shown, "{text}");
        }
    }
}
