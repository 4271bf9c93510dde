//! What is warned of and what fails, from a file in TOML.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::finding::{FindingKind, Judgement};
use super::metric::{Pooling, QualityMetric};
use crate::base::{Error, ErrorKind, Result};

/// The form of the files that are read.
const VERSION: u32 = 1;

/// From where on a value is warned of, and from where on it fails. What is left out never happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityLimit {
    /// From here on it is warned of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn: Option<f64>,
    /// From here on it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail: Option<f64>,
}

impl QualityLimit {
    /// A limit that is warned of.
    fn warning(warn: f64) -> Self {
        QualityLimit { warn: Some(warn), fail: None }
    }

    /// How `value` is judged. Where `less_is_worse` a limit is the least that is well, and only what is below misses it;
    /// else what reaches it does.
    pub fn judge(&self, value: f64, less_is_worse: bool) -> Judgement {
        let misses =
            |limit: Option<f64>| limit.is_some_and(|limit| if less_is_worse { value < limit } else { value >= limit });
        match (misses(self.fail), misses(self.warn)) {
            (true, _) => Judgement::Fail,
            (false, true) => Judgement::Warn,
            (false, false) => Judgement::Pass,
        }
    }

    /// The limit that is met first.
    pub(super) fn first(&self, less_is_worse: bool) -> Option<f64> {
        let both = [self.warn, self.fail].into_iter().flatten();
        if less_is_worse { both.reduce(f64::max) } else { both.reduce(f64::min) }
    }
}

/// The limits of all metrics and findings.
///
/// ```toml
/// version = 1
///
/// [metrics.vmaf]
/// harmonic_mean = { warn = 93, fail = 88 }
/// p1 = { warn = 75 }
///
/// [findings]
/// black = { warn = 2.0, fail = 10.0 }      # seconds
/// duplicates = {}                          # never
/// ```
///
/// Limits that a file names replace the usual ones; those it does not name stay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// By metric and pooling. The bad side is below where more is better, else above.
    #[serde(serialize_with = "by_names")]
    metrics: BTreeMap<QualityMetric, BTreeMap<Pooling, QualityLimit>>,
    #[serde(serialize_with = "by_kind")]
    findings: BTreeMap<FindingKind, QualityLimit>,
}

impl Default for Thresholds {
    /// What is unusual in a finished film; of metrics VMAF alone, whose scale has a meaning of its own.
    fn default() -> Self {
        use FindingKind as K;
        let findings = [
            (K::Black, 2.0),
            (K::Freeze, 2.0),
            (K::Cuts, 120.0),
            (K::Banding, 5.0),
            (K::Range, 1.0),
            (K::Color, 1.0),
            (K::Fields, 1.0),
            (K::Duplicates, 1.0),
            (K::Dropped, 1.0),
            (K::Silence, 5.0),
            (K::DeadChannel, 1.0),
            (K::Clipping, 10.0),
            (K::TruePeak, 0.0),
            (K::Phase, 2.0),
            (K::EndsApart, 1.0),
        ];
        let mut findings: BTreeMap<_, _> =
            findings.into_iter().map(|(kind, warn)| (kind, QualityLimit::warning(warn))).collect();
        for kind in [K::Damage, K::Length] {
            findings.insert(kind, QualityLimit { warn: None, fail: Some(1.0) });
        }
        findings.insert(K::Drift, QualityLimit { warn: Some(40.0), fail: Some(200.0) });
        let vmaf = [
            (Pooling::HarmonicMean, QualityLimit { warn: Some(90.0), fail: Some(80.0) }),
            (Pooling::P1, QualityLimit { warn: Some(70.0), fail: Some(50.0) }),
        ];
        Thresholds { metrics: [(QualityMetric::Vmaf, vmaf.into())].into(), findings }
    }
}

/// What stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdsFile {
    version: u32,
    #[serde(default)]
    metrics: BTreeMap<String, BTreeMap<String, QualityLimit>>,
    #[serde(default)]
    findings: BTreeMap<String, QualityLimit>,
}

impl Thresholds {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// `Usage` for a file that cannot be read, or is wrong: with the line, or the name and the names there are.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::new(ErrorKind::Usage, "the thresholds cannot be read").caused_by(e).with_file(path))?;
        Self::parse(&text).map_err(|e| e.with_file(path))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str) -> Result<Self> {
        let usage = |message: String| Error::new(ErrorKind::Usage, message);
        let file: ThresholdsFile =
            toml::from_str(text).map_err(|e| usage(format!("the thresholds are wrong: {}", e.to_string().trim())))?;
        if file.version != VERSION {
            return Err(usage(format!("thresholds of version {}; this drapto reads version {VERSION}", file.version)));
        }
        let mut out = Thresholds::default();
        for (name, limits) in file.metrics {
            let metric: QualityMetric = name.parse()?;
            let of_metric = out.metrics.entry(metric).or_default();
            for (name, limit) in limits {
                let pooling = Pooling::ALL.iter().find(|p| p.name() == name).ok_or_else(|| {
                    let names: Vec<_> = Pooling::ALL.iter().map(|p| p.name()).collect();
                    usage(format!("there is no {metric}.{name}; there are {}", names.join(", ")))
                })?;
                check(&format!("metrics.{metric}.{name}"), limit, metric.more_is_better())?;
                of_metric.insert(*pooling, limit);
            }
        }
        for (name, limit) in file.findings {
            let kind = FindingKind::ALL.iter().find(|kind| kind.name() == name).ok_or_else(|| {
                let names: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.name()).collect();
                usage(format!("there is no finding {name:?}; there are {}", names.join(", ")))
            })?;
            check(&format!("findings.{name}"), limit, kind.less_is_worse())?;
            out.findings.insert(*kind, limit);
        }
        Ok(out)
    }

    /// The limits of a kind of finding.
    pub fn finding(&self, kind: FindingKind) -> QualityLimit {
        self.findings.get(&kind).copied().unwrap_or_default()
    }

    /// The limits of a metric.
    pub fn metric(&self, metric: QualityMetric) -> impl Iterator<Item = (Pooling, QualityLimit)> {
        self.metrics.get(&metric).into_iter().flatten().map(|(pooling, limit)| (*pooling, *limit))
    }
}

