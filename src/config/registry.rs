//! Every setting, declared once: what it is called, what it takes, what it means.
//!
//! The command line's flags, the settings file and its template, the environment and `set` by name all read this table,
//! so they cannot differ. Refuses to know where a value comes from (that is [`SettingValues`](super::SettingValues)).
use std::sync::LazyLock;

use super::EncodeSettings;
use super::rows;
use super::setting::Setting;
use crate::base::{Error, ErrorKind, Result};

static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(rows::all);

/// All settings, in the order of the help.
pub fn settings() -> &'static [Setting] {
    &SETTINGS
}

/// The setting of this name, file key or flag; a `Usage` error that says what is near for one there is not.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub fn setting(name: &str) -> Result<&'static Setting> {
    let found = SETTINGS.iter().find(|s| s.name == name || s.key == name || s.place == name);
    let found = found.or_else(|| SETTINGS.iter().find(|s| s.flag == Some(name)));
    found.ok_or_else(|| {
        let hint = meant(name).map_or(String::new(), |s| format!("; did you mean {}?", s.name));
        Error::new(ErrorKind::Usage, format!("there is no setting {name:?}{hint}"))
    })
}

/// The setting that somebody may have meant who wrote a name there is not.
pub(super) fn meant(name: &str) -> Option<&'static Setting> {
    /// Of 1: a letter that is wrong, missing, too much or in another's place, in three or more.
    const ALIKE: f64 = 0.66;
    let last = name.rsplit('.').next().unwrap_or(name).replace('-', "_").to_lowercase();
    // By what it is called where it stands in a file, or was called before.
    let called = || SETTINGS.iter().flat_map(|s| [(s.place_name(), s), (s.key, s)]);
    let part = called().find(|(known, _)| !last.is_empty() && (known.contains(&last) || last.contains(known)));
    let alike = called().map(|(known, s)| (strsim::normalized_damerau_levenshtein(known, &last), s));
    part.map(|(_, s)| s)
        .or_else(|| alike.filter(|(like, _)| *like > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, s)| s))
}

/// The one of `words` that `word` may have been meant to be.
pub(crate) fn nearest(word: &str, words: &[&'static str]) -> Option<&'static str> {
    /// A letter of three that is wrong.
    const ALIKE: f64 = 0.6;
    let word = word.replace('-', "_").to_lowercase();
    let part = words.iter().find(|known| word.len() > 2 && (known.contains(&word) || word.contains(*known)));
    let alike = words.iter().map(|known| (strsim::normalized_damerau_levenshtein(known, &word), known));
    let alike = alike.filter(|(like, _)| *like >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    part.or(alike.map(|(_, known)| known)).copied()
}

impl EncodeSettings {
    /// Sets one setting by name: `settings.set("quality.target_vmaf", "93")`.
    ///
    /// `quality.crf` takes the place of a target, `quality.target_vmaf` that of a CRF; `video.svt` replaces what it had.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names and values there are not, and for settings of a target while a CRF is set.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        (setting(name)?.set)(self, value)
    }

    /// One setting as [`set`](Self::set) takes it; `None` where the default is made up during the run or nothing is set.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names there are not.
    pub fn get(&self, name: &str) -> Result<Option<String>> {
        Ok((setting(name)?.get)(self))
    }
}
