//! The places that settings come from, from the last to the first that holds.
//!
//! Owns where settings files are looked for. Refuses to know what is in them: that is the table's of the library.

use std::ffi::OsString;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use drapto::cache::default_path;
use drapto::data::Origin;
use drapto::{Error, ErrorKind, Result, SettingValues};

/// The files of settings that were named for a run.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct NamedFiles {
    /// Read settings from this TOML file, before those of the user and of the system; flags and environment go before it.
    #[arg(display_order = 106, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read settings from this preset, before the file of --config: a file, or the name of one in drapto/presets beside the
    /// settings of the user or the system, or archive, phone, grainy or anime.
    #[arg(display_order = 107, long, value_name = "FILE.toml")]
    pub preset_file: Option<PathBuf>,
}

/// The presets that come with the program.
const PRESETS: [(&str, &str); 4] = [
    ("archive", include_str!("presets/archive.toml")),
    ("phone", include_str!("presets/phone.toml")),
    ("grainy", include_str!("presets/grainy.toml")),
    ("anime", include_str!("presets/anime.toml")),
];

/// Defaults, then the settings files of the system, of the user and those that were named, then the environment, then
/// `flags`; and sentences about what is none of them.
pub fn layers(named: &NamedFiles, flags: &SettingValues) -> Result<(SettingValues, Vec<String>)> {
    let variable = |name: &str| std::env::var_os(name);
    let mut values = SettingValues::new();
    for (origin, path) in usual_files(variable) {
        values.read_file(&path, origin)?;
    }
    if let Some(path) = &named.config {
        values.read_file(path, Origin::File)?;
    }
    if let Some(name) = &named.preset_file {
        match preset(name, variable)? {
            Preset::File(path) => values.read_file(&path, Origin::Preset)?,
            Preset::Shipped(text) => values.read_preset(text).map_err(|e| e.with_file(name))?,
        }
    }
    let warnings = values.read_environment(std::env::vars_os())?;
    values.extend(flags);
    set_cache_file(&mut values)?;
    Ok((values, warnings))
}

/// The user's cache, where none was named and one is wanted. A program that uses the library has none of itself.
fn set_cache_file(values: &mut SettingValues) -> Result<()> {
    let unwanted = values.get("run.no_cache")?.is_some_and(|(text, _)| text == "true");
    if unwanted || values.get("run.cache_file")?.is_some() {
        return Ok(());
    }
    match default_path(|name| std::env::var_os(name)).as_deref().and_then(Path::to_str) {
        Some(file) => values.set("run.cache_file", file, Origin::Default),
        None => Ok(()),
    }
}

