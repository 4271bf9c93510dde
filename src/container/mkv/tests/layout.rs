//! The layout of blocks, clusters, index and sizes, and what goes wrong on the way.
#![deny(unsafe_code)]

use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::path::Path;

use super::helpers::*;
use crate::base::{ErrorKind, Rational, Timestamp};
use crate::container::reader::Reader;
use crate::container::{Interleaver, Writer};
use crate::media::{Packet, PacketData, Trim};

#[test]
fn a_ten_second_group_of_pictures_is_cut_at_keyframes_and_after_five_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let mut packets = Vec::new();
    for n in 0..250i64 {
        let mut p = packet(n * 100, access_unit(n % 100 == 0, 50));
        p.keyframe = n % 100 == 0;
        packets.push((0, p));
    }
    let (stats, path) = mux_file(dir.path(), &header(vec![video()]), &packets);
    assert_eq!(stats.tracks[0].frames, 250);
    assert_eq!(stats.duration.as_nanos(), 25_000_000_000, "the last frame lasts as long as the one before");
    let Some(info) = tool("mkvinfo", &["-v", "-v", path_str(&path)]) else { return };
    let times = |what: &str| -> Vec<String> {
        info.lines().filter_map(|l| l.split_once(what)).map(|(_, t)| t.split(' ').next().unwrap().to_owned()).collect()
    };
    let expected = ["00:00:00", "00:00:05", "00:00:10", "00:00:15", "00:00:20"].map(|t| format!("{t}.000000000"));
    assert_eq!(times("Cluster timestamp: "), expected);
    assert_eq!(times("Cue time: "), ["00:00:00", "00:00:10", "00:00:20"].map(|t| format!("{t}.000000000")));
    let size = std::fs::metadata(&path).unwrap().len();
    assert_eq!(stats.bytes, size);
    // The Segment's size, and with it its end, is known: EBML head 40 bytes, id 4, size 8.
    assert!(info.contains(&format!("Segment: size {}", size - 52)), "{info}");
}

#[test]
fn every_frame_a_keyframe_makes_no_cluster_a_frame() {
    let packets: Vec<_> = (0..100).map(|n| (0, packet(n * 40, access_unit(true, 10)))).collect();
    let (_, bytes) = mux(&header(vec![video()]), &packets);
    let clusters = bytes.windows(4).filter(|w| *w == [0x1F, 0x43, 0xB6, 0x75]).count();
    assert_eq!(clusters, 4);
}

#[test]
fn a_packet_far_back_in_time_gets_a_cluster_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let tracks = vec![video(), subtitle("S_TEXT/UTF8")];
    let packets = vec![
        (0, packet(100_000, access_unit(true, 9))),
        (1, lasting(packet(70_000, b"near".to_vec()), 500)),
        (1, lasting(packet(100, b"far".to_vec()), 500)),
        (0, packet(100_040, access_unit(true, 9))),
    ];
    let (_, path) = mux_file(dir.path(), &header(tracks), &packets);
    let mut reader = Reader::open(&path).unwrap();
    let mut seen = Vec::new();
    while let Some(f) = reader.next_frame().unwrap() {
        seen.push((f.track, f.timestamp_ns / 1_000_000, f.duration_ns));
    }
    let half = Some(500_000_000);
    assert_eq!(seen, [(1, 100_000, None), (2, 70_000, half), (2, 100, half), (1, 100_040, None)]);
}

#[test]
fn groups_carry_padding_additions_durations_and_references() {
    let dir = tempfile::tempdir().unwrap();
    let tracks = vec![video(), opus(), subtitle("S_TEXT/WEBVTT")];
    let at48 = |n| Timestamp::new(n, Rational::positive(1, 48_000).unwrap());
    let mut last = Packet::new(at48(960 - 312), PacketData::new(vec![0xFC, 2]));
    last.trim = Trim::from_discard_padding_ns(13_500_000);
    let mut late = packet(40, access_unit(false, 9));
    (late.keyframe, late.trim) = (false, Trim::from_discard_padding_ns(1));
    let mut cue = lasting(packet(20, b"Hi".to_vec()), 1_000);
    cue.additional = crate::container::codec::webvtt_additional("align:start", "one");
    let packets = vec![
        (0, packet(0, access_unit(true, 9))),
        (1, Packet::new(at48(-312), PacketData::new(vec![0xFC, 1]))),
        (1, last),
        (2, cue),
        (0, late),
    ];
    let (stats, path) = mux_file(dir.path(), &header(tracks), &packets);
    let mut reader = Reader::open(&path).unwrap();
    let mut frames = Vec::new();
    while let Some(f) = reader.next_frame().unwrap() {
        frames.push(f);
    }
    let times: Vec<_> = frames.iter().map(|f| (f.track, f.timestamp_ns / 1_000_000)).collect();
    assert_eq!(times, [(1, 0), (2, 0), (2, 20), (3, 20), (1, 40)]);
    assert_eq!(frames[2].discard_padding_ns, 13_500_000);
    assert_eq!(frames[3].additional.as_deref(), Some(&b"align:start\none\n"[..]));
    assert_eq!(frames[3].duration_ns, Some(1_000_000_000));
    assert_eq!(frames.iter().map(|f| f.keyframe).collect::<Vec<_>>(), [true, true, true, true, false]);
    // Two packets of 20 ms, less pre-skip and padding.
    assert_eq!(stats.tracks[1].duration.as_nanos(), 40_000_000 - 6_500_000 - 13_500_000);
    let Some(info) = tool("mkvinfo", &["-v", "-v", path_str(&path)]) else { return };
    for line in
        ["Discard padding: 13500000 at", "Reference block: -00:00:00.040000000", "Block duration: 00:00:01.000000000"]
    {
        assert!(info.contains(line), "{line}: {info}");
    }
}

