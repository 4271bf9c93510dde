//! Frame memory that is used again instead of being allocated again.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytemuck::{Pod, Zeroable};

use super::{PixelFormat, Planes, Subsampling};

/// A cache line: the unit of allocation, so that every plane and row starts 64-byte aligned for SIMD.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct CacheLine([u8; LINE]);

const LINE: usize = 64;

/// Allocations of a pool of frames against reuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolStats {
    /// Buffers taken from the system.
    pub allocations: u64,
    /// Buffers handed out a second or later time.
    pub reuses: u64,
}

impl PoolStats {
    /// The counts of two pools together.
    #[must_use]
    pub fn plus(self, other: PoolStats) -> PoolStats {
        PoolStats { allocations: self.allocations + other.allocations, reuses: self.reuses + other.reuses }
    }
}

struct Shared {
    free: Mutex<Vec<Vec<CacheLine>>>,
    allocations: AtomicU64,
    reuses: AtomicU64,
}

/// Hands out picture buffers of one layout and takes them back when the last reference is dropped.
///
/// Law: `take` never blocks and never fails; how many frames are in flight is bounded by the queues the
/// frames travel through, not here. Cloning shares the pool. Any thread may take and drop.
#[derive(Clone)]
pub struct FramePool {
    shared: Arc<Shared>,
    layout: BufferLayout,
}

#[derive(Clone, Copy)]
struct BufferLayout {
    strides: [usize; 3],
    /// Offset of each plane in lines, and the end.
    offsets: [usize; 4],
    lens: [usize; 3],
}

impl BufferLayout {
    fn new(width: u32, height: u32, subsampling: Subsampling, bytes: usize) -> Self {
        let (sx, sy) = subsampling.chroma_shift();
        let (w, h) = (width as usize, height as usize);
        let chroma = match subsampling {
            Subsampling::Yuv400 => (0, 0),
            _ => ((w + (1 << sx) - 1) >> sx, (h + (1 << sy) - 1) >> sy),
        };
        let mut layout = BufferLayout { strides: [0; 3], offsets: [0; 4], lens: [0; 3] };
        for (i, (pw, ph)) in [(w, h), chroma, chroma].into_iter().enumerate() {
            let lines = (pw * bytes).div_ceil(LINE);
            layout.strides[i] = lines * LINE;
            layout.lens[i] = lines * LINE * ph;
            layout.offsets[i + 1] = layout.offsets[i] + lines * ph;
        }
        layout
    }
}

impl FramePool {
    /// A pool for pictures of `width` × `height` luma samples.
    ///
    /// # Panics
    /// If `format` is not planar: pools are for the pictures drapto itself makes.
    pub fn new(format: PixelFormat, width: u32, height: u32) -> Self {
        let (PixelFormat::Planar { subsampling, .. }, Some(bytes)) = (format, format.bytes_per_sample()) else {
            panic!("frame pools hold planar pictures, not {format:?}");
        };
        FramePool {
            shared: Arc::new(Shared {
                free: Mutex::new(Vec::new()),
                allocations: AtomicU64::new(0),
                reuses: AtomicU64::new(0),
            }),
            layout: BufferLayout::new(width, height, subsampling, bytes),
        }
    }

    /// A buffer to fill. Its content is what the last user left.
    pub fn take(&self) -> PoolBuffer {
        let reused = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let lines = match reused {
            Some(lines) => {
                self.shared.reuses.fetch_add(1, Ordering::Relaxed);
                lines
            }
            None => {
                self.shared.allocations.fetch_add(1, Ordering::Relaxed);
                vec![CacheLine::zeroed(); self.layout.offsets[3]]
            }
        };
        PoolBuffer { lines, layout: self.layout, shared: Arc::clone(&self.shared) }
    }

    /// Counts so far.
    pub fn stats(&self) -> PoolStats {
        PoolStats {
            allocations: self.shared.allocations.load(Ordering::Relaxed),
            reuses: self.shared.reuses.load(Ordering::Relaxed),
        }
    }
}

/// A picture buffer with one owner; wrap it in an `Arc` as [`Planes`] once it is filled.
pub struct PoolBuffer {
    lines: Vec<CacheLine>,
    layout: BufferLayout,
    shared: Arc<Shared>,
}

impl PoolBuffer {
    /// All three planes as bytes, each with its stride, for filling.
    pub fn planes_mut(&mut self) -> [(&mut [u8], usize); 3] {
        let l = self.layout;
        let (y, rest) = self.lines.split_at_mut(l.offsets[1]);
        let (cb, cr) = rest.split_at_mut(l.offsets[2] - l.offsets[1]);
        [
            (bytemuck::cast_slice_mut(y), l.strides[0]),
            (bytemuck::cast_slice_mut(cb), l.strides[1]),
            (bytemuck::cast_slice_mut(cr), l.strides[2]),
        ]
    }
}

impl Drop for PoolBuffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        self.shared.free.lock().unwrap_or_else(PoisonError::into_inner).push(lines);
    }
}

impl Planes for PoolBuffer {
    fn plane(&self, index: usize) -> &[u8] {
        if index > 2 {
            return &[];
        }
        let l = &self.layout;
        &bytemuck::cast_slice(&self.lines[l.offsets[index]..l.offsets[index + 1]])[..l.lens[index]]
    }

    fn stride(&self, index: usize) -> usize {
        self.layout.strides.get(index).copied().unwrap_or(0)
    }

    fn byte_len(&self) -> usize {
        self.lines.len() * LINE
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_handed_out_again() {
        let pool = FramePool::new(PixelFormat::YUV420P10, 70, 50);
        drop(pool.take());
        let again = pool.take();
        let both = pool.take();
        assert_eq!(pool.stats(), PoolStats { allocations: 2, reuses: 1 });
        drop((again, both));
    }

    #[test]
    fn planes_are_aligned_and_large_enough_for_odd_sizes() {
        let pool = FramePool::new(PixelFormat::YUV420P10, 161, 121);
        let buffer = pool.take();
        for (i, (w, h)) in [(161, 121), (81, 61), (81, 61)].into_iter().enumerate() {
            assert_eq!(buffer.plane(i).as_ptr() as usize % 64, 0);
            assert!(buffer.stride(i) >= w * 2);
            assert_eq!(buffer.plane(i).len(), buffer.stride(i) * h);
        }
    }

    #[test]
    fn the_last_reference_gives_the_memory_back() {
        let pool = FramePool::new(PixelFormat::YUV420P8, 16, 16);
        let first: Arc<dyn Planes> = Arc::new(pool.take());
        let second = Arc::clone(&first);
        drop(first);
        let _other = pool.take();
        assert_eq!(pool.stats().reuses, 0);
        drop(second);
        let _back = pool.take();
        assert_eq!(pool.stats().reuses, 1);
    }
}
