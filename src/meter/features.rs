//! PSNR and SSIM: features of libvmaf that see one pair at a time.
#![deny(unsafe_code)]

use std::ffi::CStr;

use super::pairs::{Pairs, PictureShape, check_depth, check_threads};
use super::{FrameScore, Metric, MetricKind, Scores, Stride, ffi};
use crate::base::{Error, ErrorKind, Result};
use crate::media::Frame;

/// The widest and highest picture scored, in luma samples; libvmaf counts samples of a plane in 32 bits.
const MAX_SIDE: u32 = 16_384;

/// The side of SSIM's window: libvmaf asks for no more and checks nothing.
const SSIM_WINDOW: u32 = 11;

/// What libvmaf calls a feature and what it asks of a picture.
struct Feature {
    /// In messages.
    name: &'static str,
    extractor: &'static CStr,
    /// What its scores are kept under.
    score: &'static CStr,
    /// The least luma samples a row, and rows.
    least: u32,
}

/// `10 · log10(peak² / mse)` of luma in dB, at most 60 for 8 bits and 72 for 10.
const PSNR: Feature = Feature { name: "PSNR", extractor: c"psnr", score: c"psnr_y", least: 1 };

/// The mean over luma of the index of Wang et al. 2004 with their Gaussian window, after shrinking by the whole number
/// nearest to a 256th of the shorter side, as they recommend.
const SSIM: Feature = Feature { name: "SSIM", extractor: c"float_ssim", score: c"float_ssim", least: SSIM_WINDOW };

/// PSNR or SSIM of luma, each pair by itself.
///
/// Scores are known at once where `threads` is 0, else at the end. Pairs the stride leaves out are checked for size and
/// format and cost nothing else.
pub struct FeatureSession {
    kind: MetricKind,
    stride: Stride,
    /// Whether a score can be asked for as soon as its pair was read.
    at_once: bool,
    pairs: Pairs,
    context: ffi::FeatureContext,
    /// Pairs given to libvmaf, which counts only those.
    read: u32,
    known: Vec<FrameScore>,
}

impl FeatureSession {
    /// Opens a PSNR of planar 4:2:0 pictures of `width` × `height` at `depth` bits; `threads` as of
    /// [`MetricSpec::threads`](super::MetricSpec::threads).
    ///
    /// # Errors
    /// `Unsupported` for a depth other than 8 or 10 or a size that is too small or too large, `Usage` for more than 256
    /// threads; `Encode` where libvmaf fails.
    pub fn psnr(width: u32, height: u32, depth: u8, threads: u32, stride: Stride) -> Result<Self> {
        Self::open(MetricKind::Psnr, &PSNR, (width, height, depth), threads, stride)
    }

    /// Opens an SSIM; otherwise as [`psnr`](Self::psnr).
    ///
    /// # Errors
    /// As of [`psnr`](Self::psnr).
    pub fn ssim(width: u32, height: u32, depth: u8, threads: u32, stride: Stride) -> Result<Self> {
        Self::open(MetricKind::Ssim, &SSIM, (width, height, depth), threads, stride)
    }

    fn open(
        kind: MetricKind,
        feature: &Feature,
        (width, height, depth): (u32, u32, u8),
        threads: u32,
        stride: Stride,
    ) -> Result<Self> {
        check_depth(feature.name, depth)?;
        check_threads(feature.name, threads)?;
        let sides = feature.least..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            let message = format!(
                "a picture of {width}x{height} is not for {} ({} to {MAX_SIDE} on a side)",
                feature.name, feature.least
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(FeatureSession {
            kind,
            stride,
            at_once: threads == 0,
            pairs: Pairs::new(PictureShape { metric: feature.name, width, height, depth, chroma: false }),
            context: ffi::FeatureContext::new(feature.extractor, feature.score, threads)?,
            read: 0,
            known: Vec::new(),
        })
    }

    /// Asks for the scores of all that was read.
    fn collect(&mut self) -> Result<()> {
        for nth in self.known.len() as u32..self.read {
            let score = self.context.score(nth)?;
            // What was read is one in every stride, so its position is below the number of pairs.
            let index = self.pairs.index_of(nth.saturating_mul(self.stride.get()));
            self.known.push(FrameScore { index, score });
        }
        Ok(())
    }
}

impl Metric for FeatureSession {
    fn push(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()> {
        let position = self.pairs.expect(index, reference)?;
        if !self.stride.selects(u64::from(position)) {
            self.pairs.check(reference, distorted)?;
            self.pairs.accept(index);
            return Ok(());
        }
        let (one, other) = self.pairs.copy(reference, distorted)?;
        self.context.read(one, other, self.read).map_err(|e| e.at(reference.pts))?;
        self.pairs.accept(index);
        self.read += 1;
        if self.at_once { self.collect().map_err(|e| e.at(reference.pts)) } else { Ok(()) }
    }

    fn known(&self) -> &[FrameScore] {
        &self.known
    }

    fn finish(mut self: Box<Self>) -> Result<Scores> {
        if self.read > 0 && !self.at_once {
            self.context.flush()?;
            self.collect()?;
        }
        Scores::pool(self.kind, self.stride, u64::from(self.pairs.fed()), self.known)
    }
}
