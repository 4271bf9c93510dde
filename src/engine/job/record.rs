//! What is written down of chunks and tries.

use serde::{Deserialize, Serialize};

use crate::media::Crf;
use crate::plan::{ChunkSpan, Clamp, KeptChunk, ScheduleRecord, TryRecord, slope_of};

/// Of what the journal says and how; a fact of the job's identity, so that an older job is begun anew.
pub(in crate::engine) const JOB_FORMAT: u32 = 2;

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(in crate::engine) enum Record {
    /// What decisions read.
    Schedule(ScheduleRecord),
    /// A chunk whose bytes are on the disk.
    Chunk(ChunkRecord),
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
    /// Of a chunk whose file is not known yet.
    pub(in crate::engine) fn of(span: &ChunkSpan, kept: KeptChunk) -> Self {
        ChunkRecord {
            chunk: span.index,
            first_frame: span.first_frame,
            frames: span.frames,
            start_s: span.start.as_secs_f64(),
            length: 0,
            hash: String::new(),
            bytes: kept.bytes,
            crf: kept.crf,
            aim: kept.aim,
            harmonic_mean: kept.scores.harmonic_mean,
            stride: kept.scores.stride,
            scores: kept.scores.frames.iter().map(|score| (score * 100.0).round() as u16).collect(),
            ceiling: kept.ceiling,
            probe: kept.probe,
            clamp: kept.clamp,
            tries: kept.tries,
        }
    }

    /// What the scheduler is told of it when the run goes on.
    pub(super) fn kept(&self) -> ScheduleRecord {
        let slope = slope_of(self.tries.iter().map(TryRecord::observation));
        let (chunk, crf, score, probe) = (self.chunk, self.crf, self.harmonic_mean, self.probe);
        ScheduleRecord::Kept { chunk, crf, score, probe, slope }
    }
}
