//! What each source layout becomes, said layout by layout.
#![deny(unsafe_code)]

use super::*;
use crate::base::ErrorKind;

/// `(source, target, note)`; an empty note means that nothing has to be said.
fn plan(layout: &str) -> (String, String) {
    let layout = ChannelLayout::from_name(layout).expect(layout);
    let plan = LayoutPlan::for_layout(&layout).unwrap();
    (plan.layout().to_owned(), plan.note.unwrap_or_default())
}

/// The mix as `output=gain*input+...` in Opus order.
fn mix(source: &str, target: &str) -> Vec<String> {
    let source = ChannelLayout::from_name(source).unwrap();
    let (speakers, _) = speakers_of(&source).unwrap();
    let target = TARGETS.iter().find(|t| t.name == target).unwrap();
    let gains = Gains::new(&speakers, target);
    let row = |(out, row): (usize, &[f64])| {
        let terms = row.iter().enumerate().filter(|(_, g)| **g != 0.0).map(|(i, g)| {
            let name = speakers[i].name().unwrap();
            if *g == 1.0 { name.to_owned() } else { format!("{g:.3}*{name}") }
        });
        format!("{}={}", target.speakers[out].name().unwrap(), terms.collect::<Vec<_>>().join("+"))
    };
    gains.matrix.chunks(speakers.len()).enumerate().map(row).collect()
}

#[test]
fn layouts_of_family_1_become_themselves_without_a_word() {
    for (source, target) in [
        ("mono", "mono"),
        ("stereo", "stereo"),
        ("3.0", "3.0"),
        ("quad", "quad"),
        ("quad(side)", "quad"),
        ("5.0", "5.0"),
        ("5.0(side)", "5.0"),
        ("5.1", "5.1"),
        ("5.1(side)", "5.1"),
        ("6.1", "6.1"),
        ("6.1(back)", "6.1"),
        ("7.1", "7.1"),
        ("downmix", "stereo"),
    ] {
        assert_eq!(plan(source), (target.to_owned(), String::new()), "{source}");
    }
}

#[test]
fn layouts_without_a_place_of_their_own_keep_every_channel_where_a_larger_one_has_room() {
    let silent = |names: &str, target: &str, n: u32| format!("{names} carried as {target} with {n} silent channels");
    for (source, target, names, n) in [
        ("2.1", "5.1", "FL+FR+LFE", 3),
        ("3.1", "5.1", "FL+FR+FC+LFE", 2),
        ("3.0(back)", "6.1", "FL+FR+BC", 4),
        ("4.0", "6.1", "FL+FR+FC+BC", 3),
        ("4.1", "6.1", "FL+FR+FC+LFE+BC", 2),
        ("6.0", "6.1", "FL+FR+FC+BC+SL+SR", 1),
        ("hexagonal", "6.1", "FL+FR+FC+BL+BR+BC", 1),
        ("7.0", "7.1", "FL+FR+FC+BL+BR+SL+SR", 1),
    ] {
        assert_eq!(plan(source), (target.to_owned(), silent(names, target, n)), "{source}");
    }
}

#[test]
fn what_no_layout_holds_is_folded_and_said() {
    let (target, note) = plan("7.1(wide)");
    assert_eq!(target, "5.1");
    assert_eq!(note, "FL+FR+FC+LFE+BL+BR+FLC+FRC folded to 5.1; FLC+FRC mixed into their neighbours");
    assert_eq!(plan("6.0(front)").0, "quad");
    assert_eq!(plan("7.0(front)").0, "5.0");
    assert_eq!(plan("octagonal").0, "7.1");
    for large in ["22.2", "hexadecagonal"] {
        let (target, note) = plan(large);
        assert_eq!(target, "7.1", "{large}");
        assert!(note.contains("folded to 7.1"), "{note}");
        assert!(!note.contains("left out"), "{note}");
    }
}

