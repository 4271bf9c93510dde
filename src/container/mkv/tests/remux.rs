//! Real streams through the writer: every packet comes back bit for bit, and other people's decoders agree.
#![deny(unsafe_code)]

use std::path::Path;

use super::helpers::*;
use crate::base::{Rational, Span, Timestamp};
use crate::container::reader::{FrameFacts, Reader, TrackFacts};
use crate::container::{Interleaver, Writer};
use crate::media::{
    AudioTrackParams, FileParams, Packet, PacketData, StreamKind, SubtitleTrackParams, TrackCodec, TrackKind,
    TrackParams, Trim,
};
use crate::syntax::av1::{OBU_SEQUENCE_HEADER, SequenceHeader, codec_private, obus, track as av1_track};
use crate::syntax::opus::track as opus_track;

/// A track of a file as a description for the writer.
fn track(facts: &TrackFacts, first: Option<&FrameFacts>) -> Option<TrackParams> {
    let codec = TrackCodec::Matroska(facts.codec_id.clone());
    let span = |ns: u64| Span::new(ns as i64, Rational::NANO);
    let kind = match facts.kind? {
        StreamKind::Video => {
            let mut video = av1_track(&first?.data).ok()?;
            video.frame_duration = facts.default_duration_ns.map(span);
            TrackKind::Video(video)
        }
        StreamKind::Audio => {
            let audio = facts.audio?;
            TrackKind::Audio(AudioTrackParams {
                codec,
                configuration: facts.codec_private.clone(),
                channels: audio.channels as u32,
                sample_rate: audio.sample_rate as u32,
                bit_depth: audio.bit_depth.map(|b| b as u8),
                codec_delay: Some(span(facts.codec_delay_ns)),
                seek_pre_roll: Some(span(facts.seek_pre_roll_ns)),
            })
        }
        _ => TrackKind::Subtitle(SubtitleTrackParams::new(codec, facts.codec_private.clone())),
    };
    let language = facts.language_bcp47.clone().or(facts.language.clone());
    Some(TrackParams { language, title: facts.name.clone(), disposition: facts.disposition, ..TrackParams::new(kind) })
}

fn read_all(path: &Path) -> (Reader, Vec<FrameFacts>) {
    let mut reader = Reader::open(path).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push(frame);
    }
    (reader, frames)
}

/// Reads `source` and writes it again: `pts` is the block time less the codec delay, as the law has it.
fn remux(source: &Path, out: &Path) -> Vec<FrameFacts> {
    let (reader, frames) = read_all(source);
    let first = |t: &TrackFacts| frames.iter().find(|f| f.track == t.number);
    let tracks: Vec<TrackParams> = reader.tracks().iter().map(|t| track(t, first(t)).unwrap()).collect();
    let header = FileParams { title: reader.title().map(str::to_owned), ..header(tracks) };
    let mut interleaver = Interleaver::new(Writer::create(out, &header).unwrap());
    for frame in &frames {
        let index = reader.tracks().iter().position(|t| t.number == frame.track).unwrap();
        let pts = frame.timestamp_ns as i64 - reader.tracks()[index].codec_delay_ns as i64;
        let mut packet = Packet::new(Timestamp::new(pts, Rational::NANO), PacketData::new(frame.data.clone()));
        packet.keyframe = frame.keyframe;
        packet.duration = frame.duration_ns.map(|d| Span::new(d as i64, Rational::NANO));
        packet.trim = Trim::from_discard_padding_ns(frame.discard_padding_ns);
        packet.additional = frame.additional.clone().map(PacketData::new);
        interleaver.push(index, packet).unwrap();
    }
    interleaver.finish().unwrap().finish().unwrap();
    frames
}

/// Frames of one track, without what may differ: nothing.
fn of_track(frames: &[FrameFacts], track: u64) -> Vec<&FrameFacts> {
    frames.iter().filter(|f| f.track == track).collect()
}

