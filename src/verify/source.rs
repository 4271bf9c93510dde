//! `verify` without the memory of an encode: both files are decoded.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use super::check::{Expected, ExpectedAudio, ExpectedTrack, ExpectedVideo, expected_attachments};
use super::file::verify_file;
use super::verification::Verification;
use crate::analyze::{Analysis, Looks, OutputFacts, plan_told_by};
use crate::audio::{SoundOptions, codec_name};
use crate::av::DecoderOptions;
use crate::base::{CancelToken, Error, Rational, Result, Span, Timestamp};
use crate::config::{AudioMode, Downmix, SoundCodec};
use crate::media::{Frame, MediaInfo, StreamKind};
use crate::plan::PicturePlan;
use crate::source::{AudioDecoder, Source, VideoDecoder, looked_at};
use crate::stages::describe::describe;
use crate::stages::digest::message_digest;
use crate::stages::streams::{SoundWish, StreamDecision, Task, UnknownCodecs, decide, in_track_order, unknown_codecs};
use crate::stages::treat::{Treat, dolby_vision_record, messages};

/// How far the length of a track may be off when both sides were measured by their timestamps: below this the
/// audio room takes differences for jitter.
const LENGTH_TOLERANCE_S: f64 = 0.04;

/// Checks that `output` is a faithful encode of `source`.
///
/// # Errors
/// `Input` and `Unsupported` where the source cannot be decoded. An output that is wrong or cannot be read is
/// no error but a [`Verification`] that did not pass.
pub fn verify(source: &Path, output: &Path, cancel: &CancelToken) -> Result<Verification> {
    looked_at(source, cancel, |source| verify_of_file(source, output, cancel))
}

fn verify_of_file(source: &Path, output: &Path, cancel: &CancelToken) -> Result<Verification> {
    let analysis = Analysis::open(source, cancel)?;
    let info = analysis.info().clone();
    let main = analysis.main_video()?.clone();
    let place = |e: Error| e.with_file(source);
    let facts = analysis.facts(Looks { crop: true, fields: true }).map_err(place)?;
    let info = facts.refine(&info);
    let said = OutputFacts::of(output, cancel);
    let format = said.format;
    let decisions = made_as(&info, &said, &unknown_codecs(source, &info));
    let decisions: Vec<_> = decisions.iter().map(|d| d.coded_as(said.codec).kept_in(format)).collect();
    let plan = plan_told_by(&said, None, &facts, &main).map_err(place)?;
    let mut input = Source::open(source, cancel)?;
    input.expect(&facts.late);
    let decoded = decode(input, &info, &plan, &decisions).map_err(place)?;
    let mut expected = expected(&info, &decisions, &plan, decoded);
    // How the track was made only the output itself knows.
    if let Some(track) = expected.said.tracks.iter_mut().find(|t| t.stream == plan.stream.index) {
        track.tags.extend(said.provenance.iter().cloned());
    }
    let kept = info.start_kept(keeps_start(said.first_picture_ns(output), &expected, &info));
    let expected = expected.later(kept);
    verify_file(output, format, &expected, cancel)
}

/// Whether the output's first picture, of which is known when it is shown, is shown when the source's own clock says.
fn keeps_start(first_picture_ns: Option<i64>, expected: &Expected, info: &MediaInfo) -> bool {
    let Some((first, found)) = expected.video.times.iter().min().zip(first_picture_ns) else { return false };
    let off = |start: Span| first.plus(start).as_nanos().abs_diff(found);
    off(info.start_kept(true)) < off(info.start_kept(false))
}

/// What was done with each stream, as far as the codecs of the output's sound tell. Of sound that was encoded no more is asked
/// where it was in that codec before.
fn made_as(info: &MediaInfo, output: &OutputFacts, unknown: &UnknownCodecs) -> Vec<StreamDecision> {
    let tracks = &output.sound;
    let decided = |(mode, codec, downmix): (AudioMode, SoundCodec, Downmix)| {
        let options = SoundOptions { codec, downmix, ..SoundOptions::default() };
        decide(info, SoundWish { mode, levelled: false, options, formats: &[output.format] }, unknown)
    };
    let there = |codec: &SoundCodec| tracks.iter().any(|track| track == codec_name(*codec));
    let codecs: Vec<SoundCodec> = SoundCodec::ALL.into_iter().filter(there).collect();
    // Layouts that a codec lacks were mixed down to one that it has.
    let downmixes = [Downmix::Off, Downmix::Surround, Downmix::Stereo, Downmix::Mono];
    let of_mode = |mode| codecs.iter().flat_map(move |codec| downmixes.map(|downmix| (mode, *codec, downmix)));
    let fits = |decisions: &Vec<StreamDecision>| {
        let sound = in_track_order(decisions).into_iter().filter(|d| d.kind == StreamKind::Audio);
        sound.filter_map(|d| d.output_codec.as_ref()).eq(tracks)
    };
    let found = [AudioMode::Opus, AudioMode::Copy].into_iter().flat_map(of_mode).map(decided).find(fits);
    found.unwrap_or_else(|| {
        let copied = tracks.iter().any(|codec| codec != "opus");
        let mode = if copied { AudioMode::Copy } else { AudioMode::Opus };
        decided((mode, SoundCodec::Opus, Downmix::Off))
    })
}

