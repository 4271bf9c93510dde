//! Properties of the search: over curves as films have them, and over scores no film has.

use proptest::prelude::*;

use super::*;
use crate::media::Crf;

fn rules(target: f64) -> SearchRules {
    SearchRules::of_tests(target)
}

/// Runs a chunk's search against a score for each CRF; what was tried, and how it ended.
fn run(
    rules: &SearchRules,
    first: u8,
    ceiling: f64,
    mut score: impl FnMut(Crf) -> f64,
) -> (Vec<Crf>, Crf, Option<Clamp>) {
    let mut search =
        ChunkSearch::new(rules.clone(), Forecast { crf: Crf::whole(first).unwrap(), slope: 0.042, reading: None });
    let mut tried = Vec::new();
    for _ in 0..40 {
        match search.next() {
            Step::Try(crf) => {
                tried.push(crf);
                search.observe(Observation { crf, score: score(crf), whole: true });
            }
            Step::MeasureCeiling => search.observe_ceiling(ceiling),
            Step::Done { crf, clamp } => return (tried, crf, clamp),
        }
    }
    panic!("no end after {tried:?}");
}

/// VMAF of real chunks of 240 frames of three films at preset 6 and CRF 24, 30, 34, 40 and 50, as recorded with
/// SVT-AV1 2.3.0, every frame scored.
const CURVES: [[f64; 4]; 16] = [
    [95.40, 93.95, 92.78, 90.41],
    [94.74, 93.54, 92.42, 90.49],
    [98.09, 97.16, 96.09, 93.73],
    [97.31, 96.59, 95.85, 94.65],
    [97.41, 95.91, 94.62, 92.70],
    [96.50, 95.69, 94.93, 93.56],
    [95.01, 93.55, 92.32, 90.34],
    [96.29, 95.40, 94.51, 92.96],
    [97.13, 96.34, 95.50, 94.12],
    [97.83, 97.06, 96.19, 94.43],
    [97.39, 96.03, 94.50, 91.49],
    [99.54, 98.67, 97.10, 93.10],
    [99.60, 98.99, 97.84, 94.42],
    [98.91, 98.45, 97.81, 96.27],
    [99.43, 98.55, 97.18, 93.65],
    [99.32, 98.77, 97.92, 94.87],
];

/// The recorded curve at any CRF, by lines in the search's own domain.
fn recorded(curve: &[f64; 4], crf: Crf) -> f64 {
    const AT: [f64; 4] = [24.0, 30.0, 34.0, 40.0];
    let y = |i: usize| (101.0 - curve[i]).ln();
    let crf = crf.as_f64();
    let i = AT.iter().skip(1).position(|&at| crf <= at).unwrap_or(2).min(2);
    let slope = (y(i + 1) - y(i)) / (AT[i + 1] - AT[i]);
    101.0 - (y(i) + slope * (crf - AT[i])).exp()
}

#[test]
fn recorded_films_land_within_the_tolerance_in_three_tries_from_any_start() {
    let mut tries = 0;
    for (n, curve) in CURVES.iter().enumerate() {
        for first in [20, 26, 32, 38, 44] {
            let (tried, crf, clamp) = run(&rules(93.0), first, 99.0, |crf| recorded(curve, crf));
            let score = recorded(curve, crf);
            assert!(tried.len() <= 4, "curve {n} from {first}: {tried:?}");
            assert!((score - 93.0).abs() <= 0.5 || clamp.is_some(), "curve {n} from {first}: {score} at {crf}");
            tries += tried.len();
        }
    }
    let mean = tries as f64 / (CURVES.len() * 5) as f64;
    assert!(mean < 2.7, "{mean} tries a chunk from a start that knows nothing");
}

#[test]
fn a_curve_that_is_flat_but_for_rounding_is_walked_in_long_steps() {
    // The still grey picture of the fixtures: what it scores differs in the thirteenth place.
    let curve = |crf: Crf| 97.428_042_642 + crf.as_f64() * 1e-12;
    let (tried, _, clamp) = run(&rules(99.0), 38, 97.428, curve);
    assert!(tried.len() <= 4 && clamp == Some(Clamp::Ceiling), "{tried:?} {clamp:?}");
}

