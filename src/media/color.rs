//! Colour description by ITU-T H.273 code points, and static HDR metadata.
//!
//! AV1, Matroska, H.264/HEVC and FFmpeg all number primaries, transfer and matrix by the same tables,
//! so a code point passes through unchanged, also one without a name here.

use serde::{Deserialize, Serialize};

use crate::base::Rational;

macro_rules! code_point {
    ($(#[$doc:meta])* $name:ident { $($code:literal => $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub u8);

        impl $name {
            /// "Unspecified": the source does not say.
            pub const UNSPECIFIED: $name = $name(2);

            /// Whether the source says anything (0 is reserved, 2 means unspecified).
            pub fn is_specified(self) -> bool {
                !matches!(self.0, 0 | 2)
            }

            /// The name FFmpeg and mediainfo users know, or the number.
            pub fn name(self) -> String {
                match self.0 {
                    $($code => $text.to_owned(),)*
                    2 => "unspecified".to_owned(),
                    other => other.to_string(),
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::UNSPECIFIED
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.name())
            }
        }
    };
}

code_point! {
    /// Colour primaries (H.273 table 2).
    Primaries {
        1 => "bt709", 4 => "bt470m", 5 => "bt470bg", 6 => "smpte170m", 7 => "smpte240m", 8 => "film",
        9 => "bt2020", 10 => "smpte428", 11 => "smpte431", 12 => "smpte432", 22 => "ebu3213",
    }
}
code_point! {
    /// Transfer characteristics (H.273 table 3).
    Transfer {
        1 => "bt709", 4 => "gamma22", 5 => "gamma28", 6 => "smpte170m", 7 => "smpte240m", 8 => "linear",
        9 => "log", 10 => "log_sqrt", 11 => "iec61966-2-4", 12 => "bt1361e", 13 => "iec61966-2-1",
        14 => "bt2020-10", 15 => "bt2020-12", 16 => "smpte2084", 17 => "smpte428", 18 => "arib-std-b67",
    }
}
code_point! {
    /// Matrix coefficients (H.273 table 4). Code 0 is the identity (RGB), so it is specified here.
    Matrix {
        0 => "gbr", 1 => "bt709", 4 => "fcc", 5 => "bt470bg", 6 => "smpte170m", 7 => "smpte240m", 8 => "ycgco",
        9 => "bt2020nc", 10 => "bt2020c", 11 => "smpte2085", 12 => "chroma-derived-nc", 13 => "chroma-derived-c",
        14 => "ictcp",
    }
}

impl Matrix {
    /// ITU-R BT.709.
    pub const BT709: Matrix = Matrix(1);
    /// ITU-R BT.601 (SMPTE ST 170).
    pub const BT601: Matrix = Matrix(6);
    /// The same coefficients, by the name they have for 625 lines (ITU-R BT.470 B and G).
    pub const BT470BG: Matrix = Matrix(5);
    /// ITU-R BT.2020, non-constant luminance.
    pub const BT2020: Matrix = Matrix(9);

    /// Whether its coefficients are those of ITU-R BT.601.
    pub fn is_bt601(self) -> bool {
        self == Self::BT601 || self == Self::BT470BG
    }

    /// What players assume of a picture of this size that does not say, as mpv and FFmpeg's tools do: BT.709 from 1280 columns
    /// or 577 lines on, below that BT.601 by the name for its lines.
    pub fn implied(width: u32, height: u32) -> Self {
        match (width, height) {
            (w, h) if w >= 1280 || h > 576 => Self::BT709,
            (_, 576) => Self::BT470BG,
            _ => Self::BT601,
        }
    }
}

impl Primaries {
    /// ITU-R BT.709.
    pub const BT709: Primaries = Primaries(1);
    /// ITU-R BT.2020.
    pub const BT2020: Primaries = Primaries(9);

    /// What players assume of a picture of this size that does not say, as of [`Matrix::implied`].
    pub fn implied(width: u32, height: u32) -> Self {
        // H.273 numbers the three alike in both tables.
        Primaries(Matrix::implied(width, height).0)
    }
}

impl Transfer {
    /// ITU-R BT.709.
    pub const BT709: Transfer = Transfer(1);
    /// SMPTE ST 2084, the curve of HDR10.
    pub const PQ: Transfer = Transfer(16);
    /// ARIB STD-B67, hybrid log-gamma.
    pub const HLG: Transfer = Transfer(18);

    /// Whether this curve is an HDR one (PQ or HLG).
    pub fn is_hdr(self) -> bool {
        self == Self::PQ || self == Self::HLG
    }
}

/// Which code values are black and white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorRange {
    /// The source does not say; treated as limited.
    #[default]
    Unspecified,
    /// 16–235 in 8 bits ("tv", studio swing).
    Limited,
    /// 0–255 in 8 bits ("pc", full swing).
    Full,
}

