//! What a batch came to.
#![deny(unsafe_code)]

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::breaker::FailureCause;
use super::replace::SourceFate;
use super::rules::SkipRule;
use crate::base::{Error, ErrorKind};
use crate::config::path_text::lossy;

/// What a film came to. Serialises as `{"outcome": "...", ...}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileOutcome {
    /// Its output is verified and in place.
    Done {
        /// Bytes of the film.
        bytes_in: u64,
        /// Bytes of its output.
        bytes_out: u64,
        /// How much smaller that is, in percent of the film; negative if it grew.
        reduction_percent: f64,
        /// Seconds it took.
        wall_s: f64,
        /// What became of the film.
        #[serde(flatten)]
        fate: SourceFate,
    },
    /// It was left alone, or encoded for nothing.
    Skipped {
        /// Why.
        #[serde(flatten)]
        rule: SkipRule,
        /// The same as a sentence without its full stop.
        message: String,
        /// Where the film is now, where it was renamed.
        #[serde(skip_serializing_if = "Option::is_none")]
        renamed: Option<String>,
    },
    /// It failed; nothing of it was made that would be in the way of another try.
    Failed {
        /// What that tells of other films.
        cause: FailureCause,
        /// The exit code of a program that fails so.
        exit_code: u8,
        /// What went wrong and where.
        message: String,
    },
    /// It was stopped.
    Interrupted {
        /// Whether the next run goes on from chunks that are finished; else it encodes the film anew.
        resumable: bool,
    },
    /// Its turn did not come.
    NotBegun,
}

impl FileOutcome {
    pub(super) fn skipped(rule: SkipRule) -> Self {
        FileOutcome::Skipped { message: rule.to_string(), rule, renamed: None }
    }

    pub(super) fn failed(error: &Error) -> Self {
        FileOutcome::Failed {
            cause: FailureCause::of(error),
            exit_code: error.kind().exit_code(),
            message: error.to_string(),
        }
    }

    /// What another batch with the same settings need not find out again: that the film was encoded for nothing.
    pub fn worth_keeping(&self) -> Option<KnownSkip> {
        match self {
            FileOutcome::Skipped {
                rule: rule @ (SkipRule::NotSmaller { .. } | SkipRule::Unreachable { .. }),
                message,
                ..
            } => Some(KnownSkip { rule: rule.name().to_owned(), message: message.clone() }),
            _ => None,
        }
    }
}

/// A film that was encoded for nothing, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownSkip {
    /// The rule's name: `not_smaller`.
    pub rule: String,
    /// What was said of it.
    pub message: String,
}

/// A film of a batch and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileSummary {
    /// The film.
    #[serde(serialize_with = "lossy")]
    pub input: PathBuf,
    /// Its output.
    #[serde(serialize_with = "lossy")]
    pub output: PathBuf,
    /// What it came to.
    #[serde(flatten)]
    pub outcome: FileOutcome,
}

/// What a batch came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BatchSummary {
    /// Films whose outputs are in place.
    pub done: usize,
    /// Films that were left alone or encoded for nothing.
    pub skipped: usize,
    /// Films that failed.
    pub failed: usize,
    /// Films that were stopped, or whose turn did not come.
    pub left: usize,
    /// Bytes of the films that are done.
    pub bytes_in: u64,
    /// Bytes of their outputs.
    pub bytes_out: u64,
    /// Seconds the batch took.
    pub wall_s: f64,
    /// What all films would have failed of, where the batch gave up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gave_up: Option<FailureCause>,
    /// Every film, in the order of the plan.
    pub items: Vec<FileSummary>,
}

impl BatchSummary {
    /// Of films, in order.
    pub(super) fn new(items: Vec<FileSummary>, wall_s: f64, gave_up: Option<FailureCause>) -> Self {
        let mut summary = BatchSummary { wall_s, gave_up, items, ..BatchSummary::default() };
        for item in &summary.items {
            match &item.outcome {
                FileOutcome::Done { bytes_in, bytes_out, .. } => {
                    summary.done += 1;
                    summary.bytes_in += bytes_in;
                    summary.bytes_out += bytes_out;
                }
                FileOutcome::Skipped { .. } => summary.skipped += 1,
                FileOutcome::Failed { .. } => summary.failed += 1,
                FileOutcome::Interrupted { .. } | FileOutcome::NotBegun => summary.left += 1,
            }
        }
        summary
    }

