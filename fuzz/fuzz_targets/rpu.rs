//! Dolby Vision RPUs and the messages they travel in: whatever comes, it is converted or refused, and what is converted
//! is an RPU again.
#![no_main]

use drapto::internals::hdr::{describe, message};
use drapto::internals::media::{DolbyVision, Rect, RpuConversion, Transfer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(found) = describe(data, None, Transfer::PQ) else { return };
    let conversion = RpuConversion::of(&found).or_else(|_| RpuConversion::of(&DolbyVision::new(8, None, Some(1))));
    let conversion = conversion.expect("profile 8.1 has an equal");
    let crop = Rect { x: 0, y: 138, width: 1920, height: 804 };
    for conversion in [conversion, conversion.with_window((1920, 1080), crop, (1280, 536))] {
        if let Ok(message) = message(&conversion, data) {
            describe(&message, None, Transfer::PQ).expect("what was written is read");
        }
    }
});
