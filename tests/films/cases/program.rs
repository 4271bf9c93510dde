//! No file lost by a path, and the program as its user meets it: pipes, names, terminals, signals.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Found, Lab, Row, right_if};
use crate::support::*;

pub const ROWS: &[Row] = &[
    Row { name: "mkfifo p; cat in.mp4 >p & drapto encode p o.mkv", check: from_a_pipe },
    Row { name: "drapto encode ...", check: plain },
    Row { name: "drapto encode 'shot%03d.png'", check: percent_in_a_name },
    Row { name: "drapto encode --report r.json $'lat\\xe9in.mp4'", check: not_unicode },
    Row { name: "drapto encode in.mp4 <251 y>.mkv", check: long_name },
    Row { name: "drapto encode in.mp4 out.mp4", check: other_format },
    Row { name: "drapto encode Show.S01E01", check: no_extension },
    Row { name: "mknod n c 1 3; drapto encode --overwrite in.mp4 n", check: onto_a_device },
    Row { name: "ln -s /proc/self/fd/1 s; drapto encode --report s in.mp4 o.mkv", check: report_to_stdout },
    Row { name: "drapto encode --report src.mp4 src.mp4 d.mkv", check: report_onto_the_source },
    Row { name: "drapto encode --report no/dir/r.json in.mp4 b.mkv", check: report_into_no_folder },
    Row { name: "TMPDIR=/proc/x drapto encode --crf 50 in.mp4 o.mkv", check: no_place_for_a_log },
    Row {
        name: "drapto encode --crf 40 --preset 8 --stall-timeout 5 long.mp4 o.mkv; kill -STOP; 8 s; kill -CONT",
        check: stopped_and_continued,
    },
    Row { name: "script -qec \"env TERM=dumb drapto encode ...\" /dev/null", check: dumb_terminal },
    Row { name: "twice at once", check: twice_at_once },
    Row { name: "kill -INT ...", check: interrupted },
    Row { name: "| head -2; >&-", check: closed_pipes },
    Row { name: "ln -s real/f.mkv link.mkv", check: through_a_link },
];

/// Pictures of [`Desk`]'s film.
const PICTURES: u64 = 52;

/// A folder with a film in it, and what is run there.
pub(super) struct Desk {
    dir: PathBuf,
}

impl Desk {
    fn new(lab: &Lab) -> Self {
        Self::with(&lab.dir, &lab.case("cut_mid_gop.mp4"))
    }

    /// With `film` as `in.mp4`.
    fn with(dir: &Path, film: &Path) -> Self {
        std::fs::copy(film, dir.join("in.mp4")).expect("a copy of the film");
        Desk { dir: dir.to_path_buf() }
    }

    pub(super) fn at(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.dir.join(name.as_ref())
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.arg("-c").arg(script).current_dir(&self.dir).env("drapto", env!("CARGO_BIN_EXE_drapto"));
        command.env("E", format!("{} encode --crf 50 --preset 13", env!("CARGO_BIN_EXE_drapto")));
        command.envs([("XDG_CONFIG_HOME", ""), ("XDG_CONFIG_DIRS", "/nowhere"), ("HOME", "/nowhere")]);
        command.stdin(Stdio::null());
        command
    }

    /// What came of `script` in the folder, in which `$E` encodes quickly.
    pub(super) fn bash(&self, script: &str) -> Output {
        self.command(script).output().expect("bash runs")
    }

    fn spawn(&self, script: &str) -> Child {
        self.command(script).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("bash runs")
    }

    /// The names in the folder without the film's.
    pub(super) fn left(&self) -> Vec<String> {
        names(&self.dir).into_iter().filter(|name| name != "in.mp4").collect()
    }

    /// Whether the film is as it was.
    pub(super) fn is_whole(&self, film: &Path) -> bool {
        std::fs::read(self.at("in.mp4")).ok() == std::fs::read(film).ok()
    }
}

fn code(out: &Output) -> String {
    out.status.code().map_or("a signal".to_owned(), |code| format!("exit {code}"))
}