    /// Adds what a later part of the same work came to.
    pub(super) fn append(&mut self, later: BatchSummary) {
        self.items.extend(later.items);
        let items = std::mem::take(&mut self.items);
        *self = Self::new(items, self.wall_s + later.wall_s, self.gave_up.or(later.gave_up));
    }

    /// The exit code of a program that ran the batch: 130 where it was stopped with films left, that of the failures where
    /// a film failed (1 where they differ, or it gave up), 5 where all were left alone, else 0.
    pub fn exit_code(&self) -> u8 {
        let mut codes = self.items.iter().filter_map(|item| match item.outcome {
            FileOutcome::Failed { exit_code, .. } => Some(exit_code),
            _ => None,
        });
        let first = codes.next();
        match first {
            Some(code) if self.gave_up.is_none() && codes.all(|other| other == code) => code,
            Some(_) => ErrorKind::Encode.exit_code(),
            None if self.left > 0 => ErrorKind::Interrupted.exit_code(),
            None if self.done == 0 && self.skipped > 0 => ErrorKind::Skipped.exit_code(),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done() -> FileOutcome {
        FileOutcome::Done {
            bytes_in: 100,
            bytes_out: 40,
            reduction_percent: 60.0,
            wall_s: 1.0,
            fate: SourceFate::Replaced { film: "a.mkv".into() },
        }
    }

    fn failed(kind: ErrorKind) -> FileOutcome {
        FileOutcome::failed(&Error::new(kind, "broken"))
    }

    fn summary(outcomes: Vec<FileOutcome>) -> BatchSummary {
        let item = |outcome| FileSummary { input: "a".into(), output: "b".into(), outcome };
        BatchSummary::new(outcomes.into_iter().map(item).collect(), 1.0, None)
    }

    #[test]
    fn exit_codes_tell_what_happened() {
        let skipped = || FileOutcome::skipped(SkipRule::AlreadyAv1);
        for (outcomes, code) in [
            (vec![], 0),
            (vec![done(), skipped()], 0),
            (vec![skipped(), skipped()], 5),
            (vec![done(), failed(ErrorKind::Input)], 3),
            (vec![failed(ErrorKind::Input), failed(ErrorKind::Unsupported)], 3),
            (vec![failed(ErrorKind::Input), failed(ErrorKind::Verification)], 1),
            (vec![done(), FileOutcome::NotBegun], 130),
            (vec![FileOutcome::Interrupted { resumable: true }], 130),
        ] {
            assert_eq!(summary(outcomes.clone()).exit_code(), code, "{outcomes:?}");
        }
    }

    #[test]
    fn parts_add_up_and_json_has_the_sentence_beside_the_numbers() {
        let mut all = summary(vec![done(), FileOutcome::NotBegun]);
        all.append(summary(vec![done()]));
        assert_eq!((all.done, all.left, all.bytes_in, all.bytes_out, all.items.len()), (2, 1, 200, 80, 3));
        let json = serde_json::to_value(&all.items[0]).unwrap();
        assert_eq!(
            (&json["outcome"], &json["source"], &json["film"]),
            (&"done".into(), &"replaced".into(), &"a.mkv".into())
        );
        let rule = SkipRule::NotSmaller { bytes_in: 10, bytes_out: 9, reduction_percent: 10.0, least_percent: 20.0 };
        let outcome = FileOutcome::skipped(rule);
        let json = serde_json::to_value(&outcome).unwrap();
        assert_eq!(
            (&json["outcome"], &json["rule"], &json["bytes_in"]),
            (&"skipped".into(), &"not_smaller".into(), &10.into())
        );
        assert_eq!(json["message"], "from 10 B to 9 B is 10.0 % smaller, and 20 % is the least");
        assert_eq!(outcome.worth_keeping().unwrap().rule, "not_smaller");
        assert_eq!(FileOutcome::skipped(SkipRule::AlreadyAv1).worth_keeping(), None);
    }
}
