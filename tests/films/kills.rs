//! A job that is killed at every event its journal knows, and goes on: the same decisions, the same bytes.
//!
//! Of the longer one `make test` takes some events, `make test-long` all.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::*;

/// The sample, made small; `filter` says what of it.
fn small(folder: &Path, filter: &str) -> Option<PathBuf> {
    let sample = fixture("sample")?;
    let clip = folder.join("small.mkv");
    let (from, to) = (sample.to_str().expect("a path"), clip.to_str().expect("a path"));
    let args = ["-stream_loop", "1", "-i", from, "-map", "0:v", "-vf", filter, "-c:v", "mpeg4", "-q:v", "3", to];
    ffmpeg(&args.map(std::ffi::OsStr::new));
    Some(clip)
}

/// The journal below a temporary folder, once it is there.
fn journal(jobs: &Path) -> Option<PathBuf> {
    let job = names(jobs).into_iter().find(|n| n.starts_with(".out.drapto-"))?;
    Some(jobs.join(job).join("encode_data/progress.json")).filter(|path| path.is_file())
}

/// Its whole lines.
fn lines(jobs: &Path) -> Vec<String> {
    let text = journal(jobs).map_or(String::new(), |path| std::fs::read_to_string(path).expect("a journal"));
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect()
}

/// What the journal says of decisions, in an order that does not depend on workers. How far an encoder was when its try
/// was stopped does.
fn decisions(jobs: &Path) -> Vec<String> {
    let forget = |tried: &mut Value| {
        if tried["whole"] == false {
            (tried["frames"], tried["bytes"]) = (Value::Null, Value::Null);
        }
    };
    let decision = |line: String| {
        let mut record: Value = serde_json::from_str(line.split_once(' ').expect("a checksum").1).expect("JSON");
        forget(&mut record["tried"]);
        record["tries"].as_array_mut().into_iter().flatten().for_each(forget);
        record.to_string()
    };
    let mut all: Vec<String> = lines(jobs).into_iter().map(decision).collect();
    all.sort();
    all
}

/// Runs the job, kills it when its journal has each number of lines (every `step`th of them), and lets it go on; what the
/// journal says at the end.
fn kill_at_lines(clip: &Path, folder: &Path, settings: &[&str], step: usize) -> Vec<String> {
    let output = folder.join("out.mkv");
    let run = |jobs: &Path, workers: usize| {
        std::fs::create_dir_all(jobs).expect("a folder");
        let mut run = drapto();
        run.args(["encode", "--quiet", "--reencode", "--keep-temp", "--workers", &workers.to_string(), "--temp-dir"]);
        run.arg(jobs).args(settings).args([clip, &output]).stdout(Stdio::null()).stderr(Stdio::piped());
        run.spawn().expect("drapto runs")
    };
    let finish = |jobs: &Path, workers: usize| {
        let out = run(jobs, workers).wait_with_output().expect("an exit");
        assert!(out.status.success(), "{}", said(&out));
        let bytes = std::fs::read(&output).expect("the output");
        std::fs::remove_file(&output).expect("removed");
        bytes
    };
    let calm = folder.join("calm");
    let expected = finish(&calm, 1);
    let (expected_decisions, all) = (decisions(&calm), lines(&calm).len());
    // From the end, so that the last is among them.
    for at in (0..all).rev().step_by(step) {
        let jobs = folder.join(format!("killed-{at}"));
        let mut killed = run(&jobs, 1 + at % 3);
        let begun = Instant::now();
        while journal(&jobs).is_none() || lines(&jobs).len() < at {
            assert!(begun.elapsed() < Duration::from_secs(600), "no line {at}");
            std::thread::sleep(Duration::from_millis(1));
        }
        killed.kill().expect("SIGKILL");
        killed.wait().expect("an exit");
        let _ = std::fs::remove_file(&output);
        // It may have come a line further before the signal did.
        let path = journal(&jobs).expect("a journal");
        std::fs::write(&path, lines(&jobs)[..at].concat()).expect("written");
        assert!(finish(&jobs, 1 + (at + 1) % 3) == expected, "the same bytes, killed at line {at}");
        assert_eq!(decisions(&jobs), expected_decisions, "killed at line {at}");
    }
    println!("killed at each of {all} lines, by {step}");
    expected_decisions
}

#[cfg(unix)]
#[test]
fn chunks_that_are_searched_by_scores_of_earlier_tries_end_the_same_after_a_kill() {
    searched_chunks(5);
}

#[cfg(unix)]
#[test]
#[ignore = "takes up to ten minutes; make test-long runs it"]
fn chunks_that_are_searched_by_scores_of_earlier_tries_end_the_same_after_a_kill_at_any_event() {
    searched_chunks(1);
}

fn searched_chunks(step: usize) {
    let folder = scratch();
    let Some(clip) = small(folder.path(), "scale=320:180") else { return };
    let settings = ["--target-vmaf", "93", "--preset", "12", "--chunk-size", "10"];
    let decisions = kill_at_lines(&clip, folder.path(), &settings, step);
    let tries = decisions.iter().filter(|line| line.contains("\"of\":\"try\"")).count();
    assert!(tries >= 4, "a chunk is tried more than once: {tries}");
}

