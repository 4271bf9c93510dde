//! The identification header and the packet header of Opus, written and read; bytes only, no codec.
//!
//! Readers take untrusted bytes and never panic.
#![deny(unsafe_code)]

use crate::base::{Rational, Span};
use crate::media::AudioTrackParams;

/// Sample rate of every Opus timeline, in Hz.
pub const OPUS_RATE: u32 = 48_000;

/// What has to be decoded before a seek target, in nanoseconds: 80 ms (RFC 7845 §4.6).
pub const SEEK_PRE_ROLL_NS: i64 = 80_000_000;

/// The longest packet of RFC 6716 §3.2.5: 120 ms.
const MAX_PACKET_SAMPLES: u32 = 5_760;

/// How the streams of a multistream packet become channels (RFC 7845 §5.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelMapping {
    /// Channel mapping family.
    pub family: u8,
    /// Streams in a packet.
    pub streams: u8,
    /// How many of them, the first ones, are stereo.
    pub coupled: u8,
    /// For each channel the decoded channel it takes; 255 is silence.
    pub table: Vec<u8>,
}

/// What an `OpusHead` says; of a copied track, or of one we encode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusHead {
    /// Output channels.
    pub channels: u8,
    /// Samples at 48 kHz to throw away from the start of the decoded sound.
    pub pre_skip: u16,
    /// The rate of the source in Hz, for information; 0 if unknown.
    pub input_rate: u32,
    /// Gain in 1/256 dB that a player applies.
    pub output_gain: i16,
    /// How streams become channels.
    pub mapping: ChannelMapping,
}

impl OpusHead {
    /// The pre-skip as time, in samples at 48 kHz.
    pub fn delay(&self) -> Span {
        Span::new(i64::from(self.pre_skip), Rational::positive(1, OPUS_RATE as i32).unwrap_or(Rational::ONE))
    }

    /// The header's bytes: Matroska's CodecPrivate (RFC 7845 §5.1).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = b"OpusHead\x01".to_vec();
        out.push(self.channels);
        out.extend(self.pre_skip.to_le_bytes());
        out.extend(self.input_rate.to_le_bytes());
        out.extend(self.output_gain.to_le_bytes());
        out.push(self.mapping.family);
        if self.mapping.family != 0 {
            out.extend([self.mapping.streams, self.mapping.coupled]);
            out.extend(&self.mapping.table);
        }
        out
    }
}

/// Reads an `OpusHead` (FFmpeg's extradata of a track that is Opus already, Matroska's CodecPrivate).
///
/// `None` where it breaks RFC 7845 §5.1, so that a player would refuse it.
pub fn opus_head_facts(bytes: &[u8]) -> Option<OpusHead> {
    let rest = bytes.strip_prefix(b"OpusHead")?;
    let (&[version, channels, p0, p1, r0, r1, r2, r3, g0, g1, family], rest) = rest.split_first_chunk::<11>()?;
    // Versions with the same upper four bits are compatible.
    if version >> 4 != 0 || channels == 0 {
        return None;
    }
    let mapping = match family {
        0 if channels <= 2 => {
            ChannelMapping { family, streams: 1, coupled: channels - 1, table: (0..channels).collect() }
        }
        0 => return None,
        _ => {
            let (&[streams, coupled], rest) = rest.split_first_chunk::<2>()?;
            let decoded = u16::from(streams) + u16::from(coupled);
            let table = rest.get(..usize::from(channels))?.to_vec();
            let valid = streams > 0 && coupled <= streams && decoded <= 255;
            if !valid || !table.iter().all(|c| *c == 255 || u16::from(*c) < decoded) {
                return None;
            }
            ChannelMapping { family, streams, coupled, table }
        }
    };
    Some(OpusHead {
        channels,
        pre_skip: u16::from_le_bytes([p0, p1]),
        input_rate: u32::from_le_bytes([r0, r1, r2, r3]),
        output_gain: i16::from_le_bytes([g0, g1]),
        mapping,
    })
}

