//! What a user does with the cache as a whole: look at it, shorten it, empty it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use serde::{Serialize, Serializer};

use super::database::{Cache, beside, count, now_s};
use super::migrations::TABLES;
use crate::base::Result;

/// How large the cache is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheStats {
    /// Its file; absent where it is in memory. In JSON what is no Unicode in it is replaced.
    #[serde(serialize_with = "path_text")]
    pub path: Option<PathBuf>,
    /// Its bytes on the disk with those of its log, or in memory.
    pub bytes: u64,
    /// Its tables.
    pub tables: Vec<CacheTable>,
}

/// How large a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheTable {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub rows: u64,
}

/// What was taken out of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheRemoved {
    /// Rows.
    pub rows: u64,
    /// By how many bytes the cache is smaller.
    pub bytes: u64,
}

/// Tables whose rows age: history is no cache, it says what was.
const AGEING: [&str; 5] = ["facts", "hashes", "scores", "performance", "outcomes"];
/// Those of them whose rows are worth their bytes the less the longer nobody asked for them. All that is known of the
/// machine's speed is smaller than the facts of one film.
const LARGE: [&str; 4] = ["facts", "hashes", "scores", "outcomes"];

impl Cache {
    /// How large the cache is.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::ErrorKind::Output) where it cannot be read.
    pub fn stats(&self) -> Result<CacheStats> {
        self.command("read the cache", |connection| {
            let tables = TABLES.into_iter().map(|name| {
                let rows = number(connection, &format!("SELECT count(*) FROM {name}"))?;
                Ok::<_, rusqlite::Error>(CacheTable { name, rows: count(rows) })
            });
            let tables = tables.collect::<rusqlite::Result<_>>()?;
            Ok(CacheStats { path: self.path().map(Path::to_path_buf), bytes: bytes(self, connection)?, tables })
        })
    }

    /// Takes out what was last asked for longer ago than `older_than`, then what was not asked for the longest until what
    /// is left takes `max_bytes` or less. The times of use are known to within a day. The history stays, as does what is
    /// known of the machine's speed where only bytes count.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::ErrorKind::Output) where it cannot be written; then nothing was taken out, or the
    /// file is as large as before.
    pub fn prune(&self, older_than: Option<Duration>, max_bytes: Option<u64>) -> Result<CacheRemoved> {
        self.remove("prune the cache", |connection| {
            let mut rows = 0;
            if let Some(age) = older_than {
                let before_s = now_s().saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
                for table in AGEING {
                    rows += connection.execute(&format!("DELETE FROM {table} WHERE used_s < ?1"), [before_s])?;
                }
            }
            while let Some(max_bytes) = max_bytes
                && bytes_in_use(connection)? > max_bytes
            {
                let removed = remove_oldest(connection)?;
                if removed == 0 {
                    break;
                }
                rows += removed;
            }
            Ok(rows)
        })
    }

    /// Takes out everything but the history.
    ///
    /// # Errors
    /// As [`prune`](Self::prune).
    pub fn clear(&self) -> Result<CacheRemoved> {
        self.remove("empty the cache", |connection| {
            let rows = AGEING.iter().map(|table| connection.execute(&format!("DELETE FROM {table}"), []));
            rows.sum()
        })
    }

    /// Takes out the history alone. Numbers of runs are not given again.
    ///
    /// # Errors
    /// As [`prune`](Self::prune).
    pub fn clear_history(&self) -> Result<CacheRemoved> {
        self.remove("forget the history", |connection| connection.execute("DELETE FROM history", []))
    }

    /// Takes out rows in one transaction, and gives their room back to the file system.
    fn remove(&self, what: &str, ask: impl FnOnce(&Connection) -> rusqlite::Result<usize>) -> Result<CacheRemoved> {
        self.command(what, |connection| {
            let before = bytes(self, connection)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let rows = ask(&transaction)?;
            transaction.commit()?;
            // Vacuuming writes the whole database into the log first.
            connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
            let bytes = before.saturating_sub(bytes(self, connection)?);
            Ok(CacheRemoved { rows: rows as u64, bytes })
        })
    }
}

/// Takes out a tenth of the rows of each large table, those first that were not asked for the longest.
fn remove_oldest(connection: &Connection) -> rusqlite::Result<usize> {
    let mut removed = 0;
    for table in LARGE {
        let rows = number(connection, &format!("SELECT count(*) FROM {table}"))?;
        let oldest = format!("SELECT rowid FROM {table} ORDER BY used_s, rowid LIMIT ?1");
        let sql = format!("DELETE FROM {table} WHERE rowid IN ({oldest})");
        removed += connection.execute(&sql, [(rows + 9) / 10])?;
    }
    Ok(removed)
}

/// What the database would take if it had no holes.
fn bytes_in_use(connection: &Connection) -> rusqlite::Result<u64> {
    let pages = number(connection, "PRAGMA page_count")? - number(connection, "PRAGMA freelist_count")?;
    Ok(count(pages) * count(number(connection, "PRAGMA page_size")?))
}

/// What the cache takes.
fn bytes(cache: &Cache, connection: &Connection) -> rusqlite::Result<u64> {
    let Some(path) = cache.path() else {
        return Ok(count(number(connection, "PRAGMA page_count")?) * count(number(connection, "PRAGMA page_size")?));
    };
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    Ok(length(path) + length(&beside(path, "-wal")))
}

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}

fn path_text<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(Path::to_string_lossy).serialize(serializer)
}
