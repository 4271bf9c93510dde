//! `encoding_log.txt`: what became of each film, a line each, for those who look in the morning.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use drapto::batch::BatchEvent;

use crate::cli::history::minute;
use crate::cli::text::{bytes, duration};

/// Above this it is set aside, and a new one is begun.
const LARGEST: u64 = 1 << 20;

/// The log of batches in a folder; one that cannot be written is none.
pub struct TextLog(Option<Mutex<File>>);

impl TextLog {
    /// The log in `folder`, of batches before, too.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join("encoding_log.txt");
        if std::fs::metadata(&path).is_ok_and(|facts| facts.len() > LARGEST) {
            // Of two old ones the newer stays.
            let _ = std::fs::rename(&path, folder.join("encoding_log.1.txt"));
        }
        let made =
            std::fs::create_dir_all(folder).and_then(|()| OpenOptions::new().append(true).create(true).open(&path));
        if let Err(error) = &made {
            tracing::warn!(%error, path = %path.display(), "there is no text log");
        }
        TextLog(made.ok().map(Mutex::new))
    }

    /// Writes what happened, where that is worth a line.
    pub fn event(&self, event: &BatchEvent) {
        if let (Some(file), Some(line)) = (&self.0, line(event)) {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_secs());
            let text = format!("{}  {line}\n", minute(i64::try_from(now).unwrap_or(i64::MAX)));
            // A batch does not end because its log cannot be written.
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes());
        }
    }
}

/// An event as a line; `None` for what happens too often.
pub fn line(event: &BatchEvent) -> Option<String> {
    Some(match event {
        BatchEvent::BatchStarted { films, to_do, bytes: size, jobs } => {
            format!("batch: {to_do} of {films} films to encode, {}, {jobs} at once", bytes(*size))
        }
        BatchEvent::FileStarted { input, total, file, .. } => format!("start    {input}  ({} of {total})", file + 1),
        BatchEvent::FileDone { input, output, bytes_in, bytes_out, reduction_percent, wall_s, .. } => format!(
            "done     {input} → {output}  {} → {} ({reduction_percent:.1} % smaller) in {}",
            bytes(*bytes_in),
            bytes(*bytes_out),
            duration(*wall_s)
        ),
        BatchEvent::FileSkipped { input, message, .. } => format!("skipped  {input}  {message}"),
        BatchEvent::FileFailed { input, message, .. } => format!("failed   {input}  {message}"),
        BatchEvent::FileInterrupted { input, resumable, .. } => {
            format!("stopped  {input}{}", if *resumable { "  (goes on from there)" } else { "" })
        }
        BatchEvent::FileWarning { input, message, .. } => format!("warning  {input}  {message}"),
        BatchEvent::BreakerOpen { message, .. } => format!("gave up  {message}"),
        BatchEvent::BatchFinished { done, skipped, failed, left, bytes_in, bytes_out, wall_s } => format!(
            "batch: {done} done, {skipped} left alone, {failed} failed, {left} to go; {} → {} in {}",
            bytes(*bytes_in),
            bytes(*bytes_out),
            duration(*wall_s)
        ),
        _ => return None,
    })
}
