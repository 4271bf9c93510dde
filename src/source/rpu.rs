//! Dolby Vision RPUs that libavcodec does not give out by itself.
//!
//! Its HEVC decoder knows an RPU only as the last NAL unit of its packet, and an end-of-sequence unit may follow it.
//! Packets are untrusted: lengths are checked and nothing panics.
#![deny(unsafe_code)]

use std::ops::Range;

use crate::av::InputPacket;
use crate::base::Result;

/// NAL unit types (ITU-T H.265 table 7-1): RPUs, which have an unspecified one; end of sequence and of bitstream.
const RPU: u8 = 62;
const ENDS: [u8; 2] = [36, 37];

/// How NAL units follow each other in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// Start codes.
    AnnexB,
    /// Each after its length in so many bytes.
    Lengths(usize),
}

/// Puts RPUs where the decoder sees them.
pub(super) struct RpuOrder(Framing);

impl RpuOrder {
    /// For a stream of FFmpeg's `codec` with this configuration; `None` where there is nothing to do.
    pub(super) fn of(codec: &str, extradata: &[u8]) -> Option<Self> {
        // The length's size less one, in hvcC (ISO/IEC 14496-15 §8.3.3.1.2).
        let framing = match (extradata.first(), extradata.get(21)) {
            (Some(1), Some(byte)) => Framing::Lengths(usize::from(byte & 3) + 1),
            _ => Framing::AnnexB,
        };
        (codec == "hevc").then_some(RpuOrder(framing))
    }

    /// What to decode instead of `packet`, where the decoder would overlook its RPU.
    pub(super) fn mend(&self, packet: &InputPacket) -> Result<Option<InputPacket>> {
        let data = packet.data();
        rpu_last(data, self.0).map(|order| packet.with_data(&reordered(data, &order))).transpose()
    }
}

/// A NAL unit in a packet: with its start code or length, and without.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unit {
    whole: Range<usize>,
    nal: Range<usize>,
}

fn kind(data: &[u8], unit: &Unit) -> Option<u8> {
    Some(data.get(unit.nal.start)? >> 1 & 0x3F)
}

/// The units of a packet; what is not well formed ends the list.
fn units(data: &[u8], framing: Framing) -> Vec<Unit> {
    match framing {
        Framing::AnnexB => annex_b(data),
        Framing::Lengths(bytes) => lengths(data, bytes),
    }
}

fn lengths(data: &[u8], bytes: usize) -> Vec<Unit> {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(prefix) = data.get(at..at + bytes) {
        let length = prefix.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        let start = at + bytes;
        let Some(end) = start.checked_add(length).filter(|end| *end <= data.len()) else { break };
        out.push(Unit { whole: at..end, nal: start..end });
        at = end;
    }
    out
}

fn annex_b(data: &[u8]) -> Vec<Unit> {
    let codes: Vec<usize> = data.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at).collect();
    let begin = |at: usize| if at > 0 && data[at - 1] == 0 { at - 1 } else { at };
    let ends = codes.iter().skip(1).map(|at| begin(*at)).chain([data.len()]);
    codes.iter().zip(ends).map(|(at, end)| Unit { whole: begin(*at)..end, nal: (at + 3).min(end)..end }).collect()
}

/// The units with the RPU last, where only ends of sequence or bitstream stand after it.
fn rpu_last(data: &[u8], framing: Framing) -> Option<Vec<Unit>> {
    let mut units = units(data, framing);
    let rpu = units.iter().rposition(|u| kind(data, u) == Some(RPU))?;
    let after = units.get(rpu + 1..)?;
    let only_ends = after.iter().all(|u| kind(data, u).is_some_and(|kind| ENDS.contains(&kind)));
    if after.is_empty() || !only_ends {
        return None;
    }
    let unit = units.remove(rpu);
    units.push(unit);
    Some(units)
}

fn reordered(data: &[u8], units: &[Unit]) -> Vec<u8> {
    units.iter().flat_map(|u| data.get(u.whole.clone()).unwrap_or_default()).copied().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nal(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind << 1, 1], payload].concat()
    }

    fn packet(framing: Framing, nals: &[Vec<u8>]) -> Vec<u8> {
        let one = |nal: &Vec<u8>| match framing {
            Framing::AnnexB => [&[0, 0, 0, 1], &nal[..]].concat(),
            Framing::Lengths(bytes) => [&(nal.len() as u32).to_be_bytes()[4 - bytes..], &nal[..]].concat(),
        };
        nals.iter().flat_map(one).collect()
    }

    #[test]
    fn an_rpu_before_an_end_of_sequence_is_put_last() {
        let (picture, rpu, end) = (nal(1, &[5; 9]), nal(62, &[25, 8, 9]), nal(36, &[]));
        for framing in [Framing::AnnexB, Framing::Lengths(4), Framing::Lengths(2)] {
            let data = packet(framing, &[picture.clone(), rpu.clone(), end.clone()]);
            let order = rpu_last(&data, framing).unwrap();
            assert_eq!(reordered(&data, &order), packet(framing, &[picture.clone(), end.clone(), rpu.clone()]));
            for other in [vec![picture.clone(), rpu.clone()], vec![rpu.clone(), picture.clone()], vec![picture.clone()]]
            {
                assert_eq!(rpu_last(&packet(framing, &other), framing), None);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..200), bytes in 0usize..5) {
            let framing = if bytes == 0 { Framing::AnnexB } else { Framing::Lengths(bytes) };
            for unit in units(&data, framing) {
                prop_assert!(unit.nal.end <= data.len() && unit.whole.start <= unit.nal.start && unit.nal.start <= unit.nal.end);
            }
            let _ = rpu_last(&data, framing).map(|order| reordered(&data, &order));
        }
    }
}
