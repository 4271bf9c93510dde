//! What was found out about a source, kept in the job directory so that a run that goes on need not look again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::job::{Identity, write_whole};
use crate::base::{Error, ErrorKind, Result};
use crate::plan::{FACTS_VERSION, SourceFacts};

/// Facts and the file they are of.
#[derive(Serialize, Deserialize)]
struct KeptFacts {
    /// The input as [`Identity::with_input`] describes it.
    source: serde_json::Value,
    facts: SourceFacts,
}

fn path(job: &Path) -> PathBuf {
    job.join("encode_data").join("facts.json")
}

fn source(input: &Path) -> Result<serde_json::Value> {
    Ok(Identity::default().with_input(input)?.to_value())
}

/// The facts kept in `job` of the very file `input`; `None` where there are none, or of another file or version.
pub(crate) fn load(job: &Path, input: &Path) -> Option<SourceFacts> {
    let kept: KeptFacts = serde_json::from_slice(&std::fs::read(path(job)).ok()?).ok()?;
    let same = source(input).is_ok_and(|source| source == kept.source);
    Some(kept.facts).filter(|facts| same && facts.version == FACTS_VERSION)
}

/// Keeps `facts` of `input` in `job`, which exists.
///
/// # Errors
/// `Input` where the source cannot be read, `Output` where the job cannot be written.
pub(crate) fn save(job: &Path, input: &Path, facts: &SourceFacts) -> Result<()> {
    let kept = KeptFacts { source: source(input)?, facts: facts.clone() };
    let text = serde_json::to_vec_pretty(&kept)
        .map_err(|e| Error::new(ErrorKind::Encode, "cannot write what is known of the source as JSON").caused_by(e))?;
    write_whole(&path(job), &text)
}
