//! No damage, and nothing a disk says, fails a run: the cache is set aside, or goes without.

use proptest::prelude::*;

use super::super::database::{beside, suspect_mark};
use super::*;

/// Some pages of everything, and no log.
fn large(path: &Path) {
    let cache = open(path);
    fill(&cache);
    for n in 0..200u8 {
        cache.keep_scores(&[n; 32], &CachedTry { scores: vec![f64::from(n); 100], ..tried(100) });
        cache.keep_facts(&stamp(&n.to_string()), "facts", "3", &"x".repeat(500));
    }
}

/// Opens a cache whose file is not as it was: it can be used, and what there was is kept under another name where it cannot
/// be read. Whether it was set aside.
fn survives(path: &Path) -> bool {
    let damaged = std::fs::read(path).unwrap();
    let (cache, warnings) = Cache::open(path).unwrap();
    assert_eq!(cache.path(), Some(path), "{warnings:?}");
    let kept = beside(path, ".damaged-1");
    if let Some(warning) = warnings.first() {
        assert_eq!(warnings.len(), 1);
        assert!(warning.contains("was damaged") && warning.contains(&*kept.to_string_lossy()), "{warning}");
        assert!(std::fs::read(&kept).unwrap() == damaged, "it is set aside as it was");
        assert_eq!(cache.stats().unwrap().tables.iter().map(|table| table.rows).sum::<u64>(), 0);
        fill(&cache);
        filled(&cache);
    } else {
        // What the check does not see is told when it is met.
        cache.keep_scores(&[1; 32], &tried(100));
        cache.history(10);
        for n in 0..200u8 {
            cache.scores(&[n; 32]);
            cache.facts(&stamp(&n.to_string()), "facts", "3");
        }
        assert!(cache.take_warnings().len() <= 1);
    }
    !warnings.is_empty()
}

#[test]
fn what_is_no_database_is_set_aside_and_an_empty_file_is_one() {
    // To SQLite a file of one byte is empty, too.
    let contents = [(&b""[..], false), (b"x", false), (b"no", true), (b"SQLite format 3\0", true), (&[0; 8192], true)];
    for (content, damaged) in contents {
        let (_folder, path) = scratch();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        assert_eq!(survives(&path), damaged, "{} bytes", content.len());
    }
}

#[test]
fn a_database_that_was_cut_is_set_aside_wherever_it_was_cut() {
    let (_folder, whole) = scratch();
    large(&whole);
    let bytes = std::fs::read(&whole).unwrap();
    assert!(bytes.len() > 20 * 4096);
    for part in [2, 50, 100, 511, 512, 1000, 4096, 5000, bytes.len() / 2, bytes.len() - 4096] {
        let (_folder, path) = scratch();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &bytes[..part]).unwrap();
        assert!(survives(&path), "cut to {part} of {} bytes", bytes.len());
        open(&path);
    }
}

#[test]
fn each_damaged_database_keeps_a_name_of_its_own() {
    let (_folder, path) = scratch();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    for number in 1..=3 {
        std::fs::write(&path, format!("damage {number}")).unwrap();
        // A log that has nothing to do with the database that is made.
        std::fs::write(beside(&path, "-wal"), vec![number; 5000]).unwrap();
        let (cache, warnings) = Cache::open(&path).unwrap();
        assert!(warnings[0].contains(&format!("cache.sqlite.damaged-{number}")), "{warnings:?}");
        fill(&cache);
        filled(&cache);
    }
    let kept = |number| std::fs::read_to_string(beside(&path, &format!(".damaged-{number}"))).unwrap();
    assert_eq!([1, 2, 3].map(kept), ["damage 1", "damage 2", "damage 3"]);
}

#[test]
fn a_database_whose_tables_are_not_those_of_its_version_is_set_aside() {
    for change in
        ["DROP TABLE scores", "PRAGMA user_version = 0", "PRAGMA user_version = 1", "PRAGMA user_version = -1"]
    {
        let (_folder, path) = scratch();
        fill(&open(&path));
        raw(&path).execute_batch(change).unwrap();
        let (cache, warnings) = Cache::open(&path).unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("set aside"), "{change}: {warnings:?}");
        fill(&cache);
        filled(&cache);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn bytes_that_are_overwritten_anywhere_fail_nothing(
        at in any::<prop::sample::Index>(), with in proptest::collection::vec(any::<u8>(), 1..3000),
    ) {
        let (_folder, path) = scratch();
        large(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        // What says of which version it is, and whose, may make it one that is left alone.
        let at = 100 + at.index(bytes.len() - 100);
        let end = bytes.len().min(at + with.len());
        bytes[at..end].copy_from_slice(&with[..end - at]);
        std::fs::write(&path, &bytes).unwrap();
        survives(&path);
    }
}

#[test]
fn damage_that_is_met_in_use_is_told_once_and_found_by_the_next_run() {
    let (_folder, path) = scratch();
    large(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    // Too large to be looked through.
    let (cache, warnings) = Cache::open_with(&path, 0).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    for n in 0..200u8 {
        cache.scores(&[n; 32]);
        cache.facts(&stamp(&n.to_string()), "facts", "3");
    }
    let warnings = cache.take_warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("the run goes on without it"), "{warnings:?}");
    for n in 0..200u8 {
        assert_eq!(cache.scores(&[n; 32]), None, "it is not asked again");
        cache.keep_scores(&[n; 32], &tried(1));
    }
    assert_eq!(cache.take_warnings(), Vec::<String>::new());
    assert!(cache.stats().is_err(), "what a user asks for is answered");
    drop(cache);
    assert!(suspect_mark(&path).exists());
    let (cache, warnings) = Cache::open_with(&path, 0).unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains("set aside"), "{warnings:?}");
    assert!(!suspect_mark(&path).exists());
    fill(&cache);
    filled(&cache);
}

#[test]
fn a_folder_that_cannot_be_written_gives_a_cache_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let taken = folder.path().join("taken.sqlite");
    std::fs::create_dir(&taken).unwrap();
    let mut places = vec![file.join("drapto").join("cache.sqlite"), taken];
    if cfg!(target_os = "linux") {
        // Nobody makes files there, root neither.
        places.push("/proc/drapto/cache.sqlite".into());
        places.push("/proc/cache.sqlite".into());
    }
    for place in places {
        let (cache, warnings) = Cache::open(&place).unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("nothing is remembered"), "{warnings:?}");
        assert_eq!(cache.path(), None);
        fill(&cache);
        filled(&cache);
    }
}

#[cfg(unix)]
#[test]
fn folders_that_are_made_are_their_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = scratch();
    open(&path);
    let mode = std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_disk_that_is_full_or_read_only_is_told_once_and_what_is_there_is_still_read() {
    for limit in ["PRAGMA max_page_count = 1", "PRAGMA query_only = ON"] {
        let (_folder, path) = scratch();
        let cache = open(&path);
        fill(&cache);
        cache.command("limit", |connection| connection.execute_batch(limit)).unwrap();
        for n in 10..200 {
            cache.keep_scores(&[n; 32], &CachedTry { scores: vec![1.0; 1000], ..tried(1) });
        }
        let warnings = cache.take_warnings();
        assert!(warnings.len() == 1 && warnings[0].contains("cannot be written"), "{limit}: {warnings:?}");
        filled(&cache);
    }
}
