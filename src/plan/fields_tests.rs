//! Fields as they were recorded from clips with FFmpeg 5.1, and as they may be.

use proptest::prelude::*;

use super::*;
use crate::media::FieldFlags;

/// Looks from idet's series, a letter a picture (t, b, p, u and t, b, n), under the same flags.
fn looks(single: &str, repeated: &str, flags: FieldFlags) -> Vec<FieldLook> {
    let combing = |c| match c {
        't' => Combing::Top,
        'b' => Combing::Bottom,
        'p' => Combing::Progressive,
        _ => Combing::Undetermined,
    };
    let repeat = |c| match c {
        't' => RepeatedField::Top,
        'b' => RepeatedField::Bottom,
        _ => RepeatedField::Neither,
    };
    let multiple = steady(&single.chars().map(combing).collect::<Vec<_>>());
    let pairs = single.chars().zip(repeated.chars()).zip(multiple);
    pairs
        .map(|((s, r), multiple)| FieldLook { flags, single: combing(s), multiple, repeated: repeat(r), weave: 1.0 })
        .collect()
}

/// What idet makes of single looks: another kind has to come three times in a row.
fn steady(single: &[Combing]) -> Vec<Combing> {
    let (mut last, mut run, mut kind) = (Combing::Undetermined, 0, Combing::Undetermined);
    let mut believe = |look: &Combing| {
        if *look != Combing::Undetermined {
            run = if *look == kind { run + 1 } else { 1 };
            kind = *look;
            if last == Combing::Undetermined || run > 2 {
                last = kind;
            }
        }
        last
    };
    single.iter().map(&mut believe).collect()
}

const INTERLACED: FieldFlags = FieldFlags { interlaced: true, top_first: true, repeats: 0 };
const WHOLE: FieldFlags = FieldFlags { interlaced: false, top_first: false, repeats: 0 };

fn none(n: usize) -> String {
    "n".repeat(n)
}

#[test]
fn pulldown_is_seen_though_the_encoder_hid_most_repeated_fields() {
    let single = "uttttuttttuutttuutttuutttuuutttuutttuutttuutttuuttutttutttputttputtuutttuttutttputttputtttpttttpttttp\
                  ttttputtttpttttuttttuttttuttttpttttpttttuttttu";
    let single: String = single.split_whitespace().collect();
    assert_eq!(judge(&looks(&single, &none(single.len()), INTERLACED)), Fields::HardTelecine { top_first: true });
    let single =
        "pttttpttttpttttpttttpttttpttttpttttpttttpttttpttttpttttuuuuuttuppttttpttttpttttpttttpttttpuuuuuuuuutt";
    let repeats =
        "nnnnnnnnnnnnnnbnntnbnntnnnntnbnntnbnntnbnntnbnntnnnnnnnnntbnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
    assert_eq!(judge(&looks(single, repeats, INTERLACED)), Fields::HardTelecine { top_first: true });
}

#[test]
fn pulldown_is_seen_by_repeated_fields_where_the_looks_are_noisy() {
    let single: String = "tttptpttttptttttttpt".repeat(6);
    assert_eq!(judge(&looks(&single, &"ntnbn".repeat(24), INTERLACED)), Fields::HardTelecine { top_first: true });
    // The other way round no pulldown repeats them.
    assert_eq!(judge(&looks(&single, &"nbntn".repeat(24), INTERLACED)), Fields::Interlaced { top_first: true });
}

#[test]
fn a_camera_at_50_a_second_shown_at_60_fields_is_interlaced_and_not_telecined() {
    let six: String = "tttttp".repeat(20);
    assert_eq!(judge(&looks(&six, &"bnnntn".repeat(20), INTERLACED)), Fields::Interlaced { top_first: true });
    let six: String = "bbbbpp".repeat(20);
    assert_eq!(judge(&looks(&six, &"bntnnn".repeat(20), INTERLACED)), Fields::Interlaced { top_first: false });
}

#[test]
fn a_film_flagged_interlaced_is_progressive_and_a_video_flagged_progressive_is_interlaced() {
    assert_eq!(judge(&looks(&"ppppu".repeat(24), &none(120), INTERLACED)), Fields::Progressive);
    assert_eq!(judge(&looks(&"tttt".repeat(30), &none(120), WHOLE)), Fields::Interlaced { top_first: true });
    // A second of it is believed only if it is flagged.
    assert_eq!(judge(&looks(&"t".repeat(24), &none(24), WHOLE)), Fields::Progressive);
    assert_eq!(judge(&looks(&"t".repeat(24), &none(24), INTERLACED)), Fields::Interlaced { top_first: true });
}

#[test]
fn a_trailer_whose_fades_and_titles_look_combed_in_either_order_is_progressive() {
    let single = format!("{}buuttttttttuuuubbbbbbbbuuuttt{}", "p".repeat(60), "p".repeat(31));
    assert_eq!(judge(&looks(&single, &none(120), INTERLACED)), Fields::Progressive);
}

#[test]
fn titles_that_roll_by_a_row_a_picture_are_progressive() {
    let mut film = looks(&"t".repeat(120), &none(120), INTERLACED);
    film.iter_mut().for_each(|look| look.weave = 0.4);
    assert_eq!(judge(&film), Fields::Progressive);
}

#[test]
fn pulldown_is_seen_by_the_two_of_five_pictures_that_do_not_fit_themselves() {
    let mut film = looks(&"t".repeat(120), &none(120), INTERLACED);
    film.iter_mut().enumerate().for_each(|(i, look)| look.weave = if i % 5 < 2 { 1.0 } else { 0.8 });
    assert_eq!(judge(&film), Fields::HardTelecine { top_first: true });
    // Three of six are a camera at 50 a second.
    film.iter_mut().enumerate().for_each(|(i, look)| look.weave = if i % 6 < 3 { 3.0 } else { 0.5 });
    assert_eq!(judge(&film), Fields::Interlaced { top_first: true });
}

