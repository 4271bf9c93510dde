//! One audio track: frames in, Opus packets out.
#![deny(unsafe_code)]

use serde::Serialize;

use super::ffi::{FRAME, OpusEncoder};
use super::layout::LayoutPlan;
use super::timeline::{Seam, confirms, is_jump, position_of, sample_base, seam};
use crate::av::{AudioFrame, Resampler};
use crate::base::{Result, Span, Timestamp};
use crate::media::{Packet, PacketData, Sound, Trim};
use crate::syntax::opus::{OPUS_RATE, OpusHead};

/// Louder samples than this (12 dB over full scale) and those that are no numbers are damage.
const MAX_SAMPLE: f32 = 4.0;

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
}

/// What happened to a track's sound. Counts of samples are samples a channel at 48 kHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AudioStats {
    /// Decoded frames with sound in them; 0 means that the track is empty and has no packets.
    pub frames: u64,
    /// Packets made.
    pub packets: u64,
    /// Bytes of all packets.
    pub bytes: u64,
    /// Samples that play, inserted silence included.
    pub samples: u64,
    /// Gaps filled with silence.
    pub gaps: u64,
    /// Samples of silence put in.
    pub inserted_samples: u64,
    /// Overlaps cut.
    pub overlaps: u64,
    /// Samples cut away.
    pub trimmed_samples: u64,
    /// Timestamps that jumped alone and were not believed.
    pub stray_timestamps: u64,
    /// Changes of sample format, rate or layout in mid-stream.
    pub format_changes: u64,
    /// Samples that were no numbers or far over full scale.
    pub damaged_samples: u64,
    /// Whether neither the first frame nor the container said when the sound starts, so that 0 was taken.
    pub start_unknown: bool,
    /// Whether channels were added up or left out at any time.
    pub downmixed: bool,
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
    opus: OpusEncoder,
    resampler: Resampler,
    channels: usize,
    source_rate: u32,
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
    pending: Vec<f32>,
    stats: AudioStats,
}

impl AudioEncoder {
    /// An encoder for one track.
    pub fn new(config: AudioConfig) -> Result<Self> {
        let plan = config.plan;
        let channels = plan.channels();
        let opus = OpusEncoder::new(channels, plan.mapping_family(), config.bitrate.unwrap_or(plan.bitrate()))
            .map_err(|e| e.in_stage("audio"))?;
        let resampler = Resampler::new(OPUS_RATE, channels, Box::new(move |layout| plan.mix(layout)));
        Ok(AudioEncoder {
            opus,
            resampler,
            channels,
            source_rate: config.source_rate,
            assumed_start: config.start,
            start: None,
            origin: 0,
            held: None,
            skip: 0,
            scratch: Vec::new(),
            pending: Vec::new(),
            stats: AudioStats::default(),
        })
    }

    /// The track's identification header.
    pub fn head(&self) -> OpusHead {
        OpusHead {
            channels: self.channels as u8,
            pre_skip: self.opus.pre_skip(),
            input_rate: self.source_rate,
            output_gain: 0,
            mapping: self.opus.mapping().clone(),
        }
    }

    /// Samples at 48 kHz of codec delay.
    pub fn pre_skip(&self) -> u16 {
        self.opus.pre_skip()
    }

    /// What happened so far.
    pub fn stats(&self) -> AudioStats {
        AudioStats { format_changes: self.resampler.changes(), downmixed: self.resampler.did_downmix(), ..self.stats }
    }

    /// Takes the next decoded frame.
    ///
    /// Errors: `Unsupported` for sound that cannot be converted, `Input` for timestamps that jump beyond the
    /// bounds, `Encode` from libopus, and whatever the sink says.
    pub fn push(&mut self, frame: Sound, sink: PacketSink<'_>) -> Result<()> {
        let time = frame.pts;
        self.take(frame, sink).map_err(|e| place(e, time))
    }

    /// Gives out everything left, the last packet with its discard padding. Without a single sample there are
    /// no packets, and the stats say so.
    pub fn finish(mut self, sink: PacketSink<'_>) -> Result<AudioStats> {
        self.drain(sink).map_err(|e| place(e, None))?;
        Ok(self.stats())
    }

