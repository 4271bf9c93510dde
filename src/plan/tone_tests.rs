use proptest::prelude::*;

use super::*;
use crate::media::{ContentLight, MasteringDisplay};

fn color(primaries: u8, transfer: u8, matrix: u8) -> Color {
    Color { primaries: Primaries(primaries), transfer: Transfer(transfer), matrix: Matrix(matrix), ..Color::default() }
}

fn display(max: i32) -> MasteringDisplay {
    let one = Rational::ONE;
    let nits = |n| Rational::positive(n, 1).unwrap();
    MasteringDisplay {
        red: [one; 2],
        green: [one; 2],
        blue: [one; 2],
        white: [one; 2],
        min_luminance: one,
        max_luminance: nits(max),
    }
}

#[test]
fn the_peak_is_the_film_s_own_where_it_says_so() {
    let light = |max_cll| Some(ContentLight { max_cll, max_fall: 100 });
    let hdr = |max_cll: Option<u32>, max: Option<i32>| HdrStatic {
        content_light: max_cll.and_then(light),
        mastering_display: max.map(display),
    };
    for (transfer, hdr, wanted) in [
        (Transfer::PQ, hdr(Some(812), Some(4000)), 812.0),
        (Transfer::PQ, hdr(Some(0), Some(4000)), 4000.0),
        (Transfer::PQ, hdr(None, Some(4000)), 4000.0),
        (Transfer::PQ, hdr(None, None), 1000.0),
        (Transfer::PQ, hdr(Some(3), None), 200.0),
        (Transfer::PQ, hdr(Some(65_535), None), 10_000.0),
        (Transfer::HLG, hdr(Some(4000), None), 1000.0),
    ] {
        assert_eq!(peak(transfer, hdr), wanted, "{hdr:?}");
    }
}

