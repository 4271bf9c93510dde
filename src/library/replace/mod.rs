//! What becomes of a film's source once its output is verified: it stays, the output takes its place, or it goes.
//!
//! Law: at every instant, also after a kill or a power cut, a complete film is on the disk under a name that people find:
//! the source, or the output that was read back and found to be what was promised. Nothing is taken away before the bytes
//! and the name of what is to stay were synced, and nothing that is not this film's is written over. The steps can be done
//! again from wherever they were stopped.
//!
//! A source that is a link: the link is replaced or removed, what it leads to stays. A source outside of the folder that
//! was named, reached by a link to another folder, is left as it is.
#![deny(unsafe_code)]

mod disk;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::names::place_of;
use super::place::{folder, place, real};
use super::stamp::FileStamp;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::path_text::lossy;
use crate::report::Report;
use crate::store::fitting;
use crate::verify::verify;
use disk::{RealDisk, SettleDisk};

/// What is to become of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceRule {
    /// They stay.
    #[default]
    Keep,
    /// Outputs take their places and their names, with the extension `.mkv`.
    Replace,
    /// They are removed.
    Delete,
}

/// What became of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceFate {
    /// It is where it was, as asked.
    Kept,
    /// The output has its place.
    Replaced {
        /// Where the film is now.
        #[serde(serialize_with = "lossy")]
        film: PathBuf,
    },
    /// It was removed.
    Deleted,
    /// It was to go, and both it and the output are where they were.
    KeptBoth {
        /// Why, as a sentence without its full stop.
        why: String,
    },
}

/// An output that was read back and found to be what was promised. There is no other way to have one.
#[derive(Clone, Debug)]
pub(super) struct VerifiedOutput {
    path: PathBuf,
    bytes: u64,
}

impl VerifiedOutput {
    /// The output of an encode that ended well.
    ///
    /// # Errors
    /// `Verification` where it did not pass.
    pub(super) fn of_report(report: &Report) -> Result<Self> {
        if !report.verification.pass {
            return Err(unlike(report.verification.first_failure()).with_file(&report.output.path));
        }
        Ok(VerifiedOutput { path: report.output.path.clone(), bytes: report.output.bytes })
    }

    /// An output of an earlier run, once both files were decoded and compared.
    ///
    /// # Errors
    /// `Verification` where it is no faithful encode of `source`, `Input` and `Unsupported` where that cannot be told.
    pub(super) fn by_reading(source: &Path, output: &Path, cancel: &CancelToken) -> Result<Self> {
        let stamp = || FileStamp::of(output).map_err(|e| failed("read the output", output, e));
        let before = stamp()?;
        let verification = verify(source, output, cancel)?;
        cancel.check()?;
        if !verification.pass {
            return Err(unlike(verification.first_failure()).with_file(output));
        }
        if stamp()? != before {
            let message = "the output changed while it was verified";
            return Err(Error::new(ErrorKind::Verification, message).with_file(output));
        }
        Ok(VerifiedOutput { path: output.to_path_buf(), bytes: before.bytes })
    }

    /// Its size.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn unlike(why: Option<String>) -> Error {
    let why = why.unwrap_or_default();
    Error::new(ErrorKind::Verification, format!("it is no faithful encode of its film: {why}"))
}

/// One source that is to be settled.
pub(super) struct SettleOrder<'a> {
    pub(super) rule: SourceRule,
    pub(super) source: &'a Path,
    /// As it was before it was read.
    pub(super) seen: FileStamp,
    pub(super) output: &'a VerifiedOutput,
    /// The folder, or the film, that was named.
    pub(super) root: &'a Path,
}

/// Settles a source.
///
/// # Errors
/// `Output` where a step fails, `Verification` where the output is not what was verified; the film is there in any case.
pub(super) fn settle(order: &SettleOrder<'_>) -> Result<SourceFate> {
    if order.rule == SourceRule::Keep {
        return Ok(SourceFate::Kept);
    }
    let SettleOrder { source, root, output, .. } = order;
    if !is_within(source, root) {
        let why = format!("the film is outside of {}, reached by a link", root.display());
        return Ok(SourceFate::KeptBoth { why });
    }
    if output.path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        return Ok(SourceFate::KeptBoth { why: "the output is written through a link".to_owned() });
    }
    steps(order, &mut RealDisk)
}

/// Whether the folder that has the name of `film` is in `root`, links followed.
fn is_within(film: &Path, root: &Path) -> bool {
    let top = if root.is_dir() { root } else { folder(root) };
    real(folder(film)).starts_with(real(top))
}

