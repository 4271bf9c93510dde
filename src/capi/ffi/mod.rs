//! The entry points: thin shells, and the only unsafe code of this room.
//!
//! Law of every shell: `*error` and every `*out` are set to null first; then pointers and versions are checked; the safe
//! twin runs within `catch_unwind`; nothing is handed out unless the call gives `DRAPTO_OK` (or says otherwise).
#![allow(non_camel_case_types)]

mod callback;
mod error;
mod frames;
#[cfg(test)]
mod frames_tests;
mod job;
mod look;
mod pointers;
mod request;
mod shell;
#[cfg(test)]
mod tests;
mod version;
