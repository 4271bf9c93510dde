//! Settings files: TOML with the keys of the table, and a template made from it.

use std::path::Path;

use super::registry::{setting, settings};
use super::setting::SettingKind;
use super::{Origin, SettingValues, parse};
use crate::base::{Error, ErrorKind, Result};

/// A settings file with every key, commented out at its default or an example.
pub fn template() -> String {
    let mut out = String::from("# drapto settings. Flags and the environment go before this file.\n");
    let tables = |table: bool| settings().iter().filter(move |s| (s.kind == SettingKind::Parameters) == table);
    for s in tables(false) {
        out.push('\n');
        let default = if s.default.is_empty() { String::new() } else { format!(" Default: {}.", s.default) };
        comment(&mut out, &format!("{}.{default}", s.help));
        if s.kind == SettingKind::Size {
            comment(&mut out, "Here as a number of MiB, or as text with its unit.");
        }
        out.push_str(&format!("# {} = {}\n", s.key, s.example));
    }
    for s in tables(true) {
        out.push('\n');
        comment(&mut out, &format!("{} (a table: keep it last).", s.sentence()));
        out.push_str(&format!("# [{}]\n# {}\n", s.key, s.example));
    }
    out
}

/// `text` as comment lines.
fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > 100 {
            out.push_str(&line);
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

impl SettingValues {
    /// Takes what a settings file says.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] that names the file, the line and the key.
    pub fn read_file(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::new(ErrorKind::Usage, "cannot read the settings").caused_by(e).with_file(path))?;
        self.read_toml(&text).map_err(|e| e.with_file(path))
    }

    /// Takes what the text of a settings file says.
    ///
    /// # Errors
    /// As [`read_file`](Self::read_file).
    pub fn read_toml(&mut self, text: &str) -> Result<()> {
        let table: toml::Table =
            toml::from_str(text).map_err(|e| Error::new(ErrorKind::Usage, e.to_string().trim_end().to_owned()))?;
        for (key, value) in &table {
            let line = text.lines().position(|l| key_of(l) == Some(key.as_str())).map(|n| n + 1);
            let place = line.map_or(String::new(), |n| format!("line {n}: "));
            let named = |e: Error| Error::new(ErrorKind::Usage, format!("{place}{key}: {}", e.message()));
            // Only the file's own keys, not flags and full names: what a file may say stays as it was.
            let known = settings().iter().find(|s| s.key == key);
            let known = known.map_or_else(|| setting(key).and_then(|_| Err(unknown(key))), Ok).map_err(named)?;
            let value = text_of(known.kind, value).map_err(named)?;
            self.put(known.name, &value, Origin::File).map_err(named)?;
        }
        Ok(())
    }
}

fn unknown(key: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("there is no setting {key:?} in a settings file"))
}

/// The key or table that a line begins.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim();
    match line.strip_prefix('[') {
        Some(table) => table.split(']').next().map(str::trim),
        None => line.split_once('=').map(|(key, _)| key.trim().trim_matches('"')),
    }
}

/// A value of a file as text.
fn text_of(kind: SettingKind, value: &toml::Value) -> Result<String> {
    let wrong = || Error::new(ErrorKind::Usage, format!("it cannot be {}", value.type_str()));
    match (kind, value) {
        (SettingKind::Parameters, toml::Value::Table(table)) => {
            let pairs = table.iter().map(|(name, value)| match value {
                toml::Value::String(value) => Ok((name.clone(), value.clone())),
                toml::Value::Integer(value) => Ok((name.clone(), value.to_string())),
                _ => Err(wrong()),
            });
            Ok(parse::parameters_text(&pairs.collect::<Result<Vec<_>>>()?))
        }
        (SettingKind::Size, toml::Value::Integer(mib)) => Ok(format!("{mib}M")),
        (SettingKind::Switch, toml::Value::Boolean(on)) => Ok(on.to_string()),
        (SettingKind::Switch | SettingKind::Parameters, _) => Err(wrong()),
        (_, toml::Value::String(text)) => Ok(text.clone()),
        (_, toml::Value::Integer(n)) => Ok(n.to_string()),
        (_, toml::Value::Float(n)) => Ok(n.to_string()),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_nothing_until_it_is_edited_and_then_every_key_is_known() {
        let text = template();
        let mut values = SettingValues::new();
        values.read_toml(&text).unwrap();
        assert_eq!(values, SettingValues::new());
        let lines = text.lines().filter_map(|l| l.strip_prefix("# "));
        let edited: Vec<&str> = lines.filter(|l| l.contains(" = ") || l.starts_with('[')).collect();
        values.read_toml(&edited.join("\n")).unwrap();
        for setting in settings() {
            assert!(values.get(setting.name).unwrap().is_some(), "{}", setting.name);
        }
        assert_eq!(values.get("crf").unwrap(), Some(("25", Origin::File)));
        assert_eq!(values.get("svt").unwrap(), Some(("film-grain=8", Origin::File)));
    }

    #[test]
    fn an_unknown_key_is_a_usage_error_that_names_line_and_key() {
        for wrong in ["preset = 3\nspeed = 3", "crf = 20\npreset = 14", "audio = \"opus\"\noverwrite = 3"] {
            let error = SettingValues::new().read_toml(wrong).unwrap_err();
            let key = wrong.lines().last().unwrap().split(' ').next().unwrap();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(&format!("line 2: {key}")), "{error}");
        }
    }

    #[test]
    fn memory_is_a_number_of_mib() {
        let mut values = SettingValues::new();
        values.read_toml("max_memory_mib = 2048").unwrap();
        assert_eq!(values.resolve("a", "b").unwrap().0.max_memory, Some(2 << 30));
    }
}
