//! How far a run is: counted by its stages, told to those who watch it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::disks::{DiskWatch, DiskWord};
use crate::base::{Result, Timestamp};
use crate::event::{Event, Sink};
use crate::flow::{Health, RunHandle, Running, StageReport};

/// How often progress is told.
const EVERY: Duration = Duration::from_millis(250);

/// Encodes a picture takes before it is kept, as long as little is known: most chunks are kept as they come out first.
const ENCODES_A_PICTURE: f64 = 1.3;

/// The part of a film that has to be finished before what its tries took counts for as much as that.
const PRIOR_PART: f64 = 0.1;

/// Counts of a part of a job that encodes; written by its stages, read while they run.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Pictures that left encoders, those of tries that came to nothing too.
    tried: AtomicU64,
    /// Those of tries that nothing is decided of yet.
    open: AtomicU64,
    /// Those that left encoders for what is kept.
    spent: AtomicU64,
    /// Those that are kept, what an earlier run encoded among them.
    kept: AtomicU64,
    /// What an earlier run encoded.
    resumed: AtomicU64,
    /// Where in the film the encoder is, in nanoseconds.
    position_ns: AtomicI64,
    /// Bytes that are kept.
    bytes: AtomicU64,
    /// Encodes of chunks that ended, and those that were not made because what they come to was remembered.
    made: AtomicU64,
    remembered: AtomicU64,
    /// To be told.
    events: Mutex<Vec<Event>>,
}

impl Progress {
    /// Notes pictures that left the encoder, the last of which is shown at `position`, in a run that encodes in order.
    pub(crate) fn encoded(&self, pictures: u64, position: Timestamp) {
        self.tried.fetch_add(pictures, Ordering::Relaxed);
        self.kept.fetch_add(pictures, Ordering::Relaxed);
        self.position_ns.store(position.as_nanos(), Ordering::Relaxed);
    }

