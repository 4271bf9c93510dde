//! What is asked of an assessment.
#![deny(unsafe_code)]

use super::metric::QualityMetric;
use super::pairing::PairingRules;
use super::thresholds::Thresholds;
use crate::base::{Error, ErrorKind, Result};
use crate::meter::{Model, Stride};

/// How [`assess`](super::assess) measures and judges.
#[derive(Clone, Debug, PartialEq)]
pub struct AssessOptions {
    /// The metrics against a reference.
    pub metrics: Vec<QualityMetric>,
    /// VMAF's model by libvmaf's name; by the picture's size without it.
    pub model: Option<String>,
    /// Each how many pictures the metrics are measured; odd, because even strides beat with an encoder's layers.
    pub stride: u32,
    /// What is warned of and what fails.
    pub thresholds: Thresholds,
    /// How many of the worst pictures are kept, small, beside the reference's.
    pub worst: usize,
}

impl Default for AssessOptions {
    /// VMAF, PSNR and SSIM of every picture, and the usual limits.
    fn default() -> Self {
        AssessOptions {
            metrics: QualityMetric::USUAL.to_vec(),
            model: None,
            stride: 1,
            thresholds: Thresholds::default(),
            worst: 0,
        }
    }
}

impl AssessOptions {
    /// The rules of pairs where that many files are compared at once.
    ///
    /// # Errors
    /// `Usage` for an even stride, or a model that is none.
    pub(super) fn rules(&self, files: usize) -> Result<PairingRules> {
        let stride = Stride::new(self.stride)?;
        if stride.is_even() {
            let message = format!(
                "a stride of {} is even: it beats with the encoder's pyramid of layers and can read up to 2.7 too high; \
                 take an odd one",
                self.stride
            );
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get().min(16));
        Ok(PairingRules {
            metrics: self.metrics.clone(),
            model: self.model.as_deref().map(Model::parse).transpose()?,
            stride,
            threads: (cores / files.max(1)).max(1) as u32,
        })
    }
}
