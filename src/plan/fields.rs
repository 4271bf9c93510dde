//! Whether a film's pictures are whole, interlaced or telecined.
#![deny(unsafe_code)]

use serde::{Deserialize, Serialize};

use crate::media::{Combing, FieldCounts, FieldLook, RepeatedField};

/// What the pictures of a film are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fields {
    /// Whole pictures, also where the stream flags them interlaced (films on PAL discs).
    Progressive,
    /// The fields of a picture are of two moments.
    Interlaced {
        /// The top field's moment is the earlier.
        top_first: bool,
    },
    /// Film at 24 a second spread over 60 fields (3:2 pulldown): of five pictures two hold fields of two film pictures.
    HardTelecine {
        /// The top field is shown first.
        top_first: bool,
    },
    /// Whole film pictures, of which about half are flagged to be shown for a third field.
    SoftTelecine,
}

impl Fields {
    /// As reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Fields::Progressive => "progressive",
            Fields::Interlaced { top_first: true } => "interlaced-top-first",
            Fields::Interlaced { top_first: false } => "interlaced-bottom-first",
            Fields::HardTelecine { .. } => "hard-telecine",
            Fields::SoftTelecine => "soft-telecine",
        }
    }
}

/// With fewer pictures of which something can be told, the flags are believed.
const FEWEST: usize = 10;

/// The share of pictures, of those that can be told, that have to be combed in one order and not in the other. Parts of
/// a film flagged interlaced may be so; what is not flagged is so as a whole or not at all.
const COMBED_AND_FLAGGED: f64 = 0.25;
const COMBED_UNFLAGGED: f64 = 0.6;

/// What is not flagged has to show it in this many pictures: two seconds of a film.
const FEWEST_UNFLAGGED: usize = 48;

/// A picture whose fields fit each other less well than they fit its neighbours', or hardly better.
const UNFIT: f32 = 0.9;

/// How much less the mixed pictures of pulldown fit themselves than the whole ones between do, at least.
const STANDS_OUT: f32 = 1.05;

/// The share of pictures that look combed that have to be unfit: two of four in telecine, the more the faster things
/// move in interlaced video, next to none where whole pictures move up or down.
const UNFIT_SHARE: f64 = 0.2;

/// Telecine is looked for in windows of three groups of five, because a cut made after it breaks the pattern.
const GROUP: usize = 5;
const WINDOW: usize = 3 * GROUP;

/// A window without this many combed pictures says nothing: there is too little motion in it.
const FEWEST_COMBED: usize = 6;

/// The share of the windows that say something that has to show the pattern.
const IN_PATTERN: f64 = 0.5;

/// Whether enough was seen to be believed before the flags.
pub fn is_told(counts: &FieldCounts) -> bool {
    counts.determined() >= FEWEST
}

/// Decides by looks at consecutive pictures: a hundred or so, some of them with motion.
///
/// It is sure of hard telecine only from two windows (20 pictures) on.
pub fn judge(looks: &[FieldLook]) -> Fields {
    let counts = FieldCounts::of(looks);
    let share = |count: usize| count as f64 / counts.pictures.max(1) as f64;
    let flagged = share(counts.flagged_interlaced) > 0.5;
    let repeats = (0.3..=0.7).contains(&share(counts.flagged_repeats));
    if !is_told(&counts) {
        let top_first = counts.flagged_top_first * 2 >= counts.flagged_interlaced;
        return match (flagged, repeats) {
            (true, _) => Fields::Interlaced { top_first },
            (false, true) => Fields::SoftTelecine,
            (false, false) => Fields::Progressive,
        };
    }
    let top_first = counts.top_first > counts.bottom_first;
    // What only looks combed (noise, fades) does so in either order.
    let combed = counts.top_first.abs_diff(counts.bottom_first) as f64 / counts.determined() as f64;
    let least = match flagged {
        true => COMBED_AND_FLAGGED,
        false if counts.determined() < FEWEST_UNFLAGGED => f64::INFINITY,
        false => COMBED_UNFLAGGED,
    };
    match combed >= COMBED_AND_FLAGGED && is_unfit(looks, order(top_first)) {
        true if is_telecined(looks, top_first) => Fields::HardTelecine { top_first },
        true if combed >= least => Fields::Interlaced { top_first },
        _ if repeats => Fields::SoftTelecine,
        _ => Fields::Progressive,
    }
}