    fn take(&mut self, frame: Sound, sink: PacketSink<'_>) -> Result<()> {
        if frame.samples == 0 {
            return Ok(());
        }
        let position = frame.pts.and_then(position_of);
        if self.stats.frames == 0 {
            let start = position.or_else(|| self.assumed_start.and_then(position_of));
            self.stats.start_unknown = start.is_none();
            self.origin = start.unwrap_or(0);
            self.start = Some(self.origin);
        }
        self.stats.frames += 1;
        if let Some(held) = self.held.take() {
            self.place_held(held, position, sink)?;
        }
        if is_jump(position, self.expected()) {
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
    fn place_held(&mut self, frame: Sound, next: Option<i64>, sink: PacketSink<'_>) -> Result<()> {
        let expected = self.expected();
        let position = frame.pts.and_then(position_of).unwrap_or(expected);
        let length = Span::new(frame.samples as i64, sample_base());
        let length = length.ticks() * i64::from(OPUS_RATE) / i64::from(frame.sample_rate.max(1));
        if confirms(position, length, expected, next) {
            let seam = seam(position, expected).map_err(|e| place(e, frame.pts))?;
            self.mend(seam, sink)?;
            self.origin += position - expected;
        } else {
            self.stats.stray_timestamps += 1;
        }
        self.convert(&frame, sink)
    }

    /// Ends what came before a jump, then fills the gap or arranges for the overlap to be cut.
    fn mend(&mut self, seam: Seam, sink: PacketSink<'_>) -> Result<()> {
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

    fn convert(&mut self, frame: &Sound, sink: PacketSink<'_>) -> Result<()> {
        self.resampler.push(AudioFrame::of(frame)?, &mut self.scratch)?;
        self.write_scratch(sink)
    }

    /// Moves what the resampler gave into the encoder, without what an overlap wants cut.
    fn write_scratch(&mut self, sink: PacketSink<'_>) -> Result<()> {
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
        self.pending.extend_from_slice(&self.scratch[cut as usize * self.channels..]);
        self.scratch.clear();
        self.encode_full_frames(sink)
    }

    fn write_silence(&mut self, samples: u64, sink: PacketSink<'_>) -> Result<()> {
        self.stats.inserted_samples += samples;
        self.stats.samples += samples;
        let mut left = samples;
        while left > 0 {
            // A second at a time, so that a long gap needs no memory.
            let step = left.min(u64::from(OPUS_RATE));
            self.pending.resize(self.pending.len() + step as usize * self.channels, 0.0);
            self.encode_full_frames(sink)?;
            left -= step;
        }
        Ok(())
    }

    fn encode_full_frames(&mut self, sink: PacketSink<'_>) -> Result<()> {
        let size = FRAME * self.channels;
        let whole = self.pending.len() / size * size;
        for at in (0..whole).step_by(size) {
            let data = self.opus.encode(&self.pending[at..at + size])?;
            let packet = self.packet(data, 0);
            sink(packet)?;
        }
        self.pending.drain(..whole);
        Ok(())
    }

    /// The next packet, of which `discard` samples at the end do not play.
    fn packet(&mut self, data: Vec<u8>, discard: usize) -> Packet {
        let lead = i64::from(self.opus.pre_skip());
        let ticks = self.start.unwrap_or(0) - lead + self.stats.packets as i64 * FRAME as i64;
        self.stats.packets += 1;
        self.stats.bytes += data.len() as u64;
        let mut packet = Packet::new(Timestamp::new(ticks, sample_base()), PacketData::new(data));
        packet.duration = Some(Span::new((FRAME - discard) as i64, sample_base()));
        packet.trim = Trim::at_end(Span::new(discard as i64, sample_base()));
        packet
    }

    fn drain(&mut self, sink: PacketSink<'_>) -> Result<()> {
        if let Some(held) = self.held.take() {
            self.place_held(held, None, sink)?;
        }
        self.resampler.flush(&mut self.scratch)?;
        self.write_scratch(sink)?;
        if self.stats.samples == 0 {
            return Ok(());
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
            let packet = self.packet(data, if index == last { discard } else { 0 });
            sink(packet)?;
        }
        Ok(())
    }
}

/// Names the stage and the time, where the error does not yet.
fn place(error: crate::base::Error, time: Option<Timestamp>) -> crate::base::Error {
    let error = error.in_stage("audio");
    match time {
        Some(time) => error.at(time),
        None => error,
    }
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
