//! IVF: the chunk files of a run that is not finished. The format of libvpx' and libaom's tools, so that aomdec,
//! dav1d and FFmpeg play a chunk of AV1.
//!
//! 32 bytes of header, then for each frame its length (4 bytes), its time in frames (8 bytes) and a temporal unit; all
//! little-endian. Inside drapto units have no temporal delimiter (Matroska's form); the file has them, as players
//! expect.
//!
//! Of H.264 and H.265 such a file is an envelope that nobody else reads: units stand as MP4 and Matroska store them, in the
//! order of decoding, each with the position of its frame as its time; before them stands the codec's configuration, with
//! the greatest time there is.
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
    /// Of what.
    pub codec: IvfCodec,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IvfCodec {
    /// AV1: temporal units in the order of their frames.
    #[default]
    Av1,
    /// H.264, in drapto's own way.
    H264,
    /// H.265, in drapto's own way.
    Hevc,
}

impl IvfCodec {
    /// By FFmpeg's name.
    pub fn of(codec: &str) -> Option<Self> {
        [IvfCodec::Av1, IvfCodec::H264, IvfCodec::Hevc].into_iter().find(|own| own.name() == codec)
    }

    /// FFmpeg's name.
    pub fn name(self) -> &'static str {
        match self {
            IvfCodec::Av1 => "av1",
            IvfCodec::H264 => "h264",
            IvfCodec::Hevc => "hevc",
        }
    }

    fn fourcc(self) -> [u8; 4] {
        *match self {
            IvfCodec::Av1 => b"AV01",
            IvfCodec::H264 => b"H264",
            IvfCodec::Hevc => b"HEVC",
        }
    }
}

/// One picture of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IvfUnit {
    /// The position of its frame.
    pub position: u64,
    /// Its bytes as containers store them.
    pub data: Vec<u8>,
}

/// The time of the codec's configuration, which belongs to no frame.
const CONFIGURATION: u64 = u64::MAX;

/// Writes a file; the number of frames has to be known before.
pub struct IvfWriter<W: Write> {
    sink: W,
    codec: IvfCodec,
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
        bytes.extend(header.codec.fourcc());
        bytes.extend(header.width.to_le_bytes());
        bytes.extend(header.height.to_le_bytes());
        bytes.extend(header.rate.num().to_le_bytes());
        bytes.extend(header.rate.den().to_le_bytes());
        bytes.extend(header.frames.to_le_bytes());
        bytes.extend([0; 4]);
        sink.write_all(&bytes).map_err(failed)?;
        Ok(IvfWriter { sink, codec: header.codec, written: 0 })
    }

    /// Writes the codec's configuration, before all pictures; AV1 has it in its keyframes.
    ///
    /// # Errors
    /// `Output` where the sink fails; `Encode` behind a picture.
    pub fn configuration(&mut self, configuration: &[u8]) -> Result<()> {
        if self.written > 0 {
            return Err(Error::new(ErrorKind::Encode, "internal error: a configuration came behind a picture"));
        }
        if self.codec == IvfCodec::Av1 { Ok(()) } else { self.put(CONFIGURATION, &[], configuration) }
    }

    /// Writes the unit, which has no delimiter, of the frame at `position`; that is the next one in AV1.
    ///
    /// # Errors
    /// `Output` where the sink fails or the unit is too large for the format; `Encode` for AV1 out of order.
    pub fn write(&mut self, position: u64, unit: &[u8]) -> Result<()> {
        if self.codec == IvfCodec::Av1 && position != self.written {
            return Err(Error::new(ErrorKind::Encode, "internal error: a unit of AV1 came out of order"));
        }
        let delimiter: &[u8] = if self.codec == IvfCodec::Av1 { &DELIMITER } else { &[] };
        self.put(position, delimiter, unit)?;
        self.written += 1;
        Ok(())
    }

    fn put(&mut self, time: u64, delimiter: &[u8], unit: &[u8]) -> Result<()> {
        let length = u32::try_from(unit.len() + delimiter.len())
            .map_err(|_| Error::new(ErrorKind::Output, "a packet is too large for IVF"))?;
        let mut header = Vec::with_capacity(FRAME_HEADER + delimiter.len());
        header.extend(length.to_le_bytes());
        header.extend(time.to_le_bytes());
        header.extend(delimiter);
        self.sink.write_all(&header).and_then(|()| self.sink.write_all(unit)).map_err(failed)
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.sink
    }
}

/// What the header says.
///
/// # Errors
/// `Input` where it is none.
pub fn read_header(source: &mut impl Read) -> Result<IvfHeader> {
    let mut bytes = [0; HEADER];
    source.read_exact(&mut bytes).map_err(|e| broken("is no IVF file").caused_by(e))?;
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let codec = [IvfCodec::Av1, IvfCodec::H264, IvfCodec::Hevc].into_iter().find(|c| c.fourcc() == bytes[8..12]);
    let Some(codec) = codec.filter(|_| &bytes[..4] == b"DKIF" && usize::from(u16_at(6)) == HEADER) else {
        return Err(broken("is no IVF file of a codec that is known"));
    };
    let rate = |at| i32::try_from(u32_at(at)).unwrap_or(0);
    Ok(IvfHeader {
        width: u16_at(12),
        height: u16_at(14),
        rate: Rational::positive(rate(16), rate(20)).unwrap_or(Rational::ONE),
        frames: u32_at(24),
        codec,
    })
}

