//! Transport streams: reading their tables and every packet ends, with an error or without.
#![no_main]

use std::io::Write;

use drapto::internals::container::ts::reader::TsReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("it is written");
    let Ok(mut reader) = TsReader::open(file.path()) else { return };
    while let Ok(Some(packet)) = reader.next_packet() {
        assert!(packet.stream < reader.streams().len());
    }
    let _ = (reader.health(), reader.service());
});
