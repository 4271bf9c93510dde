//! How the scores of a metric are linear in the quality an encoder is given.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

/// What makes scores linear in CRF: a *distance*, which rises with CRF as the score falls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// `ln(top − score)`, for scores that creep towards their best; `top` is a little above that.
    Log {
        /// Above every score.
        top: f64,
    },
    /// `−score`, for scores that are logarithms themselves.
    Negative,
}

/// The least and the most that slopes are taken for: distance a CRF.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlopeBounds {
    /// More than 0: quality falls as CRF rises.
    pub least: f64,
    /// Not less than `least`.
    pub most: f64,
}

impl SlopeBounds {
    /// `slope` within the bounds.
    pub(super) fn hold(self, slope: f64) -> f64 {
        slope.clamp(self.least, self.most)
    }
}

/// What a search has to know of an encoder's CRF. Plain data.
///
/// The distances of a [`Curve`] were fitted to SVT-AV1; on the scale of another encoder one CRF is as much as
/// `steepness` of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrfScale {
    /// The first CRF of a film, where nothing is known.
    pub first: f64,
    /// The CRF of probes for the curve's usual target.
    pub probe: f64,
    /// How many of SVT-AV1's CRFs one is, in distance.
    pub steepness: f64,
    /// What a probe is off by, as a part of what SVT-AV1's is.
    pub probe_offset: f64,
    /// The two CRFs at which the samples of a film are tried first: on both sides of where most films meet 93.
    pub samples: [f64; 2],
}

impl CrfScale {
    /// SVT-AV1's.
    pub const SVT_AV1: CrfScale =
        CrfScale { first: 38.0, probe: 36.0, steepness: 1.0, probe_offset: 1.0, samples: [30.0, 42.0] };
}

impl Default for CrfScale {
    /// SVT-AV1's.
    fn default() -> Self {
        Self::SVT_AV1
    }
}

/// What a search has to know of a metric. Plain data.
///
/// Law: `distance` falls strictly as the score rises within `lowest..=highest`, and `score` undoes it. What is in
/// distances was fitted for VMAF; for the others it is the same number of CRFs, by their usual slope, until a film shows
/// its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// How scores become linear in CRF.
    pub scale: Distance,
    /// The lowest score.
    pub lowest: f64,
    /// The highest score.
    pub highest: f64,
    /// How many scores that are told apart make one: what differs by less than `1 / grains` is rounding.
    pub grains: f64,
    /// How far below its ceiling (the source against itself) a chunk is aimed: the curve only creeps towards it.
    pub below_ceiling: f64,
    /// How much less the last tier of a search asks.
    pub lowered: f64,
    /// The target for which probes are made at their usual CRF.
    pub usual_target: f64,
    /// Distance a CRF where neither a chunk nor its film has shown one.
    pub slope: f64,
    /// Distance a CRF for pictures whose motion is 1, and the power of motion it follows.
    pub slope_of_motion: f64,
    /// See `slope_of_motion`; 0 where motion tells nothing.
    pub motion_power: f64,
    /// Slopes between tries: what is outside is noise, two tries close together or a curve that is flat at its end.
    pub slopes: SlopeBounds,
    /// Slopes by motion.
    pub usual_slopes: SlopeBounds,
    /// Slopes over all tries of a chunk.
    pub shown_slopes: SlopeBounds,
    /// By how much the distance of a probe is above that of the encode itself, for pictures whose motion and detail are
    /// 1, where the film has not shown it.
    pub probe_offset: f64,
    /// What the natural logarithms of motion and of detail add to `probe_offset`; 0 where they tell nothing.
    pub probe_offset_by: [f64; 2],
    /// Parts of a chunk differ at least by this standard deviation in distance, whatever the first ones look like.
    pub spread: f64,
    /// As `spread`, against the same frames of another encode.
    pub paired_spread: f64,
}

impl Curve {
    /// VMAF: `ln(101 − x)`. Over the films measured its slope is 0.016 to 0.12 a CRF and follows what motion
    /// compensation leaves of the pictures.
    pub const VMAF: Curve = Curve {
        scale: Distance::Log { top: 101.0 },
        lowest: 0.0,
        highest: 100.0,
        grains: 100.0,
        below_ceiling: 1.0,
        lowered: 2.0,
        usual_target: 93.0,
        slope: 0.04,
        slope_of_motion: 0.038,
        motion_power: 0.4,
        slopes: SlopeBounds { least: 0.015, most: 0.13 },
        usual_slopes: SlopeBounds { least: 0.016, most: 0.13 },
        shown_slopes: SlopeBounds { least: 0.015, most: 0.15 },
        // benches/forecast: nine films, preset 6 by a probe of preset 11, SVT-AV1 2.3.0 and 4.2.0.
        probe_offset: 0.365,
        probe_offset_by: [0.11, -0.044],
        spread: 0.2,
        paired_spread: 0.04,
    };

