//! The worst stretch of a title: what viewers remember of it.
//!
//! By equal slope alone bytes leave what is hard, and the worst five seconds of a film come out below those at one CRF. So
//! a part of what equal slope saves goes where the film is worst: how far a chunk's worst stretch is below its mean was
//! told by its probe to 0.4 VMAF (standard deviation, a quarter too low on average; 53 chunks of nine films by two versions of
//! the encoder, at CRF 30, 36 and 42, of which the outer ones were interpolated between measured scores).
#![deny(unsafe_code)]

use super::search::SearchRules;
use super::tail::harmonic_mean;

/// How far above the floor a chunk is aimed at the least, in tolerances: a forecast misses by about one.
pub(super) const ABOVE_FLOOR: f64 = 0.5;

/// Below what no part of a title may fall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TitleFloor {
    /// No chunk.
    pub(super) chunk: f64,
    /// No stretch of so many frames below this score, where that is decided.
    pub(super) stretch: Option<(u64, f64)>,
}

impl TitleFloor {
    /// By what distance a chunk with these scores has to rise to be above it; nothing where it need not.
    pub(super) fn shortfall(&self, score: f64, (frames, stride): (&[f64], u32), rules: &SearchRules) -> Option<f64> {
        let curve = &rules.curve;
        let rise = |from: f64, to: f64| curve.distance(from) - curve.distance(to);
        let of_chunk = (score < self.chunk).then(|| rise(score, self.chunk + ABOVE_FLOOR * rules.tolerance));
        let of_stretch = self.stretch.and_then(|(length, least)| {
            let worst = worst_stretch(frames, stride, length);
            (worst < least - rules.tolerance).then(|| rise(worst, least))
        });
        of_chunk.into_iter().chain(of_stretch).max_by(f64::total_cmp)
    }
}

/// The lowest harmonic mean of any stretch of `length` frames, of whose frames every `stride`-th was scored; of all of them
/// where they are fewer.
pub(super) fn worst_stretch(scores: &[f64], stride: u32, length: u64) -> f64 {
    let parts = scores.windows(samples(length, stride).clamp(1, scores.len().max(1)));
    parts.map(|part| harmonic_mean(part.iter().copied())).min_by(f64::total_cmp).unwrap_or(0.0)
}

fn samples(length: u64, stride: u32) -> usize {
    (length / u64::from(stride.max(1))) as usize
}

/// By what distance the worst stretch of each chunk is below its mean, from their scores in order, all by the same encode
/// of every `stride`-th frame. A stretch over a cut is that chunk's which has more of it.
pub(super) fn dips(chunks: &[&[f64]], stride: u32, length: u64, rules: &SearchRules) -> Vec<f64> {
    let half = samples(length, stride) / 2;
    let curve = &rules.curve;
    let dip = |(at, own): (usize, &&[f64])| {
        let before = at.checked_sub(1).map_or(&[][..], |at| chunks[at]);
        let after = chunks.get(at + 1).copied().unwrap_or_default();
        let before = &before[before.len().saturating_sub(half)..];
        let around: Vec<f64> = [before, own, &after[..half.min(after.len())]].concat();
        let mean = harmonic_mean(own.iter().copied());
        (curve.distance(worst_stretch(&around, stride, length)) - curve.distance(mean)).max(0.0)
    };
    chunks.iter().enumerate().map(dip).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_worst_stretch_is_found_wherever_it_is() {
        let mut scores = vec![95.0; 100];
        scores[40..50].fill(85.0);
        assert!((worst_stretch(&scores, 3, 30) - 85.0).abs() < 1e-9);
        assert!(worst_stretch(&scores, 3, 60) > 85.0);
        assert!((worst_stretch(&scores[40..50], 3, 3000) - 85.0).abs() < 1e-9, "shorter than a stretch");
        assert_eq!(worst_stretch(&[], 3, 60), 0.0);
    }

    #[test]
    fn a_stretch_over_a_cut_counts_for_the_chunk_that_has_more_of_it() {
        let rules = SearchRules::of_tests(93.0);
        let (mut first, mut second) = (vec![95.0; 40], vec![95.0; 40]);
        assert!(dips(&[&first, &second], 3, 60, &rules).iter().all(|dip| dip.abs() < 1e-9));
        first[34..].fill(80.0);
        second[..4].fill(80.0);
        let of_both = dips(&[&first, &second], 3, 60, &rules);
        let alone = dips(&[&first], 3, 60, &rules);
        assert!(of_both[0] > alone[0] + 0.1, "{of_both:?} {alone:?}");
    }

    #[test]
    fn a_chunk_rises_by_as_much_as_its_chunk_or_its_stretch_needs() {
        let rules = SearchRules::of_tests(93.0);
        let floor = TitleFloor { chunk: 90.0, stretch: Some((30, 89.0)) };
        let good = vec![93.0; 60];
        assert_eq!(floor.shortfall(93.0, (&good, 3), &rules), None);
        let mut dips = good.clone();
        dips[20..30].fill(87.0);
        let rise = floor.shortfall(92.0, (&dips, 3), &rules).unwrap();
        assert!((rise - (rules.curve.distance(87.0) - rules.curve.distance(89.0))).abs() < 1e-9);
        let low = floor.shortfall(80.0, (&dips, 3), &rules).unwrap();
        assert!((low - (rules.curve.distance(80.0) - rules.curve.distance(90.25))).abs() < 1e-9);
        // Within a tolerance it is not worth an encode.
        dips[20..30].fill(88.6);
        assert_eq!(floor.shortfall(92.0, (&dips, 3), &rules), None);
    }

    proptest! {
        #[test]
        fn no_stretch_is_worse_than_the_worst_and_that_is_no_better_than_the_mean(
            scores in proptest::collection::vec(20.0..100.0f64, 1..200), stride in 1u32..10, length in 1u64..400,
        ) {
            let worst = worst_stretch(&scores, stride, length);
            let least = scores.iter().copied().fold(f64::MAX, f64::min);
            prop_assert!(worst >= least - 1e-9);
            let dips = dips(&[&scores, &scores], stride, length, &SearchRules::of_tests(93.0));
            prop_assert!(dips.iter().all(|dip| *dip >= 0.0));
        }
    }
}
