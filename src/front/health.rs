//! How a job is, while it runs.

use serde::Serialize;

use crate::engine::StageReport;

/// What a job is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JobState {
    /// It has not begun.
    #[default]
    Idle,
    /// It encodes.
    Running,
    /// All is encoded; what was written is brought to its end and verified.
    Draining,
    /// Nothing moves.
    Stalled,
    /// It failed.
    Error,
    /// It ended, or was cancelled.
    Stopped,
}

/// How a job is.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// What it is doing.
    pub state: JobState,
    /// What each stage has done so far; empty until the stages can be asked while they run, filled after the end.
    pub stages: Vec<StageReport>,
}
