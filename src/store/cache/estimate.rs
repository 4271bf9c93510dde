//! How long a frame will take, guessed from frames that are like it. Pure.
//!
//! Every guess is one of the logarithm of the time of one core, with a variance: that of the prior is wide, that of a
//! measure is the narrower the more it is like what is asked for and the oftener it was made. The nearest are weighed by the
//! inverse of their variances, the prior with them, so that few and distant measures move it a little and near ones decide.

/// What a frame's time depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct PerformanceKey {
    /// The stage: `encode`, `score`, `decode`, or whatever else is measured.
    pub stage: String,
    /// The encoder with its version; empty where it does not matter.
    pub encoder: String,
    /// Pixels of a frame.
    pub pixels: u32,
    /// The encoder's preset, as SVT-AV1 counts them.
    pub preset: u8,
    /// How hard the frames are beside usual ones, which are 1. What is not a positive number is taken for 1.
    pub complexity: f64,
    /// Cores at work on it together; half of them take twice the time.
    pub cores: u32,
}

/// A guess.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Seconds a frame takes, with all the cores at work.
    pub seconds_per_frame: f64,
    /// Measures it rests on; 0 where it is the prior's alone.
    pub matched: u32,
}

/// What is remembered of frames of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeasuredTime {
    pub(super) same_encoder: bool,
    pub(super) pixels: u32,
    pub(super) preset: u8,
    pub(super) complexity_step: i32,
    /// Seconds of one core.
    pub(super) core_s: f64,
    pub(super) count: u32,
}

/// Core seconds a pixel of SVT-AV1 4.2.0 at preset 6: 1253 frames of 1280x720 took two cores 26 s on one machine and 31 s on
/// another; a third was slower still.
const ENCODE_PIXEL_S: f64 = 5.5e-8;
/// Below this many pixels each takes longer, by this power: at preset 8, 3.0e-8 core seconds a pixel of that trailer, 9.1e-8
/// of a film of 800x332, which is also the harder one.
const SMALL_PICTURE: f64 = 921_600.0;
const SMALL_POWER: f64 = 0.3;
/// The same of VMAF: 29 ms a frame of 1920x1080 (there, too).
const SCORE_PIXEL_S: f64 = 1.4e-8;
/// The same of a decoder: H.264 at some 200 frames of 1920x1080 a second and core. An assumption, not measured here.
const DECODE_PIXEL_S: f64 = 2.5e-9;
/// What a preset costs more than the next faster one: preset 12 takes a seventh of preset 6 (there, too), that is 7^(1/6).
const PRESET_STEP: f64 = 1.383;
/// The same below preset 4, where steps are steeper. An assumption, not measured here.
const SLOW_PRESET_STEP: f64 = 1.7;
/// The exponent of complexity: twice as hard takes 1.4 times as long. An assumption, not measured here.
const COMPLEXITY_POWER: f64 = 0.5;

/// Standard deviations of the logarithm: of the prior on a machine nobody knows (a factor of two either way), of one
/// measure, and by what a measure is off for each way in which it is of something else.
const PRIOR_DOUBT: f64 = 0.7;
const MEASURE_DOUBT: f64 = 0.2;
const PRESET_DOUBT: f64 = 0.12;
const PIXEL_OCTAVE_DOUBT: f64 = 0.25;
const COMPLEXITY_OCTAVE_DOUBT: f64 = 0.3;
const ENCODER_DOUBT: f64 = 0.35;

/// As many measures as the smoothing remembers: (2 - 0.3) / 0.3.
const REMEMBERED: u32 = 6;
/// As many kinds of frames as are looked at.
const NEAREST: usize = 8;

/// Logarithms of times that frames take; what is beyond is a fault of a clock.
const SHORTEST_LN: f64 = -30.0;
const LONGEST_LN: f64 = 25.0;

/// Steps of complexity in an octave.
const STEPS: f64 = 4.0;

impl PerformanceKey {
    /// The guess where nothing was measured.
    pub fn prior(&self) -> Estimate {
        estimate(self, &[])
    }

    pub(super) fn cores(&self) -> f64 {
        f64::from(self.cores.max(1))
    }

    /// Quarters of an octave: frames are never twice as hard to the last bit, and rows are to meet again.
    pub(super) fn complexity_step(&self) -> i32 {
        let known = self.complexity.is_finite() && self.complexity > 0.0;
        // Within 2^±10; what is beyond is a fault of the measure.
        if known { (self.complexity.log2() * STEPS).round().clamp(-40.0, 40.0) as i32 } else { 0 }
    }
}

