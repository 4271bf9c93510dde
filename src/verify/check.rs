//! Is the written file what it has to be? Read back by a parser that shares no code with the writer.
//!
//! After an encode the packets are compared with those that were decoded on their way into the file, so
//! every picture is proven on its final bytes without decoding twice. `drapto verify` has no such memory:
//! it decodes source and output.

use std::path::Path;

use super::provenance::{check_provenance, provenance_tags};
use super::verification::Verification;
use crate::av::{Decoder, DecoderOptions, Received};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Rounding, Span, Timestamp};
use crate::container::codec::{sound_codec, video_codec};
use crate::container::elements::segment_elements;
use crate::container::reader::{FrameFacts, Reader, TrackFacts, VideoFacts};
use crate::container::{language, tags};
use crate::media::{
    Attachment, ChapterAtom, ChromaLocation, Color, ColorRange, FieldOrder, HdrStatic, MasteringDisplay, MediaInfo,
    SegmentElements, StreamInfo, StreamKind, TagEntry, VideoInfo,
};
use crate::stages::describe::FileDescription;
use crate::stages::digest::{digest, message_digest};
use crate::stages::streams::{StreamDecision, Task};
use crate::syntax::av1::{self, SequenceHeader};
use crate::syntax::opus::{OPUS_RATE, opus_head_facts, packet_samples};

/// A last picture that stays is as long as it says, to this in seconds.
const MOST_OFF_S: f64 = 0.1;

/// Bytes of a tag's value from which on a report has not all of it.
const LONG_TAG: usize = 400;

/// Matroska's names of AV1 and Opus.
const AV1: &str = "V_AV1";
const OPUS: &str = "A_OPUS";

/// What the file has to hold.
pub(crate) struct Expected {
    /// What the writer was told that the file says.
    pub(crate) said: FileDescription,
    pub(crate) tracks: Vec<ExpectedTrack>,
    /// Name, media type and length.
    pub(crate) attachments: Vec<(String, String, u64)>,
    pub(crate) video: ExpectedVideo,
}

impl Expected {
    /// The same, all of it later.
    pub(crate) fn later(mut self, by: Span) -> Self {
        let moved = |time: &mut Timestamp| *time = time.plus(by);
        self.video.times.iter_mut().for_each(moved);
        self.video.end.iter_mut().for_each(moved);
        self.tracks.iter_mut().filter_map(|t| t.audio.as_mut()?.start.as_mut()).for_each(moved);
        self.said = self.said.later(by);
        self
    }
}

pub(crate) struct ExpectedTrack {
    pub(crate) stream: usize,
    pub(crate) kind: StreamKind,
    pub(crate) codec_id: String,
    /// FFmpeg's name of its codec.
    pub(crate) codec: Option<String>,
    /// What a decoder gives of it before the first sample that counts, in nanoseconds, where the source says so.
    pub(crate) delay_ns: u64,
    pub(crate) audio: Option<ExpectedAudio>,
    /// Packets, where they were counted.
    pub(crate) packets: Option<u64>,
}

impl ExpectedTrack {
    /// The track that `decision` makes of `stream`, without what only decoding tells; `None` where it makes none.
    pub(crate) fn new(decision: &StreamDecision, stream: &StreamInfo) -> Option<Self> {
        Some(ExpectedTrack {
            stream: decision.index,
            kind: stream.kind,
            codec_id: decision.codec_id()?,
            codec: decision.output_codec.clone(),
            delay_ns: match &decision.task {
                Task::CopyAudio(mapping) => mapping.codec_delay_ns,
                _ => 0,
            },
            audio: None,
            packets: None,
        })
    }
}

/// Where the sound has to start and how long it has to be.
#[derive(Clone, Copy)]
pub(crate) struct ExpectedAudio {
    pub(crate) start: Option<Timestamp>,
    pub(crate) length: Option<Span>,
    /// How far the length may be off, in seconds.
    pub(crate) tolerance_s: f64,
    /// What is decoded before the sound begins, where that is known beforehand.
    pub(crate) delay: Option<Span>,
}

