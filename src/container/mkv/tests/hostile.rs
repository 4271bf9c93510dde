//! Files that are broken, cut short or made to harm: an error, never a panic or a hang.
#![deny(unsafe_code)]

use std::path::Path;

use proptest::prelude::*;

use super::helpers::*;
use crate::container::ebml::{Master, id};
use crate::container::elements::segment_elements;
use crate::container::reader::{Reader, codec_ids};

/// Reads as far as it goes; tells how many frames came and whether the end was clean.
fn drain(path: &Path) -> Option<(usize, bool)> {
    let mut reader = Reader::open(path).ok()?;
    let mut frames = 0;
    loop {
        match reader.next_frame() {
            Ok(Some(_)) => frames += 1,
            Ok(None) => return Some((frames, true)),
            Err(_) => return Some((frames, false)),
        }
    }
}

fn small_file() -> Vec<u8> {
    let packets: Vec<_> = (0..6).map(|n| (0, packet(n * 2000, access_unit(true, 40)))).collect();
    mux(&header(vec![video()]), &packets).1
}

#[test]
fn a_file_cut_anywhere_in_its_clusters_is_not_whole() {
    let dir = tempfile::tempdir().unwrap();
    let whole = small_file();
    let path = dir.path().join("cut.mkv");
    let first_cluster = whole.windows(4).position(|w| w == [0x1F, 0x43, 0xB6, 0x75]).unwrap();
    let cues = whole.windows(4).rposition(|w| w == [0x1C, 0x53, 0xBB, 0x6B]).unwrap();
    for length in (first_cluster..cues).step_by(3) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let complete = drain(&path).is_some_and(|(frames, clean)| clean && frames == 6);
        assert!(!complete, "cut at {length}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(drain(&path), Some((6, true)));
}

#[test]
fn what_is_no_matroska_file_is_an_input_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text.mkv");
    for bytes in [&b""[..], b"hello", &[0; 5000], &[0x1A, 0x45, 0xDF, 0xA3]] {
        std::fs::write(&path, bytes).unwrap();
        let error = codec_ids(&path).unwrap_err();
        assert_eq!(error.kind(), crate::base::ErrorKind::Input);
        assert!(error.to_string().contains("text.mkv"), "{error}");
        assert!(Reader::open(&path).is_err());
    }
    assert!(codec_ids(dir.path()).is_err() && codec_ids(&dir.path().join("none")).is_err());
}

