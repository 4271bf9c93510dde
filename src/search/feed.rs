//! The one sequential pass over the source: decode, measure, cut into chunks. What an earlier run found out is not found
//! out again.
#![deny(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use super::chunk::{Chunk, ChunkFrames};
use super::cutter::{Cutter, Measured};
use super::memory::FrameBudget;
use super::reading::{FilmReading, FilmSeam, FilmSource, Tally};
use super::workers::Note;
use crate::base::{Error, ErrorKind, Result, Timestamp};
use crate::flow::{Outlet, StageContext};
use crate::media::{Carried, Frame, PixelFormat, PoolStats, Shown};
use crate::pixel::PictureMeasure;
use crate::plan::{ChunkMeans, ChunkSpan, FramePoint, begins_scene};
use crate::source::DecodeStats;
use crate::stages::digest::message_digest;
use crate::stages::treat::messages;
use crate::store::job::{FilmRead, FrameTime, PlannedChunk, ReadPoint};

/// How the frames of chunks are kept.
pub(crate) enum Keep {
    /// In memory, within the budget.
    Held(Arc<FrameBudget>),
    /// Not at all: workers decode them again.
    File,
}

/// The source of chunks.
pub(crate) struct ChunkFeed {
    pub(crate) source: FilmSource,
    pub(crate) cutter: Cutter,
    pub(crate) keep: Keep,
    /// Chunks an earlier run planned, from the start of the film, each with whether it is finished.
    pub(crate) planned: Vec<(PlannedChunk, bool)>,
    /// What reading the whole film met with, where an earlier run came to its end: then all is planned.
    pub(crate) read: Option<FilmRead>,
    pub(crate) notes: Outlet<Note>,
    pub(crate) pass: FeedPass,
}

/// Where the pass is.
#[derive(Default)]
pub(crate) struct FeedPass {
    /// Behind the last chunk that was planned before.
    seam: FilmSeam,
    tally: Tally,
    /// Frames whose chunk is not decided.
    waiting: VecDeque<Waiting>,
    /// Time of the last frame of the chunk before.
    before: Option<Timestamp>,
    shown: Option<Shown>,
    /// The latest end of any picture of a chunk that is decided, in seconds.
    end_s: f64,
    pool: PoolStats,
}

/// What reading the film came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeedFound {
    pub(crate) read: FilmRead,
    pub(crate) pool: PoolStats,
    /// Why reading stopped before the end of the file, where it did.
    pub(crate) stopped: Option<String>,
}

/// A frame whose chunk is not decided.
struct Waiting {
    time: FrameTime,
    measure: PictureMeasure,
    point: FramePoint,
    eight_bit: bool,
    messages: u64,
    /// The decoder's counts when it came.
    met: (DecodeStats, Carried),
    frame: Option<Frame>,
}

impl ChunkFeed {
    /// Reads what is not known of the film, to its end; what was met with in all of it.
    pub(crate) fn run(mut self, context: &StageContext) -> Result<FeedFound> {
        let reading = self.again(context)?;
        if let Some(read) = self.read.take() {
            self.notes.send(Note::End(None))?;
            return Ok(FeedFound { read, pool: self.pass.pool, stopped: None });
        }
        let mut reading = self.at_the_seam(reading, context)?;
        self.pass.tally = Tally::from(&self.pass.seam, &reading);
        let mut stopped = None;
        let whole = loop {
            if context.is_draining() {
                break false;
            }
            match reading.next() {
                Ok(Some(frame)) => self.take(frame, &reading, context)?,
                Ok(None) => break true,
                Err(error) if error.kind() == ErrorKind::Input => {
                    // What was read so far is a film that ends early, as in a run at a fixed CRF.
                    stopped = Some(error.to_string());
                    break false;
                }
                Err(error) => return Err(error),
            }
            context.item();
        };
        for span in self.cutter.finish() {
            self.hand_over(span, &reading, whole)?;
        }
        let read = self.pass.tally.read(&reading.met(), reading.decoder_name(), self.pass.end_s);
        self.notes.send(Note::End(whole.then(|| Box::new(read.clone()))))?;
        Ok(FeedFound { read, pool: self.pass.pool.plus(reading.pool()), stopped })
    }

    /// Hands over what is planned; the decoder of those whose frames had to be decoded again.
    fn again(&mut self, context: &StageContext) -> Result<Option<FilmReading>> {
        let mut reading = None;
        for (planned, finished) in std::mem::take(&mut self.planned) {
            context.check()?;
            let times = planned.times();
            let source = match &self.keep {
                _ if finished => ChunkFrames::Finished,
                Keep::File => self.source.in_file(planned.point.may_seek),
                Keep::Held(budget) => {
                    let budget = Arc::clone(budget);
                    let mut at = self.at_the_seam(reading.take(), context)?;
                    let frames = self.decode_again(&times, &mut at, &budget, context)?;
                    reading = Some(at);
                    held(frames, &budget)
                }
            };
            let before = std::mem::replace(&mut self.pass.before, times.last().map(|(pts, _)| *pts));
            self.pass.shown.get_or_insert(planned.shown);
            self.pass.end_s = self.pass.end_s.max(planned.point.read.end_s);
            self.pass.seam.pass(&times, planned.point.clone());
            self.cutter.begin_at(planned.segment.chunk + 1);
            self.notes.send(Note::Chunk(Box::new(Chunk::again(planned, times, before, source))))?;
            context.item();
        }
        Ok(reading)
    }

