//! A file in the making: written under a temporary name beside its place, synced, verified, renamed.
//!
//! Owns the promise that nothing finished is lost: two runs never share the temporary file, and what stands at the
//! output's path when a run ends is replaced only where that was asked for.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::job::is_at;
use super::names::{fitting, with_extension};
use super::paths::{folder, followed, same_file};
use crate::base::{Error, ErrorKind, Result};

/// The unfinished output. Dropped without [`publish`](Self::publish) or [`keep_as_failed`](Self::keep_as_failed)
/// it is removed.
pub(crate) struct PartialOutput {
    /// Through links: they stay, what they lead to is written.
    target: PathBuf,
    partial: PathBuf,
    /// Whether what is at the target may be replaced.
    overwrite: bool,
    /// Held for its lock: two runs must not write the same output.
    file: Option<File>,
}

impl PartialOutput {
    /// Creates the temporary file for `target`, refusing what would lose something: writing onto the input,
    /// replacing an existing file unasked, two runs at one output.
    pub(crate) fn create(input: &Path, target: &Path, overwrite: bool) -> Result<Self> {
        refuse(input, target, overwrite).map_err(|e| e.with_file(target))?;
        let partial = partial_path(target);
        let failed = |e| Error::new(ErrorKind::Output, "cannot write the output").caused_by(e).with_file(target);
        let file = locked(&partial, open).map_err(failed)?;
        let file =
            file.ok_or_else(|| Error::new(ErrorKind::Usage, "another run is writing this output").with_file(target))?;
        let output = PartialOutput { target: followed(target), partial, overwrite, file: Some(file) };
        // Again: the run that held the lock may have ended well meanwhile.
        refuse(input, target, overwrite).map_err(|e| e.with_file(target))?;
        output.file()?.set_len(0).map_err(failed)?;
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

    fn error(&self, what: &str, cause: io::Error) -> Error {
        Error::new(ErrorKind::Output, what).caused_by(cause).with_file(&self.target)
    }

    /// Puts the bytes on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file()?.sync_all().map_err(|e| self.error("cannot write the output to disk", e))
    }

    /// Gives the finished file its name.
    ///
    /// # Errors
    /// `Output` where it cannot have it. Where a file that may not be replaced appeared there during the run, that file
    /// stays as it is, and the finished one is kept under a name beside it that the error says.
    pub(crate) fn publish(mut self) -> Result<()> {
        let target = self.target.clone();
        if self.overwrite {
            return self.rename(&target);
        }
        if self.claim(&target)? {
            return Ok(());
        }
        for number in 1..1000 {
            if let Some(kept) = self.claim_numbered("finished", number)? {
                let message = "another file appeared at the output's path during the run and is not replaced";
                let message = format!("{message}; the finished file is {}", kept.display());
                return Err(Error::new(ErrorKind::Output, message).with_file(&self.target));
            }
        }
        Err(Error::new(ErrorKind::Output, "there is no free name for the finished file").with_file(&self.target))
    }