/// Where 4:2:0 chroma samples lie relative to luma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChromaLocation {
    /// The source does not say.
    #[default]
    Unspecified,
    /// Between two luma rows, on the left column: MPEG-2, H.264 default; AV1's "vertical".
    Left,
    /// In the middle of four luma samples: MPEG-1, JPEG.
    Center,
    /// On the top-left luma sample: BT.2020 UHD; AV1's "colocated".
    TopLeft,
    /// On the top row, between columns.
    Top,
    /// On the bottom row, left column.
    BottomLeft,
    /// On the bottom row, between columns.
    Bottom,
}

/// How to read a picture's samples as light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Color {
    /// Colour primaries.
    pub primaries: Primaries,
    /// Transfer characteristics.
    pub transfer: Transfer,
    /// Matrix coefficients.
    pub matrix: Matrix,
    /// Code value range.
    pub range: ColorRange,
    /// Chroma sample position.
    pub chroma_location: ChromaLocation,
}

/// SMPTE ST 2086 mastering display: CIE 1931 xy coordinates (0..1) and luminance in cd/m².
///
/// Kept as the source's own fractions, so that fixed-point fields of AV1 and doubles of Matroska are
/// both derived from the exact value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasteringDisplay {
    /// Red primary, `[x, y]`.
    pub red: [Rational; 2],
    /// Green primary, `[x, y]`.
    pub green: [Rational; 2],
    /// Blue primary, `[x, y]`.
    pub blue: [Rational; 2],
    /// White point, `[x, y]`.
    pub white: [Rational; 2],
    /// Darkest luminance.
    pub min_luminance: Rational,
    /// Brightest luminance.
    pub max_luminance: Rational,
}

impl Serialize for MasteringDisplay {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let xy = |p: [Rational; 2]| [p[0].as_f64(), p[1].as_f64()];
        let mut out = s.serialize_struct("MasteringDisplay", 6)?;
        out.serialize_field("red", &xy(self.red))?;
        out.serialize_field("green", &xy(self.green))?;
        out.serialize_field("blue", &xy(self.blue))?;
        out.serialize_field("white", &xy(self.white))?;
        out.serialize_field("min_luminance", &self.min_luminance.as_f64())?;
        out.serialize_field("max_luminance", &self.max_luminance.as_f64())?;
        out.end()
    }
}

/// CTA-861.3 content light level in cd/m².
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ContentLight {
    /// Brightest pixel of the title (MaxCLL).
    pub max_cll: u32,
    /// Brightest frame average of the title (MaxFALL).
    pub max_fall: u32,
}

/// The static part of HDR10; either half may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HdrStatic {
    /// ST 2086 mastering display, where known.
    pub mastering_display: Option<MasteringDisplay>,
    /// Content light level, where known.
    pub content_light: Option<ContentLight>,
}

impl HdrStatic {
    /// Whether there is nothing to carry.
    pub fn is_empty(&self) -> bool {
        self.mastering_display.is_none() && self.content_light.is_none()
    }

    /// This metadata, with halves it lacks taken from `other`.
    #[must_use]
    pub fn or(self, other: HdrStatic) -> HdrStatic {
        HdrStatic {
            mastering_display: self.mastering_display.or(other.mastering_display),
            content_light: self.content_light.or(other.content_light),
        }
    }
}
