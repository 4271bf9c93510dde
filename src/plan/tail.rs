//! A chunk that misses its target by a little keeps its start: its end alone is encoded again, at the CRF that brings
//! the whole to the target.
//!
//! Temporal units are in the order of decoding and each shows one frame (AV1 7.5, and how SVT-AV1 packs them), so what
//! is in front of a cut never needs what is behind it, wherever the cut is; and an encode that starts at the cut starts
//! with a keyframe. No keyframe has to be forced in a try that lands.
//!
//! Replayed over the encodes of benches/forecast, a chunk that missed was made good by about a third to a half of itself
//! instead of all of it.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::search::SearchRules;
use crate::media::Crf;

/// The shortest end that is encoded on its own, in frames, and the shortest start that is kept: a group of pictures.
const SHORTEST: u64 = 32;

/// Cuts are looked for at scene changes and at multiples of so many frames, where groups of pictures of usual sizes end: what
/// is coded ahead for frames that are cut off is of no use.
const GROUP: u64 = 16;

/// About how many cuts that are no scene changes are looked at.
const MOST_CUTS: u64 = 64;

/// The farthest the end's CRF is from the mean of the chunk's: beyond, one is too unlike the other.
const FARTHEST: f64 = 8.0;

/// A whole try that is off by more CRFs than this is not made good by its end.
const MENDABLE: f64 = 4.0;

/// What a CRF of difference counts, in parts of a chunk that is encoded.
const COST_OF_CRF: f64 = 0.02;

/// What a keyframe within a scene counts: its bytes, and a step that is seen.
const COST_OF_KEYFRAME: f64 = 0.08;

/// What is not encoded for less than this is better encoded whole.
const MOST_COST: f64 = 0.9;

/// How near to the aim, in tolerances, the end has to bring the chunk.
const NEAR_ENOUGH: f64 = 0.5;

/// What a tolerance of distance from the aim counts.
const COST_OF_MISS: f64 = 0.3;

/// A part of a chunk that was encoded in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Position of its first frame in the chunk; it goes on to the next piece, or to the end.
    pub from: u64,
    /// Its CRF.
    pub crf: Crf,
}

/// Each piece of a chunk of `frames` with where it ends.
fn with_ends(pieces: &[Piece], frames: u64) -> impl Iterator<Item = (&Piece, u64)> {
    pieces.iter().zip(pieces.iter().skip(1).map(|p| p.from).chain([frames]))
}

/// The mean CRF over the frames of a chunk of `frames` in these pieces.
pub fn mean_crf(pieces: &[Piece], frames: u64) -> f64 {
    let sum: f64 = with_ends(pieces, frames).map(|(p, end)| p.crf.as_f64() * end.saturating_sub(p.from) as f64).sum();
    sum / (frames as f64).max(1.0)
}

/// An encode of a whole chunk and its scores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made<'a> {
    /// In order; the first from 0.
    pub(super) pieces: &'a [Piece],
    /// Of every `stride`-th frame of each piece, counted from that piece's first.
    pub(super) scores: &'a [f64],
    pub(super) stride: u32,
    /// Frames of the chunk.
    pub(super) frames: u64,
    /// Positions of frames that begin a scene, in order.
    pub(super) scenes: &'a [u64],
}

impl Made<'_> {
    /// How many frames of a piece are scored before `end`.
    fn scored(&self, piece: &Piece, end: u64) -> usize {
        end.saturating_sub(piece.from).div_ceil(u64::from(self.stride.max(1))) as usize
    }
}

/// By how much a score may be off, on either side of `aim`, so that the end of a chunk makes it good.
pub(super) fn mendable(rules: &SearchRules, aim: f64, slope: f64) -> f64 {
    let curve = &rules.curve;
    let by_its_end = (curve.score(curve.distance(aim) + MENDABLE * slope) - aim).abs();
    if rules.ends { by_its_end.max(rules.tolerance) } else { rules.tolerance }
}

/// The scores of the frames before `at` of what is `made`.
pub(super) fn scores_before(made: &Made<'_>, at: u64) -> usize {
    let of = |(piece, end): (&Piece, u64)| made.scored(piece, end.min(at));
    with_ends(made.pieces, made.frames).map(of).sum()
}

/// Pools scores as VMAF's own tool does: the harmonic mean of what is one more, less one.
pub(super) fn harmonic_mean(scores: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = scores.fold((0.0, 0.0), |(sum, n), score| (sum + 1.0 / (score + 1.0), n + 1.0));
    if sum > 0.0 { n / sum - 1.0 } else { 0.0 }
}

