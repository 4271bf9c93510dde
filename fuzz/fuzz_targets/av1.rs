//! AV1 temporal units: whatever comes, parsing ends without a panic, and what is kept parses again.
#![no_main]

use drapto::internals::syntax::av1::{block_data, codec_private, messages, obus, with_messages};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = codec_private(data);
    if let Ok(with) = with_messages(data, &[[0xB5, 0, 1]]) {
        let found = messages(&with).expect("what is stored can be read");
        assert!(found.contains(&&[0xB5, 0, 1][..]), "what is put in is found");
    }
    if let Ok(kept) = block_data(data) {
        assert!(obus(&kept).all(|obu| obu.is_ok()), "what is stored can be read");
    }
});
