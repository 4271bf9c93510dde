//! What would become of each film of a batch, before anything is done.
#![deny(unsafe_code)]

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::look::{cannot_read, in_pool};
use super::memory::FilmKey;
use super::names::{OutputClaims, place_of};
use super::options::{BatchOptions, Resolved};
use super::place::real;
use super::replace::SourceRule;
use super::rules::{FilmFacts, SkipRule, judge, judge_name};
use super::stamp::FileStamp;
use super::walk::{WalkOptions, walk};
use crate::base::{Error, ErrorKind, Result};
use crate::config::path_text::{lossy, lossy_if_any};

/// How far a film and its output may differ in length and be one film, in seconds.
const SAME_LENGTH_S: f64 = 1.0;

/// A folder, or a film, that could not be looked into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadablePlace {
    /// Where it is.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// What is to become of a film.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ItemVerdict {
    /// It is encoded.
    Encode,
    /// An earlier run made its output; what is left to do is to verify it and to replace or remove the source.
    Settle {
        /// The output.
        film: PathBuf,
    },
    /// It is left alone.
    Skip(SkipRule),
}

/// One film of a batch. Serialises with `verdict` (`encode`, `settle`, `skip`) and, where it is left alone, the rule's name
/// and numbers as `skip` and its sentence as `message`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchItem {
    /// The folder, or the film, that was named.
    pub root: PathBuf,
    /// The film.
    pub input: PathBuf,
    /// Its output.
    pub output: PathBuf,
    /// What rules asked of it; `None` where its name or its output decided, or it could not be read.
    pub facts: Option<FilmFacts>,
    /// As it was when it was looked at; `None` where it was not.
    pub stamp: Option<FileStamp>,
    /// What is to become of it.
    pub verdict: ItemVerdict,
}

impl BatchItem {
    /// Whether anything is to be done with it.
    pub fn is_to_do(&self) -> bool {
        !matches!(self.verdict, ItemVerdict::Skip(_))
    }

    /// Its size, where it was looked at.
    pub fn bytes(&self) -> u64 {
        self.stamp.map_or(0, |stamp| stamp.bytes)
    }
}

impl Serialize for BatchItem {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct ItemText<'a> {
            #[serde(serialize_with = "lossy")]
            input: &'a Path,
            #[serde(serialize_with = "lossy")]
            output: &'a Path,
            verdict: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            skip: Option<&'a SkipRule>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none", serialize_with = "lossy_if_any")]
            finished: Option<PathBuf>,
            #[serde(skip_serializing_if = "Option::is_none")]
            facts: Option<&'a FilmFacts>,
        }
        let (verdict, skip, finished) = match &self.verdict {
            ItemVerdict::Encode => ("encode", None, None),
            ItemVerdict::Settle { film } => ("settle", None, Some(film.clone())),
            ItemVerdict::Skip(rule) => ("skip", Some(rule), None),
        };
        let message = skip.map(ToString::to_string);
        let (input, output, facts) = (&self.input, &self.output, self.facts.as_ref());
        ItemText { input, output, verdict, skip, message, finished, facts }.serialize(to)
    }
}

/// What would become of each film of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchPlan {
    /// The films, in the order in which their turns come: the named folders one after another, each by the bytes of paths.
    pub items: Vec<BatchItem>,
    /// What could not be looked into.
    pub unreadable: Vec<UnreadablePlace>,
}

impl Serialize for BatchPlan {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut text = to.serialize_struct("BatchPlan", 5)?;
        text.serialize_field("films", &self.items.len())?;
        text.serialize_field("to_do", &self.to_do())?;
        text.serialize_field("bytes", &self.bytes())?;
        text.serialize_field("items", &self.items)?;
        text.serialize_field("unreadable", &self.unreadable)?;
        text.end()
    }
}

/// A film and the folder it was found below.
pub(super) struct FoundFilm {
    pub(super) root: PathBuf,
    pub(super) path: PathBuf,
}