/// Refuses limits that are no numbers, or of which the worse one comes first.
fn check(name: &str, limit: QualityLimit, less_is_worse: bool) -> Result<()> {
    let numbers = [limit.warn, limit.fail].into_iter().flatten().all(f64::is_finite);
    let in_order = match (limit.warn, limit.fail) {
        (Some(warn), Some(fail)) if less_is_worse => fail <= warn,
        (Some(warn), Some(fail)) => warn <= fail,
        _ => true,
    };
    if numbers && in_order {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("{name}: what fails is to be worse than what is warned of, both numbers")))
}

fn by_names<S: serde::Serializer>(
    metrics: &BTreeMap<QualityMetric, BTreeMap<Pooling, QualityLimit>>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let named = metrics.iter().map(|(metric, limits)| {
        (metric.name(), limits.iter().map(|(pooling, limit)| (pooling.name(), limit)).collect::<BTreeMap<_, _>>())
    });
    serializer.collect_map(named)
}

fn by_kind<S: serde::Serializer>(
    findings: &BTreeMap<FindingKind, QualityLimit>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_map(findings.iter().map(|(kind, limit)| (kind.name(), limit)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_changes_what_it_names_and_an_empty_limit_is_none() {
        let text = "version = 1\n[metrics.vmaf]\nmean = { warn = 95, fail = 92.5 }\n[metrics.cambi]\nmax = { fail = 12 }\n\
                    [findings]\nblack = { fail = 10 }\nduplicates = {}\n";
        let thresholds = Thresholds::parse(text).unwrap();
        let vmaf: BTreeMap<_, _> = thresholds.metric(QualityMetric::Vmaf).collect();
        assert_eq!(vmaf[&Pooling::Mean], QualityLimit { warn: Some(95.0), fail: Some(92.5) });
        assert_eq!(vmaf[&Pooling::P1].fail, Some(50.0), "what is usual stays");
        assert_eq!(thresholds.finding(FindingKind::Black), QualityLimit { warn: None, fail: Some(10.0) });
        assert_eq!(thresholds.finding(FindingKind::Duplicates).judge(1e9, false), Judgement::Pass);
        assert_eq!(thresholds.finding(FindingKind::Freeze), Thresholds::default().finding(FindingKind::Freeze));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_what_is_right() {
        let wrong = [
            ("", "version"),
            ("version = 2", "version 1"),
            ("version = 1\n[metrics.vmf]\nmean = {}", "vmaf"),
            ("version = 1\n[metrics.vmaf]\navg = {}", "harmonic_mean"),
            ("version = 1\n[findings]\nblak = {}", "black"),
            ("version = 1\n[findings]\nblack = { wan = 1 }", "warn"),
            ("version = 1\n[findings]\nblack = { warn = 9, fail = 3 }", "findings.black"),
            ("version = 1\n[metrics.vmaf]\nmean = { warn = 80, fail = 90 }", "metrics.vmaf.mean"),
            ("version = 1\n[findings]\nblack = { warn = nan }", "numbers"),
            ("version = 1\nfindings = 3", "findings"),
        ];
        for (text, word) in wrong {
            let error = Thresholds::parse(text).unwrap_err();
            assert!(error.kind() == ErrorKind::Usage && error.to_string().contains(word), "{text:?}: {error}");
        }
    }

    proptest! {
        /// The worse a value, the worse it is judged; and what is judged reaches the first limit.
        #[test]
        fn judgement_follows_the_value(warn in -50.0f64..50.0, more in 0.0f64..50.0, a in -200.0f64..200.0, b in -200.0f64..200.0) {
            let (low, high) = (a.min(b), a.max(b));
            let up = QualityLimit { warn: Some(warn), fail: Some(warn + more) };
            prop_assert!(up.judge(low, false) <= up.judge(high, false));
            prop_assert_eq!(up.judge(a, false) > Judgement::Pass, a >= up.first(false).unwrap());
            let down = QualityLimit { warn: Some(warn), fail: Some(warn - more) };
            prop_assert!(down.judge(low, true) >= down.judge(high, true));
            prop_assert_eq!(down.judge(a, true) > Judgement::Pass, a < down.first(true).unwrap());
        }

        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,80}") {
            let _ = Thresholds::parse(&text);
        }
    }
}
