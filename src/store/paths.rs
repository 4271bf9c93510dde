//! The paths a run will read and write, checked before any work: against each other by what they lead to, for their
//! folders, and for what is there already.
//!
//! Two paths lead to one file where device and inode are the same (POSIX `stat`, `st_dev` and `st_ino`); for files that are
//! not there yet, where their folders are one and their names are.
#![deny(unsafe_code)]

use std::ffi::OsString;
use std::fs::{FileType, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::names::fitting;
use crate::base::{Error, ErrorKind, Result};

/// As many links lead from one to the next at most (Linux' own limit).
const MOST_LINKS: usize = 40;

/// What may be at a path that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// A file, which is replaced whole.
    File,
    /// A file, or a pipe or device, which is written to.
    FileOrStream,
}

/// Paths that were checked so far.
#[derive(Default)]
pub(crate) struct PathCheck {
    known: Vec<Known>,
}

struct Known {
    what: String,
    id: FileId,
    written: bool,
}

/// What a path leads to, however it is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FileId {
    #[cfg(unix)]
    Inode(u64, u64),
    /// A file that is not there, by its folder.
    New(Box<FileId>, OsString),
    /// Where nothing better is to be had.
    Path(PathBuf),
}

impl FileId {
    fn of(path: &Path) -> Self {
        if let Ok(found) = std::fs::metadata(path) {
            return Self::of_found(path, &found);
        }
        let real = followed(path);
        match (folder(&real).and_then(|folder| Some((std::fs::metadata(folder).ok()?, folder))), real.file_name()) {
            (Some((found, folder)), Some(name)) => FileId::New(Self::of_found(folder, &found).into(), name.to_owned()),
            _ => FileId::Path(std::path::absolute(&real).unwrap_or(real)),
        }
    }

    #[cfg(unix)]
    fn of_found(_: &Path, found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        FileId::Inode(found.dev(), found.ino())
    }

    #[cfg(not(unix))]
    fn of_found(path: &Path, _: &Metadata) -> Self {
        FileId::Path(path.canonicalize().unwrap_or_else(|_| path.to_path_buf()))
    }
}

/// Whether both paths lead to one file, also through links.
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    a.exists() && b.exists() && FileId::of(a) == FileId::of(b)
}

/// Where a file at `path` really is: a link is followed, also one that leads to nothing yet.
pub(crate) fn followed(path: &Path) -> PathBuf {
    let mut at = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(to) = std::fs::read_link(&at) else { break };
        at = folder(&at).unwrap_or(Path::new(".")).join(to);
    }
    at
}

/// The folder a path names a file in.
pub(crate) fn folder(path: &Path) -> Option<&Path> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

impl PathCheck {
    /// Notes a file that is read.
    pub(crate) fn read(&mut self, what: &str, path: &Path) {
        self.known.push(Known { what: what.to_owned(), id: FileId::of(path), written: false });
    }

    /// Checks a file that will be written.
    ///
    /// # Errors
    /// `Usage` that names the path and what is wrong with it.
    pub(crate) fn write(&mut self, what: &str, path: &Path, may: Written) -> Result<()> {
        self.check(what, path, may).map_err(|e| e.with_file(path))
    }