/// The films of all inputs, each once, and what could not be looked into.
///
/// # Errors
/// `Input` for an input that cannot be read.
pub(super) fn find(options: &BatchOptions) -> Result<(Vec<FoundFilm>, Vec<UnreadablePlace>)> {
    let mut seen = HashSet::new();
    let (mut films, mut unreadable) = (Vec::new(), Vec::new());
    let leave_out = options.walk.leave_out.iter().chain(&options.names.folder).cloned().collect();
    let rules = WalkOptions { leave_out, ..options.walk.clone() };
    for root in &options.inputs {
        let walked = walk(root, &rules);
        for (path, error) in walked.unreadable {
            if path == *root {
                return Err(error.with_file(root));
            }
            unreadable.push(UnreadablePlace { path, why: error.to_string() });
        }
        let new = walked.films.into_iter().filter(|film| seen.insert(real(film)));
        films.extend(new.map(|path| FoundFilm { root: root.clone(), path }));
    }
    Ok((films, unreadable))
}

impl BatchPlan {
    /// Finds the films of `options` and says what would become of each; nothing is written. `look` is asked for the facts of
    /// films and of outputs that are there, from several threads at once: [`look_at`](super::look_at), or what remembers
    /// its answers.
    ///
    /// # Errors
    /// `Usage` as [`BatchOptions::check`], `Input` for an input that cannot be read, `Interrupted` where `look` is. A film
    /// that cannot be read is no error: it is left alone, and why is in its verdict.
    pub fn make(options: &BatchOptions, look: impl Fn(&Path) -> Result<FilmFacts> + Sync) -> Result<Self> {
        options.check()?;
        let (films, unreadable) = find(options)?;
        Ok(BatchPlan { unreadable, ..Self::of(options, films, look)? })
    }

    /// What would become of these films.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub(super) fn of(
        options: &BatchOptions,
        films: Vec<FoundFilm>,
        look: impl Fn(&Path) -> Result<FilmFacts> + Sync,
    ) -> Result<Self> {
        let settings = options.fingerprint();
        let resolved = options.inputs.iter().map(|root| options.resolved(root)).collect::<Result<Vec<_>>>()?;
        let rules_of = |root: &Path| {
            let at = options.inputs.iter().position(|input| input == root).unwrap_or(0);
            resolved.get(at).ok_or_else(|| Error::new(ErrorKind::Usage, "a batch without a folder encodes nothing"))
        };
        let planner = |film: &FoundFilm| -> Result<BatchItem> {
            let rules = rules_of(&film.root)?;
            let output = options.names.output(&film.root, &film.path, rules.codec);
            Planner { options, rules, look: &look, settings: &settings }.item(film, output)
        };
        let mut items = in_pool(|| films.par_iter().map(planner).collect::<Result<Vec<_>>>())?;
        tell_apart(&mut items);
        Ok(BatchPlan { items, unreadable: Vec::new() })
    }

    /// Films that are to be encoded or settled.
    pub fn to_do(&self) -> usize {
        self.items.iter().filter(|item| item.is_to_do()).count()
    }

    /// Bytes of the films that are to be encoded or settled.
    pub fn bytes(&self) -> u64 {
        self.items.iter().filter(|item| item.is_to_do()).map(BatchItem::bytes).sum()
    }

    /// Refuses a plan without films.
    ///
    /// # Errors
    /// `Input`, with the first place that could not be looked into where there is one.
    pub fn require_films(&self) -> Result<()> {
        match (self.items.is_empty(), self.unreadable.first()) {
            (false, _) => Ok(()),
            (true, None) => Err(Error::new(ErrorKind::Input, "there are no films in it")),
            (true, Some(place)) => {
                let message = format!("there are no films in what can be read; {}", place.why);
                Err(Error::new(ErrorKind::Input, message).with_file(&place.path))
            }
        }
    }
}

