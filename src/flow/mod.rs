//! Work that flows: stages on threads of their own, joined by bounded queues, watched while they run.
//!
//! ```text
//!                Bound           tee: one sender, many queues
//!   source ─► Outlet ══ Port ─► stage ─► Out ══╦══ Port ─► stage ─► Out ══ Port ─► sink
//!                                              ╚══ Port ─► task ─► Outlet ══╗
//!                       any number of clones ─► Outlet ═════════════════════╩═ Port ─► task
//!
//!   Graph::start ─► Running: health, drain, cancel, wait        stage ─► Promise: what it found
//! ```
//!
//! Owns threads, queues, the order in which a run ends, and the watch over it. Knows no media and no file: what it moves
//! are items that say their weight. The laws, each held by a test:
//!
//! - **Order.** What one sender puts into a queue comes out in that order, once. A queue never holds more than its
//!   [`Bound`] in items and bytes; an item heavier than the whole bound travels alone.
//! - **The end** is `Ok(None)`. A queue ends when all its outlets are closed and it is empty. Ends that a stage drops
//!   close when the stage *has ended* and its outcome is known ([`Outlet::close`] and [`Port::leave`] close at once), and
//!   a [`Promise`] is kept before them: who sees the end of a stage can have what it found.
//! - **Failure.** A stage that fails (an error or a panic) has its error recorded, then the run is cancelled, then its
//!   ends close: no neighbour takes a failure for the end of a stream. Everyone else gets `Interrupted`, and the first
//!   error that is not `Interrupted` is the run's. A thread that does not stop within 3 s is left behind.
//! - **Leaving.** A consumer that has enough says so by [`Port::leave`] (a stage: by [`Stage::wants_more`]). Its share
//!   of a tee falls away and the others go on; when nobody is left, the sender's output is unwanted
//!   ([`Out::is_unwanted`], [`Outlet::offer`]): a stage then finishes, leaves its own input, and so up to the sources. A
//!   consumer that ends without reading to the end and without leaving is a fault: the sender gets an error, so that
//!   nothing is lost in silence.
//! - **Tee.** An item goes to every consumer that has room before any full one is waited for; the slowest sets the pace,
//!   each queue has the bound. No thread, and one `clone` a further consumer. Branches that meet again in one consumer
//!   that wants them in step need the shorter one bounded to what the longer one holds ([`Graph::tee_with`]); nothing
//!   else can stand still for good, and that is reported as a stall.
//! - **Drain**: sources stop taking more ([`StageContext::is_draining`]; an inbox closes), everything in flight is
//!   finished, the run ends well. **Cancel**: everything stops, the run ends with `Interrupted`.
//! - **Stalls** are counted in time in which this process ran, and never while a stage waits for its turn
//!   ([`waiting_for_turn`]) or for whoever uses the graph from outside ([`Graph::inbox`], [`Graph::outbox`]).
//!
//! Waiting counts for the stage whose thread waits, wherever the end came from: an outlet may be cloned and handed to
//! any stage or task.
#![deny(unsafe_code)]

mod bound;
mod current;
mod graph;
mod health;
mod meter;
mod promise;
mod queue;
mod run;
mod running;
mod stage;
mod watchdog;

#[cfg(test)]
mod tests;

pub use bound::{Bound, Weighed};
pub use current::{waiting_for_room, waiting_for_turn};
pub use graph::Graph;
pub use health::{Health, RunState, StageHealth};
pub use meter::StageReport;
pub use promise::Promise;
pub use queue::{Outlet, Port};
pub use run::RunHandle;
pub use running::Running;
pub use stage::{Counted, Nothing, Out, Stage, StageContext, StageName};
pub(crate) use watchdog::Stall;
