//! What a run tells those who watch it: one enum, one trait.
//!
//! Owns the vocabulary; refuses to print. Below the command line nothing else speaks.
#![deny(unsafe_code)]

use serde::Serialize;

/// Something that happened in a run. Serialises as `{"event": "...", ...}`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The input was read and the run begins.
    Started {
        /// The input's path.
        input: String,
        /// The output's path.
        output: String,
        /// Frames to come by the container's word; absent where it does not say.
        frames: Option<u64>,
        /// Seconds of film by the container's word.
        duration_s: Option<f64>,
    },
    /// The run moved to another part of the work (`encode`, `verify`).
    Stage {
        /// Its name.
        name: &'static str,
    },
    /// How far the run is; at most a few a second.
    Progress {
        /// The part of the work this counts.
        stage: &'static str,
        /// Video frames done, those of the job's parts before included. Where tries may come to nothing it is the part of
        /// the work that is done, in frames; it never falls.
        frames: u64,
        /// Seconds of film done.
        position_s: f64,
        /// Frames a second since the stage began.
        fps: f64,
        /// Seconds of film a second.
        speed: f64,
        /// Bytes that are kept so far.
        bytes: u64,
        /// Seconds to go for the whole job, tries that are to be expected included, where the total is known.
        eta_s: Option<f64>,
        /// How much of the whole job is done, 0 to 1, tries included; it never falls. Absent where the total is not known.
        done: Option<f64>,
    },
    /// An earlier run of the same job was found and is gone on with.
    Resumed {
        /// Chunks it finished.
        finished: usize,
    },
    /// Samples of the film were tried: the rate factor it is encoded at.
    Sampled {
        /// The rate factor.
        crf: f64,
        /// The score of the samples at it.
        vmaf: f64,
        /// Whether that is the target, within the tolerance.
        reached: bool,
    },
    /// A chunk was found in the film; chunks come in order.
    ChunkPlanned {
        /// Position among the chunks.
        index: usize,
        /// Time of its first frame.
        start_s: f64,
        /// Frames in it.
        frames: u64,
        /// An earlier run finished it.
        finished: bool,
    },
    /// An encode of a chunk, or of its end alone, begins.
    ChunkBegun {
        /// Position among the chunks.
        index: usize,
        /// Which encode of the chunk it is, from 1 on.
        attempt: u32,
        /// Its rate factor.
        crf: f64,
    },
    /// A chunk is finished: its bytes were scored and are on the disk.
    Chunk {
        /// Position among the chunks.
        index: usize,
        /// Time of its first frame.
        start_s: f64,
        /// Frames in it.
        frames: u64,
        /// The rate factor that was kept.
        crf: f64,
        /// Its score: the harmonic mean over the frames that were scored.
        vmaf: f64,
        /// Encodes that were begun for it.
        attempts: u32,
        /// Bytes of its packets.
        bytes: u64,
    },
    /// Something the user should know that does not stop the run.
    Warning {
        /// One sentence.
        message: String,
    },
    /// The output is in place and verified.
    Finished {
        /// The output's path.
        output: String,
        /// Its size.
        bytes: u64,
    },
}

/// A job of this process, from 1 on; no two jobs of a process have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An event and the job it is of. Serialises as the event with a field `job`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct JobEvent<'a> {
    /// What happened.
    #[serde(flatten)]
    pub event: &'a Event,
    /// In which job.
    pub job: JobId,
}

/// Receives events. Called from worker threads, so it must be quick and never block for long.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);

    /// Takes one event of a job that was begun with `start`; without a word of its own, as [`event`](Self::event).
    fn job_event(&self, job: JobId, event: &Event) {
        let _ = job;
        self.event(event);
    }
}

/// A sink that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Sink for Silent {
    fn event(&self, _: &Event) {}
}

impl<F: Fn(&Event) + Send + Sync> Sink for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_job_is_the_event_with_one_more_field() {
        let event = Event::Stage { name: "verify" };
        let alone = serde_json::to_string(&event).unwrap();
        let of_job = serde_json::to_string(&JobEvent { job: JobId(7), event: &event }).unwrap();
        assert_eq!(alone, r#"{"event":"stage","name":"verify"}"#);
        assert_eq!(of_job, r#"{"event":"stage","name":"verify","job":7}"#);
    }
}
