//! What an encoder is asked for, checked before the library sees it.
#![deny(unsafe_code)]

use svt_av1_sys as sys;

use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::{Color, Crf, HdrStatic};
use crate::video::facts::Limits;
use crate::video::spec::{EncodeSpec, KeyframeInterval, VideoParams};

/// The step between CRFs the linked library can encode at, in quarters: before 4.0 only whole ones exist.
pub const CRF_STEP: u16 = if sys::QUARTER_STEP_CRF { 1 } else { 4 };

/// The picture sizes the linked library encodes.
///
/// Measured on 1.4.1 and 2.3.0 (64 and even), 3.1.2 (4) and 4.2.0 (1).
pub fn limits() -> Limits {
    let min = match sys::SVT_AV1_VERSION_MAJOR {
        0..=2 => 64,
        3 => 4,
        _ => 1,
    };
    Limits { min, max_width: 16_384, max_height: 8_704, even: sys::SVT_AV1_VERSION_MAJOR < 3 }
}

/// Everything an encoder needs to know before the first frame.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderConfig {
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// Frames a second: for the keyframe distance and the encoder's rate model, never for timestamps.
    pub frame_rate: Rational,
    /// Quality.
    pub crf: Crf,
    /// Speed, 0 (slowest) to 13.
    pub preset: u8,
    /// Bits a sample, 8 or 10; frames must come in this depth.
    pub bit_depth: u8,
    /// Colour description for the sequence header.
    pub color: Color,
    /// HDR10 metadata, repeated with every keyframe. The library leaves out a mastering display without a
    /// maximum luminance and light levels without a maximum.
    pub hdr: HdrStatic,
    /// Frames from one keyframe to the next.
    pub keyframe_interval: u32,
    /// SVT-AV1's `tune`; 0 is subjective quality.
    pub tune: u8,
    /// SVT-AV1's level of parallelism (`lp`); 0 lets the library choose. The output does not depend on it.
    pub parallelism: u32,
    /// Whether [`send_keyframe`](super::Encoder::send_keyframe) will be used.
    pub force_keyframes: bool,
    /// Further SVT-AV1 parameters, applied last in this order.
    pub parameters: Vec<(String, String)>,
}

/// Parameters that are decided by the frames or by fields of [`EncoderConfig`], or that change the protocol
/// between caller and library: low delay makes every read wait, further passes need statistics, a QP file
/// reads a field of each picture.
const RESERVED: &[&str] = &[
    "w",
    "width",
    "h",
    "height",
    "fps-num",
    "fps-denom",
    "input-depth",
    "color-format",
    "pass",
    "pred-struct",
    "rtc",
    "avif",
    "use-q-file",
    "crf",
    "q",
    "qp",
    "preset",
    "enable-force-key-frames",
];

impl EncoderConfig {
    #[cfg(any(test, feature = "internals"))]
    /// 10-bit, `tune=0`, a keyframe every 10 s, nothing known about colour.
    pub fn new(width: u32, height: u32, frame_rate: Rational, crf: Crf, preset: u8) -> Self {
        EncoderConfig {
            width,
            height,
            frame_rate,
            crf,
            preset,
            bit_depth: 10,
            color: Color::default(),
            hdr: HdrStatic::default(),
            keyframe_interval: KeyframeInterval::default().frames(frame_rate),
            tune: 0,
            parallelism: 0,
            force_keyframes: false,
            parameters: Vec::new(),
        }
    }

    /// What a spec asks for, of pictures like `video`.
    pub(super) fn of(spec: &EncodeSpec, video: &VideoParams) -> Self {
        let mut parameters = film_grain(spec.film_grain);
        parameters.extend(spec.parameters.iter().cloned());
        EncoderConfig {
            width: video.width,
            height: video.height,
            frame_rate: video.frame_rate,
            crf: spec.quality,
            preset: spec.preset,
            bit_depth: video.bit_depth,
            color: video.color,
            hdr: video.hdr,
            keyframe_interval: spec.keyframes.frames(video.frame_rate),
            tune: 0,
            parallelism: spec.parallelism,
            force_keyframes: spec.forced_keyframes,
            parameters,
        }
    }

