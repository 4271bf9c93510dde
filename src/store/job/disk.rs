//! What the files of a job have in common: names that are on the disk, errors that name a file.
#![deny(unsafe_code)]

use std::fs::File;
use std::path::Path;

use crate::base::{Error, ErrorKind, Result};

pub(super) fn cannot(path: &Path, what: &str, cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Output, format!("cannot {what}")).caused_by(cause).with_file(path)
}

/// A name is on the disk only when its folder is.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    let folder = match path.parent() {
        None => return Ok(()),
        Some(here) if here.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
    };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems sync no folders, and some folders take files but cannot be read.
        Err(e) if !matches!(e.kind(), InvalidInput | PermissionDenied | Unsupported) => {
            Err(cannot(folder, "write a folder to the disk", e))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> Result<()> {
    Ok(()) // A folder cannot be opened as a file there.
}