    /// The frames at these times, of a chunk that is planned.
    fn decode_again(
        &mut self,
        times: &[FrameTime],
        reading: &mut FilmReading,
        budget: &Arc<FrameBudget>,
        context: &StageContext,
    ) -> Result<Vec<Frame>> {
        let mut frames = Vec::with_capacity(times.len());
        for &(pts, duration) in times {
            let short = || Error::new(ErrorKind::Input, "the file ends earlier than at first").at(pts);
            let frame = reading.next()?.ok_or_else(short)?;
            self.cutter.measure(&frame)?;
            context.waiting_for_room(|| budget.take(frame.byte_len() as u64, context.cancel_token()))?;
            // What was made of times (gaps, repairs) at first is what counts.
            frames.push(Frame { pts, duration, ..frame });
            context.item();
        }
        Ok(frames)
    }

    /// A decoder that gives the frame behind the last chunk that was handed over.
    fn at_the_seam(&mut self, reading: Option<FilmReading>, context: &StageContext) -> Result<FilmReading> {
        let seam = &self.pass.seam;
        match reading {
            Some(reading) if reading.next == seam.frames => Ok(reading),
            elsewhere => {
                self.pass.pool = elsewhere.map_or(self.pass.pool, |reading| self.pass.pool.plus(reading.pool()));
                self.source.open_after(seam, &mut self.cutter, context.cancel_token())
            }
        }
    }

    fn take(&mut self, frame: Frame, reading: &FilmReading, context: &StageContext) -> Result<()> {
        let Measured { frame, measure, point, chunk } = self.cutter.take(frame)?;
        self.pass.shown.get_or_insert_with(|| Shown::of(&frame));
        if let Keep::Held(budget) = &self.keep {
            let bytes = frame.byte_len() as u64;
            context.waiting_for_room(|| budget.take(bytes, context.cancel_token()))?;
        }
        self.pass.waiting.push_back(Waiting {
            time: (frame.pts, frame.duration),
            measure,
            point,
            eight_bit: frame.format == PixelFormat::YUV420P8,
            messages: message_digest(&messages(&frame.dynamic)),
            met: reading.met(),
            frame: matches!(self.keep, Keep::Held(_)).then_some(frame),
        });
        match chunk {
            Some(span) => self.hand_over(span, reading, true),
            None => Ok(()),
        }
    }

    /// Hands over a chunk; one that is not to be `planned` is cut otherwise where more of the film can be read.
    fn hand_over(&mut self, span: ChunkSpan, reading: &FilmReading, planned: bool) -> Result<()> {
        let pass = &mut self.pass;
        let count = (span.frames as usize).min(pass.waiting.len());
        let frames: Vec<Waiting> = pass.waiting.drain(..count).collect();
        let (Some(last), Some(shown)) = (frames.last(), pass.shown) else {
            return Err(Error::new(ErrorKind::Encode, "internal error: a chunk without frames"));
        };
        let times: Vec<FrameTime> = frames.iter().map(|w| w.time).collect();
        let before = pass.before.replace(last.time.0);
        pass.end_s = times.iter().map(end_of).fold(pass.end_s, f64::max);
        let may_seek = reading.may_seek();
        let read = pass.tally.read(&last.met, reading.decoder_name(), pass.end_s);
        let point = ReadPoint { may_seek, last: last.measure, read };
        let (means, scenes) = (means(&frames), scenes(&frames));
        let eight_bit = frames.iter().all(|w| w.eight_bit);
        let messages = frames.iter().map(|w| w.messages).collect();
        let source = match &self.keep {
            Keep::File => self.source.in_file(may_seek),
            Keep::Held(budget) => held(frames.into_iter().filter_map(|w| w.frame).collect(), budget),
        };
        let point = planned.then_some(point);
        let chunk = Chunk { span, means, scenes, shown, eight_bit, before, messages, times, point, source };
        self.notes.send(Note::Chunk(Box::new(chunk)))
    }
}

/// Frames whose memory was taken from the budget.
fn held(frames: Vec<Frame>, budget: &Arc<FrameBudget>) -> ChunkFrames {
    let share = budget.hand_over(frames.iter().map(|f| f.byte_len() as u64).sum());
    ChunkFrames::Held { frames, _share: share }
}

/// When a frame is no longer shown, in seconds.
fn end_of((pts, duration): &FrameTime) -> f64 {
    duration.map_or(*pts, |d| pts.plus(d)).as_secs_f64()
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
