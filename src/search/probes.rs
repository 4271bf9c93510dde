//! Probes that were made before, of the same frames by the same encoder at the same CRF: a run that is repeated makes them no
//! second time, nor does one for another target that is probed at the same CRF.
//!
//! Law: what is remembered is to the last bit what the probe would come to, so that a run decides as it would without.
#![deny(unsafe_code)]

use std::path::Path;

use super::workers::TryJob;
use crate::base::Result;
use crate::plan::ScoredFrames;
use crate::store::cache::{Cache, CacheKey, CachedTry};
use crate::store::job::content_hash;

/// The probes of one film.
pub(super) struct ProbeMemory {
    cache: Cache,
    /// Of the source's content.
    source: [u8; 32],
}

impl ProbeMemory {
    /// Of the film at `source`, in the cache at `file`; `None` where there is none to be had, which stops no run.
    pub(super) fn open(file: Option<&Path>, source: &Path) -> Option<Self> {
        let opened = Cache::open(file?).and_then(|(cache, said)| {
            said.iter().for_each(|warning| tracing::warn!(%warning, "the cache"));
            Ok(ProbeMemory { cache, source: content_hash(source)? })
        });
        opened.inspect_err(|error| tracing::warn!(%error, "no probe is remembered")).ok()
    }

    /// All that decides what the probe of `job` comes to.
    fn key(&self, job: &TryJob) -> Result<[u8; 32]> {
        // Where the film is and how many threads work on it change nothing.
        let mut job = TryJob { source: Default::default(), ..job.clone() };
        job.encode.parallelism = 0;
        let text = serde_json::to_string(&job).map_err(|e| {
            crate::base::Error::new(crate::base::ErrorKind::Encode, "cannot write a job as JSON").caused_by(e)
        })?;
        let key = CacheKey::new("probe").with("source", self.source).with("job", text);
        let versions = crate::stages::versions().into_iter();
        Ok(versions.fold(key, |key, (name, version)| key.with(&name, version)).bytes())
    }

    /// What the probe came to, and its bytes; `None` where it is to be made.
    pub(super) fn known(&self, job: &TryJob) -> Option<(ScoredFrames, u64)> {
        let found = self.cache.scores(&self.key(job).ok()?)?;
        let scores: ScoredFrames = serde_json::from_str(&found.json).ok()?;
        Some((scores, found.bytes))
    }

    /// Remembers what it came to.
    pub(super) fn keep(&self, job: &TryJob, scores: &ScoredFrames, bytes: u64) {
        let (Ok(key), Ok(json)) = (self.key(job), serde_json::to_string(scores)) else { return };
        self.cache
            .keep_scores(&key, &CachedTry { bytes, frames: job.span.frames, scores: scores.frames.clone(), json });
    }
}
