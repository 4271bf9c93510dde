//! The memory of frames that wait for their chunk's encodes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::base::{CancelToken, Result};

/// How often a waiting decoder looks whether the run was cancelled.
const POLL: Duration = Duration::from_millis(50);

/// What frames may take together.
///
/// Law: one feeder takes memory frame by frame and hands it over to a chunk; the chunk gives it back when it is
/// dropped. The feeder waits only while a chunk is outstanding, so it can never wait for itself: a chunk that alone
/// is larger than the limit goes through.
pub(crate) struct FrameBudget {
    limit: u64,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    held: u64,
    outstanding: usize,
}

/// A chunk's part of the budget.
pub(crate) struct Share {
    budget: Arc<FrameBudget>,
    bytes: u64,
}

impl FrameBudget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(FrameBudget { limit, state: Mutex::default(), freed: Condvar::new() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `bytes`, waiting for chunks to give theirs back.
    pub(crate) fn take(&self, bytes: u64, cancel: &CancelToken) -> Result<()> {
        let mut state = self.lock();
        while state.outstanding > 0 && state.held + bytes > self.limit {
            cancel.check()?;
            state = self.freed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.held += bytes;
        Ok(())
    }

    /// Hands `bytes` that were taken over to a chunk.
    pub(crate) fn hand_over(self: &Arc<Self>, bytes: u64) -> Share {
        self.lock().outstanding += 1;
        Share { budget: Arc::clone(self), bytes }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.held -= self.bytes;
        state.outstanding -= 1;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feeder_waits_for_chunks_but_never_for_itself() {
        let cancel = CancelToken::new();
        let budget = FrameBudget::new(100);
        for _ in 0..5 {
            budget.take(60, &cancel).unwrap();
        }
        let share = budget.hand_over(300);
        let waiting = std::thread::spawn({
            let (budget, cancel) = (Arc::clone(&budget), cancel.clone());
            move || budget.take(60, &cancel)
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        drop(share);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn a_waiting_feeder_can_be_cancelled() {
        let cancel = CancelToken::new();
        let budget = FrameBudget::new(100);
        budget.take(100, &cancel).unwrap();
        let _share = budget.hand_over(100);
        cancel.cancel();
        assert!(budget.take(1, &cancel).is_err());
    }
}
