//! Matroska files: reading every header and every frame ends, with an error or without.
#![no_main]

use std::io::Write;

use drapto::internals::container::reader::{Reader, codec_ids};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("it is written");
    let _ = codec_ids(file.path());
    let Ok(mut reader) = Reader::open(file.path()) else { return };
    while let Ok(Some(_)) = reader.next_frame() {}
});
