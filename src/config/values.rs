//! Values of settings from all the places they may come from, put into one set of settings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::registry::{meant, setting, settings};
use super::setting::Setting;
use super::{EncodeSettings, Quality};
use crate::base::{Error, ErrorKind, Result};

/// Where a value comes from; a later one goes before an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The settings file of the system.
    System,
    /// The settings file of the user.
    User,
    /// The settings file that was named for this run.
    File,
    /// The environment.
    Environment,
    /// A flag of the command line.
    Flag,
    /// The program that made the request.
    Request,
    /// The program, for one output.
    Output,
}

impl Origin {
    /// In a word, for people.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::System => "system",
            Origin::User => "user",
            Origin::File => "file",
            Origin::Environment => "environment",
            Origin::Flag => "flag",
            Origin::Request => "request",
            Origin::Output => "output",
        }
    }
}

/// Texts of settings by name, each with where it comes from. Nothing is lost by setting: a file that holds a CRF and
/// keys of a target keeps both, and which of them has a meaning is decided when all layers are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingValues {
    /// By name, the values in the order of their origins.
    texts: BTreeMap<&'static str, BTreeMap<Origin, String>>,
    /// The folder for temporary files as it is, where its name is no text.
    temp_dir: BTreeMap<Origin, PathBuf>,
    /// The files that were read.
    files: BTreeMap<Origin, PathBuf>,
}

/// The setting whose value may be no text.
const TEMP_DIR: &str = "run.temp_dir";

/// The two settings that say what quality is; the one of the later origin holds.
const RIVALS: [&str; 2] = ["quality.crf", "quality.target_vmaf"];

impl SettingValues {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one by name: `set("quality.target_vmaf", "93", Origin::Request)`.
    ///
    /// A CRF takes the place of a target of the same origin, and the other way round.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names and values there are not.
    pub fn set(&mut self, name: &str, value: &str, origin: Origin) -> Result<()> {
        let setting = self.put(name, value, origin)?;
        if let Some(rival) = rival(setting.name).and_then(|rival| self.texts.get_mut(rival)) {
            rival.remove(&origin);
        }
        Ok(())
    }

