//! How far a run is, told to those who watch it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::stage::StageReport;
use super::tally::Tally;
use crate::base::Result;
use crate::event::{Event, Sink};

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// Tells a sink how far the stages of a film are.
#[derive(Clone, Copy)]
pub(crate) struct Teller<'a> {
    pub(crate) sink: &'a dyn Sink,
    /// Frames and seconds of the film, as far as its container knows.
    pub(crate) frames: Option<u64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) stall_timeout: Duration,
}

impl Teller<'_> {
    /// Waits for the stages of a crew, telling how far they are; `counts` where they encode.
    pub(crate) fn wait(&self, crew: Crew, tally: &Tally, counts: bool) -> Result<Vec<StageReport>> {
        let begun = Instant::now();
        let mut last = Instant::now();
        let tell = || {
            for chunk in tally.finished_chunks() {
                self.sink.event(&chunk);
            }
            if counts {
                let film = self.frames.zip(self.seconds);
                self.sink.event(&progress(tally, film, begun.elapsed().as_secs_f64()));
            }
        };
        let stages = crew.wait(self.stall_timeout, || {
            if last.elapsed() >= PROGRESS {
                last = Instant::now();
                tell();
            }
        });
        tell();
        stages
    }
}

/// How far a run is; `film` is the frames and seconds of it, as far as they are known.
fn progress(tally: &Tally, film: Option<(u64, f64)>, elapsed: f64) -> Event {
    let frames = tally.encoded.load(Ordering::Relaxed);
    // Chunks are not encoded in order: there the seconds are those of the frames that are done.
    let done_s = film.map_or(0.0, |(total, seconds)| frames as f64 / total.max(1) as f64 * seconds);
    let position_s = tally.position_s().unwrap_or(done_s);
    let resumed = tally.resumed.load(Ordering::Relaxed);
    let fps = frames.saturating_sub(resumed) as f64 / elapsed.max(1e-9);
    let left = film.map(|(total, _)| total.saturating_sub(frames) as f64);
    let speed = position_s * (1.0 - resumed as f64 / frames.max(1) as f64) / elapsed.max(1e-9);
    Event::Progress {
        stage: "encode",
        frames,
        position_s,
        fps,
        speed,
        bytes: tally.bytes.load(Ordering::Relaxed),
        eta_s: left.filter(|_| fps > 0.0).map(|left| left / fps),
    }
}
