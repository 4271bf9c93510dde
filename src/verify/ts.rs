//! Is a written transport stream what it has to be?
//!
//! Packets, their times and the clock are found by a reader that shares nothing with the muxer; what only the pictures
//! themselves say (size, colour, HDR) is as libavcodec reads it. A transport stream's clock begins anywhere: times are held
//! against those of the first picture.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use super::check::{
    Expected, ExpectedAudio, ExpectedTrack, MOST_PRIMING_S, ReadBack, check_picture, check_shape_and_colour,
    check_track_packets, same_mastering, video_decoder_of,
};
use super::sound::hear_all;
use super::verification::Verification;
use crate::analyze::probe;
use crate::av::{Decoder, Received};
use crate::base::{CancelToken, ErrorKind, Rational, Result};
use crate::container::language::terminological;
use crate::container::mp4::RisingTicks;
use crate::container::ts::reader::{PesPacket, TsHealth, TsReader, TsStream};
use crate::media::{HdrStatic, MediaInfo, StreamInfo, StreamKind, VideoInfo};
use crate::source::Source;
use crate::stages::digest::digest;
use crate::syntax::hvcc;
use crate::syntax::nal::{self, Framing, NalUnit};

/// Ticks of the times in a second, and of the clock.
const TICKS: i32 = 90_000;
const CLOCK: i64 = 27_000_000;

/// The longest packet of sound, in samples: what the last one may play on.
const LONGEST_PACKET: f64 = 2048.0;

/// Reads the transport stream at `path` and checks it against `expected`.
pub(super) fn verify_ts(path: &Path, expected: &Expected, cancel: &CancelToken) -> Result<Verification> {
    let mut result = Verification::default();
    let opened = TsReader::open(path).and_then(|reader| Ok((reader, probe(path, cancel)?)));
    let (mut reader, info) = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            result.check("container", false, "a readable transport stream", error);
            return Ok(result);
        }
    };
    let tracks = tracks_of(expected, reader.streams());
    check_headers(&mut result, expected, &tracks, reader.service());
    if let Some(video) = info.streams.iter().find_map(|s| s.video.as_ref().filter(|_| s.kind == StreamKind::Video)) {
        check_picture_header(&mut result, expected, video);
    }
    let found = match read(&mut reader, &tracks, expected, cancel) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            result.check("container", false, "readable to the end", error);
            return Ok(result);
        }
    };
    check_health(&mut result, reader.health(), &found);
    let Some(shift) = check_pictures(&mut result, expected, found.pictures) else { return Ok(result) };
    let counts = packets(path, cancel)?;
    for ((want, track), first) in tracks.iter().zip(&found.sound) {
        let (Some(audio), Some((_, stream))) = (want.audio, track) else { continue };
        let stream = place_of(&info, &tracks, stream);
        let count = stream.and_then(|stream| counts.get(&stream.index)).copied().unwrap_or(0);
        check_track_packets(&mut result, want, count);
        check_sound(&mut result, want, &audio, *first, shift);
        if let (Some(stream), Some(_)) = (stream, audio.length) {
            check_length(&mut result, want, &audio, (path, stream), cancel)?;
        }
    }
    Ok(result)
}

/// How many packets libavformat makes of each stream: a PES packet may hold several of sound.
fn packets(path: &Path, cancel: &CancelToken) -> Result<BTreeMap<usize, u64>> {
    let mut source = Source::open(path, cancel)?;
    let mut counts = BTreeMap::new();
    while let Some(packet) = source.read_packet()? {
        cancel.check()?;
        *counts.entry(packet.stream()).or_default() += 1;
    }
    Ok(counts)
}

type FoundTs = Option<(usize, TsStream)>;

/// The tracks that were promised beside those that are there; a transport stream holds also those without packets.
fn tracks_of<'a>(expected: &'a Expected, there: &[TsStream]) -> Vec<(&'a ExpectedTrack, FoundTs)> {
    let found = there.iter().cloned().enumerate().map(Some).chain(std::iter::repeat(None));
    expected.tracks.iter().zip(found).collect()
}