#[test]
fn av1_with_two_subtitles_comes_back_bit_for_bit() {
    let Some(source) = clip("subs/srt_2_languages.mkv") else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mkv");
    let before = remux(&source, &out);
    let (reader, after) = read_all(&out);
    assert_eq!((before.len(), after.len()), (154, 154));
    for number in 1..=3 {
        assert_eq!(of_track(&before, number), of_track(&after, number), "track {number}");
    }
    let original = Reader::open(&source).unwrap();
    // av1C: the four bytes as another writer has them. That file's configuration OBU, taken from SVT-AV1's
    // separate stream header, differs from the header in the stream; ours is the one in the stream.
    let (ours, theirs) = (&reader.tracks()[0].codec_private, &original.tracks()[0].codec_private);
    assert_eq!((&ours[..4], ours.len()), (&theirs[..4], theirs.len()));
    assert!(after[0].data.starts_with(&ours[4..]));
    assert_eq!(reader.duration_ns(), Some(6e9));

    // Independent readers: packets by FFmpeg, headers by mkvmerge.
    let packets = [
        "-v",
        "error",
        "-show_entries",
        "packet=stream_index,pts,size,flags,data_hash",
        "-show_data_hash",
        "md5",
        "-of",
        "csv",
    ];
    let by_stream = |path: &Path| {
        let text = tool("ffprobe", &[&packets[..], &[path_str(path)]].concat())?;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        Some(lines)
    };
    if let (Some(a), Some(b)) = (by_stream(&source), by_stream(&out)) {
        assert_eq!((a.len(), &a), (154, &b));
    }
    tool("ffmpeg", &["-v", "error", "-xerror", "-i", path_str(&out), "-f", "null", "-"]);
    if let Some(json) = tool("mkvmerge", &["-J", path_str(&out)]) {
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["tracks"].as_array().unwrap().len(), 3);
        assert_eq!(json["tracks"][2]["properties"]["language"], "fre");
        assert!(json["warnings"].as_array().unwrap().is_empty() && json["errors"].as_array().unwrap().is_empty());
    }
}

#[test]
fn opus_is_heard_when_it_was_before() {
    let Some(source) = clip("audio/opus_mono.webm") else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mka");
    let before = remux(&source, &out);
    let (reader, after) = read_all(&out);
    assert_eq!(before.len(), after.len());
    for (a, b) in before.iter().zip(&after) {
        assert_eq!((a.timestamp_ns, &a.data, a.discard_padding_ns), (b.timestamp_ns, &b.data, b.discard_padding_ns));
    }
    let (a, b) = (&Reader::open(&source).unwrap().tracks()[0].clone(), &reader.tracks()[0]);
    assert!(a.codec_delay_ns > 0);
    assert_eq!((a.codec_delay_ns, &a.codec_private), (b.codec_delay_ns, &b.codec_private));
    // FFmpeg decodes both to the same samples at the same time.
    let decode =
        |path: &Path| tool("ffmpeg", &["-v", "error", "-i", path_str(path), "-map", "0:a", "-f", "framemd5", "-"]);
    let (Some(x), Some(y)) = (decode(&source), decode(&out)) else { return };
    assert!(x.lines().count() > 100);
    assert_eq!(x, y);
}

/// From Ogg, where time is counted without container delay: the writer must put it as mkvmerge does.
#[test]
fn opus_from_ogg_starts_where_mkvmerge_puts_it() {
    let Some(source) = clip("audio/opus_5.1.opus") else { return };
    let dir = tempfile::tempdir().unwrap();
    let theirs = dir.path().join("theirs.mka");
    let options = ["-q", "--disable-lacing", "--timestamp-scale", "1000000", "-o"];
    if tool("mkvmerge", &[&options[..], &[path_str(&theirs), path_str(&source)]].concat()).is_none() {
        return;
    }
    let (reader, frames) = read_all(&theirs);
    let facts = &reader.tracks()[0];
    let head = opus_track(&facts.codec_private).unwrap();
    assert_eq!(
        (head.codec_delay.unwrap().as_nanos() as u64, head.channels, u64::from(head.sample_rate)),
        (facts.codec_delay_ns, 6, 44_100)
    );
    // By the law: packet n begins n·960 samples after −pre-skip.
    let ours = dir.path().join("ours.mka");
    let mut writer = Writer::create(&ours, &header(vec![TrackParams::new(TrackKind::Audio(head))])).unwrap();
    let base = Rational::positive(1, 48_000).unwrap();
    let pre_skip = i64::from(u16::from_le_bytes([facts.codec_private[10], facts.codec_private[11]]));
    for (n, frame) in frames.iter().enumerate() {
        let mut p = Packet::new(Timestamp::new(n as i64 * 960 - pre_skip, base), PacketData::new(frame.data.clone()));
        p.duration = Some(Span::new(960, base));
        p.trim = Trim::from_discard_padding_ns(frame.discard_padding_ns);
        writer.write(0, &p).unwrap();
    }
    writer.finish().unwrap();
    let (_, written) = read_all(&ours);
    let times = |f: &[FrameFacts]| f.iter().map(|f| f.timestamp_ns).collect::<Vec<_>>();
    assert_eq!(times(&written), times(&frames));
    let decode = |p: &Path| tool("ffmpeg", &["-v", "error", "-i", path_str(p), "-f", "md5", "-"]);
    assert_eq!(decode(&ours), decode(&theirs));
}

