//! A look at one film, as far as rules need it, and the threads that look at many.
#![deny(unsafe_code)]

use std::io;
use std::path::Path;

use super::rules::FilmFacts;
use super::stamp::FileStamp;
use crate::analyze::probe;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::media::MediaInfo;
use crate::plan::main_video;

/// What rules ask of the film at `path`, by its container's word; nothing is decoded.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read, `Interrupted`. A file whose size or time changed while it was
/// looked at is an `Input` error: somebody writes it.
pub fn look_at(path: &Path, cancel: &CancelToken) -> Result<FilmFacts> {
    let stamp = || FileStamp::of(path).map_err(|e| cannot_read(path, e));
    let before = stamp()?;
    let info = probe(path, cancel)?;
    if stamp()? != before {
        return Err(Error::new(ErrorKind::Input, "it is still being written").with_file(path));
    }
    Ok(FilmFacts::of(path, before.bytes, &info))
}

pub(super) fn cannot_read(path: &Path, cause: io::Error) -> Error {
    Error::new(ErrorKind::Input, "cannot read it").caused_by(cause).with_file(path)
}

/// Formats of FFmpeg's that are no films, though they have video: text that it draws, and pictures.
const NO_FILMS: &[&str] = &["tty", "bin", "xbin", "adf", "idf", "image2", "gif", "apng", "ico", "ilbc", "lrc"];

/// Whether FFmpeg reads the file as one with moving pictures.
pub(super) fn reads_as_film(path: &Path) -> bool {
    let moves = |info: MediaInfo| {
        let format = info.container.as_str();
        main_video(&info).is_some() && !format.ends_with("_pipe") && !NO_FILMS.contains(&format)
    };
    probe(path, &CancelToken::new()).is_ok_and(moves)
}

/// As many looks at once: most of one is waiting for a disk or a network.
const AT_ONCE: usize = 8;

/// Runs `work`, whose parallel iterators then have threads of their own: those of the process are its owner's.
pub(super) fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let named = |n| format!("drapto-look-{n}");
    match rayon::ThreadPoolBuilder::new().num_threads(AT_ONCE).thread_name(named).build() {
        Ok(pool) => pool.install(work),
        // No threads are to be had; rayon's own then look, or this one.
        Err(error) => {
            tracing::warn!(%error, "films are looked at without threads of their own");
            work()
        }
    }
}
