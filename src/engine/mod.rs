//! Runs a film through the stages.
//!
//! Owns threads, channels, files in progress, verification and the report. Refuses to print, to exit and to
//! handle signals: it speaks through an event sink and stops by a token.
#![deny(unsafe_code)]

mod crew;
mod output;
mod queue;
mod stage;

pub use stage::StageReport;
