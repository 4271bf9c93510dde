//! How far a run is: counted by its stages, told to those who watch it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::{Result, Timestamp};
use crate::event::{Event, Sink};
use crate::flow::{Health, RunHandle, Running, StageReport};

/// How often progress is told.
const EVERY: Duration = Duration::from_millis(250);

/// Counts of a run that encodes; written by its stages, read while they run.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Video packets that left the encoder.
    encoded: AtomicU64,
    /// Those of them that an earlier run encoded.
    resumed: AtomicU64,
    /// Where in the film the encoder is, in nanoseconds.
    position_ns: AtomicI64,
    /// Bytes handed to the file.
    bytes: AtomicU64,
    /// To be told.
    events: Mutex<Vec<Event>>,
}

impl Progress {
    /// Notes pictures that left the encoder, the last of which is shown at `position`, in a run that encodes in order.
    pub(crate) fn encoded(&self, pictures: u64, position: Timestamp) {
        self.encoded.fetch_add(pictures, Ordering::Relaxed);
        self.position_ns.store(position.as_nanos(), Ordering::Relaxed);
    }

    /// Notes the size of the file so far.
    pub(crate) fn set_written(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Adds pictures of a film that is not encoded in order, and their bytes.
    pub(crate) fn add(&self, pictures: u64, bytes: u64) {
        self.encoded.fetch_add(pictures, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes what a try gave out off the counts again: what is kept is added when it is.
    pub(crate) fn take_back(&self, pictures: u64, bytes: u64) {
        self.encoded.fetch_sub(pictures, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Adds what an earlier run encoded.
    pub(crate) fn add_resumed(&self, pictures: u64, bytes: u64) {
        self.add(pictures, bytes);
        self.resumed.fetch_add(pictures, Ordering::Relaxed);
    }

    /// Pictures an earlier run encoded.
    pub(crate) fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    /// Has the run tell something.
    pub(crate) fn tell(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    fn untold(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As an event; `film` is the frames and seconds of it, as far as they are known.
    fn event(&self, film: Option<(u64, f64)>, elapsed: f64) -> Event {
        let frames = self.encoded.load(Ordering::Relaxed);
        // Chunks are not encoded in order: there the seconds are those of the frames that are done.
        let done_s = film.map_or(0.0, |(total, seconds)| frames as f64 / total.max(1) as f64 * seconds);
        let position = self.position_ns.load(Ordering::Relaxed);
        let position_s = if position == 0 { done_s } else { position as f64 / 1e9 };
        let resumed = self.resumed();
        let fps = frames.saturating_sub(resumed) as f64 / elapsed.max(1e-9);
        let left = film.map(|(total, _)| total.saturating_sub(frames) as f64);
        let speed = position_s * (1.0 - resumed as f64 / frames.max(1) as f64) / elapsed.max(1e-9);
        Event::Progress {
            stage: "encode",
            frames,
            position_s,
            fps,
            speed,
            bytes: self.bytes.load(Ordering::Relaxed),
            eta_s: left.filter(|_| fps > 0.0).map(|left| left / fps),
        }
    }
}

/// Where the health of a job is had while it runs: each part of it hangs in its own run.
#[derive(Clone, Default)]
pub(crate) struct Pulse(Arc<Mutex<Option<RunHandle>>>);

impl Pulse {
    /// The health of the part that runs now, if one does.
    pub(crate) fn health(&self) -> Option<Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(RunHandle::health)
    }

    fn set(&self, run: RunHandle) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(run);
    }
}

/// Tells a sink how far the stages of a film are.
#[derive(Clone, Copy)]
pub(crate) struct Teller<'a> {
    pub(crate) sink: &'a dyn Sink,
    /// Frames and seconds of the film, as far as its container knows.
    pub(crate) frames: Option<u64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) stall_timeout: Duration,
    pub(crate) pulse: &'a Pulse,
}

impl Teller<'_> {
    /// Waits for the stages of a run, telling how far they are; `counts` where they encode.
    pub(crate) fn wait(&self, running: Running, progress: &Progress, counts: bool) -> Result<Vec<StageReport>> {
        self.pulse.set(running.handle());
        let begun = Instant::now();
        let mut last = Instant::now();
        let tell = || {
            progress.untold().iter().for_each(|event| self.sink.event(event));
            if counts {
                let film = self.frames.zip(self.seconds);
                self.sink.event(&progress.event(film, begun.elapsed().as_secs_f64()));
            }
        };
        let stages = running.wait(self.stall_timeout, |_| {
            if last.elapsed() >= EVERY {
                last = Instant::now();
                tell();
            }
        });
        tell();
        stages
    }
}
