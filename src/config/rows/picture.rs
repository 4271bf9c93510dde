//! What is done to the picture, and how the source is read.
// A row's `set` is one assignment, whose value may be refused: `Ok(place = value?)`.
#![allow(clippy::unit_arg)]

use super::row::{BASE, word};
use crate::base::{Error, ErrorKind};
use crate::config::parse::{choice, flag, parameters, parameters_text, parsed, rate, whole};
use crate::config::setting::{Setting, SettingKind};
use crate::config::{Deinterlace, DolbyVisionMode, ToneCurve};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "video.preset",
        key: "preset",
        place: "encoding.preset",
        flag: Some("preset"),
        value_name: "0-13",
        kind: SettingKind::Whole { min: 0, max: 13 },
        default: "6, and 4 (medium) of libx264 and libx265",
        help: "Preset, 0 (slowest) to 13 (fastest) of SVT-AV1, to 9 of libx264 and libx265 (placebo to ultrafast)",
        example: "6",
        set: |s, v| Ok(s.preset = whole("preset", v, 0, 13u8)?),
        get: |s| Some(s.preset.to_string()),
        ..BASE
    },
    Setting {
        name: "video.keep_start",
        key: "keep_start",
        place: "output.keep_start",
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
        place: "output.extract_captions",
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
        place: "crop.mode",
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
        place: "encoding.scale",
        flag: Some("scale"),
        value_name: "SIZE",
        unit: "luma samples",
        help: "Scale to this height (the width follows), to WIDTHxHEIGHT, or into a box as fit:1280x720 in the picture's own shape and without enlarging it (fill: enlarges, too); scored against the scaled source",
        example: "\"720\"",
        set: |s, v| Ok(s.picture.scale = Some(parsed(v)?)),
        get: |s| s.picture.scale.map(|scale| scale.to_string()),
        ..BASE
    },
    Setting {
        name: "picture.bit_depth",
        key: "bit_depth",
        place: "encoding.bit_depth",
        flag: Some("bit-depth"),
        value_name: "BITS",
        unit: "bits",
        default: "auto: 10, but in H.264 8 where the picture is SDR of up to 8 bits",
        help: "Bits a sample of the output: 8, 10, source or auto",
        example: "\"10\"",
        set: |s, v| Ok(s.picture.bit_depth = parsed(v)?),
        get: |s| Some(s.picture.bit_depth.to_string()),
        ..BASE
    },
    Setting {
        name: "picture.deinterlace",
        key: "deinterlace",
        place: "encoding.deinterlace",
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
        place: "encoding.dolby_vision",
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
        name: "picture.tonemap",
        key: "tonemap",
        place: "encoding.tonemap",
        flag: Some("tonemap"),
        value_name: "CURVE",
        kind: SettingKind::OneOf(ToneCurve::WORDS),
        default: "off",
        help: "Make HDR (PQ or HLG) into SDR (BT.709) by this curve: off, hable, mobius or reinhard",
        example: "\"hable\"",
        set: |s, v| {
            let curve = if v == "off" { None } else { Some(choice::<ToneCurve>("tonemap", v, ToneCurve::WORDS)?) };
            Ok(s.picture.tonemap = curve)
        },
        get: |s| Some(s.picture.tonemap.map_or("off", ToneCurve::name).to_owned()),
        ..BASE
    },
    Setting {
        name: "video.film_grain",
        key: "film_grain",
        place: "encoding.film_grain",
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
        place: "processing.hwaccel",
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
        place: "input.sequence",
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
        place: "input.frame_rate",
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
        place: "filters.reencode",
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
        place: "encoding.svt_params",
        flag: Some("svt"),
        value_name: "K=V:K=V",
        kind: SettingKind::Parameters,
        help: "Further parameters of the encoder by its own names, applied last",
        example: "\"film-grain=8\"",
        set: |s, v| Ok(s.svt = parameters(v)?),
        get: |s| (!s.svt.is_empty()).then(|| parameters_text(&s.svt)),
        ..BASE
    },
];
