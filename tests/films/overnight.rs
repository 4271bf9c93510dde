//! Folders of films from the command line: plan, batch, board, log, report, what is remembered.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;

use crate::support::*;

/// A folder with two short films, one of them below, and a text; `None` where there is no fixture.
fn films(folder: &Path) -> Option<PathBuf> {
    let clip = fixture("tenframes")?;
    let films = folder.join("films");
    std::fs::create_dir_all(films.join("below")).expect("a folder");
    for name in ["one.mkv", "below/two.mkv"] {
        std::fs::copy(&clip, films.join(name)).expect("a copy");
    }
    std::fs::write(films.join("notes.txt"), "no film").expect("a file");
    Some(films)
}

/// The sample, made small.
fn small(folder: &Path) -> Option<PathBuf> {
    let sample = fixture("sample")?;
    let clip = folder.join("small.mkv");
    let (from, to) = (sample.to_str().expect("a path"), clip.to_str().expect("a path"));
    let args = ["-i", from, "-map", "0:v", "-vf", "scale=320:180", "-c:v", "mpeg4", "-q:v", "3", to];
    ffmpeg(&args.map(std::ffi::OsStr::new));
    Some(clip)
}

/// The program with a cache of its own.
fn remembering(folder: &Path) -> std::process::Command {
    let mut command = drapto();
    command.env_remove("DRAPTO_NO_CACHE").env("XDG_CACHE_HOME", folder.join("cache"));
    command
}

const FAST: [&str; 4] = ["--crf", "50", "--preset", "13"];

#[test]
fn a_folder_is_encoded_into_a_folder_and_the_second_run_finds_nothing_to_do() {
    let folder = scratch();
    let Some(films) = films(folder.path()) else { return };
    let (out, report) = (folder.path().join("out"), folder.path().join("report.json"));
    let page = folder.path().join("report.html");
    let run = || {
        let mut command = remembering(folder.path());
        command.arg("encode").args([&films, &out]).args(FAST).arg("--report").arg(&report);
        command.arg("--report-html").arg(&page).output().expect("drapto runs")
    };
    let first = run();
    assert!(first.status.success(), "{}", said(&first));
    assert!(out.join("one.mkv").is_file() && out.join("below/two.mkv").is_file(), "{:?}", names(&out));
    verified(&films.join("one.mkv"), &out.join("one.mkv"));
    let told: Value = serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("JSON");
    assert_eq!((&told["done"], &told["failed"]), (&2.into(), &0.into()), "{told}");
    assert!(told["items"][0]["report"]["verification"]["pass"] == true, "{told}");
    assert!(std::fs::read_to_string(&page).expect("a page").contains("2 films done"));
    let log = std::fs::read_to_string(out.join("encoding_log.txt")).expect("a log");
    assert!(log.lines().filter(|l| l.contains("done     ")).count() == 2, "{log}");
    let second = run();
    assert_eq!(second.status.code(), Some(5), "{}", said(&second));
    assert!(said(&second).contains("its output is there"), "{}", said(&second));
    let history = remembering(folder.path()).args(["history", "--json"]).output().expect("drapto runs");
    let history: Value = serde_json::from_slice(&history.stdout).expect("JSON");
    assert_eq!(history["runs"].as_array().map(Vec::len), Some(2), "{history}");
}

#[test]
fn a_plan_says_what_would_be_done_and_does_nothing() {
    let folder = scratch();
    let Some(films) = films(folder.path()) else { return };
    let before = names(&films);
    let plan = |more: &[&str]| {
        let mut command = remembering(folder.path());
        command.arg("plan").arg(&films).args(more).output().expect("drapto runs")
    };
    let out = plan(&[]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && text.contains("2 of 2 films"), "{text}{}", said(&out));
    assert!(text.contains("one.mkv") && text.contains("about"), "{text}");
    let out = plan(&["--min-duration", "3600", "--json"]);
    let told: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!((&told["to_do"], &told["items"][0]["skip"]["rule"]), (&0.into(), &"too_short".into()), "{told}");
    assert_eq!(names(&films), before);
    let nothing = drapto().arg("plan").arg(folder.path().join("cache")).output().expect("drapto runs");
    assert_eq!(nothing.status.code(), Some(3), "{}", said(&nothing));
}

