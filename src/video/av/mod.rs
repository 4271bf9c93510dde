//! libavcodec's encoders by name: libx264, libx265.
//!
//! Owns what the room must know of each (`table`), and how the library's packets become [`Coded`](super::Coded)
//! ones: named by an index map over the encoder's timestamps, in the form containers store (`table::StoredForm`). The film's times
//! never enter the encoder: a frame's timestamp there is its count.
#![deny(unsafe_code)]

mod encoder;
mod factory;
mod parameters;
mod table;
mod x265_keys;

pub(super) use factory::{factory, names};
