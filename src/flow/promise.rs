//! What a stage found, for whoever comes after it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Error, ErrorKind, Result};

/// What a stage will have found when it has ended well.
///
/// Kept before the stage's ends close: a stage that sees the end of another can take what that one found, and so can
/// whoever waited for the run. A stage that fails keeps no promise. Clones share the one value: it is taken once.
#[derive(Debug)]
pub struct Promise<F> {
    stage: String,
    slot: Arc<Mutex<Option<F>>>,
}

impl<F> Clone for Promise<F> {
    fn clone(&self) -> Self {
        Promise { stage: self.stage.clone(), slot: Arc::clone(&self.slot) }
    }
}

impl<F> Promise<F> {
    pub(super) fn new(stage: &str) -> Self {
        Promise { stage: stage.to_owned(), slot: Arc::default() }
    }

    pub(super) fn keep(&self, found: F) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// What was found; `None` while the stage runs, after it failed, and when it was taken before.
    pub fn take(&self) -> Option<F> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The same where the stage must have ended.
    ///
    /// # Errors
    /// `Encode` for a promise that was not kept, or was taken before.
    pub fn found(&self) -> Result<F> {
        let missing = || Error::new(ErrorKind::Encode, format!("internal error: stage {} found nothing", self.stage));
        self.take().ok_or_else(missing)
    }
}
