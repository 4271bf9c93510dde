//! Bounded queues between stages: bounded in items and in bytes, one consumer, any number of senders.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use super::bound::{Bound, Weighed};
use super::current::{at_end, waiting, with_meter};
use super::meter::{Doing, Gauge, QueueLevel, StageMeter};
use crate::base::{CancelToken, Error, ErrorKind, Result};

/// How often a blocked end looks whether the run was cancelled.
const POLL: Duration = Duration::from_millis(50);

/// Whether one end of a queue is held by someone who is no stage of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    No,
    Sender,
    Consumer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Consumer {
    Here,
    /// It has enough.
    Left,
    /// It ended without having read to the end.
    Gone,
}

/// One queue; or, once it was split, the place where what is sent fans out.
pub(super) struct ItemQueue<T: Weighed> {
    bound: Bound,
    outside: Outside,
    cancel: CancelToken,
    state: Mutex<QueueState<T>>,
    filled: Condvar,
    freed: Condvar,
    fan: OnceLock<Fan<T>>,
}

struct QueueState<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    senders: usize,
    consumer: Consumer,
    /// Takes no more.
    shut: bool,
    /// Whether the consumer sleeps, and how many senders do: nobody is woken where nobody sleeps.
    hungry: bool,
    full: usize,
    #[cfg(test)]
    peak: (usize, usize),
}

struct Fan<T: Weighed> {
    clone: fn(&T) -> T,
    queues: Vec<Arc<ItemQueue<T>>>,
}

/// What came of an attempt to put an item in.
enum Put<T> {
    /// The queue holds so many now.
    In(usize),
    Full(T),
    Unwanted,
}

