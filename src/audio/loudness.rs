//! How loud a track is: ITU-R BS.1770-4 and EBU R 128 with Tech 3341 and 3342, by the crate ebur128.
//!
//! All of it is measured: a gate that looks for speech, as Dolby's dialogue intelligence is, is not here.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use ebur128::{EbuR128, Mode};

use super::layout::LayoutPlan;
use crate::base::{Error, ErrorKind, Result};
use crate::plan::Loudness;

/// How often momentary and short-term loudness are looked at: ten times a second (EBU Tech 3341, 2.2).
const STEP_MS: u32 = 100;

/// Steps of momentary loudness, 400 ms, and of short-term loudness, 3 s.
const MOMENTARY: usize = 4;
const SHORT_TERM: usize = 30;

/// Measures interleaved samples.
pub struct LoudnessMeter {
    meter: EbuR128,
    channels: usize,
    /// Frames of a step.
    step: usize,
    /// Frames since momentary and short-term loudness were looked at.
    since: usize,
    /// Power of the last steps, as far as 3 s go back.
    steps: VecDeque<f64>,
    momentary_max: f64,
    short_term_max: f64,
}

impl LoudnessMeter {
    /// For a track that becomes `plan` at `rate` Hz.
    ///
    /// # Errors
    /// `Encode` where it cannot be set up.
    pub fn new(plan: &LayoutPlan, rate: u32) -> Result<Self> {
        let channels = plan.channels();
        let mode = Mode::I | Mode::LRA | Mode::TRUE_PEAK;
        let mut meter = EbuR128::new(channels as u32, rate, mode).map_err(failed)?;
        meter.set_channel_map(&plan.loudness_channels()).map_err(failed)?;
        let lowest = f64::NEG_INFINITY;
        let steps = VecDeque::with_capacity(SHORT_TERM + 1);
        let step = (rate * STEP_MS / 1000).max(1) as usize;
        Ok(LoudnessMeter { meter, channels, step, since: 0, steps, momentary_max: lowest, short_term_max: lowest })
    }