fn failed(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Output, "cannot write a chunk").caused_by(cause)
}

/// Reads a file's units, without their delimiters.
pub struct IvfReader<R: Read> {
    source: R,
    codec: IvfCodec,
    configuration: Option<Vec<u8>>,
    read: u64,
}

impl<R: Read> IvfReader<R> {
    /// Reads the header, and the configuration where the codec has one of its own.
    ///
    /// # Errors
    /// `Input` where there is none.
    pub fn new(mut source: R) -> Result<Self> {
        let codec = read_header(&mut source)?.codec;
        let mut reader = IvfReader { source, codec, configuration: None, read: 0 };
        if codec != IvfCodec::Av1 {
            let first = reader.entry()?.filter(|entry| entry.position == CONFIGURATION);
            reader.configuration = Some(first.ok_or_else(|| broken("the codec's configuration is missing"))?.data);
        }
        Ok(reader)
    }

    /// The codec's configuration; `None` of AV1.
    pub fn configuration(&self) -> Option<&[u8]> {
        self.configuration.as_deref()
    }

    /// The next unit, in the order of decoding; `None` at a clean end.
    ///
    /// # Errors
    /// `Input` where a frame is cut off, or in AV1 its number is not the next.
    #[allow(clippy::should_implement_trait)] // It can fail, and ends with `Ok(None)` as all streams here.
    pub fn next(&mut self) -> Result<Option<IvfUnit>> {
        let Some(IvfUnit { position, data }) = self.entry()? else { return Ok(None) };
        if position == CONFIGURATION || self.codec == IvfCodec::Av1 && position != self.read {
            return Err(broken("a frame is not the next"));
        }
        self.read += 1;
        let data = if self.codec == IvfCodec::Av1 { block_data(&data)?.into_owned() } else { data };
        Ok(Some(IvfUnit { position, data }))
    }

    fn entry(&mut self) -> Result<Option<IvfUnit>> {
        let mut header = Vec::with_capacity(FRAME_HEADER);
        self.take(FRAME_HEADER, &mut header)?;
        if header.is_empty() {
            return Ok(None);
        }
        let (Some(length), Some(number)) = (header.first_chunk::<4>(), header.last_chunk::<8>()) else {
            return Err(broken("a frame's header is cut off"));
        };
        if header.len() < FRAME_HEADER {
            return Err(broken("a frame's header is cut off"));
        }
        let position = u64::from_le_bytes(*number);
        let length = u32::from_le_bytes(*length) as usize;
        if length > LARGEST {
            return Err(broken("a frame is larger than can be"));
        }
        let mut unit = Vec::new();
        self.take(length, &mut unit)?;
        if unit.len() < length {
            return Err(broken("a frame is cut off"));
        }
        Ok(Some(IvfUnit { position, data: unit }))
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

    const HEAD: IvfHeader = IvfHeader { width: 640, height: 360, rate: Rational::ONE, frames: 2, codec: IvfCodec::Av1 };

    /// Two units, each a metadata OBU (type 5) with a size field.
    fn file() -> Vec<u8> {
        let mut writer = IvfWriter::new(Vec::new(), &HEAD).unwrap();
        writer.write(0, &[0x2a, 2, 7, 8]).unwrap();
        writer.write(1, &[0x2a, 1, 9]).unwrap();
        writer.into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut reader = IvfReader::new(bytes)?;
        let mut units = Vec::new();
        while let Some(unit) = reader.next()? {
            units.push(unit.data);
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
    fn units_of_other_codecs_keep_their_order_and_say_which_frame_they_are() {
        let head = IvfHeader { codec: IvfCodec::H264, ..HEAD };
        let mut writer = IvfWriter::new(Vec::new(), &head).unwrap();
        writer.configuration(&[1, 100]).unwrap();
        for position in [0, 3, 1, 2] {
            writer.write(position, &[0x12, 0, position as u8]).unwrap();
        }
        assert!(writer.configuration(&[1]).is_err());
        let bytes = writer.into_inner();
        let mut reader = IvfReader::new(&bytes[..]).unwrap();
        assert_eq!(reader.configuration(), Some(&[1, 100][..]));
        let mut positions = Vec::new();
        while let Some(unit) = reader.next().unwrap() {
            assert_eq!(unit.data, [0x12, 0, unit.position as u8], "nothing is taken off");
            positions.push(unit.position);
        }
        assert_eq!(positions, [0, 3, 1, 2]);
        assert!(IvfReader::new(&bytes[..HEADER]).is_err(), "a configuration there has to be");
        let mut av1 = IvfWriter::new(Vec::new(), &HEAD).unwrap();
        assert!(av1.write(1, &[0x2a, 1, 9]).is_err(), "AV1 is not reordered");
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
