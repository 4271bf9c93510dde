//! NAL units of H.264 and H.265: how they follow each other, from start codes to lengths, and `avcC` (`hvcC` has a file of
//! its own).
//!
//! Start codes are those of Annex B (ITU-T H.264, H.265), lengths and `avcC` those of ISO/IEC 14496-15 §5.3. Refuses to look
//! into slices. Units go from file to file as they are, with their emulation prevention.
#![deny(unsafe_code)]

use std::ops::Range;

use crate::base::{Error, ErrorKind, Result};

/// How NAL units follow each other in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Start codes.
    AnnexB,
    /// Each after its length, big-endian, in so many bytes (1 to 4).
    Lengths(usize),
}

impl Framing {
    /// Of H.265 that is configured by `extradata`: an `hvcC` (ISO/IEC 14496-15 §8.3.3.1.2) means lengths.
    pub fn of_hevc(extradata: &[u8]) -> Self {
        match (extradata.first(), extradata.get(21)) {
            (Some(1), Some(byte)) => Framing::Lengths(usize::from(byte & 3) + 1),
            _ => Framing::AnnexB,
        }
    }
}

/// A NAL unit in a packet: where it lies with its start code or length, and without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NalUnit {
    /// Start code or length, and the unit.
    pub whole: Range<usize>,
    /// The unit alone, from its header on.
    pub nal: Range<usize>,
}

impl NalUnit {
    /// The unit's bytes in `data`, the packet it was found in.
    pub fn bytes<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(self.nal.clone()).unwrap_or_default()
    }
}

/// The units of a packet, in order; what is not well formed ends the list.
pub fn units(data: &[u8], framing: Framing) -> Vec<NalUnit> {
    match framing {
        Framing::AnnexB => annex_b(data),
        Framing::Lengths(bytes) => lengths(data, bytes),
    }
}

fn lengths(data: &[u8], bytes: usize) -> Vec<NalUnit> {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(prefix) = data.get(at..at + bytes).filter(|p| !p.is_empty()) {
        let length = prefix.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        let start = at + bytes;
        let Some(end) = start.checked_add(length).filter(|end| *end <= data.len()) else { break };
        out.push(NalUnit { whole: at..end, nal: start..end });
        at = end;
    }
    out
}

fn annex_b(data: &[u8]) -> Vec<NalUnit> {
    let codes: Vec<usize> = data.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at).collect();
    let begin = |at: usize| if at > 0 && data[at - 1] == 0 { at - 1 } else { at };
    let ends = codes.iter().skip(1).map(|at| begin(*at)).chain([data.len()]);
    codes.iter().zip(ends).map(|(at, end)| NalUnit { whole: begin(*at)..end, nal: (at + 3).min(end)..end }).collect()
}

/// `nal_unit_type` of H.264 (table 7-1): sequence and picture parameter sets, access unit delimiter, an IDR picture.
pub mod h264 {
    /// A slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const DELIMITER: u8 = 9;

    /// The type of a unit; `None` of an empty one.
    pub fn kind(nal: &[u8]) -> Option<u8> {
        nal.first().map(|b| b & 0x1F)
    }
}

/// `nal_unit_type` of an H.265 access unit delimiter (table 7-1).
pub const HEVC_DELIMITER: u8 = 35;

/// The `nal_unit_type` of an H.265 unit; `None` of an empty one.
pub fn hevc_kind(nal: &[u8]) -> Option<u8> {
    nal.first().map(|b| b >> 1 & 0x3F)
}

/// Whether a unit of FFmpeg's `codec`, h264 or hevc, behind lengths of four bytes, can be decoded without those before it:
/// an IDR picture, and in H.265 any other random access point.
pub fn is_keyframe(codec: &str, unit: &[u8]) -> bool {
    units(unit, Framing::Lengths(4)).iter().any(|nal| match codec {
        "h264" => h264::kind(nal.bytes(unit)) == Some(h264::IDR),
        _ => matches!(hevc_kind(nal.bytes(unit)), Some(16..=21)),
    })
}

/// An H.264 access unit with start codes as MP4 and Matroska hold it: every unit behind its length in four bytes, without
/// delimiters and zero bytes after a unit.
///
/// Parameter sets stay, which `avc1` allows for and decoders take.
///
/// # Errors
/// Kind `Encode` for bytes without a unit.
pub fn h264_to_lengths(unit: &[u8]) -> Result<Vec<u8>> {
    to_lengths(unit, |nal| h264::kind(nal) == Some(h264::DELIMITER))
}

/// As [`h264_to_lengths`], of H.265 (ISO/IEC 14496-15 §8.3.2).
///
/// # Errors
/// Kind `Encode` for bytes without a unit.
pub fn hevc_to_lengths(unit: &[u8]) -> Result<Vec<u8>> {
    to_lengths(unit, |nal| hevc_kind(nal) == Some(HEVC_DELIMITER))
}

