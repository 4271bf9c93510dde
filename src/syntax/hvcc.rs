//! `hvcC`, by which containers configure H.265 (ISO/IEC 14496-15 §8.3.3.1).
//!
//! Made of the parameter sets an encoder gives with start codes. Reads as much of a sequence parameter set as the record
//! says once more, and nothing behind it.
#![deny(unsafe_code)]

use super::nal::{Framing, NalBits, bad, hevc_kind, units, without_emulation_prevention, without_trailing_zeros};
use crate::base::Result;

/// `nal_unit_type` (ITU-T H.265 table 7-1) of the units that go into the record, in the order §8.3.3.1.3 recommends:
/// video, sequence and picture parameter sets, then SEI messages that hold for the whole stream.
const STORED: [u8; 4] = [32, SPS, 34, 39];

const SPS: u8 = 33;

/// Payload types of SEI messages that describe the whole stream (§D.2.1): mastering display, content light level and what
/// kind of transfer is preferred. Others, such as an encoder's settings, are for the packets.
const LASTING: [u8; 3] = [137, 144, 147];

/// The `hvcC` of an H.265 stream whose parameter sets stand, with start codes, in `headers`. Lengths of units have four
/// bytes; the record has all parameter sets, as `hvc1` wants.
///
/// # Errors
/// Kind `Encode` where there are no parameter sets, too many, or broken ones.
pub fn hvcc(headers: &[u8]) -> Result<Vec<u8>> {
    let all = units(headers, Framing::AnnexB);
    let all: Vec<&[u8]> = all.iter().map(|unit| without_trailing_zeros(unit.bytes(headers))).collect();
    let of = |kind: u8| all.iter().copied().filter(move |nal| hevc_kind(nal) == Some(kind) && is_stored(nal));
    let sps = of(SPS).next().ok_or_else(|| bad("no H.265 sequence parameter set"))?;
    let sps = SpsHead::read(&without_emulation_prevention(sps)).ok_or_else(|| bad("a broken H.265 parameter set"))?;
    let arrays: Vec<(u8, Vec<&[u8]>)> =
        STORED.iter().map(|kind| (*kind, of(*kind).collect::<Vec<_>>())).filter(|(_, of)| !of.is_empty()).collect();
    if STORED[..3].iter().any(|kind| !arrays.iter().any(|(found, _)| found == kind)) {
        return Err(bad("an H.265 parameter set is missing"));
    }
    let mut out = vec![1];
    out.extend(sps.profile_tier_level);
    // Reserved ones, then: no least segmentation, any parallelism, chroma format, depths, no constant frame rate known.
    out.extend([0xF0, 0x00, 0xFC, 0xFC | sps.chroma, 0xF8 | sps.luma_depth, 0xF8 | sps.chroma_depth, 0, 0]);
    // One bit says that temporal layers nest, the last two the length of lengths less one.
    out.push((sps.layers & 7) << 3 | u8::from(sps.nested) << 2 | 3);
    out.push(arrays.len() as u8);
    for (kind, units) in arrays {
        // The highest bit: all units of the kind are here, none in the packets.
        out.push(u8::from(kind != STORED[3]) << 7 | kind);
        out.extend(u16::try_from(units.len()).map_err(|_| bad("too many H.265 parameter sets"))?.to_be_bytes());
        for unit in units {
            let length = u16::try_from(unit.len()).map_err(|_| bad("an H.265 parameter set is too large"))?;
            out.extend(length.to_be_bytes());
            out.extend_from_slice(unit);
        }
    }
    Ok(out)
}

/// How many pictures may be decoded before one that is shown earlier, by the first sequence parameter set in `headers`.
///
/// # Errors
/// Kind `Encode` where there is none, or it is broken.
pub fn reorder(headers: &[u8]) -> Result<u32> {
    let all = units(headers, Framing::AnnexB);
    let sps = all.iter().map(|unit| unit.bytes(headers)).find(|nal| hevc_kind(nal) == Some(SPS));
    let sps = sps.ok_or_else(|| bad("no H.265 sequence parameter set"))?;
    let head = SpsHead::read(&without_emulation_prevention(sps));
    head.map(|head| head.reorder).ok_or_else(|| bad("a broken H.265 parameter set"))
}

/// Whether a unit goes into the record: SEI only where its first message is one of those that last.
fn is_stored(nal: &[u8]) -> bool {
    hevc_kind(nal) != Some(STORED[3]) || nal.get(2).is_some_and(|kind| LASTING.contains(kind))
}

/// What the record says of a sequence parameter set (§7.3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SpsHead {
    /// `profile_tier_level` without sub-layers: profile space, tier, profile, compatibility, constraints, level.
    profile_tier_level: [u8; 12],
    layers: u8,
    nested: bool,
    chroma: u8,
    luma_depth: u8,
    chroma_depth: u8,
    /// `sps_max_num_reorder_pics` of all layers together.
    reorder: u32,
}

