//! Y'CbCr of one matrix as that of another, without a detour over RGB: chroma follows from chroma alone, and luma changes by
//! what chroma says at its place (H.273, equations 34 to 66). So nothing is clipped that a picture holds beyond its gamut.
#![deny(unsafe_code)]

use std::sync::Arc;

use crate::base::{Error, ErrorKind, Result};
use crate::media::{ChromaLocation, ColorRange, Frame, FramePool, Matrix, MatrixChange, PixelFormat, PoolStats};

/// Changes the matrix of 4:2:0 pictures of 8 or 10 bits from BT.601 to BT.709 or back.
///
/// Law: samples and the colour's matrix change together, primaries that nobody said are said, everything else about a frame stays
/// as it was; a picture whose matrix is none of the two, or what is asked for already, keeps its samples. One belongs to one
/// stream; it may move between threads.
pub struct MatrixChanger {
    change: MatrixChange,
    /// Of the format and size of the last picture.
    pool: Option<(FramePool, (PixelFormat, u32, u32))>,
    /// By how much luma changes at each place of a row of chroma, of the row itself and of its neighbour.
    rows: [Vec<i32>; 2],
}

impl MatrixChanger {
    /// One for that change.
    pub fn new(change: MatrixChange) -> Self {
        MatrixChanger { change, pool: None, rows: [Vec::new(), Vec::new()] }
    }

    /// Allocations against reuses of its buffers.
    pub fn stats(&self) -> PoolStats {
        self.pool.as_ref().map(|(pool, _)| pool.stats()).unwrap_or_default()
    }

    /// `frame`, in the matrix that is asked for.
    ///
    /// # Errors
    /// `Unsupported` for pictures of another format, or whose planes are shorter than their size says.
    pub fn change(&mut self, frame: Frame) -> Result<Frame> {
        let Some((color, from)) = frame.color.with_matrix(self.change) else { return Ok(frame) };
        if from.is_bt601() == color.matrix.is_bt601() {
            return Ok(Frame { color, ..frame });
        }
        let pts = frame.pts;
        let short = || Error::new(ErrorKind::Unsupported, "a picture is cut short").at(pts);
        let full = frame.color.range == ColorRange::Full;
        let weights = Weights::between(from, color.matrix, full);
        let key = (frame.format, frame.width, frame.height);
        let pool = match &mut self.pool {
            Some((pool, of)) if *of == key => pool,
            other => &mut other.insert((FramePool::new(key.0, key.1, key.2), key)).0,
        };
        let mut buffer = pool.take();
        let planes = buffer.planes_mut();
        match frame.format {
            PixelFormat::YUV420P8 => changed::<u8>(&frame, planes, &weights, &mut self.rows).ok_or_else(short)?,
            PixelFormat::YUV420P10 => changed::<u16>(&frame, planes, &weights, &mut self.rows).ok_or_else(short)?,
            other => {
                let message = format!("the matrix of {other:?} cannot be changed");
                return Err(Error::new(ErrorKind::Unsupported, message).at(pts));
            }
        }
        Ok(Frame { color, planes: Arc::new(buffer), ..frame })
    }
}

/// What a sample of chroma adds to luma and to chroma, in units of 1 / 2^[`SHIFT`].
struct Weights {
    luma: [i32; 2],
    cb: [i32; 2],
    cr: [i32; 2],
}

const SHIFT: u32 = 16;

impl Weights {
    fn between(from: Matrix, to: Matrix, full: bool) -> Self {
        // Weights of red and blue in luma (H.273 table 4).
        let [(r0, b0), (r1, b1)] = [from, to].map(|m| if m.is_bt601() { (0.299, 0.114) } else { (0.2126, 0.0722) });
        let (g0, g1) = (1.0 - r0 - b0, 1.0 - r1 - b1);
        // Red and blue are luma plus this much of Cr and Cb; green is what is left.
        let (red, blue) = (2.0 * (1.0 - r0), 2.0 * (1.0 - b0));
        let luma_cb = b1 * blue - g1 * b0 * blue / g0;
        let luma_cr = r1 * red - g1 * r0 * red / g0;
        let (to_cb, to_cr) = (2.0 * (1.0 - b1), 2.0 * (1.0 - r1));
        let fixed = |weight: f64| (weight * f64::from(1 << SHIFT)).round() as i32;
        // Limited luma has 219 steps where chroma has 224.
        let steps = if full { 1.0 } else { 219.0 / 224.0 };
        Weights {
            luma: [fixed(luma_cb * steps), fixed(luma_cr * steps)],
            cb: [fixed((blue - luma_cb) / to_cb), fixed(-luma_cr / to_cb)],
            cr: [fixed(-luma_cb / to_cr), fixed((red - luma_cr) / to_cr)],
        }
    }
}

/// A sample as it is stored.
trait Stored: bytemuck::Pod {
    const DEPTH: u32;
    fn get(self) -> i32;
    fn of(value: i32) -> Self;
}

impl Stored for u8 {
    const DEPTH: u32 = 8;
    fn get(self) -> i32 {
        self.into()
    }
    fn of(value: i32) -> Self {
        value.clamp(0, 255) as u8
    }
}

impl Stored for u16 {
    const DEPTH: u32 = 10;
    fn get(self) -> i32 {
        self.into()
    }
    fn of(value: i32) -> Self {
        value.clamp(0, 1023) as u16
    }
}

