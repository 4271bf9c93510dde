//! A cache is as large as is said, and as small as is asked for.

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn rows(cache: &Cache) -> Vec<u64> {
    cache.stats().unwrap().tables.iter().map(|table| table.rows).collect()
}

#[test]
fn the_size_is_that_of_the_files_and_tables() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    assert_eq!(rows(&cache), [0; 6]);
    fill(&cache);
    let stats = cache.stats().unwrap();
    let length = |more: &str| std::fs::metadata(super::super::database::beside(&path, more)).unwrap().len();
    assert_eq!(stats.bytes, length("") + length("-wal"));
    let names: Vec<_> = stats.tables.iter().map(|table| table.name).collect();
    assert_eq!(names, ["facts", "hashes", "scores", "performance", "history", "outcomes"]);
    assert_eq!(rows(&cache), [1; 6]);
    let json = serde_json::to_value(&stats).unwrap();
    assert_eq!(json["path"], path.to_str().unwrap());
    assert_eq!(json["tables"][2], serde_json::json!({ "name": "scores", "rows": 1 }));
    let memory = Cache::in_memory().unwrap().stats().unwrap();
    assert!(memory.path.is_none() && memory.bytes > 0);
}

#[test]
fn what_nobody_asked_for_is_taken_out_but_for_the_history() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    fill(&cache);
    let other = raw(&path);
    for table in ["facts", "hashes", "scores", "performance", "outcomes"] {
        other.execute(&format!("UPDATE {table} SET used_s = used_s - ?1"), [10 * DAY.as_secs() as i64]).unwrap();
    }
    cache.keep_scores(&[9; 32], &tried(9));
    assert_eq!(cache.prune(Some(11 * DAY), None).unwrap().rows, 0);
    assert_eq!(cache.prune(Some(Duration::MAX), None).unwrap().rows, 0);
    assert_eq!(cache.prune(Some(9 * DAY), None).unwrap().rows, 5);
    assert_eq!(rows(&cache), [0, 0, 1, 0, 1, 0]);
    assert_eq!(cache.scores(&[9; 32]), Some(tried(9)));
}

#[test]
fn a_cache_that_is_too_large_loses_what_was_used_the_longest_ago() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    fill(&cache);
    for n in 10..210u8 {
        cache.keep_scores(&[n; 32], &CachedTry { scores: vec![1.0; 1000], ..tried(1) });
    }
    let other = raw(&path);
    other.execute_batch("UPDATE scores SET used_s = used_s - 1000 + rowid").unwrap();
    let before = cache.stats().unwrap().bytes;
    assert!(before > 1_600_000);
    let removed = cache.prune(None, Some(500_000)).unwrap();
    let after = cache.stats().unwrap().bytes;
    assert!(after <= 500_000 && after > 300_000, "{after}");
    assert_eq!(removed.bytes, before - after);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), after, "the room is given back");
    assert!(cache.scores(&[10; 32]).is_none() && cache.scores(&[209; 32]).is_some());
    assert_eq!(cache.prune(None, Some(500_000)).unwrap(), CacheRemoved::default());
    // Nothing that ages is left then; what is smaller cannot be had.
    cache.prune(None, Some(1)).unwrap();
    assert_eq!(rows(&cache), [0, 0, 0, 1, 1, 0]);
}

#[test]
fn an_emptied_cache_has_its_history_until_that_is_asked_for() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    fill(&cache);
    assert_eq!(cache.clear().unwrap().rows, 5);
    assert_eq!(rows(&cache), [0, 0, 0, 0, 1, 0]);
    let id = cache.history(1)[0].id;
    assert_eq!(cache.clear_history().unwrap().rows, 1);
    assert_eq!(rows(&cache), [0; 6]);
    fill(&cache);
    filled(&cache);
    assert!(cache.history(1)[0].id > id);
    assert_eq!(Cache::in_memory().unwrap().clear().unwrap().rows, 0);
}

#[test]
fn what_cannot_be_done_is_an_error_that_names_the_cache() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    fill(&cache);
    cache.command("limit", |connection| connection.execute_batch("PRAGMA query_only = ON")).unwrap();
    let error = cache.clear().unwrap_err();
    assert_eq!(error.kind(), crate::base::ErrorKind::Output);
    assert!(error.to_string().contains("cannot empty the cache") && error.file() == Some(&path), "{error}");
    filled(&cache);
}
