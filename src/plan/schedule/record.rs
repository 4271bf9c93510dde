//! What is written down of tries and of what decisions read.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::super::chunks::ChunkMeans;
use super::super::policy::Tier;
use super::super::prior::ChunkOutcome;
use super::super::search::{Clamp, Observation};
use super::super::tail::Piece;
use super::super::watch::Profile;
use crate::media::Crf;

/// A try of a chunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TryRecord {
    /// The chunk.
    pub chunk: usize,
    /// Position in the chunk of the first frame that was encoded: 0, or where an end begins that was encoded alone.
    #[serde(default)]
    pub from: u64,
    /// Its CRF.
    pub crf: Crf,
    /// How the chunk was searched then.
    pub tier: Tier,
    /// Every how many-th frame was scored.
    pub stride: u32,
    /// Whether all of the chunk from there on was encoded.
    pub whole: bool,
    /// The score of the chunk (harmonic mean) with it, or what it would have been.
    pub score: f64,
    /// Frames the encoder gave out.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it was made, and what came of it.
    pub reason: String,
}

impl TryRecord {
    /// What the search reads of a try of all of the chunk.
    pub fn observation(&self) -> Observation {
        Observation { crf: self.crf, score: self.score, whole: self.whole }
    }
}

/// The scores of an encode of a whole chunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoredFrames {
    /// Every how many-th frame was scored, from the chunk's first.
    pub stride: u32,
    /// Pooled over them.
    pub harmonic_mean: f64,
    /// Of each of them, in display order: score `i` is of the frame at position `i * stride`; in a chunk of several pieces
    /// each piece's are counted from its own first frame. JSON keeps them to the last bit, because what a later try is held
    /// against must be the same after a resume.
    pub frames: Vec<f64>,
}

impl ScoredFrames {
    /// The standard error of its harmonic mean for all frames, by how scores that follow each other differ (Wolter,
    /// "Introduction to Variance Estimation", systematic sampling); 0 where every frame was scored.
    pub fn doubt(&self) -> f64 {
        let n = self.frames.len() as f64;
        if self.stride <= 1 || self.frames.len() < 2 {
            return 0.0;
        }
        // The harmonic mean is a function of the mean of these.
        let inverse = |score: &f64| 1.0 / (score + 1.0);
        let mean = self.frames.iter().map(inverse).sum::<f64>() / n;
        let steps = self.frames.windows(2).map(|pair| (inverse(&pair[0]) - inverse(&pair[1])).powi(2)).sum::<f64>();
        let variance = steps / (2.0 * (n - 1.0)) / n * (1.0 - 1.0 / f64::from(self.stride));
        variance.sqrt() / (mean * mean)
    }

    /// What a later try of the chunk is held against.
    pub fn profile(&self) -> Profile {
        let at = (0..).step_by(self.stride.max(1) as usize);
        Profile::new(at.zip(self.frames.iter().copied()), self.harmonic_mean)
    }
}

/// Something a decision reads, as it goes into the journal and comes back by
/// [`ScheduleEvent::Restored`](super::ScheduleEvent::Restored).
///
/// Law: records of one chunk stay in their order, and [`Title`](Self::Title) stays where it is among all. JSON gives
/// every number back as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum ScheduleRecord {
    /// What the probe of a chunk came to.
    Probe {
        /// Which.
        chunk: usize,
        /// Its scores.
        scores: ScoredFrames,
        /// Its bytes.
        #[serde(default)]
        bytes: u64,
    },
    /// What a try came to.
    Try {
        /// The try.
        tried: TryRecord,
        /// The scores of the frames it encoded, as in [`ScoredFrames`]; none where it was stopped.
        frames: Vec<f64>,
    },
    /// The score of a chunk's source against itself.
    Ceiling {
        /// Which.
        chunk: usize,
        /// VMAF.
        score: f64,
    },
    /// What the calibration of a title came to: from here on its chunks are made.
    Title {
        /// The CRF of all its chunks, or about what it would be.
        crf: Crf,
        /// The score below which no stretch of it is to fall, where each chunk has a CRF of its own.
        #[serde(default)]
        worst: Option<f64>,
    },
    /// A chunk whose bytes are safe. No action carries it: it is for who keeps the bytes to write down when they are
    /// where they stay, and to restore while they are there.
    Kept {
        /// Which.
        chunk: usize,
        /// The CRF of the encode of all of it that is nearest to what was aimed at.
        crf: Crf,
        /// The score of that.
        score: f64,
        /// The score of its probe.
        probe: Option<f64>,
        /// See [`slope_of`].
        slope: Option<f64>,
    },
}

impl ScheduleRecord {
    /// The chunk it is of; none where it is of the title.
    pub fn chunk(&self) -> Option<usize> {
        match self {
            ScheduleRecord::Try { tried, .. } => Some(tried.chunk),
            ScheduleRecord::Probe { chunk, .. }
            | ScheduleRecord::Ceiling { chunk, .. }
            | ScheduleRecord::Kept { chunk, .. } => Some(*chunk),
            ScheduleRecord::Title { .. } => None,
        }
    }
}

/// The CRF and the score of a whole try of a chunk that is kept in `pieces`, a point of its curve: of its own bytes where
/// they are of one piece, so that they have this `score`; else of the try nearest to `aim`.
pub fn shown(tries: &[TryRecord], pieces: &[Piece], score: f64, aim: f64) -> Option<(Crf, f64)> {
    let nearest_to = if pieces.len() > 1 { aim } else { score };
    let miss = |t: &&TryRecord| (t.score - nearest_to).abs();
    let wholes = tries.iter().filter(|t| t.whole && t.from == 0);
    wholes.min_by(|a, b| miss(a).total_cmp(&miss(b)).then(a.crf.cmp(&b.crf))).map(|t| (t.crf, t.score))
}

/// A chunk whose bytes are decided, and all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptChunk {
    /// Which.
    pub chunk: usize,
    /// The pieces of its bytes, in order; the first from 0.
    pub pieces: Vec<Piece>,
    /// The score aimed at.
    pub aim: f64,
    /// The scores of its bytes.
    pub scores: ScoredFrames,
    /// The score of the source against itself, where it was measured.
    pub ceiling: Option<f64>,
    /// The score of its probe, if it had one.
    pub probe: Option<f64>,
    /// Why it is not at the target as asked, if it is not.
    pub clamp: Option<Clamp>,
    /// The distance a CRF that its tries showed.
    pub slope: Option<f64>,
    /// All tries, in order.
    pub tries: Vec<TryRecord>,
}

impl KeptChunk {
    fn shown(&self) -> Option<(Crf, f64)> {
        shown(&self.tries, &self.pieces, self.scores.harmonic_mean, self.aim)
    }

    #[cfg(test)]
    /// What is restored of it.
    pub fn record(&self) -> Option<ScheduleRecord> {
        let (chunk, (crf, score)) = (self.chunk, self.shown()?);
        Some(ScheduleRecord::Kept { chunk, crf, score, probe: self.probe, slope: self.slope })
    }

    /// What later chunks learn of it.
    pub(super) fn outcome(&self, means: ChunkMeans) -> Option<ChunkOutcome> {
        let (crf, score) = self.shown()?;
        Some(ChunkOutcome { means, crf, score, probe: self.probe, slope: self.slope })
    }
}