/// The first line that was said, in short.
fn words(out: &Output) -> String {
    said(out).lines().last().unwrap_or_default().chars().take(160).collect()
}

/// What others count in a file.
pub(super) fn pictures(path: &Path) -> u64 {
    let found = ffprobe(path, &["-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets"]);
    found["streams"][0]["nb_read_packets"].as_str().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Right where the program ended well and others count all pictures in `name`.
fn written(desk: &Desk, out: &Output, name: impl AsRef<OsStr>, more: bool) -> Found {
    if !out.status.success() {
        return Err(format!("{}: {}", code(out), words(out)));
    }
    let counted = pictures(&desk.at(name));
    right_if(counted == PICTURES && more, format!("{counted} pictures"))
}

/// Right where the program refused to begin, and left what was there.
fn refused(desk: &Desk, lab: &Lab, out: &Output, left: &[&str]) -> Found {
    let whole = desk.is_whole(&lab.case("cut_mid_gop.mp4"));
    right_if(
        out.status.code() == Some(2) && whole && desk.left() == left && !said(out).contains("encoding"),
        format!("{}: {}; left: {:?}", code(out), words(out), desk.left()),
    )
}

fn from_a_pipe(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let out = desk.bash("mkfifo p; cat in.mp4 >p & $E p o.mkv");
    written(&desk, &out, "o.mkv", desk.left() == ["o.mkv", "p"] && said(&out).contains("cannot be sought in"))
}

fn plain(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let out = desk.bash("$drapto encode --preset 12 in.mp4");
    written(&desk, &out, "in.av1.mkv", desk.left() == ["in.av1.mkv"])
}

fn percent_in_a_name(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    std::fs::copy(lab.case("still_png.png"), desk.at("shot%03d.png")).expect("a copy");
    let out = desk.bash("$E 'shot%03d.png'");
    let counted = if out.status.success() { pictures(&desk.at("shot%03d.av1.mkv")) } else { 0 };
    right_if(counted == 1, format!("{}, {counted} picture: {}", code(&out), words(&out)))
}

fn not_unicode(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let out = desk.bash(r"mv in.mp4 $'lat\xe9in.mp4'; $E --report r.json $'lat\xe9in.mp4'");
    let report = std::fs::read(desk.at("r.json")).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let path = report.map_or(String::new(), |report| report["input"]["path"].to_string());
    written(&desk, &out, OsStr::from_bytes(b"lat\xe9in.av1.mkv"), path.contains("lat\u{fffd}in.mp4"))
}

fn long_name(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let name = format!("{}.mkv", "y".repeat(251));
    let out = desk.bash(&format!("$E in.mp4 {name}"));
    written(&desk, &out, &name, desk.left() == [name.as_str()])
}

/// A name promises a format: it is that, or refused.
fn other_format(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let refusals = ["out.avi", "out.ts", "out.MOV"].map(|name| desk.bash(&format!("$E in.mp4 {name}")));
    let refusals = refusals.iter().try_fold(String::new(), |_, out| refused(&desk, lab, out, &[]))?;
    for (name, format) in [("out.mp4", "mp4"), ("out.webm", "webm")] {
        let out = desk.bash(&format!("$E in.mp4 {name}"));
        written(&desk, &out, name, true)?;
        let found = ffprobe(&desk.at(name), &["-show_entries", "format=format_name"]);
        let is_it = found["format"]["format_name"].as_str().is_some_and(|names| names.contains(format));
        // ffprobe calls WebM and Matroska by one name; the head of the file tells them apart.
        let head = std::fs::read(desk.at(name)).unwrap_or_default();
        let says = format == "mp4" || head.get(..64).is_some_and(|head| head.windows(4).any(|w| w == b"webm"));
        right_if(is_it && says, format!("{name}: {found}"))?;
    }
    Ok(format!("MP4 and WebM are what they are called; {refusals}"))
}

fn no_extension(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let out = desk.bash("cp in.mp4 Show.S01E01; cp in.mp4 Show.S01E02; $E Show.S01E01 && $E Show.S01E02");
    let both = ["Show.S01E01", "Show.S01E01.av1.mkv", "Show.S01E02", "Show.S01E02.av1.mkv"];
    written(&desk, &out, "Show.S01E02.av1.mkv", desk.left() == both)
}

fn onto_a_device(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    if !desk.bash("mknod n c 1 3").status.success() {
        missing("device nodes cannot be made here");
        let out = desk.bash("$E --overwrite in.mp4 /dev/null");
        return refused(&desk, lab, &out, &[]);
    }
    let out = desk.bash("$E --overwrite in.mp4 n");
    let stays = desk.at("n").symlink_metadata().is_ok_and(|found| found.file_type().is_char_device());
    refused(&desk, lab, &out, &["n"]).and_then(|text| right_if(stays, text))
}

fn report_to_stdout(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let out = desk.bash("ln -s /proc/self/fd/1 s; $E --report s in.mp4 o.mkv");
    let report: Option<Value> = serde_json::from_slice(&out.stdout).ok();
    let stays = desk.at("s").symlink_metadata().is_ok_and(|found| found.is_symlink());
    let frames = report.map_or(Value::Null, |report| report["output"]["frames"].clone());
    written(&desk, &out, "o.mkv", stays && frames == PICTURES).map(|text| format!("{text}, JSON on standard output"))
}

fn report_onto_the_source(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let source = desk.bash("$E --report in.mp4 in.mp4 d.mkv");
    let output = desk.bash("$E --report ./d.mkv in.mp4 d.mkv");
    refused(&desk, lab, &output, &[]).and(refused(&desk, lab, &source, &[]))
}

fn report_into_no_folder(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let out = desk.bash("$E --report no/dir/r.json in.mp4 b.mkv");
    refused(&desk, lab, &out, &[])
}

fn no_place_for_a_log(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let out = desk.bash("TMPDIR=/proc/x $E in.mp4 o.mkv");
    written(&desk, &out, "o.mkv", said(&out).contains("no log"))
}

/// A film of some seconds that takes some to encode.
fn long(desk: &Desk, seconds: u32) {
    let source = format!("testsrc2=size=640x360:rate=25:duration={seconds},noise=alls=8:allf=t:all_seed=5");
    let out = desk.at("long.mp4");
    let args = ["-f", "lavfi", "-i", &source, "-c:v", "mpeg4", "-q:v", "3", "-pix_fmt", "yuv420p", "-y"];
    ffmpeg(&args.iter().map(OsStr::new).chain([out.as_os_str()]).collect::<Vec<_>>());
}

fn signal(pid: u32, what: &str) {
    let sent = Command::new("kill").args([what, &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "{what}");
}

fn stopped_and_continued(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    long(&desk, 30);
    let child = desk.spawn("exec $drapto encode --crf 40 --preset 8 --stall-timeout 5 long.mp4 o.mkv");
    std::thread::sleep(Duration::from_secs(3));
    signal(child.id(), "-STOP");
    std::thread::sleep(Duration::from_secs(8));
    let begun = !desk.at("o.mkv").exists();
    signal(child.id(), "-CONT");
    let out = child.wait_with_output().expect("an end");
    right_if(out.status.success() && begun, format!("{}, stopped while it ran: {begun}; {}", code(&out), words(&out)))
}

fn dumb_terminal(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    long(&desk, 20);
    let begun = Instant::now();
    let script = "script -qec \"env TERM=dumb $drapto encode --crf 40 --preset 5 long.mp4 o.mkv\" /dev/null";
    let out = desk.bash(script);
    let took = begun.elapsed().as_secs();
    let text = String::from_utf8_lossy(&out.stdout);
    let lines = text.lines().filter(|line| line.contains(" frames  encode ")).count() as u64;
    let right = out.status.success() && !text.contains('\x1b') && (1..=took / 10 + 1).contains(&lines);
    right_if(right, format!("{}, {lines} lines in {took} s", code(&out)))
}

fn twice_at_once(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    long(&desk, 20);
    let first = desk.spawn("exec $drapto encode --crf 40 --preset 6 long.mp4 o.mkv");
    let begun = Instant::now();
    while !desk.at(".o.mkv.part").exists() && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = desk.bash("$E long.mp4 o.mkv");
    let first = first.wait_with_output().expect("an end");
    let right = first.status.success() && second.status.code() == Some(2);
    right_if(right, format!("{}; second {}: {}", code(&first), code(&second), words(&second)))
}

fn interrupted(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    long(&desk, 12);
    let encode = "exec $drapto encode --target-vmaf 80 --chunk-size 2 --preset 8 long.mp4 o.mkv";
    let child = desk.spawn(encode);
    let finished = || names(&desk.dir).iter().any(|n| desk.at(n).join("encoded/00000.ivf").exists());
    let begun = Instant::now();
    while !finished() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(child.id(), "-INT");
    let asked = Instant::now();
    let out = child.wait_with_output().expect("an end");
    let took = asked.elapsed();
    let again = desk.bash(&encode.replace("encode ", "encode --events ndjson "));
    let resumed = String::from_utf8_lossy(&again.stdout).contains("\"event\":\"resumed\"");
    let right = out.status.code() == Some(130) && took < Duration::from_secs(5) && again.status.success() && resumed;
    let text = format!("{} after {:.1} s, then {}, resumed {resumed}", code(&out), took.as_secs_f64(), code(&again));
    right_if(right && desk.left() == ["long.mp4", "o.mkv"], text)
}

fn closed_pipes(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let script = "$E --events ndjson in.mp4 a.mkv | head -2 >/dev/null; one=${PIPESTATUS[0]}
        $E in.mp4 b.mkv >&-; two=$?; $E in.mp4 c.mkv 2>&-; three=$?; echo $one $two $three";
    let out = desk.bash(script);
    let codes = String::from_utf8_lossy(&out.stdout).lines().last().unwrap_or_default().to_owned();
    written(&desk, &out, "b.mkv", codes == "0 0 0" && desk.left() == ["a.mkv", "b.mkv", "c.mkv"])
        .map(|text| format!("{codes}: {text}"))
}

fn through_a_link(lab: &Lab) -> Found {
    let desk = Desk::new(lab);
    let out = desk.bash("mkdir real; echo old >real/f.mkv; ln -s real/f.mkv link.mkv; $E --overwrite in.mp4 link.mkv");
    let stays = desk.at("link.mkv").symlink_metadata().is_ok_and(|found| found.is_symlink());
    written(&desk, &out, "real/f.mkv", stays && names(&desk.at("real")) == ["f.mkv"])
}

/// A folder with the fixture `name` in it as `in.mp4`.
pub(super) fn desk_with(name: &str) -> Option<(tempfile::TempDir, Desk, PathBuf)> {
    let film = fixture(name)?;
    let folder = scratch();
    let desk = Desk::with(folder.path(), &film);
    Some((folder, desk, film))
}

/// A file with its index at the end, one that has none, and Matroska, through each kind of pipe.
#[test]
fn what_gives_its_bytes_once_is_read_by_every_command_and_leaves_nothing() {
    for (name, wanted) in [("tailindex", 50), ("stream", 50), ("noaudio", 48)] {
        let Some((_folder, desk, _)) = desk_with(name) else { return };
        let quick = "--target-vmaf 80 --preset 13 --report r.json";
        for script in [
            "cat in.mp4 | $E --report r.json - o.mkv".to_owned(),
            "$E --report r.json - o.mkv <in.mp4".to_owned(),
            format!("cat in.mp4 | $drapto encode {quick} /dev/stdin o.mkv"),
            format!("mkdir -p t; mkfifo p; (sleep 1; cat in.mp4) >p & $drapto encode {quick} --temp-dir t/new p o.mkv"),
        ] {
            let out = desk.bash(&script);
            assert!(out.status.success(), "{name}: {script}: {}", said(&out));
            assert_eq!(pictures(&desk.at("o.mkv")), wanted, "{name}: {script}");
            let report: Value =
                serde_json::from_slice(&std::fs::read(desk.at("r.json")).expect("a report")).expect("JSON");
            let bytes = desk.at("in.mp4").metadata().expect("the film").len();
            assert_eq!(report["input"]["bytes"], bytes, "{script}");
            let input = report["input"]["path"].as_str().unwrap_or_default().to_owned();
            assert!(["/dev/stdin", "p"].contains(&&*input), "{input}");
            let hidden: Vec<_> = desk.left().into_iter().filter(|name| name.starts_with('.')).collect();
            assert_eq!(hidden, Vec::<String>::new(), "{script}");
            assert!(desk.bash("rm o.mkv r.json").status.success());
        }
        let out = desk.bash("$E in.mp4 o.mkv && cat in.mp4 | $drapto verify - o.mkv && $drapto probe --json p <in.mp4 & cat in.mp4 >p; wait $!");
        assert!(out.status.success(), "{}", said(&out));
        let out = desk.bash("cat in.mp4 | $drapto probe --json -");
        let report: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        assert!(out.status.success() && report["picture"]["width"] == 320, "{}", said(&out));
    }
}

#[test]
fn pipes_without_a_film_are_named_and_can_be_given_up() {
    let Some((_folder, desk, _)) = desk_with("noaudio") else { return };
    for (script, exit, words) in [
        ("echo no film | $E - o.mkv", 3, "/dev/stdin: not a media file"),
        (": | $E - o.mkv", 3, "nothing comes from it"),
        ("$E - o.mkv </dev/null", 3, "nothing comes from it"),
        ("$E /dev/zero o.mkv", 3, "is a device"),
        ("head -c 3000 in.mp4 | $E --accept-damage - o.mkv", 3, "/dev/stdin"),
    ] {
        let out = desk.bash(script);
        assert_eq!(out.status.code(), Some(exit), "{script}: {}", said(&out));
        assert!(said(&out).contains(words), "{script}: {}", said(&out));
        assert_eq!(desk.left(), Vec::<String>::new(), "{script}");
    }
    assert!(desk.bash("mkfifo p").status.success());
    let child = desk.spawn("exec $drapto encode --crf 50 p o.mkv");
    std::thread::sleep(Duration::from_millis(700));
    signal(child.id(), "-INT");
    let asked = Instant::now();
    let out = child.wait_with_output().expect("an end");
    assert_eq!(out.status.code(), Some(130), "{}", said(&out));
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(desk.left(), ["p"]);
}

/// PNG pictures from number 1001 on, in a folder with a percent sign.
#[test]
fn numbered_pictures_are_a_film_at_the_rate_that_is_asked_for() {
    let Some((_folder, desk, film)) = desk_with("shots") else { return };
    let script =
        format!("mkdir 100%d; ffmpeg -v error -i {} -c copy -start_number 1001 100%%d/s%04d.png", film.display());
    let made = desk.bash(&script);
    assert!(made.status.success(), "{}", said(&made));
    let encode = "$E --sequence --report r.json";
    let out = desk.bash(&format!("{encode} --frame-rate 23.976 100%d/s%04d.png a.mkv"));
    assert!(out.status.success(), "{}", said(&out));
    let stream = &ffprobe(&desk.at("a.mkv"), &["-show_entries", "stream=r_frame_rate,width"])["streams"][0];
    assert_eq!((stream["r_frame_rate"].as_str(), stream["width"].as_u64()), (Some("24000/1001"), Some(320)));
    assert_eq!(pictures(&desk.at("a.mkv")), 12);
    let report: Value = serde_json::from_slice(&std::fs::read(desk.at("r.json")).expect("a report")).expect("JSON");
    let bytes: u64 =
        std::fs::read_dir(desk.at("100%d")).expect("pictures").map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert_eq!((report["input"]["bytes"].as_u64(), report["input"]["frames"].as_u64()), (Some(bytes), Some(12)));
    assert_eq!(report["settings"]["frame_rate"], "24000/1001");
    // At a target the pictures are read again and again.
    let out =
        desk.bash("$drapto encode --sequence --target-vmaf 80 --preset 12 --max-memory 300M 100%d/s%04d.png b.mkv");
    assert!(out.status.success(), "{}", said(&out));
    let frames = desk.bash("ffprobe -v error -show_entries stream=r_frame_rate -of csv=p=0 b.mkv");
    assert_eq!(String::from_utf8_lossy(&frames.stdout).trim(), "25/1");
    // As the pictures are, in their order.
    let psnr = desk.bash(&format!(
        "ffmpeg -v info -i a.mkv -i {} -lavfi '[0:v]format=yuv420p,settb=AVTB,setpts=N[a];[1:v]scale=out_color_matrix=bt601:out_range=tv,format=yuv420p,settb=AVTB,setpts=N[b];[a][b]psnr' -f null - 2>&1 | grep -o 'PSNR y:[0-9.]*'",
        film.display()
    ));
    let text = String::from_utf8_lossy(&psnr.stdout).into_owned();
    let value: f64 = text.trim().rsplit(':').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
    assert!(value > 25.0, "{text:?}");
    assert_eq!(desk.left(), ["100%d", "a.mkv", "b.mkv", "r.json"]);

    for (before, arguments, exit, words) in [
        (":", "100%d/t%04d.png c.mkv", 3, "no picture"),
        (":", "100%d/s1001.png c.mkv", 2, "pattern"),
        (":", "--report 100%d/s1003.png 100%d/s%04d.png c.mkv", 2, "a picture of the input"),
        ("rm 100%d/s1005.png", "100%d/s%04d.png c.mkv", 3, "picture 1005 of 1001 to 1012 is missing"),
    ] {
        let out = desk.bash(&format!("{before}; $E --sequence {arguments}"));
        assert_eq!(out.status.code(), Some(exit), "{arguments}: {}", said(&out));
        assert!(said(&out).contains(words), "{arguments}: {}", said(&out));
    }
}

#[test]
fn progress_of_a_search_that_tries_again_never_runs_backwards() {
    let Some((_folder, desk, _)) = desk_with("showcase") else { return };
    let script = "$drapto encode --target-vmaf 93 --vmaf-tolerance 0.2 --chunk-size 4 --preset 12 --events ndjson --report r.json in.mp4 o.mkv";
    let out = desk.bash(script);
    assert!(out.status.success(), "{}", said(&out));
    let lines = String::from_utf8(out.stdout).expect("text");
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let progress: Vec<&Value> = events.iter().filter(|e| e["event"] == "progress").collect();
    let report: Value = serde_json::from_slice(&std::fs::read(desk.at("r.json")).expect("a report")).expect("JSON");
    let again = array(&report, "chunks").iter().filter(|chunk| chunk["attempts"].as_u64() > Some(1)).count();
    assert!(again > 0, "no chunk was tried twice: this shows nothing");
    for pair in progress.windows(2) {
        for what in ["frames", "done", "bytes"] {
            let [before, after] = [pair[0], pair[1]].map(|e| e[what].as_f64().expect("a number"));
            assert!(before <= after, "{what}: {before} then {after}");
        }
    }
    let last = progress.last().expect("progress");
    assert_eq!((last["frames"].as_u64(), last["done"].as_f64()), (Some(192), Some(1.0)));
}

/// In a pipe, on a terminal without a name, and where nothing may be said.
#[test]
fn progress_is_lines_wherever_nothing_can_be_drawn_again() {
    let folder = scratch();
    let desk = Desk { dir: folder.path().to_path_buf() };
    if !tool("ffmpeg") {
        return;
    }
    long(&desk, 16);
    let encode = "$drapto encode --overwrite --crf 40 --preset 5 long.mp4 o.mkv";
    for script in [format!("{encode} 2>&1 >/dev/null | cat"), format!("script -qec 'env -u TERM {encode}' /dev/null")] {
        let out = desk.bash(&script);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let lines = text.lines().filter(|line| line.contains(" frames  encode ")).count();
        assert!(lines > 0 && !text.contains('\x1b'), "{script}: {text:?}");
    }
    let out = desk.bash(&format!("{encode} --quiet 2>&1"));
    assert!(out.status.success() && out.stdout.is_empty(), "{}", String::from_utf8_lossy(&out.stdout));
}
