//! What runs came to, for people who want to know what was saved.

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::database::{Cache, count, integer};

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// There is an output, and it was verified.
    #[default]
    Done,
    /// The input was left alone by a rule.
    Skipped,
    /// There is no output.
    Failed,
}

impl RunOutcome {
    const ALL: [RunOutcome; 3] = [RunOutcome::Done, RunOutcome::Skipped, RunOutcome::Failed];

    /// In a word: `done`, `skipped` or `failed`.
    pub fn name(self) -> &'static str {
        match self {
            RunOutcome::Done => "done",
            RunOutcome::Skipped => "skipped",
            RunOutcome::Failed => "failed",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// A run that ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// Its number, which the cache gives; later runs have higher ones.
    pub id: i64,
    /// When it ended, in seconds since 1970 (UTC).
    pub when_unix_s: i64,
    /// The input's path, for people: what is no Unicode is replaced.
    pub input: String,
    /// The output's path, likewise.
    pub output: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why it was skipped or failed; empty where it was done.
    pub reason: String,
    /// Length of the input.
    pub bytes_in: u64,
    /// Length of the output; 0 where there is none.
    pub bytes_out: u64,
    /// Frames of picture in the output.
    pub frames: u64,
    /// Seconds the run took.
    pub wall_s: f64,
    /// Seconds of it in which pictures were encoded.
    pub encode_s: f64,
    /// The score that was asked for (VMAF); absent where a CRF was.
    pub target: Option<f64>,
    /// The CRF, or the mean of the chunks' by frames; absent where nothing was encoded.
    pub crf: Option<f64>,
    /// The score of the output; absent where it was not measured.
    pub score: Option<f64>,
    /// A hash of what the encode depends on, in hex.
    pub settings_digest: String,
    /// The encoder's preset.
    pub preset: u8,
}

/// All runs that were done, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryTotals {
    /// How many.
    pub runs: u64,
    /// Length of their inputs.
    pub bytes_in: u64,
    /// Length of their outputs.
    pub bytes_out: u64,
}

impl Cache {
    /// Adds a run; its number is the cache's to give.
    pub fn add_history(&self, entry: &HistoryEntry) {
        self.attempt("written", |connection| add(connection, entry));
    }

    /// The last runs, the newest first, `limit` at most.
    pub fn history(&self, limit: u32) -> Vec<HistoryEntry> {
        let found = self.attempt("read", |connection| {
            let sql = "SELECT id, when_s, input, output, outcome, reason, bytes_in, bytes_out, frames, wall_s, encode_s, \
                       target, crf, score, settings_digest, preset FROM history ORDER BY id DESC LIMIT ?1";
            connection.prepare_cached(sql)?.query_map([limit], entry)?.collect()
        });
        found.unwrap_or_default()
    }

    /// What the runs that were done come to, of all that is remembered.
    pub fn history_totals(&self) -> HistoryTotals {
        let found = self.attempt("read", |connection| {
            // As doubles: a sum of integers may overflow, which is an error.
            let sql = "SELECT count(*), total(bytes_in), total(bytes_out) FROM history WHERE outcome = 'done'";
            connection.prepare_cached(sql)?.query_row([], |row| {
                let bytes = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, f64>(column)? as u64);
                Ok(HistoryTotals { runs: count(row.get(0)?), bytes_in: bytes(1)?, bytes_out: bytes(2)? })
            })
        });
        found.unwrap_or_default()
    }
}

fn add(connection: &Connection, entry: &HistoryEntry) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO history (when_s, input, output, outcome, reason, bytes_in, bytes_out, frames, wall_s, \
               encode_s, target, crf, score, settings_digest, preset) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    // SQLite has no NaN; where there may be none at all, it stands for none.
    let seconds = |s: f64| if s.is_finite() { s } else { 0.0 };
    connection.prepare_cached(sql)?.execute(params![
        entry.when_unix_s,
        entry.input,
        entry.output,
        entry.outcome.name(),
        entry.reason,
        integer(entry.bytes_in),
        integer(entry.bytes_out),
        integer(entry.frames),
        seconds(entry.wall_s),
        seconds(entry.encode_s),
        entry.target.filter(|x| x.is_finite()),
        entry.crf.filter(|x| x.is_finite()),
        entry.score.filter(|x| x.is_finite()),
        entry.settings_digest,
        entry.preset,
    ])
}

fn entry(row: &Row) -> rusqlite::Result<HistoryEntry> {
    Ok(HistoryEntry {
        id: row.get(0)?,
        when_unix_s: row.get(1)?,
        input: row.get(2)?,
        output: row.get(3)?,
        // A word of a later drapto that writes the same format: at least it is not counted as saved.
        outcome: RunOutcome::of_name(&row.get::<_, String>(4)?).unwrap_or(RunOutcome::Failed),
        reason: row.get(5)?,
        bytes_in: count(row.get(6)?),
        bytes_out: count(row.get(7)?),
        frames: count(row.get(8)?),
        wall_s: row.get(9)?,
        encode_s: row.get(10)?,
        target: row.get(11)?,
        crf: row.get(12)?,
        score: row.get(13)?,
        settings_digest: row.get(14)?,
        preset: row.get(15)?,
    })
}
