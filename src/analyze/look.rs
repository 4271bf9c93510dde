//! A look at a film before its first frame is encoded: what is to be done to its picture.
#![deny(unsafe_code)]

use super::crop::crop;
use super::fields::{FieldReport, fields};
use super::picture::Shown;
use super::pipeline::decoder_options;
use super::treatment::Treatment;
use crate::av::{Parity, Selection};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result};
use crate::config::{BitDepth, Crop, Deinterlace, DolbyVisionMode, EncodeSettings, PictureSettings, Scale};
use crate::hdr::{Conversion, RECORD_BYTES, describe, level, record};
use crate::media::{
    DolbyVision, Dynamic, FieldOrder, Frame, HdrStatic, PixelFormat, Rect, StreamInfo, Transfer, VideoInfo,
};
use crate::plan::Fields;
use crate::source::Pictures;

/// Pictures that are looked at for metadata that not every one has.
const PICTURES: usize = 24;

/// What was found, and what is done.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) treatment: Treatment,
    /// The main video as it will be encoded: size, depth and shape of samples are those of the output.
    pub(super) stream: StreamInfo,
    /// Bits a sample of the source.
    source_depth: u8,
    /// The first picture as it was decoded.
    pub(super) first: Shown,
    /// Whether the first pictures bring HDR10+.
    pub(super) hdr10_plus: bool,
    /// What the source's pictures are made of.
    pub(super) fields: Fields,
    /// The source's Dolby Vision, if it has any that can be read.
    pub(super) dolby_vision: Option<DolbyVision>,
    /// Things the user should know.
    pub(super) warnings: Vec<String>,
}

impl Look {
    /// Looks at the main video `stream` of the settings' input.
    ///
    /// # Errors
    /// `Input` where no picture can be decoded; `Usage` for a crop that does not fit; `Unsupported` where Dolby Vision is
    /// required and cannot be carried; `Interrupted`.
    pub(super) fn at(settings: &EncodeSettings, stream: &StreamInfo, cancel: &CancelToken) -> Result<Self> {
        let (first, metadata) = first_pictures(settings, stream, cancel)?;
        let video = stream.video.clone().ok_or_else(|| Error::new(ErrorKind::Unsupported, "is no video stream"))?;
        let wanted = &settings.picture;
        let source = (first.width, first.height);
        let crop = match wanted.crop {
            Crop::Off => Rect::whole(source.0, source.1).even(),
            Crop::Rect(rect) if rect.fits(source.0, source.1) => rect,
            Crop::Rect(rect) => {
                let message = format!("the crop {rect} does not fit a picture of {}x{}", source.0, source.1);
                return Err(Error::new(ErrorKind::Usage, message));
            }
            Crop::Auto => found_crop(settings, source, cancel)?,
        };
        let fields = found_fields(settings, cancel)?;
        let mut warnings = Vec::new();
        let (dolby_vision, conversion) = dolby_vision(wanted, &video, first.color.transfer, &metadata, &mut warnings)?;
        let shape = video.sample_aspect_ratio.unwrap_or(Rational::ONE);
        let scale = wanted.scale.map(|s| scaled(s, crop, shape)).filter(|s| *s != (crop.width, crop.height));
        let treatment = Treatment {
            source,
            deinterlace: fields.as_ref().filter(|_| wanted.deinterlace == Deinterlace::Auto).and_then(deinterlace),
            crop,
            scale,
            depth: depth(wanted.bit_depth, &first, &video),
            dolby_vision: conversion.map(|c| c.with_window(source, crop, scale.unwrap_or((crop.width, crop.height)))),
            require_dolby_vision: wanted.dolby_vision == DolbyVisionMode::Require,
        };
        let fields = fields.map_or(Fields::Progressive, |f| f.fields);
        warnings.extend(of_fields(fields, treatment.deinterlace.is_some()));
        let (mut stream, source_depth) = (stream.clone(), video.bit_depth);
        stream.video = Some(as_encoded(video, &treatment, fields));
        let (first, hdr10_plus) = (Shown::of(&first), metadata.iter().any(|m| m.hdr10_plus.is_some()));
        Ok(Look { treatment, stream, source_depth, first, hdr10_plus, fields, dolby_vision, warnings })
    }

    /// The Dolby Vision level and compatibility of the output, if it has RPUs.
    pub(super) fn output_dolby_vision(&self) -> Option<(u8, u8)> {
        let (width, height) = self.treatment.size();
        let rate = self.stream.video.as_ref().and_then(|v| v.frame_rate).map_or(25.0, Rational::as_f64);
        self.treatment.dolby_vision.map(|c| (level(width, height, rate), c.compatibility))
    }

    /// The Dolby Vision configuration record of the output, if it has RPUs.
    pub(super) fn record(&self) -> Option<[u8; RECORD_BYTES]> {
        self.output_dolby_vision().map(|(level, compatibility)| record(level, compatibility))
    }

