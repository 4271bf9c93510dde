//! What a file holds, and what its picture is once it is decoded, as people ask for it.
#![deny(unsafe_code)]

use std::path::Path;

use serde::Serialize;

use super::analysis::{Analysis, Looks, found};
use crate::base::{CancelToken, ErrorKind, Result};
use crate::container::provenance::Provenance;
use crate::media::{Color, Crop, DolbyVision, HdrStatic, MediaInfo, PictureSettings, StreamInfo, Tag, TagEntry};
use crate::plan::{CropReport, PicturePlan, SourceFacts};
use crate::source::looked_at;

/// What [`inspect`] found.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeReport {
    /// What the container says.
    #[serde(flatten)]
    pub info: MediaInfo,
    /// What the first pictures of the main video are; `None` where none can be decoded.
    pub picture: Option<PictureReport>,
    /// How the main video was made, where it was encoded by drapto and its tags say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
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
    looked_at(input, cancel, |input| inspect_file(input, with_crop, cancel))
}

fn inspect_file(input: &Path, with_crop: bool, cancel: &CancelToken) -> Result<ProbeReport> {
    let analysis = Analysis::open(input, cancel)?;
    let info = analysis.info().clone();
    let provenance = analysis.main_video().ok().and_then(|main| Provenance::read(&tags_of(&info, main)));
    let facts = match analysis.main_video().cloned() {
        Ok(main) => Some((main, analysis.facts(Looks { crop: with_crop, fields: true }))),
        Err(error) if with_crop => return Err(error),
        Err(_) => None,
    };
    let (picture, crop) = match facts {
        Some((main, Ok(facts))) => {
            let whole = PictureSettings { crop: Crop::Off, ..PictureSettings::default() };
            let plan = PicturePlan::new(&facts, &main, &whole)?;
            let crop = if with_crop { Some(found(facts.crop.clone()).map_err(|e| e.with_file(input))?) } else { None };
            (Some(picture(&facts, &plan)), crop)
        }
        Some((_, Err(error))) if with_crop || error.kind() == ErrorKind::Interrupted => return Err(error),
        Some((_, Err(error))) => {
            tracing::warn!(%error, "the picture cannot be looked at");
            (None, None)
        }
        None => (None, None),
    };
    Ok(ProbeReport { info, picture, provenance, crop })
}

/// What tags say of a stream, whichever way they were read.
fn tags_of(info: &MediaInfo, stream: &StreamInfo) -> Vec<Tag> {
    let about = |entry: &&TagEntry| stream.uid.is_some_and(|uid| entry.targets.tracks.contains(&uid));
    let simple = info.tag_entries.iter().filter(about).flat_map(|entry| &entry.tags);
    let nested = simple.filter_map(|tag| Some((tag.name.clone(), tag.value.clone()?)));
    stream.tags.iter().cloned().chain(nested).collect()
}

/// Looks at pictures all over the film, and has them vote on where its black bars are.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read or hold no video; `Interrupted`.
pub fn crop(input: &Path, cancel: &CancelToken) -> Result<CropReport> {
    looked_at(input, cancel, |input| {
        let facts = Analysis::open(input, cancel)?.facts(Looks { crop: true, fields: false })?;
        found(facts.crop).map_err(|e| e.with_file(input))
    })
}

fn picture(facts: &SourceFacts, plan: &PicturePlan) -> PictureReport {
    let first = &facts.first;
    PictureReport {
        width: first.width,
        height: first.height,
        fields: plan.fields.name(),
        hdr_kind: facts.hdr_kind(),
        color: first.color,
        hdr: first.hdr,
        dolby_vision: plan.dolby_vision.map(|facts| DolbyVisionFacts {
            name: facts.name(),
            layers: facts.layers(),
            facts,
        }),
    }
}
