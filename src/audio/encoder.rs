//! One audio track: frames in, packets out.
#![deny(unsafe_code)]

use super::av_coder::AvCoder;
use super::coder::{CodedSound, SoundCoder};
use super::leveller::Leveller;
use super::opus_coder::OpusCoder;
use super::sound_plan::SoundPlan;
use super::stats::AudioStats;
use super::timed::{TimedSound, place};
use super::timeline::sample_base;
use crate::base::{Rational, Result, Span, Timestamp};
use crate::config::SoundCodec;
use crate::media::{AudioTrackParams, Packet, Sound, Trim};
use crate::plan::SoundLevel;

/// What an [`AudioEncoder`] is told.
#[derive(Clone, Debug)]
pub struct AudioConfig {
    /// Codec, channels, rates.
    pub plan: SoundPlan,
    /// The source's sample rate in Hz, written into Opus' header for information.
    pub source_rate: u32,
    /// The stream's start by the container's word, used where the first frame has no time of its own.
    pub start: Option<Timestamp>,
    /// What is done to its loudness, if anything.
    pub level: Option<SoundLevel>,
}

/// Where packets go; an error stops the encoder and is handed on.
pub type PacketSink<'a> = &'a mut dyn FnMut(Packet) -> Result<()>;

/// Resamples, mixes and encodes one track.
///
/// Law: frames are pushed in presentation order; packets come out in order through the sink, on the caller's thread. `pts` of
/// the first is the first sample's time less the codec's delay, in samples. One
/// frame may be held back until the next shows whether its time is to be believed. After
/// [`finish`](Self::finish) the decoded sound without delay and trims has exactly
/// [`AudioStats::samples`] samples.
///
/// Times: below 40 ms a difference between a frame's time and the samples so far is jitter and changes
/// nothing, so it cannot add up; a larger gap becomes silence and a larger overlap is cut, to the sample.
/// Beyond an hour of gap or ten minutes of overlap the input is refused.
pub struct AudioEncoder {
    sound: TimedSound,
    packets: SoundPackets,
}

/// Samples to packets.
struct SoundPackets {
    coder: Box<dyn SoundCoder>,
    channels: usize,
    /// One sample.
    base: Rational,
    leveller: Option<Leveller>,
    pending: Vec<f32>,
    coded: Vec<CodedSound>,
    /// Samples that went to the coder, silence at the end not counted.
    taken: u64,
    /// Samples that the packets so far decode to.
    decoded: u64,
    count: u64,
    bytes: u64,
}

impl AudioEncoder {
    /// An encoder for one track.
    ///
    /// # Errors
    /// `Unsupported` where the library has no such encoder, saying what to install, or not for this layout; `Usage` for a bit
    /// rate that it does not take.
    pub fn new(config: AudioConfig) -> Result<Self> {
        let AudioConfig { plan, source_rate, start, level } = config;
        let channels = plan.layout.channels();
        let coder = coder(&plan, source_rate).map_err(|e| e.in_stage("audio"))?;
        let packets = SoundPackets {
            coder,
            channels,
            base: sample_base(plan.rate),
            leveller: level.map(|level| Leveller::new(channels, plan.rate, level)),
            pending: Vec::new(),
            coded: Vec::new(),
            taken: 0,
            decoded: 0,
            count: 0,
            bytes: 0,
        };
        Ok(AudioEncoder { sound: TimedSound::new(&plan, start), packets })
    }

    /// The track as its container has to describe it.
    ///
    /// # Errors
    /// `Encode` for a header that cannot be read back.
    pub fn track(&self) -> Result<AudioTrackParams> {
        self.packets.coder.track()
    }

    /// What is decoded before the first sample that counts.
    pub fn delay(&self) -> Span {
        Span::new(self.packets.coder.delay() as i64, self.packets.base)
    }

    /// What happened so far.
    pub fn stats(&self) -> AudioStats {
        AudioStats { packets: self.packets.count, bytes: self.packets.bytes, ..self.sound.stats() }
    }

