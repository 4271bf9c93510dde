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

/// One coded access unit on its way to the container.
///
/// Law: `pts` is presentation time on the shared timeline of the file, of the packet's first **decoded**
/// sample or frame. Opus begins with pre-skip, samples that are decoded and never heard: the first packet's
/// `pts` is the start less the pre-skip and may be negative. The container adds the track's codec delay
/// (Matroska stores block times with it), so such a stream begins at zero there. Packets of one track
/// arrive in coded order; AV1 has no reordering at this level, so that is also display order.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Presentation time of the first frame or sample decoded from this packet, also where it is pre-skip.
    pub pts: Timestamp,
    /// How long the packet is shown or heard, without what `discard_padding_ns` throws away, where known.
    pub duration: Option<Span>,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// Time at the end of the packet that a player must throw away (Opus end trimming), in nanoseconds.
    pub discard_padding_ns: i64,
    /// Bytes that belong beside the block (Matroska BlockAdditional, id 1), such as WebVTT settings.
    pub additional: Option<PacketData>,
    /// The coded bytes.
    pub data: PacketData,
}

impl Packet {
    /// A keyframe packet at `pts` with nothing beside the data.
    pub fn new(pts: Timestamp, data: PacketData) -> Self {
        Packet { pts, duration: None, keyframe: true, discard_padding_ns: 0, additional: None, data }
    }
}