/// How long a frame takes, from measures of the same stage.
pub(super) fn estimate(key: &PerformanceKey, rows: &[MeasuredTime]) -> Estimate {
    let prior = prior(key);
    let mut near: Vec<(f64, &MeasuredTime)> = rows
        .iter()
        .filter(|row| row.core_s.is_finite() && row.core_s > 0.0 && row.pixels > 0 && row.count > 0)
        .map(|row| (distance(key, row), row))
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Beside one that is just what is asked for, all others are silent.
    let nearest = near.first().map_or(0.0, |(distance, _)| *distance);
    near.retain(|(distance, _)| *distance <= 2.0 * nearest);
    near.truncate(NEAREST);

    let mut weights = PRIOR_DOUBT.powi(-2);
    let mut sum = weights * prior.ln();
    let mut matched = 0u32;
    for (distance, row) in near {
        let weight = 1.0 / (distance + MEASURE_DOUBT.powi(2) / f64::from(row.count.min(REMEMBERED)));
        weights += weight;
        sum += weight * brought(key, row);
        matched = matched.saturating_add(row.count);
    }
    Estimate { seconds_per_frame: (sum / weights).exp() / key.cores(), matched }
}

/// By what a measure may be off because it is of something else: a variance.
fn distance(key: &PerformanceKey, row: &MeasuredTime) -> f64 {
    let presets = f64::from(key.preset.abs_diff(row.preset)) * PRESET_DOUBT;
    let pixels = (f64::from(key.pixels.max(1)) / f64::from(row.pixels)).log2() * PIXEL_OCTAVE_DOUBT;
    let steps = f64::from(key.complexity_step() - row.complexity_step.clamp(-40, 40));
    let complexity = steps / STEPS * COMPLEXITY_OCTAVE_DOUBT;
    let encoder = if row.same_encoder { 0.0 } else { ENCODER_DOUBT };
    presets.powi(2) + pixels.powi(2) + complexity.powi(2) + encoder.powi(2)
}

/// The logarithm of a measure brought to what is asked for, by the prior's ratios.
fn brought(key: &PerformanceKey, row: &MeasuredTime) -> f64 {
    let theirs = PerformanceKey { pixels: row.pixels, preset: row.preset, complexity: 1.0, ..key.clone() };
    let complexity = f64::from(row.complexity_step.clamp(-40, 40)) / STEPS * COMPLEXITY_POWER;
    let ratio = prior(key).ln() - prior(&theirs).ln() - complexity * std::f64::consts::LN_2;
    (row.core_s.ln() + ratio).clamp(SHORTEST_LN, LONGEST_LN)
}

/// Core seconds a frame before anything was measured.
pub(super) fn prior(key: &PerformanceKey) -> f64 {
    let (pixel_s, ladder) = match key.stage.as_str() {
        "score" | "vmaf" | "meter" => (SCORE_PIXEL_S, 1.0),
        "demux" | "decode" | "mux" | "verify" | "analyze" => (DECODE_PIXEL_S, 1.0),
        // What nobody knows rather takes long.
        _ => (ENCODE_PIXEL_S * small(key.pixels), ladder(key.preset)),
    };
    let complexity = (f64::from(key.complexity_step()) / STEPS * COMPLEXITY_POWER).exp2();
    pixel_s * f64::from(key.pixels.max(1)) * ladder * complexity
}

/// What a pixel costs beside those of large pictures.
fn small(pixels: u32) -> f64 {
    (SMALL_PICTURE / f64::from(pixels.max(1))).max(1.0).powf(SMALL_POWER)
}

