//! Every setting, declared once: what it is called, what it takes, what it means.
//!
//! The command line's flags, the settings file and its template, the environment and `set` by name all read this table,
//! so they cannot differ. Refuses to know where a value comes from (that is [`SettingValues`](super::SettingValues)).
// A row's `set` is one assignment, whose value may be refused: `Ok(place = value?)`.
#![allow(clippy::unit_arg)]

use std::time::Duration;

use super::parse::{choice, flag, megabytes, number, parameters, parameters_text, parsed, rate, size, whole};
use super::setting::{Setting, SettingKind};
use super::{AudioMode, Deinterlace, DolbyVisionMode, EncodeSettings, Per, Quality, Target};
use crate::base::{Error, ErrorKind, Result};
use crate::media::Crf;

/// All settings, in the order of the help.
pub fn settings() -> &'static [Setting] {
    SETTINGS
}

/// The setting of this name, file key or flag; a `Usage` error that says what is near for one there is not.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub fn setting(name: &str) -> Result<&'static Setting> {
    let found = SETTINGS.iter().find(|s| s.name == name || s.key == name);
    let found = found.or_else(|| SETTINGS.iter().find(|s| s.flag == Some(name)));
    found.ok_or_else(|| {
        let hint = meant(name).map_or(String::new(), |s| format!("; did you mean {}?", s.name));
        Error::new(ErrorKind::Usage, format!("there is no setting {name:?}{hint}"))
    })
}

/// The setting that somebody may have meant who wrote a name there is not.
pub(super) fn meant(name: &str) -> Option<&'static Setting> {
    /// Of 1: a letter that is wrong, missing, too much or in another's place, in three or more.
    const ALIKE: f64 = 0.66;
    let last = name.rsplit('.').next().unwrap_or(name).replace('-', "_").to_lowercase();
    let part = SETTINGS.iter().find(|s| !last.is_empty() && (s.key.contains(&last) || last.contains(s.key)));
    let alike = SETTINGS.iter().map(|s| (strsim::normalized_damerau_levenshtein(s.key, &last), s));
    part.or_else(|| alike.filter(|(like, _)| *like > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, s)| s))
}

impl EncodeSettings {
    /// Sets one setting by name: `settings.set("quality.target_vmaf", "93")`.
    ///
    /// `quality.crf` takes the place of a target, `quality.target_vmaf` that of a CRF; `video.svt` replaces what it had.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names and values there are not, and for settings of a target while a CRF is set.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        (setting(name)?.set)(self, value)
    }

    /// One setting as [`set`](Self::set) takes it; `None` where the default is made up during the run or nothing is set.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names there are not.
    pub fn get(&self, name: &str) -> Result<Option<String>> {
        Ok((setting(name)?.get)(self))
    }
}

/// The target of settings that have one.
fn target(settings: &mut EncodeSettings) -> Result<&mut Target> {
    match &mut settings.quality {
        Quality::Target(target) => Ok(target),
        Quality::Crf(_) => Err(Error::new(ErrorKind::Usage, "it has no meaning at a fixed CRF")),
    }
}

fn of_target(settings: &EncodeSettings, get: impl Fn(&Target) -> Option<String>) -> Option<String> {
    match &settings.quality {
        Quality::Target(target) => get(target),
        Quality::Crf(_) => None,
    }
}

