//! The format of the database: one file a version, each applied in one transaction.
//!
//! Law: a file that was released is never edited; what changes comes in the next one. `user_version` says how many were
//! applied.

use rusqlite::{Connection, TransactionBehavior};

/// What takes a database from version `i` to `i + 1`.
pub(super) const MIGRATIONS: [&str; 2] = [include_str!("v1.sql"), include_str!("v2.sql")];

/// The version this program writes.
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

/// What says that a database is of this program (`application_id` of SQLite's file format, at byte 68): `drpt`.
pub(super) const APPLICATION: i64 = 0x6472_7074;

/// All tables of [`NEWEST`].
pub(super) const TABLES: [&str; 6] = ["facts", "hashes", "scores", "performance", "history", "outcomes"];

/// The database's version; 0 where it is empty.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the database to [`NEWEST`]. One that is there already is not written.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    migrate_to(connection, NEWEST)
}

/// Brings a database of `to` or before to version `to`.
pub(super) fn migrate_to(connection: &mut Connection, to: i64) -> rusqlite::Result<()> {
    while version(connection)? < to {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been here between the look and the lock.
        let at = version(&transaction)?;
        let next = usize::try_from(at).ok().and_then(|at| MIGRATIONS.get(at));
        let Some(sql) = next.filter(|_| at < to) else { return Ok(()) };
        transaction.execute_batch(sql)?;
        transaction
            .execute_batch(&format!("PRAGMA user_version = {}; PRAGMA application_id = {APPLICATION};", at + 1))?;
        transaction.commit()?;
    }
    Ok(())
}