#[test]
fn unknown_layouts_keep_their_channels_or_are_refused() {
    let for_source = |channels, name| LayoutPlan::for_source(channels, name);
    for channels in 1..=8u32 {
        let plan = for_source(channels, "").unwrap();
        assert_eq!((plan.channels() as u32, plan.folds), (channels, false));
        assert_eq!(plan.note.is_some(), channels > 2, "a guess is said");
    }
    assert_eq!(for_source(6, "stereo").unwrap().layout(), "5.1", "a name that does not fit the count");
    assert_eq!(for_source(6, "6 channels").unwrap().layout(), "5.1");
    assert_eq!(for_source(3, "3 channels (FL+FR+LFE)").unwrap().layout(), "5.1");
    assert_eq!(for_source(1, "1 channels (LFE)").unwrap().layout(), "mono");
    for (channels, name) in [(0, ""), (22, "22 channels"), (255, ""), (4, "ambisonic 1"), (u32::MAX, "\0")] {
        assert_eq!(for_source(channels, name).unwrap_err().kind(), ErrorKind::Unsupported, "{channels} {name}");
    }
}

#[test]
fn opus_order_is_the_order_of_vorbis() {
    assert_eq!(mix("5.1", "5.1"), ["FL=FL", "FC=FC", "FR=FR", "BL=BL", "BR=BR", "LFE=LFE"]);
    assert_eq!(mix("5.1(side)", "5.1"), ["FL=FL", "FC=FC", "FR=FR", "BL=SL", "BR=SR", "LFE=LFE"]);
    assert_eq!(mix("6.1", "6.1"), ["FL=FL", "FC=FC", "FR=FR", "SL=SL", "SR=SR", "BC=BC", "LFE=LFE"]);
    assert_eq!(mix("7.1", "7.1"), ["FL=FL", "FC=FC", "FR=FR", "SL=SL", "SR=SR", "BL=BL", "BR=BR", "LFE=LFE"]);
    assert_eq!(mix("2.1", "5.1"), ["FL=FL", "FC=", "FR=FR", "BL=", "BR=", "LFE=LFE"]);
}

#[test]
fn a_fold_cannot_exceed_full_scale_and_keeps_the_balance() {
    assert_eq!(mix("5.1", "stereo")[0], "FL=0.414*FL+0.293*FC+0.293*BL");
    assert_eq!(mix("stereo", "mono"), ["FC=0.500*FL+0.500*FR"]);
    assert_eq!(mix("mono", "5.1")[1], "FC=FC");
    let cube = "FL+FR+BL+BR+TFL+TFR+TBL+TBR";
    for source in ["22.2", "7.1(wide)", "octagonal", "hexadecagonal", cube, "5.1", "mono"] {
        for target in &TARGETS {
            let layout = ChannelLayout::from_name(source).unwrap();
            let (speakers, _) = speakers_of(&layout).unwrap();
            let gains = Gains::new(&speakers, target);
            let loudest = gains.matrix.chunks(speakers.len()).map(|r| r.iter().sum::<f64>()).fold(0.0, f64::max);
            assert!(loudest <= 1.0 + 1e-12 && loudest > 0.5, "{source} to {}: {loudest}", target.name);
        }
    }
}

#[test]
fn the_same_channels_in_the_same_order_need_no_matrix() {
    let plan = LayoutPlan::for_source(2, "stereo").unwrap();
    let mix = |name: &str| plan.mix(&ChannelLayout::from_name(name).unwrap()).unwrap();
    assert_eq!(mix("stereo"), Mix { matrix: None, folds: false });
    assert_eq!(mix("2 channels"), Mix { matrix: None, folds: false });
    let spread = mix("mono");
    assert!(!spread.folds && spread.matrix.is_some_and(|m| m.len() == 2));
    assert!(mix("5.1").folds);
}

#[test]
fn rates_and_families_are_the_designs() {
    let facts = |n: u32| {
        let plan = LayoutPlan::for_source(n, "").unwrap();
        (plan.mapping_family(), plan.bitrate() / 1000)
    };
    let all: Vec<_> = (1..=8).map(facts).collect();
    assert_eq!(all, [(0, 64), (0, 128), (1, 160), (1, 208), (1, 248), (1, 256), (1, 320), (1, 384)]);
}
