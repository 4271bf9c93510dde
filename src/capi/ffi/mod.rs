//! The entry points: thin shells, and the only unsafe code of this room.
//!
//! Law of every shell: `*error` and every `*out` are set to null first; then pointers and versions are checked; the safe
//! twin runs within `catch_unwind`; nothing is handed out unless the call gives `DRAPTO_OK` (or says otherwise).
//!
//! The unit tests' own build exports none of them (`cfg_attr(not(test), ...)`): it is linked with the library's, by the
//! development dependency on itself, and a symbol cannot be there twice.
#![allow(non_camel_case_types)]
#![cfg_attr(test, allow(dead_code))]

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
