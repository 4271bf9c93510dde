//! Which metric is measured and how, as plain data.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::kind::MetricKind;
use super::{FeatureSession, Metric, Model, RunningSession, SessionConfig, Stride};
use crate::base::Result;

/// What is measured and how, whatever the pictures are. Serialises both ways; what is left out is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricSpec {
    /// The metric.
    pub kind: MetricKind,
    /// Each how many frames one is scored.
    pub stride: Stride,
    /// Threads of the library's own; 0 computes in the thread that calls [`Metric::push`]. Changes no score.
    pub threads: u32,
    /// Whether VMAF is clipped to 0..100, as libvmaf does by default. The other metrics have their bounds.
    pub clip: bool,
}

impl Default for MetricSpec {
    /// VMAF by the model for the size, every frame, in the calling thread, clipped.
    fn default() -> Self {
        MetricSpec { kind: MetricKind::default(), stride: Stride::EVERY, threads: 0, clip: true }
    }
}

impl MetricSpec {
    /// Every frame by `kind`, in the calling thread.
    pub fn new(kind: MetricKind) -> Self {
        MetricSpec { kind, ..MetricSpec::default() }
    }

    /// VMAF of every frame, by `model` or by the one for the picture's size, in the calling thread, clipped.
    pub fn vmaf(model: Option<Model>) -> Self {
        MetricSpec::new(MetricKind::Vmaf { model })
    }

    /// Opens the metric for planar 4:2:0 pictures of `width` × `height` luma samples (odd ones are fine) at `depth` bits.
    ///
    /// # Errors
    /// `Unsupported` for a depth other than 8 or 10, a size the metric does not take, or a model this libvmaf does not
    /// have; `Usage` for more than 256 threads; `Encode` where libvmaf fails.
    pub fn open(&self, width: u32, height: u32, depth: u8) -> Result<Box<dyn Metric>> {
        let MetricSpec { kind, stride, threads, clip } = *self;
        Ok(match kind {
            MetricKind::Vmaf { model } => {
                let model = model.unwrap_or_else(|| Model::for_size(width, height));
                Box::new(RunningSession::new(SessionConfig { model, width, height, depth, threads, stride, clip })?)
            }
            MetricKind::Psnr => Box::new(FeatureSession::psnr(width, height, depth, threads, stride)?),
            MetricKind::Ssim => Box::new(FeatureSession::ssim(width, height, depth, threads, stride)?),
        })
    }
}
