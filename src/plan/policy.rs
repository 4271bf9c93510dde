//! What happens to a chunk whose search does not land: tried again more carefully, then with less asked.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::search::{Clamp, Forecast, Observation, Search, SearchRules, Step};

/// Whole tries in each tier after the first.
const TRIES_OF_LATER_TIERS: u32 = 3;

/// How a chunk is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// As configured.
    Configured,
    /// Every frame scored, in steps as fine as the encoder has.
    EveryFrame,
    /// As before, for a target lower by [`Curve::lowered`](super::Curve::lowered).
    Lowered,
}

impl Tier {
    /// In words.
    pub fn reason(self) -> &'static str {
        match self {
            Tier::Configured => "the search as configured",
            Tier::EveryFrame => "again with every frame scored",
            Tier::Lowered => "the target lowered by 2",
        }
    }
}

/// The search of one chunk through its tiers.
///
/// Law: as of [`Search`].
#[derive(Clone, Debug)]
pub struct ChunkSearch {
    rules: SearchRules,
    slope: f64,
    tier: Tier,
    search: Search,
}

impl ChunkSearch {
    /// A search that begins where `forecast` says.
    pub fn new(rules: SearchRules, forecast: Forecast) -> Self {
        let search = Search::new(rules.clone(), forecast);
        ChunkSearch { search, rules, slope: forecast.slope, tier: Tier::Configured }
    }

    /// The tier it is in.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The score aimed at.
    pub fn aim(&self) -> f64 {
        self.search.aim()
    }

    /// Distance a CRF, as far as its tries, its probe and the film have shown.
    pub fn slope(&self) -> f64 {
        self.search.slope_at_hand()
    }

    /// Why what lands within the tolerance does not meet the target as asked, if it does not.
    pub fn clamp_of_landing(&self) -> Option<Clamp> {
        match self.tier {
            Tier::Lowered => Some(Clamp::Missed),
            _ => (self.aim() < self.rules.target).then_some(Clamp::Ceiling),
        }
    }

    /// Whether the next try may be stopped early; see [`Search::may_stop`].
    pub fn may_stop(&self) -> bool {
        self.search.may_stop()
    }

    /// What to do next; see [`Search::next`]. What meets no more than the lowered target has missed the one asked for.
    pub fn next(&self) -> Step {
        match self.search.next() {
            Step::Done { crf, clamp: None } if self.tier == Tier::Lowered => {
                Step::Done { crf, clamp: Some(Clamp::Missed) }
            }
            step => step,
        }
    }

    /// Takes the score of the source against itself.
    pub fn observe_ceiling(&mut self, ceiling: f64) {
        self.search.observe_ceiling(ceiling);
    }

    /// Takes what a try came to, and goes to the next tier when the search missed.
    pub fn observe(&mut self, seen: Observation) {
        self.search.observe(seen);
        let Step::Done { crf, clamp: Some(Clamp::Missed) } = self.search.next() else { return };
        let missed_below = self.search.points().iter().any(|p| p.crf == crf && p.score < self.search.aim());
        let mut rules = SearchRules { step: self.rules.finest, max_tries: TRIES_OF_LATER_TIERS, ..self.rules.clone() };
        match self.tier {
            Tier::Configured => self.tier = Tier::EveryFrame,
            Tier::EveryFrame if missed_below => {
                self.tier = Tier::Lowered;
                rules.target -= self.rules.curve.lowered;
            }
            Tier::EveryFrame | Tier::Lowered => return,
        }
        let mut search = Search::new(rules, Forecast { crf, slope: self.slope, reading: None });
        if let Some(ceiling) = self.search.ceiling() {
            search.observe_ceiling(ceiling);
        }
        // Scores by another stride are close, but no verdict; so they guide and are not kept.
        for point in self.search.points() {
            let same_scores = self.tier == Tier::Lowered;
            search.observe(Observation { whole: point.whole && same_scores, ..*point });
        }
        self.search = search;
    }
}