pub(crate) struct ExpectedVideo {
    pub(crate) times: Vec<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) sample_aspect_ratio: Option<Rational>,
    pub(crate) rotation: i32,
    pub(crate) stereo_mode: u8,
    pub(crate) field_order: FieldOrder,
    pub(crate) color: Color,
    pub(crate) hdr: HdrStatic,
    /// Digest of the metadata of each picture.
    pub(crate) messages: Vec<u64>,
    /// The Dolby Vision configuration record.
    pub(crate) dolby_vision: Option<[u8; 24]>,
    /// Digest of each packet; without them the pictures are decoded.
    pub(crate) digests: Option<Vec<u64>>,
}

impl ExpectedVideo {
    /// When each picture is shown, in ticks of `base`.
    pub(super) fn ticks(&self, base: Rational) -> Vec<i64> {
        self.times.iter().map(|time| time.rescale(base, Rounding::Nearest).ticks()).collect()
    }
}

pub(crate) fn expected_attachments(info: &MediaInfo, decisions: &[StreamDecision]) -> Vec<(String, String, u64)> {
    let kept = |stream: usize| decisions.iter().any(|d| d.index == stream && matches!(d.task, Task::Attach));
    let mime = |mime: &str| if mime.is_empty() { "application/octet-stream".to_owned() } else { mime.to_owned() };
    let facts = |a: &Attachment| (a.name.clone(), mime(&a.mime), a.data.len() as u64);
    info.attachments.iter().filter(|a| kept(a.stream)).map(facts).collect()
}

/// What reading all frames of the file found.
#[derive(Default)]
pub(super) struct ReadBack {
    /// When each picture is shown, in ticks of the file's clock.
    pub(super) times: Vec<i64>,
    digests: Vec<u64>,
    messages: Vec<u64>,
    first_is_key: bool,
    pictures: u64,
    picture_error: Option<String>,
    /// By track.
    tracks: Vec<FoundTrack>,
}

#[derive(Default)]
struct FoundTrack {
    packets: u64,
    first_ns: Option<u64>,
    samples: u64,
    discard_ns: i64,
    error: Option<String>,
}

/// Reads the Matroska or WebM file at `path` and checks it against `expected`.
pub(super) fn verify_matroska(path: &Path, expected: &Expected, cancel: &CancelToken) -> Result<Verification> {
    let mut result = Verification::default();
    let mut reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(error) => {
            result.check("container", false, "a readable Matroska file", error);
            return Ok(result);
        }
    };
    check_headers(&mut result, &reader, expected);
    match segment_elements(path) {
        Ok(elements) => check_elements(&mut result, elements, expected),
        Err(error) => result.check("container", false, "readable headers", error),
    }
    let tracks: Vec<TrackFacts> = reader.tracks().to_vec();
    let mut found = match read_frames(&mut reader, &tracks, expected, cancel) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            result.check("container", false, "readable to the end", error);
            return Ok(result);
        }
    };
    if expected.video.digests.is_none() && expected.tracks.first().is_some_and(|t| t.codec_id != AV1) {
        // Those who only have the source know when pictures are shown, not in which order they are decoded.
        found.times.sort_unstable();
    }
    let times = expected.video.ticks(Rational::MILLI);
    check_picture(&mut result, expected, &found, (&times, Rational::MILLI));
    check_provenance(&mut result, &provenance_tags(&reader), found.times.len());
    for ((want, facts), have) in expected.tracks.iter().zip(&tracks).zip(&found.tracks) {
        check_track_content(&mut result, want, facts, have);
    }
    check_duration(&mut result, reader.duration_ns().unwrap_or(0.0) / 1e9, expected);
    Ok(result)
}

