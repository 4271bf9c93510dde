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
const MOST_TRIALS: usize = 8;

/// How much louder a track gets with a decibel of gain while a limiter works: 0.43 of a loud trailer; and the least that is
/// believed.
const USUAL_SLOPE: f64 = 0.6;
const LEAST_SLOPE: f64 = 0.25;

/// What a lossy codec may add to a peak, in dB, as long as nobody has measured it.
const HEADROOM: f64 = 0.6;

/// How much lower than measured to need a limit is set.
const CLEARANCE: f64 = 0.1;

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

/// A level that was tried, and what it came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TriedLevel {
    /// The level.
    pub level: SoundLevel,
    /// How loud the track is with it.
    pub found: Loudness,
}

/// What a track is to come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelAim {
    /// Integrated loudness, in LUFS.
    pub lufs: f64,
    /// The gain that would bring it there, by what was measured of it.
    pub gain_db: f64,
    /// Its true peak before that, in dB of full scale.
    pub true_peak_dbtp: f64,
}

/// What follows from trials of a track, the last of them last.
pub fn next_level(trials: &[TriedLevel], aim: LevelAim, target: LoudnessTarget) -> LevelStep {
    let nothing = || LevelStep::Miss("nothing is heard of it once it is encoded".to_owned());
    let Some(TriedLevel { level, found }) = trials.last() else { return nothing() };
    let Some(loud) = found.integrated_lufs else { return nothing() };
    let peak = found.true_peak_dbtp.unwrap_or(f64::NEG_INFINITY);
    let (off, over) = (aim.lufs - loud, peak - target.ceiling_dbtp);
    if off.abs() <= LOUDNESS_TOLERANCE && over <= 0.0 {
        return LevelStep::Keep;
    }
    let most = (aim.gain_db + MOST_MAKE_UP).min(MOST_GAIN);
    let gain_db = (level.gain_db + off / slope(trials)).min(most);
    // A limit above all peaks was none.
    let given = (aim.true_peak_dbtp + level.gain_db).min(level.limit_dbtp.unwrap_or(f64::INFINITY));
    let limit_dbtp = if over > 0.0 { Some(given - over - CLEARANCE) } else { level.limit_dbtp };
    let next = SoundLevel { gain_db, limit_dbtp };
    if trials.len() >= MOST_TRIALS || next == *level {
        let ceiling = target.ceiling_dbtp;
        return LevelStep::Miss(match off.abs() > LOUDNESS_TOLERANCE {
            true => format!("{loud:.1} LUFS is as near to {:.1} as a limiter at {ceiling:.1} dBTP leaves it", aim.lufs),
            false => format!("its true peak is {peak:.1} dBTP, not {ceiling:.1}"),
        });
    }
    LevelStep::Again(next)
}

/// How much louder a track gets with a decibel of gain: one, where nothing is limited; what the last two trials show where
/// only the gain was another, else what is usual.
fn slope(trials: &[TriedLevel]) -> f64 {
    let [.., last] = trials else { return 1.0 };
    let Some(limit) = last.level.limit_dbtp else { return 1.0 };
    let [.., before, _] = trials else { return USUAL_SLOPE };
    let run = last.level.gain_db - before.level.gain_db;
    let same = before.level.limit_dbtp.is_some_and(|other| (other - limit).abs() <= 2.0 * CLEARANCE);
    let rise = last.found.integrated_lufs.zip(before.found.integrated_lufs).map(|(now, then)| now - then);
    match rise.filter(|_| same && run.abs() >= LOUDNESS_TOLERANCE / 2.0) {
        Some(rise) => (rise / run).clamp(LEAST_SLOPE, 1.0),
        None => USUAL_SLOPE,
    }
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
        let aim = LevelAim { lufs: target.lufs, gain_db: level.gain_db, true_peak_dbtp: peak };
        let mut trials = Vec::new();
        loop {
            let over = level.limit_dbtp.map_or(0.0, |limit| (peak + level.gain_db - limit).max(0.0));
            let found = loudness(integrated + level.gain_db - takes * over, peak + level.gain_db - over + codec);
            trials.push(TriedLevel { level, found });
            match next_level(&trials, aim, target) {
                LevelStep::Again(next) => level = next,
                step => return (found, step),
            }
        }
    }

    #[test]
    fn a_soft_track_gets_a_gain_and_no_limiter() {
        let level = first_level(Some(-30.0), Some(-20.0), EBU).unwrap();
        assert_eq!(level, SoundLevel { gain_db: 7.0, limit_dbtp: None });
        let tried = TriedLevel { level, found: loudness(-23.02, -12.9) };
        let aim = LevelAim { lufs: -23.0, gain_db: 7.0, true_peak_dbtp: -20.0 };
        assert_eq!(next_level(&[tried], aim, EBU), LevelStep::Keep);
    }

    #[test]
    fn silence_is_left_alone() {
        assert_eq!(first_level(None, None, EBU), None);
        let tried = TriedLevel { level: SoundLevel { gain_db: 1.0, limit_dbtp: None }, found: Loudness::default() };
        let aim = LevelAim { lufs: -23.0, gain_db: 1.0, true_peak_dbtp: -20.0 };
        assert!(matches!(next_level(&[tried], aim, EBU), LevelStep::Miss(_)));
    }

    #[test]
    fn what_no_limiter_can_do_is_said() {
        let loud = LoudnessTarget { lufs: -5.0, ceiling_dbtp: -1.0 };
        let (_, step) = settled(-30.0, -3.0, 0.2, 0.8, loud);
        assert!(matches!(&step, LevelStep::Miss(why) if why.contains("LUFS")), "{step:?}");
    }

    proptest! {
        #[test]
        fn tracks_whose_limiter_takes_a_part_come_to_the_target_below_the_ceiling(
            integrated in -44.0..-5.0_f64, above in 3.0..25.0_f64, codec in 0.0..1.5_f64, takes in 0.0..0.55_f64,
            lufs in -27.0..-12.0_f64,
        ) {
            let peak = (integrated + above).min(2.0);
            let target = LoudnessTarget { lufs, ceiling_dbtp: -1.0 };
            // What a limiter takes has to be made up for, which it takes a part of again.
            let over = (peak + lufs - integrated - (target.ceiling_dbtp - HEADROOM - codec)).max(0.0);
            prop_assume!(takes * over / (1.0 - takes) < 0.8 * MOST_MAKE_UP);
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
