//! One CRF for a whole film, from the right CRFs of some of its chunks.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::chunks::ChunkMeans;
use super::prior::{ChunkOutcome, forecast, usual_slope};
use super::search::{Forecast, Reading, SearchRules};
use crate::media::Crf;

/// About how many chunks a film is calibrated on for one CRF.
const CALIBRATED: f64 = 8.0;

/// The same for a CRF for each chunk, which learns as it goes.
const CALIBRATED_FEW: f64 = 3.0;

/// How a title meets its target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleWay {
    /// At one CRF.
    OneCrf,
    /// With the fewest bytes: each chunk at a CRF where a byte does as much as in any other.
    EqualSlope {
        /// The score below which no chunk may fall.
        floor: f64,
        /// How many frames a stretch has, of which the worst is raised above that at one CRF.
        stretch: u64,
    },
}

/// What a title is made by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TitleRules {
    /// Which chunks are encoded before anything is decided.
    pub calibration: Calibration,
    /// How it meets its target.
    pub way: TitleWay,
}

impl TitleRules {
    /// For a film of `film_s` seconds, as far as that is known, in chunks of about `chunk_s`.
    pub fn new(way: TitleWay, film_s: Option<f64>, chunk_s: f64) -> Self {
        let about = match way {
            TitleWay::OneCrf => CALIBRATED,
            TitleWay::EqualSlope { .. } => CALIBRATED_FEW,
        };
        TitleRules { calibration: Calibration::of(film_s, chunk_s, about), way }
    }
}

/// Which chunks of a film are calibrated on: one in every so many, spread over the film.
///
/// Law: depends on the film's length and on indices alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    every: usize,
}

impl Calibration {
    /// For a film of `film_s` seconds, as far as that is known, in chunks of about `chunk_s`.
    fn of(film_s: Option<f64>, chunk_s: f64, about: f64) -> Self {
        let chunks = film_s.unwrap_or(0.0) / chunk_s.max(0.1);
        Calibration { every: ((chunks / about) as usize).max(1) }
    }

    /// Whether chunk `index` is one of them; every film has at least one, for which the number of its chunks has to be
    /// known where there are fewer than its length let expect.
    pub fn includes(self, index: usize, chunks: Option<usize>) -> bool {
        let first = self.every / 2;
        index % self.every == first || chunks.is_some_and(|n| n <= first && index + 1 == n)
    }
}

/// What is thought of a chunk that was only probed, after the chunks that were `calibrated`.
pub fn probed(
    calibrated: &[ChunkOutcome],
    means: &ChunkMeans,
    probe: f64,
    rules: &SearchRules,
) -> Option<ChunkOutcome> {
    let Forecast { slope, reading, .. } = forecast(calibrated, means, Some(probe), rules);
    let Reading { crf, score } = reading?;
    Some(ChunkOutcome { means: *means, crf, score, probe: Some(probe), slope: Some(slope) })
}

/// The CRF at which a film whose chunks are like these, each with its number of frames, meets the target in the
/// harmonic mean over all frames.
pub fn title_crf(chunks: &[(ChunkOutcome, u64)], rules: &SearchRules) -> Crf {
    let curve = &rules.curve;
    let target = curve.distance(rules.target);
    let score_at = |crf: Crf| {
        let (mut sum, mut frames) = (0.0, 0.0);
        for (outcome, n) in chunks {
            let slope = outcome.slope.unwrap_or_else(|| usual_slope(curve, &outcome.means));
            let score = curve.score(curve.distance(outcome.score) + slope * (crf.as_f64() - outcome.crf.as_f64()));
            sum += *n as f64 / (score.clamp(curve.lowest, curve.highest) + 1.0);
            frames += *n as f64;
        }
        frames / sum - 1.0
    };
    let miss = |crf: &Crf| (curve.distance(score_at(*crf)) - target).abs();
    rules.crfs().min_by(|a, b| miss(a).total_cmp(&miss(b))).unwrap_or(rules.min)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(crf: u8, frames: u64) -> (ChunkOutcome, u64) {
        let means = ChunkMeans::default();
        (ChunkOutcome { means, crf: Crf::whole(crf).unwrap(), score: 93.0, probe: None, slope: Some(0.04) }, frames)
    }

    #[test]
    fn chunks_that_agree_are_agreed_with_and_long_ones_count_more() {
        assert_eq!(title_crf(&[chunk(31, 100), chunk(31, 9)], &SearchRules::of_tests(93.0)), Crf::whole(31).unwrap());
        let mostly_low = title_crf(&[chunk(30, 900), chunk(50, 100)], &SearchRules::of_tests(93.0));
        let mostly_high = title_crf(&[chunk(30, 100), chunk(50, 900)], &SearchRules::of_tests(93.0));
        assert!(mostly_low < mostly_high, "{mostly_low} {mostly_high}");
    }

    #[test]
    fn chunks_that_were_only_probed_count_by_their_probes() {
        let rules = SearchRules::of_tests(93.0);
        let means = ChunkMeans { motion: 1.0, ..ChunkMeans::default() };
        let calibrated: Vec<ChunkOutcome> =
            (0..8).map(|_| ChunkOutcome { means, probe: Some(91.0), ..chunk(38, 1).0 }).collect();
        let title = |probe| {
            let others = probed(&calibrated, &means, probe, &rules).unwrap();
            let all: Vec<_> = calibrated.iter().map(|o| (o.clone(), 100)).chain([(others, 9200)]).collect();
            title_crf(&all, &rules).as_f64()
        };
        assert!((title(91.0) - 38.0).abs() <= 1.0, "as the others: {}", title(91.0));
        assert!(title(93.5) > 42.0 && title(88.0) < 34.0, "{} {}", title(93.5), title(88.0));
    }

    #[test]
    fn a_film_has_about_eight_calibrated_chunks_and_never_none() {
        let count = |film_s, chunks| {
            let calibration = Calibration::of(film_s, 15.0, CALIBRATED);
            (0..chunks).filter(|&i| calibration.includes(i, Some(chunks))).count()
        };
        assert_eq!(count(Some(7200.0), 480), 8);
        assert_eq!(count(Some(60.0), 4), 4);
        assert_eq!(count(Some(7200.0), 1), 1, "a duration that is wrong");
        assert_eq!(count(None, 3), 3);
    }

    proptest! {
        #[test]
        fn the_crf_of_a_title_lies_between_those_of_its_chunks(crfs in proptest::collection::vec((8u8..=55, 1u64..500), 1..12)) {
            let chunks: Vec<_> = crfs.iter().map(|&(crf, frames)| chunk(crf, frames)).collect();
            let crf = title_crf(&chunks, &SearchRules::of_tests(93.0));
            let (low, high) = (crfs.iter().map(|c| c.0).min().unwrap(), crfs.iter().map(|c| c.0).max().unwrap());
            prop_assert!((Crf::whole(low).unwrap()..=Crf::whole(high).unwrap()).contains(&crf), "{crf}");
        }
    }
}