/// A stream as libavformat has it, which has them in the order of their PIDs.
fn place_of<'a>(
    info: &'a MediaInfo,
    tracks: &[(&ExpectedTrack, FoundTs)],
    stream: &TsStream,
) -> Option<&'a StreamInfo> {
    let same = |found: &&TsStream| found.kind == stream.kind && found.pid < stream.pid;
    let before = tracks.iter().filter_map(|(_, found)| found.as_ref().map(|(_, s)| s)).filter(same).count();
    info.streams.iter().filter(|s| Some(s.kind) == stream.kind).nth(before)
}

fn check_headers(
    result: &mut Verification,
    expected: &Expected,
    tracks: &[(&ExpectedTrack, FoundTs)],
    service: Option<&str>,
) {
    for ((want, found), said) in tracks.iter().zip(&expected.said.tracks) {
        let name = |what: &str| format!("{what} of stream {}", want.stream);
        let stream = found.as_ref().map(|(_, stream)| stream);
        result.equal(name("kind"), &Some(want.kind), &stream.and_then(|s| s.kind));
        result.equal(name("codec"), &want.codec.as_deref(), &stream.map(|s| s.codec));
        let language = said.language.as_deref().map(terminological);
        let have = stream.and_then(|s| s.language.clone());
        if want.kind == StreamKind::Video {
            // There is no place for it.
            continue;
        }
        result.check(
            name("language"),
            language == have || language.as_deref() == Some("und") && have.is_none(),
            format!("{language:?}"),
            format!("{have:?}"),
        );
    }
    if let Some(title) = expected.said.title.as_deref() {
        // A descriptor holds no more than 255 bytes.
        let pass = service.is_some_and(|service| title == service || title.len() > 200);
        result.check("service name", pass, title, service.unwrap_or("none"));
    }
}

fn check_picture_header(result: &mut Verification, expected: &Expected, video: &VideoInfo) {
    let want = &expected.video;
    result.equal("picture size", &(want.width, want.height), &(video.width, video.height));
    check_shape_and_colour(result, want, video);
}

/// What was found of all packets.
struct FoundPackets {
    pictures: FoundPictures,
    /// When the first packet of each promised track of sound is heard.
    sound: Vec<Option<i64>>,
}

#[derive(Default)]
struct FoundPictures {
    back: ReadBack,
    hdr: Option<HdrStatic>,
    /// Access units that do not begin with a delimiter, and keyframes without parameter sets.
    undelimited: u64,
    without_sets: u64,
    /// Keyframes whose packet does not say so.
    unmarked: u64,
    /// When the last one was decoded, and the longest way from one to the next.
    decoded: Option<i64>,
    longest_step: i64,
}

fn read(
    reader: &mut TsReader,
    tracks: &[(&ExpectedTrack, FoundTs)],
    expected: &Expected,
    cancel: &CancelToken,
) -> Result<FoundPackets> {
    let mut found = FoundPackets { pictures: FoundPictures::default(), sound: vec![None; tracks.len()] };
    let mut units = Units { expected, decoder: None };
    while let Some(packet) = reader.next_packet()? {
        cancel.check()?;
        let is_its = |(_, found): &(&ExpectedTrack, FoundTs)| found.as_ref().is_some_and(|(n, _)| *n == packet.stream);
        let Some(at) = tracks.iter().position(is_its) else { continue };
        match &tracks[at] {
            (want, Some((_, stream))) if want.kind == StreamKind::Video => {
                units.take(&mut found.pictures, stream.codec, &packet)?;
            }
            _ => {
                found.sound[at].get_or_insert(packet.pts);
            }
        }
    }
    found.pictures.back.end_of_pictures(units.decoder.as_mut());
    Ok(found)
}

/// Access units on their way to what is held against the promise.
struct Units<'a> {
    expected: &'a Expected,
    decoder: Option<Decoder>,
}