/// Frames and chunks that came by in the decode pass of a run that goes on from `jobs`.
fn came_by(clip: &Path, jobs: &Path, settings: &[&str]) -> u64 {
    let (output, report) = (jobs.join("out.mkv"), jobs.join("report.json"));
    let mut run = drapto();
    run.args(["encode", "--quiet", "--reencode", "--keep-temp", "--workers", "1", "--temp-dir"]).arg(jobs);
    run.args(settings).arg("--report").args([&report, clip, &output]);
    let out = run.output().expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    std::fs::remove_file(&output).expect("removed");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("JSON");
    let stages = report["stages"].as_array().expect("stages");
    stages.iter().find(|s| s["name"] == "feed").expect("a feed")["items"].as_u64().expect("a count")
}

#[test]
fn a_run_that_goes_on_decodes_no_frame_of_a_chunk_that_is_finished() {
    let folder = scratch();
    let Some(clip) = small(folder.path(), "scale=320:180") else { return };
    let settings = ["--target-vmaf", "90", "--preset", "12", "--chunk-size", "3"];
    let jobs = folder.path().join("jobs");
    std::fs::create_dir(&jobs).expect("a folder");
    let frames = came_by(&clip, &jobs, &settings);
    let all = lines(&jobs);
    let of = |kind: &str| {
        let kind = format!("\"record\":\"{kind}\"");
        all.iter().enumerate().filter(move |(_, line)| line.contains(&kind)).collect::<Vec<_>>()
    };
    let (planned, kept) = (of("planned"), of("chunk"));
    assert!(planned.len() >= 3 && planned.len() == kept.len(), "{} chunks", planned.len());
    assert_eq!(came_by(&clip, &jobs, &settings), planned.len() as u64, "all are finished: they alone come by");

    // Killed before the chunk that was finished last was.
    let (at, last) = kept[kept.len() - 1];
    std::fs::write(journal(&jobs).expect("a journal"), all[..at].concat()).expect("written");
    let record: Value = serde_json::from_str(last.split_once(' ').expect("a checksum").1).expect("JSON");
    let of_it = record["frames"].as_u64().expect("frames");
    assert!(of_it < frames / 2, "{of_it} of {frames}");
    assert_eq!(came_by(&clip, &jobs, &settings), planned.len() as u64 + of_it);
}

/// A library that lets the SVT-AV1 that is linked stand still for good at its 40th picture; `None` where nothing can be put
/// before it.
#[cfg(target_os = "linux")]
fn hanging_encoder(folder: &Path) -> Option<PathBuf> {
    let linked = Command::new("ldd").arg(env!("CARGO_BIN_EXE_drapto")).output().ok()?;
    if !String::from_utf8_lossy(&linked.stdout).contains("libSvtAv1Enc") {
        println!("skipped: SVT-AV1 is part of the program");
        return None;
    }
    let (source, library) = (folder.join("hang.c"), folder.join("hang.so"));
    let text = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
int svt_av1_enc_send_picture(void *component, void *buffer) {
    static int sent;
    static int (*send)(void *, void *);
    if (!send) send = (int (*)(void *, void *))dlsym(RTLD_NEXT, "svt_av1_enc_send_picture");
    while (++sent == 40) for (;;) pause();
    return send(component, buffer);
}
"#;
    std::fs::write(&source, text).expect("written");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").status();
    assert!(made.expect("a C compiler, which the build needs").success());
    Some(library)
}

#[cfg(target_os = "linux")]
#[test]
fn an_encoder_that_stands_still_for_good_is_left_behind_and_the_film_is_the_same() {
    let folder = scratch();
    let (Some(clip), Some(hang)) = (small(folder.path(), "scale=192:108"), hanging_encoder(folder.path())) else {
        return;
    };
    let encode = |name: &str, preload: Option<&Path>| {
        let output = folder.path().join(name);
        let mut run = drapto();
        run.args(["encode", "--target-vmaf", "90", "--preset", "12", "--chunk-size", "3", "--workers", "2"]);
        run.args(["--stall-timeout", "4"]).args([&clip, &output]);
        run.envs(preload.map(|library| ("LD_PRELOAD", library)));
        let out = run.output().expect("drapto runs");
        assert!(out.status.success(), "{}", said(&out));
        (std::fs::read(output).expect("a film"), said(&out))
    };
    let (film, _) = encode("calm.mkv", None);
    let (same, said) = encode("hung.mkv", Some(&hang));
    assert!(said.contains("no progress for 4 s in encode"), "{said}");
    assert!(same == film, "the same bytes");
}

#[cfg(unix)]
#[test]
fn a_title_that_is_probed_and_calibrated_ends_the_same_after_a_kill_at_any_event() {
    titles("title-crf");
}

#[cfg(unix)]
#[test]
fn a_title_whose_chunks_have_crfs_of_their_own_ends_the_same_after_a_kill_at_any_event() {
    titles("title");
}

#[cfg(unix)]
fn titles(per: &str) {
    let folder = scratch();
    let Some(clip) = small(folder.path(), "select='not(mod(n,5))',setpts=N/24/TB,scale=192:108") else { return };
    let settings = ["--target-vmaf", "92", "--preset", "7", "--chunk-size", "2", "--per", per];
    let decisions = kill_at_lines(&clip, folder.path(), &settings, 1);
    let probes = decisions.iter().filter(|line| line.contains("\"of\":\"probe\"")).count();
    let titles = decisions.iter().filter(|line| line.contains("\"of\":\"title\"")).count();
    assert!(probes >= 2 && titles == 1, "{probes} probes, {titles} titles");
}
