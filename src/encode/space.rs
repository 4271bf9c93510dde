//! Whether there is room on the disks for what a job will write, and which disks those are.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::{Error, ErrorKind, Result, text};
use crate::config::EncodeSettings;
use crate::stages::disks::{DiskRoom, DiskWatch};

/// What the folder for temporary files has to have, of the size of the source: what is finished and what is tried.
const TEMPORARY: f64 = 1.5;
/// What the output's folder has to have where nothing better is known: AV1 is seldom more than half of its source.
const OUTPUT: f64 = 0.5;
/// Bytes a second that no encode of a film reaches: the size of a source that is hardly compressed says nothing.
const MOST_A_SECOND: f64 = 12.5e6;

/// Refuses a job for which there is no room, before anything is encoded. Outputs whose folder does not tell how much it has
/// have room.
///
/// # Errors
/// `Output` that names the folder, what may be needed and what is free; its cause is a full disk.
pub(super) fn check_space(outputs: &[EncodeSettings], size: u64, seconds: Option<f64>) -> Result<()> {
    let most = seconds.map_or(f64::MAX, |seconds| seconds.max(1.0) * MOST_A_SECOND);
    let source = (size as f64).min(most);
    let mut needs: Vec<Need> = Vec::new();
    for settings in outputs {
        for (folder, part) in writes(settings) {
            add(&mut needs, &folder, source * part);
        }
    }
    needs.iter().try_for_each(Need::check)
}

/// The folders a job writes to, each with what it has to have room for, in parts of the source.
fn writes(settings: &EncodeSettings) -> Vec<(PathBuf, f64)> {
    let folder = folder_of(&settings.output);
    let temp = settings.temp_dir.clone().unwrap_or_else(|| folder.clone());
    let temp = (!settings.quality.is_one_pass()).then_some((temp, TEMPORARY));
    temp.into_iter().chain([(folder, OUTPUT)]).collect()
}

/// The disks a job writes to, to be looked at while it runs.
pub(super) fn disks(outputs: &[EncodeSettings]) -> DiskWatch {
    DiskWatch::new(outputs.iter().flat_map(writes).map(|(folder, _)| folder).collect())
}

/// What is needed on one disk.
struct Need {
    folder: PathBuf,
    disk: u64,
    free: u64,
    bytes: f64,
}

impl Need {
    fn check(&self) -> Result<()> {
        if self.bytes <= self.free as f64 {
            return Ok(());
        }
        let (free, needed) = (text::bytes(self.free), text::bytes(self.bytes as u64));
        let message = format!("{free} are free there and up to {needed} may be needed");
        let full = io::Error::from(io::ErrorKind::StorageFull);
        Err(Error::new(ErrorKind::Output, message).caused_by(full).with_file(&self.folder))
    }
}

fn add(needs: &mut Vec<Need>, folder: &Path, bytes: f64) {
    let Some(DiskRoom { disk, free, .. }) = DiskRoom::at(folder) else { return };
    match needs.iter_mut().find(|need| need.disk == disk) {
        Some(need) => need.bytes += bytes,
        None => needs.push(Need { folder: folder.to_path_buf(), disk, free, bytes }),
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_no_disk_can_hold_is_refused_with_what_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let target = EncodeSettings::new(at("film.mkv"), at("out.mkv"));
        check_space(std::slice::from_ref(&target), 1 << 20, Some(10.0)).unwrap();
        let error = check_space(std::slice::from_ref(&target), u64::MAX / 4, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.to_string().contains("are free there"), "{error}");
        // A minute is no film of exabytes.
        check_space(&[target], u64::MAX / 4, Some(60.0)).unwrap();
    }

    #[test]
    fn what_goes_to_one_disk_is_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut needs = Vec::new();
        for name in ["", "there", "not/there"] {
            add(&mut needs, &folder.path().join(name), 10.0);
        }
        assert!(needs.len() == 1 && needs[0].bytes == 30.0);
    }
}
