//! Finds a run that stands still, and the stage that holds everyone up. Pure: it is told the time.

use std::fmt;
use std::time::Duration;

use super::meter::Doing;
use crate::base::{Error, ErrorKind};

/// A run stood still: what the error of it has as its [source](std::error::Error::source).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stall {
    /// The stages that hold it up.
    pub(crate) stages: Vec<String>,
    message: String,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Stall {}

impl Stall {
    /// Of a run that stood still for `limit`.
    pub(super) fn of(stages: &[Glance<'_>], limit: Duration) -> Self {
        let message = format!("no progress for {} s in {}", limit.as_secs(), culprits(stages));
        let stages = stages.iter().filter(|s| is_culprit(s, stages)).map(|s| s.name.to_owned()).collect();
        Stall { stages, message }
    }

    /// The stall that `error` tells of, if it does.
    pub(crate) fn in_error(error: &Error) -> Option<&Stall> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

impl From<Stall> for Error {
    fn from(stall: Stall) -> Self {
        Error::new(ErrorKind::Encode, stall.message.clone()).caused_by(stall)
    }
}

/// A stage as the watchdog sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance<'a> {
    pub(super) name: &'a str,
    pub(super) doing: Doing,
    /// Signs of life so far.
    pub(super) signs: u64,
}

/// Counts how long a run stands still.
///
/// A run stands still while no stage gives a sign of life. A look adds at most `longest` to that, so that a process
/// which was stopped, or a machine that slept, comes back to a run that is as alive as it was. While stages wait for a
/// turn or for someone outside, and no other works, time does not count at all.
pub(super) struct Watchdog {
    limit: Duration,
    longest: Duration,
    still: Duration,
    seen: Option<u64>,
    last: Duration,
}

impl Watchdog {
    /// A watchdog that looks from `now` on, and stops a run that stands still for `limit`.
    pub(super) fn new(limit: Duration, longest: Duration, now: Duration) -> Self {
        Watchdog { limit, longest, still: Duration::ZERO, seen: None, last: now }
    }

    /// Looks at the stages at time `now`.
    pub(super) fn look(&mut self, now: Duration, stages: &[Glance<'_>]) {
        let step = now.saturating_sub(self.last).min(self.longest);
        self.last = now;
        let signs = stages.iter().fold(0, |sum, stage| stage.signs.wrapping_add(sum));
        let running = || stages.iter().map(|s| s.doing).filter(|d| *d != Doing::Done);
        if self.seen.replace(signs) != Some(signs) || running().next().is_none() {
            self.still = Duration::ZERO;
            return;
        }
        let elsewhere = running().any(|d| matches!(d, Doing::Turn | Doing::InputOutside | Doing::OutputOutside));
        let works = running().any(|d| d == Doing::Working);
        if works || !elsewhere {
            self.still += step;
        }
    }

    /// Whether the run stood still for half the limit.
    pub(super) fn is_uneasy(&self) -> bool {
        self.still >= self.limit / 2
    }

    /// Whether the run stood still for the whole limit.
    pub(super) fn is_stalled(&self) -> bool {
        self.still >= self.limit
    }
}

/// Whether `stage` is one that holds the others up: one that neither waits nor ended; if all wait, all of them.
pub(super) fn is_culprit(stage: &Glance<'_>, all: &[Glance<'_>]) -> bool {
    match all.iter().any(|s| s.doing == Doing::Working) {
        true => stage.doing == Doing::Working,
        false => stage.doing != Doing::Done,
    }
}

/// The stages that hold the run up, in words.
pub(super) fn culprits(stages: &[Glance<'_>]) -> String {
    let names: Vec<&str> = stages.iter().filter(|s| is_culprit(s, stages)).map(|s| s.name).collect();
    let names = names.join(", ");
    match stages.iter().any(|s| s.doing == Doing::Working) {
        true => names,
        false => format!("{names} wait for each other"),
    }
}
