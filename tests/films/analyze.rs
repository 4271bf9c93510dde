//! `drapto analyze` and `drapto compare`: metrics by other programs' numbers, faults where they were made.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::*;

/// Runs the analysis: exit code, report, what was said.
fn analyze(files: &[&Path], more: &[&str]) -> (Option<i32>, Value, String) {
    let out = drapto().args(["analyze", "--json"]).args(more).args(files).output().expect("drapto runs");
    (out.status.code(), serde_json::from_slice(&out.stdout).unwrap_or_default(), said(&out))
}

/// A film that ffmpeg makes by these arguments, of which `INPUT` is `input`.
fn made(folder: &Path, name: &str, input: &Path, args: &str) -> PathBuf {
    let path = folder.join(name);
    let words = args.split(' ').map(|word| if word == "INPUT" { input.as_os_str() } else { word.as_ref() });
    let all: Vec<&std::ffi::OsStr> = words.chain(["-y".as_ref(), path.as_os_str()]).collect();
    ffmpeg(&all);
    path
}

/// A film that ffmpeg makes of nothing.
fn synthetic(folder: &Path, name: &str, graph: &str, codec: &str) -> PathBuf {
    made(folder, name, Path::new(""), &format!("-f lavfi -i {graph} {codec}"))
}

/// Two seconds of a real film, and what x264 makes of it.
fn pair(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let source = media()?.join("film/sintel_trailer-720p.mp4");
    if !tool("ffmpeg") || !libx264() {
        return None;
    }
    let reference = made(folder, "reference.mkv", &source, "-ss 20 -t 2 -i INPUT -an -vf scale=480:270 -c:v ffv1");
    let encoded = encoded(folder, &reference, "encoded.mkv", "-crf 33 -preset veryfast");
    Some((reference, encoded))
}

fn encoded(folder: &Path, reference: &Path, name: &str, how: &str) -> PathBuf {
    made(folder, name, reference, &format!("-i INPUT -c:v libx264 {how}"))
}

/// Kind, begin, end and value of each finding.
fn findings(report: &Value) -> Vec<(&str, Option<f64>, Option<f64>, f64)> {
    let of = |f| -> (&str, Option<f64>, Option<f64>, f64) {
        let f: &Value = f;
        (
            f["kind"].as_str().unwrap_or(""),
            f["from_s"].as_f64(),
            f["to_s"].as_f64(),
            f["value"].as_f64().unwrap_or(f64::NAN),
        )
    };
    array(report, "findings").iter().map(of).collect()
}

/// Whether a finding of that kind lies there, to one picture of 25 a second.
#[track_caller]
fn found_at(report: &Value, kind: &str, from: f64, to: f64) {
    let near = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() <= 0.0401);
    let found = findings(report);
    assert!(found.iter().any(|f| f.0 == kind && near(f.1, from) && near(f.2, to)), "{kind} {from}-{to}: {found:?}");
}

