//! Random graphs: chains, tees and merges of any bounds, in which any stage may fail, panic, cancel, drain or have enough.
//!
//! A plan is built twice: as a graph, and as a model that says what every sink must get. Whatever happens to a run, what a
//! sink got of a strand is the beginning of what it would have got, and a sink that ended well got all of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::super::meter::Gauge;
use super::*;

/// What flows: `strand` is the way it came (merges give new ones), `number` its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    strand: u64,
    number: u64,
    weight: usize,
}

impl Weighed for Token {
    fn byte_len(&self) -> usize {
        self.weight
    }
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Pass,
    /// Drops one number in so many.
    Filter(u64),
    /// Gives so many for one.
    Expand(u64),
    /// Gives everything this much later, the rest at the end.
    Delay(usize),
    /// Has enough after so many.
    Enough(u64),
    /// Works so slowly that others wait.
    Slow,
}

#[derive(Clone, Debug)]
enum Step {
    Stage { port: usize, work: Work, bound: Bound },
    Tee { port: usize, n: usize },
    Merge { one: usize, other: usize, bound: Bound },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Error,
    Panic,
    Cancel,
    Drain,
}

#[derive(Clone, Debug)]
struct Plan {
    /// Items of each source and its bound.
    sources: Vec<(u64, Bound)>,
    steps: Vec<Step>,
    weights: Vec<usize>,
    /// What happens, in which of the stages, at which item.
    fault: Option<(Fault, usize, u64)>,
}

/// What happens to the run, shared by its stages.
#[derive(Clone)]
struct Doom {
    fault: Option<(Fault, usize, u64)>,
    handle: RunHandle,
    fired: Arc<AtomicBool>,
}