impl<T: Weighed> ItemQueue<T> {
    fn new(bound: Bound, outside: Outside, cancel: &CancelToken) -> Arc<Self> {
        Arc::new(ItemQueue {
            bound,
            outside,
            cancel: cancel.clone(),
            state: Mutex::new(QueueState {
                items: VecDeque::new(),
                bytes: 0,
                senders: 1,
                consumer: Consumer::Here,
                shut: false,
                hungry: false,
                full: 0,
                #[cfg(test)]
                peak: (0, 0),
            }),
            filled: Condvar::new(),
            freed: Condvar::new(),
            fan: OnceLock::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fanned(&self) -> &[Arc<Self>] {
        self.fan.get().map_or(&[], |fan| &fan.queues)
    }

    /// Puts `item` in if it fits.
    fn put(&self, state: &mut QueueState<T>, item: T, weight: usize) -> Result<Put<T>> {
        match state.consumer {
            Consumer::Here if !state.shut => {}
            Consumer::Here | Consumer::Left => return Ok(Put::Unwanted),
            Consumer::Gone => {
                self.cancel.check()?;
                return Err(Error::new(ErrorKind::Encode, "the next stage ended early"));
            }
        }
        let fits = state.bytes == 0 || state.bytes.saturating_add(weight) <= self.bound.bytes;
        if !fits || state.items.len() >= self.bound.items {
            return Ok(Put::Full(item));
        }
        state.items.push_back((item, weight));
        state.bytes += weight;
        #[cfg(test)]
        {
            state.peak = (state.peak.0.max(state.items.len()), state.peak.1.max(state.bytes));
        }
        Ok(Put::In(state.items.len()))
    }

    fn was_put(&self, mut state: MutexGuard<'_, QueueState<T>>, length: usize) {
        // Once woken it sleeps no more: the next one put in need not wake it again.
        let wake = std::mem::replace(&mut state.hungry, false);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        with_meter(|meter| {
            meter.note_queue(length);
            meter.progress();
        });
    }

    /// Puts `item` wherever it fits at once; what does not fit goes to `full`. True if somebody got it.
    fn spread<'a>(&'a self, item: T, full: &mut Vec<(&'a ItemQueue<T>, T)>) -> Result<bool> {
        if let Some(fan) = self.fan.get() {
            let Some((last, others)) = fan.queues.split_last() else { return Ok(false) };
            let mut wanted = false;
            for queue in others {
                wanted |= queue.spread((fan.clone)(&item), full)?;
            }
            return Ok(last.spread(item, full)? || wanted);
        }
        let weight = item.byte_len();
        let mut state = self.lock();
        match self.put(&mut state, item, weight)? {
            Put::In(length) => {
                self.was_put(state, length);
                Ok(true)
            }
            Put::Unwanted => Ok(false),
            Put::Full(item) => {
                drop(state);
                full.push((self, item));
                Ok(false)
            }
        }
    }

    fn put_waiting(&self, mut item: T) -> Result<bool> {
        let weight = item.byte_len();
        let mut state = self.lock();
        loop {
            match self.put(&mut state, item, weight)? {
                Put::In(length) => {
                    self.was_put(state, length);
                    return Ok(true);
                }
                Put::Unwanted => return Ok(false),
                Put::Full(back) => item = back,
            }
            self.cancel.check()?;
            state.full += 1;
            state = self.freed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
            state.full -= 1;
        }
    }

    fn offer(&self, item: T) -> Result<bool> {
        self.cancel.check()?;
        let mut full = Vec::new();
        let mut wanted = self.spread(item, &mut full)?;
        for (queue, item) in full {
            let what = if queue.outside == Outside::Consumer { Doing::OutputOutside } else { Doing::Output };
            wanted |= waiting(what, || queue.put_waiting(item))?;
        }
        Ok(wanted)
    }

    fn take(&self, mut state: MutexGuard<'_, QueueState<T>>, item: T, weight: usize) -> Result<Option<T>> {
        state.bytes -= weight;
        let asleep = state.full;
        drop(state);
        match asleep {
            0 => {}
            1 => self.freed.notify_one(),
            // The first that wakes may be one whose item does not fit yet.
            _ => self.freed.notify_all(),
        }
        with_meter(|meter| meter.progress());
        self.cancel.check()?;
        Ok(Some(item))
    }

    fn receive(&self) -> Result<Option<T>> {
        let mut state = self.lock();
        if let Some((item, weight)) = state.items.pop_front() {
            return self.take(state, item, weight);
        }
        drop(state);
        let what = if self.outside == Outside::Sender { Doing::InputOutside } else { Doing::Input };
        waiting(what, || self.receive_waiting())
    }

    fn receive_waiting(&self) -> Result<Option<T>> {
        let mut state = self.lock();
        loop {
            if let Some((item, weight)) = state.items.pop_front() {
                return self.take(state, item, weight);
            }
            // A sender that closed because it failed has cancelled before: that is no end.
            self.cancel.check()?;
            if state.senders == 0 || state.shut {
                return Ok(None);
            }
            state.hungry = true;
            state = self.filled.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
            state.hungry = false;
        }
    }

    fn close_sender(&self) {
        let mut state = self.lock();
        state.senders -= 1;
        if state.senders > 0 {
            return;
        }
        drop(state);
        self.filled.notify_all();
        for queue in self.fanned() {
            queue.close_sender();
        }
    }

    fn close_consumer(&self, how: Consumer) {
        let mut state = self.lock();
        if state.consumer != Consumer::Here {
            return;
        }
        state.consumer = how;
        state.bytes = 0;
        let items = std::mem::take(&mut state.items);
        drop(state);
        self.freed.notify_all();
        drop(items); // which may have ends of their own
    }

    /// Whether nobody wants what is sent any more.
    fn is_unwanted(&self) -> bool {
        match self.fan.get() {
            Some(fan) => fan.queues.iter().all(|queue| queue.is_unwanted()),
            None => {
                let state = self.lock();
                state.shut || state.consumer == Consumer::Left
            }
        }
    }

    fn key(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }
}

impl<T: Weighed> Gauge for ItemQueue<T> {
    fn level(&self) -> QueueLevel {
        let state = self.lock();
        QueueLevel {
            items: state.items.len(),
            bytes: state.bytes,
            item_limit: self.bound.items,
            byte_limit: self.bound.bytes,
            #[cfg(test)]
            peak: state.peak,
        }
    }

    fn shut(&self) {
        self.lock().shut = true;
        self.filled.notify_all();
        self.freed.notify_all();
        for queue in self.fanned() {
            queue.shut();
        }
    }
}

/// One of the senders of a queue.
struct SendEnd<T: Weighed>(Arc<ItemQueue<T>>);

impl<T: Weighed> Drop for SendEnd<T> {
    fn drop(&mut self) {
        self.0.close_sender();
    }
}

/// The consumer of a queue.
struct TakeEnd<T: Weighed>(Arc<ItemQueue<T>>);

impl<T: Weighed> Drop for TakeEnd<T> {
    fn drop(&mut self) {
        self.0.close_consumer(Consumer::Gone);
    }
}

/// The sending end of a queue; clones send into the same one, from any thread.
///
/// The queue ends when all its outlets are closed. One that a stage drops closes when the stage has ended; elsewhere at
/// once. Its waiting counts for the stage whose thread waits.
pub struct Outlet<T: Weighed> {
    end: Option<SendEnd<T>>,
}

impl<T: Weighed> Outlet<T> {
    /// Hands `item` on; waits while the queue is full.
    ///
    /// # Errors
    /// `Interrupted` when the run was cancelled, by a failing stage too; `Encode` when the consumer ended without reading
    /// to the end, or had enough: for senders whose every item matters. [`Outlet::offer`] is for the others.
    pub fn send(&self, item: T) -> Result<()> {
        match self.offer(item)? {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Encode, "the next stage takes no more")),
        }
    }

    /// Hands `item` on; waits while the queue is full. False when nobody wants it or anything after it, because every
    /// consumer left or the run drains; the item is dropped then.
    ///
    /// # Errors
    /// As [`Outlet::send`], save that leaving is none.
    pub fn offer(&self, item: T) -> Result<bool> {
        match &self.end {
            Some(end) => end.0.offer(item),
            None => Ok(false),
        }
    }

    /// Whether every consumer left: what is sent from here on is of no use.
    pub fn is_unwanted(&self) -> bool {
        self.end.as_ref().is_none_or(|end| end.0.is_unwanted())
    }

    /// Closes this outlet now, also on a stage's own thread; a consumer that waits for the end need not wait for the end
    /// of the stage.
    pub fn close(mut self) {
        drop(self.end.take());
    }
}

impl<T: Weighed> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        let end = self.end.as_ref().map(|end| {
            end.0.lock().senders += 1;
            SendEnd(Arc::clone(&end.0))
        });
        Outlet { end }
    }
}

