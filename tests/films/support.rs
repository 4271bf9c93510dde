//! Where films come from, how the program is run, and what others say of a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says, also when output is captured, that a test is left out for want of something; where changes are judged, with `CI`
/// set, nothing may be left out.
#[track_caller]
pub fn missing(what: &str) {
    use std::io::Write;
    let ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    assert!(!ci, "{what}, and CI is set: nothing may be left out");
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

/// The shared folder of real clips, beside the project; `None` (and a word about it) where it is absent.
pub fn media() -> Option<PathBuf> {
    let folder = root().join("../shared/media");
    if folder.join("MANIFEST.tsv").is_file() {
        return Some(folder);
    }
    missing(&format!("there are no real clips in {}", folder.display()));
    None
}

/// A row of the clips' manifest, by column name.
pub type Clip = HashMap<String, String>;

/// All rows of the manifest; empty where there are no clips.
pub fn manifest() -> Vec<Clip> {
    let Some(folder) = media() else { return Vec::new() };
    let text = std::fs::read_to_string(folder.join("MANIFEST.tsv")).expect("the manifest is readable");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split('\t').collect();
    lines.map(|line| names.iter().zip(line.split('\t')).map(|(n, v)| ((*n).into(), v.into())).collect()).collect()
}

/// Whether a program is there; says so where it is not.
pub fn tool(name: &str) -> bool {
    let there = Command::new(name).arg("--version").output().is_ok();
    let there = there || Command::new(name).arg("-version").output().is_ok();
    if !there {
        missing(&format!("{name} is not installed"));
    }
    there
}

/// Whether libavcodec was built with libx264; says so where it was not.
pub fn libx264() -> bool {
    let there = drapto::internals::video::encoder("libx264").is_ok();
    if !there {
        missing("this libavcodec has no libx264");
    }
    there
}

/// The synthetic clip `name`, made by its recipe; `None` where ffmpeg's command line is absent.
pub fn fixture(name: &str) -> Option<PathBuf> {
    if !tool("ffmpeg") {
        return None;
    }
    let made = Command::new(root().join("fixtures/make")).arg(name).output().expect("fixtures/make runs");
    assert!(made.status.success(), "fixtures/make {name}: {}", String::from_utf8_lossy(&made.stderr));
    let folder = root().join("target/fixtures");
    let found = ["mkv", "mp4", "ts", "avi", "vob", "flv", "jpg", "mov"]
        .map(|e| folder.join(format!("{name}.{e}")))
        .into_iter()
        .find(|p| p.is_file());
    Some(found.unwrap_or_else(|| panic!("fixtures/make {name} made no clip")))
}

/// A folder that is removed at the end.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

/// The names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The program under test, without the settings and the cache of who runs the tests.
pub fn drapto() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drapto"));
    command.envs([("XDG_CONFIG_HOME", ""), ("XDG_CONFIG_DIRS", "/nowhere"), ("HOME", "/nowhere")]);
    command.env("DRAPTO_NO_CACHE", "true");
    command
}

/// Whether ffmpeg has these filters, to judge by; says so where not.
pub fn filters(names: &[&str]) -> bool {
    if !tool("ffmpeg") {
        return false;
    }
    let all = String::from_utf8_lossy(&ffmpeg(&["-filters".as_ref()])).into_owned();
    let there = names.iter().all(|name| all.split_whitespace().any(|word| word == *name));
    if !there {
        missing(&format!("this ffmpeg lacks one of the filters {names:?}"));
    }
    there
}

/// Encodes quickly, with a report; at a fixed CRF unless a target is asked for. Panics where that fails.
pub fn encode(input: &Path, output: &Path, more: &[&str]) -> Value {
    let report = output.with_extension("json");
    let chosen = ["--target-vmaf", "--crf", "--config"].iter().any(|flag| more.contains(flag));
    let fixed: &[&str] = if chosen { &[] } else { &["--crf", "25"] };
    let out = drapto()
        .args(["encode", "--preset", "10", "--reencode", "--overwrite", "--report"])
        .arg(&report)
        .args(fixed)
        .args(more)
        .args([input, output])
        .output()
        .expect("drapto runs");
    assert!(out.status.success(), "{}: {}", input.display(), said(&out));
    let report: Value = serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("the report is JSON");
    assert_eq!(report["verification"]["pass"], true);
    report
}

/// Panics where `drapto verify` does not hold `output` for a faithful encode of `source`.
#[track_caller]
pub fn verified(source: &Path, output: &Path) {
    let out = drapto().arg("verify").args([source, output]).output().expect("drapto runs");
    assert!(out.status.success(), "{}: {}{}", source.display(), String::from_utf8_lossy(&out.stdout), said(&out));
}

/// What a program said on standard error.
pub fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// ffprobe's answer as JSON.
pub fn ffprobe(path: &Path, args: &[&str]) -> Value {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args(args)
        .arg(path)
        .output()
        .expect("ffprobe runs");
    assert!(out.status.success(), "ffprobe {}: {}", path.display(), said(&out));
    serde_json::from_slice(&out.stdout).expect("ffprobe's JSON")
}

/// mkvmerge's identification as JSON.
pub fn mkvmerge(path: &Path) -> Value {
    let out = Command::new("mkvmerge").env("LC_ALL", "C.UTF-8").arg("-J").arg(path).output().expect("mkvmerge runs");
    let found: Value = serde_json::from_slice(&out.stdout).expect("mkvmerge's JSON");
    assert_eq!(found["errors"], Value::Array(Vec::new()), "{}", path.display());
    assert_eq!(found["warnings"], Value::Array(Vec::new()), "{}", path.display());
    found
}

/// What the ffmpeg command line writes to standard output.
pub fn ffmpeg(args: &[&std::ffi::OsStr]) -> Vec<u8> {
    let out = Command::new("ffmpeg").args(["-v", "error", "-nostdin"]).args(args).output().expect("ffmpeg runs");
    assert!(out.status.success(), "ffmpeg {args:?}: {}", said(&out));
    out.stdout
}

/// The array at `key`, empty where there is none.
pub fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
