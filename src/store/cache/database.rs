//! The open database: one connection, what went wrong with it, and how long things were not asked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode};

use super::migrations;
use crate::base::{Error, ErrorKind, Result};

/// How long one process waits for another.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Seconds in which a row that is read again is not marked anew as used: most reads write nothing.
const USED_ANEW: i64 = 24 * 60 * 60;

/// What drapto remembers. Share it by `Arc`: every method takes `&self`, from any thread, one at a time.
///
/// Law: no read or write of a run fails. A read that fails finds nothing, a write that fails keeps nothing, and the
/// first that does is told by [`take_warnings`](Self::take_warnings). After damage, or a wait for another process that was
/// in vain, the cache is not asked again.
pub struct Cache {
    state: Mutex<CacheState>,
    /// `None` where it is in memory.
    path: Option<PathBuf>,
}

struct CacheState {
    connection: Connection,
    /// Not to be asked again.
    off: bool,
    warned: bool,
    warnings: Vec<String>,
}

impl Cache {
    /// A cache that is gone with the process.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] where there is no memory for one.
    pub fn in_memory() -> Result<Self> {
        let opened = Connection::open_in_memory().and_then(|mut connection| {
            migrations::migrate(&mut connection)?;
            Ok(connection)
        });
        let connection = opened.map_err(|e| Error::new(ErrorKind::Output, "cannot make a cache").caused_by(e))?;
        Ok(Self::over(connection, None))
    }

    /// Over a connection to a database that is sound and of the newest version.
    pub(super) fn over(connection: Connection, path: Option<PathBuf>) -> Self {
        // As many as there are statements: none is compiled twice.
        connection.set_prepared_statement_cache_capacity(64);
        let state = CacheState { connection, off: false, warned: false, warnings: Vec::new() };
        Cache { state: Mutex::new(state), path }
    }

    /// The database's file; `None` where it is in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What went wrong since the last call, in a sentence. There is one in the life of a cache at most: what follows has
    /// the same cause.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.state().warnings)
    }

    /// Asks for something that a run can do without; `None` where that fails. `what` is done to the cache: read, written.
    pub(super) fn attempt<T>(&self, what: &str, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        let mut state = self.state();
        if state.off {
            return None;
        }
        let error = match ask(&state.connection) {
            Ok(found) => return Some(found),
            Err(error) => error,
        };
        tracing::debug!(%error, "the cache cannot be {what}");
        let code = code(&error);
        if is_damage(code) {
            self.suspect();
        }
        // Each further wait would hold the run up as long as this one did.
        state.off = is_damage(code) || matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
        if !state.warned {
            state.warned = true;
            let place = self.path.as_deref().map_or("in memory".into(), Path::to_string_lossy);
            state
                .warnings
                .push(format!("the cache {place} cannot be {what} ({}); the run goes on without it", words(&error)));
        }
        None
    }

    /// Does what a user asked for, and says why where that fails. `what` reads after "cannot".
    pub(super) fn command<T>(&self, what: &str, ask: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        ask(&mut self.state().connection).map_err(|error| {
            if is_damage(code(&error)) {
                self.suspect();
            }
            let error = Error::new(ErrorKind::Output, format!("cannot {what}")).caused_by(words(&error));
            match &self.path {
                Some(path) => error.with_file(path),
                None => error,
            }
        })
    }

    fn state(&self) -> MutexGuard<'_, CacheState> {
        // A panic between two statements leaves nothing half done that SQLite would not take back.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a mark beside a file in which damage was met, so that the next process looks through all of it.
    fn suspect(&self) {
        if let Some(path) = &self.path
            && let Err(error) = std::fs::write(suspect_mark(path), b"")
        {
            tracing::debug!(%error, "the damaged cache cannot be marked");
        }
    }
}

/// SQLite's code of an error, also of one that it found in SQL.
pub(super) fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        error => error.sqlite_error_code(),
    }
}

/// An error in words, without the SQL it was found in.
pub(super) fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}

/// Whether SQLite says that the file is not as it was written.
pub(super) fn is_damage(code: Option<ErrorCode>) -> bool {
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The file that says that damage was met in the database at `path`.
pub(super) fn suspect_mark(path: &Path) -> PathBuf {
    beside(path, ".suspect")
}

/// The file beside `path` with `more` after its name.
pub(super) fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(more);
    name.into()
}

/// Seconds since 1970 (UTC).
pub(super) fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Whether a row last used at `used_s` is to be marked as used at `now_s`.
pub(super) fn is_used_anew(used_s: i64, now_s: i64) -> bool {
    now_s.saturating_sub(used_s) >= USED_ANEW
}

/// A count as SQLite has them; one above 2^63 is none that files or films reach.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as SQLite had it.
pub(super) fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}
