//! What is written down of chunks and tries.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::media::Crf;
use crate::plan::{ChunkMeans, ChunkSpan, Clamp, Curve, Observation, Outcome, Tier, slope_of};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(crate) enum Record {
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
pub(crate) struct SegmentRecord {
    pub(crate) chunk: usize,
    pub(crate) first_frame: u64,
    pub(crate) frames: u64,
    /// Time of the first frame, in seconds.
    pub(crate) start_s: f64,
}

impl SegmentRecord {
    pub(crate) fn of(span: &ChunkSpan) -> Self {
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
    pub(crate) fn observation(&self) -> Observation {
        Observation { crf: self.crf, score: self.score, whole: self.whole }
    }
}

/// A finished chunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChunkRecord {
    pub(crate) chunk: usize,
    pub(crate) first_frame: u64,
    pub(crate) frames: u64,
    /// Time of the first frame, in seconds.
    pub(crate) start_s: f64,
    /// Length of the chunk file.
    pub(crate) length: u64,
    /// blake3 of the chunk file.
    pub(crate) hash: String,
    /// Bytes of its packets.
    pub(crate) bytes: u64,
    pub(crate) crf: Crf,
    /// The score aimed at.
    pub(crate) aim: f64,
    /// Pooled over the frames that were scored.
    pub(crate) harmonic_mean: f64,
    pub(crate) stride: u32,
    /// Of every frame that was scored, in hundredths.
    pub(crate) scores: Vec<u16>,
    pub(crate) ceiling: Option<f64>,
    /// The score of its probe.
    #[serde(default)]
    pub(crate) probe: Option<f64>,
    /// Why it is not at the target as asked.
    pub(crate) clamp: Option<Clamp>,
    pub(crate) tries: Vec<TryRecord>,
}

impl ChunkRecord {
    /// What is told of it.
    pub(crate) fn event(&self) -> Event {
        Event::Chunk {
            index: self.chunk,
            start_s: self.start_s,
            frames: self.frames,
            crf: self.crf.as_f64(),
            vmaf: self.harmonic_mean,
            attempts: self.tries.len() as u32,
            bytes: self.bytes,
        }
    }

    /// What later chunks learn of it.
    pub(crate) fn outcome(&self, means: &ChunkMeans, curve: &Curve) -> Outcome {
        Outcome {
            means: *means,
            crf: self.crf,
            score: self.harmonic_mean,
            probe: self.probe,
            slope: slope_of(curve, self.tries.iter().map(TryRecord::observation)),
        }
    }
}
