//! What every room stands on: errors that name the place, exact time, cancellation.
//!
//! Owns no I/O and knows no codec. Imports nothing but std.
#![deny(unsafe_code)]

mod cancel;
mod error;
mod resources;
#[cfg(test)]
mod skipped;
pub mod text;
mod time;

pub use cancel::CancelToken;
pub use error::{Error, ErrorKind, Result};
pub use resources::{machine_memory, memory_left};
#[cfg(test)]
pub(crate) use skipped::{missing, skipped};
pub(crate) use time::lowest_terms;
pub use time::{Rational, Rounding, Span, Timestamp};
