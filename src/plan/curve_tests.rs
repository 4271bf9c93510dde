//! The curves of metrics, and that the search keeps its law over those that are not VMAF's.

use proptest::prelude::*;

use super::prior::usual_slope;
use super::*;
use crate::media::Crf;

const ALL: [Curve; 3] = [Curve::VMAF, Curve::PSNR, Curve::SSIM];

/// Rules that ask for `target` give or take about what 1.5 CRF change.
fn rules(curve: Curve, target: f64) -> SearchRules {
    let whole = |crf| Crf::whole(crf).unwrap();
    let tolerance = 1.5 * curve.slope * curve.fall(curve.distance(target));
    let scale = CrfScale::SVT_AV1;
    let (min, max) = (whole(8), whole(55));
    SearchRules { curve, scale, target, tolerance, min, max, step: 4, finest: 4, max_tries: 4, ends: true }
}

/// Runs a chunk's search against a score for each CRF; what was tried, and how it ended.
fn run(rules: &SearchRules, first: u8, mut score: impl FnMut(Crf) -> f64) -> (Vec<Crf>, Crf, Option<Clamp>) {
    let forecast = Forecast { crf: Crf::whole(first).unwrap(), slope: rules.curve.slope, reading: None };
    let mut search = ChunkSearch::new(rules.clone(), forecast);
    let mut tried = Vec::new();
    for _ in 0..40 {
        match search.next() {
            Step::Try(crf) => {
                tried.push(crf);
                search.observe(Observation { crf, score: score(crf), whole: true });
            }
            Step::MeasureCeiling => search.observe_ceiling(rules.curve.highest),
            Step::Done { crf, clamp } => return (tried, crf, clamp),
        }
    }
    panic!("no end after {tried:?}");
}

/// A score that is linear in CRF by `curve` and is `target` at `middle`.
fn smooth(curve: Curve, target: f64, slope: f64, middle: f64) -> impl Fn(Crf) -> f64 {
    move |crf| {
        let distance = curve.distance(target) + slope * (crf.as_f64() - middle);
        curve.score(distance).clamp(curve.lowest, curve.highest)
    }
}

/// PSNR and SSIM of luma of 40 pictures of four films, 640 samples wide, by SVT-AV1 at preset 8 and CRF 24, 30, and so on
/// to 54, as ffmpeg's filters have them.
const RECORDED: [[(f64, f64); 6]; 4] = [
    [
        (46.144, 0.991105),
        (45.202, 0.989638),
        (44.163, 0.987788),
        (43.072, 0.985515),
        (41.935, 0.982453),
        (40.761, 0.978830),
    ],
    [
        (44.093, 0.985282),
        (42.874, 0.981050),
        (41.654, 0.976087),
        (40.522, 0.970313),
        (39.182, 0.959655),
        (37.955, 0.947780),
    ],
    [
        (49.412, 0.995807),
        (48.077, 0.994706),
        (46.487, 0.993162),
        (44.947, 0.991365),
        (43.303, 0.988982),
        (41.551, 0.985561),
    ],
    [
        (43.484, 0.987144),
        (41.874, 0.983284),
        (40.008, 0.977199),
        (38.248, 0.969550),
        (36.649, 0.960175),
        (35.085, 0.947859),
    ],
];

/// A recorded film at any CRF, by straight lines between the scores themselves, which favours no curve.
fn recorded(scores: &[f64; 6], crf: Crf) -> f64 {
    let at = (crf.as_f64() - 24.0) / 6.0;
    let i = (at.floor().clamp(0.0, 4.0)) as usize;
    scores[i] + (scores[i + 1] - scores[i]) * (at - i as f64)
}

#[test]
fn recorded_films_land_within_the_tolerance_from_any_start_by_psnr_and_by_ssim() {
    for curve in [Curve::PSNR, Curve::SSIM] {
        let (mut tries, mut searches) = (0, 0);
        for film in RECORDED {
            let scores = film.map(|(psnr, ssim)| if curve == Curve::PSNR { psnr } else { ssim });
            // What the film scores at CRF 39.
            let rules = rules(curve, recorded(&scores, Crf::whole(39).unwrap()));
            for first in [20, 26, 32, 38, 44, 50] {
                let (tried, crf, clamp) = run(&rules, first, |crf| recorded(&scores, crf));
                let miss = recorded(&scores, crf) - rules.target;
                assert!(tried.len() <= 4 && clamp.is_none(), "from {first}: {tried:?} {clamp:?}");
                assert!(miss.abs() <= rules.tolerance, "from {first}: {miss} at {crf}");
                (tries, searches) = (tries + tried.len(), searches + 1);
            }
        }
        let mean = f64::from(tries as u32) / f64::from(searches);
        assert!(mean < 2.7, "{mean} tries a chunk from a start that knows nothing");
    }
}

