//! A small YUV4MPEG2 reader: enough for the pairs with published scores.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use crate::base::{Rational, Timestamp};
use crate::media::{Color, Frame, HdrStatic, PixelFormat, Planes};

/// Planes without padding, one after the other.
pub struct Packed {
    bytes: Vec<u8>,
    starts: [usize; 4],
    strides: [usize; 3],
}

impl Planes for Packed {
    fn plane(&self, index: usize) -> &[u8] {
        match self.starts.get(index..index + 2) {
            Some(&[start, end]) => &self.bytes[start..end],
            _ => &[],
        }
    }
    fn stride(&self, index: usize) -> usize {
        self.strides.get(index).copied().unwrap_or(0)
    }
    fn byte_len(&self) -> usize {
        self.bytes.len()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A frame of packed 4:2:0 samples made by `fill` from nothing but a buffer of the right size.
pub fn packed(index: u64, width: u32, height: u32, depth: u8, fill: impl FnOnce(&mut [u8])) -> Frame {
    let format = if depth == 8 { PixelFormat::YUV420P8 } else { PixelFormat::YUV420P10 };
    let mut frame = Frame {
        index,
        pts: Timestamp::new(index as i64, Rational::positive(1, 24).unwrap()),
        duration: None,
        width,
        height,
        format,
        color: Color::default(),
        hdr: HdrStatic::default(),
        dynamic: Default::default(),
        planes: Arc::new(Packed { bytes: Vec::new(), starts: [0; 4], strides: [0; 3] }),
    };
    let (mut starts, mut strides) = ([0; 4], [0; 3]);
    for i in 0..3 {
        let (w, h) = frame.plane_size(i);
        strides[i] = w * format.bytes_per_sample().unwrap();
        starts[i + 1] = starts[i] + strides[i] * h;
    }
    let mut bytes = vec![0; starts[3]];
    fill(&mut bytes);
    frame.planes = Arc::new(Packed { bytes, starts, strides });
    frame
}

/// All frames of a 4:2:0 file of 8 or 10 bits.
pub fn read(path: &Path) -> Vec<Frame> {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let line = |bytes: &[u8]| bytes.iter().position(|&b| b == b'\n').expect("a header line");
    let end = line(&file);
    let header = std::str::from_utf8(&file[..end]).unwrap();
    let field = |tag: char| header.split(' ').skip(1).find_map(|f| f.strip_prefix(tag)).unwrap_or_default();
    let (width, height) = (field('W').parse().unwrap(), field('H').parse().unwrap());
    let depth = match field('C') {
        "420p10" => 10,
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => 8,
        other => panic!("{}: colour space {other}", path.display()),
    };
    let (mut rest, mut frames) = (&file[end + 1..], Vec::new());
    while !rest.is_empty() {
        assert!(rest.starts_with(b"FRAME"), "{}: not a frame", path.display());
        rest = &rest[line(rest) + 1..];
        let frame = packed(frames.len() as u64, width, height, depth, |out| {
            out.copy_from_slice(&rest[..out.len()]);
        });
        rest = &rest[frame.byte_len()..];
        frames.push(frame);
    }
    frames
}
