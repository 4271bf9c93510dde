//! What an audio track becomes: codec, layout, rate, bit rate.
#![deny(unsafe_code)]

use super::codecs::{codec_name, rate_for, row};
use super::layout::LayoutPlan;
use crate::base::{Error, ErrorKind, Result};
use crate::config::{Downmix, SoundCodec};
use crate::media::AudioInfo;
use crate::syntax::opus::OPUS_RATE;

/// What is asked of tracks that are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoundOptions {
    /// The codec.
    pub codec: SoundCodec,
    /// To which layout they are mixed down.
    pub downmix: Downmix,
    /// Bits a second; `None` takes the layout's own.
    pub bitrate: Option<u32>,
    /// Samples a second; `None` takes the source's where the codec has it, else the next above.
    pub rate: Option<u32>,
}

/// What an audio track becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundPlan {
    /// Its channels.
    pub layout: LayoutPlan,
    /// Its codec.
    pub codec: SoundCodec,
    /// Samples a second.
    pub rate: u32,
    /// Bits a second; `None` takes the layout's own.
    pub bitrate: Option<u32>,
    /// Bits a sample, 16 or 24, where the codec has samples of so many.
    pub bits: u8,
}

impl SoundPlan {
    /// Opus as by default.
    pub fn opus(layout: LayoutPlan) -> Self {
        SoundPlan { layout, codec: SoundCodec::Opus, rate: OPUS_RATE, bitrate: None, bits: 16 }
    }

    /// The plan for a track.
    ///
    /// # Errors
    /// As [`LayoutPlan::fitted`], `Usage` for a rate that was asked for and that the codec does not have.
    pub fn new(source: &AudioInfo, options: SoundOptions) -> Result<Self> {
        let SoundOptions { codec, downmix, bitrate, rate } = options;
        let layout = LayoutPlan::fitted(source.channels, &source.layout, codec, downmix)?;
        if let Some(rate) = rate.filter(|rate| rate_for(codec, *rate) != *rate) {
            let row = row(codec);
            let known: Vec<String> = row.rates.iter().map(u32::to_string).collect();
            let known = known.join(if row.any_rate { " to " } else { ", " });
            let message = format!("{} has no sample rate of {rate} Hz; it has {known}", codec.title());
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let rate = rate.unwrap_or_else(|| rate_for(codec, source.sample_rate));
        let bits = if source.bits.is_some_and(|bits| bits > 16) { 24 } else { 16 };
        Ok(SoundPlan { layout, codec, rate, bitrate: bitrate.filter(|_| !codec.is_lossless()), bits })
    }

    /// FFmpeg's name of the codec.
    pub fn codec_name(&self) -> &'static str {
        match (self.codec, self.bits) {
            (SoundCodec::Pcm, 24) => "pcm_s24le",
            (codec, _) => codec_name(codec),
        }
    }

