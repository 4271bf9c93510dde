//! The places that settings come from, from the last to the first that holds.
//!
//! Owns where settings files are looked for. Refuses to know what is in them: that is the table's of the library.

use std::ffi::OsString;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use drapto::data::Origin;
use drapto::{Result, SettingValues};

/// Defaults, then the settings files of the system, of the user and of `config`, then the environment, then `flags`; and
/// sentences about what is none of them.
pub fn layers(config: Option<&Path>, flags: &SettingValues) -> Result<(SettingValues, Vec<String>)> {
    let mut values = SettingValues::new();
    for (origin, path) in usual_files(|name| std::env::var_os(name)) {
        values.read_file(&path, origin)?;
    }
    if let Some(path) = config {
        values.read_file(path, Origin::File)?;
    }
    let warnings = values.read_environment(std::env::vars_os())?;
    values.extend(flags);
    Ok((values, warnings))
}

/// The settings files of the system and of the user that are there, by the XDG Base Directory Specification 0.8:
/// `drapto/config.toml` in the first of XDG_CONFIG_DIRS (`/etc/xdg`) that has one, and in XDG_CONFIG_HOME (`~/.config`).
/// One that cannot be looked at is there: reading it will say why.
fn usual_files(variable: impl Fn(&str) -> Option<OsString>) -> Vec<(Origin, PathBuf)> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let is_there = |path: &PathBuf| {
        let looked = std::fs::metadata(path).map_err(|e| e.kind());
        !matches!(looked, Err(IoErrorKind::NotFound | IoErrorKind::NotADirectory))
    };
    // Paths that are not absolute are to be ignored.
    let file = |folder: PathBuf| folder.is_absolute().then(|| folder.join("drapto/config.toml")).filter(is_there);
    let system = set("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
    let system = std::env::split_paths(&system).find_map(file);
    let user = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let user = user.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config"))).and_then(file);
    let found = [(Origin::System, system), (Origin::User, user)];
    found.into_iter().filter_map(|(origin, path)| Some((origin, path?))).collect()
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
}
