//! What becomes of a picture's colour: HDR that is made SDR, matrices that change with the size, depths that hold both.
#![deny(unsafe_code)]

use super::facts::SourceFacts;
use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::{
    BitDepth, Color, DolbyVision, DolbyVisionMode, HdrStatic, Matrix, MatrixChange, PictureSettings, Primaries,
    ToneCurve, ToneMapping, Transfer, VideoInfo,
};

/// What is expected at most where nobody says it, in cd/m²: what films are mastered for, and HLG's nominal peak
/// (ITU-R BT.2100).
const USUAL_PEAK: f64 = 1000.0;

/// Between these a peak is believed: SDR has as much light as the one, PQ holds no more than the other.
const PEAKS: std::ops::RangeInclusive<f64> = 200.0..=10_000.0;

/// The depth in which pictures are encoded, where the codec decides it: FFmpeg's name of the codec, and the depths its encoder
/// has.
pub fn played_depth(codec: &str, depths: &[u8], facts: &SourceFacts, wanted: &PictureSettings) -> BitDepth {
    let hdr = facts.first.color.transfer.is_hdr();
    match wanted.bit_depth {
        BitDepth::Auto if !depths.contains(&10) => BitDepth::Eight,
        BitDepth::Auto if codec != "h264" => BitDepth::Ten,
        // What plays H.264 plays 8 bits of it.
        BitDepth::Auto if hdr && wanted.tonemap.is_some() => BitDepth::Eight,
        BitDepth::Auto if !hdr && facts.depth <= 8 => BitDepth::Eight,
        BitDepth::Auto => BitDepth::Ten,
        asked => asked,
    }
}

/// Refuses HDR in 8 bits.
pub(super) fn check_depth(color: Color, depth: u8, tone: Option<&ToneMapping>) -> Result<()> {
    if depth > 8 || tone.is_some() || !color.transfer.is_hdr() {
        return Ok(());
    }
    let message = format!(
        "the picture is HDR ({}), which shows bands in 8 bits: encode it in 10 (--bit-depth 10), or make it SDR (--tonemap \
         hable)",
        curve(color.transfer)
    );
    Err(Error::new(ErrorKind::Usage, message))
}

