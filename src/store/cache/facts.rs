//! What was found out about files, and the hashes of their content.

use rusqlite::{Connection, OptionalExtension, params};

use super::database::{Cache, integer, is_used_anew, now_s};
use super::key::FileMark;

impl Cache {
    /// What was kept of the file by the same version of what finds it, as JSON; `None` where there is nothing, or of the
    /// file as it was before a change.
    pub fn facts(&self, file: &FileMark, kind: &str, version: &str) -> Option<String> {
        self.attempt("read", |connection| facts(connection, file, kind, version)).flatten()
    }

    /// Keeps what was found out about the file, in the place of what is kept of that kind and version.
    pub fn keep_facts(&self, file: &FileMark, kind: &str, version: &str, json: &str) {
        self.attempt("written", |connection| {
            let sql = "INSERT OR REPLACE INTO facts (path, kind, version, bytes, modified_ns, json, used_s) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let (path, bytes) = (file.path_bytes(), integer(file.bytes));
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(params![&*path, kind, version, bytes, file.modified_ns, json, now_s()])
        });
    }

    /// The hash that was kept of all of the file's content.
    pub fn hash(&self, file: &FileMark) -> Option<[u8; 32]> {
        self.attempt("read", |connection| hash(connection, file)).flatten()
    }

    /// Keeps the hash of all of the file's content.
    pub fn keep_hash(&self, file: &FileMark, hash: &[u8; 32]) {
        self.attempt("written", |connection| {
            let sql = "INSERT OR REPLACE INTO hashes (path, bytes, modified_ns, hash, used_s) \
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let (path, bytes) = (file.path_bytes(), integer(file.bytes));
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(params![&*path, bytes, file.modified_ns, &hash[..], now_s()])
        });
    }
}

fn facts(connection: &Connection, file: &FileMark, kind: &str, version: &str) -> rusqlite::Result<Option<String>> {
    let path = file.path_bytes();
    let sql = "SELECT rowid, json, used_s FROM facts \
               WHERE path = ?1 AND kind = ?2 AND version = ?3 AND bytes = ?4 AND modified_ns = ?5";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![&*path, kind, version, integer(file.bytes), file.modified_ns];
    let row = statement.query_row(values, |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?)));
    let Some((id, json, used_s)) = row.optional()? else { return Ok(None) };
    let now_s = now_s();
    if is_used_anew(used_s, now_s) {
        connection.prepare_cached("UPDATE facts SET used_s = ?2 WHERE rowid = ?1")?.execute([id, now_s])?;
    }
    Ok(Some(json))
}

fn hash(connection: &Connection, file: &FileMark) -> rusqlite::Result<Option<[u8; 32]>> {
    let path = file.path_bytes();
    let sql = "SELECT rowid, hash, used_s FROM hashes WHERE path = ?1 AND bytes = ?2 AND modified_ns = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![&*path, integer(file.bytes), file.modified_ns];
    let row = statement.query_row(values, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?)));
    let Some((id, hash, used_s)) = row.optional()? else { return Ok(None) };
    let now_s = now_s();
    if is_used_anew(used_s, now_s) {
        connection.prepare_cached("UPDATE hashes SET used_s = ?2 WHERE rowid = ?1")?.execute([id, now_s])?;
    }
    Ok(hash.try_into().ok())
}