    fn check(&mut self, what: &str, path: &Path, may: Written) -> Result<()> {
        let usage = |message: String| Err(Error::new(ErrorKind::Usage, message));
        let found = match std::fs::metadata(path) {
            Ok(found) => Some(found),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                let message = format!("{what} cannot be written");
                return Err(Error::new(ErrorKind::Usage, message).caused_by(e));
            }
        };
        let kind = found.as_ref().map(Metadata::file_type);
        if path.file_name().is_none() || kind.is_some_and(|k| k.is_dir()) {
            return usage(format!("{what} is a folder; name a file in it"));
        }
        if let Some(special) = kind.and_then(special) {
            // What goes to a terminal or to nowhere may go there twice, but no device is a place for a film, and what is
            // on a disk is not written over.
            if may == Written::File || special == BLOCK {
                return usage(format!("{what} is {special}; name a file"));
            }
            return if special == CHARACTER { Ok(()) } else { self.note(what, path) };
        }
        self.note(what, path)?;
        let real = followed(path);
        let Some(folder) = folder(&real).filter(|folder| folder.is_dir()) else {
            return usage(format!("{what}'s folder does not exist"));
        };
        writable(folder)
            .map_err(|e| Error::new(ErrorKind::Usage, format!("{what}'s folder cannot be written")).caused_by(e))
    }

    /// Checks the folder in which something is kept; it need not be there yet.
    ///
    /// # Errors
    /// `Usage`.
    pub(crate) fn keep_in(&mut self, what: &str, dir: &Path) -> Result<()> {
        let place = |e: Error| e.with_file(dir);
        let there = dir.ancestors().map(|d| if d.as_os_str().is_empty() { Path::new(".") } else { d });
        let Some(nearest) = there.into_iter().find(|d| d.symlink_metadata().is_ok()) else { return Ok(()) };
        if !nearest.is_dir() {
            return Err(place(Error::new(ErrorKind::Usage, format!("{what} is no folder"))));
        }
        writable(nearest)
            .map_err(|e| place(Error::new(ErrorKind::Usage, format!("{what} cannot be written")).caused_by(e)))
    }

    /// Checks the name under which a file is written until it is finished: nothing but such a file may have it.
    ///
    /// # Errors
    /// `Usage`.
    pub(crate) fn in_the_making(&mut self, what: &str, path: &Path) -> Result<()> {
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            let message = format!("what has this name is in the way of {what}, which is written under it first");
            return Err(Error::new(ErrorKind::Usage, message).with_file(path));
        }
        self.note(&format!("what {what} is written as first"), path).map_err(|e| e.with_file(path))
    }

    fn note(&mut self, what: &str, path: &Path) -> Result<()> {
        let id = FileId::of(path);
        if let Some(other) = self.known.iter().find(|known| known.id == id) {
            let message = match other.written {
                true => format!("{what} and {} are one file", other.what),
                false => format!("{what} is {}", other.what),
            };
            return Err(Error::new(ErrorKind::Usage, message));
        }
        self.known.push(Known { what: what.to_owned(), id, written: true });
        Ok(())
    }
}

const BLOCK: &str = "a disk";
const CHARACTER: &str = "a device";

/// What a file is in words, where it is neither a file of bytes nor a folder.
fn special(kind: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kinds = [
            (kind.is_fifo(), "a pipe"),
            (kind.is_socket(), "a socket"),
            (kind.is_char_device(), CHARACTER),
            (kind.is_block_device(), BLOCK),
        ];
        kinds.into_iter().find(|(is, _)| *is).map(|(_, words)| words)
    }
    #[cfg(not(unix))]
    {
        (!kind.is_file() && !kind.is_dir()).then_some(CHARACTER)
    }
}