fn check_headers(result: &mut Verification, reader: &Reader, expected: &Expected) {
    result.equal("title", &expected.said.title.as_deref(), &reader.title());
    let kinds = |k: &[Option<StreamKind>]| k.iter().map(|k| format!("{k:?}")).collect::<Vec<_>>();
    let wanted: Vec<_> = expected.tracks.iter().map(|t| Some(t.kind)).collect();
    let found: Vec<_> = reader.tracks().iter().map(|t| t.kind).collect();
    result.equal("tracks", &kinds(&wanted), &kinds(&found));
    for ((want, said), have) in expected.tracks.iter().zip(&expected.said.tracks).zip(reader.tracks()) {
        let name = |what: &str| format!("{what} of stream {}", want.stream);
        result.equal(name("codec"), &want.codec_id, &have.codec_id);
        let code = language::language(said.language.as_deref());
        let found = (have.language.clone(), have.language_bcp47.clone());
        result.equal(name("language"), &(Some(code.iso639_2), code.bcp47), &found);
        result.equal(name("title"), &said.title.as_deref(), &have.name.as_deref());
        result.equal(name("flags"), &said.disposition, &have.disposition);
    }
    let attachments: Vec<_> = reader.attachments().iter().map(|a| (a.name.clone(), a.mime.clone(), a.bytes)).collect();
    result.equal("attachments", &expected.attachments, &attachments);
    if let Some((track, video)) = reader.tracks().iter().find_map(|t| Some((t, t.video.as_ref()?))) {
        check_picture_header(result, &expected.video, track, video);
    }
}

/// Chapters, tags and header fields that only our own reader of elements tells.
fn check_elements(result: &mut Verification, found: SegmentElements, expected: &Expected) {
    let uids: Vec<u64> = found.tracks.iter().map(|t| t.uid).collect();
    let mut editions = found.editions;
    editions.iter_mut().flat_map(|e| &mut e.chapters).for_each(|chapter| number_tracks(chapter, &uids));
    result.equal("chapters", &expected.said.editions(), &editions);
    // Entries of a track stand together in the file, before its statistics.
    let sorted = |mut entries: Vec<TagEntry>| {
        entries.sort_by_key(|entry| format!("{:?}", entry.targets));
        entries
    };
    let (wanted, have) = (sorted(expected.said.tag_entries()), sorted(tags::read_back(found.tags, &uids)));
    let words = |entries: Vec<TagEntry>| format!("{:?}", entries.into_iter().map(shortened).collect::<Vec<_>>());
    result.check("tags", wanted == have, words(wanted), words(have));
    if let Some(video) = found.tracks.iter().find(|t| t.track_type == 1) {
        result.equal("stereo mode", &expected.video.stereo_mode, &video.stereo_mode);
    }
}

/// The entry with the digests of long values, such as those of all chunks of a film, in their place.
fn shortened(mut entry: TagEntry) -> TagEntry {
    for value in entry.tags.iter_mut().filter_map(|t| t.value.as_mut()).filter(|v| v.len() > LONG_TAG) {
        let start: String = value.chars().take(20).collect();
        *value = format!("{start}… ({} bytes, digest {:016x})", value.len(), digest(value.as_bytes()));
    }
    entry
}

/// Numbers in the place of UIDs.
fn number_tracks(chapter: &mut ChapterAtom, uids: &[u64]) {
    let number = |uid: &u64| uids.iter().position(|u| u == uid).map_or(u64::MAX, |n| n as u64);
    chapter.tracks = chapter.tracks.iter().map(number).collect();
    chapter.children.iter_mut().for_each(|c| number_tracks(c, uids));
}

