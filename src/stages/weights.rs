//! What the things that travel between stages weigh.

use crate::av::InputPacket;
use crate::flow::Weighed;
use crate::media::{Frame, PacketData};

impl Weighed for Frame {
    fn byte_len(&self) -> usize {
        Frame::byte_len(self)
    }
}

impl Weighed for InputPacket {
    fn byte_len(&self) -> usize {
        self.data().len()
    }
}

impl Weighed for PacketData {
    fn byte_len(&self) -> usize {
        self.len()
    }
}
