//! Is a written MP4 what it has to be?
//!
//! Samples, their times and their bytes are found by a reader that shares nothing with the muxer; what only boxes say that
//! it does not know (colour, HDR, chapters, tags) is as libavformat's demuxer reads it.
#![deny(unsafe_code)]

use std::path::Path;

use super::check::{
    Expected, ExpectedTrack, MOST_PRIMING_S, ReadBack, check_duration, check_picture, check_shape_and_colour,
    check_track_packets, same_mastering, video_decoder_of,
};
use super::sound::hear_all;
use super::verification::Verification;
use crate::analyze::probe;
use crate::av::{Decoder, Received};
use crate::base::{CancelToken, ErrorKind, Rational, Result};
use crate::container::language::terminological;
use crate::container::mp4::RisingTicks;
use crate::container::mp4::reader::{Mp4Reader, Mp4Sample, Mp4Track};
use crate::container::mp4::tags::placed;
use crate::media::{MediaInfo, StreamInfo, StreamKind, VideoInfo};
use crate::source::Source;
use crate::stages::describe::TrackDescription;
use crate::syntax::opus::{OPUS_RATE, OpusHead, opus_head_facts, packet_samples};

/// How far apart in a file packets may stand that are decoded at the same time, in seconds.
const INTERLEAVED_S: f64 = 1.0;

/// Reads the MP4 at `path` and checks it against `expected`.
pub(super) fn verify_mp4(path: &Path, expected: &Expected, cancel: &CancelToken) -> Result<Verification> {
    let mut result = Verification::default();
    let opened = Mp4Reader::open(path).and_then(|reader| Ok((reader, probe(path, cancel)?)));
    let (mut reader, info) = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            result.check("container", false, "a readable MP4 file", error);
            return Ok(result);
        }
    };
    result.check("index before the media", reader.index_first(), true, reader.index_first());
    let tracks = tracks_of(expected, &reader, &info);
    check_headers(&mut result, expected, &tracks);
    check_film(&mut result, expected, &info);
    for FoundIn { want, track, stream, .. } in &tracks {
        cancel.check()?;
        let content = match track.kind {
            Some(StreamKind::Video) => check_pictures(&mut result, expected, track, &mut reader, cancel),
            Some(StreamKind::Audio) => check_sound(&mut result, want, track, &mut reader, cancel)
                .and_then(|()| check_decoding(&mut result, want, (path, stream), cancel)),
            _ => Ok(()),
        };
        match content {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => result.check(format!("samples of stream {}", want.stream), false, "readable", error),
            Ok(()) => {}
        }
    }
    let tracks: Vec<Mp4Track> = tracks.into_iter().map(|found| found.track).collect();
    let lag = lag_s(&tracks);
    result.check("interleaving", lag <= INTERLEAVED_S, format!("within {INTERLEAVED_S} s"), format!("{lag:.3} s"));
    let end = tracks.iter().filter_map(end_s).fold(0.0, f64::max);
    check_duration(&mut result, end, expected);
    Ok(result)
}

/// A track that was promised, and what was found of it.
struct FoundIn<'a> {
    want: &'a ExpectedTrack,
    said: &'a TrackDescription,
    track: Mp4Track,
    stream: &'a StreamInfo,
}

/// The tracks that were promised beside those that are there. MP4 holds no track without samples: one that may have none need
/// not be there. Chapters are a track of text after those of the film.
fn tracks_of<'a>(expected: &'a Expected, reader: &Mp4Reader, info: &'a MediaInfo) -> Vec<FoundIn<'a>> {
    let mut there = reader.tracks().iter().zip(&info.streams).peekable();
    let mut out = Vec::new();
    for (want, said) in expected.tracks.iter().zip(&expected.said.tracks) {
        let is_it = |(track, stream): &(&Mp4Track, &StreamInfo)| {
            track.kind == Some(want.kind) && want.codec.as_deref().is_none_or(|codec| codec == stream.codec)
        };
        let next = if may_be_empty(want) { there.next_if(is_it) } else { there.next() };
        out.extend(next.map(|(track, stream)| FoundIn { want, said, track: track.clone(), stream }));
    }
    out
}

/// Whether a track may have nothing in it: no packets where they were counted, no sound where it was decoded. Cues of subtitles
/// nobody counts.
fn may_be_empty(want: &ExpectedTrack) -> bool {
    let silent = want.packets.is_none() && want.audio.is_some_and(|audio| audio.start.is_none());
    want.packets == Some(0) || silent || want.kind == StreamKind::Subtitle
}

