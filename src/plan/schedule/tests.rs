//! Properties of the scheduler, over films that are not there: its decisions depend on neither workers nor kills.

mod film;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use film::{Conduct, Dice, SimFilm, is_plausible};

fn conduct(workers: usize, seed: u64, fails: Option<usize>) -> Conduct {
    Conduct { workers, dice: Dice(seed), fails, remembers: None }
}

/// What one worker decides that nothing disturbs, and the lines of its journal.
fn undisturbed(film: &SimFilm) -> (BTreeMap<usize, KeptChunk>, Vec<String>) {
    let mut journal = Vec::new();
    let run = film.run(&mut conduct(1, 1, None), &mut journal, None);
    assert!(run.done);
    (run.kept, journal)
}

/// Checks what is kept by a run that goes on from `journal`, and what was kept before it.
fn check(
    film: &SimFilm,
    expected: &BTreeMap<usize, KeptChunk>,
    conduct: &mut Conduct,
    journal: &mut Vec<String>,
    lines: Option<usize>,
) -> Result<bool, TestCaseError> {
    let run = film.run(conduct, journal, lines);
    for (index, kept) in &run.kept {
        prop_assert_eq!(Some(kept), expected.get(index), "chunk {}", index);
    }
    let kept: Vec<String> = expected.values().map(|k| serde_json::to_string(&k.record().unwrap()).unwrap()).collect();
    for line in journal.iter().filter(|line| line.contains("\"of\":\"kept\"")) {
        prop_assert!(kept.contains(line), "{}", line);
    }
    Ok(run.done)
}

