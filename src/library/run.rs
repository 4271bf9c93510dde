//! A batch that runs: films in their order, some at once.
//!
//! Law: films are begun in the order of the plan and end in any. Nothing is begun after the batch was cancelled, drained or
//! given up; films that run then are stopped only by cancelling. Events of the batch come from its threads, those of one film
//! in order.
#![deny(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::batch_plan::{BatchItem, BatchPlan, ItemVerdict};
use super::breaker::{CircuitBreaker, FailureCause};
use super::event::{BatchEvent, BatchSink};
use super::film::FilmTurn;
use super::lease::{BatchLease, LeaseShare};
use super::memory::FilmKey;
use super::options::BatchOptions;
use super::outcome::{BatchSummary, FileOutcome, FileSummary};
use crate::base::{CancelToken, Error, ErrorKind};
use crate::search::memory_of;

/// A planned batch that is about to run.
#[derive(Debug)]
pub struct Batch {
    plan: BatchPlan,
    options: BatchOptions,
    drain: CancelToken,
}

/// Where a batch is.
struct Board {
    /// The next film of the plan.
    next: usize,
    running: usize,
    lease: BatchLease,
    breaker: CircuitBreaker,
    outcomes: Vec<Option<FileOutcome>>,
}

/// A film that is to be begun, with what it has of the machine.
struct Turn {
    file: usize,
    share: LeaseShare,
}

impl Batch {
    /// The films of `plan` with the options it was made with.
    pub fn new(plan: BatchPlan, options: BatchOptions) -> Self {
        Batch { plan, options, drain: CancelToken::new() }
    }

    /// Cancelled, no more films are begun, and those that run are finished.
    pub fn drain_token(&self) -> CancelToken {
        self.drain.clone()
    }

    /// As [`new`](Self::new), drained by a token of the caller's.
    pub fn with_drain(plan: BatchPlan, options: BatchOptions, drain: CancelToken) -> Self {
        Batch { plan, options, drain }
    }

    /// Runs the batch to its end, in this thread and others. One film that fails never stops the others; what a film came
    /// to is in the summary and is told by an event when it is known. `cancel` stops the films that run, too; most go on
    /// from there the next time.
    ///
    /// A sink must not panic: with it the batch does, when the films that run have ended.
    pub fn run(self, sink: Arc<dyn BatchSink>, cancel: &CancelToken) -> BatchSummary {
        let clock = Instant::now();
        let jobs = self.options.jobs.max(1);
        sink.batch_event(&BatchEvent::BatchStarted {
            films: self.plan.items.len(),
            to_do: self.plan.to_do(),
            bytes: self.plan.bytes(),
            jobs,
        });
        let board = Board {
            next: 0,
            running: 0,
            lease: lease(&self.options),
            breaker: CircuitBreaker::new(),
            outcomes: self.plan.items.iter().map(|_| None).collect(),
        };
        let crew = Crew { batch: &self, sink: &sink, cancel, jobs, board: Mutex::new(board) };
        std::thread::scope(|scope| {
            for number in 1..jobs.min(self.plan.to_do()) {
                let work = || crew.work();
                let thread = std::thread::Builder::new().name(format!("drapto-batch-{number}"));
                // With fewer threads, fewer films are encoded at once.
                if let Err(error) = thread.spawn_scoped(scope, work) {
                    tracing::warn!(%error, "a thread of the batch cannot be started");
                }
            }
            crew.work();
        });
        let board = crew.board.into_inner().unwrap_or_else(PoisonError::into_inner);
        let gave_up = board.breaker.open();
        let item = |(item, outcome): (&BatchItem, Option<FileOutcome>)| FileSummary {
            input: item.input.clone(),
            output: item.output.clone(),
            outcome: outcome.unwrap_or(FileOutcome::NotBegun),
        };
        let items = self.plan.items.iter().zip(board.outcomes).map(item).collect();
        let summary = BatchSummary::new(items, clock.elapsed().as_secs_f64(), gave_up);
        let BatchSummary { done, skipped, failed, left, bytes_in, bytes_out, wall_s, .. } = summary;
        sink.batch_event(&BatchEvent::BatchFinished { done, skipped, failed, left, bytes_in, bytes_out, wall_s });
        summary
    }
}

/// What films that are encoded at once share: what was asked for, or what one alone would have.
fn lease(options: &BatchOptions) -> BatchLease {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match options.resolve() {
        Ok(settings) => match settings.workers {
            Some(workers) => BatchLease::of_encoders(workers, cores, memory_of(&settings)),
            None => BatchLease::new(cores, memory_of(&settings)),
        },
        // Each film will say what is wrong.
        Err(_) => BatchLease::new(cores, 0),
    }
}

