//! Several encodes of one source: which is the better one, and by how many bits.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::bd_rate::{RatePoint, bd_rate};
use super::film::{JudgedFilm, Watched};
use super::metric::{PooledMetric, QualityMetric};
use super::options::AssessOptions;
use super::pairing::treated_words;
use super::report::AbsentMetric;
use super::run::{Compared, pooled};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::source::looked_at;

/// An encode that is compared, and the curve it is a point of, if it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedFile {
    /// The file.
    pub file: PathBuf,
    /// Files of one curve have one name: the same encoder at several rates.
    pub curve: Option<String>,
}

/// What [`compare`] found.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The source of all files.
    pub reference: PathBuf,
    /// The metric files are ranked by: VMAF where it was measured, else the first that was.
    pub ranked_by: Option<QualityMetric>,
    /// The files, the best first.
    pub files: Vec<RankedFile>,
    /// The curves, but for the first one, against the first.
    pub curves: Vec<CurveGain>,
}

/// One of the files.
#[derive(Clone, Debug, Serialize)]
pub struct RankedFile {
    /// Its place, 1 for the best; files of one score share it.
    pub rank: usize,
    /// The file.
    pub file: PathBuf,
    /// The curve it is a point of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<String>,
    /// Bits a second of its pictures.
    pub bit_rate: f64,
    /// Pictures.
    pub frames: u64,
    /// Its score by the metric files are ranked by: the harmonic mean, where there is one, else the mean.
    pub score: Option<f64>,
    /// Whether another file is better with no more bits.
    pub dominated: bool,
    /// What was done to the reference's pictures so that they are this file's.
    pub treatment: String,
    /// Pictures of the reference without a partner, and of the file.
    pub unpaired: (u64, u64),
    /// What the metrics come to.
    pub metrics: Vec<PooledMetric>,
    /// What could not be measured.
    pub absent: Vec<AbsentMetric>,
}

/// What one curve needs against the first.
#[derive(Clone, Debug, Serialize)]
pub struct CurveGain {
    /// The curve.
    pub curve: String,
    /// The first curve.
    pub against: String,
    /// By metric, how many percent more bits it needs for the same mean score (Bjøntegaard's delta rate; below 0 it needs
    /// fewer), or why there is no such number.
    #[serde(serialize_with = "by_names")]
    pub bd_rates: BTreeMap<QualityMetric, std::result::Result<f64, String>>,
}

type BdRates = BTreeMap<QualityMetric, std::result::Result<f64, String>>;

fn by_names<S: Serializer>(rates: &BdRates, s: S) -> std::result::Result<S::Ok, S::Error> {
    let written = |rate: &std::result::Result<f64, String>| match rate {
        Ok(percent) => serde_json::json!({ "percent": percent }),
        Err(why) => serde_json::json!({ "why": why }),
    };
    s.collect_map(rates.iter().map(|(metric, rate)| (metric.name(), written(rate))))
}

/// Compares `files` with `reference`, which is decoded once for all of them, and ranks them.
///
/// # Errors
/// As [`assess`](super::assess); `Usage` where no file is given.
pub fn compare(
    reference: &Path,
    files: &[ComparedFile],
    options: &AssessOptions,
    cancel: &CancelToken,
) -> Result<Comparison> {
    let rules = options.rules(files.len())?;
    if files.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "there is no file to compare"));
    }
    looked_at(reference, cancel, |reference| {
        let open = |given: &ComparedFile| JudgedFilm::open(&given.file, Watched::Nothing, cancel);
        let films = files.iter().map(|given| Ok((given.file.as_path(), open(given)?))).collect::<Result<Vec<_>>>()?;
        let mut compared = Compared::open(reference, films, &rules, cancel)?;
        compared.run(cancel)?;
        let mut out = Vec::new();
        for (given, (film, paired)) in files.iter().zip(compared.finish()?) {
            let film = film.finish(&options.thresholds)?;
            let length = span_of(&paired.times);
            out.push(RankedFile {
                rank: 0,
                file: given.file.clone(),
                curve: given.curve.clone(),
                bit_rate: if length > 0.0 { film.coded_bytes as f64 * 8.0 / length } else { 0.0 },
                frames: film.frames,
                score: None,
                dominated: false,
                treatment: treated_words(&paired.treatment),
                unpaired: (paired.missing, paired.extra),
                metrics: pooled(&paired, options.stride),
                absent: paired
                    .absent
                    .iter()
                    .map(|(metric, why)| AbsentMetric { metric: *metric, why: why.clone() })
                    .collect(),
            });
        }
        let curves = gains(&out);
        let ranked_by = out.iter().flat_map(|file| file.metrics.iter().map(|m| m.metric)).min();
        rank(&mut out, ranked_by);
        Ok(Comparison { reference: reference.to_path_buf(), ranked_by, files: out, curves })
    })
}

