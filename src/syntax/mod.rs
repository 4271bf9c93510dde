//! Bits of formats that several rooms need: AV1 OBUs, NAL units, the heads of codecs.
//!
//! Owns syntax only: bytes in, bytes or plain data out, no I/O and no library. Refuses to decode pictures or sound and to
//! know files. All bytes are untrusted: every length is checked and nothing panics.
#![deny(unsafe_code)]

pub mod av1;
pub mod hvcc;
pub mod nal;
mod obu;
pub mod opus;
pub mod picture;
mod sequence;
