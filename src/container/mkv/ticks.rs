//! The law of time of this room in code: from exact timestamps to the file's milliseconds, rounded once.
#![deny(unsafe_code)]

use crate::base::{Rational, Span, Timestamp};

/// Nanoseconds a tick: the millisecond every player expects.
pub(super) const TIMESTAMP_SCALE: u64 = 1_000_000;

/// `pts + delay` in ticks, from exact integers, rounded once: to nearest, halves away from zero.
pub(super) fn block_ticks(pts: Timestamp, delay_ns: u64) -> i64 {
    exact_ticks(pts.ticks(), pts.base(), i128::from(delay_ns))
}

/// `pts + duration + delay` in ticks, rounded once.
pub(super) fn end_ticks(pts: Timestamp, duration: Span, delay_ns: u64) -> i64 {
    if pts.base() == duration.base() {
        return exact_ticks(pts.ticks().saturating_add(duration.ticks()), pts.base(), i128::from(delay_ns));
    }
    block_ticks(pts.plus(duration), delay_ns)
}

fn exact_ticks(ticks: i64, base: Rational, offset_ns: i128) -> i64 {
    // (ticks·num/den + offset/10⁹) seconds, over one tick of 10⁻³ s.
    let (num, den) = (i128::from(base.num()), i128::from(base.den()));
    let numerator = i128::from(ticks) * num * 1_000_000_000 + offset_ns * den;
    let denominator = den * i128::from(TIMESTAMP_SCALE);
    let half = denominator / 2;
    let rounded = if numerator >= 0 { (numerator + half) / denominator } else { -((half - numerator) / denominator) };
    rounded.clamp(i128::from(i64::MIN / 4), i128::from(i64::MAX / 4)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn without_delay_a_block_is_where_the_exact_rescaling_puts_it(t in -1_000_000_000i64..1_000_000_000, n in 1i32..1002, d in 1i32..100_000) {
            let pts = Timestamp::new(t, Rational::positive(n, d).unwrap());
            let expected = pts.rescale(Rational::MILLI, crate::base::Rounding::Nearest).ticks();
            prop_assert_eq!(block_ticks(pts, 0), expected);
        }
    }

    #[test]
    fn the_codec_delay_is_added_before_rounding() {
        let base = Rational::positive(1, 48_000).unwrap();
        let ticks: Vec<i64> = (0..4).map(|n| block_ticks(Timestamp::new(n * 960 - 312, base), 6_500_000)).collect();
        assert_eq!(ticks, [0, 20, 40, 60]);
        assert_eq!(block_ticks(Timestamp::new(-313, base), 6_500_000), 0);
        assert_eq!(block_ticks(Timestamp::new(-400, base), 6_500_000), -2);
    }
}
