//! Results, numbers and errors as people read them.

use std::io::Write;

pub use drapto::text::{bytes, duration};
use drapto::{Error, ErrorKind, Result};

/// `✗ film.mkv: ...` on standard error.
pub fn write_error(error: &Error) -> std::io::Result<()> {
    writeln!(std::io::stderr().lock(), "✗ {error}")
}

/// `⚠ ...` on standard error, which may be closed.
pub fn write_warning(warning: &str) {
    let _ = writeln!(std::io::stderr().lock(), "⚠ {warning}");
}

/// Prints a result to standard output; a closed pipe is the reader's good right.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Output, "cannot write to standard output").caused_by(e))
        }
        _ => Ok(()),
    }
}

/// Prints a result as JSON.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::new(ErrorKind::Encode, "cannot write the result as JSON").caused_by(e))?;
    print(&(text + "\n"))
}
