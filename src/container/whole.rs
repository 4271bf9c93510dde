//! Whether a file is all there, by its own structure.
//!
//! A header's duration is a promise that is often wrong; sizes are not. Known are Matroska (RFC 9559 §5.1: elements of the
//! first level follow each other to the Segment's end), ISO base media (ISO/IEC 14496-12 §4.2: boxes), RIFF (its chunk
//! sizes) and ASF (File Properties Object, ASF specification §3.2). Reads headers only, never panics.
#![deny(unsafe_code)]

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::mkv::ebml::id;

/// Elements of the first level of a Segment.
const LEVEL_1: [u32; 10] = [
    id::SEEK_HEAD,
    id::INFO,
    id::TRACKS,
    id::CLUSTER,
    id::CUES,
    id::ATTACHMENTS,
    id::CHAPTERS,
    id::TAGS,
    id::VOID,
    id::CRC_32,
];
/// No file has more elements that are looked at than this.
const MOST: usize = 1 << 20;
/// `ASF_File_Properties_Object`.
const ASF_PROPERTIES: [u8; 16] =
    [0xA1, 0xDC, 0xAB, 0x8C, 0x47, 0xA9, 0xCF, 0x11, 0x8E, 0xE4, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65];
/// `ASF_Header_Object`.
const ASF_HEADER: [u8; 16] =
    [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6, 0xD9, 0x00, 0xAA, 0x00, 0x62, 0xCE, 0x6C];

/// Whether the file at `path` ends before its structure does, or its structure breaks off in what is none; `None` where the
/// format is not known or the file cannot be read.
pub fn is_cut_short(path: &Path) -> Option<bool> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    of(file, length)
}

fn of<R: Read + Seek>(input: R, length: u64) -> Option<bool> {
    let mut bytes = StructureBytes { input, length };
    let head: [u8; 16] = bytes.at(0)?;
    match head {
        [0x1A, 0x45, 0xDF, 0xA3, ..] => matroska(&mut bytes),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => boxes(&mut bytes),
        [b'R', b'I', b'F', b'F', ..] => riff(&mut bytes),
        ASF_HEADER => asf(&mut bytes),
        _ => None,
    }
}

struct StructureBytes<R> {
    input: R,
    length: u64,
}

impl<R: Read + Seek> StructureBytes<R> {
    fn at<const N: usize>(&mut self, place: u64) -> Option<[u8; N]> {
        let mut out = [0; N];
        self.input.seek(SeekFrom::Start(place)).ok()?;
        self.input.read_exact(&mut out).ok()?;
        Some(out)
    }

    /// The id and size of an EBML element (RFC 8794 §4, §5) and where its content begins; no size where that is unknown.
    fn element(&mut self, place: u64) -> Option<(u32, Option<u64>, u64)> {
        let first: [u8; 1] = self.at(place)?;
        let id_bytes = first[0].leading_zeros() as u64 + 1;
        if id_bytes > 4 {
            return None;
        }
        let mut number = 0u32;
        for i in 0..id_bytes {
            let [byte] = self.at(place + i)?;
            number = number << 8 | u32::from(byte);
        }
        let [first] = self.at(place + id_bytes)?;
        let size_bytes = u64::from(first.leading_zeros()) + 1;
        if size_bytes > 8 {
            return None;
        }
        let mut size = u64::from(first) & (0xFF >> size_bytes);
        for i in 1..size_bytes {
            let [byte] = self.at(place + id_bytes + i)?;
            size = size << 8 | u64::from(byte);
        }
        let unknown = size == (1 << (7 * size_bytes)) - 1;
        Some((number, (!unknown).then_some(size), place + id_bytes + size_bytes))
    }
}

fn matroska<R: Read + Seek>(bytes: &mut StructureBytes<R>) -> Option<bool> {
    let (_, header, begin) = bytes.element(0)?;
    let (segment, size, mut at) = bytes.element(begin.checked_add(header?)?)?;
    if segment != id::SEGMENT {
        return None;
    }
    // Streams that were written to a pipe have no sizes, and break no promise.
    let Some(size) = size else { return Some(false) };
    let end = at.checked_add(size)?;
    if end > bytes.length {
        return Some(true);
    }
    for _ in 0..MOST {
        if at >= end {
            return Some(at > end);
        }
        let Some((kind, size, content)) = bytes.element(at) else { return Some(true) };
        if !LEVEL_1.contains(&kind) {
            return Some(true);
        }
        let Some(size) = size else { return Some(false) };
        at = content.checked_add(size)?;
    }
    Some(false)
}

