//! What tells whether a file is still the one that was looked at.
#![deny(unsafe_code)]

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A file's size, when it was written last, and what it is to its file system (POSIX `stat`: `st_dev`, `st_ino`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStamp {
    /// Its size.
    pub bytes: u64,
    /// When it was written last, in nanoseconds since 1970; 0 where the system does not say.
    pub modified_ns: i64,
    /// Its file system; 0 where the system does not say.
    pub device: u64,
    /// Which file of that it is; 0 where the system does not say.
    pub inode: u64,
}

impl FileStamp {
    /// Of the file that `path` leads to, through links.
    ///
    /// # Errors
    /// Those of the system, as that there is no such file.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::of_metadata(&std::fs::metadata(path)?))
    }

    pub(super) fn of_metadata(found: &Metadata) -> Self {
        let (device, inode) = identity(found);
        let modified_ns = found.modified().map_or(0, since_1970);
        FileStamp { bytes: found.len(), modified_ns, device, inode }
    }

    /// Whether both are of one file, whatever was written into it meanwhile. Without a word of the system they are not.
    pub(super) fn is_same_file(self, other: Self) -> bool {
        self.inode != 0 && (self.device, self.inode) == (other.device, other.inode)
    }
}

#[cfg(unix)]
fn identity(found: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0) // What it says of files needs a handle of the system there.
}

fn since_1970(time: SystemTime) -> i64 {
    let nanos = |span: std::time::Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -nanos(before.duration()), nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_has_another_stamp_and_is_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let film = folder.path().join("film.mkv");
        std::fs::write(&film, b"one").unwrap();
        let before = FileStamp::of(&film).unwrap();
        assert_eq!(FileStamp::of(&film).unwrap(), before);
        std::fs::write(&film, b"one and two").unwrap();
        let after = FileStamp::of(&film).unwrap();
        assert!(after != before && after.bytes == 11);
        assert_eq!(after.is_same_file(before), cfg!(unix));
        assert!(!FileStamp::default().is_same_file(FileStamp::default()));
        assert_eq!(FileStamp::of(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
