//! Cooperative cancellation: one flag, shared by every stage of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    parent: Option<CancelToken>,
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
        CancelToken(Arc::new(Node { flag: AtomicBool::new(false), parent: Some(self.clone()) }))
    }

    /// Asks everyone who holds a clone or a child to stop. Safe from any thread, any number of times.
    pub fn cancel(&self) {
        self.0.flag.store(true, Ordering::Release);
    }

    /// Whether this token or one above it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.flag.load(Ordering::Acquire) || self.0.parent.as_ref().is_some_and(CancelToken::is_cancelled)
    }

    /// `Err(Interrupted)` once cancelled, for use with `?` between items.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "cancelled"));
        }
        Ok(())
    }
}

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
}
