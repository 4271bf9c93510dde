//! What drapto remembers from run to run, in one SQLite file: facts and hashes of files, scores of tries, how long stages
//! take, what runs came to.
//!
//! Owns the file, its format and its faults. Refuses to know what the texts it keeps mean, to decide what is worth
//! keeping, and to fail a run: what cannot be read is not there, what cannot be written is not kept, and both are said
//! once.
//!
//! Several processes share the file: SQLite's write-ahead log lets them read while one writes.
#![deny(unsafe_code)]

mod database;
mod estimate;
mod facts;
mod history;
mod key;
mod migrations;
mod open;
mod outcomes;
mod performance;
mod scores;
#[cfg(test)]
mod tests;
mod upkeep;

pub use database::Cache;
pub use estimate::{Estimate, PerformanceKey};
pub use history::{HistoryEntry, HistoryTotals, RunOutcome};
pub use key::{CacheKey, FileMark};
pub use open::default_path;
pub use outcomes::KnownOutcome;
pub use scores::CachedTry;
pub use upkeep::{CacheRemoved, CacheStats, CacheTable};
