//! Elements of Matroska sources: reading the headers of any file ends, with an error or without, and what is read can be
//! written.
#![no_main]

use std::io::Write;

use drapto::internals::container::{chapters, elements::segment_elements, tags};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("it is written");
    let Ok(found) = segment_elements(file.path()) else { return };
    let uids: Vec<u64> = found.tracks.iter().map(|t| t.uid).collect();
    let _ = chapters::editions(&found.editions, &[]);
    let _ = tags::read_back(found.tags, &uids);
});