    /// Refuses what the library would refuse or misread, naming the limit.
    pub(super) fn check(&self) -> Result<()> {
        limits().check((self.width, self.height), &format!("SVT-AV1 {}", sys::HEADER_VERSION))?;
        let usage = |message: String| Err(Error::new(ErrorKind::Usage, message));
        if !matches!(self.bit_depth, 8 | 10) {
            return usage(format!("SVT-AV1 encodes 8 or 10 bits a sample, not {}", self.bit_depth));
        }
        if self.preset > MAX_PRESET {
            return usage(format!("preset {} is not between 0 and {MAX_PRESET}", self.preset));
        }
        if !self.crf.quarters().is_multiple_of(CRF_STEP) {
            return usage(format!(
                "CRF {} is not a whole number, which SVT-AV1 {} needs (quarter steps exist from 4.0)",
                self.crf,
                sys::HEADER_VERSION
            ));
        }
        if self.frame_rate.num() <= 0 {
            return usage(format!("the frame rate {} is not greater than zero", self.frame_rate));
        }
        match self.parameters.iter().find(|(name, _)| RESERVED.contains(&name.as_str())) {
            Some((name, value)) => usage(format!(
                "SVT-AV1 parameter {name}={value}: {name} is decided by drapto's own settings and cannot be passed on"
            )),
            None => Ok(()),
        }
    }

    /// The library's parameters in the order they are applied; those from `.1` on are the user's.
    pub(super) fn to_parameters(&self) -> (Vec<(String, String)>, usize) {
        let mut all = vec![
            ("preset".to_owned(), self.preset.to_string()),
            ("crf".to_owned(), self.crf.to_string()),
            // In all versions `keyint=N` means N frames from one keyframe to the next; the field it sets,
            // intra_period_length, is one less.
            ("keyint".to_owned(), self.keyframe_interval.clamp(2, 1 << 30).to_string()),
            ("tune".to_owned(), self.tune.to_string()),
        ];
        if self.parallelism > 0 {
            all.push(("lp".to_owned(), self.parallelism.to_string()));
        }
        let own = all.len();
        all.extend(self.parameters.iter().cloned());
        (all, own)
    }
}

/// The fastest preset, in the headers of all versions.
pub(super) const MAX_PRESET: u8 = 13;

/// Grain is synthesised over the picture as it is: denoising it first would lower what is scored.
fn film_grain(strength: u8) -> Vec<(String, String)> {
    match strength {
        0 => Vec::new(),
        n => vec![("film-grain".to_owned(), n.to_string()), ("film-grain-denoise".to_owned(), "0".to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::spec::nominal_rate;

    fn rate(num: i32, den: i32) -> Rational {
        Rational::positive(num, den).unwrap()
    }

    fn config() -> EncoderConfig {
        EncoderConfig::new(640, 360, rate(24, 1), Crf::whole(30).unwrap(), 10)
    }

    #[test]
    fn crf_goes_in_quarter_steps_from_1_to_63() {
        assert_eq!(Crf::whole(30).unwrap().to_string(), "30");
        assert_eq!(Crf::from_f64(30.25).unwrap().to_string(), "30.25");
        assert_eq!(Crf::from_f64(63.0).unwrap(), Crf::MAX);
        for bad in [0.0, 0.75, 63.25, 30.1, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Crf::from_f64(bad).unwrap_err().kind(), ErrorKind::Usage, "{bad}");
        }
        assert!(Crf::whole(64).is_err() && Crf::whole(0).is_err());
    }

    #[test]
    fn odd_frame_rates_of_real_files_are_brought_into_range() {
        let fields = |num, den| nominal_rate(rate(num, den));
        assert_eq!(fields(24_000, 1_001), (24_000, 1_001));
        assert_eq!(fields(90_000, 1), (2_400_000, 10_000));
        assert_eq!(fields(1, 100), (10_000, 10_000));
        assert_eq!(fields(23_040_000, 767_849), (300_059, 10_000));
    }

    #[test]
    fn impossible_requests_name_the_limit() {
        let fails = |config: EncoderConfig, kind, part: &str| {
            let error = config.check().unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(part), "{error}");
        };
        fails(EncoderConfig { width: 16_386, ..config() }, ErrorKind::Unsupported, "larger than 16384x8704");
        fails(EncoderConfig { height: 0, ..config() }, ErrorKind::Unsupported, "smaller than");
        fails(EncoderConfig { bit_depth: 12, ..config() }, ErrorKind::Usage, "8 or 10");
        fails(EncoderConfig { preset: 14, ..config() }, ErrorKind::Usage, "preset 14");
        let own = vec![("width".to_owned(), "32".to_owned())];
        fails(EncoderConfig { parameters: own, ..config() }, ErrorKind::Usage, "width=32");
        if limits().even {
            fails(EncoderConfig { width: 641, ..config() }, ErrorKind::Unsupported, "even");
        }
        if !sys::QUARTER_STEP_CRF {
            let crf = Crf::from_f64(30.5).unwrap();
            fails(EncoderConfig { crf, ..config() }, ErrorKind::Usage, "30.5");
        }
        config().check().unwrap();
    }
}
