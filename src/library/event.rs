//! What a batch tells those who watch it.
#![deny(unsafe_code)]

use serde::Serialize;

use super::breaker::FailureCause;
use super::replace::SourceFate;
use super::rules::SkipRule;
use crate::event::{Event, JobId, Silent};
use crate::report::Report;

/// Something that happened in a batch. `file` is the film's position in the plan, from 0 on.
///
/// Serialises as `{"event": "...", ...}`; what happens within an encode as that encode's own event, with the fields `file`
/// and `job`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BatchEvent {
    /// The batch begins.
    BatchStarted {
        /// Films of the plan.
        films: usize,
        /// Those that are to be encoded or settled.
        to_do: usize,
        /// Bytes of those.
        bytes: u64,
        /// As many are encoded at once at most.
        jobs: usize,
    },
    /// A film's turn came.
    FileStarted {
        /// The film.
        file: usize,
        /// Films of the plan.
        total: usize,
        /// The film's path.
        input: String,
        /// The output's path.
        output: String,
        /// Bytes of the film.
        bytes: u64,
    },
    /// A film's output is verified and in place.
    FileDone {
        /// The film.
        file: usize,
        /// The film's path.
        input: String,
        /// The output's path, where it was written; [`SourceFate::Replaced`] says where it is now.
        output: String,
        /// Bytes of the film.
        bytes_in: u64,
        /// Bytes of the output.
        bytes_out: u64,
        /// How much smaller that is, in percent of the film; negative if it grew.
        reduction_percent: f64,
        /// Seconds it took.
        wall_s: f64,
        /// What became of the film.
        #[serde(flatten)]
        fate: SourceFate,
    },
    /// A film was left alone, or encoded for nothing.
    FileSkipped {
        /// The film.
        file: usize,
        /// The film's path.
        input: String,
        /// Why.
        #[serde(flatten)]
        rule: SkipRule,
        /// The same as a sentence without its full stop.
        message: String,
    },
    /// A film failed. The batch goes on.
    FileFailed {
        /// The film.
        file: usize,
        /// The film's path.
        input: String,
        /// What that tells of other films.
        cause: FailureCause,
        /// What went wrong and where.
        message: String,
    },
    /// A film was stopped.
    FileInterrupted {
        /// The film.
        file: usize,
        /// The film's path.
        input: String,
        /// Whether the next run goes on from chunks that are finished.
        resumable: bool,
    },
    /// Something of a film that the user should know and that does not stop it.
    FileWarning {
        /// The film.
        file: usize,
        /// The film's path.
        input: String,
        /// One sentence.
        message: String,
    },
    /// No more films are begun: all would fail of one cause.
    BreakerOpen {
        /// The cause.
        cause: FailureCause,
        /// One sentence.
        message: String,
    },
    /// The batch has ended.
    BatchFinished {
        /// Films whose outputs are in place.
        done: usize,
        /// Films that were left alone or encoded for nothing.
        skipped: usize,
        /// Films that failed.
        failed: usize,
        /// Films that were stopped, or whose turn did not come.
        left: usize,
        /// Bytes of the films that are done.
        bytes_in: u64,
        /// Bytes of their outputs.
        bytes_out: u64,
        /// Seconds the batch took.
        wall_s: f64,
    },
    /// Something that happened within the encode of a film.
    #[serde(untagged)]
    File {
        /// The film.
        file: usize,
        /// The job that encodes it.
        job: JobId,
        /// What happened.
        #[serde(flatten)]
        event: Event,
    },
}

/// Receives what happens in a batch. Called from worker threads, so it must be quick and never block for long.
pub trait BatchSink: Send + Sync {
    /// Takes one event.
    fn batch_event(&self, event: &BatchEvent);

    /// Takes the report of a film that was encoded and verified, before rules look at it.
    fn film_report(&self, file: usize, report: &Report) {
        let _ = (file, report);
    }
}

impl BatchSink for Silent {
    fn batch_event(&self, _: &BatchEvent) {}
}

impl<F: Fn(&BatchEvent) + Send + Sync> BatchSink for F {
    fn batch_event(&self, event: &BatchEvent) {
        self(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_an_encode_are_its_own_with_the_film_and_the_job() {
        let event = BatchEvent::File { file: 3, job: JobId(7), event: Event::Stage { name: "verify" } };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json, serde_json::json!({"file": 3, "job": 7, "event": "stage", "name": "verify"}));
        let chunk = Event::Chunk { index: 1, start_s: 0.0, frames: 2, crf: 3.0, vmaf: 4.0, attempts: 5, bytes: 6 };
        let json = serde_json::to_value(BatchEvent::File { file: 3, job: JobId(7), event: chunk }).unwrap();
        assert_eq!((&json["file"], &json["index"]), (&3.into(), &1.into()));
    }

    #[test]
    fn events_of_a_batch_have_their_numbers_and_a_sentence() {
        let rule = SkipRule::TooShort { duration_s: 30.0, least_s: 60.0 };
        let message = rule.to_string();
        let event = BatchEvent::FileSkipped { file: 0, input: "a.mkv".to_owned(), rule, message };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["event"], "file_skipped");
        assert_eq!((&json["rule"], &json["least_s"]), (&"too_short".into(), &60.0.into()));
        assert_eq!(json["message"], "it is 0:30 long, and 1:00 is the least");
    }
}