/// An audio track as its OpusHead describes it: channels, input rate and delay.
///
/// `None` where `head` is no OpusHead.
pub fn track(head: &[u8]) -> Option<AudioTrackParams> {
    let facts = opus_head_facts(head)?;
    // An OpusHead may leave the input rate open; what a decoder gives is then what there is.
    let rate = if facts.input_rate == 0 { OPUS_RATE } else { facts.input_rate };
    Some(AudioTrackParams {
        codec_delay: Some(facts.delay()),
        seek_pre_roll: Some(Span::new(SEEK_PRE_ROLL_NS, Rational::NANO)),
        ..AudioTrackParams::new("opus", head.to_vec(), u32::from(facts.channels), rate)
    })
}

/// How many samples at 48 kHz an Opus packet decodes to, from its first bytes (RFC 6716 §3.1, §3.2).
///
/// Also right for multistream packets, whose streams all last equally long. `None` for bytes that are no
/// packet: empty, cut short, no frame, or more than 120 ms.
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => 120 << (config & 3),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frame * frames).filter(|samples| (1..=MAX_PACKET_SAMPLES).contains(samples))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn surround() -> OpusHead {
        let mapping = ChannelMapping { family: 1, streams: 4, coupled: 2, table: vec![0, 4, 1, 2, 3, 5] };
        OpusHead { channels: 6, pre_skip: 312, input_rate: 44_100, output_gain: -256, mapping }
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        let head = surround();
        assert_eq!(opus_head_facts(&head.to_bytes()), Some(head));
        let mapping = ChannelMapping { family: 0, streams: 1, coupled: 1, table: vec![0, 1] };
        let head = OpusHead { channels: 2, pre_skip: 312, input_rate: 48_000, output_gain: 0, mapping };
        let bytes = head.to_bytes();
        assert_eq!(bytes, b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00");
        assert_eq!(opus_head_facts(&bytes), Some(head));
    }

    #[test]
    fn broken_headers_are_refused() {
        let good = surround().to_bytes();
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            opus_head_facts(&bytes)
        };
        assert!(with(8, 15).is_some(), "minor versions are compatible");
        assert!(with(8, 16).is_none(), "major version");
        assert!(with(9, 0).is_none(), "no channels");
        assert!(with(9, 7).is_none(), "a table shorter than the channels");
        assert!(with(18, 0).is_none(), "six channels in family 0");
        assert!(with(19, 0).is_none(), "no streams");
        assert!(with(20, 5).is_none(), "more coupled streams than streams");
        assert!(with(21, 6).is_none(), "a channel that is not decoded");
        assert!(with(21, 255).is_some(), "255 is silence");
        assert!((0..good.len()).all(|n| opus_head_facts(&good[..n]).is_none()), "cut short");
    }

    #[test]
    fn packet_durations_follow_the_toc_byte() {
        let toc = |config: u8, code: u8| config << 3 | code;
        assert_eq!(packet_samples(&[toc(31, 0)]), Some(960), "CELT 20 ms");
        assert_eq!(packet_samples(&[toc(16, 0)]), Some(120), "CELT 2.5 ms");
        assert_eq!(packet_samples(&[toc(3, 0)]), Some(2880), "SILK 60 ms");
        assert_eq!(packet_samples(&[toc(13, 1)]), Some(1920), "two hybrid frames of 20 ms");
        assert_eq!(packet_samples(&[toc(1, 3), 0xC6]), Some(5760), "six frames of 20 ms");
        assert_eq!(packet_samples(&[toc(1, 3), 7]), None, "140 ms");
        assert_eq!(packet_samples(&[toc(1, 3), 0x80]), None, "no frames");
        assert_eq!(packet_samples(&[toc(1, 3)]), None, "cut short");
        assert_eq!(packet_samples(&[]), None);
    }

    proptest! {
        #[test]
        fn readers_take_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64), magic: bool) {
            let mut input = if magic { b"OpusHead\x01".to_vec() } else { Vec::new() };
            input.extend(bytes);
            if let Some(head) = opus_head_facts(&input) {
                let written = head.to_bytes();
                prop_assert_eq!(opus_head_facts(&written), Some(head));
            }
            prop_assert!(packet_samples(&input).is_none_or(|n| (120..=5760).contains(&n)));
        }
    }
}
