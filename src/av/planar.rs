//! Semi-planar samples, as graphics hardware gives them, made planar: same values, other places.
#![deny(unsafe_code)]

/// Rows of bytes and the distance between their beginnings.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) stride: usize,
}

/// As [`Rows`], to write to.
pub(super) struct RowsMut<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) stride: usize,
}

/// How samples lie in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleForm {
    /// One byte a sample (NV12).
    Bytes,
    /// Native-endian 16-bit words that carry the value this many bits too high (P010: 6).
    Words(u32),
}

impl SampleForm {
    /// Bytes a sample.
    pub(super) fn size(self) -> usize {
        match self {
            SampleForm::Bytes => 1,
            SampleForm::Words(_) => 2,
        }
    }
}

/// Copies `rows` rows of `width` samples of one plane.
pub(super) fn copy_plane(source: Rows, target: RowsMut, (width, rows): (usize, usize), samples: SampleForm) {
    let bytes = width * samples.size();
    let targets = target.bytes.chunks_mut(target.stride);
    for (from, to) in source.bytes.chunks(source.stride).zip(targets).take(rows) {
        let (from, to) = (&from[..bytes], &mut to[..bytes]);
        match samples {
            SampleForm::Bytes => to.copy_from_slice(from),
            SampleForm::Words(shift) => {
                let (from, to) = (from.as_chunks::<2>().0, to.as_chunks_mut::<2>().0);
                for (from, to) in from.iter().zip(to) {
                    *to = (u16::from_ne_bytes(*from) >> shift).to_ne_bytes();
                }
            }
        }
    }
}

/// Splits `rows` rows of `width` pairs into a plane of the first and a plane of the second of each pair.
pub(super) fn split_plane(
    source: Rows,
    first: RowsMut,
    second: RowsMut,
    (width, rows): (usize, usize),
    samples: SampleForm,
) {
    let bytes = width * samples.size();
    let targets = first.bytes.chunks_mut(first.stride).zip(second.bytes.chunks_mut(second.stride));
    for (from, (a, b)) in source.bytes.chunks(source.stride).zip(targets).take(rows) {
        let (from, a, b) = (&from[..2 * bytes], &mut a[..bytes], &mut b[..bytes]);
        match samples {
            SampleForm::Bytes => {
                for (pair, (a, b)) in from.as_chunks::<2>().0.iter().zip(a.iter_mut().zip(b)) {
                    [*a, *b] = *pair;
                }
            }
            SampleForm::Words(shift) => {
                let (a, b) = (a.as_chunks_mut::<2>().0, b.as_chunks_mut::<2>().0);
                for ([a0, a1, b0, b1], (a, b)) in from.as_chunks::<4>().0.iter().zip(a.iter_mut().zip(b)) {
                    *a = (u16::from_ne_bytes([*a0, *a1]) >> shift).to_ne_bytes();
                    *b = (u16::from_ne_bytes([*b0, *b1]) >> shift).to_ne_bytes();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[u8], stride: usize) -> Rows<'_> {
        Rows { bytes, stride }
    }

    fn rows_mut(bytes: &mut [u8], stride: usize) -> RowsMut<'_> {
        RowsMut { bytes, stride }
    }

    fn words(values: &[u16]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_ne_bytes()).collect()
    }

    #[test]
    fn nv12_chroma_is_split_and_what_lies_beyond_a_row_is_left_alone() {
        // A picture 5 wide and 3 high has chroma of 3 by 2. The last row ends with its last sample.
        let source = [1, 2, 3, 4, 5, 6, 99, 99, 7, 8, 9, 10, 11, 12];
        let (mut u, mut v) = ([0; 7], [0; 8]);
        split_plane(rows(&source, 8), rows_mut(&mut u, 4), rows_mut(&mut v, 5), (3, 2), SampleForm::Bytes);
        assert_eq!(u, [1, 3, 5, 0, 7, 9, 11]);
        assert_eq!(v, [2, 4, 6, 0, 0, 8, 10, 12]);
    }

    #[test]
    fn p010_comes_down_from_the_high_bits_exactly() {
        // 10-bit values, the extremes among them, at an odd width.
        let values = [0u16, 1, 512, 1022, 1023, 64];
        let source = words(&values.map(|v| v << 6));
        let (mut u, mut v) = ([0; 6], [0; 6]);
        split_plane(rows(&source, 12), rows_mut(&mut u, 6), rows_mut(&mut v, 6), (3, 1), SampleForm::Words(6));
        assert_eq!(u.to_vec(), words(&[0, 512, 1023]));
        assert_eq!(v.to_vec(), words(&[1, 1022, 64]));
    }

    #[test]
    fn luma_is_copied_row_by_row_between_unlike_strides() {
        let source = [1, 2, 3, 99, 4, 5, 6];
        let mut target = [0; 8];
        copy_plane(rows(&source, 4), rows_mut(&mut target, 5), (3, 2), SampleForm::Bytes);
        assert_eq!(target, [1, 2, 3, 0, 0, 4, 5, 6]);

        let source = words(&[1023 << 6, 0, 940 << 6, 0xffff, 64 << 6, 1 << 6, 2 << 6]);
        let mut target = vec![0; 12];
        copy_plane(rows(&source, 8), rows_mut(&mut target, 6), (3, 2), SampleForm::Words(6));
        assert_eq!(target, words(&[1023, 0, 940, 64, 1, 2]));
    }

    #[test]
    fn twelve_bits_have_a_shift_of_their_own() {
        let source = words(&[4095 << 4, 1 << 4]);
        let mut target = vec![0; 4];
        copy_plane(rows(&source, 4), rows_mut(&mut target, 4), (2, 1), SampleForm::Words(4));
        assert_eq!(target, words(&[4095, 1]));
    }
}
