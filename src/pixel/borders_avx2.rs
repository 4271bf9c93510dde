//! The kernel of [`borders`](super::borders) for x86-64 with AVX2: the same code, compiled for it.

use super::borders_scalar::{self, Sample, Sum};

/// Two rows; by the plain kernel where the processor lacks AVX2.
pub(super) fn add_rows<S: Sample, A: Sum>(rows: [&[S]; 2], sums: &mut [A], maxima: &mut [S::Value]) -> [(u64, u16); 2] {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return borders_scalar::add_rows(rows, sums, maxima);
    }
    // SAFETY: AVX2, the only feature the callee enables, was found in the line above.
    unsafe { wide(rows, sums, maxima) }
}

#[target_feature(enable = "avx2")]
fn wide<S: Sample, A: Sum>(rows: [&[S]; 2], sums: &mut [A], maxima: &mut [S::Value]) -> [(u64, u16); 2] {
    borders_scalar::add_rows(rows, sums, maxima)
}
