//! What tags of foreign files say of how a track was made: any text is read or named, and what is read is written and read
//! again as the same.
#![no_main]

use drapto::internals::container::provenance::Provenance;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 5] = ["ENCODER", "DRAPTO_SETTINGS", "DRAPTO_TARGET", "DRAPTO_SCORE", "DRAPTO_CHUNKS"];

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // One text for each tag: they are parted by a zero, which no text of Matroska's holds.
    let tags: Vec<_> = NAMES.iter().zip(text.split('\0')).map(|(n, v)| ((*n).to_owned(), v.to_owned())).collect();
    let Some(found) = Provenance::read(&tags) else { return };
    let written = found.tags();
    let again = Provenance::read(&written).expect("it says what it said");
    assert!(again.unreadable.is_empty(), "what is written can be read: {:?}", again.unreadable);
    // Scores are written in hundredths, which are rounded once.
    assert_eq!(again.tags(), written);
});