impl Doom {
    fn strike(&self, stage: usize, item: u64) -> Result<()> {
        match self.fault {
            Some((fault, at, when)) if at == stage && when == item => {
                self.fired.store(true, Ordering::SeqCst);
                match fault {
                    Fault::Error => return Err(Error::new(ErrorKind::Output, "struck")),
                    Fault::Panic => std::panic::resume_unwind(Box::new("struck")),
                    Fault::Cancel => self.handle.cancel(),
                    Fault::Drain => self.handle.drain(),
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// One stage of a plan.
struct Worker {
    work: Work,
    number: usize,
    seen: u64,
    held: std::collections::VecDeque<Token>,
    /// What is made of the strands of tokens that pass.
    renamed: fn(u64) -> u64,
    doom: Doom,
}

impl Worker {
    fn new(work: Work, number: usize, renamed: fn(u64) -> u64, doom: &Doom) -> Self {
        Worker { work, number, seen: 0, held: Default::default(), renamed, doom: doom.clone() }
    }
}

impl Stage for Worker {
    type In = Token;
    type Out = Token;
    type Found = ();

    fn push(&mut self, mut token: Token, out: &mut Out<Token>) -> Result<()> {
        self.doom.strike(self.number, self.seen)?;
        self.seen += 1;
        token.strand = (self.renamed)(token.strand);
        match self.work {
            Work::Filter(n) if token.number.is_multiple_of(n) => Ok(()),
            Work::Expand(n) => (0..n).try_for_each(|i| out.push(Token { number: token.number * n + i, ..token })),
            Work::Delay(n) => {
                self.held.push_back(token);
                if self.held.len() > n { self.held.pop_front().map_or(Ok(()), |t| out.push(t)) } else { Ok(()) }
            }
            Work::Slow => {
                std::thread::sleep(Duration::from_micros(100));
                out.push(token)
            }
            Work::Pass | Work::Filter(_) | Work::Enough(_) => out.push(token),
        }
    }

    fn finish(mut self, out: &mut Out<Token>) -> Result<()> {
        self.held.drain(..).try_for_each(|token| out.push(token))
    }

    fn wants_more(&self) -> bool {
        !matches!(self.work, Work::Enough(n) if self.seen >= n)
    }
}

/// Keeps what came, also when the run fails.
struct Collect {
    got: Arc<Mutex<Vec<Token>>>,
    number: usize,
    doom: Doom,
}

impl Stage for Collect {
    type In = Token;
    type Out = Nothing;
    type Found = ();

    fn push(&mut self, token: Token, _: &mut Out<Nothing>) -> Result<()> {
        let before = self.got.lock().unwrap().len();
        self.doom.strike(self.number, before as u64)?;
        self.got.lock().unwrap().push(token);
        Ok(())
    }

    fn finish(self, _: &mut Out<Nothing>) -> Result<()> {
        Ok(())
    }
}

/// What a port must give: the numbers of each strand in order, and whether all of them are sure to come.
#[derive(Clone, Debug)]
struct Expected {
    strands: BTreeMap<u64, Vec<u64>>,
    sure: bool,
}

impl Expected {
    fn through(self, work: Work) -> Self {
        let mut sure = self.sure;
        let several = self.strands.len() > 1;
        let strands = self.strands.into_iter().map(|(strand, numbers)| {
            let numbers = match work {
                Work::Filter(n) => numbers.into_iter().filter(|number| !number.is_multiple_of(n)).collect(),
                Work::Expand(n) => numbers.into_iter().flat_map(|number| (0..n).map(move |i| number * n + i)).collect(),
                // Of several strands nobody knows which come first.
                Work::Enough(_) if several => {
                    sure = false;
                    numbers
                }
                Work::Enough(n) => numbers.into_iter().take(n as usize).collect(),
                Work::Pass | Work::Delay(_) | Work::Slow => numbers,
            };
            (strand, numbers)
        });
        let strands = strands.collect();
        Expected { strands, sure }
    }

    fn renamed(self, rename: fn(u64) -> u64) -> Self {
        Expected { strands: self.strands.into_iter().map(|(s, n)| (rename(s), n)).collect(), ..self }
    }
}

fn same(strand: u64) -> u64 {
    strand
}

fn left(strand: u64) -> u64 {
    strand.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1)
}

fn right(strand: u64) -> u64 {
    strand.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).wrapping_add(2)
}

/// A plan as a graph.
struct Built {
    graph: Graph,
    ports: Vec<Port<Token>>,
    stages: usize,
    made: Vec<Promise<u64>>,
}

fn build(plan: &Plan, doom: impl FnOnce(&Graph) -> Doom) -> (Built, Doom) {
    let graph = graph();
    let doom = doom(&graph);
    let mut built = Built { graph, ports: Vec::new(), stages: 0, made: Vec::new() };
    for (strand, (count, bound)) in plan.sources.iter().copied().enumerate() {
        let (weights, doom, number) = (plan.weights.clone(), doom.clone(), built.stages);
        let (port, made) = built.graph.source(("work", number), bound, move |out, context| {
            for n in 0..count {
                if context.is_draining() || out.is_unwanted() {
                    return Ok(n);
                }
                doom.strike(number, n)?;
                out.push(Token { strand: strand as u64, number: n, weight: weights[n as usize % weights.len()] })?;
            }
            Ok(count)
        });
        built.stages += 1;
        built.ports.push(port);
        built.made.push(made);
    }
    for step in &plan.steps {
        built.step(step, &doom);
    }
    (built, doom)
}

impl Built {
    fn worker(&mut self, work: Work, renamed: fn(u64) -> u64, doom: &Doom) -> (StageName, Worker) {
        let number = self.stages;
        self.stages += 1;
        (("work", number).into(), Worker::new(work, number, renamed, doom))
    }

    fn step(&mut self, step: &Step, doom: &Doom) {
        let count = self.ports.len();
        match step {
            Step::Stage { port, work, bound } => {
                let from = self.ports.remove(port % count);
                let (name, worker) = self.worker(*work, same, doom);
                let (port, _) = self.graph.add(name, from, worker, *bound);
                self.ports.push(port);
            }
            Step::Tee { port, n } => {
                let from = self.ports.remove(port % count);
                self.ports.extend(self.graph.tee(from, *n));
            }
            Step::Merge { .. } if count < 2 => {}
            Step::Merge { one, other, bound } => {
                let (outlet, port) = self.graph.channel(*bound);
                for (from, rename, outlet) in
                    [(one % count, left as fn(u64) -> u64, outlet.clone()), (other % (count - 1), right, outlet)]
                {
                    let from = self.ports.remove(from);
                    let (name, worker) = self.worker(Work::Pass, rename, doom);
                    self.graph.add_to(name, from, worker, outlet);
                }
                self.ports.push(port);
            }
        }
    }
}

/// What the sinks of `plan` get if its sources make so many items each.
fn model(plan: &Plan, made: &[u64]) -> Vec<Expected> {
    let source =
        |(strand, n): (usize, &u64)| Expected { strands: BTreeMap::from([(strand as u64, upto(*n))]), sure: true };
    let mut ports: Vec<Expected> = made.iter().enumerate().map(source).collect();
    for step in &plan.steps {
        let count = ports.len();
        match step {
            Step::Stage { port, work, .. } => {
                let from = ports.remove(port % count);
                ports.push(from.through(*work));
            }
            Step::Tee { port, n } => {
                let from = ports.remove(port % count);
                ports.extend(vec![from; *n]);
            }
            Step::Merge { .. } if count < 2 => {}
            Step::Merge { one, other, .. } => {
                let (one, other) = (ports.remove(one % count), ports.remove(other % (count - 1)));
                let mut both = one.renamed(left);
                let other = other.renamed(right);
                both.sure &= other.sure;
                both.strands.extend(other.strands);
                ports.push(both);
            }
        }
    }
    ports
}

fn bound() -> impl Strategy<Value = Bound> {
    (1..6usize, prop_oneof![Just(usize::MAX), 1..60usize]).prop_map(|(items, bytes)| Bound::new(items, bytes))
}

fn work() -> impl Strategy<Value = Work> {
    prop_oneof![
        3 => Just(Work::Pass),
        2 => (2..5u64).prop_map(Work::Filter),
        2 => (0..4u64).prop_map(Work::Expand),
        2 => (1..9usize).prop_map(Work::Delay),
        1 => (0..20u64).prop_map(Work::Enough),
        1 => Just(Work::Slow),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<usize>(), work(), bound()).prop_map(|(port, work, bound)| Step::Stage { port, work, bound }),
        2 => (any::<usize>(), 2..4usize).prop_map(|(port, n)| Step::Tee { port, n }),
        2 => (any::<usize>(), any::<usize>(), bound()).prop_map(|(one, other, bound)| Step::Merge { one, other, bound }),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let fault = prop_oneof![Just(Fault::Error), Just(Fault::Panic), Just(Fault::Cancel), Just(Fault::Drain)];
    (
        prop::collection::vec((0..40u64, bound()), 1..4),
        prop::collection::vec(step(), 0..9),
        prop::collection::vec(0..40usize, 1..7),
        prop::option::weighted(0.6, (fault, 0..12usize, 0..20u64)),
    )
        .prop_map(|(sources, steps, weights, fault)| Plan { sources, steps, weights, fault })
}

/// Runs `plan` and holds what came of it against the model.
fn check(plan: &Plan) -> Result<(), TestCaseError> {
    let fired = Arc::new(AtomicBool::new(false));
    let doom = |graph: &Graph| Doom { fault: plan.fault, handle: graph.handle(), fired: Arc::clone(&fired) };
    let (mut built, doom) = build(plan, doom);
    let mut sinks = Vec::new();
    for port in built.ports.drain(..) {
        let got = Arc::new(Mutex::new(Vec::new()));
        let sink = Collect { got: Arc::clone(&got), number: built.stages, doom: doom.clone() };
        sinks.push((built.graph.sink(("work", built.stages), port, sink), got));
        built.stages += 1;
    }
    let gauges: Vec<Arc<dyn Gauge>> = built.graph.gauges.iter().filter_map(std::sync::Weak::upgrade).collect();
    // A deadlock is a stall: it fails the run after this long.
    let result = built.graph.start().wait(Duration::from_secs(4), |_| {});

    let struck = plan.fault.map(|(fault, ..)| fault).filter(|_| fired.load(Ordering::SeqCst));
    match (struck, &result) {
        (None | Some(Fault::Drain), Ok(_)) => {}
        (Some(Fault::Error), Err(e)) => prop_assert_eq!((e.kind(), e.stage()), (ErrorKind::Output, Some("work"))),
        (Some(Fault::Panic), Err(e)) => prop_assert!(e.to_string().contains("internal error: struck"), "{}", e),
        (Some(Fault::Cancel), Err(e)) => prop_assert_eq!(e.kind(), ErrorKind::Interrupted),
        (struck, result) => prop_assert!(false, "{:?} came to {:?}", struck, result),
    }
    let full: Vec<u64> = plan.sources.iter().map(|(n, _)| *n).collect();
    // What a drained source made is all there is; one that was left early made what nobody missed.
    let leaves = plan.steps.iter().any(|s| matches!(s, Step::Stage { work: Work::Enough(_), .. }));
    let made = match struck {
        Some(Fault::Drain) if !leaves => built
            .made
            .iter()
            .map(Promise::found)
            .collect::<Result<_>>()
            .map_err(|e| TestCaseError::fail(e.to_string()))?,
        _ => full,
    };
    let whole = !(leaves && struck == Some(Fault::Drain));
    for ((promise, got), expected) in sinks.iter().zip(model(plan, &made)) {
        let mut strands: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for token in got.lock().unwrap().iter() {
            strands.entry(token.strand).or_default().push(token.number);
        }
        let ended_well = promise.take().is_some();
        prop_assert!(ended_well || result.is_err());
        for (strand, numbers) in &strands {
            let all = expected.strands.get(strand).map_or(&[][..], Vec::as_slice);
            prop_assert!(all.starts_with(numbers), "strand {}: {:?} is no beginning of {:?}", strand, numbers, all);
        }
        if ended_well && expected.sure && whole {
            let count = |strands: &BTreeMap<u64, Vec<u64>>| strands.values().map(Vec::len).sum::<usize>();
            prop_assert_eq!(count(&strands), count(&expected.strands));
        }
    }
    for level in gauges.iter().map(|gauge| gauge.level()) {
        let heaviest = plan.weights.iter().copied().max().unwrap_or(0);
        prop_assert!(level.peak.0 <= level.item_limit, "{:?}", level);
        prop_assert!(level.peak.1 <= level.byte_limit.max(heaviest), "{:?}", level);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_graph_nothing_is_lost_doubled_or_stuck_and_every_end_is_clean(plan in plan()) {
        check(&plan)?;
    }
}
