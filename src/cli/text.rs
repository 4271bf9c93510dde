//! Numbers and errors as people read them.

use std::io::Write;

use drapto::Error;
pub use drapto::{human_bytes as bytes, human_duration as duration};

/// `✗ film.mkv: ...` on standard error.
pub fn write_error(error: &Error) -> std::io::Result<()> {
    writeln!(std::io::stderr().lock(), "✗ {error}")
}
