//! On the system's disks, by processes that are killed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::super::*;
use super::{FILM, OUTPUT};

/// A film and its output on a real disk; the output perhaps on another one.
struct Scene {
    films: tempfile::TempDir,
    out: tempfile::TempDir,
    source: PathBuf,
    output: PathBuf,
}

impl Scene {
    /// With the output beside the film, or, where there is one, on another disk.
    fn new(source: &str, elsewhere: bool) -> Option<Self> {
        let films = tempfile::tempdir().unwrap();
        let out = if elsewhere { tempfile::tempdir_in("/dev/shm").ok()? } else { tempfile::tempdir().unwrap() };
        let device = |folder: &tempfile::TempDir| FileStamp::of(folder.path()).unwrap().device;
        if elsewhere && device(&films) == device(&out) {
            return None;
        }
        let source = films.path().join(source);
        let output = if elsewhere { out.path().join("a.mkv") } else { films.path().join("a.av1.mkv") };
        std::fs::write(&source, FILM).unwrap();
        std::fs::write(&output, OUTPUT).unwrap();
        Some(Scene { films, out, source, output })
    }

    fn settle(&self, rule: SourceRule, disk: &mut impl SettleDisk) -> Result<SourceFate> {
        let output = VerifiedOutput { path: self.output.clone(), bytes: OUTPUT.len() as u64 };
        let seen = FileStamp::of(&self.source).unwrap();
        steps(&SettleOrder { rule, source: &self.source, seen, output: &output, root: self.films.path() }, disk)
    }

    fn left(&self) -> BTreeMap<String, Vec<u8>> {
        let files = |folder: &tempfile::TempDir| {
            let entries = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path());
            entries
                .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(p).unwrap()))
                .collect::<Vec<_>>()
        };
        files(&self.films).into_iter().chain(files(&self.out)).collect()
    }

    fn has_a_film(&self) -> bool {
        self.left().iter().any(|(name, bytes)| !name.starts_with('.') && (bytes == FILM || bytes == OUTPUT))
    }
}

#[test]
fn sources_are_replaced_and_deleted_on_a_real_disk() {
    for elsewhere in [false, true] {
        for name in ["a.mkv", "a.mp4"] {
            let Some(scene) = Scene::new(name, elsewhere) else { continue };
            let fate = scene.settle(SourceRule::Replace, &mut RealDisk).unwrap();
            assert_eq!(fate, SourceFate::Replaced { film: scene.films.path().join("a.mkv") });
            assert_eq!(scene.left(), [("a.mkv".to_owned(), OUTPUT.to_vec())].into(), "{name} {elsewhere}");
            let scene = Scene::new(name, elsewhere).unwrap();
            assert_eq!(scene.settle(SourceRule::Delete, &mut RealDisk).unwrap(), SourceFate::Deleted);
            assert_eq!(scene.left().into_values().collect::<Vec<_>>(), [OUTPUT]);
        }
    }
}

#[test]
fn a_name_is_never_taken_from_another_file_and_an_empty_one_holds_none() {
    let scene = Scene::new("a.mp4", false).unwrap();
    std::fs::write(scene.films.path().join("a.mkv"), b"precious").unwrap();
    let before = scene.left();
    assert!(matches!(scene.settle(SourceRule::Replace, &mut RealDisk).unwrap(), SourceFate::KeptBoth { .. }));
    assert_eq!(scene.left(), before);
    std::fs::write(scene.films.path().join("a.mkv"), b"").unwrap();
    scene.settle(SourceRule::Replace, &mut RealDisk).unwrap();
    assert_eq!(scene.left(), [("a.mkv".to_owned(), OUTPUT.to_vec())].into());
}

#[test]
#[cfg(unix)]
fn what_a_link_leads_to_stays_whatever_becomes_of_the_link() {
    use std::os::unix::fs::symlink;
    for rule in [SourceRule::Replace, SourceRule::Delete] {
        let scene = Scene::new("a.mkv", false).unwrap();
        let archive = tempfile::tempdir().unwrap();
        let original = archive.path().join("original.mkv");
        std::fs::rename(&scene.source, &original).unwrap();
        symlink(&original, &scene.source).unwrap();
        scene.settle(rule, &mut RealDisk).unwrap();
        assert_eq!(std::fs::read(&original).unwrap(), FILM);
        assert!(!scene.source.is_symlink());
        assert_eq!(scene.source.exists(), rule == SourceRule::Replace);
        // By a link to a folder outside.
        let (inside, outside) = (tempfile::tempdir().unwrap(), Scene::new("a.mkv", false).unwrap());
        symlink(outside.films.path(), inside.path().join("link")).unwrap();
        let source = inside.path().join("link/a.mkv");
        let output = VerifiedOutput { path: inside.path().join("link/a.av1.mkv"), bytes: OUTPUT.len() as u64 };
        let seen = FileStamp::of(&source).unwrap();
        let fate = settle(&SettleOrder { rule, source: &source, seen, output: &output, root: inside.path() }).unwrap();
        assert!(matches!(&fate, SourceFate::KeptBoth { why } if why.contains("outside")), "{fate:?}");
        assert_eq!(std::fs::read(&source).unwrap(), FILM);
    }
}

