//! IVF: the chunk files of a run that is not finished. The format of libvpx' and libaom's tools, so that aomdec,
//! dav1d and FFmpeg play a chunk.
//!
//! 32 bytes of header, then for each frame its length (4 bytes), its time in frames (8 bytes) and a temporal unit; all
//! little-endian. Inside drapto units have no temporal delimiter (Matroska's form); the file has them, as players
//! expect.
#![deny(unsafe_code)]

mod muxer;

use std::io::{Read, Write};

use crate::base::{Error, ErrorKind, Rational, Result};
use crate::syntax::av1::block_data;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 12;

/// Where the number of frames stands in the header.
const FRAMES_AT: u64 = 24;

pub use muxer::IvfMuxer;

/// A temporal delimiter OBU with a size field of 0 (AV1 5.3, 5.6).
const DELIMITER: [u8; 2] = [0x12, 0x00];

/// The largest unit that is believed.
const LARGEST: usize = 1 << 30;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IvfHeader {
    /// Width in luma samples; 0 where it does not fit the field.
    pub width: u16,
    /// Height in luma samples.
    pub height: u16,
    /// Frames a second.
    pub rate: Rational,
    /// Frames in the file.
    pub frames: u32,
}

/// Writes a file; the number of frames has to be known before.
pub struct IvfWriter<W: Write> {
    sink: W,
    written: u64,
}

impl<W: Write> IvfWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// `Output` where the sink fails.
    pub fn new(mut sink: W, header: &IvfHeader) -> Result<Self> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(b"DKIF\0\0");
        bytes.extend((HEADER as u16).to_le_bytes());
        bytes.extend(b"AV01");
        bytes.extend(header.width.to_le_bytes());
        bytes.extend(header.height.to_le_bytes());
        bytes.extend(header.rate.num().to_le_bytes());
        bytes.extend(header.rate.den().to_le_bytes());
        bytes.extend(header.frames.to_le_bytes());
        bytes.extend([0; 4]);
        sink.write_all(&bytes).map_err(failed)?;
        Ok(IvfWriter { sink, written: 0 })
    }

    /// Writes the next frame's unit, which has no delimiter.
    ///
    /// # Errors
    /// `Output` where the sink fails or the unit is too large for the format.
    pub fn write(&mut self, unit: &[u8]) -> Result<()> {
        let length = u32::try_from(unit.len() + DELIMITER.len())
            .map_err(|_| Error::new(ErrorKind::Output, "a packet is too large for IVF"))?;
        let mut header = [0; FRAME_HEADER + 2];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4..12].copy_from_slice(&self.written.to_le_bytes());
        header[12..].copy_from_slice(&DELIMITER);
        self.sink.write_all(&header).and_then(|()| self.sink.write_all(unit)).map_err(failed)?;
        self.written += 1;
        Ok(())
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.sink
    }
}

/// What the header says.
///
/// # Errors
/// `Input` where it is none of AV1.
pub fn read_header(source: &mut impl Read) -> Result<IvfHeader> {
    let mut bytes = [0; HEADER];
    source.read_exact(&mut bytes).map_err(|e| broken("is no IVF file").caused_by(e))?;
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if &bytes[..4] != b"DKIF" || &bytes[8..12] != b"AV01" || usize::from(u16_at(6)) != HEADER {
        return Err(broken("is no IVF file of AV1"));
    }
    let rate = |at| i32::try_from(u32_at(at)).unwrap_or(0);
    Ok(IvfHeader {
        width: u16_at(12),
        height: u16_at(14),
        rate: Rational::positive(rate(16), rate(20)).unwrap_or(Rational::ONE),
        frames: u32_at(24),
    })
}

fn failed(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Output, "cannot write a chunk").caused_by(cause)
}

/// Reads a file's units, without their delimiters.
pub struct IvfReader<R: Read> {
    source: R,
    read: u64,
}

impl<R: Read> IvfReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// `Input` where it is none of AV1.
    pub fn new(mut source: R) -> Result<Self> {
        read_header(&mut source)?;
        Ok(IvfReader { source, read: 0 })
    }

    /// The next unit; `None` at a clean end.
    ///
    /// # Errors
    /// `Input` where a frame is cut off or its number is not the next.
    #[allow(clippy::should_implement_trait)] // It can fail, and ends with `Ok(None)` as all streams here.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut header = Vec::with_capacity(FRAME_HEADER);
        self.take(FRAME_HEADER, &mut header)?;
        if header.is_empty() {
            return Ok(None);
        }
        let (Some(length), Some(number)) = (header.first_chunk::<4>(), header.last_chunk::<8>()) else {
            return Err(broken("a frame's header is cut off"));
        };
        if header.len() < FRAME_HEADER || u64::from_le_bytes(*number) != self.read {
            return Err(broken("a frame is not the next"));
        }
        let length = u32::from_le_bytes(*length) as usize;
        if length > LARGEST {
            return Err(broken("a frame is larger than can be"));
        }
        let mut unit = Vec::new();
        self.take(length, &mut unit)?;
        if unit.len() < length {
            return Err(broken("a frame is cut off"));
        }
        self.read += 1;
        Ok(Some(block_data(&unit)?.into_owned()))
    }

    /// Appends up to `length` bytes, growing with what is really there.
    fn take(&mut self, length: usize, into: &mut Vec<u8>) -> Result<()> {
        let read = (&mut self.source).take(length as u64).read_to_end(into);
        read.map(drop).map_err(|e| broken("cannot be read on").caused_by(e))
    }
}

fn broken(message: &str) -> Error {
    Error::new(ErrorKind::Input, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: IvfHeader = IvfHeader { width: 640, height: 360, rate: Rational::ONE, frames: 2 };

    /// Two units, each a metadata OBU (type 5) with a size field.
    fn file() -> Vec<u8> {
        let mut writer = IvfWriter::new(Vec::new(), &HEAD).unwrap();
        writer.write(&[0x2a, 2, 7, 8]).unwrap();
        writer.write(&[0x2a, 1, 9]).unwrap();
        writer.into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut reader = IvfReader::new(bytes)?;
        let mut units = Vec::new();
        while let Some(unit) = reader.next()? {
            units.push(unit);
        }
        Ok(units)
    }

    #[test]
    fn units_come_back_as_they_were_and_begin_with_a_delimiter_in_the_file() {
        let bytes = file();
        assert_eq!(bytes[HEADER + FRAME_HEADER..][..2], DELIMITER);
        assert_eq!(read_header(&mut &bytes[..]).unwrap(), HEAD);
        assert_eq!(read(&bytes).unwrap(), [vec![0x2a, 2, 7, 8], vec![0x2a, 1, 9]]);
    }

    #[test]
    fn a_file_cut_anywhere_but_between_frames_is_an_error() {
        let bytes = file();
        let ends = [HEADER, HEADER + FRAME_HEADER + 6, bytes.len()];
        for length in 0..=bytes.len() {
            assert_eq!(read(&bytes[..length]).is_ok(), ends.contains(&length), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_an_error_or_units_never_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let mut with_head = file()[..HEADER].to_vec();
            with_head.append(&mut bytes);
            let _ = read(&with_head);
        }
    }
}
