//! PURE: how many more or fewer bits one curve of rate and quality needs for the same quality as another.
//!
//! Bjøntegaard's delta rate (VCEG-M33): the mean difference of the logarithms of rate over the qualities both curves have.
//! Between the points rate's logarithm is a monotone piecewise cubic of quality (PCHIP; Fritsch and Carlson 1980 with the
//! slopes of Fritsch and Butland 1984), as JVET's tools have it, because one cubic through all points swings.
#![deny(unsafe_code)]

/// The least points of a curve.
pub(super) const POINTS: usize = 4;

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RatePoint {
    /// Bits a second.
    pub(super) rate: f64,
    /// The score; more is better.
    pub(super) quality: f64,
}

/// How many percent more bits `curve` needs than `anchor` for the same quality; below 0 it needs fewer.
///
/// # Errors
/// Why there is no such number, in words.
pub(super) fn bd_rate(anchor: &[RatePoint], curve: &[RatePoint]) -> Result<f64, String> {
    let (anchor, curve) = (Pchip::of(anchor)?, Pchip::of(curve)?);
    let from = anchor.first().max(curve.first());
    let to = anchor.last().min(curve.last());
    if from >= to {
        return Err("the curves have no quality in common".to_owned());
    }
    let mean = (curve.integral(from, to) - anchor.integral(from, to)) / (to - from);
    Ok((mean.exp() - 1.0) * 100.0)
}

/// The logarithm of rate as a function of quality.
struct Pchip {
    x: Vec<f64>,
    y: Vec<f64>,
    /// The slope at each point.
    d: Vec<f64>,
}

impl Pchip {
    fn of(points: &[RatePoint]) -> Result<Self, String> {
        if points.len() < POINTS {
            return Err(format!("a curve of {} points has none (at least {POINTS})", points.len()));
        }
        if points.iter().any(|p| !p.rate.is_finite() || p.rate <= 0.0 || !p.quality.is_finite()) {
            return Err("a point has no rate or no score".to_owned());
        }
        let mut points = points.to_vec();
        points.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let rises = points.windows(2).all(|pair| pair[0].quality < pair[1].quality && pair[0].rate < pair[1].rate);
        if !rises {
            return Err("quality does not rise with rate from point to point".to_owned());
        }
        let x: Vec<f64> = points.iter().map(|p| p.quality).collect();
        let y: Vec<f64> = points.iter().map(|p| p.rate.ln()).collect();
        let d = slopes(&x, &y);
        Ok(Pchip { x, y, d })
    }

    fn first(&self) -> f64 {
        self.x[0]
    }

    fn last(&self) -> f64 {
        self.x[self.x.len() - 1]
    }

    /// The integral from `from` to `to`, which lie within the points.
    fn integral(&self, from: f64, to: f64) -> f64 {
        let mut sum = 0.0;
        for i in 0..self.x.len() - 1 {
            let (low, high) = (self.x[i].max(from), self.x[i + 1].min(to));
            if low < high {
                sum += self.primitive(i, high) - self.primitive(i, low);
            }
        }
        sum
    }

    /// The integral of piece `i` from its beginning to `x`.
    fn primitive(&self, i: usize, x: f64) -> f64 {
        let h = self.x[i + 1] - self.x[i];
        let s = x - self.x[i];
        let slope = (self.y[i + 1] - self.y[i]) / h;
        let (d0, d1) = (self.d[i], self.d[i + 1]);
        let c2 = (3.0 * slope - 2.0 * d0 - d1) / h;
        let c3 = (d0 + d1 - 2.0 * slope) / (h * h);
        s * (self.y[i] + s * (d0 / 2.0 + s * (c2 / 3.0 + s * c3 / 4.0)))
    }
}

/// The slopes at the points, such that no piece overshoots.
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let h: Vec<f64> = x.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let delta: Vec<f64> = y.windows(2).zip(&h).map(|(pair, h)| (pair[1] - pair[0]) / h).collect();
    let inner = |i: usize| {
        let (before, after) = (delta[i - 1], delta[i]);
        if before * after <= 0.0 {
            return 0.0;
        }
        let (w1, w2) = (2.0 * h[i] + h[i - 1], h[i] + 2.0 * h[i - 1]);
        (w1 + w2) / (w1 / before + w2 / after)
    };
    let mut d = vec![0.0; n];
    d[0] = end_slope(h[0], h[1], delta[0], delta[1]);
    d[n - 1] = end_slope(h[n - 2], h[n - 3], delta[n - 2], delta[n - 3]);
    for (i, slope) in d.iter_mut().enumerate().take(n - 1).skip(1) {
        *slope = inner(i);
    }
    d
}