/// How pictures look whose fields are in this order.
fn order(top_first: bool) -> Combing {
    if top_first { Combing::Top } else { Combing::Bottom }
}

/// Whether the pictures that look combed are so by themselves, and not by how they differ from their neighbours.
fn is_unfit(looks: &[FieldLook], order: Combing) -> bool {
    let combed = looks.iter().filter(|look| look.single == order);
    let unfit = combed.clone().filter(|look| look.weave >= UNFIT).count();
    unfit > 0 && unfit as f64 >= combed.count() as f64 * UNFIT_SHARE
}

/// Whether most windows in which something moves show 3:2 pulldown.
fn is_telecined(looks: &[FieldLook], top_first: bool) -> bool {
    let windows: Vec<bool> =
        looks.windows(WINDOW).step_by(GROUP).filter_map(|w| shows_pulldown(w, top_first)).collect();
    let found = windows.iter().filter(|found| **found).count();
    found >= 2 && found as f64 >= windows.len() as f64 * IN_PATTERN
}

/// Whether a window shows 3:2 pulldown; `None` where too little moves.
fn shows_pulldown(window: &[FieldLook], top_first: bool) -> Option<bool> {
    let order = order(top_first);
    let combed = window.iter().filter(|look| look.single == order).count();
    let shown = |phase| {
        is_whole_at(window, order, phase) || is_unfit_after(window, phase) || repeats_at(window, top_first, phase)
    };
    (combed >= FEWEST_COMBED).then(|| (0..GROUP).any(shown))
}

/// Whether the pictures at `phase` of each group look whole, and the others combed.
///
/// Of the five (AA BB BC CD DD, by the film picture of each field) it is AA alone that shares no field with a
/// neighbour; each other one continues a neighbour's field, which looks as an interlaced picture in motion does.
fn is_whole_at(window: &[FieldLook], order: Combing, phase: usize) -> bool {
    let combed = |at_phase: bool| {
        let those = window.iter().enumerate().filter(|(i, _)| (i % GROUP == phase) == at_phase);
        those.filter(|(_, look)| look.single == order).count()
    };
    let others = window.len() - window.len() / GROUP;
    combed(true) == 0 && combed(false) * 4 >= others * 3
}

/// Whether of each five, AA at `phase`, BC and CD do not fit themselves and the others do.
fn is_unfit_after(window: &[FieldLook], phase: usize) -> bool {
    let is_mixed = |i: usize| matches!((i + GROUP - phase) % GROUP, 2 | 3);
    window.chunks_exact(GROUP).all(|five| {
        let of =
            |mixed| five.iter().enumerate().filter(move |(i, _)| is_mixed(*i) == mixed).map(|(_, look)| look.weave);
        let (least, most) = (of(true).fold(f32::INFINITY, f32::min), of(false).fold(0.0, f32::max));
        most < UNFIT && least > most * STANDS_OUT
    })
}

/// Whether fields repeat as in pulldown and hardly elsewhere: the field shown first of the picture at `phase`, and the
/// other one of that two pictures later (BC and DD).
fn repeats_at(window: &[FieldLook], top_first: bool, phase: usize) -> bool {
    let (first, second) = match top_first {
        true => (RepeatedField::Top, RepeatedField::Bottom),
        false => (RepeatedField::Bottom, RepeatedField::Top),
    };
    let expected = |i: usize| match (i + GROUP - phase) % GROUP {
        0 => first,
        2 => second,
        _ => RepeatedField::Neither,
    };
    let seen = window.iter().filter(|look| look.repeated != RepeatedField::Neither).count();
    let fitting = window
        .iter()
        .enumerate()
        .filter(|(i, look)| look.repeated != RepeatedField::Neither && look.repeated == expected(*i))
        .count();
    fitting >= 4 && fitting * 5 >= seen * 4
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
