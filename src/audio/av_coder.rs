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
                self.last_configuration =
                    packet.new_parameters().map(<[u8]>::to_vec).or(self.last_configuration.take());
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

#[cfg(test)]
mod tests {
    use crate::audio::encoder::{AudioConfig, AudioEncoder};
    use crate::audio::sound_plan::{SoundOptions, SoundPlan};
    use crate::audio::trial::LevelTrial;
    use crate::av::{AudioFrame, Decoder, Received};
    use crate::base::{ErrorKind, Rational, Timestamp};
    use crate::config::SoundCodec;
    use crate::media::{AudioInfo, Packet, Sound};
    use crate::plan::SoundLevel;

    const RATE: u32 = 44_100;
    const SAMPLES: usize = 50_003;

    /// A tone in stereo at 44.1 kHz from a second on, in pieces of no particular length.
    fn sound() -> Vec<Sound> {
        let value = |n: usize| 0.1 * (n as f32 * 0.0627).sin();
        let pcm: Vec<f32> = (0..SAMPLES).flat_map(|n| [value(n), -value(n)]).collect();
        let base = Rational::positive(1, RATE as i32).unwrap();
        let piece = |(n, piece): (usize, &[f32])| {
            let pts = Timestamp::new((RATE as usize + n * 1000) as i64, base);
            AudioFrame::from_interleaved_f32(piece, RATE, "stereo", Some(pts)).unwrap().into()
        };
        pcm.chunks(2000).enumerate().map(piece).collect()
    }

    fn config(codec: SoundCodec, level: Option<SoundLevel>) -> Option<AudioConfig> {
        let audio = AudioInfo {
            channels: 2,
            layout: "stereo".to_owned(),
            sample_rate: RATE,
            initial_padding: 0,
            bits: Some(16),
        };
        let plan = SoundPlan::new(&audio, SoundOptions { codec, ..SoundOptions::default() }).unwrap();
        let config = AudioConfig { plan, source_rate: RATE, start: None, level };
        match AudioEncoder::new(config.clone()) {
            Ok(_) => Some(config),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                assert!(std::env::var_os("CI").is_none(), "{error}");
                None
            }
        }
    }

    #[test]
    fn every_codec_begins_where_the_sound_does_and_is_as_long_to_the_sample() {
        for codec in SoundCodec::ALL.into_iter().filter(|c| *c != SoundCodec::Opus) {
            let Some(config) = config(codec, None) else { continue };
            assert_eq!(config.plan.rate, RATE, "{codec:?}: nothing is resampled");
            let mut encoder = AudioEncoder::new(config.clone()).unwrap();
            let (delay, track) = (encoder.delay().ticks(), encoder.track().unwrap());
            let mut packets: Vec<Packet> = Vec::new();
            let mut sink = |packet| {
                packets.push(packet);
                Ok(())
            };
            sound().into_iter().for_each(|piece| encoder.push(piece, &mut sink).unwrap());
            let stats = encoder.finish(&mut sink).unwrap();
            assert_eq!((stats.samples as usize, stats.packets as usize), (SAMPLES, packets.len()), "{codec:?}");
            let mut at = i64::from(RATE) - delay;
            let base = packets[0].pts.base();
            let mut decoder = Decoder::by_name(config.plan.codec_name(), &track.configuration, base, 2).unwrap();
            let mut decoded = 0;
            let mut drain = |decoder: &mut Decoder| {
                while let Ok(Received::Frame(frame)) = decoder.receive_audio() {
                    decoded += frame.samples() as i64;
                }
            };
            for packet in &packets {
                assert_eq!(packet.pts.ticks(), at, "{codec:?}");
                at += packet.duration.unwrap().ticks();
                // PCM says its rate and layout in its container only.
                if codec != SoundCodec::Pcm {
                    decoder.send_bytes(&packet.data, packet.pts.ticks()).unwrap();
                    drain(&mut decoder);
                }
            }
            decoder.send_end().unwrap();
            drain(&mut decoder);
            assert_eq!(at, i64::from(RATE) + SAMPLES as i64, "{codec:?}");
            let trim = packets.last().unwrap().trim.end.map_or(0, |end| end.ticks());
            if codec != SoundCodec::Pcm {
                assert_eq!(decoded, delay + SAMPLES as i64 + trim, "{codec:?}");
            }
        }
    }

    #[test]
    fn a_trial_of_any_codec_hears_what_its_level_makes() {
        for codec in [SoundCodec::Opus, SoundCodec::Aac, SoundCodec::Mp3, SoundCodec::Vorbis, SoundCodec::Ac3] {
            let loud = |gain_db: f64| {
                let mut trial =
                    LevelTrial::new(config(codec, Some(SoundLevel { gain_db, limit_dbtp: None }))?).unwrap();
                sound().into_iter().for_each(|piece| trial.push(piece).unwrap());
                trial.finish().unwrap().integrated_lufs
            };
            let Some((soft, loud)) = loud(0.0).zip(loud(6.0)) else { continue };
            assert!((loud - soft - 6.0).abs() < 0.2, "{codec:?}: {soft} and {loud} LUFS");
        }
    }
}
