//! Films through the muxer: what another parser and FFmpeg's tools find is what was given. A tool or a clip that is absent is
//! named on standard error and its part is left out.
#![deny(unsafe_code)]

use std::fs::File;
use std::path::{Path, PathBuf};

use super::reader::{Mp4Reader, Mp4Sample};
use super::{Mp4Muxer, Mp4Options};
use crate::av::Input;
use crate::base::{CancelToken, ErrorKind, Rational, Span, Timestamp};
use crate::container::mkv::tests::helpers::{access_unit, clip, ms, opus_head, packet, path_str, tool};
use crate::container::reader::Reader;
use crate::container::{Format, Interleaver, Muxer, muxer};
use crate::media::*;
use crate::syntax::{av1, nal, opus};

/// A stream of a source as a description for a muxer.
fn params(stream: &StreamInfo) -> Option<TrackParams> {
    let codec = stream.codec.as_str();
    let configuration = stream.extradata.clone();
    let kind = match (&stream.video, &stream.audio) {
        (Some(v), _) => TrackKind::Video(VideoTrackParams {
            sample_aspect_ratio: v.sample_aspect_ratio,
            color: v.color,
            hdr: v.hdr,
            rotation: v.rotation,
            time_base: Some(stream.time_base),
            field_order: v.field_order,
            ..VideoTrackParams::new(codec, configuration, v.width, v.height)
        }),
        (_, Some(a)) => TrackKind::Audio(AudioTrackParams::new(codec, configuration, a.channels, a.sample_rate)),
        _ => return None,
    };
    Some(TrackParams { language: stream.language.clone(), disposition: stream.disposition, ..TrackParams::new(kind) })
}

struct Source {
    params: FileParams,
    packets: Vec<(usize, Packet)>,
}

/// Pictures and sound of a film, packet by packet, with the times of its own.
fn source(path: &Path) -> Source {
    let mut input = Input::open(path, &CancelToken::new()).unwrap();
    let info = input.info();
    let kept: Vec<&StreamInfo> = info.streams.iter().filter(|s| params(s).is_some()).collect();
    let tracks = kept.iter().map(|s| params(s).unwrap()).collect();
    let mut packets = Vec::new();
    while let Some(p) = input.read_packet().unwrap() {
        let Some(track) = kept.iter().position(|s| s.index == p.stream()) else { continue };
        let mut packet = Packet::new(p.pts().unwrap(), PacketData::new([]));
        (packet.dts, packet.duration, packet.keyframe) = (p.dts(), p.duration(), p.is_key());
        packet.data = p.into_data();
        packets.push((track, packet));
    }
    Source { params: FileParams { tracks, ..FileParams::default() }, packets }
}

fn write(muxer: Box<dyn Muxer>, packets: &[(usize, Packet)]) -> crate::container::MuxStats {
    let mut order = Interleaver::new(muxer);
    for (track, packet) in packets {
        order.push(*track, packet.clone()).unwrap();
    }
    order.finish().unwrap().finish().unwrap()
}

