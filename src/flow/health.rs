//! What a run looks like at one moment.

use std::fmt;

use serde::Serialize;

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunState {
    /// It was not started.
    Idle,
    /// Items flow.
    Running,
    /// Sources were told to stop; what is in flight is finished.
    Draining,
    /// Nothing moved for half the time after which the run is stopped.
    Stalled,
    /// A stage failed.
    Error,
    /// All stages ended, or were told to by a cancel.
    Stopped,
}

/// The health of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Of the whole.
    pub state: RunState,
    /// In the order in which they were added.
    pub stages: Vec<StageHealth>,
}

/// The health of one stage.
#[derive(Clone, Debug, Serialize)]
pub struct StageHealth {
    /// Name.
    pub name: String,
    /// Items handled so far.
    pub items: u64,
    /// Mean seconds of work an item, without waiting; 0 before the first.
    pub mean_s: f64,
    /// Items that wait in its input queues.
    pub queue_depth: usize,
    /// Items that its input queues may hold.
    pub queue_capacity: usize,
    /// Seconds spent waiting for the stage before, up to now.
    pub blocked_in_s: f64,
    /// Seconds spent waiting for the stage after, up to now.
    pub blocked_out_s: f64,
    /// Whether it holds up a run that is stalled.
    pub stalled: bool,
    /// Whether an input queue is at least four fifths full, in items or in bytes.
    pub back_pressured: bool,
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RunState::Idle => "idle",
            RunState::Running => "running",
            RunState::Draining => "draining",
            RunState::Stalled => "stalled",
            RunState::Error => "error",
            RunState::Stopped => "stopped",
        })
    }
}

impl fmt::Display for Health {
    /// A table, one line a stage.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.stages.iter().map(|s| s.name.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "{}", self.state)?;
        write!(f, "{:width$}  {:>9}  {:>10}  {:>11}  {:>9}  {:>9}", "stage", "items", "mean", "queue", "in", "out")?;
        for s in &self.stages {
            let queue = match s.queue_capacity {
                0 => "-".to_owned(),
                capacity => format!("{}/{capacity}", s.queue_depth),
            };
            write!(
                f,
                "\n{:width$}  {:>9}  {:>7.3} ms  {:>11}  {:>7.2} s  {:>7.2} s",
                s.name,
                s.items,
                s.mean_s * 1e3,
                queue,
                s.blocked_in_s,
                s.blocked_out_s
            )?;
            for (is, what) in [(s.stalled, "stalled"), (s.back_pressured, "back-pressured")] {
                if is {
                    write!(f, "  {what}")?;
                }
            }
        }
        Ok(())
    }
}
