//! Bounded channels between stages: bounded in items by the channel, in bytes by a budget beside it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver as ChannelReceiver, RecvTimeoutError, SendTimeoutError, Sender as ChannelSender};

use super::stage::{StageMeter, Waiting};
use crate::base::{CancelToken, Error, ErrorKind, Result};

/// How often a blocked end looks whether the run was cancelled.
const POLL: Duration = Duration::from_millis(50);

/// Something whose memory a queue accounts for.
pub(crate) trait Weighed {
    /// Bytes it keeps alive.
    fn byte_len(&self) -> usize;
}

impl Weighed for crate::media::Frame {
    fn byte_len(&self) -> usize {
        crate::media::Frame::byte_len(self)
    }
}

impl Weighed for crate::av::InputPacket {
    fn byte_len(&self) -> usize {
        self.data().len()
    }
}

/// Bytes in flight of one queue.
struct Budget {
    limit: usize,
    used: Mutex<usize>,
    freed: Condvar,
}

impl Budget {
    /// Waits until `bytes` fit; an item larger than the whole limit travels alone.
    fn acquire(&self, bytes: usize, cancel: &CancelToken) -> Result<()> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while *used > 0 && *used + bytes > self.limit {
            cancel.check()?;
            used = self.freed.wait_timeout(used, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
        *used += bytes;
        Ok(())
    }

    fn release(&self, bytes: usize) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) -= bytes;
        self.freed.notify_one();
    }
}

/// The sending end. Dropping it is the flush: the receiver drains what is queued, then sees the end.
pub(crate) struct Sender<T> {
    channel: ChannelSender<T>,
    budget: Arc<Budget>,
    cancel: CancelToken,
    meter: Arc<StageMeter>,
}

/// The receiving end, owned by the stage whose waits it measures.
pub(crate) struct Receiver<T> {
    channel: ChannelReceiver<T>,
    budget: Arc<Budget>,
    cancel: CancelToken,
    meter: Arc<StageMeter>,
}

/// A queue from stage `from` to stage `to`, holding at most `items` and about `bytes`.
pub(crate) fn queue<T: Weighed>(
    items: usize,
    bytes: usize,
    cancel: &CancelToken,
    from: &Arc<StageMeter>,
    to: &Arc<StageMeter>,
) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = crossbeam_channel::bounded(items);
    let budget = Arc::new(Budget { limit: bytes, used: Mutex::new(0), freed: Condvar::new() });
    (
        Sender { channel: sender, budget: Arc::clone(&budget), cancel: cancel.clone(), meter: Arc::clone(from) },
        Receiver { channel: receiver, budget, cancel: cancel.clone(), meter: Arc::clone(to) },
    )
}

impl<T: Weighed> Sender<T> {
    /// Another sending end of the same queue for the same stage.
    pub(crate) fn another(&self) -> Self {
        self.for_stage(&self.meter)
    }

    /// Another sending end of the same queue, whose waits count for stage `meter`. The queue ends when all
    /// sending ends are dropped.
    pub(crate) fn for_stage(&self, meter: &Arc<StageMeter>) -> Self {
        Sender {
            channel: self.channel.clone(),
            budget: Arc::clone(&self.budget),
            cancel: self.cancel.clone(),
            meter: Arc::clone(meter),
        }
    }

    /// Hands `item` on; waits while the queue is full. `Err(Interrupted)` when the run was cancelled or the
    /// other end is gone (which a failing stage makes known by cancelling first).
    pub(crate) fn send(&self, item: T) -> Result<()> {
        let bytes = item.byte_len();
        let _blocked = self.meter.wait(Waiting::Output);
        self.budget.acquire(bytes, &self.cancel)?;
        let mut item = item;
        loop {
            match self.channel.send_timeout(item, POLL) {
                Ok(()) => {
                    self.meter.note_queue(self.channel.len());
                    return Ok(());
                }
                Err(SendTimeoutError::Timeout(back)) => {
                    if let Err(error) = self.cancel.check() {
                        self.budget.release(bytes);
                        return Err(error);
                    }
                    item = back;
                }
                Err(SendTimeoutError::Disconnected(_)) => {
                    self.budget.release(bytes);
                    self.cancel.check()?;
                    return Err(Error::new(ErrorKind::Encode, "the next stage ended early"));
                }
            }
        }
    }
}

impl<T: Weighed> Receiver<T> {
    /// The next item; `None` when the sender was dropped and the queue is empty. A sender that dropped
    /// because it failed is `Err(Interrupted)`, never an end.
    pub(crate) fn receive(&self) -> Result<Option<T>> {
        let _blocked = self.meter.wait(Waiting::Input);
        loop {
            match self.channel.recv_timeout(POLL) {
                Ok(item) => {
                    self.budget.release(item.byte_len());
                    self.cancel.check()?;
                    return Ok(Some(item));
                }
                Err(RecvTimeoutError::Timeout) => self.cancel.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    self.cancel.check()?;
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    impl Weighed for Vec<u8> {
        fn byte_len(&self) -> usize {
            self.len()
        }
    }

    fn pair(items: usize, bytes: usize, cancel: &CancelToken) -> (Sender<Vec<u8>>, Receiver<Vec<u8>>) {
        let (from, to) = (StageMeter::new("from"), StageMeter::new("to"));
        queue(items, bytes, cancel, &from, &to)
    }

    #[test]
    fn dropping_the_sender_drains_the_queue_and_then_ends_it() {
        let cancel = CancelToken::new();
        let (sender, receiver) = pair(4, 1 << 20, &cancel);
        sender.send(vec![1]).unwrap();
        sender.send(vec![2]).unwrap();
        drop(sender);
        assert_eq!(receiver.receive().unwrap(), Some(vec![1]));
        assert_eq!(receiver.receive().unwrap(), Some(vec![2]));
        assert_eq!(receiver.receive().unwrap(), None);
    }

    #[test]
    fn a_sender_waits_for_bytes_as_well_as_for_places() {
        let cancel = CancelToken::new();
        let (sender, receiver) = pair(100, 1000, &cancel);
        sender.send(vec![0; 900]).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let start = Instant::now();
                sender.send(vec![0; 200]).unwrap();
                start.elapsed()
            });
            std::thread::sleep(Duration::from_millis(120));
            receiver.receive().unwrap();
            assert!(waiting.join().unwrap() >= Duration::from_millis(80));
        });
    }

    #[test]
    fn an_item_larger_than_the_budget_travels_alone() {
        let cancel = CancelToken::new();
        let (sender, receiver) = pair(4, 10, &cancel);
        sender.send(vec![0; 50]).unwrap();
        assert_eq!(receiver.receive().unwrap().map(|v| v.len()), Some(50));
    }

    #[test]
    fn a_failed_neighbour_is_never_taken_for_the_end_of_the_stream() {
        let cancel = CancelToken::new();
        let (sender, receiver) = pair(4, 10, &cancel);
        cancel.cancel();
        drop(sender);
        assert_eq!(receiver.receive().unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[test]
    fn cancelling_wakes_both_ends() {
        let cancel = CancelToken::new();
        let (sender, receiver) = pair(1, 10, &cancel);
        sender.send(vec![0; 10]).unwrap();
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| sender.send(vec![0; 10]));
            std::thread::sleep(Duration::from_millis(20));
            cancel.cancel();
            assert_eq!(blocked.join().unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        });
        drop(receiver);
    }
}
