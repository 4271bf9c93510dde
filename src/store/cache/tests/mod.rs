//! What is kept comes back, only for what it was kept of; then, a file each: formats, damage, sharing, upkeep.

mod damage;
mod formats;
mod sharing;
mod upkeep;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::*;

/// A folder and the cache's place in it.
fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drapto").join("cache.sqlite");
    (folder, path)
}

/// Opens a cache that has to be sound.
#[track_caller]
fn open(path: &Path) -> Cache {
    let (cache, warnings) = Cache::open(path).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(cache.path(), Some(path));
    cache
}

/// A connection past the cache, as any other program has one.
fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn stamp(name: &str) -> FileMark {
    FileMark { path: format!("/films/{name}").into(), bytes: 1000, modified_ns: 5 }
}

fn tried(bytes: u64) -> CachedTry {
    CachedTry { bytes, frames: 360, scores: vec![93.0, 0.1 + 0.2, -0.0], json: "{\"crf\":30}".to_owned() }
}

fn entry(input: &str, outcome: RunOutcome, bytes_in: u64, bytes_out: u64) -> HistoryEntry {
    HistoryEntry {
        when_unix_s: 1_700_000_000,
        input: input.to_owned(),
        output: "out.mkv".to_owned(),
        outcome,
        reason: "why".to_owned(),
        bytes_in,
        bytes_out,
        frames: 1253,
        wall_s: 111.5,
        encode_s: 100.25,
        target: Some(93.0),
        crf: Some(35.8),
        score: Some(93.03),
        settings_digest: "0af3".to_owned(),
        preset: 6,
        ..HistoryEntry::default()
    }
}

fn performance() -> PerformanceKey {
    let (stage, encoder) = ("encode".to_owned(), "SVT-AV1 4.2.0".to_owned());
    PerformanceKey { stage, encoder, pixels: 1280 * 720, preset: 6, complexity: 1.3, cores: 2 }
}

/// Something of everything.
fn fill(cache: &Cache) {
    cache.keep_facts(&stamp("a.mkv"), "facts", "3", "{\"frames\":1}");
    cache.keep_hash(&stamp("a.mkv"), &[7; 32]);
    cache.keep_scores(&[1; 32], &tried(100));
    cache.record(&performance(), 0.02);
    cache.add_history(&entry("a.mkv", RunOutcome::Done, 1000, 400));
    cache.keep_outcome(&stamp("a.mkv"), "0af3", RunOutcome::Skipped, "is AV1 already");
}

/// Asserts that all of [`fill`] is there.
#[track_caller]
fn filled(cache: &Cache) {
    assert_eq!(cache.facts(&stamp("a.mkv"), "facts", "3").as_deref(), Some("{\"frames\":1}"));
    assert_eq!(cache.hash(&stamp("a.mkv")), Some([7; 32]));
    assert_eq!(cache.scores(&[1; 32]), Some(tried(100)));
    assert_eq!(cache.estimate(&performance()).matched, 1);
    let history = cache.history(10);
    assert_eq!(history, [HistoryEntry { id: history[0].id, ..entry("a.mkv", RunOutcome::Done, 1000, 400) }]);
    let outcome = cache.outcome(&stamp("a.mkv"), "0af3").unwrap();
    assert_eq!((outcome.outcome, outcome.reason.as_str()), (RunOutcome::Skipped, "is AV1 already"));
    assert!(outcome.when_unix_s > 1_700_000_000);
    assert_eq!(cache.take_warnings(), Vec::<String>::new());
}

#[test]
fn what_is_kept_comes_back_from_the_same_file_and_from_memory() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    fill(&cache);
    filled(&cache);
    drop(cache);
    filled(&open(&path));
    let memory = Cache::in_memory().unwrap();
    fill(&memory);
    filled(&memory);
    assert_eq!(memory.path(), None);
}

