//! The frame-level surface between the shells and the public API: sizes known once, pictures copied from a pool.

use super::failure::Failure;
use drapto::{
    CancelToken, EncodedFrame, FrameEncoder, FrameEncoderOptions, Picture, PictureMeter, PicturePool, Scores,
};

/// Sets an option by the name jobs have for it, or by its own.
pub(super) fn set(options: &mut FrameEncoderOptions, name: &str, value: &str) -> Result<(), Failure> {
    let wrong = || Failure::usage(format!("{name}: {value:?} is no value of it"));
    match name {
        "threads" => options.threads = value.parse().map_err(|_| wrong())?,
        "keyframe_interval" => options.keyframe_interval = value.parse().map_err(|_| wrong())?,
        "forced_keyframes" => options.forced_keyframes = value.parse().map_err(|_| wrong())?,
        _ => options.set(name, value)?,
    }
    Ok(())
}

/// The size and depth of all pictures, and memory for copies of them.
pub(super) struct CallerPicture {
    width: u32,
    height: u32,
    bytes_per_sample: usize,
    pool: PicturePool,
}

impl CallerPicture {
    fn new(width: u32, height: u32, bit_depth: u8) -> Result<Self, Failure> {
        let pool = PicturePool::new(width, height, bit_depth)?;
        Ok(CallerPicture { width, height, bytes_per_sample: if bit_depth > 8 { 2 } else { 1 }, pool })
    }

    /// Bytes that plane `index` has at least, with rows `stride` bytes apart.
    pub(super) fn plane_bytes(&self, index: usize, stride: usize) -> Result<usize, Failure> {
        let part = |n: u32| if index == 0 { n as usize } else { (n as usize).div_ceil(2) };
        let (row, rows) = (part(self.width) * self.bytes_per_sample, part(self.height));
        if stride < row {
            let message = format!("the rows of plane {index} are {stride} bytes apart and {row} bytes long");
            return Err(Failure::usage(message));
        }
        let bytes = rows.saturating_sub(1).checked_mul(stride).and_then(|bytes| bytes.checked_add(row));
        let within = bytes.filter(|bytes| isize::try_from(*bytes).is_ok());
        within.ok_or_else(|| Failure::usage(format!("a stride of {stride} bytes is too long")))
    }

    pub(super) fn copy(&self, planes: [(&[u8], usize); 3]) -> Result<Picture, Failure> {
        Ok(self.pool.copy(planes)?)
    }
}

/// An encoder as C holds it: any thread, one at a time.
pub(super) struct HeldEncoder {
    encoder: FrameEncoder,
    shape: CallerPicture,
    config: Option<Vec<u8>>,
}

impl HeldEncoder {
    pub(super) fn open(options: &FrameEncoderOptions, cancel: &CancelToken) -> Result<Self, Failure> {
        let shape = CallerPicture::new(options.width, options.height, options.bit_depth)?;
        Ok(HeldEncoder { encoder: FrameEncoder::open(options, cancel)?, shape, config: None })
    }

    pub(super) fn shape(&self) -> &CallerPicture {
        &self.shape
    }

    pub(super) fn send(&mut self, planes: [(&[u8], usize); 3], pts: i64, key: bool) -> Result<(), Failure> {
        let picture = self.shape.copy(planes)?;
        Ok(self.encoder.send(&picture, pts, key)?)
    }

    pub(super) fn receive(&mut self) -> Result<Option<EncodedFrame>, Failure> {
        Ok(self.encoder.receive()?)
    }

    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.encoder.finish()?)
    }

    pub(super) fn codec_config(&mut self) -> Option<&[u8]> {
        self.config = self.encoder.codec_config();
        self.config.as_deref()
    }
}

/// A meter as C holds it: any thread, one at a time.
pub(super) struct HeldMeter {
    /// Until the stream's end.
    meter: Option<PictureMeter>,
    shape: CallerPicture,
}

impl HeldMeter {
    pub(super) fn open(metric: &str, width: u32, height: u32, bit_depth: u32) -> Result<Self, Failure> {
        let wrong = |_| Failure::usage(format!("there are no pictures of {bit_depth} bits"));
        let bit_depth = u8::try_from(bit_depth).map_err(wrong)?;
        let shape = CallerPicture::new(width, height, bit_depth)?;
        Ok(HeldMeter { meter: Some(PictureMeter::open(metric, width, height, bit_depth)?), shape })
    }

    pub(super) fn shape(&self) -> &CallerPicture {
        &self.shape
    }

    pub(super) fn push(&mut self, reference: &Picture, distorted: &Picture) -> Result<(), Failure> {
        let meter = self.meter.as_mut().ok_or_else(ended)?;
        Ok(meter.push(reference, distorted)?)
    }

    pub(super) fn finish(&mut self) -> Result<Scores, Failure> {
        Ok(self.meter.take().ok_or_else(ended)?.finish()?)
    }
}

fn ended() -> Failure {
    Failure::usage("the meter's stream has ended")
}

/// What C may do: hand them to another thread.
const _: () = {
    const fn may_move<T: Send>() {}
    may_move::<HeldEncoder>();
    may_move::<HeldMeter>();
};