#[test]
fn a_source_is_replaced_only_by_what_is_smaller_as_asked() {
    let folder = scratch();
    let Some(films) = films(folder.path()) else { return };
    let hash = |path: &Path| std::fs::read(path).expect("a film");
    let before = hash(&films.join("one.mkv"));
    let mut command = remembering(folder.path());
    let out = command.arg("batch").arg(&films).args(FAST).args(["--min-reduction", "99", "--replace-source"]);
    let out = out.args(["--rename-skipped", ".kept"]).output().expect("drapto runs");
    assert_eq!(out.status.code(), Some(5), "{}", said(&out));
    assert_eq!(hash(&films.join("one.kept.mkv")), before);
    let mut again = remembering(folder.path());
    let again = again.arg("batch").arg(&films).args(FAST).args(["--replace-source", "--rename-skipped", ".kept"]);
    let again = again.output().expect("drapto runs");
    assert_eq!(again.status.code(), Some(5), "what was encoded for nothing is left alone: {}", said(&again));
    let fresh = folder.path().join("fresh");
    std::fs::create_dir(&fresh).expect("a folder");
    std::fs::rename(films.join("one.kept.mkv"), fresh.join("one.mkv")).expect("a rename");
    let out = remembering(folder.path()).arg("batch").arg(&fresh).args(FAST).arg("--replace-source").output();
    let out = out.expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    let streams = ffprobe(&fresh.join("one.mkv"), &["-show_streams"]);
    assert_eq!(streams["streams"][0]["codec_name"], "av1");
    assert!(!names(&fresh).iter().any(|name| name.contains("av1")), "{:?}", names(&fresh));
}

#[test]
fn a_command_is_told_of_the_report_at_the_end() {
    let folder = scratch();
    let Some(films) = films(folder.path()) else { return };
    let copy = folder.path().join("copy.json");
    let notify = format!("cp -- \"$1\" '{}'; true", copy.display());
    let out = remembering(folder.path()).arg("batch").arg(&films).args(FAST).args(["--notify", &notify]).output();
    let out = out.expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    let told: Value = serde_json::from_slice(&std::fs::read(&copy).expect("a report")).expect("JSON");
    assert_eq!(told["done"], 2);
}

/// Runs the program on a terminal of its own until `seen` is on its screen and then presses `keys`; the last screen before it
/// gave the terminal back that shows `seen`, and the exit code.
fn on_a_terminal(command: &[&str], folder: &Path, seen: &str, keys: &str) -> (String, u32) {
    let size = PtySize { rows: 24, cols: 90, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let mut builder = CommandBuilder::new(env!("CARGO_BIN_EXE_drapto"));
    builder.args(command);
    for (name, value) in [("TERM", "xterm-256color"), ("HOME", "/nowhere"), ("XDG_CONFIG_DIRS", "/nowhere")] {
        builder.env(name, value);
    }
    builder.env("XDG_CACHE_HOME", folder.join("cache"));
    builder.cwd(folder);
    let mut child = pair.slave.spawn_command(builder).expect("drapto runs");
    drop(pair.slave);
    let (mut reader, mut writer) =
        (pair.master.try_clone_reader().expect("a reader"), pair.master.take_writer().expect("a writer"));
    let (sender, bytes) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read) = reader.read(&mut buffer) {
            if read == 0 || sender.send(buffer[..read].to_vec()).is_err() {
                break;
            }
        }
    });
    let lines = |count: u16| std::num::NonZero::new(count).expect("a screen");
    let mut parser = vt100::Parser::new(lines(size.rows), lines(size.cols), 0);
    let (mut shown, mut pressed, begun) = (String::new(), false, Instant::now());
    loop {
        match bytes.recv_timeout(Duration::from_millis(100)) {
            Ok(new) => parser.process(&new),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(_) => {}
        }
        let screen = parser.screen().contents();
        if screen.contains(seen) {
            shown = screen;
            if !pressed {
                writer.write_all(keys.as_bytes()).expect("keys");
                pressed = true;
            }
        }
        if child.try_wait().expect("a child").is_some() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "{}", parser.screen().contents());
    }
    let code = child.wait().expect("a child").exit_code();
    (shown, code)
}

