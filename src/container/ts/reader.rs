//! What a transport stream holds, packet by packet, by a reader that shares nothing with the muxer.
//!
//! Files of packets of 188 bytes with one program, as are written here and by most others; what is lost or out of order is
//! counted and not repaired.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

pub use super::psi::TsStream;
use super::psi::{program_map, service_name, streams};
use crate::base::{Error, ErrorKind, Result};

/// Bytes of a packet, and the first of each.
const PACKET: usize = 188;
const SYNC: u8 = 0x47;

/// Times wrap around after so many ticks of 90 kHz (33 bits).
const WRAP: i64 = 1 << 33;

/// More than this no access unit has here; a stream that goes on without a new one is none of ours.
const LARGEST: usize = 256 << 20;

/// The PIDs of the tables that are at fixed places: programs, services.
const PROGRAMS: u16 = 0;
const SERVICES: u16 = 0x11;

/// A packet of a stream: of pictures an access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PesPacket {
    /// Which of the streams.
    pub stream: usize,
    /// When it is shown and decoded, in ticks of 90 kHz that do not wrap around.
    pub pts: i64,
    /// As it is told; where it is not, the other.
    pub dts: i64,
    /// Whether decoding can start there, by the word of its first packet.
    pub random_access: bool,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// What there is to say of a file as a whole, once it was read to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TsHealth {
    /// Packets that are missing or out of order, by their counters.
    pub lost: u64,
    /// Times of the clock.
    pub clocks: u64,
    /// The longest way from one to the next, in ticks of 27 MHz.
    pub longest_clock_gap: i64,
    /// Access units whose decoding time was past when they came.
    pub late: u64,
    /// Packets with times of which one lacks them.
    pub untimed: u64,
}

/// Reads a transport stream.
pub struct TsReader {
    input: BufReader<File>,
    streams: Vec<TsStream>,
    clock_pid: u16,
    service: Option<String>,
    health: TsHealth,
    /// The clock as it was last, unwrapped.
    clock: Option<i64>,
    counters: BTreeMap<u16, u8>,
    /// By stream, what was gathered of the packet that is not whole yet.
    open: Vec<Option<OpenPes>>,
    /// The last time of any stream, by which others are unwrapped.
    last: Option<i64>,
    ready: std::collections::VecDeque<PesPacket>,
    ended: bool,
}

#[derive(Debug)]
struct OpenPes {
    bytes: Vec<u8>,
    random_access: bool,
    /// The clock when it came.
    clock: Option<i64>,
}

/// One packet's parts.
struct TsPacket<'a> {
    pid: u16,
    starts: bool,
    counter: u8,
    random_access: bool,
    discontinuity: bool,
    clock: Option<i64>,
    payload: Option<&'a [u8]>,
}

impl TsReader {
    /// Opens a file and reads as far as its tables.
    ///
    /// # Errors
    /// `Input` where it cannot be read or is no transport stream.
    pub fn open(path: &Path) -> Result<Self> {
        let cannot = |e| Error::new(ErrorKind::Input, "cannot read it").caused_by(e).with_file(path);
        let input = BufReader::with_capacity(PACKET << 10, File::open(path).map_err(cannot)?);
        let mut reader = TsReader {
            input,
            streams: Vec::new(),
            clock_pid: 0x1FFF,
            service: None,
            health: TsHealth::default(),
            clock: None,
            counters: BTreeMap::new(),
            open: Vec::new(),
            last: None,
            ready: std::collections::VecDeque::new(),
            ended: false,
        };
        let mut map = None;
        while reader.streams.is_empty() {
            let mut packet = [0; PACKET];
            if !reader.fill(&mut packet)? {
                return Err(Error::new(ErrorKind::Input, "it has no program").with_file(path));
            }
            reader.tables(&packet, &mut map);
        }
        reader.open = reader.streams.iter().map(|_| None).collect();
        Ok(reader)
    }

    /// The streams in the order of the map.
    pub fn streams(&self) -> &[TsStream] {
        &self.streams
    }

    /// The name of the service.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// What is known once the last packet was given.
    pub fn health(&self) -> TsHealth {
        self.health
    }

