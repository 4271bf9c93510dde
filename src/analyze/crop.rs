//! Which part of a film's picture is not black bars: pictures all over the film are measured, and vote.

use super::shape::ShapeTally;
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{Frame, MediaInfo, PixelCrop, Rect, StreamInfo, Transfer};
use crate::pixel::{Borders, Converter, Level, Line, borders};
use crate::plan::{CropReport, CropRules, Finding, Light, picture_in, sample_times, vote};
use crate::source::Pictures;

/// Keyframes that are not dark, at least, for a vote among them alone.
const FEWEST: usize = 5;

/// Pictures that are kept of a film that is read; of more every other one stays.
const MOST: usize = 100;

/// Measures pictures of one film.
pub(super) struct CropSampler {
    converter: Converter,
    /// Where the film is looked at, from its start.
    times: Vec<f64>,
    /// The time of its start.
    start: f64,
    hdr: bool,
    /// Edges that are not to be shown.
    hidden: PixelCrop,
    /// What is shown of pictures of which size, where that is not all.
    shown: Option<(Rect, (u32, u32))>,
    seen: Vec<Borders>,
    /// What the keyframes said, where they are enough.
    verdict: Option<CropReport>,
    reading: ReadThrough,
    failure: Option<String>,
}

/// Where a film that is read from its start is.
struct ReadThrough {
    every: u64,
    index: u64,
}

impl CropSampler {
    pub(super) fn new(info: &MediaInfo, main: &StreamInfo) -> Self {
        let transfer = main.video.as_ref().map(|v| v.color.transfer);
        CropSampler {
            converter: Converter::new(),
            times: sample_times(info.duration_s.unwrap_or(0.0)),
            start: main.start.map_or(0.0, Timestamp::as_secs_f64),
            hdr: transfer.is_some_and(|t| [Transfer::PQ, Transfer::HLG].contains(&t)),
            hidden: main.video.as_ref().map(|v| v.pixel_crop).unwrap_or_default(),
            shown: None,
            seen: Vec::new(),
            verdict: None,
            reading: ReadThrough { every: 1, index: 0 },
            failure: None,
        }
    }

    fn measure(&mut self, frame: Frame) -> Result<Borders> {
        let frame = self.converter.for_measuring(frame)?;
        if self.hidden == PixelCrop::default() {
            return borders(Level::detect(), &frame);
        }
        let size = (frame.width, frame.height);
        let shown = self.hidden.shown(size.0, size.1);
        let message = || format!("what is shown of the picture, {shown}, does not fit it");
        let part = frame.cropped(shown).ok_or_else(|| Error::new(ErrorKind::Unsupported, message()))?;
        self.shown = Some((shown, size));
        borders(Level::detect(), &part)
    }

    /// What the pictures say so far, in places of the whole picture.
    fn judge(&self) -> Option<CropReport> {
        let found = judge(&self.seen, self.hdr)?;
        let Some((shown, (source_width, source_height))) = self.shown else { return Some(found) };
        Some(CropReport { x: found.x + shown.x, y: found.y + shown.y, source_width, source_height, ..found })
    }

    /// Looks at the keyframes before the times: fewer where several times have the same one, or seeking fails.
    pub(super) fn by_seeks(&mut self, pictures: &mut Pictures, shapes: &mut ShapeTally, cancel: &CancelToken) {
        let mut last = None;
        for seconds in self.times.clone() {
            let target = Timestamp::new(((self.start + seconds) * 1000.0) as i64, Rational::MILLI);
            let found = pictures.seek(target).and_then(|()| pictures.next());
            let Ok(Some(frame)) = found else { break };
            if cancel.is_cancelled() {
                return;
            }
            if last.replace(frame.pts) == Some(frame.pts) {
                continue;
            }
            shapes.see(&frame);
            match self.measure(frame) {
                Ok(borders) => self.seen.push(borders),
                Err(error) => tracing::debug!(%error, "a picture cannot be measured"),
            }
        }
        let few = self.seen.len() * 2 < self.times.len();
        self.verdict = self.judge().filter(|crop| !few && crop.samples >= FEWEST);
    }

