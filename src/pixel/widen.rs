//! 8-bit samples to 10-bit samples: the dispatch over the kernels that do it.
//!
//! Owns the arithmetic's definition ([`Mapping`]), the choice of kernel ([`Level`]) and the checks that let the
//! kernels run without their own. Refuses pictures: it sees one plane at a time.
#![deny(unsafe_code)]

use std::sync::OnceLock;

use super::rows::{ByteRows, Mapping, RowPairs, SampleRows, Stores};
use super::widen_scalar;

/// A kernel. All of them give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Plain Rust, for any processor.
    Scalar,
    /// 32 samples a step on x86-64 with AVX2.
    ///
    /// There is no AVX-512 kernel: the loop waits for memory, and 64 samples a step measured no faster.
    Avx2,
    /// 16 samples a step on AArch64.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))] // named everywhere, made there
    Neon,
}

impl Level {
    /// The fastest kernel of this processor; asked of it once.
    pub fn detect() -> Level {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| Level::available().last().copied().unwrap_or(Level::Scalar))
    }

    /// The kernels this processor can run, slowest first.
    pub fn available() -> Vec<Level> {
        #[allow(unused_mut)]
        let mut levels = vec![Level::Scalar];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            levels.push(Level::Avx2);
        }
        #[cfg(target_arch = "aarch64")]
        levels.push(Level::Neon);
        levels
    }

    /// Its name in benches.
    #[cfg(any(test, feature = "internals"))]
    pub fn name(self) -> &'static str {
        match self {
            Level::Scalar => "scalar",
            Level::Avx2 => "avx2",
            Level::Neon => "neon",
        }
    }
}

/// Converts `width` × `height` samples. Samples of the target outside of them keep their values.
///
/// `None`, with nothing written, where the rows do not lie within the slices. A level this processor does not
/// have runs as [`Level::Scalar`].
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))] // only AVX2 has a choice of stores
pub fn widen_plane(
    level: Level,
    mapping: Mapping,
    stores: Stores,
    src: ByteRows<'_>,
    dst: SampleRows<'_>,
    (width, height): (usize, usize),
) -> Option<()> {
    if width == 0 || height == 0 {
        return Some(());
    }
    let rows = RowPairs::new(src, dst, (width, height))?;
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => super::widen_avx2::widen(mapping, stores, rows),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => super::widen_neon::widen(mapping, rows),
        _ => widen_scalar::widen(mapping, rows),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAPPINGS: [Mapping; 3] = [Mapping::Limited, Mapping::FullLuma, Mapping::FullChroma];

    fn row(level: Level, mapping: Mapping, stores: Stores, src: &[u8], dst: &mut [u16]) {
        let n = src.len();
        let (src, dst) = (ByteRows { bytes: src, stride: n }, SampleRows { samples: dst, stride: n });
        widen_plane(level, mapping, stores, src, dst, (n, usize::from(n > 0))).unwrap();
    }

    #[test]
    fn every_code_value_maps_as_h273_says() {
        let all: Vec<u8> = (0..=255).collect();
        for mapping in MAPPINGS {
            let mut out = [0; 256];
            row(Level::Scalar, mapping, Stores::Cached, &all, &mut out);
            for (x, &y) in all.iter().zip(&out) {
                let x = f64::from(*x);
                let expected = match mapping {
                    // E'Y = (x − 16) / 219, Y10 = 4 · (219 · E'Y + 16)
                    Mapping::Limited => 4.0 * (219.0 * ((x - 16.0) / 219.0) + 16.0),
                    Mapping::FullLuma => 1023.0 * x / 255.0,
                    Mapping::FullChroma => 1023.0 * ((x - 128.0) / 255.0) + 512.0,
                };
                assert_eq!(f64::from(y), expected.round().clamp(0.0, 1023.0), "{mapping:?} of {x}");
            }
        }
    }

    #[test]
    fn black_white_and_grey_keep_their_meaning() {
        let at = |mapping, x| {
            let mut out = [0];
            row(Level::detect(), mapping, Stores::Cached, &[x], &mut out);
            out[0]
        };
        assert_eq!([16, 128, 235, 240].map(|x| at(Mapping::Limited, x)), [64, 512, 940, 960]);
        assert_eq!([0, 255].map(|x| at(Mapping::FullLuma, x)), [0, 1023]);
        assert_eq!([0, 128, 255].map(|x| at(Mapping::FullChroma, x)), [0, 512, 1021]);
    }

    #[test]
    fn every_kernel_agrees_with_scalar_on_all_lengths_and_alignments() {
        let data: Vec<u8> = (0..400u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for level in Level::available() {
            for mapping in MAPPINGS {
                for stores in [Stores::Cached, Stores::Streaming] {
                    for n in 0..=300 {
                        let (skip_in, skip_out) = (n % 7, n % 19);
                        let src = &data[skip_in..][..n];
                        let mut expected = [7u16; 340];
                        let mut got = [7u16; 340];
                        row(Level::Scalar, mapping, Stores::Cached, src, &mut expected[skip_out..][..n]);
                        row(level, mapping, stores, src, &mut got[skip_out..][..n]);
                        assert_eq!(got, expected, "{level:?} {mapping:?} {stores:?}, {n} samples");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_kernel_agrees_with_scalar_on_planes_with_strides(
            width in 1usize..200, height in 1usize..9, pad_in in 0usize..70, pad_out in 0usize..70, seed: u64,
            mapping in prop::sample::select(&MAPPINGS[..]), streaming: bool,
        ) {
            let (stride_in, stride_out) = (width + pad_in, width + pad_out);
            let mut state = seed | 1;
            let src: Vec<u8> = (0..stride_in * height).map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            }).collect();
            // The last row may end with its last sample.
            let src = &src[..(height - 1) * stride_in + width];
            let convert = |level, stores| {
                let mut out = vec![0xABCD; (height - 1) * stride_out + width];
                let target = SampleRows { samples: &mut out, stride: stride_out };
                widen_plane(level, mapping, stores, ByteRows { bytes: src, stride: stride_in }, target, (width, height))
                    .map(|()| out)
            };
            let expected = convert(Level::Scalar, Stores::Cached).unwrap();
            for (i, &sample) in expected.iter().enumerate() {
                prop_assert_eq!(sample == 0xABCD, i % stride_out >= width, "padding is left alone");
            }
            let stores = if streaming { Stores::Streaming } else { Stores::Cached };
            for level in Level::available() {
                prop_assert_eq!(&convert(level, stores).unwrap(), &expected);
            }
        }
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let src = [0u8; 100];
        let mut dst = [9u16; 100];
        for (stride_in, stride_out, size) in [(10, 10, (11, 2)), (50, 10, (10, 3)), (10, 50, (10, 4)), (9, 10, (10, 1))]
        {
            let result = widen_plane(
                Level::detect(),
                Mapping::Limited,
                Stores::Cached,
                ByteRows { bytes: &src, stride: stride_in },
                SampleRows { samples: &mut dst, stride: stride_out },
                size,
            );
            assert!(result.is_none(), "{stride_in} {stride_out} {size:?}");
        }
        assert!(dst.iter().all(|&s| s == 9));
    }
}
