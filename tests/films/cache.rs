//! What drapto remembers, as its user sees it. No film is needed.

use std::path::{Path, PathBuf};
use std::process::Output;

use drapto::cache::{Cache, CachedTry, HistoryEntry, RunOutcome};
use serde_json::{Value, json};

use super::support::{drapto, names, said, scratch};

/// A command, with its cache below `folder`.
fn run(folder: &Path, args: &[&str]) -> Output {
    drapto().env("XDG_CACHE_HOME", folder).args(args).output().expect("drapto runs")
}

/// What a command prints, which has to succeed without a word on standard error.
#[track_caller]
fn printed(folder: &Path, args: &[&str]) -> String {
    let out = run(folder, args);
    assert!(out.status.success() && out.stderr.is_empty(), "{args:?}: {}", said(&out));
    String::from_utf8(out.stdout).expect("text")
}

fn place(folder: &Path) -> PathBuf {
    folder.join("drapto").join("cache.sqlite")
}

/// A cache of two runs and some scores.
fn filled(folder: &Path) -> Cache {
    let (cache, warnings) = Cache::open(&place(folder)).expect("a cache");
    assert!(warnings.is_empty(), "{warnings:?}");
    let done = HistoryEntry {
        when_unix_s: 1_000_000_000,
        input: "/films/sintel.mp4".to_owned(),
        output: "/films/sintel.av1.mkv".to_owned(),
        bytes_in: 7_608_204,
        bytes_out: 3_317_200,
        frames: 1253,
        wall_s: 111.0,
        target: Some(93.0),
        crf: Some(35.8),
        score: Some(93.03),
        preset: 6,
        ..HistoryEntry::default()
    };
    let skipped = HistoryEntry {
        when_unix_s: 1_000_000_060,
        input: "other.mkv".to_owned(),
        outcome: RunOutcome::Skipped,
        reason: "the film is AV1 already".to_owned(),
        ..HistoryEntry::default()
    };
    [done, skipped].iter().for_each(|run| cache.add_history(run));
    for n in 0..50 {
        cache.keep_scores(&[n; 32], &CachedTry { scores: vec![93.0; 500], ..CachedTry::default() });
    }
    cache
}