fn any_film() -> impl Strategy<Value = SimFilm> {
    (any::<u64>(), 1usize..12, any::<bool>(), any::<bool>())
        .prop_map(|(seed, chunks, per_title, probes)| SimFilm::new(seed, chunks, per_title, probes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_number_of_workers_that_end_in_any_order_and_fail_now_and_then_decide_the_same(
        film in any_film(), workers in 1usize..=6, seed in any::<u64>(), fails in proptest::option::of(2usize..9),
    ) {
        let (expected, lines) = undisturbed(&film);
        prop_assert!(expected.values().all(is_plausible));
        let mut journal = Vec::new();
        prop_assert!(check(&film, &expected, &mut conduct(workers, seed, fails), &mut journal, None)?, "it ends");
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        prop_assert_eq!(sorted(journal), sorted(lines), "the same is written down, in another order");
    }

    #[test]
    fn a_run_that_remembers_some_of_its_tries_decides_the_same(
        film in any_film(), workers in 1usize..=6, seed in any::<u64>(), one_in in 1usize..4,
        fails in proptest::option::of(2usize..9),
    ) {
        let (expected, _) = undisturbed(&film);
        let mut conduct = Conduct { remembers: Some(one_in), ..conduct(workers, seed, fails) };
        prop_assert!(check(&film, &expected, &mut conduct, &mut Vec::new(), None)?);
    }

    #[test]
    fn a_run_that_is_killed_again_and_again_decides_the_same(
        film in any_film(), seed in any::<u64>(), damage in any::<bool>(),
    ) {
        let (expected, _) = undisturbed(&film);
        let (mut journal, mut dice) = (Vec::new(), Dice(seed));
        for run in 0.. {
            prop_assert!(run < 500, "it comes to no end");
            let mut conduct = conduct(1 + dice.below(6), dice.next(), Some(6));
            conduct.remembers = (dice.below(3) == 0).then_some(2);
            if check(&film, &expected, &mut conduct, &mut journal, Some(dice.below(9)))? {
                break;
            }
            // A chunk file is damaged: its bytes are made again.
            let kept: Vec<usize> = (0..journal.len()).filter(|i| journal[*i].contains("\"of\":\"kept\"")).collect();
            if damage && run < 20 && !kept.is_empty() && dice.below(3) == 0 {
                journal.remove(kept[dice.below(kept.len())]);
            }
        }
        let mut kept: Vec<&String> = journal.iter().filter(|line| line.contains("\"of\":\"kept\"")).collect();
        kept.sort();
        kept.dedup();
        prop_assert_eq!(kept.len(), expected.len(), "every chunk is kept");
    }

    #[test]
    fn what_is_asked_for_comes_back_from_json_as_it_is(film in any_film(), seed in any::<u64>()) {
        let rules = serde_json::to_string(&film.rules).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ScheduleRules>(&rules).unwrap(), &film.rules);
        let mut journal = Vec::new();
        let run = film.run(&mut conduct(3, seed, None), &mut journal, None);
        for kept in run.kept.into_values() {
            let action = ScheduleAction::Keep { chunk: Box::new(kept) };
            let json = serde_json::to_string(&action).unwrap();
            prop_assert_eq!(serde_json::from_str::<ScheduleAction>(&json).unwrap(), action);
        }
    }
}

#[test]
fn a_run_killed_at_every_line_of_its_journal_decides_the_same() {
    let (mut kills, mut stopped, mut tiers, mut ceilings, mut pieces) = (0, 0, 0, 0, [0; 4]);
    for n in 0..48u64 {
        let film = SimFilm::new(n * 7919, 1 + n as usize % 8, n % 2 == 1, n % 4 < 2);
        let (expected, lines) = undisturbed(&film);
        for at in 0..lines.len() {
            let mut journal = Vec::new();
            let workers = 1 + (n as usize + at) % 6;
            let killed =
                check(&film, &expected, &mut conduct(workers, at as u64, None), &mut journal, Some(at)).unwrap();
            assert!(!killed, "film {n} ended before line {at}");
            let resumed = conduct(1 + at % 3, n, None);
            assert!(check(&film, &expected, &mut { resumed }, &mut journal, None).unwrap(), "film {n}, killed at {at}");
            kills += 1;
        }
        let tries = || expected.values().flat_map(|k| &k.tries);
        stopped += tries().filter(|t| !t.whole).count();
        tiers += tries().filter(|t| t.stride == 1).count();
        expected.values().for_each(|k| pieces[k.pieces.len().min(4) - 1] += 1);
        ceilings += expected.values().filter(|k| k.ceiling.is_some()).count();
    }
    println!("{kills} kills; {stopped} tries stopped, {tiers} in later tiers, {ceilings} ceilings, {pieces:?} pieces");
    assert!(pieces[1] > 20 && pieces[2] > 0, "{pieces:?}: too few ends are encoded alone");
    assert!(stopped > 10 && tiers > 10 && ceilings > 3, "{stopped} {tiers} {ceilings}: the films are too tame");
}

/// A chunk of 300 frames whose first try scores these, of every third frame: what follows.
fn after_a_try(frames: Vec<f64>) -> Vec<ScheduleAction> {
    let film = SimFilm::new(5, 1, false, false);
    let rules = ScheduleRules {
        search: crate::plan::SearchRules::of_tests(93.0),
        stride: 3,
        probes: false,
        title: None,
        ..film.rules
    };
    let mut scheduler = Scheduler::new(rules);
    let chunk = ChunkFacts { index: 0, frames: 300, means: Default::default(), scenes: Vec::new() };
    scheduler.on(ScheduleEvent::ChunkArrived { chunk, finished: false }).unwrap();
    let orders = scheduler.on(ScheduleEvent::WorkerFree { worker: 0 }).unwrap();
    assert!(matches!(orders[..], [ScheduleAction::Try { stride: 3, .. }]), "{orders:?}");
    scheduler.on(ScheduleEvent::WorkerFree { worker: 0 }).unwrap();
    let harmonic_mean = frames.len() as f64 / frames.iter().map(|f| 1.0 / (f + 1.0)).sum::<f64>() - 1.0;
    let end = TryEnd::Whole(ScoredFrames { stride: 3, harmonic_mean, frames });
    scheduler.on(ScheduleEvent::Tried { chunk: 0, end, frames: 300, bytes: 1, remembered: false }).unwrap()
}

#[test]
fn a_chunk_that_may_be_off_for_the_frames_that_were_not_scored_has_its_end_made_again() {
    let is_kept = |actions: &[ScheduleAction]| actions.iter().any(|a| matches!(a, ScheduleAction::Keep { .. }));
    let smooth: Vec<f64> = (0..100).map(|n| 93.4 + 0.01 * f64::from(n % 2)).collect();
    assert!(is_kept(&after_a_try(smooth)));
    // As near to the target, give or take more than what is left of the tolerance.
    let rough: Vec<f64> = (0..100).map(|n| if n % 2 == 0 { 97.2 } else { 90.0 }).collect();
    let actions = after_a_try(rough);
    let ends = |a: &ScheduleAction| matches!(a, ScheduleAction::Try { piece, .. } if piece.from > 0);
    assert!(!is_kept(&actions) && actions.iter().any(ends), "{actions:?}");
    // Nor is a chunk made again that is in the middle.
    let middle: Vec<f64> = (0..100).map(|n| if n % 2 == 0 { 96.8 } else { 89.5 }).collect();
    assert!(is_kept(&after_a_try(middle)));
}

#[test]
fn every_frame_of_a_chunk_is_scored_whose_probe_is_rough() {
    let stride_after = |step: f64, every_where_rough: bool| {
        let film = SimFilm::new(5, 1, false, true);
        let search = crate::plan::SearchRules::of_tests(93.0);
        let mut scheduler =
            Scheduler::new(ScheduleRules { search, stride: 3, title: None, every_where_rough, ..film.rules });
        let chunk = ChunkFacts { index: 0, frames: 300, means: Default::default(), scenes: Vec::new() };
        scheduler.on(ScheduleEvent::ChunkArrived { chunk, finished: false }).unwrap();
        let orders = scheduler.on(ScheduleEvent::WorkerFree { worker: 0 }).unwrap();
        assert!(matches!(orders[..], [ScheduleAction::Probe { .. }]), "{orders:?}");
        scheduler.on(ScheduleEvent::WorkerFree { worker: 0 }).unwrap();
        let frames: Vec<f64> = (0..34).map(|n| 91.0 + step * f64::from(n % 2)).collect();
        let scores = ScoredFrames { stride: 9, harmonic_mean: 91.0 + step / 2.0, frames };
        let orders = scheduler.on(ScheduleEvent::Probed { chunk: 0, scores, bytes: 1 }).unwrap();
        let stride = |a: &ScheduleAction| match a {
            ScheduleAction::Try { stride, .. } => Some(*stride),
            _ => None,
        };
        orders.iter().find_map(stride).unwrap()
    };
    assert_eq!((stride_after(1.0, true), stride_after(8.0, true), stride_after(8.0, false)), (3, 1, 3));
}

#[test]
fn a_standard_error_is_that_of_the_frames_that_were_not_scored() {
    let of = |stride, frames: Vec<f64>| ScoredFrames { stride, harmonic_mean: 0.0, frames }.doubt();
    let rough = || (0..100).map(|n| f64::from(92 + 4 * (n % 2))).collect::<Vec<_>>();
    assert_eq!((of(1, rough()), of(3, vec![93.0]), of(3, vec![93.0; 50])), (0.0, 0.0, 0.0));
    // Two levels that alternate: half the square of a step of 4, over 100 frames, two in three of them not seen.
    let expected = (16.0 / 2.0 / 100.0 * 2.0 / 3.0_f64).sqrt();
    assert!((of(3, rough()) - expected).abs() < 0.01, "{} for {expected}", of(3, rough()));
    assert!(of(9, rough()) > of(3, rough()));
}

#[test]
fn a_chunk_that_fails_twice_or_for_good_ends_the_run() {
    let film = SimFilm::new(5, 1, false, false);
    let facts = ChunkFacts { index: 0, frames: 100, means: Default::default(), scenes: Vec::new() };
    for (retryable, most) in [(true, 2), (false, 1)] {
        let mut scheduler = Scheduler::new(film.rules.clone());
        scheduler.on(ScheduleEvent::ChunkArrived { chunk: facts.clone(), finished: false }).unwrap();
        for turn in 1..=most {
            let orders = scheduler.on(ScheduleEvent::WorkerFree { worker: 0 }).unwrap();
            assert!(matches!(orders[..], [ScheduleAction::Try { chunk: 0, .. }]), "{orders:?}");
            let actions = scheduler.on(ScheduleEvent::Failed { chunk: 0, retryable }).unwrap();
            let given_up = actions.contains(&ScheduleAction::GiveUp { chunk: 0 });
            assert_eq!(given_up, turn == most, "{actions:?}");
        }
    }
}

#[test]
fn events_that_cannot_be_are_errors() {
    let film = SimFilm::new(5, 1, false, false);
    let mut scheduler = Scheduler::new(film.rules.clone());
    assert!(scheduler.on(ScheduleEvent::CeilingMeasured { chunk: 3, score: 99.0 }).is_err(), "a chunk nobody knows");
    let chunk = ChunkFacts { index: 0, frames: 100, means: Default::default(), scenes: Vec::new() };
    assert!(scheduler.on(ScheduleEvent::ChunkArrived { chunk, finished: true }).is_err(), "it was not restored");
}
