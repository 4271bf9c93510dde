//! The metrics that compare a file with its reference, and what a series of scores comes to.
#![deny(unsafe_code)]

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::base::{Error, ErrorKind, Result};
use crate::meter::PairFeature;

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:literal, $better:literal,)*) => {
        /// A metric of pictures against their reference.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum QualityMetric {
            $($(#[$doc])* $variant,)*
        }

        impl QualityMetric {
            /// All of them.
            pub const ALL: &'static [QualityMetric] = &[$(QualityMetric::$variant,)*];

            /// Its name on the command line, in thresholds and reports.
            pub fn name(self) -> &'static str {
                match self { $(QualityMetric::$variant => $name,)* }
            }

            /// The unit of its scores; empty where they have none.
            pub fn unit(self) -> &'static str {
                match self { $(QualityMetric::$variant => $unit,)* }
            }

            /// Whether more of it is better.
            pub fn more_is_better(self) -> bool {
                match self { $(QualityMetric::$variant => $better,)* }
            }
        }
    };
}

metrics! {
    /// VMAF, by the model that was asked for or the one for the picture's size; 0 to 100.
    Vmaf = "vmaf", "", true,
    /// PSNR of luma in dB.
    Psnr = "psnr", "dB", true,
    /// PSNR of Cb, measured with [`Psnr`](Self::Psnr).
    PsnrCb = "psnr_cb", "dB", true,
    /// PSNR of Cr, measured with [`Psnr`](Self::Psnr).
    PsnrCr = "psnr_cr", "dB", true,
    /// SSIM of luma, as libvmaf's `float_ssim` has it: large pictures are shrunk first.
    Ssim = "ssim", "", true,
    /// MS-SSIM of luma.
    MsSsim = "ms_ssim", "", true,
    /// 45 − 20 · log10 of the mean CIEDE2000 difference, as libvmaf has it; 100 where nothing differs.
    Ciede2000 = "ciede2000", "", true,
    /// PSNR-HVS in dB; 100 where nothing differs.
    PsnrHvs = "psnr_hvs", "dB", true,
    /// SSIMULACRA2: 100 is no difference, below 0 is possible.
    Ssimulacra2 = "ssimulacra2", "", true,
    /// XPSNR, where libavfilter has it (from 7.1).
    Xpsnr = "xpsnr", "dB", true,
    /// Banding of the file's own picture by CAMBI: 0 is none, 5 begins to annoy.
    Cambi = "cambi", "", false,
}

impl QualityMetric {
    /// What is measured where nothing else is asked for: together hardly slower than VMAF alone.
    pub const USUAL: &'static [QualityMetric] =
        &[QualityMetric::Vmaf, QualityMetric::Psnr, QualityMetric::PsnrCb, QualityMetric::PsnrCr, QualityMetric::Ssim];

    /// Reads a list such as `vmaf,psnr,ssim`; `all` is every one. `psnr` brings its chroma with it.
    ///
    /// # Errors
    /// `Usage` for a name that is none, with the names there are.
    pub fn parse_list(text: &str) -> Result<Vec<QualityMetric>> {
        let mut out: Vec<QualityMetric> = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "all" => out.extend(Self::ALL),
                "psnr" => out.extend([QualityMetric::Psnr, QualityMetric::PsnrCb, QualityMetric::PsnrCr]),
                _ => out.push(name.parse()?),
            }
        }
        out.sort_unstable();
        out.dedup();
        if out.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "no metric is named"));
        }
        Ok(out)
    }

    /// libvmaf's feature for it, where that measures it.
    pub(super) fn feature(self) -> Option<PairFeature> {
        Some(match self {
            QualityMetric::Vmaf => PairFeature::Vmaf,
            QualityMetric::Psnr => PairFeature::PsnrY,
            QualityMetric::PsnrCb => PairFeature::PsnrCb,
            QualityMetric::PsnrCr => PairFeature::PsnrCr,
            QualityMetric::Ssim => PairFeature::Ssim,
            QualityMetric::MsSsim => PairFeature::MsSsim,
            QualityMetric::Ciede2000 => PairFeature::Ciede2000,
            QualityMetric::PsnrHvs => PairFeature::PsnrHvs,
            QualityMetric::Cambi => PairFeature::Cambi,
            QualityMetric::Ssimulacra2 | QualityMetric::Xpsnr => return None,
        })
    }
}

impl FromStr for QualityMetric {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|metric| metric.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|metric| metric.name()).collect();
            Error::new(ErrorKind::Usage, format!("there is no metric {name:?}; there are {}", names.join(", ")))
        })
    }
}

impl fmt::Display for QualityMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for QualityMetric {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

macro_rules! poolings {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $field:ident,)*) => {
        /// How the scores of frames become one number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Pooling {
            $($(#[$doc])* $variant,)*
        }

        impl Pooling {
            /// All of them.
            pub const ALL: &'static [Pooling] = &[$(Pooling::$variant,)*];

            /// Its name in thresholds and reports.
            pub fn name(self) -> &'static str {
                match self { $(Pooling::$variant => $name,)* }
            }
        }

        impl PooledMetric {
            /// The number by that pooling, where there is one.
            pub fn by(&self, pooling: Pooling) -> Option<f64> {
                match pooling { $(Pooling::$variant => self.$field.into(),)* }
            }
        }
    };
}