    /// Sets the folder for temporary files, whose name may be bytes that are no text.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_temp_dir(&mut self, path: &Path, origin: Origin) -> Result<()> {
        self.set(TEMP_DIR, &path.to_string_lossy(), origin)?;
        self.temp_dir.insert(origin, path.to_path_buf());
        Ok(())
    }

    /// As [`set`](Self::set), but a rival of the same origin stays: what was said together is judged together.
    pub(super) fn put(&mut self, name: &str, value: &str, origin: Origin) -> Result<&'static Setting> {
        let setting = setting(name)?;
        setting.check(value)?;
        if setting.name == TEMP_DIR {
            self.temp_dir.remove(&origin);
        }
        self.texts.entry(setting.name).or_default().insert(origin, value.to_owned());
        Ok(setting)
    }

    /// The value that holds, and where it comes from; `None` where nobody set it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names there are not.
    pub fn get(&self, name: &str) -> Result<Option<(&str, Origin)>> {
        Ok(self.last(setting(name)?.name))
    }

    fn last(&self, name: &str) -> Option<(&str, Origin)> {
        self.texts.get(name)?.last_key_value().map(|(origin, text)| (text.as_str(), *origin))
    }

    /// The settings files that were read, in the order in which they hold.
    pub fn files(&self) -> impl Iterator<Item = (Origin, &Path)> {
        self.files.iter().map(|(origin, path)| (*origin, path.as_path()))
    }

    pub(super) fn came_from(&mut self, origin: Origin, path: &Path) {
        self.files.insert(origin, path.to_path_buf());
    }

    /// Takes all of `other`, each with its origin.
    pub fn extend(&mut self, other: &SettingValues) {
        for (name, texts) in &other.texts {
            self.texts.entry(name).or_default().extend(texts.iter().map(|(origin, text)| (*origin, text.clone())));
        }
        self.temp_dir.extend(other.temp_dir.clone());
        self.files.extend(other.files.clone());
    }

    /// Every value that holds, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, &str, Origin)> {
        settings().iter().filter_map(|s| self.last(s.name).map(|(text, origin)| (s, text, origin)))
    }

    /// Takes from variables of the environment what is a setting: `DRAPTO_TARGET_VMAF=93`. Gives a sentence for each
    /// variable that looks like a setting and is none.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] that names each variable whose value cannot be.
    pub fn read_environment<T: Into<OsString>>(
        &mut self,
        variables: impl IntoIterator<Item = (T, T)>,
    ) -> Result<Vec<String>> {
        let (mut warnings, mut wrong) = (Vec::new(), Vec::new());
        for (name, value) in variables {
            let Some(name) = name.into().into_string().ok().filter(|name| name.starts_with("DRAPTO_")) else {
                continue;
            };
            let taken = match (settings().iter().find(|s| s.environment() == name), value.into().into_string()) {
                (Some(setting), Ok(value)) => self.put(setting.name, &value, Origin::Environment).map(drop),
                (Some(setting), Err(value)) if setting.name == TEMP_DIR => {
                    self.set_temp_dir(Path::new(&value), Origin::Environment)
                }
                (Some(_), Err(_)) => {
                    warnings.push(format!("the environment's {name} is no Unicode and is ignored"));
                    continue;
                }
                (None, _) if NOT_SETTINGS.contains(&name.as_str()) => continue,
                (None, _) => {
                    let near = meant(&name["DRAPTO_".len()..]).map(Setting::environment);
                    let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                    warnings.push(format!("the environment's {name} is no setting and is ignored{hint}"));
                    continue;
                }
            };
            wrong.extend(taken.err().map(|e| format!("{name}: {}", e.message())));
        }
        all_of(wrong).map(|()| warnings)
    }

    /// These values with those of `output` before them, whatever their origin.
    #[must_use]
    pub fn with_output(&self, output: &SettingValues) -> Self {
        let mut all = self.clone();
        for (setting, text, origin) in output.iter() {
            all.texts.entry(setting.name).or_default().insert(Origin::Output, text.to_owned());
            if setting.name == TEMP_DIR {
                all.temp_dir.remove(&Origin::Output);
                all.temp_dir.extend(output.temp_dir.get(&origin).map(|path| (Origin::Output, path.clone())));
            }
        }
        all
    }

    /// Settings for encoding `input` to `output`, and a sentence for everything that was set and has no meaning.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for values that cannot be together.
    pub fn resolve(
        &self,
        input: impl Into<PathBuf>,
        output: impl Into<PathBuf>,
    ) -> Result<(EncodeSettings, Vec<String>)> {
        let mut all = EncodeSettings::new(input, output);
        let [crf, target] = RIVALS.map(|name| self.last(name));
        // Said at the same place, a CRF goes before a target, as it always did in a settings file.
        let fixed = match (crf, target) {
            (Some((_, crf)), Some((_, target))) => crf >= target,
            (crf, None) => crf.is_some(),
            (None, _) => false,
        };
        if let (true, Some((text, _))) = (fixed, crf) {
            all.set(RIVALS[0], text)?;
        }
        let mut idle = Vec::new();
        for (setting, text, origin) in self.iter().filter(|(s, ..)| s.name != RIVALS[0]) {
            if fixed && setting.needs_target {
                // A target that a later place overruled is overruled, not ignored.
                if setting.name != RIVALS[1] || crf.is_some_and(|(_, crf)| crf == origin) {
                    idle.push(format!("{} ({})", setting.key, origin.name()));
                }
            } else if setting.name == "video.svt" {
                // Parameters add up: the later ones go last and so win.
                for text in self.texts.get(setting.name).into_iter().flat_map(BTreeMap::values) {
                    let before = std::mem::take(&mut all.svt);
                    all.set(setting.name, text)?;
                    all.svt.splice(0..0, before);
                }
            } else {
                all.set(setting.name, text)?;
            }
        }
        if let Some(path) = self.last(TEMP_DIR).and_then(|(_, origin)| self.temp_dir.get(&origin)) {
            all.temp_dir = Some(path.clone());
        }
        all.check()?;
        debug_assert_eq!(fixed, matches!(all.quality, Quality::Crf(_)));
        let mut said = Vec::new();
        if !idle.is_empty() {
            said.push(format!("at a fixed CRF there is no use for {}", idle.join(", ")));
        }
        if let (false, Some((_, origin))) = (all.sequence, self.last("source.frame_rate")) {
            said.push(format!("without sequence there is no use for frame_rate ({})", origin.name()));
        }
        Ok((all, said))
    }
}

/// One error of all that is wrong; none where nothing is.
pub(super) fn all_of(wrong: Vec<String>) -> Result<()> {
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::new(ErrorKind::Usage, one)),
        all => {
            let lines: String = all.iter().map(|what| format!("\n  {what}")).collect();
            Err(Error::new(ErrorKind::Usage, format!("{} settings are wrong:{lines}", all.len())))
        }
    }
}

/// Variables of the project's scripts.
const NOT_SETTINGS: [&str; 3] = ["DRAPTO_SVT", "DRAPTO_ARGS", "DRAPTO_GIT_HASH"];

