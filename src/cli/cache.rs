//! `drapto cache`.

use std::fmt::Write;
use std::time::Duration;

use drapto::cache::{Cache, CacheRemoved, CacheStats, default_path};
use drapto::{Error, ErrorKind, Result};

use super::args::CacheCommand;
use super::text::{bytes, print, print_json, write_warning};

const DAY_S: u64 = 24 * 60 * 60;

pub fn run(command: &CacheCommand) -> Result<()> {
    let cache = open()?;
    match command {
        CacheCommand::Stats { json: true } => print_json(&cache.stats()?),
        CacheCommand::Stats { json: false } => print(&describe(&cache.stats()?)),
        CacheCommand::Prune { older_than, max_size } => {
            let age = older_than.map(|days| Duration::from_secs(u64::from(days) * DAY_S));
            print(&taken_out(cache.prune(age, *max_size)?))
        }
        CacheCommand::Clear { history: false } => print(&taken_out(cache.clear()?)),
        CacheCommand::Clear { history: true } => print(&taken_out(cache.clear_history()?)),
    }
}

/// The user's cache; an empty one, of which nothing is written, where there is none yet.
pub fn open() -> Result<Cache> {
    let place = default_path(|name| std::env::var_os(name));
    let nowhere = || Error::new(ErrorKind::Usage, "there is no place for a cache: set XDG_CACHE_HOME or HOME");
    let place = place.ok_or_else(nowhere)?;
    if place.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Cache::in_memory();
    }
    let (cache, mut warnings) = Cache::open(&place)?;
    // What a run does without is what is asked for here.
    if cache.path().is_none() {
        let why = warnings.pop().unwrap_or_else(|| format!("the cache {} cannot be used", place.display()));
        return Err(Error::new(ErrorKind::Input, why));
    }
    for warning in warnings {
        write_warning(&warning);
    }
    Ok(cache)
}

fn describe(stats: &CacheStats) -> String {
    let place = stats.path.as_ref().map_or("none yet".into(), |path| path.to_string_lossy());
    let size = if stats.path.is_some() { stats.bytes } else { 0 };
    let mut out = format!("{:<13}{place}\n{:<13}{}\n", "cache", "size", bytes(size));
    for table in &stats.tables {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:<13}{}", table.name, table.rows);
    }
    out
}

fn taken_out(removed: CacheRemoved) -> String {
    format!("✓ {} rows taken out, {} given back\n", removed.rows, bytes(removed.bytes))
}