fn failed(what: &str, path: &Path, cause: io::Error) -> Error {
    Error::new(ErrorKind::Output, format!("cannot {what}")).caused_by(cause).with_file(path)
}

fn steps(order: &SettleOrder<'_>, disk: &mut impl SettleDisk) -> Result<SourceFate> {
    let SettleOrder { rule, source, seen, output, .. } = order;
    let both = |why: &str| Ok(SourceFate::KeptBoth { why: why.to_owned() });
    disk.sync(&output.path).map_err(|e| failed("write the output to the disk", &output.path, e))?;
    sync_folder(disk, folder(&output.path))?;
    let found = stamp(disk, &output.path)?.filter(|found| found.bytes == output.bytes);
    let Some(found) = found else {
        let message = "the output is no longer what was verified";
        return Err(Error::new(ErrorKind::Verification, message).with_file(&output.path));
    };
    match stamp(disk, source)? {
        None => return both("the film is no longer there"),
        Some(now) if now.is_same_file(found) => return both("the output is the film"),
        Some(now) if now != *seen => return both("the film changed while it was encoded"),
        Some(_) => {}
    }
    match rule {
        SourceRule::Keep => Ok(SourceFate::Kept),
        SourceRule::Delete => {
            remove(disk, source)?;
            sync_folder(disk, folder(source))?;
            Ok(SourceFate::Deleted)
        }
        SourceRule::Replace => replace(source, (&output.path, found), disk),
    }
}

/// Puts the output into the source's place.
fn replace(source: &Path, (output, found): (&Path, FileStamp), disk: &mut impl SettleDisk) -> Result<SourceFate> {
    let new = place_of(source);
    let there = stamp(disk, &new)?;
    // The source's own name, also on a disk to which upper and lower case are the same.
    let over = new == source || (same_spelling(&new, source) && is_one_file(there, stamp(disk, source)?));
    let (to, there) = if over { (source, None) } else { (new.as_path(), there) };
    let home = folder(source);
    if !place_is(output, to) {
        match there {
            // An earlier run was stopped between giving it the name and taking the other away.
            Some(other) if other.is_same_file(found) => {
                sync_folder(disk, home)?;
                // One name that is reached in two ways is not taken away.
                if disk.names(to).map_err(|e| failed("read the output", to, e))? > 1 {
                    remove(disk, output)?;
                }
            }
            Some(other) if other.bytes > 0 => {
                return Ok(SourceFate::KeptBoth { why: format!("{} is another file", to.display()) });
            }
            // An empty file holds the name, as where an earlier run was stopped.
            empty => {
                let free = empty.is_none() && !over;
                if !bring(output, to, free, disk)? {
                    return Ok(SourceFate::KeptBoth { why: format!("{} is another file", to.display()) });
                }
            }
        }
        // The new name first: the old one is not to be lost alone.
        sync_folder(disk, home)?;
        sync_folder(disk, folder(output))?;
    }
    if !over {
        remove(disk, source)?;
    }
    if stamp(disk, &moving(to))?.is_some() {
        // Of an earlier run that was stopped.
        remove(disk, &moving(to))?;
    }
    sync_folder(disk, home)?;
    Ok(SourceFate::Replaced { film: to.to_path_buf() })
}

fn same_spelling(a: &Path, b: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_ascii_lowercase();
    name(a) == name(b)
}

fn is_one_file(a: Option<FileStamp>, b: Option<FileStamp>) -> bool {
    a.zip(b).is_some_and(|(a, b)| a.is_same_file(b))
}

/// Whether both are one name in one folder.
fn place_is(a: &Path, b: &Path) -> bool {
    a == b || place(a) == place(b)
}

/// Gives `output` the name `to`, also from another disk, and takes its own away; `false` where `to` was to be `free` and is
/// not.
fn bring(output: &Path, to: &Path, free: bool, disk: &mut impl SettleDisk) -> Result<bool> {
    let cannot = |e| failed("put the output into its film's place", to, e);
    match give_name(output, to, free, disk) {
        Ok(done) => return Ok(done),
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {}
        Err(e) => return Err(cannot(e)),
    }
    let copy = moving(to);
    let brought = copied(output, &copy, disk)
        .and_then(|()| give_name(&copy, to, free, disk))
        .map_err(|e| failed("copy it", to, e));
    if !matches!(brought, Ok(true)) {
        // Nothing depends on it; what is left is written over the next time.
        let _ = disk.remove(&copy);
        return brought;
    }
    sync_folder(disk, folder(to))?;
    remove(disk, output)?;
    Ok(true)
}

