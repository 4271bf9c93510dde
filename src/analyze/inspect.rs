//! What a file holds, and what its picture is once it is decoded.
#![deny(unsafe_code)]

use std::path::Path;

use serde::Serialize;

use super::crop::{CropReport, crop};
use super::look::Look;
use super::streams::main_video;
use crate::base::{CancelToken, ErrorKind, Result};
use crate::config::{Crop, EncodeSettings};
use crate::media::{Color, DolbyVision, HdrStatic, MediaInfo};

/// What [`inspect`] found.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeReport {
    /// What the container says.
    #[serde(flatten)]
    pub info: MediaInfo,
    /// What the first pictures of the main video are; `None` where none can be decoded.
    pub picture: Option<PictureReport>,
    /// The picture within its black bars, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<CropReport>,
}

/// What only decoding tells of a picture.
#[derive(Clone, Debug, Serialize)]
pub struct PictureReport {
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// What pictures are made of: `progressive`, `interlaced-top-first`, `interlaced-bottom-first`, `hard-telecine`,
    /// `soft-telecine`.
    pub fields: &'static str,
    /// `SDR`, `HDR10`, `HDR10+`, `HLG`, or `PQ` for PQ without static metadata.
    pub hdr_kind: &'static str,
    /// Colour, by the bitstream's words before the container's.
    pub color: Color,
    /// Static HDR metadata.
    pub hdr: HdrStatic,
    /// Dolby Vision.
    pub dolby_vision: Option<DolbyVisionFacts>,
}

/// Dolby Vision of a source.
#[derive(Clone, Debug, Serialize)]
pub struct DolbyVisionFacts {
    /// Profile, compatibility and enhancement layer: `8.1`, `7.6 FEL`.
    pub name: String,
    /// The layers in words.
    pub layers: &'static str,
    #[serde(flatten)]
    #[allow(missing_docs)]
    pub facts: DolbyVision,
}

/// Probes `input`, decodes its first pictures and looks at some more; for `with_crop` also for black bars.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read; `Interrupted`.
pub fn inspect(input: &Path, with_crop: bool, cancel: &CancelToken) -> Result<ProbeReport> {
    let info = crate::source::probe(input, cancel)?;
    let mut settings = EncodeSettings::new(input, "");
    settings.picture.crop = Crop::Off;
    let main = main_video(&info).and_then(|index| info.streams.get(index));
    let picture = match main.map(|main| Look::at(&settings, main, cancel)) {
        Some(Ok(look)) => Some(of(&look)),
        Some(Err(error)) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Some(Err(error)) => {
            tracing::warn!(%error, "the picture cannot be looked at");
            None
        }
        None => None,
    };
    let crop = if with_crop { Some(crop(input, cancel)?) } else { None };
    Ok(ProbeReport { info, picture, crop })
}

fn of(look: &Look) -> PictureReport {
    let first = &look.first;
    let (width, height) = look.treatment.source;
    PictureReport {
        width,
        height,
        fields: look.fields.name(),
        hdr_kind: look.hdr_kind(),
        color: first.color,
        hdr: first.hdr,
        dolby_vision: look.dolby_vision.map(|facts| DolbyVisionFacts {
            name: facts.name(),
            layers: facts.layers(),
            facts,
        }),
    }
}
