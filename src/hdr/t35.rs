//! RPUs in ITU-T T.35 messages, as AV1 carries them.
//!
//! An RPU lies in an EMDF container with one payload (ETSI TS 102 366 annex H; the fixed fields by Dolby Vision Bitstreams
//! in AV1). The crate's own wrapping fails for RPUs of 256 bytes and trusts the length it reads, so both are here.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Result};

/// United States.
pub(super) const COUNTRY: u8 = 0xB5;

/// Terminal provider (Dolby) and its own code for RPUs.
const PROVIDER: [u8; 6] = [0x00, 0x3B, 0x00, 0x00, 0x08, 0x00];

/// The first byte of an RPU, which the container leaves out.
const RPU_PREFIX: u8 = 0x19;

const PAYLOAD_ID_EXTENDED: u32 = 31;
const PAYLOAD_ID_RPU: u32 = 225;

/// The message that carries `rpu`, which begins with its prefix byte and has no emulation prevention.
pub(super) fn wrap(rpu: &[u8]) -> Vec<u8> {
    // Zero bytes may follow the terminator in a NAL unit, and not here.
    let end = rpu.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    let body = rpu.get(1..end).unwrap_or_default();
    let mut bits = BitWriter::default();
    bits.put(0, 2); // emdf_version
    bits.put(6, 3); // key_id
    bits.put(PAYLOAD_ID_EXTENDED, 5);
    bits.put_variable(PAYLOAD_ID_RPU, 5);
    bits.put(0, 4); // no sample offset, duration, group, codec data
    bits.put(1, 1); // discard_unknown_payload
    bits.put_variable(body.len() as u32, 8);
    for byte in body {
        bits.put(u32::from(*byte), 8);
    }
    bits.put(0, 5); // no further payload
    bits.put(1, 2); // protection: 8 bits, and none
    bits.put(0, 2);
    bits.put(0, 8);
    let mut out = vec![COUNTRY];
    out.extend(PROVIDER);
    out.extend(bits.aligned_with_ones());
    out
}

/// The RPU, with its prefix byte, that `message` carries.
///
/// # Errors
/// `Unsupported` where it is no such message or is cut short.
pub(super) fn unwrap(message: &[u8]) -> Result<Vec<u8>> {
    let container = message.strip_prefix(&[COUNTRY]).and_then(|m| m.strip_prefix(&PROVIDER));
    let mut bits = BitReader { bytes: container.ok_or_else(|| damaged("no RPU message"))?, at: 0 };
    extract(&mut bits).ok_or_else(|| damaged("the message is not well formed or is cut short"))
}

pub(super) fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("a Dolby Vision RPU cannot be used: {why}"))
}

fn extract(bits: &mut BitReader<'_>) -> Option<Vec<u8>> {
    let fixed = bits.get(2)? == 0 && bits.get(3)? == 6 && bits.get(5)? == PAYLOAD_ID_EXTENDED;
    let expected = bits.get_variable(5)? == PAYLOAD_ID_RPU && bits.get(5)? == 1;
    let length = bits.get_variable(8)? as usize;
    if !fixed || !expected || length > bits.bytes.len() {
        return None;
    }
    let mut rpu = vec![RPU_PREFIX];
    for _ in 0..length {
        rpu.push(bits.get(8)? as u8);
    }
    Some(rpu)
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken.
    used: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }

    /// `variable_bits(n)`: groups of `n` bits, each with a flag whether more follow; every further group begins where
    /// fewer groups end.
    fn put_variable(&mut self, mut value: u32, n: u32) {
        let mask = (1 << n) - 1;
        let mut groups = vec![value & mask];
        value >>= n;
        while value > 0 {
            value -= 1;
            groups.push(value & mask);
            value >>= n;
        }
        for (left, group) in groups.iter().enumerate().rev() {
            self.put(*group, n);
            self.put(u32::from(left > 0), 1);
        }
    }

    fn aligned_with_ones(mut self) -> Vec<u8> {
        while !self.used.is_multiple_of(8) {
            self.put(1, 1);
        }
        self.bytes
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    fn get(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn get_variable(&mut self, n: u32) -> Option<u32> {
        let mut value = 0u32;
        loop {
            value = value.checked_add(self.get(n)?)?;
            if self.get(1)? == 0 {
                return Some(value);
            }
            value = value.checked_mul(1 << n)?.checked_add(1 << n)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_wrapped_is_unwrapped(body in proptest::collection::vec(any::<u8>(), 0..700)) {
            let rpu = [&[RPU_PREFIX][..], &body, &[0x80]].concat();
            prop_assert_eq!(unwrap(&wrap(&rpu)).unwrap(), rpu.clone());
            prop_assert_eq!(wrap(&[&rpu[..], &[0, 0]].concat()), wrap(&rpu));
        }

        #[test]
        fn any_bytes_are_unwrapped_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100), whole: bool) {
            let start: &[u8] = if whole { &[COUNTRY, 0x00, 0x3B, 0x00, 0x00, 0x08, 0x00, 0x37, 0xCD, 0x08] } else { &[] };
            let _ = unwrap(&[start, &bytes].concat());
        }
    }

    #[test]
    fn lengths_at_the_edges_of_their_coding_are_kept() {
        for length in [1usize, 254, 255, 256, 257, 511, 512, 513, 65_791, 65_792, 65_793] {
            let mut rpu = vec![0x80; length];
            rpu[0] = RPU_PREFIX;
            assert_eq!(unwrap(&wrap(&rpu)).unwrap(), rpu, "{length}");
        }
    }
}
