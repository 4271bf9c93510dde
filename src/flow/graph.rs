//! How stages are put together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::bound::{Bound, Weighed};
use super::current;
use super::meter::StageMeter;
use super::promise::Promise;
use super::queue::{Outlet, Outside, Port, queue, split};
use super::run::{RunCore, RunHandle};
use super::running::Running;
use super::stage::{Counted, Out, Stage, StageContext, StageName, drive};
use crate::base::{CancelToken, Error, ErrorKind, Result};

type Body = Box<dyn FnOnce() + Send>;

/// Stages and the queues between them, not started.
///
/// Every port has one consumer: a stage, a sink, a task, a tee or, of an outbox, the caller. A port that is dropped
/// instead makes its sender fail. A graph that is dropped was never there.
pub struct Graph {
    core: Arc<RunCore>,
    bodies: Vec<(StageName, Body)>,
    #[cfg(test)]
    pub(super) gauges: Vec<std::sync::Weak<dyn super::meter::Gauge>>,
}

impl Graph {
    /// A graph whose run stops when `cancel` does; its own failure leaves `cancel` alone.
    pub fn new(cancel: &CancelToken) -> Self {
        Graph {
            core: RunCore::new(cancel.child()),
            bodies: Vec::new(),
            #[cfg(test)]
            gauges: Vec::new(),
        }
    }

    /// The token of this run, for what is opened before it starts.
    pub fn cancel_token(&self) -> &CancelToken {
        &self.core.cancel
    }

    /// A hold on the run, also before it starts.
    pub fn handle(&self) -> RunHandle {
        RunHandle(Arc::clone(&self.core))
    }

    /// A queue of `bound`. Clone the outlet for many senders; move the ends into stages and tasks.
    pub fn channel<T: Weighed>(&mut self, bound: Bound) -> (Outlet<T>, Port<T>) {
        self.queue(bound, Outside::No)
    }

    /// A queue that someone outside the graph fills: a stage that waits for it is not stalled, and a drain closes it.
    pub fn inbox<T: Weighed>(&mut self, bound: Bound) -> (Outlet<T>, Port<T>) {
        let (outlet, port) = self.queue(bound, Outside::Sender);
        if let Some(gauge) = port.gauge() {
            self.core.add_inbox(gauge);
        }
        (outlet, port)
    }

    /// A queue that someone outside the graph empties: a stage that waits for room in it is not stalled.
    pub fn outbox<T: Weighed>(&mut self, bound: Bound) -> (Outlet<T>, Port<T>) {
        self.queue(bound, Outside::Consumer)
    }

    fn queue<T: Weighed>(&mut self, bound: Bound, outside: Outside) -> (Outlet<T>, Port<T>) {
        let (outlet, port) = queue(bound, outside, &self.core.cancel);
        #[cfg(test)]
        self.gauges.extend(port.gauge());
        (outlet, port)
    }

