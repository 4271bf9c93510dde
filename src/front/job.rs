//! Jobs: one thread each, that anyone may watch and stop.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;

use super::health::{Health, JobState};
use super::request::EncodeRequest;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::engine::{self, Report};
use crate::event::{Event, JobId, Sink};

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
    health: Arc<Mutex<Health>>,
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
    let (cancel, health) = (parent.child(), Arc::new(Mutex::new(Health::default())));
    let job = Job { id, sink, cancel: cancel.clone(), health: Arc::clone(&health) };
    let thread = std::thread::Builder::new()
        .name(format!("drapto-job-{id}"))
        .spawn(move || job.run(&request))
        .map_err(|e| Error::new(ErrorKind::Encode, "cannot start a thread for the job").caused_by(e))?;
    Ok(JobHandle { id, cancel, health, thread: Some(thread) })
}

impl JobHandle {
    /// The job's number, as its events carry it.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// How the job is at this moment.
    pub fn health(&self) -> Health {
        lock(&self.health).clone()
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
    /// As [`encode`](crate::engine::encode()), save that a film left alone by a rule is no error.
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

fn lock(health: &Mutex<Health>) -> MutexGuard<'_, Health> {
    health.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Job {
    id: JobId,
    sink: Arc<dyn Sink>,
    cancel: CancelToken,
    health: Arc<Mutex<Health>>,
}

impl Job {
    fn run(self, request: &EncodeRequest) -> Result<Outcome> {
        lock(&self.health).state = JobState::Running;
        let ended = catch_unwind(AssertUnwindSafe(|| self.outputs(request)));
        let outcome = ended.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(Error::new(ErrorKind::Encode, format!("internal error: {text}")))
        });
        let mut health = lock(&self.health);
        health.state = match &outcome {
            Ok(_) => JobState::Stopped,
            Err(error) if error.kind() == ErrorKind::Interrupted => JobState::Stopped,
            Err(_) => JobState::Error,
        };
        if let Ok(Outcome::Done(report)) = &outcome {
            health.stages = report.stages.clone();
        }
        drop(health);
        outcome
    }

    // Several outputs are made one after the other, each with a decode of its own, until the engine can feed one
    // decode to several encoders: then this loop becomes one call.
    fn outputs(&self, request: &EncodeRequest) -> Result<Outcome> {
        let (mut reports, mut skipped) = (Vec::new(), None);
        for index in 0..request.outputs.len() {
            let (settings, warnings) = request.resolve(index)?;
            match self.output(&settings, warnings) {
                Ok(report) => reports.push(report),
                Err(error) if error.kind() == ErrorKind::Skipped => {
                    let file = error.file().map(Path::to_path_buf);
                    skipped = Some(SkipReason { file, message: error.message().to_owned() });
                }
                Err(error) => return Err(error),
            }
        }
        let mut reports = reports.into_iter();
        match (reports.next(), skipped) {
            (Some(mut first), _) => {
                first.others = reports.collect();
                Ok(Outcome::Done(Box::new(first)))
            }
            (None, Some(reason)) => Ok(Outcome::Skipped(reason)),
            (None, None) => Err(Error::new(ErrorKind::Usage, "a request without outputs asks for nothing")),
        }
    }

    fn output(&self, settings: &EncodeSettings, warnings: Vec<String>) -> Result<Report> {
        let sink = JobSink { job: self, warnings: &warnings };
        let mut report = engine::encode(settings, &sink, &self.cancel)?;
        report.warnings.splice(0..0, warnings);
        Ok(report)
    }
}

/// Gives events the job's number, and says the request's warnings after the first of them.
struct JobSink<'a> {
    job: &'a Job,
    warnings: &'a [String],
}

impl Sink for JobSink<'_> {
    fn event(&self, event: &Event) {
        let Job { id, sink, health, .. } = self.job;
        match event {
            Event::Stage { name: "verify" } => lock(health).state = JobState::Draining,
            Event::Stage { .. } => lock(health).state = JobState::Running,
            _ => {}
        }
        sink.job_event(*id, event);
        if let Event::Started { .. } = event {
            for message in self.warnings {
                sink.job_event(*id, &Event::Warning { message: message.clone() });
            }
        }
    }
}