/// How long the pictures are, in seconds: the last lasts as long as those before do on average.
fn span_of(times: &[(crate::base::Timestamp, crate::base::Timestamp)]) -> f64 {
    let (Some((_, first)), Some((_, last))) = (times.first(), times.last()) else { return 0.0 };
    let span = last.as_secs_f64() - first.as_secs_f64();
    span * times.len() as f64 / (times.len() as f64 - 1.0).max(1.0)
}

fn rank(files: &mut [RankedFile], by: Option<QualityMetric>) {
    for file in files.iter_mut() {
        let of = file.metrics.iter().find(|m| Some(m.metric) == by);
        file.score = of.map(|m| m.harmonic_mean.unwrap_or(m.mean));
    }
    // CAMBI alone is better the lower it is.
    let more_is_better = by.is_none_or(QualityMetric::more_is_better);
    let goodness =
        |file: &RankedFile| file.score.map_or(f64::NEG_INFINITY, |score| if more_is_better { score } else { -score });
    files.sort_by(|a, b| goodness(b).total_cmp(&goodness(a)).then(a.bit_rate.total_cmp(&b.bit_rate)));
    let all: Vec<(f64, f64)> = files.iter().map(|file| (goodness(file), file.bit_rate)).collect();
    for (at, file) in files.iter_mut().enumerate() {
        let (own, rate) = all[at];
        file.rank = 1 + all.iter().filter(|(other, _)| *other > own).count();
        file.dominated =
            all.iter().any(|(other, bits)| (*other > own && *bits <= rate) || (*other == own && *bits < rate));
    }
}

/// Each curve but the first against the first, in the order they were given.
fn gains(files: &[RankedFile]) -> Vec<CurveGain> {
    let mut names: Vec<&str> = Vec::new();
    for name in files.iter().filter_map(|file| file.curve.as_deref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let Some((first, others)) = names.split_first() else { return Vec::new() };
    let of = |name: &str| files.iter().filter(|f| f.curve.as_deref() == Some(name)).collect::<Vec<_>>();
    let points = |files: &[&RankedFile], metric: QualityMetric| -> Vec<RatePoint> {
        let quality = |file: &RankedFile| file.metrics.iter().find(|m| m.metric == metric).map(|m| m.mean);
        let signed = |q: f64| if metric.more_is_better() { q } else { -q };
        let each = files.iter().filter_map(|f| Some(RatePoint { rate: f.bit_rate, quality: signed(quality(f)?) }));
        each.collect()
    };
    let metrics: Vec<QualityMetric> =
        files.first().map_or(Vec::new(), |f| f.metrics.iter().map(|m| m.metric).collect());
    others
        .iter()
        .map(|name| CurveGain {
            curve: (*name).to_owned(),
            against: (*first).to_owned(),
            bd_rates: metrics.iter().map(|m| (*m, bd_rate(&points(&of(first), *m), &points(&of(name), *m)))).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, curve: Option<&str>, bit_rate: f64, scores: &[f32]) -> RankedFile {
        RankedFile {
            rank: 0,
            file: name.into(),
            curve: curve.map(str::to_owned),
            bit_rate,
            frames: 1,
            score: None,
            dominated: false,
            treatment: String::new(),
            unpaired: (0, 0),
            metrics: PooledMetric::of(QualityMetric::Vmaf, 1, scores).into_iter().collect(),
            absent: Vec::new(),
        }
    }

    #[test]
    fn files_are_ranked_by_score_and_who_needs_more_bits_for_less_is_dominated() {
        let mut files = [
            file("poor", None, 500.0, &[80.0]),
            file("best", None, 900.0, &[95.0]),
            file("wasteful", None, 950.0, &[90.0]),
            file("none", None, 100.0, &[]),
            file("twin", None, 950.0, &[95.0]),
        ];
        rank(&mut files, Some(QualityMetric::Vmaf));
        let order: Vec<_> = files.iter().map(|f| (f.file.to_str().unwrap(), f.rank, f.dominated)).collect();
        let expected =
            [("best", 1, false), ("twin", 1, true), ("wasteful", 3, true), ("poor", 4, false), ("none", 5, false)];
        assert_eq!(order, expected);
    }

    #[test]
    fn curves_are_held_against_the_first_and_single_files_against_nothing() {
        let point = |curve, rate: f64, score| file("f", Some(curve), rate, &[score]);
        let mut files = vec![file("alone", None, 1.0, &[50.0])];
        for (rate, score) in [(100.0, 80.0), (200.0, 85.0), (400.0, 90.0), (800.0, 94.0)] {
            files.push(point("old", rate, score));
            files.push(point("new", rate / 2.0, score));
        }
        files.push(point("short", 100.0, 80.0));
        let found = gains(&files);
        assert_eq!(
            found.iter().map(|g| (&*g.curve, &*g.against)).collect::<Vec<_>>(),
            [("new", "old"), ("short", "old")]
        );
        let half = found[0].bd_rates[&QualityMetric::Vmaf].clone().unwrap();
        assert!((half + 50.0).abs() < 1e-9, "{half}");
        assert!(found[1].bd_rates[&QualityMetric::Vmaf].is_err());
        assert_eq!(gains(&files[..1]).len(), 0);
    }
}
