//! How loud a track is before it is encoded, and how loud it would be.
#![deny(unsafe_code)]

use super::encoder::{AudioConfig, AudioEncoder};
use super::ffi::OpusDecoder;
use super::layout::LayoutPlan;
use super::loudness::LoudnessMeter;
use super::timed::{TimedSound, place};
use super::timeline::sample_base;
use crate::base::{Result, Rounding, Timestamp};
use crate::media::{Packet, Sound};
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
    pub fn new(plan: &LayoutPlan, start: Option<Timestamp>) -> Result<Self> {
        Ok(SoundMeter { sound: TimedSound::new(plan.clone(), start), meter: LoudnessMeter::new(plan)? })
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

/// What comes out of the decoder.
struct PlayedBack {
    decoder: OpusDecoder,
    meter: LoudnessMeter,
    channels: usize,
    /// Samples of every channel that do not play yet.
    skip: usize,
}

impl LevelTrial {
    /// Of an encode that is told `config`.
    ///
    /// # Errors
    /// As [`AudioEncoder::new`].
    pub fn new(config: AudioConfig) -> Result<Self> {
        let (meter, channels) = (LoudnessMeter::new(&config.plan)?, config.plan.channels());
        let encoder = AudioEncoder::new(config)?;
        let (decoder, skip) = (OpusDecoder::new(&encoder.head())?, usize::from(encoder.pre_skip()));
        Ok(LevelTrial { encoder, heard: PlayedBack { decoder, meter, channels, skip } })
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
        heard.meter.loudness()
    }
}

impl PlayedBack {
    fn take(&mut self, packet: &Packet) -> Result<()> {
        let pcm = self.decoder.decode(&packet.data)?;
        let frames = pcm.len() / self.channels;
        let first = self.skip.min(frames);
        self.skip -= first;
        // Of the last packet only a part plays.
        let plays = packet.duration.map_or(frames, |d| {
            usize::try_from(d.rescale(sample_base(), Rounding::Nearest).ticks()).unwrap_or(frames).min(frames)
        });
        if first < plays { self.meter.push(&pcm[first * self.channels..plays * self.channels]) } else { Ok(()) }
    }
}
