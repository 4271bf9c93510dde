//! What the widening kernels work on: rows of two planes, and how a sample of one becomes one of the other.
#![deny(unsafe_code)]

/// How an 8-bit code value becomes a 10-bit one (ITU-T H.273, section 8.3: the equations of
/// `VideoFullRangeFlag`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mapping {
    /// Limited range, luma and chroma: all of its values scale with 2^(depth − 8), so this is `4x`, exactly.
    Limited,
    /// Full range luma: `round(1023 · x / 255)`; white stays white (255 → 1023).
    FullLuma,
    /// Full range chroma: `512 + round(1023 · (x − 128) / 255)`, clipped at 0; grey stays grey (128 → 512).
    FullChroma,
}

/// Where the kernel's stores go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    /// Through the caches: best while the picture still is there when it is read.
    Cached,
    /// Past the caches, where the kernel can and the rows are aligned to 32 bytes: saves reading each line of
    /// the output before it is overwritten.
    Streaming,
}

impl Stores {
    /// The better choice for pictures of `bytes` of output.
    ///
    /// Measured on a Xeon with 2 MiB of L2 a core, buffers of a pool in turn, with the encoder's copy out of
    /// them included: streaming loses a third at 704×480 (1 MB), breaks even at 1280×720 (2.8 MB) and wins a
    /// quarter at 1920×1080 (6.2 MB), where the conversion alone goes from 8 to 14 GB/s.
    pub fn for_picture(bytes: usize) -> Stores {
        if bytes > 4 << 20 { Stores::Streaming } else { Stores::Cached }
    }
}

/// Rows of 8-bit samples, `stride` bytes apart.
#[derive(Clone, Copy)]
pub struct ByteRows<'a> {
    /// From the first sample of row 0 at least to the last sample of the last row.
    pub bytes: &'a [u8],
    /// Bytes from row to row.
    pub stride: usize,
}

/// Rows for 10-bit samples, `stride` samples apart.
pub struct SampleRows<'a> {
    /// From the first sample of row 0 at least to the last sample of the last row.
    pub samples: &'a mut [u16],
    /// Samples (not bytes) from row to row.
    pub stride: usize,
}

/// Samples from the first of row 0 to the last of the last row; `None` where rows overlap or it overflows.
fn extent(width: usize, height: usize, stride: usize) -> Option<usize> {
    if stride < width {
        return None;
    }
    (height - 1).checked_mul(stride)?.checked_add(width)
}

/// What a kernel gets: rows that were checked to lie within their slices.
pub(super) struct RowPairs<'a> {
    src: ByteRows<'a>,
    dst: SampleRows<'a>,
    width: usize,
    height: usize,
}

impl<'a> RowPairs<'a> {
    /// `width` × `height` samples, both above 0; `None` where the rows do not lie within the slices.
    pub(super) fn new(src: ByteRows<'a>, dst: SampleRows<'a>, (width, height): (usize, usize)) -> Option<Self> {
        let within = extent(width, height, src.stride)? <= src.bytes.len()
            && extent(width, height, dst.stride)? <= dst.samples.len();
        within.then_some(RowPairs { src, dst, width, height })
    }

    /// Calls `f` with each pair of rows, both `width` long.
    #[inline(always)]
    pub(super) fn for_each(&mut self, mut f: impl FnMut(&[u8], &mut [u16])) {
        for y in 0..self.height {
            let src = &self.src.bytes[y * self.src.stride..][..self.width];
            let dst = &mut self.dst.samples[y * self.dst.stride..][..self.width];
            f(src, dst);
        }
    }
}
