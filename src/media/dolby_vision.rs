//! What a Dolby Vision stream is.

use serde::{Deserialize, Serialize};

use super::{Flip, Rect};
use crate::base::{Error, ErrorKind, Result};

/// What a profile 7 stream has beside its base layer and its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EnhancementLayer {
    /// Minimal: it changes no picture.
    Mel,
    /// Full: differences to a 12-bit picture.
    Fel,
    /// Which of both only its metadata tells.
    Unknown,
}

/// The kind of a Dolby Vision stream (Dolby Vision Profiles and Levels, and Dolby Vision Streams within the ISO Base
/// Media File Format).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DolbyVision {
    /// Profile: 5 (no compatible base layer), 7 (two layers), 8 (HEVC), 9 (AVC), 10 (AV1).
    pub profile: u8,
    /// Level: how large and how fast, 1 to 13.
    pub level: Option<u8>,
    /// What its base layer is to others: 0 nothing, 1 HDR10, 2 SDR, 4 HLG, 6 Blu-ray HDR10.
    pub compatibility: Option<u8>,
    /// The enhancement layer; profile 7 alone has one.
    pub enhancement: Option<EnhancementLayer>,
}

impl DolbyVision {
    /// A stream of this profile; whatever else is claimed, only profile 7 has an enhancement layer.
    pub fn new(profile: u8, level: Option<u8>, compatibility: Option<u8>) -> Self {
        let enhancement = (profile == 7).then_some(EnhancementLayer::Unknown);
        DolbyVision { profile, level, compatibility, enhancement }
    }

    /// Reads a configuration record (`dvcC`, `dvvC`) as FFmpeg has it: a byte a field, from `dv_version_major` on.
    pub fn from_record_fields(fields: &[u8]) -> Option<Self> {
        let &[_major, _minor, profile, level, _rpu, _el, _bl, compatibility, ..] = fields else { return None };
        Some(Self::new(profile, (level > 0).then_some(level), Some(compatibility)))
    }

    /// `8.1`, `5`, `7.6 FEL`: profile, compatibility where it tells something, and enhancement layer.
    pub fn name(&self) -> String {
        let compatibility = match (self.profile, self.compatibility) {
            (8..=10, Some(id)) => format!(".{id}"),
            (7, Some(id)) if id > 0 => format!(".{id}"),
            _ => String::new(),
        };
        let layer = match self.enhancement {
            Some(EnhancementLayer::Mel) => " MEL",
            Some(EnhancementLayer::Fel) => " FEL",
            Some(EnhancementLayer::Unknown) | None => "",
        };
        format!("{}{compatibility}{layer}", self.profile)
    }

    /// The layers there are, in words.
    pub fn layers(&self) -> &'static str {
        if self.enhancement.is_some() {
            "base layer, enhancement layer and metadata"
        } else {
            "base layer and metadata"
        }
    }
}

/// How the RPUs of a stream become those of an AV1 stream.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RpuConversion {
    /// What the AV1 base layer is to others: 0 nothing, 1 HDR10, 2 SDR, 4 HLG.
    pub compatibility: u8,
    /// From two layers to one.
    pub to_single_layer: bool,
    /// The part of the picture that is encoded; `None` where all of it is, as it is.
    pub window: Option<RpuWindow>,
    /// How that is mirrored.
    pub flip: Option<Flip>,
}

/// The part of a picture that is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RpuWindow {
    /// Size of the source's pictures in luma samples.
    pub source: (u32, u32),
    /// The part that is kept.
    pub crop: Rect,
    /// By what that is scaled in width and height.
    pub scale: (f64, f64),
}

impl RpuConversion {
    /// For a stream of this kind.
    ///
    /// # Errors
    /// `Unsupported` for profiles that have no AV1 twin.
    pub fn of(source: &DolbyVision) -> Result<Self> {
        let compatibility = match (source.profile, source.compatibility) {
            (5, _) => 0,
            // The base layer of a Blu-ray is HDR10.
            (7, _) | (8, Some(1 | 6)) | (10, Some(1)) => 1,
            (8 | 10, Some(2)) => 2,
            (8 | 10, Some(4)) => 4,
            (10, Some(0)) => 0,
            _ => {
                // Profile 9 in particular: its metadata is for base layers of 8 bits, AV1's are of 10.
                let message = format!("Dolby Vision profile {} has no equal in AV1", source.name());
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        };
        Ok(RpuConversion { compatibility, to_single_layer: source.profile == 7, window: None, flip: None })
    }

    /// The same for the part `crop` of pictures of `source` samples, scaled to `output` samples.
    #[must_use]
    pub fn with_window(self, source: (u32, u32), crop: Rect, output: (u32, u32)) -> Self {
        let scale = |to: u32, from: u32| f64::from(to) / f64::from(from.max(1));
        let window = RpuWindow { source, crop, scale: (scale(output.0, crop.width), scale(output.1, crop.height)) };
        let whole = crop == Rect::whole(source.0, source.1) && output == source;
        RpuConversion { window: (!whole).then_some(window), ..self }
    }

    /// The same for pictures that are mirrored.
    #[must_use]
    pub fn flipped(self, flip: Option<Flip>) -> Self {
        RpuConversion { flip, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_only_profile_7_has_an_enhancement_layer() {
        // Profile 8.1, level 6, which claims an enhancement layer.
        let dv = DolbyVision::from_record_fields(&[1, 0, 8, 6, 1, 1, 1, 1]).unwrap();
        assert_eq!((dv.name().as_str(), dv.level, dv.enhancement), ("8.1", Some(6), None));
        let dv = DolbyVision::from_record_fields(&[1, 0, 7, 6, 1, 0, 1, 6, 0]).unwrap();
        assert_eq!((dv.name().as_str(), dv.enhancement), ("7.6", Some(EnhancementLayer::Unknown)));
        let dv = DolbyVision { enhancement: Some(EnhancementLayer::Fel), ..dv };
        assert_eq!((dv.name().as_str(), dv.layers()), ("7.6 FEL", "base layer, enhancement layer and metadata"));
        assert_eq!(DolbyVision::from_record_fields(&[1, 0, 5, 3, 1, 0, 1, 0]).unwrap().name(), "5");
        assert_eq!(DolbyVision::from_record_fields(&[1, 0, 8]), None);
    }
}
