//! Every version of the database becomes the newest, with what is in it; those of later versions are not touched.

use super::super::migrations::{APPLICATION, MIGRATIONS, NEWEST, TABLES, migrate, migrate_to, version};
use super::*;

/// A row in each table of version 1, as that version wrote them. [`filled`] looks for them.
const ROWS_OF_1: &str = "
    INSERT INTO facts VALUES (CAST('/films/a.mkv' AS BLOB), 'facts', '3', 1000, 5, '{\"frames\":1}', 1700000000);
    INSERT INTO hashes VALUES (CAST('/films/a.mkv' AS BLOB), 1000, 5,
        x'0707070707070707070707070707070707070707070707070707070707070707', 1700000000);
    INSERT INTO scores VALUES (x'0101010101010101010101010101010101010101010101010101010101010101', 100, 360,
        x'0000000000405740343333333333d33f0000000000000080', '{\"crf\":30}', 1700000000);
    INSERT INTO performance VALUES ('encode', 'SVT-AV1 4.2.0', 921600, 6, 2, 0.04, 1, 1700000000);
    INSERT INTO history VALUES (1, 1700000000, 'a.mkv', 'out.mkv', 'done', 'why', 1000, 400, 1253, 111.5, 100.25,
        93.0, 35.8, 93.03, '0af3', 6);";
/// What version 2 adds.
const ROWS_OF_2: &str = "
    INSERT INTO outcomes VALUES (CAST('/films/a.mkv' AS BLOB), '0af3', 1000, 5, 'skipped', 'is AV1 already',
        1700000001, 1700000001);";
const ROWS: [&str; MIGRATIONS.len()] = [ROWS_OF_1, ROWS_OF_2];

fn schema(connection: &Connection) -> Vec<(String, String)> {
    let mut statement = connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(|row| row.unwrap()).collect()
}

#[test]
fn every_version_becomes_the_newest_with_what_is_in_it() {
    let mut newest = Connection::open_in_memory().unwrap();
    migrate(&mut newest).unwrap();
    for from in 0..=NEWEST {
        let (_folder, path) = scratch();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut older = raw(&path);
        migrate_to(&mut older, from).unwrap();
        assert_eq!(version(&older).unwrap(), from);
        ROWS[..from as usize].iter().for_each(|rows| older.execute_batch(rows).unwrap());
        drop(older);
        let cache = open(&path);
        let now = raw(&path);
        assert_eq!(version(&now).unwrap(), NEWEST, "from {from}");
        assert_eq!(schema(&now), schema(&newest), "from {from}");
        let application: i64 = now.query_row("PRAGMA application_id", [], |row| row.get(0)).unwrap();
        assert_eq!(application, APPLICATION);
        if from == 0 {
            fill(&cache);
        } else if from < 2 {
            assert_eq!(cache.outcome(&stamp("a.mkv"), "0af3"), None);
            now.execute_batch(ROWS_OF_2).unwrap();
        }
        filled(&cache);
    }
}

#[test]
fn all_tables_of_the_newest_version_are_known() {
    let mut newest = Connection::open_in_memory().unwrap();
    migrate(&mut newest).unwrap();
    let mut names: Vec<_> = schema(&newest).into_iter().map(|(name, _)| name).collect();
    names.retain(|name| !name.starts_with("sqlite_"));
    let mut known = TABLES.to_vec();
    known.sort_unstable();
    assert_eq!(names, known);
}

#[test]
fn a_migration_that_fails_leaves_the_version_before_it() {
    let (_folder, path) = scratch();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut older = raw(&path);
    migrate_to(&mut older, 1).unwrap();
    older.execute_batch(ROWS_OF_1).unwrap();
    // In the way of version 2.
    older.execute_batch("CREATE TABLE outcomes (x)").unwrap();
    migrate(&mut older).unwrap_err();
    assert_eq!(version(&older).unwrap(), 1);
    older.execute_batch("DROP TABLE outcomes").unwrap();
    migrate(&mut older).unwrap();
    assert_eq!(version(&older).unwrap(), NEWEST);
}

/// The names and contents of all files in the cache's folder, but for the lock's.
fn files(path: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap());
    let mut files: Vec<_> = entries.map(read).filter(|(name, _)| !name.ends_with(".lock")).collect();
    files.sort();
    files
}

/// Asserts that the cache at `path` is left alone, with a warning that has `words`.
#[track_caller]
fn left_alone(path: &Path, words: &str) {
    let (cache, warnings) = Cache::open(path).unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains(words), "{warnings:?}");
    assert!(warnings[0].contains(&*path.to_string_lossy()), "{warnings:?}");
    assert_eq!(cache.path(), None);
    fill(&cache);
    filled(&cache);
}

#[test]
fn a_database_of_a_later_version_is_left_as_it_is_to_the_byte() {
    let (_folder, path) = scratch();
    fill(&open(&path));
    let later = raw(&path);
    later.execute_batch("CREATE TABLE later (x); PRAGMA user_version = 99;").unwrap();
    drop(later);
    let before = files(&path);
    assert_eq!(before.len(), 1, "{:?}", before.iter().map(|(name, _)| name).collect::<Vec<_>>());
    left_alone(&path, "version 99, and this drapto knows none after 2");
    assert!(files(&path) == before, "the files are not as they were");
}

#[test]
fn the_log_of_a_later_version_stays_too() {
    let (folder, path) = scratch();
    fill(&open(&path));
    let later = raw(&path);
    later.execute_batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE later (x); PRAGMA user_version = 99;").unwrap();
    // As a process leaves them that is killed: the version is in the log alone.
    let left = folder.path().join("left").join("cache.sqlite");
    std::fs::create_dir(left.parent().unwrap()).unwrap();
    for more in ["", "-wal"] {
        let [from, to] = [&path, &left].map(|path| super::super::database::beside(path, more));
        std::fs::copy(from, to).unwrap();
    }
    drop(later);
    let content = |path: &Path| files(path).into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect::<Vec<_>>();
    let before = content(&left);
    assert!(before.len() == 2 && before[1].1.len() > 1000);
    left_alone(&left, "version 99");
    assert!(content(&left) == before, "the files are not as they were");
}

#[test]
fn another_programs_database_is_left_as_it_is() {
    let (_folder, path) = scratch();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    raw(&path).execute_batch("CREATE TABLE precious (x); INSERT INTO precious VALUES (1);").unwrap();
    let before = files(&path);
    left_alone(&path, "another program's");
    assert!(files(&path) == before, "the files are not as they were");
}
