//! One file with everything a header can say, checked by three readers.
#![deny(unsafe_code)]

use serde_json::Value;

use super::helpers::*;
use crate::base::Rational;
use crate::container::reader::{MasteringFacts, Reader, codec_ids};
use crate::media::*;

fn r(num: i32, den: i32) -> Rational {
    Rational::new(num, den).unwrap()
}

fn film() -> FileParams {
    let mut picture = video();
    picture.language = Some("de".into());
    picture.title = Some("Hauptfilm".into());
    picture.disposition.default = true;
    if let TrackKind::Video(v) = &mut picture.kind {
        v.sample_aspect_ratio = Some(r(4, 3));
        v.color = Color {
            primaries: Primaries(9),
            transfer: Transfer::PQ,
            matrix: Matrix(9),
            range: ColorRange::Limited,
            chroma_location: ChromaLocation::TopLeft,
        };
        v.hdr = HdrStatic {
            mastering_display: Some(MasteringDisplay {
                red: [r(35_400, 50_000), r(14_600, 50_000)],
                green: [r(8_500, 50_000), r(39_850, 50_000)],
                blue: [r(6_550, 50_000), r(2_300, 50_000)],
                white: [r(15_635, 50_000), r(16_450, 50_000)],
                min_luminance: r(50, 10_000),
                max_luminance: r(1_000, 1),
            }),
            content_light: Some(ContentLight { max_cll: 1000, max_fall: 400 }),
        };
        v.rotation = 90;
        v.frame_duration = Some(crate::base::Span::new(41_666_667, crate::base::Rational::NANO));
        v.field_order = FieldOrder::Progressive;
    }
    let mut surround = TrackParams::new(TrackKind::Audio(crate::syntax::opus::track(&opus_head(6)).unwrap()));
    surround.language = Some("fra".into());
    surround.tags = vec![("Source Id".into(), "7".into())];
    surround.disposition = Disposition { default: true, original: true, ..Disposition::default() };
    let mut comment = opus();
    comment.language = Some("pt-BR".into());
    comment.disposition = Disposition { commentary: true, visual_impaired: true, ..Disposition::default() };
    let mut text = subtitle("S_TEXT/UTF8");
    text.disposition =
        Disposition { forced: true, hearing_impaired: true, text_descriptions: true, ..Disposition::default() };
    let chapter = |start, end, title: &str| Chapter {
        start: ms(start),
        end: ms(end),
        title: Some(title.into()),
        language: Some("deu".into()),
    };
    let attachment = |name: &str, mime: &str, data: &[u8]| Attachment {
        stream: 0,
        name: name.into(),
        mime: mime.into(),
        description: Some("what it is".into()),
        uid: None,
        data: data.to_vec(),
    };
    FileParams {
        title: Some("Ein Film\0".into()),
        chapters: vec![chapter(0, 500, "Anfang"), chapter(500, 1000, "Ende")],
        attachments: vec![attachment("a.ttf", "font/ttf", &[1; 300]), attachment("cover.jpg", "image/jpeg", &[2; 9])],
        tags: vec![("director".into(), "Jemand".into()), ("COMMENT-eng".into(), "Hello".into())],
        ..header(vec![picture, surround, comment, text])
    }
}

fn packets() -> Vec<(usize, Packet)> {
    let mut out = Vec::new();
    for n in 0..24i64 {
        let mut p = packet(n * 1000 / 24, access_unit(n % 12 == 0, 60));
        p.keyframe = n % 12 == 0;
        out.push((0, p));
        if n % 8 == 0 {
            let mut a = packet(n * 1000 / 24 - 6, vec![0xFC; 20]);
            a.pts = crate::base::Timestamp::new(n * 2000 - 312, r(1, 48_000));
            out.push((1, a.clone()));
            out.push((2, a));
        }
    }
    out.push((3, lasting(packet(990, b"Ende".to_vec()), 10)));
    out
}

