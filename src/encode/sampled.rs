//! Outputs whose CRF follows from samples of the film: they become outputs at that CRF.

use super::wanted::wanted;
use crate::base::{CancelToken, Result};
use crate::config::{EncodeSettings, Per, Quality};
use crate::container::Format;
use crate::event::{Event, Sink};
use crate::media::{Crf, MediaInfo, StreamInfo};
use crate::plan::{PicturePlan, SourceFacts};
use crate::report::Report;
use crate::search::{SampleReport, SearchInput};
use crate::stages::disks::DiskWatch;
use crate::stages::progress::{JobProgress, Pulse, Teller};

/// What is known of the source, and who watches.
pub(super) struct Sampling<'a> {
    pub(super) info: &'a MediaInfo,
    pub(super) facts: &'a SourceFacts,
    pub(super) main: &'a StreamInfo,
    pub(super) sink: &'a dyn Sink,
    pub(super) cancel: &'a CancelToken,
    pub(super) pulse: &'a Pulse,
    pub(super) disks: &'a DiskWatch,
}

impl Sampling<'_> {
    /// The settings of each output, with what its samples came to where it has some.
    pub(super) fn resolve(&self, outputs: &[EncodeSettings]) -> Result<Vec<(EncodeSettings, Option<SampleReport>)>> {
        outputs.iter().map(|settings| self.resolved(settings)).collect()
    }

    fn resolved(&self, settings: &EncodeSettings) -> Result<(EncodeSettings, Option<SampleReport>)> {
        let target = match &settings.quality {
            Quality::Target(target) if target.per == Per::Samples => target,
            _ => return Ok((settings.clone(), None)),
        };
        let wanted = wanted(settings, Format::of_name(&settings.output), self.facts)?;
        let picture = PicturePlan::new(self.facts, self.main, &wanted)?;
        let search = SearchInput { settings, target, info: self.info, facts: self.facts, picture: &picture };
        let teller = Teller {
            sink: self.sink,
            frames: None,
            seconds: self.info.duration_s,
            stall_timeout: settings.stall_timeout,
            pulse: self.pulse,
            job: &JobProgress::new(1),
            disks: self.disks,
        };
        let found = search.sampled(&teller, self.cancel)?;
        self.sink.event(&Event::Sampled { crf: found.crf, vmaf: found.score, reached: found.reached });
        if !found.reached {
            let message = format!(
                "samples of it score {:.2} at CRF {}, and no CRF brings them within {} of {}",
                found.score, found.crf, target.tolerance, target.vmaf
            );
            self.sink.event(&Event::Warning { message });
        }
        let quality = Quality::Crf(Some(Crf::from_f64(found.crf)?));
        Ok((EncodeSettings { quality, ..settings.clone() }, Some(found)))
    }
}

/// Puts into reports what their samples came to.
pub(super) fn report(reports: &mut [Report], samples: Vec<Option<SampleReport>>) {
    for (report, samples) in reports.iter_mut().zip(samples) {
        if samples.is_some() {
            report.quality.mode = Per::Samples.name();
        }
        report.samples = samples;
    }
}
