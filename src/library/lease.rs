//! PURE: what of the machine each film gets where several are encoded at once.
//!
//! Law: films that are encoded at once hold together no more than the lease has, save that each has one encoder at least.
//! A film keeps what it was given until it is finished; what it gives back goes to films that begin after it.
#![deny(unsafe_code)]

use crate::plan::usual_encoders;

/// Memory a run needs beside its encoders, in bytes.
const BESIDE: u64 = 200 << 20;

/// Memory of one encoder with its meter and the frames on their way through it, in bytes a luma sample of the picture:
/// some 400 of SVT-AV1, 120 of libvmaf and dav1d, and 160 frames of 3 bytes.
const A_SAMPLE: u64 = 1000;

/// Encoders and memory that a batch has to go round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchLease {
    whole: LeaseShare,
    held: LeaseShare,
}

/// What one film has of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseShare {
    /// Encoders at once (`run.workers`).
    pub workers: u32,
    /// Processor cores, for encodes of one encoder.
    pub cores: u32,
    /// Memory for frames, encoders and meters together, in bytes (`run.max_memory`).
    pub bytes: u64,
}

impl BatchLease {
    /// Of a machine with so many processor cores, of whose memory the batch may take `bytes`.
    pub fn new(cores: usize, bytes: u64) -> Self {
        Self::of_encoders(u32::try_from(usual_encoders(cores)).unwrap_or(u32::MAX), cores, bytes)
    }

    /// Of so many encoders at once, over all films.
    pub fn of_encoders(workers: u32, cores: usize, bytes: u64) -> Self {
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        BatchLease { whole: LeaseShare { workers, cores, bytes }, held: LeaseShare { workers: 0, cores: 0, bytes: 0 } }
    }

    /// Takes a part for one film, where `films` films, this one included, are to share what is free.
    #[must_use]
    pub fn take(&mut self, films: usize) -> LeaseShare {
        let films = u32::try_from(films.max(1)).unwrap_or(u32::MAX);
        let part = |whole: u32, held: u32| whole.saturating_sub(held).div_ceil(films).max(1);
        let bytes = self.whole.bytes.saturating_sub(self.held.bytes) / u64::from(films);
        let workers = part(self.whole.workers, self.held.workers);
        let share = LeaseShare { workers, cores: part(self.whole.cores, self.held.cores), bytes };
        self.held.workers = self.held.workers.saturating_add(share.workers);
        self.held.cores = self.held.cores.saturating_add(share.cores);
        self.held.bytes = self.held.bytes.saturating_add(share.bytes);
        share
    }

    /// Gives back what [`take`](Self::take) gave.
    pub fn give_back(&mut self, share: LeaseShare) {
        self.held.workers = self.held.workers.saturating_sub(share.workers);
        self.held.cores = self.held.cores.saturating_sub(share.cores);
        self.held.bytes = self.held.bytes.saturating_sub(share.bytes);
    }

    /// The parts of `jobs` films that begin together.
    pub fn split(mut self, jobs: usize) -> Vec<LeaseShare> {
        (1..=jobs.max(1)).rev().map(|left| self.take(left)).collect()
    }
}

impl LeaseShare {
    /// As much of it as there is memory for, with pictures of this size in luma samples; one encoder at least.
    #[must_use]
    pub fn for_picture(self, width: u32, height: u32) -> Self {
        let encoder = (u64::from(width) * u64::from(height)).saturating_mul(A_SAMPLE).max(1);
        let fit = u32::try_from(self.bytes.saturating_sub(BESIDE) / encoder).unwrap_or(u32::MAX);
        LeaseShare { workers: self.workers.min(fit).max(1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn films_share_what_one_would_have() {
        let split = |cores, jobs| BatchLease::new(cores, 8 * GIB).split(jobs);
        let workers = |shares: &[LeaseShare]| shares.iter().map(|s| s.workers).collect::<Vec<_>>();
        assert_eq!(workers(&split(16, 1)), [5]);
        assert_eq!(workers(&split(16, 2)), [3, 2]);
        assert_eq!(workers(&split(16, 3)), [2, 2, 1]);
        assert_eq!(workers(&split(2, 4)), [1, 1, 1, 1]);
        assert!(split(16, 2).iter().all(|s| s.bytes == 4 * GIB && s.cores == 8));
        assert_eq!(split(3, 2).iter().map(|s| s.cores).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn the_last_films_have_what_others_gave_back() {
        let mut lease = BatchLease::new(16, 8 * GIB);
        let (first, second) = (lease.take(2), lease.take(1));
        assert_eq!((first.workers, second.workers), (3, 2));
        lease.give_back(first);
        let third = lease.take(1);
        assert_eq!(third, first);
        lease.give_back(second);
        lease.give_back(third);
        assert_eq!(lease.take(1), LeaseShare { workers: 5, cores: 16, bytes: 8 * GIB });
    }

    #[test]
    fn encoders_give_way_where_there_is_not_the_memory() {
        let share = LeaseShare { workers: 3, cores: 8, bytes: 4 * GIB };
        assert_eq!(share.for_picture(1280, 720).workers, 3);
        assert_eq!(share.for_picture(1920, 1080).workers, 1);
        assert_eq!(share.for_picture(7680, 4320).workers, 1);
        assert_eq!(share.for_picture(0, 0), share, "a size nobody knows");
    }

    proptest! {
        #[test]
        fn no_more_is_held_than_there_is_and_all_comes_back(
            cores in 1..256usize, bytes in 0..1u64 << 44, jobs in 1..16usize, films in 1..60usize,
        ) {
            let whole = BatchLease::new(cores, bytes);
            let mut lease = whole.clone();
            let mut held: Vec<LeaseShare> = Vec::new();
            let most = whole.whole.workers.max(jobs as u32);
            let most_cores = whole.whole.cores.max(jobs as u32);
            for begun in 0..films {
                // As a batch does: the oldest ends when all are busy.
                if held.len() == jobs {
                    lease.give_back(held.remove(0));
                }
                held.push(lease.take((jobs - held.len()).min(films - begun)));
                prop_assert!(held.iter().map(|s| s.bytes).sum::<u64>() <= bytes);
                prop_assert!(held.iter().map(|s| s.workers).sum::<u32>() <= most);
                prop_assert!(held.iter().all(|s| s.workers >= 1 && s.cores >= 1));
                prop_assert!(held.iter().map(|s| s.cores).sum::<u32>() <= most_cores);
            }
            for share in held {
                lease.give_back(share);
            }
            prop_assert_eq!(lease, whole);
        }
    }
}
