//! Settings files: TOML with the keys of the table, in sections.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::migrations::{CURRENT, Entry, guessed, migrated};
use super::registry::{meant, settings};
use super::setting::{Setting, SettingKind};
use super::values::all_of;
use super::{Origin, SettingValues, parse};
use crate::base::{Error, ErrorKind, Result};

impl SettingValues {
    /// Takes what a settings file says, which is the `origin`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] that names the file and, for everything that is wrong in it, line and key.
    pub fn read_file(&mut self, path: &Path, origin: Origin) -> Result<()> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::new(ErrorKind::Usage, "cannot read the settings").caused_by(e).with_file(path))?;
        self.read_text(&text, origin).map_err(|e| e.with_file(path))?;
        self.came_from(origin, path);
        Ok(())
    }

    /// Takes what the text of a settings file says. Files of earlier forms are read as what they meant: `version` says which
    /// it is, and a file without one is known by its keys.
    ///
    /// # Errors
    /// As [`read_file`](Self::read_file).
    pub fn read_toml(&mut self, text: &str) -> Result<()> {
        self.read_text(text, Origin::File)
    }

    /// As [`read_toml`](Self::read_toml), for the text of a preset that was chosen by name.
    ///
    /// # Errors
    /// As [`read_file`](Self::read_file).
    pub fn read_preset(&mut self, text: &str) -> Result<()> {
        self.read_text(text, Origin::Preset)
    }

    fn read_text(&mut self, text: &str, origin: Origin) -> Result<()> {
        let entries = entries(text)?;
        let (version, entries) = versioned(entries)?;
        let mut wrong = Vec::new();
        for entry in grouped(migrated(entries, version)) {
            let taken = self.take(&entry, version, origin);
            wrong.extend(
                taken.err().map(|e| (entry.line, format!("line {}: {}: {}", entry.line, entry.written, e.message()))),
            );
        }
        wrong.sort();
        // One key of an earlier form may be several now.
        wrong.dedup();
        all_of(wrong.into_iter().map(|(_, what)| what).collect())
    }

    /// Takes one value of a file that was written in the form of `version`.
    fn take(&mut self, entry: &Entry, version: usize, origin: Origin) -> Result<()> {
        // Only the file's own names, not flags and full names: what a file may say stays as it was.
        let place = entry.place.join(".");
        let known = settings().iter().find(|s| s.place == place).ok_or_else(|| unknown(&entry.written, version))?;
        let text = text_of(known.kind, &entry.value)?;
        known.check_in_file(&text)?;
        self.put(known.name, &text, origin)?;
        self.stands(known.name, origin, entry.line);
        Ok(())
    }
}

/// All values of a file, in its order.
fn entries(text: &str) -> Result<Vec<Entry>> {
    let wrong = |e: toml::de::Error| Error::new(ErrorKind::Usage, e.to_string().trim_end().to_owned());
    let values: toml::Table = toml::from_str(text).map_err(wrong)?;
    let spans = DeTable::parse(text).map_err(wrong)?;
    let mut out = Vec::new();
    collect(text, spans.get_ref(), &values, &[], &mut out);
    out.sort_by_key(|entry| entry.line);
    Ok(out)
}

/// The values of a table and of those within it; `spans` says where each stands in the text.
fn collect(text: &str, spans: &DeTable, values: &toml::Table, above: &[String], out: &mut Vec<Entry>) {
    for (key, span) in spans {
        let Some(value) = values.get(key.get_ref().as_ref()) else { continue };
        let place = [above, &[key.get_ref().to_string()]].concat();
        match (span.get_ref(), value) {
            (DeValue::Table(spans), toml::Value::Table(values)) => collect(text, spans, values, &place, out),
            _ => {
                let line = text.get(..key.span().start).map_or(0, |before| before.matches('\n').count()) + 1;
                out.push(Entry { written: place.join("."), place, line, value: value.clone() });
            }
        }
    }
}

/// The version of a file, and what else stands in it.
fn versioned(entries: Vec<Entry>) -> Result<(usize, Vec<Entry>)> {
    let (said, rest): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|e| e.place == ["version"]);
    let Some(said) = said.first() else { return Ok((guessed(&rest), rest)) };
    let version = said.value.as_integer().and_then(|n| usize::try_from(n).ok());
    match version {
        Some(version @ 1..=CURRENT) => Ok((version, rest)),
        Some(version) => {
            let message = format!("line {}: version {version} is not known: versions are 1 to {CURRENT}", said.line);
            Err(Error::new(ErrorKind::Usage, message))
        }
        None => {
            let message = format!("line {}: version: it is a number from 1 to {CURRENT}", said.line);
            Err(Error::new(ErrorKind::Usage, message))
        }
    }
}

/// With the encoder's own parameters, of which each stands in a line of its own, as one value.
fn grouped(entries: Vec<Entry>) -> Vec<Entry> {
    let tables = || settings().iter().filter(|s| s.kind == SettingKind::Parameters);
    let table_of = |entry: &Entry| {
        let within = |s: &&Setting| {
            let place: Vec<&str> = s.place.split('.').collect();
            entry.place.len() == place.len() + 1 && entry.is_in(&place)
        };
        tables().find(within)
    };
    let mut out: Vec<Entry> = Vec::new();
    for entry in entries {
        let Some(setting) = table_of(&entry) else {
            out.push(entry);
            continue;
        };
        let place: Vec<String> = setting.place.split('.').map(str::to_owned).collect();
        let name = entry.place.last().cloned().unwrap_or_default();
        let group = match out.iter().position(|e| e.place == place && e.value.is_table()) {
            Some(found) => found,
            None => {
                let written =
                    entry.written.rsplit_once('.').map_or(entry.written.clone(), |(table, _)| table.to_owned());
                out.push(Entry { place, written, line: entry.line, value: toml::Value::Table(toml::Table::new()) });
                out.len() - 1
            }
        };
        if let toml::Value::Table(table) = &mut out[group].value {
            table.insert(name, entry.value);
        }
    }
    out
}

