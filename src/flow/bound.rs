//! What an item weighs and what a queue may hold.

use std::sync::Arc;

/// Something whose memory a queue accounts for.
pub trait Weighed: Send + 'static {
    /// Bytes it keeps alive.
    fn byte_len(&self) -> usize;
}

impl Weighed for Vec<u8> {
    fn byte_len(&self) -> usize {
        self.len()
    }
}

impl<T: Weighed> Weighed for Box<T> {
    fn byte_len(&self) -> usize {
        T::byte_len(self)
    }
}

impl<T: Weighed + Sync> Weighed for Arc<T> {
    fn byte_len(&self) -> usize {
        T::byte_len(self)
    }
}

/// What a queue may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    pub(super) items: usize,
    pub(super) bytes: usize,
}

impl Bound {
    /// At most `items` (at least one) and at most `bytes`; an item heavier than that travels alone.
    pub const fn new(items: usize, bytes: usize) -> Self {
        Bound { items: if items == 0 { 1 } else { items }, bytes }
    }

    /// At most `items`, whatever they weigh.
    pub const fn items(items: usize) -> Self {
        Self::new(items, usize::MAX)
    }
}