/// The slope at an end, by the two pieces next to it.
fn end_slope(h0: f64, h1: f64, delta0: f64, delta1: f64) -> f64 {
    let slope = ((2.0 * h0 + h1) * delta0 - h0 * delta1) / (h0 + h1);
    if slope * delta0 <= 0.0 {
        0.0
    } else if delta0 * delta1 <= 0.0 && slope.abs() > 3.0 * delta0.abs() {
        3.0 * delta0
    } else {
        slope
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn curve(points: &[(f64, f64)]) -> Vec<RatePoint> {
        points.iter().map(|(rate, quality)| RatePoint { rate: *rate, quality: *quality }).collect()
    }

    #[test]
    fn it_is_what_the_bjontegaard_package_says() {
        // bjontegaard 1.3 of PyPI: bd_rate(..., method="pchip").
        let anchor = curve(&[(1000.0, 80.0), (2000.0, 88.0), (4000.0, 93.5), (8000.0, 96.8)]);
        let other = curve(&[(900.0, 81.2), (1700.0, 89.0), (3500.0, 94.1), (7600.0, 97.0)]);
        let found = bd_rate(&anchor, &other).unwrap();
        assert!((found - EXPECTED).abs() < 1e-6, "{found}");
    }

    const EXPECTED: f64 = -21.317_215_348_744_554;

    #[test]
    fn curves_that_cannot_be_compared_say_why() {
        let fine = curve(&[(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0)]);
        let above = curve(&[(1.0, 5.0), (2.0, 6.0), (3.0, 7.0), (4.0, 8.0)]);
        let falls = curve(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)]);
        let twice = curve(&[(1.0, 1.0), (1.0, 2.0), (3.0, 3.0), (4.0, 4.0)]);
        let silent = curve(&[(0.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0)]);
        for (wrong, word) in [
            (&above, "in common"),
            (&falls, "rise"),
            (&twice, "rise"),
            (&silent, "no rate"),
            (&fine[..3].to_vec(), "3 points"),
        ] {
            let why = bd_rate(&fine, wrong).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }

    fn rising() -> impl Strategy<Value = Vec<RatePoint>> {
        prop::collection::vec((0.05f64..2.0, 0.1f64..20.0), POINTS..8).prop_map(|steps| {
            let (mut rate, mut quality) = (1000.0, 20.0);
            let next = |(more, better): (f64, f64)| {
                rate *= 1.0 + more;
                quality += better;
                RatePoint { rate, quality }
            };
            steps.into_iter().map(next).collect()
        })
    }

    proptest! {
        #[test]
        fn a_curve_needs_as_many_bits_as_itself(points in rising()) {
            prop_assert!(bd_rate(&points, &points).unwrap().abs() < 1e-9);
        }

        #[test]
        fn so_many_percent_more_bits_at_every_point_are_so_many(points in rising(), percent in -90.0f64..400.0) {
            let more: Vec<_> =
                points.iter().map(|p| RatePoint { rate: p.rate * (1.0 + percent / 100.0), ..*p }).collect();
            prop_assert!((bd_rate(&points, &more).unwrap() - percent).abs() < 1e-6);
            // And the way back is the inverse.
            let back = bd_rate(&more, &points).unwrap();
            prop_assert!(((1.0 + back / 100.0) * (1.0 + percent / 100.0) - 1.0).abs() < 1e-9);
        }

        #[test]
        fn rate_stays_between_the_points_it_lies_between(points in rising(), part in 0.0f64..1.0) {
            let curve = Pchip::of(&points).unwrap();
            for i in 0..points.len() - 1 {
                let (low, high) = (curve.x[i], curve.x[i + 1]);
                let x = low + (high - low) * part;
                let mean = if x > low { curve.integral(low, x) / (x - low) } else { curve.y[i] };
                prop_assert!(mean >= curve.y[i] - 1e-9 && mean <= curve.y[i + 1] + 1e-9);
            }
        }
    }
}