impl Units<'_> {
    fn take(&mut self, found: &mut FoundPictures, codec: &str, packet: &PesPacket) -> Result<()> {
        let units = nal::units(&packet.data, Framing::AnnexB);
        let kind = |unit: &NalUnit| Kind::of(codec, unit.bytes(&packet.data));
        let kinds: Vec<Kind> = units.iter().map(kind).collect();
        found.undelimited += u64::from(kinds.first() != Some(&Kind::Delimiter));
        let keyframe = kinds.contains(&Kind::Key);
        found.without_sets += u64::from(keyframe && !kinds.contains(&Kind::Sets));
        found.unmarked += u64::from(keyframe && !packet.random_access);
        let step = found.decoded.replace(packet.dts).map_or(0, |before| packet.dts - before);
        found.longest_step = found.longest_step.max(step);
        let stored = |data: &[u8]| match codec {
            "h264" => nal::h264_to_lengths(data),
            _ => nal::hevc_to_lengths(data),
        };
        let whole = stored(&packet.data)?;
        let number = found.back.times.len();
        let digests = self.expected.video.digests.as_ref();
        let is_it = |data: &Vec<u8>| digests.is_none_or(|all| all.get(number) == Some(&digest(data)));
        let hdr = (number == 0 && codec == "hevc").then(|| first_hdr(codec, &packet.data, &whole)).flatten();
        found.hdr = found.hdr.or(hdr);
        // The muxer puts the configuration before keyframes, which the encoder gave apart from them.
        let mut apart = without_configuration(&packet.data, &units, &kinds).into_iter();
        let data =
            if is_it(&whole) { whole } else { apart.find_map(|d| stored(&d).ok().filter(is_it)).unwrap_or(whole) };
        if number == 0 {
            let configuration = match codec {
                "h264" => nal::avcc(&packet.data)?,
                _ => hvcc::hvcc(&packet.data)?,
            };
            if digests.is_none() {
                self.decoder = Some(video_decoder_of(codec, &configuration)?);
            }
        }
        found.back.picture(codec, &data, (packet.pts, keyframe), self.decoder.as_mut());
        Ok(())
    }
}

/// The access unit without a run of units that holds parameter sets, and with them messages that belong to the configuration
/// (`hvcC` has those, too): each way there is. The encoder's own may stand beside them.
fn without_configuration(data: &[u8], units: &[NalUnit], kinds: &[Kind]) -> Vec<Vec<u8>> {
    /// More units no encoder puts before a picture.
    const MOST: usize = 24;
    let picture = kinds.iter().position(|kind| *kind == Kind::Key).unwrap_or(0).min(MOST);
    let without = |(from, to): (usize, usize)| {
        let kept = units.iter().enumerate().filter(|(at, _)| !(from..to).contains(at));
        kept.flat_map(|(_, unit)| data.get(unit.whole.clone()).unwrap_or_default()).copied().collect()
    };
    let runs = (0..picture).flat_map(|from| (from + 1..=picture).map(move |to| (from, to)));
    runs.filter(|(from, to)| kinds[*from..*to].contains(&Kind::Sets)).map(without).collect()
}

/// The HDR metadata of the first picture.
fn first_hdr(codec: &str, unit: &[u8], data: &[u8]) -> Option<HdrStatic> {
    let mut decoder = video_decoder_of(codec, &hvcc::hvcc(unit).ok()?).ok()?;
    decoder.send_bytes(data, 0).ok()?;
    decoder.send_end().ok()?;
    match decoder.receive_video().ok()? {
        Received::Frame(frame) => Some(frame.hdr()),
        _ => None,
    }
}

/// What a NAL unit is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Delimiter,
    Sets,
    Key,
    Other,
}

impl Kind {
    fn of(codec: &str, unit: &[u8]) -> Self {
        match codec {
            "h264" => match nal::h264::kind(unit) {
                Some(nal::h264::DELIMITER) => Kind::Delimiter,
                Some(nal::h264::SPS | nal::h264::PPS) => Kind::Sets,
                Some(nal::h264::IDR) => Kind::Key,
                _ => Kind::Other,
            },
            _ => match nal::hevc_kind(unit) {
                Some(nal::HEVC_DELIMITER) => Kind::Delimiter,
                // Video, sequence and picture parameter sets; pictures at which decoding may start (table 7-1).
                Some(32..=34) => Kind::Sets,
                Some(16..=23) => Kind::Key,
                _ => Kind::Other,
            },
        }
    }
}

