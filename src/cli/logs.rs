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
    path: PathBuf,
    keep: bool,
}

impl LogFile {
    /// Starts logging: at debug level to a file under `folder`, at `level` to standard error.
    pub fn start(folder: Option<&Path>, level: Level, keep: bool) -> Result<Self> {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = folder.join(format!("drapto-{}.log", std::process::id()));
        let failed = |e| Error::new(ErrorKind::Output, "cannot write the log").caused_by(e).with_file(&path);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        let to_file = layer().with_ansi(false).with_writer(Arc::new(file)).with_filter(LevelFilter::DEBUG);
        let to_terminal = layer()
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_writer(std::io::stderr)
            .with_filter(LevelFilter::from_level(level));
        tracing_subscriber::registry().with(to_file).with(to_terminal).init();
        Ok(LogFile { path, keep })
    }

    /// Removes the file unless it is to be kept.
    pub fn finish(self) -> Option<PathBuf> {
        if self.keep {
            return Some(self.path);
        }
        let _ = std::fs::remove_file(&self.path);
        None
    }

    /// Keeps the file, for a run that failed.
    pub fn keep(self) -> PathBuf {
        self.path
    }
}
