//! The films below a folder, in an order that does not depend on the file system.
#![deny(unsafe_code)]

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::look::{in_pool, reads_as_film};
use super::place::real;
use crate::base::{Error, ErrorKind};

/// What containers and streams of films end in.
const FILMS: &[&str] = &[
    "mkv", "mk3d", "mp4", "m4v", "mov", "qt", "webm", "avi", "divx", "ts", "m2ts", "mts", "m2t", "trp", "mpg", "mpeg",
    "mpe", "m1v", "m2v", "vob", "evo", "ogv", "ogm", "flv", "f4v", "wmv", "asf", "wtv", "3gp", "3g2", "mxf", "gxf",
    "lxf", "rm", "rmvb", "nut", "y4m", "dv", "dif", "amv", "nsv", "ivf", "h264", "264", "avc", "h265", "265", "hevc",
    "vc1",
];

/// What is never a film, so that it need not be read where content decides: pictures, text, subtitles, sound, archives,
/// and files that a download has not finished.
const NO_FILMS: &[&str] = &[
    "jpg",
    "jpeg",
    "png",
    "gif",
    "webp",
    "bmp",
    "tif",
    "tiff",
    "heic",
    "avif",
    "svg",
    "psd",
    "ico",
    "txt",
    "nfo",
    "md",
    "log",
    "json",
    "xml",
    "html",
    "htm",
    "csv",
    "pdf",
    "srt",
    "ass",
    "ssa",
    "vtt",
    "sub",
    "idx",
    "sup",
    "smi",
    "lrc",
    "mp3",
    "mp2",
    "flac",
    "m4a",
    "m4b",
    "aac",
    "ac3",
    "eac3",
    "dts",
    "thd",
    "opus",
    "oga",
    "wav",
    "w64",
    "wma",
    "ape",
    "mka",
    "mks",
    "zip",
    "rar",
    "7z",
    "gz",
    "xz",
    "bz2",
    "zst",
    "tar",
    "par2",
    "sfv",
    "md5",
    "torrent",
    "nzb",
    "part",
    "partial",
    "crdownload",
    "download",
    "!qb",
    "!ut",
    "tmp",
    "exe",
    "dll",
    "so",
    "db",
];

/// Which files below a folder are films.
#[derive(Clone, Debug, PartialEq)]
pub struct WalkOptions {
    /// Whether files whose names do not say that they are films are read to see: what FFmpeg reads as having video is one.
    pub by_content: bool,
    /// Ends of the names of films, without the dot; upper and lower case are the same.
    pub extensions: Vec<String>,
    /// Folders that are left out with all that is in them, as the one in which outputs are made.
    pub leave_out: Vec<PathBuf>,
}

impl Default for WalkOptions {
    /// By name, with the ends of all containers and streams that hold films.
    fn default() -> Self {
        let extensions = FILMS.iter().map(|end| (*end).to_owned()).collect();
        WalkOptions { by_content: false, extensions, leave_out: Vec::new() }
    }
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walked {
    /// The films, by the bytes of the parts of their paths: a folder's content comes where the folder's name does.
    pub films: Vec<PathBuf>,
    /// Folders and films that could not be looked into, and why.
    pub unreadable: Vec<(PathBuf, Error)>,
}

/// Finds the films below `root`; a root that is a file is itself the one film, whatever its name.
///
/// Links are followed. What is reached a second time by links (a folder or a film, also round a loop) is the same, and the
/// first in order counts; hard links cannot be told from each other and are films of their own. Hidden names, and so the
/// unfinished files and job directories of drapto, are left out.
///
/// Nothing here is an error: what cannot be read is in [`Walked::unreadable`], the root too.
pub fn walk(root: &Path, options: &WalkOptions) -> Walked {
    match std::fs::metadata(root) {
        Ok(found) if found.is_dir() => Walker::new(options).walk(root),
        Ok(_) => Walked { films: vec![root.to_path_buf()], unreadable: Vec::new() },
        Err(e) => Walked { films: Vec::new(), unreadable: vec![(root.to_path_buf(), cannot("read it", e))] },
    }
}

fn cannot(what: &str, cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Input, format!("cannot {what}")).caused_by(cause)
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

struct Walker<'a> {
    options: &'a WalkOptions,
    left_out: Vec<PathBuf>,
    /// Folders that were entered and films that were found, by what their paths lead to.
    seen: HashSet<PathBuf>,
}

