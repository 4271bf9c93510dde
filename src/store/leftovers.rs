//! What runs left behind that ended before they were done: job directories, unfinished outputs, logs.
//!
//! Owns how they are known and what is still of use. Refuses to remove what a run works on, and to follow links.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;

use super::job::{is_job_name, lock_job};
use crate::base::{CancelToken, Error, ErrorKind, Result};

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftoverKind {
    /// The folder of a run with a target, with what it finished.
    Job,
    /// What stood for an input that could not be sought in.
    Input,
    /// An output that was not finished.
    Output,
    /// The log of a run.
    Log,
}

/// Whether it is of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
#[non_exhaustive]
pub enum LeftoverState {
    /// A run works on it.
    Running,
    /// The same command goes on from it.
    Resumable {
        /// Chunks that are finished.
        chunks: usize,
    },
    /// It is of no use any more.
    Dead {
        /// Why, in words.
        why: &'static str,
    },
}

/// Something that a run left behind.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Leftover {
    /// Where it is.
    #[serde(serialize_with = "crate::config::path_text::lossy")]
    pub path: PathBuf,
    /// What it is.
    pub kind: LeftoverKind,
    /// Whether it is of use.
    #[serde(flatten)]
    pub state: LeftoverState,
    /// Bytes of its files.
    pub bytes: u64,
    /// Seconds since it was last written to.
    pub age_s: u64,
}

/// What runs left in `folder` and in the folders below it, by path. Folders that cannot be read are left out, and links are
/// not followed.
///
/// # Errors
/// `Interrupted`.
pub fn leftovers(folder: &Path, cancel: &CancelToken) -> Result<Vec<Leftover>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        cancel.check()?;
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            match known(&path, kind.is_dir()) {
                Some(what) => found.push(looked_at(path, what)),
                None if kind.is_dir() => folders.push(path),
                None => {}
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

impl Leftover {
    /// Removes it; the bytes that are free then.
    ///
    /// # Errors
    /// `Usage` where a run works on it by now, `Output` where it cannot be removed.
    pub fn remove(&self) -> Result<u64> {
        let failed = |e| Error::new(ErrorKind::Output, "cannot remove it").caused_by(e).with_file(&self.path);
        match self.kind {
            LeftoverKind::Job => {
                let _lock = lock_job(&self.path)?;
                std::fs::remove_dir_all(&self.path).map_err(failed)?;
            }
            LeftoverKind::Input | LeftoverKind::Output => {
                let file = OpenOptions::new().read(true).open(&self.path).map_err(failed)?;
                if is_locked(&file) {
                    return Err(Error::new(ErrorKind::Usage, "a run works on it").with_file(&self.path));
                }
                std::fs::remove_file(&self.path).map_err(failed)?;
            }
            LeftoverKind::Log => std::fs::remove_file(&self.path).map_err(failed)?,
        }
        Ok(self.bytes)
    }
}

/// What a name stands for; `None` for what is not drapto's.
fn known(path: &Path, is_folder: bool) -> Option<LeftoverKind> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_folder {
        return (is_job_name(&name) && path.join("encode_data").is_dir()).then_some(LeftoverKind::Job);
    }
    let stem = name.strip_suffix(".input").unwrap_or(&name);
    if stem != name && is_job_name(stem) {
        return Some(LeftoverKind::Input);
    }
    const PARTS: [&str; 5] = [".mkv.part", ".webm.part", ".mp4.part", ".m4v.part", ".ts.part"];
    if name.starts_with('.') && PARTS.iter().any(|part| name.ends_with(part)) {
        return Some(LeftoverKind::Output);
    }
    log_of(&name).map(|_| LeftoverKind::Log)
}

/// The process whose log is called this: `drapto-4711.log`, `drapto-4711-2.log`.
fn log_of(name: &str) -> Option<u32> {
    let number = name.strip_prefix("drapto-")?.strip_suffix(".log")?;
    let process = number.split_once('-').map_or(number, |(process, _)| process);
    process.parse().ok()
}

fn looked_at(path: PathBuf, kind: LeftoverKind) -> Leftover {
    let (bytes, newest) = size_and_time(&path);
    let age = newest.and_then(|time| SystemTime::now().duration_since(time).ok()).unwrap_or(Duration::ZERO);
    let state = match kind {
        LeftoverKind::Job => job_state(&path),
        LeftoverKind::Input | LeftoverKind::Output => match File::open(&path) {
            Ok(file) if is_locked(&file) => LeftoverState::Running,
            _ => LeftoverState::Dead { why: "its run ended before it was whole" },
        },
        LeftoverKind::Log => {
            let process = path.file_name().and_then(OsStr::to_str).and_then(log_of);
            match process.is_some_and(runs) {
                true => LeftoverState::Running,
                false => LeftoverState::Dead { why: "its run ended" },
            }
        }
    };
    Leftover { path, kind, state, bytes, age_s: age.as_secs() }
}

/// Whether a process of this number runs. Where there is no telling, it does.
fn runs(process: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(process.to_string()).exists()
}

/// Whether another holds the file's lock; where there are no locks, nobody does.
fn is_locked(file: &File) -> bool {
    matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}

