//! Digests by which what is read back is held to what was written.
#![deny(unsafe_code)]

use std::hash::{DefaultHasher, Hasher};

/// A digest of the ITU-T T.35 messages of a picture; 0 where there are none.
pub(crate) fn message_digest<M: AsRef<[u8]>>(messages: &[M]) -> u64 {
    if messages.is_empty() {
        0
    } else {
        digest(&messages.iter().flat_map(|m| m.as_ref()).copied().collect::<Vec<u8>>())
    }
}

/// A digest of a packet's bytes: against disks and bugs, not against an adversary.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