/// Whether a file is a film.
enum Candidate {
    ByName(PathBuf),
    /// Its content is to be asked.
    Perhaps(PathBuf),
}

impl<'a> Walker<'a> {
    fn new(options: &'a WalkOptions) -> Self {
        let left_out = options.leave_out.iter().map(|folder| real(folder)).collect();
        Walker { options, left_out, seen: HashSet::new() }
    }

    fn walk(mut self, root: &Path) -> Walked {
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        let by_name = |a: &DirEntry, b: &DirEntry| a.file_name().cmp(b.file_name());
        let mut entries = WalkDir::new(root).follow_links(true).sort_by(by_name).into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if entry.depth() > 0 && is_hidden(entry.file_name()) => {
                    if entry.file_type().is_dir() {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) if entry.file_type().is_dir() => {
                    let folder = real(entry.path());
                    let left_out = entry.depth() > 0 && self.left_out.contains(&folder);
                    if left_out || !self.seen.insert(folder) {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) => found.extend(self.candidate(&entry)),
                Err(error) => unreadable.extend(self.trouble(error)),
            }
        }
        Walked { films: films(found), unreadable }
    }

    fn candidate(&mut self, entry: &DirEntry) -> Option<Candidate> {
        if !entry.file_type().is_file() {
            return None;
        }
        let path = entry.path();
        let by_name = self.is_film_by_name(path);
        let is_no_film = |end: String| NO_FILMS.contains(&end.as_str());
        let perhaps = self.options.by_content && !extension(path).is_some_and(is_no_film);
        if !(by_name || perhaps) || !self.seen.insert(real(path)) {
            return None;
        }
        let path = path.to_path_buf();
        Some(if by_name { Candidate::ByName(path) } else { Candidate::Perhaps(path) })
    }

    fn is_film_by_name(&self, path: &Path) -> bool {
        extension(path).is_some_and(|end| self.options.extensions.iter().any(|known| known.eq_ignore_ascii_case(&end)))
    }

