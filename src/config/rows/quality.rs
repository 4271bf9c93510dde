//! What says how good the picture is to be.
// A row's `set` is one assignment, whose value may be refused: `Ok(place = value?)`.
#![allow(clippy::unit_arg)]

use super::row::{BASE, of_target, target};
use crate::config::parse::{choice, flag, number, whole};
use crate::config::setting::{Setting, SettingKind};
use crate::config::{Per, Quality, Target};
use crate::media::Crf;

/// What a target may hold for.
const PER: &[&str] = &["chunk", "title", "title-crf", "samples"];

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "quality.target_vmaf",
        key: "target_vmaf",
        place: "encoding.vmaf_target",
        flag: Some("target-vmaf"),
        value_name: "V",
        kind: SettingKind::Number { min: 1.0, max: 99.0 },
        in_file: Some(SettingKind::Number { min: 70.0, max: 99.0 }),
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
        place: "encoding.vmaf_tolerance",
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
        ..BASE
    },
    Setting {
        name: "quality.per",
        key: "per",
        place: "encoding.per",
        flag: Some("per"),
        value_name: "WHAT",
        kind: SettingKind::OneOf(PER),
        default: "chunk",
        help: "Meet the target in every chunk; over the whole title with the fewest bytes, which it gives to chunks where \
               they do most; over the title at one CRF; or in samples of it, \
               whose CRF the title is encoded at without a look back",
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
        place: "encoding.floor",
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
        ..BASE
    },
    Setting {
        name: "quality.crf_min",
        key: "crf_min",
        place: "encoding.cq_search_min",
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
        place: "encoding.cq_search_max",
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
        place: "processing.chunk_size",
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
        ..BASE
    },
    Setting {
        name: "quality.stride",
        key: "vmaf_stride",
        place: "encoding.vmaf_stride",
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
        ..BASE
    },
    Setting {
        name: "quality.model",
        key: "vmaf_model",
        place: "encoding.vmaf_model",
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
        place: "encoding.crf",
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
        name: "quality.crf_sd",
        key: "crf_sd",
        place: "encoding.crf.sd",
        kind: SettingKind::Number { min: 1.0, max: 63.0 },
        default: "25",
        help: "CRF of pictures up to 1024x576 instead of a target",
        example: "25",
        set: |s, v| {
            s.crf_by_size.sd = Some(v.parse()?);
            Ok(s.fix())
        },
        get: |s| s.crf_by_size.sd.map(|crf| crf.to_string()),
        ..BASE
    },
    Setting {
        name: "quality.crf_hd",
        key: "crf_hd",
        place: "encoding.crf.hd",
        kind: SettingKind::Number { min: 1.0, max: 63.0 },
        default: "25",
        help: "CRF of pictures above that up to 1080p instead of a target",
        example: "25",
        set: |s, v| {
            s.crf_by_size.hd = Some(v.parse()?);
            Ok(s.fix())
        },
        get: |s| s.crf_by_size.hd.map(|crf| crf.to_string()),
        ..BASE
    },
    Setting {
        name: "quality.crf_uhd",
        key: "crf_uhd",
        place: "encoding.crf.uhd",
        kind: SettingKind::Number { min: 1.0, max: 63.0 },
        default: "29",
        help: "CRF of pictures above 1080p instead of a target",
        example: "29",
        set: |s, v| {
            s.crf_by_size.uhd = Some(v.parse()?);
            Ok(s.fix())
        },
        get: |s| s.crf_by_size.uhd.map(|crf| crf.to_string()),
        ..BASE
    },
    Setting {
        name: "quality.measure",
        key: "measure",
        place: "encoding.measure",
        flag: Some("measure"),
        kind: SettingKind::Switch,
        help: "Score every picture at a fixed CRF, too, by VMAF",
        example: "false",
        set: |s, v| Ok(s.measure = flag("measure", v)?),
        get: |s| Some(s.measure.to_string()),
        ..BASE
    },
];
