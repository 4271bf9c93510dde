//! Exact time: a count of ticks together with the length of a tick.

use std::cmp::Ordering;
use std::fmt;

/// A fraction, used for time bases (seconds a tick), frame rates and aspect ratios.
///
/// The denominator is positive; the value is not reduced, so that a stream's own numbers survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rational {
    num: i32,
    den: i32,
}

/// Both numbers without what divides both.
pub(crate) fn lowest_terms(a: u64, b: u64) -> (u64, u64) {
    let (mut common, mut rest) = (a, b);
    while rest != 0 {
        (common, rest) = (rest, common % rest);
    }
    (a / common.max(1), b / common.max(1))
}

impl Rational {
    /// One thousandth: Matroska's usual tick.
    pub const MILLI: Rational = Rational { num: 1, den: 1_000 };
    /// One thousand-millionth.
    pub const NANO: Rational = Rational { num: 1, den: 1_000_000_000 };
    /// One.
    pub const ONE: Rational = Rational { num: 1, den: 1 };

    /// `num / den`, or `None` where that is no number (a zero denominator). Signs move to the numerator.
    pub fn new(num: i32, den: i32) -> Option<Self> {
        match den {
            0 => None,
            i32::MIN => None,
            d if d < 0 => Some(Rational { num: num.checked_neg()?, den: -d }),
            _ => Some(Rational { num, den }),
        }
    }

    /// A rational that is greater than zero, as time bases and rates must be.
    pub fn positive(num: i32, den: i32) -> Option<Self> {
        Self::new(num, den).filter(|r| r.num > 0)
    }

    /// `num / den` in lowest terms, where that is greater than zero and its parts fit.
    pub fn in_lowest_terms(num: u64, den: u64) -> Option<Self> {
        let (num, den) = lowest_terms(num, den);
        Self::positive(i32::try_from(num).ok()?, i32::try_from(den).ok()?)
    }

    /// The numerator.
    pub fn num(self) -> i32 {
        self.num
    }

    /// The denominator, always positive.
    pub fn den(self) -> i32 {
        self.den
    }

    /// The nearest `f64`.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// `1 / self`, or `None` for zero.
    pub fn inverse(self) -> Option<Self> {
        Self::new(self.den, self.num)
    }
}

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

/// Which way [`Timestamp::rescale`] goes when the target base cannot hold the exact value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest tick, halves away from zero.
    Nearest,
    /// Towards negative infinity.
    Down,
    /// Towards positive infinity.
    Up,
}

fn rescale(ticks: i64, from: Rational, to: Rational, rounding: Rounding) -> i64 {
    let num = i128::from(ticks) * i128::from(from.num) * i128::from(to.den);
    let den = i128::from(from.den) * i128::from(to.num);
    let floor = num.div_euclid(den);
    let rem = num.rem_euclid(den);
    let value = match rounding {
        Rounding::Down => floor,
        Rounding::Up => floor + i128::from(rem != 0),
        Rounding::Nearest => match (rem * 2).cmp(&den) {
            Ordering::Less => floor,
            Ordering::Greater => floor + 1,
            Ordering::Equal => floor + i128::from(num >= 0),
        },
    };
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

macro_rules! ticked {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            ticks: i64,
            base: Rational,
        }

        impl $name {
            /// `ticks` of `base` seconds each; `base` must be positive.
            pub fn new(ticks: i64, base: Rational) -> Self {
                debug_assert!(base.num > 0, "a time base is positive");
                $name { ticks, base }
            }

            /// The count of ticks.
            pub fn ticks(self) -> i64 {
                self.ticks
            }

            /// Seconds a tick.
            pub fn base(self) -> Rational {
                self.base
            }

            /// The same time counted in `base`; saturates where 64 bits do not hold it.
            pub fn rescale(self, base: Rational, rounding: Rounding) -> Self {
                Self::new(rescale(self.ticks, self.base, base, rounding), base)
            }

            /// Nanoseconds, to the nearest.
            pub fn as_nanos(self) -> i64 {
                rescale(self.ticks, self.base, Rational::NANO, Rounding::Nearest)
            }

            /// Seconds, for people and ratios; never for arithmetic on time.
            pub fn as_secs_f64(self) -> f64 {
                self.ticks as f64 * self.base.as_f64()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other) == Ordering::Equal
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            /// Compares the times, exactly, whatever their bases.
            fn cmp(&self, other: &Self) -> Ordering {
                let a = i128::from(self.ticks) * i128::from(self.base.num) * i128::from(other.base.den);
                let b = i128::from(other.ticks) * i128::from(other.base.num) * i128::from(self.base.den);
                a.cmp(&b)
            }
        }
    };
}

