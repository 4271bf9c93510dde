//! What a run keeps on disks until it is done: the output in the making, job directories, what is known of a source.
//!
//! Owns temporary names, locks, journals, hashes and syncing. Refuses to decide what is kept (that is `plan`'s and
//! `search`'s) and to know how it was made.
#![deny(unsafe_code)]

pub(crate) mod facts;
pub(crate) mod job;
mod names;
mod output;
mod paths;

pub(crate) use names::fitting;
pub(crate) use output::{PartialOutput, partial_path};
pub(crate) use paths::{PathCheck, Written};