fn check_picture_header(result: &mut Verification, want: &ExpectedVideo, track: &TrackFacts, have: &VideoFacts) {
    result.equal("picture size", &(u64::from(want.width), u64::from(want.height)), &(have.width, have.height));
    let shape = |w: f64, h: f64| if h > 0.0 { w / h } else { 0.0 };
    let sample = want.sample_aspect_ratio.map_or(1.0, Rational::as_f64);
    let expected = shape(f64::from(want.width) * sample, f64::from(want.height));
    let (w, h) = have.display.unwrap_or((have.width, have.height));
    let found = shape(w as f64, h as f64);
    result.check(
        "display aspect ratio",
        (found / expected - 1.0).abs() < 0.002,
        format!("{expected:.4}"),
        format!("{found:.4}"),
    );
    result.equal("rotation", &want.rotation.rem_euclid(360), &(have.rotation.round() as i32).rem_euclid(360));
    result.equal("field order", &want.field_order, &have.field_order);
    result.equal("colour in the container", &comparable(want.color), &comparable(have.color));
    result.equal("Dolby Vision record", &want.dolby_vision.map(|r| r.to_vec()), &have.dolby_vision);
    result.equal("content light level", &want.hdr.content_light, &have.content_light);
    let mastering = match (&want.hdr.mastering_display, &have.mastering) {
        (None, None) => true,
        (Some(w), Some(h)) => {
            let found = [h.red, h.green, h.blue, h.white].concat();
            near_numbers(w, found.into_iter().chain([h.min_luminance, h.max_luminance]))
        }
        _ => false,
    };
    result.check(
        "mastering display",
        mastering,
        format!("{:?}", want.hdr.mastering_display),
        format!("{:?}", have.mastering),
    );
    if track.codec_id != AV1 {
        return;
    }
    match SequenceHeader::find(track.codec_private.get(4..).unwrap_or_default()) {
        Ok(header) => {
            let range = if header.full_range { ColorRange::Full } else { ColorRange::Limited };
            let wanted_range =
                if want.color.range == ColorRange::Full { ColorRange::Full } else { ColorRange::Limited };
            let code = |c: u8| if c == 0 { 2 } else { c };
            let wanted = [code(want.color.primaries.0), code(want.color.transfer.0), want.color.matrix.0];
            result.equal("colour in AV1", &(wanted, wanted_range), &(header.color, range));
        }
        Err(error) => result.check("colour in AV1", false, "a sequence header", error),
    }
}

/// Whether two descriptions of a mastering display are the same, but for rounding.
pub(super) fn same_mastering(want: Option<&MasteringDisplay>, have: Option<&MasteringDisplay>) -> bool {
    match (want, have) {
        (None, None) => true,
        (Some(want), Some(have)) => near_numbers(want, numbers(have)),
        _ => false,
    }
}

fn near_numbers(want: &MasteringDisplay, have: impl Iterator<Item = f64>) -> bool {
    numbers(want).zip(have).all(|(a, b)| (a - b).abs() <= 1e-4 * a.abs().max(1.0))
}

/// Chromaticities of red, green, blue and white, then the least and the greatest luminance.
fn numbers(d: &MasteringDisplay) -> impl Iterator<Item = f64> {
    let points = [d.red, d.green, d.blue, d.white].concat();
    points.into_iter().chain([d.min_luminance, d.max_luminance]).map(Rational::as_f64)
}

/// The longest priming of the codecs there are (HE-AAC's 2048 samples at 44.1 kHz), in seconds.
pub(super) const MOST_PRIMING_S: f64 = 0.047;

/// Checks the shape of samples and colour as formats hold them that have no place for where chroma lies, and know full range or
/// not.
pub(super) fn check_shape_and_colour(result: &mut Verification, want: &ExpectedVideo, video: &VideoInfo) {
    let sample = |ratio: Option<Rational>| ratio.map_or(1.0, Rational::as_f64);
    let (wanted, found) = (sample(want.sample_aspect_ratio), sample(video.sample_aspect_ratio));
    result.check("sample aspect ratio", (found / wanted - 1.0).abs() < 0.002, wanted, found);
    let comparable = |color: Color| {
        let code = |code: u8| if code == 0 { 2 } else { code };
        let full = color.range == ColorRange::Full;
        (code(color.primaries.0), code(color.transfer.0), code(color.matrix.0), full)
    };
    result.equal("colour", &comparable(want.color), &comparable(video.color));
}

/// Colour as Matroska can hold it: reserved code points and "unspecified" are the same there.
fn comparable(color: Color) -> (u8, u8, u8, ColorRange, ChromaLocation) {
    let code = |c: u8| if c == 0 { 2 } else { c };
    (code(color.primaries.0), code(color.transfer.0), color.matrix.0, color.range, color.chroma_location)
}