#[test]
fn whole_pictures_of_which_half_are_flagged_to_repeat_a_field_are_soft_telecine() {
    let mut film = looks(&"p".repeat(120), &none(120), WHOLE);
    film.iter_mut().skip(1).step_by(2).for_each(|look| look.flags.repeats = 1);
    assert_eq!(judge(&film), Fields::SoftTelecine);
    // Also where nothing moves.
    film.iter_mut().for_each(|look| (look.single, look.multiple) = Default::default());
    assert_eq!(judge(&film), Fields::SoftTelecine);
    // Whole pictures shown twice are none.
    film.iter_mut().for_each(|look| look.flags.repeats *= 2);
    assert_eq!(judge(&film), Fields::Progressive);
}

#[test]
fn nothing_is_progressive() {
    assert_eq!(judge(&[]), Fields::Progressive);
}

fn any_look() -> impl Strategy<Value = FieldLook> {
    let combing =
        || prop::sample::select(vec![Combing::Top, Combing::Bottom, Combing::Progressive, Combing::Undetermined]);
    let repeated = prop::sample::select(vec![RepeatedField::Neither, RepeatedField::Top, RepeatedField::Bottom]);
    let flags = (any::<bool>(), any::<bool>(), 0u8..3);
    (flags, combing(), combing(), repeated).prop_map(
        |((interlaced, top_first, repeats), single, multiple, repeated)| FieldLook {
            flags: FieldFlags { interlaced, top_first, repeats },
            single,
            multiple,
            repeated,
            weave: 1.0,
        },
    )
}

/// The same fields upside down.
fn mirrored(look: &FieldLook) -> FieldLook {
    let combing = |c| match c {
        Combing::Top => Combing::Bottom,
        Combing::Bottom => Combing::Top,
        other => other,
    };
    let repeated = match look.repeated {
        RepeatedField::Top => RepeatedField::Bottom,
        RepeatedField::Bottom => RepeatedField::Top,
        RepeatedField::Neither => RepeatedField::Neither,
    };
    let flags = FieldFlags { top_first: !look.flags.top_first, ..look.flags };
    FieldLook { flags, single: combing(look.single), multiple: combing(look.multiple), repeated, weave: look.weave }
}

fn upside_down(fields: Fields) -> Fields {
    match fields {
        Fields::Interlaced { top_first } => Fields::Interlaced { top_first: !top_first },
        Fields::HardTelecine { top_first } => Fields::HardTelecine { top_first: !top_first },
        other => other,
    }
}

proptest! {
    #[test]
    fn the_order_of_fields_is_all_that_turns_with_the_picture(film in prop::collection::vec(any_look(), 0..200)) {
        let counts = FieldCounts::of(&film);
        prop_assume!(counts.top_first != counts.bottom_first);
        prop_assume!(counts.flagged_top_first * 2 != counts.flagged_interlaced);
        let turned: Vec<_> = film.iter().map(mirrored).collect();
        prop_assert_eq!(judge(&turned), upside_down(judge(&film)));
    }

    #[test]
    fn pulldown_is_seen_at_any_phase_through_cuts_and_static_stretches(
        phase in 0usize..5,
        cut in 0usize..5,
        still in 0usize..40,
        top in any::<bool>(),
        flagged in any::<bool>(),
    ) {
        let single: String = (0..120)
            .map(|i| match i {
                i if (40..40 + still).contains(&i) => 'u',
                i if (i + phase + if i < 60 { 0 } else { cut }) % 5 == 0 => 'p',
                _ => 't',
            })
            .collect();
        let film = looks(&single, &none(120), if flagged { INTERLACED } else { WHOLE });
        let film: Vec<_> = film.iter().map(|look| if top { *look } else { mirrored(look) }).collect();
        prop_assert_eq!(judge(&film), Fields::HardTelecine { top_first: top });
    }

    #[test]
    fn motion_of_irregular_strength_is_not_taken_for_pulldown(quiet in prop::collection::vec(0u8..100, 120), share in 0u8..35) {
        let single: String = quiet.iter().map(|q| if *q < share { 'p' } else { 't' }).collect();
        prop_assert_eq!(judge(&looks(&single, &none(120), INTERLACED)), Fields::Interlaced { top_first: true });
    }

    #[test]
    fn a_film_that_is_not_combed_is_never_deinterlaced(film in prop::collection::vec(any_look(), 10..200)) {
        let whole: Vec<_> = film
            .iter()
            .map(|look| FieldLook { single: Combing::Progressive, multiple: Combing::Progressive, ..*look })
            .collect();
        prop_assert!(matches!(judge(&whole), Fields::Progressive | Fields::SoftTelecine));
    }

    #[test]
    fn looks_that_tell_nothing_leave_it_to_the_flags(film in prop::collection::vec(any_look(), 1..200), told in 0usize..10) {
        let flagged = film.iter().filter(|l| l.flags.interlaced).count() * 2 > film.len();
        let unseen: Vec<_> = film
            .iter()
            .enumerate()
            .map(|(i, look)| match i < told {
                true => *look,
                false => FieldLook { multiple: Combing::Undetermined, ..*look },
            })
            .collect();
        prop_assert_eq!(matches!(judge(&unseen), Fields::Interlaced { .. }), flagged);
    }
}
