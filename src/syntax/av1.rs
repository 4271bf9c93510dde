//! AV1 as files store it: OBUs, temporal units without delimiters, and CodecPrivate.
//!
//! Owns the walk over OBUs (AV1 specification §5.3) and `av1C` (AV1-ISOBMFF §2.3.3). Refuses to look into
//! frames. The bytes are untrusted: every length is checked and nothing panics.
#![deny(unsafe_code)]

use std::borrow::Cow;

use crate::base::Result;
use crate::media::VideoTrackParams;

pub use super::obu::{
    OBU_FRAME, OBU_FRAME_HEADER, OBU_METADATA, OBU_PADDING, OBU_SEQUENCE_HEADER, OBU_TEMPORAL_DELIMITER, Obu, Obus,
    obus,
};
use super::obu::{bad, put_leb128};
pub use super::sequence::SequenceHeader;

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

/// A track of square pixels without colour, for the AV1 stream that `access_unit` begins: width, height and depth are
/// those of its sequence header, the configuration is `av1C`.
///
/// # Errors
/// Kind `Encode` where there is no sequence header or it cannot be read.
pub fn track(access_unit: &[u8]) -> Result<VideoTrackParams> {
    let configuration = codec_private(access_unit)?;
    let header = SequenceHeader::find(access_unit)?;
    Ok(VideoTrackParams {
        bits_per_channel: Some(header.bit_depth()),
        ..VideoTrackParams::new("av1", configuration, header.width, header.height)
    })
}

/// Whether a unit begins with a shown keyframe (5.9.2): a decoder may start there.
pub fn is_keyframe(unit: &[u8]) -> bool {
    let mut frames = obus(unit).flatten().filter(|obu| matches!(obu.kind, OBU_FRAME_HEADER | OBU_FRAME));
    // show_existing_frame 0, frame_type 0 (key), show_frame 1.
    frames.next().is_some_and(|obu| obu.payload.first().is_some_and(|b| b >> 4 == 0b0001))
}

/// `metadata_type` of ITU-T T.35 messages (AV1 specification §6.7.1).
const METADATA_T35: u8 = 4;

/// The temporal unit with ITU-T T.35 messages (country code first) for the picture it shows.
///
/// They stand right before that picture's header, after whatever else the unit decodes: the one place where HDR10+
/// (HDR10+ AV1 Metadata Handling Specification §2.1) and Dolby Vision have them.
///
/// # Errors
/// Kind `Encode` for bytes that are no OBUs or show no picture.
pub fn with_messages<M: AsRef<[u8]>>(unit: &[u8], messages: &[M]) -> Result<Vec<u8>> {
    let (mut at, mut shown) = (0, None);
    for obu in obus(unit) {
        let obu = obu?;
        if matches!(obu.kind, OBU_FRAME | OBU_FRAME_HEADER) {
            shown = Some(at);
        }
        at += obu.bytes.len();
    }
    let (before, after) = shown
        .and_then(|at| unit.split_at_checked(at))
        .ok_or_else(|| bad("a temporal unit without a picture".to_owned()))?;
    let mut out = Vec::with_capacity(unit.len() + messages.iter().map(|m| m.as_ref().len() + 8).sum::<usize>());
    out.extend_from_slice(before);
    for message in messages {
        let message = message.as_ref();
        out.push(OBU_METADATA << 3 | 0x02);
        put_leb128(&mut out, message.len() as u64 + 2);
        out.push(METADATA_T35);
        out.extend_from_slice(message);
        out.push(0x80); // trailing_bits
    }
    out.extend_from_slice(after);
    Ok(out)
}

/// The ITU-T T.35 messages (country code first) of a temporal unit, in order.
///
/// # Errors
/// Kind `Encode` for bytes that are no OBUs.
pub fn messages(unit: &[u8]) -> Result<Vec<&[u8]>> {
    let mut out = Vec::new();
    for obu in obus(unit) {
        let obu = obu?;
        if let (OBU_METADATA, [METADATA_T35, rest @ ..]) = (obu.kind, obu.payload) {
            let end = rest.iter().rposition(|b| *b != 0).unwrap_or(0);
            out.push(rest.get(..end).unwrap_or_default());
        }
    }
    Ok(out)
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
    fn messages_stand_before_the_picture_that_is_shown() {
        // A hidden picture, and after it the one that is shown.
        let unit = [obu(OBU_SEQUENCE_HEADER, &[0; 9]), obu(OBU_FRAME, &[1; 30]), obu(OBU_FRAME_HEADER, &[2])].concat();
        let both = with_messages(&unit, &[&[0xB5, 0, 0x3C, 7][..], &[0xB5, 0, 0x3B, 0]]).unwrap();
        let kinds_before = [OBU_SEQUENCE_HEADER, OBU_FRAME, OBU_METADATA, OBU_METADATA, OBU_FRAME_HEADER];
        assert_eq!(kinds(&both), kinds_before);
        assert_eq!(messages(&both).unwrap(), [&[0xB5, 0, 0x3C, 7][..], &[0xB5, 0, 0x3B, 0]]);
        assert!(messages(&unit).unwrap().is_empty());
        assert!(with_messages(&obu(OBU_SEQUENCE_HEADER, &[0; 9]), &[[0xB5]]).is_err());
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
            let _ = (codec_private(&data), messages(&data), with_messages(&data, &[[0xB5, 1]]));
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
