//! Where sound lies in time: which differences between timestamps and samples count are believed.
//!
//! Pure arithmetic in samples at the track's own rate; knows no codec and moves no samples.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Rational, Result, Rounding, Timestamp};

/// A difference below this is jitter: Matroska rounds to milliseconds, and encoders' timestamps wander by
/// about a frame. 40 ms of sound against picture is below what ITU-R BT.1359 finds noticeable.
const TOLERANCE_MS: i64 = 40;

/// The longest gap that is filled with silence, in seconds: one hour, which costs half a megabyte of Opus in stereo
/// (3 bytes a stream and packet) and some seconds of encoding.
const MAX_GAP_S: i64 = 3_600;

/// The longest overlap that is cut away, in seconds: ten minutes.
const MAX_OVERLAP_S: i64 = 600;

/// Times beyond this (about twenty years) are damage.
const MAX_POSITION: i64 = 1 << 45;

/// The base of all positions and packets: one sample at `rate` Hz.
pub(super) fn sample_base(rate: u32) -> Rational {
    i32::try_from(rate).ok().and_then(|rate| Rational::positive(1, rate)).unwrap_or(Rational::ONE)
}

/// The sample a timestamp names, or `None` where it cannot be meant.
pub(super) fn position_of(time: Timestamp, rate: u32) -> Option<i64> {
    let position = time.rescale(sample_base(rate), Rounding::Nearest).ticks();
    (-MAX_POSITION..=MAX_POSITION).contains(&position).then_some(position)
}

/// Whether a frame that says it starts at `position` does not follow on `expected`.
pub(super) fn is_jump(position: Option<i64>, expected: i64, rate: u32) -> bool {
    position.is_some_and(|p| (p - expected).abs() * 1_000 >= TOLERANCE_MS * i64::from(rate))
}

/// Whether a jump is real, judged by the frame after it.
///
/// `position` and `length` are those of the frame that jumped, `expected` where it would follow on, and `next`
/// is where the frame after it says it starts. A jump that the next frame continues is real, and so is a
/// further step forward (frames lost one by one); where the next frame goes back to the old line, or
/// nowhere, one timestamp was wrong and the sound is not torn apart for it.
pub(super) fn confirms(position: i64, length: i64, expected: i64, next: Option<i64>, rate: u32) -> bool {
    let Some(next) = next else { return true };
    if !is_jump(Some(next), position + length, rate) {
        return true;
    }
    is_jump(Some(next), expected + length, rate) && position > expected && next > position
}

/// What to do about a real jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seam {
    /// That many samples are missing before the frame.
    Gap(u64),
    /// That many samples of what follows were given already.
    Overlap(u64),
}

/// Judges a real jump. Errors: `Input` beyond [`MAX_GAP_S`] and [`MAX_OVERLAP_S`]: then the times of this track
/// are not to be had, and neither hours of silence nor losing the sound is an answer.
pub(super) fn seam(position: i64, expected: i64, rate: u32) -> Result<Seam> {
    let distance = position - expected;
    let seconds = distance as f64 / f64::from(rate);
    if (-MAX_OVERLAP_S * i64::from(rate)..0).contains(&distance) {
        Ok(Seam::Overlap(distance.unsigned_abs()))
    } else if (0..=MAX_GAP_S * i64::from(rate)).contains(&distance) {
        Ok(Seam::Gap(distance.unsigned_abs()))
    } else {
        Err(Error::new(ErrorKind::Input, format!("the timestamps of the sound jump by {seconds:.1} s")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::opus::OPUS_RATE as RATE;

    #[test]
    fn the_millisecond_rounding_of_matroska_is_no_jump() {
        for frame in 0..1000i64 {
            let exact = frame * 1024;
            let ms = Timestamp::new((exact * 1000 + 24_000).div_euclid(48_000), Rational::MILLI);
            assert!(!is_jump(position_of(ms, RATE), exact, RATE));
        }
    }

    #[test]
    fn a_jump_needs_the_next_frame_to_agree() {
        let far = 10_000;
        assert!(confirms(far, 960, 0, Some(far + 960), RATE), "the new line goes on");
        assert!(!confirms(far, 960, 0, Some(960), RATE), "back on the old line");
        assert!(confirms(far, 960, 0, Some(far + 5000), RATE), "another loss");
        assert!(!confirms(far, 960, 0, Some(-90_000), RATE), "nonsense");
        assert!(!confirms(-far, 960, 0, Some(90_000), RATE), "nonsense");
        assert!(confirms(-far, 960, 0, Some(-far + 960), RATE), "a step back that goes on");
        assert!(confirms(far, 960, 0, None, RATE));
    }

    #[test]
    fn jumps_are_bounded() {
        assert_eq!(seam(5_000, 0, RATE).unwrap(), Seam::Gap(5_000));
        assert_eq!(seam(0, 5_000, RATE).unwrap(), Seam::Overlap(5_000));
        assert_eq!(seam(172_800_000, 0, RATE).unwrap(), Seam::Gap(172_800_000));
        assert_eq!(seam(172_800_001, 0, RATE).unwrap_err().kind(), ErrorKind::Input);
        assert_eq!(seam(-28_800_001, 0, RATE).unwrap_err().kind(), ErrorKind::Input);
    }

    #[test]
    fn impossible_times_are_no_positions() {
        assert_eq!(position_of(Timestamp::new(-5, Rational::MILLI), RATE), Some(-240));
        assert_eq!(position_of(Timestamp::new(i64::MAX, Rational::MILLI), RATE), None);
        assert_eq!(position_of(Timestamp::new(i64::MIN, Rational::ONE), RATE), None);
    }
}
