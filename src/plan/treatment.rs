//! What is made of a source's picture: decided once, from what is known of it and what is asked for.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::facts::{FieldReport, Finding, SourceFacts};
use super::fields::Fields;
use super::shape::{sample_aspect as lasting_aspect, size_lasts, sizes};
use super::tone::{check_depth, matrix_change, tone_mapping, unreadable_without};
use crate::base::{Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{
    BitDepth, Color, Crop, Deinterlace, DolbyVision, DolbyVisionMode, FieldOrder, Flip, HdrStatic, MatrixChange,
    Parity, PictureSettings, Rect, RpuConversion, Scale, Selection, StreamInfo, ToneMapping, VideoInfo,
};

/// What is done to decoded pictures before they are measured, encoded and scored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Treatment {
    /// Size of decoded pictures in luma samples.
    pub source: (u32, u32),
    /// Whether pictures of another size are scaled to that.
    pub one_size: bool,
    /// How they are deinterlaced, if they are.
    pub deinterlace: Option<(Parity, Selection)>,
    /// The part of them that is kept, of even size.
    pub crop: Rect,
    /// How that is mirrored, if it is.
    pub flip: Option<Flip>,
    /// What that is scaled to.
    pub scale: Option<(u32, u32)>,
    /// How that is made SDR, if it is HDR and that is asked for.
    #[serde(default)]
    pub tone: Option<ToneMapping>,
    /// How its matrix follows its size.
    #[serde(default)]
    pub matrix: Option<MatrixChange>,
    /// Bits a sample of the encode.
    pub depth: u8,
    /// What becomes of RPUs; without it they are left out.
    pub dolby_vision: Option<RpuConversion>,
    /// Whether a picture whose RPU is missing or cannot be carried ends the run.
    pub require_dolby_vision: bool,
    /// When the last picture is no longer shown, in nanoseconds, where the file promises that for its track. Matroska's
    /// blocks need not say it.
    pub end_ns: Option<i64>,
}

impl Treatment {
    /// Size of the pictures that come out, in luma samples.
    pub fn size(&self) -> (u32, u32) {
        self.scale.unwrap_or((self.crop.width, self.crop.height))
    }

    /// Bits a sample until the picture is SDR, which takes what HDR needs.
    pub fn working_depth(&self) -> u8 {
        if self.tone.is_some() { 10 } else { self.depth }
    }

    /// Whether parts of the picture are cut off.
    pub fn is_cropped(&self) -> bool {
        self.crop != Rect::whole(self.source.0, self.source.1).even()
    }

    /// Whether pictures lean on the ones beside them, so that decoding has to begin earlier.
    pub fn needs_neighbours(&self) -> bool {
        self.deinterlace.is_some()
    }
}

/// The treatment of a film's picture, and what is to be known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PicturePlan {
    /// What is done.
    pub treatment: Treatment,
    /// The main video as it will be encoded: size, depth and shape of samples are those of the output.
    pub stream: StreamInfo,
    /// Bits a sample of the source.
    pub source_depth: u8,
    /// What the source's pictures are made of, as far as that is known.
    pub fields: Fields,
    /// The source's Dolby Vision, if it has any.
    pub dolby_vision: Option<DolbyVision>,
    /// Things the user should know.
    pub warnings: Vec<String>,
}

