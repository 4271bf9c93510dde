//! What is asked for the picture before it is encoded.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Rect, ToneCurve};
use crate::base::{Error, ErrorKind, Result};

/// Which part of the picture is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Crop {
    /// What is within black bars, if there are any.
    #[default]
    Auto,
    /// All of it.
    Off,
    /// This part.
    Rect(Rect),
}

/// What becomes of Dolby Vision metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DolbyVisionMode {
    /// Carried where AV1 can; what cannot be is left out and named.
    #[default]
    Auto,
    /// Left out.
    Strip,
    /// Carried for every picture, or the run fails.
    Require,
}

/// What becomes of interlaced pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deinterlace {
    /// Pictures that are found to be made of two fields are deinterlaced, at the same frame rate.
    #[default]
    Auto,
    /// Encoded as they are.
    Off,
}

/// Bits a sample of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BitDepth {
    /// What the codec is played in: 10, but in H.264 8 where the picture is SDR and its source has no more.
    #[default]
    Auto,
    /// 8.
    Eight,
    /// 10.
    Ten,
    /// 8 where the source has 8, else 10.
    Source,
}

/// A size to scale to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// This height; the width follows from the picture's shape.
    Height(u32),
    /// This width and height.
    Size(u32, u32),
    /// As large as this box lets it be, with square samples and in the picture's own shape; of a picture that is higher than
    /// wide, the box is turned.
    Fit {
        /// Its sides.
        sides: (u32, u32),
        /// Whether a picture that is smaller is enlarged.
        enlarge: bool,
    },
}

/// Whether the source is decoded in hardware. Its pictures are those of software either way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hwaccel {
    /// By the first device there is that opens and decodes the first picture.
    #[default]
    Auto,
    /// Never.
    Off,
    /// By this one, by FFmpeg's name.
    Named(String),
}

/// By what the samples of a film are chosen; each falls back to the next where there are too few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleTier {
    /// Scene changes.
    #[default]
    Scenes,
    /// Keyframes of the source.
    Keyframes,
    /// Even intervals.
    Even,
}

/// How a film is sampled whose CRF follows from samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SampleSettings {
    /// By what they are chosen.
    pub tier: SampleTier,
    /// How many there are.
    pub count: u32,
    /// How long each is, in seconds.
    pub seconds: f64,
    /// What is left out at the start of the film, in seconds.
    pub skip_start: f64,
    /// What is left out at its end, in seconds.
    pub skip_end: f64,
    /// So many scene changes there have to be.
    pub min_scenes: u32,
    /// So many keyframes there have to be.
    pub min_keyframes: u32,
}

impl Default for SampleSettings {
    fn default() -> Self {
        SampleSettings {
            tier: SampleTier::default(),
            count: 3,
            seconds: 5.0,
            skip_start: 0.0,
            skip_end: 0.0,
            min_scenes: 5,
            min_keyframes: 5,
        }
    }
}

/// Everything that is done to the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PictureSettings {
    /// Which part of it is encoded.
    pub crop: Crop,
    /// The size it is scaled to, after the crop.
    pub scale: Option<Scale>,
    /// Bits a sample.
    pub bit_depth: BitDepth,
    /// What becomes of interlaced pictures.
    pub deinterlace: Deinterlace,
    /// What becomes of Dolby Vision metadata.
    pub dolby_vision: DolbyVisionMode,
    /// By which curve HDR becomes SDR; `None` where it stays HDR.
    pub tonemap: Option<ToneCurve>,
    /// Strength of synthesised film grain, 0 (none) to 50.
    pub film_grain: u8,
}

impl PictureSettings {
    /// Whether every value is within its limits; an error is of kind `Usage`.
    pub(crate) fn check(&self) -> Result<()> {
        if self.film_grain > 50 {
            let message = format!("film grain {} is not within 0 to 50", self.film_grain);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        Ok(())
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crop::Auto => f.write_str("auto"),
            Crop::Off => f.write_str("off"),
            Crop::Rect(rect) => rect.fmt(f),
        }
    }
}

