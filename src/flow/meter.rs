//! What each stage is doing: counted for the report, watched for stalls.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use serde::Serialize;

use super::health::StageHealth;

/// What a stage's thread is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It was not started.
    Idle,
    Working,
    /// Waits for the stage before it.
    Input,
    /// Waits for the stage after it.
    Output,
    /// Waits for something that other runs have, an encoder slot say.
    Turn,
    /// Waits for whoever feeds the graph from outside.
    InputOutside,
    /// Waits for whoever takes from the graph outside.
    OutputOutside,
    Done,
}

impl Doing {
    const ALL: [Doing; 8] = [
        Doing::Idle,
        Doing::Working,
        Doing::Input,
        Doing::Output,
        Doing::Turn,
        Doing::InputOutside,
        Doing::OutputOutside,
        Doing::Done,
    ];

    fn of(code: u8) -> Self {
        Self::ALL.get(usize::from(code)).copied().unwrap_or(Doing::Done)
    }
}

/// How full a queue is, and how full it may be and was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueueLevel {
    pub(super) items: usize,
    pub(super) bytes: usize,
    pub(super) item_limit: usize,
    pub(super) byte_limit: usize,
    /// The most it held: what tests hold against the bound.
    #[cfg(test)]
    pub(super) peak: (usize, usize),
}

impl QueueLevel {
    /// At least four fifths of its items or bytes.
    fn is_high(&self) -> bool {
        let high = |n: usize, limit: usize| n as u128 * 5 >= limit as u128 * 4;
        high(self.items, self.item_limit) || high(self.bytes, self.byte_limit)
    }
}

/// A queue as seen by those who only look at it, or end it from outside.
pub(super) trait Gauge: Send + Sync {
    fn level(&self) -> QueueLevel;
    /// Takes no more; what it holds is still given out.
    fn shut(&self);
}

/// One stage's counters. Written by the stage's own thread, read by anyone.
pub(super) struct StageMeter {
    name: String,
    clock: Instant,
    doing: AtomicU8,
    items: AtomicU64,
    /// Counts every sign of life; a watcher that sees it unchanged saw none.
    progress: AtomicU64,
    /// Microseconds on `clock`; 0 until then.
    begin: AtomicU64,
    end: AtomicU64,
    /// Since when the stage waits, if it does.
    since: AtomicU64,
    blocked_in: AtomicU64,
    blocked_out: AtomicU64,
    turn: AtomicU64,
    queue_high_water: AtomicUsize,
    stalled: AtomicBool,
    inputs: Mutex<Vec<Weak<dyn Gauge>>>,
}

/// A stage's part of the report.
#[derive(Clone, Debug, Serialize)]
pub struct StageReport {
    /// Name.
    pub name: String,
    /// Items handled: packets, frames, messages.
    pub items: u64,
    /// Seconds not spent waiting, for neighbours or for a turn.
    pub busy_s: f64,
    /// Seconds spent waiting for the stage before.
    pub blocked_in_s: f64,
    /// Seconds spent waiting for the stage after.
    pub blocked_out_s: f64,
    /// The most items an outgoing queue held.
    pub queue_high_water: usize,
}

/// Seconds of a stage's life.
struct StageTimes {
    busy: f64,
    blocked_in: f64,
    blocked_out: f64,
}

