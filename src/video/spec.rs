//! How an encoder is asked for: a spec that can be written down, and what the pictures are.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::{Color, Crf, HdrStatic};

use super::facts::EncoderTraits;

/// The settings of one encode, without anything that depends on the pictures.
///
/// Law: the same spec, pictures and library give the same bytes, on any machine (see
/// [`EncoderTraits::same_bytes_in_parallel`] for `parallelism`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncodeSpec {
    /// The encoder's name, as [`encoder`](super::encoder) knows it.
    pub encoder: String,
    /// Quality on the encoder's own scale.
    pub quality: Crf,
    /// Speed, from 0 (slowest) to [`EncoderTraits::fastest_preset`]: SVT-AV1's own numbers; for libx264 0 is
    /// `placebo` and 9 `ultrafast`.
    pub preset: u8,
    /// Level of parallelism: SVT-AV1's `lp`, threads elsewhere. At 0 the encoder takes its own default.
    #[serde(default)]
    pub parallelism: u32,
    /// The longest way from one keyframe to the next.
    #[serde(default)]
    pub keyframes: KeyframeInterval,
    /// Whether [`KeyRequest::Force`](super::KeyRequest::Force) will be used.
    #[serde(default)]
    pub forced_keyframes: bool,
    /// Whether the stream is to be joined with others of the same settings but for quality, as one stream with one
    /// configuration.
    #[serde(default)]
    pub joined: bool,
    /// Strength of film grain that is described beside the picture, from 0 (none) to 50.
    #[serde(default)]
    pub film_grain: u8,
    /// Further parameters in the encoder's own words, applied last and in this order.
    #[serde(default)]
    pub parameters: Vec<(String, String)>,
}

impl EncodeSpec {
    /// Keyframes every ten seconds, none forced, nothing further.
    pub fn new(encoder: impl Into<String>, quality: Crf, preset: u8) -> Self {
        EncodeSpec {
            encoder: encoder.into(),
            quality,
            preset,
            parallelism: 0,
            keyframes: KeyframeInterval::default(),
            forced_keyframes: false,
            joined: false,
            film_grain: 0,
            parameters: Vec::new(),
        }
    }

    /// Refuses what an encoder with these traits cannot do.
    pub(super) fn check(&self, traits: &EncoderTraits) -> Result<()> {
        let name = traits.name;
        let usage = |message: String| Err(Error::new(ErrorKind::Usage, message));
        if self.encoder != name {
            return usage(format!("settings for the encoder {:?} came to {name}", self.encoder));
        }
        if self.preset > traits.fastest_preset {
            return usage(format!("preset {} is not between 0 and {}", self.preset, traits.fastest_preset));
        }
        if !traits.scale.has(self.quality) {
            let (min, max, step) = (traits.scale.min, traits.scale.max, f64::from(traits.scale.step) / 4.0);
            let quality = self.quality;
            return usage(format!("CRF {quality} is not one of {name}'s, from {min} to {max} in steps of {step}"));
        }
        if self.film_grain > 50 {
            return usage(format!("film grain {} is not within 0 to 50", self.film_grain));
        }
        if self.film_grain > 0 && !traits.film_grain {
            return usage(format!("{name} cannot describe film grain"));
        }
        Ok(())
    }
}

/// The longest way from one keyframe to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyframeInterval {
    /// That many seconds at the nominal frame rate.
    Seconds(u32),
    /// That many frames.
    Frames(u32),
}

impl Default for KeyframeInterval {
    fn default() -> Self {
        KeyframeInterval::Seconds(10)
    }
}

impl KeyframeInterval {
    /// In frames, to the nearest, at least 2 (a distance of one frame is another mode of the libraries).
    pub fn frames(self, frame_rate: Rational) -> u32 {
        let frames = match self {
            KeyframeInterval::Seconds(seconds) => {
                (frame_rate.as_f64().min(MAX_RATE) * f64::from(seconds)).round() as u32
            }
            KeyframeInterval::Frames(frames) => frames,
        };
        frames.clamp(2, 1 << 30)
    }
}

/// What the pictures are. They all are so.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoParams {
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// Frames a second: for the keyframe distance and the encoder's rate model, never for timestamps.
    pub frame_rate: Rational,
    /// Width to height of a sample, for the headers of streams that have a place for it; `None` for square ones.
    pub sample_aspect_ratio: Option<Rational>,
    /// Bits a sample; frames must come in this depth.
    pub bit_depth: u8,
    /// Colour description, for the stream's own headers.
    pub color: Color,
    /// HDR10 metadata, for the stream.
    pub hdr: HdrStatic,
}

impl VideoParams {
    /// 10 bits a sample, nothing known about colour.
    pub fn new(width: u32, height: u32, frame_rate: Rational) -> Self {
        let (color, hdr) = (Color::default(), HdrStatic::default());
        VideoParams { width, height, frame_rate, sample_aspect_ratio: None, bit_depth: 10, color, hdr }
    }

    /// Refuses pictures that an encoder with these traits does not take.
    pub(super) fn check(&self, traits: &EncoderTraits) -> Result<()> {
        traits.limits.check((self.width, self.height), traits.name)?;
        if !traits.depths.contains(&self.bit_depth) {
            let depths = traits.depths.iter().map(u8::to_string).collect::<Vec<_>>().join(" or ");
            let message = format!("{} encodes {depths} bits a sample, not {}", traits.name, self.bit_depth);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        if self.frame_rate.num() <= 0 {
            let message = format!("the frame rate {} is not greater than zero", self.frame_rate);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        Ok(())
    }
}

/// The highest nominal frame rate an encoder is told.
const MAX_RATE: f64 = 240.0;

/// Numerator and denominator of a rate that encoders can work with.
///
/// SVT-AV1 shifts the numerator left by 8 in 32 bits, divides by whole frames a second in places, and refuses more
/// than 240; rate control elsewhere is made for such rates, too. Those that people see in files (90000/1,
/// 23040000/767849) are brought into that range.
pub(super) fn nominal_rate(rate: Rational) -> (u32, u32) {
    let (num, den) = (rate.num().unsigned_abs(), rate.den().unsigned_abs());
    let fps = rate.as_f64();
    if (1.0..=MAX_RATE).contains(&fps) && num < 1 << 24 {
        return (num, den);
    }
    ((fps.clamp(1.0, MAX_RATE) * 10_000.0).round() as u32, 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_read_as_it_is_written() {
        let spec = EncodeSpec {
            keyframes: KeyframeInterval::Frames(48),
            parameters: vec![("tune".to_owned(), "1".to_owned())],
            ..EncodeSpec::new("svt-av1", Crf::from_f64(27.25).unwrap(), 6)
        };
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<EncodeSpec>(&text).unwrap(), spec, "{text}");
        let short: EncodeSpec = serde_json::from_str(r#"{"encoder":"libx264","quality":20,"preset":4}"#).unwrap();
        assert_eq!(short, EncodeSpec::new("libx264", Crf::whole(20).unwrap(), 4));
        assert!(serde_json::from_str::<EncodeSpec>(r#"{"encoder":"x","quality":20,"preset":4,"crf":1}"#).is_err());
    }

    #[test]
    fn a_keyframe_comes_every_ten_seconds() {
        let frames = |num, den| KeyframeInterval::default().frames(Rational::positive(num, den).unwrap());
        assert_eq!([frames(24, 1), frames(24_000, 1_001), frames(30_000, 1_001)], [240, 240, 300]);
        assert_eq!([frames(1, 100), frames(90_000, 1)], [2, 2_400]);
    }
}
