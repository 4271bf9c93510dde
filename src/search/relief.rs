//! Workers that rest while the machine runs short of memory.
#![deny(unsafe_code)]

use crate::base::memory_left;

/// Below this much memory, in bytes, no worker begins anew while others work.
const SHORT: u64 = 256 << 20;
/// From this much on all work again.
const ENOUGH: u64 = 768 << 20;

/// The workers that rest. One works whatever happens: it needs what it has already, and without it nothing would ever get
/// better.
#[derive(Debug, Default)]
pub(super) struct Relief {
    resting: Vec<usize>,
}

impl Relief {
    /// Whether a worker that has ended its work is to rest, of `count` there are; else it may go on.
    pub(super) fn rests(&mut self, worker: usize, count: usize) -> bool {
        self.rests_with(worker, count, memory_left())
    }

    /// Workers that may go on, one after another.
    pub(super) fn wake(&mut self) -> Option<usize> {
        if self.resting.is_empty() { None } else { self.wake_with(memory_left()) }
    }

    fn rests_with(&mut self, worker: usize, count: usize, left: Option<u64>) -> bool {
        let short = left.is_some_and(|left| left < SHORT);
        let rests = short && self.resting.len() + 1 < count;
        if rests {
            tracing::warn!(worker, left, "the machine is short of memory: a worker rests");
            self.resting.push(worker);
        }
        rests
    }

    fn wake_with(&mut self, left: Option<u64>) -> Option<usize> {
        left.is_none_or(|left| left >= ENOUGH).then(|| self.resting.pop()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_rest_while_memory_is_short_but_for_one_and_wake_when_there_is_enough() {
        let mut relief = Relief::default();
        assert!(!relief.rests_with(0, 3, Some(SHORT)) && !relief.rests_with(0, 3, None));
        assert!(relief.rests_with(0, 3, Some(SHORT - 1)) && relief.rests_with(1, 3, Some(0)));
        assert!(!relief.rests_with(2, 3, Some(0)), "one goes on");
        assert_eq!(relief.wake_with(Some(ENOUGH - 1)), None);
        assert_eq!(
            [relief.wake_with(Some(ENOUGH)), relief.wake_with(None), relief.wake_with(None)],
            [Some(1), Some(0), None]
        );
        assert!(!Relief::default().rests_with(0, 1, Some(0)));
    }
}