fn metric<'a>(report: &'a Value, name: &str) -> &'a Value {
    let found = array(report, "metrics").iter().find(|m| m["metric"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {}", report["metrics"]))
}

#[test]
fn metrics_are_those_of_ffmpeg_and_of_drapto_vmaf_picture_by_picture() {
    let folder = scratch();
    let Some((reference, encoded)) = pair(folder.path()) else { return };
    let (code, report, text) = analyze(&[&reference, &encoded], &[]);
    assert!(matches!(code, Some(0 | 4)), "{text}");
    let (psnr, ssim) = (folder.path().join("p.txt"), folder.path().join("s.txt"));
    let graph = format!("[0][1]psnr=stats_file={};[0][1]ssim=stats_file={}", psnr.display(), ssim.display());
    let input = ["-i".as_ref(), encoded.as_os_str(), "-i".as_ref(), reference.as_os_str(), "-lavfi".as_ref()];
    ffmpeg(&[&input[..], &[graph.as_ref(), "-f".as_ref(), "null".as_ref(), "-".as_ref()]].concat());
    let theirs = |path: &Path, key: &str| -> Vec<f64> {
        let text = std::fs::read_to_string(path).expect("ffmpeg's numbers");
        let value = |line: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.parse().ok());
        text.lines().filter_map(value).collect()
    };
    for (name, path, key) in [("psnr", &psnr, "psnr_y:"), ("psnr_cb", &psnr, "psnr_u:"), ("ssim", &ssim, "Y:")] {
        let ours: Vec<f64> = array(&report["series"]["metrics"], name).iter().filter_map(Value::as_f64).collect();
        // libvmaf's PSNR of 8 bits ends at 60 dB.
        let theirs: Vec<f64> = theirs(path, key).into_iter().map(|value| value.min(60.0)).collect();
        assert_eq!((ours.len(), theirs.len()), (48, 48), "{name}");
        let off: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).collect();
        // They print two digits of PSNR. Their SSIM has a square window, libvmaf's that of the paper: means agree.
        let off = match name {
            "ssim" => off.iter().sum::<f64>() / 48.0,
            _ => off.iter().copied().fold(0.0, f64::max),
        };
        assert!(off <= 0.0101, "{name} is {off} off");
    }
    let out = drapto().args(["vmaf", "--json"]).args([&reference, &encoded]).output().expect("drapto runs");
    let vmaf: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    for key in ["mean", "harmonic_mean", "p5", "min"] {
        let (ours, theirs) = (metric(&report, "vmaf")[key].as_f64(), vmaf[key].as_f64());
        assert!((ours.unwrap() - theirs.unwrap()).abs() < 1e-4, "{key}: {ours:?} and {theirs:?}");
    }
    assert_eq!(metric(&report, "vmaf")["model"], "vmaf_v0.6.1");
}

#[test]
fn all_metrics_are_measured_at_once_and_a_picture_against_itself_is_perfect() {
    let folder = scratch();
    let Some((reference, encoded)) = pair(folder.path()) else { return };
    let (_, report, text) = analyze(&[&reference, &encoded], &["--metrics", "all", "--stride", "5"]);
    let names = ["vmaf", "psnr", "psnr_cr", "ssim", "ms_ssim", "ciede2000", "psnr_hvs", "ssimulacra2", "cambi"];
    for name in names {
        assert_eq!(metric(&report, name)["scored"], 10, "{name}: {text}");
    }
    // XPSNR came to libavfilter with 7.1; what is not there is named.
    let absent = array(&report, "absent");
    assert!(absent.len() == 1 && absent[0]["metric"] == "xpsnr", "{absent:?}");
    let (code, same, _) = analyze(&[&encoded, &encoded], &["--metrics", "all", "--stride", "9"]);
    assert_eq!(code, Some(0));
    let mean = |name: &str| metric(&same, name)["mean"].as_f64().unwrap();
    assert!(mean("vmaf") > 95.0 && mean("ssim") > 0.9999 && mean("ms_ssim") > 0.9999, "{}", same["metrics"]);
    assert_eq!((mean("psnr"), mean("ciede2000"), mean("psnr_hvs")), (60.0, 100.0, 100.0));
    assert!(mean("ssimulacra2") > 99.9 && metric(&report, "ssimulacra2")["mean"].as_f64() < Some(90.0));
    for stride in ["2", "0"] {
        assert_eq!(analyze(&[&reference, &encoded], &["--stride", stride]).0, Some(2), "stride {stride}");
    }
}