impl PicturePlan {
    /// What is made of the picture of `stream`, of which `facts` are known, where this is `wanted`.
    ///
    /// # Errors
    /// `Usage` for a crop that does not fit and for HDR in 8 bits; `Unsupported` for a stream that is no video, where Dolby
    /// Vision is required and cannot be carried, and for HDR that cannot be tone mapped.
    pub fn new(facts: &SourceFacts, stream: &StreamInfo, wanted: &PictureSettings) -> Result<Self> {
        let missing = || Error::new(ErrorKind::Unsupported, "is no video stream").with_stream(stream.index);
        let mut video = stream.video.clone().ok_or_else(missing)?;
        let mut warnings = Vec::new();
        let orientation = facts.orientation.unwrap_or(video.orientation());
        (video.flip, video.rotation) = (orientation.flip, orientation.rotation);
        if video.stereo_mode == 0 {
            video.stereo_mode = facts.stereo_mode;
        }
        let (aspect, changes) = lasting_aspect(&facts.shapes, &video);
        video.sample_aspect_ratio = aspect;
        warnings.extend(changes);
        warnings.extend(sizes(&facts.shapes));
        let source = (facts.first.width, facts.first.height);
        let crop = crop(facts, &video, wanted.crop, &mut warnings)?;
        let tone = tone_mapping(facts, &video, wanted, &mut warnings)?;
        // Nothing of it holds for a picture that is SDR.
        let dolby_vision_mode = if tone.is_some() { DolbyVisionMode::Strip } else { wanted.dolby_vision };
        let (dolby_vision, conversion) = dolby_vision(facts, &video, dolby_vision_mode, &mut warnings)?;
        warnings.extend(dolby_vision.filter(|_| conversion.is_none()).and_then(|source| unreadable_without(&source)));
        let shape = video.sample_aspect_ratio.unwrap_or(Rational::ONE);
        let scale = wanted.scale.map(|s| scaled(s, crop, shape)).filter(|s| *s != (crop.width, crop.height));
        let size = scale.unwrap_or((crop.width, crop.height));
        let (color, depth) = (facts.first.color, depth(wanted.bit_depth, facts.depth));
        check_depth(color, depth, tone.as_ref())?;
        let found = facts.fields.found();
        let treatment = Treatment {
            source,
            one_size: size_lasts(&facts.shapes),
            deinterlace: found.filter(|_| wanted.deinterlace == Deinterlace::Auto).and_then(deinterlace),
            crop,
            flip: orientation.flip,
            scale,
            tone,
            matrix: if tone.is_some() { None } else { matrix_change(color, source, size, scale.is_some()) },
            depth,
            dolby_vision: conversion.map(|c| c.with_window(source, crop, size).flipped(orientation.flip)),
            require_dolby_vision: wanted.dolby_vision == DolbyVisionMode::Require,
            // Of a file that breaks off, what it promised is missing.
            end_ns: stream.tagged_end.filter(|_| facts.cut_short == Some(false)).map(Timestamp::as_nanos),
        };
        if let Finding::Failed(why) = &facts.fields {
            warnings.push(format!("whether the picture is interlaced cannot be told; taken for progressive: {why}"));
        }
        let fields = found.map_or(Fields::Progressive, |f| f.fields);
        warnings.extend(of_fields(fields, treatment.deinterlace.is_some()));
        if video.alpha {
            warnings.push(
                "the picture's transparency (alpha) is not carried: AV1 in Matroska has no place for it".to_owned(),
            );
        }
        let source_depth = video.bit_depth;
        let stream = StreamInfo { video: Some(as_encoded(video, &treatment, fields)), ..stream.clone() };
        Ok(PicturePlan { treatment, stream, source_depth, fields, dolby_vision, warnings })
    }

    /// The main video as it will be encoded.
    ///
    /// # Errors
    /// None for a plan that [`new`](Self::new) made.
    pub fn video(&self) -> Result<&VideoInfo> {
        let missing = || Error::new(ErrorKind::Unsupported, "is no video stream").with_stream(self.stream.index);
        self.stream.video.as_ref().ok_or_else(missing)
    }

    /// Bytes of memory a picture takes while it is held: as decoded, or as scaled.
    pub fn frame_bytes(&self) -> u64 {
        let ((width, height), depth) = match self.treatment.scale {
            Some(size) => (size, self.treatment.working_depth()),
            None => (self.treatment.source, self.source_depth),
        };
        // 4:2:0; chroma of other formats is the exception.
        u64::from(width) * u64::from(height) * 3 / 2 * if depth > 8 { 2 } else { 1 }
    }
}