fn check_headers(result: &mut Verification, expected: &Expected, tracks: &[FoundIn<'_>]) {
    let kinds = |kinds: &mut dyn Iterator<Item = Option<StreamKind>>| format!("{:?}", kinds.collect::<Vec<_>>());
    let lacks = |want: &&ExpectedTrack| !tracks.iter().any(|found| found.want.stream == want.stream);
    let held = expected.tracks.iter().filter(|want| !(lacks(want) && may_be_empty(want)));
    let wanted = kinds(&mut held.map(|want| Some(want.kind)));
    result.equal("tracks", &wanted, &kinds(&mut tracks.iter().map(|found| found.track.kind)));
    for FoundIn { want, said, track, stream } in tracks {
        let name = |what: &str| format!("{what} of stream {}", want.stream);
        result.equal(name("codec"), &want.codec.as_deref().unwrap_or_default(), &stream.codec.as_str());
        let language = said.language.as_deref().map_or_else(|| "und".to_owned(), terminological);
        result.equal(name("language"), &language, &track.language);
        if track.kind == Some(StreamKind::Video)
            && let Some(video) = &stream.video
        {
            check_picture_header(result, expected, track, video);
        }
    }
}

fn check_picture_header(result: &mut Verification, expected: &Expected, track: &Mp4Track, video: &VideoInfo) {
    let want = &expected.video;
    let size = track.size.map(|(width, height)| (u32::from(width), u32::from(height)));
    result.equal("picture size", &Some((want.width, want.height)), &size);
    check_shape_and_colour(result, want, video);
    result.equal("rotation", &want.rotation.rem_euclid(360), &video.rotation.rem_euclid(360));
    result.equal("content light level", &want.hdr.content_light, &video.hdr.content_light);
    let (wanted, found) = (&want.hdr.mastering_display, &video.hdr.mastering_display);
    let same = same_mastering(wanted.as_ref(), found.as_ref());
    result.check("mastering display", same, format!("{wanted:?}"), format!("{found:?}"));
    result.equal("Dolby Vision", &want.dolby_vision.is_some(), &video.dolby_vision.is_some());
}

/// What the file says of the film.
fn check_film(result: &mut Verification, expected: &Expected, info: &MediaInfo) {
    result.equal("title", &expected.said.title.as_deref(), &info.title.as_deref());
    let chapters = |chapters: &[crate::media::Chapter]| -> Vec<(i64, String)> {
        let ms = |c: &crate::media::Chapter| (c.start.as_nanos() + 500_000).div_euclid(1_000_000);
        chapters.iter().map(|c| (ms(c), c.title.clone().unwrap_or_default())).collect()
    };
    result.equal("chapters", &chapters(&expected.said.chapters), &chapters(&info.chapters));
    let covers = |all: &mut dyn Iterator<Item = (String, u64)>| all.collect::<Vec<_>>();
    let wanted = covers(&mut expected.attachments.iter().map(|(_, mime, bytes)| (mime.clone(), *bytes)));
    let found = covers(&mut info.attachments.iter().map(|a| (a.mime.clone(), a.data.len() as u64)));
    result.equal("covers", &wanted, &found);
    let (wanted, _) = placed(&expected.said.tags);
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(name, value)| !info.tags.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && v == value))
        .map(|(name, _)| *name)
        .collect();
    result.check("tags", missing.is_empty(), "all that have a place", format!("without {missing:?}"));
}

fn check_pictures(
    result: &mut Verification,
    expected: &Expected,
    track: &Mp4Track,
    reader: &mut Mp4Reader,
    cancel: &CancelToken,
) -> Result<()> {
    let mut found = ReadBack::default();
    let decode = expected.video.digests.is_none();
    let mut decoder = if decode { Some(video_decoder_of(track.codec, &track.configuration)?) } else { None };
    for sample in &track.samples {
        cancel.check()?;
        let data = reader.read(sample)?;
        found.picture(track.codec, &data, (sample.pts, sample.keyframe), decoder.as_mut());
    }
    found.end_of_pictures(decoder.as_mut());
    if decode && track.codec != "av1" {
        // Those who only have the source know when pictures are shown, not in which order they are decoded.
        found.times.sort_unstable();
    }
    let mut times = expected.video.ticks(track.time_base);
    if times.is_sorted() {
        let mut rising = RisingTicks::default();
        times.iter_mut().for_each(|time| *time = rising.next(*time));
    }
    check_picture(result, expected, &found, (&times, track.time_base));
    Ok(())
}

