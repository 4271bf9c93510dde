//! What flow itself costs an item: nanoseconds through queues and stages that do nothing.
//!
//! Each sample is one whole run, its threads included. At 60 frames a second an item may cost 33 µs before flow takes
//! 0.2 % of the time.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drapto::internals::base::{CancelToken, Result};
use drapto::internals::flow::{Bound, Graph, Nothing, Out, Port, Stage, Weighed};

const ITEMS: u64 = 20_000;
const STALL: Duration = Duration::from_secs(60);

/// As large in the queue as a frame is, and as cheap to clone.
#[derive(Clone)]
struct Item(Arc<u64>);

impl Weighed for Item {
    fn byte_len(&self) -> usize {
        6 << 20
    }
}

struct Pass;

impl Stage for Pass {
    type In = Item;
    type Out = Item;
    type Found = ();

    fn push(&mut self, item: Item, out: &mut Out<Item>) -> Result<()> {
        out.push(item)
    }

    fn finish(self, _: &mut Out<Item>) -> Result<()> {
        Ok(())
    }
}

struct Count(u64);

impl Stage for Count {
    type In = Item;
    type Out = Nothing;
    type Found = u64;

    fn push(&mut self, item: Item, _: &mut Out<Nothing>) -> Result<()> {
        self.0 += black_box(*item.0);
        Ok(())
    }

    fn finish(self, _: &mut Out<Nothing>) -> Result<u64> {
        Ok(self.0)
    }
}

fn source(graph: &mut Graph, bound: Bound) -> Port<Item> {
    let (port, _) = graph.source("source", bound, |out, _| (0..ITEMS).try_for_each(|n| out.push(Item(Arc::new(n)))));
    port
}

/// Four stages: a source, two that pass on, a sink.
fn chain(bound: Bound) {
    let mut graph = Graph::new(&CancelToken::new());
    let mut port = source(&mut graph, bound);
    for stage in 0..2 {
        (port, _) = graph.add(("pass", stage), port, Pass, bound);
    }
    graph.sink("sink", port, Count(0));
    graph.start().wait(STALL, |_| {}).expect("it runs");
}

/// One source, three consumers.
fn tee(bound: Bound) {
    let mut graph = Graph::new(&CancelToken::new());
    let port = source(&mut graph, bound);
    for (n, port) in graph.tee(port, 3).into_iter().enumerate() {
        graph.sink(("sink", n), port, Count(0));
    }
    graph.start().wait(STALL, |_| {}).expect("it runs");
}

fn flow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flow");
    group.throughput(Throughput::Elements(ITEMS)).sample_size(10).measurement_time(Duration::from_secs(3));
    for items in [4, 64] {
        let bound = Bound::new(items, usize::MAX);
        group.bench_function(BenchmarkId::new("chain of 4 stages", items), |b| b.iter(|| chain(bound)));
        group.bench_function(BenchmarkId::new("tee to 3 sinks", items), |b| b.iter(|| tee(bound)));
    }
    group.finish();
}

criterion_group!(benches, flow);
criterion_main!(benches);