fn check_health(result: &mut Verification, health: TsHealth, found: &FoundPackets) {
    result.equal("packets lost", &0, &health.lost);
    result.equal("packets without a time", &0, &health.untimed);
    result.equal("access units that come when they should have been decoded", &0, &health.late);
    // ISO/IEC 13818-1 §2.7.2, where pictures come as often: the clock comes with them.
    let gap = health.longest_clock_gap as f64 / CLOCK as f64;
    let longest = (found.pictures.longest_step as f64 / f64::from(TICKS) + 0.001).max(0.1);
    let pass = health.clocks > 0 && gap <= longest;
    result.check("clock", pass, format!("every {longest:.3} s"), format!("every {gap:.3} s"));
    let pictures = &found.pictures;
    result.equal("access units without a delimiter", &0, &pictures.undelimited);
    result.equal("keyframes without parameter sets", &0, &pictures.without_sets);
    result.equal("keyframes that are not marked", &0, &pictures.unmarked);
}

/// Holds the pictures against the promise; gives by how much this file's clock is later, in ticks.
fn check_pictures(result: &mut Verification, expected: &Expected, mut found: FoundPictures) -> Option<i64> {
    let base = Rational::positive(1, TICKS)?;
    let times = &mut found.back.times;
    if expected.video.digests.is_none() {
        // Those who only have the source know when pictures are shown, not in which order they are decoded.
        times.sort_unstable();
    }
    let mut wanted = expected.video.ticks(base);
    if wanted.is_sorted() {
        let mut rising = RisingTicks::default();
        wanted.iter_mut().for_each(|time| *time = rising.next(*time));
    }
    let shift = times.iter().min().zip(wanted.iter().min()).map(|(found, wanted)| found - wanted);
    times.iter_mut().for_each(|time| *time -= shift.unwrap_or(0));
    check_picture(result, expected, &found.back, (&wanted, base));
    if let Some(hdr) = found.hdr {
        let want = &expected.video.hdr;
        result.equal("content light level", &want.content_light, &hdr.content_light);
        let (wanted, found) = (&want.mastering_display, &hdr.mastering_display);
        let same = same_mastering(wanted.as_ref(), found.as_ref());
        result.check("mastering display", same, format!("{wanted:?}"), format!("{found:?}"));
    }
    shift
}

/// Whether sound begins when it has to, beside the pictures.
fn check_sound(result: &mut Verification, want: &ExpectedTrack, audio: &ExpectedAudio, first: Option<i64>, shift: i64) {
    let (Some(start), Some(first)) = (audio.start, first) else { return };
    let first = (first - shift) as f64 / f64::from(TICKS);
    let start = start.as_secs_f64();
    let delay = match audio.delay {
        Some(delay) => delay.as_secs_f64(),
        None if want.delay_ns > 0 => want.delay_ns as f64 / 1e9,
        // Of sound that somebody else encoded nobody says how much is priming.
        None => (start - first).clamp(0.0, MOST_PRIMING_S),
    };
    let found = first + delay;
    let name = format!("start of stream {}", want.stream);
    let pass = (start - found).abs() <= 0.001;
    result.check(name, pass, format!("{:.3} ms", start * 1e3), format!("{:.3} ms", found * 1e3));
}

/// Whether sound that was encoded decodes, and is as long as it has to be: what the last packet holds beyond the end is heard.
fn check_length(
    result: &mut Verification,
    want: &ExpectedTrack,
    audio: &ExpectedAudio,
    (path, stream): (&Path, &StreamInfo),
    cancel: &CancelToken,
) -> Result<()> {
    let (Some(length), Some(info)) = (audio.length, stream.audio.as_ref()) else { return Ok(()) };
    let (samples, damaged) = hear_all(Source::open(path, cancel)?, stream, cancel)?;
    result.equal(format!("packets that cannot be decoded of stream {}", want.stream), &0, &damaged);
    let rate = f64::from(info.sample_rate.max(1));
    let heard = samples as f64 / rate;
    let (shortest, longest) = (length.as_secs_f64() - audio.tolerance_s, length.as_secs_f64() + audio.tolerance_s);
    let longest = longest + MOST_PRIMING_S + LONGEST_PACKET / rate;
    let name = format!("length of stream {}", want.stream);
    let pass = (shortest..=longest).contains(&heard) || want.packets == Some(0);
    result.check(name, pass, format!("{shortest:.4} to {longest:.4} s"), format!("{heard:.4} s"));
    Ok(())
}