    /// Gives the file a name that nothing has; `false` where something has it.
    fn claim(&mut self, name: &Path) -> Result<bool> {
        match std::fs::hard_link(&self.partial, name) {
            Ok(()) => {
                // Under the lock still. Where it fails, or the process ends here, the next run lets go of the name.
                let _ = std::fs::remove_file(&self.partial);
                self.named(name);
                return Ok(true);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => tracing::debug!(%error, "no links on this file system"),
        }
        // An empty file holds the name until the rename.
        match OpenOptions::new().write(true).create_new(true).open(name) {
            Ok(_) => self.rename(name).map(|()| true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(self.error("cannot give the output its name", e)),
        }
    }

    /// Gives the file the name `*.WORD.mkv`, or `*.WORD-N.mkv` from the second on, with the end of its own format; `None`
    /// where something has it.
    fn claim_numbered(&mut self, word: &str, number: u32) -> Result<Option<PathBuf>> {
        let end = self.target.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
        let known = ["webm", "mp4", "m4v", "jpg", "jpeg", "png", "webp", "gif"];
        let end = end.filter(|end| known.contains(&end.as_str())).unwrap_or_else(|| "mkv".to_owned());
        let name = if number == 1 { format!("{word}.{end}") } else { format!("{word}-{number}.{end}") };
        let name = with_extension(&self.target, &name);
        Ok(self.claim(&name)?.then_some(name))
    }

    /// Keeps a file that failed verification as `*.failed.mkv`; where it is then. What has that name may be anything, the
    /// input too, and stays.
    pub(crate) fn keep_as_failed(mut self) -> Result<PathBuf> {
        for number in 1..1000 {
            if let Some(kept) = self.claim_numbered("failed", number)? {
                return Ok(kept);
            }
        }
        Err(Error::new(ErrorKind::Output, "there is no free name for the file that failed").with_file(&self.target))
    }

    fn rename(&mut self, to: &Path) -> Result<()> {
        std::fs::rename(&self.partial, to).map_err(|e| self.error("cannot give the output its name", e))?;
        self.named(to);
        Ok(())
    }

    /// Lets go of the file, which has its name now.
    fn named(&mut self, to: &Path) {
        self.file = None;
        // The name is on the disk only when its folder is.
        if let Some(folder) = folder(to)
            && let Ok(folder) = File::open(folder)
        {
            let _ = folder.sync_all();
        }
    }
}

impl Drop for PartialOutput {
    fn drop(&mut self) {
        // The name goes before the lock does: after it, it may be another run's.
        if self.file.is_some() {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Opens or makes the temporary file. Not truncated before the lock is held: it may be another run's.
fn open(partial: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(partial)
}

/// The temporary file with its lock; `None` where another run has it.
fn locked(partial: &Path, mut open: impl FnMut(&Path) -> io::Result<File>) -> io::Result<Option<File>> {
    // A run that ends gives the file its name or removes it: what was opened before is then no longer the temporary
    // file but a finished one. The next turn finds or makes another.
    for _ in 0..8 {
        let file = open(partial)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            // File systems without locks exist; the check is a courtesy there.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the output cannot be locked"),
        }
        if !is_at(&file, partial) {
            continue;
        }
        if !has_another_name(&file)? {
            return Ok(Some(file));
        }
        std::fs::remove_file(partial)?;
    }
    Ok(None)
}

/// Whether a run was cut off between giving the file its name and taking the temporary one away.
#[cfg(unix)]
fn has_another_name(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.nlink() > 1)
}

#[cfg(not(unix))]
fn has_another_name(_: &File) -> io::Result<bool> {
    Ok(false) // What it says of links needs a handle of the system there.
}

/// Under which name the file for `target` is written until it is finished.
pub(crate) fn partial_path(target: &Path) -> PathBuf {
    let target = followed(target);
    let name = fitting(".", target.file_name().unwrap_or_default(), ".part");
    target.with_file_name(name)
}

fn refuse(input: &Path, target: &Path, overwrite: bool) -> Result<()> {
    let usage = |message: &str| Err(Error::new(ErrorKind::Usage, message));
    if target.file_name().is_none() || target.is_dir() {
        return usage("the output is a folder; name a file in it");
    }
    if !folder(&followed(target)).is_some_and(Path::is_dir) {
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
    fn a_file_that_another_run_finishes_meanwhile_is_not_touched() {
        let (folder, input) = scratch();
        let target = folder.path().join("out.mkv");
        let rounds = 400;
        let done = &std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (input, target) = (&input, &target);
                scope.spawn(move || {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        drop(PartialOutput::create(input, target, true));
                    }
                });
            }
            let mut finished = 0;
            while finished < rounds {
                let Ok(output) = PartialOutput::create(&input, &target, true) else { continue };
                output.file().unwrap().write_all(b"whole").unwrap();
                let published = output.publish();
                let left = std::fs::read(&target).unwrap_or_default();
                if published.is_err() || left != b"whole" {
                    done.store(true, std::sync::atomic::Ordering::Relaxed);
                    panic!("round {finished}: {published:?}, {left:?} is left of the finished file");
                }
                finished += 1;
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn a_file_that_appears_during_the_run_stays_and_the_finished_one_is_kept() {
        let (folder, input) = scratch();
        let target = folder.path().join("out.mkv");
        for kept in ["out.finished.mkv", "out.finished-2.mkv"] {
            let output = PartialOutput::create(&input, &target, false).unwrap();
            output.file().unwrap().write_all(b"a night's work").unwrap();
            std::fs::write(&target, b"precious").unwrap();
            let error = output.publish().unwrap_err();
            assert_eq!(std::fs::read(&target).unwrap(), b"precious");
            assert_eq!(error.kind(), ErrorKind::Output);
            assert!(error.to_string().contains(kept), "{error}");
            assert_eq!(std::fs::read(folder.path().join(kept)).unwrap(), b"a night's work");
            std::fs::remove_file(&target).unwrap();
        }
        assert_eq!(names(folder.path()), ["film.mkv", "out.finished-2.mkv", "out.finished.mkv"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_finished_file_that_still_has_its_temporary_name_is_not_truncated() {
        let (folder, input) = scratch();
        let target = folder.path().join("out.mkv");
        std::fs::write(&target, b"whole").unwrap();
        std::fs::hard_link(&target, folder.path().join(".out.mkv.part")).unwrap();
        let output = PartialOutput::create(&input, &target, true).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
        output.publish().unwrap();
        assert_eq!(names(folder.path()), ["film.mkv", "out.mkv"]);
    }

    #[test]
    fn a_film_that_failed_replaces_nothing() {
        let (folder, input) = scratch();
        let failed = folder.path().join("out.failed.mkv");
        std::fs::rename(&input, &failed).unwrap();
        let output = PartialOutput::create(&failed, &folder.path().join("out.mkv"), false).unwrap();
        assert_eq!(output.keep_as_failed().unwrap(), folder.path().join("out.failed-2.mkv"));
        assert_eq!(std::fs::read(&failed).unwrap(), b"film");
    }

    #[test]
    #[cfg(unix)]
    fn links_are_written_through_and_stay() {
        let (folder, input) = scratch();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::fs::write(at("real/old.mkv"), b"old").unwrap();
        for (link, to) in [("old.mkv", "real/old.mkv"), ("new.mkv", "real/new.mkv")] {
            std::os::unix::fs::symlink(to, at(link)).unwrap();
            assert!(PartialOutput::create(&input, &at(link), false).is_err(), "a link is something that is there");
            let output = PartialOutput::create(&input, &at(link), true).unwrap();
            output.file().unwrap().write_all(b"film").unwrap();
            output.publish().unwrap();
            assert!(at(link).symlink_metadata().unwrap().is_symlink());
            assert_eq!(std::fs::read(at(to)).unwrap(), b"film");
        }
        assert_eq!(names(&at("real")), ["new.mkv", "old.mkv"]);
    }

    #[test]
    fn a_name_of_255_bytes_has_room_for_its_temporary_one() {
        let (folder, input) = scratch();
        let name = format!("{}.mkv", "y".repeat(251));
        let output = PartialOutput::create(&input, &folder.path().join(&name), false).unwrap();
        output.publish().unwrap();
        assert_eq!(names(folder.path()), ["film.mkv".to_owned(), name.clone()]);
        let failed = PartialOutput::create(&input, &folder.path().join(&name), true).unwrap().keep_as_failed().unwrap();
        assert!(failed.exists());
    }

    #[test]
    fn a_missing_folder_is_a_usage_error() {
        let (folder, input) = scratch();
        let error = PartialOutput::create(&input, &folder.path().join("no/out.mkv"), false).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}