#[test]
fn what_is_kept_of_a_file_is_not_found_once_the_file_is_another() {
    let cache = Cache::in_memory().unwrap();
    fill(&cache);
    let film = stamp("a.mkv");
    for other in [
        stamp("b.mkv"),
        FileMark { bytes: 1001, ..film.clone() },
        FileMark { modified_ns: -5, ..film.clone() },
        FileMark { bytes: u64::MAX, modified_ns: i64::MIN, ..film.clone() },
    ] {
        assert_eq!(cache.facts(&other, "facts", "3"), None);
        assert_eq!(cache.hash(&other), None);
        assert_eq!(cache.outcome(&other, "0af3"), None);
    }
    assert_eq!(cache.facts(&film, "probe", "3"), None);
    assert_eq!(cache.facts(&film, "facts", "4"), None);
    assert_eq!(cache.outcome(&film, "0af4"), None);
    assert_eq!(cache.scores(&[2; 32]), None);
    // What is kept of the file as it is takes the place of what it was.
    let changed = FileMark { bytes: 1001, ..film.clone() };
    cache.keep_facts(&changed, "facts", "3", "{}");
    cache.keep_hash(&changed, &[8; 32]);
    cache.keep_outcome(&changed, "0af3", RunOutcome::Done, "");
    assert_eq!(cache.facts(&changed, "facts", "3").as_deref(), Some("{}"));
    assert_eq!(cache.hash(&changed), Some([8; 32]));
    assert_eq!(cache.outcome(&changed, "0af3").map(|o| o.outcome), Some(RunOutcome::Done));
    assert_eq!((cache.facts(&film, "facts", "3"), cache.hash(&film)), (None, None));
    assert_eq!(cache.take_warnings(), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn paths_that_are_no_text_are_kept_apart() {
    use std::os::unix::ffi::OsStrExt;
    let cache = Cache::in_memory().unwrap();
    let of = |bytes: &[u8]| FileMark { path: std::ffi::OsStr::from_bytes(bytes).into(), bytes: 1, modified_ns: 1 };
    cache.keep_facts(&of(b"/a\xff"), "facts", "1", "ff");
    cache.keep_facts(&of(b"/a\xfe"), "facts", "1", "fe");
    assert_eq!(cache.facts(&of(b"/a\xff"), "facts", "1").as_deref(), Some("ff"));
    assert_eq!(cache.facts(&of(b"/a\xfe"), "facts", "1").as_deref(), Some("fe"));
}

#[test]
fn scores_come_back_to_the_last_bit() {
    let cache = Cache::in_memory().unwrap();
    let scores = vec![f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 0.1 + 0.2, 1.0 / 3.0];
    let kept = CachedTry { bytes: u64::MAX, frames: 0, scores: scores.clone(), json: "a\0b".to_owned() };
    cache.keep_scores(&[3; 32], &kept);
    let found = cache.scores(&[3; 32]).unwrap();
    let bits = |scores: &[f64]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&found.scores), bits(&scores));
    assert_eq!(found.json, "a\0b");
    cache.keep_scores(&[3; 32], &tried(5));
    assert_eq!(cache.scores(&[3; 32]), Some(tried(5)), "the later one takes its place");
}

#[test]
fn times_are_smoothed_and_estimates_start_from_the_prior() {
    let cache = Cache::in_memory().unwrap();
    let key = performance();
    let prior = cache.estimate(&key);
    assert_eq!(prior.matched, 0);
    for nonsense in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX] {
        cache.record(&key, nonsense);
    }
    assert_eq!(cache.estimate(&key), prior);
    cache.record(&key, 1.0);
    cache.record(&key, 2.0);
    // As hard as the first within a quarter of an octave: the same row.
    cache.record(&PerformanceKey { complexity: 1.31, ..key.clone() }, 2.0);
    // Recorded by half the cores in twice the time.
    cache.record(&PerformanceKey { cores: 1, ..key.clone() }, 3.0);
    let core_s = 2.0 * (((1.0 * 0.7 + 2.0 * 0.3) * 0.7 + 2.0 * 0.3) * 0.7 + 1.5 * 0.3);
    let found = cache.command("look", |c| {
        c.query_row("SELECT core_s, count FROM performance", [], |row| Ok((row.get::<_, f64>(0)?, row.get(1)?)))
    });
    let (kept, count): (f64, u32) = found.unwrap();
    assert!((kept - core_s).abs() < 1e-12 && count == 4, "{kept} {core_s} {count}");
    let after = cache.estimate(&key);
    assert_eq!(after.matched, 4);
    assert!(after.seconds_per_frame > 1.0 && after.seconds_per_frame < core_s / 2.0, "{after:?}");
    assert_eq!(cache.estimate(&PerformanceKey { stage: "score".to_owned(), ..key }).matched, 0);
    assert_eq!(cache.take_warnings(), Vec::<String>::new());
}

