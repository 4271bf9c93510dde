//! What is a stall and what is not.

use std::process::{Command, Stdio};

use super::super::meter::{Doing, StageMeter};
use super::super::watchdog::{Glance, Stall, Watchdog, culprits};
use super::*;

const S: Duration = Duration::from_secs(1);

fn glance(name: &str, doing: Doing, signs: u64) -> Glance<'_> {
    Glance { name, doing, signs }
}

/// A watchdog of ten seconds that looks every second and believes in two.
fn watchdog() -> Watchdog {
    Watchdog::new(10 * S, 2 * S, Duration::ZERO)
}

#[test]
fn the_watchdog_names_the_stage_that_works_without_end_not_those_that_wait_for_it() {
    let stages =
        [glance("decode", Doing::Output, 5), glance("encode", Doing::Working, 2), glance("mux", Doing::Input, 1)];
    let mut watchdog = watchdog();
    (1..=5).for_each(|n| watchdog.look(n * S, &stages));
    assert!(!watchdog.is_uneasy());
    (6..=10).for_each(|n| watchdog.look(n * S, &stages));
    assert!(watchdog.is_uneasy() && !watchdog.is_stalled());
    watchdog.look(11 * S, &stages);
    assert!(watchdog.is_stalled());
    assert_eq!(culprits(&stages), "encode");
}

#[test]
fn a_run_in_which_anyone_moves_is_not_stalled() {
    let mut watchdog = watchdog();
    for n in 1..60 {
        watchdog.look(n * S, &[glance("decode", Doing::Working, 3), glance("encode", Doing::Working, u64::from(n))]);
        assert!(!watchdog.is_uneasy());
    }
}

#[test]
fn stages_that_all_wait_are_all_named_and_finished_ones_are_not() {
    let stages = [glance("demux", Doing::Done, 9), glance("decode", Doing::Output, 9), glance("mux", Doing::Input, 9)];
    let mut watchdog = watchdog();
    (1..=11).for_each(|n| watchdog.look(n * S, &stages));
    assert!(watchdog.is_stalled());
    assert_eq!(culprits(&stages), "decode, mux wait for each other");
}

#[test]
fn an_hour_in_which_the_process_was_stopped_is_no_stall() {
    let stages = [glance("encode", Doing::Working, 2)];
    let mut watchdog = watchdog();
    watchdog.look(S, &stages);
    watchdog.look(3600 * S, &stages);
    watchdog.look(7200 * S, &stages);
    assert!(!watchdog.is_uneasy());
}

#[test]
fn waiting_for_a_turn_is_neither_a_stall_nor_progress() {
    let turn = |decode| [glance("decode", decode, 5), glance("encode", Doing::Turn, 2), glance("mux", Doing::Input, 1)];
    let mut watchdog = watchdog();
    // Eight seconds of a decoder that hangs, an hour in which it waits for the encoder, which waits for its turn ...
    (1..=9).for_each(|n| watchdog.look(n * S, &turn(Doing::Working)));
    (10..=3600).for_each(|n| watchdog.look(n * S, &turn(Doing::Output)));
    assert!(watchdog.is_uneasy() && !watchdog.is_stalled());
    // ... and a decoder that hangs on.
    (3601..=3602).for_each(|n| watchdog.look(n * S, &turn(Doing::Working)));
    assert!(watchdog.is_stalled());
    assert_eq!(culprits(&turn(Doing::Working)), "decode");
}

#[test]
fn busy_time_is_what_is_left_after_waiting_for_neighbours_or_a_turn() {
    let meter = StageMeter::new("encode");
    let start = std::time::Instant::now();
    meter.begin();
    for what in [Doing::Output, Doing::Turn] {
        let guard = meter.wait(what);
        std::thread::sleep(Duration::from_millis(30));
        let live = meter.health();
        assert!(live.blocked_out_s >= 0.029, "a wait that is not over counts up to now: {live:?}");
        drop(guard);
    }
    meter.item();
    meter.done();
    let (report, all_s) = (meter.report(), start.elapsed().as_secs_f64());
    assert!(report.blocked_out_s <= all_s - 0.029 && report.blocked_in_s == 0.0, "{report:?} of {all_s}");
    assert!(report.busy_s <= all_s - 0.058 && meter.health().mean_s == report.busy_s, "{report:?} of {all_s}");
}

