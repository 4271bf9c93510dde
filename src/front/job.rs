//! Jobs: one thread each, that anyone may watch and stop.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;

use super::request::EncodeRequest;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::path_text::lossy_if_any;
use crate::encode::{Beside, encode_all};
use crate::event::{Event, JobId, Sink};
use crate::flow::{Health, RunState};
use crate::report::Report;
use crate::stages::progress::Pulse;

/// How a job is, for whoever holds its handle.
#[derive(Clone, Default)]
struct Vitals {
    /// Of the part of the job that runs.
    pulse: Pulse,
    /// Whether it began, and how it ended.
    state: Arc<Mutex<Option<RunState>>>,
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.health().state.fmt(f)
    }
}

impl Vitals {
    fn set(&self, state: RunState) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
    }

    fn health(&self) -> Health {
        let state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let stages = |pulse: Option<Health>| pulse.map_or(Vec::new(), |h| h.stages);
        match (state, self.pulse.health()) {
            (None, _) => Health { state: RunState::Idle, stages: Vec::new() },
            // Between its parts, and while what was written is verified.
            (Some(RunState::Running), Some(Health { state: RunState::Stopped, stages })) => {
                Health { state: RunState::Draining, stages }
            }
            (Some(RunState::Running), Some(health)) => health,
            (Some(state), pulse) => Health { state, stages: stages(pulse) },
        }
    }
}

/// What a job came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Every output is verified and in place. The report is that of the first; it holds those of the others.
    Done(Box<Report>),
    /// A rule left the film alone; no output was made.
    Skipped(SkipReason),
}

/// Why a film was left alone. `Display` gives the sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SkipReason {
    /// The film.
    #[serde(serialize_with = "lossy_if_any")]
    pub file: Option<PathBuf>,
    /// The rule, as a sentence without its full stop.
    pub message: String,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        f.write_str(&self.message)
    }
}

impl From<SkipReason> for Error {
    /// For programs to which a skip is an error: of kind [`ErrorKind::Skipped`], with the same words.
    fn from(reason: SkipReason) -> Self {
        let error = Error::new(ErrorKind::Skipped, reason.message);
        match &reason.file {
            Some(file) => error.with_file(file),
            None => error,
        }
    }
}

/// A job that was started.
///
/// Any thread may ask and cancel it. **Dropping the handle cancels the job and does not wait for it**: the job's thread
/// ends by itself within seconds and leaves every output's path as it was. To have a job go on, keep its handle.
#[derive(Debug)]
pub struct JobHandle {
    id: JobId,
    cancel: CancelToken,
    vitals: Vitals,
    /// Taken by `wait`.
    thread: Option<JoinHandle<Result<Outcome>>>,
}

/// Checks `request` and starts a thread that carries it out.
///
/// Events go to `sink` by [`Sink::job_event`], from that thread and others, until [`JobHandle::wait`] would return.
/// A panic within the job (also one of the sink's on the job's thread) ends it with an error of kind `Encode`.
///
/// # Errors
/// [`ErrorKind::Usage`] for requests that cannot be; `Encode` where no thread can be had.
pub fn start(request: EncodeRequest, sink: Arc<dyn Sink>) -> Result<JobHandle> {
    start_with(request, sink, &CancelToken::new())
}

/// As [`start`], for a job that is also cancelled with `parent`: by a signal, or with others.
///
/// # Errors
/// As [`start`].
pub fn start_with(request: EncodeRequest, sink: Arc<dyn Sink>, parent: &CancelToken) -> Result<JobHandle> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    request.check()?;
    let id = JobId(NEXT.fetch_add(1, Ordering::Relaxed));
    let (cancel, vitals) = (parent.child(), Vitals::default());
    let job = JobThread { id, sink, cancel: cancel.clone(), vitals: vitals.clone() };
    let thread = std::thread::Builder::new()
        .name(format!("drapto-job-{id}"))
        .spawn(move || job.run(&request))
        .map_err(|e| Error::new(ErrorKind::Encode, "cannot start a thread for the job").caused_by(e))?;
    Ok(JobHandle { id, cancel, vitals, thread: Some(thread) })
}

impl JobHandle {
    /// The job's number, as its events carry it.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// How the job is at this moment.
    pub fn health(&self) -> Health {
        self.vitals.health()
    }

    /// Asks the job to stop; it ends within seconds, with an error of kind `Interrupted`, and can be started again.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// A token that cancels the job, for signal handlers and other threads.
    pub fn cancel_token(&self) -> CancelToken {
        self.cancel.clone()
    }

    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Blocks until the job has ended.
    ///
    /// # Errors
    /// As [`encode`](crate::encode()), save that a film left alone by a rule is no error.
    pub fn wait(mut self) -> Result<Outcome> {
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(outcome)) => outcome,
            _ => Err(Error::new(ErrorKind::Encode, "the job's thread is gone")),
        }
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.cancel.cancel();
        }
    }
}

struct JobThread {
    id: JobId,
    sink: Arc<dyn Sink>,
    cancel: CancelToken,
    vitals: Vitals,
}

impl JobThread {
    fn run(self, request: &EncodeRequest) -> Result<Outcome> {
        self.vitals.set(RunState::Running);
        let ended = catch_unwind(AssertUnwindSafe(|| self.outputs(request)));
        let outcome = ended.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(Error::new(ErrorKind::Encode, format!("internal error: {text}")))
        });
        self.vitals.set(match &outcome {
            Ok(_) => RunState::Stopped,
            Err(error) if error.kind() == ErrorKind::Interrupted => RunState::Stopped,
            Err(_) => RunState::Error,
        });
        outcome
    }

    fn outputs(&self, request: &EncodeRequest) -> Result<Outcome> {
        let resolved = (0..request.outputs.len()).map(|i| request.resolve(i)).collect::<Result<Vec<_>>>()?;
        let (settings, warnings): (Vec<_>, Vec<_>) = resolved.into_iter().unzip();
        let sink = JobSink { job: self, warnings: &warnings.concat() };
        let optional: Vec<bool> = request.outputs.iter().map(|output| output.optional).collect();
        let beside = Beside { stills: &request.stills, optional: request.renditions.then_some(&optional[..]) };
        let mut reports = match encode_all(&settings, beside, &sink, &self.cancel, &self.vitals.pulse) {
            Ok(reports) => reports.into_iter().zip(warnings).map(|(report, said)| with(report, said)),
            Err(error) if error.kind() == ErrorKind::Skipped => {
                let file = error.file().map(Path::to_path_buf);
                return Ok(Outcome::Skipped(SkipReason { file, message: error.message().to_owned() }));
            }
            Err(error) => return Err(error),
        };
        let none = || Error::new(ErrorKind::Usage, "a request without outputs asks for nothing");
        let mut first = reports.next().ok_or_else(none)?;
        first.others = reports.collect();
        Ok(Outcome::Done(Box::new(first)))
    }
}

/// The report with what was said of the request before it began.
fn with(mut report: Report, said: Vec<String>) -> Report {
    report.warnings.splice(0..0, said);
    report
}

/// Gives events the job's number, and says the request's warnings after the first of them.
struct JobSink<'a> {
    job: &'a JobThread,
    warnings: &'a [String],
}

impl Sink for JobSink<'_> {
    fn event(&self, event: &Event) {
        let JobThread { id, sink, .. } = self.job;
        sink.job_event(*id, event);
        if let Event::Started { .. } = event {
            for message in self.warnings {
                sink.job_event(*id, &Event::Warning { message: message.clone() });
            }
        }
    }
}
