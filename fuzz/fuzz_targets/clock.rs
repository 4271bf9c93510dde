//! The clock of a source: whatever times come, each gets one answer, in order, and nothing waits for ever.
#![no_main]

use drapto::internals::plan::{Clock, Tick, Ticking};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, i64, Vec<(u8, Option<i64>, i64)>)| {
    let (may_jump, offset, times) = input;
    let mut clock = Clock::new([Ticking::Picture, Ticking::Sound, Ticking::Seldom], offset, may_jump);
    let mut answers = 0;
    for (stream, time, length) in &times {
        clock.push(Tick { stream: usize::from(stream % 5), time: *time, length: *length });
        answers += std::iter::from_fn(|| clock.pop()).count();
    }
    clock.finish();
    answers += std::iter::from_fn(|| clock.pop()).count();
    assert_eq!(answers, times.len());
    assert!(may_jump || clock.jumps().is_empty());
});
