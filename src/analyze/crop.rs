//! Which part of a film's picture is not black bars.

use std::path::Path;

use serde::Serialize;

use super::pipeline::decoder_options;
use super::streams::main_video;
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{Frame, Transfer};
use crate::pixel::{Borders, Converter, Level, Line, borders};
use crate::plan::{CropRules, Light, picture_in, sample_times, vote};
use crate::source::Pictures;

/// The part of the picture that is not black bars: the whole picture where there is nothing to crop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CropReport {
    /// Columns of it.
    pub width: u32,
    /// Rows of it.
    pub height: u32,
    /// Columns left of it.
    pub x: u32,
    /// Rows above it.
    pub y: u32,
    /// The share of samples that agree, 0 to 1.
    pub confidence: f64,
    /// Pictures that were looked at and were not too dark.
    pub samples: usize,
    /// Columns of the film's picture.
    pub source_width: u32,
    /// Rows of the film's picture.
    pub source_height: u32,
}

/// Looks at pictures all over the film, and has them vote on where its black bars are.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read or hold no video.
pub fn crop(input: &Path, cancel: &CancelToken) -> Result<CropReport> {
    let mut sampler = Sampler::open(input, cancel)?;
    let seen = sampler.by_seeks();
    cancel.check()?;
    let few = seen.len() * 2 < sampler.times.len();
    let crop = judge(&seen, sampler.hdr).filter(|crop| !few && crop.samples >= FEWEST);
    // Few keyframes, none to be found, or most of them dark: then the film is read.
    let crop = match crop {
        Some(crop) => Some(crop),
        None => judge(&Sampler::open(input, cancel)?.by_reading()?, sampler.hdr),
    };
    crop.ok_or_else(|| Error::new(ErrorKind::Input, "no picture of it can be decoded").with_file(input))
}

/// Keyframes that are not dark, at least, for a vote among them alone.
const FEWEST: usize = 5;

/// What pictures say; `None` where there is none.
fn judge(seen: &[Borders], hdr: bool) -> Option<CropReport> {
    let first = seen.first()?;
    let (width, height) = (first.columns.len() as u32, first.rows.len() as u32);
    let same = |b: &&Borders| (b.columns.len() as u32, b.rows.len() as u32) == (width, height);
    let samples: Vec<Sample> = seen.iter().filter(same).map(Sample::of).collect();
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
fn black_level(samples: &[Sample]) -> f32 {
    let edges = samples.iter().flat_map(|s| [s.rows.first(), s.rows.last(), s.columns.first(), s.columns.last()]);
    edges.flatten().map(|line| line.mean).fold(f32::MAX, f32::min)
}

/// A measured picture in 8-bit steps.
struct Sample {
    rows: Vec<Light>,
    columns: Vec<Light>,
}

impl Sample {
    fn of(borders: &Borders) -> Self {
        let step = f32::from(1u16 << (borders.depth.clamp(8, 16) - 8));
        let light = |l: &Line| Light { mean: l.mean / step, max: f32::from(l.max) / step };
        Sample { rows: borders.rows.iter().map(light).collect(), columns: borders.columns.iter().map(light).collect() }
    }
}

struct Sampler {
    pictures: Pictures,
    converter: Converter,
    cancel: CancelToken,
    /// Where the film is looked at, from its start.
    times: Vec<f64>,
    /// The time of its start.
    start: f64,
    hdr: bool,
}

impl Sampler {
    fn open(input: &Path, cancel: &CancelToken) -> Result<Self> {
        let pictures = Pictures::open(input, main_video, decoder_options(), cancel)?;
        let info = pictures.info();
        let stream = main_video(info).and_then(|index| info.streams.get(index));
        let transfer = stream.and_then(|s| s.video.as_ref()).map(|v| v.color.transfer);
        Ok(Sampler {
            times: sample_times(info.duration_s.unwrap_or(0.0)),
            start: stream.and_then(|s| s.start).map_or(0.0, Timestamp::as_secs_f64),
            hdr: transfer.is_some_and(|t| [Transfer::PQ, Transfer::HLG].contains(&t)),
            converter: Converter::new(),
            cancel: cancel.clone(),
            pictures,
        })
    }

    fn measure(&mut self, frame: Frame) -> Result<Borders> {
        borders(Level::detect(), &self.converter.to_planar(frame)?)
    }

    /// The keyframes before the times; fewer where several times have the same one, or seeking fails.
    fn by_seeks(&mut self) -> Vec<Borders> {
        let (mut seen, mut last) = (Vec::new(), None);
        for seconds in self.times.clone() {
            let target = Timestamp::new(((self.start + seconds) * 1000.0) as i64, Rational::MILLI);
            let found = self.pictures.seek(target).and_then(|()| self.pictures.next());
            let Ok(Some(frame)) = found else { return seen };
            if self.cancel.is_cancelled() {
                return seen;
            }
            if last.replace(frame.pts) == Some(frame.pts) {
                continue;
            }
            match self.measure(frame) {
                Ok(borders) => seen.push(borders),
                Err(error) => tracing::debug!(%error, "a picture cannot be measured"),
            }
        }
        seen
    }

    /// Pictures at equal distances, from reading the film as far as its credits.
    fn by_reading(&mut self) -> Result<Vec<Borders>> {
        const MOST: usize = 100;
        let last = self.times.last().copied().unwrap_or(0.0);
        let (mut seen, mut every, mut index) = (Vec::new(), 1u64, 0u64);
        while let Some(frame) = self.pictures.next()? {
            self.cancel.check()?;
            if last > 0.0 && frame.pts.as_secs_f64() > self.start + last {
                break;
            }
            if index.is_multiple_of(every) {
                seen.push(self.measure(frame)?);
            }
            index += 1;
            if seen.len() > MOST {
                // Every other one stays.
                let mut at = 0;
                seen.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                every *= 2;
            }
        }
        Ok(seen)
    }
}
