//! Dolby Vision RPUs that libavcodec does not give out by itself.
//!
//! Its HEVC decoder knows an RPU only as the last NAL unit of its packet, and an end-of-sequence unit may follow it.
//! Packets are untrusted: lengths are checked and nothing panics.
#![deny(unsafe_code)]

use crate::av::InputPacket;
use crate::base::Result;
use crate::syntax::nal::{Framing, NalUnit, hevc_kind, units};

/// NAL unit types (ITU-T H.265 table 7-1): slices are below; RPUs and the enhancement layer have unspecified ones; end of
/// sequence and of bitstream.
const PARAMETERS: u8 = 32;
const RPU: u8 = 62;
const ENHANCEMENT: u8 = 63;
const ENDS: [u8; 2] = [36, 37];

/// Puts RPUs where the decoder sees them.
///
/// FFmpeg's parser ends an access unit before an end of sequence. What stands behind that, the enhancement layer and the RPU
/// of the picture before, begins the next packet, or is one without a picture. So a picture that has no RPU waits for the
/// next packet.
pub(super) struct RpuOrder {
    framing: Framing,
    /// Whether the stream has RPUs, as far as is known.
    expected: bool,
    /// A picture without RPU.
    held: Option<InputPacket>,
    /// RPUs that were seen.
    seen: u64,
}

impl RpuOrder {
    /// For a stream of FFmpeg's `codec` with this configuration, of which the container says that it has RPUs, or says
    /// nothing; `None` where there is nothing to do.
    pub(super) fn of(codec: &str, extradata: &[u8], expected: bool) -> Option<Self> {
        (codec == "hevc").then(|| RpuOrder { framing: Framing::of_hevc(extradata), expected, held: None, seen: 0 })
    }

    /// RPUs that were in the packets so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// What to decode by now, with `packet` the next one.
    pub(super) fn push(&mut self, packet: &InputPacket) -> Result<Vec<InputPacket>> {
        let data = packet.data();
        let found = PacketUnits::of(data, self.framing);
        let rpus = found.count(RPU);
        // What an edit list leaves out is decoded and not shown.
        if !packet.is_discarded() {
            self.seen += rpus as u64;
        }
        self.expected |= rpus > 0;
        let mut out = Vec::new();
        let mut rest = found;
        if let Some(held) = self.held.take() {
            match rest.take_from_before() {
                Some(rpu) => {
                    let bytes = [held.data(), data.get(rpu.whole).unwrap_or_default()].concat();
                    out.push(held.with_data(&bytes)?);
                }
                None => out.push(held),
            }
        }
        rest.put_last();
        let packet = if rest.changed { packet.with_data(&rest.bytes(data))? } else { packet.share()? };
        if self.expected && rest.has_picture() && rest.count(RPU) == 0 {
            self.held = Some(packet);
        } else {
            out.push(packet);
        }
        Ok(out)
    }

    /// What is left to decode at the end.
    pub(super) fn finish(&mut self) -> Option<InputPacket> {
        self.held.take()
    }
}

/// The NAL units of a packet, each with its type.
struct PacketUnits {
    units: Vec<(u8, NalUnit)>,
    /// Whether they are others or in another order than in the packet.
    changed: bool,
}

impl PacketUnits {
    fn of(data: &[u8], framing: Framing) -> Self {
        let typed = |unit: NalUnit| Some((hevc_kind(unit.bytes(data))?, unit));
        PacketUnits { units: units(data, framing).into_iter().filter_map(typed).collect(), changed: false }
    }

    fn count(&self, kind: u8) -> usize {
        self.units.iter().filter(|(k, _)| *k == kind).count()
    }

    fn first_slice(&self) -> Option<usize> {
        self.units.iter().position(|(kind, _)| *kind < PARAMETERS)
    }

    fn has_picture(&self) -> bool {
        self.first_slice().is_some()
    }

    /// Takes out the RPU of the picture before, where the packet begins with what belongs to that.
    fn take_from_before(&mut self) -> Option<NalUnit> {
        let of_before = |kind: &u8| ENDS.contains(kind) || [RPU, ENHANCEMENT].contains(kind);
        let leading = self.units.iter().take_while(|(kind, _)| of_before(kind)).count();
        let at = self.units.iter().take(leading).position(|(kind, _)| *kind == RPU)?;
        // An RPU that stands bare before the only picture may be that one's.
        let bare = at == 0 && leading == 1 && self.has_picture() && self.count(RPU) == 1;
        if bare {
            return None;
        }
        self.changed = true;
        Some(self.units.remove(at).1)
    }

