//! Where black bars are: samples of a film, and their vote.
#![deny(unsafe_code)]

use crate::media::Rect;

/// How bright a row or column is, in 8-bit steps whatever the depth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Light {
    /// Mean of its samples.
    pub mean: f32,
    /// The brightest of them.
    pub max: f32,
}

/// From which brightness on a row or column belongs to the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropRules {
    /// Mean, in 8-bit steps.
    pub mean: f32,
    /// Brightest sample, in 8-bit steps: a logo or a subtitle in a bar is kept.
    pub max: f32,
}

/// How much brighter than a bar's mean a single sample of it may be: ringing beside the picture.
const RINGING: f32 = 56.0;

/// How much brighter than black a single sample of an HDR bar may be.
const FLAT: f32 = 12.0;

impl CropRules {
    /// For standard dynamic range: 24 of 255.
    pub fn sdr() -> Self {
        CropRules { mean: 24.0, max: 24.0 + RINGING }
    }

    /// For PQ and HLG, where bars were measured to be as bright as `black` (8-bit steps): between 128 and 256 of 1023.
    pub fn hdr(black: f32) -> Self {
        // PQ puts dark scenes low: a picture's edge may be as dark as that, but it is never as flat as a bar.
        CropRules { mean: (2.0 * black).clamp(32.0, 64.0), max: black + FLAT }
    }

    fn is_lit(&self, line: &Light) -> bool {
        line.mean > self.mean || line.max > self.max
    }
}

/// The picture within its bars, on even offsets and of even size as 4:2:0 has them, so a line of it may be left out on
/// each side; `None` where all of it is black.
pub fn picture_in(rows: &[Light], columns: &[Light], rules: &CropRules) -> Option<Rect> {
    let lit = |lines: &[Light]| {
        let first = lines.iter().position(|l| rules.is_lit(l))?;
        let last = lines.iter().rposition(|l| rules.is_lit(l))?;
        Some(((first as u32 + 1) & !1, (last as u32 + 1) & !1))
    };
    let ((top, bottom), (left, right)) = (lit(rows)?, lit(columns)?);
    (bottom > top && right > left).then(|| Rect { x: left, y: top, width: right - left, height: bottom - top })
}

/// What the samples of a film say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropVote {
    /// The picture to keep: the whole one where there is nothing to crop or too little agreement.
    pub rect: Rect,
    /// The share of samples that agree with it, 0 to 1.
    pub confidence: f64,
    /// Samples that had a say: those that are not too dark.
    pub samples: usize,
}

/// Least confidence of a crop.
const CONFIDENT: f64 = 0.8;

/// A sample whose picture is smaller than this share of a side is too dark to have a say.
const LEAST_SIDE: f64 = 0.4;

/// Edges that differ by less are the same ones.
const NEAR: u32 = 4;

/// A picture that is larger than the others' is respected from this share of samples on: scenes in another aspect ratio,
/// not a company's logo.
const LARGER: f64 = 0.03;

/// Smaller pictures that agree with each other in this share of samples are scenes of another aspect ratio, not darkness.
const SMALLER: f64 = 0.1;

/// A side that changes by less does not change; nor does the aspect ratio then.
const LEAST_CHANGE: f64 = 0.001;

/// The vote of samples of a picture of `width`×`height`.
///
/// Law: nothing is cut off that is lit in more than 3 % of the samples, so mixed aspect ratios keep the largest picture.
pub fn vote(boxes: &[Option<Rect>], width: u32, height: u32) -> CropVote {
    let whole = Rect::whole(width, height);
    let large = |r: &&Rect| {
        f64::from(r.width) >= LEAST_SIDE * f64::from(width) && f64::from(r.height) >= LEAST_SIDE * f64::from(height)
    };
    let valid: Vec<Rect> = boxes.iter().flatten().filter(large).copied().collect();
    let n = valid.len();
    let none = |confidence| CropVote { rect: whole, confidence, samples: n };
    // Where most of a film is dark, what is not is no witness.
    if n < 2 || n * 4 < boxes.len() {
        return none(0.0);
    }
    let groups = groups(&valid);
    let share = |count: usize| count as f64 / n as f64;
    let kept = groups.iter().filter(|g| share(g.1) >= LARGER).map(|g| g.0).reduce(Rect::union);
    let Some(rect) = kept else { return none(0.0) };
    let agrees = |g: &&(Rect, usize)| says(g.0, rect, whole) || share(g.1) >= SMALLER;
    let confidence = share(groups.iter().filter(agrees).map(|g| g.1).sum());
    // Against the even sizes that a picture without bars gives.
    let change = |side: u32, of: u32| 1.0 - f64::from(side) / f64::from(of & !1);
    let change = change(rect.width, width).max(change(rect.height, height));
    if confidence < CONFIDENT || change < LEAST_CHANGE {
        none(confidence)
    } else {
        CropVote { rect, confidence, samples: n }
    }
}

