//! SVT-AV1, linked directly.
//!
//! Owns the library's settings and an encoder's life: opening, feeding, draining, and the process-wide order that
//! the library needs where it keeps global state. Its two phases are types ([`SvtSession`], [`Draining`]); `factory`
//! puts them behind the room's trait.
//!
//! ```text
//! EncoderConfig ─ SvtSession::open ─→ SvtSession ─ finish ─→ Draining ─→ Ok(None)
//!                 Frame ─ send ─↗   ↘ receive          ↘ next_packet
//!                                   EncodedPacket, in display order, one a frame
//! ```
#![deny(unsafe_code)]

mod config;
mod encoder;
mod factory;
mod ffi;
mod fixed;
#[cfg(test)]
pub(in crate::video) mod tests;
mod version;

pub use config::{CRF_STEP, EncoderConfig, limits};
pub use encoder::{Draining, EncodedPacket, SvtSession};
pub(super) use factory::SVT_AV1;
pub use ffi::{around_opening, quiet_logs};
pub use version::{check_library_version, library_and_origin, library_version, many_encoders};
