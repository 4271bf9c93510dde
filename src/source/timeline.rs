//! Display times that increase, whatever the file says.

use crate::base::{Rational, Rounding, Span, Timestamp};

/// Gives every frame a time later than the one before, changing a time only when it must.
///
/// Law: a present, increasing timestamp passes through exactly. A missing one continues from the last by its
/// frame's duration (else by the stream's frame rate); one that does not increase is moved one tick past the
/// last. Both are counted.
pub(super) struct Timeline {
    base: Rational,
    /// Length of a frame by the stream's average rate, for frames without any time of their own.
    step: Option<Span>,
    last: Option<(Timestamp, Option<Span>)>,
    synthesised: u64,
    repaired: u64,
}

impl Timeline {
    pub(super) fn new(base: Rational, frame_rate: Option<Rational>) -> Self {
        let step = frame_rate.and_then(Rational::inverse).map(|length| Span::new(1, length));
        Timeline { base, step, last: None, synthesised: 0, repaired: 0 }
    }

    pub(super) fn place(&mut self, pts: Option<Timestamp>, duration: Option<Span>) -> Timestamp {
        let placed = match (pts, self.last) {
            (Some(pts), None) => pts,
            (Some(pts), Some((last, _))) if pts > last => pts,
            (Some(_), Some((last, _))) => {
                self.repaired += 1;
                Timestamp::new(last.ticks().saturating_add(1), last.base())
            }
            (None, None) => {
                self.synthesised += 1;
                Timestamp::new(0, self.base)
            }
            (None, Some((last, length))) => {
                self.synthesised += 1;
                let step = length.or(self.step).unwrap_or(Span::new(1, self.base));
                let next = last.plus(step);
                if next > last { next } else { Timestamp::new(last.ticks().saturating_add(1), last.base()) }
            }
        };
        self.last = Some((placed, duration));
        placed
    }

    /// Times that were made up because the file has none.
    pub(super) fn synthesised(&self) -> u64 {
        self.synthesised
    }

    /// Times that were moved because they did not increase.
    pub(super) fn repaired(&self) -> u64 {
        self.repaired
    }

    /// The stream's nominal frame length in the stream's base, where a frame rate is known.
    pub(super) fn step(&self) -> Option<Span> {
        self.step.map(|s| s.rescale(self.base, Rounding::Nearest)).filter(|s| s.ticks() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ticks: i64) -> Timestamp {
        Timestamp::new(ticks, Rational::MILLI)
    }

    proptest! {
        #[test]
        fn times_always_increase_and_good_ones_are_untouched(times in prop::collection::vec(prop::option::of(-500i64..500), 1..60)) {
            let mut line = Timeline::new(Rational::MILLI, Rational::positive(25, 1));
            let mut last: Option<Timestamp> = None;
            for time in times {
                let placed = line.place(time.map(ms), None);
                if let Some(last) = last {
                    prop_assert!(placed > last);
                }
                if let Some(t) = time && last.is_none_or(|last| ms(t) > last) {
                    prop_assert_eq!(placed.ticks(), t);
                }
                last = Some(placed);
            }
        }
    }

    #[test]
    fn a_stream_without_times_runs_at_its_frame_rate() {
        let mut line = Timeline::new(Rational::positive(1, 90_000).unwrap(), Rational::positive(30, 1));
        let ticks: Vec<i64> = (0..3).map(|_| line.place(None, None).ticks()).collect();
        assert_eq!(ticks, [0, 3000, 6000]);
        assert_eq!((line.synthesised(), line.repaired()), (3, 0));
    }

    #[test]
    fn a_time_that_runs_backwards_is_moved_and_counted() {
        let mut line = Timeline::new(Rational::MILLI, None);
        let ticks: Vec<i64> = [40, 40, 20, 80].map(|t| line.place(Some(ms(t)), None).ticks()).into();
        assert_eq!(ticks, [40, 41, 42, 80]);
        assert_eq!(line.repaired(), 2);
    }
}