fn new_file(dir: &Path, name: &str) -> (PathBuf, File) {
    let path = dir.join(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    (path, file)
}

/// A track's packets as they were given, and as the reader finds them.
fn compare(path: &Path, packets: &[(usize, Packet)]) -> Mp4Reader {
    let mut reader = Mp4Reader::open(path).unwrap();
    for index in 0..reader.tracks().len() {
        let track = reader.tracks()[index].clone();
        let given: Vec<&Packet> = packets.iter().filter(|(t, _)| *t == index).map(|(_, p)| p).collect();
        assert_eq!(track.samples.len(), given.len(), "track {index}");
        for (sample, packet) in track.samples.iter().zip(given) {
            let Mp4Sample { pts, dts, keyframe, .. } = *sample;
            assert_eq!(Timestamp::new(pts, track.time_base), packet.pts, "track {index}");
            assert_eq!(Timestamp::new(dts, track.time_base), packet.dts.unwrap_or(packet.pts), "track {index}");
            assert_eq!(keyframe, packet.keyframe, "track {index} at {pts}");
            assert!(reader.read(sample).unwrap() == packet.data[..], "track {index} at {pts}");
        }
    }
    reader
}

/// Every packet as ffprobe has it: stream, times in seconds, size, hash.
fn probed(path: &Path) -> Option<Vec<String>> {
    let entries = "packet=codec_type,pts_time,dts_time,size,data_hash";
    let text = tool(
        "ffprobe",
        &["-v", "error", "-show_entries", entries, "-show_data_hash", "md5", "-of", "csv", path_str(path)],
    )?;
    let mut lines: Vec<String> = text.lines().map(|l| l.trim_end_matches(',').to_owned()).collect();
    lines.sort();
    Some(lines)
}

#[test]
fn h264_that_reorders_and_aac_come_back_bit_for_bit() {
    let Some(film) = clip("film/flower.mp4") else { return };
    let mut source = source(&film);
    assert!(source.packets.iter().any(|(_, p)| p.dts.is_some_and(|dts| dts < p.pts)), "pictures are reordered");
    source.params.title = Some("A flower".into());
    source.params.chapters = vec![
        Chapter { start: ms(0), end: ms(2_000), title: Some("Bud".into()), language: None },
        Chapter { start: ms(2_000), end: ms(4_000), title: Some("Blossom".into()), language: None },
    ];
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = new_file(dir.path(), "out.mp4");
    let stats = write(muxer(Format::Mp4, file, Some(&path), &source.params).unwrap(), &source.packets);
    assert_eq!(stats.bytes, std::fs::metadata(&path).unwrap().len());
    assert_eq!(stats.tracks.iter().map(|t| t.frames).sum::<u64>(), source.packets.len() as u64);

    // FFmpeg stores chapters as a track of text, which is after those of the film.
    let mut reader = Mp4Reader::open(&path).unwrap();
    assert_eq!(reader.tracks().iter().map(|t| t.codec).collect::<Vec<_>>()[..2], ["h264", "aac"]);
    assert_eq!(reader.tracks()[0].configuration, source.params.tracks[0].configuration());
    assert!(reader.index_first());
    let first = reader.tracks()[0].samples[0];
    assert_eq!(reader.read(&first).unwrap(), source.packets.iter().find(|(t, _)| *t == 0).unwrap().1.data[..]);

    if let Some(json) =
        tool("ffprobe", &["-v", "error", "-show_format", "-show_chapters", "-of", "json", path_str(&path)])
    {
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["format"]["tags"]["title"], "A flower");
        assert_eq!(json["chapters"][1]["tags"]["title"], "Blossom");
        assert_eq!(json["chapters"][1]["start_time"], "2.000000");
    }
    tool("ffmpeg", &["-v", "error", "-xerror", "-i", path_str(&path), "-f", "null", "-"]);

    // Without chapters and with the index first: nothing but the film's two tracks.
    let (path, file) = new_file(dir.path(), "first.mp4");
    let params = FileParams { tracks: source.params.tracks.clone(), ..FileParams::default() };
    let options = Mp4Options { index_first: true };
    let muxer = Mp4Muxer::new(file, Some(&path), &params, options).unwrap();
    let stats = write(Box::new(muxer), &source.packets);
    assert_eq!(stats.bytes, std::fs::metadata(&path).unwrap().len());
    assert!(compare(&path, &source.packets).index_first());
    assert_eq!(probed(&film), probed(&path));
}

#[test]
fn the_same_h264_in_matroska_has_the_same_packets() {
    let Some(film) = clip("film/flower.mp4") else { return };
    let source = source(&film);
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = new_file(dir.path(), "out.mkv");
    write(muxer(Format::Matroska, file, Some(&path), &source.params).unwrap(), &source.packets);
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.tracks()[0].codec_id, "V_MPEG4/ISO/AVC");
    let given: Vec<&Packet> = source.packets.iter().filter(|(t, _)| *t == 0).map(|(_, p)| p).collect();
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        if frame.track == 1 {
            frames.push(frame);
        }
    }
    assert_eq!(frames.len(), given.len());
    for (frame, packet) in frames.iter().zip(given) {
        assert!(frame.data == packet.data[..]);
        assert!((frame.timestamp_ns as i64 - packet.pts.as_nanos()).abs() <= 500_000);
    }
    tool("ffmpeg", &["-v", "error", "-xerror", "-i", path_str(&path), "-f", "null", "-"]);
}

