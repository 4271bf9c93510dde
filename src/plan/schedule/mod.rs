//! Which chunk is tried next, at what CRF, and which bytes are kept: events in, actions out.
//!
//! ```text
//! ScheduleEvent ─► Scheduler::on ─► ScheduleAction
//!      ▲                                  │ Journal
//!      └── Restored ◄── ScheduleRecord ◄──┘
//! ```
//!
//! Owns the order of work and the state of each chunk. Refuses threads, files, clocks and pictures: who drives it sends
//! what happened and does what it is told, in the order it is told.
//!
//! Law: what reaches the bytes depends on the chunk's own scores and on chunks at fixed earlier indices. Which worker is
//! free when decides only when something happens. All that a decision reads is journalled before the decision is acted
//! on, so a scheduler that is given the journal of a run that was killed decides as that run would have.
#![deny(unsafe_code)]

mod message;
mod record;
mod scheduler;
#[cfg(test)]
mod tests;
mod title;
mod work;

pub use message::{ChunkFacts, ScheduleAction, ScheduleEvent, ScheduleRules, TryEnd};
pub use record::{KeptChunk, ScheduleRecord, ScoredFrames, TryRecord, shown};
pub use scheduler::Scheduler;
