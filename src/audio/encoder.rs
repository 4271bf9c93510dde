//! One audio track: frames in, Opus packets out.
#![deny(unsafe_code)]

use super::ffi::{FRAME, OpusEncoder};
use super::layout::LayoutPlan;
use super::leveller::Leveller;
use super::stats::AudioStats;
use super::timed::{TimedSound, place};
use super::timeline::sample_base;
use crate::base::{Result, Span, Timestamp};
use crate::media::{Packet, PacketData, Sound, Trim};
use crate::plan::SoundLevel;
use crate::syntax::opus::OpusHead;

/// What an [`AudioEncoder`] is told.
#[derive(Clone, Debug)]
pub struct AudioConfig {
    /// Channels, layout and mapping family.
    pub plan: LayoutPlan,
    /// Bits a second; the plan's own rate where there is no other wish.
    pub bitrate: Option<u32>,
    /// The source's sample rate in Hz, written into the header for information.
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
/// Law: frames are pushed in presentation order; packets come out in order, each 20 ms, through the sink, on
/// the caller's thread. `pts` of the first is the first sample's time less the pre-skip, in 1/48000 s. One
/// frame may be held back until the next shows whether its time is to be believed. After
/// [`finish`](Self::finish) the decoded sound without pre-skip and discard padding has exactly
/// [`AudioStats::samples`] samples.
///
/// Times: below 40 ms a difference between a frame's time and the samples so far is jitter and changes
/// nothing, so it cannot add up; a larger gap becomes silence and a larger overlap is cut, to the sample.
/// Beyond an hour of gap or ten minutes of overlap the input is refused.
pub struct AudioEncoder {
    sound: TimedSound,
    packets: OpusPackets,
    source_rate: u32,
}

/// Samples at 48 kHz to packets.
struct OpusPackets {
    opus: OpusEncoder,
    channels: usize,
    leveller: Option<Leveller>,
    pending: Vec<f32>,
    count: u64,
    bytes: u64,
}

impl AudioEncoder {
    /// An encoder for one track.
    pub fn new(config: AudioConfig) -> Result<Self> {
        let plan = config.plan;
        let channels = plan.channels();
        let opus = OpusEncoder::new(channels, plan.mapping_family(), config.bitrate.unwrap_or(plan.bitrate()))
            .map_err(|e| e.in_stage("audio"))?;
        let leveller = config.level.map(|level| Leveller::new(channels, level));
        Ok(AudioEncoder {
            sound: TimedSound::new(plan, config.start),
            packets: OpusPackets { opus, channels, leveller, pending: Vec::new(), count: 0, bytes: 0 },
            source_rate: config.source_rate,
        })
    }

    /// The track's identification header.
    pub fn head(&self) -> OpusHead {
        OpusHead {
            channels: self.packets.channels as u8,
            pre_skip: self.packets.opus.pre_skip(),
            input_rate: self.source_rate,
            output_gain: 0,
            mapping: self.packets.opus.mapping().clone(),
        }
    }

    /// Samples at 48 kHz of codec delay.
    pub fn pre_skip(&self) -> u16 {
        self.packets.opus.pre_skip()
    }

    /// What happened so far.
    pub fn stats(&self) -> AudioStats {
        AudioStats { packets: self.packets.count, bytes: self.packets.bytes, ..self.sound.stats() }
    }

    /// Takes the next decoded frame.
    ///
    /// Errors: `Unsupported` for sound that cannot be converted, `Input` for timestamps that jump beyond the
    /// bounds, `Encode` from libopus, and whatever the sink says.
    pub fn push(&mut self, frame: Sound, sink: PacketSink<'_>) -> Result<()> {
        let time = frame.pts;
        let AudioEncoder { sound, packets, .. } = self;
        // The first samples come after the first frame said when they are.
        let start = sound.begun_by(&frame);
        sound.push(frame, &mut |pcm| packets.push(pcm, start, sink)).map_err(|e| place(e, time))
    }

    /// Gives out everything left, the last packet with its discard padding. Without a single sample there are
    /// no packets, and the stats say so.
    pub fn finish(mut self, sink: PacketSink<'_>) -> Result<AudioStats> {
        let AudioEncoder { sound, packets, .. } = &mut self;
        let start = sound.start();
        sound.finish(&mut |pcm| packets.push(pcm, start, sink)).map_err(|e| place(e, None))?;
        if sound.stats().samples > 0 {
            packets.drain(start, sink).map_err(|e| place(e, None))?;
        }
        Ok(self.stats())
    }
}

impl OpusPackets {
    /// Takes samples of a track that starts at `start`.
    fn push(&mut self, pcm: &[f32], start: i64, sink: PacketSink<'_>) -> Result<()> {
        match &mut self.leveller {
            Some(leveller) => leveller.push(pcm, &mut self.pending),
            None => self.pending.extend_from_slice(pcm),
        }
        let size = FRAME * self.channels;
        let whole = self.pending.len() / size * size;
        for at in (0..whole).step_by(size) {
            let data = self.opus.encode(&self.pending[at..at + size])?;
            let packet = self.packet(data, start, 0);
            sink(packet)?;
        }
        self.pending.drain(..whole);
        Ok(())
    }

    /// The next packet, of which `discard` samples at the end do not play.
    fn packet(&mut self, data: Vec<u8>, start: i64, discard: usize) -> Packet {
        let lead = i64::from(self.opus.pre_skip());
        let ticks = start - lead + self.count as i64 * FRAME as i64;
        self.count += 1;
        self.bytes += data.len() as u64;
        let mut packet = Packet::new(Timestamp::new(ticks, sample_base()), PacketData::new(data));
        packet.duration = Some(Span::new((FRAME - discard) as i64, sample_base()));
        packet.trim = Trim::at_end(Span::new(discard as i64, sample_base()));
        packet
    }

    fn drain(&mut self, start: i64, sink: PacketSink<'_>) -> Result<()> {
        if let Some(leveller) = self.leveller.take() {
            leveller.finish(&mut self.pending);
        }
        // The decoder's output lags by the pre-skip: that much more has to go in for the last sample to come out.
        let lead = usize::from(self.opus.pre_skip());
        let left = self.pending.len() / self.channels + lead;
        let padded = left.div_ceil(FRAME) * FRAME;
        let discard = padded - left;
        self.pending.resize(padded * self.channels, 0.0);
        let size = FRAME * self.channels;
        let pending = std::mem::take(&mut self.pending);
        let last = padded / FRAME - 1;
        for (index, frame) in pending.chunks_exact(size).enumerate() {
            let data = self.opus.encode(frame)?;
            let packet = self.packet(data, start, if index == last { discard } else { 0 });
            sink(packet)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