impl FromStr for Crop {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Crop::Auto),
            "off" => Ok(Crop::Off),
            rect => Ok(Crop::Rect(rect.parse()?)),
        }
    }
}

impl fmt::Display for Hwaccel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hwaccel::Auto => "auto",
            Hwaccel::Off => "off",
            Hwaccel::Named(name) => name,
        })
    }
}

impl FromStr for Hwaccel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Hwaccel::Auto),
            "off" => Ok(Hwaccel::Off),
            "" => Err(Error::new(ErrorKind::Usage, "the hardware to decode with has no name")),
            name => Ok(Hwaccel::Named(name.to_owned())),
        }
    }
}

impl fmt::Display for BitDepth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BitDepth::Auto => "auto",
            BitDepth::Eight => "8",
            BitDepth::Ten => "10",
            BitDepth::Source => "source",
        })
    }
}

impl FromStr for BitDepth {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(BitDepth::Auto),
            "8" => Ok(BitDepth::Eight),
            "10" => Ok(BitDepth::Ten),
            "source" => Ok(BitDepth::Source),
            _ => Err(Error::new(ErrorKind::Usage, format!("{text:?} is no bit depth; write auto, 8, 10 or source"))),
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scale::Height(height) => height.fmt(f),
            Scale::Size(width, height) => write!(f, "{width}x{height}"),
            Scale::Fit { sides: (width, height), enlarge } => {
                write!(f, "{}:{width}x{height}", if *enlarge { "fill" } else { "fit" })
            }
        }
    }
}

impl FromStr for Scale {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let message = format!(
                "{text:?} is no size; write a height as 720, or 1280x720, even and from 64 to 8704, or fit:1280x720"
            );
            Error::new(ErrorKind::Usage, message)
        };
        let side = |text: &str| {
            let side: u32 = text.parse().map_err(|_| wrong())?;
            if (64..=8704).contains(&side) && side.is_multiple_of(2) { Ok(side) } else { Err(wrong()) }
        };
        let (box_of, sides) = match text.split_once(':') {
            Some(("fit", sides)) => (Some(false), sides),
            Some(("fill", sides)) => (Some(true), sides),
            _ => (None, text),
        };
        match (box_of, sides.split_once('x')) {
            (Some(enlarge), Some((width, height))) => Ok(Scale::Fit { sides: (side(width)?, side(height)?), enlarge }),
            (Some(_), None) => Err(wrong()),
            (None, size) => Self::plain(size, text, side),
        }
    }
}

impl Scale {
    fn plain(size: Option<(&str, &str)>, text: &str, side: impl Fn(&str) -> Result<u32>) -> Result<Self> {
        match size {
            Some((width, height)) => Ok(Scale::Size(side(width)?, side(height)?)),
            None => Ok(Scale::Height(side(text)?)),
        }
    }
}

/// Read and written as on the command line.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(Crop, BitDepth, Scale, Hwaccel);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_are_written() {
        for text in ["auto", "off", "1920:804:0:138"] {
            assert_eq!(text.parse::<Crop>().unwrap().to_string(), text);
        }
        for text in ["auto", "8", "10", "source"] {
            assert_eq!(text.parse::<BitDepth>().unwrap().to_string(), text);
        }
        for text in ["720", "1280x720", "fit:1280x720", "fill:640x480"] {
            assert_eq!(text.parse::<Scale>().unwrap().to_string(), text);
        }
        for text in ["", "x", "719", "62", "1280x", "1280x99999", "-720", "fit:720", "fit:63x64", "fat:64x64"] {
            assert_eq!(text.parse::<Scale>().unwrap_err().kind(), ErrorKind::Usage, "{text}");
        }
        assert!("9".parse::<BitDepth>().is_err() && "on".parse::<Crop>().is_err());
    }
}
