//! Covers that were muxed as video tracks.
//!
//! Matroska does not say how many pictures a track has. Where there are several video tracks, the first packets tell
//! which of them is a picture that stands still: it came once while another went on. If its codec is one of images, it is
//! the same as an attached picture, and is told as one.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use crate::av::InputPacket;
use crate::media::{Attachment, MediaInfo, StreamKind};
use crate::plan::is_image_codec;

/// Packets that are looked at, and their bytes.
const MOST: usize = 2_000;
const MOST_BYTES: usize = 32 << 20;
/// After so many pictures of one track, another that had one is still.
const ENOUGH: usize = 8;

/// Pictures that came of each video stream.
fn counts(info: &MediaInfo, packets: &VecDeque<InputPacket>) -> Vec<(usize, usize)> {
    let videos = info.streams.iter().filter(|s| s.kind == StreamKind::Video);
    videos.map(|s| (s.index, packets.iter().filter(|p| p.stream() == s.index).count())).collect()
}

/// Whether more packets would tell which video is still.
pub(super) fn is_open_question(info: &MediaInfo, packets: &VecDeque<InputPacket>) -> bool {
    let unknown = |s: &crate::media::StreamInfo| s.kind == StreamKind::Video && s.frames.is_none();
    if info.streams.iter().filter(|s| s.kind == StreamKind::Video).count() < 2 || !info.streams.iter().any(unknown) {
        return false;
    }
    let bytes: usize = packets.iter().map(|p| p.data().len()).sum();
    let counts = counts(info, packets);
    let settled = counts.iter().all(|(_, n)| *n > 1) || counts.iter().any(|(_, n)| *n >= ENOUGH);
    !settled && packets.len() < MOST && bytes < MOST_BYTES
}

/// Notes what stands still by the packets that came.
pub(super) fn settle(info: &mut MediaInfo, packets: &VecDeque<InputPacket>) {
    let counts = counts(info, packets);
    if counts.len() < 2 {
        return;
    }
    let goes_on = |still: usize| counts.iter().any(|(other, n)| *other != still && *n > 1);
    for &(index, count) in counts.iter().filter(|(index, count)| *count == 1 && goes_on(*index)) {
        let Some(stream) = info.streams.get_mut(index) else { continue };
        let single = *stream.frames.get_or_insert(count as u64) == 1;
        if !single || !is_image_codec(&stream.codec) {
            continue;
        }
        let data = packets.iter().find(|p| p.stream() == index).map(|p| p.data().to_vec()).unwrap_or_default();
        let (suffix, mime) = match stream.codec.as_str() {
            "mjpeg" => ("jpg", "image/jpeg"),
            "jpeg2000" => ("jp2", "image/jp2"),
            "jpegls" => ("jls", "image/jls"),
            "tiff" => ("tif", "image/tiff"),
            codec => (codec, "image"),
        };
        let mime = if mime == "image" { format!("image/{suffix}") } else { mime.to_owned() };
        stream.kind = StreamKind::Attachment;
        let description = stream.title.take();
        let taken = |name: &str| info.attachments.iter().any(|a| a.name == name);
        let name = match format!("cover.{suffix}") {
            name if taken(&name) => format!("cover-{index}.{suffix}"),
            name => name,
        };
        info.attachments.push(Attachment { stream: index, name, mime, description, data, uid: None });
    }
}
