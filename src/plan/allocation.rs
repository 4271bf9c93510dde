//! A CRF for each chunk of a title, so that the title meets its target with the fewest bytes.
//!
//! Where the title's score is the harmonic mean over its frames, what is given up for a byte saved is the same in all
//! chunks at the optimum (Lagrange): each chunk takes the CRF at which its bytes and `lambda` times its part of the sum of
//! `1 / (score + 1)` are least together, and `lambda` is what makes the title meet its target. Equal scores spend bytes
//! where they do little; one CRF leaves what is hard behind.
//!
//! What a chunk scores at a CRF follows from a point on its curve and its slope, what it takes from its probe's bytes:
//! over 49 chunks of nine films they fell by 4 to 9 % a CRF, and what a probe's bytes were off by was nearly the same
//! within a film, so that it cancels. A part of what is saved goes to the film's worst stretch; see
//! [`stretch`](super::stretch).
#![deny(unsafe_code)]

use super::search::SearchRules;
use super::stretch::{ABOVE_FLOOR, TitleFloor};
use crate::media::Crf;

/// How much less, in natural logarithms, a CRF more of SVT-AV1 takes.
const BYTES_A_CRF: f64 = 0.06;

/// A chunk as the allocation sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ChunkCost {
    pub(super) frames: u64,
    /// A point of its curve.
    pub(super) crf: Crf,
    pub(super) score: f64,
    /// Distance a CRF.
    pub(super) slope: f64,
    /// What it takes at one CRF that is the same for all, in a unit that is the same for all.
    pub(super) bytes: f64,
    /// Distance by which its worst stretch is below its mean.
    pub(super) dip: f64,
}

/// A chunk's part in the title.
#[derive(Clone, Debug)]
pub(super) enum TitlePart {
    /// It scores this, whatever else.
    Fixed { frames: u64, score: f64 },
    /// It may take any of these.
    Open(Vec<Choice>),
}

/// One CRF of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    crf: Crf,
    bytes: f64,
    /// Its part of the sum of `1 / (score + 1)` over the frames of the title.
    loss: f64,
}

impl ChunkCost {
    /// What it would score at `crf`.
    pub(super) fn score_at(&self, crf: Crf, rules: &SearchRules) -> f64 {
        self.score_below(crf.as_f64(), 0.0, rules)
    }

    /// What is a distance of `dip` below its mean at `crf`.
    fn score_below(&self, crf: f64, dip: f64, rules: &SearchRules) -> f64 {
        let curve = &rules.curve;
        let distance = curve.distance(self.score) + self.slope * (crf - self.crf.as_f64()) + dip;
        curve.score(distance).clamp(curve.lowest, curve.highest)
    }

    fn bytes_at(&self, crf: f64, rules: &SearchRules) -> f64 {
        self.bytes * (-BYTES_A_CRF * rules.scale.steepness * crf).exp()
    }

    /// The least it may score.
    pub(super) fn least(&self, floor: &TitleFloor, rules: &SearchRules) -> f64 {
        let curve = &rules.curve;
        let above = |least: f64| least + ABOVE_FLOOR * rules.tolerance;
        let by_stretch = floor.stretch.map(|(_, least)| curve.score(curve.distance(above(least)) - self.dip));
        above(floor.chunk).max(by_stretch.unwrap_or(curve.lowest))
    }

    /// All CRFs at which it is forecast to be above `floor`; the lowest where none is.
    pub(super) fn open(&self, floor: &TitleFloor, rules: &SearchRules) -> TitlePart {
        let least = self.least(floor, rules);
        let choice = |crf: Crf| {
            let loss = self.frames as f64 / (self.score_at(crf, rules) + 1.0);
            Choice { crf, bytes: self.bytes_at(crf.as_f64(), rules), loss }
        };
        let choices: Vec<Choice> = rules.crfs().filter(|crf| self.score_at(*crf, rules) >= least).map(choice).collect();
        TitlePart::Open(if choices.is_empty() { vec![choice(rules.min)] } else { choices })
    }
}

/// How much of the bytes of one CRF a title takes at the most where its worst stretch is raised.
const AFFORDED: f64 = 0.975;

/// By how much its worst stretch is raised above that at one CRF at the most, and in what steps: scores.
const MOST_RAISED: f64 = 1.75;
const RAISED_BY: f64 = 0.25;

