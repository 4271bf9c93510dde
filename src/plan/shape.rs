//! Which size and shape of samples a film has whose pictures change theirs: the one that lasts.
//!
//! Broadcasts change both where a programme begins (ISO/IEC 13818-2 §6.3.3 lets each sequence header have its own).
#![deny(unsafe_code)]

use super::facts::ShapeFacts;
use crate::base::Rational;
use crate::media::VideoInfo;

/// The share of a film from which on a size is the film's; below, it has none.
const LASTS: f64 = 2.0 / 3.0;

/// The size that most of the film has; `None` where nothing was seen.
pub fn lasting_size(shapes: &[ShapeFacts]) -> Option<(u32, u32)> {
    most(shapes, |shape| (shape.width, shape.height)).map(|(size, _)| size)
}

/// Whether pictures of other sizes are few enough to be scaled to the one that lasts.
pub fn size_lasts(shapes: &[ShapeFacts]) -> bool {
    most(shapes, |shape| (shape.width, shape.height)).is_none_or(|(_, share)| share >= LASTS)
}

/// The sample aspect ratio of the film, and what the user should know of it: the one that lasts among the pictures of the
/// size that lasts, where they change it and the container does not say one for all.
pub(super) fn sample_aspect(shapes: &[ShapeFacts], video: &VideoInfo) -> (Option<Rational>, Option<String>) {
    let unchanged = (video.sample_aspect_ratio, None);
    let Some(size) = lasting_size(shapes).filter(|_| !video.aspect_by_container) else { return unchanged };
    let of_size: Vec<ShapeFacts> = shapes.iter().copied().filter(|s| (s.width, s.height) == size).collect();
    let Some((ratio, share)) = most(&of_size, |shape| shape.sample_aspect_ratio) else { return unchanged };
    if shapes.len() < 2 {
        return unchanged;
    }
    let chosen = of_size.iter().find(|s| s.sample_aspect_ratio == ratio).map(display).unwrap_or_default();
    let message = shapes.iter().any(|s| display(s) != chosen).then(|| {
        let words = shapes.iter().map(|s| format!("{} from {:.1} s on", display(s), s.from_s)).collect::<Vec<_>>();
        let percent = 100.0 * share;
        format!(
            "the shape of the picture changes ({}); {chosen}, which {percent:.0} % of it has, is taken for all",
            words.join(", ")
        )
    });
    // What is square by default stays so, in the words it had.
    let own = video.sample_aspect_ratio.filter(|r| (r.num(), r.den()) == ratio);
    (own.or_else(|| Rational::positive(ratio.0, ratio.1).filter(|_| ratio != (1, 1))), message)
}

/// What the user should know of a size that changes.
pub(super) fn sizes(shapes: &[ShapeFacts]) -> Option<String> {
    let (width, height) = lasting_size(shapes)?;
    let mut others: Vec<String> = Vec::new();
    for shape in shapes.iter().filter(|s| (s.width, s.height) != (width, height)) {
        let name = format!("{}x{}", shape.width, shape.height);
        if !others.contains(&name) {
            others.push(name);
        }
    }
    let words = others.join(", ");
    (!others.is_empty() && size_lasts(shapes))
        .then(|| format!("the picture changes its size; what is {words} is scaled to {width}x{height}"))
}

/// Width to height of the picture as it is shown, in small numbers.
fn display(shape: &ShapeFacts) -> String {
    let (num, den) = shape.sample_aspect_ratio;
    let (w, h) = (i64::from(shape.width) * i64::from(num), i64::from(shape.height) * i64::from(den));
    let ratio = w as f64 / h.max(1) as f64;
    let known = [(4, 3), (16, 9), (1, 1), (5, 4), (3, 2), (221, 100), (14, 9)];
    match known.into_iter().find(|(w, h)| (f64::from(*w) / f64::from(*h) / ratio - 1.0).abs() < 0.01) {
        Some((w, h)) => format!("{w}:{h}"),
        None => format!("{ratio:.2}:1"),
    }
}

/// The value that has the greatest share, and that; the earliest of those that are equal.
fn most<K: PartialEq>(shapes: &[ShapeFacts], key: impl Fn(&ShapeFacts) -> K) -> Option<(K, f64)> {
    let share = |of: &ShapeFacts| shapes.iter().filter(|s| key(s) == key(of)).map(|s| s.share).sum::<f64>();
    let best = shapes.iter().rev().max_by(|a, b| share(a).total_cmp(&share(b)))?;
    Some((key(best), share(best)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(size: (u32, u32), sample_aspect_ratio: (i32, i32), from_s: f64, share: f64) -> ShapeFacts {
        ShapeFacts { width: size.0, height: size.1, sample_aspect_ratio, from_s, share }
    }

    #[test]
    fn the_size_that_lasts_is_the_films_and_two_halves_are_none() {
        let (pal, half) = ((720, 576), (544, 576));
        let film = [shape(half, (32, 17), 0.0, 0.1), shape(pal, (64, 45), 1.0, 0.5), shape(pal, (16, 15), 9.0, 0.4)];
        assert_eq!((lasting_size(&film), size_lasts(&film)), (Some(pal), true));
        assert!(sizes(&film).unwrap().contains("544x576 is scaled to 720x576"));
        let halves = [shape(half, (1, 1), 0.0, 0.5), shape(pal, (1, 1), 1.0, 0.5)];
        assert_eq!((lasting_size(&halves), size_lasts(&halves), sizes(&halves)), (Some(half), false, None));
        assert_eq!((lasting_size(&[]), size_lasts(&[])), (None, true));
    }
}
