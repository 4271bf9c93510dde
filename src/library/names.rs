//! What outputs are called, and which films would get one name.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::place::{place, real};
use crate::base::{Error, ErrorKind, Result};
use crate::front::matroska_name;

/// The longest suffix, in bytes, so that it fits behind a name.
const LONGEST: usize = 64;

/// Where outputs are made and what they are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputNames {
    /// The folder in which the folders of the films are made again; `None` puts each output beside its film, as does the
    /// folder of the films itself.
    pub folder: Option<PathBuf>,
    /// What outputs' names have before `.mkv`; `None` is the codec (`.av1`) beside films and nothing in a folder of their own.
    pub suffix: Option<String>,
}

impl OutputNames {
    /// Refuses suffixes that are no part of a name, and outputs that would have the names of their films.
    ///
    /// # Errors
    /// `Usage`.
    pub(super) fn check(&self) -> Result<()> {
        self.suffix.as_deref().map_or(Ok(()), check_suffix)?;
        match (&self.folder, self.suffix.as_deref()) {
            (None, Some("")) => {
                let message = "outputs beside their films need a suffix that tells them apart";
                Err(Error::new(ErrorKind::Usage, message))
            }
            _ => Ok(()),
        }
    }

    /// The folder of the outputs of films below `root`; `None` where they are beside the films.
    fn folder_for(&self, root: &Path) -> Option<&Path> {
        let folder = self.folder.as_deref()?;
        let of_films = if root.is_dir() { root } else { root.parent()? };
        let of_films = if of_films.as_os_str().is_empty() { Path::new(".") } else { of_films };
        (real(folder) != real(of_films)).then_some(folder)
    }

    /// What outputs of films below `root` have before `.mkv`, where their pictures are in FFmpeg's `codec`.
    pub(super) fn suffix_for(&self, root: &Path, codec: &str) -> String {
        match self.suffix.as_deref() {
            // In a folder of their own outputs need none; beside their films they do.
            None | Some("") if self.folder_for(root).is_some() => String::new(),
            None | Some("") => format!(".{codec}"),
            Some(suffix) => suffix.to_owned(),
        }
    }

    /// Where the output of `film`, found below `root`, goes.
    pub(super) fn output(&self, root: &Path, film: &Path, codec: &str) -> PathBuf {
        let named = matroska_name(film, &self.suffix_for(root, codec));
        let Some(folder) = self.folder_for(root) else { return named };
        let below = match named.strip_prefix(root) {
            Ok(below) if !below.as_os_str().is_empty() => below,
            // The root is the film.
            _ => Path::new(named.file_name().unwrap_or_default()),
        };
        folder.join(below)
    }
}

/// Refuses what is no part of a file's name.
///
/// # Errors
/// `Usage`.
pub(super) fn check_suffix(suffix: &str) -> Result<()> {
    let wrong = |why: &str| Err(Error::new(ErrorKind::Usage, format!("the suffix {suffix:?} {why}")));
    if suffix.contains(['/', '\\', '\0']) {
        return wrong("is no part of a name");
    }
    if suffix.len() > LONGEST {
        return wrong("is too long");
    }
    Ok(())
}

/// Whether a name has `suffix` before its extension.
pub(super) fn has_suffix(film: &Path, suffix: &str) -> bool {
    let stem = film.file_stem().unwrap_or_default().as_encoded_bytes();
    !suffix.is_empty() && stem.len() > suffix.len() && stem.ends_with(suffix.as_bytes())
}

/// The name that an output has in its film's place.
pub(super) fn place_of(film: &Path) -> PathBuf {
    matroska_name(film, "")
}

/// Which film has which output: a name is given once.
#[derive(Default)]
pub(super) struct OutputClaims {
    films: BTreeMap<PathBuf, PathBuf>,
}