    /// `SDR`, `HDR10`, `HDR10+`, `HLG`, or `PQ` for PQ without static metadata.
    pub(super) fn hdr_kind(&self) -> &'static str {
        match self.first.color.transfer {
            Transfer::HLG => "HLG",
            Transfer::PQ if self.hdr10_plus => "HDR10+",
            Transfer::PQ if self.first.hdr != HdrStatic::default() => "HDR10",
            Transfer::PQ => "PQ",
            _ => "SDR",
        }
    }

    /// Bytes of memory a picture takes while it is held: as decoded, or as scaled.
    pub(super) fn frame_bytes(&self) -> u64 {
        let ((width, height), depth) = match self.treatment.scale {
            Some(size) => (size, self.treatment.depth),
            None => (self.treatment.source, self.source_depth),
        };
        // 4:2:0; chroma of other formats is the exception.
        u64::from(width) * u64::from(height) * 3 / 2 * if depth > 8 { 2 } else { 1 }
    }

    /// The main video as it will be encoded.
    pub(super) fn video(&self) -> Result<&VideoInfo> {
        let missing = || Error::new(ErrorKind::Unsupported, "is no video stream").with_stream(self.stream.index);
        self.stream.video.as_ref().ok_or_else(missing)
    }
}

/// The first picture there is, and the metadata of the first ones: their samples are let go.
fn first_pictures(
    settings: &EncodeSettings,
    stream: &StreamInfo,
    cancel: &CancelToken,
) -> Result<(Frame, Vec<Dynamic>)> {
    let index = stream.index;
    let mut pictures = Pictures::open(&settings.input, |_| Some(index), decoder_options(), cancel)?;
    let (mut first, mut metadata) = (None, Vec::new());
    while metadata.len() < PICTURES {
        match pictures.next() {
            Ok(Some(frame)) => {
                metadata.push(frame.dynamic.clone());
                first.get_or_insert(frame);
            }
            Ok(None) => break,
            Err(error) if error.kind() == ErrorKind::Input && first.is_some() => break,
            Err(error) => return Err(error),
        }
    }
    let none = || {
        let why = pictures.stats().first_error.map_or(String::new(), |e| format!(" ({e})"));
        Error::new(ErrorKind::Input, format!("no picture of it can be decoded{why}")).with_stream(index)
    };
    Ok((first.ok_or_else(none)?, metadata))
}

/// The picture within its black bars.
fn found_crop(settings: &EncodeSettings, source: (u32, u32), cancel: &CancelToken) -> Result<Rect> {
    let whole = Rect::whole(source.0, source.1).even();
    match crop(&settings.input, cancel) {
        Ok(found) if (found.source_width, found.source_height) == source => {
            Ok(Rect { x: found.x, y: found.y, width: found.width, height: found.height }.even())
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
        // A film whose pictures cannot be looked at here and there may be one that can be encoded.
        Ok(_) | Err(_) => Ok(whole),
    }
}

/// What the pictures are made of; `None` where they cannot be looked at here and there.
fn found_fields(settings: &EncodeSettings, cancel: &CancelToken) -> Result<Option<FieldReport>> {
    match fields(&settings.input, cancel) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
        Err(_) => Ok(None),
    }
}

/// How pictures like these are deinterlaced; `None` where they are whole.
fn deinterlace(found: &FieldReport) -> Option<(Parity, Selection)> {
    let (Fields::Interlaced { top_first } | Fields::HardTelecine { top_first }) = found.fields else { return None };
    let pictures: usize = found.places.iter().map(|p| p.counts.pictures).sum();
    let flagged: usize = found.places.iter().map(|p| p.counts.flagged_interlaced).sum();
    let parity = if top_first { Parity::Top } else { Parity::Bottom };
    // Where interlaced pictures are flagged, those that are not are whole.
    Some((parity, if flagged * 2 > pictures { Selection::Flagged } else { Selection::All }))
}

/// What the user should know of a film whose pictures are not whole.
fn of_fields(fields: Fields, deinterlaced: bool) -> Option<String> {
    let what = match fields {
        Fields::Progressive | Fields::SoftTelecine => return None,
        Fields::Interlaced { top_first: true } => "the picture is interlaced, top field first",
        Fields::Interlaced { top_first: false } => "the picture is interlaced, bottom field first",
        Fields::HardTelecine { .. } => "the picture is film spread over fields (3:2 pulldown), which is not undone",
    };
    let done = if deinterlaced { "it is deinterlaced at the same frame rate" } else { "it is encoded as it is" };
    Some(format!("{what}; {done}"))
}

