//! Settings of one encode.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Error, ErrorKind, Result};

/// What becomes of audio tracks that are not Opus already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioMode {
    /// Encoded to Opus.
    #[default]
    Opus,
    /// Copied where Matroska can carry the codec, else encoded to Opus.
    Copy,
}

/// Settings of one encode. `EncodeSettings::new(input, output)` gives the defaults; fields are public.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EncodeSettings {
    /// The film to read.
    pub input: PathBuf,
    /// The Matroska file to write.
    pub output: PathBuf,
    /// Constant rate factor, 1 to 63; `None` takes [`default_crf`] for the picture's size.
    pub crf: Option<f32>,
    /// SVT-AV1 preset, 0 (slowest) to 13 (fastest).
    pub preset: u8,
    /// Further SVT-AV1 parameters by the encoder's own names, applied last.
    pub svt: Vec<(String, String)>,
    /// What becomes of audio tracks.
    pub audio: AudioMode,
    /// Whether an existing output may be replaced.
    pub overwrite: bool,
    /// Whether a source of which more than 1 % of the pictures are lost is encoded all the same.
    pub accept_damage: bool,
    /// How long the pipeline may stand still before the watchdog stops it.
    #[serde(skip)]
    pub stall_timeout: Duration,
}

impl EncodeSettings {
    /// The default preset.
    pub const PRESET: u8 = 6;

    /// Default settings for encoding `input` to `output`.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        EncodeSettings {
            input: input.into(),
            output: output.into(),
            crf: None,
            preset: Self::PRESET,
            svt: Vec::new(),
            audio: AudioMode::default(),
            overwrite: false,
            accept_damage: false,
            stall_timeout: Duration::from_secs(120),
        }
    }

    /// Checks the ranges; an error is of kind `Usage` and names the setting.
    pub fn check(&self) -> Result<()> {
        if self.preset > 13 {
            return Err(Error::new(ErrorKind::Usage, format!("preset {} is not within 0 to 13", self.preset)));
        }
        if let Some(crf) = self.crf
            && !(1.0..=63.0).contains(&crf)
        {
            return Err(Error::new(ErrorKind::Usage, format!("CRF {crf} is not within 1 to 63")));
        }
        if self.stall_timeout.is_zero() {
            return Err(Error::new(ErrorKind::Usage, "a stall timeout of 0 s would stop every run"));
        }
        Ok(())
    }
}

/// The CRF for a picture size where none was asked for: 25 up to 1080p, 29 above.
///
/// "Up to 1080p" is by area and by the longer side, so that scope (1920×800) and portrait pictures count as
/// what they are.
pub fn default_crf(width: u32, height: u32) -> f32 {
    let area = u64::from(width) * u64::from(height);
    let long = width.max(height);
    if area <= 1920 * 1088 && long <= 2560 { 25.0 } else { 29.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_crf_depends_on_the_picture_not_on_its_orientation() {
        for (width, height, crf) in [
            (720, 576, 25.0),
            (1280, 720, 25.0),
            (1920, 1080, 25.0),
            (1920, 1088, 25.0),
            (1080, 1920, 25.0),
            (2560, 1440, 29.0),
            (3840, 1600, 29.0),
            (3840, 2160, 29.0),
            (2160, 3840, 29.0),
        ] {
            assert_eq!(default_crf(width, height), crf, "{width}x{height}");
        }
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let mut settings = EncodeSettings::new("a", "b");
        settings.check().unwrap();
        settings.preset = 14;
        assert!(settings.check().unwrap_err().to_string().contains("preset 14"));
        settings.preset = 6;
        settings.crf = Some(f32::NAN);
        assert_eq!(settings.check().unwrap_err().kind(), ErrorKind::Usage);
    }
}
