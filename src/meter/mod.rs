//! How close a decoded picture is to its source: VMAF by libvmaf's own models, PSNR, SSIM and more by its features,
//! SSIMULACRA2 by a crate.
//!
//! Owns sessions: pairs of frames in, scores out, behind the one trait [`Metric`]; and the [`FeatureSet`], which measures all
//! of it at once. Refuses files, decoding,
//! conversion (both frames of a pair already have the size and format of the session) and decisions about what a
//! score means; how it is linear in an encoder's quality is a [`Curve`](crate::plan::Curve), told by
//! [`MetricKind::curve`]. A VMAF is relative to the reference: a frame against itself is usually below 100, and for PQ
//! and HLG no model was trained.
//!
//! A session is one libvmaf context. With `threads` 0 it computes in the calling thread and starts none, so a
//! worker owns one each; contexts do not share anything that changes a score.
#![deny(unsafe_code)]

mod features;
#[allow(unsafe_code)]
mod ffi;
mod kind;
mod metric;
mod model;
mod pairs;
mod running;
mod scores;
mod session;
mod set;
mod spec;
mod ssimulacra;

pub use features::FeatureSession;
pub use kind::MetricKind;
pub use metric::Metric;
pub use model::Model;
pub use running::RunningSession;
pub use scores::{FrameScore, Pooled, Scores, Stride};
pub use session::{Session, SessionConfig};
pub use set::{FeatureSet, PairFeature, PairSeries};
pub use spec::MetricSpec;
pub use ssimulacra::Ssimulacra;

/// The version of the linked libvmaf.
pub fn version() -> String {
    ffi::version()
}

#[cfg(test)]
mod tests;
