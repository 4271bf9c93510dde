//! What was measured of a film's pictures, one value a picture, and stretches of it.
#![deny(unsafe_code)]

use std::ops::Range;

/// Nanoseconds a second.
pub(super) const SECOND: i64 = 1_000_000_000;

/// Seconds, for people.
pub(super) fn secs(ns: i64) -> f64 {
    ns as f64 / SECOND as f64
}

/// The measures of all pictures of a film, in display order.
#[derive(Clone, Debug, Default)]
pub(super) struct PictureSeries {
    /// When each is shown, in nanoseconds of the film.
    pub(super) times: Vec<i64>,
    /// When the last is no longer shown.
    pub(super) end: i64,
    /// Share of luma that is dark.
    pub(super) dark: Vec<f32>,
    /// Share of samples outside of the legal range; NaN where there is none.
    pub(super) outside: Vec<f32>,
    /// Mean difference from the picture before in full scale; NaN for the first and after a change of size.
    pub(super) moved: Vec<f32>,
    /// Whether it is still an earlier picture.
    pub(super) still: Vec<bool>,
    /// Whether a scene begins with it.
    pub(super) begins: Vec<bool>,
    /// Pictures that were looked at more closely, by index.
    pub(super) looked: Vec<usize>,
    /// Blockiness, blur and banding of those; NaN where it could not be measured.
    pub(super) blockiness: Vec<f32>,
    pub(super) blur: Vec<f32>,
    pub(super) banding: Vec<f32>,
}

/// Pictures that follow each other and have something in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stretch {
    /// By index.
    pub(super) pictures: Range<usize>,
    /// From the first picture's time to when the last is no longer shown, in nanoseconds.
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Stretch {
    pub(super) fn length(&self) -> i64 {
        self.to - self.from
    }

    pub(super) fn span(&self) -> (f64, f64) {
        (secs(self.from), secs(self.to))
    }
}

impl PictureSeries {
    /// The time of a picture; the end of the film for the one after the last.
    pub(super) fn time(&self, index: usize) -> i64 {
        self.times.get(index).copied().unwrap_or(self.end)
    }

    pub(super) fn stretch(&self, pictures: Range<usize>) -> Stretch {
        let (from, to) = (self.time(pictures.start), self.time(pictures.end));
        Stretch { pictures, from, to }
    }

    /// The longest stretches of pictures that all have something.
    pub(super) fn stretches(&self, has: impl Fn(usize) -> bool) -> Vec<Stretch> {
        runs(self.times.len(), has).into_iter().map(|run| self.stretch(run)).collect()
    }

    /// The longest stretches of pictures looked at that have a value of at least `limit`, each with the mean of its
    /// values. Between two that were looked at pictures count as the earlier one.
    pub(super) fn looked_stretches(&self, values: &[f32], limit: f64) -> Vec<(Stretch, f64)> {
        let bad = runs(self.looked.len(), |at| values.get(at).is_some_and(|v| f64::from(*v) >= limit));
        let of = |run: Range<usize>| {
            let end = self.looked.get(run.end).copied().unwrap_or(self.times.len());
            let mean = values[run.clone()].iter().map(|v| f64::from(*v)).sum::<f64>() / run.len() as f64;
            (self.stretch(self.looked[run.start]..end), mean)
        };
        bad.into_iter().map(of).collect()
    }
}

/// The longest runs of indices below `n` that all have something.
pub(super) fn runs(n: usize, has: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = None;
    for at in 0..=n {
        match (at < n && has(at), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                out.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stretch_goes_on_until_the_next_picture_and_at_the_end_until_the_last_is_gone() {
        let series = PictureSeries { times: vec![0, 40, 80, 120], end: 160, ..PictureSeries::default() };
        let found = series.stretches(|at| at != 1);
        let spans: Vec<_> = found.iter().map(|s| (s.pictures.clone(), s.from, s.to)).collect();
        assert_eq!(spans, [(0..1, 0, 40), (2..4, 80, 160)]);
    }

    #[test]
    fn between_pictures_that_were_looked_at_the_earlier_one_counts() {
        let times = (0..10).map(|n| n * 10).collect();
        let series = PictureSeries { times, end: 100, looked: vec![0, 3, 6, 9], ..PictureSeries::default() };
        let found = series.looked_stretches(&[1.0, 6.0, 8.0, f32::NAN], 5.0);
        assert_eq!(found, [(Stretch { pictures: 3..9, from: 30, to: 90 }, 7.0)]);
    }

    proptest! {
        #[test]
        fn runs_are_all_that_has_it_and_nothing_else(has in prop::collection::vec(any::<bool>(), 0..40)) {
            let found = runs(has.len(), |at| has[at]);
            let covered: Vec<bool> = (0..has.len()).map(|at| found.iter().any(|run| run.contains(&at))).collect();
            prop_assert_eq!(&covered, &has);
            prop_assert!(found.windows(2).all(|pair| pair[0].end < pair[1].start), "none touch");
        }
    }
}
