//! Decoded pictures, shared by reference count.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Color, HdrStatic, Rect};
use crate::base::{Span, Timestamp};

/// How many chroma samples there are for the luma samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Subsampling {
    /// Half in both directions.
    #[serde(rename = "4:2:0")]
    Yuv420,
    /// Half horizontally.
    #[serde(rename = "4:2:2")]
    Yuv422,
    /// As many as luma.
    #[serde(rename = "4:4:4")]
    Yuv444,
    /// None: luma only.
    #[serde(rename = "4:0:0")]
    Yuv400,
}

impl Subsampling {
    /// `(horizontal, vertical)` shift of the chroma size; `(0, 0)` for 4:0:0, which has no chroma.
    pub fn chroma_shift(self) -> (u32, u32) {
        match self {
            Subsampling::Yuv420 => (1, 1),
            Subsampling::Yuv422 => (1, 0),
            Subsampling::Yuv444 | Subsampling::Yuv400 => (0, 0),
        }
    }
}

/// The layout of a picture's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Planar Y'CbCr, native-endian; one byte a sample at depth 8, two bytes (low bits) above.
    Planar {
        /// Chroma subsampling.
        subsampling: Subsampling,
        /// Significant bits a sample, 8 to 16.
        depth: u8,
    },
    /// Anything else a decoder gives (RGB, packed, semi-planar, palette), by FFmpeg's number. Only the
    /// pixel room looks inside, to convert it.
    Other(i32),
}

impl PixelFormat {
    /// 8-bit 4:2:0.
    pub const YUV420P8: PixelFormat = PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth: 8 };
    /// 10-bit 4:2:0, what the encoder is fed.
    pub const YUV420P10: PixelFormat = PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth: 10 };

    /// Bytes a sample of a planar format.
    pub fn bytes_per_sample(self) -> Option<usize> {
        match self {
            PixelFormat::Planar { depth, .. } => Some(if depth > 8 { 2 } else { 1 }),
            PixelFormat::Other(_) => None,
        }
    }
}

/// Whoever holds a picture's memory: a decoder's buffer or one of our pool.
///
/// Law: the bytes do not change while any reference lives; `plane(i)` starts at the first visible sample
/// of row 0 and reaches at least to the last visible sample of the last row; rows are `stride(i)` bytes
/// apart (positive). Plane order is Y, Cb, Cr. Formats that are not planar may answer with empty slices.
pub trait Planes: Send + Sync {
    /// The bytes of plane `index`; empty where there is no such plane.
    fn plane(&self, index: usize) -> &[u8];
    /// Bytes from one row to the next.
    fn stride(&self, index: usize) -> usize;
    /// All bytes held, for budgets.
    fn byte_len(&self) -> usize;
    /// For the room that made it.
    fn as_any(&self) -> &dyn Any;
}

/// What comes with a single picture beside its samples, as the source carries it. Cloning shares the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// HDR10+ (SMPTE ST 2094-40) as an ITU-T T.35 message, its country code first.
    pub hdr10_plus: Option<Arc<[u8]>>,
    /// A Dolby Vision RPU: a NAL unit's payload with its emulation prevention, or an ITU-T T.35 message.
    pub dolby_vision: Option<Arc<[u8]>>,
}

/// Metadata of single pictures that was carried, and what else became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Carried {
    /// Pictures with HDR10+.
    pub(crate) hdr10_plus: u64,
    /// Pictures with an RPU.
    pub(crate) dolby_vision: u64,
    /// Why the first RPU that was lost was lost.
    pub(crate) first_loss: Option<String>,
    /// Pictures of another size that were scaled to the film's.
    pub(crate) resized: u64,
}

impl Carried {
    /// What came after a point of the film, of what was counted up to `earlier` at that point.
    pub(crate) fn since(&self, earlier: &Carried) -> Carried {
        Carried {
            hdr10_plus: self.hdr10_plus.saturating_sub(earlier.hdr10_plus),
            dolby_vision: self.dolby_vision.saturating_sub(earlier.dolby_vision),
            first_loss: self.first_loss.clone().filter(|_| earlier.first_loss.is_none()),
            resized: self.resized.saturating_sub(earlier.resized),
        }
    }