    /// Takes whole frames of samples.
    ///
    /// # Errors
    /// `Encode` from the meter.
    pub fn push(&mut self, pcm: &[f32]) -> Result<()> {
        let mut rest = pcm;
        while !rest.is_empty() {
            let frames = (self.step - self.since).min(rest.len() / self.channels);
            if frames == 0 {
                return Err(Error::new(ErrorKind::Encode, "internal error: a part of a frame of samples"));
            }
            let (now, later) = rest.split_at(frames * self.channels);
            self.meter.add_frames_f32(now).map_err(failed)?;
            rest = later;
            self.since += frames;
            if self.since == self.step {
                self.since = 0;
                self.look()?;
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        // The meter would add up all of a window each time; steps of one length add up to the same.
        let step = self.meter.loudness_window(STEP_MS).map_err(failed)?;
        self.steps.push_front(10.0_f64.powf(step / 10.0));
        self.steps.truncate(SHORT_TERM);
        let mean = |count: usize| {
            let power = self.steps.iter().take(count).sum::<f64>() / count as f64;
            // Of a window that is not full yet nothing is known.
            if self.steps.len() < count { f64::NEG_INFINITY } else { 10.0 * power.log10() }
        };
        self.momentary_max = self.momentary_max.max(mean(MOMENTARY));
        self.short_term_max = self.short_term_max.max(mean(SHORT_TERM));
        Ok(())
    }

    /// What all of it came to.
    ///
    /// # Errors
    /// `Encode` from the meter.
    pub fn loudness(&self) -> Result<Loudness> {
        let mut peak = 0.0_f64;
        for channel in 0..self.channels as u32 {
            peak = peak.max(self.meter.true_peak(channel).map_err(failed)?);
        }
        let integrated_lufs = known(self.meter.loudness_global().map_err(failed)?);
        let range = self.meter.loudness_range().map_err(failed)?;
        Ok(Loudness {
            integrated_lufs,
            range_lu: integrated_lufs.map(|_| range),
            momentary_max_lufs: known(self.momentary_max),
            short_term_max_lufs: known(self.short_term_max),
            true_peak_dbtp: known(20.0 * peak.log10()),
        })
    }

    /// As one programme that several tracks make together: their gated blocks count as those of one.
    ///
    /// # Errors
    /// `Encode` from the meter.
    pub fn loudness_of_all<'a>(meters: impl IntoIterator<Item = &'a LoudnessMeter>) -> Result<Option<f64>> {
        let all = EbuR128::loudness_global_multiple(meters.into_iter().map(|meter| &meter.meter)).map_err(failed)?;
        Ok(known(all))
    }
}

fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn failed(error: ebur128::Error) -> Error {
    Error::new(ErrorKind::Encode, "the loudness cannot be measured").caused_by(error).in_stage("loudness")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::opus::OPUS_RATE;

    /// Parts of a sine of so many Hz: level in dB of full scale and seconds.
    fn tone(hz: f64, phase: f64, parts: &[(f64, f64)]) -> Vec<f32> {
        let mut out = Vec::new();
        for (db, seconds) in parts {
            let amplitude = 10.0_f64.powf(db / 20.0);
            for _ in 0..(seconds * f64::from(OPUS_RATE)).round() as usize {
                let turn = hz * out.len() as f64 / f64::from(OPUS_RATE) + phase / 360.0;
                out.push((amplitude * (2.0 * std::f64::consts::PI * turn).sin()) as f32);
            }
        }
        out
    }

    fn measured(layout: &str, channels: &[Vec<f32>]) -> Loudness {
        let plan = LayoutPlan::for_source(channels.len() as u32, layout).unwrap();
        let mut meter = LoudnessMeter::new(&plan, OPUS_RATE).unwrap();
        let frames: Vec<f32> = (0..channels[0].len()).flat_map(|n| channels.iter().map(move |c| c[n])).collect();
        // In pieces of no particular length.
        for piece in frames.chunks(1237 * channels.len()) {
            meter.push(piece).unwrap();
        }
        meter.loudness().unwrap()
    }

    fn stereo(parts: &[(f64, f64)]) -> Loudness {
        let tone = tone(1000.0, 0.0, parts);
        measured("stereo", &[tone.clone(), tone])
    }

    #[track_caller]
    fn near(found: Option<f64>, expected: f64, off: f64) {
        let found = found.expect("something to measure");
        assert!((found - expected).abs() <= off, "{found}, not {expected} within {off}");
    }

    /// EBU Tech 3341, table 1: cases 1 to 6.
    #[test]
    fn integrated_loudness_is_that_of_the_ebu_cases() {
        let near_23 = |parts: &[(f64, f64)]| near(stereo(parts).integrated_lufs, -23.0, 0.1);
        let steady = stereo(&[(-23.0, 20.0)]);
        for value in [steady.integrated_lufs, steady.momentary_max_lufs, steady.short_term_max_lufs] {
            near(value, -23.0, 0.1);
        }
        near(stereo(&[(-33.0, 20.0)]).integrated_lufs, -33.0, 0.1);
        near_23(&[(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)]);
        near_23(&[(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)]);
        near_23(&[(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)]);
        // Left, centre, right, surrounds: the order of Opus, which is what a meter is given.
        let channel = |db: f64| tone(1000.0, 0.0, &[(db, 20.0)]);
        let surround = measured("5.0", &[-28.0, -24.0, -28.0, -30.0, -30.0].map(channel));
        near(surround.integrated_lufs, -23.0, 0.1);
    }

    /// EBU Tech 3341, table 1: cases 15 to 19.
    #[test]
    fn true_peaks_are_those_of_the_ebu_cases() {
        let rate = f64::from(OPUS_RATE);
        let cases = [
            (rate / 4.0, 0.0, 0.5, -6.0),
            (rate / 4.0, 45.0, 0.5, -6.0),
            (rate / 6.0, 60.0, 0.5, -6.0),
            (rate / 8.0, 67.5, 0.5, -6.0),
            (rate / 4.0, 45.0, 1.41, 3.0),
        ];
        for (hz, phase, amplitude, expected) in cases {
            let tone = tone(hz, phase, &[(20.0 * f64::log10(amplitude), 1.0)]);
            // Its beginning and end are steps, which the cases fade.
            let fade = |(n, x): (usize, &f32)| x * (n.min(tone.len() - 1 - n) as f32 / 4800.0).min(1.0);
            let faded: Vec<f32> = tone.iter().enumerate().map(fade).collect();
            let peak = measured("stereo", &[faded.clone(), faded]).true_peak_dbtp.unwrap();
            assert!(peak <= expected + 0.2 && peak >= expected - 0.4, "{hz} Hz, {phase}: {peak}, not {expected}");
        }
    }

    /// EBU Tech 3342, table 1: cases 1 to 4.
    #[test]
    fn loudness_ranges_are_those_of_the_ebu_cases() {
        let range = |levels: &[f64], expected: f64| {
            let parts: Vec<(f64, f64)> = levels.iter().map(|db| (*db, 20.0)).collect();
            near(stereo(&parts).range_lu, expected, 1.0);
        };
        range(&[-20.0, -30.0], 10.0);
        range(&[-20.0, -15.0], 5.0);
        range(&[-40.0, -20.0], 20.0);
        range(&[-50.0, -35.0, -20.0, -35.0, -50.0], 15.0);
    }

    #[test]
    fn silence_and_sound_that_is_too_short_have_no_loudness() {
        let silence = vec![0.0; 48_000];
        assert_eq!(measured("stereo", &[silence.clone(), silence]), Loudness::default());
        let short = tone(1000.0, 0.0, &[(-20.0, 0.2)]);
        let found = measured("mono", &[short]);
        assert_eq!(found.integrated_lufs, None);
        near(found.true_peak_dbtp, -20.0, 0.3);
    }

    #[test]
    fn an_lfe_counts_for_nothing_and_what_is_behind_as_what_is_in_front() {
        let (loud, soft) = (tone(1000.0, 0.0, &[(-20.0, 5.0)]), vec![0.0; 5 * 48_000]);
        let only = |channel: usize, count: usize, layout: &str| {
            let channels: Vec<_> = (0..count).map(|c| if c == channel { loud.clone() } else { soft.clone() }).collect();
            measured(layout, &channels).integrated_lufs
        };
        // 5.1 in the order of Opus: FL FC FR BL BR LFE; 7.1: FL FC FR SL SR BL BR LFE.
        let front = only(0, 6, "5.1").unwrap();
        assert_eq!(only(5, 6, "5.1"), None);
        near(only(3, 6, "5.1"), front + 1.5, 0.02);
        near(only(3, 8, "7.1"), front + 1.5, 0.02);
        near(only(5, 8, "7.1"), front, 0.02);
    }

    #[test]
    fn tracks_that_are_one_programme_have_one_loudness() {
        let meter = |db: f64| {
            let plan = LayoutPlan::for_source(1, "mono").unwrap();
            let mut meter = LoudnessMeter::new(&plan, OPUS_RATE).unwrap();
            meter.push(&tone(1000.0, 0.0, &[(db, 10.0)])).unwrap();
            meter
        };
        let meters = [meter(-20.0), meter(-23.0)];
        let all = LoudnessMeter::loudness_of_all(&meters).unwrap().unwrap();
        let each = meters.iter().map(|m| m.loudness().unwrap().integrated_lufs.unwrap());
        let mean = each.map(|l| 10.0_f64.powf(l / 10.0)).sum::<f64>() / 2.0;
        near(Some(all), 10.0 * mean.log10(), 0.1);
    }
}
