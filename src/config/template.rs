//! A settings file to begin with, made from the table.

use super::migrations::{CURRENT, SECTIONS};
use super::registry::settings;
use super::setting::{Setting, SettingKind};

/// A settings file with every key in its section, commented out at its default or an example.
pub fn template() -> String {
    let mut out = format!("# drapto settings. Flags and the environment go before this file.\nversion = {CURRENT}\n");
    for section in SECTIONS {
        let keys: Vec<&Setting> = settings().iter().filter(|s| s.section() == section && !is_table(s)).collect();
        if !keys.is_empty() {
            out.push_str(&format!("\n[{section}]\n"));
        }
        for s in keys {
            let default = if s.default.is_empty() { String::new() } else { format!(" Default: {}.", s.default) };
            let range = s.in_file.map_or(String::new(), |kind| format!(" Here {}.", range(kind)));
            comment(&mut out, &format!("{}.{range}{default}", s.help));
            out.push_str(&format!("# {} = {}\n", s.place_name(), s.example));
        }
    }
    out
}

/// Whether others stand below its name: then one of them says it all.
fn is_table(setting: &Setting) -> bool {
    let below = |other: &Setting| other.place.strip_prefix(setting.place).is_some_and(|rest| rest.starts_with('.'));
    settings().iter().any(below)
}

/// What may stand there, in words.
fn range(kind: SettingKind) -> String {
    match kind {
        SettingKind::Number { min, max } => format!("{min} to {max}"),
        SettingKind::Whole { min, max } => format!("{min} to {max}"),
        other => format!("{other:?}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, SettingValues};

    #[test]
    fn the_template_says_nothing_until_it_is_edited_and_then_every_key_is_known() {
        let text = template();
        let mut values = SettingValues::new();
        values.read_toml(&text).unwrap();
        assert_eq!(values, SettingValues::new());
        let lines = text.lines().map(|l| l.strip_prefix("# ").filter(|l| l.contains(" = ")).unwrap_or(l));
        values.read_toml(&lines.collect::<Vec<_>>().join("\n")).unwrap();
        for setting in settings().iter().filter(|s| !is_table(s)) {
            assert!(values.get(setting.name).unwrap().is_some(), "{}", setting.name);
        }
        assert_eq!(values.get("crf_sd").unwrap(), Some(("25", Origin::File)));
        assert_eq!(values.get("svt").unwrap(), Some(("film-grain=8", Origin::File)));
        assert_eq!(settings().iter().filter(|s| is_table(s)).map(|s| s.name).collect::<Vec<_>>(), ["quality.crf"]);
    }
}
