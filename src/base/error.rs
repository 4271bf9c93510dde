//! One error type: opaque outside, and inside it names the file, stream, time, chunk and stage.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Timestamp;

/// The result of everything in drapto that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The stable class of an [`Error`]; it decides the exit code and the code of the C API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Wrong arguments or configuration.
    Usage,
    /// The input cannot be opened or read.
    Input,
    /// The input is readable, but is something drapto does not take.
    Unsupported,
    /// A stage of the encode failed.
    Encode,
    /// The output could not be written (missing folder, full disk, permissions).
    Output,
    /// The output exists but is not what it has to be.
    Verification,
    /// Left alone by a rule.
    Skipped,
    /// Cancelled from outside; can be started again.
    Interrupted,
}

impl ErrorKind {
    /// The process exit code of this kind (0 is success and has no kind).
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Encode | ErrorKind::Output => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Input | ErrorKind::Unsupported => 3,
            ErrorKind::Verification => 4,
            ErrorKind::Skipped => 5,
            ErrorKind::Interrupted => 130,
        }
    }
}

/// What went wrong and where.
///
/// `Display` prints the place first, then the message, then each cause once (one whose text was said already is left
/// out; [`std::error::Error::source`] has them all):
/// `film.mkv: stream 2: at 61.250 s: stage audio: cannot resample: invalid layout`.
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    message: String,
    file: Option<PathBuf>,
    stream: Option<usize>,
    timestamp: Option<Timestamp>,
    chunk: Option<usize>,
    stage: Option<&'static str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a message that reads after a colon (no capital, no full stop).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Repr {
            kind,
            message: message.into(),
            file: None,
            stream: None,
            timestamp: None,
            chunk: None,
            stage: None,
            source: None,
        }))
    }

    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stage that failed, where one did.
    pub fn stage(&self) -> Option<&'static str> {
        self.0.stage
    }

    /// The stream the error is about, by its index in the source.
    pub fn stream(&self) -> Option<usize> {
        self.0.stream
    }

    /// The file the error is about, where it is about one.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The time in the stream, in that stream's time base.
    pub fn time(&self) -> Option<Timestamp> {
        self.0.timestamp
    }

    /// The chunk, by its position in the film.
    pub fn chunk(&self) -> Option<usize> {
        self.0.chunk
    }

    /// What went wrong, without the place and the causes.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Keeps `cause` as [`std::error::Error::source`].
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    /// Names the file, unless a place nearer to the fault already did.
    pub fn with_file(mut self, file: &Path) -> Self {
        self.0.file.get_or_insert_with(|| file.to_path_buf());
        self
    }

    /// As it is, but about `to` where it was about `from`: users know a file by another name than the run does.
    pub(crate) fn renamed(mut self, from: &Path, to: &Path) -> Self {
        if self.0.file.as_deref() == Some(from) {
            self.0.file = Some(to.to_path_buf());
        }
        self
    }

    /// Names the stream, unless a place nearer to the fault already did.
    pub fn with_stream(mut self, index: usize) -> Self {
        self.0.stream.get_or_insert(index);
        self
    }

    /// Names the time in the stream, unless a place nearer to the fault already did.
    pub fn at(mut self, timestamp: Timestamp) -> Self {
        self.0.timestamp.get_or_insert(timestamp);
        self
    }

    /// Names the chunk, unless a place nearer to the fault already did.
    pub fn with_chunk(mut self, index: usize) -> Self {
        self.0.chunk.get_or_insert(index);
        self
    }

    /// Names the pipeline stage, unless a place nearer to the fault already did.
    pub fn in_stage(mut self, stage: &'static str) -> Self {
        self.0.stage.get_or_insert(stage);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &*self.0;
        if let Some(file) = &r.file {
            write!(f, "{}: ", file.display())?;
        }
        if let Some(stream) = r.stream {
            write!(f, "stream {stream}: ")?;
        }
        if let Some(timestamp) = r.timestamp {
            write!(f, "at {:.3} s: ", timestamp.as_secs_f64())?;
        }
        if let Some(chunk) = r.chunk {
            write!(f, "chunk {chunk}: ")?;
        }
        if let Some(stage) = r.stage {
            write!(f, "stage {stage}: ")?;
        }
        // A cause often quotes its own causes, and a message the cause: nothing is said twice.
        let mut said = r.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                said.push_str(": ");
                said.push_str(&text);
            }
            cause = error.source();
        }
        f.write_str(&said)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self})", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rational;

    #[test]
    fn the_place_nearest_to_the_fault_wins_and_causes_are_printed_once() {
        let error = Error::new(ErrorKind::Encode, "cannot resample")
            .with_stream(2)
            .caused_by(std::io::Error::other("invalid layout"))
            .with_stream(9)
            .at(Timestamp::new(61_250, Rational::MILLI))
            .in_stage("audio")
            .with_file(Path::new("film.mkv"));
        assert_eq!(error.to_string(), "film.mkv: stream 2: at 61.250 s: stage audio: cannot resample: invalid layout");
        assert_eq!(error.kind().exit_code(), 1);
    }

    #[test]
    fn a_cause_that_quotes_its_own_cause_is_printed_once_and_stays_in_the_chain() {
        let disk = std::io::Error::other("disk full");
        let inner = Error::new(ErrorKind::Output, "cannot write").caused_by(disk).with_chunk(3);
        let outer = Error::new(ErrorKind::Encode, "the encode stopped").caused_by(inner);
        assert_eq!(outer.to_string(), "the encode stopped: chunk 3: cannot write: disk full");
        let quoted = Error::new(ErrorKind::Encode, "no: bad level").caused_by(std::io::Error::other("bad level"));
        assert_eq!(quoted.to_string(), "no: bad level");
        let chain = std::iter::successors(std::error::Error::source(&outer), |e| e.source());
        assert_eq!(chain.map(|e| e.to_string()).last().as_deref(), Some("disk full"));
    }

    #[test]
    fn an_error_can_be_asked_for_its_place_and_its_own_message() {
        let time = Timestamp::new(5, Rational::MILLI);
        let error = Error::new(ErrorKind::Input, "broken")
            .with_file(Path::new("a.mkv"))
            .with_stream(1)
            .at(time)
            .with_chunk(2)
            .in_stage("decode");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Input, "broken"));
        assert_eq!((error.file(), error.stream()), (Some(Path::new("a.mkv")), Some(1)));
        assert_eq!((error.time(), error.chunk(), error.stage()), (Some(time), Some(2), Some("decode")));
    }
}
