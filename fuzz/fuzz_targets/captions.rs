//! Digital captions: whatever constructs a picture brings, they are read or named.
#![no_main]

use drapto::internals::analyze::DigitalCaptions;
use drapto::internals::base::{Rational, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut captions = DigitalCaptions::default();
    let at = |n: usize| Timestamp::new(n as i64, Rational::MILLI);
    for (n, constructs) in data.chunks(31 * 3).enumerate() {
        let _ = captions.read(constructs, at(n));
    }
    let _ = captions.finish(at(data.len()));
});
