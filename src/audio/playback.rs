//! What a player makes of packets, measured.
#![deny(unsafe_code)]

use super::ffi::OpusDecoder;
use super::loudness::LoudnessMeter;
use super::sound_plan::SoundPlan;
use super::timeline::sample_base;
use crate::av::{Decoder, Mix, Received, Resampler};
use crate::base::{Error, ErrorKind, Result, Rounding, Span};
use crate::config::SoundCodec;
use crate::media::{AudioTrackParams, Packet};
use crate::syntax::opus::opus_head_facts;

/// What comes out of the decoder.
pub(super) struct PlayedBack {
    decoder: SoundDecoder,
    meter: LoudnessMeter,
    channels: usize,
    rate: u32,
    /// Samples of every channel that do not play yet.
    skip: usize,
    /// Samples of every channel that play, by the packets so far.
    due: usize,
    played: usize,
}

/// A decoder, by what it is made of.
enum SoundDecoder {
    Opus(OpusDecoder),
    /// With what makes its samples `f32`.
    Av(Decoder, Resampler),
}

impl PlayedBack {
    /// Of a track that was planned so, with its delay.
    pub(super) fn new(plan: &SoundPlan, track: &AudioTrackParams, delay: Span) -> Result<Self> {
        let (channels, rate) = (plan.layout.channels(), plan.rate);
        let decoder = match plan.codec {
            SoundCodec::Opus => {
                let head = opus_head_facts(&track.configuration);
                let unread = || Error::new(ErrorKind::Encode, "the Opus header cannot be read back");
                SoundDecoder::Opus(OpusDecoder::new(&head.ok_or_else(unread)?)?)
            }
            _ => {
                let name = plan.codec_name();
                let decoder = Decoder::by_name(name, &track.configuration, sample_base(rate), track.channels)?;
                // Its channels come in the order they went in.
                let as_it_is = Box::new(|_: &_| Ok(Mix { matrix: None, folds: false }));
                SoundDecoder::Av(decoder, Resampler::new(rate, channels, as_it_is))
            }
        };
        let meter = LoudnessMeter::new(&plan.layout, rate)?;
        let skip = usize::try_from(delay.rescale(sample_base(rate), Rounding::Nearest).ticks()).unwrap_or(0);
        Ok(PlayedBack { decoder, meter, channels, rate, skip, due: 0, played: 0 })
    }

    /// Hears a packet.
    pub(super) fn take(&mut self, packet: &Packet) -> Result<()> {
        let samples =
            |span: Span| usize::try_from(span.rescale(sample_base(self.rate), Rounding::Nearest).ticks()).unwrap_or(0);
        // Of the last packet only a part plays.
        self.due += packet.duration.map_or(0, samples);
        let mut pcm = Vec::new();
        match &mut self.decoder {
            SoundDecoder::Opus(decoder) => pcm = decoder.decode(&packet.data)?,
            SoundDecoder::Av(decoder, to_float) => {
                decoder.send_bytes(&packet.data, packet.pts.ticks())?;
                hear(decoder, to_float, &mut pcm)?;
            }
        }
        self.play(&pcm)
    }

    fn play(&mut self, pcm: &[f32]) -> Result<()> {
        let frames = pcm.len() / self.channels;
        let first = self.skip.min(frames);
        self.skip -= first;
        let plays = frames.min(self.due.saturating_sub(self.played));
        self.played += frames;
        if first < plays { self.meter.push(&pcm[first * self.channels..plays * self.channels]) } else { Ok(()) }
    }

    /// How loud all of it was.
    pub(super) fn finish(mut self) -> Result<crate::plan::Loudness> {
        let mut pcm = Vec::new();
        if let SoundDecoder::Av(decoder, to_float) = &mut self.decoder {
            decoder.send_end()?;
            hear(decoder, to_float, &mut pcm)?;
            to_float.flush(&mut pcm)?;
        }
        self.play(&pcm)?;
        self.meter.loudness()
    }
}

/// All that a decoder has to give.
fn hear(decoder: &mut Decoder, to_float: &mut Resampler, pcm: &mut Vec<f32>) -> Result<()> {
    while let Received::Frame(frame) = decoder.receive_audio()? {
        to_float.push(&frame, pcm)?;
    }
    Ok(())
}