ticked! {
    /// A point on a stream's timeline, in that stream's time base.
    ///
    /// Two timestamps are equal when they name the same instant, also in different bases.
    Timestamp
}

ticked! {
    /// A length of time, in the time base of the stream it was read from.
    Span
}

impl Timestamp {
    /// The point `span` later; in this timestamp's base, exact when the bases agree, else rounded to nearest.
    #[must_use]
    pub fn plus(self, span: Span) -> Timestamp {
        let ticks = rescale(span.ticks, span.base, self.base, Rounding::Nearest);
        Timestamp::new(self.ticks.saturating_add(ticks), self.base)
    }

    /// The time from `earlier` to `self`, in this timestamp's base (negative if `earlier` is later).
    pub fn since(self, earlier: Timestamp) -> Span {
        let ticks = rescale(earlier.ticks, earlier.base, self.base, Rounding::Nearest);
        Span::new(self.ticks.saturating_sub(ticks), self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> impl Strategy<Value = Rational> {
        (1..=1001i32, 1..=1_000_000i32).prop_map(|(n, d)| Rational::positive(n, d).unwrap())
    }

    #[test]
    fn ratios_are_in_lowest_terms() {
        assert_eq!(Rational::in_lowest_terms(320 * 140, 180 * 288), Rational::positive(70, 81));
        assert_eq!(Rational::in_lowest_terms(320 * 180, 180 * 320), Some(Rational::ONE));
        assert_eq!(Rational::in_lowest_terms(0, 7), None);
        assert_eq!(Rational::in_lowest_terms(7, 0), None);
        assert_eq!(Rational::in_lowest_terms(u64::MAX, 1), None);
        assert_eq!(lowest_terms(0, 0), (0, 0));
    }

    proptest! {
        #[test]
        fn rescaling_down_and_up_brackets_the_time(t in -1_000_000_000i64..1_000_000_000, a in base(), b in base()) {
            let time = Timestamp::new(t, a);
            let (down, up) = (time.rescale(b, Rounding::Down), time.rescale(b, Rounding::Up));
            prop_assert!(down <= time && time <= up);
            prop_assert!(up.ticks() - down.ticks() <= 1);
            let near = time.rescale(b, Rounding::Nearest);
            prop_assert!(near == down || near == up);
        }

        #[test]
        fn order_agrees_with_the_order_of_ticks_in_one_base(x: i32, y: i32, b in base()) {
            let (s, t) = (Timestamp::new(x.into(), b), Timestamp::new(y.into(), b));
            prop_assert_eq!(s.cmp(&t), x.cmp(&y));
        }
    }

    #[test]
    fn film_frames_land_on_the_nearest_millisecond() {
        let base = Rational::positive(1001, 24000).unwrap();
        let ms: Vec<i64> =
            (0..4).map(|n| Timestamp::new(n, base).rescale(Rational::MILLI, Rounding::Nearest).ticks()).collect();
        assert_eq!(ms, [0, 42, 83, 125]);
    }

    #[test]
    fn a_fraction_needs_a_denominator() {
        assert!(Rational::new(1, 0).is_none());
        assert_eq!(Rational::new(1, -2), Rational::new(-1, 2));
        assert!(Rational::positive(0, 5).is_none());
    }
}
