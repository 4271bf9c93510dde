//! The laws of the room, one test each; over random graphs in `random`.

mod ending;
mod queues;
mod random;
mod stalls;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::base::{CancelToken, Error, ErrorKind, Result};

const LONG: Duration = Duration::from_secs(20);

impl Weighed for u64 {
    fn byte_len(&self) -> usize {
        8
    }
}

fn graph() -> Graph {
    Graph::new(&CancelToken::new())
}

fn finish(graph: Graph) -> Result<Vec<StageReport>> {
    graph.start().wait(LONG, |_| {})
}

/// A source of `0..n`, which stops when it is unwanted or draining, and finds how many it gave.
fn numbers(graph: &mut Graph, n: u64, bound: Bound) -> (Port<u64>, Promise<u64>) {
    graph.source("source", bound, move |out, context| {
        for i in 0..n {
            if context.is_draining() || out.is_unwanted() {
                return Ok(i);
            }
            out.push(i)?;
        }
        Ok(n)
    })
}

/// Gives on what it takes, after `work` saw it.
struct Each<W>(W);

impl<W: FnMut(u64) -> Result<()> + Send + 'static> Stage for Each<W> {
    type In = u64;
    type Out = u64;
    type Found = ();

    fn push(&mut self, item: u64, out: &mut Out<u64>) -> Result<()> {
        (self.0)(item)?;
        out.push(item)
    }

    fn finish(self, _: &mut Out<u64>) -> Result<()> {
        Ok(())
    }
}

/// Keeps what it is given, up to a number of items.
struct Keep {
    kept: Vec<u64>,
    at_most: usize,
}

fn keep(at_most: usize) -> Keep {
    Keep { kept: Vec::new(), at_most }
}

impl Stage for Keep {
    type In = u64;
    type Out = Nothing;
    type Found = Vec<u64>;

    fn push(&mut self, item: u64, _: &mut Out<Nothing>) -> Result<()> {
        self.kept.push(item);
        Ok(())
    }

    fn finish(self, _: &mut Out<Nothing>) -> Result<Vec<u64>> {
        Ok(self.kept)
    }

    fn wants_more(&self) -> bool {
        self.kept.len() < self.at_most
    }
}

fn upto(n: u64) -> Vec<u64> {
    (0..n).collect()
}

#[test]
fn everything_sent_arrives_in_order_before_the_end_and_is_counted() {
    let mut graph = graph();
    let (port, made) = numbers(&mut graph, 50, Bound::items(2));
    let (port, _) = graph.add(("work", 3), port, Each(|_| Ok(())), Bound::items(3));
    let kept = graph.sink("sink", port, keep(usize::MAX));
    let reports = finish(graph).unwrap();
    assert_eq!((kept.found().unwrap(), made.take()), (upto(50), Some(50)));
    let counted: Vec<_> = reports.iter().map(|r| (r.name.as_str(), r.items)).collect();
    assert_eq!(counted, [("source", 50), ("work 3", 50), ("sink", 50)]);
    assert!(reports[0].queue_high_water <= 2 && reports[1].queue_high_water <= 3, "{reports:?}");
}

#[test]
fn a_tee_shares_one_item_among_its_consumers_without_a_thread() {
    let mut graph = graph();
    let item = Arc::new(vec![7u8; 100]);
    let sent = Arc::clone(&item);
    let (port, _) = graph.source("source", Bound::items(4), move |out, _| out.push(sent));
    let mut ports = graph.tee(port, 3);
    let again = graph.tee(ports.remove(0), 2);
    let found: Vec<_> = ports
        .into_iter()
        .chain(again)
        .enumerate()
        .map(|(i, port)| graph.task(("take", i), move |_| Ok((port.receive()?, port.receive()?))))
        .collect();
    let running = graph.start();
    assert_eq!(running.health().stages.len(), 5);
    running.wait(LONG, |_| {}).unwrap();
    for promise in found {
        let (first, end) = promise.found().unwrap();
        assert!(Arc::ptr_eq(&first.unwrap(), &item) && end.is_none());
    }
}

#[test]
fn many_senders_share_a_queue_which_ends_with_the_last_of_them() {
    let mut graph = graph();
    let (outlet, port) = graph.channel::<u64>(Bound::items(2));
    for stage in 0..3u64 {
        let outlet = outlet.clone();
        graph.task(("sender", stage as usize), move |_| (0..20).try_for_each(|i| outlet.send(stage * 100 + i)));
    }
    drop(outlet);
    let kept = graph.sink("sink", port, keep(usize::MAX));
    finish(graph).unwrap();
    let kept = kept.found().unwrap();
    for stage in 0..3u64 {
        let own: Vec<_> = kept.iter().filter(|n| **n / 100 == stage).map(|n| n % 100).collect();
        assert_eq!(own, upto(20));
    }
}