    /// The next packet of any stream, in the order in which they begin in the file; `None` at the end.
    ///
    /// # Errors
    /// `Input` where the file cannot be read or is no transport stream any more.
    pub fn next_packet(&mut self) -> Result<Option<PesPacket>> {
        loop {
            if let Some(packet) = self.ready.pop_front() {
                return Ok(Some(packet));
            }
            if self.ended {
                return Ok(None);
            }
            let mut packet = [0; PACKET];
            if self.fill(&mut packet)? {
                self.take(&packet)?;
            } else {
                self.ended = true;
                (0..self.open.len()).for_each(|stream| self.close(stream));
            }
        }
    }

    /// The next packet of 188 bytes; `false` at the end.
    fn fill(&mut self, packet: &mut [u8; PACKET]) -> Result<bool> {
        let broken = |why: &str| Error::new(ErrorKind::Input, format!("it is no transport stream: {why}"));
        let mut have = 0;
        while have < PACKET {
            match self.input.read(&mut packet[have..]) {
                Ok(0) if have == 0 => return Ok(false),
                Ok(0) => return Err(broken("its last packet is cut short")),
                Ok(read) => have += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::new(ErrorKind::Input, "cannot read it").caused_by(e)),
            }
        }
        if packet[0] == SYNC { Ok(true) } else { Err(broken("a packet begins with another byte")) }
    }

    /// Reads the tables before the first packet of a stream.
    fn tables(&mut self, packet: &[u8; PACKET], map: &mut Option<u16>) {
        let Some(TsPacket { pid, starts: true, payload: Some(payload), .. }) = parse(packet) else { return };
        // The pointer says how far on the section begins.
        let Some(section) = payload.first().and_then(|pointer| payload.get(1 + usize::from(*pointer)..)) else {
            return;
        };
        match pid {
            PROGRAMS => *map = program_map(section).or(*map),
            SERVICES => self.service = service_name(section).or(self.service.take()),
            pid if Some(pid) == *map => {
                if let Some((clock, streams)) = streams(section) {
                    (self.clock_pid, self.streams) = (clock, streams);
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, packet: &[u8; PACKET]) -> Result<()> {
        let Some(parts) = parse(packet) else {
            return Err(Error::new(ErrorKind::Input, "a packet of the transport stream is broken"));
        };
        if let (Some(clock), true) = (parts.clock, parts.pid == self.clock_pid) {
            // 27 MHz, by its 33 bits of 90 kHz and what is left of them.
            let clock = unwrapped(clock, self.clock, WRAP * 300);
            let gap = self.clock.map_or(0, |before| clock - before);
            self.health.longest_clock_gap = self.health.longest_clock_gap.max(gap.abs());
            (self.clock, self.health.clocks) = (Some(clock), self.health.clocks + 1);
        }
        let Some(payload) = parts.payload else { return Ok(()) };
        let Some(stream) = self.streams.iter().position(|s| s.pid == parts.pid) else { return Ok(()) };
        let before = self.counters.insert(parts.pid, parts.counter);
        if before.is_some_and(|before| (before + 1) % 16 != parts.counter) && !parts.discontinuity {
            self.health.lost += 1;
        }
        if parts.starts {
            self.close(stream);
            let random_access = parts.random_access;
            self.open[stream] = Some(OpenPes { bytes: payload.to_vec(), random_access, clock: self.clock });
        } else if let Some(open) = &mut self.open[stream] {
            if open.bytes.len() > LARGEST {
                return Err(Error::new(ErrorKind::Input, "a packet of the transport stream has no end"));
            }
            open.bytes.extend_from_slice(payload);
        }
        Ok(())
    }

    /// Gives out what was gathered of a stream.
    fn close(&mut self, stream: usize) {
        let Some(open) = self.open.get_mut(stream).and_then(Option::take) else { return };
        let Some((pts, dts, data)) = times_and_data(&open.bytes) else {
            self.health.untimed += 1;
            return;
        };
        let pts = unwrapped(pts, self.last, WRAP);
        let dts = dts.map_or(pts, |dts| unwrapped(dts, Some(pts), WRAP));
        self.last = Some(pts);
        let past = open.clock.is_some_and(|clock| unwrapped(clock / 300, Some(dts), WRAP) > dts);
        self.health.late += u64::from(past);
        let random_access = open.random_access;
        self.ready.push_back(PesPacket { stream, pts, dts, random_access, data: data.to_vec() });
    }
}

/// `time` as it is nearest to `near`.
fn unwrapped(time: i64, near: Option<i64>, wrap: i64) -> i64 {
    let Some(near) = near else { return time };
    let ahead = (time - near).rem_euclid(wrap);
    near + if ahead > wrap / 2 { ahead - wrap } else { ahead }
}

/// The parts of a packet (§2.4.3); `None` where it contradicts itself.
fn parse(packet: &[u8; PACKET]) -> Option<TsPacket<'_>> {
    let [_, first, second, third, rest @ ..] = packet;
    let (adapted, paid) = (third & 0x20 != 0, third & 0x10 != 0);
    let mut out = TsPacket {
        pid: u16::from_be_bytes([first & 0x1F, *second]),
        starts: first & 0x40 != 0,
        counter: third & 0x0F,
        random_access: false,
        discontinuity: false,
        clock: None,
        payload: None,
    };
    let mut rest = &rest[..];
    if adapted {
        let length = usize::from(*rest.first()?);
        let field = rest.get(1..1 + length)?;
        if let Some(flags) = field.first() {
            (out.discontinuity, out.random_access) = (flags & 0x80 != 0, flags & 0x40 != 0);
            if flags & 0x10 != 0 {
                let [a, b, c, d, e, f] = *field.get(1..7)?.first_chunk::<6>()?;
                let base = i64::from(u32::from_be_bytes([a, b, c, d])) << 1 | i64::from(e >> 7);
                out.clock = Some(base * 300 + (i64::from(e & 1) << 8 | i64::from(f)));
            }
        }
        rest = &rest[1 + length..];
    }
    out.payload = paid.then_some(rest);
    Some(out)
}

/// When a PES packet is shown, when decoded if that is said, and what it holds (§2.4.3.6).
fn times_and_data(pes: &[u8]) -> Option<(i64, Option<i64>, &[u8])> {
    let [0, 0, 1, _, high, low, _, flags, length, rest @ ..] = pes else { return None };
    let head = rest.get(..usize::from(*length))?;
    let time = |at: usize| {
        let [a, b, c, d, e] = *head.get(at..at + 5)?.first_chunk::<5>()?;
        let part = |byte: u8, shift: u32| i64::from(byte >> 1) << shift;
        Some((i64::from(a >> 1) & 7) << 30 | i64::from(b) << 22 | part(c, 15) | i64::from(d) << 7 | part(e, 0))
    };
    let pts = if flags & 0x80 != 0 { time(0)? } else { return None };
    let dts = if flags & 0x40 != 0 { Some(time(5)?) } else { None };
    // A length of zero has no bound (pictures); others hold what stands after it.
    let whole = usize::from(*high) << 8 | usize::from(*low);
    let data = &rest[head.len()..];
    let data = if whole == 0 { data } else { data.get(..whole.checked_sub(3 + head.len())?)? };
    Some((pts, dts, data))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_and_do_not_wrap_around() {
        // 2^33 - 1 shown, 90000 decoded.
        let pes =
            [0, 0, 1, 0xE0, 0, 0, 0x80, 0xC0, 10, 0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0x11, 0x00, 0x05, 0xBF, 0x21, 7, 8];
        let (pts, dts, data) = times_and_data(&pes).unwrap();
        assert_eq!((pts, dts, data), (WRAP - 1, Some(90_000), &[7, 8][..]));
        assert_eq!(unwrapped(5, Some(WRAP - 5), WRAP), WRAP + 5);
        assert_eq!(unwrapped(WRAP - 5, Some(5), WRAP), -5);
        assert_eq!(unwrapped(7, None, WRAP), 7);
    }

    proptest! {
        #[test]
        fn rubbish_ends_in_an_error_or_an_end(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file.ts");
            let mut bytes = bytes;
            bytes.chunks_mut(PACKET).for_each(|packet| packet[0] = SYNC);
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(mut reader) = TsReader::open(&path) {
                while let Ok(Some(_)) = reader.next_packet() {}
            }
            let packet: [u8; PACKET] = std::array::from_fn(|i| bytes.get(i).copied().unwrap_or(0xFF));
            let _ = (parse(&packet), times_and_data(&bytes));
        }
    }
}
