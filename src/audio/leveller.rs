//! One gain for all of a track, and a limiter that keeps its peaks, also those between samples, below a ceiling.
//!
//! The limiter looks ahead: what a peak needs is known 5 ms before it comes, so that its gain goes down in a smooth line,
//! never at once, and rises again slowly. All channels get the same gain, which leaves sounds where they are.
//!
//! Law: as many samples come out as went in, none later than the others. At no sample is the gain above what the peak there
//! needs. What the gain's own change adds between samples is not looked at again; who has to be sure measures the result.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use crate::plan::SoundLevel;

/// How far it looks ahead, in parts of a second: 5 ms.
const AHEAD: u32 = 200;

/// The time in which four fifths of a reduction are given back, in parts of a second: 200 ms. Shorter ones distort low
/// sounds.
const RELEASE: f32 = 5.0;

/// Taps of a phase of the interpolation.
const TAPS: usize = 12;

/// By how many samples what an interpolation tells lies behind its newest sample.
const BEHIND: usize = TAPS / 2;

/// The interpolation for true peaks at one, three, five and seven eighths of a sample, one row each (ITU-R BS.1770-4, Annex 2).
#[rustfmt::skip]
const PHASES: [[f32; TAPS]; 4] = [
    [0.001_708_984_4, 0.010_986_328, -0.019_653_32, 0.033_203_125, -0.059_448_242, 0.137_329_1,
     0.972_167_97, -0.102_294_92, 0.047_607_422, -0.026_611_328, 0.014_892_578, -0.008_300_781],
    [-0.029_174_805, 0.029_296_875, -0.051_757_813, 0.089_111_33, -0.166_503_9, 0.465_087_9,
     0.779_785_16, -0.200_317_38, 0.101_562_5, -0.058_227_54, 0.033_081_055, -0.018_920_898],
    [-0.018_920_898, 0.033_081_055, -0.058_227_54, 0.101_562_5, -0.200_317_38, 0.779_785_16,
     0.465_087_9, -0.166_503_9, 0.089_111_33, -0.051_757_813, 0.029_296_875, -0.029_174_805],
    [-0.008_300_781, 0.014_892_578, -0.026_611_328, 0.047_607_422, -0.102_294_92, 0.972_167_97,
     0.137_329_1, -0.059_448_242, 0.033_203_125, -0.019_653_32, 0.010_986_328, 0.001_708_984_4],
];

/// No interpolated value is above so many times the largest of its samples: the sum of the taps' sizes.
const MOST_BETWEEN: f32 = 2.1;

/// Applies a [`SoundLevel`].
pub(super) struct Leveller {
    channels: usize,
    gain: f32,
    limiter: Option<Limiter>,
}

impl Leveller {
    /// For interleaved samples of so many channels at `rate` Hz.
    pub(super) fn new(channels: usize, rate: u32, level: SoundLevel) -> Self {
        let limiter = level.limit_dbtp.map(|limit| Limiter::new(channels, rate, linear(limit)));
        Leveller { channels, gain: linear(level.gain_db), limiter }
    }

    /// Takes whole frames of samples; those that are done are added to `out`.
    pub(super) fn push(&mut self, pcm: &[f32], out: &mut Vec<f32>) {
        let gain = self.gain;
        match &mut self.limiter {
            None => out.extend(pcm.iter().map(|sample| sample * gain)),
            Some(limiter) => {
                for frame in pcm.chunks_exact(self.channels) {
                    limiter.push(frame, gain, out);
                }
            }
        }
    }

    /// Adds what is held back.
    pub(super) fn finish(self, out: &mut Vec<f32>) {
        if let Some(limiter) = self.limiter {
            limiter.finish(out);
        }
    }
}

/// Decibels as a factor.
fn linear(db: f64) -> f32 {
    10.0_f64.powf(db / 20.0) as f32
}

/// The limiter: peaks to the gain each sample needs, that to the least over the samples ahead, that to a line.
struct Limiter {
    channels: usize,
    ceiling: f32,
    /// How far it looks ahead, in samples.
    ahead: usize,
    /// How much of a reduction is given back with each sample.
    release: f32,
    /// Samples that are not given out, interleaved.
    held: VecDeque<f32>,
    /// The last samples of each channel, `TAPS` each, newest last.
    near: Vec<[f32; TAPS]>,
    /// Frames taken.
    taken: u64,
    /// Frames given out.
    given: u64,
    least: SlidingLeast,
    /// The reduction after the last sample, as a gain.
    released: f32,
    mean: SlidingMean,
}

