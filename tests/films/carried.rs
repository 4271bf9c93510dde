//! A table of what of a film's HDR is carried by which codec in which container: made by encoding, read by ffprobe and
//! mediainfo (FFmpeg 5.1 does not look for static metadata in H.264's pictures), and the same as the README's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::support::*;

/// Codecs and ends of names.
const FILES: [(&str, &[&str]); 3] =
    [("av1", &["mkv", "webm", "mp4"]), ("h264", &["mkv", "mp4", "ts"]), ("hevc", &["mkv", "mp4", "ts"])];

/// ITU-T T.35 messages begin so: HDR10+ and Dolby Vision.
const HDR10_PLUS: [u8; 6] = [0xB5, 0x00, 0x3C, 0x00, 0x01, 0x04];
const DOLBY: [u8; 5] = [0xB5, 0x00, 0x3B, 0x00, 0x00];

/// A second of something, coded by ffmpeg.
fn made(folder: &Path, name: &str, transfer: &str, keys: &str) -> PathBuf {
    let path = folder.join(name);
    let keys = format!("log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc{keys}");
    let args = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=24:duration=0.5",
        "-pix_fmt",
        "yuv420p10le",
        "-color_primaries",
        "bt2020",
        "-color_trc",
        transfer,
        "-colorspace",
        "bt2020nc",
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        &keys,
    ];
    let mut all: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
    all.push(path.as_os_str());
    ffmpeg(&all);
    path
}

/// The first half second of a clip, as it is.
fn start_of(clip: &Path, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let args: [&OsStr; 8] = [
        "-i".as_ref(),
        clip.as_os_str(),
        "-t".as_ref(),
        "0.5".as_ref(),
        "-c".as_ref(),
        "copy".as_ref(),
        "-y".as_ref(),
        path.as_os_str(),
    ];
    ffmpeg(&args);
    path
}

/// What ffprobe and mediainfo find of HDR in a file, in a few words.
fn found(path: &Path) -> String {
    let stream = ffprobe(path, &["-select_streams", "v:0", "-show_streams"])["streams"][0].clone();
    let frame = ffprobe(path, &["-select_streams", "v:0", "-show_frames", "-read_intervals", "%+#1"]);
    let side = |of: &Value| of["side_data_list"].to_string();
    let all = side(&stream) + &side(&frame["frames"][0]);
    let bytes = std::fs::read(path).expect("a file");
    let holds = |message: &[u8]| bytes.windows(message.len()).any(|w| w == message);
    let record = array(&stream, "side_data_list").iter().find(|s| s["side_data_type"] == "DOVI configuration record");
    let text = Command::new("mediainfo").arg(path).output().expect("mediainfo runs").stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    let both = |text: &str, display: &str, light: &str| text.contains(display) && text.contains(light);
    let fixed = both(&all, "Mastering display", "Content light level")
        || both(&text, "Mastering display luminance", "Maximum Content Light Level");
    let colour = match stream["color_transfer"].as_str() {
        Some("smpte2084") if fixed => "HDR10",
        Some("smpte2084") => "PQ",
        Some("arib-std-b67") => "HLG",
        Some("bt709") => "SDR",
        _ => "nothing",
    };
    let mut out = colour.to_owned();
    if holds(&HDR10_PLUS) || all.contains("HDR10+") {
        out = "HDR10+".to_owned();
    }
    if let Some(record) = record.filter(|_| holds(&DOLBY)) {
        let (profile, base) = (&record["dv_profile"], &record["dv_bl_signal_compatibility_id"]);
        out = format!("{out}, Dolby Vision {profile}.{base}");
    }
    out
}

#[test]
fn what_is_carried_is_what_the_readme_says() {
    let Some(media) = media() else { return };
    let there = |name| drapto::internals::video::encoder(name).is_ok();
    if !(tool("ffmpeg") && tool("ffprobe") && tool("mediainfo") && libx264() && there("libx265")) {
        return;
    }
    let folder = scratch();
    let master = ":hdr10=1:max-cll=1000,400:\
                  master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)";
    let films = [
        ("HDR10", made(folder.path(), "hdr10.mkv", "smpte2084", master)),
        ("HLG", made(folder.path(), "hlg.mkv", "arib-std-b67", "")),
        ("HDR10+", start_of(&media.join("hdr/hdr10plus_259f.mkv"), folder.path(), "plus.mkv")),
        ("Dolby Vision 8.1", start_of(&media.join("hdr/dovi_p81_259f.mkv"), folder.path(), "dolby.mkv")),
    ];
    let mut table = "| codec | file |".to_owned();
    films.iter().for_each(|(kind, _)| table += &format!(" {kind} |"));
    table += " `--tonemap` |\n|";
    table += &" --- |".repeat(films.len() + 3);
    table.push('\n');
    for (codec, ends) in FILES {
        for end in ends {
            let mut row = format!("| {codec} | `.{end}` |");
            let mut encoded = |film: &Path, more: &[&str]| {
                let output = folder.path().join(format!("out.{end}"));
                let more = [&["--codec", codec, "--preset", "9", "--crf", "40", "--crop", "off"], more].concat();
                encode(film, &output, &more);
                row += &format!(" {} |", found(&output));
            };
            films.iter().for_each(|(_, film)| encoded(film, &[]));
            encoded(&films[3].1, &["--tonemap", "hable"]);
            table += &row;
            table.push('\n');
        }
    }
    let place = root().join("target/hdr-carried.md");
    std::fs::write(&place, &table).expect("a place for the table");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    assert!(readme.contains(&table), "the README has another table than the one in target/hdr-carried.md:\n{table}");
}