    /// Of a part of the film and the part after it.
    pub(crate) fn plus(&self, later: &Carried) -> Carried {
        Carried {
            hdr10_plus: self.hdr10_plus + later.hdr10_plus,
            dolby_vision: self.dolby_vision + later.dolby_vision,
            first_loss: self.first_loss.clone().or_else(|| later.first_loss.clone()),
            resized: self.resized + later.resized,
        }
    }
}

/// One decoded picture. Cloning shares the samples.
///
/// Law: frames of a stream travel in display order; `index` counts them from 0 without gaps and is the
/// identity by which a source frame and its encoded twin are paired.
#[derive(Clone)]
pub struct Frame {
    /// Position in display order among the stream's decoded frames.
    pub index: u64,
    /// Presentation time in the source stream's time base.
    pub pts: Timestamp,
    /// How long it is shown, where the source says.
    pub duration: Option<Span>,
    /// Visible width in luma samples.
    pub width: u32,
    /// Visible height in luma samples.
    pub height: u32,
    /// Sample layout.
    pub format: PixelFormat,
    /// Colour description of this frame.
    pub color: Color,
    /// HDR10 static metadata found on this frame.
    pub hdr: HdrStatic,
    /// Metadata of this one picture.
    pub dynamic: Dynamic,
    /// The samples.
    pub planes: Arc<dyn Planes>,
}

impl Frame {
    /// Bytes of sample memory this frame keeps alive.
    pub fn byte_len(&self) -> usize {
        self.planes.byte_len()
    }

    /// `(width, height)` in samples of plane `index` of a planar format.
    pub fn plane_size(&self, index: usize) -> (usize, usize) {
        let PixelFormat::Planar { subsampling, .. } = self.format else { return (0, 0) };
        let (w, h) = (self.width as usize, self.height as usize);
        match (index, subsampling) {
            (0, _) => (w, h),
            (1 | 2, Subsampling::Yuv400) => (0, 0),
            (1 | 2, s) => {
                let (sx, sy) = s.chroma_shift();
                ((w + (1 << sx) - 1) >> sx, (h + (1 << sy) - 1) >> sy)
            }
            _ => (0, 0),
        }
    }
}

impl Frame {
    /// The part `rect` of a planar picture: the same samples, seen through a smaller window. `None` where the format is
    /// not planar, the window does not fit, or its offsets split chroma samples.
    pub fn cropped(self, rect: Rect) -> Option<Frame> {
        if rect == Rect::whole(self.width, self.height) {
            return Some(self);
        }
        let PixelFormat::Planar { subsampling, .. } = self.format else { return None };
        let (sx, sy) = subsampling.chroma_shift();
        let whole_chroma = rect.x.is_multiple_of(1 << sx) && rect.y.is_multiple_of(1 << sy);
        if !rect.fits(self.width, self.height) || !whole_chroma {
            return None;
        }
        let bytes = self.format.bytes_per_sample()?;
        let starts = [0, 1, 2].map(|plane| {
            let (sx, sy) = if plane == 0 { (0, 0) } else { (sx, sy) };
            (rect.y >> sy) as usize * self.planes.stride(plane) + (rect.x >> sx) as usize * bytes
        });
        let planes = Arc::new(PartOf { planes: self.planes, starts });
        Some(Frame { width: rect.width, height: rect.height, planes, ..self })
    }
}

/// A part of a picture: the same memory from later samples on.
struct PartOf {
    planes: Arc<dyn Planes>,
    /// Bytes before the first sample of each plane.
    starts: [usize; 3],
}

impl Planes for PartOf {
    fn plane(&self, index: usize) -> &[u8] {
        let start = self.starts.get(index).copied().unwrap_or(0);
        self.planes.plane(index).get(start..).unwrap_or_default()
    }

    fn stride(&self, index: usize) -> usize {
        self.planes.stride(index)
    }

    fn byte_len(&self) -> usize {
        self.planes.byte_len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame {} {}x{} {:?} at {:?}", self.index, self.width, self.height, self.format, self.pts)
    }
}