/// How the film's pictures become SDR, where that is asked for and they are not; a word about what is lost by it.
///
/// # Errors
/// `Unsupported` for pictures whose colour is not one that can be mapped; `Usage` where Dolby Vision has to be kept.
pub(super) fn tone_mapping(
    facts: &SourceFacts,
    video: &VideoInfo,
    wanted: &PictureSettings,
    warnings: &mut Vec<String>,
) -> Result<Option<ToneMapping>> {
    let Some(asked) = wanted.tonemap else { return Ok(None) };
    let color = facts.first.color;
    let dolby_vision = facts.rpus.found.or(video.dolby_vision);
    if let Some(source) = dolby_vision.filter(needs_its_rpus) {
        let message = format!(
            "Dolby Vision {} cannot be tone mapped: its picture is in colours of its own (IPT), which only its metadata \
             turns into others",
            source.name()
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    if !color.transfer.is_hdr() {
        warnings.push("the picture is SDR already: there is nothing to tone map".to_owned());
        return Ok(None);
    }
    if wanted.dolby_vision == DolbyVisionMode::Require {
        let message = "Dolby Vision is required, and a picture that is tone mapped to SDR has none";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    let hdr = facts.first.hdr.or(video.hdr);
    warnings.extend(lost(hdr, facts.hdr10_plus, dolby_vision));
    Ok(Some(ToneMapping { curve: asked, peak: peak(color.transfer, hdr), source: source_colour(color)? }))
}

/// How an HDR picture of this colour becomes one for screens, where it is looked at as an image.
///
/// # Errors
/// `Unsupported` for a colour that cannot be mapped.
pub(crate) fn for_screens(color: Color, hdr: HdrStatic) -> Result<ToneMapping> {
    Ok(ToneMapping { curve: ToneCurve::Hable, peak: peak(color.transfer, hdr), source: source_colour(color)? })
}

/// Whether a base layer is of use together with its RPUs only.
fn needs_its_rpus(source: &DolbyVision) -> bool {
    source.profile == 5 || source.profile == 10 && source.compatibility == Some(0)
}

/// What the user should know of a base layer whose RPUs are not carried.
pub(super) fn unreadable_without(source: &DolbyVision) -> Option<String> {
    needs_its_rpus(source).then(|| {
        format!(
            "Dolby Vision {}: its picture has wrong colours without its metadata, which is not carried",
            source.name()
        )
    })
}

fn curve(transfer: Transfer) -> &'static str {
    if transfer == Transfer::HLG { "HLG" } else { "PQ" }
}

/// The brightest light of a film in cd/m²: by its MaxCLL, else by the display it was mastered on.
fn peak(transfer: Transfer, hdr: HdrStatic) -> f64 {
    if transfer == Transfer::HLG {
        return USUAL_PEAK;
    }
    let brightest = hdr.content_light.map(|light| f64::from(light.max_cll));
    let display = hdr.mastering_display.map(|display| Rational::as_f64(display.max_luminance));
    let said = [brightest, display].into_iter().flatten().find(|peak| *peak > 0.0);
    said.unwrap_or(USUAL_PEAK).clamp(*PEAKS.start(), *PEAKS.end())
}

/// Primaries, transfer and matrix of HDR, where silence means those of ITU-R BT.2100.
fn source_colour(color: Color) -> Result<[u8; 3]> {
    let primaries = if color.primaries.is_specified() { color.primaries } else { Primaries::BT2020 };
    let matrix = if color.matrix.is_specified() && color.matrix != Matrix(0) { color.matrix } else { Matrix::BT2020 };
    // RGB has its own matrix by then.
    let known = matches!(primaries.0, 1 | 9 | 11 | 12) && matches!(matrix.0, 0 | 1 | 5 | 6 | 9 | 10 | 14);
    if known {
        return Ok([primaries.0, color.transfer.0, matrix.0]);
    }
    let message = format!("HDR of primaries {} and matrix {} cannot be tone mapped", primaries.name(), matrix.name());
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// What a picture does not have any more once it is SDR.
fn lost(hdr: HdrStatic, hdr10_plus: bool, dolby_vision: Option<DolbyVision>) -> Option<String> {
    let mut parts = Vec::new();
    if hdr.mastering_display.is_some() {
        parts.push("the mastering display".to_owned());
    }
    if hdr.content_light.is_some() {
        parts.push("the content light level".to_owned());
    }
    if hdr10_plus {
        parts.push("HDR10+".to_owned());
    }
    parts.extend(dolby_vision.map(|source| format!("Dolby Vision {}", source.name())));
    let all = parts.join(", ");
    (!parts.is_empty())
        .then(|| format!("the picture is tone mapped to SDR, so this HDR metadata is not carried: {all}"))
}

/// How the matrix of pictures of size `source` changes that come out in size `output`, scaled or cut from them.
///
/// Players take a picture that does not say for BT.709 or BT.601 by its size. So one whose scaling crosses that line becomes of
/// the other side's matrix, samples and tag; and one that was only cut says what it is, where its new size would mislead. What
/// is none of the two stays as it is.
pub(super) fn matrix_change(
    color: Color,
    source: (u32, u32),
    output: (u32, u32),
    scaled: bool,
) -> Option<MatrixChange> {
    let [before, after] = [source, output].map(|(width, height)| Matrix::implied(width, height));
    let rgb = color.matrix == Matrix(0);
    let silent = !color.matrix.is_specified() || rgb;
    let from = if silent { before } else { color.matrix };
    let ours = from == Matrix::BT709 || from.is_bt601();
    if !ours || color.transfer.is_hdr() || color.primaries == Primaries::BT2020 {
        return None;
    }
    if before.is_bt601() == after.is_bt601() {
        return None;
    }
    let same = from.is_bt601() == after.is_bt601();
    let to = if scaled && !same { after } else { from };
    let changes = to != from || silent && !rgb;
    let primaries = Primaries::implied(source.0, source.1);
    changes.then_some(MatrixChange { unsaid: before, primaries, to })
}

#[cfg(test)]
#[path = "tone_tests.rs"]
mod tests;
