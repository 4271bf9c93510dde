//! Opening: what is sound is used, what is damaged is set aside, what is not ours to touch is left as it is.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::database::{Cache, PATIENCE, beside, code, is_damage, suspect_mark, words};
use super::migrations::{APPLICATION, NEWEST, TABLES, migrate, version};
use crate::base::Result;

/// A database of as many bytes at most is looked through when it is opened: 236 MiB took 0.4 s where the system had them in
/// memory. A larger one is where damage was met in it before.
const LOOKED_THROUGH: u64 = 256 << 20;

/// The least bytes that a database has (SQLite's file format, section 1.3.2).
const SMALLEST_PAGE: u64 = 512;

/// Why a database cannot be used.
enum CacheFault {
    /// It is not as it was written; another may take its place.
    Damaged(String),
    /// It stays where it is.
    Unusable(String),
}

impl Cache {
    /// Opens or makes the cache at `path`, with the folders it is in, and warnings in sentences.
    ///
    /// One that is damaged is set aside beside it and a new one made. Where none can be had at `path` (a folder that
    /// cannot be written, a database of a later drapto or of another program, which stays as it is) the cache is in
    /// memory, without a [`path`](Self::path). Both are warnings: no run fails for want of a cache.
    ///
    /// # Errors
    /// As [`in_memory`](Self::in_memory).
    pub fn open(path: &Path) -> Result<(Self, Vec<String>)> {
        Self::open_with(path, LOOKED_THROUGH)
    }

    /// As [`open`](Self::open), but only databases of `looked_through` bytes at most are looked through.
    pub(super) fn open_with(path: &Path, looked_through: u64) -> Result<(Self, Vec<String>)> {
        let mut warnings = Vec::new();
        match opened(path, looked_through, &mut warnings) {
            Ok(connection) => Ok((Self::over(connection, Some(path.to_path_buf())), warnings)),
            Err(why) => {
                warnings.push(format!("the cache {} cannot be used: {why}; nothing is remembered", path.display()));
                Ok((Self::in_memory()?, warnings))
            }
        }
    }
}

/// Where the cache of a user is, by the XDG Base Directory Specification 0.8: `drapto/cache.sqlite` in XDG_CACHE_HOME, or
/// in `~/.cache`. `None` where neither that nor HOME is an absolute path. `variable` reads the environment.
pub fn default_path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // Paths that are not absolute are to be ignored.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(folder.join("drapto").join("cache.sqlite"))
}

fn opened(path: &Path, looked_through: u64, warnings: &mut Vec<String>) -> Result<Connection, String> {
    // Two processes that find the same damage must not set aside each other's new one.
    let _lock = lock(path)?;
    for _ in 0..2 {
        let why = match connect(path, looked_through) {
            Ok(connection) => return Ok(connection),
            Err(CacheFault::Unusable(why)) => return Err(why),
            Err(CacheFault::Damaged(why)) => why,
        };
        let kept = set_aside(path).map_err(|e| format!("it is damaged ({why}) and cannot be set aside ({e})"))?;
        let (path, kept) = (path.display(), kept.display());
        warnings.push(format!("the cache {path} was damaged ({why}) and is set aside as {kept}"));
    }
    Err("a new one is damaged, too".to_owned())
}

/// Waits for its turn to open the database at `path`; the turn ends with the file. `None` where there are no locks.
fn lock(path: &Path) -> Result<Option<File>, String> {
    let cannot = |e: io::Error| e.to_string();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder).map_err(cannot)?;
    }
    let name = beside(path, ".lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(name).map_err(cannot)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                return Err("another process does not let go of it".to_owned());
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
            // File systems without locks exist; SQLite will say whether it can do with this one.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "the cache cannot be locked");
                return Ok(None);
            }
        }
    }
}

