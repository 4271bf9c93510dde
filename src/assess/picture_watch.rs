//! What is measured of a file's own pictures while they are decoded, each once.
#![deny(unsafe_code)]

use super::color::{SaidColor, color_change, color_findings};
use super::finding::{FindingKind, QualityFinding};
use super::series::{PictureSeries, secs};
use crate::av::{DetailMeter, FieldMeter, VideoFrame};
use crate::base::{ErrorKind, Result};
use crate::media::{Color, FieldCounts, FieldLook, Frame, PixelFormat, VideoInfo};
use crate::meter::{FeatureSet, Model, PairFeature, SessionConfig, Stride};
use crate::pixel::{Converter, LevelMeasurer, PictureMeasurer};
use crate::plan::{FieldPlace, Fields, FramePoint, begins_scene, is_told, judge};

/// Each how many pictures one is looked at for banding, blocks and blur, which cost as much as decoding many. Odd, because an
/// encoder's layers of pictures repeat after powers of two.
pub(super) const LOOK: usize = 5;

/// Fields are looked at in so many pictures that follow each other, every so many pictures.
const FIELD_STRETCH: usize = 120;
const FIELD_PERIOD: usize = 1500;

/// Measures the pictures of one stream. Pictures are a decoder's.
pub(super) struct PictureWatch {
    video: VideoInfo,
    converter: Converter,
    levels: LevelMeasurer,
    scenes: PictureMeasurer,
    detail: DetailMeter,
    banding: Banding,
    fields: Option<FieldMeter>,
    places: Vec<FieldPlace>,
    /// The last points, of which the middle one is decided when the next comes.
    points: [Option<FramePoint>; 2],
    series: PictureSeries,
    said: Option<SaidColor>,
    color: Color,
    changes: Vec<QualityFinding>,
    /// What could not be measured, and why.
    notes: Vec<String>,
}

/// CAMBI of the file's own pictures, where nothing else measures it.
enum Banding {
    /// Until the first picture tells the size.
    Wanted,
    By(Box<(FeatureSet, Converter)>),
    No,
}

/// What a [`PictureWatch`] saw.
pub(super) struct WatchedPictures {
    pub(super) series: PictureSeries,
    /// Colour and fields.
    pub(super) findings: Vec<QualityFinding>,
    /// What the pictures are made of.
    pub(super) fields: Option<Fields>,
    pub(super) color: Option<SaidColor>,
    pub(super) notes: Vec<String>,
}

