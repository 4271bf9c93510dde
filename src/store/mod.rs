//! What a run keeps on disks until it is done: the output in the making, job directories, what is known of a source; and
//! what is kept from run to run (`cache`).
//!
//! Owns temporary names, locks, journals, hashes, syncing and the database. Refuses to decide what is kept (that is `plan`'s and
//! `search`'s) and to know how it was made.
#![deny(unsafe_code)]

pub(crate) mod cache;
pub(crate) mod facts;
pub(crate) mod job;
pub(crate) mod leftovers;
mod names;
mod output;
mod paths;

pub(crate) use names::fitting;
pub(crate) use output::{PartialOutput, partial_path};
pub(crate) use paths::{PathCheck, Written};
