//! Threads and processes that share a cache lose nothing of each other's.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::*;

#[test]
fn threads_of_two_caches_on_one_file_lose_nothing() {
    let (_folder, path) = scratch();
    let caches = [open(&path), open(&path)].map(Arc::new);
    std::thread::scope(|scope| {
        for thread in 0..6u8 {
            let cache = Arc::clone(&caches[usize::from(thread % 2)]);
            scope.spawn(move || {
                for n in 0..50u8 {
                    let mut key = [n; 32];
                    key[0] = thread;
                    cache.keep_scores(&key, &tried(u64::from(n)));
                    assert_eq!(cache.scores(&key), Some(tried(u64::from(n))));
                    cache.record(&performance(), 0.02);
                    cache.add_history(&entry("a", RunOutcome::Done, 10, 4));
                }
            });
        }
    });
    for cache in &caches {
        assert_eq!(cache.take_warnings(), Vec::<String>::new());
        assert_eq!(cache.history_totals(), HistoryTotals { runs: 300, bytes_in: 3000, bytes_out: 1200 });
        assert_eq!(cache.estimate(&performance()).matched, 300);
        let rows = |name| cache.stats().unwrap().tables.iter().find(|table| table.name == name).unwrap().rows;
        assert_eq!((rows("scores"), rows("performance"), rows("history")), (300, 1, 300));
    }
}

#[test]
fn threads_that_open_a_damaged_cache_at_once_set_it_aside_once() {
    let (folder, path) = scratch();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"damage").unwrap();
    let warnings: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4u8)
            .map(|n| {
                let path = &path;
                scope.spawn(move || {
                    let (cache, warnings) = Cache::open(path).unwrap();
                    assert_eq!(cache.path(), Some(&**path), "{warnings:?}");
                    cache.keep_scores(&[n; 32], &tried(u64::from(n)));
                    assert_eq!(cache.take_warnings(), Vec::<String>::new());
                    warnings
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let cache = open(&path);
    assert!((0..4u8).all(|n| cache.scores(&[n; 32]).is_some()));
    let names = std::fs::read_dir(folder.path().join("drapto")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().contains("damaged")).count(), 1);
}

#[test]
fn a_cache_that_another_holds_for_long_is_told_once_and_holds_nobody_up_again() {
    let (_folder, path) = scratch();
    let cache = open(&path);
    fill(&cache);
    cache.command("wait less", |connection| connection.busy_timeout(Duration::from_millis(50))).unwrap();
    let other = raw(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    filled(&cache);
    let started = Instant::now();
    for n in 0..100 {
        cache.keep_scores(&[n; 32], &tried(1));
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let warnings = cache.take_warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("locked"), "{warnings:?}");
}

const CHILD: &str = "DRAPTO_TEST_CACHE_CHILD";

/// Run in processes of their own by the test below: writes until it is killed.
#[test]
fn child_of_the_shared_cache_test() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let cache = open(Path::new(&path));
    for n in 0..100_000u32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        key[4..8].copy_from_slice(&std::process::id().to_le_bytes());
        cache.keep_scores(&key, &tried(u64::from(n)));
        cache.add_history(&entry("child", RunOutcome::Done, 10, 4));
        assert_eq!(cache.take_warnings(), Vec::<String>::new());
    }
}

/// Ends with the test, also with one that fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn processes_that_write_at_once_and_are_killed_leave_a_sound_cache() {
    let (_folder, path) = scratch();
    let child = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "store::cache::tests::sharing::child_of_the_shared_cache_test", "--nocapture"]);
        command.env(CHILD, &path).stdout(Stdio::null()).stderr(Stdio::null());
        Killed(command.spawn().unwrap())
    };
    let mut children = [child(), child()];
    let cache = open(&path);
    let until = Instant::now() + Duration::from_secs(60);
    let mut own = 0;
    while cache.history_totals().runs < own + 400 {
        assert!(Instant::now() < until, "{} of {own} runs", cache.history_totals().runs);
        cache.add_history(&entry("parent", RunOutcome::Done, 10, 4));
        own += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    for child in &mut children {
        assert!(child.0.try_wait().unwrap().is_none(), "no child ends by itself");
    }
    drop(children);
    assert_eq!(cache.take_warnings(), Vec::<String>::new());
    drop(cache);
    let cache = open(&path);
    let runs = cache.history(u32::MAX);
    assert_eq!(runs.iter().filter(|run| run.input == "parent").count() as u64, own);
    let scores = cache.stats().unwrap().tables.iter().find(|table| table.name == "scores").unwrap().rows;
    let children = runs.len() as u64 - own;
    assert!((children..=children + 2).contains(&scores), "a child writes scores first: {scores} {children}");
}
