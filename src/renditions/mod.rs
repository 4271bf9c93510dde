//! Renditions of a film: several sizes, codecs and containers, sound alone and stills, from one decode.
//!
//! Owns how a set of them is described, in words and in files, with defaults that play everywhere, and which step makes
//! which. Refuses to know how anything is encoded: films and the stills beside them are one job of the front door, sound
//! alone is a file of sound each.
//!
//! ```text
//! words, TOML, JSON ─► RenditionRequest ─┬─► EncodeRequest (films, stills) ─► one decode
//!                                        └─► SoundFileRequest, one after the other
//! ```
#![deny(unsafe_code)]

mod film;
mod request;
mod run;
mod spec;

pub use request::RenditionRequest;
pub use run::{RenditionReport, renditions};
