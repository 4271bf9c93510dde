//! OpusHead and Opus packets: no panic, and a head that is read writes itself again.
#![no_main]

use drapto::internals::syntax::opus::{opus_head_facts, packet_samples};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(samples) = packet_samples(data) {
        assert!(samples <= 5760, "120 ms at most");
    }
    if let Some(head) = opus_head_facts(data) {
        assert_eq!(opus_head_facts(&head.to_bytes()), Some(head));
    }
});
