//! H.264 as libraries give it (H.264 annex B: start codes) and as containers store it (ISO/IEC 14496-15: lengths).
#![deny(unsafe_code)]

/// The NAL units of a stream behind start codes, without trailing zeros.
pub(super) fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        loop {
            let from = rest?;
            let end = from.windows(3).position(|w| matches!(w, [0, 0, 1]));
            rest = end.map(|at| &from[at + 3..]);
            let unit = &from[..end.unwrap_or(from.len())];
            // A zero before the next start code belongs to that; a NAL unit never ends in one (7.4.1).
            let len = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if len > 0 {
                return Some(&unit[..len]);
            }
        }
    })
}

fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    stream.windows(3).position(|w| matches!(w, [0, 0, 1])).map(|at| &stream[at + 3..])
}

/// The units, each behind its length in four bytes.
pub(super) fn with_lengths(stream: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(stream.len() + 16);
    for unit in nal_units(stream) {
        out.extend_from_slice(&(unit.len() as u32).to_be_bytes());
        out.extend_from_slice(unit);
    }
    out
}

/// The `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 5.3.3.1) of parameter sets behind start codes, for 4:2:0
/// pictures of that depth. `None` where a set is missing or too long for it.
pub(super) fn configuration(parameter_sets: &[u8], depth: u8) -> Option<Vec<u8>> {
    const SPS: u8 = 7;
    const PPS: u8 = 8;
    let of = |kind: u8| -> Vec<&[u8]> { nal_units(parameter_sets).filter(|unit| unit[0] & 0x1f == kind).collect() };
    let (sequence, picture) = (of(SPS), of(PPS));
    let [_, profile, compatibility, level, ..] = **sequence.first()? else { return None };
    picture.first()?;
    let mut out = vec![1, profile, compatibility, level, 0xfc | 3];
    for (sets, marker) in [(&sequence, 0xe0), (&picture, 0)] {
        out.push(marker | u8::try_from(sets.len()).ok().filter(|n| *n < 32)?);
        for set in sets {
            out.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
            out.extend_from_slice(set);
        }
    }
    if matches!(profile, 100 | 110 | 122 | 144) {
        // chroma_format 1 is 4:2:0; no extensions of sequence parameter sets.
        out.extend_from_slice(&[0xfc | 1, 0xf8 | (depth - 8), 0xf8 | (depth - 8), 0]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn start_codes_of_three_and_four_bytes_become_lengths() {
        let stream = [0, 0, 0, 1, 9, 16, 0, 0, 1, 65, 1, 2, 0, 0, 0, 1, 65, 3];
        assert_eq!(with_lengths(&stream), [0, 0, 0, 2, 9, 16, 0, 0, 0, 3, 65, 1, 2, 0, 0, 0, 2, 65, 3]);
        assert!(with_lengths(&[]).is_empty());
        assert!(with_lengths(&[0, 0, 1]).is_empty());
    }

    #[test]
    fn the_record_holds_profile_level_and_both_sets() {
        let sets = [0, 0, 0, 1, 0x67, 110, 0, 30, 5, 0, 0, 0, 1, 0x68, 7];
        let expected = [1, 110, 0, 30, 0xff, 0xe1, 0, 5, 0x67, 110, 0, 30, 5, 1, 0, 2, 0x68, 7, 0xfd, 0xfa, 0xfa, 0];
        assert_eq!(configuration(&sets, 10).unwrap(), expected);
        assert_eq!(configuration(&sets[..9], 10), None);
    }

    proptest! {
        #[test]
        fn every_unit_comes_through(units in prop::collection::vec(prop::collection::vec(1u8..=255, 1..20), 1..8), short: bool) {
            let code: &[u8] = if short { &[0, 0, 1] } else { &[0, 0, 0, 1] };
            let stream: Vec<u8> = units.iter().flat_map(|unit| [code, unit].concat()).collect();
            prop_assert_eq!(nal_units(&stream).collect::<Vec<_>>(), units);
        }
    }
}
