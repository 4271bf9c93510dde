//! AV1 temporal units: whatever comes, parsing ends without a panic, and what is kept parses again.
#![no_main]

use drapto::container::av1::{block_data, codec_private, obus};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = codec_private(data);
    if let Ok(kept) = block_data(data) {
        assert!(obus(&kept).all(|obu| obu.is_ok()), "what is stored can be read");
    }
});