#[test]
fn a_film_that_was_encoded_for_nothing_gets_its_name_and_takes_it_from_none() {
    let scene = Scene::new("a.mkv", false).unwrap();
    let to = rename_aside(&scene.source, ".skip", scene.films.path()).unwrap();
    assert_eq!(to, scene.films.path().join("a.skip.mkv"));
    assert!(!scene.source.exists() && std::fs::read(&to).unwrap() == FILM);
    std::fs::write(&scene.source, b"another").unwrap();
    assert!(rename_aside(&scene.source, ".skip", scene.films.path()).unwrap_err().to_string().contains("is there"));
    assert_eq!((std::fs::read(&to).unwrap(), std::fs::read(&scene.source).unwrap()), (FILM.into(), b"another".into()));
}

#[test]
fn only_a_copy_to_the_last_byte_is_dropped() {
    let scene = Scene::new("a.mkv", false).unwrap();
    assert!(!drop_copy(&scene.source, &scene.output).unwrap());
    assert!(!drop_copy(&scene.source, &scene.source).unwrap(), "a file is no copy of itself");
    std::fs::copy(&scene.source, &scene.output).unwrap();
    let link = scene.films.path().join("b.mkv");
    std::fs::hard_link(&scene.source, &link).unwrap();
    assert!(!drop_copy(&scene.source, &link).unwrap());
    assert_eq!(drop_copy(&scene.source, &scene.output).unwrap(), cfg!(unix));
    assert!(scene.source.exists() && link.exists());
}

/// The system's disk, whose process is killed before an operation.
#[cfg(unix)]
struct DeadlyDisk {
    left: usize,
}

#[cfg(unix)]
impl DeadlyDisk {
    fn step(&mut self) {
        if self.left == 0 {
            let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        self.left -= 1;
    }
}

#[cfg(unix)]
impl SettleDisk for DeadlyDisk {
    fn stamp(&mut self, path: &Path) -> io::Result<Option<FileStamp>> {
        RealDisk.stamp(path)
    }

    fn names(&mut self, path: &Path) -> io::Result<u64> {
        RealDisk.names(path)
    }

    fn sync(&mut self, file: &Path) -> io::Result<()> {
        self.step();
        RealDisk.sync(file)
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.step();
        RealDisk.sync_folder(folder)
    }

    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step();
        RealDisk.link(from, to)
    }

    fn hold(&mut self, name: &Path) -> io::Result<()> {
        self.step();
        RealDisk.hold(name)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step();
        RealDisk.rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step();
        RealDisk.remove(path)
    }

    fn copy(&mut self, from: &Path, to: &Path) -> io::Result<blake3::Hash> {
        if self.left == 0 {
            std::fs::write(to, &std::fs::read(from)?[..3])?;
        }
        self.step();
        RealDisk.copy(from, to)
    }

    fn hash(&mut self, path: &Path) -> io::Result<blake3::Hash> {
        self.step();
        RealDisk.hash(path)
    }
}

#[cfg(unix)]
const CHILD: &str = "DRAPTO_TEST_SETTLE";

/// Does one settlement and is killed within it, where the test below starts it with orders; does nothing else.
#[test]
#[cfg(unix)]
fn a_process_that_is_to_be_killed() {
    let Ok(orders) = std::env::var(CHILD) else { return };
    let [source, output, root, rule, left] = orders.split('\n').collect::<Vec<_>>()[..] else { panic!("{orders}") };
    let rule = if rule == "replace" { SourceRule::Replace } else { SourceRule::Delete };
    let output = VerifiedOutput { path: output.into(), bytes: OUTPUT.len() as u64 };
    let seen = FileStamp::of(Path::new(source)).unwrap();
    let order = SettleOrder { rule, source: source.as_ref(), seen, output: &output, root: root.as_ref() };
    steps(&order, &mut DeadlyDisk { left: left.parse().unwrap() }).unwrap();
}

#[test]
#[cfg(unix)]
fn a_process_that_is_killed_at_any_step_loses_no_film() {
    use std::os::unix::process::ExitStatusExt;
    let (_, module) = module_path!().split_once("::").unwrap();
    let test = format!("{module}::a_process_that_is_to_be_killed");
    let mut kills = 0;
    for (rule, name, elsewhere) in [
        ("replace", "a.mkv", false),
        ("replace", "a.mp4", false),
        ("replace", "a.mkv", true),
        ("replace", "a.mp4", true),
        ("delete", "a.mkv", false),
    ] {
        for left in 0.. {
            let Some(scene) = Scene::new(name, elsewhere) else { break };
            let root = scene.films.path();
            let orders = [&scene.source, &scene.output, root].map(|p: &Path| p.to_str().unwrap().to_owned()).join("\n");
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &test])
                .env(CHILD, format!("{orders}\n{rule}\n{left}"))
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap();
            assert!(scene.has_a_film(), "{rule} {name} {elsewhere}, killed at {left}: {:?}", scene.left());
            if child.success() {
                assert!(left >= 4, "{rule} {name}: {left} operations");
                break;
            }
            assert_eq!(child.signal(), Some(9), "{rule} {name} {elsewhere} at {left}");
            kills += 1;
        }
    }
    println!("killed {kills} times");
    assert!(kills >= 15);
}
