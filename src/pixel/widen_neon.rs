//! The 8→10 bit kernel for AArch64, where NEON is always there. Its unsafe code is loads and stores.

use std::arch::aarch64::{
    uint16x8_t, vaddq_u16, vcombine_u16, vdup_n_u16, vdupq_n_u16, vget_high_u8, vget_high_u16, vget_low_u8,
    vget_low_u16, vld1q_u8, vmovl_u8, vmull_u16, vqsubq_u16, vshlq_n_u16, vshrn_n_u32, vst1q_u16,
};

use super::rows::{Mapping, RowPairs};
use super::widen_scalar::{RECIPROCAL_85, full_range, sample};

/// Samples a step.
const STEP: usize = 16;

/// All rows.
pub(super) fn widen(mapping: Mapping, mut rows: RowPairs<'_>) {
    match mapping {
        Mapping::Limited => rows.for_each(|src, dst| row::<false>(mapping, src, dst)),
        _ => rows.for_each(|src, dst| row::<true>(mapping, src, dst)),
    }
}

fn row<const FULL: bool>(mapping: Mapping, src: &[u8], dst: &mut [u16]) {
    let (heads, tail) = src.as_chunks::<STEP>();
    let (outs, out_tail) = dst.as_chunks_mut::<STEP>();
    for (head, out) in heads.iter().zip(outs) {
        // SAFETY: NEON is part of AArch64, and `head` is the 16 bytes this reads.
        let x = unsafe { vld1q_u8(head.as_ptr()) };
        // SAFETY: NEON is part of AArch64; these work on registers only.
        let (low, high) = unsafe { (vmovl_u8(vget_low_u8(x)), vmovl_u8(vget_high_u8(x))) };
        let (low, high) = (eight::<FULL>(mapping, low), eight::<FULL>(mapping, high));
        // SAFETY: `out` is 16 samples; the two writes fill 8 from 0 and 8 from 8.
        unsafe {
            vst1q_u16(out.as_mut_ptr(), low);
            vst1q_u16(out.as_mut_ptr().add(8), high);
        }
    }
    for (out, &x) in out_tail.iter_mut().zip(tail) {
        *out = sample(mapping, x);
    }
}

#[inline(always)]
fn eight<const FULL: bool>(mapping: Mapping, x: uint16x8_t) -> uint16x8_t {
    // SAFETY: NEON is part of AArch64; these work on registers only.
    unsafe {
        let y = vshlq_n_u16::<2>(x);
        if !FULL {
            return y;
        }
        let (add, sub) = full_range(mapping);
        let (biased, reciprocal) = (vaddq_u16(x, vdupq_n_u16(add)), vdup_n_u16(RECIPROCAL_85));
        let low = vshrn_n_u32::<16>(vmull_u16(vget_low_u16(biased), reciprocal));
        let high = vshrn_n_u32::<16>(vmull_u16(vget_high_u16(biased), reciprocal));
        vqsubq_u16(vaddq_u16(y, vcombine_u16(low, high)), vdupq_n_u16(sub))
    }
}