#[test]
fn an_output_that_was_cropped_is_compared_with_its_part_of_the_source_and_a_scaled_one_with_the_source_scaled() {
    let folder = scratch();
    if !tool("ffmpeg") {
        return;
    }
    let source = synthetic(folder.path(), "bars.mkv", "testsrc2=s=320x180:r=25:d=2,pad=320:240:0:30", "-c:v ffv1");
    let output = folder.path().join("out.mkv");
    encode(&source, &output, &["--crf", "45", "--preset", "13"]);
    let (_, report, text) = analyze(&[&source, &output], &["--metrics", "vmaf,psnr"]);
    assert_eq!(report["reference"]["treatment"], "cropped to 320:180:0:30", "{text}");
    let cropped = made(folder.path(), "part.mkv", &source, "-i INPUT -vf crop=320:180:0:30 -c:v ffv1");
    let out = drapto().args(["vmaf", "--json"]).args([&cropped, &output]).output().expect("drapto runs");
    let vmaf: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let ours = metric(&report, "vmaf")["mean"].as_f64().unwrap();
    assert!((ours - vmaf["mean"].as_f64().unwrap()).abs() < 1e-4, "{ours} and {vmaf}");
    // Half the size, in a container that says nothing of it.
    let half = made(folder.path(), "half.mp4", &source, "-i INPUT -vf scale=160:120 -c:v mpeg4 -q:v 2");
    let (_, report, text) = analyze(&[&source, &half], &["--metrics", "vmaf"]);
    assert_eq!(report["reference"]["treatment"], "scaled to 160x120", "{text}");
    assert!(metric(&report, "vmaf")["mean"].as_f64() > Some(85.0), "{report}");
}