fn to_lengths(unit: &[u8], is_delimiter: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(unit.len() + 16);
    for nal in units(unit, Framing::AnnexB) {
        let bytes = without_trailing_zeros(nal.bytes(unit));
        if bytes.is_empty() || is_delimiter(bytes) {
            continue;
        }
        let length = u32::try_from(bytes.len()).map_err(|_| bad("a NAL unit is too large"))?;
        out.extend(length.to_be_bytes());
        out.extend_from_slice(bytes);
    }
    if out.is_empty() {
        return Err(bad("an access unit without a NAL unit"));
    }
    Ok(out)
}

/// The `avcC` (ISO/IEC 14496-15 §5.3.3.1.2) of an H.264 stream whose parameter sets stand, with start codes, in `headers`:
/// the encoder's configuration or its first access unit. Lengths of units have four bytes.
///
/// # Errors
/// Kind `Encode` where there are no parameter sets or too many.
pub fn avcc(headers: &[u8]) -> Result<Vec<u8>> {
    let sets = |wanted: u8| -> Vec<&[u8]> {
        let all = units(headers, Framing::AnnexB);
        all.iter().map(|u| without_trailing_zeros(u.bytes(headers))).filter(|n| h264::kind(n) == Some(wanted)).collect()
    };
    let (sps, pps) = (sets(h264::SPS), sets(h264::PPS));
    let Some([_, profile, constraints, level, ..]) = sps.first().copied() else {
        return Err(bad("no H.264 sequence parameter set"));
    };
    if pps.is_empty() || sps.len() > 31 || pps.len() > 255 {
        return Err(bad("no H.264 picture parameter set, or too many sets"));
    }
    // 0xFF: six reserved ones and the length of lengths less one; 0xE0: three reserved ones.
    let mut out = vec![1, *profile, *constraints, *level, 0xFF, 0xE0 | sps.len() as u8];
    put_sets(&mut out, &sps)?;
    out.push(pps.len() as u8);
    put_sets(&mut out, &pps)?;
    // The high profiles say chroma format and depths once more, after the sets.
    if !matches!(*profile, 66 | 77 | 88) {
        let (chroma, luma_depth, chroma_depth) =
            sps_format(sps[0]).ok_or_else(|| bad("a broken H.264 parameter set"))?;
        out.extend([0xFC | chroma, 0xF8 | luma_depth, 0xF8 | chroma_depth, 0]);
    }
    Ok(out)
}

/// The parameter sets in the configuration of FFmpeg's `codec`, h264 (an `avcC`) or hevc (an `hvcC`, §8.3.3.1.2), as units
/// behind lengths of four bytes.
///
/// # Errors
/// Kind `Encode` for bytes that end within a set.
pub fn parameter_sets(codec: &str, configuration: &[u8]) -> Result<Vec<u8>> {
    let mut rest = Sets { bytes: configuration, out: Vec::new() };
    let taken = match codec {
        "h264" => rest.avcc(),
        _ => rest.hvcc(),
    };
    taken.map(|()| rest.out).ok_or_else(|| bad("a codec configuration that breaks off"))
}

/// A configuration, from which parameter sets are taken.
struct Sets<'a> {
    bytes: &'a [u8],
    out: Vec<u8>,
}

impl Sets<'_> {
    fn avcc(&mut self) -> Option<()> {
        self.bytes = self.bytes.get(5..)?;
        let sequence = self.number(1)? & 0x1F;
        self.some(sequence)?;
        let picture = self.number(1)?;
        self.some(picture)
    }

    fn hvcc(&mut self) -> Option<()> {
        self.bytes = self.bytes.get(22..)?;
        for _ in 0..self.number(1)? {
            self.number(1)?;
            let count = self.number(2)?;
            self.some(count)?;
        }
        Some(())
    }

    fn some(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            let length = self.number(2)?;
            let set = self.bytes.get(..length)?;
            self.out.extend((length as u32).to_be_bytes());
            self.out.extend_from_slice(set);
            self.bytes = &self.bytes[length..];
        }
        Some(())
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        let number = self.bytes.get(..bytes)?.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        self.bytes = &self.bytes[bytes..];
        Some(number)
    }
}

fn put_sets(out: &mut Vec<u8>, sets: &[&[u8]]) -> Result<()> {
    for set in sets {
        let length = u16::try_from(set.len()).map_err(|_| bad("an H.264 parameter set is too large"))?;
        out.extend(length.to_be_bytes());
        out.extend_from_slice(set);
    }
    Ok(())
}

/// `chroma_format_idc`, `bit_depth_luma_minus8` and `bit_depth_chroma_minus8` of a high profile's SPS (§7.3.2.1.1).
fn sps_format(sps: &[u8]) -> Option<(u8, u8, u8)> {
    // Header, profile, constraints and level come first. The fields read here are too near the start and too dense to
    // need emulation prevention.
    let mut bits = NalBits { bytes: sps.get(4..)?, at: 0 };
    bits.golomb()?; // seq_parameter_set_id
    let chroma = bits.golomb()?;
    if chroma == 3 {
        bits.bit()?; // separate_colour_plane_flag
    }
    let (luma, chroma_depth) = (bits.golomb()?, bits.golomb()?);
    (chroma <= 3 && luma <= 6 && chroma_depth <= 6).then_some((chroma as u8, luma as u8, chroma_depth as u8))
}

