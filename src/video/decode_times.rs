//! Decoding times of coded pictures, from the times at which their frames are shown.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use crate::base::Timestamp;

/// Makes decoding times.
///
/// Law: let P be the presentation times in display order and D the encoder's
/// [`reorder_delay`](super::VideoEncoder::reorder_delay). The picture that is decoded as the k-th (from 0) has the
/// decoding time P\[k − D\], and the first D ones, before which there is nothing, P\[k\] − (P\[D\] − P\[0\]). So
/// decoding times rise strictly, none is after its picture's presentation time, and each is exact in the source's time
/// base. Without reordering both times are the same.
///
/// Feed it the times of the frames in the order they are sent; ask for decode indices in rising order.
#[derive(Clone, Debug)]
pub struct DecodeTimes {
    delay: u64,
    /// The times from `start` on in display order.
    shown: VecDeque<Timestamp>,
    start: u64,
    /// P\[0\] and how many times came.
    first: Option<Timestamp>,
    count: u64,
    ended: bool,
}

impl DecodeTimes {
    /// For an encoder with this reorder delay.
    pub fn new(reorder_delay: u32) -> Self {
        let (shown, first) = (VecDeque::new(), None);
        DecodeTimes { delay: u64::from(reorder_delay), shown, start: 0, first, count: 0, ended: false }
    }

    /// Notes the presentation time of the next frame.
    pub fn push(&mut self, shown: Timestamp) {
        self.first.get_or_insert(shown);
        self.shown.push_back(shown);
        self.count += 1;
    }

    /// Says that no more frames follow.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The decoding time of picture `decode_index`; `None` while the frames it follows from have not all come (and
    /// for one that was never sent). Forgets the times that no later picture asks for.
    pub fn at(&mut self, decode_index: u64) -> Option<Timestamp> {
        if let Some(back) = decode_index.checked_sub(self.delay) {
            let time = self.get(back);
            while self.start < back && self.shown.pop_front().is_some() {
                self.start += 1;
            }
            return time;
        }
        // A film of fewer frames than that has its last one instead.
        let far = if self.ended { self.delay.min(self.count.checked_sub(1)?) } else { self.delay };
        let lead = self.get(far)?.since(self.first?);
        let shown = self.get(decode_index)?;
        Some(Timestamp::new(shown.ticks() - lead.ticks(), shown.base()))
    }

    fn get(&self, index: u64) -> Option<Timestamp> {
        let offset = usize::try_from(index.checked_sub(self.start)?).ok()?;
        self.shown.get(offset).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rational;
    use proptest::prelude::*;

    fn ms(ticks: i64) -> Timestamp {
        Timestamp::new(ticks, Rational::MILLI)
    }

    fn all(delay: u32, shown: &[i64]) -> Vec<i64> {
        let mut times = DecodeTimes::new(delay);
        shown.iter().for_each(|t| times.push(ms(*t)));
        times.end();
        (0..shown.len() as u64).map(|k| times.at(k).unwrap().ticks()).collect()
    }

    #[test]
    fn pictures_are_decoded_the_delay_earlier() {
        assert_eq!(all(2, &[100, 140, 180, 220]), [20, 60, 100, 140]);
        assert_eq!(all(0, &[5, 7, 30]), [5, 7, 30]);
        assert_eq!(all(2, &[100]), [100]);
        assert_eq!(all(2, &[100, 140]), [60, 100]);
    }

    #[test]
    fn a_time_is_known_once_the_frames_it_follows_from_came() {
        let mut times = DecodeTimes::new(1);
        times.push(ms(0));
        assert_eq!(times.at(0), None);
        times.push(ms(40));
        assert_eq!((times.at(0), times.at(1), times.at(2)), (Some(ms(-40)), Some(ms(0)), Some(ms(40))));
        assert_eq!(times.at(3), None);
        times.push(ms(80));
        assert_eq!(times.at(3), Some(ms(80)));
    }

    proptest! {
        #[test]
        fn they_rise_strictly_and_are_never_late(delay in 0u32..5, steps in prop::collection::vec(1i64..1000, 1..40)) {
            let shown: Vec<i64> = steps.iter().scan(0, |t, s| { *t += s; Some(*t) }).collect();
            let decoded = all(delay, &shown);
            prop_assert!(decoded.windows(2).all(|w| w[0] < w[1]));
            // A picture can be decoded as late as the delay after its place in display order.
            for (place, time) in shown.iter().enumerate() {
                let latest = (place + delay as usize).min(shown.len() - 1);
                prop_assert!(decoded[latest] <= *time);
            }
        }
    }
}
