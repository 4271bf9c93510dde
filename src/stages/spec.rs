//! What an encoder is asked for, from the settings of a run and the picture as its first frame has it.

use crate::base::{Error, ErrorKind, Rational, Result};
use crate::config::{EncodeSettings, Quality};
use crate::media::{Shown, VideoInfo};
use crate::video::{EncodeSpec, EncoderFactory, VideoParams, encoder, is_choice, meant};

/// The frame rate the encoder is told where the source has none.
const NOMINAL_RATE: (i32, i32) = (25, 1);

/// The encoder of a run; of several, among which nothing was chosen, the first that the library was built with.
///
/// # Errors
/// `Usage` for a name nobody knows, `Unsupported` where the library was built without it.
pub(crate) fn factory(settings: &EncodeSettings) -> Result<&'static dyn EncoderFactory> {
    if !is_choice(&settings.encoder) {
        return encoder(&settings.encoder);
    }
    let named = || settings.encoder.split(',').find_map(|name| Some(encoder(name.trim()).ok()?.traits().codec));
    let codec = settings.codec.map(|codec| codec.name()).or_else(named).unwrap_or("av1");
    let names = meant(&settings.encoder, codec)?;
    for name in &names {
        match encoder(name) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            found => return found,
        }
    }
    let message = format!("this FFmpeg has none of the video encoders {}: another build of it may", names.join(", "));
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// The spec of an encode of pictures like these, at the rate factor that was asked for, or else the encoder's own for
/// that size.
///
/// # Errors
/// As [`factory`].
pub(crate) fn encode_spec(settings: &EncodeSettings, shown: &Shown) -> Result<EncodeSpec> {
    let traits = factory(settings)?.traits();
    let scale = traits.scale;
    let asked = match settings.quality {
        Quality::Crf(crf) => crf.or_else(|| settings.crf_by_size.of(shown.width, shown.height)),
        Quality::Target(_) => None,
    };
    let quality = asked.unwrap_or_else(|| scale.default_for(shown.width, shown.height));
    // Where nothing was chosen yet, it is for the first.
    let name = if is_choice(&settings.encoder) { traits.name } else { settings.encoder.as_str() };
    Ok(EncodeSpec {
        film_grain: settings.picture.film_grain,
        // Of others the bytes would follow from who runs beside them.
        parallelism: settings.cores.filter(|_| traits.same_bytes_in_parallel).unwrap_or(0),
        parameters: settings.svt.clone(),
        ..EncodeSpec::new(name, quality, settings.preset)
    })
}

/// What the pictures are.
pub(crate) fn video_params(video: &VideoInfo, shown: &Shown) -> VideoParams {
    let nominal = Rational::positive(NOMINAL_RATE.0, NOMINAL_RATE.1).unwrap_or(Rational::ONE);
    VideoParams {
        width: shown.width,
        height: shown.height,
        frame_rate: video.frame_rate.unwrap_or(nominal),
        sample_aspect_ratio: video.sample_aspect_ratio,
        bit_depth: video.bit_depth,
        color: shown.color,
        hdr: shown.hdr,
    }
}
