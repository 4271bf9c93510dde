//! What a batch is asked for.
#![deny(unsafe_code)]

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::memory::BatchMemory;
use super::names::{OutputNames, check_suffix};
use super::replace::SourceRule;
use super::rules::BatchRules;
use super::walk::WalkOptions;
use crate::base::{Error, ErrorKind, Result};
use crate::config::{EncodeSettings, Origin, SettingValues};
use crate::front::EncodeRequest;
use crate::stages::spec::factory;

/// What a batch is asked for, in whole. `BatchOptions::new(folder)` encodes every film of the folder beside it.
#[derive(Clone)]
pub struct BatchOptions {
    /// Folders of films, and films.
    pub inputs: Vec<PathBuf>,
    /// Where outputs are made and what they are called.
    pub names: OutputNames,
    /// Which files are films.
    pub walk: WalkOptions,
    /// Which films are left alone.
    pub rules: BatchRules,
    /// How films are encoded. Where several are encoded at once to a target, `run.workers` and `run.max_memory` are what
    /// they have together.
    pub settings: SettingValues,
    /// Films encoded at once; 0 counts as 1.
    pub jobs: usize,
    /// How much smaller an output has to be, in percent of its film's bytes; one that is not is removed. `None` keeps all.
    pub min_reduction_percent: Option<f64>,
    /// Whether the output of a film is removed whose target no encode reached: the film as a whole scores less than the
    /// target allows, and part of it did so at the lowest CRF.
    pub skip_unreachable: bool,
    /// What the names of films get before their extensions that were encoded for nothing by these two rules; `None` leaves
    /// their names. Films so named are left alone.
    pub rename_skipped: Option<String>,
    /// What becomes of sources.
    pub source: SourceRule,
    /// Where outcomes are remembered for later batches.
    pub memory: Option<Arc<dyn BatchMemory>>,
}

impl fmt::Debug for BatchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchOptions")
            .field("inputs", &self.inputs)
            .field("names", &self.names)
            .field("walk", &self.walk)
            .field("rules", &self.rules)
            .field("settings", &self.settings)
            .field("jobs", &self.jobs)
            .field("min_reduction_percent", &self.min_reduction_percent)
            .field("skip_unreachable", &self.skip_unreachable)
            .field("rename_skipped", &self.rename_skipped)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// What the settings of a batch come to, for those who plan it.
pub(super) struct Resolved {
    pub(super) rules: BatchRules,
    /// Whether outputs that are there are made again.
    pub(super) overwrite: bool,
    /// FFmpeg's name of the codec of outputs.
    pub(super) codec: &'static str,
}

impl BatchOptions {
    /// The films of `input`, each beside itself, with default settings, one after another; sources stay.
    pub fn new(input: impl Into<PathBuf>) -> Self {
        BatchOptions {
            inputs: vec![input.into()],
            names: OutputNames::default(),
            walk: WalkOptions::default(),
            rules: BatchRules::default(),
            settings: SettingValues::default(),
            jobs: 1,
            min_reduction_percent: None,
            skip_unreachable: false,
            rename_skipped: None,
            source: SourceRule::Keep,
            memory: None,
        }
    }

    /// Checks what is asked for without looking at any file.
    ///
    /// # Errors
    /// `Usage` for settings, suffixes and numbers that cannot be.
    pub fn check(&self) -> Result<()> {
        let usage = |message: &str| Err(Error::new(ErrorKind::Usage, message));
        if self.inputs.is_empty() {
            return usage("a batch without a folder encodes nothing");
        }
        self.names.check()?;
        for suffix in self.rename_skipped.iter().chain(&self.rules.skip_suffix).chain(&self.rules.output_suffix) {
            check_suffix(suffix)?;
        }
        if self.rename_skipped.as_deref() == Some("") {
            return usage("the suffix of films that were encoded for nothing is empty");
        }
        let percent = |value: f64| value.is_finite() && value < 100.0;
        if self.min_reduction_percent.is_some_and(|least| !percent(least)) {
            return usage("no output is smaller by that many percent");
        }
        if self.rules.min_duration_s.is_some_and(|least| !least.is_finite()) {
            return usage("the least duration is no number of seconds");
        }
        if self.resolve()?.sequence {
            return usage("numbered pictures are one film, not a folder of films");
        }
        self.request(Path::new("film.mkv"), Path::new("film.av1.mkv"))?.check().map(drop)
    }

    /// The settings as every film has them.
    pub(super) fn resolve(&self) -> Result<EncodeSettings> {
        Ok(self.request(Path::new("film.mkv"), Path::new("film.av1.mkv"))?.resolve(0)?.0)
    }

