//! Decoded frames to samples of one rate that lie where they belong: resampled, mixed, gaps filled, overlaps cut.
#![deny(unsafe_code)]

use super::sound_plan::SoundPlan;
use super::stats::AudioStats;
use super::timeline::{Seam, confirms, is_jump, position_of, seam};
use crate::av::{AudioFrame, Resampler};
use crate::base::{Result, Timestamp};
use crate::media::Sound;

/// Louder samples than this (12 dB over full scale) and those that are no numbers are damage.
const MAX_SAMPLE: f32 = 4.0;

/// Where samples go, interleaved, in the order of the plan's channels; an error stops the sound and is handed on.
pub type PcmSink<'a> = &'a mut dyn FnMut(&[f32]) -> Result<()>;

/// The sound of one track in time.
///
/// Law: frames are pushed in presentation order; their samples come out in order, on the caller's thread. One frame may be
/// held back until the next shows whether its time is to be believed.
pub(super) struct TimedSound {
    resampler: Resampler,
    rate: u32,
    channels: usize,
    assumed_start: Option<Timestamp>,
    /// The first sample's position; known from the first frame on.
    start: Option<i64>,
    /// `origin + resampler.position()` is where the next frame is expected.
    origin: i64,
    /// A frame whose time jumped, waiting for the next one's word.
    held: Option<Sound>,
    /// Output samples still to be cut after an overlap.
    skip: u64,
    scratch: Vec<f32>,
    stats: AudioStats,
}

impl TimedSound {
    /// The sound of a track that becomes `plan` and starts at `start` by the container's word.
    pub(super) fn new(plan: &SoundPlan, start: Option<Timestamp>) -> Self {
        let (rate, layout) = (plan.rate, plan.layout.clone());
        let channels = layout.channels();
        TimedSound {
            resampler: Resampler::new(rate, channels, Box::new(move |source| layout.mix(source))),
            rate,
            channels,
            assumed_start: start,
            start: None,
            origin: 0,
            held: None,
            skip: 0,
            scratch: Vec::new(),
            stats: AudioStats { sample_rate: rate, ..AudioStats::default() },
        }
    }

    /// Position of the first sample; 0 before there was a frame.
    pub(super) fn start(&self) -> i64 {
        self.start.unwrap_or(0)
    }

    /// Position of the first sample once `next` is taken.
    pub(super) fn begun_by(&mut self, next: &Sound) -> i64 {
        if self.stats.frames == 0 && next.samples > 0 {
            self.begin(next.pts.and_then(|pts| position_of(pts, self.rate)));
        }
        self.start()
    }

    fn begin(&mut self, position: Option<i64>) {
        if self.start.is_none() {
            let start = position.or_else(|| self.assumed_start.and_then(|start| position_of(start, self.rate)));
            self.stats.start_unknown = start.is_none();
            self.origin = start.unwrap_or(0);
            self.start = Some(self.origin);
        }
    }

    /// What happened so far; of packets nothing is known here.
    pub(super) fn stats(&self) -> AudioStats {
        AudioStats { format_changes: self.resampler.changes(), downmixed: self.resampler.did_downmix(), ..self.stats }
    }

    /// Takes the next decoded frame.
    pub(super) fn push(&mut self, frame: Sound, sink: PcmSink<'_>) -> Result<()> {
        if frame.samples == 0 {
            return Ok(());
        }
        let position = frame.pts.and_then(|pts| position_of(pts, self.rate));
        self.begin(position);
        self.stats.frames += 1;
        if let Some(held) = self.held.take() {
            self.place_held(held, position, sink)?;
        }
        if is_jump(position, self.expected(), self.rate) {
            self.held = Some(frame);
            return Ok(());
        }
        self.convert(&frame, sink)
    }

    /// Where the next sample belongs.
    fn expected(&self) -> i64 {
        self.origin.saturating_add_unsigned(self.resampler.position())
    }

    /// Puts the frame that waited where the times say, or simply after the others.
    fn place_held(&mut self, frame: Sound, next: Option<i64>, sink: PcmSink<'_>) -> Result<()> {
        let expected = self.expected();
        let position = frame.pts.and_then(|pts| position_of(pts, self.rate)).unwrap_or(expected);
        let length = frame.samples as i64 * i64::from(self.rate) / i64::from(frame.sample_rate.max(1));
        if confirms(position, length, expected, next, self.rate) {
            let seam = seam(position, expected, self.rate).map_err(|e| place(e, frame.pts))?;
            self.mend(seam, sink)?;
            self.origin += position - expected;
        } else {
            self.stats.stray_timestamps += 1;
        }
        self.convert(&frame, sink)
    }

    /// Ends what came before a jump, then fills the gap or arranges for the overlap to be cut.
    fn mend(&mut self, seam: Seam, sink: PcmSink<'_>) -> Result<()> {
        self.resampler.flush(&mut self.scratch)?;
        self.write_scratch(sink)?;
        match seam {
            Seam::Overlap(samples) => {
                self.stats.overlaps += 1;
                self.skip += samples;
            }
            Seam::Gap(samples) => {
                // What an earlier overlap still wants cut is not there to be cut, nor to be filled again.
                let met = samples.min(self.skip);
                self.skip -= met;
                self.stats.gaps += 1;
                self.write_silence(samples - met, sink)?;
            }
        }
        Ok(())
    }

    fn convert(&mut self, frame: &Sound, sink: PcmSink<'_>) -> Result<()> {
        self.resampler.push(AudioFrame::of(frame)?, &mut self.scratch)?;
        self.write_scratch(sink)
    }

    /// Moves what the resampler gave into the encoder, without what an overlap wants cut.
    fn write_scratch(&mut self, sink: PcmSink<'_>) -> Result<()> {
        let samples = (self.scratch.len() / self.channels) as u64;
        let cut = samples.min(self.skip);
        self.skip -= cut;
        self.stats.trimmed_samples += cut;
        self.stats.samples += samples - cut;
        for sample in &mut self.scratch {
            if !(-MAX_SAMPLE..=MAX_SAMPLE).contains(sample) {
                *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-MAX_SAMPLE, MAX_SAMPLE) };
                self.stats.damaged_samples += 1;
            }
        }
        sink(&self.scratch[cut as usize * self.channels..])?;
        self.scratch.clear();
        Ok(())
    }

    fn write_silence(&mut self, samples: u64, sink: PcmSink<'_>) -> Result<()> {
        self.stats.inserted_samples += samples;
        self.stats.samples += samples;
        let mut left = samples;
        // A second at a time, so that a long gap needs no memory.
        let silence = vec![0.0; left.min(u64::from(self.rate)) as usize * self.channels];
        while left > 0 {
            let step = left.min(u64::from(self.rate));
            sink(&silence[..step as usize * self.channels])?;
            left -= step;
        }
        Ok(())
    }

    /// Gives out what is held back.
    pub(super) fn finish(&mut self, sink: PcmSink<'_>) -> Result<()> {
        if let Some(held) = self.held.take() {
            self.place_held(held, None, sink)?;
        }
        self.resampler.flush(&mut self.scratch)?;
        self.write_scratch(sink)
    }
}

/// Names the stage and the time, where the error does not yet.
pub(super) fn place(error: crate::base::Error, time: Option<Timestamp>) -> crate::base::Error {
    let error = error.in_stage("audio");
    match time {
        Some(time) => error.at(time),
        None => error,
    }
}
