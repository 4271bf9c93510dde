//! How a film is sampled.
// A row's `set` is one assignment, whose value may be refused: `Ok(place = value?)`.
#![allow(clippy::unit_arg)]

use super::row::{BASE, word};
use crate::config::SampleTier;
use crate::config::parse::{choice, number, whole};
use crate::config::setting::{Setting, SettingKind};

/// By what samples are chosen.
const TIERS: &[&str] = &["scenes", "keyframes", "even"];

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "samples.tier",
        key: "sampling_method",
        place: "encoding.sampling_method",
        flag: Some("sampling"),
        value_name: "WHAT",
        kind: SettingKind::OneOf(TIERS),
        default: "scenes",
        help: "With --per samples: take them at scene changes, at keyframes or at even intervals; where there are too few of one, the next",
        example: "\"scenes\"",
        needs_target: true,
        set: |s, v| Ok(s.samples.tier = choice::<SampleTier>("sampling", v, TIERS)?),
        get: |s| word(&s.samples.tier),
        ..BASE
    },
    Setting {
        name: "samples.count",
        key: "num_samples",
        place: "encoding.num_samples",
        flag: Some("num-samples"),
        value_name: "N",
        kind: SettingKind::Whole { min: 1, max: 100 },
        default: "3",
        help: "With --per samples: how many",
        example: "3",
        needs_target: true,
        set: |s, v| Ok(s.samples.count = whole("the number of samples", v, 1, 100u32)?),
        get: |s| Some(s.samples.count.to_string()),
        ..BASE
    },
    Setting {
        name: "samples.seconds",
        key: "sample_duration",
        place: "encoding.sample_duration",
        flag: Some("sample-duration"),
        value_name: "SECONDS",
        kind: SettingKind::Number { min: 1.0, max: 60.0 },
        unit: "seconds",
        default: "5",
        help: "With --per samples: how long each is, in seconds",
        example: "5",
        needs_target: true,
        set: |s, v| Ok(s.samples.seconds = number("the length of samples in seconds", v, 1.0, 60.0)?),
        get: |s| Some(s.samples.seconds.to_string()),
        ..BASE
    },
    Setting {
        name: "samples.skip_start",
        key: "skip_start",
        place: "encoding.skip_start",
        kind: SettingKind::Number { min: 0.0, max: 3600.0 },
        unit: "seconds",
        default: "0",
        help: "With --per samples: what is left out at the start of the film, in seconds",
        example: "0",
        needs_target: true,
        set: |s, v| Ok(s.samples.skip_start = number("what is left out at the start in seconds", v, 0.0, 3600.0)?),
        get: |s| Some(s.samples.skip_start.to_string()),
        ..BASE
    },
    Setting {
        name: "samples.skip_end",
        key: "skip_end",
        place: "encoding.skip_end",
        kind: SettingKind::Number { min: 0.0, max: 3600.0 },
        unit: "seconds",
        default: "0",
        help: "With --per samples: what is left out at the end of the film, in seconds",
        example: "0",
        needs_target: true,
        set: |s, v| Ok(s.samples.skip_end = number("what is left out at the end in seconds", v, 0.0, 3600.0)?),
        get: |s| Some(s.samples.skip_end.to_string()),
        ..BASE
    },
    Setting {
        name: "samples.min_scenes",
        key: "min_scene_changes",
        place: "encoding.min_scene_changes",
        kind: SettingKind::Whole { min: 1, max: 1000 },
        default: "5",
        help: "With --per samples: with fewer scene changes keyframes are taken",
        example: "5",
        needs_target: true,
        set: |s, v| Ok(s.samples.min_scenes = whole("the least number of scene changes", v, 1, 1000u32)?),
        get: |s| Some(s.samples.min_scenes.to_string()),
        ..BASE
    },
    Setting {
        name: "samples.min_keyframes",
        key: "min_keyframes",
        place: "encoding.min_keyframes",
        kind: SettingKind::Whole { min: 1, max: 1000 },
        default: "5",
        help: "With --per samples: with fewer keyframes even intervals are taken",
        example: "5",
        needs_target: true,
        set: |s, v| Ok(s.samples.min_keyframes = whole("the least number of keyframes", v, 1, 1000u32)?),
        get: |s| Some(s.samples.min_keyframes.to_string()),
        ..BASE
    },
];
