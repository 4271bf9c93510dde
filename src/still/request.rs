//! Which stills are asked for.

use std::path::{Path, PathBuf};

use crate::base::{Error, ErrorKind, Result};
use crate::media::StreamInfo;
use crate::media::{BitDepth, PictureSettings};
use crate::plan::{PicturePlan, SourceFacts, Treatment};

/// A still that is asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StillRequest {
    /// The file to write: JPEG, PNG or WebP by its name, GIF for a preview.
    pub path: PathBuf,
    /// What is in it.
    pub kind: StillForm,
}

/// What a still is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StillForm {
    /// One picture.
    Poster(PosterOptions),
    /// Many small ones beside and below each other.
    Sheet(SheetOptions),
    /// A few seconds that move.
    Preview(PreviewOptions),
}

/// One picture of a film.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PosterOptions {
    /// When it is shown, in seconds; `None` takes the best: sharp, not black, not within a cut.
    pub at: Option<f64>,
    /// The best of this part of the film, in seconds; of all of it without.
    pub within: Option<(f64, f64)>,
    /// A box that it fits into; its own size without.
    pub fit: Option<(u32, u32)>,
    /// 1 to 100, where the format loses anything.
    pub quality: u8,
}

/// Small pictures of a film.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SheetOptions {
    /// How many stand in a row.
    pub columns: u32,
    /// How many rows there are.
    pub rows: u32,
    /// How wide each is at most, in samples.
    pub width: u32,
    /// Which pictures they are.
    pub at: SheetTimes,
    /// Whether each says when it is shown.
    pub times: bool,
    /// 1 to 100, where the format loses anything.
    pub quality: u8,
}

/// Which pictures a contact sheet shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SheetTimes {
    /// At even intervals.
    #[default]
    Even,
    /// The best of each scene; of many scenes, some at even intervals.
    Scenes,
}

/// A preview that moves.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PreviewOptions {
    /// When it begins, in seconds; `None` is after a fifth of the film.
    pub start: Option<f64>,
    /// How long it is, in seconds.
    pub seconds: f64,
    /// How wide it is at most, in samples.
    pub width: u32,
    /// Pictures a second.
    pub fps: f64,
    /// How many colours it has, 2 to 256.
    pub colors: u16,
    /// Whether it begins again at its end.
    pub repeat: bool,
}

impl Default for PosterOptions {
    fn default() -> Self {
        PosterOptions { at: None, within: None, fit: None, quality: 90 }
    }
}

impl Default for SheetOptions {
    fn default() -> Self {
        SheetOptions { columns: 4, rows: 4, width: 320, at: SheetTimes::Even, times: true, quality: 85 }
    }
}

impl Default for PreviewOptions {
    fn default() -> Self {
        PreviewOptions { start: None, seconds: 4.0, width: 480, fps: 12.0, colors: 256, repeat: true }
    }
}

impl StillRequest {
    /// The best picture of the film.
    pub fn poster(path: impl Into<PathBuf>) -> Self {
        StillRequest { path: path.into(), kind: StillForm::Poster(PosterOptions::default()) }
    }

    /// Sixteen pictures at even intervals.
    pub fn sheet(path: impl Into<PathBuf>) -> Self {
        StillRequest { path: path.into(), kind: StillForm::Sheet(SheetOptions::default()) }
    }

    /// Four seconds.
    pub fn preview(path: impl Into<PathBuf>) -> Self {
        StillRequest { path: path.into(), kind: StillForm::Preview(PreviewOptions::default()) }
    }

    /// Whether the file's name is that of a still.
    pub fn is_still(path: &Path) -> bool {
        StillFormat::of(path).is_some()
    }

    /// In a word, for people.
    pub fn word(&self) -> &'static str {
        match self.kind {
            StillForm::Poster(_) => "poster",
            StillForm::Sheet(_) => "sheet",
            StillForm::Preview(_) => "gif",
        }
    }

    /// Its format.
    ///
    /// # Errors
    /// `Usage` for a name that is none of its kind's, and for options that are not within their limits.
    pub(crate) fn check(&self) -> Result<StillFormat> {
        let usage = |message: String| Err(Error::new(ErrorKind::Usage, message).with_file(&self.path));
        let moves = matches!(self.kind, StillForm::Preview(_));
        let format = match StillFormat::of(&self.path) {
            Some(format) if (format == StillFormat::Gif) == moves => format,
            _ if moves => return usage("a preview is a GIF; name it .gif".to_owned()),
            _ => return usage(format!("a {} is named .jpg, .png or .webp", self.word())),
        };
        let wrong = match &self.kind {
            StillForm::Poster(options) => options.wrong(),
            StillForm::Sheet(options) => options.wrong(),
            StillForm::Preview(options) => options.wrong(),
        };
        wrong.map_or(Ok(format), usage)
    }
}

