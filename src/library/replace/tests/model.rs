//! On a disk in memory, of which a power cut takes what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::super::*;
use super::{FILM, OUTPUT};

/// What a settlement is tried on.
#[derive(Clone, Copy, Debug)]
struct Case {
    rule: SourceRule,
    source: &'static str,
    output: &'static str,
    /// Whether the file system has hard links.
    links: bool,
}

/// Every way that sources go: with their own name and another, beside and elsewhere, with links and without. What is below
/// `/out` is another disk.
fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for rule in [SourceRule::Replace, SourceRule::Delete] {
        for source in ["/films/a.mkv", "/films/a.mp4"] {
            for output in ["/films/a.av1.mkv", "/films/out/a.mkv", "/out/a.mkv"] {
                all.extend([true, false].map(|links| Case { rule, source, output, links }));
            }
        }
    }
    all
}

/// A name that is changed.
#[derive(Clone, Debug)]
enum NameChange {
    Link(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

type Names = BTreeMap<PathBuf, u64>;

/// A disk in memory, of which a power cut takes what was not synced, and that stops before an operation.
#[derive(Clone, Debug, Default)]
struct ModelDisk {
    links: bool,
    names: Names,
    bytes: BTreeMap<u64, Vec<u8>>,
    synced_names: Names,
    synced_bytes: BTreeMap<u64, Vec<u8>>,
    /// Changes of names that no folder's sync has written yet.
    pending: Vec<NameChange>,
    next: u64,
    /// Operations that are still done; the one after them is not.
    left: Option<usize>,
}

fn apply(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Link(to, inode) => drop(names.insert(to.clone(), *inode)),
        NameChange::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        NameChange::Remove(path) => drop(names.remove(path)),
    }
}

fn touches(change: &NameChange, at: &Path) -> bool {
    let paths = match change {
        NameChange::Link(to, _) => vec![to],
        // From one folder to another it is whole when the second is written.
        NameChange::Rename(_, to) => vec![to],
        NameChange::Remove(path) => vec![path],
    };
    paths.iter().any(|path| folder(path) == at)
}

fn other(kind: io::ErrorKind) -> io::Error {
    io::Error::from(kind)
}

impl ModelDisk {
    fn of(case: Case) -> Self {
        let mut disk = ModelDisk { links: case.links, ..ModelDisk::default() };
        let film = disk.new_file(Path::new(case.source), FILM);
        disk.synced_names.insert(case.source.into(), film);
        disk.synced_bytes.insert(film, FILM.to_vec());
        disk.pending.clear();
        // As a program may leave it that syncs nothing.
        disk.new_file(Path::new(case.output), OUTPUT);
        disk
    }

    fn new_file(&mut self, path: &Path, bytes: &[u8]) -> u64 {
        self.next += 1;
        self.bytes.insert(self.next, bytes.to_vec());
        self.change(NameChange::Link(path.to_path_buf(), self.next));
        self.next
    }

    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.pending.push(change);
    }