fn boxes<R: Read + Seek>(bytes: &mut StructureBytes<R>) -> Option<bool> {
    let mut at = 0u64;
    for _ in 0..MOST {
        if at >= bytes.length {
            return Some(at > bytes.length);
        }
        // What follows the last box need not be one.
        let Some([a, b, c, d, ..]) = bytes.at::<8>(at) else { return Some(false) };
        let size = match u32::from_be_bytes([a, b, c, d]) {
            0 => return Some(false),
            1 => u64::from_be_bytes(bytes.at(at + 8)?),
            size => u64::from(size),
        };
        if size < 8 {
            return Some(false);
        }
        at = at.checked_add(size)?;
    }
    Some(false)
}

fn riff<R: Read + Seek>(bytes: &mut StructureBytes<R>) -> Option<bool> {
    let mut at = 0u64;
    // Files above 1 GiB go on in further RIFF chunks (OpenDML).
    while let Some([b'R', b'I', b'F', b'F', a, b, c, d]) = bytes.at::<8>(at) {
        let size = u64::from(u32::from_le_bytes([a, b, c, d]));
        // A recording that was not finished promises nothing.
        if size == 0 {
            return Some(false);
        }
        at = at.checked_add(8 + size)?;
        if at > bytes.length {
            return Some(true);
        }
        at += size % 2;
    }
    Some(false)
}

fn asf<R: Read + Seek>(bytes: &mut StructureBytes<R>) -> Option<bool> {
    let [a, b, c, d] = bytes.at(24)?;
    let mut at = 30u64;
    for _ in 0..u32::from_le_bytes([a, b, c, d]).min(1000) {
        let kind: [u8; 16] = bytes.at(at)?;
        let size = u64::from_le_bytes(bytes.at(at + 16)?);
        if kind == ASF_PROPERTIES {
            let promised = u64::from_le_bytes(bytes.at(at + 40)?);
            // Bit 0 of the flags: written while it was sent, so that nothing but the identifiers holds.
            let [flags, ..]: [u8; 4] = bytes.at(at + 88)?;
            return Some(flags & 1 == 0 && promised > bytes.length);
        }
        at = at.checked_add(size.max(24))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn short(bytes: &[u8]) -> Option<bool> {
        of(Cursor::new(bytes), bytes.len() as u64)
    }

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        [id, &[0x10 | (content.len() >> 24) as u8], &(content.len() as u32).to_be_bytes()[1..], content].concat()
    }

    #[test]
    fn matroska_is_whole_where_its_elements_fill_the_segment() {
        let header = element(&[0x1A, 0x45, 0xDF, 0xA3], &[0; 20]);
        let cluster = element(&[0x1F, 0x43, 0xB6, 0x75], &[7; 100]);
        let cues = element(&[0x1C, 0x53, 0xBB, 0x6B], &[7; 9]);
        let segment = element(&[0x18, 0x53, 0x80, 0x67], &[&cluster[..], &cluster, &cues].concat());
        let file = [header.clone(), segment].concat();
        assert_eq!(short(&file), Some(false));
        assert_eq!(short(&file[..file.len() - 30]), Some(true));
        // A download whose end was never written.
        let mut holes = file.clone();
        let at = file.len() - 60;
        holes[at..].fill(0);
        assert_eq!(short(&holes), Some(true));
        let live = [&header[..], &[0x18, 0x53, 0x80, 0x67, 0xFF], &cluster].concat();
        assert_eq!(short(&live), Some(false));
    }

    #[test]
    fn boxes_and_chunks_are_whole_where_the_last_one_ends_with_the_file() {
        let part = |name: &[u8; 4], n: u32| [&(n + 8).to_be_bytes()[..], name, &vec![1; n as usize]].concat();
        let mp4 = [part(b"ftyp", 12), part(b"moov", 40), part(b"mdat", 200)].concat();
        assert_eq!((short(&mp4), short(&mp4[..200])), (Some(false), Some(true)));
        let avi = [&b"RIFF"[..], &40u32.to_le_bytes(), &[2; 40]].concat();
        assert_eq!((short(&avi), short(&avi[..30])), (Some(false), Some(true)));
        assert_eq!(short(b"something else entirely"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(start in 0usize..4, rest in proptest::collection::vec(any::<u8>(), 0..200)) {
            let starts: [&[u8]; 4] = [&[0x1A, 0x45, 0xDF, 0xA3], b"\0\0\0\x10ftyp", b"RIFF", &ASF_HEADER];
            let _ = short(&[starts[start], &rest].concat());
        }
    }
}
