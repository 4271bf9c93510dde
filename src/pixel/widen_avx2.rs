//! The 8→10 bit kernel for x86-64 with AVX2. Its unsafe code is feature checks, loads and stores.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm_sfence, _mm256_add_epi16, _mm256_cvtepu8_epi16, _mm256_mulhi_epu16,
    _mm256_set1_epi16, _mm256_slli_epi16, _mm256_storeu_si256, _mm256_stream_si256, _mm256_subs_epu16,
};

use super::rows::{Mapping, RowPairs, Stores};
use super::widen_scalar::{self, RECIPROCAL_85, full_range, sample};

/// Samples a step: two vectors of 16.
const STEP: usize = 32;

/// All rows; by the scalar kernel where the processor lacks AVX2.
pub(super) fn widen(mapping: Mapping, stores: Stores, rows: RowPairs<'_>) {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return widen_scalar::widen(mapping, rows);
    }
    // SAFETY: AVX2, the only feature the callee enables, was found in the line above.
    unsafe {
        match (mapping, stores) {
            (Mapping::Limited, Stores::Cached) => all::<false, false>(mapping, rows),
            (Mapping::Limited, Stores::Streaming) => all::<false, true>(mapping, rows),
            (_, Stores::Cached) => all::<true, false>(mapping, rows),
            (_, Stores::Streaming) => all::<true, true>(mapping, rows),
        }
    }
}

#[target_feature(enable = "avx2")]
fn all<const FULL: bool, const STREAM: bool>(mapping: Mapping, mut rows: RowPairs<'_>) {
    rows.for_each(|src, dst| {
        // A streaming store faults on an address that is not a multiple of 32.
        if STREAM && dst.as_ptr().cast::<__m256i>().is_aligned() {
            // SAFETY: within this function AVX2 is enabled, and the row is aligned as the callee asks.
            unsafe { row::<FULL, true>(mapping, src, dst) }
        } else {
            // SAFETY: within this function AVX2 is enabled; these stores ask for no alignment.
            unsafe { row::<FULL, false>(mapping, src, dst) }
        }
    });
    if STREAM {
        // Orders the streaming stores before whatever hands the picture to another thread, which ordinary
        // release operations do not.
        _mm_sfence();
    }
}

/// One row.
///
/// # Safety
/// With `STREAM`, `dst` must be aligned to 32 bytes, and the caller must fence before the row is shared.
#[target_feature(enable = "avx2")]
unsafe fn row<const FULL: bool, const STREAM: bool>(mapping: Mapping, src: &[u8], dst: &mut [u16]) {
    let (add, sub) = full_range(mapping);
    let (add, sub) = (_mm256_set1_epi16(add as i16), _mm256_set1_epi16(sub as i16));
    let reciprocal = _mm256_set1_epi16(RECIPROCAL_85 as i16);
    let (heads, tail) = src.as_chunks::<STEP>();
    let (outs, out_tail) = dst.as_chunks_mut::<STEP>();
    for (head, out) in heads.iter().zip(outs) {
        for half in 0..2 {
            // SAFETY: `head` is 32 bytes; this reads 16 of them from 0 or 16, at any alignment.
            let x = unsafe { _mm_loadu_si128(head.as_ptr().add(half * 16).cast::<__m128i>()) };
            let x = _mm256_cvtepu8_epi16(x);
            let mut y = _mm256_slli_epi16::<2>(x);
            if FULL {
                let step = _mm256_mulhi_epu16(_mm256_add_epi16(x, add), reciprocal);
                y = _mm256_subs_epu16(_mm256_add_epi16(y, step), sub);
            }
            // SAFETY: `out` is 32 samples; this writes 16 of them from 0 or 16. The row is aligned to 32 bytes
            // when STREAM (the caller's promise), and so is each half of each 64-byte step of it.
            unsafe {
                let to = out.as_mut_ptr().add(half * 16).cast::<__m256i>();
                if STREAM { _mm256_stream_si256(to, y) } else { _mm256_storeu_si256(to, y) }
            }
        }
    }
    for (out, &x) in out_tail.iter_mut().zip(tail) {
        *out = sample(mapping, x);
    }
}