fn crop(facts: &SourceFacts, video: &VideoInfo, wanted: Crop, warnings: &mut Vec<String>) -> Result<Rect> {
    let (width, height) = (facts.first.width, facts.first.height);
    let whole = video.pixel_crop.shown(width, height);
    match wanted {
        Crop::Off => Ok(whole),
        Crop::Rect(rect) if rect.fits(width, height) => Ok(rect),
        Crop::Rect(rect) => {
            let message = format!("the crop {rect} does not fit a picture of {width}x{height}");
            Err(Error::new(ErrorKind::Usage, message))
        }
        Crop::Auto if video.stereo_mode != 0 => {
            warnings.push("the pictures of both eyes are packed into one (3D); it is not cropped".to_owned());
            Ok(whole)
        }
        Crop::Auto => match &facts.crop {
            Finding::Found(found) if (found.source_width, found.source_height) == (width, height) => {
                Ok(within(found.rect().even(), whole))
            }
            Finding::Found(found) => {
                let size = format!("{}x{}", found.source_width, found.source_height);
                warnings.push(format!("the film's pictures are of several sizes ({size} too); none is cropped"));
                Ok(whole)
            }
            Finding::Failed(why) => {
                warnings.push(format!("black bars cannot be looked for; the whole picture is encoded: {why}"));
                Ok(whole)
            }
            Finding::NotLookedFor => Ok(whole),
        },
    }
}

