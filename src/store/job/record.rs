//! What is written down of chunks and tries.

use serde::{Deserialize, Serialize};

use super::planned::{FilmRead, PlannedChunk, SegmentRecord};
use crate::event::Event;
use crate::plan::{ChunkSpan, Clamp, KeptChunk, Piece, ScheduleRecord, TryRecord, mean_crf, shown};

/// Of what the journal says and how; a fact of the job's identity, so that an older job is begun anew.
pub(crate) const JOB_FORMAT: u32 = 5;

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(crate) enum Record {
    /// What decisions read.
    Schedule(ScheduleRecord),
    /// Where a chunk is in the film, and what its frames are.
    Planned(Box<PlannedChunk>),
    /// The film has no more chunks than those that are planned.
    Read(FilmRead),
    /// A chunk whose bytes are on the disk.
    Chunk(ChunkRecord),
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
    /// The pieces of its bytes.
    pub(crate) pieces: Vec<Piece>,
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
    /// The distance a CRF that its tries showed.
    pub(crate) slope: Option<f64>,
    pub(crate) tries: Vec<TryRecord>,
}

impl ChunkRecord {
    /// What is told of it.
    pub(crate) fn event(&self) -> Event {
        Event::Chunk {
            index: self.chunk,
            start_s: self.start_s,
            frames: self.frames,
            crf: self.crf(),
            vmaf: self.harmonic_mean,
            attempts: self.tries.len() as u32,
            bytes: self.bytes,
        }
    }

    /// Of a chunk whose file is not known yet.
    pub(crate) fn of(span: &ChunkSpan, kept: KeptChunk) -> Self {
        ChunkRecord {
            chunk: span.index,
            first_frame: span.first_frame,
            frames: span.frames,
            start_s: span.start.as_secs_f64(),
            length: 0,
            hash: String::new(),
            bytes: 0,
            pieces: kept.pieces,
            aim: kept.aim,
            harmonic_mean: kept.scores.harmonic_mean,
            stride: kept.scores.stride,
            scores: kept.scores.frames.iter().map(|score| (score * 100.0).round() as u16).collect(),
            ceiling: kept.ceiling,
            probe: kept.probe,
            clamp: kept.clamp,
            slope: kept.slope,
            tries: kept.tries,
        }
    }

    /// Whether it is of the frames of `segment`.
    pub(crate) fn is_of(&self, segment: &SegmentRecord) -> bool {
        (self.chunk, self.first_frame, self.frames) == (segment.chunk, segment.first_frame, segment.frames)
    }

    /// The mean CRF over its frames, to hundredths.
    pub(crate) fn crf(&self) -> f64 {
        (mean_crf(&self.pieces, self.frames) * 100.0).round() / 100.0
    }

    /// What the scheduler is told of it when the run goes on; nothing where a record says of no try that it is whole.
    pub(crate) fn kept(&self) -> Option<ScheduleRecord> {
        let (crf, score) = shown(&self.tries, &self.pieces, self.harmonic_mean, self.aim)?;
        let chunk = self.chunk;
        Some(ScheduleRecord::Kept { chunk, crf, score, probe: self.probe, slope: self.slope })
    }
}