/// The score below which no stretch of `length` frames is to fall, in a title whose chunks are `costs` and may not fall
/// below `floor`: above the worst at one CRF, by as much as can be had for a part of what equal slope saves. None where
/// there is nothing to save.
pub(super) fn raised_stretch(costs: &[ChunkCost], floor: f64, length: u64, rules: &SearchRules) -> Option<TitleFloor> {
    let frames: u64 = costs.iter().map(|c| c.frames).sum();
    let most = frames as f64 / (rules.target + 1.0);
    let one = one_crf(costs, most, rules);
    let worst = costs.iter().map(|c| c.score_below(one, c.dip, rules)).min_by(f64::total_cmp)?;
    let raised = |steps: u32| {
        let least = worst + f64::from(steps) * RAISED_BY;
        TitleFloor { chunk: floor, stretch: Some((length, least)) }
    };
    let steps = (MOST_RAISED / RAISED_BY) as u32;
    (0..=steps).rev().map(raised).find(|floor| part_of_one_crf(costs, floor, rules) <= AFFORDED)
}

/// The bytes that equal slope takes, as a part of those of the one CRF at which the title scores the same.
fn part_of_one_crf(costs: &[ChunkCost], floor: &TitleFloor, rules: &SearchRules) -> f64 {
    let parts: Vec<TitlePart> = costs.iter().map(|c| c.open(floor, rules)).collect();
    let crfs = equal_slope(&parts, costs.iter().map(|c| c.frames).sum(), rules.target);
    let both = || costs.iter().zip(&crfs);
    let loss = both().map(|(c, crf)| c.frames as f64 / (c.score_at(*crf, rules) + 1.0)).sum();
    let one = one_crf(costs, loss, rules);
    let of_one: f64 = costs.iter().map(|c| c.bytes_at(one, rules)).sum();
    both().map(|(c, crf)| c.bytes_at(crf.as_f64(), rules)).sum::<f64>() / of_one
}

/// The one CRF, of any fraction, at which the sum of `1 / (score + 1)` over all frames is `most`.
fn one_crf(costs: &[ChunkCost], most: f64, rules: &SearchRules) -> f64 {
    let (mut low, mut high) = (rules.min.as_f64(), rules.max.as_f64());
    for _ in 0..32 {
        let middle = (low + high) / 2.0;
        let loss: f64 = costs.iter().map(|c| c.frames as f64 / (c.score_below(middle, 0.0, rules) + 1.0)).sum();
        if loss > most { high = middle } else { low = middle }
    }
    low
}

/// The choice of each part that is open, in order, with which the title of `frames` meets `target` in the harmonic mean
/// with the fewest bytes; the best or the cheapest of each where the target cannot be met or missed.
///
/// Law: depends on what it is given alone; the title it forecasts does not fall below the target where it need not.
pub(super) fn equal_slope(parts: &[TitlePart], frames: u64, target: f64) -> Vec<Crf> {
    let at = |lambda: f64| -> (Vec<Crf>, f64) {
        let (mut crfs, mut loss) = (Vec::new(), 0.0);
        for part in parts {
            match part {
                TitlePart::Fixed { frames, score } => loss += *frames as f64 / (score + 1.0),
                TitlePart::Open(choices) => {
                    let cost = |c: &&Choice| c.bytes + lambda * c.loss;
                    if let Some(best) = choices.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))) {
                        crfs.push(best.crf);
                        loss += best.loss;
                    }
                }
            }
        }
        (crfs, loss)
    };
    let most = frames as f64 / (target + 1.0);
    // Bytes over losses, whatever their units: from where the cheapest of each is taken to where the best is.
    let (mut low, mut high) = (bounds(parts, 1.0e-6), bounds(parts, 1.0e6));
    for _ in 0..48 {
        let middle = (low * high).sqrt();
        if at(middle).1 > most { low = middle } else { high = middle }
    }
    at(high).0
}

