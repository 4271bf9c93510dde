//! The front door: a request, the job it becomes, what came of it.
//!
//! Owns requests as data, threads that run jobs, and their states. Refuses to know how a film is encoded (that is
//! `encode`), to print, and to read arguments or the environment.
//!
//! ```text
//! EncodeRequest ─ start ─→ JobHandle ─ wait ─→ Outcome: Done(Report) | Skipped(reason)
//!                             │  ↘ health, cancel
//!                             └─ events with a JobId → Sink
//! ```
#![deny(unsafe_code)]

mod job;
mod request;
#[cfg(test)]
mod tests;

pub use job::{JobHandle, Outcome, SkipReason, start, start_with};
pub use request::{EncodeRequest, OutputRequest};
