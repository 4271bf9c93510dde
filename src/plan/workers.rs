//! How many encoders run at once, and what frames may take.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

/// What a run has to go round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Processor cores.
    pub cores: usize,
    /// Bytes for frames, encoders and meters together.
    pub memory: u64,
}

/// What one chunk costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of one encoder at level of parallelism 1 and for each level above.
    pub encoder: u64,
    /// Bytes each further level of parallelism adds to an encoder.
    pub encoder_level: u64,
    /// Bytes of one meter and the decoder beside it.
    pub meter: u64,
    /// Bytes of the frames of the longest chunk, as they are held.
    pub chunk: u64,
    /// Bytes of the frames that are on their way through one try, where a chunk is not held.
    pub in_flight: u64,
}

/// How a run is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Encoders at once.
    pub workers: usize,
    /// Processor cores.
    pub cores: usize,
    /// Bytes for frames that are held; `None` where chunks are decoded again for each try.
    pub held: Option<u64>,
    /// Encoders have one level of parallelism each: there is not the memory for more.
    pub narrow: bool,
    /// Bytes that are missing even so.
    pub short: u64,
}

/// Cores one encoder keeps busy at preset 6: beyond them another encoder does more than a wider one.
const CORES_AN_ENCODER: usize = 4;

/// Encoders beyond those: they fill the cores while others start and drain. On 2 cores, 2 encoders took 0.88 of the
/// time of one, and 3 no less than 2.
const SPARE_ENCODERS: usize = 1;

/// Encoders that keep `cores` busy.
pub fn usual_encoders(cores: usize) -> usize {
    cores.div_ceil(CORES_AN_ENCODER) + SPARE_ENCODERS
}

/// Bytes of the frames that are held for `workers` where the longest chunk has `chunk`: those in work, and a quarter as
/// many again, at the least half a chunk, of the next. More is not needed: when a worker is free, decoding the rest of
/// the next chunk takes a small part of what its encode will take.
fn at_hand(workers: usize, chunk: u64) -> u64 {
    let workers = workers as u64;
    workers * chunk + (workers * chunk / 4).max(chunk / 2)
}

/// Each encoder's level of parallelism where `encoders` run at once on `cores`.
fn parallelism(cores: usize, encoders: usize) -> u32 {
    cores.div_ceil(encoders.max(1)).max(1) as u32
}

impl Layout {
    /// The level of parallelism of an encoder that starts while `left` chunks are not finished, if it is known that no
    /// more come: the last ones will have more of the machine to themselves, whichever of them ends first.
    pub fn parallelism(&self, left: Option<usize>) -> u32 {
        let usual = parallelism(self.cores, self.workers);
        match left {
            _ if self.narrow => 1,
            Some(left) if left <= self.workers => {
                parallelism(self.cores, left).max(at_the_end(self.cores, self.workers))
            }
            _ => usual,
        }
    }
}

/// The level of parallelism of the last chunks, of which there are as many as workers.
fn at_the_end(cores: usize, workers: usize) -> u32 {
    (2 * parallelism(cores, workers)).min(parallelism(cores, 1))
}

/// The layout for `asked` workers, or for as many as the machine bears; `at_once` is how many encoders the library can
/// run in one process.
///
/// Fewer workers come before frames that are decoded again, unless the number was asked for.
pub fn layout(machine: Machine, needs: &Needs, asked: Option<usize>, at_once: Option<usize>) -> Layout {
    let most = asked.unwrap_or_else(|| usual_encoders(machine.cores)).min(at_once.unwrap_or(usize::MAX)).max(1);
    let fewest = if asked.is_some() { most } else { 1 };
    let encoders = |workers: usize, levels: u32| {
        workers as u64 * (needs.encoder + needs.encoder_level * u64::from(levels - 1) + needs.meter)
    };
    let with = |workers| machine.memory.saturating_sub(encoders(workers, at_the_end(machine.cores, workers)));
    let layout = |workers, held| Layout { workers, cores: machine.cores, held, narrow: false, short: 0 };
    for workers in (fewest..=most).rev() {
        let left = with(workers);
        let held = at_hand(workers, needs.chunk);
        if left >= held {
            return layout(workers, Some(held));
        }
    }
    if let Some(workers) = (fewest..=most).rev().find(|&w| with(w) >= w as u64 * needs.in_flight) {
        return layout(workers, None);
    }
    let least = encoders(fewest, 1) + fewest as u64 * needs.in_flight;
    Layout { narrow: true, short: least.saturating_sub(machine.memory), ..layout(fewest, None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const HD: Needs =
        Needs { encoder: GIB / 2, encoder_level: GIB / 8, meter: GIB / 4, chunk: GIB, in_flight: GIB / 4 };

    fn machine(cores: usize, gib: u64) -> Machine {
        Machine { cores, memory: gib * GIB }
    }

    #[test]
    fn cores_are_shared_by_as_many_encoders_as_keep_them_busy() {
        let small = layout(machine(2, 8), &HD, None, None);
        assert_eq!((small.workers, small.parallelism(None)), (2, 1));
        let large = layout(machine(16, 32), &HD, None, None);
        assert_eq!((large.workers, large.parallelism(None)), (5, 4));
    }

    #[test]
    fn no_more_frames_are_held_than_workers_need() {
        let two = layout(machine(2, 8), &HD, None, None);
        assert_eq!((two.workers, two.held), (2, Some(2 * GIB + GIB / 2)));
        assert_eq!(layout(machine(2, 64), &HD, None, None).held, two.held, "however much memory there is");
        assert_eq!(layout(machine(16, 64), &HD, None, None).held, Some(5 * GIB + 5 * GIB / 4));
        assert_eq!(layout(machine(2, 8), &HD, Some(1), None).held, Some(GIB + GIB / 2));
    }

    #[test]
    fn the_last_chunks_have_the_machine_to_themselves() {
        let small = layout(machine(2, 8), &HD, None, None);
        assert_eq!([9, 3, 2, 1].map(|left| small.parallelism(Some(left))), [1, 1, 2, 2]);
        let large = layout(machine(16, 32), &HD, None, None);
        assert_eq!([6, 5, 2, 1].map(|left| large.parallelism(Some(left))), [4, 8, 8, 16]);
        assert_eq!(small.parallelism(Some(0)), 2);
    }

    #[test]
    fn workers_give_way_to_frames_that_are_held() {
        let tight = layout(machine(16, 6), &HD, None, None);
        assert!(tight.workers < 5 && tight.held.is_some(), "{tight:?}");
    }

    #[test]
    fn workers_that_were_asked_for_stay_and_frames_are_decoded_again() {
        let asked = layout(machine(2, 4), &HD, Some(4), None);
        assert_eq!((asked.workers, asked.parallelism(None), asked.held), (4, 1, None));
        assert_eq!(layout(machine(2, 4), &HD, Some(4), Some(1)).workers, 1, "the library can run one");
    }

    #[test]
    fn a_film_too_large_for_the_memory_still_has_one_worker() {
        let uhd = Needs { chunk: 9 * GIB, in_flight: 2 * GIB, ..HD };
        assert_eq!(layout(machine(8, 8), &uhd, None, None).held, None);
        let least = layout(machine(8, 1), &uhd, None, None);
        assert_eq!((least.workers, least.parallelism(None), least.parallelism(Some(1))), (1, 1, 1));
        // An encoder, a meter and the frames between them, of which a gigabyte is there.
        assert_eq!(least.short, 2 * GIB + GIB / 2 + GIB / 4 - GIB);
    }
}