/// Sees to it that no two films have one output, and no output is a film.
fn tell_apart(items: &mut [BatchItem]) {
    let films: HashSet<PathBuf> = items
        .iter()
        .filter(|item| !matches!(&item.verdict, ItemVerdict::Skip(SkipRule::OutputSuffix { .. })))
        .map(|item| real(&item.input))
        .collect();
    let mut claims = OutputClaims::default();
    for item in items {
        let output = item.output.clone();
        if !claims_output(item) {
            continue;
        }
        if output.exists() && films.contains(&real(&output)) {
            item.verdict = ItemVerdict::Skip(SkipRule::OutputIsFilm { output });
        } else if let Some(other) = claims.claim(&item.input, &output) {
            item.verdict = ItemVerdict::Skip(SkipRule::SameOutput { other, output });
        }
    }
}

/// Whether a film is one that has an output, now or from an earlier batch.
fn claims_output(item: &BatchItem) -> bool {
    use SkipRule::{Known, OutputNoFilm, OutputOlder, OutputThere};
    match &item.verdict {
        ItemVerdict::Encode => true,
        // One that is AV1 has no output: it is to be rid of a copy of itself.
        ItemVerdict::Settle { .. } => item.facts.as_ref().is_none_or(|facts| facts.codec.as_deref() != Some("av1")),
        ItemVerdict::Skip(rule) => {
            matches!(rule, OutputThere { .. } | OutputOlder { .. } | OutputNoFilm { .. } | Known { .. })
        }
    }
}

/// What is at a path where an output may be.
enum OutputState {
    Absent,
    Finished(FilmFacts),
    NoFilm,
}

struct Planner<'a, F> {
    options: &'a BatchOptions,
    rules: &'a Resolved,
    look: &'a F,
    settings: &'a str,
}

