//! What batches remember: facts of films, what came of them, how long they took.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use drapto::batch::{BatchItem, BatchMemory, FileOutcome, FilmFacts, FilmKey, KnownSkip, look_at};
use drapto::cache::{Cache, FileMark, HistoryEntry, RunOutcome};
use drapto::{CancelToken, EncodeSettings, Quality, Report, Result};

use super::expect::{self, Expectation};

/// The form of remembered facts; others are looked up anew.
const FACTS: &str = "film-facts-1";

/// The cache, for a batch.
pub struct Remembered {
    /// `None` where nothing is remembered.
    cache: Option<Cache>,
    settings: EncodeSettings,
    /// Films that share the machine while each is encoded.
    at_once: u32,
}

impl Remembered {
    /// The user's cache, where it is wanted and there is one to be had.
    pub fn open(settings: &EncodeSettings, warnings: &mut Vec<String>) -> Self {
        let opened = settings.cache().map(Cache::open);
        let cache = match opened {
            Some(Ok((cache, said))) => {
                warnings.extend(said);
                Some(cache)
            }
            Some(Err(error)) => {
                warnings.push(error.to_string());
                None
            }
            None => None,
        };
        Remembered { cache, settings: settings.clone(), at_once: 1 }
    }

    /// The same for films of which so many share the machine.
    #[must_use]
    pub fn shared_by(self, films: u32) -> Self {
        Remembered { at_once: films.max(1), ..self }
    }

    /// What a film is: as it was found the last time, where it is still that file.
    pub fn look_at(&self, film: &Path, cancel: &CancelToken) -> Result<FilmFacts> {
        let id = FileMark::of(film).ok();
        let known = id.as_ref().zip(self.cache.as_ref()).and_then(|(id, cache)| cache.facts(id, "film", FACTS));
        if let Some(facts) = known.and_then(|json| serde_json::from_str::<FilmFacts>(&json).ok()) {
            return Ok(FilmFacts { path: film.to_path_buf(), ..facts });
        }
        let facts = look_at(film, cancel)?;
        if let (Some(cache), Some(id), Ok(json)) = (&self.cache, id, serde_json::to_string(&facts)) {
            cache.keep_facts(&id, "film", FACTS, &json);
        }
        Ok(facts)
    }

    /// What the film of `item` will take.
    pub fn expect(&self, item: &BatchItem, settings: &EncodeSettings) -> Option<Expectation> {
        expect::expect(self.cache.as_ref(), item, settings)
    }

    /// Takes the report of a film that was encoded.
    pub fn done(&self, report: &Report) {
        if let Some(cache) = &self.cache {
            expect::record(cache, report, &self.settings, self.at_once);
            cache.add_history(&entry(report));
        }
    }

    /// What went wrong with the cache meanwhile.
    pub fn warnings(&self) -> Vec<String> {
        self.cache.as_ref().map_or(Vec::new(), Cache::take_warnings)
    }
}

/// A run for the history.
pub fn entry(report: &Report) -> HistoryEntry {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
    HistoryEntry {
        when_unix_s: i64::try_from(now).unwrap_or(i64::MAX),
        input: report.input.path.display().to_string(),
        output: report.output.path.display().to_string(),
        outcome: RunOutcome::Done,
        bytes_in: report.input.bytes,
        bytes_out: report.output.bytes,
        frames: report.output.frames,
        wall_s: report.wall_s,
        encode_s: report.output.frames as f64 / report.encode_fps.max(1e-9),
        target: match &report.settings.quality {
            Quality::Target(target) => Some(target.vmaf),
            Quality::Crf(_) => None,
        },
        crf: Some(report.quality.crf),
        score: report.quality.harmonic_mean,
        preset: report.settings.preset,
        ..HistoryEntry::default()
    }
}

impl BatchMemory for Remembered {
    fn known(&self, key: &FilmKey) -> Option<KnownSkip> {
        let id = FileMark::of(&key.film).ok()?;
        let known = self.cache.as_ref()?.outcome(&id, &key.settings)?;
        serde_json::from_str(&known.reason).ok()
    }

    fn keep(&self, key: &FilmKey, outcome: &FileOutcome) {
        if let (Some(cache), Some(skip), Ok(id)) = (&self.cache, outcome.worth_keeping(), FileMark::of(&key.film))
            && let Ok(reason) = serde_json::to_string(&skip)
        {
            cache.keep_outcome(&id, &key.settings, RunOutcome::Skipped, &reason);
        }
    }
}
