//! PURE: when a batch gives up: at failures in a row that have one cause, and not the films'.
#![deny(unsafe_code)]

use std::error::Error as StdError;
use std::fmt;
use std::io;

use serde::Serialize;

use crate::base::{Error, ErrorKind};

/// As many failures in a row of one cause say that the next film would fail, too.
const IN_A_ROW: u32 = 3;

/// Why a film failed, as far as it tells of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureCause {
    /// The film is broken, or is something drapto does not take. Other films are not.
    Film,
    /// The disk or the network that films are on does not answer.
    SourceLost,
    /// A disk is full.
    DiskFull,
    /// The output cannot be written.
    Output,
    /// There is not the memory.
    Memory,
    /// The encoder does not start.
    Encoder,
    /// The settings cannot be, or a path.
    Usage,
    /// The output is not what it has to be.
    Verification,
    /// A stage of the encode failed.
    Encode,
}

impl FailureCause {
    /// What `error` comes from: its kind, and what the system and the libraries said, anywhere in its chain.
    pub fn of(error: &Error) -> Self {
        let causes = std::iter::successors(StdError::source(error), |cause| (*cause).source());
        let kinds: Vec<io::ErrorKind> =
            causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).collect();
        let io = |wanted: &[io::ErrorKind]| kinds.iter().any(|kind| wanted.contains(kind));
        // Libraries give words where the system gives numbers.
        let said = |words: &[&str]| {
            let text = error.to_string().to_lowercase();
            words.iter().any(|word| text.contains(word))
        };
        use io::ErrorKind as Io;
        if io(&[Io::StorageFull, Io::QuotaExceeded, Io::FileTooLarge]) || said(&["no space left on device"]) {
            return FailureCause::DiskFull;
        }
        if io(&[Io::OutOfMemory]) || said(&["out of memory", "cannot allocate memory"]) {
            return FailureCause::Memory;
        }
        let lost = [Io::StaleNetworkFileHandle, Io::HostUnreachable, Io::NetworkUnreachable, Io::NotConnected];
        match error.kind() {
            ErrorKind::Input | ErrorKind::Unsupported if io(&lost) || said(LOST) => FailureCause::SourceLost,
            ErrorKind::Input | ErrorKind::Unsupported | ErrorKind::Skipped => FailureCause::Film,
            ErrorKind::Usage => FailureCause::Usage,
            ErrorKind::Output => FailureCause::Output,
            ErrorKind::Verification => FailureCause::Verification,
            ErrorKind::Encode if said(NOT_STARTED) => FailureCause::Encoder,
            ErrorKind::Encode | ErrorKind::Interrupted => FailureCause::Encode,
        }
    }

    /// Whether films that follow would fail of it, too.
    fn lasts(self) -> bool {
        self != FailureCause::Film
    }
}

/// What the system says of disks and networks that went (`strerror` of EIO, ENODEV, ENOTCONN, ESTALE, ENXIO).
const LOST: &[&str] = &[
    "input/output error",
    "no such device",
    "transport endpoint is not connected",
    "stale file handle",
    "stale nfs file handle",
];

/// Calls that open an encoder, as errors name them.
const NOT_STARTED: &[&str] = &["svt_av1_enc_init", "svt_av1_enc_set_parameter", "cannot start a thread"];

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureCause::Film => "the films cannot be read",
            FailureCause::SourceLost => "the disk or network that the films are on does not answer",
            FailureCause::DiskFull => "the disk is full",
            FailureCause::Output => "outputs cannot be written",
            FailureCause::Memory => "there is not the memory",
            FailureCause::Encoder => "the encoder does not start",
            FailureCause::Usage => "the settings or paths cannot be",
            FailureCause::Verification => "outputs fail verification",
            FailureCause::Encode => "encodes fail",
        })
    }
}

