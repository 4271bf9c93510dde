//! Settings files: TOML with the keys of the table, and a template made from it.

use std::path::Path;

use super::registry::{meant, settings};
use super::setting::SettingKind;
use super::values::all_of;
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

    /// Takes what the text of a settings file says.
    ///
    /// # Errors
    /// As [`read_file`](Self::read_file).
    pub fn read_toml(&mut self, text: &str) -> Result<()> {
        self.read_text(text, Origin::File)
    }

    fn read_text(&mut self, text: &str, origin: Origin) -> Result<()> {
        let table: toml::Table =
            toml::from_str(text).map_err(|e| Error::new(ErrorKind::Usage, e.to_string().trim_end().to_owned()))?;
        let mut wrong = Vec::new();
        for (key, value) in &table {
            if let Err(error) = self.take(key, value, origin) {
                let line = text.lines().position(|l| key_of(l) == Some(key.as_str())).map(|n| n + 1);
                let place = line.map_or(String::new(), |n| format!("line {n}: "));
                wrong.push((line, format!("{place}{key}: {}", error.message())));
            }
        }
        wrong.sort();
        all_of(wrong.into_iter().map(|(_, what)| what).collect())
    }

    /// Takes one value of a file.
    fn take(&mut self, key: &str, value: &toml::Value, origin: Origin) -> Result<()> {
        // Only the file's own keys, not flags and full names: what a file may say stays as it was.
        let known = settings().iter().find(|s| s.key == key).ok_or_else(|| unknown(key))?;
        self.put(known.name, &text_of(known.kind, value)?, origin).map(drop)
    }
}

fn unknown(key: &str) -> Error {
    let hint = meant(key).map_or(String::new(), |s| format!("; did you mean {}?", s.key));
    Error::new(ErrorKind::Usage, format!("there is no setting {key:?} in a settings file{hint}"))
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
    fn all_that_is_wrong_in_a_file_is_told_at_once_in_its_order() {
        let wrong = "vmaf_tolerance = 9\npreset = 14\ncrf = \"low\"\npreste = 3\naudio = \"mp3\"\nfilm_grian = 4\n[svt]\nx = []";
        let mut values = SettingValues::new();
        let error = values.read_toml(wrong).unwrap_err();
        let said = error.to_string();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 8, "{said}");
        assert!(lines[0].contains("7 settings"), "{said}");
        for (line, parts) in lines[1..].iter().zip([
            ["line 1: vmaf_tolerance", "0.1 to 5"],
            ["line 2: preset", "0 to 13"],
            ["line 3: crf", "low"],
            ["line 4: preste", "did you mean preset?"],
            ["line 5: audio", "opus, copy"],
            ["line 6: film_grian", "did you mean film_grain?"],
            ["line 7: svt", "array"],
        ]) {
            assert!(parts.iter().all(|part| line.contains(part)), "{line}: {parts:?}");
        }
        // Of what is right in a file with faults nothing is taken back: the caller gives up anyhow.
        assert_eq!(error.kind(), ErrorKind::Usage);
    }

    #[test]
    fn memory_is_a_number_of_mib() {
        let mut values = SettingValues::new();
        values.read_toml("max_memory_mib = 2048").unwrap();
        assert_eq!(values.resolve("a", "b").unwrap().0.max_memory, Some(2 << 30));
    }
}