#[test]
fn tries_that_score_nothing_at_all_do_not_hold_the_search_back() {
    // 47 and 27 both score 0: no slope can be read from them.
    let curve = |crf: Crf| (101.0 - (31f64.ln() + 0.094 * (crf.as_f64() - 10.0)).exp()).clamp(0.0, 100.0);
    let (tried, crf, clamp) = run(&rules(70.0), 47, 100.0, curve);
    assert!(
        (curve(crf) - 70.0).abs() <= 0.5 || clamp == Some(Clamp::BetweenSteps),
        "{tried:?} ended at {crf} {clamp:?}"
    );
}

proptest! {
    #[test]
    fn a_smooth_curve_is_met_where_a_crf_meets_it(
        slope in 0.03..0.1f64, middle in 10.0..53.0f64, first in 8u8..=55, target in 70.0..97.0f64,
    ) {
        let curve = |crf: Crf| (101.0 - ((101.0 - target).ln() + slope * (crf.as_f64() - middle)).exp()).clamp(0.0, 100.0);
        let (tried, crf, clamp) = run(&rules(target), first, 100.0, curve);
        let best = (8..=55).map(|c| (curve(Crf::whole(c).unwrap()) - target).abs()).fold(f64::MAX, f64::min);
        let met = (curve(crf) - target).abs() <= 0.5;
        prop_assert!(met || clamp.is_some(), "{tried:?} ended at {crf}");
        if best <= 0.4 {
            prop_assert!(met, "{tried:?} ended at {crf} with {clamp:?}");
        }
    }

    /// A part of a chunk need not be like the whole: what is stopped early may mislead in any way.
    #[test]
    fn a_search_ends_whatever_is_stopped_early_and_estimated(
        seen in proptest::collection::vec((0.0..100.0f64, 0.0..100.0f64, any::<bool>()), 60),
        first in 1u8..=63,
    ) {
        let mut search = ChunkSearch::new(rules(93.0), Forecast { crf: Crf::whole(first).unwrap(), slope: 0.042, reading: None });
        let mut steps = 0;
        loop {
            match search.next() {
                Step::Try(crf) => {
                    // As encodes are: a CRF gives one score however often it is tried, and one estimate.
                    let (score, estimate, stops) = seen[usize::from(crf.quarters() / 4) % seen.len()];
                    let whole = !(stops && search.may_stop());
                    search.observe(Observation { crf, score: if whole { score } else { estimate }, whole });
                }
                Step::MeasureCeiling => search.observe_ceiling(99.0),
                Step::Done { .. } => break,
            }
            steps += 1;
            prop_assert!(steps < 60, "it goes on for ever");
        }
    }

    /// Above CRF 43 all is a little worse than it should be, and a try that is stopped there seems far worse.
    #[test]
    fn a_try_that_was_stopped_is_made_whole_before_it_bounds_the_search(first in 45u8..=55) {
        let mut search = ChunkSearch::new(rules(93.0), Forecast { crf: Crf::whole(first).unwrap(), slope: 0.042, reading: None });
        let score = |crf: Crf| 93.1 - 0.9 * (crf.as_f64() - 44.0);
        for n in 0..40 {
            match search.next() {
                Step::Try(crf) => {
                    let whole = n == 0 || !search.may_stop();
                    let seen = if whole { score(crf) } else { score(crf) - 4.0 };
                    search.observe(Observation { crf, score: seen, whole });
                }
                Step::MeasureCeiling => search.observe_ceiling(99.0),
                Step::Done { crf, clamp } => {
                    prop_assert_eq!((crf, clamp), (Crf::whole(44).unwrap(), None));
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "it goes on for ever");
    }

    #[test]
    fn absurd_scores_end_too_and_no_crf_is_tried_twice_in_a_tier(
        scores in proptest::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), Just(100.0), -5.0..120.0f64], 60),
        first in 1u8..=63, target in 1.0..99.0f64, ceiling in prop_oneof![Just(f64::NAN), 0.0..100.0f64],
    ) {
        let rules = rules(target);
        let mut next = scores.into_iter().cycle();
        let (tried, crf, _) = run(&rules, first, ceiling, |_| next.next().unwrap());
        prop_assert!(tried.iter().all(|c| (rules.min..=rules.max).contains(c)));
        prop_assert!(tried.contains(&crf), "only what was tried has bytes");
        prop_assert!(tried.len() <= 12, "{tried:?}");
    }

    #[test]
    fn a_try_near_the_target_is_never_stopped_and_one_far_off_is(noise in proptest::collection::vec(-1.0..1.0f64, 120)) {
        let profile = Some(Profile::new((0..120).zip(&noise).map(|(n, noise)| (n * 3, 91.0 + noise)), 91.0));
        let watch = |mean: f64| {
            let mut watch = Watch::new(&rules(93.0), 93.0, Crf::whole(30).unwrap(), 360, profile.clone());
            (0..).zip(&noise).map(|(n, noise)| watch.observe(n * 3, mean + noise)).find(|v| *v != Verdict::Continue)
        };
        prop_assert_eq!(watch(93.0), None);
        prop_assert_eq!(watch(93.4), None);
        let Some(Verdict::Stop { estimate }) = watch(97.0) else { panic!("not stopped") };
        prop_assert!((estimate - 97.0).abs() < 0.6);
        prop_assert!(watch(89.0).is_some());
    }
}

