//! Where reports go: into a file of their own, or through standard output, a pipe or a device, which are written to.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What stands for standard input and output on the command line.
pub const DASH: &str = "-";

/// The system's name for standard input, which is read like a file.
const STDIN: &str = "/dev/stdin";

/// The input that is meant: `-` is standard input.
pub fn input(given: &Path) -> &Path {
    if given.as_os_str() == DASH { Path::new(STDIN) } else { given }
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Stdout,
    Stderr,
    Path(PathBuf),
}

impl Place {
    /// What `path` leads to: `-` and every name of standard output are standard output.
    pub fn of(path: &Path) -> Self {
        if path.as_os_str() == DASH {
            return Place::Stdout;
        }
        match std::fs::metadata(path) {
            Ok(found) if same(&found, &io::stdout()) => Place::Stdout,
            Ok(found) if same(&found, &io::stderr()) => Place::Stderr,
            _ => Place::Path(path.to_path_buf()),
        }
    }

    /// The path to check; what is open already needs no check.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Place::Path(path) => Some(path),
            Place::Stdout | Place::Stderr => None,
        }
    }

    /// Writes `text`: to what is open, or to a pipe or device as it is, or to a file that is written beside its place and
    /// renamed, as the film is. Links stay, what they lead to is written.
    pub fn write(&self, text: &str) -> io::Result<()> {
        match self {
            Place::Stdout => write_all(io::stdout().lock(), text),
            Place::Stderr => write_all(io::stderr().lock(), text),
            Place::Path(path) => match std::fs::metadata(path) {
                Ok(found) if !found.is_file() => write_all(open_stream(path, &found)?, text),
                _ => replace(path, text),
            },
        }
    }
}

/// A reader that left has what it wanted.
fn write_all(mut to: impl Write, text: &str) -> io::Result<()> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Whether `found` is what the process has open as `stream`.
#[cfg(unix)]
fn same(found: &Metadata, stream: &impl std::os::fd::AsFd) -> bool {
    use std::os::unix::fs::MetadataExt;
    let open = stream.as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    open.is_ok_and(|open| (open.dev(), open.ino()) == (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn same<T>(_: &Metadata, _: &T) -> bool {
    false
}

/// Opens what is no file. A pipe that nobody reads would wait for ever: it is asked first (POSIX `open`, O_NONBLOCK fails
/// with ENXIO for a FIFO without reader).
#[cfg(unix)]
fn open_stream(path: &Path, found: &Metadata) -> io::Result<File> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    if found.file_type().is_fifo() {
        // Held until the second is open, which therefore does not wait.
        let _asked = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        return OpenOptions::new().write(true).open(path);
    }
    OpenOptions::new().write(true).open(path)
}

#[cfg(not(unix))]
fn open_stream(path: &Path, _: &Metadata) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Not `canonicalize`, which wants the file to be there.
    let mut real = path.to_path_buf();
    for _ in 0..40 {
        let Ok(to) = std::fs::read_link(&real) else { break };
        real = real.parent().unwrap_or(Path::new("")).join(to);
    }
    let (partial, mut file) = new_beside(&real)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let done = written.and_then(|()| std::fs::rename(&partial, &real));
    if done.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    done
}

/// A new file beside `path`: never one that is there already, whatever it is called.
fn new_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name: String = path.file_name().unwrap_or_default().to_string_lossy().chars().take(40).collect();
    for number in 0..100 {
        let partial = path.with_file_name(format!(".{name}.{}-{number}.part", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&partial) {
            Ok(file) => return Ok((partial, file)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_its_file_alone_and_goes_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("r.json.part"), b"precious").unwrap();
        Place::Path(at("r.json")).write("one").unwrap();
        Place::Path(at("r.json")).write("two").unwrap();
        assert_eq!(std::fs::read(at("r.json")).unwrap(), b"two");
        assert_eq!(std::fs::read(at("r.json.part")).unwrap(), b"precious");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("r.json", at("link")).unwrap();
            Place::Path(at("link")).write("three").unwrap();
            assert!(at("link").symlink_metadata().unwrap().is_symlink());
            assert_eq!(std::fs::read(at("r.json")).unwrap(), b"three");
        }
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, if cfg!(unix) { 3 } else { 2 });
    }

    #[test]
    #[cfg(unix)]
    fn a_pipe_that_nobody_reads_and_a_full_device_are_errors_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("p");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(Place::Path(pipe.clone()).write("report").is_err());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read_to_string(pipe).unwrap()
        });
        while Place::Path(pipe.clone()).write("report").is_err() {
            std::thread::yield_now();
        }
        assert_eq!(reader.join().unwrap(), "report");
        if Path::new("/dev/full").exists() {
            assert!(Place::Path("/dev/full".into()).write("report").is_err());
        }
        Place::Path("/dev/null".into()).write("report").unwrap();
    }
}