    /// A stage that makes items. `make` is to stop when the context is draining or the output is unwanted.
    pub fn source<T: Weighed, F: Send + 'static>(
        &mut self,
        name: impl Into<StageName>,
        bound: Bound,
        make: impl FnOnce(&mut Out<T>, &StageContext) -> Result<F> + Send + 'static,
    ) -> (Port<T>, Promise<F>) {
        let (outlet, port) = self.channel(bound);
        let promise = self.task(name, move |context| {
            let mut out = Out::new(Some(outlet), context.clone(), true);
            make(&mut out, context)
        });
        (port, promise)
    }

    /// A stage between `from` and the port that is given back, whose queue is of `bound`.
    pub fn add<S: Stage>(
        &mut self,
        name: impl Into<StageName>,
        from: Port<S::In>,
        stage: S,
        bound: Bound,
    ) -> (Port<S::Out>, Promise<S::Found>) {
        let (outlet, port) = self.channel(bound);
        (port, self.add_to(name, from, stage, outlet))
    }

    /// A stage that gives into a queue there is already, as one of its senders.
    pub fn add_to<S: Stage>(
        &mut self,
        name: impl Into<StageName>,
        from: Port<S::In>,
        stage: S,
        to: Outlet<S::Out>,
    ) -> Promise<S::Found> {
        self.driven(name.into(), from, stage, Some(to))
    }

    /// A stage at the end, which gives nothing on.
    pub fn sink<S: Stage<Out = super::stage::Nothing>>(
        &mut self,
        name: impl Into<StageName>,
        from: Port<S::In>,
        stage: S,
    ) -> Promise<S::Found> {
        self.driven(name.into(), from, stage, None)
    }

    fn driven<S: Stage>(
        &mut self,
        name: StageName,
        from: Port<S::In>,
        stage: S,
        to: Option<Outlet<S::Out>>,
    ) -> Promise<S::Found> {
        let meter = StageMeter::new(name.label());
        from.read_by(&meter);
        self.spawn(name, meter, move |context| {
            let mut out = Out::new(to, context.clone(), S::COUNTED == Counted::Given);
            drive(stage, from, &mut out)
        })
    }

    /// Work with ends of any number and kind, moved into `work`: a router, a scheduler, a worker. It counts its items
    /// itself.
    pub fn task<F: Send + 'static>(
        &mut self,
        name: impl Into<StageName>,
        work: impl FnOnce(&StageContext) -> Result<F> + Send + 'static,
    ) -> Promise<F> {
        let name = name.into();
        self.spawn(name, StageMeter::new(name.label()), work)
    }

    fn spawn<F: Send + 'static>(
        &mut self,
        name: StageName,
        meter: Arc<StageMeter>,
        work: impl FnOnce(&StageContext) -> Result<F> + Send + 'static,
    ) -> Promise<F> {
        let promise = Promise::new(meter.name());
        self.core.add(&meter);
        let (core, kept) = (Arc::clone(&self.core), promise.clone());
        self.bodies.push((name, Box::new(move || body(name, &core, &meter, &kept, work))));
        promise
    }

    /// `n` ports that each get every item of `from`, in queues of its bound. Before anything is sent.
    ///
    /// An item is cloned for each further consumer: to be cheap it is to be reference counted. Of no port at all, `from`
    /// is left.
    pub fn tee<T: Weighed + Clone>(&mut self, from: Port<T>, n: usize) -> Vec<Port<T>> {
        let bounds = vec![from.bound(); n];
        self.tee_with(from, &bounds)
    }

    /// The same with a bound for each port, where one branch has to hold what the other one still works on.
    pub fn tee_with<T: Weighed + Clone>(&mut self, from: Port<T>, bounds: &[Bound]) -> Vec<Port<T>> {
        match bounds {
            [] => {
                from.leave();
                Vec::new()
            }
            bounds => {
                let ports = split(from, bounds);
                #[cfg(test)]
                self.gauges.extend(ports.iter().filter_map(Port::gauge));
                ports
            }
        }
    }

    /// Starts all stages. Where a thread cannot be had, the run fails: [`Running::wait`] says so.
    pub fn start(self) -> Running {
        let mut threads = Vec::new();
        for (name, body) in self.bodies {
            let core = Arc::clone(&self.core);
            let gated = move || {
                core.wait_for_start();
                body();
                core.one_ended();
            };
            match std::thread::Builder::new().name(name.label()).spawn(gated) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    let failure = Error::new(ErrorKind::Encode, "cannot start a thread").caused_by(error);
                    self.core.record(failure.in_stage(name.kind));
                    self.core.cancel.cancel();
                    break; // what was not started closes its ends, after the cancel
                }
            }
        }
        self.core.open();
        Running::new(self.core, threads)
    }
}

/// The life of a stage's thread.
fn body<F>(
    name: StageName,
    core: &Arc<RunCore>,
    meter: &Arc<StageMeter>,
    promise: &Promise<F>,
    work: impl FnOnce(&StageContext) -> Result<F>,
) {
    current::enter(meter);
    meter.begin();
    let context = StageContext { run: Arc::clone(core), meter: Arc::clone(meter) };
    let result = catch_unwind(AssertUnwindSafe(|| work(&context).map(|found| promise.keep(found))))
        .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
    meter.done();
    if let Err(error) = result {
        core.record(error.in_stage(name.kind));
        core.cancel.cancel();
    }
    // Only now: neighbours that see an end may rely on it.
    current::leave();
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::new(ErrorKind::Encode, format!("internal error: {text}"))
}
