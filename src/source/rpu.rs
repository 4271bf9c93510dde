//! Dolby Vision RPUs that libavcodec does not give out by itself.
//!
//! Its HEVC decoder knows an RPU only as the last NAL unit of its packet, and an end-of-sequence unit may follow it.
//! Packets are untrusted: lengths are checked and nothing panics.
#![deny(unsafe_code)]

use crate::av::InputPacket;
use crate::base::Result;
use crate::syntax::nal::{Framing, NalUnit, hevc_kind, units};

/// NAL unit types (ITU-T H.265 table 7-1): RPUs, which have an unspecified one; end of sequence and of bitstream.
const RPU: u8 = 62;
const ENDS: [u8; 2] = [36, 37];

/// Puts RPUs where the decoder sees them.
pub(super) struct RpuOrder(Framing);

impl RpuOrder {
    /// For a stream of FFmpeg's `codec` with this configuration; `None` where there is nothing to do.
    pub(super) fn of(codec: &str, extradata: &[u8]) -> Option<Self> {
        (codec == "hevc").then(|| RpuOrder(Framing::of_hevc(extradata)))
    }

    /// What to decode instead of `packet`, where the decoder would overlook its RPU.
    pub(super) fn mend(&self, packet: &InputPacket) -> Result<Option<InputPacket>> {
        let data = packet.data();
        rpu_last(data, self.0).map(|order| packet.with_data(&reordered(data, &order))).transpose()
    }
}

/// The units with the RPU last, where only ends of sequence or bitstream stand after it.
fn rpu_last(data: &[u8], framing: Framing) -> Option<Vec<NalUnit>> {
    let mut units = units(data, framing);
    let rpu = units.iter().rposition(|u| hevc_kind(u.bytes(data)) == Some(RPU))?;
    let after = units.get(rpu + 1..)?;
    let only_ends = after.iter().all(|u| hevc_kind(u.bytes(data)).is_some_and(|kind| ENDS.contains(&kind)));
    if after.is_empty() || !only_ends {
        return None;
    }
    let unit = units.remove(rpu);
    units.push(unit);
    Some(units)
}

fn reordered(data: &[u8], units: &[NalUnit]) -> Vec<u8> {
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
            let _ = rpu_last(&data, framing).map(|order| reordered(&data, &order));
        }
    }
}
