//! SVT-AV1: frames in, packets out.
//!
//! Owns the encoder's settings and its life: opening, feeding, draining, and the process-wide order that the
//! library needs where it keeps global state. Refuses to choose (a CRF, a chunk, a crop), to convert
//! pictures, to know a container, and to run threads of its own: the library has its own, and one stage
//! thread calls [`Encoder::send`] and [`Encoder::receive`] in turn.
//!
//! ```text
//! EncoderConfig ─ Encoder::new ─→ Encoder ─ finish ─→ Draining ─→ Ok(None)
//!                 Frame ─ send ─↗   ↘ receive          ↘ next_packet
//!                                   EncodedPacket, in display order, one a frame
//! ```
#![deny(unsafe_code)]

mod config;
mod encoder;
mod ffi;
mod fixed;
#[cfg(test)]
mod tests;
mod version;

pub use crate::media::Crf;
pub use config::{CRF_STEP, EncoderConfig, Limits, limits, nearest_crf};
pub use encoder::{Draining, EncodedPacket, Encoder};
pub use ffi::{around_opening, quiet_logs};
pub use version::{check_library_version, library_version, many_encoders};
