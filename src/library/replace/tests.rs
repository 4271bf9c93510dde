//! Settlements that are stopped at every step: by an error, by a kill, by a power cut.

mod model;
mod real;

/// A film's bytes, and those of its output.
const FILM: &[u8] = b"the film as it was";
const OUTPUT: &[u8] = b"the film, smaller";
