//! Folders of films: found, judged, encoded one after another or some at once, and their sources left, replaced or removed.
//!
//! Owns what concerns more than one film: which files are films and what their outputs are called, rules that leave films
//! alone, the order, what films that are encoded at once share, when to give up, and what becomes of a source. Refuses to
//! know how a film is encoded (that is `front`'s), to print, and to read arguments or the environment.
//!
//! ```text
//! walk ─► names ─► look ─► judge ─► BatchPlan ─► Batch::run ─┬─► front::start (1..jobs at once, from one lease)
//!                                      ▲             │       └─► settle: the source stays, is replaced or goes
//!                                    watch           └─► BatchEvent, BatchSummary
//! ```
//!
//! Laws: one film that fails never stops the others; three failures in a row of one cause that is not the films' own do.
//! A film's source is touched last, when its output was verified and is on the disk. A batch keeps no state of its own:
//! outputs that are there and job directories tell the next run where this one was.
#![deny(unsafe_code)]

mod batch_plan;
mod breaker;
mod event;
mod film;
mod lease;
mod look;
mod memory;
mod names;
mod options;
mod outcome;
mod place;
mod replace;
mod rules;
mod run;
mod stamp;
mod walk;
mod watch;

pub use batch_plan::{BatchItem, BatchPlan, ItemVerdict, UnreadablePlace};
pub use breaker::{CircuitBreaker, FailureCause};
pub use event::{BatchEvent, BatchSink};
pub use lease::{BatchLease, LeaseShare};
pub use look::look_at;
pub use memory::{BatchMemory, FilmKey};
pub use names::OutputNames;
pub use options::BatchOptions;
pub use outcome::{BatchSummary, FileOutcome, FileSummary, KnownSkip};
pub use replace::{SourceFate, SourceRule};
pub use rules::{BatchRules, FilmFacts, SizeClass, SkipRule, judge};
pub use run::Batch;
pub use stamp::FileStamp;
pub use walk::{WalkOptions, Walked, walk};
pub use watch::{Watchlist, watch};
