//! What cannot be sought in, kept in a file while it is needed.
//!
//! Films are looked at, sought in and read twice; a pipe gives its bytes once. What comes from one is therefore written to a
//! file first. Numbered pictures are a file of another kind, a few lines that say where they are.
#![deny(unsafe_code)]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use crate::av::PictureSequence;
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result};

/// Bytes that are read at once, and how many times that may wait to be written.
const BLOCK: usize = 1 << 20;
const BLOCKS: usize = 8;

/// How often a read that waits is asked whether it is still wanted.
const TICK: Duration = Duration::from_millis(100);

/// A file that stands for a source; removed with it.
pub(crate) struct Spool {
    path: PathBuf,
    /// What it stands for.
    of: PathBuf,
    /// Held for its lock.
    file: File,
}

/// Whether `path` leads to what gives its bytes once: a pipe, a socket, or standard input where it is no file.
pub(crate) fn gives_once(path: &Path) -> bool {
    let Ok(found) = std::fs::metadata(path) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        kind.is_fifo() || kind.is_socket() || (is_stdin(path) && kind.is_char_device())
    }
    #[cfg(not(unix))]
    {
        !found.is_file() && !found.is_dir()
    }
}

/// Whether `path` is a name of standard input.
fn is_stdin(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

impl Spool {
    /// Reads `of` to its end into the file `path`.
    ///
    /// # Errors
    /// `Output` where the file cannot be written, `Usage` where another run has it, `Input` for what cannot be read or is
    /// empty, `Interrupted`.
    pub(crate) fn read(of: &Path, path: &Path, cancel: &CancelToken) -> Result<Self> {
        let mut spool = Self::open(of, path)?;
        let (to_writer, blocks) = sync_channel(BLOCKS);
        let source = of.to_path_buf();
        // In a thread of its own, which is left behind where the read never ends.
        std::thread::Builder::new()
            .name("drapto-spool".to_owned())
            .spawn(move || read_blocks(&source, &to_writer))
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot start a thread").caused_by(e))?;
        match spool.take(&blocks, cancel)? {
            0 => Err(Error::new(ErrorKind::Input, "nothing comes from it").with_file(of)),
            _ => spool.finish(),
        }
    }

    /// Writes the file `path` that stands for the pictures that `pattern` names.
    ///
    /// # Errors
    /// As [`PictureSequence::find`], and as [`read`](Self::read) of the file.
    pub(crate) fn of_pictures(pattern: &Path, rate: Rational, path: &Path) -> Result<Self> {
        let sequence = PictureSequence::find(pattern, rate)?;
        let mut spool = Self::open(pattern, path)?;
        sequence.write(&mut spool.file).map_err(|e| spool.failed(e))?;
        spool.finish()
    }

    fn open(of: &Path, path: &Path) -> Result<Self> {
        let failed = |e| cannot(path, e);
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Err(Error::new(ErrorKind::Usage, "what has this name is in the way of the input").with_file(path));
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorKind::Usage, "another run reads this input").with_file(path));
            }
            // File systems without locks exist; the check is a courtesy there.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the input's file cannot be locked"),
            Ok(()) => {}
        }
        file.set_len(0).map_err(failed)?;
        Ok(Spool { path: path.to_path_buf(), of: of.to_path_buf(), file })
    }

    fn failed(&self, cause: io::Error) -> Error {
        cannot(&self.path, cause)
    }

    /// Writes what comes; how many bytes that were.
    fn take(&mut self, blocks: &Receiver<io::Result<Vec<u8>>>, cancel: &CancelToken) -> Result<u64> {
        let mut bytes = 0;
        loop {
            cancel.check()?;
            match blocks.recv_timeout(TICK) {
                Ok(Ok(block)) => {
                    bytes += block.len() as u64;
                    self.file.write_all(&block).map_err(|e| self.failed(e))?;
                }
                Ok(Err(e)) => {
                    return Err(Error::new(ErrorKind::Input, "cannot read it").caused_by(e).with_file(&self.of));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(bytes),
            }
        }
    }

    /// The same bytes make the same file: a job knows its input by its times, too, and goes on when they come again.
    fn finish(self) -> Result<Self> {
        self.file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).map_err(|e| self.failed(e))?;
        Ok(self)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The error with the name the user knows.
    pub(crate) fn named(&self, error: Error) -> Error {
        error.renamed(&self.path, &self.of)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // The name goes before the lock does.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn cannot(path: &Path, cause: io::Error) -> Error {
    Error::new(ErrorKind::Output, "cannot keep the input in a file").caused_by(cause).with_file(path)
}

fn read_blocks(source: &Path, to: &SyncSender<io::Result<Vec<u8>>>) {
    let read = open_once(source).and_then(|mut file| {
        loop {
            let mut block = Vec::new();
            if (&mut file).take(BLOCK as u64).read_to_end(&mut block)? == 0 || to.send(Ok(block)).is_err() {
                return Ok(());
            }
        }
    });
    if let Err(error) = read {
        let _ = to.send(Err(error));
    }
}

/// Standard input is taken as it is open: its name may lead to what cannot be opened again (a socket) or not by us.
fn open_once(source: &Path) -> io::Result<File> {
    #[cfg(unix)]
    if is_stdin(source) {
        use std::os::fd::AsFd;
        return Ok(io::stdin().as_fd().try_clone_to_owned()?.into());
    }
    File::open(source)
}

/// Looks at the film at `path`, or where that gives its bytes once, at what was read from it into a temporary file.
///
/// # Errors
/// As [`Spool::read`], and those of `look`.
pub(crate) fn looked_at<T>(path: &Path, cancel: &CancelToken, look: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if !gives_once(path) {
        return look(path);
    }
    let name = format!(".drapto-{}-{}.input", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let spool = Spool::read(path, &std::env::temp_dir().join(name), cancel)?;
    look(spool.path()).map_err(|e| spool.named(e))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn pipe(folder: &Path) -> PathBuf {
        let pipe = folder.join("p");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        pipe
    }

    #[test]
    fn a_pipe_is_kept_as_long_as_it_is_needed_and_is_the_samefile_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, path) = (pipe(folder.path()), folder.path().join("kept"));
        let bytes: Vec<u8> = (0..3 * BLOCK as u32).map(|n| n as u8).collect();
        let mut times = Vec::new();
        for _ in 0..2 {
            assert!(gives_once(&pipe));
            let writer = std::thread::spawn({
                let (pipe, bytes) = (pipe.clone(), bytes.clone());
                move || std::fs::write(pipe, bytes).unwrap()
            });
            let spool = Spool::read(&pipe, &path, &CancelToken::new()).unwrap();
            writer.join().unwrap();
            assert_eq!(std::fs::read(spool.path()).unwrap(), bytes);
            assert!(Spool::open(&pipe, &path).is_err(), "another run keeps off");
            times.push(std::fs::metadata(&path).unwrap().modified().unwrap());
            let error = Error::new(ErrorKind::Input, "bad").with_file(&path);
            assert_eq!(spool.named(error).file(), Some(&*pipe));
            drop(spool);
            assert!(!path.exists());
        }
        assert_eq!(times[0], times[1]);
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_can_be_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, path) = (pipe(folder.path()), folder.path().join("kept"));
        let cancel = CancelToken::new();
        let other = cancel.clone();
        let stop = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            other.cancel();
        });
        let error = Spool::read(&pipe, &path, &cancel).err().unwrap();
        stop.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(!path.exists());
    }

    #[test]
    fn nothing_is_an_error_andfiles_and_folders_are_read_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, path) = (pipe(folder.path()), folder.path().join("kept"));
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || drop(OpenOptions::new().write(true).open(pipe))
        });
        let error = Spool::read(&pipe, &path, &CancelToken::new()).err().unwrap();
        writer.join().unwrap();
        assert!(error.kind() == ErrorKind::Input && error.to_string().contains("nothing comes"), "{error}");
        assert!(
            !path.exists() && !gives_once(folder.path()) && !gives_once(&path) && !gives_once(Path::new("/dev/null"))
        );
        std::fs::write(&path, b"film").unwrap();
        let there = looked_at(&path, &CancelToken::new(), |there| Ok(there.to_path_buf())).unwrap();
        assert_eq!(there, path);
    }
}
