//! What of the settings of the picture an encoder can be asked for.

use crate::base::{Error, ErrorKind, Result};
use crate::config::{DolbyVisionMode, EncodeSettings, PictureSettings};

/// What is done to the picture: Dolby Vision is carried in AV1 alone.
pub(super) fn wanted(settings: &EncodeSettings, codec: &str) -> Result<PictureSettings> {
    let mut wanted = settings.picture.clone();
    if codec != "av1" {
        if wanted.dolby_vision == DolbyVisionMode::Require {
            let message = format!("Dolby Vision is required, and {} cannot carry it", settings.encoder);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        wanted.dolby_vision = DolbyVisionMode::Strip;
    }
    Ok(wanted)
}
