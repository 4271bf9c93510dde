//! libavcodec's encoders of sound as ours.
#![deny(unsafe_code)]

use super::codecs::encoder_of;
use super::coder::{CodedSound, SoundCoder};
use super::sound_plan::SoundPlan;
use super::timeline::sample_base;
use crate::av::{SampleKind, SoundCodecEncoder, SoundCodecSettings, VorbisLengths};
use crate::base::{Result, Rounding, Span};
use crate::config::SoundCodec;
use crate::media::AudioTrackParams;

/// Samples of a run where an encoder takes any number.
const ANY: usize = 4096;

pub(super) struct AvCoder {
    encoder: SoundCodecEncoder,
    plan: SoundPlan,
    frame: usize,
    delay: usize,
    lengths: CodedLengths,
    sent: i64,
    last_configuration: Option<Vec<u8>>,
}

/// How many samples packets decode to.
enum CodedLengths {
    /// A frame each.
    Frames(usize),
    /// As many as went in, by the packet's word.
    AsSent,
    /// By the sizes of Vorbis' blocks; whether there was a packet.
    Vorbis(VorbisLengths, bool),
}

impl AvCoder {
    pub(super) fn new(plan: &SoundPlan) -> Result<Self> {
        let (name, kind) = encoder_of(plan.codec)?;
        let (name, kind) = match (plan.codec, plan.bits) {
            (SoundCodec::Pcm, 24) => ("pcm_s24le", SampleKind::Int24),
            (SoundCodec::Flac, 24) => (name, SampleKind::Int24),
            _ => (name, kind),
        };
        let usual = Some(plan.layout.bitrate()).filter(|rate| *rate > 0);
        let encoder = SoundCodecEncoder::open(&SoundCodecSettings {
            name,
            kind,
            rate: plan.rate,
            layout: plan.layout.layout(),
            bitrate: usual.map(|usual| plan.bitrate.unwrap_or(usual)),
            options: &[],
        })?;
        let frame = encoder.frame_size().unwrap_or(ANY);
        let (lengths, delay) = match plan.codec {
            SoundCodec::Flac | SoundCodec::Pcm => (CodedLengths::AsSent, 0),
            // Its first packet only begins the overlap: a decoder makes nothing of it, so that the second has the first sample.
            SoundCodec::Vorbis => (CodedLengths::Vorbis(VorbisLengths::new(encoder.extradata())?, false), 0),
            _ => (CodedLengths::Frames(frame), encoder.initial_padding()),
        };
        Ok(AvCoder { encoder, plan: plan.clone(), frame, delay, lengths, sent: 0, last_configuration: None })
    }

    fn receive(&mut self, out: &mut Vec<CodedSound>) -> Result<()> {
        while let Some(packet) = self.encoder.receive()? {
            if packet.data().is_empty() {
                // FLAC's last word: how many samples there were, and their MD5.
                self.last_configuration = packet.new_parameters().map(<[u8]>::to_vec).or(self.last_configuration.take());
                continue;
            }
            let samples = match &mut self.lengths {
                CodedLengths::Frames(frame) => *frame,
                CodedLengths::AsSent => {
                    let span = packet.duration().unwrap_or(Span::new(0, sample_base(self.plan.rate)));
                    let samples = span.rescale(sample_base(self.plan.rate), Rounding::Nearest).ticks();
                    usize::try_from(samples).unwrap_or(0)
                }
                CodedLengths::Vorbis(lengths, begun) => {
                    let samples = lengths.next(packet.data());
                    if std::mem::replace(begun, true) { samples } else { 0 }
                }
            };
            out.push(CodedSound { data: packet.into_data(), samples });
        }
        Ok(())
    }
}

impl SoundCoder for AvCoder {
    fn frame(&self) -> usize {
        self.frame
    }

    fn takes_less(&self) -> bool {
        !matches!(self.lengths, CodedLengths::Frames(_))
    }

    fn delay(&self) -> usize {
        self.delay
    }

    fn encode(&mut self, pcm: &[f32], out: &mut Vec<CodedSound>) -> Result<()> {
        self.encoder.send(pcm, self.sent)?;
        self.sent += (pcm.len() / self.plan.layout.channels()) as i64;
        self.receive(out)
    }

    fn finish(&mut self, out: &mut Vec<CodedSound>) -> Result<()> {
        self.encoder.send_end()?;
        self.receive(out)
    }

    fn track(&self) -> Result<AudioTrackParams> {
        let SoundPlan { layout, codec, rate, bits, .. } = &self.plan;
        let configuration = self.encoder.extradata().to_vec();
        let delay = Span::new(self.delay as i64, sample_base(*rate));
        Ok(AudioTrackParams {
            bit_depth: codec.is_lossless().then_some(*bits),
            codec_delay: (self.delay > 0).then_some(delay),
            ..AudioTrackParams::new(self.plan.codec_name(), configuration, layout.channels() as u32, *rate)
        })
    }

    fn last_configuration(&self) -> Option<Vec<u8>> {
        self.last_configuration.clone()
    }
}