/// Pictures of one file, sound of another: AV1 and Opus as drapto makes them.
fn av1_and_opus() -> Option<Source> {
    let (picture, sound) = (clip("subs/srt_2_languages.mkv")?, clip("audio/opus_mono.webm")?);
    let mut video = Reader::open(&picture).unwrap();
    let number = video.tracks().iter().find(|t| t.kind == Some(StreamKind::Video)).unwrap().number;
    let mut packets = Vec::new();
    while let Some(frame) = video.next_frame().unwrap() {
        if frame.track == number {
            let mut p = Packet::new(frame.time(), PacketData::new(frame.data.clone()));
            p.keyframe = frame.keyframe;
            packets.push((0, p));
        }
    }
    let mut track = av1::track(&packets[0].1.data).unwrap();
    track.time_base = Some(Rational::MILLI);

    let mut audio = Reader::open(&sound).unwrap();
    let head = opus::track(&audio.tracks()[0].codec_private).unwrap();
    let pre_skip = head.codec_delay.unwrap().ticks();
    let base = Rational::positive(1, 48_000).unwrap();
    let mut at = -pre_skip;
    while let Some(frame) = audio.next_frame().unwrap() {
        let samples = i64::from(opus::packet_samples(&frame.data).unwrap());
        let trimmed = Span::new(frame.discard_padding_ns, Rational::NANO).rescale(base, crate::base::Rounding::Nearest);
        let mut p = Packet::new(Timestamp::new(at, base), PacketData::new(frame.data));
        (p.duration, p.trim) = (Some(Span::new(samples - trimmed.ticks(), base)), Trim::at_end(trimmed));
        packets.push((1, p));
        at += samples;
    }
    let tracks = vec![TrackParams::new(TrackKind::Video(track)), TrackParams::new(TrackKind::Audio(head))];
    Some(Source { params: FileParams { tracks, ..FileParams::default() }, packets })
}

#[test]
fn av1_and_opus_come_back_with_their_pre_skip() {
    let Some(mut source) = av1_and_opus() else { return };
    source.params.tracks[1].language = Some("ger".into());
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = new_file(dir.path(), "out.mp4");
    let stats = write(muxer(Format::Mp4, file, Some(&path), &source.params).unwrap(), &source.packets);
    let reader = compare(&path, &source.packets);
    let [video, audio] = reader.tracks() else { panic!("two tracks") };
    assert_eq!((video.codec, audio.codec, audio.language.as_str()), ("av1", "opus", "deu"));
    assert_eq!(video.configuration, source.params.tracks[0].configuration());
    assert_eq!(audio.configuration, source.params.tracks[1].configuration());
    assert_eq!(audio.samples[0].pts, -312);
    // The end of the sound, to the sample.
    let last = audio.samples.last().unwrap();
    let heard = Span::new(last.pts + i64::from(last.duration), audio.time_base);
    assert_eq!(stats.tracks[1].duration, heard);

    let decode = |path: &Path, map: &str| {
        tool("ffmpeg", &["-v", "error", "-xerror", "-i", path_str(path), "-map", map, "-f", "md5", "-"])
    };
    let (picture, sound) = (clip("subs/srt_2_languages.mkv").unwrap(), clip("audio/opus_mono.webm").unwrap());
    assert_eq!(decode(&path, "0:v"), decode(&picture, "0:v"));
    let start = |path: &Path| {
        // By samples: `-t` counts from where the container's times begin.
        let two_seconds = "atrim=end_sample=96000";
        let samples = ["-v", "error", "-i", path_str(path), "-map", "0:a", "-af", two_seconds, "-f", "md5", "-"];
        tool("ffmpeg", &samples)
    };
    assert_eq!(start(&path), start(&sound), "the pre-skip is taken off once");
}

#[test]
fn the_same_packets_give_the_same_bytes() {
    let Some(source) = av1_and_opus() else { return };
    let dir = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let (path, file) = new_file(dir.path(), name);
        write(muxer(Format::Mp4, file, Some(&path), &source.params).unwrap(), &source.packets);
        std::fs::read(path).unwrap()
    };
    assert!(bytes("one.mp4") == bytes("two.mp4"));
}

#[test]
fn start_codes_become_lengths_on_the_way() {
    let Some(film) = clip("film/realcam_720p_cabac.264") else { return };
    let mut input = Input::open(&film, &CancelToken::new()).unwrap();
    let mut units: Vec<PacketData> = Vec::new();
    while let Some(p) = input.read_packet().unwrap() {
        units.push(p.into_data());
    }
    let base = Rational::positive(1, 25).unwrap();
    let mut video = VideoTrackParams::new("h264", nal::avcc(&units[0]).unwrap(), 1280, 720);
    video.frame_duration = Some(Span::new(1, base));
    let params = FileParams { tracks: vec![TrackParams::new(TrackKind::Video(video))], ..FileParams::default() };
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = new_file(dir.path(), "out.mp4");
    let packet = |(n, data): (usize, &PacketData)| {
        let mut packet = Packet::new(Timestamp::new(n as i64, base), data.clone());
        packet.keyframe = n == 0;
        (0, packet)
    };
    let packets: Vec<(usize, Packet)> = units.iter().enumerate().map(packet).collect();
    write(muxer(Format::Mp4, file, Some(&path), &params).unwrap(), &packets);
    let mut reader = Mp4Reader::open(&path).unwrap();
    let samples = reader.tracks()[0].samples.clone();
    assert_eq!(samples.len(), units.len());
    for (sample, unit) in samples.iter().zip(&units) {
        let stored = reader.read(sample).unwrap();
        assert_eq!(stored, nal::h264_to_lengths(unit).unwrap());
    }
    // The parser of FFmpeg tells the configuration from the stream in its own way.
    let theirs = dir.path().join("theirs.mp4");
    let copied = ["-v", "error", "-r", "25", "-i", path_str(&film), "-c", "copy", path_str(&theirs)];
    if std::process::Command::new("ffmpeg").args(copied).output().is_ok_and(|o| o.status.success()) {
        assert_eq!(reader.tracks()[0].configuration, Mp4Reader::open(&theirs).unwrap().tracks()[0].configuration);
    }
}

