//! A piece of coded data with its time.

use std::fmt;
use std::sync::Arc;

use crate::base::{Span, Timestamp};

/// Reference-counted bytes: a `Vec`, or a demuxer's own buffer without a copy.
#[derive(Clone)]
pub struct PacketData(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl PacketData {
    /// Shares whatever holds the bytes.
    pub fn new(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        PacketData(Arc::new(owner))
    }
}

impl std::ops::Deref for PacketData {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl fmt::Debug for PacketData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// Decoded time that a player throws away, at either end of a packet.
///
/// The pre-skip of a whole track is its codec delay ([`AudioTrackParams`](super::AudioTrackParams)) and not told here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trim {
    /// From the packet's first sample on.
    pub start: Option<Span>,
    /// Up to the packet's last sample (Opus end trimming).
    pub end: Option<Span>,
}

impl Trim {
    /// `span` at the end of the packet; nothing where it is zero or negative.
    pub fn at_end(span: Span) -> Self {
        Trim { start: None, end: (span.ticks() > 0).then_some(span) }
    }

    #[cfg(test)]
    /// What [`discard_padding_ns`](Self::discard_padding_ns) says.
    pub fn from_discard_padding_ns(ns: i64) -> Self {
        let span = |ns: i64| (ns > 0).then(|| Span::new(ns, crate::base::Rational::NANO));
        Trim { start: span(ns.saturating_neg()), end: span(ns) }
    }

    /// How Matroska says it (DiscardPadding): nanoseconds at the end, or, negative, at the start. Of a packet that is trimmed
    /// at both ends the end is told.
    pub fn discard_padding_ns(&self) -> i64 {
        let ns = |span: Option<Span>| span.map_or(0, Span::as_nanos);
        if self.end.is_some() { ns(self.end) } else { -ns(self.start) }
    }
}

/// One coded access unit on its way to the container.
///
/// Law: `pts` is presentation time on the shared timeline of the file, of the packet's first **decoded**
/// sample or frame. Opus begins with pre-skip, samples that are decoded and never heard: the first packet's
/// `pts` is the start less the pre-skip and may be negative. The container adds the track's codec delay
/// (Matroska stores block times with it), so such a stream begins at zero there. Packets of one track
/// arrive in coded order; AV1 has no reordering at this level, so that is also display order. Of codecs that reorder,
/// `dts` rises from packet to packet.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Presentation time of the first frame or sample decoded from this packet, also where it is pre-skip.
    pub pts: Timestamp,
    /// When it has to be decoded, where pictures are stored in another order than they are shown; `None` means at `pts`.
    pub dts: Option<Timestamp>,
    /// How long the packet is shown or heard, without what `trim` throws away, where known.
    pub duration: Option<Span>,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// What is decoded from it and must not be presented.
    pub trim: Trim,
    /// Bytes that belong beside the block (Matroska BlockAdditional, id 1), such as WebVTT settings.
    pub additional: Option<PacketData>,
    /// The coded bytes.
    pub data: PacketData,
}

impl Packet {
    /// A keyframe packet at `pts` with nothing beside the data.
    pub fn new(pts: Timestamp, data: PacketData) -> Self {
        Packet { pts, dts: None, duration: None, keyframe: true, trim: Trim::default(), additional: None, data }
    }
}
