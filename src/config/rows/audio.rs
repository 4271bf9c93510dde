//! Sound.
// A row's `set` is one assignment, whose value may be refused: `Ok(place = value?)`.
#![allow(clippy::unit_arg)]

use super::row::{BASE, word};
use crate::config::parse::{choice, number, parsed};
use crate::config::setting::{Setting, SettingKind};
use crate::config::{AudioMode, LoudnessGroup};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "audio.mode",
        key: "audio",
        place: "audio.mode",
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
        name: "audio.loudness",
        key: "loudness",
        place: "audio.loudness",
        flag: Some("loudness"),
        value_name: "LOUDNESS",
        unit: "LUFS",
        default: "off",
        help: "Make audio tracks so loud: ebu (-23 LUFS), atsc (-24), streaming (-14), or a number. Opus tracks are encoded \
               again",
        example: "\"ebu\"",
        set: |s, v| Ok(s.loudness.goal = parsed(v)?),
        get: |s| Some(s.loudness.goal.to_string()),
        ..BASE
    },
    Setting {
        name: "audio.true_peak",
        key: "true_peak",
        place: "audio.true_peak",
        flag: Some("true-peak"),
        value_name: "DBTP",
        kind: SettingKind::Number { min: -20.0, max: 0.0 },
        unit: "dBTP",
        default: "-1; atsc: -2",
        help: "The highest true peak of tracks whose loudness is changed",
        example: "-1.0",
        set: |s, v| Ok(s.loudness.true_peak = Some(number("true_peak", v, -20.0, 0.0)?)),
        get: |s| s.loudness.true_peak.map(|peak| peak.to_string()),
        ..BASE
    },
    Setting {
        name: "audio.loudness_group",
        key: "loudness_group",
        place: "audio.loudness_group",
        flag: Some("loudness-group"),
        value_name: "GROUP",
        kind: SettingKind::OneOf(&["track", "album"]),
        default: "track",
        help: "Give each track a gain of its own, or all tracks of the film one, as they are one programme",
        example: "\"track\"",
        set: |s, v| Ok(s.loudness.group = choice::<LoudnessGroup>("loudness_group", v, &["track", "album"])?),
        get: |s| word(&s.loudness.group),
        ..BASE
    },
];
