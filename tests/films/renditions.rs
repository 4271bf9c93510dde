//! Renditions: sizes, shapes, codecs, sound and stills, judged by ffprobe and ffmpeg.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::support::{self, array, drapto, ffmpeg, ffprobe, names, said, scratch};

/// Makes a film of ffmpeg's own sources; `None` where a tool is missing.
fn film(folder: &Path, name: &str, args: &[&str]) -> Option<PathBuf> {
    if !(support::tool("ffmpeg") && support::tool("ffprobe") && support::libx264()) {
        return None;
    }
    let path = folder.join(name);
    let mut all: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    all.push(path.as_os_str());
    ffmpeg(&all);
    Some(path)
}

/// Two seconds with a cut in the middle, and a tone.
fn usual(folder: &Path) -> Option<PathBuf> {
    let picture = "color=black:s=640x360:r=24:d=1[a];testsrc2=s=640x360:r=24:d=1[b];[a][b]concat,format=yuv420p";
    let tag = "h264_metadata=colour_primaries=1:transfer_characteristics=1:matrix_coefficients=1";
    let sound = ["-f", "lavfi", "-i", "sine=d=2", "-filter_complex", picture, "-c:v", "libx264", "-bsf:v", tag];
    film(folder, "film.mkv", &[&sound[..], &["-colorspace", "bt709", "-c:a", "flac"]].concat())
}

/// Encodes quickly.
fn rendition(input: &Path, more: &[&str]) -> Output {
    drapto().arg("rendition").arg(input).args(["--preset", "9"]).args(more).output().expect("drapto runs")
}

