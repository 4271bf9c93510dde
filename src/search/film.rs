//! What is known of the film whose chunks are encoded.
#![deny(unsafe_code)]

use super::feed::FeedFound;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{PoolStats, Shown};
use crate::store::job::{FrameTime, Job};

/// The frames of a film that is encoded in chunks, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Film {
    /// How the picture is shown.
    pub(crate) shown: Option<Shown>,
    /// Time and duration of each frame.
    pub(crate) times: Vec<FrameTime>,
    /// Digest of each frame's metadata.
    pub(crate) messages: Vec<u64>,
    /// Frames in each chunk.
    pub(crate) chunks: Vec<u64>,
}

impl Film {
    /// The mean over its frames of the CRFs of the chunks in `job`.
    pub(crate) fn mean_crf(&self, job: &Job) -> f64 {
        let weighted =
            |(chunk, frames): (usize, &u64)| job.finished(chunk).map_or(0.0, |record| record.crf() * *frames as f64);
        self.chunks.iter().enumerate().map(weighted).sum::<f64>() / (self.times.len() as f64).max(1.0)
    }
}

/// What the stages found.
pub(super) struct SearchFound {
    pub(super) film: Film,
    pub(super) feed: FeedFound,
    pub(super) pool: PoolStats,
}

impl SearchFound {
    /// Refuses a film without pictures.
    pub(super) fn check(self, stream: usize) -> Result<Self> {
        if !self.film.times.is_empty() {
            return Ok(self);
        }
        let damage = self.feed.read.stats.first_error.clone().or(self.feed.stopped.clone());
        let why = damage.map_or(String::new(), |e| format!(" ({e})"));
        let message = format!("no picture of it can be decoded{why}");
        Err(Error::new(ErrorKind::Input, message).with_stream(stream))
    }
}
