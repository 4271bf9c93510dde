//! The C library: `include/drapto.h`, `libdrapto.a` and `libdrapto.so`.
//!
//! Owns shells over the public API: each checks its pointers, versions and text, keeps panics in, calls the safe twin
//! and turns what comes back into a code, an object or JSON. Refuses to decide anything a Rust program could not decide
//! by the same API, and to be built into the program or into Rust libraries (cargo-c turns the feature `capi` on).
//!
//! ```text
//! C ─ drapto_* (ffi) ─ shell: null? version? UTF-8? ─→ the public API ─→ drapto_code | drapto_error | JSON
//!                                                  events ←─ Callback (other threads)
//! ```
//!
//! What the header says of a function is written at the function: `cbindgen.toml` and these files make it.
#![deny(unsafe_code)]

mod failure;
#[allow(unsafe_code)]
mod ffi;
mod frames;
mod job;
mod listing;