/// The name that a film has while it is brought from another disk to `to`.
fn moving(to: &Path) -> PathBuf {
    to.with_file_name(fitting(".", to.file_name().unwrap_or_default(), ".moving"))
}

/// Copies a film and reads the copy back.
fn copied(from: &Path, to: &Path, disk: &mut impl SettleDisk) -> io::Result<()> {
    let read = disk.copy(from, to)?;
    disk.sync(to)?;
    if disk.hash(to)? != read {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the copy is not what was copied"));
    }
    Ok(())
}

/// Gives a file the name `to` and takes its own away. A name that is to be `free` is not taken from what has it: `false`
/// then.
fn give_name(from: &Path, to: &Path, free: bool, disk: &mut impl SettleDisk) -> io::Result<bool> {
    if !free {
        return disk.rename(from, to).map(|()| true);
    }
    match disk.link(from, to) {
        Ok(()) => {
            // The new name is on the disk before the old one goes.
            disk.sync_folder(folder(to))?;
            return disk.remove(from).map(|()| true);
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => return Err(e),
        Err(error) => tracing::debug!(%error, "no links on this file system"),
    }
    match disk.hold(to) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(e) => return Err(e),
    }
    if let Err(e) = disk.rename(from, to) {
        // It is empty, and ours.
        let _ = disk.remove(to);
        return Err(e);
    }
    Ok(true)
}

fn stamp(disk: &mut impl SettleDisk, path: &Path) -> Result<Option<FileStamp>> {
    disk.stamp(path).map_err(|e| failed("read it", path, e))
}

fn remove(disk: &mut impl SettleDisk, path: &Path) -> Result<()> {
    disk.remove(path).map_err(|e| failed("remove it", path, e))
}

fn sync_folder(disk: &mut impl SettleDisk, folder: &Path) -> Result<()> {
    disk.sync_folder(folder).map_err(|e| failed("write a folder to the disk", folder, e))
}

/// Gives a film that was encoded for nothing a name that says so, `film.mkv` with the suffix `.skip` that of
/// `film.skip.mkv`; where it is then.
///
/// # Errors
/// `Output` where it cannot have it, or something has it already.
pub(super) fn rename_aside(film: &Path, suffix: &str, root: &Path) -> Result<PathBuf> {
    if !is_within(film, root) {
        return Err(cannot_rename(film, "it is outside of the folder, reached by a link"));
    }
    let end = film.extension().map_or(OsString::new(), |end| {
        let mut dotted = OsString::from(".");
        dotted.push(end);
        dotted
    });
    let mut name = film.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    name.push(end);
    let to = film.with_file_name(name);
    rename_free(film, &to)?;
    Ok(to)
}

/// Gives a file the name `to`, which nothing has.
///
/// # Errors
/// `Output` where it cannot have it, or something has it already.
pub(super) fn rename_free(file: &Path, to: &Path) -> Result<()> {
    let mut disk = RealDisk;
    match give_name(file, to, true, &mut disk) {
        Ok(true) => sync_folder(&mut disk, folder(file)),
        Ok(false) => Err(cannot_rename(file, &format!("{} is there already", to.display()))),
        Err(e) => Err(failed("rename it", file, e)),
    }
}

fn cannot_rename(file: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Output, format!("cannot rename it: {why}")).with_file(file)
}

/// Removes `output` where it is a copy of `film` to the last byte: an earlier run brought it from another disk and was
/// stopped before it took the first one away. Whether it was one.
///
/// # Errors
/// `Output` where either cannot be read, or the copy cannot be removed.
pub(super) fn drop_copy(film: &Path, output: &Path) -> Result<bool> {
    let mut disk = RealDisk;
    let (kept, copy) = (stamp(&mut disk, film)?, stamp(&mut disk, output)?);
    let (Some(kept), Some(copy)) = (kept, copy) else { return Ok(false) };
    // Without numbers of files two names of one cannot be told from two files.
    if kept.bytes != copy.bytes || kept.is_same_file(copy) || kept.inode == 0 {
        return Ok(false);
    }
    let mut hash = |path: &Path| disk.hash(path).map_err(|e| failed("read it", path, e));
    if hash(film)? != hash(output)? {
        return Ok(false);
    }
    disk.sync(film).map_err(|e| failed("write it to the disk", film, e))?;
    sync_folder(&mut disk, folder(film))?;
    remove(&mut disk, output)?;
    sync_folder(&mut disk, folder(output))?;
    Ok(true)
}