/// A preset that was found.
#[derive(Debug, PartialEq)]
enum Preset {
    File(PathBuf),
    Shipped(&'static str),
}

/// The preset of this name: what is there under it goes before the folders of presets, and those before what comes with the
/// program.
fn preset(name: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Result<Preset> {
    if name.exists() {
        return Ok(Preset::File(name.to_path_buf()));
    }
    let is_plain = name.components().count() == 1;
    let with_ending = if name.extension().is_some_and(|e| e == "toml") { name.to_path_buf() } else { with_toml(name) };
    let folders = folders(variable).into_iter().map(|(_, folder)| folder);
    let found = folders.map(|folder| folder.join("drapto/presets").join(&with_ending)).find(|path| path.exists());
    let stem = with_ending.file_stem();
    let shipped = || PRESETS.iter().find(|(known, _)| stem.is_some_and(|stem| stem == *known));
    match found.filter(|_| is_plain) {
        Some(path) => Ok(Preset::File(path)),
        None => match shipped().filter(|_| is_plain) {
            Some((_, text)) => Ok(Preset::Shipped(text)),
            None => {
                let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
                let message = format!("there is no such preset; {} come with drapto", known.join(", "));
                Err(Error::new(ErrorKind::Usage, message).with_file(name))
            }
        },
    }
}

fn with_toml(name: &Path) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(".toml");
    name.into()
}

/// The folders in which settings are looked for, the user's first (XDG Base Directory Specification 0.8).
fn folders(variable: impl Fn(&str) -> Option<OsString>) -> Vec<(Origin, PathBuf)> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let user = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let user = user.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
    let system = set("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
    let system = std::env::split_paths(&system).map(|folder| (Origin::System, folder)).collect::<Vec<_>>();
    let all = user.map(|folder| (Origin::User, folder)).into_iter().chain(system);
    // Paths that are not absolute are to be ignored.
    all.filter(|(_, folder)| folder.is_absolute()).collect()
}

/// The settings files of the system and of the user that are there, by the XDG Base Directory Specification 0.8:
/// `drapto/config.toml` in the first of XDG_CONFIG_DIRS (`/etc/xdg`) that has one, and in XDG_CONFIG_HOME (`~/.config`).
/// One that cannot be looked at is there: reading it will say why.
fn usual_files(variable: impl Fn(&str) -> Option<OsString>) -> Vec<(Origin, PathBuf)> {
    let is_there = |path: &PathBuf| {
        let looked = std::fs::metadata(path).map_err(|e| e.kind());
        !matches!(looked, Err(IoErrorKind::NotFound | IoErrorKind::NotADirectory))
    };
    let folders = folders(variable);
    let first = |wanted: Origin| {
        let of_origin = folders.iter().filter(|(origin, _)| *origin == wanted);
        let file = of_origin.map(|(_, folder)| folder.join("drapto/config.toml")).find(is_there);
        file.map(|path| (wanted, path))
    };
    [Origin::System, Origin::User].into_iter().filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_where_the_specification_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str| {
            std::fs::create_dir_all(at(name).join("drapto")).unwrap();
            std::fs::write(at(name).join("drapto/config.toml"), "preset = 3").unwrap();
        };
        let found = |variables: &[(&str, OsString)]| {
            usual_files(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone()))
        };
        let dirs = std::env::join_paths([at("none"), at("second"), at("third")]).unwrap();
        let both = [("XDG_CONFIG_DIRS", dirs), ("HOME", at("home").into())];
        assert_eq!(found(&both), []);
        ["second", "third", "home/.config", "own"].iter().for_each(|name| write(name));
        let system = (Origin::System, at("second/drapto/config.toml"));
        assert_eq!(found(&both), [system.clone(), (Origin::User, at("home/.config/drapto/config.toml"))]);
        let own = [&both[..], &[("XDG_CONFIG_HOME", at("own").into())]].concat();
        assert_eq!(found(&own), [system, (Origin::User, at("own/drapto/config.toml"))]);
        // Of a relative one, and where nobody has a home, there is none.
        let elsewhere = [("XDG_CONFIG_DIRS", at("none").into()), ("XDG_CONFIG_HOME", "own".into())];
        assert_eq!(found(&elsewhere), []);
        assert_eq!(found(&[("XDG_CONFIG_DIRS", at("none").into())]), []);
    }

    #[test]
    fn a_preset_is_a_file_or_a_name_in_the_folders_or_one_that_comes_with_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let presets = folder.path().join("drapto/presets");
        std::fs::create_dir_all(&presets).unwrap();
        std::fs::write(presets.join("mine.toml"), "preset = 3").unwrap();
        std::fs::write(presets.join("phone.toml"), "preset = 3").unwrap();
        let variable = |name: &str| (name == "XDG_CONFIG_HOME").then(|| folder.path().as_os_str().to_owned());
        let found = |name: &str| preset(Path::new(name), variable);
        assert_eq!(found("mine").unwrap(), Preset::File(presets.join("mine.toml")));
        assert_eq!(found("mine.toml").unwrap(), Preset::File(presets.join("mine.toml")));
        assert_eq!(found("phone").unwrap(), Preset::File(presets.join("phone.toml")));
        let path = presets.join("mine.toml");
        assert_eq!(found(path.to_str().unwrap()).unwrap(), Preset::File(path));
        assert!(matches!(found("archive.toml").unwrap(), Preset::Shipped(_)));
        let error = found("nothing").unwrap_err().to_string();
        assert!(error.contains("archive") && error.contains("nothing"), "{error}");
        assert!(found("elsewhere/archive.toml").is_err());
    }

    #[test]
    fn the_presets_that_come_with_the_program_are_sound() {
        for (name, text) in PRESETS {
            let mut values = SettingValues::new();
            values.read_preset(text).unwrap();
            let (_, warnings) = values.resolve("in", "out").unwrap();
            assert_eq!(warnings, Vec::<String>::new(), "{name}");
            assert_eq!(values.get("video.preset").unwrap().map(|(_, origin)| origin), Some(Origin::Preset), "{name}");
        }
    }
}