#[test]
fn the_history_begins_with_the_newest_and_counts_what_was_saved() {
    let cache = Cache::in_memory().unwrap();
    for (input, outcome, bytes_in, bytes_out) in [
        ("a.mkv", RunOutcome::Done, 1000, 400),
        ("b.mkv", RunOutcome::Skipped, 5000, 0),
        ("c.mkv", RunOutcome::Failed, 5000, 0),
        ("d.mkv", RunOutcome::Done, 2000, 2500),
    ] {
        cache.add_history(&entry(input, outcome, bytes_in, bytes_out));
    }
    let inputs = |limit| cache.history(limit).into_iter().map(|run| run.input).collect::<Vec<_>>();
    assert_eq!(inputs(2), ["d.mkv", "c.mkv"]);
    assert_eq!(inputs(u32::MAX), ["d.mkv", "c.mkv", "b.mkv", "a.mkv"]);
    assert_eq!(inputs(0), Vec::<String>::new());
    assert_eq!(cache.history_totals(), HistoryTotals { runs: 2, bytes_in: 3000, bytes_out: 2900 });
    // What there is none of, and what overflows.
    let odd = HistoryEntry { crf: Some(f64::NAN), wall_s: f64::NAN, ..entry("e", RunOutcome::Done, u64::MAX, 0) };
    cache.add_history(&odd);
    cache.add_history(&odd);
    let run = &cache.history(1)[0];
    assert_eq!((run.crf, run.wall_s, run.bytes_in), (None, 0.0, i64::MAX as u64));
    assert_eq!(cache.history_totals().bytes_in, u64::MAX);
    assert_eq!(cache.take_warnings(), Vec::<String>::new());
}

#[test]
fn a_row_that_is_read_again_after_a_day_is_marked_as_used() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    fill(&cache);
    let other = raw(&path);
    let tables = ["facts", "hashes", "scores", "outcomes"];
    let used_s = |table| other.query_row(&format!("SELECT used_s FROM {table}"), [], |row| row.get::<_, i64>(0));
    let now_s = used_s("facts").unwrap();
    for (ago_s, marked) in [(1000, false), (100_000, true)] {
        for table in tables {
            other.execute(&format!("UPDATE {table} SET used_s = ?1"), [now_s - ago_s]).unwrap();
        }
        filled(&cache);
        for table in tables {
            assert_eq!(used_s(table).unwrap() >= now_s, marked, "{table}");
        }
    }
}

#[test]
fn a_hundred_lookups_take_no_time_that_anybody_notices() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    let films: Vec<_> = (0..100).map(|n| stamp(&format!("{n}.mkv"))).collect();
    let json = "x".repeat(2000);
    films.iter().for_each(|film| cache.keep_facts(film, "facts", "1", &json));
    let took = |_| {
        let started = Instant::now();
        assert!(films.iter().all(|film| cache.facts(film, "facts", "1").is_some()));
        started.elapsed()
    };
    // The machine may be busy with other tests at some of them.
    let best = (0..5).map(took).min().unwrap();
    assert!(best < Duration::from_millis(50), "{best:?}");
}
