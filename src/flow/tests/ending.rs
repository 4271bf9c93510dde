//! How runs end: well, early, drained, failed, cancelled, left behind.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn broken(item: u64) -> Result<()> {
    match item {
        3 => Err(Error::new(ErrorKind::Input, "broken").with_stream(0)),
        _ => Ok(()),
    }
}

#[test]
fn a_failing_stage_is_named_and_the_next_one_never_sees_an_end() {
    let user = CancelToken::new();
    let mut graph = Graph::new(&user);
    let (port, _) = numbers(&mut graph, 10, Bound::items(2));
    let (port, work) = graph.add("work", port, Each(broken), Bound::items(2));
    let kept = graph.sink("sink", port, keep(usize::MAX));
    let running = graph.start();
    let handle = running.handle();
    let error = running.wait(LONG, |_| {}).unwrap_err();
    assert_eq!((error.kind(), error.stage(), error.stream()), (ErrorKind::Input, Some("work"), Some(0)));
    assert!(kept.take().is_none() && work.take().is_none());
    assert_eq!(handle.health().state, RunState::Error);
    assert!(!user.is_cancelled(), "a run's failure leaves the user's token alone");
}

#[test]
fn ends_that_a_failing_task_owns_close_only_after_the_cancel() {
    for _ in 0..20 {
        let mut graph = graph();
        let (outlet, port) = graph.channel::<u64>(Bound::items(2));
        let (orders, take) = graph.channel::<u64>(Bound::items(2));
        // Both ends move into the closure, and die with it before anyone knows its result.
        graph.task("fails", move |_| {
            let _owned = (outlet, take);
            Err::<(), _>(Error::new(ErrorKind::Output, "disk full"))
        });
        let saw_end = graph.task("reads", move |_| Ok(port.receive()?.is_none()));
        graph.task("writes", move |_| (0..100).try_for_each(|n| orders.send(n)));
        let error = finish(graph).unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Output, Some("fails")));
        assert_eq!(saw_end.take(), None);
    }
}

#[test]
fn a_panic_in_a_stage_is_an_error_of_the_run() {
    let mut graph = graph();
    let (port, _) = numbers(&mut graph, 10, Bound::items(2));
    let (port, _) = graph.add(("encode", 0), port, Each(|_| panic!("index out of bounds")), Bound::items(2));
    let kept = graph.sink("sink", port, keep(usize::MAX));
    let error = finish(graph).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("stage encode: internal error: index out of bounds"), "{error}");
    assert!(kept.take().is_none());
}

#[test]
fn a_consumer_that_has_enough_ends_all_that_worked_for_it() {
    let mut graph = graph();
    let (port, made) = numbers(&mut graph, u64::MAX, Bound::items(2));
    let (port, _) = graph.add("work", port, Each(|_| Ok(())), Bound::items(2));
    let kept = graph.sink("sink", port, keep(7));
    finish(graph).unwrap();
    assert_eq!(kept.found().unwrap(), upto(7));
    assert!(made.found().unwrap() < 100);
}

#[test]
fn a_branch_of_a_tee_that_has_enough_leaves_the_others_whole() {
    let mut graph = graph();
    let (port, made) = numbers(&mut graph, 200, Bound::items(2));
    let mut ports = graph.tee(port, 3).into_iter();
    let few = graph.sink("few", ports.next().unwrap(), keep(5));
    let none = graph.sink("none", ports.next().unwrap(), keep(0));
    let all = graph.sink("all", ports.next().unwrap(), keep(usize::MAX));
    finish(graph).unwrap();
    assert_eq!((few.found().unwrap(), none.found().unwrap()), (upto(5), vec![]));
    assert_eq!((all.found().unwrap(), made.found().unwrap()), (upto(200), 200));
}

#[test]
fn a_consumer_that_ends_without_leaving_fails_the_run_rather_than_losing_items() {
    let mut graph = graph();
    let (port, _) = numbers(&mut graph, 200, Bound::items(2));
    let mut ports = graph.tee(port, 2).into_iter();
    let (first, second) = (ports.next().unwrap(), ports.next().unwrap());
    graph.task("ends early", move |_| first.receive());
    graph.sink("sink", second, keep(usize::MAX));
    let error = finish(graph).unwrap_err();
    assert_eq!(error.stage(), Some("source"));
    assert!(error.to_string().contains("ended early"), "{error}");
}

