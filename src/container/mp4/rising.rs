//! Times of a track that rise from sample to sample, as libavformat wants those of an MP4: writer and verifier go by the same
//! law.
#![deny(unsafe_code)]

use crate::base::{Rational, Rounding, Timestamp};
use crate::media::Packet;

/// The packet with its times in ticks of the track, decoding times after one another.
pub(crate) fn timed(packet: &Packet, base: Rational, decoded: &mut RisingTicks) -> Packet {
    let ticks = |time: Timestamp| time.rescale(base, Rounding::Nearest).ticks();
    let dts = decoded.next(ticks(packet.dts.unwrap_or(packet.pts)));
    let pts = ticks(packet.pts).max(dts);
    Packet { pts: Timestamp::new(pts, base), dts: Some(Timestamp::new(dts, base)), ..packet.clone() }
}

/// Ticks one after another. One that is not after the one before gets the next that is free; one that goes back is given as it
/// is, for whoever writes it to refuse.
#[derive(Clone, Copy, Debug, Default)]
pub struct RisingTicks {
    /// The last one as it came, and as it was given.
    last: Option<(i64, i64)>,
}

impl RisingTicks {
    /// The next one.
    pub fn next(&mut self, ticks: i64) -> i64 {
        let given = match self.last {
            Some((came, given)) if ticks >= came => ticks.max(given.saturating_add(1)),
            _ => ticks,
        };
        self.last = Some((ticks, given));
        given
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rising(all: &[i64]) -> Vec<i64> {
        let mut rising = RisingTicks::default();
        all.iter().map(|ticks| rising.next(*ticks)).collect()
    }

    #[test]
    fn times_that_stay_rise_by_a_tick_and_others_are_as_they_were() {
        assert_eq!(rising(&[-3, 0, 0, 0, 1, 9, 9]), [-3, 0, 1, 2, 3, 9, 10]);
        assert_eq!(rising(&[5, 4, 4]), [5, 4, 5], "what goes back is for others to refuse");
    }

    proptest! {
        #[test]
        fn they_rise_and_are_off_by_no_more_than_there_are_of_them(steps in prop::collection::vec(0i64..4, 0..60)) {
            let times: Vec<i64> = steps.iter().scan(0, |at, step| { *at += step; Some(*at) }).collect();
            let given = rising(&times);
            prop_assert!(given.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(times.iter().zip(&given).all(|(came, given)| (0..60).contains(&(given - came))));
            if times.windows(2).all(|pair| pair[0] < pair[1]) {
                prop_assert_eq!(times, given);
            }
        }
    }
}
