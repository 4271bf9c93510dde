//! What batches remember of films that came to nothing, for whoever keeps it.
#![deny(unsafe_code)]

use std::path::PathBuf;

use super::outcome::{FileOutcome, KnownSkip};
use super::stamp::FileStamp;

/// A film and how it was to be encoded: what a remembered outcome holds for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FilmKey {
    /// The film.
    pub film: PathBuf,
    /// As it was then: of another file under its name nothing is known.
    pub stamp: FileStamp,
    /// A hash of the settings and versions that outcomes depend on, in hexadecimal.
    pub settings: String,
}

/// Keeps outcomes from one batch to the next, so that a film is not encoded for nothing again. What it cannot keep or read
/// it leaves: a batch does not depend on it.
///
/// Called from the threads of a batch.
pub trait BatchMemory: Send + Sync {
    /// What is known of a film; `None` where nothing is.
    fn known(&self, key: &FilmKey) -> Option<KnownSkip>;

    /// Takes the outcome of a film that was begun; [`FileOutcome::worth_keeping`] says whether it is to be remembered.
    fn keep(&self, key: &FilmKey, outcome: &FileOutcome);
}
