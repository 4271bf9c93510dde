//! What of the settings of the picture an encoder can be asked for.

use crate::base::{Error, ErrorKind, Result};
use crate::config::{DolbyVisionMode, EncodeSettings, PictureSettings};
use crate::container::Format;
use crate::plan::{PicturePlan, SourceFacts, played_depth};
use crate::stages::spec::factory;

/// Refuses pictures that a format cannot show as they are.
pub(super) fn check_held(format: Format, picture: &PicturePlan) -> Result<()> {
    let turned = picture.video()?.rotation.rem_euclid(360);
    if turned == 0 || format.holds_rotation() {
        return Ok(());
    }
    let message = format!(
        "{} cannot say that the picture is to be turned by {turned} degrees: Matroska and MP4 can",
        format.name()
    );
    Err(Error::new(ErrorKind::Usage, message))
}

/// What is done to the picture: Dolby Vision is carried in AV1 alone, and not in WebM; the depth is one the codec is played in.
pub(super) fn wanted(settings: &EncodeSettings, format: Format, facts: &SourceFacts) -> Result<PictureSettings> {
    let traits = factory(settings)?.traits();
    let codec = traits.codec;
    let mut wanted = settings.picture.clone();
    wanted.bit_depth = played_depth(codec, traits.depths, facts, &wanted);
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
