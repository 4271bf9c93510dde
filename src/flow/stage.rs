//! Stages: what they are given, what they give, and how one is driven.

use std::sync::Arc;

use super::bound::Weighed;
use super::current;
use super::meter::StageMeter;
use super::queue::{Outlet, Port};
use super::run::RunCore;
use crate::base::{CancelToken, Result};

/// Which items a stage's report counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Those it took.
    Taken,
    /// Those it gave.
    Given,
    /// Those it counts itself, by [`StageContext::item`].
    Itself,
}

/// A step of the way: takes items, gives items, and in the end says what it found.
///
/// Runs on one thread of its own, from the first item to the last. It may own further [`Outlet`]s and [`Port`]s.
pub trait Stage: Send + 'static {
    /// What it is given.
    type In: Weighed;
    /// What it gives; [`Nothing`] for a sink.
    type Out: Weighed;
    /// What it has found when it ended well.
    type Found: Send + 'static;

    /// What its report counts.
    const COUNTED: Counted = Counted::Taken;

    /// Takes one item; gives any number.
    ///
    /// # Errors
    /// Any; it ends the run.
    fn push(&mut self, item: Self::In, out: &mut Out<Self::Out>) -> Result<()>;

    /// Called once, after the last item, or when the stage has enough, or when nobody wants more of it; gives what is left.
    ///
    /// # Errors
    /// Any; it ends the run.
    fn finish(self, out: &mut Out<Self::Out>) -> Result<Self::Found>;

    /// Asked before each item; false ends the stage as if its input had ended there.
    fn wants_more(&self) -> bool {
        true
    }
}

/// What a sink gives: it cannot be made.
#[derive(Clone, Copy, Debug)]
pub enum Nothing {}

impl Weighed for Nothing {
    fn byte_len(&self) -> usize {
        match *self {}
    }
}

/// Where a stage puts what it gives.
pub struct Out<T: Weighed> {
    outlet: Option<Outlet<T>>,
    context: StageContext,
    counted: bool,
    unwanted: bool,
}

impl<T: Weighed> Out<T> {
    pub(super) fn new(outlet: Option<Outlet<T>>, context: StageContext, counted: bool) -> Self {
        Out { outlet, context, counted, unwanted: false }
    }

    /// Hands `item` on; waits while the queue is full. Where nobody wants it any more it is dropped, see
    /// [`Out::is_unwanted`].
    ///
    /// # Errors
    /// `Interrupted` when the run was cancelled; `Encode` when the consumer ended without reading to the end.
    pub fn push(&mut self, item: T) -> Result<()> {
        if let Some(outlet) = &self.outlet
            && !self.unwanted
        {
            self.unwanted = !outlet.offer(item)?;
            if self.counted && !self.unwanted {
                self.context.item();
            }
        }
        Ok(())
    }

    /// Whether all consumers have enough, as the last [`Out::push`] met them. A stage is ended by it; a source that goes
    /// on works in vain.
    pub fn is_unwanted(&self) -> bool {
        self.unwanted
    }

    /// The stage's place in the run.
    pub fn context(&self) -> &StageContext {
        &self.context
    }
}

/// A stage's place in its run.
#[derive(Clone)]
pub struct StageContext {
    pub(super) run: Arc<RunCore>,
    pub(super) meter: Arc<StageMeter>,
}

impl StageContext {
    /// The stage's name.
    pub fn name(&self) -> &str {
        self.meter.name()
    }

    /// Whether sources are to stop taking more.
    pub fn is_draining(&self) -> bool {
        self.run.is_draining()
    }

    /// The token of this run: cancelled with it, and by any stage that fails.
    pub fn cancel_token(&self) -> &CancelToken {
        &self.run.cancel
    }

    /// For use between items that pass no queue.
    ///
    /// # Errors
    /// `Interrupted` once the run was cancelled.
    pub fn check(&self) -> Result<()> {
        self.run.cancel.check()
    }

    /// Counts one item handled, and with it gives a sign of life.
    pub fn item(&self) {
        self.meter.item();
    }

    /// Gives a sign of life from within one long item.
    pub fn progress(&self) {
        self.meter.progress();
    }

    /// See [`super::waiting_for_turn`]; to be called on the stage's own thread.
    pub fn waiting_for_turn<R>(&self, work: impl FnOnce() -> R) -> R {
        current::waiting_for_turn(work)
    }

    /// See [`super::waiting_for_room`]; to be called on the stage's own thread.
    pub fn waiting_for_room<R>(&self, work: impl FnOnce() -> R) -> R {
        current::waiting_for_room(work)
    }
}

/// What a stage is called: in errors by its kind, in reports and as a thread by the kind and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageName {
    pub(super) kind: &'static str,
    number: Option<usize>,
}

impl StageName {
    pub(super) fn label(self) -> String {
        match self.number {
            Some(number) => format!("{} {number}", self.kind),
            None => self.kind.to_owned(),
        }
    }
}

impl From<&'static str> for StageName {
    fn from(kind: &'static str) -> Self {
        StageName { kind, number: None }
    }
}

impl From<(&'static str, usize)> for StageName {
    /// One of several: `("audio", 2)` is `audio 2`.
    fn from((kind, number): (&'static str, usize)) -> Self {
        StageName { kind, number: Some(number) }
    }
}

/// Runs `stage` to its end.
pub(super) fn drive<S: Stage>(mut stage: S, from: Port<S::In>, out: &mut Out<S::Out>) -> Result<S::Found> {
    loop {
        if out.is_unwanted() || !stage.wants_more() {
            from.leave();
            break;
        }
        let Some(item) = from.receive()? else { break };
        stage.push(item, out)?;
        if S::COUNTED == Counted::Taken {
            out.context.item();
        }
    }
    stage.finish(out)
}