impl Limiter {
    fn new(channels: usize, rate: u32, ceiling: f32) -> Self {
        let ahead = (rate / AHEAD) as usize;
        Limiter {
            channels,
            ceiling,
            ahead,
            release: 1.6 / (rate as f32 / RELEASE),
            held: VecDeque::new(),
            near: vec![[0.0; TAPS]; channels],
            taken: 0,
            given: 0,
            // A peak between two samples is told of the first of them.
            least: SlidingLeast::new(ahead + 2),
            released: 1.0,
            mean: SlidingMean::new(ahead + 1),
        }
    }

    fn push(&mut self, frame: &[f32], gain: f32, out: &mut Vec<f32>) {
        let mut peak = 0.0_f32;
        for (channel, sample) in frame.iter().enumerate() {
            let sample = sample * gain;
            self.held.push_back(sample);
            peak = peak.max(self.peak(channel, sample));
        }
        self.step(peak, out);
    }

    /// The largest value from the sample `BEHIND` the newest up to the next.
    fn peak(&mut self, channel: usize, sample: f32) -> f32 {
        let near = &mut self.near[channel];
        near.rotate_left(1);
        near[TAPS - 1] = sample;
        let largest = near.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        if largest * MOST_BETWEEN < self.ceiling {
            return largest;
        }
        let at =
            |phase: &[f32; TAPS]| phase.iter().zip(near.iter()).map(|(tap, sample)| tap * sample).sum::<f32>().abs();
        PHASES.iter().map(at).fold(near[TAPS - 1 - BEHIND].abs(), f32::max)
    }

    /// Takes the next peak; the samples whose gain is known then are given out.
    fn step(&mut self, peak: f32, out: &mut Vec<f32>) {
        let needed = if peak > self.ceiling { self.ceiling / peak } else { 1.0 };
        self.taken += 1;
        let least = self.least.push(needed);
        let risen = self.released + (1.0 - self.released) * self.release;
        self.released = least.min(risen);
        let gain = self.mean.push(self.released);
        // What was told last is of the sample BEHIND the newest, and the window reaches `ahead` of the one that is given out.
        if self.taken > (self.ahead + BEHIND) as u64 {
            self.give(gain, out);
        }
    }

    fn give(&mut self, gain: f32, out: &mut Vec<f32>) {
        self.given += 1;
        out.extend(self.held.drain(..self.channels.min(self.held.len())).map(|sample| sample * gain));
    }

    fn finish(mut self, out: &mut Vec<f32>) {
        let taken = self.taken;
        while self.given < taken {
            let mut peak = 0.0_f32;
            for channel in 0..self.channels {
                peak = peak.max(self.peak(channel, 0.0));
            }
            self.step(peak, out);
        }
    }
}

/// The least of the last values.
struct SlidingLeast {
    length: u64,
    at: u64,
    /// Values that may still become the least, with their positions; rising.
    candidates: VecDeque<(u64, f32)>,
}

impl SlidingLeast {
    fn new(length: usize) -> Self {
        SlidingLeast { length: length as u64, at: 0, candidates: VecDeque::new() }
    }

    fn push(&mut self, value: f32) -> f32 {
        while self.candidates.back().is_some_and(|(_, last)| *last >= value) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((self.at, value));
        self.at += 1;
        while self.candidates.front().is_some_and(|(at, _)| at + self.length < self.at) {
            self.candidates.pop_front();
        }
        self.candidates.front().map_or(value, |(_, least)| *least)
    }
}

/// The mean of the last values, which begin as 1.
struct SlidingMean {
    values: VecDeque<f32>,
    /// In double precision, so that what is added and taken away again leaves nothing.
    sum: f64,
}

impl SlidingMean {
    fn new(length: usize) -> Self {
        SlidingMean { values: std::iter::repeat_n(1.0, length).collect(), sum: length as f64 }
    }