    /// PSNR of luma in dB, which is linear itself: over four films at CRF 24 to 54 it fell by 0.18, 0.21, 0.26 and 0.28 dB
    /// a CRF, and was 1.4 to 2.3 dB less at preset 12 than at 6. Up to 72 dB for 10 bits; 8 bits end at 60.
    pub const PSNR: Curve = Curve {
        scale: Distance::Negative,
        lowest: 0.0,
        highest: 72.0,
        grains: 250.0,
        below_ceiling: 0.5,
        lowered: 1.25,
        usual_target: 42.0,
        slope: 0.23,
        slope_of_motion: 0.23,
        motion_power: 0.0,
        slopes: SlopeBounds { least: 0.08, most: 0.7 },
        usual_slopes: SlopeBounds { least: 0.08, most: 0.7 },
        shown_slopes: SlopeBounds { least: 0.08, most: 0.8 },
        probe_offset: 1.6,
        probe_offset_by: [0.0; 2],
        spread: 1.15,
        paired_spread: 0.23,
    };

    /// SSIM of luma: `ln(1.00001 − x)`. Over the same four films its slope was 0.029, 0.042, 0.041 and 0.047 a CRF,
    /// and preset 12 was 0.20 to 0.51 farther than 6, by an SSIM of square windows.
    pub const SSIM: Curve = Curve {
        scale: Distance::Log { top: 1.000_01 },
        lowest: 0.0,
        highest: 1.0,
        grains: 50_000.0,
        below_ceiling: 0.000_5,
        lowered: 0.003,
        usual_target: 0.985,
        slope: 0.04,
        slope_of_motion: 0.04,
        motion_power: 0.0,
        slopes: SlopeBounds { least: 0.015, most: 0.13 },
        usual_slopes: SlopeBounds { least: 0.016, most: 0.13 },
        shown_slopes: SlopeBounds { least: 0.015, most: 0.15 },
        probe_offset: 0.3,
        probe_offset_by: [0.0; 2],
        spread: 0.2,
        paired_spread: 0.04,
    };

    /// How far `score` is from perfect, on the scale that is linear in CRF.
    pub fn distance(&self, score: f64) -> f64 {
        let score = score.clamp(self.lowest, self.highest);
        match self.scale {
            Distance::Log { top } => (top - score).ln(),
            Distance::Negative => -score,
        }
    }

    /// The score at `distance`, which may lie beyond the lowest and the highest.
    pub fn score(&self, distance: f64) -> f64 {
        match self.scale {
            Distance::Log { top } => top - distance.exp(),
            Distance::Negative => -distance,
        }
    }

    /// By how much the score falls as the distance rises by a little, at `distance`: score a distance.
    pub(super) fn fall(&self, distance: f64) -> f64 {
        match self.scale {
            Distance::Log { .. } => distance.exp(),
            Distance::Negative => 1.0,
        }
    }

    /// `score` within the lowest and the highest; `other` where it is no number.
    pub(super) fn hold(&self, score: f64, other: f64) -> f64 {
        if score.is_finite() { score.clamp(self.lowest, self.highest) } else { other }
    }

    /// Whether `score` is at an end of the range, where scores tell no slope.
    pub(super) fn is_end(&self, score: f64) -> bool {
        score <= self.lowest || score >= self.highest
    }

    /// Distance a CRF for pictures with this `motion`; for VMAF fitted to the curves of three films, good to about a
    /// third.
    pub(super) fn slope_by_motion(&self, motion: f64) -> f64 {
        self.usual_slopes.hold(self.slope_of_motion * motion.max(0.0).powf(self.motion_power))
    }

    /// The same for an encoder whose CRFs are so.
    #[must_use]
    pub(crate) fn on(self, scale: &CrfScale) -> Curve {
        let wider = |bounds: SlopeBounds| SlopeBounds {
            least: bounds.least * scale.steepness.min(1.0),
            most: bounds.most * scale.steepness.max(1.0),
        };
        Curve {
            slope: self.slope * scale.steepness,
            slope_of_motion: self.slope_of_motion * scale.steepness,
            slopes: wider(self.slopes),
            usual_slopes: wider(self.usual_slopes),
            shown_slopes: wider(self.shown_slopes),
            // Where a CRF does more, so does what an encoder makes of one part of a chunk against another.
            spread: self.spread * scale.steepness.max(1.0).sqrt(),
            paired_spread: self.paired_spread * scale.steepness.max(1.0).sqrt(),
            probe_offset: self.probe_offset * scale.probe_offset,
            probe_offset_by: self.probe_offset_by.map(|by| by * scale.probe_offset),
            ..self
        }
    }

    /// By how much the distance of a probe of pictures with this motion and detail is above that of the encode itself.
    pub(super) fn usual_probe_offset(&self, motion: f64, detail: f64) -> f64 {
        /// Of pictures that stand still or show nothing.
        const LEAST: f64 = 0.05;
        let by = |weight: f64, measure: f64| weight * (measure.max(0.0) + LEAST).ln();
        self.probe_offset + by(self.probe_offset_by[0], motion) + by(self.probe_offset_by[1], detail)
    }
}

impl Default for Curve {
    /// VMAF.
    fn default() -> Self {
        Curve::VMAF
    }
}
