//! A CRF for a whole film from a few parts of it: which parts are tried, and at which CRFs.
//!
//! The way of the AUTO VMAF ENCODER: parts at scene changes, where there are too few at keyframes, else at even intervals.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::search::SearchRules;
use crate::media::{Crf, SampleSettings, SampleTier};

/// A shot shorter than this, in seconds, begins with a quick cut.
const QUICK_S: f64 = 2.0;

/// So many scenes a minute are as complex as it gets.
const SCENES_A_MINUTE: f64 = 30.0;

/// The farthest one round goes from what is known.
const LONGEST_STEP: f64 = 12.0;

/// Rounds after which the nearest is taken.
const MOST_ROUNDS: usize = 7;

/// What is known of where a film's parts begin, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilmMarks {
    /// How long the film is.
    pub seconds: f64,
    /// Where scenes begin; nothing where nobody looked.
    pub scenes: Vec<f64>,
    /// Where keyframes are.
    pub keyframes: Vec<f64>,
}

/// A part of a film that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleSpan {
    /// Where it begins, in seconds.
    pub start_s: f64,
    /// How long it is at most.
    pub seconds: f64,
}

/// The parts that are tried, in order and without common pictures, and by what they were chosen.
pub fn sample_spans(rules: &SampleSettings, marks: &FilmMarks) -> (SampleTier, Vec<SampleSpan>) {
    let film = marks.seconds.max(0.0);
    let long = rules.seconds.min(film);
    if film <= rules.seconds * f64::from(rules.count) {
        // All of it is less than the samples would be.
        return (SampleTier::Even, vec![SampleSpan { start_s: 0.0, seconds: film }]);
    }
    let (from, to) = match (rules.skip_start, film - rules.skip_end) {
        (from, to) if to - from >= rules.seconds * f64::from(rules.count) => (from, to),
        // What is left out would be all.
        _ => (0.0, film),
    };
    let within = |marks: &[f64]| -> Vec<f64> {
        let mut marks: Vec<f64> = marks.iter().copied().filter(|&at| at >= from && at + long <= to).collect();
        marks.sort_by(f64::total_cmp);
        marks
    };
    for (tier, marks, least) in [
        (SampleTier::Scenes, within(&marks.scenes), rules.min_scenes),
        (SampleTier::Keyframes, within(&marks.keyframes), rules.min_keyframes),
    ] {
        if tier >= rules.tier && marks.len() >= least.max(1) as usize {
            let spans = spread(&marks, rules.count as usize, long);
            return (tier, spans);
        }
    }
    let (count, room) = (f64::from(rules.count), to - from - long);
    let at = |n: u32| if rules.count == 1 { from + room / 2.0 } else { from + room * f64::from(n) / (count - 1.0) };
    (SampleTier::Even, (0..rules.count).map(|n| SampleSpan { start_s: at(n), seconds: long }).collect())
}

/// Of `marks`, which are in order, about `count` that lie evenly among them and `long` apart.
fn spread(marks: &[f64], count: usize, long: f64) -> Vec<SampleSpan> {
    let mut spans: Vec<SampleSpan> = Vec::new();
    for n in 0..count {
        let wanted = (2 * n + 1) * marks.len() / (2 * count.max(1));
        let free_from = spans.last().map_or(f64::MIN, |span| span.start_s + long);
        let next = marks[wanted.min(marks.len() - 1)..].iter().find(|&&at| at >= free_from);
        spans.extend(next.map(|&start_s| SampleSpan { start_s, seconds: long }));
    }
    spans
}

