//! Several metrics of one stream of pairs at once: one libvmaf context computes VMAF and every other feature of a pair
//! that is read once.
#![deny(unsafe_code)]

use std::ffi::CStr;

use super::pairs::{Pairs, PictureShape, check_depth, check_threads};
use super::{Model, SessionConfig, ffi};
use crate::base::{Error, ErrorKind, Result};
use crate::media::Frame;

/// What CIEDE2000 and PSNR-HVS say of two equal pictures, for which both are infinite by their definition.
const EQUAL: f64 = 100.0;

/// What is measured of each pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PairFeature {
    /// VMAF by the set's model.
    Vmaf,
    /// PSNR of luma in dB, at most 60 for 8 bits and 72 for 10; [`PsnrCb`](Self::PsnrCb) and
    /// [`PsnrCr`](Self::PsnrCr) are of chroma.
    PsnrY,
    /// PSNR of Cb.
    PsnrCb,
    /// PSNR of Cr.
    PsnrCr,
    /// SSIM of luma (Wang et al. 2004), after shrinking by the whole number nearest to a 256th of the shorter side.
    Ssim,
    /// MS-SSIM of luma (Wang et al. 2003), five scales.
    MsSsim,
    /// 45 − 20 · log10 of the mean CIEDE2000 difference: more is better, 100 where nothing differs.
    Ciede2000,
    /// PSNR-HVS of luma and chroma in dB (Ponomarenko et al. 2006), 100 where nothing differs.
    PsnrHvs,
    /// Banding of the distorted picture alone by CAMBI (Tandon et al. 2021): 0 is none, 5 begins to annoy.
    Cambi,
}

impl PairFeature {
    /// libvmaf's extractor, the names its scores are kept under, and the least luma samples on each side and on the
    /// longer one.
    fn asks(self) -> (&'static CStr, &'static [&'static CStr], u32, u32) {
        match self {
            PairFeature::Vmaf => (c"", &[], 1, 1),
            PairFeature::PsnrY => (c"psnr", &[c"psnr_y"], 1, 1),
            PairFeature::PsnrCb => (c"psnr", &[c"psnr_cb"], 2, 2),
            PairFeature::PsnrCr => (c"psnr", &[c"psnr_cr"], 2, 2),
            PairFeature::Ssim => (c"float_ssim", &[c"float_ssim"], 11, 11),
            // A window of 11 samples in a picture halved four times.
            PairFeature::MsSsim => (c"float_ms_ssim", &[c"float_ms_ssim"], 176, 176),
            PairFeature::Ciede2000 => (c"ciede", &[c"ciede2000"], 2, 2),
            PairFeature::PsnrHvs => (c"psnr_hvs", &[c"psnr_hvs"], 16, 16),
            PairFeature::Cambi => (c"cambi", &[c"cambi", c"Cambi_feature_cambi_score"], 160, 216),
        }
    }

    /// Whether it looks at chroma.
    fn needs_chroma(self) -> bool {
        use PairFeature as F;
        matches!(self, F::PsnrCb | F::PsnrCr | F::Ciede2000 | F::PsnrHvs)
    }

    /// Why it is not to be had for pictures of this size.
    fn too_small(self, width: u32, height: u32) -> Option<String> {
        let (_, _, side, longer) = self.asks();
        let fits = width.min(height) >= side && width.max(height) >= longer;
        (!fits).then(|| format!("a picture of {width}x{height} is too small for it (at least {longer}x{side})"))
    }
}

/// The scores of one feature, for each pair that was scored; indices are those of the pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct PairSeries {
    /// What was measured.
    pub feature: PairFeature,
    /// One for each scored pair, in order.
    pub scores: Vec<f64>,
}

/// Measures pairs of frames that are given in order.
///
/// Law: as of [`Session`](super::Session): *every* pair of the stream is fed, also those a stride leaves out. Feeding
/// copies the samples. One thread at a time may use it.
pub struct FeatureSet {
    config: SessionConfig,
    features: Vec<PairFeature>,
    context: ffi::SetContext,
    pairs: Pairs,
    with_model: bool,
    /// Pairs given to libvmaf that are scored, by the number it knows them by.
    scored: Vec<u32>,
}

/// What a [`FeatureSet`] cannot measure, and why.
pub type AbsentFeatures = Vec<(PairFeature, String)>;