/// What a preset costs beside preset 6.
fn ladder(preset: u8) -> f64 {
    let preset = i32::from(preset.min(13));
    PRESET_STEP.powi(6 - preset.max(4)) * SLOW_PRESET_STEP.powi((4 - preset).max(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> PerformanceKey {
        let (stage, encoder) = ("encode".to_owned(), "SVT-AV1 4.2.0".to_owned());
        PerformanceKey { stage, encoder, pixels: 1280 * 720, preset: 6, complexity: 1.0, cores: 2 }
    }

    fn measured(core_s: f64, count: u32) -> MeasuredTime {
        MeasuredTime { same_encoder: true, pixels: 1280 * 720, preset: 6, complexity_step: 0, core_s, count }
    }

    fn near(a: f64, b: f64, ratio: f64) -> bool {
        a / b < ratio && b / a < ratio
    }

    #[test]
    fn the_prior_is_what_was_measured_once_and_is_divided_among_cores() {
        let two = estimate(&key(), &[]);
        assert_eq!(two.matched, 0);
        assert!(near(two.seconds_per_frame, 28.5 / 1253.0, 1.15), "{two:?}");
        let one = estimate(&PerformanceKey { cores: 1, ..key() }, &[]);
        assert!(near(one.seconds_per_frame, 2.0 * two.seconds_per_frame, 1.0001));
        let fast = estimate(&PerformanceKey { preset: 12, ..key() }, &[]);
        assert!(near(two.seconds_per_frame, 7.0 * fast.seconds_per_frame, 1.02));
        assert_eq!(estimate(&PerformanceKey { preset: 200, cores: 0, ..key() }, &[]).matched, 0);
    }

    #[test]
    fn what_was_measured_often_decides_and_what_was_measured_once_nearly_does() {
        let slow = 10.0 * prior(&key());
        for (count, ratio) in [(1, 1.25), (6, 1.05), (1000, 1.05)] {
            let found = estimate(&key(), &[measured(slow, count)]);
            assert!(near(found.seconds_per_frame, slow / 2.0, ratio), "{count}: {found:?}");
            assert_eq!(found.matched, count);
        }
    }

    #[test]
    fn the_very_thing_goes_before_its_like_and_its_like_before_what_is_far() {
        let very = measured(0.1, 3);
        let like = MeasuredTime { preset: 7, core_s: 5.0, ..very };
        let far = MeasuredTime { preset: 12, pixels: 640 * 360, core_s: 9.0, count: 100, ..very };
        assert_eq!(estimate(&key(), &[far, like, very]), estimate(&key(), &[very]));
        assert_eq!(estimate(&key(), &[far, like]), estimate(&key(), &[like]));
        let other = MeasuredTime { same_encoder: false, core_s: 0.2, ..very };
        assert_eq!(estimate(&key(), &[other, very]).matched, 3);
        assert!(estimate(&key(), &[other]).seconds_per_frame > estimate(&key(), &[]).seconds_per_frame);
    }

    #[test]
    fn a_measure_is_brought_to_other_sizes_presets_and_complexities() {
        let often = measured(0.2, 100);
        let other = |change: fn(&mut PerformanceKey)| {
            let mut key = key();
            change(&mut key);
            brought(&key, &often).exp()
        };
        assert!(near(other(|k| k.pixels *= 4), 0.8, 1.0001));
        assert!(near(other(|k| k.preset = 7), 0.2 / 1.383, 1.0001));
        assert!(near(other(|k| k.complexity = 4.0), 0.4, 1.0001));
        assert!(near(other(|k| k.cores = 16), 0.2, 1.0001), "times are of one core");
    }

    #[test]
    fn rows_that_say_nothing_are_not_counted() {
        let none = [
            measured(0.0, 1),
            measured(f64::NAN, 1),
            measured(f64::INFINITY, 1),
            measured(1.0, 0),
            MeasuredTime { pixels: 0, ..measured(1.0, 1) },
        ];
        assert_eq!(estimate(&key(), &none), estimate(&key(), &[]));
    }

    fn stages() -> impl Strategy<Value = String> {
        proptest::sample::select(vec!["encode", "score", "decode", "verify", "whatever"]).prop_map(str::to_owned)
    }

    prop_compose! {
        fn keys()(
            stage in stages(), pixels in any::<u32>(), preset in any::<u8>(), complexity in any::<f64>(),
            cores in any::<u32>(),
        ) -> PerformanceKey {
            PerformanceKey { stage, encoder: String::new(), pixels, preset, complexity, cores }
        }
    }

    prop_compose! {
        fn rows()(
            same_encoder: bool, pixels: u32, preset: u8, complexity_step: i32, core_s in any::<f64>(), count: u32,
        ) -> MeasuredTime {
            MeasuredTime { same_encoder, pixels, preset, complexity_step, core_s, count }
        }
    }

    proptest! {
        #[test]
        fn an_estimate_is_a_positive_number_whatever_is_remembered(
            key in keys(), rows in proptest::collection::vec(rows(), 0..12),
        ) {
            let found = estimate(&key, &rows).seconds_per_frame;
            prop_assert!(found.is_finite() && found > 0.0, "{}", found);
        }

        #[test]
        fn more_pixels_and_slower_presets_take_longer_by_the_prior(
            key in keys(), more in any::<u32>(), preset in 0u8..13,
        ) {
            let at = |pixels, preset| {
                estimate(&PerformanceKey { pixels, preset, ..key.clone() }, &[]).seconds_per_frame
            };
            let (fewer, more) = (key.pixels.min(more), key.pixels.max(more));
            prop_assert!(at(fewer, preset) <= at(more, preset));
            prop_assert!(at(fewer, preset) >= at(fewer, preset + 1));
            if fewer.max(1) < more && more - fewer > more >> 20 {
                prop_assert!(at(fewer, preset) < at(more, preset));
            }
        }

        #[test]
        fn an_estimate_lies_between_the_prior_and_what_was_measured(
            key in keys(), row in rows(), core_s in 1e-9f64..1e9, pixels in 1u32.., count in 1u32..,
        ) {
            let row = MeasuredTime { core_s, pixels, count, ..row };
            let [prior, measured] = [prior(&key), brought(&key, &row).exp()].map(|s| s / key.cores());
            let found = estimate(&key, &[row]).seconds_per_frame;
            let slack = 1.0 + 1e-9;
            prop_assert!(found >= prior.min(measured) / slack && found <= prior.max(measured) * slack);
        }
    }
}