    /// Takes the next decoded frame.
    ///
    /// Errors: `Unsupported` for sound that cannot be converted, `Input` for timestamps that jump beyond the
    /// bounds, `Encode` from the encoder, and whatever the sink says.
    pub fn push(&mut self, frame: Sound, sink: PacketSink<'_>) -> Result<()> {
        let time = frame.pts;
        let AudioEncoder { sound, packets, .. } = self;
        // The first samples come after the first frame said when they are.
        let start = sound.begun_by(&frame);
        sound.push(frame, &mut |pcm| packets.push(pcm, start, sink)).map_err(|e| place(e, time))
    }

    /// Gives out everything left, the last packet with its trim. Without a single sample there are
    /// no packets, and the stats say so.
    pub fn finish(self, sink: PacketSink<'_>) -> Result<AudioStats> {
        self.finish_configured(sink).map(|(stats, _)| stats)
    }

    /// As [`finish`](Self::finish); with the codec's configuration as it is at the end, where that is another than the track's.
    pub fn finish_configured(mut self, sink: PacketSink<'_>) -> Result<(AudioStats, Option<Vec<u8>>)> {
        let AudioEncoder { sound, packets } = &mut self;
        let start = sound.start();
        sound.finish(&mut |pcm| packets.push(pcm, start, sink)).map_err(|e| place(e, None))?;
        if sound.stats().samples > 0 {
            packets.drain(start, sink).map_err(|e| place(e, None))?;
        }
        Ok((self.stats(), self.packets.coder.last_configuration()))
    }
}

/// The encoder for `plan`; `source_rate` is written down where the codec has a place for it.
fn coder(plan: &SoundPlan, source_rate: u32) -> Result<Box<dyn SoundCoder>> {
    Ok(match plan.codec {
        SoundCodec::Opus => Box::new(OpusCoder::new(plan, source_rate)?),
        _ => Box::new(AvCoder::new(plan)?),
    })
}

impl SoundPackets {
    /// Takes samples of a track that starts at `start`.
    fn push(&mut self, pcm: &[f32], start: i64, sink: PacketSink<'_>) -> Result<()> {
        match &mut self.leveller {
            Some(leveller) => leveller.push(pcm, &mut self.pending),
            None => self.pending.extend_from_slice(pcm),
        }
        let size = self.coder.frame() * self.channels;
        let whole = self.pending.len() / size * size;
        for at in (0..whole).step_by(size) {
            self.coder.encode(&self.pending[at..at + size], &mut self.coded)?;
            self.give(start, None, sink)?;
        }
        self.taken += (whole / self.channels) as u64;
        self.pending.drain(..whole);
        Ok(())
    }

    /// Gives the packets that are ready; those of a sound of which `end` samples were taken in all not beyond that.
    fn give(&mut self, start: i64, end: Option<u64>, sink: PacketSink<'_>) -> Result<()> {
        let delay = self.coder.delay() as u64;
        for CodedSound { data, samples } in std::mem::take(&mut self.coded) {
            let from = self.decoded;
            let to = from + samples as u64;
            self.decoded = to;
            let end = end.map_or(u64::MAX, |end| end + delay);
            if from >= end {
                continue;
            }
            let discard = to.saturating_sub(end) as i64;
            self.count += 1;
            self.bytes += data.len() as u64;
            let ticks = start - delay as i64 + from as i64;
            let mut packet = Packet::new(Timestamp::new(ticks, self.base), data);
            packet.duration = Some(Span::new(samples as i64 - discard, self.base));
            packet.trim = Trim::at_end(Span::new(discard, self.base));
            sink(packet)?;
        }
        Ok(())
    }

    fn drain(&mut self, start: i64, sink: PacketSink<'_>) -> Result<()> {
        if let Some(leveller) = self.leveller.take() {
            leveller.finish(&mut self.pending);
        }
        let mut pending = std::mem::take(&mut self.pending);
        let end = self.taken + (pending.len() / self.channels) as u64;
        let frame = self.coder.frame();
        if !self.coder.takes_less() {
            // The decoder's output lags by the delay: that much more has to go in for the last sample to come out.
            let left = pending.len() / self.channels + self.coder.delay();
            pending.resize(left.div_ceil(frame) * frame * self.channels, 0.0);
        }
        for run in pending.chunks(frame * self.channels) {
            self.coder.encode(run, &mut self.coded)?;
            self.give(start, Some(end), sink)?;
        }
        self.coder.finish(&mut self.coded)?;
        self.give(start, Some(end), sink)
    }
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