struct Decoded {
    first: Option<Frame>,
    messages: Vec<u64>,
    times: Vec<Timestamp>,
    end: Option<Timestamp>,
    audio: BTreeMap<usize, Heard>,
}

#[derive(Default)]
struct Heard {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

fn decode(mut source: Source, info: &MediaInfo, plan: &PicturePlan, decisions: &[StreamDecision]) -> Result<Decoded> {
    let main = plan.stream.index;
    let mut treat = Treat::new(plan.treatment);
    let mut video = VideoDecoder::open(source.input(), &info.streams[main], DecoderOptions::default())?;
    let mut sound: BTreeMap<usize, (AudioDecoder, Heard)> = BTreeMap::new();
    for decision in decisions.iter().filter(|d| matches!(d.task, Task::EncodeAudio(_))) {
        sound.insert(
            decision.index,
            (AudioDecoder::of(source.input(), &info.streams[decision.index])?, Heard::default()),
        );
    }
    let mut out = Decoded { first: None, messages: Vec::new(), times: Vec::new(), end: None, audio: BTreeMap::new() };
    while let Some(packet) = source.read_packet()? {
        if packet.stream() == main {
            video.send(&packet)?;
            take_pictures(&mut video, &mut treat, &mut out)?;
        } else if let Some((decoder, heard)) = sound.get_mut(&packet.stream()) {
            decoder.send(&packet)?;
            take_sound(decoder, heard);
        }
    }
    video.finish()?;
    take_pictures(&mut video, &mut treat, &mut out)?;
    let mut rest = VecDeque::new();
    treat.finish(&mut rest)?;
    out.add(rest);
    for (stream, (mut decoder, mut heard)) in sound {
        decoder.finish()?;
        take_sound(&mut decoder, &mut heard);
        out.audio.insert(stream, heard);
    }
    Ok(out)
}

fn take_pictures(video: &mut VideoDecoder, treat: &mut Treat, out: &mut Decoded) -> Result<()> {
    while let Some(frame) = video.receive() {
        let mut ready = VecDeque::new();
        treat.push(frame, &mut ready)?;
        out.add(ready);
    }
    Ok(())
}

impl Decoded {
    fn add(&mut self, frames: VecDeque<Frame>) {
        for frame in frames {
            self.times.push(frame.pts);
            self.messages.push(message_digest(&messages(&frame.dynamic)));
            self.end = frame.duration.map(|d| frame.pts.plus(d));
            self.first.get_or_insert(frame);
        }
    }
}

fn take_sound(decoder: &mut AudioDecoder, heard: &mut Heard) {
    while let Some(sound) = decoder.receive() {
        let Some(rate) = i32::try_from(sound.sample_rate).ok().and_then(|r| Rational::positive(1, r)) else {
            continue;
        };
        let at = sound.pts.or(heard.end);
        heard.start = heard.start.or(at).or(Some(Timestamp::new(0, rate)));
        let at = at.unwrap_or(Timestamp::new(0, rate)).rescale(rate, crate::base::Rounding::Nearest);
        heard.end = Some(at.plus(Span::new(sound.samples as i64, rate)));
    }
}

fn expected(info: &MediaInfo, decisions: &[StreamDecision], plan: &PicturePlan, decoded: Decoded) -> Expected {
    let order = in_track_order(decisions);
    let tracks = order.into_iter().filter_map(|d| track(info, d, decoded.audio.get(&d.index))).collect();
    let video = plan.stream.video.as_ref();
    let first = decoded.first.as_ref();
    Expected {
        said: describe(info, decisions),
        tracks,
        attachments: expected_attachments(info, decisions),
        video: ExpectedVideo {
            times: decoded.times,
            end: decoded.end,
            width: first.map_or(0, |f| f.width),
            height: first.map_or(0, |f| f.height),
            sample_aspect_ratio: video.and_then(|v| v.sample_aspect_ratio),
            rotation: video.map_or(0, |v| v.rotation),
            stereo_mode: video.map_or(0, |v| v.stereo_mode),
            field_order: video.map(|v| v.field_order).unwrap_or_default(),
            color: first.map(|f| f.color).unwrap_or_default(),
            hdr: first.map(|f| f.hdr).unwrap_or_default(),
            messages: decoded.messages,
            dolby_vision: video.and_then(|v| dolby_vision_record(&plan.treatment, v)),
            digests: None,
        },
    }
}

fn track(info: &MediaInfo, decision: &StreamDecision, heard: Option<&Heard>) -> Option<ExpectedTrack> {
    let mut track = ExpectedTrack::new(decision, &info.streams[decision.index])?;
    track.audio = heard.map(|h| ExpectedAudio {
        start: h.start,
        length: h.end.zip(h.start).map(|(end, start)| end.since(start)),
        tolerance_s: LENGTH_TOLERANCE_S,
        delay: None,
    });
    Some(track)
}
