//! Sound.
// A row's `set` is one assignment, whose value may be refused: `Ok(place = value?)`.
#![allow(clippy::unit_arg)]

use super::row::{BASE, word};
use crate::config::parse::{choice, number, parsed, whole};
use crate::config::setting::{Setting, SettingKind};
use crate::config::{AudioMode, Downmix, LoudnessGroup, SoundCodec};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "audio.mode",
        key: "audio",
        place: "audio.mode",
        flag: Some("audio"),
        value_name: "MODE",
        kind: SettingKind::OneOf(&["opus", "copy"]),
        default: "opus",
        help: "Encode audio tracks, to Opus unless --audio-codec says otherwise, or copy them where Matroska can carry the \
               codec",
        example: "\"opus\"",
        set: |s, v| Ok(s.audio = choice::<AudioMode>("audio", v, &["opus", "copy"])?),
        get: |s| word(&s.audio),
        ..BASE
    },
    Setting {
        name: "audio.codec",
        key: "audio_codec",
        place: "audio.audio_codec",
        flag: Some("audio-codec"),
        value_name: "CODEC",
        kind: SettingKind::OneOf(SoundCodec::WORDS),
        default: "opus, and aac into .ts",
        help: "What audio tracks are encoded to; tracks in that codec are copied",
        example: "\"opus\"",
        set: |s, v| Ok(s.audio_codec = choice::<SoundCodec>("audio_codec", v, SoundCodec::WORDS)?),
        get: |s| word(&s.audio_codec),
        ..BASE
    },
    Setting {
        name: "audio.bitrate",
        key: "audio_bitrate",
        place: "audio.bitrate",
        flag: Some("audio-bitrate"),
        value_name: "KBPS",
        kind: SettingKind::Whole { min: 16, max: 1536 },
        unit: "kb/s",
        default: "by layout, as 128 for Opus in stereo",
        help: "Bit rate of each audio track that is encoded",
        example: "160",
        set: |s, v| Ok(s.audio_bitrate = Some(whole("audio_bitrate", v, 16, 1536)?)),
        get: |s| s.audio_bitrate.map(|rate| rate.to_string()),
        ..BASE
    },
    Setting {
        name: "audio.downmix",
        key: "downmix",
        place: "audio.downmix",
        flag: Some("downmix"),
        value_name: "LAYOUT",
        kind: SettingKind::OneOf(Downmix::WORDS),
        default: "off",
        help: "Mix audio tracks with more channels down to stereo, mono or 5.1, by ITU-R BS.775; others stay as they are",
        example: "\"stereo\"",
        set: |s, v| Ok(s.downmix = choice::<Downmix>("downmix", v, Downmix::WORDS)?),
        get: |s| word(&s.downmix),
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