#[test]
fn what_mp4_cannot_hold_is_refused_by_track_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str, kind: TrackKind| {
        let (path, file) = new_file(dir.path(), name);
        let params = FileParams { tracks: vec![TrackParams::new(kind)], ..FileParams::default() };
        muxer(Format::Mp4, file, Some(&path), &params)
    };
    let subtitles = TrackKind::Subtitle(SubtitleTrackParams::new("ass", b"[Script Info]".to_vec()));
    assert_eq!(open("a", subtitles).err().unwrap().kind(), ErrorKind::Encode);
    let start_codes = TrackKind::Video(VideoTrackParams::new("h264", vec![0, 0, 0, 1, 0x67], 64, 48));
    assert_eq!(open("b", start_codes).err().unwrap().stream(), Some(0));
    let foreign =
        TrackKind::Audio(AudioTrackParams::new(TrackCodec::Matroska("A_QUICKTIME".into()), vec![], 2, 48_000));
    assert_eq!(open("c", foreign).err().unwrap().kind(), ErrorKind::Encode);
    let unknown = TrackKind::Audio(AudioTrackParams::new("vorbis2", vec![], 2, 48_000));
    assert!(open("d", unknown).err().unwrap().to_string().contains("vorbis2"));

    let sound = TrackKind::Audio(opus::track(&opus_head(2)).unwrap());
    let mut muxer = open("e", sound).unwrap();
    muxer.write(TrackId(0), &packet(20, vec![0xFC, 1])).unwrap();
    let error = muxer.write(TrackId(0), &packet(0, vec![0xFC, 1])).unwrap_err();
    assert!(error.to_string().contains("do not rise"), "{error}");
    let error = muxer.write(TrackId(1), &packet(40, vec![0xFC, 1])).unwrap_err();
    assert!(error.to_string().contains("no track 2"), "{error}");
}

/// A full disk, or a file that is open for reading only.
#[test]
fn a_file_that_cannot_be_written_is_an_error_of_the_output() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.mp4");
    std::fs::write(&path, []).unwrap();
    let params = FileParams {
        tracks: vec![TrackParams::new(TrackKind::Video(av1::track(&access_unit(true, 4)).unwrap()))],
        ..FileParams::default()
    };
    let write = || {
        let mut muxer = muxer(Format::Mp4, File::open(&path).unwrap(), Some(&path), &params)?;
        muxer.write(TrackId(0), &packet(0, access_unit(true, 600_000)))?;
        muxer.finish()
    };
    let error = write().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output, "{error}");
    assert!(error.to_string().starts_with(path_str(&path)), "{error}");
}

#[test]
fn rubbish_is_an_error_never_a_panic() {
    use proptest::prelude::*;
    let Some(source) = av1_and_opus() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = new_file(dir.path(), "out.mp4");
    write(muxer(Format::Mp4, file, Some(&path), &source.params).unwrap(), &source.packets);
    let good = std::fs::read(&path).unwrap();
    let index = good.windows(4).position(|w| w == b"moov").unwrap();
    let damaged = dir.path().join("damaged.mp4");
    proptest!(ProptestConfig::with_cases(200), |(at in index..good.len(), value: u8, cut in 0..64usize)| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes.truncate(good.len() - cut);
        std::fs::write(&damaged, &bytes).unwrap();
        if let Ok(mut reader) = Mp4Reader::open(&damaged) {
            let samples: Vec<Mp4Sample> = reader.tracks().iter().flat_map(|t| t.samples.clone()).collect();
            for sample in samples.iter().take(20) {
                prop_assert!(reader.read(sample).is_ok());
            }
        }
    });
}

/// A box of `kind`.
fn bx(kind: &[u8; 4], body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    [&(8 + body.len() as u32).to_be_bytes()[..], kind, &body].concat()
}

