//! `drapto config import`: the settings of the AUTO VMAF ENCODER.
//!
//! Owns what each of its keys means here. Refuses to guess: what has no counterpart is said, and what cannot be is left out
//! and said.

use std::fmt::Write;
use std::path::Path;

use drapto::{Error, ErrorKind, Result, setting};
use ini::{Ini, ParseOption};

/// What became of a file.
pub struct Imported {
    /// A settings file.
    pub toml: String,
    /// Sentences about what is not in it.
    pub notes: Vec<String>,
}

/// What a key means here.
enum Meaning {
    /// A setting of this name, with the same value.
    Same(&'static str),
    /// A setting that is on or off.
    Switch(&'static str),
    /// A suffix, where another key turns it on.
    SuffixIf(&'static str, &'static str),
    /// A number of bytes in MiB.
    Mebibytes(&'static str),
    /// By what samples are chosen: `tier0` to `tier2`, or in words.
    Tier(&'static str),
    /// A limit of which 0 means none.
    Limit(&'static str),
    /// Nothing, because of this.
    None(&'static str),
}

/// The keys of its `config.ini`, in any section.
const KEYS: [(&str, Meaning); 31] = [
    ("encoder_type", Meaning::Same("video.encoder")),
    ("target_vmaf", Meaning::Same("quality.target_vmaf")),
    ("vmaf_tolerance", Meaning::Same("quality.vmaf_tolerance")),
    ("cq_search_min", Meaning::Same("quality.crf_min")),
    ("cq_search_max", Meaning::Same("quality.crf_max")),
    ("output_suffix", Meaning::Same("batch.suffix")),
    ("output_directory", Meaning::Same("batch.directory")),
    ("delete_source_file", Meaning::Switch("batch.delete_source")),
    ("min_size_reduction_threshold", Meaning::Limit("batch.min_reduction")),
    ("skip_encoding_if_target_not_reached", Meaning::Switch("batch.skip_unreachable")),
    ("rename_skipped_files", Meaning::None("")),
    ("skipped_file_suffix", Meaning::SuffixIf("rename_skipped_files", "batch.rename_skipped")),
    ("svt_av1_preset", Meaning::Same("video.preset")),
    ("svt_av1_film_grain", Meaning::Limit("video.film_grain")),
    ("max_workers", Meaning::Same("batch.jobs")),
    (
        "num_parallel_vmaf_runs",
        Meaning::None("chunks are scored while they are encoded, by as many workers as there are"),
    ),
    ("max_iterations", Meaning::None("a chunk is tried until it meets the target or no CRF can")),
    ("enable_cache", Meaning::None("what is worth remembering is; --no-cache turns that off")),
    ("sampling_method", Meaning::Tier("samples.tier")),
    ("num_samples", Meaning::Same("samples.count")),
    ("sample_segment_duration", Meaning::Same("samples.seconds")),
    ("min_scene_changes_required", Meaning::Same("samples.min_scenes")),
    ("min_keyframes_required", Meaning::Same("samples.min_keyframes")),
    ("skip_start_seconds", Meaning::Same("samples.skip_start")),
    ("skip_end_seconds", Meaning::Same("samples.skip_end")),
    ("min_duration_seconds", Meaning::Limit("batch.min_duration")),
    ("min_filesize_mb", Meaning::Mebibytes("batch.min_size")),
    ("output_bit_depth", Meaning::Same("picture.bit_depth")),
    ("min_bitrate_4k_kbps", Meaning::Limit("batch.min_bitrate_2160p")),
    ("min_bitrate_1080p_kbps", Meaning::Limit("batch.min_bitrate_1080p")),
    ("min_bitrate_720p_kbps", Meaning::Limit("batch.min_bitrate_720p")),
];

/// Reads a `config.ini`.
///
/// # Errors
/// `Usage` for what is none.
pub fn read(path: &Path) -> Result<Imported> {
    let place = |e: Error| e.with_file(path);
    let text = std::fs::read_to_string(path)
        .map_err(|e| place(Error::new(ErrorKind::Usage, "cannot read the settings").caused_by(e)))?;
    imported(&text).map_err(place)
}

fn imported(text: &str) -> Result<Imported> {
    // Windows paths have backslashes, and quotes are no part of its form.
    let how = ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
    let file = Ini::load_from_str_opt(text.trim_start_matches('\u{feff}'), how)
        .map_err(|e| Error::new(ErrorKind::Usage, "cannot read it as a config.ini").caused_by(e))?;
    let pairs: Vec<(String, String)> = file
        .iter()
        .flat_map(|(_, keys)| keys.iter())
        .map(|(key, value)| (key.trim().to_lowercase(), without_comment(value).to_owned()))
        .collect();
    let mut out = Taken::default();
    for (key, value) in &pairs {
        out.take(key, value, &pairs);
    }
    if out.values.iter().any(|(place, _)| *place == "encoding.sampling_method") {
        // Its way: without this every chunk of a film is scored and has a CRF of its own, which takes a little longer.
        out.set("sampling_method", "quality.per", "samples");
    }
    Ok(Imported { toml: out.toml(), notes: out.notes })
}

/// A value without what is said of it behind `;` or `#`.
fn without_comment(value: &str) -> &str {
    let end = value
        .char_indices()
        .zip(value.chars().skip(1))
        .find(|((_, c), next)| c.is_whitespace() && matches!(next, ';' | '#'));
    value[..end.map_or(value.len(), |((at, _), _)| at)].trim()
}

/// What was understood so far.
#[derive(Default)]
struct Taken {
    /// Place in a settings file, and value as it stands there.
    values: Vec<(&'static str, String)>,
    notes: Vec<String>,
}

impl Taken {
    fn take(&mut self, key: &str, value: &str, all: &[(String, String)]) {
        let meaning = KEYS.iter().find(|(known, _)| *known == key).map(|(_, meaning)| meaning);
        match meaning {
            None => self.notes.push(format!("{key} = {value}: not a key of the AUTO VMAF ENCODER that is known")),
            Some(Meaning::None("")) => {}
            Some(Meaning::None(why)) => self.notes.push(format!("{key} = {value}: no counterpart: {why}")),
            Some(_) if value.is_empty() => {}
            Some(Meaning::Same(name)) => self.set(key, name, &same(key, value)),
            Some(Meaning::Switch(name)) => match is_on(value) {
                Some(on) => self.set(key, name, if on { "true" } else { "false" }),
                None => self.notes.push(format!("{key} = {value}: neither true nor false; left out")),
            },
            Some(Meaning::SuffixIf(switch, name)) => {
                if all.iter().any(|(key, value)| key == switch && is_on(value) == Some(true)) {
                    self.set(key, name, value);
                }
            }
            Some(Meaning::Tier(name)) => {
                let value = value.to_lowercase();
                let tier = match value.as_str() {
                    tier if tier.contains('0') || tier.contains("scene") => "scenes",
                    tier if tier.contains('1') || tier.contains("key") => "keyframes",
                    tier if tier.contains('2') || tier.contains("interval") || tier.contains("even") => "even",
                    other => other,
                };
                self.set(key, name, tier);
            }
            Some(Meaning::Mebibytes(name)) => match value.parse::<f64>() {
                Ok(0.0) => {}
                Ok(mib) if mib > 0.0 => self.set(key, name, &format!("{}K", (mib * 1024.0).round())),
                _ => self.notes.push(format!("{key} = {value}: no size; left out")),
            },
            Some(Meaning::Limit(name)) => {
                if value.parse::<f64>() != Ok(0.0) {
                    self.set(key, name, value);
                }
            }
        }
    }

    /// Takes a value that the setting takes.
    fn set(&mut self, key: &str, name: &str, value: &str) {
        let taken = setting(name).and_then(|s| s.check_in_file(value).map(|()| s));
        match taken {
            Ok(known) => self.values.push((known.place, toml_value(known.example, value))),
            Err(error) => self.notes.push(format!("{key} = {value}: left out: {error}")),
        }
    }

    /// As a settings file, by sections.
    fn toml(&self) -> String {
        let mut out = String::from("# Imported from a config.ini of the AUTO VMAF ENCODER.\nversion = 3\n");
        let mut sections: Vec<&str> = Vec::new();
        for (section, _) in self.values.iter().filter_map(|(place, _)| place.split_once('.')) {
            if !sections.contains(&section) {
                sections.push(section);
            }
        }
        for section in sections {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "\n[{section}]");
            for (name, value) in self
                .values
                .iter()
                .filter_map(|(place, value)| Some((place.split_once('.')?, value)))
                .filter(|((s, _), _)| *s == section)
                .map(|((_, name), value)| (name, value))
            {
                let _ = writeln!(out, "{name} = {value}");
            }
        }
        out
    }
}

/// A value in this project's words.
fn same(key: &str, value: &str) -> String {
    match key {
        "encoder_type" => match value.to_lowercase().replace(['_', '-'], "").as_str() {
            "svtav1" | "libsvtav1" | "svt" | "av1" => "svt-av1".to_owned(),
            // There it was a wish, where there is the hardware.
            "nvenc" | "av1nvenc" => "nvenc,software".to_owned(),
            "qsv" | "av1qsv" => "qsv,software".to_owned(),
            _ => value.to_owned(),
        },
        "output_bit_depth" => value.trim_end_matches("bit").trim().trim_end_matches('-').to_owned(),
        // Whole numbers may be written with a fraction.
        _ => value.trim_end_matches(".0").to_owned(),
    }
}

fn is_on(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// As TOML: text where the setting's example is text.
fn toml_value(example: &str, value: &str) -> String {
    match example.starts_with('"') {
        true => toml::Value::from(value).to_string(),
        false => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use drapto::SettingValues;

    use super::*;

    const FILE: &str = r"
[Encoding]
encoder_type = svt_av1
target_vmaf = 95.0
vmaf_tolerance = 1.0 ; either way
cq_search_min = 15
cq_search_max = 50
svt_av1_preset = 6
svt_av1_film_grain = 0
output_bit_depth = 10bit
[Output]
output_suffix = _av1
output_directory = C:\films\new
delete_source_file = False
min_size_reduction_threshold = 5.0
skip_encoding_if_target_not_reached = True
rename_skipped_files = yes
skipped_file_suffix = _notAV1
[Performance]
max_workers = 2
num_parallel_vmaf_runs = 3
max_iterations = 7
enable_cache = True
[Sampling]
sampling_method = tier0
num_samples = 3
sample_segment_duration = 5
min_scene_changes_required = 5
min_keyframes_required = 5
skip_start_seconds = 60
skip_end_seconds = 60
[Filters]
min_duration_seconds = 300
min_filesize_mb = 100
min_bitrate_4k_kbps = 8000
min_bitrate_1080p_kbps = 0
min_bitrate_720p_kbps = 1000
colour = blue
";

    #[test]
    fn every_key_becomes_a_setting_or_is_said_to_have_no_counterpart() {
        let got = imported(FILE).unwrap();
        let mut values = SettingValues::new();
        values.read_toml(&got.toml).unwrap();
        let text = |name: &str| values.get(name).unwrap().map(|(text, _)| text.to_owned());
        for (name, value) in [
            ("quality.target_vmaf", Some("95")),
            ("quality.vmaf_tolerance", Some("1")),
            ("quality.crf_min", Some("15")),
            ("quality.crf_max", Some("50")),
            ("video.preset", Some("6")),
            ("video.film_grain", None),
            ("video.encoder", Some("svt-av1")),
            ("picture.bit_depth", Some("10")),
            ("batch.suffix", Some("_av1")),
            ("batch.directory", Some(r"C:\films\new")),
            ("batch.delete_source", Some("false")),
            ("batch.min_reduction", Some("5")),
            ("batch.skip_unreachable", Some("true")),
            ("batch.rename_skipped", Some("_notAV1")),
            ("batch.jobs", Some("2")),
            ("batch.min_duration", Some("300")),
            ("batch.min_size", Some("102400K")),
            ("batch.min_bitrate_2160p", Some("8000")),
            ("batch.min_bitrate_1080p", None),
            ("batch.min_bitrate_720p", Some("1000")),
            ("samples.tier", Some("scenes")),
            ("samples.count", Some("3")),
            ("samples.seconds", Some("5")),
            ("samples.skip_end", Some("60")),
            ("quality.per", Some("samples")),
        ] {
            assert_eq!(text(name).as_deref(), value, "{name}");
        }
        for key in ["num_parallel_vmaf_runs", "max_iterations", "enable_cache", "colour"] {
            assert_eq!(got.notes.iter().filter(|note| note.starts_with(key)).count(), 1, "{key}: {:?}", got.notes);
        }
        assert!(values.resolve("in", "out").is_ok());
    }

    #[test]
    fn what_cannot_be_is_left_out_and_said() {
        let got = imported("[a]\ntarget_vmaf = 60\nencoder_type = a b\ndelete_source_file = maybe\nmax_workers = 99\n")
            .unwrap();
        assert_eq!(got.notes.len(), 4, "{:?}", got.notes);
        assert!(got.notes[0].contains("70 to 99") && got.notes[1].contains("a b"), "{:?}", got.notes);
        let hardware = imported("[a]\nencoder_type = nvenc\n").unwrap();
        assert!(hardware.toml.contains("nvenc,software"), "{}", hardware.toml);
        assert!(!got.toml.contains(" = 60"), "{}", got.toml);
    }
}