/// A sink that hangs in its first item for as long as `hang` says, and what became of the run.
fn hanging(stall: Duration, hang: fn(&CancelToken)) -> (Result<Vec<StageReport>>, Vec<RunState>) {
    let mut graph = graph();
    let (port, _) = numbers(&mut graph, 10, Bound::items(2));
    let cancel = graph.cancel_token().clone();
    let (port, _) = graph.add(
        "hangs",
        port,
        Each(move |n| {
            if n == 0 {
                hang(&cancel);
            }
            Ok(())
        }),
        Bound::items(2),
    );
    graph.sink("sink", port, keep(usize::MAX));
    let mut states = Vec::new();
    let result = graph.start().wait(stall, |health| {
        states.push(health.state);
        if health.state == RunState::Stalled {
            let stalled: Vec<_> = health.stages.iter().filter(|s| s.stalled).map(|s| s.name.as_str()).collect();
            assert_eq!(stalled, ["hangs"]);
        }
    });
    (result, states)
}

#[test]
fn a_run_that_stands_still_is_stopped_and_names_the_stage() {
    let (result, states) = hanging(Duration::from_millis(500), |cancel| {
        while !cancel.is_cancelled() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert_eq!(error.to_string(), "no progress for 0 s in hangs");
    assert_eq!(Stall::in_error(&error).map(|stall| &stall.stages[..]), Some(&["hangs".to_owned()][..]));
    assert!(states.contains(&RunState::Stalled), "{states:?}");
}

#[test]
fn a_run_whose_stage_waits_for_its_turn_goes_on_when_it_has_it() {
    let (result, states) =
        hanging(Duration::from_millis(300), |_| waiting_for_turn(|| std::thread::sleep(Duration::from_millis(900))));
    result.unwrap();
    // A look may also fall between the last stage's end and the run's: stopped, as it should be.
    assert!(states.iter().all(|s| matches!(s, RunState::Running | RunState::Stopped)), "{states:?}");
    assert_eq!(states[0], RunState::Running);
}

#[test]
fn a_run_that_waits_for_whoever_feeds_it_is_not_stalled() {
    let mut graph = graph();
    let (outlet, port) = graph.inbox::<u64>(Bound::items(2));
    let mut ports = graph.tee(port, 2).into_iter();
    graph.sink("one", ports.next().unwrap(), keep(usize::MAX));
    graph.sink("two", ports.next().unwrap(), keep(usize::MAX));
    let feeding = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(800));
        outlet.send(1)
    });
    graph.start().wait(Duration::from_millis(300), |_| {}).unwrap();
    feeding.join().unwrap().unwrap();
}

const CHILD: &str = "DRAPTO_TEST_STOPPED_CHILD";

/// Run in a process of its own by the test below: two seconds of a stage that gives a sign of life every 20 ms.
#[test]
fn child_of_the_stopped_process_test() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let mut graph = graph();
    graph.task("beats", |context| {
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(20));
            context.item();
        }
        Ok(())
    });
    graph.start().wait(Duration::from_millis(800), |_| {}).unwrap();
}

#[cfg(unix)]
#[test]
fn a_process_that_was_stopped_goes_on_where_it_was() {
    let name = "flow::tests::stalls::child_of_the_stopped_process_test";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let signal = |what: &str| {
        assert!(Command::new("kill").args([what, &child.id().to_string()]).status().unwrap().success());
    };
    std::thread::sleep(Duration::from_millis(500));
    signal("-STOP");
    // Much longer than the child's stall timeout.
    std::thread::sleep(Duration::from_millis(2500));
    signal("-CONT");
    assert!(child.wait().unwrap().success());
}