/// A film of one track that is its own chapter track: `tables` stand in its sample table, `user` in the movie's user data.
fn described(handler: &[u8], tables: &[&[u8]], user: &[&[u8]], samples: &[u8]) -> Vec<u8> {
    let track_header =
        [&[0, 0, 0, 1][..], &[0; 8], &7u32.to_be_bytes(), &[0; 18], &2u16.to_be_bytes(), &[0; 48]].concat();
    let media_header = [&[0; 12][..], &1000u32.to_be_bytes(), &3000u32.to_be_bytes(), &[0x55, 0xC4, 0, 0]].concat();
    let movie_header = [&[0; 12][..], &1000u32.to_be_bytes(), &[0; 84]].concat();
    let handler = [&[0; 8][..], b"text", &[0; 12], handler].concat();
    let table = bx(b"minf", &[&bx(b"stbl", tables)]);
    let media = bx(b"mdia", &[&bx(b"mdhd", &[&media_header]), &bx(b"hdlr", &[&handler]), &table]);
    let track =
        bx(b"trak", &[&bx(b"tkhd", &[&track_header]), &bx(b"tref", &[&bx(b"chap", &[&7u32.to_be_bytes()])]), &media]);
    let movie = bx(b"moov", &[&bx(b"mvhd", &[&movie_header]), &track, &bx(b"udta", user)]);
    [bx(b"mdat", &[samples]), movie].concat()
}

fn boxes_of(bytes: &[u8]) -> crate::base::Result<MovieBoxes> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    super::boxes::movie_boxes(file.path())
}

#[test]
fn boxes_of_a_source_are_read_as_they_stand() {
    let be = |n: u32| n.to_be_bytes();
    let table =
        |kind: &[u8; 4], fields: &[u32]| bx(kind, &[&be(0), &fields.iter().flat_map(|n| be(*n)).collect::<Vec<_>>()]);
    let stts = table(b"stts", &[2, 2, 1000, 1, 500]);
    let stsz = table(b"stsz", &[0, 3, 5, 2, 6]);
    let (stsc, stco) = (table(b"stsc", &[1, 1, 3, 1]), table(b"stco", &[1, 8]));
    let samples = b"\0\x03One\0\0\0\x04\xFE\xFF\0D";
    let user = bx(b"\xA9nam", &[&[0, 4, 0, 0], b"Film", &[0, 5, 0x1A, 0x41], "Fílm".as_bytes()]);
    let bytes = described(b"\x07Remarks", &[&stts, &stsz, &stsc, &stco], &[&user, &[0; 4]], samples);
    let found = boxes_of(&bytes).unwrap();
    assert_eq!(found.title.as_deref(), Some("Film"));
    let texts: Vec<_> = found.texts.iter().map(|(n, l, t)| (n.as_str(), l.as_str(), t.as_str())).collect();
    assert_eq!(texts, [("title", "eng", "Film"), ("title", "fra", "Fílm")]);
    let track = &found.tracks[0];
    assert_eq!((track.id, &track.handler, track.alternate_group), (7, b"text", 2));
    assert_eq!((track.language.as_deref(), track.title.as_deref()), (None, Some("Remarks")));
    let of = |c: &Chapter| (c.start.as_nanos(), c.end.as_nanos(), c.title.clone());
    let chapters: Vec<_> = found.chapters[0].chapters.iter().map(of).collect();
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(chapters, [(0, 1_000_000_000, name("One")), (2_000_000_000, 2_500_000_000, name("D"))]);
    assert_eq!(
        boxes_of(&described(b"\x0CSoundHandler", &[], &[], b"")).unwrap().tracks[0].title,
        None,
        "a program's name"
    );
}

/// In Mac Roman 0x92 is an i with an acute accent, which libavformat knows.
#[test]
fn texts_from_before_unicode_are_left_to_libavformat() {
    let user = bx(b"\xA9nam", &[&[0, 4, 0, 0], b"F\x92lm"]);
    assert_eq!(boxes_of(&described(b"", &[], &[&user], b"")).unwrap().title, None);
}

/// Whatever is cut off, the rest is read or an error said.
#[test]
fn boxes_that_are_cut_off_do_no_harm() {
    let user = bx(b"name", &[b"Film"]);
    let bytes = described(b"\x07Remarks", &[], &[&user], b"");
    for length in 0..bytes.len() {
        let found = boxes_of(&bytes[..length]);
        assert!(found.unwrap().title.is_none() || length > bytes.len() - 4, "{length}");
    }
    assert_eq!(boxes_of(&bytes).unwrap().title.as_deref(), Some("Film"));
}
