//! Which stream of a source is the film.
#![deny(unsafe_code)]

use crate::media::{MediaInfo, StreamKind};

/// The video track a player would choose: the first marked as default, else the first.
pub fn main_video(info: &MediaInfo) -> Option<usize> {
    let mut videos = info.streams.iter().filter(|s| s.kind == StreamKind::Video).peekable();
    let first = videos.peek().map(|s| s.index);
    videos.find(|s| s.disposition.default).map(|s| s.index).or(first)
}
