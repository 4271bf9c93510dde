//! Where the tests find films.
#![allow(dead_code)]

use std::path::PathBuf;

/// The shared folder of real clips, beside the project; `None` (and a word about it) where it is absent.
pub fn media() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/media");
    if folder.join("MANIFEST.tsv").is_file() {
        return Some(folder);
    }
    eprintln!("skipped: there are no real clips in {}", folder.display());
    None
}

/// A row of the clips' manifest.
pub struct Clip {
    pub path: String,
    pub frames_decoded: Option<u64>,
    pub full: std::collections::HashMap<String, String>,
}

/// All rows of the manifest.
pub fn manifest() -> Vec<Clip> {
    let Some(folder) = media() else { return Vec::new() };
    let text = std::fs::read_to_string(folder.join("MANIFEST.tsv")).expect("the manifest is readable");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split('\t').collect();
    lines
        .map(|line| {
            let full: std::collections::HashMap<String, String> =
                names.iter().zip(line.split('\t')).map(|(n, v)| ((*n).to_owned(), v.to_owned())).collect();
            Clip {
                path: full.get("file").or(full.get("path")).cloned().unwrap_or_default(),
                frames_decoded: full.get("frames_decoded").and_then(|v| v.parse().ok()),
                full,
            }
        })
        .collect()
}
