//! Scores of pictures that a caller pairs.
#![deny(unsafe_code)]

use std::fmt;

use serde_json::{Value, json};

use super::picture::Picture;
use crate::base::{Error, ErrorKind, Result};
use crate::meter::{Metric, MetricSpec, Scores};

/// A metric that takes a picture and what became of it, pair after pair.
///
/// Law: *every* pair of a stream is pushed, in display order; each is copied, so the pictures may go at once. It computes
/// in the calling thread unless the spec names threads. One thread at a time, any thread; dropping it discards what was
/// measured.
///
/// ```
/// # fn main() -> drapto::Result<()> {
/// let gray = |luma| drapto::Picture::from_planes(64, 64, 8, [(&[luma; 4096], 64), (&[128; 1024], 32), (&[128; 1024], 32)]);
/// let mut meter = drapto::PictureMeter::open("vmaf", 64, 64, 8)?;
/// for _ in 0..3 {
///     meter.push(&gray(100)?, &gray(100)?)?;
/// }
/// assert!(meter.finish()?.mean > 90.0);
/// # Ok(())
/// # }
/// ```
pub struct PictureMeter {
    metric: Box<dyn Metric>,
    pairs: u64,
}

impl PictureMeter {
    /// Opens a metric for pictures of `width` × `height` luma samples of `bit_depth` bits: `vmaf` (the model that is meant
    /// for the size), a model of it by libvmaf's name (`vmaf_v0.6.1`), another metric by its name, or a spec in JSON:
    /// `{"kind": {"vmaf": {"model": "vmaf_4k_v0.6.1"}}, "stride": 3, "threads": 2}`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a metric there is not; [`ErrorKind::Unsupported`] for sizes and depths the metric does not
    /// take; [`ErrorKind::Encode`] where the library fails.
    pub fn open(metric: &str, width: u32, height: u32, bit_depth: u8) -> Result<Self> {
        Ok(PictureMeter { metric: spec(metric)?.open(width, height, bit_depth)?, pairs: 0 })
    }

    /// Takes the next pair: `distorted` shows what `reference` shows.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for pictures of another size or depth than it was opened for: that pair was not taken, the
    /// next may be. [`ErrorKind::Encode`] where the library fails.
    pub fn push(&mut self, reference: &Picture, distorted: &Picture) -> Result<()> {
        self.metric.push(self.pairs, reference.frame(), distorted.frame())?;
        self.pairs += 1;
        Ok(())
    }

    /// Pairs that were taken.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Ends the stream: the scores of all its pairs.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] where there was no pair; [`ErrorKind::Encode`] where the library fails.
    pub fn finish(self) -> Result<Scores> {
        self.metric.finish()
    }
}

impl fmt::Debug for PictureMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PictureMeter of {} pairs", self.pairs)
    }
}

fn spec(text: &str) -> Result<MetricSpec> {
    let spec = if text.trim_start().starts_with('{') {
        serde_json::from_str(text)
    } else {
        serde_json::from_value(json!({"kind": kind(text), "stride": 1}))
    };
    spec.map_err(|e| Error::new(ErrorKind::Usage, format!("there is no metric {text:?}")).caused_by(e))
}

fn kind(name: &str) -> Value {
    match name {
        "vmaf" => json!({"vmaf": {"model": null}}),
        model if model.starts_with("vmaf") => json!({"vmaf": {"model": model}}),
        other => json!(other),
    }
}