impl OutputClaims {
    /// Gives `output` to `film`; the film that has it already, where one has.
    pub(super) fn claim(&mut self, film: &Path, output: &Path) -> Option<PathBuf> {
        let name = place(output);
        if let Some(other) = self.films.get(&name) {
            return Some(other.clone());
        }
        self.films.insert(name, film.to_path_buf());
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: Option<&Path>, suffix: Option<&str>) -> OutputNames {
        OutputNames { folder: folder.map(Path::to_path_buf), suffix: suffix.map(str::to_owned) }
    }

    #[test]
    fn an_output_is_beside_its_film_or_mirrors_its_folder() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("films");
        std::fs::create_dir_all(root.join("a")).unwrap();
        let film = root.join("a/film.mp4");
        let out = scratch.path().join("out");
        assert_eq!(names(None, None).output(&root, &film, "av1"), root.join("a/film.av1.mkv"));
        assert_eq!(names(None, None).output(&root, &film, "h264"), root.join("a/film.h264.mkv"));
        assert_eq!(names(None, Some("-small")).output(&root, &film, "av1"), root.join("a/film-small.mkv"));
        assert_eq!(names(Some(&out), None).output(&root, &film, "av1"), out.join("a/film.mkv"));
        assert_eq!(names(Some(&out), Some(".x")).output(&root, &film, "av1"), out.join("a/film.x.mkv"));
        // The films' own folder, however it is spelled, is beside them.
        assert_eq!(names(Some(&root.join("a/..")), None).output(&root, &film, "av1"), root.join("a/film.av1.mkv"));
        // A root that is a film.
        std::fs::write(&film, b"").unwrap();
        assert_eq!(names(Some(&out), None).output(&film, &film, "av1"), out.join("film.mkv"));
        assert_eq!(names(None, None).output(&film, &film, "av1"), root.join("a/film.av1.mkv"));
        assert_eq!(names(Some(&root.join("a")), None).output(&film, &film, "av1"), root.join("a/film.av1.mkv"));
    }

    #[test]
    fn suffixes_are_parts_of_names() {
        for suffix in ["a/b", "../x", "nul\0"] {
            assert_eq!(names(None, Some(suffix)).check().unwrap_err().kind(), ErrorKind::Usage, "{suffix}");
        }
        assert!(names(None, Some(&"x".repeat(65))).check().is_err());
        assert!(names(None, Some("")).check().unwrap_err().to_string().contains("suffix"));
        names(Some(Path::new("out")), Some("")).check().unwrap();
        names(None, Some(".av1-é")).check().unwrap();
        assert!(has_suffix(Path::new("a/film.av1.mkv"), ".av1"));
        for (film, suffix) in [("film.mkv", ".av1"), ("film.av1", ".av1"), ("film.mkv", ""), (".av1.mkv", ".av1")] {
            assert!(!has_suffix(Path::new(film), suffix), "{film} {suffix}");
        }
    }

    #[test]
    fn a_name_is_given_once_however_its_folder_is_spelled() {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path();
        let mut claims = OutputClaims::default();
        let (a, b) = (Path::new("a.mkv"), Path::new("a.mp4"));
        assert_eq!(claims.claim(a, &out.join("x/y/a.av1.mkv")), None);
        assert_eq!(claims.claim(b, &out.join("x/y/b.av1.mkv")), None);
        assert_eq!(claims.claim(b, &out.join("./x/y/a.av1.mkv")).as_deref(), Some(a));
    }

    #[test]
    #[cfg(unix)]
    fn names_that_are_no_unicode_have_outputs_and_suffixes_too() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let out = names(None, None).output(Path::new("d"), &path(b"d/lat\xe9in.mp4"), "av1");
        assert_eq!(out, path(b"d/lat\xe9in.av1.mkv"));
        assert!(has_suffix(&out, ".av1"));
        assert_eq!(place_of(&path(b"d/lat\xe9in.mp4")), path(b"d/lat\xe9in.mkv"));
    }
}