    /// What is asked for one film.
    pub(super) fn request(&self, film: &Path, output: &Path) -> Result<EncodeRequest> {
        let mut request = EncodeRequest::new(film, output).with_settings(self.settings.clone());
        if self.rules.reencode {
            // Said by the rule, not by a setting: the encode would leave the film alone.
            request.settings.set("source.reencode", "true", Origin::Request)?;
        }
        Ok(request)
    }

    /// A hash of what outcomes depend on. How much of the machine a run has, and whether it may write over an output, is not
    /// part of it.
    pub(super) fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut say = |name: &str, value: &str| {
            for text in [name, value] {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
        };
        for (setting, text, _) in self.settings.iter() {
            if !["run", "batch"].contains(&setting.group()) && setting.name != "output.overwrite" {
                say(setting.name, text);
            }
        }
        say("min_reduction", &format!("{:?}", self.min_reduction_percent));
        say("skip_unreachable", &self.skip_unreachable.to_string());
        for (name, version) in crate::stages::versions() {
            say(&name, &version);
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The rules with what the settings say, for films below `root`.
    pub(super) fn resolved(&self, root: &Path) -> Result<Resolved> {
        let settings = self.resolve()?;
        let mut rules = self.rules.clone();
        // Only AV1 is not made of AV1.
        let codec = factory(&settings)?.traits().codec;
        rules.reencode |= settings.reencode || codec != "av1";
        let suffix = self.names.suffix_for(root, codec);
        rules.output_suffix = rules.output_suffix.or_else(|| Some(suffix).filter(|s| !s.is_empty()));
        rules.skip_suffix = rules.skip_suffix.or_else(|| self.rename_skipped.clone());
        Ok(Resolved { rules, overwrite: settings.overwrite, codec })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_before_any_file_is_looked_at() {
        let refused = |change: &dyn Fn(&mut BatchOptions), part: &str| {
            let mut options = BatchOptions::new("films");
            change(&mut options);
            let error = options.check().unwrap_err();
            assert!(error.kind() == ErrorKind::Usage && error.to_string().contains(part), "{error}");
        };
        BatchOptions::new("films").check().unwrap();
        refused(&|o| o.inputs.clear(), "without a folder");
        refused(&|o| o.names.suffix = Some("a/b".to_owned()), "no part of a name");
        refused(&|o| o.rename_skipped = Some(String::new()), "empty");
        refused(&|o| o.min_reduction_percent = Some(100.0), "percent");
        refused(&|o| o.min_reduction_percent = Some(f64::NAN), "percent");
        refused(&|o| o.rules.min_duration_s = Some(f64::INFINITY), "duration");
        refused(&|o| o.settings.set("source.sequence", "true", Origin::Flag).unwrap(), "one film");
    }

    #[test]
    fn the_rules_know_what_outputs_are_called_and_what_the_settings_say() {
        let mut options = BatchOptions::new("films");
        options.rename_skipped = Some(".skip".to_owned());
        let rules = options.resolved(Path::new("films")).unwrap().rules;
        assert_eq!((rules.output_suffix.as_deref(), rules.skip_suffix.as_deref()), (Some(".av1"), Some(".skip")));
        assert!(!rules.reencode);
        options.names.folder = Some("out".into());
        assert_eq!(options.resolved(Path::new("films")).unwrap().rules.output_suffix, None);
        options.settings.set("source.reencode", "true", Origin::Flag).unwrap();
        options.settings.set("output.overwrite", "true", Origin::Flag).unwrap();
        let resolved = options.resolved(Path::new("films")).unwrap();
        assert!(resolved.rules.reencode && resolved.overwrite);
        // Outputs of another codec are no reason to leave AV1 alone.
        let mut other = BatchOptions::new("films");
        other.rules.reencode = true;
        let request = other.request(Path::new("a"), Path::new("b.mkv")).unwrap();
        assert_eq!(request.get("source.reencode").unwrap().as_deref(), Some("true"));
    }

    #[test]
    fn what_outcomes_depend_on_is_in_the_key_and_nothing_else_is() {
        let key = BatchOptions::fingerprint;
        let plain = BatchOptions::new("films");
        let with = |name: &str, value: &str| {
            let mut options = plain.clone();
            options.settings.set(name, value, Origin::Flag).unwrap();
            key(&options)
        };
        assert_ne!(with("quality.crf", "30"), key(&plain));
        assert_ne!(with("quality.crf", "30"), with("quality.crf", "31"));
        assert_eq!(with("run.workers", "1"), key(&plain));
        assert_eq!(with("output.overwrite", "true"), key(&plain));
        let least = BatchOptions { min_reduction_percent: Some(20.0), ..plain.clone() };
        assert_ne!(key(&least), key(&plain));
        assert_eq!(key(&BatchOptions { jobs: 7, ..plain.clone() }), key(&plain));
    }
}
