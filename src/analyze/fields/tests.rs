//! The verdict on real clips, and what deinterlacing makes of them.

use std::path::{Path, PathBuf};

use super::*;
use crate::analyze::{Analysis, Looks};
use crate::av::Deinterlacer;
use crate::media::{Frame, Parity, Selection};
use crate::plan::main_video;
use crate::source::decoder_options;

fn clip(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media").join(name);
    if !path.exists() {
        crate::base::missing(format_args!("{} is not there", path.display()));
        return None;
    }
    Some(path)
}

#[track_caller]
fn is_judged(name: &str, expected: Fields) {
    let Some(path) = clip(name) else { return };
    let analysis = Analysis::open(&path, &CancelToken::new()).unwrap();
    let facts = analysis.facts(Looks { crop: false, fields: true }).unwrap();
    let report = facts.fields.found().unwrap();
    let places: Vec<_> = report.places.iter().map(|p| (p.at_percent, p.fields)).collect();
    eprintln!("{name}: {:?} by {places:?}", report.fields);
    assert_eq!(report.fields, expected, "{name}: {report:?}");
}

#[test]
fn interlaced_clips_are_interlaced() {
    is_judged("geometry/interlaced_tff_480i.mkv", Fields::Interlaced { top_first: true });
    is_judged("derived/interlaced_tff_720x576_mpeg2_16-9.mkv", Fields::Interlaced { top_first: true });
}

#[test]
fn telecined_clips_are_told_by_how_they_were_telecined() {
    is_judged("geometry/telecine_hard_480i.mkv", Fields::HardTelecine { top_first: true });
    is_judged("geometry/telecine_soft_480.mkv", Fields::SoftTelecine);
}

#[test]
fn progressive_clips_are_progressive() {
    for name in [
        "film/sintel_trailer-720p.mp4",
        "film/bbb_720p_000-180s.mp4",
        "film/bbb_720p_aac5.1.mp4",
        "film/flower.mp4",
        "film/motorway_540p60.mp4",
        "film/nasa_13013.mp4",
        "film/realcam_360p_odd_fps.mp4",
        "film/realcam_720p_cabac.264",
        "film/tears-of-steel-battle-clip-medium.webm",
        "geometry/all_black_25s.mp4",
        "geometry/anamorphic_vfr_damaged_first.mp4",
        "geometry/odd_720x405_mpeg2.mpg",
        "geometry/odd_161x121.webm",
        "geometry/tiny_1frame_rotated.mp4",
        "geometry/vp9_444_10bit_5.1_chapters.mkv",
        // It moves up and down by a row a picture.
        "geometry/fullrange_bt709_720p.mp4",
        "geometry/start_at_10s_bbb.mp4",
        "hostile/track-with-zero-dimensions.mp4",
        "geometry/vfr_screen_1080x2280.mp4",
        "hdr/dovi_p9_avc_1080p60.mp4",
        "hdr/hdr10_av1_720x1280.mp4",
    ] {
        is_judged(name, Fields::Progressive);
    }
}

#[test]
fn most_places_that_say_something_decide_and_else_the_first() {
    let place = |fields, told: usize| FieldPlace {
        at_percent: 0,
        fields,
        counts: FieldCounts { pictures: 120, progressive: told, undetermined: 120 - told, ..FieldCounts::default() },
    };
    let (whole, combed, film) =
        (Fields::Progressive, Fields::Interlaced { top_first: true }, Fields::HardTelecine { top_first: true });
    assert_eq!(vote(&[]), None);
    assert_eq!(vote(&[place(combed, 99), place(film, 99), place(film, 99)]), Some(film));
    assert_eq!(vote(&[place(combed, 99), place(film, 99), place(whole, 99)]), Some(combed));
    assert_eq!(vote(&[place(whole, 0), place(whole, 0), place(film, 99)]), Some(film));
    assert_eq!(vote(&[place(combed, 0), place(whole, 0)]), Some(combed));
}

/// Mean distance of a row from the mean of the rows above and below, in steps of 8 bits.
fn combing(frame: &Frame) -> f64 {
    let (width, height) = frame.plane_size(0);
    let (stride, luma) = (frame.planes.stride(0), frame.planes.plane(0));
    let at = |x: usize, y: usize| f64::from(luma[y * stride + x]);
    let rows = (1..height - 1).flat_map(|y| (0..width).map(move |x| (x, y)));
    let sum: f64 = rows.map(|(x, y)| (at(x, y) - (at(x, y - 1) + at(x, y + 1)) / 2.0).abs()).sum();
    sum / (width * (height - 2)) as f64
}

#[test]
fn an_interlaced_clip_comes_out_less_combed_with_every_picture_in_its_place() {
    for name in ["geometry/interlaced_tff_480i.mkv", "derived/interlaced_tff_720x576_mpeg2_16-9.mkv"] {
        let Some(path) = clip(name) else { continue };
        let mut pictures = Pictures::open(&path, main_video, decoder_options(), &CancelToken::new()).unwrap();
        let mut deinterlacer = Deinterlacer::new(Parity::Auto, Selection::Flagged);
        let (mut before, mut out) = (Vec::new(), Vec::new());
        while let Some(frame) = pictures.next().unwrap().filter(|_| before.len() < 30) {
            before.push(frame.clone());
            out.extend(deinterlacer.push(frame).unwrap());
        }
        out.extend(deinterlacer.finish().unwrap());
        assert_eq!(out.len(), before.len());
        for (a, b) in before.iter().zip(&out) {
            assert_eq!((a.index, a.pts, a.duration, a.format), (b.index, b.pts, b.duration, b.format));
        }
        let mean = |frames: &[Frame]| frames.iter().map(combing).sum::<f64>() / frames.len() as f64;
        let (combed, whole) = (mean(&before), mean(&out));
        eprintln!("{name}: combing {combed:.2} before, {whole:.2} after");
        assert!(whole < combed * 0.8, "{name}: {combed} before, {whole} after");
    }
}
