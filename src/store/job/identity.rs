//! What the bytes of chunks depend on.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use crate::base::{Error, ErrorKind, Result};

/// How much of the input's two ends is looked at.
const END: u64 = 1 << 20;

/// A file's facts, and a hash of its two ends.
fn looked_at(path: &Path) -> Result<(Metadata, blake3::Hash)> {
    let failed = |e| Error::new(ErrorKind::Input, "cannot read the input").caused_by(e).with_file(path);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    for from in [0, facts.len().saturating_sub(END)] {
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        (&mut file).take(END).read_to_end(&mut end).map_err(failed)?;
        hasher.update(&end);
    }
    Ok((facts, hasher.finalize()))
}

/// A hash of what a film is, wherever it is and whenever it was written: of its length and its two ends.
///
/// # Errors
/// `Input` where it cannot be read.
pub(crate) fn content_hash(path: &Path) -> Result<[u8; 32]> {
    let (facts, ends) = looked_at(path)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&facts.len().to_le_bytes()).update(ends.as_bytes());
    Ok(*hasher.finalize().as_bytes())
}

/// Named facts; a job goes on only if all are as they were.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Identity(BTreeMap<String, Value>);

impl Identity {
    /// Adds a fact.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds where the input is, its size, its time of change and a hash of its two ends.
    pub(crate) fn with_input(self, path: &Path) -> Result<Self> {
        let (facts, hash) = looked_at(path)?;
        let changed = facts.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Ok(self
            .with("input", absolute.to_string_lossy().into_owned())
            .with("input_bytes", facts.len())
            .with("input_changed", changed.map_or(0, |t| t.as_nanos() as u64))
            .with("input_hash", hash.to_hex().to_string()))
    }

    /// Which fact of an older job is another one, in words; `None` where all are the same.
    pub(crate) fn difference(&self, older: &[u8]) -> Option<String> {
        let Ok(older) = serde_json::from_slice::<BTreeMap<String, Value>>(older) else {
            return Some("the job's own description cannot be read".to_owned());
        };
        let names = self.0.keys().chain(older.keys());
        let name = names.into_iter().find(|name| self.0.get(*name) != older.get(*name))?;
        let words = |value: Option<&Value>| match value {
            None => "nothing".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        if name.starts_with("input") {
            return Some("the input changed".to_owned());
        }
        let (was, is) = (words(older.get(name)), words(self.0.get(name)));
        Some(format!("{} was {was} and is {is}", name.replace('_', " ")))
    }

    /// All facts as one JSON object.
    pub(crate) fn to_value(&self) -> Value {
        Value::Object(self.0.clone().into_iter().collect())
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(&self.0)
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot write the job's description as JSON").caused_by(e))
    }
}
