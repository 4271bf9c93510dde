//! What is asked of workers, and what they answer: plain data, so that a worker may be a thread here or a process
//! elsewhere.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use crate::base::{Error, ErrorKind, Rational, Result};
use crate::flow::{Outlet, Port, Weighed};
use crate::media::Shown;
use crate::meter::{MetricSpec, Scores};
use crate::plan::{Treatment, WatchSpec};
use crate::store::job::{ChunkFile, FilmRead, SegmentRecord};
use crate::video::{EncodeSpec, VideoParams};

/// What is done with a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TryKind {
    /// Encode it, score it, have its bytes ready.
    Try,
    /// Encode it by a fast preset and score that: what it says of the right CRF.
    Probe,
    /// Score the source against itself: the best score there is.
    Ceiling,
}

/// All a worker has to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TryJob {
    pub(crate) kind: TryKind,
    /// The film and its stream.
    pub(crate) source: PathBuf,
    pub(crate) stream: usize,
    /// The chunk.
    pub(crate) span: SegmentRecord,
    /// Position in it of the first frame to encode: 0, or where an end begins that is encoded alone.
    pub(crate) from: u64,
    /// What is done to its pictures.
    pub(crate) treatment: Treatment,
    /// How they are shown, as the film's first one has it, and at what nominal rate (numerator and denominator).
    pub(crate) shown: Shown,
    pub(crate) frame_rate: (i32, i32),
    /// Bits a sample of the encode.
    pub(crate) depth: u8,
    pub(crate) encode: EncodeSpec,
    pub(crate) metric: MetricSpec,
    /// What may stop it; nothing where it is made to its end.
    pub(crate) watch: Option<WatchSpec>,
}

impl TryJob {
    /// What the encoder is told of the pictures.
    pub(crate) fn video_params(&self) -> VideoParams {
        let (num, den) = self.frame_rate;
        let rate = Rational::positive(num, den).unwrap_or(Rational::ONE);
        let Shown { width, height, color, hdr } = self.shown;
        VideoParams { bit_depth: self.depth, color, hdr, ..VideoParams::new(width, height, rate) }
    }
}

/// A job, with what is had of it in this process.
pub(crate) struct Order {
    pub(crate) job: TryJob,
    pub(crate) chunk: Arc<Chunk>,
    /// For its bytes, where they are of use.
    pub(crate) file: Option<ChunkFile>,
}

impl Weighed for Order {
    fn byte_len(&self) -> usize {
        0
    }
}

/// What comes back.
pub(crate) enum Note {
    /// The feeder completed a chunk.
    Chunk(Box<Chunk>),
    /// The feeder came to the end of the film; what reading it met with, where that is to be written down.
    End(Option<Box<FilmRead>>),
    /// The encode task of this worker can take an order.
    Free(usize),
    /// A try of this chunk ended.
    Tried { chunk: usize, cost: Cost, tried: Box<Result<Tried>> },
    /// The score of this chunk's source against itself.
    Ceiling { chunk: usize, score: Result<f64> },
}

impl Weighed for Note {
    fn byte_len(&self) -> usize {
        // The frames of chunks are held to a budget of their own.
        0
    }
}

/// A try that came to an end.
pub(crate) enum Tried {
    /// All frames from there on were encoded, decoded and scored; the bytes wait to be kept.
    Whole { scores: Scores, file: ChunkFile },
    /// The scores so far excluded the target; what the score would have been.
    Stopped { estimate: f64 },
    /// It was a probe.
    Probed { scores: Scores },
}

/// What the encoder gave out for a try, kept or not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

/// Who does the work. Each takes an order when it said that it is free.
pub(crate) trait Workers: Send {
    /// How many there are.
    fn count(&self) -> usize;

    /// Gives worker `worker`, which is free, an order.
    ///
    /// # Errors
    /// `Interrupted`, and `Encode` where there is no such worker.
    fn submit(&mut self, worker: usize, order: Order) -> Result<()>;

    /// Says that no orders follow, and waits until all workers are through.
    ///
    /// # Errors
    /// `Interrupted`.
    fn finish(&mut self) -> Result<()>;

    /// The next thing that happened; waits for it.
    ///
    /// # Errors
    /// `Interrupted`, and `Encode` where nothing can happen any more.
    fn next(&mut self) -> Result<Note>;
}

/// Workers that are threads of this run.
pub(crate) struct LocalWorkers {
    /// By worker.
    pub(crate) orders: Vec<Outlet<Order>>,
    pub(crate) notes: Port<Note>,
}

impl Workers for LocalWorkers {
    fn count(&self) -> usize {
        self.orders.len()
    }

    fn submit(&mut self, worker: usize, order: Order) -> Result<()> {
        let missing = || Error::new(ErrorKind::Encode, "internal error: a worker nobody knows");
        // A worker that is free has an empty queue.
        self.orders.get(worker).ok_or_else(missing)?.send(order)
    }

    fn finish(&mut self) -> Result<()> {
        self.orders.drain(..).for_each(Outlet::close);
        // What still comes is that they are free.
        while self.notes.receive()?.is_some() {}
        Ok(())
    }

    fn next(&mut self) -> Result<Note> {
        self.notes.receive()?.ok_or_else(|| Error::new(ErrorKind::Encode, "the workers ended early"))
    }
}
