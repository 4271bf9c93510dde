//! The operations that a settlement is made of, one by one.
#![deny(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::library::place::sync_folder;
use crate::library::stamp::FileStamp;

/// A disk as a settlement sees it. Tests stop after any operation, and lose what was not synced.
pub(super) trait SettleDisk {
    /// What the file that a path leads to is at this moment; `None` where there is none.
    fn stamp(&mut self, path: &Path) -> io::Result<Option<FileStamp>>;
    /// How many names a file has; 1 where the system does not say.
    fn names(&mut self, path: &Path) -> io::Result<u64>;
    /// Puts the bytes of a file on the disk.
    fn sync(&mut self, file: &Path) -> io::Result<()>;
    /// Puts the names in a folder on the disk.
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()>;
    /// Gives a file a second name, which nothing has.
    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes an empty file whose name nothing has.
    fn hold(&mut self, name: &Path) -> io::Result<()>;
    /// Gives a file another name, and takes that from what has it, at once.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a name away.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Copies a file over another or to a new name; the hash of what was read.
    fn copy(&mut self, from: &Path, to: &Path) -> io::Result<blake3::Hash>;
    /// The hash of a file's bytes.
    fn hash(&mut self, path: &Path) -> io::Result<blake3::Hash>;
}

/// The system's.
pub(super) struct RealDisk;

impl SettleDisk for RealDisk {
    fn stamp(&mut self, path: &Path) -> io::Result<Option<FileStamp>> {
        match FileStamp::of(path) {
            Ok(stamp) => Ok(Some(stamp)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    #[cfg(unix)]
    fn names(&mut self, path: &Path) -> io::Result<u64> {
        use std::os::unix::fs::MetadataExt;
        Ok(std::fs::metadata(path)?.nlink())
    }

    #[cfg(not(unix))]
    fn names(&mut self, _: &Path) -> io::Result<u64> {
        Ok(1)
    }

    fn sync(&mut self, file: &Path) -> io::Result<()> {
        // Some systems sync only what is open for writing.
        OpenOptions::new().read(true).write(true).open(file)?.sync_all()
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        sync_folder(folder)
    }

    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn hold(&mut self, name: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).open(name).map(drop)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn copy(&mut self, from: &Path, to: &Path) -> io::Result<blake3::Hash> {
        let mut copy = File::create(to)?;
        read_all(from, |bytes| copy.write_all(bytes))
    }

    fn hash(&mut self, path: &Path) -> io::Result<blake3::Hash> {
        read_all(path, |_| Ok(()))
    }
}

/// Reads a file to its end; its hash.
fn read_all(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<blake3::Hash> {
    let (mut file, mut hasher) = (File::open(path)?, blake3::Hasher::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hasher.update(&buffer[..read]);
        take(&buffer[..read])?;
    }
}