/// The threads of a batch.
struct Crew<'a> {
    batch: &'a Batch,
    sink: &'a Arc<dyn BatchSink>,
    cancel: &'a CancelToken,
    jobs: usize,
    board: Mutex<Board>,
}

impl Crew<'_> {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let (skipped, turn) = self.next();
            for file in skipped {
                if let Some(item) = self.batch.plan.items.get(file)
                    && let ItemVerdict::Skip(rule) = &item.verdict
                {
                    self.end(file, item, FileOutcome::skipped(rule.clone()));
                }
            }
            let Some(Turn { file, share }) = turn else { return };
            if let Some(item) = self.batch.plan.items.get(file) {
                let outcome = self.film(file, item, share);
                self.give_back(share, &outcome);
                self.remember(item, &outcome);
                self.end(file, item, outcome);
            }
        }
    }

    /// The next film that is to be begun, and those before it that are left alone.
    fn next(&self) -> (Vec<usize>, Option<Turn>) {
        let (items, mut skipped) = (&self.batch.plan.items, Vec::new());
        let mut board = self.board();
        let stop = self.cancel.is_cancelled() || self.batch.drain.is_cancelled() || board.breaker.open().is_some();
        while !stop && let Some(item) = items.get(board.next) {
            let file = board.next;
            board.next += 1;
            if !item.is_to_do() {
                skipped.push(file);
                continue;
            }
            let left = 1 + items.get(board.next..).unwrap_or_default().iter().filter(|i| i.is_to_do()).count();
            let free = self.jobs.saturating_sub(board.running).max(1);
            board.running += 1;
            let share = board.lease.take(free.min(left));
            return (skipped, Some(Turn { file, share }));
        }
        (skipped, None)
    }

    fn film(&self, file: usize, item: &BatchItem, share: LeaseShare) -> FileOutcome {
        // Alone, an encode decides by itself what it takes.
        let share = Some(share).filter(|_| self.jobs > 1);
        let (options, total) = (&self.batch.options, self.batch.plan.items.len());
        let turn = FilmTurn { file, total, item, options, share, sink: self.sink, cancel: self.cancel };
        catch_unwind(AssertUnwindSafe(|| turn.run())).unwrap_or_else(|_| {
            let error = Error::new(ErrorKind::Encode, "internal error: a thread of the batch panicked");
            FileOutcome::failed(&error.with_file(&item.input))
        })
    }

    fn give_back(&self, share: LeaseShare, outcome: &FileOutcome) {
        let mut opened = None;
        {
            let mut board = self.board();
            board.running = board.running.saturating_sub(1);
            board.lease.give_back(share);
            match outcome {
                FileOutcome::Done { .. } => board.breaker.succeeded(),
                FileOutcome::Failed { cause, .. } if board.breaker.failed(*cause) => opened = Some(*cause),
                _ => {}
            }
        }
        if let Some(cause) = opened {
            let message = gave_up(cause);
            self.sink.batch_event(&BatchEvent::BreakerOpen { cause, message });
        }
    }

    fn remember(&self, item: &BatchItem, outcome: &FileOutcome) {
        if let (Some(memory), Some(stamp)) = (&self.batch.options.memory, item.stamp) {
            let settings = self.batch.options.fingerprint();
            memory.keep(&FilmKey { film: item.input.clone(), stamp, settings }, outcome);
        }
    }

    /// Tells what a film came to, and notes it.
    fn end(&self, file: usize, item: &BatchItem, outcome: FileOutcome) {
        let input = item.input.display().to_string();
        let event = match outcome.clone() {
            FileOutcome::Done { bytes_in, bytes_out, reduction_percent, wall_s, fate } => {
                let output = item.output.display().to_string();
                Some(BatchEvent::FileDone { file, input, output, bytes_in, bytes_out, reduction_percent, wall_s, fate })
            }
            FileOutcome::Skipped { rule, message, .. } => Some(BatchEvent::FileSkipped { file, input, rule, message }),
            FileOutcome::Failed { cause, message, .. } => Some(BatchEvent::FileFailed { file, input, cause, message }),
            FileOutcome::Interrupted { resumable } => Some(BatchEvent::FileInterrupted { file, input, resumable }),
            FileOutcome::NotBegun => None,
        };
        if let Some(noted) = self.board().outcomes.get_mut(file) {
            *noted = Some(outcome);
        }
        if let Some(event) = event {
            self.sink.batch_event(&event);
        }
    }
}

fn gave_up(cause: FailureCause) -> String {
    format!("three films in a row failed of one cause: {cause}; no more are begun")
}
