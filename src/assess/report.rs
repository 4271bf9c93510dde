//! What an assessment found, as plain data.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::finding::{Judgement, QualityFinding};
use super::metric::{PooledMetric, Pooling, QualityMetric};
use super::thresholds::Thresholds;
use crate::av::RgbPicture;
use crate::media::Color;
use crate::plan::Loudness;

/// The form of the report.
pub(super) const REPORT_VERSION: u32 = 1;

/// A file, with or beside a reference: what its pictures and its sound are like, and how that is judged.
#[derive(Clone, Debug, Serialize)]
pub struct Assessment {
    /// The form of this report.
    pub version: u32,
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// FFmpeg's name of its container.
    pub container: String,
    /// How all of it is judged: as the worst of its findings and checks.
    pub verdict: Judgement,
    /// What it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<AssessedReference>,
    /// Its pictures; `None` where it has none.
    pub picture: Option<AssessedPicture>,
    /// Each track of its sound.
    pub sound: Vec<AssessedSound>,
    /// What the metrics come to.
    pub metrics: Vec<PooledMetric>,
    /// Metrics that were asked for and could not be measured.
    pub absent: Vec<AbsentMetric>,
    /// Metrics held against the thresholds.
    pub checks: Vec<MetricCheck>,
    /// What was found, the worst first, then by time.
    pub findings: Vec<QualityFinding>,
    /// What could not be measured beside metrics, and why.
    pub notes: Vec<String>,
    /// The thresholds it is judged by.
    pub thresholds: Thresholds,
    /// Values over time.
    pub series: AssessedSeries,
    /// Its worst pictures beside the reference's, where they were asked for.
    #[serde(skip)]
    pub worst: Vec<WorstPicture>,
}

/// What a file was compared with.
#[derive(Clone, Debug, Serialize)]
pub struct AssessedReference {
    /// The reference.
    pub file: PathBuf,
    /// What was done to its pictures so that they are the file's, in words; empty where nothing was.
    pub treatment: String,
    /// Pairs that were compared, by their order.
    pub pairs: u64,
    /// Pictures of the reference without a partner.
    pub missing: u64,
    /// Pictures of the file without one.
    pub extra: u64,
}

/// The pictures of a file.
#[derive(Clone, Debug, Serialize)]
pub struct AssessedPicture {
    /// The stream.
    pub stream: usize,
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// Bits a sample.
    pub bit_depth: u8,
    /// Pictures that were decoded.
    pub frames: u64,
    /// From the first picture to the end of the last, in seconds.
    pub duration_s: f64,
    /// Bits a second of its packets.
    pub bit_rate: f64,
    /// What the pictures are made of, as [`PictureReport::fields`](crate::data::PictureReport::fields).
    pub fields: Option<&'static str>,
    /// Colour by the first picture.
    pub color: Option<Color>,
    /// Scenes that begin after the first.
    pub cuts: usize,
    /// Means over the film of what was measured without a reference.
    pub means: PictureMeans,
}

/// Means over a film; `None` where nothing could be measured.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct PictureMeans {
    /// Percentage of samples outside of the legal range; `None` for full range.
    pub outside_percent: Option<f64>,
    /// Banding by CAMBI, of every [`every`](AssessedSeries::looked_every)-th picture.
    pub banding: Option<f64>,
    /// Blockiness by blockdetect, of the same.
    pub blockiness: Option<f64>,
    /// Blur by blurdetect, of the same.
    pub blur: Option<f64>,
}

/// One track of sound.
#[derive(Clone, Debug, Serialize)]
pub struct AssessedSound {
    /// The stream.
    pub stream: usize,
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// FFmpeg's name of the layout.
    pub layout: String,
    /// Its language.
    pub language: Option<String>,
    /// How loud it is.
    pub loudness: Option<Loudness>,
    /// Correlation of left and right over all of it, −1 to 1; `None` for one channel and silence.
    pub correlation: Option<f64>,
    /// The highest sample of each channel, 1 being full scale.
    pub peaks: Vec<f32>,
    /// When it begins and ends, in seconds.
    pub span_s: Option<(f64, f64)>,
}

/// A metric that could not be measured.
#[derive(Clone, Debug, Serialize)]
pub struct AbsentMetric {
    /// The metric.
    pub metric: QualityMetric,
    /// Why.
    pub why: String,
}

/// One number of a metric held against its limits.
#[derive(Clone, Debug, Serialize)]
pub struct MetricCheck {
    /// The metric.
    pub metric: QualityMetric,
    /// Which of its numbers.
    #[serde(serialize_with = "by_name")]
    pub pooling: Pooling,
    /// The number.
    pub value: f64,
    /// From where on it is warned of.
    pub warn: Option<f64>,
    /// From where on it fails.
    pub fail: Option<f64>,
    /// How it is judged.
    pub judgement: Judgement,
    /// Where scores are worst, in seconds: the stretch around the worst picture beyond the limit that was missed.
    pub from_s: Option<f64>,
    /// Its end.
    pub to_s: Option<f64>,
}

