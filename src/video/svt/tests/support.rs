//! Synthetic film, IVF and a minimal reading of AV1 OBUs (AV1 specification 5.3 and annex B is not used).
#![deny(unsafe_code)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::base::{CancelToken, Rational, Result, Timestamp};
use crate::media::{Color, Frame, FramePool, HdrStatic, PixelFormat, Subsampling};
use crate::video::{Crf, EncodedPacket, EncoderConfig, SvtSession};

pub const OBU_SEQUENCE_HEADER: u8 = 1;
pub const OBU_TEMPORAL_DELIMITER: u8 = 2;
pub const OBU_METADATA: u8 = 5;

pub fn config(width: u32, height: u32, preset: u8) -> EncoderConfig {
    EncoderConfig::new(width, height, Rational::positive(24, 1).unwrap(), Crf::whole(35).unwrap(), preset)
}

pub fn open(config: &EncoderConfig) -> SvtSession {
    SvtSession::open_when_free(config, &CancelToken::new()).unwrap()
}

/// A texture that moves over a gradient, with a cut every 40 frames.
pub fn sample(x: usize, y: usize, n: usize, plane: usize, depth: u8) -> u16 {
    let scene = n / 40;
    let (mx, my) = (x + 3 * n, y + n);
    let texture = (mx * mx / 7 + my * (5 + scene)) ^ (mx / 4 * 9 + my / 8 * 13);
    let value = 40 + (x / 4 + y / 2 + scene * 50) % 120 + texture % 48 + plane * 5;
    (value as u16) << (depth - 8)
}

/// Frame `n` of the synthetic film, in rows of the pool's own stride.
pub fn frame(width: u32, height: u32, depth: u8, n: usize) -> Frame {
    let format = PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth };
    let mut buffer = FramePool::new(format, width, height).take();
    let mut frame = Frame {
        index: n as u64,
        pts: Timestamp::new(n as i64, Rational::positive(1, 24).unwrap()),
        duration: None,
        width,
        height,
        format,
        color: Color::default(),
        hdr: HdrStatic::default(),
        dynamic: Default::default(),
        planes: Arc::new(FramePool::new(format, 2, 2).take()),
    };
    for (plane, (bytes, stride)) in buffer.planes_mut().into_iter().enumerate() {
        let (w, h) = frame.plane_size(plane);
        for (y, row) in bytes.chunks_mut(stride).take(h).enumerate() {
            for x in 0..w {
                let value = sample(x, y, n, plane, depth);
                match depth {
                    8 => row[x] = value as u8,
                    _ => row[2 * x..2 * x + 2].copy_from_slice(&value.to_ne_bytes()),
                }
            }
        }
    }
    frame.planes = Arc::new(buffer);
    frame
}

/// Sends `frames` and returns all packets.
pub fn encode(config: &EncoderConfig, frames: impl Iterator<Item = Frame>) -> Vec<EncodedPacket> {
    drive(open(config), frames).unwrap()
}

pub fn drive(mut encoder: SvtSession, frames: impl Iterator<Item = Frame>) -> Result<Vec<EncodedPacket>> {
    let mut packets = Vec::new();
    for frame in frames {
        encoder.send(&frame)?;
        while let Some(packet) = encoder.receive()? {
            packets.push(packet);
        }
    }
    let mut rest = encoder.finish()?;
    while let Some(packet) = rest.next_packet()? {
        packets.push(packet);
    }
    assert!(rest.next_packet()?.is_none(), "the end stays the end");
    Ok(packets)
}

pub fn film(width: u32, height: u32, depth: u8, frames: usize) -> impl Iterator<Item = Frame> {
    (0..frames).map(move |n| frame(width, height, depth, n))
}

pub fn bytes(packets: &[EncodedPacket]) -> Vec<Vec<u8>> {
    packets.iter().map(|p| p.data.to_vec()).collect()
}

/// `(obu_type, payload)` of each OBU; every one has a size, as in SVT-AV1's output.
pub fn obus(mut unit: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while let [header, rest @ ..] = unit {
        assert_eq!(header & 0x80, 0, "forbidden bit");
        assert_eq!(header & 0x02, 0x02, "has a size field");
        let mut rest = if header & 0x04 != 0 { &rest[1..] } else { rest };
        let mut size = 0usize;
        for i in 0.. {
            let byte = rest[0];
            rest = &rest[1..];
            size |= usize::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                break;
            }
        }
        all.push((header >> 3 & 15, &rest[..size]));
        unit = &rest[size..];
    }
    all
}

/// The payload of the metadata OBU of `metadata_type` (1 light level, 2 mastering display), without the type.
pub fn metadata(unit: &[u8], metadata_type: u8) -> Option<Vec<u8>> {
    let found = obus(unit).into_iter().find(|(kind, data)| *kind == OBU_METADATA && data[0] == metadata_type);
    found.map(|(_, data)| data[1..].to_vec())
}

pub fn write_y4m(path: &Path, width: u32, height: u32, depth: u8, frames: usize) {
    let tag = if depth == 8 { "420jpeg" } else { "420p10" };
    let mut out = format!("YUV4MPEG2 W{width} H{height} F24:1 Ip A1:1 C{tag}\n").into_bytes();
    for frame in film(width, height, depth, frames) {
        out.extend_from_slice(b"FRAME\n");
        for plane in 0..3 {
            let (w, h) = frame.plane_size(plane);
            let row_bytes = w * if depth == 8 { 1 } else { 2 };
            for row in frame.planes.plane(plane).chunks(frame.planes.stride(plane)).take(h) {
                out.extend_from_slice(&row[..row_bytes]);
            }
        }
    }
    fs::write(path, out).unwrap();
}

pub fn write_ivf(path: &Path, width: u32, height: u32, packets: &[EncodedPacket]) {
    let mut out = b"DKIF\0\0\x20\0AV01".to_vec();
    out.extend_from_slice(&(width as u16).to_le_bytes());
    out.extend_from_slice(&(height as u16).to_le_bytes());
    for word in [24u32, 1, packets.len() as u32, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for packet in packets {
        out.extend_from_slice(&(packet.data.len() as u32).to_le_bytes());
        out.extend_from_slice(&packet.frame_index.to_le_bytes());
        out.extend_from_slice(&packet.data);
    }
    fs::write(path, out).unwrap();
}

pub fn read_ivf(path: &Path) -> Vec<Vec<u8>> {
    let file = fs::read(path).unwrap();
    let mut rest = &file[32..];
    let mut units = Vec::new();
    while rest.len() >= 12 {
        let size = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        units.push(rest[12..12 + size].to_vec());
        rest = &rest[12 + size..];
    }
    units
}

/// What a program prints, or `None` (with a word about it) where it is not installed.
pub fn output_of(program: &str, args: &[&str]) -> Option<String> {
    match Command::new(program).args(args).stdin(Stdio::null()).output() {
        Ok(out) => {
            assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
            Some(String::from_utf8_lossy(&out.stdout).into_owned())
        }
        Err(error) => {
            crate::base::skipped(format_args!("cannot run {program}: {error}"));
            None
        }
    }
}