fn read_frames(
    reader: &mut Reader,
    tracks: &[TrackFacts],
    expected: &Expected,
    cancel: &CancelToken,
) -> Result<ReadBack> {
    let tracks_found = tracks.iter().map(|_| FoundTrack::default()).collect();
    let mut found = ReadBack { tracks: tracks_found, ..ReadBack::default() };
    let video = tracks.iter().find(|t| t.kind == Some(StreamKind::Video)).filter(|_| expected.video.digests.is_none());
    let mut pictures = video.map(video_decoder).transpose()?;
    let is_encoded = |at: usize| {
        let audio = expected.tracks.get(at).and_then(|track| track.audio);
        audio.is_some_and(|audio| audio.length.is_some())
    };
    let decoder = |(at, track): (usize, &TrackFacts)| sound_decoder(track, is_encoded(at));
    let mut sound: Vec<Option<Decoder>> = tracks.iter().enumerate().map(decoder).collect();
    while let Some(frame) = reader.next_frame()? {
        cancel.check()?;
        let Some(at) = tracks.iter().position(|t| t.number == frame.track) else { continue };
        let track = &mut found.tracks[at];
        track.packets += 1;
        track.first_ns.get_or_insert(frame.timestamp_ns);
        match tracks[at].kind {
            Some(StreamKind::Video) => {
                let codec = video_codec(&tracks[at].codec_id).unwrap_or_default();
                let when = (frame.time().ticks(), frame.keyframe);
                found.picture(codec, &frame.data, when, pictures.as_mut());
            }
            Some(StreamKind::Audio) => read_sound(track, &tracks[at], &frame, sound[at].as_mut()),
            _ => {}
        }
    }
    for ((track, facts), decoder) in found.tracks.iter_mut().zip(tracks).zip(&mut sound) {
        let Some(decoder) = decoder else { continue };
        let rest = decoder.send_end().and_then(|()| drain_sound(decoder));
        track.heard(facts, rest);
    }
    found.end_of_pictures(pictures.as_mut());
    Ok(found)
}

/// A decoder of the track's pictures.
fn video_decoder(track: &TrackFacts) -> Result<Decoder> {
    let unknown = || Error::new(ErrorKind::Unsupported, format!("pictures of {} cannot be decoded", track.codec_id));
    video_decoder_of(video_codec(&track.codec_id).ok_or_else(unknown)?, &track.codec_private)
}

/// A decoder of pictures of FFmpeg's `codec`.
pub(super) fn video_decoder_of(codec: &str, configuration: &[u8]) -> Result<Decoder> {
    match codec {
        "av1" => Decoder::av1(Rational::MILLI, DecoderOptions::default()),
        codec => Decoder::by_name(codec, configuration, Rational::MILLI, 0),
    }
}

/// A decoder of a track's sound: of Opus always, of others where they were encoded.
fn sound_decoder(track: &TrackFacts, encoded: bool) -> Option<Decoder> {
    let (codec, private) = (sound_codec(&track.codec_id)?, &track.codec_private);
    if codec == "opus" {
        let head = opus_head_facts(private)?;
        let base = Rational::positive(1, OPUS_RATE as i32)?;
        return Decoder::by_name(codec, private, base, u32::from(head.channels)).ok();
    }
    let audio = track.audio.filter(|_| encoded)?;
    let channels = u32::try_from(audio.channels).ok()?;
    Decoder::by_name(codec, private, Rational::NANO, channels).ok()
}

impl ReadBack {
    /// Takes a picture of FFmpeg's `codec` that is shown at a time, which may be a keyframe.
    pub(super) fn picture(
        &mut self,
        codec: &str,
        data: &[u8],
        (time, keyframe): (i64, bool),
        decoder: Option<&mut Decoder>,
    ) {
        self.first_is_key |= self.times.is_empty() && keyframe;
        self.times.push(time);
        self.digests.push(digest(data));
        // What is no AV1 has no metadata of single pictures; that it is no picture is found out by decoding it.
        let messages = (codec == "av1").then(|| av1::messages(data).ok()).flatten();
        self.messages.push(messages.map_or(0, |m| message_digest(&m)));
        let Some(decoder) = decoder else { return };
        match decoder.send_bytes(data, time).and_then(|()| drain_video(decoder)) {
            Ok(frames) => self.pictures += frames,
            Err(error) => drop(self.picture_error.get_or_insert_with(|| error.to_string())),
        }
    }