fn by_name<S: Serializer>(pooling: &Pooling, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(pooling.name())
}

/// Values over time. What was not measured is empty; single values that could not be are null in JSON.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AssessedSeries {
    /// When each picture is shown, in seconds of the film.
    pub time_s: Vec<f64>,
    /// Each how many pictures the metrics were measured, from the first on.
    pub stride: u32,
    /// The scores by metric, one for each `stride`-th picture that has a partner.
    #[serde(serialize_with = "by_names")]
    pub metrics: BTreeMap<QualityMetric, Vec<f32>>,
    /// Share of dark luma samples of each picture, 0 to 1.
    pub dark: Vec<f32>,
    /// Share of samples outside of the legal range of each picture, 0 to 1.
    pub outside: Vec<f32>,
    /// Mean difference of each picture from the one before, in full scale.
    pub moved: Vec<f32>,
    /// Pictures a scene begins with, by index.
    pub cuts: Vec<usize>,
    /// Each how many pictures the next three were measured, from the first on.
    pub looked_every: usize,
    /// Banding by CAMBI.
    pub banding: Vec<f32>,
    /// Blockiness by blockdetect.
    pub blockiness: Vec<f32>,
    /// Blur by blurdetect.
    pub blur: Vec<f32>,
}

fn by_names<S: Serializer>(series: &BTreeMap<QualityMetric, Vec<f32>>, s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(series.iter().map(|(metric, scores)| (metric.name(), scores)))
}

/// One of the worst pictures, beside the reference's.
#[derive(Clone, Debug)]
pub struct WorstPicture {
    /// Its index.
    pub index: usize,
    /// When it is shown, in seconds.
    pub at_s: f64,
    /// By which metric it is bad.
    pub metric: QualityMetric,
    /// Its score.
    pub score: f64,
    /// The reference's picture, small.
    pub reference: Thumbnail,
    /// The file's.
    pub file: Thumbnail,
}

/// A small picture in 8-bit R'G'B', row after row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// Samples a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue of each sample.
    pub rgb: Vec<u8>,
}

impl Thumbnail {
    /// Of a picture that was converted.
    pub(super) fn of(picture: RgbPicture) -> Self {
        Thumbnail { width: picture.width, height: picture.height, rgb: picture.bytes }
    }
}

impl Assessment {
    /// Judges what was measured, and puts the findings in order. Findings below all limits are left out.
    pub(super) fn judge(&mut self) {
        for finding in &mut self.findings {
            let limit = self.thresholds.finding(finding.kind);
            finding.judgement = limit.judge(finding.value, finding.kind.less_is_worse());
        }
        self.findings.retain(|finding| finding.judgement > Judgement::Pass);
        let from = |finding: &QualityFinding| finding.from_s.unwrap_or(-1.0);
        self.findings.sort_by(|a, b| b.judgement.cmp(&a.judgement).then(from(a).total_cmp(&from(b))));
        self.checks = self.metrics.iter().flat_map(|pooled| self.check(pooled)).collect();
        let all = self.findings.iter().map(|f| f.judgement).chain(self.checks.iter().map(|c| c.judgement));
        self.verdict = all.max().unwrap_or_default();
    }

    fn check(&self, pooled: &PooledMetric) -> Vec<MetricCheck> {
        let metric = pooled.metric;
        let one = |(pooling, limit): (Pooling, super::thresholds::QualityLimit)| {
            let value = pooled.by(pooling)?;
            let judgement = limit.judge(value, metric.more_is_better());
            let missed = match judgement {
                Judgement::Pass => None,
                Judgement::Warn => limit.warn,
                Judgement::Fail => limit.fail,
            };
            let span = missed.and_then(|missed| self.worst_stretch(metric, missed));
            let (from_s, to_s) = (span.map(|s| s.0), span.map(|s| s.1));
            Some(MetricCheck { metric, pooling, value, warn: limit.warn, fail: limit.fail, judgement, from_s, to_s })
        };
        self.thresholds.metric(metric).filter_map(one).collect()
    }

    /// The stretch of scores beyond `limit` around the worst.
    fn worst_stretch(&self, metric: QualityMetric, limit: f64) -> Option<(f64, f64)> {
        let scores = self.series.metrics.get(&metric)?;
        let worse = |a: f32, b: f32| if metric.more_is_better() { a < b } else { a > b };
        let worst = (0..scores.len()).reduce(|a, b| if worse(scores[b], scores[a]) { b } else { a })?;
        let beyond = |at: usize| worse(scores[at], limit as f32) || at == worst;
        let from = (0..=worst).rev().take_while(|at| beyond(*at)).last()?;
        let to = (worst..scores.len()).take_while(|at| beyond(*at)).last()?;
        Some((self.time_of(from)?, self.time_of(to + 1).or_else(|| self.series.time_s.last().copied())?))
    }

    /// When the picture of the `nth` score is shown.
    fn time_of(&self, nth: usize) -> Option<f64> {
        self.series.time_s.get(nth * self.series.stride.max(1) as usize).copied()
    }
}