#[test]
fn a_terminal_shows_the_films_and_q_stops_after_those_that_run() {
    let folder = scratch();
    let Some(films) = films(folder.path()) else { return };
    let Some(clip) = small(folder.path()) else { return };
    std::fs::copy(&clip, films.join("a.mkv")).expect("a copy");
    let films = films.to_str().expect("a path");
    let command = ["batch", films, "--preset", "8", "--target-vmaf", "80", "--chunk-size", "1"];
    let (shown, code) = on_a_terminal(&command, folder.path(), "a.mkv  encode", "q");
    for part in ["of 3 films", "ETA", "preset 8, VMAF 80", "a.mkv  encode", "CRF"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shown.contains("stops after the films that run"), "{shown}");
    assert!(shown.contains('█') || shown.contains('▶') || shown.contains('·'), "{shown}");
    // The film that ran is done, the others are to go.
    assert_eq!(code, 130, "{shown}");
    let written = names(Path::new(films));
    assert!(written.contains(&"a.av1.mkv".to_owned()) && !written.contains(&"one.av1.mkv".to_owned()), "{written:?}");
}

#[test]
fn settings_of_another_encoder_are_imported_and_presets_are_chosen_by_name() {
    let folder = scratch();
    let (ini, file) = (folder.path().join("config.ini"), folder.path().join("drapto.toml"));
    std::fs::write(&ini, "[A]\ntarget_vmaf = 95\nsvt_av1_preset = 5\nmax_iterations = 8\n").expect("a file");
    let out = drapto().args(["config", "import"]).args([&ini, &file]).output().expect("drapto runs");
    assert!(out.status.success() && said(&out).contains("max_iterations"), "{}", said(&out));
    let show = |more: &[&str]| {
        let out = drapto().args(["config", "show", "--config"]).arg(&file).args(more).output().expect("drapto runs");
        assert!(out.status.success(), "{}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let line = |text: &str, key: &str| {
        let line = text.lines().find(|l| l.split_whitespace().next() == Some(key));
        line.map(|l| l.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")).unwrap_or_default()
    };
    assert_eq!(line(&show(&[]), "vmaf_target"), "95 file");
    let archive = show(&["--preset-file", "archive"]);
    assert_eq!((line(&archive, "vmaf_target"), line(&archive, "preset")), ("96 preset".into(), "4 preset".into()));
    let grain = drapto().args(["config", "show", "--preset-file", "grainy", "--preset", "10"]).output();
    let grain = grain.expect("drapto runs");
    assert!(grain.status.code() == Some(2) && said(&grain).contains("0 to 8"), "{}", said(&grain));
}

#[test]
fn what_a_run_that_died_left_is_found_and_what_can_be_gone_on_with_is_kept() {
    let folder = scratch();
    let Some(clip) = small(folder.path()) else { return };
    let film = folder.path().join("film.mkv");
    std::fs::rename(&clip, &film).expect("a rename");
    let mut run = drapto();
    run.arg("encode").args([&film, &folder.path().join("out.mkv")]).args(["--preset", "8", "--chunk-size", "1"]);
    let mut run = run.stderr(std::process::Stdio::null()).spawn().expect("drapto runs");
    let chunk = |folder: &Path| {
        let job = names(folder).into_iter().find(|n| n.contains(".drapto-"));
        let encoded = job.map(|job| folder.join(job).join("encoded"));
        encoded.is_some_and(|encoded| encoded.is_dir() && !names(&encoded).is_empty())
    };
    let begun = Instant::now();
    while !chunk(folder.path()) && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    run.kill().expect("a kill");
    run.wait().expect("an end");
    let clean = |more: &[&str]| {
        let out = drapto().arg("clean").arg(folder.path()).args(more).output().expect("drapto runs");
        assert!(out.status.success(), "{}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let told = clean(&["--dry-run"]);
    assert!(told.contains("kept") && told.contains("to go on with") && told.contains("would go"), "{told}");
    assert!(chunk(folder.path()));
    clean(&[]);
    assert!(chunk(folder.path()), "the job is kept");
    std::fs::remove_file(&film).expect("a removal");
    assert!(clean(&[]).contains("its film is gone"));
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn samples_of_a_film_give_it_its_crf() {
    let Some(clip) = media().map(|m| m.join("film/flower.mp4")) else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let more = ["--target-vmaf", "85", "--per", "samples", "--sampling", "even", "--sample-duration", "1", "--measure"];
    let report = encode(&clip, &output, &more);
    let samples = &report["samples"];
    assert_eq!((&report["quality"]["mode"], &samples["tier"]), (&"samples".into(), &"even".into()), "{samples}");
    assert_eq!(report["quality"]["crf"], samples["crf"], "{samples}");
    let (score, film) = (samples["score"].as_f64().expect("a score"), report["quality"]["harmonic_mean"].as_f64());
    assert!((score - 85.0).abs() <= 0.5, "{samples}");
    assert!((film.expect("a score") - score).abs() < 4.0, "{film:?} and {score}");
    verified(&clip, &output);
}

#[test]
fn what_encodes_came_to_is_remembered_and_films_come_out_the_same() {
    let folder = scratch();
    let Some(clip) = small(folder.path()) else { return };
    // The output's bytes; chunks, encodes that were made, and those that were remembered.
    let run = |name: &str, target: &str, cached: bool| {
        let mut command = if cached { remembering(folder.path()) } else { drapto() };
        let (output, report) = (folder.path().join(format!("{name}.mkv")), folder.path().join("report.json"));
        command.arg("encode").args([&clip, &output]).arg("--report").arg(&report);
        let out = command.args(["--target-vmaf", target, "--preset", "8", "--chunk-size", "2"]).output();
        let out = out.expect("drapto runs");
        assert!(out.status.success(), "{}", said(&out));
        let told: Value = serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("JSON");
        let count = |key: &str| told["quality"][key].as_u64().expect("a number");
        let encodes = (array(&told, "chunks").len() as u64, count("encodes_made"), count("encodes_remembered"));
        (std::fs::read(&output).expect("the output"), encodes)
    };
    let (first, (chunks, made, none)) = run("first", "85", true);
    assert!(none == 0 && made >= 2 * chunks, "{made} encodes of {chunks} chunks, each of which is probed");
    let (again, (_, fewer, known)) = run("again", "85", true);
    // What is kept is made again, with its ends; nothing else is.
    assert!(known == made && fewer < made && fewer >= chunks, "{made}, then {fewer} and {known} remembered");
    let (without, (_, all, none)) = run("without", "85", false);
    assert_eq!((all, none), (made, 0));
    assert!(first == again && first == without);
    let (other, (_, _, known)) = run("other", "83", true);
    assert!(known >= chunks, "{known} of {chunks} probes are remembered for another target");
    let (without, _) = run("other-without", "83", false);
    assert!(other == without);
}

#[test]
fn a_source_is_looked_at_once() {
    let folder = scratch();
    let Some(clip) = small(folder.path()) else { return };
    let looked_at_before = |name: &str, more: &[&str]| {
        let mut command = remembering(folder.path());
        let output = folder.path().join(format!("{name}.mkv"));
        let job = folder.path().join(format!("temp-{name}"));
        std::fs::create_dir(&job).expect("a folder");
        command
            .arg("encode")
            .args([&clip, &output])
            .args(FAST)
            .args(more)
            .args(["--keep-temp", "--temp-dir"])
            .arg(&job);
        let out = command.output().expect("drapto runs");
        assert!(out.status.success(), "{}", said(&out));
        let log: String = walk_text(&job);
        assert!(log.contains("encode"), "{log}");
        (log.contains("looked at in an earlier run"), std::fs::read(&output).expect("the output"))
    };
    // Without the look for bars less is known than the second run asks for.
    assert!(!looked_at_before("first", &["--crop", "off"]).0);
    let (before, second) = looked_at_before("second", &[]);
    assert!(!before);
    let (before, third) = looked_at_before("third", &[]);
    assert!(before && second == third);
    let file = std::fs::File::options().append(true).open(&clip).expect("the clip");
    file.set_modified(std::time::SystemTime::now()).expect("a time");
    assert!(!looked_at_before("changed", &[]).0, "it may be another film now");
}

/// All texts in files below a folder.
fn walk_text(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let text = |path: PathBuf| match path.is_dir() {
        true => walk_text(&path),
        false => std::fs::read(&path).map_or(String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned()),
    };
    entries.map(text).collect()
}

#[cfg(unix)]
#[test]
fn a_watched_folder_has_its_films_encoded_as_they_come_until_it_is_told_to_stop() {
    let folder = scratch();
    let Some(clip) = fixture("tenframes") else { return };
    let (films, out) = (folder.path().join("films"), folder.path().join("out"));
    std::fs::create_dir(&films).expect("a folder");
    let mut command = remembering(folder.path());
    command.arg("encode").args([&films, &out]).args(FAST).arg("--watch").stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("drapto runs");
    let begun = Instant::now();
    let waits_for = |name: &str| {
        while !out.join(name).is_file() && begun.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(out.join(name).is_file(), "{name} is not encoded after {:?}", begun.elapsed());
    };
    std::fs::copy(&clip, films.join("one.mkv")).expect("a copy");
    waits_for("one.mkv");
    std::fs::copy(&clip, films.join("two.mkv")).expect("a copy");
    waits_for("two.mkv");
    let stopped = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(stopped.success());
    let told = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        assert!(told.elapsed() < Duration::from_secs(10), "it goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
    verified(&films.join("two.mkv"), &out.join("two.mkv"));
}

#[test]
fn captions_go_with_the_film_that_takes_the_place_of_its_source() {
    let folder = scratch();
    let Some(clip) = fixture("captionsmp4") else { return };
    let films = folder.path().join("films");
    std::fs::create_dir(&films).expect("a folder");
    std::fs::copy(&clip, films.join("film.mp4")).expect("a copy");
    let mut command = remembering(folder.path());
    let out = command.arg("batch").arg(&films).args(FAST).args(["--replace-source", "--extract-captions"]).output();
    let out = out.expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    let there = names(&films);
    assert!(there.contains(&"film.mkv".to_owned()) && there.contains(&"film.cc1.srt".to_owned()), "{there:?}");
    assert!(!there.iter().any(|name| name.contains("av1") || name.ends_with(".mp4")), "{there:?}");
}

/// How many pictures of a film can be decoded.
fn pictures(path: &Path) -> Option<usize> {
    let frames = ffprobe(path, &["-select_streams", "v:0", "-count_frames", "-show_streams"]);
    frames["streams"][0]["nb_read_frames"].as_str()?.parse().ok()
}

/// A batch that replaces its sources is killed at random moments, and goes on, until all films are done: at any time each film
/// is there whole, as it was or as AV1.
fn killed_batch(kills: usize) {
    let folder = scratch();
    let Some(clip) = fixture("tenframes") else { return };
    let whole = std::fs::read(&clip).expect("a film");
    let frames = pictures(&clip).expect("frames");
    // A film that was decoded once need not be again while its bytes are the same.
    let mut known = vec![whole];
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut killed = 0;
    while killed < kills {
        let films = folder.path().join("films");
        std::fs::create_dir_all(&films).expect("a folder");
        for name in ["a.mkv", "b.mkv", "c.mp4.mkv", "d.mkv"] {
            std::fs::copy(&clip, films.join(name)).expect("a copy");
        }
        loop {
            let mut batch = remembering(folder.path());
            batch.arg("batch").arg(&films).args(FAST).args(["--replace-source", "--jobs", "2", "--quiet"]);
            let mut batch = batch.stderr(std::process::Stdio::null()).spawn().expect("drapto runs");
            std::thread::sleep(Duration::from_millis(50 + random(1500)));
            let ended = batch.try_wait().expect("a child").is_some();
            batch.kill().expect("a kill");
            batch.wait().expect("an end");
            killed += usize::from(!ended);
            let there: Vec<PathBuf> =
                names(&films).iter().map(|name| films.join(name)).filter(|path| path.is_file()).collect();
            for name in ["a", "b", "c.mp4", "d"] {
                let of_film = |path: &&PathBuf| {
                    let file = path.file_name().expect("a name").to_string_lossy().into_owned();
                    file.starts_with(&format!("{name}.")) && file.ends_with(".mkv")
                };
                let survives = there.iter().filter(of_film).any(|path| {
                    let Ok(bytes) = std::fs::read(path) else { return false };
                    if known.contains(&bytes) {
                        return true;
                    }
                    let decodes = pictures(path) == Some(frames);
                    known.extend(decodes.then_some(bytes));
                    decodes
                });
                assert!(survives, "{name} after {killed} kills: {there:?}");
            }
            if ended {
                break;
            }
        }
        for name in ["a.mkv", "b.mkv", "c.mp4.mkv", "d.mkv"] {
            let codec = ffprobe(&films.join(name), &["-show_streams"])["streams"][0]["codec_name"].clone();
            assert_eq!(codec, "av1", "{name}");
        }
        std::fs::remove_dir_all(&films).expect("a removal");
    }
    println!("no film was lost in {killed} kills");
}

#[test]
fn no_film_is_lost_when_a_batch_that_replaces_them_is_killed() {
    killed_batch(12);
}

#[test]
#[ignore = "takes minutes: make test-long"]
fn no_film_is_lost_in_five_hundred_kills() {
    killed_batch(500);
}