#[test]
fn subtitles_that_touch_still_touch() {
    let dir = tempfile::tempdir().unwrap();
    let base = Rational::positive(1, 90_000).unwrap();
    let cue = |start: i64, end: i64| {
        let mut p = Packet::new(Timestamp::new(start, base), PacketData::new(b"x".to_vec()));
        p.duration = Some(crate::base::Span::new(end - start, base));
        (0, p)
    };
    // 1.5 ms and 2.5 ms ticks: both ends round alike.
    let packets = [cue(135, 225), cue(225, 315), cue(315, 405)];
    let (_, path) = mux_file(dir.path(), &header(vec![subtitle("S_TEXT/UTF8")]), &packets);
    let mut reader = Reader::open(&path).unwrap();
    let mut end = None;
    while let Some(f) = reader.next_frame().unwrap() {
        assert!(end.is_none_or(|e| e == f.timestamp_ns));
        end = Some(f.timestamp_ns + f.duration_ns.unwrap());
    }
    assert_eq!(end, Some(5_000_000));
}

#[test]
fn wrong_packets_are_refused_by_track_and_time() {
    let mut writer = Writer::new(Cursor::new(Vec::new()), None, &header(vec![video(), opus()])).unwrap();
    let early = writer.write(1, &packet(-8, vec![1])).unwrap_err();
    assert!(early.to_string().contains("track 2: a block would be at -2 ms"), "{early}");
    assert!(writer.write(7, &packet(0, vec![1])).unwrap_err().to_string().contains("track 8: no such track"));
    let broken = writer.write(0, &packet(5, vec![0xFF, 1])).unwrap_err();
    assert!(broken.to_string().contains("at 0.005 s: track 1: unusable access unit"), "{broken}");
    let mut with = packet(0, vec![1]);
    with.additional = Some(PacketData::new(vec![1]));
    assert!(writer.write(1, &with).unwrap_err().to_string().contains("block additions"));
    let mut flat = video();
    if let crate::media::TrackKind::Video(v) = &mut flat.kind {
        v.width = 0;
    }
    let error = Writer::new(Cursor::new(Vec::new()), None, &header(vec![flat])).unwrap_err();
    assert!(error.to_string().contains("empty picture"), "{error}");
}

/// A disk that is full after so many bytes.
struct Disk {
    inner: Cursor<Vec<u8>>,
    room: usize,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.inner.position() as usize + bytes.len();
        if end > self.room {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_full_disk_is_an_error_wherever_it_happens() {
    let header = header(vec![video()]);
    let packets: Vec<_> = (0..60).map(|n| packet(n * 500, access_unit(true, 200))).collect();
    let whole = mux(&header, &packets.iter().cloned().map(|p| (0, p)).collect::<Vec<_>>()).1.len();
    for room in (0..whole).step_by(97) {
        let run = || -> crate::base::Result<()> {
            let disk = Disk { inner: Cursor::new(Vec::new()), room };
            let mut writer = Writer::new(disk, Some(Path::new("film.mkv")), &header)?;
            packets.iter().try_for_each(|p| writer.write(0, p))?;
            writer.finish().map(|_| ())
        };
        let error = run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.to_string().starts_with("film.mkv: cannot write: "), "{error}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_device_without_room_is_an_error_too() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let error = Writer::new(full, Some(Path::new("/dev/full")), &header(vec![video()])).unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mkv");
    std::fs::write(&path, b"precious").unwrap();
    let error = Writer::create(&path, &header(vec![video()])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output);
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    assert!(Writer::create(&dir.path().join("no/such/film.mkv"), &header(vec![video()])).is_err());
}

#[test]
fn an_unfinished_file_says_nothing_false_and_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mkv");
    let mut writer = Writer::create(&path, &header(vec![video()])).unwrap();
    for n in 0..10 {
        writer.write(0, &packet(n * 3_000, access_unit(true, 100))).unwrap();
    }
    drop(writer);
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.duration_ns(), None);
    let mut frames = 0;
    while reader.next_frame().unwrap().is_some() {
        frames += 1;
    }
    assert_eq!(frames, 9, "all but the open cluster");
}

#[test]
fn the_same_packets_give_the_same_bytes_whatever_the_order_of_arrival() {
    let tracks = || header(vec![video(), opus(), subtitle("S_TEXT/UTF8")]);
    let v: Vec<_> = (0..50).map(|n| packet(n * 40, access_unit(n % 10 == 0, 99))).collect();
    let a: Vec<_> = (0..100).map(|n| packet(n * 20 - 6, vec![n as u8; 30])).collect();
    let s: Vec<_> = (0..3).map(|n| lasting(packet(n * 600 + 7, b"text".to_vec()), 400)).collect();
    let run = |order: &[(usize, &[Packet])]| {
        let writer = Writer::new(Cursor::new(Vec::new()), None, &tracks()).unwrap();
        let mut i = Interleaver::new(writer);
        for (track, packets) in order {
            packets.iter().for_each(|p| i.push(*track, p.clone()).unwrap());
            i.end_track(*track).unwrap();
        }
        i.finish().unwrap().finish().unwrap().1.into_inner()
    };
    let one = run(&[(2, &s), (0, &v), (1, &a)]);
    assert_eq!(one, run(&[(1, &a), (2, &s), (0, &v)]));
    let mut at = 0;
    let mut last = 0;
    // In the file, time never falls.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.mkv");
    std::fs::write(&path, one).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    while let Some(f) = reader.next_frame().unwrap() {
        assert!(f.timestamp_ns >= last);
        (last, at) = (f.timestamp_ns, at + 1);
    }
    assert_eq!(at, 153);
}
