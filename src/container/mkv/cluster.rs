//! One cluster, built in memory until it is whole, so that its size is known when it is written.
//!
//! Owns the block layout (RFC 9559 §10) and the 16-bit relative time. Knows nothing of packets' meaning.
#![deny(unsafe_code)]

use super::ebml::{Master, id, put_id, put_size};

/// A block about to be laid out. Times are in ticks of a millisecond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    /// Track number, from 1.
    pub(super) track: u64,
    /// Absolute time.
    pub(super) time: i64,
    /// Decoding can start here.
    pub(super) keyframe: bool,
    /// Where set, the block goes into a BlockGroup.
    pub(super) group: Option<Group<'a>>,
    /// The frame.
    pub(super) data: &'a [u8],
}

/// What only a BlockGroup can say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group<'a> {
    /// BlockDuration in ticks.
    pub(super) duration: Option<u64>,
    /// DiscardPadding in nanoseconds; 0 is not written.
    pub(super) discard_padding_ns: i64,
    /// BlockAdditional with id 1.
    pub(super) additional: Option<&'a [u8]>,
    /// Time of the block this one needs, relative to its own; a group without one is a keyframe.
    pub(super) reference: Option<i64>,
}

/// The cluster being filled.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// The content so far, beginning with the Timestamp element; empty before the first block.
    content: Vec<u8>,
    time: i64,
    /// Whether a cue points into this cluster.
    pub(super) cued: bool,
}

impl Cluster {
    /// Whether there is no block yet.
    pub(super) fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    /// Bytes of content.
    pub(super) fn len(&self) -> usize {
        self.content.len()
    }

    /// How far `time` lies after the cluster's own time.
    pub(super) fn age_at(&self, time: i64) -> i64 {
        time - self.time
    }

    /// Whether a block at `time` can be told by a signed 16-bit distance (−32768 is left out: a reader that
    /// takes its absolute value stumbles).
    pub(super) fn reaches(&self, time: i64) -> bool {
        (-32_767..=32_767).contains(&self.age_at(time))
    }

    /// Appends a block and tells its position in the content (CueRelativePosition). The first block sets
    /// the cluster's time; later ones have to be in [reach](Self::reaches).
    pub(super) fn push(&mut self, block: &Block<'_>) -> u64 {
        if self.is_empty() {
            self.time = block.time;
            let mut head = Master::new();
            head.uint(id::TIMESTAMP, block.time.max(0) as u64);
            self.content.extend_from_slice(head.as_bytes());
        }
        let position = self.content.len() as u64;
        let distance = self.age_at(block.time);
        debug_assert!(self.reaches(block.time));
        let mut header = Vec::with_capacity(12);
        put_size(&mut header, block.track);
        header.extend_from_slice(&(distance as i16).to_be_bytes());
        // Bit 7, "keyframe", exists in SimpleBlocks only (§10.2); no lacing.
        header.push(if block.keyframe && block.group.is_none() { 0x80 } else { 0 });
        let size = (header.len() + block.data.len()) as u64;
        match &block.group {
            None => {
                put_id(&mut self.content, id::SIMPLE_BLOCK);
                put_size(&mut self.content, size);
                self.content.extend_from_slice(&header);
                self.content.extend_from_slice(block.data);
            }
            Some(group) => {
                let mut body = Master::new();
                header.extend_from_slice(block.data);
                body.bytes(id::BLOCK, &header);
                group.append(&mut body);
                put_id(&mut self.content, id::BLOCK_GROUP);
                put_size(&mut self.content, body.len() as u64);
                self.content.extend_from_slice(body.as_bytes());
            }
        }
        position
    }

    /// The element's header and content; the cluster is empty afterwards once [`clear`](Self::clear)ed.
    pub(super) fn element(&self) -> (Vec<u8>, &[u8]) {
        let mut header = Vec::with_capacity(12);
        put_id(&mut header, id::CLUSTER);
        put_size(&mut header, self.content.len() as u64);
        (header, &self.content)
    }

    /// Empties the cluster and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.content.clear();
        self.cued = false;
    }
}

impl Group<'_> {
    fn append(&self, body: &mut Master) {
        if let Some(additional) = self.additional {
            let mut more = Master::new();
            more.uint(id::BLOCK_ADD_ID, 1).bytes(id::BLOCK_ADDITIONAL, additional);
            let mut additions = Master::new();
            additions.master(id::BLOCK_MORE, &more);
            body.master(id::BLOCK_ADDITIONS, &additions);
        }
        if let Some(duration) = self.duration {
            body.uint(id::BLOCK_DURATION, duration);
        }
        if let Some(reference) = self.reference {
            body.int(id::REFERENCE_BLOCK, reference);
        }
        if self.discard_padding_ns != 0 {
            body.int(id::DISCARD_PADDING, self.discard_padding_ns);
        }
    }
}
