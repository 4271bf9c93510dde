//! What encodes of the same frames came to in earlier runs: a run that is repeated, or has another target, makes none of
//! them a second time but those whose bytes it keeps.
//!
//! Law: what is remembered is to the last bit what the encode would come to, so that a run decides as it would without.
#![deny(unsafe_code)]

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::workers::TryJob;
use crate::base::{Error, ErrorKind, Result};
use crate::plan::{ScheduleEvent, ScoredFrames, TryEnd, Verdict, Watch};
use crate::store::cache::{Cache, CacheKey, CachedTry};
use crate::store::job::content_hash;

/// The encodes of one film.
pub(super) struct TryMemory {
    cache: Cache,
    /// Of the source's content.
    source: [u8; 32],
}

/// What an encode came to when it was made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RememberedTry {
    pub(super) end: TryEnd,
    /// What the encoder gave out then.
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

impl RememberedTry {
    /// As the scheduler is told of it; `remembered` where it was not made now.
    ///
    /// # Errors
    /// `Encode` for a probe that was stopped, which nothing does.
    pub(super) fn event(self, chunk: usize, probe: bool, remembered: bool) -> Result<ScheduleEvent> {
        let RememberedTry { end, frames, bytes } = self;
        match end {
            TryEnd::Whole(scores) if probe => Ok(ScheduleEvent::Probed { chunk, scores, bytes }),
            TryEnd::Stopped { .. } if probe => {
                Err(Error::new(ErrorKind::Encode, "internal error: a probe that nothing watched was stopped"))
            }
            end => Ok(ScheduleEvent::Tried { chunk, end, frames, bytes, remembered }),
        }
    }
}

/// What is kept of it beside the scores of frames.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptEnd {
    Whole { harmonic_mean: f64 },
    Stopped { estimate: f64 },
}

impl TryMemory {
    /// Of the film at `source`, in the cache at `file`; `None` where there is none to be had, which stops no run.
    pub(super) fn open(file: Option<&Path>, source: &Path) -> Option<Self> {
        let opened = Cache::open(file?).and_then(|(cache, said)| {
            said.iter().for_each(|warning| tracing::warn!(%warning, "the cache"));
            Ok(TryMemory { cache, source: content_hash(source)? })
        });
        opened.inspect_err(|error| tracing::warn!(%error, "no try is remembered")).ok()
    }

    /// All that decides what `job` comes to.
    fn key(&self, job: &TryJob) -> Result<[u8; 32]> {
        // Where the film is and how many threads work on it change nothing.
        let mut job = TryJob { source: Default::default(), ..job.clone() };
        job.encode.parallelism = 0;
        let text = serde_json::to_string(&job)
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot write a job as JSON").caused_by(e))?;
        let key = CacheKey::new("try").with("source", self.source).with("job", text);
        let versions = crate::stages::versions().into_iter();
        Ok(versions.fold(key, |key, (name, version)| key.with(&name, version)).bytes())
    }

    /// What `job` came to; `None` where it has to be done.
    pub(super) fn known(&self, job: &TryJob) -> Option<RememberedTry> {
        let unwatched = TryJob { watch: None, ..job.clone() };
        match self.of(&unwatched) {
            Some(whole) => Some(watched(job, whole)),
            None if job.watch.is_some() => self.of(job),
            None => None,
        }
    }

    fn of(&self, job: &TryJob) -> Option<RememberedTry> {
        let CachedTry { bytes, frames, scores, json } = self.cache.scores(&self.key(job).ok()?)?;
        let end = match serde_json::from_str(&json).ok()? {
            KeptEnd::Stopped { estimate } => TryEnd::Stopped { estimate },
            KeptEnd::Whole { harmonic_mean } => {
                TryEnd::Whole(ScoredFrames { stride: job.metric.stride.get(), harmonic_mean, frames: scores })
            }
        };
        Some(RememberedTry { end, frames, bytes })
    }

    /// Remembers what `job` came to: what went to its end for any watch, what was stopped for the one that did.
    pub(super) fn keep(&self, job: &TryJob, tried: &RememberedTry) {
        let (job, kept, scores) = match &tried.end {
            TryEnd::Stopped { estimate } => (job.clone(), KeptEnd::Stopped { estimate: *estimate }, Vec::new()),
            TryEnd::Whole(ScoredFrames { harmonic_mean, frames, .. }) => {
                let kept = KeptEnd::Whole { harmonic_mean: *harmonic_mean };
                (TryJob { watch: None, ..job.clone() }, kept, frames.clone())
            }
        };
        let (Ok(key), Ok(json)) = (self.key(&job), serde_json::to_string(&kept)) else { return };
        self.cache.keep_scores(&key, &CachedTry { bytes: tried.bytes, frames: tried.frames, scores, json });
    }
}

/// What an encode that went to its end would have come to under the watch of `job`.
fn watched(job: &TryJob, tried: RememberedTry) -> RememberedTry {
    let (Some(spec), TryEnd::Whole(scores)) = (&job.watch, &tried.end) else { return tried };
    let mut watch = Watch::from(spec.clone());
    let positions = (job.from..).step_by(scores.stride.max(1) as usize);
    let stopped = positions.zip(&scores.frames).find_map(|(at, score)| match watch.observe(at, *score) {
        Verdict::Stop { estimate } => Some(estimate),
        Verdict::Continue => None,
    });
    match stopped {
        Some(estimate) => RememberedTry { end: TryEnd::Stopped { estimate }, ..tried },
        None => tried,
    }
}