fn within<T: PartialOrd + std::fmt::Display>(what: &str, value: T, least: T, most: T) -> Option<String> {
    (!(value >= least && value <= most)).then(|| format!("{what} {value} is not within {least} to {most}"))
}

/// The longest film there is, in seconds.
const LONGEST: f64 = 1e6;

impl PosterOptions {
    fn wrong(&self) -> Option<String> {
        let part = self.within.filter(|(from, to)| !(*from >= 0.0 && to > from && *to <= LONGEST));
        part.map(|(from, to)| format!("there is nothing from {from} to {to} s"))
            .or_else(|| self.at.and_then(|at| within("at", at, 0.0, LONGEST)))
            .or_else(|| within("quality", self.quality, 1, 100))
            .or_else(|| self.fit.and_then(|(w, h)| within("fit", w.min(h), 16, 16_384)))
            .or_else(|| self.fit.and_then(|(w, h)| within("fit", w.max(h), 16, 16_384)))
    }
}

impl SheetOptions {
    fn wrong(&self) -> Option<String> {
        within("columns", self.columns, 1, 20)
            .or_else(|| within("rows", self.rows, 1, 50))
            .or_else(|| within("width", self.width, 64, 1920))
            .or_else(|| within("quality", self.quality, 1, 100))
            .or_else(|| within("columns times width", self.columns * self.width, 64, 16_000))
    }
}

impl PreviewOptions {
    /// The most pictures, which are held until the colours of all are known.
    const PICTURES: f64 = 1500.0;

    fn wrong(&self) -> Option<String> {
        let start = self.start.and_then(|start| within("start", start, 0.0, LONGEST));
        start
            .or_else(|| within("duration", self.seconds, 0.1, 60.0))
            .or_else(|| within("fps", self.fps, 1.0, 50.0))
            .or_else(|| within("width", self.width, 32, 1280))
            .or_else(|| within("colors", self.colors, 2, 256))
            .or_else(|| within("fps times duration", self.fps * self.seconds, 0.1, Self::PICTURES))
    }
}

/// How a still is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StillFormat {
    Jpeg,
    Png,
    WebP,
    Gif,
}

impl StillFormat {
    /// By the end of a file's name.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" => StillFormat::Jpeg,
            "png" => StillFormat::Png,
            "webp" => StillFormat::WebP,
            "gif" => StillFormat::Gif,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            StillFormat::Jpeg => "JPEG",
            StillFormat::Png => "PNG",
            StillFormat::WebP => "WebP",
            StillFormat::Gif => "GIF",
        }
    }
}

/// What is done to pictures before stills are made of them: cropped and deinterlaced as for the encode, in their own size.
///
/// # Errors
/// As [`PicturePlan::new`].
pub(crate) fn still_treatment(
    facts: &SourceFacts,
    main: &StreamInfo,
    wanted: &PictureSettings,
) -> Result<(Treatment, StreamInfo)> {
    let wanted = PictureSettings {
        scale: None,
        bit_depth: BitDepth::Source,
        dolby_vision: crate::media::DolbyVisionMode::Strip,
        film_grain: 0,
        ..wanted.clone()
    };
    let plan = PicturePlan::new(facts, main, &wanted)?;
    Ok((Treatment { end_ns: None, ..plan.treatment }, plan.stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_that_cannot_be_are_told() {
        for (path, good) in [("a.jpg", true), ("a.JPEG", true), ("a.png", true), ("a.webp", true), ("a.gif", false)] {
            assert_eq!(StillRequest::poster(path).check().is_ok(), good, "{path}");
        }
        assert!(StillRequest::preview("a.gif").check().is_ok());
        assert!(StillRequest::preview("a.png").check().unwrap_err().to_string().contains("GIF"));
        let long = PreviewOptions { seconds: 61.0, ..PreviewOptions::default() };
        let long = StillRequest { path: "a.gif".into(), kind: StillForm::Preview(long) };
        assert!(long.check().unwrap_err().to_string().contains("duration 61 is not within 0.1 to 60"));
        let none = PosterOptions { within: Some((4.0, 4.0)), ..PosterOptions::default() };
        assert!(none.wrong().is_some());
        assert!(PosterOptions { at: Some(f64::NAN), ..PosterOptions::default() }.wrong().is_some());
    }
}
