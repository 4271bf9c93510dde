//! `drapto config`.

use std::fmt::Write as _;
use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::path::Path;

use drapto::data::{Origin, Setting};
use drapto::{EncodeRequest, EncodeSettings, Error, ErrorKind, Quality, Result, SettingValues, settings, template};

use super::args::ConfigCommand;
use super::text::print;

pub fn run(command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Show { files, chosen } => {
            let (values, warnings) = super::layers::layers(files, &chosen.0)?;
            let warnings: String = warnings.iter().map(|w| format!("⚠ {w}\n")).collect();
            print(&(show(&values)? + &warnings))
        }
        ConfigCommand::Check { file } => {
            let mut values = SettingValues::new();
            values.read_file(file, Origin::File)?;
            let request = EncodeRequest::new("in", "out").with_settings(values);
            for warning in request.check().map_err(|e| e.with_file(file))? {
                print(&format!("⚠ {warning}\n"))?;
            }
            print("✓ the settings are sound\n")
        }
        ConfigCommand::Import { ini, file } => {
            let imported = super::import::read(ini)?;
            match file {
                Some(file) => write_new(file, &imported.toml)?,
                None => print(&imported.toml)?,
            }
            for note in imported.notes {
                // Nothing can be done about a standard error that is closed.
                let _ = writeln!(std::io::stderr().lock(), "⚠ {note}");
            }
            Ok(())
        }
        ConfigCommand::Init { file } => write_new(file, &template()),
    }
}

/// Writes a settings file where there is none.
fn write_new(file: &Path, text: &str) -> Result<()> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    let written = opened.and_then(|mut f| f.write_all(text.as_bytes()));
    written.map_err(|e| match e.kind() {
        IoErrorKind::AlreadyExists => Error::new(ErrorKind::Usage, "the file exists").with_file(file),
        _ => Error::new(ErrorKind::Output, "cannot write the settings").caused_by(e).with_file(file),
    })
}

/// Each setting, its value and where that comes from, by the sections of a settings file.
fn show(values: &SettingValues) -> Result<String> {
    let request = EncodeRequest::new("in", "out").with_settings(values.clone());
    let (chosen, warnings) = request.resolve(0)?;
    let fixed = matches!(chosen.quality, Quality::Crf(_));
    // What only a target or only a CRF gives a meaning to is shown where it has it; the CRF is, by size.
    let has_meaning = |s: &&Setting| {
        let of_crf = s.name == ALL_SIZES || s.key.starts_with(BY_SIZE) && !s.needs_target;
        if fixed { !s.needs_target && s.name != ALL_SIZES } else { !of_crf }
    };
    let mut shown: Vec<&Setting> = settings().iter().filter(has_meaning).collect();
    // Sections in the order in which they first appear.
    shown.sort_by_key(|s| settings().iter().position(|other| other.section() == s.section()));
    let (mut out, mut section) = (String::new(), "");
    // Writing to a String cannot fail.
    for setting in shown {
        if setting.section() != section {
            section = setting.section();
            let _ = writeln!(out, "[{section}]");
        }
        let (value, origin) = shown_value(setting, values, &chosen)?;
        let _ = writeln!(out, "{:<20}{value:<32}{}", setting.place_name(), origin.name());
    }
    for (origin, path) in values.files() {
        let _ = writeln!(out, "{:<20}is {}", origin.name(), path.display());
    }
    for warning in warnings {
        let _ = writeln!(out, "⚠ {warning}");
    }
    Ok(out)
}

/// The CRF of all sizes, and what the keys of one size begin with.
const ALL_SIZES: &str = "quality.crf";
const BY_SIZE: &str = "crf_";

/// A value as a run would use it, and where it comes from.
fn shown_value(setting: &Setting, values: &SettingValues, chosen: &EncodeSettings) -> Result<(String, Origin)> {
    let origin_of = |name| values.get(name).map(|found| found.map_or(Origin::Default, |(_, origin)| origin));
    let mut origin = origin_of(setting.name)?;
    let value = match (setting.name, &chosen.quality) {
        ("quality.stride", Quality::Target(target)) => target.stride(chosen.preset).to_string(),
        (_, Quality::Crf(Some(crf))) if setting.key.starts_with(BY_SIZE) => {
            origin = origin.max(origin_of(ALL_SIZES)?);
            crf.to_string()
        }
        _ => chosen.get(setting.name)?.unwrap_or_else(|| default_words(setting)),
    };
    Ok((value, origin))
}

/// What is made up during the run, in words.
fn default_words(setting: &Setting) -> String {
    match (setting.name, setting.default) {
        ("run.workers" | "run.max_memory", _) => "automatic".to_owned(),
        ("run.max_disk_io", _) => "no limit".to_owned(),
        ("run.temp_dir", _) => "the output's folder".to_owned(),
        ("quality.model", _) => "by size".to_owned(),
        (_, "") => "off".to_owned(),
        (_, words) => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_shown_with_where_it_comes_from() {
        let mut values = SettingValues::new();
        values.read_toml("crf = 40\npreset = 3").unwrap();
        values.read_environment([("DRAPTO_AUDIO".to_owned(), "copy".to_owned())]).unwrap();
        values.set("preset", "4", Origin::Flag).unwrap();
        let shown = show(&values).unwrap();
        let words = |key: &str| -> Vec<String> {
            let line = shown.lines().find(|l| l.split_whitespace().next() == Some(key)).unwrap();
            line.split_whitespace().skip(1).map(str::to_owned).collect()
        };
        assert_eq!(words("crf.sd"), ["40", "file"]);
        assert!(shown.contains("[audio]\n"), "{shown}");
        assert_eq!(words("mode"), ["auto", "default"]);
        assert_eq!(shown.lines().filter(|l| l.split_whitespace().eq(["mode", "copy", "environment"])).count(), 1);
        assert_eq!(words("preset"), ["4", "flag"]);
        assert_eq!(words("scale"), ["off", "default"]);
        assert!(!shown.contains("vmaf_target"), "{shown}");
        // A flag for all sizes goes before a file's for one.
        values.read_toml("[encoding]\ncrf.uhd = 33").unwrap();
        values.set("crf", "30", Origin::Flag).unwrap();
        let shown = show(&values).unwrap();
        for size in ["crf.sd", "crf.hd", "crf.uhd"] {
            let line = shown.lines().find(|l| l.starts_with(size)).unwrap();
            assert!(line.split_whitespace().eq([size, "30", "flag"]), "{line}");
        }
    }
}