#[test]
fn hostile_clips_do_no_harm() {
    let Some(folder) = clip("hostile") else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let _ = codec_ids(&path);
        let _ = drain(&path);
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

/// A Segment that holds these elements and nothing else.
fn segment(content: Master) -> Vec<u8> {
    let mut head = Master::new();
    head.text(id::DOC_TYPE, "matroska").uint(id::DOC_TYPE_VERSION, 4).uint(id::DOC_TYPE_READ_VERSION, 2);
    [head.into_element(id::EBML), content.into_element(id::SEGMENT)].concat()
}

/// The demuxer crate would loop or panic on these, so they must not reach it.
#[test]
fn indices_that_lead_in_circles_are_refused() {
    let entry = |wanted: u32, position: u64| {
        let mut seek = Master::new();
        seek.bytes(id::SEEK_ID, &wanted.to_be_bytes()).uint(id::SEEK_POSITION, position);
        seek
    };
    let seek_head = |entries: &[Master]| {
        let mut out = Master::new();
        entries.iter().for_each(|e| {
            out.master(id::SEEK, e);
        });
        out
    };
    let mut crc_first = Master::new();
    crc_first.bytes(id::CRC_32, &[0; 4]);
    let mut ring = Master::new();
    ring.master(id::SEEK_HEAD, &seek_head(&[entry(id::SEEK_HEAD, 0)]));
    let mut fork = Master::new();
    let two = seek_head(&[entry(id::SEEK_HEAD, 36), entry(id::SEEK_HEAD, 36)]);
    fork.master(id::SEEK_HEAD, &two).master(id::SEEK_HEAD, &Master::new());
    let mut far = Master::new();
    far.master(id::SEEK_HEAD, &seek_head(&[entry(id::INFO, u64::MAX)]));
    let mut cue = Master::new();
    cue.uint(id::CUE_TRACK, 1).uint(id::CUE_CLUSTER_POSITION, u64::MAX);
    let mut point = Master::new();
    point.uint(id::CUE_TIME, 0).master(id::CUE_TRACK_POSITIONS, &cue);
    let mut cues = Master::new();
    cues.master(id::CUE_POINT, &point);
    let mut lost = Master::new();
    lost.master(id::CUES, &cues);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("circle.mkv");
    for (name, content) in [("crc", crc_first), ("ring", ring), ("fork", fork), ("far", far), ("cue", lost)] {
        std::fs::write(&path, segment(content)).unwrap();
        let error = Reader::open(&path).unwrap_err();
        assert!(error.to_string().contains("an index of the file is broken"), "{name}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_damaged_file_does_no_harm(
        damage in proptest::collection::vec((0usize..10_000, any::<u8>()), 1..12),
        cut in proptest::option::of((0usize..10_000, 1usize..40)),
    ) {
        let mut bytes = small_file();
        if let Some((at, length)) = cut {
            let at = at % bytes.len();
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        for (at, value) in damage {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("damaged.mkv");
        std::fs::write(&path, &bytes).unwrap();
        let _ = codec_ids(&path);
        let _ = drain(&path);
    }
}

/// A file with nested chapters and tags.
fn described_file() -> Vec<u8> {
    use crate::media::{ChapterAtom, ChapterDisplay, Edition, SimpleTag, TagEntry, TagTargets};
    let display = ChapterDisplay {
        text: "A".into(),
        languages: vec!["ger".into()],
        languages_bcp47: vec!["de-CH".into()],
        countries: vec!["ch".into()],
    };
    let inner = ChapterAtom {
        uid: 2,
        string_uid: Some("a".into()),
        start_ns: 1,
        end_ns: Some(333_333_333),
        hidden: true,
        enabled: false,
        displays: vec![display],
        children: Vec::new(),
        tracks: vec![0],
        others: vec![(0x63C3, vec![60])],
    };
    let outer = ChapterAtom { uid: 1, children: vec![inner.clone()], ..inner };
    let edition =
        Edition { uid: 7, hidden: true, default: true, ordered: true, chapters: vec![outer], others: Vec::new() };
    let leaf = SimpleTag {
        name: "LEAF".into(),
        language: Some("ger".into()),
        language_bcp47: Some("de".into()),
        default: false,
        value: None,
        binary: Some(vec![0, 1, 2]),
        children: Vec::new(),
    };
    let tag = SimpleTag { name: "BRANCH".into(), children: vec![leaf.clone(), leaf.clone()], ..leaf };
    let targets = TagTargets {
        level: Some(70),
        level_name: Some("COLLECTION".into()),
        tracks: vec![0],
        editions: vec![7],
        chapters: vec![1, 2],
        attachments: vec![9],
    };
    let mut film = header(vec![video()]);
    film.editions = vec![edition];
    film.tag_entries = vec![TagEntry { targets, tags: vec![tag] }];
    mux(&film, &[(0, packet(0, access_unit(true, 40)))]).1
}

#[test]
fn elements_come_back_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("described.mkv");
    std::fs::write(&path, described_file()).unwrap();
    let mut found = segment_elements(&path).unwrap();
    let uid = found.tracks[0].uid;
    assert_eq!(found.editions[0].chapters[0].children[0].tracks, [uid]);
    assert_eq!(found.tags[0].targets.tracks, [uid]);
    let inner = found.editions[0].chapters[0].children.pop().unwrap();
    assert_eq!((inner.hidden, inner.enabled, inner.end_ns), (true, false, Some(333_333_333)));
    assert_eq!(inner.others, [(0x63C3, vec![60])]);
    assert_eq!(inner.displays[0].languages_bcp47, ["de-CH"]);
    assert_eq!(found.tags[0].tags[0].children[1].binary, Some(vec![0, 1, 2]));
    assert_eq!((found.tags[0].targets.level, &found.tags[0].targets.chapters), (Some(70), &vec![1, 2]));
}

proptest! {
    #[test]
    fn elements_of_a_damaged_file_end(at in 0usize..4000, value: u8, length in 0usize..4000) {
        let mut bytes = described_file();
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len() - length % bytes.len() / 2);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("damaged.mkv");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(found) = segment_elements(&path) {
            prop_assert!(found.editions.len() + found.tags.len() < 1000);
        }
    }
}
