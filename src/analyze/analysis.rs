//! The look at one source, opened once for all that is looked for.
#![deny(unsafe_code)]

use std::path::{Path, PathBuf};

use super::crop::CropSampler;
use super::elements::with_elements;
use super::fields::FieldSampler;
use super::movie::with_boxes;
use super::shape::ShapeTally;
use super::sound::listen;
use crate::av::VideoFrame;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::container::elements::segment_elements;
use crate::container::is_cut_short;
use crate::container::mp4::boxes::movie_boxes;
use crate::hdr::describe;
use crate::media::{Dynamic, Frame, MediaInfo, PixelFormat, Shown, StreamInfo};
use crate::plan::{FACTS_VERSION, Finding, RpuFacts, SourceFacts, lasting_size, main_video};
use crate::source::{Pictures, Source, decoder_options, looked_at};

/// Pictures that are looked at for metadata that not every one has.
const PICTURES: usize = 24;

/// What is looked for beside the first pictures; the rest is [`Finding::NotLookedFor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    /// Black bars.
    pub crop: bool,
    /// Whole pictures or fields.
    pub fields: bool,
}

/// A source that was opened to be looked at.
pub struct Analysis {
    path: PathBuf,
    source: Source,
    /// What the container says, its own elements included.
    info: MediaInfo,
    cancel: CancelToken,
}

/// What the file at `path` holds, without decoding it.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read.
pub fn probe(path: &Path, cancel: &CancelToken) -> Result<MediaInfo> {
    looked_at(path, cancel, |path| Ok(Analysis::open(path, cancel)?.info))
}

impl Analysis {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open(path: &Path, cancel: &CancelToken) -> Result<Self> {
        let source = Source::open(path, cancel)?;
        let mut info = source.info().clone();
        if info.container.contains("matroska") {
            match segment_elements(path) {
                Ok(elements) => info = with_elements(info, elements),
                Err(error) => info.unread = Some(error.to_string()),
            }
        } else if info.container.contains("mp4") {
            match movie_boxes(path) {
                Ok(boxes) => info = with_boxes(info, boxes),
                Err(error) => info.unread = Some(error.to_string()),
            }
        }
        Ok(Analysis { path: path.to_path_buf(), source, info, cancel: cancel.clone() })
    }

    /// What the container says.
    pub fn info(&self) -> &MediaInfo {
        &self.info
    }

    /// The main video.
    ///
    /// # Errors
    /// `Unsupported` where there is none.
    pub fn main_video(&self) -> Result<&StreamInfo> {
        let main = main_video(self.info()).and_then(|index| self.info().streams.get(index));
        main.ok_or_else(|| Error::new(ErrorKind::Unsupported, "there is no video stream in it").with_file(&self.path))
    }

    /// Looks at the main video.
    ///
    /// # Errors
    /// `Unsupported` where there is none, `Input` where no picture of it can be decoded, `Interrupted`. Looks that fail
    /// after that are facts.
    pub fn facts(self, looks: Looks) -> Result<SourceFacts> {
        let main = self.main_video()?.clone();
        let Analysis { path, source, cancel, .. } = self;
        let in_file = |e: Error| e.with_file(&path);
        let mut pictures = Pictures::of(source, main.index, decoder_options()).map_err(in_file)?;
        let mut shapes = ShapeTally::default();
        let (first, metadata) = first_pictures(&mut pictures, main.index, &mut shapes).map_err(in_file)?;
        let mut crop = looks.crop.then(|| CropSampler::new(pictures.info(), &main));
        let mut fields = looks.fields.then(FieldSampler::new);
        if let Some(crop) = &mut crop {
            crop.by_seeks(&mut pictures, &mut shapes, &cancel);
            cancel.check()?;
        }
        if let Some(fields) = &mut fields {
            fields.by_seeks(&mut pictures, &mut shapes, &main, &cancel)?;
        }
        let duration_s = main.length_s().or(pictures.info().duration_s);
        let heard = listen(&mut pictures.into_source(), &main, &cancel)?;
        let reads = crop.as_ref().is_some_and(CropSampler::must_read) || fields.as_ref().is_some_and(|f| f.must_read());
        if reads {
            let samplers = (crop.as_mut(), fields.as_mut());
            let read = read(&path, main.index, samplers, &mut shapes, &cancel);
            cancel.check()?;
            if let Err(error) = read {
                let why = error.to_string();
                crop.iter_mut().for_each(|crop| crop.failed(&why));
                fields.iter_mut().for_each(|fields| fields.failed(&why));
            }
        }
        let shapes = shapes.finish(main.start, duration_s);
        let (width, height) = lasting_size(&shapes).unwrap_or((first.width, first.height));
        Ok(SourceFacts {
            version: FACTS_VERSION,
            stream: main.index,
            depth: depth(&first, &main),
            hdr10_plus: metadata.iter().any(|m| m.hdr10_plus.is_some()),
            rpus: rpus(&main, &first, &metadata),
            first: Shown { width, height, ..Shown::of(&first) },
            shapes,
            stereo_mode: first.planes.as_any().downcast_ref::<VideoFrame>().map_or(0, VideoFrame::stereo_mode),
            orientation: first.planes.as_any().downcast_ref::<VideoFrame>().and_then(VideoFrame::orientation),
            cut_short: is_cut_short(&path),
            crop: crop.map_or(Finding::NotLookedFor, CropSampler::finish),
            fields: fields.map_or(Finding::NotLookedFor, FieldSampler::finish),
            sound: heard.sound,
            late: heard.late,
        })
    }
}

