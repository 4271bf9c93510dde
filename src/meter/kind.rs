//! The metrics there are.
#![deny(unsafe_code)]

use std::fmt;

use serde::{Deserialize, Serialize};

use super::model::Model;
use crate::plan::Curve;

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MetricKind {
    /// VMAF, 0 to 100.
    Vmaf {
        /// The model; `None` for the one meant for the size of the pictures ([`Model::for_size`]).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<Model>,
    },
    /// PSNR of luma in dB: 0 to 60 for 8 bits, to 72 for 10.
    Psnr,
    /// SSIM of luma: up to 1, hardly ever below 0.
    Ssim,
}

impl MetricKind {
    /// The name of the model for VMAF (`vmaf` where it is not chosen yet), else `psnr` or `ssim`.
    pub fn name(self) -> &'static str {
        match self {
            MetricKind::Vmaf { model } => model.map_or("vmaf", Model::name),
            MetricKind::Psnr => "psnr",
            MetricKind::Ssim => "ssim",
        }
    }

    /// How its scores are linear in the quality an encoder is given.
    pub fn curve(self) -> Curve {
        match self {
            MetricKind::Vmaf { .. } => Curve::VMAF,
            MetricKind::Psnr => Curve::PSNR,
            MetricKind::Ssim => Curve::SSIM,
        }
    }
}

impl Default for MetricKind {
    /// VMAF by the model for the size.
    fn default() -> Self {
        MetricKind::Vmaf { model: None }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