    /// Notes the size of the file so far.
    pub(crate) fn set_written(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Notes pictures that left an encoder in a try.
    pub(crate) fn trying(&self, pictures: u64) {
        self.tried.fetch_add(pictures, Ordering::Relaxed);
        self.open.fetch_add(pictures, Ordering::Relaxed);
    }

    /// Notes that a try of so many pictures ended. What is kept of it is added when it is.
    pub(crate) fn try_ended(&self, pictures: u64) {
        let less = |open: u64| Some(open.saturating_sub(pictures));
        let _ = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Adds pictures of a film that is not encoded in order, their bytes, and how many left encoders for them.
    pub(crate) fn add_kept(&self, pictures: u64, bytes: u64, tried: u64) {
        self.spent.fetch_add(tried, Ordering::Relaxed);
        self.kept.fetch_add(pictures, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds what an earlier run encoded.
    pub(crate) fn add_resumed(&self, pictures: u64, bytes: u64) {
        self.add_kept(pictures, bytes, 0);
        self.resumed.fetch_add(pictures, Ordering::Relaxed);
    }

    /// Pictures an earlier run encoded.
    pub(crate) fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    /// Notes that an encode of a chunk ended.
    pub(crate) fn made_encode(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that what an encode of a chunk comes to was remembered.
    pub(crate) fn remembered_encode(&self) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
    }

    /// Encodes of chunks that ended, and those that were remembered.
    pub(crate) fn encodes(&self) -> (u64, u64) {
        (self.made.load(Ordering::Relaxed), self.remembered.load(Ordering::Relaxed))
    }

    /// Has the run tell something.
    pub(crate) fn tell(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    fn untold(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Pictures to be encoded yet in a film of `total`, those that will be encoded again included.
    fn left(&self, total: u64) -> f64 {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
        let (total, kept) = (total as f64, load(&self.kept));
        let missing = (total - kept).max(0.0);
        if self.is_in_order() {
            return missing;
        }
        let (own, prior) = ((kept - load(&self.resumed)).max(0.0), total * PRIOR_PART);
        let a_picture = (load(&self.spent) + prior * ENCODES_A_PICTURE) / (own + prior).max(1e-9);
        // What chunks that are not kept yet took is behind us; each has something before it all the same.
        let begun = (load(&self.tried) - load(&self.spent)).max(0.0);
        (missing * a_picture.max(1.0) - begun).max(missing / 5.0)
    }

    /// At a fixed CRF every picture that was encoded is kept.
    fn is_in_order(&self) -> bool {
        self.position_ns.load(Ordering::Relaxed) != 0
    }

    /// How much of a film of `total` pictures is done, 0 to 1, by what is to be encoded, tries included.
    fn done(&self, total: u64) -> f64 {
        let left = self.left(total);
        let done = (self.tried.load(Ordering::Relaxed) + self.resumed()) as f64;
        if left <= 0.0 { 1.0 } else { done / (done + left) }
    }
}

/// How far a whole job is, of which parts encode one after the other: never less than it was.
#[derive(Debug, Default)]
pub(crate) struct JobProgress {
    parts: u64,
    state: Mutex<JobState>,
}

#[derive(Debug, Default)]
struct JobState {
    /// Parts that ended, and pictures of them.
    ended: u64,
    before: u64,
    /// Told so far.
    frames: u64,
    done: f64,
    bytes: u64,
}

impl JobProgress {
    /// Of a job in which `parts` parts encode.
    pub(crate) fn new(parts: usize) -> Self {
        JobProgress { parts: parts.max(1) as u64, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, JobState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a part ended.
    fn part_ended(&self) {
        let mut state = self.state();
        state.ended += 1;
        state.before = state.frames;
    }

    /// As an event. `film` is the frames and seconds of it, as far as they are known; `elapsed` the seconds of this part.
    fn event(&self, part: &Progress, film: Option<(u64, f64)>, elapsed: f64) -> Event {
        let mut state = self.state();
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let kept = load(&part.kept);
        let done = film.map(|(total, _)| part.done(total));
        let frames = match (film, done) {
            _ if part.is_in_order() => kept,
            (Some((total, _)), Some(done)) if done < 1.0 => ((done * total as f64) as u64).max(kept),
            (Some(_), _) => kept,
            (None, _) => kept + load(&part.open),
        };
        state.frames = state.frames.max(state.before + frames);
        let of_job = done.map(|done| ((state.ended as f64 + done) / self.parts as f64).min(1.0));
        state.done = of_job.map_or(state.done, |done| done.max(state.done));
        state.bytes = state.bytes.max(load(&part.bytes));

        let frames = state.frames - state.before;
        // Chunks are not encoded in order: there the seconds are those of the frames that are done.
        let done_s = film.map_or(0.0, |(total, seconds)| frames as f64 / total.max(1) as f64 * seconds);
        let position = part.position_ns.load(Ordering::Relaxed);
        let position_s = if part.is_in_order() { position as f64 / 1e9 } else { done_s };
        let resumed = part.resumed();
        let elapsed = elapsed.max(1e-9);
        let speed = position_s * (1.0 - resumed as f64 / frames.max(1) as f64).max(0.0) / elapsed;
        let rate = load(&part.tried) as f64 / elapsed;
        // The parts to come take as long as this one.
        let later = self.parts.saturating_sub(state.ended + 1) as f64;
        let eta = film.filter(|_| rate > 0.0).map(|(total, _)| {
            let left = part.left(total) / rate;
            left + later * (elapsed + left)
        });
        Event::Progress {
            stage: "encode",
            frames: state.frames,
            position_s,
            fps: frames.saturating_sub(resumed) as f64 / elapsed,
            speed,
            bytes: state.bytes,
            eta_s: eta,
            done: of_job.map(|_| state.done),
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
    pub(crate) job: &'a JobProgress,
    /// Where it writes to.
    pub(crate) disks: &'a DiskWatch,
}

impl Teller<'_> {
    /// Waits for the stages of a run, telling how far they are; `counts` where they encode.
    pub(crate) fn wait(&self, running: Running, progress: &Progress, counts: bool) -> Result<Vec<StageReport>> {
        self.pulse.set(running.handle());
        let handle = running.handle();
        let begun = Instant::now();
        let mut last = Instant::now();
        let tell = || {
            progress.untold().iter().for_each(|event| self.sink.event(event));
            if counts {
                let film = self.frames.zip(self.seconds);
                self.sink.event(&self.job.event(progress, film, begun.elapsed().as_secs_f64()));
            }
        };
        let stages = running.wait(self.stall_timeout, |_| {
            if last.elapsed() >= EVERY {
                last = Instant::now();
                tell();
            }
            match self.disks.look(Instant::now()) {
                Some(DiskWord::Warning(message)) => self.sink.event(&Event::Warning { message }),
                Some(DiskWord::Stop(error)) => handle.fail(error),
                None => {}
            }
        });
        tell();
        if counts {
            self.job.part_ended();
        }
        stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rational;

    /// What is told of `part`, 100 pictures in 10 s.
    fn told(job: &JobProgress, part: &Progress, elapsed: f64) -> (u64, f64, Option<f64>) {
        match job.event(part, Some((100, 10.0)), elapsed) {
            Event::Progress { frames, done, eta_s, .. } => (frames, done.unwrap(), eta_s),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pass_in_order_counts_its_pictures() {
        let (job, part) = (JobProgress::new(1), Progress::default());
        for n in 1..=100u64 {
            part.encoded(1, Timestamp::new(n as i64 * 100, Rational::MILLI));
            let (frames, done, eta) = told(&job, &part, n as f64);
            assert_eq!((frames, done), (n, n as f64 / 100.0));
            assert!((eta.unwrap() - (100 - n) as f64).abs() < 1e-6);
        }
    }

    #[test]
    fn tries_that_come_to_nothing_never_turn_it_back_and_count_for_the_time_to_go() {
        let (job, part) = (JobProgress::new(1), Progress::default());
        let mut last = (0, 0.0);
        let mut second = 0.0;
        let mut etas = Vec::new();
        for chunk in 0..4 {
            // Every chunk is encoded twice, at a picture a second.
            for again in [true, false] {
                for _ in 0..25 {
                    part.trying(1);
                    second += 1.0;
                    let (frames, done, eta) = told(&job, &part, second);
                    assert!(frames >= last.0 && done >= last.1 && done < 1.0, "{last:?} {frames} {done}");
                    assert!(frames <= 100);
                    last = (frames, done);
                    etas.push((second, eta.unwrap()));
                }
                part.try_ended(25);
                if !again {
                    part.add_kept(25, 1000, 50);
                }
            }
            assert_eq!(part.kept.load(Ordering::Relaxed), (chunk + 1) * 25);
        }
        assert_eq!(told(&job, &part, second), (100, 1.0, Some(0.0)));
        // It takes 200 s. From the second chunk on the estimate is near that.
        for (second, eta) in etas.into_iter().filter(|(second, _)| *second > 60.0) {
            assert!((second + eta - 200.0).abs() < 40.0, "at {second}: {eta}");
        }
    }

    #[test]
    fn a_second_part_goes_on_where_the_first_ended() {
        let job = JobProgress::new(2);
        for part in 0..2u64 {
            let counts = Progress::default();
            for n in 1..=100u64 {
                counts.encoded(1, Timestamp::new(n as i64 * 100, Rational::MILLI));
                let (frames, done, eta) = told(&job, &counts, n as f64);
                assert_eq!(frames, part * 100 + n);
                assert!((done - frames as f64 / 200.0).abs() < 1e-9);
                assert!((eta.unwrap() - (200 - frames) as f64).abs() < 1e-6);
            }
            job.part_ended();
        }
    }

    #[test]
    fn what_an_earlier_run_finished_is_done_and_takes_no_time() {
        let (job, part) = (JobProgress::new(1), Progress::default());
        part.add_resumed(50, 10);
        let (frames, done, eta) = told(&job, &part, 1.0);
        assert!(frames == 50 && done < 0.5 && eta.is_none(), "{frames} {done} {eta:?}");
        part.trying(10);
        assert!(told(&job, &part, 11.0).2.unwrap() < 65.0);
    }
}