/// Reads the film from its start, for what seeks do not tell.
fn read(
    path: &Path,
    stream: usize,
    (mut crop, mut fields): (Option<&mut CropSampler>, Option<&mut FieldSampler>),
    shapes: &mut ShapeTally,
    cancel: &CancelToken,
) -> Result<()> {
    let mut crop = crop.take_if(|crop| crop.begin_reading());
    let mut fields = fields.take_if(|fields| fields.must_read());
    let mut pictures = Pictures::open(path, |_| Some(stream), decoder_options(), cancel)?;
    while crop.is_some() || fields.is_some() {
        let Some(frame) = pictures.next()? else { break };
        cancel.check()?;
        shapes.see(&frame);
        fields.take_if(|fields| !fields.read(&frame));
        crop.take_if(|crop| !crop.read(frame));
    }
    Ok(())
}

/// The first picture there is, and the metadata of the first ones: their samples are let go.
fn first_pictures(pictures: &mut Pictures, stream: usize, shapes: &mut ShapeTally) -> Result<(Frame, Vec<Dynamic>)> {
    let (mut first, mut metadata) = (None, Vec::new());
    while metadata.len() < PICTURES {
        match pictures.next() {
            Ok(Some(frame)) => {
                shapes.see(&frame);
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
        Error::new(ErrorKind::Input, format!("no picture of it can be decoded{why}")).with_stream(stream)
    };
    Ok((first.ok_or_else(none)?, metadata))
}

fn depth(first: &Frame, main: &StreamInfo) -> u8 {
    match first.format {
        PixelFormat::Planar { depth, .. } => depth,
        PixelFormat::Other(_) => main.video.as_ref().map_or(8, |v| v.bit_depth),
    }
}

fn rpus(main: &StreamInfo, first: &Frame, metadata: &[Dynamic]) -> RpuFacts {
    let by_container = main.video.as_ref().and_then(|v| v.dolby_vision);
    let rpus = metadata.iter().filter_map(|m| m.dolby_vision.as_ref());
    let mut described = rpus.map(|rpu| describe(rpu, by_container, first.color.transfer)).peekable();
    let unreadable = described.peek().and_then(|first| first.as_ref().err()).map(Error::to_string);
    RpuFacts { unreadable, found: described.find_map(Result::ok) }
}

/// What was found, or an error where it was not.
pub(super) fn found<T>(finding: Finding<T>) -> Result<T> {
    match finding {
        Finding::Found(found) => Ok(found),
        Finding::Failed(why) => Err(Error::new(ErrorKind::Input, why)),
        Finding::NotLookedFor => Err(Error::new(ErrorKind::Encode, "internal error: nobody looked")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::openings;

    /// Opened once where seeks tell all, twice where the film has to be read.
    #[test]
    fn a_source_is_opened_twice_at_most() {
        let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media");
        for (name, most) in [
            ("film/bbb_720p_000-180s.mp4", 1),
            ("crop/pillarbox_bars_1080p.mp4", 2),
            ("film/realcam_720p_cabac.264", 2),
            ("derived/interlaced_tff_720x576_mpeg2_16-9.mkv", 2),
        ] {
            let path = media.join(name);
            if !path.is_file() {
                crate::base::missing(format_args!("there is no {}", path.display()));
                continue;
            }
            let before = openings();
            let analysis = Analysis::open(&path, &CancelToken::new()).unwrap();
            let facts = analysis.facts(Looks { crop: true, fields: true }).unwrap();
            let opened = openings() - before;
            assert!((1..=most).contains(&opened), "{name} was opened {opened} times");
            let text = serde_json::to_string(&facts).unwrap();
            assert_eq!(serde_json::from_str::<SourceFacts>(&text).unwrap(), facts, "{name}");
            assert!(facts.crop.found().is_some() && facts.fields.found().is_some(), "{name}: {facts:?}");
        }
    }
}
