//! What is known of the two fields of a picture: what the stream flags, and what a look at the samples says.

use serde::{Deserialize, Serialize};

/// What the decoder flags on a picture. Streams are often wrong about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldFlags {
    /// Its fields are of two moments. Films on PAL discs mostly say so and are not.
    pub interlaced: bool,
    /// The top field is shown first; means nothing where neither of the others is set.
    pub top_first: bool,
    /// Field times it is shown beyond its own two: 1 in soft telecine, 2 or 4 where whole pictures repeat.
    pub repeats: u8,
}

/// What a comparison with the neighbouring pictures says about a picture's fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Combing {
    /// Two moments, the top field's first.
    Top,
    /// Two moments, the bottom field's first.
    Bottom,
    /// One moment.
    Progressive,
    /// Nothing moves, or it cannot be told.
    #[default]
    Undetermined,
}

/// Which field of a picture is the one of the picture before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RepeatedField {
    /// Neither, or both.
    #[default]
    Neither,
    /// The top field.
    Top,
    /// The bottom field.
    Bottom,
}

/// Which field of a picture is of the earlier moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    /// The top field.
    Top,
    /// The bottom field.
    Bottom,
    /// As each picture is flagged; the top field where it is not flagged interlaced.
    #[default]
    Auto,
}

/// Which pictures are deinterlaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// All of them.
    #[default]
    All,
    /// Those flagged interlaced; the others come out with the very samples they came in with.
    Flagged,
}

/// All that is known of one picture's fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldLook {
    /// What the decoder flags.
    pub flags: FieldFlags,
    /// By this picture and its two neighbours.
    pub single: Combing,
    /// By the pictures before as well: a change has to last for some pictures to be believed.
    pub multiple: Combing,
    /// Which field was seen before.
    pub repeated: RepeatedField,
    /// How combed the picture is by itself, divided by how combed one of its fields is with the best field of a
    /// neighbour: below 1 where whole pictures move, 1 where nothing does, about 1 or more where fields do.
    pub weave: f32,
}

/// Counts over a run of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCounts {
    /// Pictures that were looked at.
    pub pictures: usize,
    /// Combed with the top field first (by `multiple`, as the next three).
    pub top_first: usize,
    /// Combed with the bottom field first.
    pub bottom_first: usize,
    /// Not combed.
    pub progressive: usize,
    /// Not to be told.
    pub undetermined: usize,
    /// Pictures with the top field of the picture before.
    pub repeated_top: usize,
    /// Pictures with the bottom field of the picture before.
    pub repeated_bottom: usize,
    /// Pictures flagged interlaced.
    pub flagged_interlaced: usize,
    /// Those of them flagged top field first.
    pub flagged_top_first: usize,
    /// Pictures flagged to be shown for one more field.
    pub flagged_repeats: usize,
}

impl FieldCounts {
    /// Counts `looks`.
    pub fn of(looks: &[FieldLook]) -> Self {
        let count = |test: &dyn Fn(&FieldLook) -> bool| looks.iter().filter(|look| test(look)).count();
        FieldCounts {
            pictures: looks.len(),
            top_first: count(&|l| l.multiple == Combing::Top),
            bottom_first: count(&|l| l.multiple == Combing::Bottom),
            progressive: count(&|l| l.multiple == Combing::Progressive),
            undetermined: count(&|l| l.multiple == Combing::Undetermined),
            repeated_top: count(&|l| l.repeated == RepeatedField::Top),
            repeated_bottom: count(&|l| l.repeated == RepeatedField::Bottom),
            flagged_interlaced: count(&|l| l.flags.interlaced),
            flagged_top_first: count(&|l| l.flags.interlaced && l.flags.top_first),
            flagged_repeats: count(&|l| l.flags.repeats == 1),
        }
    }

    /// Pictures of which something can be told.
    pub fn determined(&self) -> usize {
        self.pictures - self.undetermined
    }
}