fn word(value: &impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

const BASE: Setting = Setting {
    name: "",
    key: "",
    flag: None,
    value_name: "",
    kind: SettingKind::Text,
    unit: "",
    default: "",
    help: "",
    example: "",
    needs_target: false,
    set: |_, _| Ok(()),
    get: |_| None,
};

/// What a target may hold for.
const PER: &[&str] = &["chunk", "title", "title-crf"];

/// The encoders that a run can have; the room of encoders knows more of each.
const ENCODERS: &[&str] = &["svt-av1", "libx264"];

const SETTINGS: &[Setting] = &[
    Setting {
        name: "quality.target_vmaf",
        key: "target_vmaf",
        flag: Some("target-vmaf"),
        value_name: "V",
        kind: SettingKind::Number { min: 1.0, max: 99.0 },
        unit: "VMAF",
        default: "93",
        help: "VMAF that every chunk of the film has to meet, 1 to 99",
        example: "93.0",
        needs_target: true,
        set: |s, v| {
            let vmaf = number("the target VMAF", v, 1.0, 99.0)?;
            match &mut s.quality {
                Quality::Target(target) => target.vmaf = vmaf,
                fixed => *fixed = Quality::Target(Target { vmaf, ..Target::default() }),
            }
            Ok(())
        },
        get: |s| of_target(s, |t| Some(t.vmaf.to_string())),
    },
    Setting {
        name: "quality.vmaf_tolerance",
        key: "vmaf_tolerance",
        flag: Some("vmaf-tolerance"),
        value_name: "V",
        kind: SettingKind::Number { min: 0.1, max: 5.0 },
        unit: "VMAF",
        default: "0.5",
        help: "How far a chunk may be from the target on either side, in VMAF",
        example: "0.5",
        needs_target: true,
        set: |s, v| Ok(target(s)?.tolerance = number("the VMAF tolerance", v, 0.1, 5.0)?),
        get: |s| of_target(s, |t| Some(t.tolerance.to_string())),
    },
    Setting {
        name: "quality.per",
        key: "per",
        flag: Some("per"),
        value_name: "WHAT",
        kind: SettingKind::OneOf(PER),
        default: "chunk",
        help: "Meet the target in every chunk; over the whole title with the fewest bytes, which it gives to chunks where \
               they do most; or over the title at one CRF",
        example: "\"chunk\"",
        needs_target: true,
        set: |s, v| {
            let per = choice::<Per>("per", v, PER)?;
            Ok(target(s)?.per = per)
        },
        get: |s| of_target(s, |t| Some(t.per.name().to_owned())),
        ..BASE
    },
    Setting {
        name: "quality.floor",
        key: "floor",
        flag: Some("floor"),
        value_name: "V",
        kind: SettingKind::Number { min: 0.0, max: 99.0 },
        unit: "VMAF",
        default: "3 less than the target",
        help: "With --per title, the VMAF below which no chunk may fall",
        example: "90.0",
        needs_target: true,
        set: |s, v| Ok(target(s)?.floor = Some(number("the lowest VMAF of a chunk", v, 0.0, 99.0)?)),
        get: |s| of_target(s, |t| t.floor.map(|floor| floor.to_string())),
    },
    Setting {
        name: "quality.crf_min",
        key: "crf_min",
        kind: SettingKind::Number { min: 1.0, max: 63.0 },
        default: "8",
        help: "The lowest CRF the search may use",
        example: "8.0",
        needs_target: true,
        set: |s, v| Ok(target(s)?.crf_min = number("the lowest CRF", v, 1.0, 63.0)?),
        get: |s| of_target(s, |t| Some(t.crf_min.to_string())),
        ..BASE
    },
    Setting {
        name: "quality.crf_max",
        key: "crf_max",
        kind: SettingKind::Number { min: 1.0, max: 63.0 },
        default: "55",
        help: "The highest CRF the search may use",
        example: "55.0",
        needs_target: true,
        set: |s, v| Ok(target(s)?.crf_max = number("the highest CRF", v, 1.0, 63.0)?),
        get: |s| of_target(s, |t| Some(t.crf_max.to_string())),
        ..BASE
    },
    Setting {
        name: "quality.chunk_size",
        key: "chunk_size",
        flag: Some("chunk-size"),
        value_name: "SECONDS",
        kind: SettingKind::Number { min: 1.0, max: 300.0 },
        unit: "seconds",
        default: "15",
        help: "The longest chunk, in seconds, 1 to 300",
        example: "15.0",
        needs_target: true,
        set: |s, v| Ok(target(s)?.chunk_seconds = number("the chunk size in seconds", v, 1.0, 300.0)?),
        get: |s| of_target(s, |t| Some(t.chunk_seconds.to_string())),
    },
    Setting {
        name: "quality.stride",
        key: "vmaf_stride",
        flag: Some("stride"),
        value_name: "N",
        kind: SettingKind::Whole { min: 1, max: u32::MAX as u64 },
        unit: "frames",
        default: "3 above preset 4, but 1 in chunks whose frames differ much, else 1",
        help: "Score every N-th frame; take an odd N",
        example: "3",
        needs_target: true,
        set: |s, v| Ok(target(s)?.stride = Some(whole("the VMAF stride", v, 1, u32::MAX)?)),
        get: |s| of_target(s, |t| t.stride.map(|n| n.to_string())),
    },
    Setting {
        name: "quality.model",
        key: "vmaf_model",
        flag: Some("model"),
        value_name: "NAME",
        default: "vmaf_v0.6.1, above 2560x1440 vmaf_4k_v0.6.1",
        help: "The VMAF model, by libvmaf's name",
        example: "\"vmaf_v0.6.1\"",
        needs_target: true,
        set: |s, v| Ok(target(s)?.model = Some(v.to_owned())),
        get: |s| of_target(s, |t| t.model.clone()),
        ..BASE
    },
    Setting {
        name: "quality.crf",
        key: "crf",
        flag: Some("crf"),
        value_name: "N",
        kind: SettingKind::Number { min: 1.0, max: 63.0 },
        help: "Constant rate factor, 1 (best) to 63, instead of a target",
        example: "25",
        set: |s, v| Ok(s.quality = Quality::Crf(Some(v.parse::<Crf>()?))),
        get: |s| match s.quality {
            Quality::Crf(crf) => crf.map(|c| c.to_string()),
            Quality::Target(_) => None,
        },
        ..BASE
    },
    Setting {
        name: "quality.measure",
        key: "measure",
        flag: Some("measure"),
        kind: SettingKind::Switch,
        help: "Score every picture at a fixed CRF, too, by VMAF",
        example: "false",
        set: |s, v| Ok(s.measure = flag("measure", v)?),
        get: |s| Some(s.measure.to_string()),
        ..BASE
    },
    Setting {
        name: "run.workers",
        key: "workers",
        flag: Some("workers"),
        value_name: "N",
        kind: SettingKind::Whole { min: 1, max: u32::MAX as u64 },
        default: "by cores, memory and picture size",
        help: "Encoders at once when there is a target",
        example: "1",
        needs_target: true,
        set: |s, v| Ok(s.workers = Some(whole("the number of workers", v, 1, u32::MAX)?)),
        get: |s| s.workers.map(|n| n.to_string()),
        ..BASE
    },
    Setting {
        name: "run.max_memory",
        key: "max_memory_mib",
        flag: Some("max-memory"),
        value_name: "SIZE",
        kind: SettingKind::Size,
        unit: "bytes; MiB in a settings file",
        default: "8G or 80 % of the machine, whichever is less",
        help: "The most memory for frames, encoders and meters when there is a target, as 4G or 1500M",
        example: "8192",
        needs_target: true,
        set: |s, v| Ok(s.max_memory = Some(size(v)?)),
        get: |s| s.max_memory.map(megabytes),
    },
    Setting {
        name: "video.preset",
        key: "preset",
        flag: Some("preset"),
        value_name: "0-13",
        kind: SettingKind::Whole { min: 0, max: 13 },
        default: "6",
        help: "SVT-AV1 preset, 0 (slowest) to 13 (fastest)",
        example: "6",
        set: |s, v| Ok(s.preset = whole("preset", v, 0, 13u8)?),
        get: |s| Some(s.preset.to_string()),
        ..BASE
    },
    Setting {
        name: "video.keep_start",
        key: "keep_start",
        flag: Some("keep-start"),
        kind: SettingKind::Switch,
        default: "false",
        help: "Keep the source's own start time, as of a broadcast that begins at 20 h, instead of starting at zero",
        example: "false",
        set: |s, v| Ok(s.keep_start = flag("keep_start", v)?),
        get: |s| Some(s.keep_start.to_string()),
        ..BASE
    },
    Setting {
        name: "subtitles.extract_captions",
        key: "extract_captions",
        flag: Some("extract-captions"),
        kind: SettingKind::Switch,
        default: "false",
        help: "Write the closed captions inside the picture beside the output: CEA-608 as OUTPUT.cc1.srt and OUTPUT.cc3.srt, CEA-708 as OUTPUT.service1.srt and so on",
        example: "false",
        set: |s, v| Ok(s.extract_captions = flag("extract_captions", v)?),
        get: |s| Some(s.extract_captions.to_string()),
        ..BASE
    },
    Setting {
        name: "picture.crop",
        key: "crop",
        flag: Some("crop"),
        value_name: "WHAT",
        default: "auto",
        help: "Which part of the picture to encode: auto (what is within black bars), off, or W:H:X:Y",
        example: "\"auto\"",
        set: |s, v| Ok(s.picture.crop = parsed(v)?),
        get: |s| Some(s.picture.crop.to_string()),
        ..BASE
    },
    Setting {
        name: "picture.scale",
        key: "scale",
        flag: Some("scale"),
        value_name: "SIZE",
        unit: "luma samples",
        help: "Scale to this height (the width follows), or to WIDTHxHEIGHT; scored against the scaled source",
        example: "\"720\"",
        set: |s, v| Ok(s.picture.scale = Some(parsed(v)?)),
        get: |s| s.picture.scale.map(|scale| scale.to_string()),
        ..BASE
    },
    Setting {
        name: "picture.bit_depth",
        key: "bit_depth",
        flag: Some("bit-depth"),
        value_name: "BITS",
        unit: "bits",
        default: "10",
        help: "Bits a sample of the output: 8, 10 or source",
        example: "\"10\"",
        set: |s, v| Ok(s.picture.bit_depth = parsed(v)?),
        get: |s| Some(s.picture.bit_depth.to_string()),
        ..BASE
    },
    Setting {
        name: "picture.deinterlace",
        key: "deinterlace",
        flag: Some("deinterlace"),
        value_name: "MODE",
        kind: SettingKind::OneOf(&["auto", "off"]),
        default: "auto",
        help: "Deinterlace what is interlaced, at the same frame rate: auto or off",
        example: "\"auto\"",
        set: |s, v| Ok(s.picture.deinterlace = choice::<Deinterlace>("deinterlace", v, &["auto", "off"])?),
        get: |s| word(&s.picture.deinterlace),
        ..BASE
    },
    Setting {
        name: "picture.dolby_vision",
        key: "dolby_vision",
        flag: Some("dolby-vision"),
        value_name: "MODE",
        kind: SettingKind::OneOf(&["auto", "strip", "require"]),
        default: "auto",
        help: "Dolby Vision: auto (carried where AV1 can), strip, or require (fail without it)",
        example: "\"auto\"",
        set: |s, v| {
            let modes = &["auto", "strip", "require"];
            Ok(s.picture.dolby_vision = choice::<DolbyVisionMode>("dolby_vision", v, modes)?)
        },
        get: |s| word(&s.picture.dolby_vision),
        ..BASE
    },
    Setting {
        name: "video.film_grain",
        key: "film_grain",
        flag: Some("film-grain"),
        value_name: "N",
        kind: SettingKind::Text,
        default: "auto-off",
        help: "Synthesise film grain of this strength, 1 to 50; auto-off leaves grain to the encode",
        example: "0",
        set: |s, v| {
            s.picture.film_grain = match v {
                "auto-off" => 0,
                n => whole("film grain", n, 0, 50u8)
                    .map_err(|_| Error::new(ErrorKind::Usage, format!("{n:?} is not 0 to 50 or auto-off")))?,
            };
            Ok(())
        },
        get: |s| Some(s.picture.film_grain.to_string()),
        ..BASE
    },
    Setting {
        name: "source.hwaccel",
        key: "hwaccel",
        flag: Some("hwaccel"),
        value_name: "WHAT",
        default: "auto",
        help: "Decode in hardware: auto (where some opens and decodes the first picture), off, or videotoolbox, vaapi, cuda, vulkan; software takes over where it fails, with the same pictures",
        example: "\"auto\"",
        set: |s, v| Ok(s.hwaccel = parsed(v)?),
        get: |s| Some(s.hwaccel.to_string()),
        ..BASE
    },
    Setting {
        name: "source.sequence",
        key: "sequence",
        flag: Some("sequence"),
        kind: SettingKind::Switch,
        help: "Read numbered pictures as one film: the input is a pattern, as shot%03d.png",
        example: "false",
        set: |s, v| Ok(s.sequence = flag("sequence", v)?),
        get: |s| Some(s.sequence.to_string()),
        ..BASE
    },
    Setting {
        name: "source.frame_rate",
        key: "frame_rate",
        flag: Some("frame-rate"),
        value_name: "FPS",
        unit: "frames a second",
        default: "25",
        help: "Pictures of a sequence shown in a second, as 24, 23.976 or 24000/1001",
        example: "\"24000/1001\"",
        set: |s, v| Ok(s.frame_rate = rate(v)?),
        get: |s| Some(s.frame_rate.to_string()),
        ..BASE
    },
    Setting {
        name: "source.reencode",
        key: "reencode",
        flag: Some("reencode"),
        kind: SettingKind::Switch,
        help: "Encode a film again that is AV1 already, instead of leaving it alone (exit 5)",
        example: "false",
        set: |s, v| Ok(s.reencode = flag("reencode", v)?),
        get: |s| Some(s.reencode.to_string()),
        ..BASE
    },
    Setting {
        name: "video.svt",
        key: "svt",
        flag: Some("svt"),
        value_name: "K=V:K=V",
        kind: SettingKind::Parameters,
        help: "Further SVT-AV1 parameters by the encoder's own names, applied last",
        example: "film-grain = \"8\"",
        set: |s, v| Ok(s.svt = parameters(v)?),
        get: |s| (!s.svt.is_empty()).then(|| parameters_text(&s.svt)),
        ..BASE
    },
    Setting {
        name: "audio.mode",
        key: "audio",
        flag: Some("audio"),
        value_name: "MODE",
        kind: SettingKind::OneOf(&["opus", "copy"]),
        default: "opus",
        help: "Encode audio tracks to Opus, or copy them where Matroska can carry the codec",
        example: "\"opus\"",
        set: |s, v| Ok(s.audio = choice::<AudioMode>("audio", v, &["opus", "copy"])?),
        get: |s| word(&s.audio),
        ..BASE
    },
    Setting {
        name: "output.overwrite",
        key: "overwrite",
        flag: Some("overwrite"),
        kind: SettingKind::Switch,
        help: "Replace the output if it exists",
        example: "false",
        set: |s, v| Ok(s.overwrite = flag("overwrite", v)?),
        get: |s| Some(s.overwrite.to_string()),
        ..BASE
    },
    Setting {
        name: "output.no_provenance",
        key: "no_provenance",
        flag: Some("no-provenance"),
        kind: SettingKind::Switch,
        help: "Leave out the tags of the video track that say how it was made: encoder, settings, target, scores",
        example: "false",
        set: |s, v| Ok(s.no_provenance = flag("no_provenance", v)?),
        get: |s| Some(s.no_provenance.to_string()),
        ..BASE
    },
    Setting {
        name: "source.accept_damage",
        key: "accept_damage",
        flag: Some("accept-damage"),
        kind: SettingKind::Switch,
        help: "Encode a source of which more than 1 % of the pictures are lost",
        example: "false",
        set: |s, v| Ok(s.accept_damage = flag("accept_damage", v)?),
        get: |s| Some(s.accept_damage.to_string()),
        ..BASE
    },
    Setting {
        name: "video.encoder",
        key: "encoder",
        flag: Some("encoder"),
        value_name: "NAME",
        kind: SettingKind::OneOf(ENCODERS),
        default: "svt-av1",
        help: "The video encoder: svt-av1, or libx264 at a fixed CRF",
        example: "\"svt-av1\"",
        set: |s, v| Ok(s.encoder = choice("encoder", v, ENCODERS)?),
        get: |s| Some(s.encoder.clone()),
        ..BASE
    },
    Setting {
        name: "run.temp_dir",
        key: "temp_dir",
        flag: Some("temp-dir"),
        value_name: "DIR",
        default: "beside the output; at a fixed CRF, where there is only a log, the system's folder for temporary files",
        help: "Where finished chunks and the log are kept while the run lasts",
        example: "\"/var/tmp\"",
        set: |s, v| Ok(s.temp_dir = Some(v.into())),
        get: |s| s.temp_dir.as_ref().map(|dir| dir.display().to_string()),
        ..BASE
    },
    Setting {
        name: "run.keep_temp",
        key: "keep_temp",
        flag: Some("keep-temp"),
        kind: SettingKind::Switch,
        help: "Keep chunks and log after a run that succeeded",
        example: "false",
        set: |s, v| Ok(s.keep_temp = flag("keep_temp", v)?),
        get: |s| Some(s.keep_temp.to_string()),
        ..BASE
    },
    Setting {
        name: "run.stall_timeout",
        key: "stall_timeout",
        flag: Some("stall-timeout"),
        value_name: "SECONDS",
        kind: SettingKind::Whole { min: 1, max: u32::MAX as u64 },
        unit: "seconds",
        default: "120",
        help: "Stop when no stage makes progress for this long, in seconds",
        example: "120",
        set: |s, v| {
            let seconds: u32 = whole("the stall timeout in seconds", v, 1, u32::MAX)?;
            Ok(s.stall_timeout = Duration::from_secs(u64::from(seconds)))
        },
        get: |s| Some(s.stall_timeout.as_secs().to_string()),
        ..BASE
    },
];