fn unknown(written: &str, version: usize) -> Error {
    let called = |s: &Setting| if version == CURRENT { s.place } else { s.key };
    let hint = meant(written).map_or(String::new(), |s| format!("; did you mean {}?", called(s)));
    Error::new(ErrorKind::Usage, format!("there is no setting {written:?} in a settings file{hint}"))
}

/// A value of a file as text.
fn text_of(kind: SettingKind, value: &toml::Value) -> Result<String> {
    let be = |value: &toml::Value| format!("it cannot be {}", value.type_str());
    let wrong = || Error::new(ErrorKind::Usage, be(value));
    match (kind, value) {
        (SettingKind::Parameters, toml::Value::Table(table)) => {
            let pairs = table.iter().map(|(name, value)| match value {
                toml::Value::String(value) => Ok((name.clone(), value.clone())),
                toml::Value::Integer(value) => Ok((name.clone(), value.to_string())),
                other => Err(Error::new(ErrorKind::Usage, format!("{name}: {}", be(other)))),
            });
            Ok(parse::parameters_text(&pairs.collect::<Result<Vec<_>>>()?))
        }
        (SettingKind::Switch, toml::Value::Boolean(on)) => Ok(on.to_string()),
        (SettingKind::Switch, _) => Err(wrong()),
        (_, toml::Value::String(text)) => Ok(text.clone()),
        (SettingKind::Parameters, _) => Err(wrong()),
        (_, toml::Value::Integer(n)) => Ok(n.to_string()),
        (_, toml::Value::Float(n)) => Ok(n.to_string()),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_a_usage_error_that_names_line_and_key() {
        for wrong in ["preset = 3\nspeed = 3", "crf = 20\npreset = 14", "audio = \"opus\"\noverwrite = 3"] {
            let error = SettingValues::new().read_toml(wrong).unwrap_err();
            let key = wrong.lines().last().unwrap().split(' ').next().unwrap();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(&format!("line 2: {key}")), "{error}");
        }
    }

    fn faults(text: &str) -> Vec<String> {
        let error = SettingValues::new().read_toml(text).unwrap_err();
        // Of what is right in a file with faults nothing is taken back: the caller gives up anyhow.
        assert_eq!(error.kind(), ErrorKind::Usage);
        error.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn all_that_is_wrong_in_a_file_is_told_at_once_in_its_order() {
        let lines = faults(
            "[encoding]\nvmaf_tolerance = 9\npreset = 14\ncrf = \"low\"\npreste = 3\nfilm_grian = 4\nsvt_params.x = []\n\
             vmaf_target = 60\n[audio]\nmode = \"mp3\"\n[procesing]\nchunk_size = 3\n[processing]\nparallel_jobs = 33\n",
        );
        assert!(lines[0].contains("10 settings"), "{lines:?}");
        let expected = [
            ["line 2: encoding.vmaf_tolerance", "0.1 to 5"],
            ["line 3: encoding.preset", "0 to 13"],
            ["line 4: encoding.crf", "low"],
            ["line 5: encoding.preste", "did you mean encoding.preset?"],
            ["line 6: encoding.film_grian", "did you mean encoding.film_grain?"],
            ["line 7: encoding.svt_params", "array"],
            ["line 8: encoding.vmaf_target", "60 is not within 70 to 99"],
            ["line 10: audio.mode", "opus, copy"],
            ["line 12: procesing.chunk_size", "did you mean processing.chunk_size?"],
            ["line 14: processing.parallel_jobs", "1 to 32"],
        ];
        assert_eq!(lines.len(), expected.len() + 1, "{lines:?}");
        for (line, parts) in lines[1..].iter().zip(expected) {
            assert!(parts.iter().all(|part| line.contains(part)), "{line}: {parts:?}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_file_of_an_earlier_form_is_told_by_its_own_names() {
        let lines = faults("vmaf_tolerance = 9\ncrf = \"low\"\npreste = 3\naudio = \"mp3\"\n[svt]\nx = []");
        let expected = [
            ["line 1: vmaf_tolerance", "0.1 to 5"],
            ["line 2: crf", "low"],
            ["line 3: preste", "did you mean preset?"],
            ["line 4: audio", "opus, copy"],
            ["line 6: svt", "array"],
        ];
        assert_eq!(lines.len(), expected.len() + 1, "{lines:?}");
        for (line, parts) in lines[1..].iter().zip(expected) {
            assert!(parts.iter().all(|part| line.contains(part)), "{line}: {parts:?}");
        }
    }

    #[test]
    fn memory_is_a_number_of_mib_in_files_before_version_3() {
        for text in ["max_memory_mib = 2048", "resources.max_memory = \"2G\"", "resources.max_memory = 2147483648"] {
            let mut values = SettingValues::new();
            values.read_toml(text).unwrap();
            assert_eq!(values.resolve("a", "b").unwrap().0.max_memory, Some(2 << 30), "{text}");
        }
    }
}