impl StageMeter {
    pub(super) fn new(name: impl Into<String>) -> Arc<Self> {
        Arc::new(StageMeter {
            name: name.into(),
            clock: Instant::now(),
            doing: AtomicU8::new(Doing::Idle as u8),
            items: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            begin: AtomicU64::new(0),
            end: AtomicU64::new(0),
            since: AtomicU64::new(0),
            blocked_in: AtomicU64::new(0),
            blocked_out: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            queue_high_water: AtomicUsize::new(0),
            stalled: AtomicBool::new(false),
            inputs: Mutex::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn now(&self) -> u64 {
        (self.clock.elapsed().as_micros() as u64).max(1)
    }

    pub(super) fn doing(&self) -> Doing {
        Doing::of(self.doing.load(Ordering::Relaxed))
    }

    /// Marks the stage as started.
    pub(super) fn begin(&self) {
        self.begin.store(self.now(), Ordering::Relaxed);
        self.doing.store(Doing::Working as u8, Ordering::Relaxed);
    }

    /// Marks the stage as ended, for good or ill.
    pub(super) fn done(&self) {
        self.end.store(self.now(), Ordering::Relaxed);
        self.doing.store(Doing::Done as u8, Ordering::Relaxed);
        self.progress();
    }

    /// Counts one item handled.
    pub(super) fn item(&self) {
        self.items.fetch_add(1, Ordering::Relaxed);
        self.progress();
    }

    /// Gives a sign of life.
    pub(super) fn progress(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn signs(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    pub(super) fn note_queue(&self, length: usize) {
        // Only this stage's thread writes: a look is cheaper than an exchange.
        if length > self.queue_high_water.load(Ordering::Relaxed) {
            self.queue_high_water.store(length, Ordering::Relaxed);
        }
    }

    pub(super) fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }

    /// Looks at `queue` as one of the stage's inputs.
    pub(super) fn reads(&self, queue: Weak<dyn Gauge>) {
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if !inputs.iter().any(|known| std::ptr::addr_eq(known.as_ptr(), queue.as_ptr())) {
            inputs.push(queue);
        }
    }

    /// Marks the stage as waiting until the guard is dropped.
    pub(super) fn wait(self: &Arc<Self>, what: Doing) -> WaitGuard {
        let before = Doing::of(self.doing.swap(what as u8, Ordering::Relaxed));
        let since = self.now();
        self.since.store(since, Ordering::Relaxed);
        WaitGuard { meter: Arc::clone(self), what, before, since }
    }

    fn total(&self, what: Doing) -> Option<&AtomicU64> {
        match what {
            Doing::Input | Doing::InputOutside => Some(&self.blocked_in),
            Doing::Output | Doing::OutputOutside => Some(&self.blocked_out),
            Doing::Turn => Some(&self.turn),
            Doing::Idle | Doing::Working | Doing::Done => None,
        }
    }

    /// The stage's times up to now, with a wait that is not over.
    fn times(&self) -> StageTimes {
        let (begin, end) = (self.begin.load(Ordering::Relaxed), self.end.load(Ordering::Relaxed));
        let doing = self.doing();
        let now = if end == 0 { self.now() } else { end };
        let running = self.total(doing).map_or(0, |_| now.saturating_sub(self.since.load(Ordering::Relaxed)));
        let seconds = |total: &AtomicU64| {
            let more = if self.total(doing).is_some_and(|t| std::ptr::eq(t, total)) { running } else { 0 };
            (total.load(Ordering::Relaxed) + more) as f64 / 1e6
        };
        let life = if begin == 0 { 0.0 } else { now.saturating_sub(begin) as f64 / 1e6 };
        let (blocked_in, blocked_out) = (seconds(&self.blocked_in), seconds(&self.blocked_out));
        StageTimes { busy: (life - blocked_in - blocked_out - seconds(&self.turn)).max(0.0), blocked_in, blocked_out }
    }

    pub(super) fn report(&self) -> StageReport {
        let times = self.times();
        StageReport {
            name: self.name.clone(),
            items: self.items.load(Ordering::Relaxed),
            busy_s: times.busy,
            blocked_in_s: times.blocked_in,
            blocked_out_s: times.blocked_out,
            queue_high_water: self.queue_high_water.load(Ordering::Relaxed),
        }
    }

    pub(super) fn health(&self) -> StageHealth {
        let times = self.times();
        let items = self.items.load(Ordering::Relaxed);
        let inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        let levels: Vec<QueueLevel> = inputs.iter().filter_map(Weak::upgrade).map(|queue| queue.level()).collect();
        StageHealth {
            name: self.name.clone(),
            items,
            mean_s: if items == 0 { 0.0 } else { times.busy / items as f64 },
            queue_depth: levels.iter().map(|l| l.items).sum(),
            queue_capacity: levels.iter().fold(0, |sum, l| sum.saturating_add(l.item_limit)),
            blocked_in_s: times.blocked_in,
            blocked_out_s: times.blocked_out,
            stalled: self.stalled.load(Ordering::Relaxed),
            back_pressured: levels.iter().any(QueueLevel::is_high),
        }
    }
}

/// See [`StageMeter::wait`].
pub(super) struct WaitGuard {
    meter: Arc<StageMeter>,
    what: Doing,
    before: Doing,
    since: u64,
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        let now = self.meter.now();
        if let Some(total) = self.meter.total(self.what) {
            total.fetch_add(now.saturating_sub(self.since), Ordering::Relaxed);
        }
        self.meter.since.store(now, Ordering::Relaxed);
        self.meter.doing.store(self.before as u8, Ordering::Relaxed);
    }
}
