//! AV1's open bitstream units (AV1 specification §5.3): the walk over them.
//!
//! Owns headers and sizes. Refuses to look into payloads.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Result};

/// Temporal delimiter, which Matroska does not store.
pub const OBU_TEMPORAL_DELIMITER: u8 = 2;
/// Sequence header.
pub const OBU_SEQUENCE_HEADER: u8 = 1;
/// Frame header without its tiles.
pub const OBU_FRAME_HEADER: u8 = 3;
/// Metadata: HDR10, HDR10+, Dolby Vision and others.
pub const OBU_METADATA: u8 = 5;
/// Frame header and tiles.
pub const OBU_FRAME: u8 = 6;
/// Padding, which Matroska asks to leave out.
pub const OBU_PADDING: u8 = 15;

/// One open bitstream unit, borrowed from the data it was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// `obu_type`, 0 to 15.
    pub kind: u8,
    /// The whole unit, header and size field included.
    pub bytes: &'a [u8],
    /// What follows header and size field.
    pub payload: &'a [u8],
}

impl Obu<'_> {
    /// The unit with a size field, as `av1C` wants it; the extension byte is kept.
    pub fn with_size_field(&self) -> Vec<u8> {
        let Some(&first) = self.bytes.first() else { return Vec::new() };
        let mut out = vec![first | 0x02];
        if first & 0x04 != 0 {
            out.extend(self.bytes.get(1));
        }
        put_leb128(&mut out, self.payload.len() as u64);
        out.extend_from_slice(self.payload);
        out
    }
}

/// Reads an unsigned LEB128 (AV1 specification §4.10.5): the value and its length in bytes.
fn leb128(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

pub(super) fn put_leb128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The OBUs of a temporal unit in the low-overhead format, in order.
///
/// After the first error the iteration ends. Only the last OBU may lack a size field.
#[derive(Clone, Debug)]
pub struct Obus<'a>(&'a [u8]);

/// Iterates over the OBUs of `data`.
pub fn obus(data: &[u8]) -> Obus<'_> {
    Obus(data)
}

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let data = std::mem::take(&mut self.0);
        match parse(data) {
            Some((obu, rest)) => {
                self.0 = rest;
                Some(Ok(obu))
            }
            None => Some(Err(bad(format!("broken OBU in the last {} bytes of an access unit", data.len())))),
        }
    }
}

/// AV1 specification §5.3.2 and §5.3.3.
fn parse(data: &[u8]) -> Option<(Obu<'_>, &[u8])> {
    let first = *data.first()?;
    if first & 0x80 != 0 {
        return None; // obu_forbidden_bit
    }
    let header = if first & 0x04 != 0 { 2 } else { 1 };
    let after_header = data.get(header..)?;
    let (payload_at, size) = if first & 0x02 != 0 {
        let (size, length) = leb128(after_header)?;
        (header + length, usize::try_from(size).ok()?)
    } else {
        (header, after_header.len())
    };
    let end = payload_at.checked_add(size)?;
    let bytes = data.get(..end)?;
    Some((Obu { kind: (first >> 3) & 0x0F, bytes, payload: bytes.get(payload_at..)? }, data.get(end..)?))
}

pub(super) fn bad(message: String) -> Error {
    Error::new(ErrorKind::Encode, format!("not an AV1 stream: {message}"))
}