fn job_state(job: &Path) -> LeftoverState {
    let data = job.join("encode_data");
    if File::open(data.join("lock")).is_ok_and(|lock| is_locked(&lock)) {
        return LeftoverState::Running;
    }
    let text = std::fs::read(data.join("encoding.json"));
    let said = text.ok().and_then(|text| serde_json::from_slice::<BTreeMap<String, Value>>(&text).ok());
    let Some(said) = said else { return LeftoverState::Dead { why: "it says not what it is of" } };
    let number = |name: &str| said.get(name).and_then(Value::as_u64);
    let Some(input) = said.get("input").and_then(Value::as_str) else {
        return LeftoverState::Dead { why: "it says not what it is of" };
    };
    let Ok(facts) = std::fs::metadata(input) else { return LeftoverState::Dead { why: "its film is gone" } };
    let changed = facts.modified().ok().and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
    if number("input_bytes") != Some(facts.len())
        || number("input_changed") != changed.map(|t| t.as_nanos() as u64).or(Some(0))
    {
        return LeftoverState::Dead { why: "its film changed" };
    }
    let chunks = std::fs::read_dir(job.join("encoded")).into_iter().flatten().flatten();
    LeftoverState::Resumable { chunks: chunks.filter(|e| e.path().extension().is_some_and(|e| e == "ivf")).count() }
}

/// Bytes of a file, or of all files in a folder, and when the newest was written.
fn size_and_time(path: &Path) -> (u64, Option<SystemTime>) {
    let Ok(facts) = std::fs::symlink_metadata(path) else { return (0, None) };
    if !facts.is_dir() {
        return (facts.len(), facts.modified().ok());
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| size_and_time(&entry.path()))
        .fold((0, facts.modified().ok()), |(sum, newest), (bytes, time)| (sum + bytes, newest.max(time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn all(folder: &Path) -> Vec<Leftover> {
        leftovers(folder, &CancelToken::new()).unwrap()
    }

    fn job(folder: &Path, film: &Path) -> PathBuf {
        let job = folder.join(".film.av1.drapto-0123abcd");
        for part in ["encode_data", "encoded"] {
            std::fs::create_dir_all(job.join(part)).unwrap();
        }
        let facts = std::fs::metadata(film).unwrap();
        let changed = facts.modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let said = serde_json::json!({"input": film, "input_bytes": facts.len(), "input_changed": changed});
        std::fs::write(job.join("encode_data/encoding.json"), said.to_string()).unwrap();
        std::fs::write(job.join("encode_data/lock"), "").unwrap();
        std::fs::write(job.join("encoded/00000.ivf"), "bytes").unwrap();
        job
    }

    #[test]
    fn a_job_is_running_resumable_or_dead_with_its_film() {
        let folder = scratch();
        let film = folder.path().join("film.mkv");
        std::fs::write(&film, "film").unwrap();
        let below = folder.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        let job = job(&below, &film);
        let state = || all(folder.path()).remove(0).state;
        assert_eq!(state(), LeftoverState::Resumable { chunks: 1 });
        let lock = File::open(job.join("encode_data/lock")).unwrap();
        lock.lock().unwrap();
        assert_eq!(state(), LeftoverState::Running);
        assert_eq!(all(folder.path())[0].remove().unwrap_err().kind(), ErrorKind::Usage);
        drop(lock);
        std::fs::write(&film, "another film").unwrap();
        assert_eq!(state(), LeftoverState::Dead { why: "its film changed" });
        std::fs::remove_file(&film).unwrap();
        assert_eq!(state(), LeftoverState::Dead { why: "its film is gone" });
        let found = all(folder.path());
        assert!(found.len() == 1 && found[0].bytes > 5, "{found:?}");
        assert_eq!(found[0].remove().unwrap(), found[0].bytes);
        assert!(!job.exists() && below.exists());
    }

    #[test]
    fn unfinished_outputs_and_logs_are_found_and_what_is_not_ours_is_not() {
        let folder = scratch();
        let write = |name: &str| {
            std::fs::write(folder.path().join(name), "x").unwrap();
            folder.path().join(name)
        };
        let part = write(".out.mkv.part");
        let log = write("drapto-4194304999.log");
        let own = write(&format!("drapto-{}.log", std::process::id()));
        for other in ["film.mkv", ".download.part", "drapto-x.log", "film.drapto-0123abcd", ".film.drapto-0123abcg"] {
            write(other);
        }
        std::fs::create_dir(folder.path().join(".film.drapto-0123abce")).unwrap();
        let found = all(folder.path());
        let paths: Vec<_> = found.iter().map(|l| &l.path).collect();
        let mut expected = [&part, &log, &own];
        expected.sort();
        assert_eq!(paths, expected);
        let held = File::open(&part).unwrap();
        held.lock().unwrap();
        let state = |path: &Path| all(folder.path()).into_iter().find(|l| l.path == path).unwrap().state;
        assert_eq!(state(&part), LeftoverState::Running);
        drop(held);
        assert!(matches!(state(&part), LeftoverState::Dead { .. }));
        if Path::new("/proc/self").exists() {
            assert!(matches!(state(&log), LeftoverState::Dead { .. }));
        }
        assert_eq!(state(&own), LeftoverState::Running);
    }
}
