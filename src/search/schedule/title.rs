//! The part of the scheduler for a title with one CRF.
//!
//! The chunks it is calibrated on are searched, each on its own, and all others probed where probes are made; when the
//! whole film was read and all of that is known, the CRF is decided and written down, and every chunk is encoded at it
//! and scored. Bytes a search made at that very CRF are kept.

use super::{Schedule, Work, unknown};
use crate::base::Result;
use crate::media::Crf;
use crate::plan::{Calibration, Observation, Outcome, probed, slope_of, title_crf};

/// One CRF for all chunks: that at which the film as a whole meets the target, by the chunks it is calibrated on.
pub(crate) struct Title {
    pub(crate) calibration: Calibration,
    /// Known when those were searched.
    pub(crate) crf: Option<Crf>,
}

impl Schedule {
    /// Whether a chunk is worked on now: until the CRF of a title is known, those it is calibrated on, each once.
    pub(crate) fn is_due(&self, index: usize) -> bool {
        match &self.title {
            Some(Title { calibration, crf: None }) => {
                let chunks = self.ended.then_some(self.outcomes.len());
                calibration.includes(index, chunks) && self.outcomes[index].is_none()
            }
            _ => true,
        }
    }

    pub(crate) fn title_crf(&self) -> Option<Crf> {
        self.title.as_ref()?.crf
    }

    /// Decides the CRF of the title once all it depends on is known.
    pub(crate) fn decide_title(&mut self) -> Result<()> {
        let Some(Title { crf: None, .. }) = self.title else { return Ok(()) };
        let unknown = |(index, work): (&usize, &Work)| {
            let probed = work.probe.is_some() || !super::super::probe::pays(self.settings.preset);
            self.is_due(*index) || !(probed || self.outcomes[*index].is_some())
        };
        if !self.ended || self.works.iter().any(unknown) {
            return Ok(());
        }
        let calibrated: Vec<Outcome> = self.works.keys().filter_map(|&index| self.outcomes[index].clone()).collect();
        let of = |work: &Work| {
            let only_probed = || probed(&calibrated, &work.chunk.means, work.probe?, &self.rules);
            Some((self.outcomes[work.chunk.index()].clone().or_else(only_probed)?, work.chunk.len()))
        };
        let known: Vec<_> = self.works.values().filter_map(of).collect();
        if known.is_empty() {
            return Ok(());
        }
        let crf = title_crf(&known, &self.rules);
        tracing::info!(%crf, chunks = known.len(), "the title is calibrated");
        self.job.record_title(crf)?;
        if let Some(title) = &mut self.title {
            title.crf = Some(crf);
        }
        Ok(())
    }

    /// Takes what the search of a calibrated chunk came to.
    pub(crate) fn calibrated(&mut self, index: usize, crf: Crf) -> Result<()> {
        let work = self.works.get(&index).ok_or_else(unknown)?;
        let tries = || self.job.tries(index).iter().map(|t| t.observation());
        let at_crf = |t: &Observation| t.whole && t.crf == crf;
        let score = tries().rfind(at_crf).ok_or_else(unknown)?.score;
        let outcome = Outcome {
            means: work.chunk.means,
            crf,
            score,
            probe: work.probe,
            slope: slope_of(&self.rules.curve, tries()),
        };
        self.outcomes[index] = Some(outcome);
        Ok(())
    }
}
