//! What a run may take of the machine.
// A row's `set` is one assignment, whose value may be refused: `Ok(place = value?)`.
#![allow(clippy::unit_arg)]

use super::row::{BASE, word};
use crate::config::parse::{choice, megabytes, size, whole};
use crate::config::setting::{Setting, SettingKind};

/// Classes of access to disks.
const IONICE: &[&str] = &["none", "best-effort", "idle"];

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "run.workers",
        key: "workers",
        place: "processing.parallel_jobs",
        flag: Some("workers"),
        value_name: "N",
        kind: SettingKind::Whole { min: 1, max: u32::MAX as u64 },
        in_file: Some(SettingKind::Whole { min: 1, max: 32 }),
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
        place: "resources.max_memory",
        flag: Some("max-memory"),
        value_name: "SIZE",
        kind: SettingKind::Size,
        unit: "bytes",
        default: "8G or 80 % of the machine, whichever is less",
        help: "The most memory for frames, encoders and meters when there is a target, as 4G or 1500M",
        example: "\"8G\"",
        needs_target: true,
        set: |s, v| Ok(s.max_memory = Some(size(v)?)),
        get: |s| s.max_memory.map(megabytes),
        ..BASE
    },
    Setting {
        name: "run.max_cpu",
        key: "max_cpu",
        place: "resources.max_cpu",
        flag: Some("max-cpu"),
        value_name: "PERCENT",
        kind: SettingKind::Whole { min: 1, max: 100 },
        unit: "percent of the cores",
        default: "100",
        help: "How much of the machine's cores encoders and meters may take, in percent",
        example: "100",
        set: |s, v| Ok(s.max_cpu = whole("the most of the processor in percent", v.trim_end_matches('%'), 1, 100u8)?),
        get: |s| Some(s.max_cpu.to_string()),
        ..BASE
    },
    Setting {
        name: "run.max_disk_io",
        key: "max_disk_io",
        place: "resources.max_disk_io",
        flag: Some("max-disk-io"),
        value_name: "SIZE",
        kind: SettingKind::Size,
        unit: "bytes a second",
        default: "no limit",
        help: "The most bytes a second that are read from the source, as 50M",
        example: "\"50M\"",
        set: |s, v| Ok(s.max_disk_io = Some(size(v)?)),
        get: |s| s.max_disk_io.map(megabytes),
        ..BASE
    },
    Setting {
        name: "run.nice",
        key: "nice",
        place: "resources.nice",
        flag: Some("nice"),
        value_name: "N",
        kind: SettingKind::Whole { min: 0, max: 19 },
        default: "0",
        help: "How far the run stands back behind other programs for the processor, 0 to 19 (nice(1))",
        example: "10",
        set: |s, v| Ok(s.nice = whole("nice", v, 0, 19u8)?),
        get: |s| Some(s.nice.to_string()),
        ..BASE
    },
    Setting {
        name: "run.ionice",
        key: "ionice",
        place: "resources.ionice",
        flag: Some("ionice"),
        value_name: "CLASS",
        kind: SettingKind::OneOf(IONICE),
        default: "none",
        help: "How far the run stands back behind other programs for disks: none, best-effort (behind its equals), or idle (ionice(1); Linux)",
        example: "\"idle\"",
        set: |s, v| Ok(s.ionice = choice("ionice", v, IONICE)?),
        get: |s| word(&s.ionice),
        ..BASE
    },
];
