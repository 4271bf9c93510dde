//! Cooperative cancellation: one flag, shared by every stage of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Error, ErrorKind, Result};

/// A flag that any thread may set and every stage looks at between items.
///
/// Clones share the flag. Once set it stays set. A stage that fails sets it *before* dropping its
/// channel ends, so that its neighbours can tell a failure from the end of the stream.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everyone who holds a clone to stop. Safe to call from any thread, any number of times.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// `Err(Interrupted)` once cancelled, for use with `?` between items.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "cancelled"));
        }
        Ok(())
    }
}
