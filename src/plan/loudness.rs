//! PURE: what is done to a track so that it is as loud as asked for, from what was measured.
//!
//! One gain for all of it; where its peaks would come too near to full scale then, a limiter. What a limiter and the codec
//! make of loudness and peaks is not foretold but measured, on a trial of the very encode, and corrected.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

/// A loudness that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoudnessTarget {
    /// Integrated loudness, in LUFS.
    pub lufs: f64,
    /// The highest true peak, in dB of full scale.
    pub ceiling_dbtp: f64,
}

/// How loud a track is (ITU-R BS.1770-4, EBU Tech 3341 and 3342). Values are `None` where there is nothing to measure:
/// silence, or sound that is too short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loudness {
    /// Gated loudness of all of it, in LUFS.
    pub integrated_lufs: Option<f64>,
    /// Loudness range, in LU.
    pub range_lu: Option<f64>,
    /// The loudest 400 ms, in LUFS.
    pub momentary_max_lufs: Option<f64>,
    /// The loudest 3 s, in LUFS.
    pub short_term_max_lufs: Option<f64>,
    /// The highest peak of any channel, those between samples too, in dB of full scale.
    pub true_peak_dbtp: Option<f64>,
}

/// What is done to the loudness of a track.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoundLevel {
    /// Decibels that are added.
    pub gain_db: f64,
    /// The true peak above which samples are limited, in dB of full scale; `None` where none comes near it.
    pub limit_dbtp: Option<f64>,
}

/// What a trial of a level leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum LevelStep {
    /// It does what was asked for.
    Keep,
    /// Another may.
    Again(SoundLevel),
    /// None does; why, in a sentence without its full stop.
    Miss(String),
}

/// How near to the target is near enough, in LU.
pub const LOUDNESS_TOLERANCE: f64 = 0.1;

/// Trials of a track, at most.
pub const MOST_TRIALS: u32 = 5;

/// What a lossy codec may add to a peak, in dB, as long as nobody has measured it.
const HEADROOM: f64 = 0.3;

/// How much lower than measured to need a limit is set.
const CLEARANCE: f64 = 0.05;

/// The most that is added to a track, in dB: what is so soft is noise.
pub const MOST_GAIN: f64 = 40.0;

/// By how much a gain may be more than what the measured loudness asks for, in dB, to make up for what a limiter takes.
const MOST_MAKE_UP: f64 = 6.0;

/// The first level for a track, or for tracks that are one programme, of this loudness, with the peak of this track; `None`
/// where there is nothing to make louder.
pub fn first_level(
    integrated_lufs: Option<f64>,
    true_peak_dbtp: Option<f64>,
    target: LoudnessTarget,
) -> Option<SoundLevel> {
    let gain_db = (target.lufs - integrated_lufs?).min(MOST_GAIN);
    let limit = target.ceiling_dbtp - HEADROOM;
    let near = true_peak_dbtp.is_some_and(|peak| peak + gain_db > limit);
    Some(SoundLevel { gain_db, limit_dbtp: near.then_some(limit) })
}

