//! What is written down of chunks and tries.

use serde::{Deserialize, Serialize};

use crate::media::Crf;
use crate::plan::{ChunkMeans, ChunkSpan, Clamp, Observation, Outcome, Tier, slope_of};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(in crate::engine) enum Record {
    /// A try that ended, whatever it came to.
    Try(TryRecord),
    /// A chunk whose bytes are on the disk.
    Chunk(ChunkRecord),
    /// What the calibration of a title came to.
    Title {
        /// The CRF of all its chunks.
        crf: Crf,
    },
}

/// A chunk of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::engine) struct SegmentRecord {
    pub(in crate::engine) chunk: usize,
    pub(in crate::engine) first_frame: u64,
    pub(in crate::engine) frames: u64,
    /// Time of the first frame, in seconds.
    pub(in crate::engine) start_s: f64,
}

impl SegmentRecord {
    pub(in crate::engine) fn of(span: &ChunkSpan) -> Self {
        SegmentRecord {
            chunk: span.index,
            first_frame: span.first_frame,
            frames: span.frames,
            start_s: span.start.as_secs_f64(),
        }
    }
}

/// A try of a chunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TryRecord {
    /// The chunk.
    pub chunk: usize,
    /// Its CRF.
    pub crf: Crf,
    /// How the chunk was searched then.
    pub tier: Tier,
    /// Every how many-th frame was scored.
    pub stride: u32,
    /// Whether all of the chunk was encoded.
    pub whole: bool,
    /// The score (harmonic mean), or what it would have been.
    pub score: f64,
    /// Frames the encoder gave out.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it was made, and what came of it.
    pub reason: String,
}

impl TryRecord {
    pub(in crate::engine) fn observation(&self) -> Observation {
        Observation { crf: self.crf, score: self.score, whole: self.whole }
    }
}

/// A finished chunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::engine) struct ChunkRecord {
    pub(in crate::engine) chunk: usize,
    pub(in crate::engine) first_frame: u64,
    pub(in crate::engine) frames: u64,
    /// Time of the first frame, in seconds.
    pub(in crate::engine) start_s: f64,
    /// Length of the chunk file.
    pub(in crate::engine) length: u64,
    /// blake3 of the chunk file.
    pub(in crate::engine) hash: String,
    /// Bytes of its packets.
    pub(in crate::engine) bytes: u64,
    pub(in crate::engine) crf: Crf,
    /// The score aimed at.
    pub(in crate::engine) aim: f64,
    /// Pooled over the frames that were scored.
    pub(in crate::engine) harmonic_mean: f64,
    pub(in crate::engine) stride: u32,
    /// Of every frame that was scored, in hundredths.
    pub(in crate::engine) scores: Vec<u16>,
    pub(in crate::engine) ceiling: Option<f64>,
    /// The score of its probe.
    #[serde(default)]
    pub(in crate::engine) probe: Option<f64>,
    /// Why it is not at the target as asked.
    pub(in crate::engine) clamp: Option<Clamp>,
    pub(in crate::engine) tries: Vec<TryRecord>,
}

impl ChunkRecord {
    /// What later chunks learn of it.
    pub(in crate::engine) fn outcome(&self, means: &ChunkMeans) -> Outcome {
        Outcome {
            means: *means,
            crf: self.crf,
            score: self.harmonic_mean,
            probe: self.probe,
            slope: slope_of(self.tries.iter().map(TryRecord::observation)),
        }
    }
}
