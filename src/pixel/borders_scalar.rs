//! The kernel of [`borders`](super::borders()) in plain Rust, for samples of either width.
#![deny(unsafe_code)]

/// A sample as it lies in memory.
pub(super) trait Sample: Copy {
    /// What the brightest is kept in: as wide as the sample, so that as many fit a register.
    type Value: Copy + Ord + Default + Into<u16>;
    fn value(self) -> Self::Value;
}

impl Sample for u8 {
    type Value = u8;
    fn value(self) -> u8 {
        self
    }
}

impl Sample for [u8; 2] {
    type Value = u16;
    fn value(self) -> u16 {
        u16::from_ne_bytes(self)
    }
}

/// The sum of a column over some rows.
pub(super) trait Sum: Copy + Default {
    /// Rows whose sum it holds at most; even.
    const ROWS: usize;
    fn add(&mut self, value: u16);
    fn total(self) -> u64;
}

/// Of 8-bit samples: half as wide, so twice as many at once.
impl Sum for u16 {
    const ROWS: usize = 256;
    fn add(&mut self, value: u16) {
        *self += value;
    }
    fn total(self) -> u64 {
        u64::from(self)
    }
}

impl Sum for u32 {
    const ROWS: usize = 1 << 16;
    fn add(&mut self, value: u16) {
        *self += u32::from(value);
    }
    fn total(self) -> u64 {
        u64::from(self)
    }
}

/// Adds two rows of one length to the columns' sums and maxima; the rows' own sums and maxima.
#[inline(always)]
pub(super) fn add_rows<S: Sample, A: Sum>(rows: [&[S]; 2], sums: &mut [A], maxima: &mut [S::Value]) -> [(u64, u16); 2] {
    // One pass for each measure: they vectorise at different widths, and the rows are in the nearest cache.
    let both = || rows[0].iter().zip(rows[1]);
    for ((a, b), max) in both().zip(maxima) {
        *max = (*max).max(a.value().max(b.value()));
    }
    for ((a, b), sum) in both().zip(sums) {
        sum.add(a.value().into());
        sum.add(b.value().into());
    }
    rows.map(|row| {
        let max = row.iter().map(|s| s.value()).fold(S::Value::default(), Ord::max);
        // Parts of 4096 keep the sum within 32 bits, which vectorise.
        let part = |part: &[S]| part.iter().map(|s| u32::from(s.value().into())).sum::<u32>();
        (row.chunks(4096).map(|p| u64::from(part(p))).sum(), max.into())
    })
}