#[test]
fn vmafs_distance_is_the_logarithm_it_was_fitted_in() {
    for n in 0..=1000 {
        let score = f64::from(n) / 10.0;
        let distance = Curve::VMAF.distance(score);
        assert_eq!(distance.to_bits(), (101.0 - score).ln().to_bits());
        assert_eq!(Curve::VMAF.score(distance).to_bits(), (101.0 - distance.exp()).to_bits());
    }
    assert_eq!(Curve::VMAF.distance(120.0), 0.0);
    assert_eq!(Curve::default(), Curve::VMAF);
}

#[test]
fn a_curve_is_written_and_read() {
    for curve in ALL {
        let text = serde_json::to_string(&curve).unwrap();
        assert_eq!(serde_json::from_str::<Curve>(&text).unwrap(), curve, "{text}");
    }
}

/// A curve with the range its targets and slopes are drawn from.
fn other_curve() -> impl Strategy<Value = (Curve, f64, f64)> {
    prop_oneof![
        (30.0..50.0f64, 0.12..0.6f64).prop_map(|(target, slope)| (Curve::PSNR, target, slope)),
        (0.9..0.998f64, 0.03..0.1f64).prop_map(|(target, slope)| (Curve::SSIM, target, slope)),
    ]
}

proptest! {
    #[test]
    fn a_distance_rises_as_scores_fall_and_is_undone(n in 0usize..3, a in 0.0..1.0f64, b in 0.0..1.0f64) {
        let curve = ALL[n];
        let score = |part: f64| curve.lowest + part * (curve.highest - curve.lowest);
        let (low, high) = (score(a.min(b)), score(a.max(b)));
        prop_assert!((curve.score(curve.distance(low)) - low).abs() < 1e-9);
        if high - low > 1.0 / curve.grains {
            prop_assert!(curve.distance(low) > curve.distance(high));
            let middle = curve.distance((low + high) / 2.0);
            let fall = (curve.score(middle) - curve.score(middle + 1e-6)) / 1e-6;
            prop_assert!((fall / curve.fall(middle) - 1.0).abs() < 1e-3, "{fall}");
        }
    }

    #[test]
    fn a_smooth_curve_is_met_where_a_crf_meets_it(
        (curve, target, slope) in other_curve(), middle in 10.0..53.0f64, first in 8u8..=55,
    ) {
        let rules = rules(curve, target);
        let score = smooth(curve, target, slope, middle);
        let (tried, crf, clamp) = run(&rules, first, &score);
        let miss = |crf: Crf| (score(crf) - target).abs();
        let best = (8..=55).map(|c| miss(Crf::whole(c).unwrap())).fold(f64::MAX, f64::min);
        let met = miss(crf) <= rules.tolerance;
        prop_assert!(met || clamp.is_some(), "{tried:?} ended at {crf}");
        if best <= 0.8 * rules.tolerance {
            prop_assert!(met, "{tried:?} ended at {crf} with {clamp:?}");
        }
        if met {
            // Two of the longest steps and no more lead from a first try this far away to where a line can be drawn.
            let far = (f64::from(first) - crf.as_f64()).abs() > 40.0;
            prop_assert!(tried.len() <= if far { 5 } else { 4 }, "{tried:?}");
        }
    }

    /// Falls as CRF rises, in steps of any size.
    #[test]
    fn any_monotone_curve_ends_within_its_tries_and_nearest_to_the_target_of_what_was_tried(
        (curve, target, _) in other_curve(), steps in proptest::collection::vec(0.0..1.0f64, 64), first in 8u8..=55,
    ) {
        let rules = rules(curve, target);
        let sum: f64 = steps.iter().sum();
        let falls = |crf: Crf| steps.iter().take(usize::from(crf.quarters() / 4)).sum::<f64>() / sum;
        // From well above the target to well below it.
        let (high, low) = (curve.distance(target) - 40.0 * curve.slope, curve.distance(target) + 40.0 * curve.slope);
        let score = |crf: Crf| curve.score(high + (low - high) * falls(crf)).clamp(curve.lowest, curve.highest);
        let (tried, crf, clamp) = run(&rules, first, score);
        prop_assert!(tried.contains(&crf) && tried.len() <= 12, "{tried:?}");
        prop_assert!(tried.iter().all(|c| (rules.min..=rules.max).contains(c)));
        prop_assert!((score(crf) - target).abs() <= rules.tolerance || clamp.is_some(), "{tried:?} ended at {crf}");
        if clamp == Some(Clamp::BetweenSteps) {
            let miss = |crf: Crf| (score(crf) - target).abs();
            prop_assert!(tried.iter().all(|&c| miss(crf) <= miss(c) + 1e-12), "{tried:?} ended at {crf}");
        }
    }

    #[test]
    fn absurd_scores_end_too(
        (curve, target, _) in other_curve(),
        scores in proptest::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), Just(1.0), -5.0..120.0f64], 60),
        first in 1u8..=63,
    ) {
        let rules = rules(curve, target);
        let mut next = scores.into_iter().cycle();
        let (tried, crf, _) = run(&rules, first, |_| next.next().unwrap());
        prop_assert!(tried.contains(&crf) && tried.len() <= 12, "{tried:?}");
    }

    #[test]
    fn a_try_near_the_target_is_never_stopped_and_one_far_off_is(
        (curve, target, _) in other_curve(), noise in proptest::collection::vec(-1.0..1.0f64, 120),
    ) {
        let rules = rules(curve, target);
        // Scores this many CRFs better than the target, and the noise of one CRF.
        let at = |crfs: f64| curve.score(curve.distance(target) - crfs * curve.slope);
        let profile = Profile::new((0..120).zip(&noise).map(|(n, noise)| (n * 3, at(noise - 5.0))), at(-5.0));
        let watch = |crfs: f64| {
            let mut watch = Watch::new(&rules, target, Crf::whole(30).unwrap(), 360, Some(profile.clone()));
            (0..).zip(&noise).map(|(n, noise)| watch.observe(n * 3, at(noise + crfs))).find(|v| *v != Verdict::Continue)
        };
        prop_assert_eq!(watch(0.0), None);
        prop_assert_eq!(watch(1.0), None);
        let Some(Verdict::Stop { estimate }) = watch(8.0) else { panic!("not stopped") };
        prop_assert!((curve.distance(estimate) - curve.distance(at(8.0))).abs() < curve.slope, "{estimate}");
        prop_assert!(watch(-8.0).is_some());
    }

    #[test]
    fn forecasts_and_titles_are_within_the_range_whatever_came_before(
        (curve, target, _) in other_curve(),
        seen in proptest::collection::vec((1u8..=63, 0.0..1.0f64, proptest::option::of(0.0..1.0f64), 0.0..9.0f64), 1..20),
    ) {
        let rules = rules(curve, target);
        let score = |part: f64| part * curve.highest;
        let film: Vec<_> = seen.iter().map(|&(crf, part, probe, motion)| ChunkOutcome {
            means: ChunkMeans { motion, ..ChunkMeans::default() },
            crf: Crf::whole(crf).unwrap(),
            score: score(part),
            probe: probe.map(score),
            slope: None,
        }).collect();
        let range = rules.min..=rules.max;
        for probe in [None, Some(target)] {
            let forecast = forecast(&film, &film[0].means, probe, &rules);
            prop_assert!(range.contains(&forecast.crf) && forecast.slope > 0.0, "{forecast:?}");
        }
        let weighed: Vec<_> = film.into_iter().map(|outcome| (outcome, 100)).collect();
        prop_assert!(range.contains(&title_crf(&weighed, &rules)));
    }

    /// Chunks that met the target at one CRF, with probes that say so, lead to that CRF.
    #[test]
    fn a_film_that_agrees_is_agreed_with((curve, target, _) in other_curve(), away in -12i32..=12) {
        let rules = rules(curve, target);
        let means = ChunkMeans { motion: 1.0, ..ChunkMeans::default() };
        let crf = rules.nearest(probe_crf(&rules).as_f64() + f64::from(away));
        // What lies at an end of the range tells only that the film is easier or harder than that.
        prop_assume!(crf != rules.min && crf != rules.max);
        let outcome = ChunkOutcome { means, crf, score: target, probe: Some(target), slope: None };
        let film = vec![outcome; 12];
        let by_probe = forecast(&film, &means, Some(target), &rules).crf.as_f64();
        // What is known of other films keeps the weight of one chunk beside these twelve, which fade: under a sixth.
        let others = f64::from(away.abs()) + curve.probe_offset / usual_slope(&curve, &means);
        prop_assert!((by_probe - crf.as_f64()).abs() <= others / 6.0 + 1.0, "{by_probe}, {others} from other films");
        prop_assert_eq!(forecast(&film, &means, None, &rules).crf, crf);
        let weighed: Vec<_> = film.into_iter().map(|outcome| (outcome, 100)).collect();
        prop_assert_eq!(title_crf(&weighed, &rules), crf);
    }
}
