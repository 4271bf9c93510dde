//! The disks a run writes to, before and while it runs.
#![deny(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::{Error, ErrorKind, text};

/// How often disks are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// A disk with less room than this, in bytes, is nearly full: the run stops, and leaves the rest to others. Of a small disk
/// it is that part.
const LEAST: u64 = 64 << 20;
const LEAST_PART: u64 = 100;

/// With less than so many times that, the user is told once.
const LOW: u64 = 16;

/// What a disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiskRoom {
    /// Its number; folders that have the same are on one disk.
    pub(crate) disk: u64,
    /// Bytes that are free for everybody.
    pub(crate) free: u64,
    /// Bytes it holds in all.
    pub(crate) total: u64,
}

impl DiskRoom {
    /// Of the disk that a folder, or the next one above it that is there, is on. Some file systems, FUSE's above all, say
    /// nothing.
    #[cfg(unix)]
    pub(crate) fn at(folder: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
        let facts = nix::sys::statvfs::statvfs(there).ok()?;
        #[allow(clippy::useless_conversion)] // Of 32 bits on macOS.
        let bytes = |blocks| u64::from(blocks).saturating_mul(facts.fragment_size());
        let (free, total) = (bytes(facts.blocks_available()), bytes(facts.blocks()));
        let disk = std::fs::metadata(there).ok()?.dev();
        (total > 0).then_some(DiskRoom { disk, free, total })
    }

    /// Of no disk: this system does not say.
    #[cfg(not(unix))]
    pub(crate) fn at(_: &Path) -> Option<Self> {
        None
    }

    fn least(self) -> u64 {
        LEAST.min(self.total / LEAST_PART)
    }

    fn is_nearly_full(self) -> bool {
        self.free < self.least()
    }

    fn is_low(self) -> bool {
        self.free < LOW * self.least()
    }
}

/// What is to be done about a disk.
#[derive(Debug)]
pub(crate) enum DiskWord {
    /// The user should know.
    Warning(String),
    /// The run should stop.
    Stop(Error),
}

/// Looks at disks now and then.
#[derive(Debug)]
pub(crate) struct DiskWatch {
    folders: Vec<PathBuf>,
    state: Mutex<WatchState>,
}

#[derive(Debug, Default)]
struct WatchState {
    looked: Option<Instant>,
    warned: bool,
}

impl DiskWatch {
    /// Of the disks that these folders are on.
    pub(crate) fn new(folders: Vec<PathBuf>) -> Self {
        DiskWatch { folders, state: Mutex::default() }
    }

    /// Looks, if it is time to.
    pub(crate) fn look(&self, now: Instant) -> Option<DiskWord> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.is_some_and(|looked| now.saturating_duration_since(looked) < EVERY) {
            return None;
        }
        state.looked = Some(now);
        self.judge(&mut state, DiskRoom::at)
    }

    fn judge(&self, state: &mut WatchState, room: impl Fn(&Path) -> Option<DiskRoom>) -> Option<DiskWord> {
        let rooms = || self.folders.iter().filter_map(|folder| Some((folder, room(folder)?)));
        let left = |room: DiskRoom| text::bytes(room.free);
        if let Some((folder, room)) = rooms().find(|(_, room)| room.is_nearly_full()) {
            let full = io::Error::from(io::ErrorKind::StorageFull);
            let message =
                format!("only {} are left on its disk, and the run stops before there is nothing", left(room));
            return Some(DiskWord::Stop(Error::new(ErrorKind::Output, message).caused_by(full).with_file(folder)));
        }
        let (folder, room) = rooms().find(|(_, room)| room.is_low()).filter(|_| !state.warned)?;
        state.warned = true;
        let (least, folder) = (text::bytes(room.least()), folder.display());
        Some(DiskWord::Warning(format!(
            "{folder}: {} are left on its disk; the run stops when it is less than {least}",
            left(room)
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_run_stops_before_a_disk_is_full_and_says_once_that_it_gets_full() {
        let watch = DiskWatch::new(vec![PathBuf::from("out"), PathBuf::from("temp")]);
        let mut state = WatchState::default();
        let mut with = |free: u64, total: u64| {
            watch.judge(&mut state, |folder| {
                let free = if folder == Path::new("temp") { free } else { total };
                Some(DiskRoom { disk: 1, free, total })
            })
        };
        assert!(with(2 * GIB, 100 * GIB).is_none());
        let said = with(GIB - 1, 100 * GIB);
        assert!(matches!(&said, Some(DiskWord::Warning(text)) if text.starts_with("temp: ")), "{said:?}");
        assert!(with(GIB - 1, 100 * GIB).is_none(), "once");
        match with(LEAST - 1, 100 * GIB) {
            Some(DiskWord::Stop(error)) => {
                assert_eq!(error.kind(), ErrorKind::Output);
                assert!(error.to_string().contains("temp") && error.to_string().contains("are left"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        // Of a small disk less is enough.
        assert!(with(LEAST / 2, GIB).is_none() && with(GIB / 100 - 1, GIB).is_some());
    }

    #[test]
    fn what_is_not_known_of_a_disk_stops_nothing() {
        let watch = DiskWatch::new(vec![PathBuf::from("out")]);
        assert!(watch.judge(&mut WatchState::default(), |_| None).is_none());
        assert!(DiskWatch::new(Vec::new()).look(Instant::now()).is_none());
    }

    #[test]
    fn disks_are_not_looked_at_all_the_time() {
        let watch = DiskWatch::new(Vec::new());
        let begun = Instant::now();
        let looked = |after: u64| {
            watch.look(begun + Duration::from_secs(after));
            watch.state.lock().unwrap().looked
        };
        assert_eq!([looked(0), looked(4)], [Some(begun); 2]);
        assert_eq!(looked(5), Some(begun + Duration::from_secs(5)));
    }
}
