//! Where paths lead to, so that they can be compared however they are spelled.
#![deny(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

/// What a path leads to, as one name for all ways to it.
pub(super) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()))
}

/// A name for what would be at `path`, whichever way its folder is reached; the folder need not be there.
pub(super) fn place(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut at = path;
    while let (Some(folder), Some(name)) = (at.parent(), at.file_name()) {
        missing.push(name);
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if let Ok(real) = folder.canonicalize() {
            return missing.iter().rev().fold(real, |path, name| path.join(name));
        }
        at = folder;
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The folder a path names something in.
pub(super) fn folder(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(path);
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// Puts the names in a folder on the disk.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match std::fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems sync no folders, and some folders take files but cannot be read.
        Err(e) if !matches!(e.kind(), InvalidInput | PermissionDenied | Unsupported) => Err(e),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(()) // A folder cannot be opened as a file there.
}

/// Makes a folder and those it is in, and puts their names on the disk: what is written in it later is lost with any of them.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|at| !at.as_os_str().is_empty() && !at.is_dir()).count();
    std::fs::create_dir_all(path)?;
    path.ancestors().take(missing).try_for_each(|made| sync_folder(folder(made)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_where_they_are_missing_and_paths_compare_however_they_are_spelled() {
        let scratch = tempfile::tempdir().unwrap();
        let deep = scratch.path().join("a/b/c");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        assert!(deep.is_dir());
        std::fs::write(deep.join("file"), b"").unwrap();
        make_folder(&deep.join("file")).unwrap_err();
        assert_eq!(place(&scratch.path().join("a/./b/../b/new/x")), place(&scratch.path().join("a/b/new/x")));
        assert_eq!(real(&deep.join("../c/file")), real(&deep.join("file")));
        assert_eq!((folder(Path::new("x")), folder(Path::new("a/x"))), (Path::new("."), Path::new("a")));
    }
}
