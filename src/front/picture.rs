//! Pictures of the caller's own.
#![deny(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::base::{Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{Color, Frame, FramePool, HdrStatic, PixelFormat, Planes};

/// The widest and highest picture, in luma samples.
const MAX_SIDE: u32 = 65_535;

/// A 4:2:0 picture in 8 or 10 bits that a caller made: what a [`FrameEncoder`](super::FrameEncoder) and a
/// [`PictureMeter`](super::PictureMeter) take.
///
/// Its planes are Y, Cb, Cr. A row of `n` samples is `n` bytes at 8 bits; at 10 bits `2 n`, each sample in two bytes of
/// the machine's own order, in the low bits. Odd widths and heights have `⌈n / 2⌉` chroma samples. Cloning shares the
/// samples, which never change. Any thread.
#[derive(Clone)]
pub struct Picture {
    frame: Frame,
}

impl Picture {
    /// Copies `planes`: the bytes of each, beginning with the first sample, and the bytes from one row to the next. They
    /// need not go beyond the last sample of the last row. For many pictures see [`PicturePool`].
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a depth other than 8 or 10, sizes of 0 or over 65535, planes or rows that are too short,
    /// and samples of more than 10 bits.
    pub fn from_planes(width: u32, height: u32, bit_depth: u8, planes: [(&[u8], usize); 3]) -> Result<Self> {
        PicturePool::new(width, height, bit_depth)?.copy(planes)
    }

    /// Takes `planes` as they are, each with the bytes from one row to the next: nothing is copied, and they are freed
    /// with the last clone. (10-bit planes that do not begin at an even address are copied.)
    ///
    /// # Errors
    /// As [`from_planes`](Self::from_planes).
    pub fn from_vecs(width: u32, height: u32, bit_depth: u8, planes: [(Vec<u8>, usize); 3]) -> Result<Self> {
        let shape = Shape::new(width, height, bit_depth)?;
        let borrowed = planes.each_ref().map(|(bytes, stride)| (bytes.as_slice(), *stride));
        shape.check(borrowed)?;
        let odd = |(bytes, stride): &(Vec<u8>, usize)| bytes.as_ptr() as usize % 2 + stride % 2 > 0;
        if bit_depth > 8 && planes.iter().any(odd) {
            return PicturePool::new(width, height, bit_depth)?.copy(borrowed);
        }
        Ok(shape.picture(Arc::new(OwnedPlanes(planes))))
    }

    /// Width in luma samples.
    pub fn width(&self) -> u32 {
        self.frame.width
    }

    /// Height in luma samples.
    pub fn height(&self) -> u32 {
        self.frame.height
    }

    /// Bits a sample: 8 or 10.
    pub fn bit_depth(&self) -> u8 {
        if self.frame.format == PixelFormat::YUV420P8 { 8 } else { 10 }
    }

    /// The bytes of plane `index` (0 to 2), from its first sample at least to its last; nothing for other planes.
    pub fn plane(&self, index: usize) -> &[u8] {
        if index < 3 { self.frame.planes.plane(index) } else { &[] }
    }

    /// Bytes from one row of plane `index` to the next.
    pub fn stride(&self, index: usize) -> usize {
        if index < 3 { self.frame.planes.stride(index) } else { 0 }
    }

    /// As the rooms below have it.
    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture {}x{} of {} bits", self.width(), self.height(), self.bit_depth())
    }
}

/// Copies pictures of one size and depth into memory that is used again once a [`Picture`] and its clones are gone.
///
/// It holds as many buffers as there ever were pictures at a time. Cloning shares them. Any thread.
#[derive(Clone)]
pub struct PicturePool {
    shape: Shape,
    pool: FramePool,
}

impl PicturePool {
    /// For pictures of `width` × `height` luma samples of `bit_depth` bits. Takes no memory yet.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a depth other than 8 or 10, and sizes of 0 or over 65535.
    pub fn new(width: u32, height: u32, bit_depth: u8) -> Result<Self> {
        let shape = Shape::new(width, height, bit_depth)?;
        Ok(PicturePool { shape, pool: FramePool::new(shape.format, width, height) })
    }

