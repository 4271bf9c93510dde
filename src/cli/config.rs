//! `drapto config`.

use std::fmt::Write;
use std::io::ErrorKind as IoErrorKind;

use drapto::data::{Origin, Setting};
use drapto::{EncodeRequest, Error, ErrorKind, Quality, Result, SettingValues, settings, template};

use super::args::ConfigCommand;
use super::text::print;

pub fn run(command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Show { config, chosen } => {
            let (values, warnings) = super::layers::layers(config.as_deref(), &chosen.0)?;
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
        ConfigCommand::Init { file } => {
            let written = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(file)
                .and_then(|mut f| std::io::Write::write_all(&mut f, template().as_bytes()));
            written.map_err(|e| match e.kind() {
                IoErrorKind::AlreadyExists => Error::new(ErrorKind::Usage, "the file exists").with_file(file),
                _ => Error::new(ErrorKind::Output, "cannot write the settings").caused_by(e).with_file(file),
            })
        }
    }
}

/// Each setting, its value and where that comes from.
fn show(values: &SettingValues) -> Result<String> {
    let request = EncodeRequest::new("in", "out").with_settings(values.clone());
    let (chosen, warnings) = request.resolve(0)?;
    let fixed = matches!(chosen.quality, Quality::Crf(_));
    let mut out = String::new();
    // What only a target or only a CRF gives a meaning to is shown where it has it.
    for setting in settings().iter().filter(|s| if fixed { !s.needs_target } else { s.name != "quality.crf" }) {
        let origin = values.get(setting.name)?.map_or(Origin::Default, |(_, origin)| origin);
        let value = match (setting.name, &chosen.quality) {
            ("quality.stride", Quality::Target(target)) => target.stride(chosen.preset).to_string(),
            _ => chosen.get(setting.name)?.unwrap_or_else(|| default_words(setting)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:<16}{value:<32}{}", setting.key, origin.name());
    }
    for (origin, path) in values.files() {
        let _ = writeln!(out, "{:<16}is {}", origin.name(), path.display());
    }
    for warning in warnings {
        let _ = writeln!(out, "⚠ {warning}");
    }
    Ok(out)
}

/// What is made up during the run, in words.
fn default_words(setting: &Setting) -> String {
    match (setting.name, setting.default) {
        ("run.workers" | "run.max_memory", _) => "automatic".to_owned(),
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
        assert_eq!(words("crf"), ["40", "file"]);
        assert_eq!(words("audio"), ["copy", "environment"]);
        assert_eq!(words("preset"), ["4", "flag"]);
        assert_eq!(words("scale"), ["off", "default"]);
        assert!(!shown.contains("target_vmaf"), "{shown}");
    }
}