/// Counts failures in a row of one cause.
///
/// Law: it opens at the third failure of one lasting cause with nothing else between them, and stays open. A film that was
/// encoded, or failed of another cause, begins the count anew; films that rules leave alone are not told it.
#[derive(Clone, Debug, Default)]
pub struct CircuitBreaker {
    cause: Option<FailureCause>,
    failures: u32,
}

impl CircuitBreaker {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a film that was encoded.
    pub fn succeeded(&mut self) {
        if self.open().is_none() {
            *self = Self::default();
        }
    }

    /// Notes a film that failed; whether that opened the breaker.
    pub fn failed(&mut self, cause: FailureCause) -> bool {
        if self.open().is_some() {
            return false;
        }
        if self.cause != Some(cause) || !cause.lasts() {
            *self = CircuitBreaker { cause: cause.lasts().then_some(cause), failures: 0 };
        }
        self.failures += u32::from(cause.lasts());
        self.open().is_some()
    }

    /// What all films would fail of; `None` while they are worth a try.
    pub fn open(&self) -> Option<FailureCause> {
        self.cause.filter(|_| self.failures >= IN_A_ROW)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAUSES: [FailureCause; 4] =
        [FailureCause::Film, FailureCause::DiskFull, FailureCause::Encoder, FailureCause::Output];

    proptest! {
        /// 4 stands for a film that was encoded.
        #[test]
        fn it_opens_at_three_in_a_row_of_one_lasting_cause_and_at_nothing_else(seen in prop::collection::vec(0..5usize, 0..40)) {
            let mut breaker = CircuitBreaker::new();
            let mut opened = None;
            for (at, which) in seen.iter().enumerate() {
                match CAUSES.get(*which) {
                    Some(cause) => {
                        if breaker.failed(*cause) {
                            prop_assert!(opened.is_none(), "it opens once");
                            opened = Some(at);
                        }
                    }
                    None => breaker.succeeded(),
                }
            }
            let three = |w: &[usize]| w.iter().all(|x| *x == w[0]) && (1..4).contains(&w[0]);
            let expected = seen.windows(3).position(three).map(|at| at + 2);
            prop_assert_eq!(opened, expected);
            prop_assert_eq!(breaker.open(), expected.map(|at| CAUSES[seen[at]]));
        }
    }

    #[test]
    fn a_full_disk_is_found_at_the_end_of_a_chain_and_in_words() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let inner = Error::new(ErrorKind::Output, "cannot write a chunk").caused_by(full());
        let outer = Error::new(ErrorKind::Encode, "the stage stopped").caused_by(inner).with_chunk(3);
        assert_eq!(FailureCause::of(&outer), FailureCause::DiskFull);
        let words = Error::new(ErrorKind::Output, "av_write_frame: No space left on device");
        assert_eq!(FailureCause::of(&words), FailureCause::DiskFull);
        #[cfg(unix)]
        {
            let by_number = Error::new(ErrorKind::Output, "x").caused_by(io::Error::from_raw_os_error(28));
            assert_eq!(FailureCause::of(&by_number), FailureCause::DiskFull);
        }
    }

    #[test]
    fn causes_are_told_apart() {
        for (kind, message, cause) in [
            (ErrorKind::Input, "the file is empty", FailureCause::Film),
            (ErrorKind::Unsupported, "there is no video stream in it", FailureCause::Film),
            (ErrorKind::Input, "cannot read it: Input/output error", FailureCause::SourceLost),
            (ErrorKind::Encode, "svt_av1_enc_init: the encoder failed (0x80001000)", FailureCause::Encoder),
            (ErrorKind::Encode, "svt_av1_enc_init: out of memory (0x80001000)", FailureCause::Memory),
            (ErrorKind::Encode, "svt_av1_enc_send_picture: error", FailureCause::Encode),
            (ErrorKind::Output, "the output's folder cannot be written", FailureCause::Output),
            (ErrorKind::Usage, "preset 14", FailureCause::Usage),
            (ErrorKind::Verification, "the output failed verification", FailureCause::Verification),
        ] {
            assert_eq!(FailureCause::of(&Error::new(kind, message)), cause, "{message}");
        }
    }
}
