//! The one sequential pass over the source: decode, measure, cut into chunks.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::chunk::{Chunk, Source};
use super::cutter::{Cutter, Measured};
use super::memory::FrameBudget;
use super::trial::Note;
use crate::base::{Error, ErrorKind, Result, Span, Timestamp};
use crate::media::Shown;
use crate::media::{Frame, PixelFormat};
use crate::pixel::PictureMeasure;
use crate::plan::{ChunkMeans, ChunkSpan, Treatment};
use crate::stages::queue::Sender;
use crate::stages::stage::StageMeter;
use crate::stages::tally::{Tally, message_digest};
use crate::stages::treat::{TreatedPictures, messages};
use crate::store::job::SegmentRecord;

/// How the frames of chunks are kept.
pub(crate) enum Keep {
    /// In memory, within the budget.
    Held(Arc<FrameBudget>),
    /// Not at all: workers decode them again.
    File { path: PathBuf, stream: usize, treatment: Treatment },
}

/// The stage.
pub(crate) struct Feed {
    pub(crate) pictures: TreatedPictures,
    pub(crate) cutter: Cutter,
    pub(crate) keep: Keep,
    /// Chunks an earlier run finished: their frames are not kept.
    pub(crate) finished: Vec<SegmentRecord>,
    pub(crate) notes: Sender<Note>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) cancel: crate::base::CancelToken,
    /// Frames whose chunk is not decided.
    pub(crate) waiting: VecDeque<Waiting>,
    /// Time of the last frame of the chunk before.
    pub(crate) before: Option<Timestamp>,
    pub(crate) shown: Option<Shown>,
}

/// A frame whose chunk is not decided.
pub(crate) struct Waiting {
    pts: Timestamp,
    duration: Option<Span>,
    measure: PictureMeasure,
    eight_bit: bool,
    messages: u64,
    frame: Option<Frame>,
}

impl Feed {
    pub(crate) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        let mut end_s = 0.0f64;
        loop {
            let frame = match self.pictures.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::Input => {
                    // What was read so far is a film that ends early, as in a run at a fixed CRF.
                    self.tally.lock().demux.stopped = Some(error.to_string());
                    break;
                }
                Err(error) => return Err(error),
            };
            end_s = end_s.max(frame.duration.map_or(frame.pts, |d| frame.pts.plus(d)).as_secs_f64());
            self.take(frame)?;
            meter.item();
        }
        for span in self.cutter.finish() {
            self.hand_over(span)?;
        }
        let mut findings = self.tally.lock();
        findings.decode = self.pictures.stats();
        findings.decoder = self.pictures.decoder_name().to_owned();
        findings.demux.end_s = end_s;
        findings.carried = self.pictures.carried().clone();
        drop(findings);
        self.tally.add_pool(self.pictures.pool());
        self.notes.send(Note::End)
    }

    fn take(&mut self, frame: Frame) -> Result<()> {
        let Measured { frame, measure, chunk, .. } = self.cutter.take(frame)?;
        self.shown.get_or_insert_with(|| Shown::of(&frame));
        if let Keep::Held(budget) = &self.keep {
            budget.take(frame.byte_len() as u64, &self.cancel)?;
        }
        self.waiting.push_back(Waiting {
            pts: frame.pts,
            duration: frame.duration,
            measure,
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
        let means = means(&frames);
        let eight_bit = frames.iter().all(|w| w.eight_bit);
        let finished = self.finished.contains(&SegmentRecord::of(&span));
        let source = match &self.keep {
            Keep::File { path, stream, treatment } if !finished => {
                Source::File { path: path.clone(), stream: *stream, treatment: *treatment }
            }
            Keep::Held(budget) => {
                let held: Vec<Frame> = frames.into_iter().filter_map(|w| w.frame).collect();
                let share = budget.hand_over(held.iter().map(|f| f.byte_len() as u64).sum());
                match finished {
                    true => Source::Finished,
                    false => Source::Held { frames: held, _share: share },
                }
            }
            Keep::File { .. } => Source::Finished,
        };
        let shown =
            self.shown.ok_or_else(|| Error::new(ErrorKind::Encode, "internal error: a chunk without frames"))?;
        self.notes.send(Note::Chunk(Box::new(Chunk { span, means, shown, eight_bit, before, messages, times, source })))
    }
}

fn means(frames: &[Waiting]) -> ChunkMeans {
    let n = frames.len().max(1) as f64;
    let mean = |value: fn(&PictureMeasure) -> f32| frames.iter().map(|w| f64::from(value(&w.measure))).sum::<f64>() / n;
    ChunkMeans { detail: mean(|m| m.detail), motion: mean(|m| m.motion), brightness: mean(|m| m.brightness) }
}
