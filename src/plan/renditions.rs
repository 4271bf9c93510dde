//! Which of several sizes of a film are made: none twice, and none that only says it is larger than the film.
#![deny(unsafe_code)]

/// A rendition as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenditionShape {
    /// What it is beside its size: all that was asked for, in words.
    pub kind: String,
    /// Size of its pictures.
    pub size: (u32, u32),
    /// Whether the box it was asked for is larger than the film.
    pub above: bool,
    /// Whether it is one of a row of sizes of which those above the film are not meant.
    pub optional: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenditionVerdict {
    /// It is made.
    Made,
    /// The film is smaller.
    Above,
    /// It would come to the same as this one, which is made.
    SameAs(usize),
}

/// Decides for each. The first of equals is made; of a row that is all above the film, its last and smallest.
pub fn chosen(all: &[RenditionShape]) -> Vec<RenditionVerdict> {
    let mut out: Vec<RenditionVerdict> = Vec::new();
    for (number, shape) in all.iter().enumerate() {
        let of_row = |other: &&RenditionShape| other.optional && other.kind == shape.kind;
        let last_resort = shape.above
            && all.iter().filter(of_row).all(|other| other.above)
            && !all[number + 1..].iter().any(|other| of_row(&other));
        let same = all[..number].iter().zip(&out).position(|(other, verdict)| {
            *verdict == RenditionVerdict::Made && other.kind == shape.kind && other.size == shape.size
        });
        out.push(match same {
            _ if shape.optional && shape.above && !last_resort => RenditionVerdict::Above,
            Some(other) => RenditionVerdict::SameAs(other),
            None => RenditionVerdict::Made,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::RenditionVerdict::{Above, Made, SameAs};
    use super::*;

    fn shape(kind: &str, size: (u32, u32), above: bool, optional: bool) -> RenditionShape {
        RenditionShape { kind: kind.to_owned(), size, above, optional }
    }

    #[test]
    fn sizes_above_the_film_and_sizes_twice_are_left_out() {
        let row = |above: [bool; 3], sizes: [(u32, u32); 3]| {
            let mut all: Vec<_> = sizes.into_iter().zip(above).map(|(size, a)| shape("mp4", size, a, true)).collect();
            all.push(shape("webm", sizes[0], above[0], false));
            chosen(&all)
        };
        let (hd, sd) = ((1280, 720), (854, 480));
        assert_eq!(row([true, false, false], [hd, hd, sd]), [Above, Made, Made, Made]);
        assert_eq!(row([true; 3], [(320, 240); 3]), [Above, Above, Made, Made], "the smallest is made at its own size");
        let asked = [shape("mp4", hd, true, false), shape("mp4", hd, false, false), shape("webm", hd, true, false)];
        assert_eq!(chosen(&asked), [Made, SameAs(0), Made]);
    }

    proptest! {
        #[test]
        fn each_kind_is_made_at_least_once_and_no_size_of_it_twice(
            all in prop::collection::vec((0u8..3, 1u32..4, prop::bool::ANY, prop::bool::ANY), 1..12),
        ) {
            let all: Vec<_> = all
                .into_iter()
                .map(|(kind, size, above, optional)| shape(&kind.to_string(), (size, size), above, optional))
                .collect();
            let verdicts = chosen(&all);
            let made: Vec<_> = all.iter().zip(&verdicts).filter(|(_, v)| **v == Made).map(|(s, _)| s).collect();
            for shape in &all {
                prop_assert!(made.iter().any(|m| m.kind == shape.kind));
                prop_assert!(made.iter().filter(|m| m.kind == shape.kind && m.size == shape.size).count() <= 1);
            }
            for (shape, verdict) in all.iter().zip(&verdicts) {
                if let SameAs(other) = verdict {
                    prop_assert_eq!((&all[*other].kind, all[*other].size), (&shape.kind, shape.size));
                    prop_assert_eq!(verdicts[*other], Made);
                }
            }
        }
    }
}
