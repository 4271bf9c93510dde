//! How loud a track is before it is encoded, and how loud it would be.
#![deny(unsafe_code)]

use super::encoder::{AudioConfig, AudioEncoder};
use super::loudness::LoudnessMeter;
use super::playback::PlayedBack;
use super::sound_plan::SoundPlan;
use super::timed::{TimedSound, place};
use crate::base::{Result, Timestamp};
use crate::media::Sound;
use crate::plan::Loudness;

/// Measures a track as it will be given to the encoder: resampled, mixed and in time.
pub struct SoundMeter {
    sound: TimedSound,
    meter: LoudnessMeter,
}

impl SoundMeter {
    /// Of a track that becomes `plan` and starts at `start` by the container's word.
    ///
    /// # Errors
    /// As [`LoudnessMeter::new`].
    pub fn new(plan: &SoundPlan, start: Option<Timestamp>) -> Result<Self> {
        Ok(SoundMeter { sound: TimedSound::new(plan, start), meter: LoudnessMeter::new(&plan.layout, plan.rate)? })
    }

    /// Takes the next decoded frame.
    ///
    /// # Errors
    /// As [`AudioEncoder::push`].
    pub fn push(&mut self, frame: Sound) -> Result<()> {
        let (time, meter) = (frame.pts, &mut self.meter);
        self.sound.push(frame, &mut |pcm| meter.push(pcm)).map_err(|e| place(e, time))
    }

    /// Takes what is held back; the meter of all of it.
    ///
    /// # Errors
    /// As [`AudioEncoder::finish`].
    pub fn finish(mut self) -> Result<LoudnessMeter> {
        let meter = &mut self.meter;
        self.sound.finish(&mut |pcm| meter.push(pcm)).map_err(|e| place(e, None))?;
        Ok(self.meter)
    }
}

/// Encodes a track and measures what a decoder makes of that.
pub struct LevelTrial {
    encoder: AudioEncoder,
    heard: PlayedBack,
}

impl LevelTrial {
    /// Of an encode that is told `config`.
    ///
    /// # Errors
    /// As [`AudioEncoder::new`].
    pub fn new(config: AudioConfig) -> Result<Self> {
        let plan = config.plan.clone();
        let encoder = AudioEncoder::new(config)?;
        let heard = PlayedBack::new(&plan, &encoder.track()?, encoder.delay())?;
        Ok(LevelTrial { encoder, heard })
    }

    /// Takes the next decoded frame.
    ///
    /// # Errors
    /// As [`AudioEncoder::push`].
    pub fn push(&mut self, frame: Sound) -> Result<()> {
        let heard = &mut self.heard;
        self.encoder.push(frame, &mut |packet| heard.take(&packet))
    }

    /// How loud all of it is.
    ///
    /// # Errors
    /// As [`AudioEncoder::finish`].
    pub fn finish(self) -> Result<Loudness> {
        let LevelTrial { encoder, mut heard } = self;
        encoder.finish(&mut |packet| heard.take(&packet))?;
        heard.finish()
    }
}