/// Whether files can be made in `folder`. Rights, read-only mounts and what the kernel makes up (`/proc`) all tell only
/// when it is tried. A full disk is not this question.
fn writable(folder: &Path) -> io::Result<()> {
    for number in 0..100 {
        let name = fitting(".drapto-", format!("{}-{number}", std::process::id()).as_ref(), ".probe");
        let path = folder.join(name);
        return match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => std::fs::remove_file(&path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Ok(()),
            Err(e) => Err(e),
        };
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn refused(check: &mut PathCheck, path: &Path, may: Written) -> String {
        let error = check.write("the report", path, may).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        error.to_string()
    }

    /// A folder with a film in it, and a check that knows that film.
    fn scratch() -> (tempfile::TempDir, PathBuf, PathCheck) {
        let folder = tempfile::tempdir().unwrap();
        let film = folder.path().join("film.mkv");
        std::fs::write(&film, b"film").unwrap();
        let mut check = PathCheck::default();
        check.read("the input", &film);
        (folder, film, check)
    }

    #[test]
    fn the_input_is_found_under_every_name_it_has() {
        let (folder, film, mut check) = scratch();
        let at = |name: &str| folder.path().join(name);
        std::fs::hard_link(&film, at("hard")).unwrap();
        symlink(&film, at("soft")).unwrap();
        symlink(at("soft"), at("softer")).unwrap();
        symlink(folder.path(), at("here")).unwrap();
        for name in ["film.mkv", "hard", "soft", "softer", "./film.mkv", "here/film.mkv", "here/here/hard"] {
            let text = refused(&mut check, &at(name), Written::FileOrStream);
            assert!(text.contains("the report is the input"), "{name}: {text}");
        }
    }

    #[test]
    fn new_files_are_compared_by_their_folder_and_name_also_through_links_to_nothing() {
        let (folder, _, mut check) = scratch();
        let at = |name: &str| folder.path().join(name);
        symlink(folder.path(), at("here")).unwrap();
        symlink("out.mkv", at("dangling")).unwrap();
        symlink("here/dangling", at("dangling2")).unwrap();
        check.write("the output", &at("out.mkv"), Written::File).unwrap();
        for name in ["out.mkv", "here/out.mkv", "dangling", "dangling2", "here/../out.mkv"] {
            if name.contains("..") {
                std::fs::create_dir_all(at("x")).unwrap();
            }
            let path = if name.contains("..") { at("x/../out.mkv") } else { at(name) };
            let text = refused(&mut check, &path, Written::FileOrStream);
            assert!(text.contains("the report and the output are one file"), "{name}: {text}");
        }
        check.write("the report", &at("out.json"), Written::FileOrStream).unwrap();
    }

    #[test]
    fn folders_pipes_and_devices_are_no_place_for_a_film_and_the_last_two_take_reports() {
        let (folder, _, mut check) = scratch();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, words) in [(folder.path(), "a folder"), (&*pipe, "a pipe"), (Path::new("/dev/null"), "a device")] {
            assert!(refused(&mut check, path, Written::File).contains(words));
        }
        for _ in 0..2 {
            check.write("the report", Path::new("/dev/null"), Written::FileOrStream).unwrap();
        }
        check.write("the report", &pipe, Written::FileOrStream).unwrap();
        assert!(refused(&mut check, &pipe, Written::FileOrStream).contains("are one file"));
    }

    #[test]
    fn a_folder_has_to_be_there_and_to_take_files() {
        let (folder, film, mut check) = scratch();
        let text = refused(&mut check, &folder.path().join("no/dir/r.json"), Written::FileOrStream);
        assert!(text.contains("folder does not exist"), "{text}");
        let text = refused(&mut check, &film.join("r.json"), Written::FileOrStream);
        assert!(text.contains("cannot be written"), "{text}");
        if Path::new("/proc/self").is_dir() {
            let text = refused(&mut check, Path::new("/proc/self/r.json"), Written::FileOrStream);
            assert!(text.contains("folder cannot be written"), "{text}");
            assert!(check.keep_in("the temporary folder", Path::new("/proc/x/y")).is_err());
        }
        check.keep_in("the temporary folder", &folder.path().join("not/yet")).unwrap();
        assert!(check.keep_in("the temporary folder", &film.join("x")).is_err());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "a check leaves nothing");
    }

    #[test]
    fn a_link_or_the_input_under_the_temporary_name_is_in_the_way() {
        let (folder, film, mut check) = scratch();
        let part = folder.path().join(".out.mkv.part");
        symlink(&film, &part).unwrap();
        assert!(check.in_the_making("the output", &part).is_err());
        assert!(check.in_the_making("the output", &film).unwrap_err().to_string().contains("is the input"));
        check.in_the_making("the output", &folder.path().join(".new.mkv.part")).unwrap();
    }
}