fn means(detail: f64) -> ChunkMeans {
    ChunkMeans { detail, motion: 1.0, brightness: 0.5 }
}

fn outcome(crf: u8, score: f64, detail: f64, probe: Option<f64>) -> ChunkOutcome {
    ChunkOutcome { means: means(detail), crf: Crf::whole(crf).unwrap(), score, probe, slope: None }
}

#[test]
fn without_probes_the_first_crf_follows_the_film_and_not_its_title_card() {
    let film = [
        outcome(55, 98.0, 0.1, None),
        outcome(34, 93.2, 3.0, None),
        outcome(36, 92.8, 3.2, None),
        outcome(35, 93.0, 2.9, None),
    ];
    let first = forecast(&film, &means(3.0), None, &rules(93.0)).crf.as_f64();
    assert!((33.0..=37.0).contains(&first), "{first}");
    let known_nothing = |detail| forecast(&[], &means(detail), None, &rules(93.0));
    assert_eq!(known_nothing(3.0), known_nothing(1.0));
}

#[test]
fn a_probe_is_read_with_the_offset_the_film_has_shown() {
    // Probes that say 93 at a CRF 5 below where the chunks met it, whatever the usual offset is.
    let at = probe_crf(&rules(93.0)).as_f64() as u8;
    let film: Vec<_> = (0..12).map(|_| outcome(at + 5, 93.0, 1.0, Some(93.0))).collect();
    let crf = forecast(&film, &means(1.0), Some(93.0), &rules(93.0)).crf.as_f64();
    assert!((crf - f64::from(at + 5)).abs() <= 1.0, "{crf}");
    // A chunk whose probe scores less is harder, one whose probe scores more is easier.
    let harder = forecast(&film, &means(1.0), Some(91.0), &rules(93.0)).crf.as_f64();
    let easier = forecast(&film, &means(1.0), Some(95.0), &rules(93.0)).crf.as_f64();
    assert!(harder < crf - 3.0 && easier > crf + 3.0, "{harder} {crf} {easier}");
}

#[test]
fn the_slope_of_a_film_is_learnt() {
    let steep = ChunkOutcome { slope: Some(0.11), ..outcome(40, 93.0, 1.0, None) };
    let film = vec![steep; 8];
    let slope = forecast(&film, &means(1.0), None, &rules(93.0)).slope;
    assert!((0.08..0.11).contains(&slope), "{slope}");
    let seen = |crf, score, whole| Observation { crf: Crf::whole(crf).unwrap(), score, whole };
    assert_eq!(
        slope_of(&Curve::VMAF, [seen(30, 95.0, true), seen(31, 94.5, true)].into_iter()),
        None,
        "too close to tell"
    );
    assert_eq!(slope_of(&Curve::VMAF, [seen(30, 95.0, true), seen(40, 90.0, false)].into_iter()), None, "not whole");
    let slope = slope_of(&Curve::VMAF, [seen(30, 95.0, true), seen(40, 91.0, true)].into_iter()).unwrap();
    assert!((slope - (10f64 / 6.0).ln() / 10.0).abs() < 1e-9);
}