/// Bits of a unit's payload, from the first of `bytes` on.
pub(super) struct NalBits<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl NalBits<'_> {
    /// `u(n)`, up to 32 bits.
    pub(super) fn bits(&mut self, n: u32) -> Option<u32> {
        (0..n).try_fold(0u32, |number, _| Some(number << 1 | self.bit()?))
    }

    pub(super) fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    /// `ue(v)` (§9.1).
    pub(super) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 16 {
                return None;
            }
        }
        (0..zeros).try_fold(1u32, |n, _| Some(n << 1 | self.bit()?)).map(|n| n - 1)
    }
}

/// The bytes of a unit without those that keep start codes out of it (ITU-T H.265 §7.4.2): 0, 0, 3 stands for 0, 0.
pub fn without_emulation_prevention(bytes: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let kept = bytes.iter().filter(|byte| {
        let inserted = zeros >= 2 && **byte == 3;
        zeros = if **byte == 0 { zeros + 1 } else { 0 };
        !inserted
    });
    kept.copied().collect()
}

/// `trailing_zero_8bits` belong to the byte stream, not to the unit (Annex B.1.2).
pub(super) fn without_trailing_zeros(nal: &[u8]) -> &[u8] {
    nal.iter().rposition(|b| *b != 0).and_then(|last| nal.get(..=last)).unwrap_or_default()
}

pub(super) fn bad(message: &str) -> Error {
    Error::new(ErrorKind::Encode, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What libx264 writes for a 320×180 test picture, High profile, level 1.1.
    const SPS: [u8; 8] = [0x67, 0x64, 0x00, 0x0B, 0xAC, 0xD9, 0x41, 0x41];
    const PPS: [u8; 4] = [0x68, 0xEB, 0xE3, 0xCB];

    #[test]
    fn start_codes_become_lengths_and_parameter_sets_become_avcc() {
        let unit =
            [&[0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1][..], &SPS, &[0, 0, 1], &PPS, &[0, 0, 1, 0x65, 1, 2, 3, 0]].concat();
        let stored = h264_to_lengths(&unit).unwrap();
        let kinds: Vec<_> = units(&stored, Framing::Lengths(4)).iter().map(|u| h264::kind(u.bytes(&stored))).collect();
        assert_eq!(kinds, [Some(h264::SPS), Some(h264::PPS), Some(h264::IDR)]);
        assert_eq!(stored.len(), SPS.len() + PPS.len() + 4 + 3 * 4, "no delimiter, no zero at the end");

        let avcc = avcc(&unit).unwrap();
        assert_eq!(&avcc[..8], [1, 0x64, 0, 0x0B, 0xFF, 0xE1, 0, 8]);
        assert_eq!(avcc[8..16], SPS);
        assert_eq!(avcc[16..], [&[1, 0, 4][..], &PPS, &[0xFD, 0xF8, 0xF8, 0]].concat(), "4:2:0 of 8 bits");
        assert!(super::avcc(&unit[..8]).is_err() && h264_to_lengths(&[1, 2, 3]).is_err());
    }

    proptest! {
        #[test]
        fn every_unit_comes_through(units in prop::collection::vec(prop::collection::vec(10u8..=255, 1..20), 1..8), short: bool) {
            let code: &[u8] = if short { &[0, 0, 1] } else { &[0, 0, 0, 1] };
            let units: Vec<_> = units.into_iter().filter(|u| h264::kind(u) != Some(h264::DELIMITER)).collect();
            prop_assume!(!units.is_empty());
            let stream: Vec<u8> = units.iter().flat_map(|unit| [code, unit].concat()).collect();
            let stored = h264_to_lengths(&stream).unwrap();
            let read: Vec<_> = super::units(&stored, Framing::Lengths(4)).iter().map(|u| u.bytes(&stored).to_vec()).collect();
            prop_assert_eq!(read, units);
        }

        #[test]
        fn emulation_prevention_is_undone(plain in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(2), Just(3), Just(9)], 0..60)) {
            let (mut kept, mut zeros) = (Vec::new(), 0);
            for byte in &plain {
                if zeros == 2 && *byte <= 3 {
                    kept.push(3);
                    zeros = 0;
                }
                zeros = if *byte == 0 { zeros + 1 } else { 0 };
                kept.push(*byte);
            }
            prop_assert_eq!(without_emulation_prevention(&kept), plain);
        }

        #[test]
        fn any_bytes_are_taken(data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..200), bytes in 0usize..5) {
            let framing = if bytes == 0 { Framing::AnnexB } else { Framing::Lengths(bytes) };
            for unit in units(&data, framing) {
                prop_assert!(unit.nal.end <= data.len() && unit.whole.start <= unit.nal.start && unit.nal.start <= unit.nal.end);
            }
            let _ = avcc(&data);
            let _ = (parameter_sets("h264", &data), parameter_sets("hevc", &data));
            if let Ok(stored) = h264_to_lengths(&data) {
                prop_assert_eq!(units(&stored, Framing::Lengths(4)).last().map(|u| u.whole.end), Some(stored.len()));
            }
        }
    }
}
