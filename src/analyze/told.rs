//! What a written file tells of how its picture was made of its source's.
#![deny(unsafe_code)]

use std::path::Path;

use crate::base::{ErrorKind, Result};
use crate::container::reader::Reader;
use crate::container::tags::CROP;
use crate::media::{
    Crop, Deinterlace, DolbyVisionMode, FieldOrder, PictureSettings, Rect, Scale, StreamInfo, VideoInfo,
};
use crate::plan::{PicturePlan, SourceFacts};

/// What was done to the picture, as far as the output tells: how it was cropped by its tag, or where that is missing by
/// its size, whether it was scaled by its size, whether Dolby Vision was carried by its record.
///
/// Of a file that is no Matroska, size and fields are those of `shown`.
///
/// # Errors
/// As [`PicturePlan::new`].
pub(crate) fn plan_told_by(
    output: &Path,
    shown: Option<&VideoInfo>,
    facts: &SourceFacts,
    main: &StreamInfo,
) -> Result<PicturePlan> {
    let reader = Reader::open(output).ok();
    let track = reader.as_ref().and_then(|r| r.tracks().iter().find(|t| t.video.is_some()));
    let video = track.and_then(|t| t.video.as_ref());
    let mut wanted = PictureSettings::default();
    if video.is_some_and(|v| v.dolby_vision.is_none()) {
        wanted.dolby_vision = DolbyVisionMode::Strip;
    }
    let fields = video.map(|v| v.field_order).or(shown.map(|v| v.field_order));
    if matches!(fields, Some(FieldOrder::TopFirst | FieldOrder::BottomFirst)) {
        wanted.deinterlace = Deinterlace::Off;
    }
    let size = video.and_then(|v| Some((u32::try_from(v.width).ok()?, u32::try_from(v.height).ok()?)));
    let size = size.or(shown.map(|v| (v.width, v.height)));
    if let Some(crop) = reader.as_ref().zip(track).and_then(|(r, t)| crop_of(r, t.uid)) {
        wanted.crop = Crop::Rect(crop);
    }
    let cropped = match PicturePlan::new(facts, main, &wanted) {
        // Of another film, then: the output is judged as one that says nothing.
        Err(error) if error.kind() == ErrorKind::Usage => {
            wanted.crop = Crop::Auto;
            PicturePlan::new(facts, main, &wanted)?
        }
        plan => plan?,
    };
    let tagged = wanted.crop;
    let Some(size) = size.filter(|size| *size != cropped.treatment.size()) else { return Ok(cropped) };
    wanted.crop = Crop::Off;
    let whole = PicturePlan::new(facts, main, &wanted)?;
    if size == whole.treatment.size() {
        return Ok(whole);
    }
    // Scaled, then: what of it, its shape tells.
    wanted.scale = Some(Scale::Size(size.0, size.1));
    let shape = |(width, height): (u32, u32)| f64::from(width) / f64::from(height.max(1));
    let off = |plan: &PicturePlan| (shape(plan.treatment.size()) / shape(size)).ln().abs();
    if off(&cropped) < off(&whole) {
        wanted.crop = tagged;
    }
    PicturePlan::new(facts, main, &wanted)
}

/// The part of the source's picture that a track says it shows.
fn crop_of(output: &Reader, track: u64) -> Option<Rect> {
    let (_, value) = output.tags(Some(track)).into_iter().find(|(name, _)| name == CROP)?;
    value.parse().ok()
}