    /// A copy of `planes`, as [`Picture::from_planes`] takes them.
    ///
    /// # Errors
    /// As [`Picture::from_planes`].
    pub fn copy(&self, planes: [(&[u8], usize); 3]) -> Result<Picture> {
        self.shape.check(planes)?;
        let mut buffer = self.pool.take();
        for (index, ((to, to_stride), (from, stride))) in buffer.planes_mut().into_iter().zip(planes).enumerate() {
            let (row, rows) = self.shape.row_bytes(index);
            // The strides of a pool are above zero; a caller's may be anything where there is one row.
            for (y, to) in to.chunks_mut(to_stride.max(1)).take(rows).enumerate() {
                if let (Some(to), Some(from)) = (to.get_mut(..row), from.get(y * stride..).and_then(|f| f.get(..row))) {
                    to.copy_from_slice(from);
                }
            }
        }
        Ok(self.shape.picture(Arc::new(buffer)))
    }
}

impl fmt::Debug for PicturePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PicturePool {}x{} {:?}", self.shape.width, self.shape.height, self.pool.stats())
    }
}

/// Size and depth that can be.
#[derive(Clone, Copy)]
struct Shape {
    width: u32,
    height: u32,
    format: PixelFormat,
}

impl Shape {
    fn new(width: u32, height: u32, bit_depth: u8) -> Result<Self> {
        let format = match bit_depth {
            8 => PixelFormat::YUV420P8,
            10 => PixelFormat::YUV420P10,
            _ => return Err(usage(format!("pictures have 8 or 10 bits a sample, not {bit_depth}"))),
        };
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(usage(format!("a picture of {width}x{height}: sides are from 1 to {MAX_SIDE}")));
        }
        Ok(Shape { width, height, format })
    }

    /// Bytes a row and rows of a plane.
    fn row_bytes(&self, plane: usize) -> (usize, usize) {
        let half = |n: u32| if plane == 0 { n as usize } else { (n as usize).div_ceil(2) };
        (half(self.width) * self.format.bytes_per_sample().unwrap_or(1), half(self.height))
    }

    fn check(&self, planes: [(&[u8], usize); 3]) -> Result<()> {
        for (index, (bytes, stride)) in planes.into_iter().enumerate() {
            let (row, rows) = self.row_bytes(index);
            if stride < row {
                return Err(usage(format!("the rows of plane {index} are {stride} bytes apart and {row} bytes long")));
            }
            let needed = (rows - 1).checked_mul(stride).and_then(|n| n.checked_add(row));
            if needed.is_none_or(|needed| bytes.len() < needed) {
                let (have, needed) = (bytes.len(), needed.unwrap_or(usize::MAX));
                return Err(usage(format!(
                    "plane {index} has {have} bytes; {rows} rows of {row} bytes, {stride} apart, are {needed}"
                )));
            }
            if self.format == PixelFormat::YUV420P10 {
                let rows = bytes.chunks(stride).take(rows).filter_map(|line| line.get(..row));
                let most = rows.map(highest).max().unwrap_or(0);
                if most > 1023 {
                    return Err(usage(format!("plane {index} has a sample of {most}, which is more than 10 bits")));
                }
            }
        }
        Ok(())
    }

    fn picture(self, planes: Arc<dyn Planes>) -> Picture {
        let Shape { width, height, format } = self;
        Picture {
            frame: Frame {
                index: 0,
                pts: Timestamp::new(0, Rational::MILLI),
                duration: None,
                width,
                height,
                format,
                color: Color::default(),
                hdr: HdrStatic::default(),
                dynamic: Default::default(),
                planes,
            },
        }
    }
}

/// The highest of a row of 16-bit samples.
fn highest(row: &[u8]) -> u16 {
    row.as_chunks::<2>().0.iter().map(|&sample| u16::from_ne_bytes(sample)).max().unwrap_or(0)
}

fn usage(message: String) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// Planes that belong to nobody else any more.
struct OwnedPlanes([(Vec<u8>, usize); 3]);

impl Planes for OwnedPlanes {
    fn plane(&self, index: usize) -> &[u8] {
        self.0.get(index).map_or(&[], |(bytes, _)| bytes)
    }

    fn stride(&self, index: usize) -> usize {
        self.0.get(index).map_or(0, |(_, stride)| *stride)
    }

    fn byte_len(&self) -> usize {
        self.0.iter().map(|(bytes, _)| bytes.capacity()).sum()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