/// Whether a sample says that `rect` is the picture: by its edges where something of the `whole` would be cut off. A picture
/// that is dark at its sides is as high as any other.
fn says(sample: Rect, rect: Rect, whole: Rect) -> bool {
    let columns = |r: Rect| Rect { y: 0, height: 0, ..r };
    let rows = |r: Rect| Rect { x: 0, width: 0, ..r };
    [columns, rows].iter().all(|axis| is_near(axis(rect), axis(whole), 0) || is_near(axis(sample), axis(rect), NEAR))
}

/// Whether no edge is farther than `by` from the other's.
fn is_near(one: Rect, other: Rect, by: u32) -> bool {
    let edges = |r: Rect| [r.x, r.y, r.x + r.width, r.y + r.height];
    edges(one).iter().zip(edges(other)).all(|(a, b)| a.abs_diff(b) <= by)
}

/// Boxes that are nearly the same, by the one of them that is seen most, and how many they are.
fn groups(boxes: &[Rect]) -> Vec<(Rect, usize)> {
    let mut exact: Vec<(Rect, usize)> = Vec::new();
    for rect in boxes {
        match exact.iter_mut().find(|e| e.0 == *rect) {
            Some(e) => e.1 += 1,
            None => exact.push((*rect, 1)),
        }
    }
    // The sort is stable: of two as frequent the first in the film leads.
    exact.sort_by_key(|e| std::cmp::Reverse(e.1));
    let mut groups: Vec<(Rect, usize)> = Vec::new();
    for (rect, count) in exact {
        match groups.iter_mut().find(|g| is_near(g.0, rect, NEAR)) {
            Some(group) => group.1 += count,
            None => groups.push((rect, count)),
        }
    }
    groups
}