fn check_sound(
    result: &mut Verification,
    want: &ExpectedTrack,
    track: &Mp4Track,
    reader: &mut Mp4Reader,
    cancel: &CancelToken,
) -> Result<()> {
    let name = |what: &str| format!("{what} of stream {}", want.stream);
    check_track_packets(result, want, track.samples.len() as u64);
    let head = opus_head_facts(&track.configuration).filter(|_| track.codec == "opus");
    let mut decoder = match &head {
        Some(head) => {
            let base = Rational::positive(1, OPUS_RATE as i32).unwrap_or(Rational::MILLI);
            Decoder::by_name("opus", &track.configuration, base, u32::from(head.channels)).ok()
        }
        None => None,
    };
    let (mut samples, mut broken) = (0u64, None);
    for sample in &track.samples {
        cancel.check()?;
        let data = reader.read(sample)?;
        samples += u64::from(packet_samples(&data).unwrap_or(0));
        let Some(decoder) = decoder.as_mut() else { continue };
        let decoded = decoder.send_bytes(&data, 0).and_then(|()| {
            while let Received::Frame(_) = decoder.receive_audio()? {}
            Ok(())
        });
        broken = broken.or(decoded.err());
    }
    let Some(audio) = want.audio else { return Ok(()) };
    let seconds = |ticks: i64| ticks as f64 * track.time_base.as_f64();
    let first = track.samples.first();
    let delay = match (&head, audio.delay) {
        (Some(head), _) => f64::from(head.pre_skip) / f64::from(OPUS_RATE),
        (None, Some(delay)) => delay.as_secs_f64(),
        (None, None) if want.delay_ns > 0 => want.delay_ns as f64 / 1e9,
        // Of sound that somebody else encoded nobody says how much is priming: what the edit list hides can be.
        (None, None) => match (audio.start, first) {
            (Some(start), Some(first)) => (start.as_secs_f64() - seconds(first.pts)).clamp(0.0, MOST_PRIMING_S),
            _ => 0.0,
        },
    };
    if decoder.is_some() {
        let decodes = broken.map_or_else(|| "all".to_owned(), |e| e.to_string());
        result.check(name("packets that decode"), decodes == "all", "all", decodes);
    }
    if let (Some(start), Some(first)) = (audio.start, first) {
        // The edit list says when the first sample plays that is decoded; the first that counts comes the delay later.
        let (wanted, found) = (start.as_secs_f64() * 1e3, (seconds(first.pts) + delay) * 1e3);
        let pass = (wanted - found).abs() <= 1.0;
        result.check(name("start"), pass, format!("{wanted:.3} ms"), format!("{found:.3} ms"));
    }
    if let Some(length) = audio.length {
        let end = track.samples.iter().map(|s| s.pts + i64::from(s.duration)).max().unwrap_or(0);
        let begins = first.map_or(0.0, |first| seconds(first.pts) + delay);
        let decoded = |head: &OpusHead| samples.saturating_sub(u64::from(head.pre_skip)) as f64 / f64::from(OPUS_RATE);
        let heard = (seconds(end) - begins).clamp(0.0, head.as_ref().map_or(f64::MAX, decoded));
        let pass = (heard - length.as_secs_f64()).abs() <= audio.tolerance_s;
        result.check(name("length"), pass, format!("{:.4} s", length.as_secs_f64()), format!("{heard:.4} s"));
    }
    Ok(())
}

/// Whether sound that was encoded decodes. Opus was decoded on the way; the configuration of others this reader does not know.
fn check_decoding(
    result: &mut Verification,
    want: &ExpectedTrack,
    (path, stream): (&Path, &StreamInfo),
    cancel: &CancelToken,
) -> Result<()> {
    if stream.codec == "opus" || want.audio.is_none_or(|audio| audio.length.is_none()) {
        return Ok(());
    }
    let (_, damaged) = hear_all(Source::open(path, cancel)?, stream, cancel)?;
    result.equal(format!("packets that cannot be decoded of stream {}", want.stream), &0, &damaged);
    Ok(())
}

/// When the last sample of a track ends, in seconds.
fn end_s(track: &Mp4Track) -> Option<f64> {
    let end = |s: &Mp4Sample| s.pts + i64::from(s.duration);
    track.samples.iter().map(end).max().map(|end| end as f64 * track.time_base.as_f64())
}

/// How far a packet stands behind one of another track that is decoded later, at most, in seconds. Subtitles are not asked.
fn lag_s(tracks: &[Mp4Track]) -> f64 {
    let mut all: Vec<(u64, usize, f64)> = Vec::new();
    for (number, track) in tracks.iter().enumerate().filter(|(_, t)| t.kind != Some(StreamKind::Subtitle)) {
        let decoded = |s: &Mp4Sample| (s.offset, number, s.dts as f64 * track.time_base.as_f64());
        all.extend(track.samples.iter().map(decoded));
    }
    all.sort_unstable_by_key(|(offset, ..)| *offset);
    let mut latest = vec![f64::NEG_INFINITY; tracks.len()];
    let mut lag = 0.0f64;
    for (_, number, at) in all {
        let others = latest.iter().enumerate().filter(|(n, _)| *n != number).map(|(_, at)| *at);
        lag = others.fold(lag, |lag, other| lag.max(other - at));
        latest[number] = latest[number].max(at);
    }
    lag
}
