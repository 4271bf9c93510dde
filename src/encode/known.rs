//! What is known of a source: from an earlier run of the same job, from one of any job, or by looking.

use crate::analyze::{Analysis, Looks};
use crate::base::Result;
use crate::config::{Crop, EncodeSettings};
use crate::plan::{FACTS_VERSION, Finding, SourceFacts};
use crate::stages::versions;
use crate::store::cache::{Cache, FileMark};
use crate::store::facts;

/// What facts of sources are kept as.
const KIND: &str = "source";

/// What is known of the source of `outputs`.
///
/// # Errors
/// As [`Analysis::facts`].
pub(super) fn facts_of(outputs: &[EncodeSettings], analysis: Analysis) -> Result<SourceFacts> {
    let looks = Looks { crop: outputs.iter().any(|o| o.picture.crop == Crop::Auto), fields: true };
    // A look that failed is made again.
    let enough = |facts: &SourceFacts| {
        let crop = !looks.crop || matches!(facts.crop, Finding::Found(_));
        crop && matches!(facts.fields, Finding::Found(_))
    };
    let of_job = |o: &EncodeSettings| facts::load(&o.job_dir()?, o.source()).filter(enough);
    if let Some(facts) = outputs.iter().find_map(of_job) {
        return Ok(facts);
    }
    let memory = outputs.first().and_then(FactMemory::open);
    if let Some(facts) = memory.as_ref().and_then(FactMemory::known).filter(enough) {
        tracing::info!("the source was looked at in an earlier run");
        return Ok(facts);
    }
    let facts = analysis.facts(looks)?;
    if let Some(memory) = memory.filter(|_| enough(&facts)) {
        memory.keep(&facts);
    }
    Ok(facts)
}

/// Facts of one file, in the user's cache.
struct FactMemory {
    cache: Cache,
    file: FileMark,
    /// Of what looks: another decoder may see something else.
    version: String,
}

impl FactMemory {
    /// Of the source, as it is now; `None` where nothing is remembered, or the source is no file that stays.
    fn open(settings: &EncodeSettings) -> Option<Self> {
        let place = settings.cache().filter(|_| settings.read_from.is_none())?;
        let (cache, said) =
            Cache::open(place).inspect_err(|error| tracing::warn!(%error, "facts are not remembered")).ok()?;
        said.iter().for_each(|warning| tracing::warn!(%warning, "the cache"));
        let libraries = versions().into_iter().map(|(name, version)| format!(", {name} {version}"));
        let version = libraries.fold(FACTS_VERSION.to_string(), |all, library| all + &library);
        Some(FactMemory { cache, file: FileMark::of(settings.source()).ok()?, version })
    }

    fn known(&self) -> Option<SourceFacts> {
        serde_json::from_str(&self.cache.facts(&self.file, KIND, &self.version)?).ok()
    }

    fn keep(&self, facts: &SourceFacts) {
        if let Ok(json) = serde_json::to_string(facts) {
            self.cache.keep_facts(&self.file, KIND, &self.version, &json);
        }
    }
}