/// What follows from a trial of `level`, the `trial`-th, that came to `found` where `aim_lufs` was to be reached.
pub fn next_level(
    (level, trial): (SoundLevel, u32),
    found: Loudness,
    (aim_lufs, first_gain_db): (f64, f64),
    target: LoudnessTarget,
) -> LevelStep {
    let Some(loud) = found.integrated_lufs else {
        return LevelStep::Miss("nothing is heard of it once it is encoded".to_owned());
    };
    let peak = found.true_peak_dbtp.unwrap_or(f64::NEG_INFINITY);
    let (off, over) = (aim_lufs - loud, peak - target.ceiling_dbtp);
    if off.abs() <= LOUDNESS_TOLERANCE && over <= 0.0 {
        return LevelStep::Keep;
    }
    let most = (first_gain_db + MOST_MAKE_UP).min(MOST_GAIN);
    let gain_db = (level.gain_db + off).min(most);
    let limit_dbtp = match level.limit_dbtp {
        Some(limit) if over > 0.0 => Some(limit - over - CLEARANCE),
        None if over > 0.0 => Some(target.ceiling_dbtp - HEADROOM - over.max(0.0)),
        limit => limit,
    };
    let next = SoundLevel { gain_db, limit_dbtp };
    if trial >= MOST_TRIALS || next == level {
        let why = if off.abs() > LOUDNESS_TOLERANCE {
            format!(
                "{loud:.1} LUFS is as near to {aim_lufs:.1} as a limiter at {:.1} dBTP leaves it",
                target.ceiling_dbtp
            )
        } else {
            format!("its true peak is {peak:.1} dBTP, not {:.1}", target.ceiling_dbtp)
        };
        return LevelStep::Miss(why);
    }
    LevelStep::Again(next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EBU: LoudnessTarget = LoudnessTarget { lufs: -23.0, ceiling_dbtp: -1.0 };

    fn loudness(integrated: f64, peak: f64) -> Loudness {
        Loudness { integrated_lufs: Some(integrated), true_peak_dbtp: Some(peak), ..Loudness::default() }
    }

    /// A track whose limiter takes a part of what is above its limit, and whose codec adds to peaks.
    fn settled(integrated: f64, peak: f64, codec: f64, takes: f64, target: LoudnessTarget) -> (Loudness, LevelStep) {
        let mut level = first_level(Some(integrated), Some(peak), target).unwrap();
        let first = level.gain_db;
        for trial in 1.. {
            let over = level.limit_dbtp.map_or(0.0, |limit| (peak + level.gain_db - limit).max(0.0));
            let found = loudness(integrated + level.gain_db - takes * over, peak + level.gain_db - over + codec);
            match next_level((level, trial), found, (target.lufs, first), target) {
                LevelStep::Again(next) => level = next,
                step => return (found, step),
            }
        }
        unreachable!()
    }

    #[test]
    fn a_soft_track_gets_a_gain_and_no_limiter() {
        let level = first_level(Some(-30.0), Some(-20.0), EBU).unwrap();
        assert_eq!(level, SoundLevel { gain_db: 7.0, limit_dbtp: None });
        assert_eq!(next_level((level, 1), loudness(-23.02, -12.9), (-23.0, 7.0), EBU), LevelStep::Keep);
    }

    #[test]
    fn silence_is_left_alone() {
        assert_eq!(first_level(None, None, EBU), None);
        assert!(matches!(
            next_level((SoundLevel { gain_db: 1.0, limit_dbtp: None }, 1), Loudness::default(), (-23.0, 1.0), EBU),
            LevelStep::Miss(_)
        ));
    }

    #[test]
    fn what_no_limiter_can_do_is_said() {
        let loud = LoudnessTarget { lufs: -5.0, ceiling_dbtp: -1.0 };
        let (_, step) = settled(-30.0, -3.0, 0.2, 0.8, loud);
        assert!(matches!(&step, LevelStep::Miss(why) if why.contains("LUFS")), "{step:?}");
    }

    proptest! {
        #[test]
        fn tracks_whose_limiter_takes_little_come_to_the_target_below_the_ceiling(
            integrated in -50.0..-5.0_f64, above in 3.0..25.0_f64, codec in 0.0..1.5_f64, takes in 0.0..0.12_f64,
            lufs in -27.0..-12.0_f64,
        ) {
            let peak = (integrated + above).min(2.0);
            let target = LoudnessTarget { lufs, ceiling_dbtp: -1.0 };
            let (found, step) = settled(integrated, peak, codec, takes, target);
            prop_assert_eq!(&step, &LevelStep::Keep, "{:?}", found);
        }

        #[test]
        fn trials_come_to_an_end_and_never_add_more_than_is_sensible(
            integrated in -120.0..0.0_f64, peak in -100.0..6.0_f64, codec in -1.0..3.0_f64, takes in 0.0..1.0_f64,
            lufs in -40.0..0.0_f64,
        ) {
            let (_, step) = settled(integrated, peak, codec, takes, LoudnessTarget { lufs, ceiling_dbtp: -1.0 });
            prop_assert!(!matches!(step, LevelStep::Again(_)));
            let first = first_level(Some(integrated), Some(peak), LoudnessTarget { lufs, ceiling_dbtp: -1.0 }).unwrap();
            prop_assert!(first.gain_db <= MOST_GAIN);
        }
    }
}