#[test]
fn a_scheduler_and_its_workers_form_a_loop_that_ends() {
    let mut graph = graph();
    let (to_scheduler, notes) = graph.channel::<u64>(Bound::items(4));
    let mut orders = Vec::new();
    for worker in 0..3 {
        let (outlet, port) = graph.channel::<u64>(Bound::items(1));
        orders.push(outlet);
        let done = to_scheduler.clone();
        graph.task(("worker", worker), move |context| {
            while let Some(order) = port.receive()? {
                context.item();
                // The scheduler may have enough by now.
                done.offer(order * 2)?;
            }
            Ok(())
        });
    }
    drop(to_scheduler);
    let sum = graph.task("scheduler", move |_| {
        let (mut sum, mut next) = (0, 0);
        for outlet in &orders {
            outlet.send(next)?;
            next += 1;
        }
        for _ in 0..30 {
            let done = notes.receive()?.ok_or_else(|| Error::new(ErrorKind::Encode, "no note"))?;
            sum += done;
            if next < 30 {
                orders[(next % 3) as usize].offer(next)?;
                next += 1;
            }
        }
        notes.leave();
        Ok(sum)
    });
    finish(graph).unwrap();
    assert_eq!(sum.found().unwrap(), 2 * (0..30).sum::<u64>());
}

#[test]
fn a_stage_that_sees_the_end_of_another_has_what_it_found() {
    let mut graph = graph();
    let (port, _) = numbers(&mut graph, 5, Bound::items(8));
    let (port, promise) = graph.add("work", port, CountUp(0), Bound::items(8));
    let seen = graph.task("after", move |_| {
        while port.receive()?.is_some() {}
        promise.found()
    });
    finish(graph).unwrap();
    assert_eq!(seen.found().unwrap(), 5);
}

struct CountUp(u64);

impl Stage for CountUp {
    type In = u64;
    type Out = u64;
    type Found = u64;
    const COUNTED: Counted = Counted::Given;

    fn push(&mut self, _: u64, _: &mut Out<u64>) -> Result<()> {
        self.0 += 1;
        Ok(())
    }

    fn finish(self, out: &mut Out<u64>) -> Result<u64> {
        (0..self.0 * 2).try_for_each(|n| out.push(n))?;
        Ok(self.0)
    }
}

#[test]
fn a_stage_may_count_what_it_gives_and_give_more_at_the_end() {
    let mut graph = graph();
    let (port, _) = numbers(&mut graph, 5, Bound::items(1));
    let (port, _) = graph.add("double", port, CountUp(0), Bound::items(1));
    let kept = graph.sink("sink", port, keep(usize::MAX));
    let reports = finish(graph).unwrap();
    assert_eq!((reports[1].items, kept.found().unwrap()), (10, upto(10)));
}

#[test]
fn health_shows_full_queues_and_who_waits_and_prints_as_a_table() {
    let mut graph = graph();
    assert_eq!(graph.handle().health().state, RunState::Idle);
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let (port, _) = numbers(&mut graph, 10, Bound::items(5));
    let first = Mutex::new(true);
    let slow = Each(move |_| {
        if std::mem::take(&mut *first.lock().unwrap()) {
            let _ = gate.recv();
        }
        Ok(())
    });
    let (port, _) = graph.add("slow", port, slow, Bound::items(5));
    graph.sink("sink", port, keep(usize::MAX));
    let running = graph.start();
    let handle = running.handle();
    let looked = std::thread::spawn(move || {
        loop {
            let health = handle.health();
            if health.stages[1].queue_depth == 5 && health.stages[0].blocked_out_s > 0.02 {
                go.send(()).unwrap();
                return health;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    running.wait(LONG, |_| {}).unwrap();
    let health = looked.join().unwrap();
    assert_eq!((health.state, health.stages[1].queue_capacity), (RunState::Running, 5));
    assert!(health.stages[1].back_pressured && !health.stages[2].back_pressured);
    assert!(health.stages[2].blocked_in_s > 0.0);
    let text = health.to_string();
    assert!(text.starts_with("running\nstage") && text.contains("5/5") && text.contains("back-pressured"), "{text}");
    let json = serde_json::to_value(&health).unwrap();
    assert_eq!((&json["state"], &json["stages"][1]["queue_depth"]), (&"running".into(), &5.into()));
}
