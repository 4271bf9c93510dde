//! Logs: everything to a file while the run lasts, and what was asked for to standard error.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drapto::{Error, ErrorKind, Result};
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::prelude::*;

/// The log file of this run.
pub struct LogFile {
    /// `None` where there is no place for one.
    path: Option<PathBuf>,
    keep: bool,
    /// Whether it is in the `logs` of a job directory.
    in_job: bool,
}

impl LogFile {
    /// Starts logging: at debug level to a file in the `logs` of the directory `job`, or where that cannot be, under
    /// `temp`; at `level` to standard error. A log is not worth a film: where there is no place for the file, a sentence
    /// says so.
    pub fn start(job: Option<&Path>, temp: Option<&Path>, level: Level, keep: bool) -> (Self, Option<String>) {
        let temp = temp.map_or_else(std::env::temp_dir, Path::to_path_buf);
        // A folder that is missing is not made for a log's sake: whether it should be there is for the run to say.
        let job = job.filter(|job| job.parent().is_some_and(|p| p.as_os_str().is_empty() || p.is_dir()));
        let in_job = job.and_then(|job| open(&job.join("logs")).ok());
        let (in_job, opened) = match in_job {
            Some(opened) => (true, Ok(opened)),
            None => (false, open(&temp)),
        };
        let (path, file, unlogged) = match opened {
            Ok((path, file)) => (Some(path), Some(file), None),
            Err(error) => (None, None, Some(format!("there is no log of this run: {error}"))),
        };
        let to_file =
            file.map(|file| layer().with_ansi(false).with_writer(Arc::new(file)).with_filter(LevelFilter::DEBUG));
        let to_terminal = layer()
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_writer(std::io::stderr)
            .with_filter(LevelFilter::from_level(level));
        tracing_subscriber::registry().with(to_file).with(to_terminal).init();
        (LogFile { path, keep, in_job }, unlogged)
    }

    /// Removes the file unless it is to be kept; after a run that succeeded also those of the job's runs before.
    pub fn finish(self, succeeded: bool) -> Option<PathBuf> {
        let path = self.path?;
        if self.keep {
            return Some(path);
        }
        let _ = std::fs::remove_file(&path);
        if let (true, Some(logs)) = (self.in_job, path.parent()) {
            for entry in std::fs::read_dir(logs).into_iter().flatten().flatten().filter(|_| succeeded) {
                if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
            // What is not empty is still of use.
            let _ = std::fs::remove_dir(logs);
            let _ = logs.parent().map(std::fs::remove_dir);
        }
        None
    }

    /// Keeps the file, for a run that failed.
    pub fn keep(self) -> Option<PathBuf> {
        self.path
    }
}

/// What names of log files begin with.
const PREFIX: &str = "drapto-";

fn open(folder: &Path) -> Result<(PathBuf, File)> {
    let failed =
        |path: &Path, e| Err(Error::new(ErrorKind::Output, "cannot write the log").caused_by(e).with_file(path));
    if let Err(e) = std::fs::create_dir_all(folder) {
        return failed(folder, e);
    }
    for number in 1..100 {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{PREFIX}{}{number}.log", std::process::id()));
        // Never through what is there: a folder for temporary files is everybody's, and a link in it may lead anywhere.
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return failed(&path, e),
        }
    }
    failed(folder, std::io::ErrorKind::AlreadyExists.into())
}
