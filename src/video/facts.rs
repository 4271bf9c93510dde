//! What an encoder says of itself: sizes, quality, speed and memory, in numbers that decisions are made from.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Result};
use crate::media::Crf;
use crate::plan::CrfScale;

/// The facts of an encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderTraits {
    /// The name it is asked for by, such as `svt-av1`.
    pub name: &'static str,
    /// FFmpeg's name of the codec it makes, such as `av1` or `h264`.
    pub codec: &'static str,
    /// Picture sizes.
    pub limits: Limits,
    /// Bits a sample it takes, in rising order.
    pub depths: &'static [u8],
    /// Quality.
    pub scale: QualityScale,
    /// The fastest preset; 0 is the slowest of all.
    pub fastest_preset: u8,
    /// Memory.
    pub memory: EncoderMemory,
    /// When a fast encode pays as a forecast.
    pub probe: ProbeTraits,
    /// What a search for a target has to know of its CRF.
    pub search: CrfScale,
    /// Whether pictures may be decoded in another order than they are shown.
    pub reorders: bool,
    /// Whether it needs hardware, which may not be there or fail.
    pub hardware: bool,
    /// Whether it can describe film grain beside the picture.
    pub film_grain: bool,
    /// Whether the same settings give the same bytes at every level of parallelism. Where they do not, a run that
    /// is to be reproducible has to fix the level.
    pub same_bytes_in_parallel: bool,
}

/// The picture sizes an encoder takes, in luma samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The smallest width and height.
    pub min: u32,
    /// The largest width.
    pub max_width: u32,
    /// The largest height.
    pub max_height: u32,
    /// Whether width and height must be even.
    pub even: bool,
}

impl Limits {
    /// Whether `who` takes a picture of that size; `Unsupported` names the limit.
    pub(super) fn check(&self, (w, h): (u32, u32), who: &str) -> Result<()> {
        let unsupported =
            |why: String| Err(Error::new(ErrorKind::Unsupported, format!("a picture of {w}x{h}: {who} encodes {why}")));
        if w < self.min || h < self.min {
            return unsupported(format!("nothing smaller than {0}x{0}", self.min));
        }
        if w > self.max_width || h > self.max_height {
            return unsupported(format!("nothing larger than {}x{}", self.max_width, self.max_height));
        }
        if self.even && !(w.is_multiple_of(2) && h.is_multiple_of(2)) {
            return unsupported("only even widths and heights".to_owned());
        }
        Ok(())
    }
}

/// How an encoder's quality is named: the range of its CRF, its step and its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualityScale {
    /// The lowest number.
    pub min: Crf,
    /// The highest number.
    pub max: Crf,
    /// The step, in quarters of one.
    pub step: u16,
    /// Whether a lower number is a better picture and a larger file.
    pub lower_is_better: bool,
    /// What is taken up to 1080p where nothing was asked for.
    pub default_hd: Crf,
    /// What is taken above.
    pub default_uhd: Crf,
}

impl QualityScale {
    /// What is taken for a picture of that size, in luma samples, where nothing was asked for.
    ///
    /// "Up to 1080p" is by area and by the longer side, so that scope (1920×800) and portrait pictures count as what
    /// they are.
    pub fn default_for(&self, width: u32, height: u32) -> Crf {
        let area = u64::from(width) * u64::from(height);
        let hd = area <= 1920 * 1088 && width.max(height) <= 2560;
        self.nearest(if hd { self.default_hd } else { self.default_uhd })
    }

    /// The nearest number on the scale (halves go to the lower).
    pub fn nearest(&self, crf: Crf) -> Crf {
        let crf = crf.clamp(self.min, self.max);
        let step = self.step.max(1);
        let over = crf.quarters() % step;
        let below = crf.quarters() - over;
        let quarters = if over * 2 > step { below + step } else { below };
        Crf::from_quarters(quarters).map_or(crf, |near| near.clamp(self.min, self.max))
    }

    /// Whether the number is on the scale.
    pub fn has(&self, crf: Crf) -> bool {
        self.nearest(crf) == crf
    }
}

/// Bytes an encoder takes a luma sample of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderMemory {
    /// At level of parallelism 1, its look-ahead included.
    pub a_sample: u64,
    /// More for each further level.
    pub level_a_sample: u64,
}

/// Fast encodes that forecast the quality of slow ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeTraits {
    /// The preset of such encodes.
    pub preset: u8,
    /// Up to this preset an encode costs so much more that a probe before it pays.
    pub pays_up_to: u8,
}

impl ProbeTraits {
    /// Whether an encode at `preset` is worth a probe.
    pub fn pays(&self, preset: u8) -> bool {
        preset <= self.pays_up_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crf(number: f64) -> Crf {
        Crf::from_f64(number).unwrap()
    }

    fn scale(step: u16) -> QualityScale {
        QualityScale {
            min: Crf::MIN,
            max: crf(51.0),
            step,
            lower_is_better: true,
            default_hd: crf(25.0),
            default_uhd: crf(29.0),
        }
    }

    #[test]
    fn numbers_between_the_steps_go_to_the_nearest_and_halves_to_the_lower() {
        for (number, near) in [(30.0, 30.0), (30.25, 30.0), (30.5, 30.0), (30.75, 31.0), (63.0, 51.0), (1.0, 1.0)] {
            assert_eq!(scale(4).nearest(crf(number)), crf(near), "{number}");
        }
        assert!(scale(1).has(crf(30.25)) && !scale(4).has(crf(30.25)) && !scale(1).has(crf(52.0)));
    }

    #[test]
    fn the_default_depends_on_the_picture_not_on_its_orientation() {
        for (width, height, number) in [
            (720, 576, 25.0),
            (1920, 1088, 25.0),
            (1080, 1920, 25.0),
            (2560, 1440, 29.0),
            (3840, 1600, 29.0),
            (2160, 3840, 29.0),
        ] {
            assert_eq!(scale(4).default_for(width, height), crf(number), "{width}x{height}");
        }
    }
}