/// Which end of the chunk, at which CRF, brings it to `aim`, where its distance changes by `slope` a CRF; none where it
/// is better encoded whole.
///
/// Law: depends on what it is given alone. The end is at most 8 CRF away from the mean, at least 32 frames long, and
/// leaves as many.
pub(super) fn tail(made: &Made<'_>, aim: f64, slope: f64, rules: &SearchRules) -> Option<Piece> {
    if made.scores.is_empty() || made.frames < 2 * SHORTEST {
        return None;
    }
    let mean = mean_crf(made.pieces, made.frames);
    let scored = Scored::new(made, rules);
    let cuts: Vec<(u64, f64, usize)> = cuts(made)
        .into_iter()
        .map(|(from, is_scene)| {
            let share = (made.frames - from) as f64 / made.frames as f64;
            let keyframe = if is_scene { 0.0 } else { COST_OF_KEYFRAME };
            (from, share + keyframe, scores_before(made, from).min(made.scores.len()))
        })
        .collect();
    let mut best: Option<(f64, Piece)> = None;
    for crf in rules.crfs() {
        let away = (crf.as_f64() - mean).abs();
        if away > FARTHEST {
            continue;
        }
        let with = scored.with_end_at(crf, slope, rules);
        for &(from, of_cut, before) in &cuts {
            let miss = (with(before) - aim).abs() / rules.tolerance.max(f64::MIN_POSITIVE);
            let cost = of_cut + COST_OF_CRF * away + COST_OF_MISS * miss;
            if miss <= NEAR_ENOUGH && cost <= MOST_COST && best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, Piece { from, crf }));
            }
        }
    }
    best.map(|(_, piece)| piece)
}

/// Where an end may begin, and whether a scene begins there.
fn cuts(made: &Made<'_>) -> Vec<(u64, bool)> {
    let every = (made.frames / MOST_CUTS).div_ceil(GROUP).max(1) * GROUP;
    // Groups are counted from the keyframe an encode began with.
    let pieces = made.pieces.iter().map(|p| p.from);
    let groups = pieces.flat_map(|from| (from + every..made.frames).step_by(every as usize)).map(|at| (at, false));
    let scenes = made.scenes.iter().map(|&at| (at, true));
    // An end that begins where a piece does replaces that piece.
    let whole = made.pieces.iter().map(|p| (p.from, true));
    let fits = |at: u64| (SHORTEST..=made.frames - SHORTEST).contains(&at);
    let mut cuts: Vec<(u64, bool)> = whole.chain(scenes).chain(groups).filter(|&(at, _)| fits(at)).collect();
    cuts.sort_by_key(|&(at, is_scene)| (at, !is_scene));
    cuts.dedup_by_key(|cut| cut.0);
    cuts
}

/// The scores of what is made, as the predictions of all CRFs need them.
struct Scored {
    /// The distance of each, and the CRF it was made at.
    distances: Vec<(f64, f64)>,
    /// Sums of `1 / (score + 1)` of those before each, and of all.
    before: Vec<f64>,
}

impl Scored {
    fn new(made: &Made<'_>, rules: &SearchRules) -> Self {
        let crfs = with_ends(made.pieces, made.frames)
            .flat_map(|(piece, end)| std::iter::repeat_n(piece.crf.as_f64(), made.scored(piece, end)));
        let distances = made.scores.iter().zip(crfs).map(|(&score, crf)| (rules.curve.distance(score), crf)).collect();
        let mut before = vec![0.0];
        for score in made.scores {
            before.push(before[before.len() - 1] + 1.0 / (score + 1.0));
        }
        Scored { distances, before }
    }

