//! A written file against what was promised, by the reader of its format.
#![deny(unsafe_code)]

use std::path::Path;

use super::check::{Expected, verify_matroska};
use super::mp4::verify_mp4;
use super::ts::verify_ts;
use super::verification::Verification;
use crate::base::{CancelToken, Result};
use crate::container::Format;

/// Reads the file at `path`, which is to be of `format`, and checks it against `expected`.
///
/// # Errors
/// `Interrupted`; what is wrong with the file is told by the answer.
pub(crate) fn verify_file(
    path: &Path,
    format: Format,
    expected: &Expected,
    cancel: &CancelToken,
) -> Result<Verification> {
    match format {
        Format::Mp4 => verify_mp4(path, expected, cancel),
        Format::MpegTs => verify_ts(path, expected, cancel),
        Format::Matroska | Format::WebM | Format::Ivf => verify_matroska(path, expected, cancel),
    }
}