impl<T: Weighed> Drop for Outlet<T> {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            at_end(end.0.key(), end);
        }
    }
}

/// The receiving end of a queue, held by its one consumer.
///
/// One that a stage drops closes when the stage has ended; elsewhere at once.
pub struct Port<T: Weighed> {
    end: Option<TakeEnd<T>>,
    /// Whether a stage was told that this is one of its inputs.
    known: Cell<bool>,
}

impl<T: Weighed> Port<T> {
    /// The next item; waits while there is none. `None` when all outlets are closed and the queue is empty.
    ///
    /// # Errors
    /// `Interrupted` when the run was cancelled: a sender that failed is never taken for the end.
    pub fn receive(&self) -> Result<Option<T>> {
        let Some(end) = &self.end else { return Ok(None) };
        if !self.known.get() {
            with_meter(|meter| self.read_by(meter));
        }
        end.0.receive()
    }

    /// Takes no more, now: what is queued is dropped, and the senders know that it was enough.
    pub fn leave(mut self) {
        if let Some(end) = self.end.take() {
            end.0.close_consumer(Consumer::Left);
        }
    }

    pub(super) fn read_by(&self, meter: &StageMeter) {
        if let Some(gauge) = self.gauge() {
            meter.reads(gauge);
            self.known.set(true);
        }
    }

    pub(super) fn gauge(&self) -> Option<Weak<dyn Gauge>> {
        let gauge: Arc<dyn Gauge> = Arc::clone(&self.end.as_ref()?.0) as Arc<dyn Gauge>;
        Some(Arc::downgrade(&gauge))
    }

    pub(super) fn bound(&self) -> Bound {
        self.end.as_ref().map_or(Bound::items(1), |end| end.0.bound)
    }
}

impl<T: Weighed> Drop for Port<T> {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            at_end(end.0.key(), end);
        }
    }
}

/// A queue of `bound`, and its two ends.
pub(super) fn queue<T: Weighed>(bound: Bound, outside: Outside, cancel: &CancelToken) -> (Outlet<T>, Port<T>) {
    let queue = ItemQueue::new(bound, outside, cancel);
    (Outlet { end: Some(SendEnd(Arc::clone(&queue))) }, port(queue))
}

fn port<T: Weighed>(queue: Arc<ItemQueue<T>>) -> Port<T> {
    Port { end: Some(TakeEnd(queue)), known: Cell::new(false) }
}

/// Makes the queue of `from` fan out into as many as there are `bounds`. What it holds already goes to all of them.
pub(super) fn split<T: Weighed + Clone>(mut from: Port<T>, bounds: &[Bound]) -> Vec<Port<T>> {
    let Some(end) = from.end.take() else { return Vec::new() };
    let hub = &end.0;
    let queues: Vec<_> = bounds.iter().map(|bound| ItemQueue::new(*bound, hub.outside, &hub.cancel)).collect();
    let mut state = hub.lock();
    let ended = state.senders == 0;
    let held = std::mem::take(&mut state.items);
    state.bytes = 0;
    for queue in &queues {
        let mut into = queue.lock();
        into.bytes = held.iter().map(|(_, weight)| weight).sum();
        into.items = held.iter().cloned().collect();
        into.senders = usize::from(!ended);
    }
    // A port has one split at most: it is gone after it.
    let _ = hub.fan.set(Fan { clone: T::clone, queues: queues.clone() });
    drop(state);
    queues.into_iter().map(port).collect()
}
