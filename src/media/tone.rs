//! How light that is coded for HDR becomes light of SDR, and one matrix another.

use serde::{Deserialize, Serialize};

use super::{ChromaLocation, Color, ColorRange, Matrix, Primaries, Transfer};

/// The curve by which light brighter than SDR's white is brought under it; all are libavfilter's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToneCurve {
    /// Keeps detail in dark and bright parts, darker than the others (John Hable's filmic curve).
    Hable,
    /// Leaves what SDR can show nearly as it is, and bends what is brighter.
    Mobius,
    /// A simple curve that keeps the brightness of the whole.
    Reinhard,
}

impl ToneCurve {
    /// All of them.
    pub(crate) const ALL: [ToneCurve; 3] = [ToneCurve::Hable, ToneCurve::Mobius, ToneCurve::Reinhard];

    /// The words of the setting; `off` asks for none.
    pub(crate) const WORDS: &[&str] = &["off", "hable", "mobius", "reinhard"];

    /// Its name in settings and in libavfilter.
    pub fn name(self) -> &'static str {
        match self {
            ToneCurve::Hable => "hable",
            ToneCurve::Mobius => "mobius",
            ToneCurve::Reinhard => "reinhard",
        }
    }
}

/// How the pictures of a film become SDR: BT.709 of limited range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToneMapping {
    /// The curve.
    pub curve: ToneCurve,
    /// The brightest light there is to expect, in cd/m².
    pub peak: f64,
    /// What the source's samples mean where a picture does not say: primaries, transfer and matrix (H.273).
    pub source: [u8; 3],
}

impl ToneMapping {
    /// What a picture is taken for that is of this colour by its own word: nothing is left open.
    #[must_use]
    pub fn source_colour(&self, said: Color) -> Color {
        let [primaries, transfer, matrix] = self.source;
        let or = |said: bool, own: u8, other: u8| if said { own } else { other };
        Color {
            primaries: Primaries(or(said.primaries.is_specified(), said.primaries.0, primaries)),
            transfer: Transfer(or(said.transfer.is_specified(), said.transfer.0, transfer)),
            matrix: Matrix(or(said.matrix.is_specified(), said.matrix.0, matrix)),
            range: if said.range == ColorRange::Full { ColorRange::Full } else { ColorRange::Limited },
            chroma_location: match said.chroma_location {
                ChromaLocation::Unspecified => ChromaLocation::Left,
                location => location,
            },
        }
    }

    /// What the samples mean that come out; chroma lies where it did.
    pub const RESULT: Color = Color {
        primaries: Primaries::BT709,
        transfer: Transfer::BT709,
        matrix: Matrix::BT709,
        range: ColorRange::Limited,
        chroma_location: ChromaLocation::Unspecified,
    };
}

/// How a picture's Y'CbCr comes to be of the matrix that its new size has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixChange {
    /// What the samples mean of pictures that do not say so.
    pub unsaid: Matrix,
    /// What the primaries are of pictures that do not say so.
    pub primaries: Primaries,
    /// What they are to mean.
    pub to: Matrix,
}

/// By the numbers.
impl Serialize for MatrixChange {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        [self.unsaid.0, self.primaries.0, self.to.0].serialize(s)
    }
}

impl<'de> Deserialize<'de> for MatrixChange {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let [unsaid, primaries, to] = <[u8; 3]>::deserialize(d)?;
        Ok(MatrixChange { unsaid: Matrix(unsaid), primaries: Primaries(primaries), to: Matrix(to) })
    }
}

impl Color {
    /// This colour with its matrix changed, and what it meant before; `None` for matrices that stay as they are: those of BT.2020
    /// and of RGB in particular.
    pub(crate) fn with_matrix(self, change: MatrixChange) -> Option<(Color, Matrix)> {
        let from = if self.matrix.is_specified() { self.matrix } else { change.unsaid };
        if !(from.is_bt601() || from == Matrix::BT709) || self.transfer.is_hdr() {
            return None;
        }
        let primaries = if self.primaries.is_specified() { self.primaries } else { change.primaries };
        Some((Color { matrix: change.to, primaries, ..self }, from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_change_is_read_as_it_is_written() {
        let change = MatrixChange { unsaid: Matrix::BT709, primaries: Primaries::BT709, to: Matrix::BT601 };
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<MatrixChange>(&text).unwrap(), change, "{text}");
        let tagged = Color { matrix: Matrix(5), primaries: Primaries(5), ..Color::default() };
        assert_eq!(tagged.with_matrix(change), Some((Color { matrix: Matrix::BT601, ..tagged }, Matrix(5))));
        assert_eq!(Color { matrix: Matrix(9), ..tagged }.with_matrix(change), None);
        assert_eq!(Color { transfer: Transfer::PQ, ..tagged }.with_matrix(change), None);
        let silent = Color::default().with_matrix(change).unwrap();
        assert_eq!((silent.0.primaries, silent.1), (Primaries::BT709, Matrix::BT709));
    }
}