#[test]
fn the_slowest_branch_of_a_tee_sets_the_pace() {
    let mut graph = graph();
    let ahead = Arc::new(Mutex::new((0u64, 0u64)));
    let (port, _) = numbers(&mut graph, 40, Bound::items(2));
    let mut ports = graph.tee(port, 2).into_iter();
    let (fast, slow) = (Arc::clone(&ahead), Arc::clone(&ahead));
    for (name, port, fast) in [("fast", ports.next(), Some(fast)), ("slow", ports.next(), None)] {
        let slow = Arc::clone(&slow);
        let count = Each(move |_| {
            match &fast {
                Some(fast) => {
                    let mut both = fast.lock().unwrap();
                    both.0 += 1;
                    // Two in the slow one's queue, one at each consumer's hand, one at the sender's.
                    assert!(both.0 <= both.1 + 5, "{both:?}");
                }
                None => {
                    std::thread::sleep(Duration::from_millis(1));
                    slow.lock().unwrap().1 += 1;
                }
            }
            Ok(())
        });
        let (port, _) = graph.add(name, port.unwrap(), count, Bound::items(64));
        graph.sink("sink", port, keep(usize::MAX));
    }
    finish(graph).unwrap();
    assert_eq!(*ahead.lock().unwrap(), (40, 40));
}

#[test]
fn a_drain_finishes_what_is_in_flight_and_ends_well() {
    let mut graph = graph();
    let handle = graph.handle();
    let (port, made) = numbers(&mut graph, u64::MAX, Bound::items(3));
    let draining = Each(move |n| {
        if n == 9 {
            handle.drain();
            assert_eq!(handle.health().state, RunState::Draining);
        }
        Ok(())
    });
    let (port, _) = graph.add("work", port, draining, Bound::items(3));
    let kept = graph.sink("sink", port, keep(usize::MAX));
    let running = graph.start();
    let handle = running.handle();
    running.wait(LONG, |_| {}).unwrap();
    assert_eq!(kept.found().unwrap(), upto(made.found().unwrap()));
    assert_eq!(handle.health().state, RunState::Stopped);
}

#[test]
fn a_drain_closes_what_is_fed_from_outside_also_through_a_tee() {
    let mut graph = graph();
    let (outlet, port) = graph.inbox::<u64>(Bound::items(8));
    let mut ports = graph.tee(port, 2).into_iter();
    let kept = [(); 2].map(|()| graph.sink("sink", ports.next().unwrap(), keep(usize::MAX)));
    let running = graph.start();
    outlet.send(0).unwrap();
    outlet.send(1).unwrap();
    running.drain();
    assert!(!outlet.offer(2).unwrap());
    running.wait(LONG, |_| {}).unwrap();
    assert_eq!(kept.map(|k| k.found().unwrap()), [upto(2), upto(2)]);
}

#[test]
fn what_is_pushed_in_from_outside_comes_out_at_an_outbox() {
    let mut graph = graph();
    let (push, port) = graph.inbox::<u64>(Bound::items(2));
    let (out, pull) = graph.outbox::<u64>(Bound::items(2));
    graph.add_to("work", port, Each(|_| Ok(())), out);
    let running = graph.start();
    let pushing = std::thread::spawn(move || (0..50).try_for_each(|n| push.send(n)));
    let mut pulled = Vec::new();
    while let Some(item) = pull.receive().unwrap() {
        pulled.push(item);
    }
    pushing.join().unwrap().unwrap();
    running.wait(LONG, |_| {}).unwrap();
    assert_eq!(pulled, upto(50));
}

#[test]
fn a_cancelled_run_is_interrupted_and_a_dropped_one_is_cancelled() {
    for way in 0..3 {
        let user = CancelToken::new();
        let mut graph = Graph::new(&user);
        let (port, _) = numbers(&mut graph, u64::MAX, Bound::items(3));
        graph.sink("sink", port, keep(usize::MAX));
        let running = graph.start();
        let handle = running.handle();
        match way {
            0 => user.cancel(),
            1 => running.cancel(),
            _ => {
                drop(running);
                assert_eq!(handle.health().state, RunState::Stopped);
                continue;
            }
        }
        assert_eq!(running.wait(LONG, |_| {}).unwrap_err().kind(), ErrorKind::Interrupted);
    }
}

#[test]
fn a_thread_that_does_not_stop_is_left_behind() {
    let mut graph = graph();
    let free = Arc::new(AtomicBool::new(false));
    let hung = Arc::clone(&free);
    graph.task("hangs", move |_| {
        while !hung.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });
    let running = graph.start();
    running.cancel();
    let start = std::time::Instant::now();
    assert_eq!(running.wait(LONG, |_| {}).unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(start.elapsed() < Duration::from_secs(5));
    free.store(true, Ordering::Relaxed);
}
