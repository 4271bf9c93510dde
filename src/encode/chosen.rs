//! Which encoder of a list a run takes: the first that encodes a picture of this size and format.

use super::wanted::wanted;
use crate::base::Result;
use crate::config::EncodeSettings;
use crate::container::Format;
use crate::media::{Shown, StreamInfo};
use crate::plan::{PicturePlan, SourceFacts};
use crate::stages::spec::{encode_spec, factory, video_params};
use crate::video::{choose, is_choice, meant};

/// The settings of each output, with the encoders that were found to work in the place of those that were asked for.
///
/// # Errors
/// `Unsupported` where none works.
pub(super) fn choose_encoders(
    outputs: &[EncodeSettings],
    facts: &SourceFacts,
    main: &StreamInfo,
) -> Result<Vec<EncodeSettings>> {
    outputs.iter().map(|settings| of_output(settings, facts, main)).collect()
}

fn of_output(settings: &EncodeSettings, facts: &SourceFacts, main: &StreamInfo) -> Result<EncodeSettings> {
    if !is_choice(&settings.encoder) {
        return Ok(settings.clone());
    }
    let codec = factory(settings)?.traits().codec;
    let picture = PicturePlan::new(facts, main, &wanted(settings, Format::of_name(&settings.output), facts)?)?;
    let video = picture.video()?;
    let shown = Shown { width: video.width, height: video.height, color: video.color, hdr: video.hdr };
    let spec = encode_spec(settings, &shown)?;
    let (encoder, preset, passed_over) =
        choose(&meant(&settings.encoder, codec)?, &spec, &video_params(video, &shown))?;
    for why in passed_over {
        tracing::info!("not taken: {why}");
    }
    tracing::info!(encoder, "chosen");
    Ok(EncodeSettings { encoder, preset, ..settings.clone() })
}
