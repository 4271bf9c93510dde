//! What the tests share: clips, tools, tracks, packets.
#![deny(unsafe_code)]

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::base::{Rational, Span, Timestamp};
use crate::container::{MuxStats, Writer};
use crate::media::{FileParams, Packet, PacketData, SubtitleTrackParams, TrackCodec, TrackKind, TrackParams};
use crate::syntax::{av1, opus as opus_syntax};

/// The sequence header SVT-AV1 1.4.1 writes for a 320×180 10-bit test pattern in BT.2020 PQ.
pub const SEQUENCE: [u8; 16] =
    [0x0A, 0x0E, 0x00, 0x00, 0x00, 0x04, 0x3C, 0xFE, 0xCC, 0xFB, 0xF9, 0x50, 0x91, 0x00, 0x90, 0x40];

/// A temporal unit as an encoder gives it: delimiter, sequence header for keyframes, a frame of `size` bytes.
pub fn access_unit(key: bool, size: usize) -> Vec<u8> {
    let mut out = vec![0x12, 0x00];
    if key {
        out.extend(SEQUENCE);
    }
    out.push(6 << 3); // the last OBU needs no size
    out.extend((0..size).map(|i| (i * 31 % 251) as u8));
    out
}

pub fn clip(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media").join(name);
    if path.exists() {
        return Some(path);
    }
    crate::base::missing(format_args!("no clip {name} in ../shared/media"));
    None
}

/// Runs a tool in a locale that has all letters; `None`, said aloud, where it is not installed. A tool that fails fails the
/// test.
pub fn tool(name: &str, args: &[&str]) -> Option<String> {
    match Command::new(name).env("LC_ALL", "C.UTF-8").args(args).output() {
        Err(_) => {
            crate::base::missing(format_args!("{name} is not installed"));
            None
        }
        Ok(out) => {
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            let errors = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{name} {args:?}: {text}{errors}");
            assert!(errors.trim().is_empty() || name == "mkvinfo", "{name} {args:?} complains: {errors}");
            Some(text)
        }
    }
}

pub fn path_str(path: &Path) -> &str {
    path.to_str().expect("scratch paths are plain")
}

pub fn ms(t: i64) -> Timestamp {
    Timestamp::new(t, Rational::MILLI)
}

pub fn packet(t: i64, data: Vec<u8>) -> Packet {
    Packet::new(ms(t), PacketData::new(data))
}

pub fn lasting(mut packet: Packet, duration: i64) -> Packet {
    packet.duration = Some(Span::new(duration, Rational::MILLI));
    packet
}

pub fn video() -> TrackParams {
    TrackParams::new(TrackKind::Video(av1::track(&access_unit(true, 4)).unwrap()))
}

pub fn opus_head(channels: u8) -> Vec<u8> {
    let mut head =
        [b"OpusHead\x01".as_slice(), &[channels], &312u16.to_le_bytes(), &48_000u32.to_le_bytes(), &[0; 3]].concat();
    if channels > 2 {
        head[18] = 1;
        head.extend([4, 2, 0, 4, 1, 2, 3, 5]);
    }
    head
}

pub fn opus() -> TrackParams {
    TrackParams::new(TrackKind::Audio(opus_syntax::track(&opus_head(2)).unwrap()))
}

pub fn subtitle(codec_id: &str) -> TrackParams {
    TrackParams::new(TrackKind::Subtitle(SubtitleTrackParams::new(
        TrackCodec::Matroska(codec_id.to_owned()),
        Vec::new(),
    )))
}

pub fn header(tracks: Vec<TrackParams>) -> FileParams {
    FileParams { muxing_app: "test 1".into(), writing_app: "test 2".into(), tracks, ..FileParams::default() }
}

/// Writes `packets` in the given order into memory.
pub fn mux(header: &FileParams, packets: &[(usize, Packet)]) -> (MuxStats, Vec<u8>) {
    let mut writer = Writer::new(Cursor::new(Vec::new()), None, header).unwrap();
    for (track, packet) in packets {
        writer.write(*track, packet).unwrap();
    }
    let (stats, out) = writer.finish().unwrap();
    (stats, out.into_inner())
}

/// The same, into a file under `dir`.
pub fn mux_file(dir: &Path, header: &FileParams, packets: &[(usize, Packet)]) -> (MuxStats, PathBuf) {
    let (stats, bytes) = mux(header, packets);
    let path = dir.join("out.mkv");
    std::fs::write(&path, bytes).unwrap();
    (stats, path)
}