    /// Puts the RPU of the packet's picture last, where it stands before that or only ends of sequence or bitstream are
    /// behind it.
    fn put_last(&mut self) {
        let Some(rpu) = self.units.iter().rposition(|(kind, _)| *kind == RPU) else { return };
        let after = self.units.get(rpu + 1..).unwrap_or_default();
        let only_ends = after.iter().all(|(kind, _)| ENDS.contains(kind));
        let before_picture = self.first_slice().is_some_and(|slice| rpu < slice);
        if after.is_empty() || !(only_ends || before_picture) {
            return;
        }
        let unit = self.units.remove(rpu);
        self.units.push(unit);
        self.changed = true;
    }

    fn bytes(&self, data: &[u8]) -> Vec<u8> {
        let units = self.units.iter().flat_map(|(_, u)| data.get(u.whole.clone()).unwrap_or_default());
        units.copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nal(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind << 1, 1], payload].concat()
    }

    fn packet(framing: Framing, nals: &[&Vec<u8>]) -> Vec<u8> {
        let one = |nal: &&Vec<u8>| match framing {
            Framing::AnnexB => [&[0, 0, 0, 1], &nal[..]].concat(),
            Framing::Lengths(bytes) => [&(nal.len() as u32).to_be_bytes()[4 - bytes..], &nal[..]].concat(),
        };
        nals.iter().flat_map(one).collect()
    }

    /// What is decoded of packets.
    fn decoded(framing: Framing, packets: &[Vec<u8>]) -> (Vec<Vec<u8>>, u64) {
        let mut order = RpuOrder { framing, expected: false, held: None, seen: 0 };
        let mut out = Vec::new();
        for data in packets {
            out.extend(order.push(&InputPacket::of_bytes(data).unwrap()).unwrap());
        }
        out.extend(order.finish());
        (out.iter().map(|p| p.data().to_vec()).collect(), order.seen())
    }

    #[test]
    fn an_rpu_is_put_last_in_the_packet_of_its_picture() {
        let (picture, rpu, end) = (nal(1, &[5; 9]), nal(62, &[25, 8, 9]), nal(36, &[]));
        for framing in [Framing::AnnexB, Framing::Lengths(4), Framing::Lengths(2)] {
            let one = |nals: &[&Vec<u8>]| decoded(framing, &[packet(framing, nals)]).0;
            assert_eq!(one(&[&picture, &rpu, &end]), [packet(framing, &[&picture, &end, &rpu])]);
            assert_eq!(one(&[&rpu, &picture]), [packet(framing, &[&picture, &rpu])]);
            for as_it_is in [&[&picture, &rpu][..], &[&picture]] {
                assert_eq!(one(as_it_is), [packet(framing, as_it_is)]);
            }
        }
    }

    #[test]
    fn an_rpu_behind_an_end_of_sequence_goes_to_the_picture_before() {
        let (picture, rpu, end) = (nal(1, &[5; 9]), nal(62, &[25, 8, 9]), nal(36, &[]));
        let (delimiter, layer) = (nal(35, &[80]), nal(63, &[7; 20]));
        let framing = Framing::AnnexB;
        let packet = |nals: &[&Vec<u8>]| packet(framing, nals);
        let packets = [
            packet(&[&delimiter, &picture, &layer, &rpu]),
            packet(&[&delimiter, &picture]),
            packet(&[&end, &layer, &rpu, &delimiter, &picture, &layer, &rpu]),
            packet(&[&delimiter, &picture]),
            packet(&[&end, &layer, &rpu]),
        ];
        let whole = [
            packet(&[&delimiter, &picture, &layer, &rpu]),
            packet(&[&delimiter, &picture, &rpu]),
            packet(&[&end, &layer, &delimiter, &picture, &layer, &rpu]),
            packet(&[&delimiter, &picture, &rpu]),
            packet(&[&end, &layer]),
        ];
        assert_eq!(decoded(framing, &packets), (whole.to_vec(), 4));
        // A picture without one takes no other picture's.
        let without = [packet(&[&picture, &rpu]), packet(&[&picture]), packet(&[&rpu, &picture]), packet(&[&picture])];
        let own = [packet(&[&picture, &rpu]), packet(&[&picture]), packet(&[&picture, &rpu]), packet(&[&picture])];
        assert_eq!(decoded(framing, &without), (own.to_vec(), 2));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_and_no_packet_is_lost(
            packets in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(124), any::<u8>()], 1..60), 1..6),
            bytes in 0usize..5,
        ) {
            let framing = if bytes == 0 { Framing::AnnexB } else { Framing::Lengths(bytes) };
            prop_assert_eq!(decoded(framing, &packets).0.len(), packets.len());
        }
    }
}