impl<F: Fn(&Path) -> Result<FilmFacts> + Sync> Planner<'_, F> {
    fn item(&self, film: &FoundFilm, output: PathBuf) -> Result<BatchItem> {
        let (root, input) = (film.root.clone(), film.path.clone());
        let mut item = BatchItem { root, input, output, facts: None, stamp: None, verdict: ItemVerdict::Encode };
        item.verdict = match self.verdict(&mut item) {
            Ok(verdict) => verdict,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => ItemVerdict::Skip(unreadable(&item.input, &error)),
        };
        Ok(item)
    }

    fn verdict(&self, item: &mut BatchItem) -> Result<ItemVerdict> {
        let (film, output) = (item.input.clone(), item.output.clone());
        if let Some(rule) = judge_name(&film, &self.rules.rules) {
            return Ok(ItemVerdict::Skip(rule));
        }
        let stamp = || FileStamp::of(&film).map_err(|e| cannot_read(&film, e));
        let before = stamp()?;
        item.stamp = Some(before);
        let keeps = self.options.source == SourceRule::Keep;
        if keeps && !self.rules.overwrite {
            // It need not be looked at where it is done.
            match self.state(&output)? {
                OutputState::Absent => {}
                state => return Ok(ItemVerdict::Skip(done(state, output, before))),
            }
        }
        let facts = (self.look)(&film)?;
        if stamp()? != before {
            return Ok(ItemVerdict::Skip(SkipRule::StillWritten));
        }
        let judged = judge(&FilmFacts { path: film.clone(), ..facts.clone() }, &self.rules.rules);
        item.facts = Some(facts.clone());
        if let Some(rule) = judged {
            return Ok(match rule {
                // The output, brought from another disk, of which the first copy was not yet taken away.
                SkipRule::AlreadyAv1 if self.is_copy(before, &output) => ItemVerdict::Settle { film: output },
                rule => ItemVerdict::Skip(rule),
            });
        }
        if !keeps && let Some(verdict) = self.begun_before(&film, before, &facts, output)? {
            return Ok(verdict);
        }
        if let Some(memory) = &self.options.memory {
            let key = FilmKey { film, stamp: before, settings: self.settings.to_owned() };
            if let Some(known) = memory.known(&key) {
                return Ok(ItemVerdict::Skip(SkipRule::Known { earlier: known.rule, why: known.message }));
            }
        }
        Ok(ItemVerdict::Encode)
    }

    /// Where sources are to go: whether an earlier run came as far as the output, or is not this one's.
    fn begun_before(
        &self,
        film: &Path,
        stamp: FileStamp,
        facts: &FilmFacts,
        output: PathBuf,
    ) -> Result<Option<ItemVerdict>> {
        let there = match (self.state(&output)?, self.rules.overwrite) {
            (OutputState::Finished(_), false) => Some(ItemVerdict::Settle { film: output.clone() }),
            (OutputState::NoFilm, false) => Some(ItemVerdict::Skip(SkipRule::OutputNoFilm { output: output.clone() })),
            _ => None,
        };
        if self.options.source != SourceRule::Replace {
            return Ok(there);
        }
        let place = place_of(film);
        let Ok(taken) = FileStamp::of(&place) else { return Ok(there) };
        let own = place == film || taken.is_same_file(stamp);
        let written = FileStamp::of(&output).ok();
        let linked = written.is_some_and(|output| output.is_same_file(taken));
        // An empty file holds the name.
        if own || linked || taken.bytes == 0 {
            return Ok(there);
        }
        let alike = |other: &FilmFacts| {
            let lengths = facts.duration_s.zip(other.duration_s);
            other.codec.as_deref() == Some("av1") && lengths.is_none_or(|(a, b)| (a - b).abs() <= SAME_LENGTH_S)
        };
        // Brought from another disk, where the first copy may still be.
        let brought = there.is_none() || written.is_some_and(|output| output.bytes == taken.bytes);
        Ok(Some(match self.state(&place)? {
            OutputState::Finished(other) if brought && alike(&other) => ItemVerdict::Settle { film: place },
            _ => ItemVerdict::Skip(SkipRule::PlaceTaken { place }),
        }))
    }

    /// Whether the output may be a copy of the film, which has its place.
    fn is_copy(&self, film: FileStamp, output: &Path) -> bool {
        let same = |found: FileStamp| found.bytes == film.bytes && !found.is_same_file(film);
        self.options.source == SourceRule::Replace && FileStamp::of(output).is_ok_and(same)
    }

    fn state(&self, output: &Path) -> Result<OutputState> {
        match output.symlink_metadata() {
            Err(_) => return Ok(OutputState::Absent),
            Ok(found) if found.is_file() && found.len() == 0 => return Ok(OutputState::NoFilm),
            Ok(_) => {}
        }
        match (self.look)(output) {
            Ok(facts) if facts.codec.is_some() => Ok(OutputState::Finished(facts)),
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            _ => Ok(OutputState::NoFilm),
        }
    }
}

/// What an error of looking at the film says of it.
fn unreadable(film: &Path, error: &Error) -> SkipRule {
    match FileStamp::of(film) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => SkipRule::Vanished,
        // It has its own name in front of it where it is told.
        _ if error.file() == Some(film) => {
            let said = error.to_string();
            let why = said.strip_prefix(&format!("{}: ", film.display())).unwrap_or(&said);
            SkipRule::Unreadable { why: why.to_owned() }
        }
        _ => SkipRule::Unreadable { why: error.to_string() },
    }
}

/// What an output that is there says of its film.
fn done(state: OutputState, output: PathBuf, film: FileStamp) -> SkipRule {
    let older = || FileStamp::of(&output).is_ok_and(|output| output.modified_ns < film.modified_ns);
    match state {
        OutputState::Finished(_) if older() => SkipRule::OutputOlder { output },
        OutputState::Finished(_) => SkipRule::OutputThere { output },
        _ => SkipRule::OutputNoFilm { output },
    }
}

#[cfg(test)]
mod tests;
