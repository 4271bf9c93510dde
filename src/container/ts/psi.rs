//! The tables of a transport stream that say what is in it (ISO/IEC 13818-1 §2.4.4, ETSI EN 300 468 §5.2.3).
#![deny(unsafe_code)]

use crate::media::StreamKind;

/// A stream as the program map table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsStream {
    /// The PID of its packets.
    pub pid: u16,
    /// `None` for what is neither picture nor sound.
    pub kind: Option<StreamKind>,
    /// FFmpeg's name of its codec; empty for codecs that are not written here.
    pub codec: &'static str,
    /// ISO 639-2, where it is said.
    pub language: Option<String>,
}

/// The body of a section whose table is `table`, between its header of eight bytes and its checksum; `None` where it is another's
/// or not whole.
fn body(section: &[u8], table: u8) -> Option<&[u8]> {
    let [id, high, low, ..] = *section else { return None };
    let length = usize::from(high & 0x0F) << 8 | usize::from(low);
    let whole = section.get(..3 + length).filter(|_| id == table)?;
    whole.get(8..whole.len().checked_sub(4)?)
}

/// The PID of the first program's map, by the program association table.
pub(super) fn program_map(section: &[u8]) -> Option<u16> {
    let programs = body(section, 0)?.as_chunks::<4>().0;
    programs.iter().find(|p| p[..2] != [0, 0]).map(|p| u16::from_be_bytes([p[2] & 0x1F, p[3]]))
}

/// The PID of the clock, and the streams.
pub(super) fn streams(section: &[u8]) -> Option<(u16, Vec<TsStream>)> {
    let body = body(section, 2)?;
    let [clock_high, clock_low, info_high, info_low, rest @ ..] = body else { return None };
    let info = usize::from(info_high & 0x0F) << 8 | usize::from(*info_low);
    let mut rest = rest.get(info..)?;
    let mut out = Vec::new();
    while let [form, pid_high, pid_low, length_high, length_low, after @ ..] = rest {
        let length = usize::from(length_high & 0x0F) << 8 | usize::from(*length_low);
        let about = after.get(..length)?;
        let (kind, codec) = codec(*form);
        let language = descriptor(about, 0x0A).and_then(|d| d.get(..3));
        out.push(TsStream {
            pid: u16::from_be_bytes([pid_high & 0x1F, *pid_low]),
            kind,
            codec,
            language: language.map(|code| String::from_utf8_lossy(code).into_owned()),
        });
        rest = &after[length..];
    }
    Some((u16::from_be_bytes([clock_high & 0x1F, *clock_low]), out))
}

/// The name of the first service, by the service description table.
pub(super) fn service_name(section: &[u8]) -> Option<String> {
    let body = body(section, 0x42)?;
    // Network and a reserved byte; then id, flags and the length of what is said of the service.
    let [_, _, _, _, _, _, high, low, about @ ..] = body else { return None };
    let length = usize::from(high & 0x0F) << 8 | usize::from(*low);
    let said = descriptor(about.get(..length)?, 0x48)?;
    let provider = usize::from(*said.get(1)?);
    let name = said.get(2 + provider..)?;
    let name = name.get(1..1 + usize::from(*name.first()?))?;
    // A first byte below 0x20 names the alphabet (annex A); 0x15 is UTF-8.
    let name = if name.first().is_some_and(|first| *first < 0x20) { &name[1..] } else { name };
    Some(String::from_utf8_lossy(name).into_owned())
}

/// The content of the first descriptor of a tag.
fn descriptor(mut all: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [tag, length, rest @ ..] = all {
        let content = rest.get(..usize::from(*length))?;
        if *tag == wanted {
            return Some(content);
        }
        all = &rest[content.len()..];
    }
    None
}

/// By `stream_type` (table 2-34; AC-3 by ATSC A/53).
fn codec(form: u8) -> (Option<StreamKind>, &'static str) {
    match form {
        0x1B => (Some(StreamKind::Video), "h264"),
        0x24 => (Some(StreamKind::Video), "hevc"),
        0x03 | 0x04 => (Some(StreamKind::Audio), "mp3"),
        0x0F => (Some(StreamKind::Audio), "aac"),
        0x81 => (Some(StreamKind::Audio), "ac3"),
        0x87 => (Some(StreamKind::Audio), "eac3"),
        _ => (None, ""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tables_say_what_is_in_the_stream() {
        let pat = [0, 0xB0, 13, 0, 1, 0xC1, 0, 0, 0, 1, 0xF0, 0x00, 1, 2, 3, 4];
        assert_eq!(program_map(&pat), Some(0x1000));
        let mut map = vec![2, 0xB0, 0, 0, 1, 0xC1, 0, 0, 0xE1, 0x00, 0xF0, 0];
        map.extend([0x24, 0xE1, 0x00, 0xF0, 0]);
        map.extend([0x0F, 0xE1, 0x01, 0xF0, 6, 0x0A, 4, b'd', b'e', b'u', 0]);
        map.extend([9; 4]);
        map[2] = map.len() as u8 - 3;
        let (clock, found) = streams(&map).unwrap();
        assert_eq!((clock, found.len()), (0x100, 2));
        assert_eq!((found[0].codec, found[1].codec), ("hevc", "aac"));
        assert_eq!(found[1].language.as_deref(), Some("deu"));
    }

    proptest! {
        #[test]
        fn rubbish_is_no_table_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), table in 0u8..3) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = [0, 2, 0x42][usize::from(table)];
            }
            let _ = (program_map(&bytes), streams(&bytes), service_name(&bytes));
        }
    }
}