/// What the source's Dolby Vision is, and what becomes of it.
fn dolby_vision(
    wanted: &PictureSettings,
    video: &VideoInfo,
    transfer: Transfer,
    metadata: &[Dynamic],
    warnings: &mut Vec<String>,
) -> Result<(Option<DolbyVision>, Option<Conversion>)> {
    let required = wanted.dolby_vision == DolbyVisionMode::Require;
    let rpus = metadata.iter().filter_map(|m| m.dolby_vision.as_ref());
    let mut described = rpus.map(|rpu| describe(rpu, video.dolby_vision, transfer)).peekable();
    let unreadable = described.peek().and_then(|first| first.as_ref().err()).map(Error::to_string);
    let found = described.find_map(Result::ok);
    let Some(source) = found.or(video.dolby_vision) else {
        return match unreadable {
            None if !required => Ok((None, None)),
            why => lost(required, &why.unwrap_or_else(|| "the film has no Dolby Vision".to_owned()), warnings, None),
        };
    };
    if wanted.dolby_vision == DolbyVisionMode::Strip {
        return Ok((Some(source), None));
    }
    let name = source.name();
    match (Conversion::of(&source), found) {
        (Ok(conversion), Some(_)) => {
            if source.enhancement.is_some() {
                warnings
                    .push(format!("Dolby Vision {name}: the enhancement layer is not carried, only its base layer"));
            }
            Ok((Some(source), Some(conversion)))
        }
        (Err(error), _) => lost(required, &error.to_string(), warnings, Some(source)),
        (Ok(_), None) => {
            let why = unreadable.unwrap_or_else(|| format!("Dolby Vision {name} without RPUs in its stream"));
            lost(required, &why, warnings, Some(source))
        }
    }
}

/// Dolby Vision that is not carried.
fn lost(
    required: bool,
    why: &str,
    warnings: &mut Vec<String>,
    source: Option<DolbyVision>,
) -> Result<(Option<DolbyVision>, Option<Conversion>)> {
    if required {
        return Err(Error::new(ErrorKind::Unsupported, format!("Dolby Vision is required: {why}")));
    }
    warnings.push(format!("{why}; the base layer is encoded"));
    Ok((source, None))
}

fn depth(wanted: BitDepth, first: &Frame, video: &VideoInfo) -> u8 {
    let source = match first.format {
        PixelFormat::Planar { depth, .. } => depth,
        PixelFormat::Other(_) => video.bit_depth,
    };
    match wanted {
        BitDepth::Eight => 8,
        BitDepth::Source if source <= 8 => 8,
        BitDepth::Ten | BitDepth::Source => 10,
    }
}

/// The size `crop` is scaled to, in even numbers of samples; a height alone makes them square.
fn scaled(wanted: Scale, crop: Rect, shape: Rational) -> (u32, u32) {
    match wanted {
        Scale::Size(width, height) => (width, height),
        Scale::Height(height) => {
            let width = f64::from(crop.width) * shape.as_f64() * f64::from(height) / f64::from(crop.height.max(1));
            (((width / 2.0).round() as u32 * 2).max(2), height)
        }
    }
}

/// The stream as the output has it. Scaling changes the shape of samples so that the picture keeps its own.
fn as_encoded(mut video: VideoInfo, treatment: &Treatment, fields: Fields) -> VideoInfo {
    video.field_order = match fields {
        Fields::Interlaced { top_first } | Fields::HardTelecine { top_first } if treatment.deinterlace.is_none() => {
            if top_first {
                FieldOrder::TopFirst
            } else {
                FieldOrder::BottomFirst
            }
        }
        _ => FieldOrder::Progressive,
    };
    let (width, height) = treatment.size();
    if treatment.scale.is_some() {
        let shape = video.sample_aspect_ratio.unwrap_or(Rational::ONE);
        let crop = treatment.crop;
        let num = i64::from(shape.num()) * i64::from(crop.width) * i64::from(height);
        let den = i64::from(shape.den()) * i64::from(crop.height) * i64::from(width);
        video.sample_aspect_ratio = sample_aspect(num, den);
    }
    (video.width, video.height, video.bit_depth) = (width, height, treatment.depth);
    video
}

/// `num / den` in lowest terms; `None` for square samples. A width that was rounded to an even one is no reason for
/// samples that are not square.
fn sample_aspect(num: i64, den: i64) -> Option<Rational> {
    let gcd = |mut a: i64, mut b: i64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a.max(1)
    };
    if (num as f64 / den as f64 - 1.0).abs() < 0.01 {
        return None;
    }
    let common = gcd(num, den);
    Rational::positive(i32::try_from(num / common).ok()?, i32::try_from(den / common).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_height_alone_makes_square_samples_and_a_size_keeps_the_shape() {
        let dvd = Rect::whole(720, 576);
        let wide = Rational::positive(64, 45).unwrap();
        assert_eq!(scaled(Scale::Height(576), dvd, wide), (1024, 576));
        assert_eq!(scaled(Scale::Height(360), Rect::whole(1280, 544), Rational::ONE), (848, 360));
        assert_eq!(scaled(Scale::Size(640, 480), dvd, wide), (640, 480));
        assert_eq!(sample_aspect(64 * 720 * 480, 45 * 576 * 640), Rational::positive(4, 3));
        assert_eq!(sample_aspect(1280 * 360, 544 * 848), None, "847.06 was rounded to 848");
    }
}