/// The folder and those it is in, for their user alone, as the XDG specification wants it: names of films are in it.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A connection to the database at `path`, which is sound and of the newest version then.
fn connect(path: &Path, looked_through: u64) -> Result<Connection, CacheFault> {
    let there = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let suspect = suspect_mark(path);
    let length = there(path);
    // SQLite takes a head without a page for an empty database of nobody's.
    if (2..SMALLEST_PAGE).contains(&length) {
        return Err(CacheFault::Damaged(format!("it ends after {length} bytes")));
    }
    let look_through = length <= looked_through || suspect.exists();
    // A log that another process left is written into the database when the last connection closes. One to a database
    // that is left as it is must not do that.
    let log = there(&beside(path, "-wal")) > 0;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    let keep_log = |connection: &Connection, keep| {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map_err(fault)
    };
    keep_log(&connection, log)?;
    connection.busy_timeout(PATIENCE).map_err(fault)?;
    check(&connection, look_through)?;
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; \
                    PRAGMA cell_size_check = ON;";
    connection.execute_batch(settings).map_err(fault)?;
    migrate(&mut connection).map_err(fault)?;
    complete(&connection)?;
    keep_log(&connection, false)?;
    if look_through {
        let _ = std::fs::remove_file(suspect);
    }
    Ok(connection)
}

/// Whether the database is one of this program and version or before, or empty, and as it was written; writes nothing.
fn check(connection: &Connection, look_through: bool) -> Result<(), CacheFault> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    // Both are in the file's head, so that they are there of a database whose tables nobody here understands, too.
    let version = version(connection).map_err(fault)?;
    let application = number("PRAGMA application_id").map_err(fault)?;
    if (version, application) == (0, 0) && number("SELECT count(*) FROM sqlite_schema") == Ok(0) {
        return Ok(());
    }
    if application != APPLICATION {
        return Err(CacheFault::Unusable("it is another program's database".to_owned()));
    }
    if version > NEWEST {
        let why = format!("its format is version {version}, and this drapto knows none after {NEWEST}");
        return Err(CacheFault::Unusable(why));
    }
    if version < 1 {
        return Err(CacheFault::Damaged(format!("there is no version {version}")));
    }
    if !look_through {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(fault)?;
    // Of several lines the last says it.
    let last = || found.lines().last().unwrap_or_default().to_owned();
    if found == "ok" { Ok(()) } else { Err(CacheFault::Damaged(last())) }
}

/// Whether all tables have the columns that they have in a new database.
fn complete(connection: &Connection) -> Result<(), CacheFault> {
    let mut new = Connection::open_in_memory().map_err(fault)?;
    migrate(&mut new).map_err(fault)?;
    let columns = |connection: &Connection, table: &str| -> rusqlite::Result<Option<String>> {
        let sql = "SELECT group_concat(name || ' ' || type || ' ' || pk) FROM pragma_table_info(?1)";
        connection.query_row(sql, [table], |row| row.get(0))
    };
    for table in TABLES {
        if columns(connection, table).map_err(fault)? != columns(&new, table).map_err(fault)? {
            return Err(CacheFault::Damaged(format!("the table {table} is not that of its version")));
        }
    }
    Ok(())
}

fn fault(error: rusqlite::Error) -> CacheFault {
    let (why, code) = (words(&error), code(&error));
    // An error in SQL is one of tables that are not those of their version.
    let damaged = is_damage(code) || code == Some(ErrorCode::Unknown);
    if damaged { CacheFault::Damaged(why) } else { CacheFault::Unusable(why) }
}

/// Gives the database at `path` another name, its log with it; which.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let free = |name: &PathBuf| name.symlink_metadata().is_err() && beside(name, "-wal").symlink_metadata().is_err();
    let name = (1..1000).map(|number| beside(path, &format!(".damaged-{number}"))).find(free);
    let name = name.ok_or_else(|| io::Error::other("there is no free name"))?;
    std::fs::rename(path, &name)?;
    for log in ["-wal", "-journal"] {
        // There need not be one. One that stays would be played back into the new database.
        match std::fs::rename(beside(path, log), beside(&name, log)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => std::fs::remove_file(beside(path, log))?,
            _ => {}
        }
    }
    // What is made from the log when it is opened.
    let _ = std::fs::remove_file(beside(path, "-shm"));
    let _ = std::fs::remove_file(suspect_mark(path));
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_specification_has_it() {
        let found = |variables: &[(&str, &str)]| {
            default_path(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
        };
        let home = ("HOME", "/home/a");
        assert_eq!(found(&[home]), Some("/home/a/.cache/drapto/cache.sqlite".into()));
        assert_eq!(found(&[home, ("XDG_CACHE_HOME", "/b")]), Some("/b/drapto/cache.sqlite".into()));
        for ignored in ["", "relative"] {
            assert_eq!(found(&[home, ("XDG_CACHE_HOME", ignored)]), found(&[home]));
        }
        assert_eq!(found(&[("HOME", "a")]), None);
        assert_eq!(found(&[]), None);
    }
}
