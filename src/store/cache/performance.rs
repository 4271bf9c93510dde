//! How long stages took on this machine.

use rusqlite::{Connection, params};

use super::database::{Cache, now_s};
use super::estimate::{Estimate, MeasuredTime, PerformanceKey, estimate};

impl Cache {
    /// Remembers that a frame took `seconds` on average, smoothed with what is remembered already: that × 0.7 + this × 0.3.
    /// What is not a positive number is left out.
    pub fn record(&self, key: &PerformanceKey, seconds: f64) {
        let core_s = seconds * key.cores();
        if core_s.is_finite() && core_s > 0.0 {
            self.attempt("written", |connection| record(connection, key, core_s));
        }
    }

    /// How long a frame will take, from the nearest of what is remembered; from a prior alone where nothing is.
    pub fn estimate(&self, key: &PerformanceKey) -> Estimate {
        let rows = self.attempt("read", |connection| {
            let sql =
                "SELECT encoder, pixels, preset, complexity_step, core_s, count FROM performance WHERE stage = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([&key.stage], |row| {
                Ok(MeasuredTime {
                    same_encoder: row.get::<_, String>(0)? == key.encoder,
                    pixels: row.get(1)?,
                    preset: row.get(2)?,
                    complexity_step: row.get(3)?,
                    core_s: row.get(4)?,
                    count: row.get(5)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        estimate(key, &rows.unwrap_or_default())
    }
}

fn record(connection: &Connection, key: &PerformanceKey, core_s: f64) -> rusqlite::Result<usize> {
    // In one statement: two processes that record at once both count.
    let sql = "INSERT INTO performance (stage, encoder, pixels, preset, complexity_step, core_s, count, used_s) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7) \
               ON CONFLICT (stage, encoder, pixels, preset, complexity_step) DO UPDATE SET \
               core_s = core_s * 0.7 + excluded.core_s * 0.3, count = min(count + 1, 1000000), used_s = excluded.used_s";
    let mut statement = connection.prepare_cached(sql)?;
    let step = key.complexity_step();
    statement.execute(params![key.stage, key.encoder, key.pixels, key.preset, step, core_s, now_s()])
}
