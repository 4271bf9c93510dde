//! What encodes of some frames came to.

use rusqlite::{Connection, OptionalExtension, params};

use super::database::{Cache, count, integer, is_used_anew, now_s};

/// What an encode came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CachedTry {
    /// Bytes of its packets.
    pub bytes: u64,
    /// Frames the encoder gave out.
    pub frames: u64,
    /// Of each frame that was scored, in display order. They come back to the last bit: a search that reads them has to
    /// decide as it did when they were measured.
    pub scores: Vec<f64>,
    /// What else there is to say of it, as JSON; the cache does not look into it.
    pub json: String,
}

impl Cache {
    /// What was kept under `key` (see [`CacheKey`](super::CacheKey)).
    pub fn scores(&self, key: &[u8; 32]) -> Option<CachedTry> {
        self.attempt("read", |connection| scores(connection, key)).flatten()
    }

    /// Keeps what an encode came to, in the place of what is kept under `key`.
    pub fn keep_scores(&self, key: &[u8; 32], tried: &CachedTry) {
        self.attempt("written", |connection| {
            let sql = "INSERT OR REPLACE INTO scores (key, bytes, frames, scores, json, used_s) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let blob: Vec<u8> = tried.scores.iter().flat_map(|score| score.to_le_bytes()).collect();
            let (bytes, frames) = (integer(tried.bytes), integer(tried.frames));
            connection.prepare_cached(sql)?.execute(params![&key[..], bytes, frames, blob, tried.json, now_s()])
        });
    }
}

fn scores(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<Option<CachedTry>> {
    let sql = "SELECT rowid, bytes, frames, scores, json, used_s FROM scores WHERE key = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row(params![&key[..]], |row| {
        let blob: Vec<u8> = row.get(3)?;
        let (numbers, _) = blob.as_chunks::<8>();
        let tried = CachedTry {
            bytes: count(row.get(1)?),
            frames: count(row.get(2)?),
            scores: numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
            json: row.get(4)?,
        };
        Ok((row.get::<_, i64>(0)?, tried, row.get(5)?))
    });
    let Some((id, tried, used_s)) = row.optional()? else { return Ok(None) };
    let now_s = now_s();
    if is_used_anew(used_s, now_s) {
        connection.prepare_cached("UPDATE scores SET used_s = ?2 WHERE rowid = ?1")?.execute([id, now_s])?;
    }
    Ok(Some(tried))
}