impl SpsHead {
    /// Of a unit without emulation prevention; `None` where it ends too soon or says what cannot be.
    fn read(sps: &[u8]) -> Option<Self> {
        // The unit's header has two bytes.
        let mut bits = NalBits { bytes: sps, at: 16 };
        bits.bits(4)?; // sps_video_parameter_set_id
        let sub_layers = bits.bits(3)?;
        let nested = bits.bit()? == 1;
        let profile_tier_level: [u8; 12] = sps.get(3..15)?.try_into().ok()?;
        bits.at += 12 * 8;
        skip_sub_layers(&mut bits, sub_layers)?;
        bits.golomb()?; // sps_seq_parameter_set_id
        let chroma = bits.golomb()?;
        if chroma == 3 {
            bits.bit()?; // separate_colour_plane_flag
        }
        bits.golomb()?; // pic_width_in_luma_samples
        bits.golomb()?; // pic_height_in_luma_samples
        if bits.bit()? == 1 {
            // The conformance window's four offsets.
            (0..4).try_for_each(|_| bits.golomb().map(drop))?;
        }
        let (luma_depth, chroma_depth) = (bits.golomb()?, bits.golomb()?);
        bits.golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        let layers = if bits.bit()? == 1 { sub_layers + 1 } else { 1 };
        let mut reorder = 0;
        for _ in 0..layers {
            bits.golomb()?; // sps_max_dec_pic_buffering_minus1
            reorder = bits.golomb()?;
            bits.golomb()?; // sps_max_latency_increase_plus1
        }
        (chroma <= 3 && luma_depth <= 8 && chroma_depth <= 8 && sub_layers < 7).then_some(SpsHead {
            profile_tier_level,
            layers: sub_layers as u8 + 1,
            nested,
            chroma: chroma as u8,
            luma_depth: luma_depth as u8,
            chroma_depth: chroma_depth as u8,
            reorder,
        })
    }
}

/// What `profile_tier_level` says of each sub-layer (§7.3.3).
fn skip_sub_layers(bits: &mut NalBits<'_>, count: u32) -> Option<()> {
    let mut present = Vec::new();
    for _ in 0..count {
        present.push((bits.bit()?, bits.bit()?));
    }
    if count > 0 {
        // Two bits of padding for each of those that there could be up to eight.
        bits.at += 2 * (8 - count as usize);
    }
    for (profile, level) in present {
        bits.at += 88 * profile as usize + 8 * level as usize;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What libx265 3.5 writes for 320×180 with 10 bits, Main 10, level 2: video, sequence and picture parameter sets.
    const VPS: &[u8] = &[
        0x40, 0x01, 0x0C, 0x01, 0xFF, 0xFF, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x3C, 0x95, 0x98, 0x09,
    ];

    #[test]
    fn a_record_says_once_more_what_its_parameter_sets_say() {
        // Main 10 (2), compatible with itself, progressive and frame only, level 60 / 30 = 2, 4:2:0, 10 bits, 320×184 less
        // four rows; written by hand after §7.3.2.2, with emulation prevention within.
        let sps = [
            0x42,
            0x01,
            0x01,
            0x02,
            0x20,
            0x00,
            0x00,
            0x03,
            0x00,
            0x90,
            0x00,
            0x00,
            0x03,
            0x00,
            0x00,
            0x03,
            0x00,
            0x3C,
            // ue(0), ue(1), ue(320), ue(184), window 0 0 0 2, ue(2), ue(2):
            // 1 010 00000000101000001 000000010111001 1 1 1 1 011 011 011, then ue(4), 1 and ue(4), ue(2), ue(0):
            // 00101 1 00101 011 1, and a one that ends what is read here.
            0b1010_0000,
            0b0000_1010,
            0b0000_1000,
            0b0000_1011,
            0b1001_1111,
            0b0110_1101,
            0b1001_0110,
            0b0101_0111,
            0b1000_0000,
        ];
        let code = [0, 0, 0, 1];
        let pps = [0x44, 0x01, 0xC1, 0x73];
        let light = [0x4E, 0x01, 144, 4, 3, 0xE8, 1, 0x90, 0x80];
        let settings = [0x4E, 0x01, 5, 3, 1, 2, 3, 0x80];
        let stream = [&code, VPS, &code, &sps, &code, &pps, &code, &light, &code, &settings].concat();
        let record = hvcc(&stream).unwrap();
        assert_eq!(&record[..13], [1, 0x02, 0x20, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 0x3C]);
        assert_eq!(&record[13..23], [0xF0, 0, 0xFC, 0xFD, 0xFA, 0xFA, 0, 0, 0x0F, 4]);
        let mut rest = &record[23..];
        for (head, unit) in [(0xA0, VPS), (0xA1, &sps), (0xA2, &pps), (0x27, &light)] {
            assert_eq!(rest[..5], [head, 0, 1, 0, unit.len() as u8]);
            assert_eq!(&rest[5..5 + unit.len()], unit);
            rest = &rest[5 + unit.len()..];
        }
        assert!(rest.is_empty(), "an encoder's settings are not of the whole stream");
        assert_eq!(reorder(&stream).unwrap(), 2);
        assert!(hvcc(&stream[..40]).is_err() && hvcc(&[]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0x42), any::<u8>()], 0..200)) {
            let _ = hvcc(&data);
            let _ = SpsHead::read(&data);
        }
    }
}