    /// Takes what the decoder still holds.
    pub(super) fn end_of_pictures(&mut self, decoder: Option<&mut Decoder>) {
        let Some(decoder) = decoder else { return };
        match decoder.send_end().and_then(|()| drain_video(decoder)) {
            Ok(frames) => self.pictures += frames,
            Err(error) => drop(self.picture_error.get_or_insert_with(|| error.to_string())),
        }
    }
}

fn drain_video(decoder: &mut Decoder) -> Result<u64> {
    let mut frames = 0;
    while let Received::Frame(_) = decoder.receive_video()? {
        frames += 1;
    }
    Ok(frames)
}

fn read_sound(track: &mut FoundTrack, facts: &TrackFacts, frame: &FrameFacts, decoder: Option<&mut Decoder>) {
    if facts.codec_id == OPUS {
        // The decoder throws the pre-skip away by itself.
        track.samples += u64::from(packet_samples(&frame.data).unwrap_or(0));
    }
    track.discard_ns += frame.discard_padding_ns;
    let Some(decoder) = decoder else { return };
    let decoded = decoder.send_bytes(&frame.data, 0).and_then(|()| drain_sound(decoder));
    track.heard(facts, decoded);
}

/// Samples of all runs that a decoder has.
fn drain_sound(decoder: &mut Decoder) -> Result<u64> {
    let mut samples = 0;
    while let Received::Frame(frame) = decoder.receive_audio()? {
        samples += frame.samples() as u64;
    }
    Ok(samples)
}

impl FoundTrack {
    /// Notes what a decoder made of a packet.
    fn heard(&mut self, facts: &TrackFacts, decoded: Result<u64>) {
        match decoded {
            Ok(samples) if facts.codec_id != OPUS => self.samples += samples,
            Ok(_) => {}
            Err(error) => drop(self.error.get_or_insert_with(|| error.to_string())),
        }
    }
}

/// Whether the pictures are those that were promised, at `times`, which are theirs in ticks of `base`.
pub(super) fn check_picture(
    result: &mut Verification,
    expected: &Expected,
    found: &ReadBack,
    (times, base): (&[i64], Rational),
) {
    let want = &expected.video;
    result.equal("frames", &want.times.len(), &found.times.len());
    let wrong = times.iter().zip(&found.times).enumerate().find(|(_, (w, h))| w != h);
    match wrong {
        None => result.check("timestamps", want.times.len() == found.times.len(), "all equal", "all equal"),
        Some((frame, (w, h))) => {
            let ms = |ticks: i64| ticks as f64 * base.as_f64() * 1e3;
            result.check("timestamps", false, format!("frame {frame} at {} ms", ms(*w)), format!("{} ms", ms(*h)));
        }
    }
    let carried = want.messages.iter().filter(|m| **m != 0).count();
    if carried > 0 || found.messages.iter().any(|m| *m != 0) {
        // Messages are counted, not pictures: those that neither side has prove nothing.
        let right = |(want, found): &(&u64, &u64)| **want != 0 && want == found;
        let same = want.messages.iter().zip(&found.messages).filter(right).count();
        let there = found.messages.iter().filter(|m| **m != 0).count();
        let text = match there == same {
            true => same.to_string(),
            false => format!("{same}, and {} others", there - same),
        };
        result.check("HDR10+ and Dolby Vision metadata by picture", carried == same && there == same, carried, text);
    }
    result.check("first frame is a keyframe", found.first_is_key, true, found.first_is_key);
    match &want.digests {
        Some(digests) => {
            let same = digests.iter().zip(&found.digests).filter(|(a, b)| a == b).count();
            result.equal("pictures that decode, by their bytes", &digests.len(), &same);
        }
        None => {
            let found_text = found.picture_error.clone().unwrap_or_else(|| found.pictures.to_string());
            result.check(
                "pictures that decode",
                found.picture_error.is_none() && found.pictures == want.times.len() as u64,
                want.times.len(),
                found_text,
            );
        }
    }
}

/// Whether there are as many packets as were written.
pub(super) fn check_track_packets(result: &mut Verification, want: &ExpectedTrack, have: u64) {
    if let Some(packets) = want.packets {
        result.equal(format!("packets of stream {}", want.stream), &packets, &have);
    }
}