/// The part of `rect` that lies within `shown`; all of `shown` where none does.
fn within(rect: Rect, shown: Rect) -> Rect {
    let part = |(a, a_length): (u32, u32), (b, b_length): (u32, u32)| {
        let (start, end) = (a.max(b), (a + a_length).min(b + b_length));
        (end > start).then(|| (start, end - start))
    };
    let columns = part((rect.x, rect.width), (shown.x, shown.width));
    match columns.zip(part((rect.y, rect.height), (shown.y, shown.height))) {
        Some(((x, width), (y, height))) => Rect { x, y, width, height },
        None => shown,
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
    facts: &SourceFacts,
    video: &VideoInfo,
    wanted: DolbyVisionMode,
    warnings: &mut Vec<String>,
) -> Result<(Option<DolbyVision>, Option<RpuConversion>)> {
    let required = wanted == DolbyVisionMode::Require;
    let (found, unreadable) = (facts.rpus.found, facts.rpus.unreadable.clone());
    let Some(source) = found.or(video.dolby_vision) else {
        return match unreadable {
            None if !required => Ok((None, None)),
            why => lost(required, &why.unwrap_or_else(|| "the film has no Dolby Vision".to_owned()), warnings, None),
        };
    };
    if wanted == DolbyVisionMode::Strip {
        return Ok((Some(source), None));
    }
    let name = source.name();
    match (RpuConversion::of(&source), found) {
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
) -> Result<(Option<DolbyVision>, Option<RpuConversion>)> {
    if required {
        return Err(Error::new(ErrorKind::Unsupported, format!("Dolby Vision is required: {why}")));
    }
    warnings.push(format!("{why}; the base layer is encoded"));
    Ok((source, None))
}

fn depth(wanted: BitDepth, source: u8) -> u8 {
    match wanted {
        BitDepth::Eight => 8,
        BitDepth::Source if source <= 8 => 8,
        BitDepth::Auto | BitDepth::Ten | BitDepth::Source => 10,
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
        Scale::Fit { sides, enlarge } => fitted(sides, enlarge, crop, shape),
    }
}

/// The largest even size within the box that has the shape of `crop`, in square samples. Where the picture is not enlarged,
/// its height is the most: samples that are not square are made so along the rows.
pub(crate) fn fitted((width, height): (u32, u32), enlarge: bool, crop: Rect, shape: Rational) -> (u32, u32) {
    let (wide, high) = (f64::from(crop.width.max(1)) * shape.as_f64(), f64::from(crop.height.max(1)));
    let (long, short) = (width.max(height), width.min(height));
    // Of a box, too, the long side goes with the picture's.
    let (most_wide, most_high) = if wide >= high { (long, short) } else { (short, long) };
    let factor = (f64::from(most_wide) / wide).min(f64::from(most_high) / high);
    let factor = if enlarge { factor } else { factor.min(1.0) };
    let even = |side: f64, most: u32| ((side * factor / 2.0).round() as u32 * 2).clamp(2, (most / 2 * 2).max(2));
    (even(wide, most_wide), even(high, most_high))
}

/// The stream as the output has it. Scaling changes the shape of samples so that the picture keeps its own.
fn as_encoded(mut video: VideoInfo, treatment: &Treatment, fields: Fields) -> VideoInfo {
    // The flip is in the pictures by then. Upside down, the lower field is the upper one.
    video.flip = None;
    let upside_down = treatment.flip == Some(Flip::Vertical);
    video.field_order = match fields {
        Fields::Interlaced { top_first } | Fields::HardTelecine { top_first } if treatment.deinterlace.is_none() => {
            if top_first != upside_down {
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
    if treatment.tone.is_some() {
        let color = Color { chroma_location: video.color.chroma_location, ..ToneMapping::RESULT };
        (video.color, video.hdr, video.dolby_vision) = (color, HdrStatic::default(), None);
    } else if let Some((color, _)) = treatment.matrix.and_then(|change| video.color.with_matrix(change)) {
        video.color = color;
    }
    (video.width, video.height, video.bit_depth) = (width, height, treatment.depth);
    video
}

/// `num / den` in lowest terms; `None` for square samples. A width that was rounded to an even one is no reason for
/// samples that are not square.
fn sample_aspect(num: i64, den: i64) -> Option<Rational> {
    if (num as f64 / den as f64 - 1.0).abs() < 0.01 {
        return None;
    }
    Rational::in_lowest_terms(u64::try_from(num).ok()?, u64::try_from(den).ok()?)
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

    #[test]
    fn a_box_holds_the_whole_picture_in_its_own_shape() {
        let fit = |sides, crop, shape| scaled(Scale::Fit { sides, enlarge: false }, crop, shape);
        let hd = Rect::whole(1920, 1080);
        assert_eq!(fit((1280, 720), hd, Rational::ONE), (1280, 720));
        assert_eq!(fit((1280, 720), Rect::whole(1080, 1920), Rational::ONE), (720, 1280), "the box is turned");
        assert_eq!(fit((1920, 1080), Rect::whole(1280, 534), Rational::ONE), (1280, 534), "not enlarged");
        assert_eq!(fit((1280, 720), Rect::whole(1920, 800), Rational::ONE), (1280, 534));
        let wide = Rational::positive(64, 45).unwrap();
        assert_eq!(fit((1920, 1080), Rect::whole(720, 576), wide), (1024, 576), "square samples, its own height");
        let enlarged = Scale::Fit { sides: (1920, 1080), enlarge: true };
        assert_eq!(scaled(enlarged, Rect::whole(640, 480), Rational::ONE), (1440, 1080));
    }

    proptest::proptest! {
        #[test]
        fn what_is_fitted_is_even_within_its_box_not_larger_and_of_the_same_shape(
            (w, h) in (1u32..2000, 1u32..2000), (bw, bh) in (32u32..2000, 32u32..2000), num in 1i32..5, den in 1i32..5,
            enlarge in proptest::bool::ANY,
        ) {
            let (crop, sides) = (Rect::whole(w * 2, h * 2), (bw * 2, bh * 2));
            let shape = Rational::positive(num, den).unwrap();
            let (width, height) = scaled(Scale::Fit { sides, enlarge }, crop, shape);
            let (long, short) = (sides.0.max(sides.1), sides.0.min(sides.1));
            proptest::prop_assert!(width % 2 == 0 && height % 2 == 0 && width >= 2 && height >= 2);
            proptest::prop_assert!(width.max(height) <= long && width.min(height) <= short);
            let wide = f64::from(crop.width) * shape.as_f64();
            if !enlarge {
                proptest::prop_assert!(height <= crop.height && f64::from(width) <= wide + 1.0);
            }
            // Within a sample of rounding on each side.
            let exact = wide / f64::from(crop.height);
            let (least, most) = (
                (f64::from(width) - 1.01) / (f64::from(height) + 1.01),
                (f64::from(width) + 1.01) / (f64::from(height) - 1.01).max(0.01),
            );
            let clamped = width == 2 || height == 2;
            proptest::prop_assert!(clamped || (least <= exact && exact <= most), "{width}x{height} for {exact}");
            let again = scaled(Scale::Fit { sides, enlarge: false }, Rect::whole(width, height), Rational::ONE);
            proptest::prop_assert_eq!(again, (width, height));
        }
    }
}