/// A `lambda` that is `factor` times what weighs bytes as losses.
fn bounds(parts: &[TitlePart], factor: f64) -> f64 {
    let (mut bytes, mut loss) = (0.0, 0.0);
    for choice in parts.iter().filter_map(|p| if let TitlePart::Open(c) = p { c.first() } else { None }) {
        bytes += choice.bytes;
        loss += choice.loss;
    }
    if loss > 0.0 && bytes > 0.0 { factor * bytes / loss } else { factor }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk() -> impl Strategy<Value = ChunkCost> {
        (20u64..500, 30u8..50, 0.02..0.1f64, 1.0..1e3f64).prop_map(|(frames, crf, slope, bytes)| ChunkCost {
            frames,
            crf: Crf::whole(crf).unwrap(),
            score: 93.0,
            slope,
            bytes,
            dip: 0.0,
        })
    }

    fn above(chunk: f64) -> TitleFloor {
        TitleFloor { chunk, stretch: None }
    }

    fn title(chunks: &[ChunkCost], crfs: &[Crf]) -> (f64, f64) {
        let frames: u64 = chunks.iter().map(|c| c.frames).sum();
        let loss =
            |(c, crf): (&ChunkCost, &Crf)| c.frames as f64 / (c.score_at(*crf, &SearchRules::of_tests(93.0)) + 1.0);
        let bytes = |(c, crf): (&ChunkCost, &Crf)| c.bytes * (-BYTES_A_CRF * crf.as_f64()).exp();
        let both = || chunks.iter().zip(crfs);
        (frames as f64 / both().map(loss).sum::<f64>() - 1.0, both().map(bytes).sum())
    }

    proptest! {
        #[test]
        fn a_title_meets_its_target_with_no_more_bytes_than_at_one_crf(chunks in proptest::collection::vec(chunk(), 2..20)) {
            let rules = SearchRules::of_tests(93.0);
            let frames = chunks.iter().map(|c| c.frames).sum();
            let parts: Vec<TitlePart> = chunks.iter().map(|c| c.open(&above(0.0), &rules)).collect();
            let crfs = equal_slope(&parts, frames, 93.0);
            let (score, bytes) = title(&chunks, &crfs);
            prop_assert!(score >= 93.0 - 1e-9, "{score}");
            // The highest one CRF that scores as much.
            let one = (8u8..=55).rev().map(|c| vec![Crf::whole(c).unwrap(); chunks.len()]);
            let one = one.map(|crfs| title(&chunks, &crfs)).find(|(s, _)| *s >= score);
            if let Some((_, of_one)) = one {
                prop_assert!(bytes <= of_one * (1.0 + 1e-9), "{bytes} {of_one}");
            }
        }

        #[test]
        fn the_worst_stretch_is_no_worse_than_at_one_crf_and_costs_no_more_than_is_afforded(
            chunks in proptest::collection::vec((chunk(), 0.0..0.4f64), 2..20),
        ) {
            let rules = SearchRules::of_tests(93.0);
            let costs: Vec<ChunkCost> = chunks.into_iter().map(|(cost, dip)| ChunkCost { dip, ..cost }).collect();
            let frames: u64 = costs.iter().map(|c| c.frames).sum();
            let Some(floor) = raised_stretch(&costs, 88.0, 120, &rules) else { return Ok(()) };
            let (_, least) = floor.stretch.unwrap();
            let one = one_crf(&costs, frames as f64 / (rules.target + 1.0), &rules);
            let worst = |crf: &dyn Fn(usize) -> f64| {
                let of = |(i, c): (usize, &ChunkCost)| c.score_below(crf(i), c.dip, &rules);
                costs.iter().enumerate().map(of).fold(f64::MAX, f64::min)
            };
            prop_assert!(least >= worst(&|_| one) - 1e-9);
            let parts: Vec<TitlePart> = costs.iter().map(|c| c.open(&floor, &rules)).collect();
            let crfs = equal_slope(&parts, frames, rules.target);
            if crfs.iter().all(|crf| *crf > rules.min) {
                prop_assert!(worst(&|i| crfs[i].as_f64()) >= least - 1e-9, "{} {least}", worst(&|i| crfs[i].as_f64()));
            }
            prop_assert!(part_of_one_crf(&costs, &floor, &rules) <= AFFORDED);
        }

        #[test]
        fn no_chunk_is_forecast_below_the_floor_and_what_is_fixed_counts(
            chunks in proptest::collection::vec(chunk(), 1..20), fixed in 80.0..99.0f64,
        ) {
            let rules = SearchRules::of_tests(93.0);
            let frames: u64 = 2 * chunks.iter().map(|c| c.frames).sum::<u64>();
            let known = TitlePart::Fixed { frames: frames / 2, score: fixed };
            let parts: Vec<TitlePart> = [known].into_iter().chain(chunks.iter().map(|c| c.open(&above(90.0), &rules))).collect();
            let crfs = equal_slope(&parts, frames, 93.0);
            prop_assert_eq!(crfs.len(), chunks.len());
            for (chunk, crf) in chunks.iter().zip(&crfs) {
                prop_assert!(chunk.score_at(*crf, &rules) >= 90.0, "{chunk:?} {crf}");
            }
            let loss: f64 = chunks.iter().zip(&crfs).map(|(c, crf)| c.frames as f64 / (c.score_at(*crf, &rules) + 1.0)).sum();
            let score = frames as f64 / (loss + frames as f64 / 2.0 / (fixed + 1.0)) - 1.0;
            let best = |(c, crf): (&ChunkCost, &Crf)| *crf == rules.min || c.score_at(*crf, &rules) >= 100.0;
            prop_assert!(score >= 93.0 - 1e-9 || chunks.iter().zip(&crfs).all(best), "{score} by {crfs:?}");
        }
    }
}