proptest! {
    #[test]
    fn a_forecast_is_within_the_range_whatever_came_before(
        seen in proptest::collection::vec((1u8..=63, 0.0..100.0f64, proptest::option::of(0.0..100.0f64), 0.0..9.0f64), 0..20),
        probe in proptest::option::of(0.0..100.0f64), target in 1.0..99.0f64,
    ) {
        let rules = rules(target);
        let film: Vec<_> = seen.into_iter().map(|(crf, score, probe, detail)| outcome(crf, score, detail, probe)).collect();
        let forecast = forecast(&film, &means(1.0), probe, &rules);
        prop_assert!((rules.min..=rules.max).contains(&forecast.crf));
        prop_assert!(forecast.slope > 0.0);
    }
}

#[test]
fn a_watch_that_is_idle_stops_nothing() {
    for score in [0.0, 50.0, 100.0] {
        let mut watch = Watch::idle();
        assert!((0..600).all(|at| watch.observe(at, score) == Verdict::Continue), "{score}");
    }
}

#[test]
fn scores_held_against_no_others_stop_a_try_only_late_and_when_far_off() {
    let stopped_at = |score: f64| {
        let mut watch = Watch::new(&rules(93.0), 93.0, Crf::whole(30).unwrap(), 360, None);
        (0..360).step_by(3).find(|&at| watch.observe(at, score) != Verdict::Continue)
    };
    assert_eq!(stopped_at(94.0), None);
    assert!(stopped_at(98.0).is_some_and(|at| at >= 144));
}

proptest! {
    #[test]
    fn how_far_back_a_chunk_looks_depends_on_its_index_alone_and_grows(index in 0usize..5000, longest in 0usize..64) {
        let known = |index: usize| (index + 1).saturating_sub(lag(index, longest));
        prop_assert!(known(index) <= index, "only chunks before it");
        prop_assert!(known(index + 1) >= known(index), "what was known stays so");
        prop_assert!(lag(index, longest) <= longest.max(1));
    }
}

#[test]
fn the_first_chunks_of_a_film_are_learnt_from_soon_and_later_ones_leave_room_for_many_workers() {
    let known = |index: usize| (index + 1).saturating_sub(lag(index, LONGEST_LAG));
    assert_eq!([0, 1, 2, 3, 6, 12].map(known), [0, 0, 1, 1, 3, 7]);
    assert_eq!(known(1000), 1001 - LONGEST_LAG);
}

/// Frames of a film: the gap before each in milliseconds, and how unlike the one before it is.
fn points(frames: &[(u16, f32)]) -> Vec<FramePoint> {
    let mut at = 0;
    let point = |(index, &(gap, change)): (usize, &(u16, f32))| {
        at += i64::from(gap);
        let pts = crate::base::Timestamp::new(at, crate::base::Rational::MILLI);
        FramePoint { index: index as u64, pts, change, change_from_second: change, effort: change }
    };
    frames.iter().enumerate().map(point).collect()
}

/// The chunks that are decided while frames come, and those at the end.
fn chunks_of(rules: ChunkRules, points: &[FramePoint]) -> (Vec<ChunkSpan>, Vec<ChunkSpan>) {
    let mut planner = ChunkPlanner::new(rules);
    let decided = points.iter().filter_map(|&p| planner.push(p)).collect();
    (decided, planner.finish())
}

