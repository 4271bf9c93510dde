//! What each stage of a pipeline is doing: counted for the report, watched for the watchdog.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Where a stage spends its time when it does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// For the stage before it.
    Input,
    /// For the stage after it.
    Output,
}

const WORKING: u8 = 0;
const BLOCKED_IN: u8 = 1;
const BLOCKED_OUT: u8 = 2;
const DONE: u8 = 3;

/// One stage's counters. Written by the stage's own thread, read by anyone.
pub(crate) struct StageMeter {
    name: String,
    start: Instant,
    state: AtomicU8,
    items: AtomicU64,
    /// Microseconds since `start` of the last sign of progress.
    last_progress: AtomicU64,
    blocked_in: AtomicU64,
    blocked_out: AtomicU64,
    end: AtomicU64,
    queue_high_water: AtomicUsize,
}

/// A stage's part of the report.
#[derive(Clone, Debug, Serialize)]
pub struct StageReport {
    /// Name.
    pub name: String,
    /// Packets or frames handled.
    pub items: u64,
    /// Seconds not spent waiting for neighbours.
    pub busy_s: f64,
    /// Seconds spent waiting for the stage before.
    pub blocked_in_s: f64,
    /// Seconds spent waiting for the stage after.
    pub blocked_out_s: f64,
    /// The most items its outgoing queue held.
    pub queue_high_water: usize,
}

impl StageMeter {
    pub(crate) fn new(name: impl Into<String>) -> Arc<Self> {
        Arc::new(StageMeter {
            name: name.into(),
            start: Instant::now(),
            state: AtomicU8::new(WORKING),
            items: AtomicU64::new(0),
            last_progress: AtomicU64::new(0),
            blocked_in: AtomicU64::new(0),
            blocked_out: AtomicU64::new(0),
            end: AtomicU64::new(0),
            queue_high_water: AtomicUsize::new(0),
        })
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// Counts one item handled.
    pub(crate) fn item(&self) {
        self.items.fetch_add(1, Ordering::Relaxed);
        self.last_progress.store(self.now(), Ordering::Relaxed);
    }

    /// Items handled so far.
    pub(crate) fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    /// Marks the stage as waiting until the guard is dropped.
    pub(crate) fn wait(self: &Arc<Self>, what: Waiting) -> WaitGuard {
        self.state.store(if what == Waiting::Input { BLOCKED_IN } else { BLOCKED_OUT }, Ordering::Relaxed);
        WaitGuard { meter: Arc::clone(self), what, since: Instant::now() }
    }

    pub(crate) fn note_queue(&self, length: usize) {
        self.queue_high_water.fetch_max(length, Ordering::Relaxed);
    }

    /// Marks the stage as finished, for good or ill.
    pub(crate) fn done(&self) {
        self.end.store(self.now().max(1), Ordering::Relaxed);
        self.state.store(DONE, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> StageReport {
        let seconds = |micros: u64| micros as f64 / 1e6;
        let end = self.end.load(Ordering::Relaxed);
        let total = seconds(if end == 0 { self.now() } else { end });
        let blocked_in_s = seconds(self.blocked_in.load(Ordering::Relaxed));
        let blocked_out_s = seconds(self.blocked_out.load(Ordering::Relaxed));
        StageReport {
            name: self.name.clone(),
            items: self.items(),
            busy_s: (total - blocked_in_s - blocked_out_s).max(0.0),
            blocked_in_s,
            blocked_out_s,
            queue_high_water: self.queue_high_water.load(Ordering::Relaxed),
        }
    }
}

/// See [`StageMeter::wait`].
pub(crate) struct WaitGuard {
    meter: Arc<StageMeter>,
    what: Waiting,
    since: Instant,
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        let total = if self.what == Waiting::Input { &self.meter.blocked_in } else { &self.meter.blocked_out };
        total.fetch_add(self.since.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.meter.last_progress.store(self.meter.now(), Ordering::Relaxed);
        self.meter.state.store(WORKING, Ordering::Relaxed);
    }
}

/// Finds the stage that holds everyone up.
///
/// A pipeline stands still when no stage made progress for `limit`. The culprit is then a stage that is
/// neither waiting nor done; if all wait (for each other), they are all named.
pub(crate) fn stalled(stages: &[Arc<StageMeter>], limit: Duration) -> Option<String> {
    let limit = limit.as_micros() as u64;
    let running: Vec<_> = stages.iter().filter(|s| s.state.load(Ordering::Relaxed) != DONE).collect();
    let still = |s: &&&Arc<StageMeter>| s.now().saturating_sub(s.last_progress.load(Ordering::Relaxed)) >= limit;
    if running.is_empty() || !running.iter().all(|s| still(&s)) {
        return None;
    }
    let working: Vec<&str> =
        running.iter().filter(|s| s.state.load(Ordering::Relaxed) == WORKING).map(|s| s.name.as_str()).collect();
    if working.is_empty() {
        let all: Vec<&str> = running.iter().map(|s| s.name.as_str()).collect();
        return Some(format!("{} wait for each other", all.join(", ")));
    }
    Some(working.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(30);

    #[test]
    fn the_watchdog_names_the_stage_that_works_without_end_not_those_that_wait_for_it() {
        let stages = [StageMeter::new("decode"), StageMeter::new("encode"), StageMeter::new("mux")];
        let _full = stages[0].wait(Waiting::Output);
        let _empty = stages[2].wait(Waiting::Input);
        std::thread::sleep(SOON);
        assert_eq!(stalled(&stages, SOON).as_deref(), Some("encode"));
    }

    #[test]
    fn a_pipeline_in_which_anyone_moves_is_not_stalled() {
        let stages = [StageMeter::new("decode"), StageMeter::new("encode")];
        std::thread::sleep(SOON);
        stages[0].item();
        assert_eq!(stalled(&stages, SOON), None);
    }

    #[test]
    fn stages_that_all_wait_are_all_named_and_finished_ones_are_not() {
        let stages = [StageMeter::new("demux"), StageMeter::new("decode"), StageMeter::new("mux")];
        stages[0].done();
        let _a = stages[1].wait(Waiting::Output);
        let _b = stages[2].wait(Waiting::Input);
        std::thread::sleep(SOON);
        assert_eq!(stalled(&stages, SOON).as_deref(), Some("decode, mux wait for each other"));
    }

    #[test]
    fn busy_time_is_what_is_left_after_waiting() {
        let stage = StageMeter::new("encode");
        drop(stage.wait(Waiting::Input));
        let guard = stage.wait(Waiting::Output);
        std::thread::sleep(SOON);
        drop(guard);
        stage.done();
        let report = stage.report();
        assert!(report.blocked_out_s >= 0.03 && report.busy_s < 0.03, "{report:?}");
    }
}
