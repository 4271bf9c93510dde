//! A file in the making: written under a temporary name beside its place, synced, verified, renamed.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::base::{Error, ErrorKind, Result};

/// The unfinished output. Dropped without [`publish`](Self::publish) or [`keep_as_failed`](Self::keep_as_failed)
/// it is removed.
pub(crate) struct PartialOutput {
    target: PathBuf,
    partial: PathBuf,
    /// Held for its lock: two runs must not write the same output.
    file: Option<File>,
}

impl PartialOutput {
    /// Creates the temporary file for `target`, refusing what would lose something: writing onto the input,
    /// replacing an existing file unasked, two runs at one output.
    pub(crate) fn create(input: &Path, target: &Path, overwrite: bool) -> Result<Self> {
        refuse(input, target, overwrite).map_err(|e| e.with_file(target))?;
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(".part");
        let partial = target.with_file_name(name);
        let failed = |what: &str, e: std::io::Error| Error::new(ErrorKind::Output, what).caused_by(e).with_file(target);
        // Not truncated before the lock is held: it may be another run's.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&partial)
            .map_err(|e| failed("cannot write the output", e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorKind::Usage, "another run is writing this output").with_file(target));
            }
            // File systems without locks exist; the check is a courtesy there.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the output cannot be locked"),
        }
        let output = PartialOutput { target: target.to_path_buf(), partial, file: Some(file) };
        output.file()?.set_len(0).map_err(|e| failed("cannot write the output", e))?;
        Ok(output)
    }

    /// A handle for writing.
    pub(crate) fn file(&self) -> Result<File> {
        let file = self.file.as_ref().ok_or_else(|| Error::new(ErrorKind::Output, "the output is closed"))?;
        file.try_clone().map_err(|e| self.error("cannot write the output", e))
    }

    /// Where it is while it is unfinished.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    fn error(&self, what: &str, cause: std::io::Error) -> Error {
        Error::new(ErrorKind::Output, what).caused_by(cause).with_file(&self.target)
    }

    /// Puts the bytes on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file()?.sync_all().map_err(|e| self.error("cannot write the output to disk", e))
    }

    /// Gives the finished file its name.
    pub(crate) fn publish(mut self) -> Result<()> {
        let target = self.target.clone();
        self.rename(&target)
    }

    /// Keeps a file that failed verification as `*.failed.mkv`; where it is then.
    pub(crate) fn keep_as_failed(mut self) -> Result<PathBuf> {
        let failed = self.target.with_extension("failed.mkv");
        self.rename(&failed)?;
        Ok(failed)
    }

    fn rename(&mut self, to: &Path) -> Result<()> {
        std::fs::rename(&self.partial, to).map_err(|e| self.error("cannot give the output its name", e))?;
        self.file = None;
        // The name is on the disk only when its folder is.
        if let Some(folder) = folder(to)
            && let Ok(folder) = File::open(folder)
        {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for PartialOutput {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

fn folder(path: &Path) -> Option<&Path> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

fn refuse(input: &Path, target: &Path, overwrite: bool) -> Result<()> {
    let usage = |message: &str| Err(Error::new(ErrorKind::Usage, message));
    if target.file_name().is_none() || target.is_dir() {
        return usage("the output is a folder; name a file in it");
    }
    if !folder(target).is_some_and(Path::is_dir) {
        return usage("the output's folder does not exist");
    }
    if same_file(input, target) {
        return usage("the output is the input");
    }
    if !overwrite && target.symlink_metadata().is_ok() {
        return usage("the output exists (--overwrite replaces it)");
    }
    Ok(())
}

/// Whether both paths lead to one file, also through links.
fn same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(a), Ok(b)) = (std::fs::metadata(a), std::fs::metadata(b)) {
            return (a.dev(), a.ino()) == (b.dev(), b.ino());
        }
    }
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("film.mkv");
        std::fs::write(&input, b"film").unwrap();
        (folder, input)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_unfinished_output_leaves_nothing_behind() {
        let (folder, input) = scratch();
        let output = PartialOutput::create(&input, &folder.path().join("out.mkv"), false).unwrap();
        output.file().unwrap().write_all(b"half").unwrap();
        assert_eq!(names(folder.path()), [".out.mkv.part", "film.mkv"]);
        drop(output);
        assert_eq!(names(folder.path()), ["film.mkv"]);
    }

    #[test]
    fn a_finished_output_has_its_name_and_a_failed_one_says_so() {
        let (folder, input) = scratch();
        let target = folder.path().join("out.mkv");
        PartialOutput::create(&input, &target, false).unwrap().publish().unwrap();
        PartialOutput::create(&input, &target, true).unwrap().keep_as_failed().unwrap();
        assert_eq!(names(folder.path()), ["film.mkv", "out.failed.mkv", "out.mkv"]);
    }

    #[test]
    fn the_input_is_never_the_output_also_through_a_link() {
        let (folder, input) = scratch();
        let link = folder.path().join("link.mkv");
        std::fs::hard_link(&input, &link).unwrap();
        for target in [&input, &link] {
            let error = PartialOutput::create(&input, target, true).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("the output is the input"), "{error}");
        }
        assert_eq!(std::fs::read(&input).unwrap(), b"film");
    }

    #[test]
    fn an_existing_output_is_replaced_only_when_asked() {
        let (folder, input) = scratch();
        let target = folder.path().join("out.mkv");
        std::fs::write(&target, b"precious").unwrap();
        let error = PartialOutput::create(&input, &target, false).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage);
        drop(PartialOutput::create(&input, &target, true).unwrap());
        assert_eq!(std::fs::read(&target).unwrap(), b"precious", "an abandoned run replaces nothing");
    }

    #[test]
    fn two_runs_cannot_write_one_output() {
        let (folder, input) = scratch();
        let target = folder.path().join("out.mkv");
        let first = PartialOutput::create(&input, &target, false).unwrap();
        let error = PartialOutput::create(&input, &target, false).err().unwrap();
        assert!(error.to_string().contains("another run"), "{error}");
        assert!(first.path().exists(), "the first run keeps its file");
    }

    #[test]
    fn a_missing_folder_is_a_usage_error() {
        let (folder, input) = scratch();
        let error = PartialOutput::create(&input, &folder.path().join("no/out.mkv"), false).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}