#[test]
fn faults_of_the_picture_are_found_at_their_times() {
    let folder = scratch();
    if !tool("ffmpeg") {
        return;
    }
    let loops = "loop=loop=75:size=1:start=150,setpts=N/25/TB";
    let black = "drawbox=enable='between(t,1.999,4.4)':color=black:t=fill";
    let film =
        synthetic(folder.path(), "still.mkv", &format!("testsrc2=s=320x240:r=25:d=9,{loops},{black}"), "-c:v ffv1");
    let (code, report, text) = analyze(&[&film], &[]);
    assert_eq!(code, Some(0), "what is warned of does not fail: {text}");
    found_at(&report, "black", 2.0, 4.44);
    found_at(&report, "freeze", 5.96, 9.0);
    assert_eq!((findings(&report).len(), &report["verdict"]), (2, &"warn".into()), "{:?}", findings(&report));
    // By ffmpeg's own eyes.
    let info = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-i"])
        .arg(&film)
        .args(["-vf", "freezedetect=d=2.5,blackdetect", "-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let info = said(&info);
    assert!(info.contains("freeze_start: 5.96") && info.contains("black_start:2 "), "{info}");

    let twice =
        "format=yuv420p,loop=loop=1:size=1:start=50,setpts=N/25/TB,lutyuv=y='val*1.4-40':enable='between(t,3.999,5.1)'";
    let graph = format!("testsrc2=s=320x240:r=25:d=6,{twice},format=yuv420p10le");
    let film = synthetic(folder.path(), "twice.mkv", &graph, "-c:v ffv1");
    let (_, report, _) = analyze(&[&film], &[]);
    assert_eq!(report["picture"]["bit_depth"], 10);
    found_at(&report, "duplicates", 2.0, 2.04);
    found_at(&report, "range", 4.0, 5.12);
    assert_eq!(findings(&report).len(), 2, "{:?}", findings(&report));

    let colors = "-color_primaries bt2020 -color_trc bt709 -colorspace bt2020nc";
    let drop = "select='not(between(n,60,61))'";
    let graph = format!("testsrc2=s=320x240:r=25:d=6,{drop}");
    let film = synthetic(folder.path(), "dropped.mkv", &graph, &format!("-vsync vfr -c:v mpeg2video -q:v 2 {colors}"));
    let (_, report, _) = analyze(&[&film], &[]);
    found_at(&report, "dropped", 2.36, 2.48);
    let color = array(&report, "findings").iter().find(|f| f["kind"] == "color");
    assert!(color.is_some_and(|f| f["message"].as_str().is_some_and(|m| m.contains("bt2020"))), "{color:?}");
}

#[test]
fn faults_of_the_sound_are_found_at_their_times() {
    let folder = scratch();
    if !tool("ffmpeg") {
        return;
    }
    // Silent from 3 to 9 s, in opposite phase from 11 to 14, above full scale for a tenth of a second.
    let sounds = "lt(t,3)+gt(t,9)";
    let left = format!("if(between(t,15,15.1),4,0.3)*sin(880*t)*({sounds})");
    let right = format!("if(between(t,11,14),-1,1)*0.3*sin(880*t)*({sounds})");
    let film = synthetic(folder.path(), "sound.mkv", &format!("aevalsrc='{left}|{right}':s=48000:d=17"), "-c:a flac");
    let (code, report, text) = analyze(&[&film], &[]);
    assert_eq!(code, Some(0), "{text}");
    found_at(&report, "silence", 3.0, 9.0);
    found_at(&report, "clipping", 15.0, 15.1);
    let phase: Vec<_> = findings(&report).into_iter().filter(|f| f.0 == "phase").collect();
    // In blocks of a tenth of a second.
    assert!(
        matches!(phase[..], [(_, Some(a), Some(b), _)] if (a - 11.0).abs() <= 0.1 && (b - 14.0).abs() <= 0.1),
        "{phase:?}"
    );
    assert!(report["picture"].is_null() && findings(&report).iter().any(|f| f.0 == "true_peak"), "{report}");
    let one_side = synthetic(folder.path(), "left.mkv", "aevalsrc='0.1*sin(880*t)|0':s=48000:d=3", "-c:a flac");
    assert!(findings(&analyze(&[&one_side], &[]).1).iter().any(|f| f.0 == "dead_channel"));
}

#[test]
fn files_without_pictures_without_sound_of_one_picture_and_broken_ones_have_their_verdict() {
    let Some(without_sound) = fixture("noaudio") else { return };
    for name in ["noaudio", "novideo", "oneframe"] {
        let film = fixture(name).expect("a clip");
        let (code, report, text) = analyze(&[&film], &[]);
        assert_eq!((code, &report["verdict"]), (Some(0), &"pass".into()), "{name}: {text}");
    }
    let no_video = fixture("novideo").expect("a clip");
    let (code, _, text) = analyze(&[&without_sound, &no_video], &[]);
    assert!(code == Some(3) && text.contains("no pictures"), "{text}");
    let ruined = fixture("ruined").expect("a clip");
    let (code, report, text) = analyze(&[&ruined], &[]);
    assert!(code == Some(4) && text.contains("the verdict is fail"), "{text}");
    let damage = findings(&report).into_iter().find(|f| f.0 == "damage");
    assert!(damage.is_some_and(|f| f.3 == 10.0), "{damage:?}");
    let folder = scratch();
    let nothing = folder.path().join("nothing.mkv");
    std::fs::write(&nothing, b"this is no film").expect("a file");
    assert_eq!(analyze(&[&nothing], &[]).0, Some(3));
    // A file that ends too early is compared as far as it goes, and fails.
    let short = made(folder.path(), "short.mkv", &without_sound, "-i INPUT -frames:v 40 -c:v ffv1 -an");
    let (code, report, _) = analyze(&[&without_sound, &short], &["--metrics", "psnr"]);
    assert_eq!(code, Some(4));
    assert_eq!((&report["reference"]["pairs"], &report["reference"]["missing"]), (&40.into(), &8.into()));
}

#[test]
fn thresholds_decide_and_all_forms_of_the_report_say_so() {
    let folder = scratch();
    let Some((reference, encoded)) = pair(folder.path()) else { return };
    let at = |name: &str| folder.path().join(name);
    let limits = at("limits.toml");
    std::fs::write(
        &limits,
        "version = 1\n[metrics.vmaf]\nmean = { warn = 100, fail = 99.5 }\nharmonic_mean = {}\np1 = {}\n",
    )
    .expect("a file");
    let (json, page, xml) = (at("r.json"), at("r.html"), at("r.xml"));
    let out = drapto()
        .arg("analyze")
        .args([&reference, &encoded])
        .arg("--thresholds")
        .arg(&limits)
        .arg("--report")
        .arg(&json)
        .arg("--report-html")
        .arg(&page)
        .arg("--junit")
        .arg(&xml)
        .output()
        .expect("drapto runs");
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
    assert!(said(&out).contains("vmaf.mean"), "{}", said(&out));
    let report: Value = serde_json::from_slice(&std::fs::read(&json).expect("a report")).expect("JSON");
    assert_eq!((&report["verdict"], &report["checks"][0]["judgement"]), (&"fail".into(), &"fail".into()));
    assert_eq!(report["checks"].as_array().map(Vec::len), Some(3), "empty limits are checked and never missed");
    let xml = std::fs::read_to_string(&xml).expect("JUnit");
    assert!(xml.contains("<testcase classname=\"metrics\" name=\"vmaf.mean\"") && xml.contains("<failure"), "{xml}");
    let page = std::fs::read_to_string(&page).expect("a page");
    assert!(page.matches("<svg").count() >= 8 && page.contains(": <span class=\"fail\">fail</span>"), "its plots");
    assert!(!page.contains("<script") && !page.contains("src=\"http"), "it needs nothing beside itself");
    let images: Vec<&str> = page.split("base64,").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    // Two seconds have room for two or three pictures a second apart.
    assert!(images.len() >= 4 && images.len().is_multiple_of(2), "{} images", images.len());
    let picture = at("worst.png");
    std::fs::write(&picture, base64_bytes(images[0])).expect("a picture");
    let size = ffprobe(&picture, &["-show_streams"])["streams"][0]["width"].as_u64();
    assert_eq!(size, Some(400));
    // What is wrong is said before anything is measured.
    std::fs::write(&limits, "version = 1\n[findings]\nblak = { warn = 1 }\n").expect("a file");
    let (code, _, text) = analyze(&[&encoded], &["--thresholds", limits.to_str().expect("a path")]);
    assert!(code == Some(2) && text.contains("limits.toml") && text.contains("black"), "{text}");
    let itself = encoded.to_str().expect("a path");
    assert_eq!(analyze(&[&encoded], &["--report", itself]).0, Some(2), "no report replaces a film");
}

fn base64_bytes(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> = text.bytes().filter(|c| *c != b'=').map(|c| u32::from(digit(c))).collect();
    let mut out = Vec::new();
    for four in digits.chunks(4) {
        let bits = four.iter().fold(0, |all, d| all << 6 | d) << (6 * (4 - four.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    out
}

#[test]
fn encodes_of_one_source_are_ranked_and_a_better_encoder_needs_fewer_bits() {
    let folder = scratch();
    let Some((reference, _)) = pair(folder.path()) else { return };
    let mut given = Vec::new();
    for (curve, preset) in [("fast", "ultrafast"), ("slow", "slow")] {
        for crf in [24, 29, 34, 39] {
            let name = format!("{curve}{crf}.mkv");
            let path = encoded(folder.path(), &reference, &name, &format!("-crf {crf} -preset {preset}"));
            given.push(format!("{curve}={}", path.display()));
        }
    }
    let out = drapto()
        .args(["compare", "--json", "--metrics", "vmaf,psnr"])
        .arg(&reference)
        .args(&given)
        .output()
        .expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    let found: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let files = array(&found, "files");
    assert_eq!((files.len(), files[0]["rank"].as_u64()), (8, Some(1)), "{found}");
    let scores: Vec<f64> = files.iter().filter_map(|f| f["score"].as_f64()).collect();
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]) && scores.len() == 8, "{scores:?}");
    for metric in ["vmaf", "psnr"] {
        let percent = found["curves"][0]["bd_rates"][metric]["percent"].as_f64();
        assert!(percent.is_some_and(|p| (-95.0..-15.0).contains(&p)), "{metric}: {}", found["curves"]);
    }
    // One file's bit rate by ffprobe's count of its packets.
    let name = files[0]["file"].as_str().expect("a path");
    let packets = ffprobe(Path::new(name), &["-show_packets"]);
    let bytes: u64 = array(&packets, "packets").iter().filter_map(|p| p["size"].as_str()?.parse::<u64>().ok()).sum();
    let ours = files[0]["bit_rate"].as_f64().unwrap();
    assert!((ours * 2.0 / 8.0 / bytes as f64 - 1.0).abs() < 0.01, "{ours} and {bytes} bytes in 2 s");
    let text = drapto().arg("compare").arg(&reference).args(&given[..2]).output().expect("drapto runs");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.starts_with("1. fast: ") && !text.contains("BD-rate"), "{text}");
}