impl FeatureSet {
    /// Opens a set for planar 4:2:0 pictures of `width` × `height` luma samples at `depth` bits. What this libvmaf does not
    /// have or the size does not allow is left out and named.
    ///
    /// # Errors
    /// `Unsupported` for a depth other than 8 or 10, `Usage` for too many threads, `Encode` where libvmaf fails.
    pub fn open(wanted: &[PairFeature], config: SessionConfig) -> Result<(Self, AbsentFeatures)> {
        let SessionConfig { model, width, height, depth, threads, .. } = config;
        check_depth("a metric", depth)?;
        check_threads("a metric", threads)?;
        let (mut features, mut absent) = (Vec::new(), Vec::new());
        let mut with_model = wanted.contains(&PairFeature::Vmaf);
        if with_model && let Err(error) = model.check_size(width, height) {
            absent.push((PairFeature::Vmaf, error.to_string()));
            with_model = false;
        }
        let named = |with: bool| with.then(|| model.c_name());
        let mut context = match ffi::SetContext::new(named(with_model), threads, config.given_a_score()) {
            Err(error) if with_model && error.kind() == ErrorKind::Unsupported => {
                absent.push((PairFeature::Vmaf, error.to_string()));
                with_model = false;
                ffi::SetContext::new(None, threads, config.given_a_score())?
            }
            opened => opened?,
        };
        let mut added: Vec<(&CStr, bool)> = Vec::new();
        for &feature in wanted {
            let (extractor, ..) = feature.asks();
            if feature == PairFeature::Vmaf {
                features.extend(with_model.then_some(feature));
            } else if let Some(why) = feature.too_small(width, height) {
                absent.push((feature, why));
            } else {
                let known = added.iter().find(|(name, _)| *name == extractor).map(|(_, there)| Ok(*there));
                let there = known.unwrap_or_else(|| match context.add(extractor) {
                    Ok(()) => Ok(true),
                    Err(error) => {
                        absent.push((feature, error.to_string()));
                        Ok::<bool, Error>(false)
                    }
                })?;
                added.push((extractor, there));
                features.extend(there.then_some(feature));
            }
        }
        let chroma = features.iter().any(|f| f.needs_chroma()) || (with_model && model.is_v1());
        let pairs = Pairs::new(PictureShape { metric: "a set of metrics", width, height, depth, chroma });
        Ok((FeatureSet { config, features, context, pairs, with_model, scored: Vec::new() }, absent))
    }

    /// What is measured.
    pub fn features(&self) -> &[PairFeature] {
        &self.features
    }

    /// The model VMAF goes by, where it is measured.
    pub fn model(&self) -> Option<Model> {
        self.with_model.then_some(self.config.model)
    }

    /// Pairs fed so far.
    pub fn fed(&self) -> u64 {
        u64::from(self.pairs.fed())
    }

    /// Feeds the pair number `index`: the caller guarantees that the two show the same moment.
    ///
    /// # Errors
    /// As [`Session::score`](super::Session::score).
    pub fn push(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()> {
        let position = self.pairs.expect(index, reference)?;
        let scored = self.config.stride.selects(u64::from(position));
        // Neighbours are for the motion between pictures, which is the model's alone.
        let given = self.config.given_as(position).filter(|_| scored || self.with_model);
        if let Some(as_pair) = given {
            let (one, other) = self.pairs.copy(reference, distorted)?;
            self.context.read(one, other, as_pair).map_err(|e| e.at(reference.pts))?;
            if scored {
                self.scored.push(as_pair);
            }
        } else {
            self.pairs.check(reference, distorted)?;
        }
        self.pairs.accept(index);
        Ok(())
    }

    /// Ends the stream: the scores of all features, in the order they were asked for.
    ///
    /// # Errors
    /// `Encode` where libvmaf fails or a score is no number.
    pub fn finish(mut self) -> Result<Vec<PairSeries>> {
        if self.scored.is_empty() {
            return Ok(self.features.iter().map(|&feature| PairSeries { feature, scores: Vec::new() }).collect());
        }
        self.context.flush()?;
        let features = std::mem::take(&mut self.features);
        features.into_iter().map(|feature| self.series(feature)).collect()
    }

    fn series(&mut self, feature: PairFeature) -> Result<PairSeries> {
        let (_, names, ..) = feature.asks();
        // Which of its names this libvmaf keeps it under, the first score tells.
        let mut name = names.first().copied();
        let first = self.scored[0];
        name = names.iter().copied().find(|n| self.context.feature_score(n, first).is_ok()).or(name);
        let mut scores = Vec::with_capacity(self.scored.len());
        for position in 0..self.scored.len() {
            let as_pair = self.scored[position];
            let score = match name {
                Some(name) => self.context.feature_score(name, as_pair)?,
                None => self.context.model_score(as_pair)?.unwrap_or(f64::NAN),
            };
            let infinite = matches!(feature, PairFeature::Ciede2000 | PairFeature::PsnrHvs);
            let score = if infinite { score.min(EQUAL) } else { score };
            if !score.is_finite() {
                let index = self.pairs.index_of(position as u32 * self.config.stride.get());
                return Err(Error::new(ErrorKind::Encode, format!("libvmaf scored frame {index} as {score}")));
            }
            scores.push(score);
        }
        Ok(PairSeries { feature, scores })
    }
}
