//! Outputs and what is kept on the way.
// A row's `set` is one assignment, whose value may be refused: `Ok(place = value?)`.
#![allow(clippy::unit_arg)]

use std::time::Duration;

use super::row::BASE;
use crate::config::VideoCodec;
use crate::config::parse::{choice, encoders, flag, whole};
use crate::config::setting::{Setting, SettingKind};

/// The codecs that encoders make.
const CODECS: &[&str] = &["av1", "h264", "hevc"];

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "output.overwrite",
        key: "overwrite",
        place: "output.overwrite",
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
        place: "output.no_provenance",
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
        place: "input.accept_damage",
        flag: Some("accept-damage"),
        kind: SettingKind::Switch,
        help: "Encode a source of which more than 1 % of the pictures are lost",
        example: "false",
        set: |s, v| Ok(s.accept_damage = flag("accept_damage", v)?),
        get: |s| Some(s.accept_damage.to_string()),
        ..BASE
    },
    // Before the encoder, which may be another of the same codec.
    Setting {
        name: "video.codec",
        key: "codec",
        place: "encoding.codec",
        flag: Some("codec"),
        value_name: "NAME",
        kind: SettingKind::OneOf(CODECS),
        default: "av1",
        help: "The codec of the picture: av1 by SVT-AV1, h264 by libx264, hevc by libx265",
        example: "\"av1\"",
        set: |s, v| {
            let codec: VideoCodec = choice("codec", v, CODECS)?;
            (s.codec, s.encoder) = (Some(codec), codec.encoder().to_owned());
            Ok(())
        },
        get: |s| s.codec.map(|codec| codec.name().to_owned()),
        ..BASE
    },
    Setting {
        name: "video.encoder",
        key: "encoder",
        place: "encoding.encoder",
        flag: Some("encoder"),
        value_name: "NAME",
        default: "svt-av1, or the codec's",
        help: "The video encoder by its own name (svt-av1, libx264, libx265, h264_nvenc and so on), or several with commas \
               between them, of which the first is taken that works: names, nvenc, qsv, vaapi, videotoolbox, software, or auto, which \
               stands for these in this order. Where hardware fails on the way, software goes on",
        example: "\"svt-av1\"",
        set: |s, v| Ok(s.encoder = encoders(v)?),
        get: |s| Some(s.encoder.clone()),
        ..BASE
    },
    Setting {
        name: "run.temp_dir",
        key: "temp_dir",
        place: "processing.temp_dir",
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
        place: "processing.keep_temp",
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
        place: "processing.stall_timeout",
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
    Setting {
        name: "run.no_cache",
        key: "no_cache",
        place: "cache.no_cache",
        flag: Some("no-cache"),
        kind: SettingKind::Switch,
        help: "Remember nothing of this run, and ask nothing of those before",
        example: "false",
        set: |s, v| Ok(s.no_cache = flag("no_cache", v)?),
        get: |s| Some(s.no_cache.to_string()),
        ..BASE
    },
    Setting {
        name: "run.cache_file",
        key: "cache_file",
        place: "cache.cache_file",
        flag: Some("cache-file"),
        value_name: "FILE",
        default: "drapto/cache.sqlite in $XDG_CACHE_HOME or ~/.cache",
        help: "Where what is worth remembering of runs is kept",
        example: "\"/var/cache/drapto.sqlite\"",
        set: |s, v| Ok(s.cache_file = Some(v.into())),
        get: |s| s.cache_file.as_ref().map(|file| file.display().to_string()),
        ..BASE
    },
];