fn check_track_content(result: &mut Verification, want: &ExpectedTrack, facts: &TrackFacts, have: &FoundTrack) {
    let name = |what: &str| format!("{what} of stream {}", want.stream);
    check_track_packets(result, want, have.packets);
    let Some(audio) = want.audio else { return };
    let rate = match (facts.codec_id.as_str(), facts.audio) {
        (OPUS, _) | (_, None) => f64::from(OPUS_RATE),
        (_, Some(audio)) => audio.sample_rate,
    };
    let mut delay_ns = facts.codec_delay_ns;
    if facts.codec_id == OPUS {
        let pre_skip = opus_head_facts(&facts.codec_private).map_or(0, |h| u64::from(h.pre_skip));
        delay_ns = (pre_skip * 1_000_000_000).div_ceil(u64::from(OPUS_RATE));
        result.check(name("codec delay"), facts.codec_delay_ns.abs_diff(delay_ns) <= 1, delay_ns, facts.codec_delay_ns);
        result.check(name("seek pre-roll"), facts.seek_pre_roll_ns == 80_000_000, 80_000_000, facts.seek_pre_roll_ns);
    } else if let Some(delay) = audio.delay {
        let wanted = delay.as_nanos().unsigned_abs();
        result.check(name("codec delay"), delay_ns.abs_diff(wanted) <= 1, wanted, delay_ns);
    }
    if facts.codec_id == OPUS || audio.length.is_some() {
        let decodes = have.error.clone().unwrap_or_else(|| "all".to_owned());
        result.check(name("packets that decode"), have.error.is_none(), "all", decodes);
    }
    if let Some(length) = audio.length {
        let samples = |ns: f64| (ns * rate / 1e9).round();
        let skipped = samples(delay_ns as f64) + samples(have.discard_ns as f64);
        let heard = (have.samples as f64 - skipped).max(0.0) / rate;
        let heard = if have.packets == 0 { 0.0 } else { heard };
        let pass = (heard - length.as_secs_f64()).abs() <= audio.tolerance_s;
        result.check(name("length"), pass, format!("{:.4} s", length.as_secs_f64()), format!("{heard:.4} s"));
    }
    if let (Some(start), Some(first)) = (audio.start, have.first_ns) {
        // A block's time less the codec delay is when its first decoded sample plays; the first that counts
        // comes the same delay later.
        let off = first as f64 / 1e6 - start.as_nanos() as f64 / 1e6;
        let found = format!("{:.3} ms", first as f64 / 1e6);
        result.check(name("start"), off.abs() <= 1.0, format!("{:.3} ms", start.as_nanos() as f64 / 1e6), found);
    }
}

/// Whether a file that is `duration` seconds long ends when its last picture or sound does.
pub(super) fn check_duration(result: &mut Verification, duration: f64, expected: &Expected) {
    let want = &expected.video;
    // Pictures may stand in another order than they are shown in.
    let shown = |t: &&Timestamp| t.as_nanos();
    let ends = (want.times.iter().min_by_key(shown), want.times.iter().max_by_key(shown));
    let (Some(first), Some(last)) = ends else { return };
    let typical = last.since(*first).as_secs_f64() / (want.times.len().max(2) - 1) as f64;
    let frame =
        want.end.map_or(typical, |end| end.since(*last).as_secs_f64().min(typical.max(MOST_OFF_S))).max(typical);
    let picture_end = want.end.unwrap_or(*last).as_secs_f64();
    let sound_end = expected
        .tracks
        .iter()
        .filter_map(|t| t.audio)
        .filter_map(|a| Some(a.start?.as_secs_f64() + a.length?.as_secs_f64()));
    let end = sound_end.fold(picture_end, f64::max);
    // Subtitles, and copied sound of which no length is known, may go on longer.
    let open_end = expected.tracks.iter().any(|t| match t.kind {
        StreamKind::Audio => t.audio.is_none_or(|a| a.length.is_none()),
        kind => kind == StreamKind::Subtitle,
    });
    let tolerance = frame + 0.001;
    let pass = duration >= end - tolerance && (open_end || duration <= end + tolerance);
    result.check("duration", pass, format!("{end:.3} s"), format!("{duration:.3} s"));
}