fn made(input: &Path, folder: &Path, more: &[&str]) -> Value {
    let out = rendition(input, &[&[folder.to_str().unwrap(), "--json", "-q"], more].concat());
    assert!(out.status.success(), "{}", said(&out));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

/// Codec, width, height, sample aspect ratio; then the codec of the sound.
fn streams(path: &Path) -> (String, u64, u64, String, Option<String>) {
    let all = ffprobe(path, &["-show_streams"]);
    let of = |kind: &str| array(&all, "streams").iter().find(|s| s["codec_type"] == kind).cloned();
    let video = of("video").expect("a picture");
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let shape = text(&video["sample_aspect_ratio"]);
    (
        text(&video["codec_name"]),
        video["width"].as_u64().unwrap(),
        video["height"].as_u64().unwrap(),
        if shape.is_empty() { "1:1".to_owned() } else { shape },
        of("audio").map(|a| text(&a["codec_name"])),
    )
}

#[test]
fn one_decode_makes_films_with_sound_of_their_own_and_stills() {
    let folder = scratch();
    let Some(film) = usual(folder.path()) else { return };
    let words = [
        "a.mp4:height=360",
        "b.mp4:fit=320x320",
        "c.webm:height=144,preset=12",
        "d.mkv:height=96,audio=copy,codec=h264",
        "s.m4a",
    ];
    let mut args: Vec<&str> = words.iter().flat_map(|w| ["--to", w]).collect();
    args.extend([
        "--poster",
        "{name}.jpg",
        "--to",
        "t.png:at=1.5",
        "--to",
        "g.gif:start=0.5,duration=1,width=160,fps=10",
    ]);
    args.extend(["--to", "s.webp:kind=sheet,grid=3x2,width=96"]);
    let report = made(&film, folder.path(), &args);
    let at = |name: &str| folder.path().join(name);
    for (name, picture, width, height, sound) in [
        ("a.mp4", "h264", 640, 360, "aac"),
        ("b.mp4", "h264", 320, 180, "aac"),
        ("c.webm", "av1", 256, 144, "opus"),
        ("d.mkv", "h264", 170, 96, "flac"),
    ] {
        let (codec, w, h, shape, audio) = streams(&at(name));
        assert_eq!((codec.as_str(), w, h, audio.as_deref()), (picture, width, height, Some(sound)), "{name}");
        assert_eq!(shape, "1:1", "{name}");
        let count =
            ffprobe(&at(name), &["-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames"]);
        assert_eq!(count["streams"][0]["nb_read_frames"], "48", "{name}");
    }
    // One decode, and each sound decoded once for all of its encoders.
    let stages = array(&report["films"][0], "stages");
    let of = |name: &str| {
        stages.iter().filter(|s| s["name"] == name).map(|s| s["items"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((of("decode"), of("stills")), (vec![48], vec![48]));
    let sounds = stages.iter().filter(|s| s["name"].as_str().is_some_and(|n| n.starts_with("audio"))).count();
    assert_eq!(sounds, 1);
    assert_eq!(ffprobe(&at("s.m4a"), &["-show_streams"])["streams"][0]["codec_name"], "aac");
    // The best picture is not of the black half.
    assert!(report["stills"][0]["at_s"][0].as_f64().unwrap() > 1.0, "{}", report["stills"]);
    assert_eq!(report["stills"][1]["at_s"][0], 1.5);
    let (_, w, h, ..) = streams(&at("s.webp"));
    assert_eq!((w, h), (3 * 100 + 4, 2 * 58 + 4));
    let gif = ffprobe(&at("g.gif"), &["-count_frames", "-show_streams", "-show_format"]);
    assert_eq!((&gif["streams"][0]["width"], &gif["streams"][0]["height"]), (&160.into(), &90.into()));
    assert_eq!(gif["format"]["duration"], "1.000000");
    let bytes = std::fs::read(at("g.gif")).unwrap();
    assert!(bytes.windows(11).any(|w| w == b"NETSCAPE2.0"), "it repeats");
    assert!(!names(folder.path()).iter().any(|name| name.ends_with(".part")));
}

/// The first picture of a file through a filter, as bytes of three samples each.
fn raw(path: &Path, filter: &str) -> Vec<u8> {
    let filter = [filter, "format=rgb24"].iter().filter(|f| !f.is_empty()).copied().collect::<Vec<_>>().join(",");
    ffmpeg(&[
        "-i".as_ref(),
        path.as_os_str(),
        "-vf".as_ref(),
        filter.as_ref(),
        "-frames:v".as_ref(),
        "1".as_ref(),
        "-f".as_ref(),
        "rawvideo".as_ref(),
        "-".as_ref(),
    ])
}

/// How far samples are apart in the mean.
fn apart(ours: &[u8], theirs: &[u8]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let sum: u64 = ours.iter().zip(theirs).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / ours.len().max(1) as f64
}

#[test]
fn a_still_alone_is_the_same_picture_in_the_colours_that_ffmpeg_gives_it() {
    let folder = scratch();
    let Some(film) = usual(folder.path()) else { return };
    let report = made(&film, folder.path(), &["--to", "p.png:at=1.5"]);
    assert_eq!(array(&report, "films").len(), 0);
    assert_eq!(report["stills"][0]["at_s"][0], 1.5);
    let ours = raw(&folder.path().join("p.png"), "");
    let theirs =
        raw(&film, "select=gte(t\\,1.499),scale=in_color_matrix=bt709:flags=bicubic+accurate_rnd+full_chroma_int");
    let off = apart(&ours, &theirs);
    assert!(off <= 2.0, "{off} steps off in the mean");
}

#[test]
fn a_still_of_an_hdr_film_is_what_tone_mapping_makes_of_it() {
    let there = drapto::internals::video::encoder("libx265").is_ok();
    if !(support::filters(&["zscale", "tonemap"]) && there) {
        return;
    }
    let folder = scratch();
    let film = super::containers::hdr10(folder.path());
    let report = made(&film, folder.path(), &["--to", "p.png:at=0"]);
    assert!(report["stills"][0]["notes"].to_string().contains("HDR"), "{report}");
    let chain = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:peak=10:desat=0,\
                 zscale=t=bt709:m=bt709:r=tv,format=yuv420p,scale=in_color_matrix=bt709:flags=bicubic+accurate_rnd";
    let (ours, theirs) = (raw(&folder.path().join("p.png"), ""), raw(&film, chain));
    let (off, untouched) = (apart(&ours, &theirs), apart(&raw(&film, ""), &theirs));
    assert!(off <= 2.5 && untouched > 3.0 * off, "{off} steps off in the mean, {untouched} where nothing is done");
}

#[test]
fn portrait_anamorphic_and_odd_films_keep_their_shape() {
    let folder = scratch();
    let source = |name: &str, size: &str, filter: &str| {
        let input = format!("testsrc2=s={size}:r=10:d=0.5");
        film(folder.path(), name, &["-f", "lavfi", "-i", &input, "-vf", filter, "-c:v", "ffv1"])
    };
    for (name, size, filter, fit, expected) in [
        ("portrait.mkv", "360x640", "format=yuv420p", "320x180", (180, 320)),
        ("anamorphic.mkv", "720x576", "setsar=64/45,format=yuv420p", "512x288", (512, 288)),
        ("odd.mkv", "161x121", "format=yuv444p", "640x480", (160, 120)),
        ("one.mkv", "160x120", "format=yuv420p,trim=end_frame=1", "640x480", (160, 120)),
    ] {
        let Some(film) = source(name, size, filter) else { return };
        let out = format!("{name}.mp4:fit={fit},crop=off");
        let report = made(&film, folder.path(), &["--to", &out, "--to", &format!("{name}.png")]);
        let (_, w, h, shape, sound) = streams(&folder.path().join(format!("{name}.mp4")));
        assert!(w.abs_diff(expected.0) <= 2 && h.abs_diff(expected.1) <= 2, "{name}: {w}x{h}");
        assert_eq!((shape.as_str(), sound), ("1:1", None), "{name}");
        let still = &report["stills"][0];
        let (sw, sh) = (still["width"].as_f64().unwrap(), still["height"].as_f64().unwrap());
        assert!((sw / sh / (w as f64 / h as f64) - 1.0).abs() < 0.03, "{name}: {sw}x{sh}");
    }
}

#[test]
fn sizes_above_the_film_and_sizes_twice_are_left_out_with_a_word() {
    let folder = scratch();
    let Some(film) = usual(folder.path()) else { return };
    let report = made(&film, folder.path(), &["--to", "a.mp4:height=720", "--to", "b.mp4:height=480"]);
    let warning = report["films"][0]["warnings"].to_string();
    assert!(warning.contains("b.mp4 is not made: it would come to the same size"), "{warning}");
    assert!(!folder.path().join("b.mp4").exists());
    let report = made(&film, folder.path(), &["--standard"]);
    let outputs: Vec<_> =
        array(&report, "films").iter().map(|f| f["output"]["path"].as_str().unwrap().to_owned()).collect();
    assert!(outputs.iter().any(|o| o.ends_with("film.480p.mp4")) && outputs.iter().any(|o| o.ends_with("film.webm")));
    assert_eq!(outputs.len(), 2, "{outputs:?}");
}

#[test]
fn renditions_of_one_size_that_differ_otherwise_are_all_made() {
    let folder = scratch();
    let Some(film) = usual(folder.path()) else { return };
    let more = ["--to", "loud.mp4:height=180,loudness=-20", "--to", "plain.mp4:height=180"];
    let report = made(&film, folder.path(), &[&more[..], &["--to", "keys.mp4:height=180,video.svt=bf=0"]].concat());
    assert_eq!(array(&report, "films").len(), 3, "{report}");
    for name in ["loud", "plain", "keys"] {
        assert_eq!(streams(&folder.path().join(format!("{name}.mp4"))).2, 180, "{name}");
    }
}

#[test]
fn what_cannot_be_is_told_before_anything_is_made() {
    let folder = scratch();
    let Some(film) = usual(folder.path()) else { return };
    let place = folder.path().to_str().unwrap();
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(
        &wrong,
        "[[rendition]]\nfile='a.mp4'\nheigth=3\n[[rendition]]\nfile='b.avi'\n[[rendition]]\ncrf=3\n",
    )
    .unwrap();
    let before = names(folder.path());
    for (args, code, words) in [
        (
            &["--renditions", wrong.to_str().unwrap()][..],
            2,
            &["3 things", "did you mean height?", "no rendition is named so", "it has no file"][..],
        ),
        (&["--to", "a.mp4", "--to", "a.mp4"], 2, &["two outputs have this path"]),
        (&["--to", "a.mp4", "--to", "a.jpg", "--to", "a.jpg"], 2, &["two outputs have this path"]),
        (&["--to", "film.mkv", "--overwrite"], 2, &["input"]),
        (&["--to", "a.jpg:at=99"], 2, &["no picture at 99"]),
        (&["--to", "a.mp4", "--to", "a.jpg:at=99"], 2, &["no picture at 99"]),
        (&["--to", "a.mp4:codec=vp9"], 2, &["codec"]),
        (&["--gif", "a.png"], 2, &["GIF"]),
        (&["--to", "a.webm:codec=h264"], 2, &["cannot carry h264"]),
    ] {
        let out = rendition(&film, &[&[place], args].concat());
        assert_eq!(out.status.code(), Some(code), "{args:?}: {}", said(&out));
        for word in words {
            assert!(said(&out).contains(word), "{args:?}: {word}: {}", said(&out));
        }
        assert_eq!(names(folder.path()), before, "{args:?}");
    }
    std::fs::write(folder.path().join("there.jpg"), b"precious").unwrap();
    let out = rendition(&film, &[place, "--to", "there.jpg:at=1"]);
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(std::fs::read(folder.path().join("there.jpg")).unwrap(), b"precious");
    let Some(tone) = self::film(folder.path(), "tone.flac", &["-f", "lavfi", "-i", "sine=d=1"]) else { return };
    let out = rendition(&tone, &[place, "--to", "x.mp4"]);
    assert_eq!(out.status.code(), Some(3), "{}", said(&out));
    assert!(said(&out).contains("no video"), "{}", said(&out));
}