#[test]
fn what_hdr_does_not_say_is_what_bt_2100_says_and_the_unknown_is_refused() {
    assert_eq!(source_colour(color(2, 16, 2)).unwrap(), [9, 16, 9]);
    assert_eq!(source_colour(color(12, 18, 9)).unwrap(), [12, 18, 9]);
    assert_eq!(source_colour(color(9, 16, 8)).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn dolby_vision_without_a_base_layer_of_its_own_is_not_tone_mapped() {
    let base = || DolbyVision::new(5, None, Some(0));
    let alone = DolbyVision::new(10, None, Some(0));
    let usual = DolbyVision::new(8, None, Some(1));
    assert!(needs_its_rpus(&base()) && needs_its_rpus(&alone) && !needs_its_rpus(&usual));
    assert!(unreadable_without(&base()).is_some_and(|why| why.contains("wrong colours")));
    assert_eq!(unreadable_without(&usual), None);
}

#[test]
fn hdr_in_8_bits_is_refused_with_the_ways_out() {
    let error = check_depth(color(9, 16, 9), 8, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    for part in ["HDR (PQ)", "--bit-depth 10", "--tonemap"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    check_depth(color(9, 16, 9), 10, None).unwrap();
    check_depth(color(1, 1, 1), 8, None).unwrap();
}

#[test]
fn a_matrix_follows_the_size_across_the_line_and_nowhere_else() {
    const HD: (u32, u32) = (1280, 720);
    const NTSC: (u32, u32) = (854, 480);
    const PAL: (u32, u32) = (1024, 576);
    let to = |color, source, output, scaled| matrix_change(color, source, output, scaled).map(|c| (c.unsaid.0, c.to.0));
    // Down: by the name for its lines.
    assert_eq!(to(color(1, 1, 1), HD, NTSC, true), Some((1, 6)));
    assert_eq!(to(color(1, 1, 1), HD, PAL, true), Some((1, 5)));
    assert_eq!(to(color(2, 2, 2), HD, NTSC, true), Some((1, 6)));
    // Up.
    assert_eq!(to(color(2, 2, 2), NTSC, HD, true), Some((6, 1)));
    assert_eq!(to(color(5, 1, 5), PAL, HD, true), Some((5, 1)));
    // What has the new side's matrix already keeps it, and what is of neither side.
    for same in [color(1, 1, 6), color(9, 16, 9), color(9, 14, 9), color(9, 18, 1), color(2, 2, 7)] {
        assert_eq!(to(same, HD, NTSC, true), None, "{same:?}");
    }
    // On one side nothing changes.
    assert_eq!(to(color(1, 1, 1), (720, 480), (640, 360), true), None);
    assert_eq!(to(color(2, 2, 2), (1920, 1080), HD, true), None);
    assert_eq!(to(color(2, 2, 2), (1920, 1080), (1280, 534), true), None, "a wide film is HD by its columns");
    // Cut and not scaled: what it is is said where its size would mislead.
    assert_eq!(to(color(2, 2, 2), HD, (640, 480), false), Some((1, 1)));
    assert_eq!(to(color(1, 1, 1), HD, (640, 480), false), None);
}

fn any_size() -> impl Strategy<Value = (u32, u32)> {
    ((32u32..1100).prop_map(|n| n * 2), (32u32..800).prop_map(|n| n * 2))
}

proptest! {
    /// Whoever reads the output by its tag, or by its size where it has none, reads what the samples are.
    #[test]
    fn no_picture_is_relabelled(
        source in any_size(), output in any_size(), scaled in any::<bool>(),
        matrix in prop::sample::select(vec![0u8, 1, 2, 5, 6, 7, 9]),
        transfer in prop::sample::select(vec![1u8, 2, 16, 18]),
    ) {
        let color = color(2, transfer, matrix);
        let was = if matches!(matrix, 0 | 2) { Matrix::implied(source.0, source.1) } else { Matrix(matrix) };
        let change = matrix_change(color, source, output, scaled);
        match change.and_then(|change| color.with_matrix(change)) {
            Some((after, from)) => {
                prop_assert_eq!(from, was);
                prop_assert!(after.matrix.is_specified() && after.primaries.is_specified());
                // Without scaling nobody changes samples.
                prop_assert!(scaled || after.matrix == was);
            }
            None if matrix == 2 && !color.transfer.is_hdr() => {
                prop_assert_eq!(was.is_bt601(), Matrix::implied(output.0, output.1).is_bt601());
            }
            None => {}
        }
    }

    #[test]
    fn a_default_depth_holds_the_picture(
        transfer in prop::sample::select(vec![1u8, 16, 18]),
        codec in prop::sample::select(vec!["av1", "h264", "hevc"]),
        source in prop::sample::select(vec![8u8, 10, 12]),
        mapped in any::<bool>(),
    ) {
        let tonemap = mapped.then_some(crate::media::ToneCurve::Hable);
        let wanted = PictureSettings { tonemap, ..PictureSettings::default() };
        let facts = facts(color(9, transfer, 9), source);
        let depth = played_depth(codec, &[8, 10], &facts, &wanted);
        let hdr = Transfer(transfer).is_hdr();
        prop_assert!(depth == BitDepth::Ten || codec == "h264");
        if hdr && !mapped {
            prop_assert_eq!(depth, BitDepth::Ten);
        }
        if codec == "h264" && !hdr {
            prop_assert_eq!(depth == BitDepth::Eight, source == 8);
        }
        let asked = PictureSettings { bit_depth: BitDepth::Source, ..wanted };
        prop_assert_eq!(played_depth(codec, &[8], &facts, &asked), BitDepth::Source);
    }
}

fn facts(color: Color, depth: u8) -> SourceFacts {
    let first = crate::media::Shown { width: 1920, height: 1080, color, hdr: HdrStatic::default() };
    SourceFacts {
        version: 0,
        stream: 0,
        first,
        shapes: Vec::new(),
        orientation: None,
        cut_short: None,
        depth,
        hdr10_plus: false,
        rpus: crate::plan::RpuFacts::default(),
        crop: crate::plan::Finding::NotLookedFor,
        fields: crate::plan::Finding::NotLookedFor,
        stereo_mode: 0,
        sound: Vec::new(),
        late: Vec::new(),
    }
}
