//! What is declared of a setting.

use super::EncodeSettings;
use crate::base::{Error, ErrorKind, Result};

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SettingKind {
    /// A number within a range, both ends in it.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A whole number within a range, both ends in it.
    Whole {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`; on the command line a flag without a value.
    Switch,
    /// Bytes, or a number with K, M, G or T (powers of 1024).
    Size,
    /// `name=value:name=value`; a colon within a value is written `\:`.
    Parameters,
    /// Text in the words its help names.
    Text,
}

/// One setting of an encode. All there are: [`settings`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Setting {
    /// Group and name, as `quality.target_vmaf`.
    pub name: &'static str,
    /// Its short name, as `target_vmaf`: in tags of files, and in settings files of version 1 and 2.
    pub key: &'static str,
    /// Where it stands in a settings file: section and name, as `encoding.vmaf_target`.
    pub place: &'static str,
    /// The command line's flag without dashes, as `target-vmaf`; `None` for settings without one.
    pub flag: Option<&'static str>,
    /// What the flag's value is called in the help.
    pub value_name: &'static str,
    /// What it takes.
    pub kind: SettingKind,
    /// What it takes in a settings file and in the environment, where that is less: what stands there is for films in general, and a
    /// value that is sound for few of them is a slip.
    pub in_file: Option<SettingKind>,
    /// Unit of the value; empty where it has none.
    pub unit: &'static str,
    /// The default in words; empty where there is nothing to say.
    pub default: &'static str,
    /// What it means: a sentence without its full stop.
    pub help: &'static str,
    /// A value, as the settings file would have it.
    pub example: &'static str,
    /// Whether it has a meaning only where there is a target, not at a fixed CRF.
    pub needs_target: bool,
    pub(super) set: fn(&mut EncodeSettings, &str) -> Result<()>,
    pub(super) get: fn(&EncodeSettings) -> Option<String>,
}

impl Setting {
    /// The group: what stands before the dot of the name.
    pub fn group(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(group, _)| group)
    }

    /// The section of a settings file, as `encoding`.
    pub fn section(&self) -> &'static str {
        self.place.split_once('.').map_or("", |(section, _)| section)
    }

    /// What it is called within its section, as `vmaf_target` or `crf.sd`.
    pub fn place_name(&self) -> &'static str {
        self.place.split_once('.').map_or(self.place, |(_, name)| name)
    }

    /// The environment's variable, as `DRAPTO_VMAF_TARGET`: what it is called in its section, and where that is `mode`, the
    /// section.
    pub fn environment(&self) -> String {
        let name = if self.place_name() == "mode" { self.section() } else { self.place_name() };
        format!("DRAPTO_{}", name.replace(['-', '.'], "_").to_uppercase())
    }

    /// What the variable was called before settings files had sections: by the flag, else by the key.
    pub(super) fn former_environment(&self) -> String {
        // DRAPTO_SVT tells scripts/setup which library to install.
        let name = if self.key == "svt" { "svt-parameters" } else { self.flag.unwrap_or(self.key) };
        format!("DRAPTO_{}", name.replace('-', "_").to_uppercase())
    }

    /// The sentence with its default, as help and template show it.
    pub fn sentence(&self) -> String {
        if self.default.is_empty() {
            self.help.to_owned()
        } else {
            format!("{} [default: {}]", self.help, self.default)
        }
    }

    /// Whether `value` is one this setting takes; else a `Usage` error that says what would be.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`].
    pub fn check(&self, value: &str) -> Result<()> {
        (self.set)(&mut EncodeSettings::new("", ""), value)
    }

    /// As [`check`](Self::check), for a value of a settings file or of the environment.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`].
    pub fn check_in_file(&self, value: &str) -> Result<()> {
        self.check(value)?;
        let range = match self.in_file {
            Some(SettingKind::Number { min, max }) => min..=max,
            Some(SettingKind::Whole { min, max }) => min as f64..=max as f64,
            _ => return Ok(()),
        };
        match value.trim().parse::<f64>() {
            Ok(number) if !range.contains(&number) => {
                let (min, max) = (range.start(), range.end());
                let flag = self.flag.map_or(String::new(), |flag| format!(" (--{flag} may go further)"));
                Err(Error::new(ErrorKind::Usage, format!("{value} is not within {min} to {max}{flag}")))
            }
            _ => Ok(()),
        }
    }
}
