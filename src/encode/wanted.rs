//! What of the settings of the picture an encoder can be asked for.

use crate::base::{Error, ErrorKind, Result};
use crate::config::{DolbyVisionMode, EncodeSettings, PictureSettings};
use crate::container::Format;

/// What is done to the picture: Dolby Vision is carried in AV1 alone, and not in WebM.
pub(super) fn wanted(settings: &EncodeSettings, codec: &str, format: Format) -> Result<PictureSettings> {
    let mut wanted = settings.picture.clone();
    if codec != "av1" || format == Format::WebM {
        if wanted.dolby_vision == DolbyVisionMode::Require {
            let who = if codec == "av1" { format.name() } else { &settings.encoder };
            let message = format!("Dolby Vision is required, and {who} cannot carry it");
            return Err(Error::new(ErrorKind::Usage, message));
        }
        wanted.dolby_vision = DolbyVisionMode::Strip;
    }
    Ok(wanted)
}