fn rival(name: &str) -> Option<&'static str> {
    match name {
        "quality.crf" => Some(RIVALS[1]),
        "quality.target_vmaf" => Some(RIVALS[0]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Per;

    fn read(file: &str, flags: &[(&str, &str)]) -> (EncodeSettings, Vec<String>) {
        let mut values = SettingValues::new();
        values.read_toml(file).unwrap();
        for (name, value) in flags {
            values.set(name, value, Origin::Flag).unwrap();
        }
        values.resolve("in", "out").unwrap()
    }

    #[test]
    fn every_setting_is_read_as_it_is_written() {
        for setting in settings() {
            let file = match setting.key {
                "svt" => format!("[svt]\n{}", setting.example),
                key => format!("{key} = {}", setting.example),
            };
            let mut values = SettingValues::new();
            values.read_toml(&file).unwrap();
            let (text, origin) = values.get(setting.name).unwrap().unwrap();
            assert_eq!(origin, Origin::File);
            let mut first = EncodeSettings::new("a", "b");
            first.set(setting.name, text).unwrap();
            let got = first.get(setting.name).unwrap().unwrap();
            let mut second = EncodeSettings::new("a", "b");
            second.set(setting.name, &got).unwrap();
            assert_eq!(first, second, "{}", setting.name);
            assert!(!setting.help.is_empty() && !setting.group().is_empty(), "{}", setting.name);
            assert!(setting.environment().starts_with("DRAPTO_"), "{}", setting.name);
        }
    }

    #[test]
    fn a_frame_rate_without_a_sequence_is_named() {
        assert_eq!(
            read("", &[("source.frame_rate", "24")]).1,
            ["without sequence there is no use for frame_rate (flag)"]
        );
        assert!(read("sequence = true", &[("source.frame_rate", "24")]).1.is_empty());
    }

    #[test]
    fn names_keys_and_variables_are_those_of_one_setting_each() {
        for (i, a) in settings().iter().enumerate() {
            for b in &settings()[..i] {
                assert!(a.name != b.name && a.key != b.key && a.environment() != b.environment(), "{}", a.name);
            }
        }
    }

    #[test]
    fn a_target_on_the_command_line_keeps_the_other_target_keys_of_a_file_with_a_crf() {
        let file = "crf = 30\nvmaf_tolerance = 0.7\nper = \"title\"\nchunk_size = 20";
        let (settings, warnings) = read(file, &[("quality.target_vmaf", "90")]);
        let Quality::Target(target) = settings.quality else { panic!("{:?}", settings.quality) };
        assert_eq!((target.vmaf, target.tolerance, target.per, target.chunk_seconds), (90.0, 0.7, Per::Title, 20.0));
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn what_a_crf_makes_meaningless_is_named() {
        let (settings, warnings) = read("workers = 2\ntarget_vmaf = 95\ncrf = 30", &[("stride", "5")]);
        assert!(matches!(settings.quality, Quality::Crf(Some(crf)) if crf.as_f64() == 30.0));
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        for part in ["workers (file)", "target_vmaf (file)", "vmaf_stride (flag)"] {
            assert!(warning.contains(part), "{warning}");
        }
        let (settings, warnings) = read("target_vmaf = 95", &[("crf", "30")]);
        assert!(matches!(settings.quality, Quality::Crf(Some(_))) && warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn the_environment_stands_between_file_and_flags_and_unknown_variables_are_told() {
        let mut values = SettingValues::new();
        values.read_toml("preset = 1\naudio = \"copy\"\n[svt]\na = \"1:2\"").unwrap();
        values.set("preset", "3", Origin::Flag).unwrap();
        let variables = [("DRAPTO_PRESET", "2"), ("DRAPTO_AUDIO", "opus"), ("DRAPTO_SPEED", "9"), ("HOME", "/")];
        let told = values.read_environment(variables.map(|(n, v)| (n.to_owned(), v.to_owned()))).unwrap();
        assert!(told.len() == 1 && told[0].contains("DRAPTO_SPEED"), "{told:?}");
        values.set("svt", "b=2", Origin::Flag).unwrap();
        let (settings, _) = values.resolve("in", "out").unwrap();
        assert_eq!((settings.preset, settings.get("audio").unwrap().as_deref()), (3, Some("opus")));
        let svt: Vec<_> = settings.svt.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(svt, [("a", "1:2"), ("b", "2")]);
        assert!(told[0].ends_with("ignored"), "{told:?}");
        let told = values.read_environment([("DRAPTO_TARGET_VMFA", "9")]).unwrap();
        assert!(told[0].ends_with("did you mean DRAPTO_TARGET_VMAF?"), "{told:?}");
        let both = [("DRAPTO_PRESET", "14"), ("DRAPTO_STRIDE", "0")];
        let wrong = values.read_environment(both).unwrap_err().to_string();
        assert!(wrong.starts_with("2 settings are wrong") && wrong.contains("DRAPTO_STRIDE"), "{wrong}");
        let wrong = values.read_environment([("DRAPTO_PRESET".to_owned(), "14".to_owned())]).unwrap_err();
        assert!(wrong.to_string().contains("DRAPTO_PRESET") && wrong.to_string().contains("preset 14"), "{wrong}");
    }
}
