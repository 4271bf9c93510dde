//! Mirrored pictures: the same samples in other places.
//!
//! A vertical flip copies whole rows in the other order; a horizontal one reverses the samples of each row. Where chroma
//! lies between luma samples is taken to be the same after it, as FFmpeg's filters do.
#![deny(unsafe_code)]

use std::sync::Arc;

use crate::base::{Error, ErrorKind, Result};
use crate::media::{Flip, Frame, FramePool, PixelFormat, PoolStats};

/// Mirrors planar pictures.
///
/// Law: everything about a frame but its samples stays as it was. One belongs to one stream; it may move between threads.
pub struct Flipper {
    flip: Flip,
    /// Of the format and size of the last picture.
    pool: Option<(FramePool, (PixelFormat, u32, u32))>,
}

impl Flipper {
    /// One for that direction.
    pub fn new(flip: Flip) -> Self {
        Flipper { flip, pool: None }
    }

    /// Allocations against reuses of its buffers.
    pub fn stats(&self) -> PoolStats {
        self.pool.as_ref().map(|(pool, _)| pool.stats()).unwrap_or_default()
    }

    /// `frame`, mirrored.
    ///
    /// # Errors
    /// `Unsupported` for pictures that are not planar, or whose planes are shorter than their size says.
    pub fn flip(&mut self, frame: Frame) -> Result<Frame> {
        let unsupported = |message: &str| Error::new(ErrorKind::Unsupported, message.to_owned()).at(frame.pts);
        let bytes = frame.format.bytes_per_sample().ok_or_else(|| unsupported("only planar pictures are mirrored"))?;
        let key = (frame.format, frame.width, frame.height);
        let pool = match &mut self.pool {
            Some((pool, of)) if *of == key => pool,
            other => &mut other.insert((FramePool::new(key.0, key.1, key.2), key)).0,
        };
        let mut buffer = pool.take();
        for (plane, (to, to_stride)) in buffer.planes_mut().into_iter().enumerate() {
            let (width, rows) = frame.plane_size(plane);
            let (row, from, stride) = (width * bytes, frame.planes.plane(plane), frame.planes.stride(plane));
            // A plane that is not there has no rows and no stride.
            for (y, to) in to.chunks_mut(to_stride.max(1)).take(rows).enumerate() {
                let at = if self.flip == Flip::Vertical { rows - 1 - y } else { y } * stride;
                let from = from.get(at..).and_then(|from| from.get(..row));
                let (Some(from), Some(to)) = (from, to.get_mut(..row)) else {
                    return Err(unsupported("a picture is cut short"));
                };
                match (self.flip, bytes) {
                    (Flip::Vertical, _) => to.copy_from_slice(from),
                    (Flip::Horizontal, 1) => to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from),
                    (Flip::Horizontal, _) => {
                        let (to, from) = (to.as_chunks_mut::<2>().0, from.as_chunks::<2>().0);
                        to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        }
        Ok(Frame { planes: Arc::new(buffer), ..frame })
    }
}