/// Where a film of `seconds` is looked at: 60 times an hour, 10 to 100 times, without its credits.
pub fn sample_times(seconds: f64) -> Vec<f64> {
    let credits = match seconds {
        s if s > 3600.0 => 180.0,
        s if s > 1200.0 => 60.0,
        s if s > 300.0 => 30.0,
        _ => 0.0,
    };
    let usable = (seconds - credits).max(0.0);
    let count = (seconds / 60.0).round().clamp(10.0, 100.0);
    (0..count as usize).map(|i| usable * (i as f64 + 0.5) / count).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL: (u32, u32) = (1920, 1080);
    const SCOPE: Rect = Rect { x: 0, y: 138, width: 1920, height: 804 };

    fn said(boxes: &[(Rect, usize)]) -> CropVote {
        let boxes: Vec<_> = boxes.iter().flat_map(|&(rect, n)| std::iter::repeat_n(Some(rect), n)).collect();
        vote(&boxes, FULL.0, FULL.1)
    }

    /// Of a trailer with titles: a fifth of its samples are dark at their sides, each in its own way.
    #[test]
    fn pictures_that_are_dark_at_their_sides_agree_on_the_bars_above_and_below() {
        let dark = (0..12).map(|i| (Rect { x: 40 * i, width: 1920 - 70 * i, ..SCOPE }, 1));
        let crop = said(&dark.chain([(SCOPE, 30)]).collect::<Vec<_>>());
        assert_eq!((crop.rect, crop.confidence), (SCOPE, 1.0));
    }

    #[test]
    fn a_steady_letterbox_is_cropped_exactly_and_a_full_picture_is_not() {
        let near = Rect { y: 136, height: 808, ..SCOPE };
        assert_eq!(said(&[(near, 2), (SCOPE, 8)]).rect, SCOPE, "what is seen most leads");
        let whole = Rect::whole(1920, 1080);
        assert_eq!(said(&[(whole, 10)]).rect, whole);
        assert_eq!(said(&[(Rect { height: 1079, ..whole }, 10)]).rect, whole, "an aspect change under 0.1 %");
    }

    #[test]
    fn scenes_in_another_aspect_ratio_keep_the_largest_picture() {
        let imax = Rect { y: 20, height: 1040, ..SCOPE };
        assert_eq!(said(&[(SCOPE, 85), (imax, 15)]).rect, imax);
        // One picture in a hundred is a company's logo.
        assert_eq!(said(&[(SCOPE, 99), (Rect::whole(1920, 1080), 1)]).rect, SCOPE);
    }

    #[test]
    fn dark_films_are_not_cropped() {
        let dark = |i: u32| Some(Rect { x: 40 * i, y: 30 * i, width: 1000 + 20 * i, height: 500 + 10 * i });
        let boxes: Vec<_> = (0..12).map(dark).collect();
        assert_eq!(vote(&boxes, 1920, 1080).rect, Rect::whole(1920, 1080));
        let black = [&[None; 90][..], &[Some(SCOPE); 10]].concat();
        assert_eq!(vote(&black, 1920, 1080).rect, Rect::whole(1920, 1080));
    }

    #[test]
    fn ringing_is_a_bar_and_a_logo_is_picture() {
        let bar = Light { mean: 17.0, max: 50.0 };
        let logo = Light { mean: 18.0, max: 235.0 };
        let picture = Light { mean: 90.0, max: 235.0 };
        let columns = [picture; 64];
        let rows = |top: Light| [&[top; 5][..], &[bar; 5], &[picture; 30], &[bar; 10]].concat();
        let found = |top| picture_in(&rows(top), &columns, &CropRules::sdr()).unwrap();
        assert_eq!((found(bar).y, found(bar).height), (10, 30));
        assert_eq!((found(logo).y, found(logo).height), (0, 40));
        assert_eq!(picture_in(&[bar; 50], &[bar; 64], &CropRules::sdr()), None);
    }

    #[test]
    fn films_are_looked_at_sixty_times_an_hour_without_their_credits() {
        let facts = |s: f64| (sample_times(s).len(), sample_times(s).into_iter().fold(0.0, f64::max));
        assert_eq!(facts(60.0).0, 10);
        assert_eq!(facts(3600.0).0, 60);
        assert_eq!(facts(20_000.0).0, 100);
        assert!(
            facts(7200.0).1 < 7020.0 && facts(1800.0).1 < 1740.0 && facts(600.0).1 < 570.0 && facts(299.0).1 > 280.0
        );
    }

    proptest! {
        #[test]
        fn a_crop_is_within_the_picture_and_holds_what_is_seen_often(
            boxes in proptest::collection::vec(
                (0u32..40, 0u32..40, 1u32..60, 1u32..60).prop_map(|(x, y, w, h)| {
                    Rect { x: 2 * x, y: 2 * y, width: 2 * w.min(100 - x), height: 2 * h.min(100 - y) }
                }), 1..60),
        ) {
            let asked: Vec<_> = boxes.iter().copied().map(Some).collect();
            let crop = vote(&asked, 200, 200);
            let whole = Rect::whole(200, 200);
            prop_assert_eq!(crop.rect.union(whole), whole);
            prop_assert!((0.0..=1.0).contains(&crop.confidence));
            if crop.rect != whole {
                let seen = |r: &&Rect| boxes.iter().filter(|b| b == r).count() * 100 >= boxes.len() * 3;
                for often in boxes.iter().filter(|r| r.width >= 80 && r.height >= 80).filter(seen) {
                    prop_assert!(is_near(often.union(crop.rect), crop.rect, NEAR), "{:?} in {:?}", often, crop);
                }
            }
        }
    }
}
