//! What was made of files, so that a batch that comes by again leaves them alone.

use rusqlite::{Connection, OptionalExtension, params};

use super::database::{Cache, integer, is_used_anew, now_s};
use super::history::RunOutcome;
use super::key::FileMark;

/// What was made of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOutcome {
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why; empty where there is nothing to say.
    pub reason: String,
    /// When, in seconds since 1970 (UTC).
    pub when_unix_s: i64,
}

impl Cache {
    /// What was made of the file, as it is now, under settings with this digest.
    pub fn outcome(&self, file: &FileMark, settings_digest: &str) -> Option<KnownOutcome> {
        self.attempt("read", |connection| outcome(connection, file, settings_digest)).flatten()
    }

    /// Keeps what was made of the file now, in the place of what was made of it under the same settings before.
    pub fn keep_outcome(&self, file: &FileMark, settings_digest: &str, outcome: RunOutcome, reason: &str) {
        self.attempt("written", |connection| {
            let sql = "INSERT OR REPLACE INTO outcomes \
                       (path, settings_digest, bytes, modified_ns, outcome, reason, when_s, used_s) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
            let (path, bytes, name) = (file.path_bytes(), integer(file.bytes), outcome.name());
            let mut statement = connection.prepare_cached(sql)?;
            let digest = settings_digest;
            statement.execute(params![&*path, digest, bytes, file.modified_ns, name, reason, now_s()])
        });
    }
}

fn outcome(connection: &Connection, file: &FileMark, digest: &str) -> rusqlite::Result<Option<KnownOutcome>> {
    let path = file.path_bytes();
    let sql = "SELECT rowid, outcome, reason, when_s, used_s FROM outcomes \
               WHERE path = ?1 AND settings_digest = ?2 AND bytes = ?3 AND modified_ns = ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row(params![&*path, digest, integer(file.bytes), file.modified_ns], |row| {
        let outcome = RunOutcome::of_name(&row.get::<_, String>(1)?);
        let found = outcome.map(|outcome| {
            Ok::<_, rusqlite::Error>(KnownOutcome { outcome, reason: row.get(2)?, when_unix_s: row.get(3)? })
        });
        Ok((row.get::<_, i64>(0)?, found.transpose()?, row.get(4)?))
    });
    let Some((id, found, used_s)) = row.optional()? else { return Ok(None) };
    let now_s = now_s();
    if is_used_anew(used_s, now_s) {
        connection.prepare_cached("UPDATE outcomes SET used_s = ?2 WHERE rowid = ?1")?.execute([id, now_s])?;
    }
    Ok(found)
}