    fn push(&mut self, value: f32) -> f32 {
        self.sum += f64::from(value) - f64::from(self.values.pop_front().unwrap_or(0.0));
        self.values.push_back(value);
        (self.sum / self.values.len() as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn levelled(pcm: &[f32], channels: usize, level: SoundLevel, pieces: &[usize]) -> Vec<f32> {
        let (mut leveller, mut out, mut at) = (Leveller::new(channels, 48_000, level), Vec::new(), 0);
        for piece in pieces.iter().cycle() {
            let end = (at + piece.max(&1) * channels).min(pcm.len());
            leveller.push(&pcm[at..end], &mut out);
            at = end;
            if at == pcm.len() {
                break;
            }
        }
        leveller.finish(&mut out);
        out
    }

    /// The largest value at a 32nd of a sample, by sinc of 64 taps: another interpolation than the limiter's.
    fn true_peak(pcm: &[f32]) -> f64 {
        let mut peak = 0.0_f64;
        for at in 32..pcm.len().saturating_sub(32) {
            for part in 0..32 {
                let x = f64::from(part) / 32.0;
                let tap = |n: usize| {
                    let t = x + 32.0 - n as f64;
                    let window = 0.5 + 0.5 * (std::f64::consts::PI * t / 33.0).cos();
                    let sinc =
                        if t == 0.0 { 1.0 } else { (std::f64::consts::PI * t).sin() / (std::f64::consts::PI * t) };
                    sinc * window * f64::from(pcm[at - 32 + n])
                };
                peak = peak.max((0..64).map(tap).sum::<f64>().abs());
            }
        }
        peak
    }

    fn tone(hz: f64, samples: usize, loud: impl Fn(usize) -> f64) -> Vec<f32> {
        let value = |n: usize| (loud(n) * (2.0 * std::f64::consts::PI * hz * n as f64 / 48_000.0 + 0.785).sin()) as f32;
        (0..samples).map(value).collect()
    }

    #[test]
    fn a_gain_alone_changes_nothing_else() {
        let pcm = tone(997.0, 4800, |_| 0.25);
        let out = levelled(&pcm, 1, SoundLevel { gain_db: 6.0, limit_dbtp: None }, &[960]);
        let louder = 10.0_f32.powf(0.3);
        assert!(out.len() == pcm.len() && out.iter().zip(&pcm).all(|(o, p)| (o - p * louder).abs() < 1e-6));
    }

    #[test]
    fn what_stays_below_the_ceiling_is_left_as_it_is_to_the_sample() {
        let pcm = tone(997.0, 9600, |_| 0.5);
        let out = levelled(&pcm, 1, SoundLevel { gain_db: 0.0, limit_dbtp: Some(-1.0) }, &[7, 960, 1]);
        assert!(out.len() == pcm.len() && out.iter().zip(&pcm).all(|(o, p)| (o - p).abs() < 1e-6));
    }

    /// A quarter of the sample rate, whose samples all miss its peaks: 3 dB above the largest sample.
    #[test]
    fn peaks_between_samples_are_held_below_the_ceiling() {
        for (hz, bursts) in [(12_000.0, 9600), (997.0, 2400), (60.0, 4800), (7_919.0, 500)] {
            let loud = |n: usize| if (n / bursts) % 2 == 1 { 1.4 } else { 0.1 };
            let pcm = tone(hz, 19_200, loud);
            let out = levelled(&pcm, 1, SoundLevel { gain_db: 0.0, limit_dbtp: Some(-1.0) }, &[960]);
            assert_eq!(out.len(), pcm.len());
            let peak = 20.0 * true_peak(&out).log10();
            assert!(peak < -0.75 && peak > -3.0, "{hz} Hz: {peak} dBTP");
        }
    }

    #[test]
    fn the_gain_goes_down_in_a_line_and_all_channels_share_it() {
        let mut pcm = Vec::new();
        for n in 0..9600 {
            pcm.extend([if n == 4800 { 2.0 } else { 0.1 }, 0.1]);
        }
        let out = levelled(&pcm, 2, SoundLevel { gain_db: 0.0, limit_dbtp: Some(0.0) }, &[960]);
        let right: Vec<f32> = out.chunks(2).map(|frame| frame[1]).collect();
        assert!(out[2 * 4800] <= 1.0 && right[4800] <= 0.0501, "{} {}", out[2 * 4800], right[4800]);
        assert!((right[4000] - 0.1).abs() < 1e-6, "nothing happens before it is in sight");
        let steepest = right.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 0.1 * 0.5 / 200.0, "{steepest}");
        assert!(right[9599] > 0.07 && right[9599] < 0.0999, "it comes back slowly: {}", right[9599]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_sound_in_any_pieces_has_its_length_and_no_sample_above_the_ceiling(
            pcm in proptest::collection::vec(-4.0_f32..4.0, 0..2000), channels in 1usize..4,
            pieces in proptest::collection::vec(1usize..500, 1..4), gain_db in -12.0..12.0_f64,
        ) {
            let whole = &pcm[..pcm.len() / channels * channels];
            let level = SoundLevel { gain_db, limit_dbtp: Some(-1.0) };
            let out = levelled(whole, channels, level, &pieces);
            prop_assert_eq!(out.len(), whole.len());
            let ceiling = linear(-1.0) * 1.000_01;
            prop_assert!(out.iter().all(|sample| sample.abs() <= ceiling));
            prop_assert_eq!(out, levelled(whole, channels, level, &[whole.len().max(1)]));
        }
    }
}
