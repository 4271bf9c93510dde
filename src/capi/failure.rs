//! What C is told of a failure: a stable code, and a plain copy of the error's place and words.
#![allow(non_camel_case_types)]

use std::any::Any;
use std::ffi::CString;
use std::ops::Deref;

use drapto::{Error, ErrorKind, Timestamp};

/// How a call ended. Values never change; later versions may add some.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum drapto_code {
    /// It did what it says.
    DRAPTO_OK = 0,
    /// Wrong arguments or settings: a null pointer, a name or value there is not, text that is no UTF-8.
    DRAPTO_USAGE = 1,
    /// The input cannot be opened or read.
    DRAPTO_INPUT = 2,
    /// The input can be read, but is something drapto does not take.
    DRAPTO_UNSUPPORTED = 3,
    /// The encode failed.
    DRAPTO_ENCODE = 4,
    /// The output could not be written.
    DRAPTO_OUTPUT = 5,
    /// The output exists but is not what it has to be.
    DRAPTO_VERIFICATION = 6,
    /// A rule left the film alone. The error object says which; nothing went wrong.
    DRAPTO_SKIPPED = 7,
    /// Cancelled; can be started again.
    DRAPTO_INTERRUPTED = 8,
    /// What was waited for has not come yet.
    DRAPTO_TIMEOUT = 9,
    /// The library has another binary interface than the header, or a structure another version.
    DRAPTO_WRONG_VERSION = 10,
    /// A fault of drapto's, or a panic in a callback written in Rust. The object that was used may be freed, no more.
    DRAPTO_PANIC = 11,
}

impl From<ErrorKind> for drapto_code {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Usage => Self::DRAPTO_USAGE,
            ErrorKind::Input => Self::DRAPTO_INPUT,
            ErrorKind::Unsupported => Self::DRAPTO_UNSUPPORTED,
            ErrorKind::Encode => Self::DRAPTO_ENCODE,
            ErrorKind::Output => Self::DRAPTO_OUTPUT,
            ErrorKind::Verification => Self::DRAPTO_VERIFICATION,
            ErrorKind::Skipped => Self::DRAPTO_SKIPPED,
            ErrorKind::Interrupted => Self::DRAPTO_INTERRUPTED,
        }
    }
}

/// An error as C reads it.
///
/// Boxed: every shell returns one, and nearly none ever holds one.
#[derive(Clone, Debug)]
pub(super) struct Failure(Box<FailureParts>);

impl Deref for Failure {
    type Target = FailureParts;

    fn deref(&self) -> &FailureParts {
        &self.0
    }
}

#[derive(Clone, Debug)]
pub(super) struct FailureParts {
    pub(super) code: drapto_code,
    pub(super) file: Option<CString>,
    pub(super) stream: Option<usize>,
    pub(super) time: Option<Timestamp>,
    pub(super) chunk: Option<usize>,
    pub(super) stage: Option<CString>,
    pub(super) message: CString,
    pub(super) text: CString,
}

impl Failure {
    /// A failure of the call itself, without a place.
    pub(super) fn new(code: drapto_code, message: impl Into<String>) -> Self {
        let message = c_string(message.into());
        let text = message.clone();
        Failure(Box::new(FailureParts {
            code,
            file: None,
            stream: None,
            time: None,
            chunk: None,
            stage: None,
            message,
            text,
        }))
    }

    /// Wrong arguments.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(drapto_code::DRAPTO_USAGE, message)
    }

    /// A panic that was caught on its way to C.
    pub(super) fn panic(payload: &(dyn Any + Send)) -> Self {
        Self::new(drapto_code::DRAPTO_PANIC, format!("internal error: {}", panic_text(payload)))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(Box::new(FailureParts {
            code: error.kind().into(),
            file: error.file().map(|path| c_string(path.as_os_str().as_encoded_bytes())),
            stream: error.stream(),
            time: error.time(),
            chunk: error.chunk(),
            stage: error.stage().map(c_string),
            message: c_string(error.message()),
            text: c_string(error.to_string()),
        }))
    }
}

/// What a panic said.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// Text for C: it ends at the first zero byte.
pub(super) fn c_string(text: impl Into<Vec<u8>>) -> CString {
    let mut bytes: Vec<u8> = text.into();
    if let Some(end) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(end);
    }
    CString::new(bytes).unwrap_or_default()
}