/// The samples of a row.
fn row<T: Stored>(frame: &Frame, plane: usize, y: usize) -> Option<&[T]> {
    let (width, _) = frame.plane_size(plane);
    let start = frame.planes.stride(plane).checked_mul(y)?;
    let bytes = frame.planes.plane(plane).get(start..)?.get(..width * size_of::<T>())?;
    bytemuck::try_cast_slice(bytes).ok()
}

fn changed<T: Stored>(
    frame: &Frame,
    planes: [(&mut [u8], usize); 3],
    weights: &Weights,
    rows: &mut [Vec<i32>; 2],
) -> Option<()> {
    let [(luma, luma_stride), (cb, cb_stride), (cr, cr_stride)] = planes;
    let (width, height) = frame.plane_size(0);
    let (_, chroma_rows) = frame.plane_size(1);
    let middle = 1 << (T::DEPTH - 1);
    let half = 1 << (SHIFT - 1);
    for y in 0..chroma_rows {
        let (from_cb, from_cr) = (row::<T>(frame, 1, y)?, row::<T>(frame, 2, y)?);
        let to_cb: &mut [T] = bytemuck::try_cast_slice_mut(cb.get_mut(y * cb_stride..)?).ok()?;
        let to_cr: &mut [T] = bytemuck::try_cast_slice_mut(cr.get_mut(y * cr_stride..)?).ok()?;
        for (((u, v), to_u), to_v) in from_cb.iter().zip(from_cr).zip(to_cb).zip(to_cr) {
            let (u, v) = (u.get() - middle, v.get() - middle);
            *to_u = T::of(middle + ((weights.cb[0] * u + weights.cb[1] * v + half) >> SHIFT));
            *to_v = T::of(middle + ((weights.cr[0] * u + weights.cr[1] * v + half) >> SHIFT));
        }
    }
    let place = ChromaPlace::of(frame.color.chroma_location);
    let [near, far] = rows;
    let half = 8 << SHIFT;
    for y in 0..height {
        let ((at, part), last) = (place.row(y), chroma_rows.checked_sub(1)?);
        differences::<T>(frame, weights, (y / 2).min(last), near)?;
        if part > 0 {
            differences::<T>(frame, weights, at.clamp(0, last as isize) as usize, far)?;
            near.iter_mut().zip(&*far).for_each(|(near, far)| *near = *near * (4 - part) + far * part);
        } else {
            near.iter_mut().for_each(|near| *near *= 4);
        }
        let to: &mut [T] = bytemuck::try_cast_slice_mut(luma.get_mut(y * luma_stride..)?).ok()?;
        let from = row::<T>(frame, 0, y)?;
        let last = near.len().checked_sub(1)?;
        for x in 0..width {
            let own = near[(x / 2).min(last)];
            let (at, part) = place.column(x);
            let other = near[at.clamp(0, last as isize) as usize];
            let sum = i64::from(own) * i64::from(4 - part) + i64::from(other) * i64::from(part);
            *to.get_mut(x)? = T::of(from[x].get() + ((sum + half) >> (SHIFT + 4)) as i32);
        }
    }
    Some(())
}

/// By how much luma changes where each sample of a row of chroma lies, in units of 1 / 2^[`SHIFT`].
fn differences<T: Stored>(frame: &Frame, weights: &Weights, y: usize, out: &mut Vec<i32>) -> Option<()> {
    let middle = 1 << (T::DEPTH - 1);
    let (cb, cr) = (row::<T>(frame, 1, y)?, row::<T>(frame, 2, y)?);
    let of = |(u, v): (&T, &T)| weights.luma[0] * (u.get() - middle) + weights.luma[1] * (v.get() - middle);
    out.clear();
    out.extend(cb.iter().zip(cr).map(of));
    Some(())
}

/// Where chroma lies between luma: beside its own sample of chroma, a sample of luma leans on a neighbour, by quarters.
struct ChromaPlace {
    /// For even and odd columns.
    columns: [(isize, i32); 2],
    /// For even and odd rows.
    rows: [(isize, i32); 2],
}

impl ChromaPlace {
    fn of(location: ChromaLocation) -> Self {
        use ChromaLocation as At;
        /// On the first of two samples, between them, on the second.
        const FIRST: [(isize, i32); 2] = [(0, 0), (1, 2)];
        const BETWEEN: [(isize, i32); 2] = [(-1, 1), (1, 1)];
        const SECOND: [(isize, i32); 2] = [(-1, 2), (0, 0)];
        let (columns, rows) = match location {
            At::Unspecified | At::Left => (FIRST, BETWEEN),
            At::Center => (BETWEEN, BETWEEN),
            At::TopLeft => (FIRST, FIRST),
            At::Top => (BETWEEN, FIRST),
            At::BottomLeft => (FIRST, SECOND),
            At::Bottom => (BETWEEN, SECOND),
        };
        ChromaPlace { columns, rows }
    }

    fn row(&self, y: usize) -> (isize, i32) {
        let (step, part) = self.rows[y % 2];
        ((y / 2) as isize + step, part)
    }

    fn column(&self, x: usize) -> (isize, i32) {
        let (step, part) = self.columns[x % 2];
        ((x / 2) as isize + step, part)
    }
}

#[cfg(test)]
#[path = "matrix_tests.rs"]
mod tests;