#[test]
fn the_history_lists_runs_and_what_they_saved() {
    let folder = scratch();
    drop(filled(folder.path()));
    let skipped = "2001-09-09 01:47 UTC  other.mkv  skipped: the film is AV1 already\n";
    let done = "2001-09-09 01:46 UTC  sintel.mp4  7.26 MiB → 3.16 MiB  (56.4 % smaller)  VMAF 93.03  CRF 35.8  1:51\n";
    let total = "1 run done: 7.26 MiB → 3.16 MiB  (4.09 MiB saved, 56.4 % smaller)\n";
    assert_eq!(printed(folder.path(), &["history"]), [skipped, done, total].concat());
    assert_eq!(printed(folder.path(), &["history", "--limit", "1"]), [skipped, total].concat());
    let found: Value = serde_json::from_str(&printed(folder.path(), &["history", "--json"])).expect("JSON");
    assert_eq!(found["totals"], json!({ "runs": 1, "bytes_in": 7_608_204, "bytes_out": 3_317_200 }));
    let runs = found["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["outcome"], &runs[0]["crf"]), (&json!("skipped"), &Value::Null));
    assert_eq!((&runs[1]["outcome"], &runs[1]["target"]), (&json!("done"), &json!(93.0)));
}

#[test]
fn the_cache_is_shown_shortened_and_emptied_and_the_history_stays() {
    let folder = scratch();
    drop(filled(folder.path()));
    let stats =
        || -> Value { serde_json::from_str(&printed(folder.path(), &["cache", "stats", "--json"])).expect("JSON") };
    let rows = |name: &str| {
        let stats = stats();
        let table = stats["tables"].as_array().expect("tables").iter().find(|table| table["name"] == name);
        table.expect("the table")["rows"].as_u64().expect("a number")
    };
    assert_eq!(stats()["path"], place(folder.path()).to_str().expect("text"));
    let before = stats()["bytes"].as_u64().expect("a size");
    assert!(before > 200_000, "{before}");
    let text = printed(folder.path(), &["cache", "stats"]);
    assert!(text.contains("scores       50\n") && text.contains("history      2\n"), "{text}");
    assert!(text.contains("cache.sqlite") && text.contains("KiB"), "{text}");

    let kept = printed(folder.path(), &["cache", "prune", "--older-than", "90"]);
    assert_eq!(kept, "✓ 0 rows taken out, 0 B given back\n");
    printed(folder.path(), &["cache", "prune", "--max-size", "150K", "--older-than", "90"]);
    let after = stats()["bytes"].as_u64().expect("a size");
    assert!(after <= 150 << 10 && rows("scores") > 10, "{after}");
    let emptied = printed(folder.path(), &["cache", "clear"]);
    assert!(emptied.starts_with("✓ "), "{emptied}");
    assert_eq!((rows("scores"), rows("history")), (0, 2));
    assert!(printed(folder.path(), &["cache", "clear", "--history"]).starts_with("✓ 2 rows"));
    assert_eq!(printed(folder.path(), &["history"]), "no run was done yet\n");
}

#[test]
fn where_there_is_no_cache_yet_looking_makes_none() {
    let folder = scratch();
    assert_eq!(printed(folder.path(), &["history"]), "no run was done yet\n");
    assert!(printed(folder.path(), &["cache", "stats"]).contains("none yet"));
    printed(folder.path(), &["cache", "clear"]);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_damaged_cache_is_set_aside_with_a_warning() {
    let folder = scratch();
    drop(filled(folder.path()));
    std::fs::write(place(folder.path()), b"damage").expect("a file");
    let out = run(folder.path(), &["history"]);
    assert!(out.status.success(), "{}", said(&out));
    let text = said(&out);
    assert!(
        text.starts_with("⚠ the cache ") && text.contains("is set aside as") && text.lines().count() == 1,
        "{text}"
    );
    assert_eq!(std::fs::read(folder.path().join("drapto/cache.sqlite.damaged-1")).expect("the file"), b"damage");
    assert_eq!(printed(folder.path(), &["history"]), "no run was done yet\n");
}

#[test]
fn a_cache_that_cannot_be_read_is_an_error_of_the_commands_about_it_and_stays() {
    let folder = scratch();
    std::fs::create_dir(folder.path().join("drapto")).expect("a folder");
    // A database of version 99, as far as anybody looks who knows none after 2.
    drop(filled(folder.path()));
    let mut bytes = std::fs::read(place(folder.path())).expect("a cache");
    bytes[60..64].copy_from_slice(&99u32.to_be_bytes());
    std::fs::write(place(folder.path()), &bytes).expect("a cache");
    for args in [&["history"][..], &["cache", "stats"], &["cache", "clear"], &["cache", "prune", "--older-than", "1"]] {
        let out = run(folder.path(), args);
        assert_eq!(out.status.code(), Some(3), "{args:?}: {}", said(&out));
        assert!(said(&out).contains("version 99"), "{}", said(&out));
        assert!(std::fs::read(place(folder.path())).expect("a cache") == bytes, "{args:?} touched it");
    }
}

#[test]
fn wrong_usage_of_the_cache_exits_with_2() {
    let folder = scratch();
    for (args, words) in [
        (&["cache", "prune"][..], "--older-than"),
        (&["cache", "prune", "--max-size", "much"], "is no size"),
        (&["cache", "prune", "--older-than", "-1"], "-1"),
        (&["history", "--limit", "all"], "all"),
        (&["cache"], "stats"),
    ] {
        let out = run(folder.path(), args);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", said(&out));
        assert!(said(&out).contains(words), "{args:?}: {}", said(&out));
    }
    let out = drapto().env("XDG_CACHE_HOME", "relative").env("HOME", "").arg("history").output().expect("drapto runs");
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("XDG_CACHE_HOME"), "{}", said(&out));
}
