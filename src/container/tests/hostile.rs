//! Files that are broken, cut short or made to harm: an error, never a panic or a hang.
#![deny(unsafe_code)]

use std::path::Path;

use proptest::prelude::*;

use super::helpers::*;
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_damaged_file_does_no_harm(damage in proptest::collection::vec((0usize..10_000, any::<u8>()), 1..12)) {
        let mut bytes = small_file();
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
