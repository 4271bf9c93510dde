//! The threads of one run: started together, stopped together, watched while they work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::stage::{StageMeter, StageReport, stalled};
use crate::base::{CancelToken, Error, ErrorKind, Result};

/// How long threads may take to notice that the run was stopped before they are left behind.
///
/// An encoder that is closed first finishes the pictures it holds; the program promises to stop within 5 s.
const GRACE: Duration = Duration::from_secs(3);

/// How often the run is looked at.
const TICK: Duration = Duration::from_millis(100);

/// The stages of a run.
///
/// Law: a stage that fails records its error, cancels the run and only then drops its channel ends, so that
/// no neighbour takes a failure for the end of the stream. The first error that is not a consequence wins.
pub(crate) struct Crew {
    cancel: CancelToken,
    failure: Arc<Mutex<Option<Error>>>,
    stages: Vec<(Arc<StageMeter>, JoinHandle<()>)>,
}

impl Crew {
    /// A crew that stops when `cancel` does.
    pub(crate) fn new(cancel: &CancelToken) -> Self {
        Crew { cancel: cancel.child(), failure: Arc::default(), stages: Vec::new() }
    }

    /// The token the stages look at.
    pub(crate) fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// Starts a stage. `state` holds its channel ends and outlives `work`.
    pub(crate) fn spawn<S: Send + 'static>(
        &mut self,
        name: &'static str,
        meter: &Arc<StageMeter>,
        mut state: S,
        work: impl FnOnce(&mut S, &StageMeter) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (failure, cancel, own) = (Arc::clone(&self.failure), self.cancel.clone(), Arc::clone(meter));
        let body = move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&mut state, &own)))
                .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            own.done();
            if let Err(error) = result {
                record(&failure, error.in_stage(name));
                cancel.cancel();
            }
            drop(state);
        };
        let handle = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot start a thread").caused_by(e).in_stage(name))?;
        self.stages.push((Arc::clone(meter), handle));
        Ok(())
    }

    /// Waits for all stages, calling `tick` now and then; stops a run that stands still for `stall_timeout`.
    pub(crate) fn wait(mut self, stall_timeout: Duration, mut tick: impl FnMut()) -> Result<Vec<StageReport>> {
        let meters: Vec<_> = self.stages.iter().map(|(meter, _)| Arc::clone(meter)).collect();
        let mut stopping: Option<Instant> = None;
        while self.stages.iter().any(|(_, handle)| !handle.is_finished()) {
            std::thread::sleep(TICK);
            tick();
            if stopping.is_none()
                && let Some(culprit) = stalled(&meters, stall_timeout)
            {
                let message = format!("no progress for {} s in {culprit}", stall_timeout.as_secs());
                record(&self.failure, Error::new(ErrorKind::Encode, message));
                self.cancel.cancel();
            }
            if self.cancel.is_cancelled() && stopping.get_or_insert_with(Instant::now).elapsed() > GRACE {
                // A thread that hangs in a library cannot be ended; its memory stays until the process does.
                let hung: Vec<_> = self.stages.iter().filter(|(_, h)| !h.is_finished()).collect();
                tracing::error!(threads = hung.len(), "threads did not stop and are left behind");
                self.stages.clear();
            }
        }
        for (_, handle) in self.stages.drain(..) {
            // A stage's own panic was caught and recorded.
            let _ = handle.join();
        }
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failure {
            Some(error) => Err(error),
            None => {
                self.cancel.check()?;
                Ok(meters.iter().map(|m| m.report()).collect())
            }
        }
    }
}

/// Keeps `error` unless there is one already; a consequence (`Interrupted`) makes way for a cause.
fn record(failure: &Mutex<Option<Error>>, error: Error) {
    let mut slot = failure.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        Some(first) if first.kind() != ErrorKind::Interrupted || error.kind() == ErrorKind::Interrupted => {}
        _ => *slot = Some(error),
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::new(ErrorKind::Encode, format!("internal error: {text}"))
}

#[cfg(test)]
mod tests {
    use super::super::queue::queue;
    use super::*;
    use crate::media::{Frame, FramePool, PixelFormat};

    const LONG: Duration = Duration::from_secs(60);

    fn frame(index: u64) -> Frame {
        let pool = FramePool::new(PixelFormat::YUV420P8, 64, 64);
        Frame {
            index,
            pts: crate::base::Timestamp::new(index as i64, crate::base::Rational::MILLI),
            duration: None,
            width: 64,
            height: 64,
            format: PixelFormat::YUV420P8,
            color: Default::default(),
            hdr: Default::default(),
            dynamic: Default::default(),
            planes: Arc::new(pool.take()),
        }
    }

    /// A source that fails (or not) at frame `fail_at`, and a sink that counts what it was given to the end.
    fn run(fail_at: Option<u64>, stall: Duration, hang: bool) -> (Result<Vec<StageReport>>, Option<u64>) {
        let user = CancelToken::new();
        let mut crew = Crew::new(&user);
        let (source, sink) = (StageMeter::new("source"), StageMeter::new("sink"));
        let (sender, receiver) = queue::<Frame>(2, 1 << 20, crew.cancel(), &source, &sink);
        let finished = Arc::new(Mutex::new(None));
        let result = Arc::clone(&finished);
        crew.spawn("source", &source, sender, move |sender, meter| {
            for index in 0..10 {
                if fail_at == Some(index) {
                    return Err(Error::new(ErrorKind::Input, "broken").with_stream(0));
                }
                sender.send(frame(index))?;
                meter.item();
            }
            Ok(())
        })
        .unwrap();
        let cancel = crew.cancel().clone();
        crew.spawn("sink", &sink, receiver, move |receiver, meter| {
            let mut count = 0;
            while receiver.receive()?.is_some() {
                while hang && !cancel.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                count += 1;
                meter.item();
            }
            *result.lock().unwrap() = Some(count);
            Ok(())
        })
        .unwrap();
        let outcome = crew.wait(stall, || {});
        let count = *finished.lock().unwrap();
        assert!(!user.is_cancelled(), "a run's failure leaves the user's token alone");
        (outcome, count)
    }

    #[test]
    fn everything_sent_arrives_before_the_end() {
        let (outcome, count) = run(None, LONG, false);
        assert_eq!(count, Some(10));
        assert_eq!(outcome.unwrap().iter().map(|s| s.items).collect::<Vec<_>>(), [10, 10]);
    }

    #[test]
    fn a_failing_stage_is_named_and_the_next_one_never_sees_an_end() {
        let (outcome, count) = run(Some(3), LONG, false);
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.stage(), error.stream()), (ErrorKind::Input, Some("source"), Some(0)));
        assert_eq!(count, None);
    }

    #[test]
    fn the_watchdog_stops_a_run_that_stands_still_and_names_the_stage() {
        let (outcome, _) = run(None, Duration::from_millis(300), true);
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("in sink"), "{error}");
    }

    #[test]
    fn a_panic_in_a_stage_is_an_error_of_the_run() {
        let mut crew = Crew::new(&CancelToken::new());
        let meter = StageMeter::new("encode");
        crew.spawn("encode", &meter, (), |(), _| panic!("index out of bounds")).unwrap();
        let error = crew.wait(LONG, || {}).unwrap_err();
        assert!(error.to_string().contains("stage encode: internal error: index out of bounds"), "{error}");
    }
}
