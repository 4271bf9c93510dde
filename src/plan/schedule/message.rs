//! What a scheduler is made from, what it is told and what it asks for. Plain data.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::super::chunks::ChunkMeans;
use super::super::search::SearchRules;
use super::super::tail::Piece;
use super::super::title::TitleRules;
use super::super::watch::WatchSpec;
use super::super::workers::Layout;
use super::record::{KeptChunk, ScheduleRecord, ScoredFrames};
use crate::media::Crf;

/// What a scheduler is made from. Those that differ only in `layout` decide the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRules {
    /// What the search of a chunk may do.
    pub search: SearchRules,
    /// The farthest a chunk's first CRF looks back for the nearest chunk it depends on; see [`lag`](super::super::lag).
    /// At least 1.
    pub lag: usize,
    /// How the title meets the target; none where each chunk does.
    pub title: Option<TitleRules>,
    /// Whether a fast encode of each chunk comes first.
    pub probes: bool,
    /// Every how many-th frame is scored as configured.
    pub stride: u32,
    /// Whether every frame is scored of chunks whose probes tell that those left out would decide.
    pub every_where_rough: bool,
    /// For the parallelism of encoders.
    pub layout: Layout,
    /// How often work on a chunk may fail (an encoder that breaks, not a score) before the run is given up.
    pub max_failures: u32,
}

/// A chunk whose end is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChunkFacts {
    /// Position among the chunks, from 0 without gaps.
    pub index: usize,
    /// Frames in it.
    pub frames: u64,
    /// What its pictures are like.
    pub means: ChunkMeans,
    /// Positions in it of frames that begin a scene, in order, without its first.
    pub scenes: Vec<u64>,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TryEnd {
    /// All frames it was to encode were encoded and scored; the bytes wait to be held or discarded.
    Whole(ScoredFrames),
    /// Its watch stopped it.
    Stopped {
        /// What the score would have been.
        estimate: f64,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ScheduleEvent {
    /// A line of the journal of an earlier run. All of them come first, in their order.
    Restored {
        /// The line.
        record: ScheduleRecord,
    },
    /// A chunk is there to be worked on. They come in order.
    ChunkArrived {
        /// The chunk.
        chunk: ChunkFacts,
        /// Its bytes are safe: a [`ScheduleRecord::Kept`] was restored, and the film is cut as it was then.
        finished: bool,
    },
    /// No more chunks come.
    FilmEnded,
    /// This worker can take an order. It may still be busy with the end of its last one.
    WorkerFree {
        /// Which.
        worker: usize,
    },
    /// A probe ended.
    Probed {
        /// Of which chunk.
        chunk: usize,
        /// Its scores.
        scores: ScoredFrames,
        /// Bytes the encoder gave out.
        bytes: u64,
    },
    /// A try ended.
    Tried {
        /// Of which chunk.
        chunk: usize,
        /// How.
        end: TryEnd,
        /// Frames the encoder gave out.
        frames: u64,
        /// Their bytes.
        bytes: u64,
        /// It is remembered and was not made now: what it came to is known, and its bytes are not there.
        remembered: bool,
    },
    /// The source of a chunk was scored against itself.
    CeilingMeasured {
        /// Which.
        chunk: usize,
        /// VMAF.
        score: f64,
    },
    /// What was ordered for a chunk failed.
    Failed {
        /// Which.
        chunk: usize,
        /// Whether it may go well another time.
        retryable: bool,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ScheduleAction {
    /// Encode a chunk by a fast preset and score that.
    Probe {
        /// Who.
        worker: usize,
        /// Which.
        chunk: usize,
        /// At what CRF.
        crf: Crf,
        /// Of the encoder. No bytes depend on it.
        parallelism: u32,
    },
    /// Encode a chunk or its end, score that, and have its bytes ready.
    Try {
        /// Who.
        worker: usize,
        /// Which.
        chunk: usize,
        /// From which frame of the chunk on, and at what CRF.
        piece: Piece,
        /// Every how many-th frame is scored, from the first that is encoded.
        stride: u32,
        /// What may stop it; nothing where it is made to its end.
        watch: Option<WatchSpec>,
        /// It decides nothing: its bytes are wanted, so that it has to be made even if what it comes to is remembered.
        again: bool,
        /// Of the encoder. No bytes depend on it.
        parallelism: u32,
    },
    /// Score the source of a chunk against itself.
    MeasureCeiling {
        /// Who.
        worker: usize,
        /// Which.
        chunk: usize,
    },
    /// Write this down, before anything after it is done.
    Journal {
        /// What.
        record: ScheduleRecord,
    },
    /// Hold the bytes of the try that just ended in place of those held before of the frames it encoded. They need not
    /// outlive the process.
    Hold {
        /// Of which chunk.
        chunk: usize,
        /// The position of the first frame it encoded: what is held of those before it stays.
        from: u64,
    },
    /// The bytes of the try that just ended are of no use.
    Discard {
        /// Of which chunk.
        chunk: usize,
    },
    /// The bytes held are the chunk: put them where they stay, then write [`KeptChunk::record`] down.
    Keep {
        /// All about it.
        chunk: Box<KeptChunk>,
    },
    /// Work on a chunk failed too often, or in a way that another try does not cure: end the run.
    GiveUp {
        /// Which.
        chunk: usize,
    },
    /// All chunks are kept.
    Done,
}
