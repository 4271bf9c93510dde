//! SSIMULACRA2 of a stream of pairs, by the crate fast-ssim2.
#![deny(unsafe_code)]

use fast_ssim2::{PixelDescriptor, PixelSlice, compute_ssimulacra2};

use super::{FrameScore, Stride};
use crate::av::{RgbConverter, RgbPicture};
use crate::base::{Error, ErrorKind, Result};
use crate::media::Frame;

/// Scores pairs of frames as still pictures: 100 is no difference, 90 none that is seen, below 0 is possible and very bad.
///
/// The metric is one of 8-bit sRGB pictures, and its outcome is what the same pictures give as PNG files: Y'CbCr is converted
/// by its matrix and range, and BT.709's transfer is taken for sRGB's, as players and ffmpeg do. It knows no HDR.
///
/// Law: every pair is pushed, in order; those the stride leaves out cost nothing.
pub struct Ssimulacra {
    stride: Stride,
    reference: RgbConverter,
    distorted: RgbConverter,
    scores: Vec<FrameScore>,
    pushed: u64,
}

impl Ssimulacra {
    /// Each `stride`-th pair is scored.
    pub fn new(stride: Stride) -> Self {
        let converter = || RgbConverter::new(None);
        Ssimulacra { stride, reference: converter(), distorted: converter(), scores: Vec::new(), pushed: 0 }
    }

    /// Takes the next pair; its index is that of the frame's place in the stream.
    ///
    /// # Errors
    /// `Unsupported`, at the reference's time, for pictures of unlike size or that cannot be converted.
    pub fn push(&mut self, index: u64, reference: &Frame, distorted: &Frame) -> Result<()> {
        let position = self.pushed;
        self.pushed += 1;
        if !self.stride.selects(position) {
            return Ok(());
        }
        let (one, other) = (self.reference.convert(reference)?, self.distorted.convert(distorted)?);
        let failed = |e: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Unsupported, format!("SSIMULACRA2 cannot be measured: {e}")).at(reference.pts)
        };
        let score = slice(&one)
            .and_then(|one| slice(&other).map(|other| (one, other)))
            .map_err(|e| failed(&e))
            .and_then(|(one, other)| compute_ssimulacra2(&one, &other).map_err(|e| failed(&e)))?;
        self.scores.push(FrameScore { index, score });
        Ok(())
    }

    /// The scores of all that were scored.
    pub fn finish(self) -> Vec<FrameScore> {
        self.scores
    }
}

fn slice(picture: &RgbPicture) -> std::result::Result<PixelSlice<'_>, impl std::fmt::Display> {
    let RgbPicture { width, height, bytes } = picture;
    PixelSlice::new(bytes, *width, *height, *width as usize * 3, PixelDescriptor::RGB8_SRGB)
}
