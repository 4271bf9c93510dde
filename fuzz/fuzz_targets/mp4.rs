//! MP4 files: reading the boxes by which a source describes itself, the index and every sample ends, with an error or without.
#![no_main]

use std::io::Write;

use drapto::internals::container::mp4::{boxes::movie_boxes, reader::Mp4Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("it is written");
    let _ = movie_boxes(file.path());
    let Ok(mut reader) = Mp4Reader::open(file.path()) else { return };
    for track in reader.tracks().to_vec() {
        for sample in track.samples.iter().take(100) {
            let _ = reader.read(sample);
        }
    }
});