    /// Few keyframes, none to be found, or most of them dark: then the film is read.
    pub(super) fn must_read(&self) -> bool {
        self.verdict.is_none()
    }

    /// Forgets the keyframes where the film is read; whether it is.
    pub(super) fn begin_reading(&mut self) -> bool {
        if self.must_read() {
            self.seen.clear();
        }
        self.must_read()
    }

    /// Takes the next picture of a film that is read, at equal distances and as far as its credits; whether more are wanted.
    pub(super) fn read(&mut self, frame: Frame) -> bool {
        let last = self.times.last().copied().unwrap_or(0.0);
        if last > 0.0 && frame.pts.as_secs_f64() > self.start + last {
            return false;
        }
        if self.reading.index.is_multiple_of(self.reading.every) {
            match self.measure(frame) {
                Ok(borders) => self.seen.push(borders),
                Err(error) => {
                    self.failed(&error.to_string());
                    return false;
                }
            }
        }
        self.reading.index += 1;
        if self.seen.len() > MOST {
            let mut at = 0;
            self.seen.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.reading.every *= 2;
        }
        true
    }

    /// Notes why reading broke off, where the keyframes alone were not enough.
    pub(super) fn failed(&mut self, why: &str) {
        if self.must_read() {
            self.failure.get_or_insert_with(|| why.to_owned());
        }
    }

    /// What the pictures say.
    pub(super) fn finish(self) -> Finding<CropReport> {
        let verdict = self.verdict.clone().or_else(|| self.judge());
        match (self.failure, verdict) {
            (Some(why), _) => Finding::Failed(why),
            (None, Some(crop)) => Finding::Found(crop),
            (None, None) => Finding::Failed("no picture of it can be decoded".to_owned()),
        }
    }
}

/// What pictures say; `None` where there is none.
fn judge(seen: &[Borders], hdr: bool) -> Option<CropReport> {
    let size = |b: &Borders| (b.columns.len() as u32, b.rows.len() as u32);
    let like = |other: &&Borders| seen.iter().filter(|b| size(b) == size(other)).count();
    // Of sizes that are as frequent the first.
    let (width, height) = size(seen.iter().rev().max_by_key(like)?);
    let same = |b: &&Borders| size(b) == (width, height);
    let samples: Vec<LightSample> = seen.iter().filter(same).map(LightSample::of).collect();
    let rules = if hdr { CropRules::hdr(black_level(&samples)) } else { CropRules::sdr() };
    let boxes: Vec<_> = samples.iter().map(|s| picture_in(&s.rows, &s.columns, &rules)).collect();
    let vote = vote(&boxes, width, height);
    tracing::debug!(?vote, ?rules, ?boxes, "crop");
    Some(CropReport {
        width: vote.rect.width,
        height: vote.rect.height,
        x: vote.rect.x,
        y: vote.rect.y,
        confidence: vote.confidence,
        samples: vote.samples,
        source_width: width,
        source_height: height,
    })
}

/// The darkest edge of all samples, in 8-bit steps.
fn black_level(samples: &[LightSample]) -> f32 {
    let edges = samples.iter().flat_map(|s| [s.rows.first(), s.rows.last(), s.columns.first(), s.columns.last()]);
    edges.flatten().map(|line| line.mean).fold(f32::MAX, f32::min)
}

/// A measured picture in 8-bit steps.
struct LightSample {
    rows: Vec<Light>,
    columns: Vec<Light>,
}

impl LightSample {
    fn of(borders: &Borders) -> Self {
        let step = f32::from(1u16 << (borders.depth.clamp(8, 16) - 8));
        let light = |l: &Line| Light { mean: l.mean / step, max: f32::from(l.max) / step };
        LightSample {
            rows: borders.rows.iter().map(light).collect(),
            columns: borders.columns.iter().map(light).collect(),
        }
    }
}
