//! Cooperative cancellation: one flag, shared by every stage of a run; and with it whether a run waits, and how fast it may
//! read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Error, ErrorKind, Result};

/// A flag that any thread may set and every stage looks at between items.
///
/// Clones share the flag. Once set it stays set. A stage that fails sets it *before* dropping its
/// channel ends, so that its neighbours can tell a failure from the end of the stream.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Node>);

#[derive(Debug, Default)]
struct Node {
    flag: AtomicBool,
    paused: AtomicBool,
    parent: Option<CancelToken>,
    pace: Option<Pace>,
}

/// Bytes a second, over all that share it.
#[derive(Debug)]
struct Pace {
    bytes_a_second: f64,
    /// When what was read so far is paid for.
    paid: Mutex<Instant>,
}

impl Pace {
    /// How much may come at once after a while without any.
    const BURST: Duration = Duration::from_millis(250);

    /// Counts bytes; how long to wait until they are paid for.
    fn take(&self, bytes: usize, now: Instant) -> Duration {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_a_second);
        *paid = (*paid).max(now.checked_sub(Self::BURST).unwrap_or(now)) + cost;
        paid.saturating_duration_since(now)
    }
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that is cancelled with this one, but whose own cancelling leaves this one alone: for a run
    /// that stops itself on a failure.
    #[must_use]
    pub fn child(&self) -> Self {
        self.with(None)
    }

    /// As [`child`](Self::child), for a run that may read so many bytes a second: all that share the token together.
    #[must_use]
    pub(crate) fn with_pace(&self, bytes_a_second: Option<u64>) -> Self {
        self.with(
            bytes_a_second.map(|rate| Pace { bytes_a_second: rate.max(1) as f64, paid: Mutex::new(Instant::now()) }),
        )
    }

    fn with(&self, pace: Option<Pace>) -> Self {
        CancelToken(Arc::new(Node { parent: Some(self.clone()), pace, ..Node::default() }))
    }

    /// Has everyone who holds a clone or a child wait, from the next item on, until [`resume`](Self::resume). What a library
    /// works on at that moment it works on to its end.
    pub fn pause(&self) {
        self.0.paused.store(true, Ordering::Release);
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.0.paused.store(false, Ordering::Release);
    }

    /// Whether this token or one above it is paused.
    pub fn is_paused(&self) -> bool {
        self.0.paused.load(Ordering::Acquire) || self.0.parent.as_ref().is_some_and(CancelToken::is_paused)
    }

    /// Says that bytes were read, and waits until they may have been; not longer than until the run is cancelled.
    pub(crate) fn was_read(&self, bytes: usize) {
        let paces = std::iter::successors(Some(self), |token| token.0.parent.as_ref());
        let wait = paces.filter_map(|token| token.0.pace.as_ref()).map(|pace| pace.take(bytes, Instant::now())).max();
        let Some(end) = wait.map(|wait| Instant::now() + wait) else { return };
        while !self.is_cancelled() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// Asks everyone who holds a clone or a child to stop. Safe from any thread, any number of times.
    pub fn cancel(&self) {
        self.0.flag.store(true, Ordering::Release);
    }

    /// Whether this token or one above it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.flag.load(Ordering::Acquire) || self.0.parent.as_ref().is_some_and(CancelToken::is_cancelled)
    }

    /// `Err(Interrupted)` once cancelled, for use with `?` between items. Waits while there is a pause.
    pub fn check(&self) -> Result<()> {
        while self.is_paused() && !self.is_cancelled() {
            std::thread::sleep(LOOK);
        }
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "cancelled"));
        }
        Ok(())
    }
}

/// How soon a run that waits goes on once it may, or is cancelled.
const LOOK: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stops_with_its_parent_and_not_the_other_way_round() {
        let parent = CancelToken::new();
        let (first, second) = (parent.child(), parent.child());
        first.cancel();
        assert!(first.is_cancelled() && !second.is_cancelled() && !parent.is_cancelled());
        parent.cancel();
        assert_eq!(second.check().unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[test]
    fn what_is_read_is_paid_for_at_the_pace_and_a_pause_earns_a_quarter_of_a_second() {
        let begun = Instant::now();
        let pace = Pace { bytes_a_second: 1000.0, paid: Mutex::new(begun) };
        let after = |ms| begun + Duration::from_millis(ms);
        assert_eq!(pace.take(500, begun), Duration::from_millis(500));
        assert_eq!(pace.take(500, after(250)), Duration::from_millis(750));
        assert_eq!(pace.take(500, after(10_000)), Duration::from_millis(250));
        let shared = CancelToken::new().with_pace(Some(1 << 20));
        let (one, other) = (shared.child(), shared.child());
        let begun = Instant::now();
        for token in [one, other] {
            token.was_read(200 << 10);
        }
        // 400 KiB at a MiB a second.
        assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
        shared.cancel();
        let begun = Instant::now();
        shared.was_read(usize::MAX / 2);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_pause_holds_all_below_it_until_it_ends_or_they_are_cancelled() {
        let parent = CancelToken::new();
        let (child, other) = (parent.child(), parent.child());
        parent.pause();
        assert!(child.is_paused());
        let waits = std::thread::spawn(move || child.check());
        let stopped = {
            let other = other.clone();
            std::thread::spawn(move || other.check())
        };
        other.cancel();
        assert_eq!(stopped.join().unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        assert!(!waits.is_finished());
        parent.resume();
        waits.join().unwrap().unwrap();
    }
}