    /// What could not be read, where that matters: a loop was walked once already, and a link that leads to nothing is a
    /// film that is missing only if it has a film's name.
    fn trouble(&self, error: walkdir::Error) -> Option<(PathBuf, Error)> {
        if error.loop_ancestor().is_some() {
            return None;
        }
        let path = error.path()?.to_path_buf();
        if error.depth() > 0 && path.file_name().is_some_and(is_hidden) {
            return None;
        }
        let is_link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
        let cause = error.into_io_error()?;
        match cause.kind() {
            std::io::ErrorKind::NotFound if is_link => {
                let why = Error::new(ErrorKind::Input, "the link leads to nothing");
                self.is_film_by_name(&path).then_some((path, why))
            }
            // It went while the folder was read.
            std::io::ErrorKind::NotFound => None,
            _ => Some((path, cannot("read it", cause))),
        }
    }
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// The films among the candidates, in their order.
fn films(found: Vec<Candidate>) -> Vec<PathBuf> {
    let film = |candidate: Candidate| match candidate {
        Candidate::ByName(path) => Some(path),
        Candidate::Perhaps(path) => reads_as_film(&path).then_some(path),
    };
    if found.iter().all(|candidate| matches!(candidate, Candidate::ByName(_))) {
        return found.into_iter().filter_map(film).collect();
    }
    in_pool(|| found.into_par_iter().filter_map(film).collect())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn scratch(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"film").unwrap();
        }
        folder
    }

    fn films_below(root: &Path, options: &WalkOptions) -> Vec<String> {
        let walked = walk(root, options);
        assert!(walked.unreadable.is_empty(), "{:?}", walked.unreadable);
        let below = |film: &PathBuf| film.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        walked.films.iter().map(below).collect()
    }

    #[test]
    fn films_come_in_the_order_of_their_paths_and_nothing_else_does() {
        let folder = scratch(&[
            "b/2.mkv",
            "b/10.mkv",
            "b.mkv",
            "a.MP4",
            "B.mkv",
            "c/d/e.m2ts",
            "note.txt",
            "Show.S01E01",
            ".hidden.mkv",
            ".b.av1.mkv.part",
            ".b.av1.drapto-0123abcd/encoded/00000.ivf",
            "c/.trash/x.mkv",
        ]);
        let found = films_below(folder.path(), &WalkOptions::default());
        assert_eq!(found, ["B.mkv", "a.MP4", "b/10.mkv", "b/2.mkv", "b.mkv", "c/d/e.m2ts"]);
        let paths: Vec<PathBuf> = walk(folder.path(), &WalkOptions::default()).films;
        assert!(paths.is_sorted(), "as paths are compared: part by part");
    }

    #[test]
    fn loops_and_second_ways_to_a_film_are_walked_once() {
        let folder = scratch(&["a/film.mkv", "z/other.mkv"]);
        let at = |name: &str| folder.path().join(name);
        symlink(folder.path(), at("a/up")).unwrap();
        symlink("../z", at("a/z")).unwrap();
        symlink("../a", at("z/a")).unwrap();
        symlink("a/film.mkv", at("again.mkv")).unwrap();
        symlink("self.mkv", at("self.mkv")).unwrap();
        let walked = walk(folder.path(), &WalkOptions::default());
        let names: Vec<_> = walked.films.iter().map(|f| f.strip_prefix(folder.path()).unwrap().to_owned()).collect();
        assert_eq!(names, [Path::new("a/film.mkv"), Path::new("a/z/other.mkv")]);
        let [(path, error)] = walked.unreadable.as_slice() else { panic!("{:?}", walked.unreadable) };
        assert!(path.ends_with("self.mkv"), "{error}");
        // Hard links are two films: neither is the first.
        std::fs::hard_link(at("z/other.mkv"), at("z/twin.mkv")).unwrap();
        assert_eq!(walk(folder.path(), &WalkOptions::default()).films.len(), 3);
    }

    #[test]
    fn folders_that_link_to_each_other_in_every_way_are_walked_in_no_time() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..14).map(|n| format!("{n:02}")).collect();
        for name in &names {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("film.mkv"), b"").unwrap();
        }
        for from in &names {
            for to in &names {
                symlink(folder.path().join(to), folder.path().join(from).join(format!("to{to}"))).unwrap();
            }
        }
        let walked = walk(folder.path(), &WalkOptions::default());
        assert_eq!(walked.films.len(), names.len(), "there are 14! ways, and 14 films");
    }

    #[test]
    fn names_may_be_any_bytes_and_a_root_may_be_a_file_or_missing() {
        let folder = scratch(&[]);
        let name = folder.path().join(OsStr::from_bytes(b"lat\xe9in.mkv"));
        std::fs::write(&name, b"film").unwrap();
        assert_eq!(walk(folder.path(), &WalkOptions::default()).films, std::slice::from_ref(&name));
        let text = folder.path().join("text");
        std::fs::write(&text, b"").unwrap();
        assert_eq!(walk(&text, &WalkOptions::default()).films, [text]);
        let none = folder.path().join("none");
        let walked = walk(&none, &WalkOptions::default());
        assert!(walked.films.is_empty());
        assert_eq!((&walked.unreadable[0].0, walked.unreadable[0].1.kind()), (&none, ErrorKind::Input));
    }

    #[test]
    fn a_folder_that_is_left_out_and_a_film_that_is_missing_are_told_apart() {
        let folder = scratch(&["film.mkv", "out/film.mkv"]);
        let at = |name: &str| folder.path().join(name);
        symlink(at("out"), at("another way")).unwrap();
        let options = WalkOptions { leave_out: vec![at("out")], ..WalkOptions::default() };
        assert_eq!(films_below(folder.path(), &options), ["film.mkv"]);
        assert_eq!(films_below(&at("out"), &options), ["film.mkv"], "a root is never left out");
        symlink("nowhere.mkv", at("gone.mkv")).unwrap();
        symlink("nowhere.txt", at("gone.txt")).unwrap();
        let walked = walk(folder.path(), &options);
        assert!(walked.unreadable.len() == 1 && walked.unreadable[0].0.ends_with("gone.mkv"));
        assert!(walked.unreadable[0].1.to_string().contains("leads to nothing"));
    }

    #[test]
    fn extensions_may_be_others_and_content_decides_where_it_is_asked() {
        let folder = scratch(&["a.mkv", "b.XYZ", "c.txt", "d"]);
        let options = WalkOptions { extensions: vec!["xyz".to_owned()], ..WalkOptions::default() };
        assert_eq!(films_below(folder.path(), &options), ["b.XYZ"]);
        // None of these files holds video.
        let options = WalkOptions { by_content: true, ..WalkOptions::default() };
        assert_eq!(films_below(folder.path(), &options), ["a.mkv"]);
    }
}
