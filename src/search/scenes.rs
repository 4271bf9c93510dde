//! Where a film would be cut, and why.

use std::path::Path;

use serde::Serialize;

use super::Cutter;
use crate::analyze::{Analysis, Looks};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::Target;
use crate::media::PictureSettings;
use crate::plan::{ChunkSpan, Cut, FramePoint, PicturePlan, begins_scene};
use crate::source::{Pictures, decoder_options, looked_at};
use crate::stages::treat::TreatedPictures;

/// The chunks of a film and its scenes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScenesReport {
    /// Frames of the film.
    pub frames: u64,
    /// The chunks a target would encode it in.
    pub chunks: Vec<SceneChunk>,
    /// Every frame that begins a scene, whether a chunk begins there or not.
    pub scenes: Vec<Scene>,
}

/// One chunk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SceneChunk {
    /// Position among the chunks.
    pub index: usize,
    /// Index of its first frame.
    pub first_frame: u64,
    /// Frames in it.
    pub frames: u64,
    /// Time of its first frame, in seconds.
    pub start_s: f64,
    /// Why it ends: `scene`, `length` or `end`.
    pub cut: &'static str,
}

/// The first frame of a scene.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scene {
    /// Its index in display order.
    pub frame: u64,
    /// Its time, in seconds.
    pub start_s: f64,
    /// How unlike the frame before it is: 0 the same, 1 nothing in common; a scene begins from about 0.4.
    pub change: f32,
}

/// Decodes the main video of `input` and tells where an encode would cut it into chunks of at most
/// `chunk_seconds`.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read or hold no video; `Usage` for a chunk size outside of 1 to
/// 300 seconds.
pub fn scenes(input: &Path, chunk_seconds: f64, cancel: &CancelToken) -> Result<ScenesReport> {
    Target { chunk_seconds, ..Target::default() }.check()?;
    looked_at(input, cancel, |input| scenes_of_file(input, chunk_seconds, cancel))
}

fn scenes_of_file(input: &Path, chunk_seconds: f64, cancel: &CancelToken) -> Result<ScenesReport> {
    let in_file = |e: Error| e.with_file(input);
    let mut pictures = pictures(input, cancel).map_err(in_file)?;
    let mut cutter = Cutter::new(chunk_seconds);
    let (mut chunks, mut points) = (Vec::new(), Vec::<FramePoint>::new());
    while let Some(frame) = pictures.next().map_err(in_file)? {
        cancel.check()?;
        let measured = cutter.take(frame).map_err(in_file)?;
        chunks.extend(measured.chunk);
        points.push(measured.point);
    }
    chunks.extend(cutter.finish());
    if points.is_empty() {
        return Err(Error::new(ErrorKind::Input, "no picture of it can be decoded").with_file(input));
    }
    let begins = |at: &usize| begins_scene(points.get(at - 1), &points[*at], points.get(at + 1));
    let scene = |at: usize| {
        let point = &points[at];
        Scene { frame: point.index, start_s: point.pts.as_secs_f64(), change: point.change }
    };
    Ok(ScenesReport {
        frames: points.len() as u64,
        chunks: chunks.iter().map(of_span).collect(),
        scenes: (1..points.len()).filter(begins).map(scene).collect(),
    })
}

/// The pictures as an encode takes them by default.
fn pictures(input: &Path, cancel: &CancelToken) -> Result<TreatedPictures> {
    let analysis = Analysis::open(input, cancel)?;
    let main = analysis.main_video()?.clone();
    let facts = analysis.facts(Looks { crop: true, fields: true })?;
    let plan = PicturePlan::new(&facts, &main, &PictureSettings::default())?;
    let pictures = Pictures::open(input, |_| Some(main.index), decoder_options(), cancel)?;
    Ok(TreatedPictures::new(pictures, plan.treatment))
}

fn of_span(span: &ChunkSpan) -> SceneChunk {
    SceneChunk {
        index: span.index,
        first_frame: span.first_frame,
        frames: span.frames,
        start_s: span.start.as_secs_f64(),
        cut: match span.cut {
            Cut::Scene { .. } => "scene",
            Cut::Length => "length",
            Cut::End => "end",
        },
    }
}