    /// What has to be said of it, `source` being the rate there was; without a stop.
    pub fn note(&self, source: u32) -> Option<String> {
        // That Opus is 48 kHz is its nature.
        let resampled = (self.rate != source && self.codec != SoundCodec::Opus)
            .then(|| format!("resampled from {source} to {} Hz", self.rate));
        match (self.layout.note.clone(), resampled) {
            (Some(note), Some(resampled)) => Some(format!("{note}; {resampled}")),
            (note, resampled) => note.or(resampled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(channels: u32, layout: &str, sample_rate: u32, bits: Option<u8>) -> AudioInfo {
        AudioInfo { channels, layout: layout.to_owned(), sample_rate, initial_padding: 0, bits }
    }

    fn plan(source: &AudioInfo, codec: SoundCodec, downmix: Downmix) -> Result<SoundPlan> {
        SoundPlan::new(source, SoundOptions { codec, downmix, ..SoundOptions::default() })
    }

    #[test]
    fn codecs_take_the_layouts_they_have_and_others_are_refused_by_name() {
        let surround = source(6, "5.1(side)", 48_000, None);
        for (codec, kbps) in [(SoundCodec::Ac3, 448), (SoundCodec::Eac3, 384), (SoundCodec::Aac, 384)] {
            let plan = plan(&surround, codec, Downmix::Off).unwrap();
            assert_eq!((plan.layout.layout(), plan.layout.bitrate() / 1000, plan.note(48_000)), ("5.1", kbps, None));
        }
        let error = plan(&surround, SoundCodec::Mp3, Downmix::Off).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = error.to_string();
        assert!(text.contains("MP3") && text.contains("5.1(side)") && text.contains("--downmix stereo"), "{text}");
        let error = plan(&source(8, "7.1", 48_000, None), SoundCodec::Ac3, Downmix::Off).unwrap_err();
        assert!(error.to_string().contains("--downmix 5.1"), "{error}");
        assert!(plan(&source(32, "32 channels", 48_000, None), SoundCodec::Flac, Downmix::Off).is_err());
        assert!(plan(&surround, SoundCodec::Mp3, Downmix::Surround).is_err(), "MP3 has no 5.1 to mix down to");
    }

    #[test]
    fn a_downmix_says_its_layouts_and_coefficients() {
        let plan = plan(&source(6, "5.1(side)", 48_000, None), SoundCodec::Mp3, Downmix::Stereo).unwrap();
        assert_eq!(
            plan.note(48_000).unwrap(),
            "5.1(side) mixed down to stereo by ITU-R BS.775: FL = 0.414 FL + 0.293 FC + 0.293 SL, \
             FR = 0.414 FR + 0.293 FC + 0.293 SR; LFE left out"
        );
        assert!(plan.layout.folds && !plan.layout.upmix_refused);
    }

    #[test]
    fn no_coefficients_add_up_to_more_than_one_whatever_the_source() {
        use crate::av::ChannelLayout;
        for (n, name) in
            [(2, "stereo"), (4, "quad"), (6, "5.1"), (6, "5.1(side)"), (8, "7.1"), (7, "6.1"), (24, "22.2")]
        {
            for downmix in [Downmix::Mono, Downmix::Stereo, Downmix::Surround] {
                let plan = plan(&source(n, name, 48_000, None), SoundCodec::Opus, downmix).unwrap();
                let mix = plan.layout.mix(&ChannelLayout::from_name(name).unwrap()).unwrap();
                let Some(matrix) = mix.matrix else { continue };
                let loudest = matrix.chunks(n as usize).map(|row| row.iter().sum::<f64>()).fold(0.0, f64::max);
                assert!(loudest <= 1.0 + 1e-12, "{name} to {downmix:?}: {loudest}");
            }
        }
    }

    #[test]
    fn nothing_is_mixed_up() {
        for (n, name, downmix) in
            [(1, "mono", Downmix::Stereo), (2, "stereo", Downmix::Surround), (4, "quad", Downmix::Surround)]
        {
            let plan = plan(&source(n, name, 48_000, None), SoundCodec::Opus, downmix).unwrap();
            assert!(plan.layout.upmix_refused && !plan.layout.folds, "{name}");
            assert_eq!(plan.layout.channels(), n as usize);
            assert!(plan.note(48_000).unwrap().contains("nothing is mixed up"), "{:?}", plan.note(48_000));
        }
        let plan = plan(&source(2, "stereo", 48_000, None), SoundCodec::Opus, Downmix::Stereo).unwrap();
        assert_eq!((plan.layout.upmix_refused, plan.note(48_000)), (false, None), "what is stereo stays as it is");
    }

    #[test]
    fn rates_follow_the_codec_and_depths_the_source() {
        let cd = source(2, "stereo", 44_100, Some(16));
        let of = |codec| plan(&cd, codec, Downmix::Off).unwrap();
        assert_eq!(
            (of(SoundCodec::Flac).rate, of(SoundCodec::Flac).bits, of(SoundCodec::Opus).rate),
            (44_100, 16, 48_000)
        );
        let master = plan(&source(2, "stereo", 96_000, Some(24)), SoundCodec::Pcm, Downmix::Off).unwrap();
        assert_eq!((master.codec_name(), master.rate), ("pcm_s24le", 96_000));
        let mp3 = plan(&source(2, "stereo", 96_000, Some(24)), SoundCodec::Mp3, Downmix::Off).unwrap();
        assert_eq!(mp3.note(96_000).unwrap(), "resampled from 96000 to 48000 Hz");
        let asked = SoundOptions { codec: SoundCodec::Mp3, rate: Some(37_000), ..SoundOptions::default() };
        let error = SoundPlan::new(&cd, asked).unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("44100, 48000"), "{error}");
    }
}
