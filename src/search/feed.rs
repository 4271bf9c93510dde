//! The one sequential pass over the source: decode, measure, cut into chunks.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::chunk::{Chunk, ChunkFrames};
use super::cutter::{Cutter, Measured};
use super::memory::FrameBudget;
use super::workers::Note;
use crate::base::{Error, ErrorKind, Result, Span, Timestamp};
use crate::flow::{Outlet, StageContext};
use crate::media::{Frame, PixelFormat, PoolStats, Shown};
use crate::pixel::PictureMeasure;
use crate::plan::{ChunkMeans, ChunkSpan, FramePoint, Treatment, begins_scene};
use crate::stages::digest::message_digest;
use crate::stages::picture::DecodeFound;
use crate::stages::treat::{Carried, TreatedPictures, messages};
use crate::store::job::SegmentRecord;

/// How the frames of chunks are kept.
pub(crate) enum Keep {
    /// In memory, within the budget.
    Held(Arc<FrameBudget>),
    /// Not at all: workers decode them again.
    File { path: PathBuf, stream: usize, treatment: Treatment },
}

/// The source of chunks.
pub(crate) struct ChunkFeed {
    pub(crate) pictures: TreatedPictures,
    pub(crate) cutter: Cutter,
    pub(crate) keep: Keep,
    /// Chunks an earlier run finished: their frames are not kept.
    pub(crate) finished: Vec<SegmentRecord>,
    pub(crate) notes: Outlet<Note>,
    /// Frames whose chunk is not decided.
    pub(crate) waiting: VecDeque<Waiting>,
    /// Time of the last frame of the chunk before.
    pub(crate) before: Option<Timestamp>,
    pub(crate) shown: Option<Shown>,
}

/// What reading the film came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeedFound {
    pub(crate) decode: DecodeFound,
    pub(crate) carried: Carried,
    pub(crate) pool: PoolStats,
    /// The latest end of any picture, in seconds.
    pub(crate) end_s: f64,
    /// Why reading stopped before the end of the file, where it did.
    pub(crate) stopped: Option<String>,
}

/// A frame whose chunk is not decided.
pub(crate) struct Waiting {
    pts: Timestamp,
    duration: Option<Span>,
    measure: PictureMeasure,
    point: FramePoint,
    eight_bit: bool,
    messages: u64,
    frame: Option<Frame>,
}

impl ChunkFeed {
    /// Reads the film to its end; what was met with.
    pub(crate) fn run(mut self, context: &StageContext) -> Result<FeedFound> {
        let mut found = FeedFound::default();
        while !context.is_draining() {
            let frame = match self.pictures.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::Input => {
                    // What was read so far is a film that ends early, as in a run at a fixed CRF.
                    found.stopped = Some(error.to_string());
                    break;
                }
                Err(error) => return Err(error),
            };
            let end = frame.duration.map_or(frame.pts, |d| frame.pts.plus(d));
            found.end_s = found.end_s.max(end.as_secs_f64());
            self.take(frame, context)?;
            context.item();
        }
        for span in self.cutter.finish() {
            self.hand_over(span)?;
        }
        found.decode = DecodeFound { decoder: self.pictures.decoder_name(), stats: self.pictures.stats() };
        found.carried = self.pictures.carried().clone();
        found.pool = self.pictures.pool();
        self.notes.send(Note::End)?;
        Ok(found)
    }

    fn take(&mut self, frame: Frame, context: &StageContext) -> Result<()> {
        let Measured { frame, measure, point, chunk } = self.cutter.take(frame)?;
        self.shown.get_or_insert_with(|| Shown::of(&frame));
        if let Keep::Held(budget) = &self.keep {
            let bytes = frame.byte_len() as u64;
            context.waiting_for_room(|| budget.take(bytes, context.cancel_token()))?;
        }
        self.waiting.push_back(Waiting {
            pts: frame.pts,
            duration: frame.duration,
            measure,
            point,
            eight_bit: frame.format == PixelFormat::YUV420P8,
            messages: message_digest(&messages(&frame.dynamic)),
            frame: matches!(self.keep, Keep::Held(_)).then_some(frame),
        });
        match chunk {
            Some(span) => self.hand_over(span),
            None => Ok(()),
        }
    }

    fn hand_over(&mut self, span: ChunkSpan) -> Result<()> {
        let count = (span.frames as usize).min(self.waiting.len());
        let frames: Vec<Waiting> = self.waiting.drain(..count).collect();
        let times = frames.iter().map(|w| (w.pts, w.duration)).collect();
        let messages = frames.iter().map(|w| w.messages).collect();
        let last = frames.last().map(|w| w.pts);
        let before = std::mem::replace(&mut self.before, last);
        let (means, scenes) = (means(&frames), scenes(&frames));
        let eight_bit = frames.iter().all(|w| w.eight_bit);
        let finished = self.finished.contains(&SegmentRecord::of(&span));
        let source = match &self.keep {
            Keep::File { path, stream, treatment } if !finished => ChunkFrames::File {
                path: path.clone(),
                stream: *stream,
                treatment: *treatment,
                may_seek: !self.pictures.source_has_jumped(),
            },
            Keep::Held(budget) => {
                let held: Vec<Frame> = frames.into_iter().filter_map(|w| w.frame).collect();
                let share = budget.hand_over(held.iter().map(|f| f.byte_len() as u64).sum());
                match finished {
                    true => ChunkFrames::Finished,
                    false => ChunkFrames::Held { frames: held, _share: share },
                }
            }
            Keep::File { .. } => ChunkFrames::Finished,
        };
        let shown =
            self.shown.ok_or_else(|| Error::new(ErrorKind::Encode, "internal error: a chunk without frames"))?;
        self.notes.send(Note::Chunk(Box::new(Chunk {
            span,
            means,
            scenes,
            shown,
            eight_bit,
            before,
            messages,
            times,
            source,
        })))
    }
}

/// Positions of the frames that begin a scene, without the first.
fn scenes(frames: &[Waiting]) -> Vec<u64> {
    let point = |at: usize| frames.get(at).map(|w| &w.point);
    let begins = |at: &usize| begins_scene(point(at - 1), &frames[*at].point, point(at + 1));
    (1..frames.len()).filter(begins).map(|at| at as u64).collect()
}

fn means(frames: &[Waiting]) -> ChunkMeans {
    let n = frames.len().max(1) as f64;
    let mean = |value: fn(&PictureMeasure) -> f32| frames.iter().map(|w| f64::from(value(&w.measure))).sum::<f64>() / n;
    ChunkMeans { detail: mean(|m| m.detail), motion: mean(|m| m.motion), brightness: mean(|m| m.brightness) }
}