    fn inode(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| other(io::ErrorKind::NotFound))
    }

    fn device(path: &Path) -> u64 {
        if path.starts_with("/out") { 2 } else { 1 }
    }

    fn one_device(from: &Path, to: &Path) -> io::Result<()> {
        let one = Self::device(from) == Self::device(to);
        if one { Ok(()) } else { Err(other(io::ErrorKind::CrossesDevices)) }
    }

    fn step(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => Err(io::Error::other("stopped")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What every power cut at this moment may leave: any of the changes that were not synced.
    fn power_cuts(&self) -> Vec<(Names, BTreeMap<u64, Vec<u8>>)> {
        assert!(self.pending.len() < 12, "{:?}", self.pending);
        let mut all = Vec::new();
        for taken in 0..1u32 << self.pending.len() {
            let mut names = self.synced_names.clone();
            let kept = self.pending.iter().enumerate().filter(|(i, _)| taken & (1 << i) != 0);
            kept.for_each(|(_, change)| apply(&mut names, change));
            all.push((names, self.synced_bytes.clone()));
        }
        all
    }
}

impl SettleDisk for ModelDisk {
    fn stamp(&mut self, path: &Path) -> io::Result<Option<FileStamp>> {
        let Ok(inode) = self.inode(path) else { return Ok(None) };
        let bytes = self.bytes[&inode].len() as u64;
        Ok(Some(FileStamp { bytes, modified_ns: 0, device: Self::device(path), inode }))
    }

    fn names(&mut self, path: &Path) -> io::Result<u64> {
        let inode = self.inode(path)?;
        Ok(self.names.values().filter(|other| **other == inode).count() as u64)
    }

    fn sync(&mut self, file: &Path) -> io::Result<()> {
        self.step()?;
        let inode = self.inode(file)?;
        self.synced_bytes.insert(inode, self.bytes[&inode].clone());
        Ok(())
    }

    fn sync_folder(&mut self, at: &Path) -> io::Result<()> {
        self.step()?;
        let (synced, pending) = std::mem::take(&mut self.pending).into_iter().partition(|change| touches(change, at));
        let synced: Vec<_> = synced;
        synced.iter().for_each(|change| apply(&mut self.synced_names, change));
        self.pending = pending;
        Ok(())
    }

    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let inode = self.inode(from)?;
        Self::one_device(from, to)?;
        if !self.links {
            return Err(other(io::ErrorKind::Unsupported));
        }
        if self.names.contains_key(to) {
            return Err(other(io::ErrorKind::AlreadyExists));
        }
        self.change(NameChange::Link(to.to_path_buf(), inode));
        Ok(())
    }

    fn hold(&mut self, name: &Path) -> io::Result<()> {
        self.step()?;
        if self.names.contains_key(name) {
            return Err(other(io::ErrorKind::AlreadyExists));
        }
        self.new_file(name, b"");
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        self.inode(from)?;
        Self::one_device(from, to)?;
        self.change(NameChange::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.inode(path)?;
        self.change(NameChange::Remove(path.to_path_buf()));
        Ok(())
    }

    fn copy(&mut self, from: &Path, to: &Path) -> io::Result<blake3::Hash> {
        let bytes = self.bytes[&self.inode(from)?].clone();
        let stopped = self.step();
        // Stopped in its middle.
        let whole = if stopped.is_ok() { bytes.len() } else { bytes.len() / 2 };
        self.new_file(to, &bytes[..whole]);
        stopped.map(|()| blake3::hash(&bytes))
    }

    fn hash(&mut self, path: &Path) -> io::Result<blake3::Hash> {
        Ok(blake3::hash(&self.bytes[&self.inode(path)?]))
    }
}

/// Whether a complete film has a name that people find.
fn a_film_is_there(names: &Names, bytes: &BTreeMap<u64, Vec<u8>>) -> bool {
    let found = |(path, inode): (&PathBuf, &u64)| {
        let hidden = path.file_name().unwrap().as_encoded_bytes().starts_with(b".");
        !hidden && bytes.get(inode).is_some_and(|bytes| bytes == FILM || bytes == OUTPUT)
    };
    names.iter().any(found)
}

/// One settlement, from whatever state, as the plan would have it done.
fn run(case: Case, disk: &mut ModelDisk) -> Result<Option<SourceFate>> {
    let (source, place) = (Path::new(case.source), place_of(Path::new(case.source)));
    let is = |disk: &ModelDisk, path: &Path, wanted: &[u8]| {
        disk.names.get(path).is_some_and(|inode| disk.bytes[inode] == wanted)
    };
    if !is(disk, source, FILM) {
        // The film is the output already, which rules leave alone, or which has a copy elsewhere.
        if is(disk, source, OUTPUT) && is(disk, Path::new(case.output), OUTPUT) {
            disk.remove(Path::new(case.output)).unwrap();
        }
        return Ok(None);
    }
    let written = Path::new(case.output);
    let linked = disk.names.get(written) == disk.names.get(&place);
    let there = match (is(disk, written, OUTPUT), is(disk, &place, OUTPUT)) {
        (_, true) if !linked => place.as_path(),
        (true, _) => written,
        _ => panic!("no output is left: {disk:?}"),
    };
    let copied = there == place && written != place && is(disk, written, OUTPUT);
    let output = VerifiedOutput { path: there.to_path_buf(), bytes: OUTPUT.len() as u64 };
    let seen = disk.stamp(source).unwrap().unwrap();
    let order = SettleOrder { rule: case.rule, source, seen, output: &output, root: Path::new("/films") };
    let fate = steps(&order, disk)?;
    if copied {
        disk.remove(written).unwrap();
    }
    Ok(Some(fate))
}

/// The names that people find, and what is under them.
fn left(disk: &ModelDisk) -> BTreeSet<(String, Vec<u8>)> {
    disk.names.iter().map(|(path, inode)| (path.display().to_string(), disk.bytes[inode].clone())).collect()
}

#[test]
fn a_film_is_there_at_every_step_after_a_kill_and_after_a_power_cut_and_the_next_run_ends_it() {
    let mut stops = 0;
    for case in cases() {
        let mut calm = ModelDisk::of(case);
        let fate = run(case, &mut calm).unwrap().unwrap();
        let end = match case.rule {
            SourceRule::Replace => {
                assert_eq!(fate, SourceFate::Replaced { film: "/films/a.mkv".into() }, "{case:?}");
                ("/films/a.mkv".to_owned(), OUTPUT.to_vec())
            }
            _ => {
                assert_eq!(fate, SourceFate::Deleted, "{case:?}");
                (case.output.to_owned(), OUTPUT.to_vec())
            }
        };
        let end: BTreeSet<_> = [end].into();
        assert_eq!(left(&calm), end, "{case:?}");
        for after in 0.. {
            let mut disk = ModelDisk::of(case);
            disk.left = Some(after);
            let stopped = run(case, &mut disk).is_err();
            assert!(a_film_is_there(&disk.names, &disk.bytes), "killed at {after} of {case:?}: {disk:#?}");
            for (names, bytes) in disk.power_cuts() {
                assert!(a_film_is_there(&names, &bytes), "power cut at {after} of {case:?}: {names:?} {disk:#?}");
            }
            if !stopped {
                break;
            }
            stops += 1;
            disk.left = None;
            run(case, &mut disk).unwrap();
            assert_eq!(left(&disk), end, "gone on with after {after} of {case:?}");
        }
    }
    assert!(stops > 100, "{stops} stops");
}

#[test]
fn a_source_that_is_no_longer_what_was_encoded_and_a_place_that_is_taken_keep_both() {
    let case = Case { rule: SourceRule::Replace, source: "/films/a.mp4", output: "/out/a.mkv", links: true };
    let settle = |disk: &mut ModelDisk, seen: u64| {
        let output = VerifiedOutput { path: case.output.into(), bytes: OUTPUT.len() as u64 };
        let mut stamp = disk.stamp(Path::new(case.source)).unwrap().unwrap_or_default();
        stamp.bytes = seen;
        let order = SettleOrder {
            rule: case.rule,
            source: case.source.as_ref(),
            seen: stamp,
            output: &output,
            root: "/".as_ref(),
        };
        steps(&order, disk)
    };
    let kept = |fate: Result<SourceFate>, part: &str| match fate.unwrap() {
        SourceFate::KeptBoth { why } => assert!(why.contains(part), "{why}"),
        other => panic!("{other:?}"),
    };
    let whole = FILM.len() as u64;
    let mut grown = ModelDisk::of(case);
    kept(settle(&mut grown, whole - 1), "changed");
    let mut gone = ModelDisk::of(case);
    gone.remove(Path::new(case.source)).unwrap();
    kept(settle(&mut gone, whole), "no longer there");
    let mut taken = ModelDisk::of(case);
    taken.new_file(Path::new("/films/a.mkv"), b"another film");
    let before = left(&taken);
    kept(settle(&mut taken, whole), "another file");
    assert_eq!(left(&taken), before);
    let mut other = ModelDisk::of(case);
    let inode = other.inode(Path::new(case.output)).unwrap();
    other.bytes.insert(inode, b"short".to_vec());
    let before = left(&other);
    assert_eq!(settle(&mut other, whole).unwrap_err().kind(), ErrorKind::Verification);
    assert_eq!(left(&other), before);
}
