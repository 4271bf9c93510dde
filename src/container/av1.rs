//! AV1 as Matroska stores it: OBUs, temporal units without delimiters, and CodecPrivate.
//!
//! Owns the walk over OBUs (AV1 specification §5.3) and `av1C` (AV1-ISOBMFF §2.3.3). Refuses to look into
//! frames. The bytes are untrusted: every length is checked and nothing panics.
#![deny(unsafe_code)]

use std::borrow::Cow;

use crate::base::{Error, ErrorKind, Result};

pub use super::sequence::SequenceHeader;

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
/// Tile list, used for large-scale tiles only.
pub const OBU_TILE_LIST: u8 = 8;
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

fn put_leb128(out: &mut Vec<u8>, mut value: u64) {
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

/// A temporal unit as a Matroska block holds it: without temporal delimiters and padding.
///
/// Borrows where nothing was to be left out, which is the rule.
///
/// # Errors
/// Kind `Encode` for bytes that are no OBUs.
pub fn block_data(unit: &[u8]) -> Result<Cow<'_, [u8]>> {
    let dropped = |kind| matches!(kind, OBU_TEMPORAL_DELIMITER | OBU_PADDING);
    let mut any = false;
    // A delimiter stands first: then what follows is a block as it is.
    let mut leading = 0;
    let mut kept_before = false;
    for obu in obus(unit) {
        let obu = obu?;
        if dropped(obu.kind) {
            any |= kept_before;
            leading += if kept_before { 0 } else { obu.bytes.len() };
        } else {
            kept_before = true;
        }
    }
    if !any {
        return Ok(Cow::Borrowed(unit.get(leading..).unwrap_or_default()));
    }
    let mut out = Vec::with_capacity(unit.len());
    for obu in obus(unit) {
        let obu = obu?;
        if !dropped(obu.kind) {
            out.extend_from_slice(obu.bytes);
        }
    }
    Ok(Cow::Owned(out))
}

/// Whether a unit begins with a shown keyframe (5.9.2): a decoder may start there.
pub fn is_keyframe(unit: &[u8]) -> bool {
    let mut frames = obus(unit).flatten().filter(|obu| matches!(obu.kind, OBU_FRAME_HEADER | OBU_FRAME));
    // show_existing_frame 0, frame_type 0 (key), show_frame 1.
    frames.next().is_some_and(|obu| obu.payload.first().is_some_and(|b| b >> 4 == 0b0001))
}

/// Builds CodecPrivate (`av1C`, AV1-ISOBMFF §2.3.3) from a stream's first temporal unit, or from its bare
/// sequence header OBU.
///
/// The configuration OBUs are the sequence header and the static metadata OBUs found before the first
/// frame (HDR content light level and mastering display, which hold for the whole stream).
///
/// # Errors
/// Kind `Encode` where there is no sequence header or it cannot be read.
pub fn codec_private(unit: &[u8]) -> Result<Vec<u8>> {
    let mut sequence = None;
    let mut metadata = Vec::new();
    for obu in obus(unit) {
        let obu = obu?;
        match obu.kind {
            OBU_SEQUENCE_HEADER if sequence.is_none() => sequence = Some(obu),
            // metadata_type (leb128): 1 is HDR_CLL, 2 is HDR_MDCV.
            OBU_METADATA if matches!(obu.payload.first(), Some(1 | 2)) => metadata.extend(obu.with_size_field()),
            OBU_FRAME | OBU_FRAME_HEADER => break,
            _ => {}
        }
    }
    let sequence = sequence.ok_or_else(|| bad("no sequence header in the first access unit".to_owned()))?;
    let h = SequenceHeader::parse(sequence.payload)?;
    let bit = |set: bool, shift: u8| u8::from(set) << shift;
    let mut out = vec![
        0x81, // marker 1, version 1
        h.profile << 5 | h.level,
        bit(h.tier, 7)
            | bit(h.high_bitdepth, 6)
            | bit(h.twelve_bit, 5)
            | bit(h.monochrome, 4)
            | bit(h.subsampling_x, 3)
            | bit(h.subsampling_y, 2)
            | h.chroma_sample_position,
        0, // no initial_presentation_delay
    ];
    out.extend(sequence.with_size_field());
    out.extend(metadata);
    Ok(out)
}

pub(super) fn bad(message: String) -> Error {
    Error::new(ErrorKind::Encode, format!("not an AV1 stream: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn obu(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![kind << 3 | 0x02];
        put_leb128(&mut out, payload.len() as u64);
        out.extend_from_slice(payload);
        out
    }

    fn kinds(data: &[u8]) -> Vec<u8> {
        obus(data).map(|o| o.unwrap().kind).collect()
    }

    #[test]
    fn delimiters_and_padding_are_left_out_wherever_they_stand() {
        let frame = obu(OBU_FRAME, &[7; 200]);
        let td = obu(OBU_TEMPORAL_DELIMITER, &[]);
        let plain = block_data(&frame).unwrap();
        assert!(matches!(plain, Cow::Borrowed(_)));
        let unit = [td.clone(), frame.clone()].concat();
        let cut = block_data(&unit).unwrap();
        assert!(matches!(cut, Cow::Borrowed(_)) && *cut == frame[..]);
        let unit = [td.clone(), frame.clone(), obu(OBU_PADDING, &[0; 9]), td, frame.clone()].concat();
        assert_eq!(kinds(&block_data(&unit).unwrap()), [OBU_FRAME, OBU_FRAME]);
    }

    #[test]
    fn the_last_obu_may_lack_its_size_and_gets_one_in_codec_private() {
        let unit = [vec![OBU_FRAME << 3 | 0x02, 2, 1, 2], vec![OBU_METADATA << 3, 9, 9, 9]].concat();
        let all: Vec<_> = obus(&unit).map(|o| o.unwrap()).collect();
        assert_eq!(all[1].payload, [9, 9, 9]);
        assert_eq!(all[1].with_size_field(), [OBU_METADATA << 3 | 0x02, 3, 9, 9, 9]);
    }

    #[test]
    fn a_stream_without_a_sequence_header_is_refused() {
        let error = codec_private(&obu(OBU_FRAME, &[1, 2, 3])).unwrap_err();
        assert!(error.to_string().contains("no sequence header"), "{error}");
        assert!(obus(&[0x0A, 0x05, 1]).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let total: usize = obus(&data).map_while(Result::ok).map(|o| o.bytes.len()).sum();
            prop_assert!(total <= data.len());
            let _ = codec_private(&data);
            if let Ok(block) = block_data(&data) {
                prop_assert!(block.len() <= data.len());
                prop_assert!(obus(&block).all(|o| o.is_ok_and(|o| o.kind != OBU_TEMPORAL_DELIMITER)));
            }
        }

        #[test]
        fn a_sequence_header_of_any_bytes_is_parsed_or_refused(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let unit = obu(OBU_SEQUENCE_HEADER, &data);
            if let Ok(private) = codec_private(&unit) {
                prop_assert_eq!(&private[4..], &unit[..]);
                prop_assert_eq!(private[1] >> 5, data[0] >> 5);
            }
        }

        #[test]
        fn what_is_put_together_is_taken_apart(parts in proptest::collection::vec((0u8..16, proptest::collection::vec(any::<u8>(), 0..300)), 0..8)) {
            let unit: Vec<u8> = parts.iter().flat_map(|(k, p)| obu(*k, p)).collect();
            let back: Vec<_> = obus(&unit).map(|o| o.unwrap()).map(|o| (o.kind, o.payload.to_vec())).collect();
            prop_assert_eq!(back, parts);
        }
    }
}
