//! Version 2 is flat, but for CRFs and the encoder's own parameters; version 3 has sections.

use super::entry::Entry;

pub(super) fn migrate(entries: Vec<Entry>) -> Vec<Entry> {
    entries.into_iter().map(moved).collect()
}

/// A key that is not known stays where it is: that it is not known is told later.
fn moved(entry: Entry) -> Entry {
    let place: Vec<String> = entry.place.clone();
    match place.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [table, name] => match TABLES.iter().find(|(known, _)| known == table) {
            Some((_, now)) => entry.moved(&[*now, &[*name]].concat()),
            None => entry,
        },
        [key] => match PLACES.iter().find(|(known, _)| known == key) {
            Some((_, now)) => in_its_unit(entry, key).moved(now),
            None => entry,
        },
        _ => entry,
    }
}

/// Memory was a number of MiB.
fn in_its_unit(entry: Entry, key: &str) -> Entry {
    match (key, &entry.value) {
        ("max_memory_mib", toml::Value::Integer(mib)) => Entry { value: format!("{mib}M").into(), ..entry },
        _ => entry,
    }
}

/// Tables of version 2, and what they are since.
const TABLES: [(&str, &[&str]); 2] = [("crf", &["encoding", "crf"]), ("svt", &["encoding", "svt_params"])];

/// Keys of version 2, and where they stand since.
pub(super) const PLACES: [(&str, &[&str]); 33] = [
    ("target_vmaf", &["encoding", "vmaf_target"]),
    ("vmaf_tolerance", &["encoding", "vmaf_tolerance"]),
    ("per", &["encoding", "per"]),
    ("floor", &["encoding", "floor"]),
    ("crf_min", &["encoding", "cq_search_min"]),
    ("crf_max", &["encoding", "cq_search_max"]),
    ("chunk_size", &["processing", "chunk_size"]),
    ("vmaf_stride", &["encoding", "vmaf_stride"]),
    ("vmaf_model", &["encoding", "vmaf_model"]),
    ("measure", &["encoding", "measure"]),
    ("workers", &["processing", "parallel_jobs"]),
    ("max_memory_mib", &["resources", "max_memory"]),
    ("preset", &["encoding", "preset"]),
    ("keep_start", &["output", "keep_start"]),
    ("extract_captions", &["output", "extract_captions"]),
    ("crop", &["crop", "mode"]),
    ("scale", &["encoding", "scale"]),
    ("bit_depth", &["encoding", "bit_depth"]),
    ("deinterlace", &["encoding", "deinterlace"]),
    ("dolby_vision", &["encoding", "dolby_vision"]),
    ("film_grain", &["encoding", "film_grain"]),
    ("hwaccel", &["processing", "hwaccel"]),
    ("sequence", &["input", "sequence"]),
    ("frame_rate", &["input", "frame_rate"]),
    ("reencode", &["filters", "reencode"]),
    ("audio", &["audio", "mode"]),
    ("overwrite", &["output", "overwrite"]),
    ("no_provenance", &["output", "no_provenance"]),
    ("accept_damage", &["input", "accept_damage"]),
    ("encoder", &["encoding", "encoder"]),
    ("temp_dir", &["processing", "temp_dir"]),
    ("keep_temp", &["processing", "keep_temp"]),
    ("stall_timeout", &["processing", "stall_timeout"]),
];
