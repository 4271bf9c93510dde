//! The part of the scheduler for a title with one CRF.
//!
//! The chunks it is calibrated on are searched, each on its own, and all others probed where probes are made; when the
//! whole film was read and all of that is known, the CRF is decided and written down, and every chunk is encoded at it
//! and scored. Bytes a search made at that very CRF are kept.
#![deny(unsafe_code)]

use super::super::prior::ChunkOutcome;
use super::super::search::SearchRules;
use super::super::title::{Calibration, probed, title_crf};
use super::work::ChunkWork;
use crate::media::Crf;

/// One CRF for all chunks: that at which the film as a whole meets the target, by the chunks it is calibrated on.
#[derive(Clone, Copy, Debug)]
pub(super) struct TitleState {
    pub(super) calibration: Calibration,
    /// Known when those were searched.
    pub(super) crf: Option<Crf>,
}

/// The CRF of a title whose chunks are `works`, each with what its search came to if it was searched.
pub(super) fn decide(works: &[(&ChunkWork, Option<&ChunkOutcome>)], rules: &SearchRules) -> Option<Crf> {
    let calibrated: Vec<ChunkOutcome> = works.iter().filter_map(|(_, outcome)| outcome.cloned()).collect();
    let of = |(work, outcome): &(&ChunkWork, Option<&ChunkOutcome>)| {
        let only_probed = || probed(&calibrated, &work.facts.means, work.probe?, rules);
        Some((outcome.cloned().or_else(only_probed)?, work.facts.frames))
    };
    let known: Vec<_> = works.iter().filter_map(of).collect();
    (!known.is_empty()).then(|| title_crf(&known, rules))
}