#[test]
fn the_demuxer_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let film = film();
    let (stats, path) = mux_file(dir.path(), &film, &packets());
    assert_eq!(stats.tracks.iter().map(|t| t.frames).collect::<Vec<_>>(), [24, 3, 3, 1]);
    let reader = Reader::open(&path).unwrap();
    assert_eq!((reader.title(), reader.writing_app()), (Some("Ein Film"), "test 2"));
    assert_eq!(reader.duration_ns(), Some(stats.duration.as_nanos() as f64));
    let t = reader.tracks();
    let languages: Vec<_> = t.iter().map(|t| (t.language.as_deref(), t.language_bcp47.as_deref())).collect();
    let expected = [(Some("ger"), Some("de")), (Some("fre"), None), (Some("por"), Some("pt-BR")), (Some("und"), None)];
    assert_eq!(languages, expected);
    assert!(t.iter().zip(&film.tracks).all(|(read, written)| read.disposition == written.disposition));
    assert!(t.iter().zip(&film.tracks).all(|(read, written)| read.codec_private == written.configuration()));
    assert_eq!((t[0].codec_id.as_str(), t[0].name.as_deref()), ("V_AV1", Some("Hauptfilm")));
    assert_eq!(t[0].default_duration_ns, Some(41_666_667));
    assert_eq!((t[1].codec_delay_ns, t[1].seek_pre_roll_ns), (6_500_000, 80_000_000));
    let audio = t[1].audio.unwrap();
    assert_eq!((audio.channels, audio.sample_rate), (6, 48_000.0));

    let v = t[0].video.as_ref().unwrap();
    let TrackKind::Video(written) = &film.tracks[0].kind else { unreachable!("the first track is video") };
    assert_eq!((v.width, v.height, v.display, v.display_is_ratio), (320, 180, Some((320, 135)), false));
    assert_eq!(v.color, written.color);
    assert_eq!(v.content_light, written.hdr.content_light);
    assert_eq!(v.rotation, 90.0);
    let mastering = MasteringFacts {
        red: [0.708, 0.292],
        green: [0.17, 0.797],
        blue: [0.131, 0.046],
        white: [0.3127, 0.329],
        max_luminance: 1000.0,
        min_luminance: 0.005,
    };
    assert_eq!(v.mastering, Some(mastering));

    let chapters = reader.chapters();
    assert_eq!((chapters[1].start_ns, chapters[1].end_ns), (500_000_000, Some(1_000_000_000)));
    assert_eq!((chapters[0].title.as_deref(), chapters[0].language.as_deref()), (Some("Anfang"), Some("ger")));
    let a = reader.attachments();
    assert_eq!((a.len(), a[0].name.as_str(), a[0].mime.as_str(), a[0].bytes), (2, "a.ttf", "font/ttf", 300));
    assert_eq!(reader.tags(None), [("DIRECTOR".into(), "Jemand".into()), ("COMMENT".into(), "Hello".into())]);
    let tags = reader.tags(Some(t[1].uid));
    assert_eq!(tags[0], ("SOURCE_ID".into(), "7".into()));
    assert!(tags.contains(&("NUMBER_OF_FRAMES".into(), "3".into())));
    assert!(tags.contains(&("NUMBER_OF_BYTES".into(), "60".into())));

    let ids = codec_ids(&path).unwrap();
    let pairs: Vec<_> = ids.iter().map(|c| (c.number, c.codec_id.as_str(), c.language.as_deref())).collect();
    let expected = [(1, "V_AV1", "de"), (2, "A_OPUS", "fre"), (3, "A_OPUS", "pt-BR"), (4, "S_TEXT/UTF8", "und")];
    assert_eq!(pairs, expected.map(|(n, c, l)| (n, c, Some(l))));
}

#[test]
fn mkvmerge_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let (_, path) = mux_file(dir.path(), &film(), &packets());
    let Some(json) = tool("mkvmerge", &["-J", path_str(&path)]) else { return };
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["errors"], &json["warnings"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    let container = &json["container"]["properties"];
    assert_eq!((&container["title"], &container["writing_application"]), (&"Ein Film".into(), &"test 2".into()));
    let property = |track: usize, name: &str| json["tracks"][track]["properties"][name].clone();
    for (track, name, expected) in [
        (0, "language", Value::from("ger")),
        (0, "language_ietf", "de".into()),
        (0, "track_name", "Hauptfilm".into()),
        (0, "pixel_dimensions", "320x180".into()),
        (0, "display_dimensions", "320x135".into()),
        (0, "default_duration", 41_666_667.into()),
        (0, "default_track", true.into()),
        (1, "language", "fre".into()),
        (1, "audio_channels", 6.into()),
        (1, "flag_original", true.into()),
        (1, "codec_delay", 6_500_000.into()),
        (2, "language_ietf", "pt-BR".into()),
        (2, "default_track", false.into()),
        (2, "flag_commentary", true.into()),
        (2, "flag_visual_impaired", true.into()),
        (3, "forced_track", true.into()),
        (3, "flag_hearing_impaired", true.into()),
        (3, "flag_text_descriptions", true.into()),
    ] {
        assert_eq!(property(track, name), expected, "track {track} {name}");
    }
    assert_eq!(json["tracks"][0]["codec"], "AV1");
    assert_eq!(json["chapters"][0]["num_entries"], 2);
    assert_eq!(json["attachments"][1]["content_type"], "image/jpeg");
    assert_eq!(json["attachments"][0]["size"], 300);
    assert_eq!(json["global_tags"][0]["num_entries"], 2);
    // Its own demuxer, at length: a complete remux has to succeed without a warning (exit code 0).
    let copy = dir.path().join("copy.mkv");
    tool("mkvmerge", &["-q", "-o", path_str(&copy), path_str(&path)]);
}

#[test]
fn mkvinfo_finds_colour_and_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let (_, path) = mux_file(dir.path(), &film(), &packets());
    let Some(info) = tool("mkvinfo", &[path_str(&path)]) else { return };
    for line in [
        "Color matrix coefficients: 9",
        "Color range: 1",
        "Color transfer: 16",
        "Color primaries: 9",
        "Horizontal chroma siting: 1",
        "Vertical chroma siting: 1",
        "Maximum content light: 1000",
        "Maximum frame light: 400",
        "Red color coordinate x: 0.708",
        "Red color coordinate y: 0.292",
        "Green color coordinate y: 0.797",
        "Blue color coordinate y: 0.046",
        "White color coordinate y: 0.329",
        "Maximum luminance: 1000",
        "Minimum luminance: 0.005",
        "Projection's roll rotation: -90",
        "Interlaced: 2",
        "Codec-inherent delay: 00:00:00.006500000",
        "Seek pre-roll: 00:00:00.080000000",
    ] {
        let found = info.lines().any(|l| l.ends_with(&format!("+ {line}")));
        assert!(found, "{line} in {info}");
    }
    assert!(!info.contains("unknown element") && !info.contains("Unknown element"), "{info}");
}

#[test]
fn languages_agree_with_mkvmerges_table() {
    let Some(list) = tool("mkvmerge", &["--list-languages"]) else { return };
    let mut checked = 0;
    for line in list.lines() {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, _, three @ ..] = fields.as_slice()
            && let [three, two] = three
            && two.len() == 2
            && three.len() == 3
        {
            assert_eq!(crate::container::language::language(Some(two)).iso639_2, *three, "{line}");
            checked += 1;
        }
    }
    assert!(checked > 180, "{checked}");
}
