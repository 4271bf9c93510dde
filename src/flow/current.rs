//! The stage whose thread this is: whom waiting counts for, and which ends close when it has ended.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use super::meter::{Doing, StageMeter};

/// What a stage's thread knows of itself.
struct Current {
    meter: Arc<StageMeter>,
    /// Ends that were dropped and close when the stage has ended, by the address of their queue.
    endings: Vec<(usize, Box<dyn Any>)>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Makes this thread that of the stage `meter` belongs to.
pub(super) fn enter(meter: &Arc<StageMeter>) {
    CURRENT.with(|c| *c.borrow_mut() = Some(Current { meter: Arc::clone(meter), endings: Vec::new() }));
}

/// Closes the ends that were dropped; the thread belongs to no stage from here on.
pub(super) fn leave() {
    let current = CURRENT.with(|c| c.borrow_mut().take());
    // Dropped outside the borrow: what the queues hold may have ends of its own.
    drop(current);
}

/// Keeps `end` of the queue at address `queue` until the stage of this thread has ended; on other threads it is dropped
/// here. One end of a kind is enough to keep a queue open: further ones are dropped at once.
pub(super) fn at_end<E: Any>(queue: usize, end: E) {
    let mut end = Some(end);
    let _ = CURRENT.try_with(|c| {
        let mut current = c.borrow_mut();
        if let Some(current) = current.as_mut()
            && !current.endings.iter().any(|(known, kept)| *known == queue && (**kept).is::<E>())
            && let Some(end) = end.take()
        {
            current.endings.push((queue, Box::new(end)));
        }
    });
    drop(end);
}

/// Calls `look` with the meter of this thread's stage, if it has one.
pub(super) fn with_meter(look: impl FnOnce(&Arc<StageMeter>)) {
    let _ = CURRENT.try_with(|c| {
        if let Some(current) = c.borrow().as_ref() {
            look(&current.meter);
        }
    });
}

/// Runs `work` while the stage of this thread, if any, counts as `what`.
pub(super) fn waiting<R>(what: Doing, work: impl FnOnce() -> R) -> R {
    let mut guard = None;
    with_meter(|meter| guard = Some(meter.wait(what)));
    let result = work();
    drop(guard);
    result
}

/// Waits in `work` for something that others have and give back, such as the only encoder slot of a process.
///
/// While it lasts, the calling stage neither works nor moves: its waiting is no stall and no progress, is not part of its
/// mean time, and a run whose other stages only wait for this one does not stall either. On a thread that belongs to no
/// stage it just calls `work`.
pub fn waiting_for_turn<R>(work: impl FnOnce() -> R) -> R {
    waiting(Doing::Turn, work)
}

/// Waits in `work` for stages after this one to give something back, memory say; counts as waiting for output.
pub fn waiting_for_room<R>(work: impl FnOnce() -> R) -> R {
    waiting(Doing::Output, work)
}