impl PictureWatch {
    /// For the pictures of `video`; `with_banding` where CAMBI is not measured beside the reference.
    pub(super) fn new(video: &VideoInfo, with_banding: bool) -> Self {
        PictureWatch {
            video: video.clone(),
            converter: Converter::new(),
            levels: LevelMeasurer::new(),
            scenes: PictureMeasurer::new(),
            detail: DetailMeter::new(),
            banding: if with_banding { Banding::Wanted } else { Banding::No },
            fields: None,
            places: Vec::new(),
            points: [None, None],
            series: PictureSeries::default(),
            said: None,
            color: Color::default(),
            changes: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Measures the next picture.
    ///
    /// # Errors
    /// `Unsupported` for pictures that cannot be measured at all, at their time.
    pub(super) fn push(&mut self, frame: &Frame) -> Result<()> {
        let index = self.series.times.len();
        self.see_color(frame);
        self.see_fields(frame, index)?;
        let planar = self.converter.for_measuring(frame.clone())?;
        let levels = self.levels.measure(&planar)?;
        let scene = self.scenes.measure(&planar)?;
        let point = FramePoint {
            index: index as u64,
            pts: frame.pts,
            change: scene.change,
            change_from_second: scene.change_from_second,
            effort: 0.0,
        };
        self.decide_scene(Some(point));
        let series = &mut self.series;
        series.times.push(frame.pts.as_nanos());
        let usual = series.times.windows(2).next_back().map_or(0, |pair| pair[1] - pair[0]);
        series.end = frame.pts.as_nanos() + frame.duration.map_or(usual, |d| d.as_nanos());
        series.dark.push(levels.dark);
        series.outside.push(levels.outside.unwrap_or(f32::NAN));
        series.moved.push(levels.moved.unwrap_or(f32::NAN));
        series.still.push(levels.still);
        if index.is_multiple_of(LOOK) {
            let detail = self.detail.measure(frame)?;
            let or_nan = |value: Option<f32>| value.unwrap_or(f32::NAN);
            self.series.looked.push(index);
            self.series.blockiness.push(or_nan(detail.blockiness));
            self.series.blur.push(or_nan(detail.blur));
            self.see_banding(&planar)?;
        }
        Ok(())
    }

    fn see_color(&mut self, frame: &Frame) {
        if self.said.is_none() {
            let own = frame.planes.as_any().downcast_ref::<VideoFrame>();
            self.said = Some(SaidColor {
                color: frame.color,
                hdr: frame.hdr,
                depth: self.video.bit_depth,
                is_yuv: matches!(frame.format, PixelFormat::Planar { .. }) && self.video.subsampling.is_some(),
                bitstream: own.map(VideoFrame::color).unwrap_or_default(),
            });
        } else if frame.color != self.color {
            let at = secs(frame.pts.as_nanos());
            self.changes.push(color_change(&self.color, &frame.color, at, at));
        }
        self.color = frame.color;
    }

    fn see_fields(&mut self, frame: &Frame, index: usize) -> Result<()> {
        if index.is_multiple_of(FIELD_PERIOD) {
            self.fields = Some(FieldMeter::new());
        }
        let Some(meter) = &mut self.fields else { return Ok(()) };
        if let Err(error) = meter.push(frame) {
            self.fields = None;
            return self.note("fields", error);
        }
        if index % FIELD_PERIOD + 1 == FIELD_STRETCH {
            self.end_of_fields()?;
        }
        Ok(())
    }

    fn end_of_fields(&mut self) -> Result<()> {
        let Some(meter) = self.fields.take() else { return Ok(()) };
        match meter.finish() {
            Ok(verdict) => {
                let looks: &[FieldLook] = &verdict.looks;
                self.places.push(FieldPlace { at_percent: 0, fields: judge(looks), counts: FieldCounts::of(looks) });
                Ok(())
            }
            Err(error) => self.note("fields", error),
        }
    }

    /// What cannot be measured of such pictures is noted once; other errors stay errors.
    fn note(&mut self, what: &str, error: crate::base::Error) -> Result<()> {
        if error.kind() != ErrorKind::Unsupported {
            return Err(error);
        }
        let note = format!("{what}: {error}");
        if !self.notes.contains(&note) && self.notes.len() < 20 {
            self.notes.push(note);
        }
        Ok(())
    }

    fn decide_scene(&mut self, next: Option<FramePoint>) {
        if let Some(middle) = &self.points[1] {
            let first = self.points[0].is_none();
            self.series.begins.push(!first && begins_scene(self.points[0].as_ref(), middle, next.as_ref()));
        }
        self.points = [self.points[1].take(), next];
    }

    fn see_banding(&mut self, planar: &Frame) -> Result<()> {
        if matches!(self.banding, Banding::Wanted) {
            self.banding = Banding::No;
            let mut config = SessionConfig::new(Model::V061, planar.width, planar.height, 10);
            config.stride = Stride::EVERY;
            let (set, absent) = FeatureSet::open(&[PairFeature::Cambi], config)?;
            match absent.first() {
                Some((_, why)) => self.notes.push(format!("banding: {why}")),
                None => self.banding = Banding::By(Box::new((set, Converter::new()))),
            }
        }
        let Banding::By(by) = &mut self.banding else { return Ok(()) };
        let (set, converter) = &mut **by;
        let known = set.fed();
        let pushed = converter.for_encoder(planar.clone()).and_then(|picture| set.push(known, &picture, &picture));
        match pushed {
            Ok(()) => Ok(()),
            // Of another size: what comes after it has no place in the series either.
            Err(error) => {
                self.banding = Banding::No;
                self.note("banding", error)
            }
        }
    }

    /// What was seen.
    ///
    /// # Errors
    /// `Encode` where a meter fails.
    pub(super) fn finish(mut self) -> Result<WatchedPictures> {
        self.end_of_fields()?;
        self.decide_scene(None);
        if let Banding::By(by) = std::mem::replace(&mut self.banding, Banding::No) {
            let found = by.0.finish()?.into_iter().next();
            self.series.banding = found.into_iter().flat_map(|s| s.scores).map(|score| score as f32).collect();
        }
        let mut findings = self.said.as_ref().map_or(Vec::new(), |said| color_findings(said, &self.video));
        // A stream that goes to and fro says so once for each.
        self.changes.truncate(20);
        findings.append(&mut self.changes);
        let fields = made_of(&self.places);
        findings.extend(fields_finding(&self.places, fields));
        Ok(WatchedPictures { series: self.series, findings, fields, color: self.said, notes: self.notes })
    }
}

/// What most places say of which something can be told.
fn made_of(places: &[FieldPlace]) -> Option<Fields> {
    let any_told = places.iter().any(|p| is_told(&p.counts));
    let says: Vec<Fields> = places.iter().filter(|p| !any_told || is_told(&p.counts)).map(|p| p.fields).collect();
    says.iter().copied().max_by_key(|fields| says.iter().filter(|other| *other == fields).count())
}

/// What flags and pictures disagree on.
fn fields_finding(places: &[FieldPlace], fields: Option<Fields>) -> Option<QualityFinding> {
    if !places.iter().any(|p| is_told(&p.counts)) {
        return None;
    }
    let sum = |of: fn(&FieldCounts) -> usize| places.iter().map(|p| of(&p.counts)).sum::<usize>();
    let (pictures, flagged) = (sum(|c| c.pictures), sum(|c| c.flagged_interlaced));
    let top = sum(|c| c.flagged_top_first);
    let is_flagged = flagged * 2 > pictures;
    let order = |top_first: bool| if top_first { "top" } else { "bottom" };
    let message = match fields? {
        Fields::Interlaced { .. } | Fields::HardTelecine { .. } if !is_flagged => {
            "the pictures are interlaced and not flagged so".to_owned()
        }
        Fields::Interlaced { top_first } if (top * 2 > flagged) != top_first => {
            format!("the pictures are flagged {} field first, and are {}", order(!top_first), order(top_first))
        }
        Fields::Progressive if is_flagged => "the pictures are whole and flagged interlaced".to_owned(),
        _ => return None,
    };
    Some(QualityFinding::new(FindingKind::Fields, None, 1.0, message))
}