#[test]
fn other_codecs_come_back_too() {
    for name in ["audio/dts_5.1.mkv", "subs/webvtt.mkv", "subs/ass.mkv", "subs/pgs.mkv", "subs/vobsub.mkv"] {
        let Some(source) = clip(name) else { continue };
        let (reader, frames) = read_all(&source);
        let kept = |t: &&TrackFacts| matches!(t.kind, Some(StreamKind::Audio | StreamKind::Subtitle));
        let kept: Vec<&TrackFacts> = reader.tracks().iter().filter(kept).collect();
        let tracks = kept.iter().map(|t| track(t, None).unwrap()).collect();
        let mut packets = Vec::new();
        for frame in &frames {
            // Frames laced into one block share its time; they still have to come back in order.
            let Some(index) = kept.iter().position(|t| t.number == frame.track) else { continue };
            let mut p = packet(frame.time().ticks(), frame.data.clone());
            p.duration = frame.duration_ns.map(|d| Span::new(d as i64, Rational::NANO));
            packets.push((index, p));
        }
        let dir = tempfile::tempdir().unwrap();
        let (_, path) = mux_file(dir.path(), &header(tracks), &packets);
        let (copy, written) = read_all(&path);
        assert_eq!(written.len(), packets.len(), "{name}");
        for (frame, (index, packet)) in written.iter().zip(&packets) {
            assert_eq!((frame.track, &frame.data[..]), (*index as u64 + 1, &packet.data[..]), "{name}");
            assert_eq!(frame.time(), packet.pts, "{name}");
        }
        for (a, b) in kept.iter().zip(copy.tracks()) {
            assert_eq!((&a.codec_id, &a.codec_private), (&b.codec_id, &b.codec_private), "{name}");
        }
        if let Some(json) = tool("mkvmerge", &["-J", path_str(&path)]) {
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert!(json["warnings"].as_array().unwrap().is_empty(), "{name}: {json}");
        }
    }
}

#[test]
fn sequence_headers_of_real_streams_are_read_as_their_containers_describe_them() {
    let h = SequenceHeader::find(&access_unit(true, 3)).unwrap();
    assert_eq!((h.width, h.height, h.bit_depth(), h.color, h.full_range), (320, 180, 10, [9, 16, 9], false));
    assert_eq!((h.profile, h.level, h.subsampling_x, h.subsampling_y, h.film_grain), (0, 0, true, true, false));
    let private = codec_private(&access_unit(true, 3)).unwrap();
    assert_eq!((&private[..4], &private[4..]), (&[0x81, 0, 0x4C, 0][..], &SEQUENCE[..]));

    let Some(source) = clip("hdr/hdr10_av1_mdcv_clli.mp4") else { return };
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.mkv");
    let copied =
        tool("ffmpeg", &["-v", "error", "-i", path_str(&source), "-c", "copy", "-map", "0:v", path_str(&copy)]);
    if copied.is_none() {
        return;
    }
    let (reader, frames) = read_all(&copy);
    let h = SequenceHeader::find(&frames[0].data).unwrap();
    assert_eq!((h.width, h.height, h.bit_depth(), h.color), (1920, 1080, 10, [9, 16, 9]));
    // What the MP4's own av1C says, byte for byte up to the configuration OBUs.
    let theirs = &reader.tracks()[0].codec_private;
    let ours = codec_private(&frames[0].data).unwrap();
    assert_eq!(ours[..4], theirs[..4]);
    assert_eq!(obus(&ours[4..]).next().unwrap().unwrap().kind, OBU_SEQUENCE_HEADER);
}
