//! `verify` without the memory of an encode: both files are decoded.

use std::collections::BTreeMap;
use std::path::Path;

use super::encode::{expected_attachments, expected_chapters, unknown_codecs};
use super::streams::{StreamDecision, Task, decide, in_track_order, main_video};
use super::verify::{Expected, ExpectedAudio, ExpectedTrack, ExpectedVideo, Verification, verify_file};
use crate::av::{DecoderOptions, Input};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Span, Timestamp};
use crate::config::AudioMode;
use crate::container::reader::Reader;
use crate::media::{Frame, MediaInfo, StreamKind};
use crate::source::{AudioDecoder, VideoDecoder};

/// How far the length of a track may be off when both sides were measured by their timestamps: below this the
/// audio room takes differences for jitter.
const LENGTH_TOLERANCE_S: f64 = 0.04;

/// Checks that `output` is a faithful encode of `source`.
///
/// # Errors
/// `Input` and `Unsupported` where the source cannot be decoded. An output that is wrong or cannot be read is
/// no error but a [`Verification`] that did not pass.
pub fn verify(source: &Path, output: &Path, cancel: &CancelToken) -> Result<Verification> {
    let input = Input::open(source, cancel)?;
    let info = input.info();
    let decisions = decide(&info, mode_of(output), &unknown_codecs(source, &info));
    let main = main_video(&info)
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, "there is no video stream in it").with_file(source))?;
    let decoded = decode(input, &info, main, &decisions).map_err(|e| e.with_file(source))?;
    let expected = expected(&info, &decisions, main, decoded);
    verify_file(output, &expected, cancel)
}

/// Whether the output was made with audio copied: any track that is not Opus says so.
fn mode_of(output: &Path) -> AudioMode {
    let Ok(reader) = Reader::open(output) else { return AudioMode::Opus };
    let copied = reader.tracks().iter().any(|t| t.kind == Some(StreamKind::Audio) && t.codec_id != "A_OPUS");
    if copied { AudioMode::Copy } else { AudioMode::Opus }
}

struct Decoded {
    first: Option<Frame>,
    times: Vec<Timestamp>,
    end: Option<Timestamp>,
    audio: BTreeMap<usize, Sound>,
}

#[derive(Default)]
struct Sound {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

fn decode(mut input: Input, info: &MediaInfo, main: usize, decisions: &[StreamDecision]) -> Result<Decoded> {
    let mut video = VideoDecoder::open(&input, &info.streams[main], DecoderOptions::default())?;
    let mut sound: BTreeMap<usize, (AudioDecoder, Sound)> = BTreeMap::new();
    for decision in decisions.iter().filter(|d| matches!(d.task, Task::EncodeAudio(_))) {
        sound.insert(decision.index, (AudioDecoder::open(&input, decision.index)?, Sound::default()));
    }
    let mut out = Decoded { first: None, times: Vec::new(), end: None, audio: BTreeMap::new() };
    while let Some(packet) = input.read_packet()? {
        if packet.stream() == main {
            video.send(&packet)?;
            take_pictures(&mut video, &mut out);
        } else if let Some((decoder, heard)) = sound.get_mut(&packet.stream()) {
            decoder.send(&packet)?;
            take_sound(decoder, heard);
        }
    }
    video.finish()?;
    take_pictures(&mut video, &mut out);
    for (stream, (mut decoder, mut heard)) in sound {
        decoder.finish()?;
        take_sound(&mut decoder, &mut heard);
        out.audio.insert(stream, heard);
    }
    Ok(out)
}

fn take_pictures(video: &mut VideoDecoder, out: &mut Decoded) {
    while let Some(frame) = video.receive() {
        out.times.push(frame.pts);
        out.end = frame.duration.map(|d| frame.pts.plus(d));
        out.first.get_or_insert(frame);
    }
}

fn take_sound(decoder: &mut AudioDecoder, heard: &mut Sound) {
    while let Some(sound) = decoder.receive() {
        let Some(rate) = i32::try_from(sound.sample_rate()).ok().and_then(|r| Rational::positive(1, r)) else {
            continue;
        };
        let at = sound.pts().or(heard.end);
        heard.start = heard.start.or(at).or(Some(Timestamp::new(0, rate)));
        let at = at.unwrap_or(Timestamp::new(0, rate)).rescale(rate, crate::base::Rounding::Nearest);
        heard.end = Some(at.plus(Span::new(sound.samples() as i64, rate)));
    }
}

fn expected(info: &MediaInfo, decisions: &[StreamDecision], main: usize, decoded: Decoded) -> Expected {
    let order = in_track_order(decisions);
    let tracks = order.into_iter().filter_map(|d| track(info, d, decoded.audio.get(&d.index))).collect();
    let video = info.streams[main].video.as_ref();
    let first = decoded.first.as_ref();
    Expected {
        title: info.title.clone(),
        tracks,
        chapters: expected_chapters(info),
        attachments: expected_attachments(info, decisions),
        video: ExpectedVideo {
            times: decoded.times,
            end: decoded.end,
            // 4:2:0 has no half chroma samples: odd sizes lose their last row or column.
            width: first.map_or(0, |f| f.width & !1),
            height: first.map_or(0, |f| f.height & !1),
            sample_aspect_ratio: video.and_then(|v| v.sample_aspect_ratio),
            rotation: video.map_or(0, |v| v.rotation),
            color: first.map(|f| f.color).unwrap_or_default(),
            hdr: first.map(|f| f.hdr).unwrap_or_default(),
            digests: None,
        },
    }
}

fn track(info: &MediaInfo, decision: &StreamDecision, heard: Option<&Sound>) -> Option<ExpectedTrack> {
    let mut track = ExpectedTrack::new(decision, &info.streams[decision.index])?;
    track.audio = heard.map(|h| ExpectedAudio {
        start: h.start,
        length: h.end.zip(h.start).map(|(end, start)| end.since(start)),
        tolerance_s: LENGTH_TOLERANCE_S,
    });
    Some(track)
}
