//! A folder that is watched: films are encoded when they are whole.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch_plan::{BatchPlan, find};
use super::event::BatchSink;
use super::options::BatchOptions;
use super::outcome::BatchSummary;
use super::rules::FilmFacts;
use super::run::Batch;
use super::stamp::FileStamp;
use crate::base::{CancelToken, Result};

/// How often a wait is asked whether it is still wanted.
const TICK: Duration = Duration::from_millis(50);

/// PURE: which files of a folder that is looked at again and again are whole.
///
/// Law: a file is given out at the second of two looks that follow each other and find it with one stamp, and once for each
/// stamp. One that is gone is forgotten.
#[derive(Clone, Debug, Default)]
pub struct Watchlist {
    files: BTreeMap<PathBuf, Sighting>,
}

#[derive(Clone, Debug)]
struct Sighting {
    stamp: FileStamp,
    given: bool,
}

impl Watchlist {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what a look found; the files that are whole, in the order in which they were found.
    pub fn look(&mut self, found: impl IntoIterator<Item = (PathBuf, FileStamp)>) -> Vec<PathBuf> {
        let before = std::mem::take(&mut self.files);
        let mut whole = Vec::new();
        for (path, stamp) in found {
            let seen = before.get(&path).filter(|seen| seen.stamp == stamp);
            if seen.is_some_and(|seen| !seen.given) {
                whole.push(path.clone());
            }
            self.files.insert(path, Sighting { stamp, given: seen.is_some() });
        }
        whole
    }
}

/// Looks for films `every` so often and runs a batch of those whose size and time stood still for two looks, until `cancel`
/// or `drain` is cancelled or a batch gives up; the first ends films that run, the second waits for them. `look` is as of
/// [`BatchPlan::make`]. Each batch counts its films from 0.
///
/// Nobody looks while a batch runs.
///
/// # Errors
/// `Usage` as [`BatchOptions::check`]; `Input` for an input that cannot be read at the first look. Later it is waited for.
pub fn watch(
    options: &BatchOptions,
    every: Duration,
    look: impl Fn(&Path) -> Result<FilmFacts> + Sync,
    sink: &Arc<dyn BatchSink>,
    (drain, cancel): (&CancelToken, &CancelToken),
) -> Result<BatchSummary> {
    options.check()?;
    let mut list = Watchlist::new();
    let mut all = BatchSummary::default();
    let mut films = find(options)?.0;
    let stopped = || drain.is_cancelled() || cancel.is_cancelled();
    while !stopped() && all.gave_up.is_none() {
        let stamped = films.iter().filter_map(|film| Some((film.path.clone(), FileStamp::of(&film.path).ok()?)));
        let whole = list.look(stamped.collect::<Vec<_>>());
        films.retain(|film| whole.contains(&film.path));
        if films.is_empty() {
            wait(every, stopped);
        } else {
            let plan = match BatchPlan::of(options, films, &look) {
                Err(_) if cancel.is_cancelled() => break,
                plan => plan?,
            };
            let batch = Batch::with_drain(plan, options.clone(), drain.clone());
            all.append(batch.run(Arc::clone(sink), cancel));
        }
        films = match find(options) {
            Ok((films, _)) => films,
            Err(error) => {
                tracing::warn!(%error, "a folder that is watched cannot be read");
                Vec::new()
            }
        };
    }
    Ok(all)
}

fn wait(time: Duration, stopped: impl Fn() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < time && !stopped() {
        std::thread::sleep(TICK.min(time));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{Error, ErrorKind};
    use crate::library::event::BatchEvent;

    fn stamp(bytes: u64) -> FileStamp {
        FileStamp { bytes, ..FileStamp::default() }
    }

    #[test]
    fn a_film_is_whole_when_it_stood_still_for_two_looks() {
        let mut list = Watchlist::new();
        let film = PathBuf::from("film.mkv");
        let mut look = |bytes: Option<u64>| list.look(bytes.map(|bytes| (film.clone(), stamp(bytes)))).len();
        assert_eq!(
            [look(Some(1)), look(Some(2)), look(Some(2)), look(Some(2))],
            [0, 0, 1, 0],
            "it grew, stood, was given"
        );
        assert_eq!([look(Some(3)), look(Some(3)), look(Some(3))], [0, 1, 0], "it was written anew");
        assert_eq!([look(None), look(Some(3)), look(Some(3))], [0, 0, 1], "it was gone for a look");
    }

    proptest! {
        #[test]
        fn what_is_given_out_stood_still_and_was_not_given_out_before(
            looks in prop::collection::vec(prop::collection::btree_map(0..4u8, 0..3u64, 0..4), 0..30),
        ) {
            let mut list = Watchlist::new();
            // By film: for how many looks it has been as it is, this one included.
            let mut still: BTreeMap<u8, (u64, u32)> = BTreeMap::new();
            for look in looks {
                let name = |film: u8| PathBuf::from(film.to_string());
                let whole = list.look(look.iter().map(|(film, bytes)| (name(*film), stamp(*bytes))));
                still = look.iter().map(|(film, bytes)| {
                    let before = still.get(film).filter(|(b, _)| b == bytes).map_or(0, |(_, n)| *n);
                    (*film, (*bytes, before + 1))
                }).collect();
                let expected: Vec<_> = still.iter().filter(|(_, (_, n))| *n == 2).map(|(f, _)| name(*f)).collect();
                prop_assert_eq!(whole, expected);
            }
        }
    }

    #[test]
    fn a_watch_takes_films_as_they_come_and_ends_when_it_is_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let options = BatchOptions::new(folder.path());
        let (drain, cancel) = (CancelToken::new(), CancelToken::new());
        std::fs::write(folder.path().join("a.mkv"), b"no film").unwrap();
        let sink: Arc<dyn BatchSink> = {
            let (drain, later) = (drain.clone(), folder.path().join("b.mkv"));
            Arc::new(move |event: &BatchEvent| {
                if let BatchEvent::FileSkipped { input, .. } = event {
                    if input.ends_with("a.mkv") {
                        std::fs::write(&later, b"no film either").unwrap();
                    } else {
                        drain.cancel();
                    }
                }
            })
        };
        let look = |_: &Path| Err(Error::new(ErrorKind::Input, "not a media file"));
        let summary = watch(&options, Duration::from_millis(20), look, &sink, (&drain, &cancel)).unwrap();
        assert_eq!((summary.skipped, summary.items.len(), summary.exit_code()), (2, 2, 5));
        let missing = BatchOptions::new(folder.path().join("none"));
        let error = watch(&missing, TICK, look, &sink, (&CancelToken::new(), &cancel)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
    }
}