    /// What the chunk would score with those from a position on at `crf`.
    fn with_end_at(&self, crf: Crf, slope: f64, rules: &SearchRules) -> impl Fn(usize) -> f64 {
        let curve = &rules.curve;
        let then = |&(distance, was): &(f64, f64)| {
            let score = curve.score(distance + slope * (crf.as_f64() - was)).clamp(curve.lowest, curve.highest);
            1.0 / (score + 1.0)
        };
        let mut after: Vec<f64> = self.distances.iter().map(then).chain([0.0]).collect();
        for i in (1..after.len()).rev() {
            after[i - 1] += after[i];
        }
        let n = self.distances.len();
        move |at| {
            let at = at.min(n);
            let sum = self.before[at.min(self.before.len() - 1)] + after[at];
            if sum > 0.0 { n as f64 / sum - 1.0 } else { 0.0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Curve;

    fn whole(crf: u8) -> Crf {
        Crf::whole(crf).unwrap()
    }

    fn rules(target: f64) -> SearchRules {
        SearchRules { finest: 1, ..SearchRules::of_tests(target) }
    }

    /// Scores of every third frame of pieces, each frame's distance a line in CRF from `hard`.
    fn scores(pieces: &[Piece], hard: &[f64], slope: f64) -> Vec<f64> {
        scores_of(pieces, hard, slope, 3)
    }

    fn scores_of(pieces: &[Piece], hard: &[f64], slope: f64, stride: u32) -> Vec<f64> {
        let ends = pieces.iter().skip(1).map(|p| p.from as usize).chain([hard.len()]);
        let of = |(piece, end): (&Piece, usize)| {
            let score = |at| Curve::VMAF.score(hard[at] + slope * (piece.crf.as_f64() - 30.0)).clamp(0.0, 100.0);
            (piece.from as usize..end).step_by(stride as usize).map(score).collect::<Vec<_>>()
        };
        pieces.iter().zip(ends).flat_map(of).collect()
    }

    fn film() -> impl Strategy<Value = (Vec<f64>, f64)> {
        // Parts of 24 frames differ; frames of a part are alike, so that it hardly matters which of them are scored.
        let hard = (64usize..700, 1.6..2.6f64).prop_flat_map(|(n, level)| {
            let parts = proptest::collection::vec(-0.4..0.4f64, n.div_ceil(24));
            parts.prop_map(move |parts| (0..n).map(|at| level + parts[at / 24]).collect())
        });
        (hard, 0.02..0.1f64)
    }

    proptest! {
        #[test]
        fn the_end_of_a_chunk_that_is_as_it_was_forecast_brings_it_to_its_aim(
            (hard, slope) in film(), crf in 8u8..=55, aim in 80.0..96.0f64, stride in prop_oneof![Just(1u32), Just(3)],
            scenes in proptest::collection::btree_set(1u64..700, 0..6),
        ) {
            let rules = rules(aim);
            let frames = hard.len() as u64;
            let scenes: Vec<u64> = scenes.into_iter().filter(|at| *at < frames).collect();
            let mut pieces = vec![Piece { from: 0, crf: whole(crf) }];
            for _ in 0..3 {
                let made = scores_of(&pieces, &hard, slope, stride);
                let found = tail(&Made { pieces: &pieces, scores: &made, stride, frames, scenes: &scenes }, aim, slope, &rules);
                let Some(piece) = found else { break };
                prop_assert!(piece.from >= 32 && frames - piece.from >= 32, "{piece:?}");
                prop_assert!((piece.crf.as_f64() - mean_crf(&pieces, frames)).abs() <= 8.0, "{piece:?}");
                pieces.retain(|p| p.from < piece.from);
                pieces.push(piece);
                let now = harmonic_mean(scores_of(&pieces, &hard, slope, stride).into_iter());
                // Which third frames are scored changes with where it begins.
                let most = if stride == 1 { NEAR_ENOUGH * rules.tolerance + 1e-9 } else { rules.tolerance + 0.1 };
                prop_assert!((now - aim).abs() <= most, "{now} by {piece:?}");
            }
        }

        #[test]
        fn a_chunk_that_misses_by_two_crfs_is_made_good_by_its_end((hard, slope) in film(), over in any::<bool>()) {
            prop_assume!(hard.len() >= 240);
            let pieces = [Piece { from: 0, crf: whole(30) }];
            let made = scores(&pieces, &hard, slope);
            let at = |crf| harmonic_mean(scores(&[Piece { from: 0, crf: whole(crf) }], &hard, slope).into_iter());
            let aim = at(if over { 32 } else { 28 });
            prop_assume!((60.0..98.0).contains(&aim) && (at(30) - aim).abs() > 0.3);
            let made = Made { pieces: &pieces, scores: &made, stride: 3, frames: hard.len() as u64, scenes: &[] };
            let rules = SearchRules { tolerance: 0.3, ..rules(aim) };
            let piece = tail(&made, aim, slope, &rules);
            prop_assert!(piece.is_some_and(|p| p.from * 4 >= made.frames), "{piece:?}");
        }
    }

    #[test]
    fn a_scene_that_begins_nearby_is_where_the_end_begins() {
        let hard = vec![2.0; 360];
        let pieces = [Piece { from: 0, crf: whole(30) }];
        let scored = scores(&pieces, &hard, 0.05);
        let aim = harmonic_mean(scores(&[Piece { from: 0, crf: whole(28) }], &hard, 0.05).into_iter());
        let with = |scenes: &[u64]| {
            tail(&Made { pieces: &pieces, scores: &scored, stride: 3, frames: 360, scenes }, aim, 0.05, &rules(aim))
                .unwrap()
        };
        assert_eq!(with(&[235]).from, 235);
        assert_ne!(with(&[40]).from, 40, "too much of the chunk would be encoded again");
    }

    #[test]
    fn a_mean_counts_frames() {
        let pieces = [Piece { from: 0, crf: whole(30) }, Piece { from: 75, crf: whole(34) }];
        assert_eq!(mean_crf(&pieces, 100), 31.0);
        assert_eq!(scores_before(&Made { pieces: &pieces, scores: &[], stride: 3, frames: 100, scenes: &[] }, 80), 27);
    }
}