poolings! {
    /// Arithmetic mean.
    Mean = "mean", mean,
    /// Harmonic mean.
    HarmonicMean = "harmonic_mean", harmonic_mean,
    /// Lowest.
    Min = "min", min,
    /// 1st percentile.
    P1 = "p1", p1,
    /// 5th percentile.
    P5 = "p5", p5,
    /// 95th percentile.
    P95 = "p95", p95,
    /// 99th percentile.
    P99 = "p99", p99,
    /// Highest.
    Max = "max", max,
}

/// What the scores of one metric come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PooledMetric {
    /// The metric.
    pub metric: QualityMetric,
    /// VMAF's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'static str>,
    /// The unit of the scores.
    pub unit: &'static str,
    /// Whether more is better.
    pub more_is_better: bool,
    /// Arithmetic mean.
    pub mean: f64,
    /// Harmonic mean as libvmaf has it, `n / Σ 1/(x+1) − 1`; `None` where a score is −1 or below.
    pub harmonic_mean: Option<f64>,
    /// The lowest score.
    pub min: f64,
    /// 1st percentile by nearest rank: a score that was measured.
    pub p1: f64,
    /// 5th percentile by nearest rank.
    pub p5: f64,
    /// 95th percentile by nearest rank.
    pub p95: f64,
    /// 99th percentile by nearest rank.
    pub p99: f64,
    /// The highest score.
    pub max: f64,
    /// Frames that were scored.
    pub scored: u64,
    /// Each how many frames one was scored.
    pub stride: u32,
    /// Why the score is no absolute one, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relative: Option<&'static str>,
}

impl PooledMetric {
    /// Pools `scores`; `None` where there are none.
    pub(super) fn of(metric: QualityMetric, stride: u32, scores: &[f32]) -> Option<Self> {
        let mut sorted: Vec<f64> = scores.iter().map(|s| f64::from(*s)).collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let rank = |percent: usize| sorted[(n * percent).div_ceil(100).clamp(1, n) - 1];
        let inverse: f64 = sorted.iter().map(|score| 1.0 / (score + 1.0)).sum();
        Some(PooledMetric {
            metric,
            model: None,
            unit: metric.unit(),
            more_is_better: metric.more_is_better(),
            mean: sorted.iter().sum::<f64>() / n as f64,
            harmonic_mean: (min > -1.0).then(|| n as f64 / inverse - 1.0),
            min,
            p1: rank(1),
            p5: rank(5),
            p95: rank(95),
            p99: rank(99),
            max,
            scored: n as u64,
            stride,
            relative: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::meter::Pooled;

    #[test]
    fn percentiles_are_scores_that_were_measured() {
        let scores: Vec<f32> = (1..=200).rev().map(|n| n as f32).collect();
        let pooled = PooledMetric::of(QualityMetric::Vmaf, 1, &scores).unwrap();
        assert_eq!((pooled.min, pooled.p1, pooled.p5, pooled.p95, pooled.max), (1.0, 2.0, 10.0, 190.0, 200.0));
        assert_eq!(pooled.mean, 100.5);
        assert_eq!(PooledMetric::of(QualityMetric::Vmaf, 1, &[]), None);
        let negative = PooledMetric::of(QualityMetric::Ssimulacra2, 5, &[-30.0, 20.0]).unwrap();
        assert_eq!((negative.harmonic_mean, negative.min), (None, -30.0));
    }

    #[test]
    fn a_list_is_read_with_what_belongs_to_psnr_and_a_wrong_name_is_told_the_right_ones() {
        use QualityMetric as M;
        assert_eq!(M::parse_list("ssim, psnr,ssim").unwrap(), [M::Psnr, M::PsnrCb, M::PsnrCr, M::Ssim]);
        assert_eq!(M::parse_list("all").unwrap(), M::ALL);
        let error = M::parse_list("vmaf,sssim").unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("ms_ssim"), "{error}");
        assert_eq!(M::parse_list(" ,").unwrap_err().kind(), ErrorKind::Usage);
    }

    proptest! {
        /// Mean, harmonic mean, fifth percentile and minimum are those `drapto vmaf` prints.
        #[test]
        fn pools_as_the_meter_does(scores in prop::collection::vec(0.0f32..100.0, 1..60)) {
            let ours = PooledMetric::of(QualityMetric::Vmaf, 1, &scores).unwrap();
            let theirs = Pooled::of(scores.iter().map(|s| f64::from(*s))).unwrap();
            prop_assert!((ours.mean - theirs.mean).abs() < 1e-9);
            prop_assert!((ours.harmonic_mean.unwrap() - theirs.harmonic_mean).abs() < 1e-9);
            prop_assert_eq!((ours.p5, ours.min), (theirs.p5, theirs.min));
        }
    }
}