proptest! {
    #[test]
    fn chunks_are_the_film_without_gaps_and_none_is_too_long_or_too_short(
        frames in proptest::collection::vec((1u16..400, prop_oneof![3 => 0.0..0.3f32, 1 => 0.0..1.0f32]), 1..1500),
        max in 1.0..40.0f64,
    ) {
        let (rules, points) = (ChunkRules::up_to(max), points(&frames));
        let (mut chunks, rest) = chunks_of(rules, &points);
        chunks.extend(rest);
        let mut next = 0;
        for (i, chunk) in chunks.iter().enumerate() {
            prop_assert_eq!((chunk.index, chunk.first_frame), (i, next));
            prop_assert!(chunk.frames > 0);
            let own = &points[next as usize..(next + chunk.frames) as usize];
            prop_assert_eq!(chunk.start, own[0].pts);
            let length = own[own.len() - 1].pts.since(own[0].pts).as_secs_f64();
            prop_assert!(length <= max.max(1.0) + 1e-9, "chunk {} of {} s", i, length);
            next += chunk.frames;
            if let Cut::Scene { .. } = chunk.cut {
                let at = next as usize;
                prop_assert!(begins_scene(points.get(at - 1), &points[at], points.get(at + 1)), "frame {}", at);
                let to_next = points[at].pts.since(chunk.start).as_secs_f64();
                prop_assert!(to_next >= rules.min_s, "chunk {} lasts {} s", i, to_next);
            }
        }
        prop_assert_eq!(next as usize, points.len());
    }

    #[test]
    fn a_planner_that_begins_at_any_chunk_cuts_the_rest_as_one_that_saw_all(
        frames in proptest::collection::vec((1u16..400, prop_oneof![3 => 0.0..0.3f32, 1 => 0.0..1.0f32]), 1..800),
        max in 1.0..40.0f64,
    ) {
        let (rules, points) = (ChunkRules::up_to(max), points(&frames));
        let (mut chunks, rest) = chunks_of(rules, &points);
        chunks.extend(rest);
        for chunk in &chunks {
            let mut planner = ChunkPlanner::new(rules);
            planner.begin_at(chunk.index);
            let left = &points[chunk.first_frame as usize..];
            let mut again: Vec<ChunkSpan> = left.iter().filter_map(|&p| planner.push(p)).collect();
            again.extend(planner.finish());
            prop_assert_eq!(&again[..], &chunks[chunk.index..]);
        }
    }

    #[test]
    fn a_chunk_that_is_decided_depends_on_nothing_that_comes_later(
        frames in proptest::collection::vec((20u16..60, prop_oneof![9 => 0.0..0.3f32, 1 => 0.0..1.0f32]), 600..900),
        known in 300usize..600,
    ) {
        let (rules, points) = (ChunkRules::up_to(5.0), points(&frames));
        let (of_all, _) = chunks_of(rules, &points);
        let (of_part, _) = chunks_of(rules, &points[..known]);
        prop_assert!(!of_part.is_empty());
        prop_assert_eq!(&of_all[..of_part.len()], &of_part[..]);
    }
}

#[test]
fn a_probe_tells_how_steep_a_chunk_is_after_one_try() {
    // A chunk of titles: 0.088 a CRF where films have 0.04.
    let score = |crf: Crf| 101.0 - (2.675 + 0.088 * (crf.as_f64() - 55.0)).exp();
    let tries = |reading| {
        let forecast = Forecast { crf: Crf::whole(55).unwrap(), slope: 0.04, reading };
        let mut search = ChunkSearch::new(rules(93.0), forecast);
        let mut tries = 0;
        while let Step::Try(crf) = search.next() {
            tries += 1;
            search.observe(Observation { crf, score: score(crf), whole: true });
        }
        tries
    };
    assert_eq!((tries(Some(Reading { crf: Crf::whole(36).unwrap(), score: 98.2 })), tries(None)), (2, 3));
}

#[test]
fn a_still_chunk_goes_farther_in_crf_for_the_same_score_than_a_fast_one() {
    let of = |motion, probe| {
        let means = ChunkMeans { motion, ..means(1.0) };
        forecast(&[], &means, Some(probe), &rules(93.0)).crf.as_f64()
    };
    let farther = |motion| of(motion, 95.0) - of(motion, 90.0);
    assert!(farther(0.3) > farther(5.0) + 5.0, "{} {}", farther(0.3), farther(5.0));
    // A still one's probe is off by less: nine films' chunks whose probe scores 92 meet 93 at about CRF 41, fast or not.
    assert!([0.5, 1.5, 5.0].iter().all(|&motion| (of(motion, 92.0) - 41.0).abs() <= 2.5), "{}", of(0.5, 92.0));
}
