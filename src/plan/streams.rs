//! Which stream of a source is the film.
//!
//! ```text
//! what a player would choose (the default flag, else the first) ─► unless another one is plainly the film:
//!   it moves and that is a still picture; it is ten times as long; it has ten times the pictures in the same time;
//!   or nothing is marked, and it is four times as large
//! ```
//!
//! A cover that somebody muxed as a video track is often the first one, and marked as default. Attached pictures are no
//! video here ([`StreamKind::Attachment`]).
#![deny(unsafe_code)]

use crate::media::{MediaInfo, StreamInfo, StreamKind};

/// So many times as long, or as many pictures, is another kind of thing.
const PLAINLY: f64 = 10.0;
/// So many times as large is no variant but a preview's original.
const LARGER: f64 = 4.0;

/// The video track that is the film.
pub fn main_video(info: &MediaInfo) -> Option<usize> {
    choose(info).map(|(main, _)| main)
}

/// Why that is another one than a player would choose; `None` where it is the same.
pub fn why_main(info: &MediaInfo) -> Option<String> {
    choose(info).and_then(|(_, why)| why)
}

/// Whether a video of this codec may be one picture that travels along.
pub fn is_image_codec(codec: &str) -> bool {
    matches!(codec, "mjpeg" | "png" | "bmp" | "gif" | "webp" | "tiff" | "jpegls" | "jpeg2000")
}

fn choose(info: &MediaInfo) -> Option<(usize, Option<String>)> {
    let videos: Vec<&StreamInfo> = info.streams.iter().filter(|s| s.kind == StreamKind::Video).collect();
    let players = *videos.iter().find(|s| s.disposition.default).or(videos.first())?;
    let marked = videos.iter().filter(|s| s.disposition.default).count() == 1;
    let mut best = players;
    let mut why = None;
    for other in &videos {
        if let Some(reason) = outranks(other, best, marked) {
            (best, why) = (other, Some(reason));
        }
    }
    let players = players.index;
    let why = why.map(|why| format!("it is the film rather than stream {players}: {why}"));
    Some((best.index, why))
}

/// Why `other` is the film rather than `best`, which is what players choose; `None` where it is not.
fn outranks(other: &StreamInfo, best: &StreamInfo, marked: bool) -> Option<String> {
    match (is_still(other), is_still(best)) {
        (true, _) => return None,
        (false, true) => return Some("that is a still picture".to_owned()),
        (false, false) => {}
    }
    let lengths = other.length_s().zip(best.length_s());
    if let Some((other, best)) = lengths.filter(|(other, best)| *other >= best * PLAINLY) {
        return Some(format!("it lasts {other:.1} s and that {best:.1} s"));
    }
    let same_time = lengths.is_none_or(|(other, best)| other >= best * 0.9);
    let counts = pictures(other).zip(pictures(best)).filter(|_| same_time);
    if let Some((other, best)) = counts.filter(|(other, best)| *other >= best * PLAINLY) {
        return Some(format!("it has {other:.0} pictures and that {best:.0}"));
    }
    let area = |s: &StreamInfo| s.video.as_ref().map_or(0.0, |v| f64::from(v.width) * f64::from(v.height));
    let fewer = counts.is_some_and(|(other, best)| other < best * 0.9);
    let larger = !marked && same_time && !fewer && area(best) > 0.0 && area(other) >= area(best) * LARGER;
    larger.then(|| "it is four times as large".to_owned())
}

/// Whether a stream holds one picture, as far as the container tells.
fn is_still(stream: &StreamInfo) -> bool {
    match (stream.frames, stream.length_s()) {
        (Some(frames), _) => frames <= 1,
        (None, Some(length)) => is_image_codec(&stream.codec) && length < 0.5,
        (None, None) => false,
    }
}

/// How many pictures a stream has, as far as the container tells.
fn pictures(stream: &StreamInfo) -> Option<f64> {
    let rate = || stream.video.as_ref()?.frame_rate.map(|rate| rate.as_f64());
    stream.frames.map(|n| n as f64).or_else(|| Some(stream.length_s()? * rate()?))
}
