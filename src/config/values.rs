//! Values of settings from all the places they may come from, put into one set of settings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::registry::{meant, setting, settings};
use super::setting::Setting;
use super::settings::TOGETHER;
use super::{EncodeSettings, Quality, SoundCodec};
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
    /// The named preset that was chosen for this run.
    Preset,
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
            Origin::Preset => "preset",
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
    /// The lines in them, from 1 on, of values by name.
    lines: BTreeMap<(&'static str, Origin), usize>,
}

/// The setting whose value may be no text.
const TEMP_DIR: &str = "run.temp_dir";

/// What says what quality is: a target or CRFs; that of the later origin holds.
const TARGET: &str = "quality.target_vmaf";
const CRF: &str = "quality.crf";
const CRF_BY_SIZE: [&str; 3] = ["quality.crf_sd", "quality.crf_hd", "quality.crf_uhd"];

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
        for rival in rivals(setting.name) {
            if let Some(texts) = self.texts.get_mut(rival) {
                texts.remove(&origin);
            }
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

    /// What was set at `origin` stands in this line of its file.
    pub(super) fn stands(&mut self, name: &'static str, origin: Origin, line: usize) {
        self.lines.insert((name, origin), line);
    }

    /// Where the value that holds was said, as `encoding.preset = 12 in /etc/xdg/drapto/config.toml, line 3`; `None` for a
    /// default.
    fn said(&self, name: &str) -> Option<String> {
        let (text, origin) = self.last(name)?;
        let setting = setting(name).ok()?;
        Some(match origin {
            Origin::System | Origin::User | Origin::File | Origin::Preset => {
                let file =
                    self.files.get(&origin).map_or("the settings file".to_owned(), |path| path.display().to_string());
                let line =
                    self.lines.get(&(setting.name, origin)).map_or(String::new(), |line| format!(", line {line}"));
                format!("{} = {text} in {file}{line}", setting.place)
            }
            Origin::Environment => format!("{}={text}", setting.environment()),
            _ => format!("{} = {text} ({})", called(setting, origin), origin.name()),
        })
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
        self.lines.extend(other.lines.clone());
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
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let ours = variables.filter_map(|(name, value): (OsString, OsString)| {
            Some((name.into_string().ok().filter(|name| name.starts_with("DRAPTO_"))?, value))
        });
        let mut ours: Vec<(String, OsString)> = ours.collect();
        // Of a setting's two names the one of today holds.
        ours.sort_by_key(|(name, _)| settings().iter().any(|s| s.environment() == *name));
        for (name, value) in ours {
            if NOT_SETTINGS.contains(&name.as_str()) {
                continue;
            }
            match (of_variable(&name), value.into_string()) {
                (Some(setting), value) => match self.take_variable(setting, value) {
                    Ok(true) => {}
                    Ok(false) => warnings.push(format!("the environment's {name} is no Unicode and is ignored")),
                    Err(e) => wrong.push(format!("{name}: {}", e.message())),
                },
                (None, _) => {
                    let near = meant(&name["DRAPTO_".len()..]).map(Setting::environment);
                    let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                    warnings.push(format!("the environment's {name} is no setting and is ignored{hint}"));
                }
            }
        }
        all_of(wrong).map(|()| warnings)
    }

    /// Whether a variable's value, which may be no text, could be taken.
    fn take_variable(&mut self, setting: &Setting, value: std::result::Result<String, OsString>) -> Result<bool> {
        match value {
            Ok(value) => {
                setting.check_in_file(&value)?;
                self.put(setting.name, &value, Origin::Environment)?;
            }
            Err(value) if setting.name == TEMP_DIR => self.set_temp_dir(Path::new(&value), Origin::Environment)?,
            Err(_) => return Ok(false),
        }
        Ok(true)
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
        let fixed = self.fix_quality(&mut all)?;
        let crf = self.crf_origin();
        let mut idle = Vec::new();
        for (setting, text, origin) in self.iter().filter(|(s, ..)| s.name != CRF && !CRF_BY_SIZE.contains(&s.name)) {
            if fixed && setting.needs_target {
                // A target that a later place overruled is overruled, not ignored.
                if setting.name != TARGET || crf == Some(origin) {
                    idle.push(match origin {
                        Origin::Flag => called(setting, origin),
                        _ => format!("{} ({})", called(setting, origin), origin.name()),
                    });
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
        if self.last("video.preset").is_none() && all.encoder != EncodeSettings::ENCODER {
            all.preset = EncodeSettings::MEDIUM;
        }
        if self.last("audio.codec").is_none() && all.is_broadcast() {
            all.audio_codec = SoundCodec::Aac;
        }
        self.check_together(&all)?;
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

impl SettingValues {
    /// The last place that says a CRF.
    fn crf_origin(&self) -> Option<Origin> {
        let origin = |name: &&str| self.last(name).map(|(_, origin)| origin);
        CRF_BY_SIZE.iter().chain([&CRF]).filter_map(origin).max()
    }

    /// Takes the CRFs where they hold; whether they do. Said at the same place, a CRF goes before a target, as it always did
    /// in a settings file, and one for a size before one for all.
    fn fix_quality(&self, all: &mut EncodeSettings) -> Result<bool> {
        let Some(origin) = self.crf_origin() else { return Ok(false) };
        if self.last(TARGET).is_some_and(|(_, target)| target > origin) {
            return Ok(false);
        }
        let bare = self.last(CRF);
        let of_size = |name: &str| self.last(name).filter(|(_, origin)| bare.is_none_or(|(_, bare)| *origin >= bare));
        let of_sizes = CRF_BY_SIZE.map(|name| of_size(name).or(bare).map(|(text, _)| text));
        let [sd, hd, uhd] = of_sizes;
        match sd {
            Some(text) if hd == sd && uhd == sd => all.set(CRF, text)?,
            _ => {
                for (name, text) in CRF_BY_SIZE.into_iter().zip(of_sizes) {
                    text.map_or(Ok(()), |text| all.set(name, text))?;
                }
            }
        }
        Ok(true)
    }

    /// Whether settings that each are sound can be together; all that cannot is told at once, with where it was said.
    fn check_together(&self, all: &EncodeSettings) -> Result<()> {
        let wrong = TOGETHER.iter().filter_map(|(names, check)| {
            let error = check(all).err()?;
            let said: Vec<String> = names.iter().filter_map(|name| self.said(name)).collect();
            let said = if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) };
            Some(format!("{}{said}", error.message()))
        });
        all_of(wrong.collect())
    }
}

/// What a setting is called at a place.
fn called(setting: &Setting, origin: Origin) -> String {
    match (origin, setting.flag) {
        (Origin::Flag, Some(flag)) => format!("--{flag}"),
        (Origin::Environment, _) => setting.environment(),
        (Origin::System | Origin::User | Origin::File | Origin::Preset, _) => setting.place.to_owned(),
        _ => setting.name.to_owned(),
    }
}

/// The setting of a variable, by its name of today or by its former one.
fn of_variable(name: &str) -> Option<&'static Setting> {
    let today = settings().iter().find(|s| s.environment() == name);
    today.or_else(|| settings().iter().find(|s| s.former_environment() == name))
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

/// What a setting of this name takes the place of, where it is set alone.
fn rivals(name: &str) -> &'static [&'static str] {
    match name {
        CRF => &["quality.target_vmaf", "quality.crf_sd", "quality.crf_hd", "quality.crf_uhd"],
        TARGET => &["quality.crf", "quality.crf_sd", "quality.crf_hd", "quality.crf_uhd"],
        name if CRF_BY_SIZE.contains(&name) => &["quality.target_vmaf"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Per;
    use crate::media::Crf;

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
            let file = format!("{} = {}", setting.place, setting.example);
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
    fn sound_of_a_transport_stream_is_aac_where_nobody_says() {
        let mut values = SettingValues::new();
        let codec = |values: &SettingValues, name: &str| values.resolve("in", name).unwrap().0.audio_codec;
        assert_eq!(codec(&values, "out.TS"), SoundCodec::Aac);
        assert_eq!(codec(&values, "out.mkv"), SoundCodec::Opus);
        values.set("audio.codec", "opus", Origin::Flag).unwrap();
        assert_eq!(codec(&values, "out.ts"), SoundCodec::Opus);
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
                assert!(a.name != b.name && a.key != b.key && a.place != b.place, "{}", a.name);
                assert!(a.environment() != b.environment() && a.former_environment() != b.environment(), "{}", a.name);
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
        for part in ["processing.parallel_jobs (file)", "encoding.vmaf_target (file)", "--stride"] {
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
        assert!(told[0].ends_with("did you mean DRAPTO_VMAF_TARGET?"), "{told:?}");
        let both = [("DRAPTO_PRESET", "14"), ("DRAPTO_STRIDE", "0")];
        let wrong = values.read_environment(both).unwrap_err().to_string();
        assert!(wrong.starts_with("2 settings are wrong") && wrong.contains("DRAPTO_STRIDE"), "{wrong}");
        let wrong = values.read_environment([("DRAPTO_PRESET".to_owned(), "14".to_owned())]).unwrap_err();
        assert!(wrong.to_string().contains("DRAPTO_PRESET") && wrong.to_string().contains("preset 14"), "{wrong}");
    }

    #[test]
    fn the_environment_s_variables_are_called_as_in_their_section_and_as_they_were_before() {
        for (name, value, setting, said) in [
            ("DRAPTO_VMAF_TARGET", "91", "target_vmaf", Some("91")),
            ("DRAPTO_TARGET_VMAF", "91", "target_vmaf", Some("91")),
            ("DRAPTO_CRF_UHD", "31", "crf_uhd", Some("31")),
            ("DRAPTO_CRF", "31", "crf", Some("31")),
            ("DRAPTO_PARALLEL_JOBS", "2", "workers", Some("2")),
            ("DRAPTO_WORKERS", "2", "workers", Some("2")),
            ("DRAPTO_MAX_MEMORY", "4G", "run.max_memory", Some("4G")),
            ("DRAPTO_MAX_CPU", "50", "max_cpu", Some("50")),
            ("DRAPTO_MAX_DISK_IO", "50M", "max_disk_io", Some("50M")),
            ("DRAPTO_CROP", "off", "crop", Some("off")),
            ("DRAPTO_SVT_PARAMS", "tune=0", "svt", Some("tune=0")),
            ("DRAPTO_SVT_PARAMETERS", "tune=0", "svt", Some("tune=0")),
        ] {
            let mut values = SettingValues::new();
            assert_eq!(values.read_environment([(name, value)]).unwrap(), Vec::<String>::new(), "{name}");
            assert_eq!(values.get(setting).unwrap().map(|(text, _)| text), said, "{name}");
        }
        let mut values = SettingValues::new();
        values.read_environment([("DRAPTO_VMAF_TARGET", "92"), ("DRAPTO_TARGET_VMAF", "91")]).unwrap();
        assert_eq!(values.get("target_vmaf").unwrap().map(|(text, _)| text), Some("92"));
        let wrong = SettingValues::new().read_environment([("DRAPTO_VMAF_TARGET", "60")]).unwrap_err().to_string();
        assert!(wrong.contains("70 to 99"), "{wrong}");
    }

    #[test]
    fn crfs_by_size_hold_where_no_later_place_says_one_for_all_or_a_target() {
        let file = "[encoding]\ncrf = { sd = 24, uhd = 33 }\nvmaf_tolerance = 1";
        let (settings, _) = read(file, &[]);
        assert_eq!(settings.quality, Quality::Crf(None));
        let of = |settings: &EncodeSettings, w, h| settings.crf_by_size.of(w, h).map(Crf::as_f64);
        assert_eq!(of(&settings, 720, 576), Some(24.0));
        assert_eq!((of(&settings, 1280, 720), of(&settings, 3840, 1600)), (None, Some(33.0)));
        assert!(matches!(read(file, &[("crf", "30")]).0.quality, Quality::Crf(Some(crf)) if crf.as_f64() == 30.0));
        assert!(matches!(read(file, &[("target_vmaf", "90")]).0.quality, Quality::Target(_)));
        let mut values = SettingValues::new();
        values.read_toml("crf = 30").unwrap();
        values.read_environment([("DRAPTO_CRF_HD", "27")]).unwrap();
        let (settings, _) = values.resolve("in", "out").unwrap();
        assert_eq!((of(&settings, 1920, 1080), of(&settings, 720, 480)), (Some(27.0), Some(30.0)));
    }

    #[test]
    fn settings_that_cannot_be_together_are_told_at_once_with_where_they_were_said() {
        let mut values = SettingValues::new();
        values.read_toml("[encoding]\nfilm_grain = 8\ncq_search_min = 50\ncq_search_max = 40").unwrap();
        values.read_environment([("DRAPTO_PRESET", "10")]).unwrap();
        let error = values.resolve("in", "out").unwrap_err().to_string();
        let parts =
            ["2 settings", "encoding.film_grain = 8", "line 2", "DRAPTO_PRESET=10", "0 to 8", "line 4", "50 to 63"];
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
        let mut values = SettingValues::new();
        values.set("film_grain", "8", Origin::Flag).unwrap();
        values.set("preset", "9", Origin::Flag).unwrap();
        let error = values.resolve("in", "out").unwrap_err().to_string();
        assert!(error.contains("--film-grain = 8") && error.contains("--preset = 9"), "{error}");
    }
}
