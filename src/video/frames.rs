//! What every encoder asks of the frames that come to it.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, PixelFormat, Subsampling};

/// `Encode` at the frame's time unless it is 4:2:0 of that size and depth, and has the index that is due.
pub(super) fn expect(frame: &Frame, size: (u32, u32), depth: u8, due: Option<u64>) -> Result<()> {
    let wanted = PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth };
    let failed = |message: String| Err(Error::new(ErrorKind::Encode, message).at(frame.pts));
    if frame.format != wanted || (frame.width, frame.height) != size {
        let (w, h) = size;
        return failed(format!(
            "a frame of {}x{} {:?} came to an encoder of {w}x{h} {wanted:?}",
            frame.width, frame.height, frame.format
        ));
    }
    match due {
        Some(next) if next != frame.index => failed(format!("frame {} came where frame {next} was due", frame.index)),
        _ => Ok(()),
    }
}