/// How complex a film is by its cuts, 0 to 1: half by scenes a minute, half by how many shots are shorter than two seconds.
pub fn complexity(marks: &FilmMarks) -> f64 {
    let starts = || std::iter::once(0.0).chain(marks.scenes.iter().copied());
    let ends = marks.scenes.iter().copied().chain([marks.seconds]);
    let shots = starts().count() as f64;
    let quick = starts().zip(ends).filter(|(start, end)| end - start < QUICK_S).count() as f64;
    let a_minute = marks.scenes.len() as f64 / (marks.seconds / 60.0).max(1e-9);
    (a_minute / SCENES_A_MINUTE * 0.5 + quick / shots * 0.5).clamp(0.0, 1.0)
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleStep {
    /// Try the samples at these CRFs.
    Try(Vec<Crf>),
    /// The film's CRF, and what its samples score there.
    Take {
        /// The CRF.
        crf: Crf,
        /// The score over all samples.
        score: f64,
        /// Whether that is within the tolerance.
        reached: bool,
    },
}

/// What follows from the scores so far, in the order in which they were asked for.
pub fn sample_step(rules: &SearchRules, seen: &[(Crf, f64)]) -> SampleStep {
    let off = |score: f64| (score - rules.target).abs();
    let nearest = seen.iter().copied().min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
    let Some((crf, score)) = nearest else {
        let mut first: Vec<Crf> = rules.scale.samples.iter().map(|crf| rules.nearest(*crf)).collect();
        first.dedup();
        return SampleStep::Try(first);
    };
    let reached = off(score) <= rules.tolerance;
    let take = SampleStep::Take { crf, score, reached };
    if reached || seen.len() > MOST_ROUNDS {
        return take;
    }
    match next_crf(rules, seen).filter(|next| seen.iter().all(|(crf, _)| crf != next)) {
        Some(next) => SampleStep::Try(vec![next]),
        None => take,
    }
}

/// Where the line through the two nearest points meets the target.
fn next_crf(rules: &SearchRules, seen: &[(Crf, f64)]) -> Option<Crf> {
    let good = seen.iter().filter(|(_, score)| *score >= rules.target).max_by_key(|(crf, _)| *crf);
    let bad = seen.iter().filter(|(_, score)| *score < rules.target).min_by_key(|(crf, _)| *crf);
    let line = |a: &(Crf, f64), b: &(Crf, f64)| {
        let rise = (rules.curve.distance(b.1) - rules.curve.distance(a.1)) / (b.0.as_f64() - a.0.as_f64());
        let slope = if rise.is_finite() && rise > 0.0 { rise } else { rules.curve.slope };
        a.0.as_f64() + (rules.curve.distance(rules.target) - rules.curve.distance(a.1)) / slope
    };
    let mut by_crf: Vec<&(Crf, f64)> = seen.iter().collect();
    by_crf.sort_by_key(|(crf, _)| *crf);
    match (good, bad) {
        (Some(good), Some(bad)) if good.0 < bad.0 => {
            let (low, high) = (good.0.as_f64(), bad.0.as_f64());
            let step = f64::from(rules.step.max(1)) / 4.0;
            // Within the gap: what is known is not tried again.
            (high - low > step).then(|| rules.nearest(line(good, bad).clamp(low + step, high - step)))
        }
        // Scores that rise with the CRF are noise.
        (Some(_), Some(_)) => None,
        (Some(_), None) => {
            let last = by_crf[by_crf.len() - 1];
            let before = by_crf.len().checked_sub(2).map_or(last, |at| by_crf[at]);
            Some(rules.nearest(line(last, before).clamp(last.0.as_f64() + 1.0, last.0.as_f64() + LONGEST_STEP)))
        }
        (None, _) => {
            let first = by_crf[0];
            let after = by_crf.get(1).copied().unwrap_or(first);
            Some(rules.nearest(line(first, after).clamp(first.0.as_f64() - LONGEST_STEP, first.0.as_f64() - 1.0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules() -> SampleSettings {
        SampleSettings::default()
    }

    fn every(seconds: f64, film: f64) -> Vec<f64> {
        (0..(film / seconds) as u32).map(|n| f64::from(n) * seconds).collect()
    }

    #[test]
    fn samples_are_at_scenes_else_at_keyframes_else_at_even_intervals() {
        let film = 600.0;
        let marks = FilmMarks { seconds: film, scenes: every(7.0, film), keyframes: every(10.0, film) };
        let (tier, spans) = sample_spans(&rules(), &marks);
        assert_eq!((tier, spans.len()), (SampleTier::Scenes, 3));
        assert!(spans.iter().all(|span| marks.scenes.contains(&span.start_s)));
        let few = FilmMarks { scenes: vec![100.0, 200.0], ..marks.clone() };
        assert_eq!(sample_spans(&rules(), &few).0, SampleTier::Keyframes);
        let none = FilmMarks { scenes: Vec::new(), keyframes: vec![0.0], ..marks.clone() };
        let (tier, spans) = sample_spans(&rules(), &none);
        assert_eq!((tier, spans.len()), (SampleTier::Even, 3));
        let asked = SampleSettings { tier: SampleTier::Keyframes, ..rules() };
        assert_eq!(sample_spans(&asked, &marks).0, SampleTier::Keyframes);
    }

    #[test]
    fn a_film_that_is_shorter_than_its_samples_is_one_sample() {
        let marks = FilmMarks { seconds: 9.0, ..FilmMarks::default() };
        assert_eq!(sample_spans(&rules(), &marks), (SampleTier::Even, vec![SampleSpan { start_s: 0.0, seconds: 9.0 }]));
    }

    #[test]
    fn complexity_is_half_scenes_a_minute_and_half_quick_cuts() {
        let marks = |scenes: Vec<f64>| FilmMarks { seconds: 60.0, scenes, keyframes: Vec::new() };
        assert_eq!(complexity(&marks(Vec::new())), 0.0);
        // Fifteen cuts a minute, none of them quick.
        assert!((complexity(&marks((1..=15).map(|n| f64::from(n) * 3.9).collect())) - 0.25).abs() < 0.04);
        // A cut a second.
        assert_eq!(complexity(&marks((1..60).map(f64::from).collect())), 1.0);
    }

    /// A film whose score falls with the CRF.
    fn found(score: impl Fn(f64) -> f64, target: f64) -> (Crf, f64, bool, usize) {
        let rules = SearchRules::of_tests(target);
        let mut seen = Vec::new();
        loop {
            match sample_step(&rules, &seen) {
                SampleStep::Try(crfs) => seen.extend(crfs.into_iter().map(|crf| (crf, score(crf.as_f64())))),
                SampleStep::Take { crf, score, reached } => return (crf, score, reached, seen.len()),
            }
        }
    }

    proptest! {
        #[test]
        fn spans_lie_in_the_film_in_order_and_apart(
            seconds in 0.1f64..20_000.0,
            count in 1u32..12,
            sample in 1.0f64..30.0,
            skip in 0.0f64..500.0,
            gap in 0.5f64..60.0,
            tier in prop_oneof![Just(SampleTier::Scenes), Just(SampleTier::Keyframes), Just(SampleTier::Even)],
        ) {
            let rules = SampleSettings { count, seconds: sample, skip_start: skip, skip_end: skip, tier, ..rules() };
            let marks = FilmMarks { seconds, scenes: every(gap, seconds), keyframes: every(gap * 1.7, seconds) };
            let (_, spans) = sample_spans(&rules, &marks);
            prop_assert!(!spans.is_empty() && spans.len() <= count as usize);
            for span in &spans {
                prop_assert!(span.start_s >= 0.0 && span.start_s + span.seconds <= seconds + 1e-6, "{spans:?}");
            }
            for pair in spans.windows(2) {
                prop_assert!(pair[1].start_s >= pair[0].start_s + pair[0].seconds - 1e-6, "{spans:?}");
            }
        }

        #[test]
        fn the_search_lands_within_the_tolerance_or_beside_it(
            at_thirty in 0.5f64..3.0,
            slope in 0.02f64..0.1,
            target in 80.0f64..96.0,
        ) {
            let score = |crf: f64| 101.0 - (at_thirty + slope * (crf - 30.0)).exp();
            let (crf, got, reached, tries) = found(score, target);
            prop_assert!(tries <= MOST_ROUNDS + 2, "{tries}");
            if !reached {
                // No CRF of the encoder is nearer, but for those where the search had to end.
                let crf = crf.as_f64();
                let nearer = [crf - 1.0, crf + 1.0].into_iter().filter(|c| (8.0..=55.0).contains(c));
                for other in nearer {
                    prop_assert!((score(other) - target).abs() + 1e-9 >= (got - target).abs(), "{crf}: {got}, {other}: {}", score(other));
                }
            }
        }
    }
}
