//! Chunk files: reading ends without a panic, and what is read writes itself so that it reads the same again.
#![no_main]

use drapto::internals::container::{IvfReader, IvfWriter, read_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = IvfReader::new(data) else { return };
    let header = read_header(&mut &data[..]).expect("the reader took it");
    let configuration = reader.configuration().map(<[u8]>::to_vec);
    let mut units = Vec::new();
    while let Ok(Some(unit)) = reader.next() {
        units.push(unit);
    }
    let mut writer = IvfWriter::new(Vec::new(), &header).expect("memory takes it");
    configuration.iter().for_each(|bytes| writer.configuration(bytes).expect("memory takes it"));
    units.iter().for_each(|unit| writer.write(unit.position, &unit.data).expect("memory takes it"));
    let bytes = writer.into_inner();
    assert_eq!(read_header(&mut &bytes[..]).expect("an own header is read"), header);
    let mut again = IvfReader::new(&bytes[..]).expect("an own header is read");
    assert_eq!(again.configuration(), configuration.as_deref());
    for unit in units {
        assert_eq!(again.next().expect("an own frame is read"), Some(unit));
    }
    assert_eq!(again.next().expect("a clean end"), None);
});
