//! What goes wrong is said clearly, with the right exit code, and leaves nothing half done.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{array, drapto, encode, fixture, media, names, said, scratch};

/// Encodes and expects failure: exit code, and words in the message.
fn refused(input: &Path, output: &Path, more: &[&str], code: i32, words: &str) {
    let folder = if output.is_dir() { Some(output) } else { output.parent().filter(|f| f.is_dir()) };
    let before = folder.map(names);
    let out =
        drapto().args(["encode", "--preset", "10"]).args(more).args([input, output]).output().expect("drapto runs");
    let text = said(&out);
    assert_eq!(out.status.code(), Some(code), "{}: {text}", input.display());
    assert!(text.contains(words), "{}: {text:?} does not say {words:?}", input.display());
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(folder.map(names), before, "nothing is left behind by {}", input.display());
}

#[test]
fn every_stage_is_timed_alone_also_of_an_odd_picture() {
    let Some(clip) = fixture("odd") else { return };
    let out = drapto()
        .args(["bench", "--json", "--alone", "--frames", "12", "--preset", "12"])
        .arg(&clip)
        .output()
        .expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    let report: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let stages = report["stages"].as_array().expect("stages");
    let all = ["demux", "decode", "convert", "encode", "check", "vmaf", "mux"];
    assert_eq!(stages.iter().map(|s| s["name"].as_str().expect("a name")).collect::<Vec<_>>(), all);
    assert!(stages.iter().all(|s| s["fps"].as_f64() > Some(0.0)), "{report}");
}

#[test]
fn unreadable_and_unsupported_inputs_exit_with_3_and_a_reason() {
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    refused(Path::new("no/such/film.mkv"), &output, &[], 3, "cannot open the input");
    refused(folder.path(), &output, &[], 3, "there are no films in it");
    let cases = [
        ("empty", "the file is empty"),
        ("text", "not a media file"),
        ("headeronly", ""),
        ("novideo", "no video stream"),
        ("oversize", "20000x64"),
        ("ruined", "10 packets cannot be decoded"),
        ("truncated", "missing at its end"),
    ];
    for (name, words) in cases {
        let Some(clip) = fixture(name) else { return };
        // At a fixed CRF: the chunks of a film that has a target are kept for a run that accepts its damage.
        refused(&clip, &output, &["--crf", "35"], 3, words);
    }
}

#[test]
fn wrong_usage_exits_with_2_and_names_what_is_wrong() {
    let Some(clip) = fixture("oneframe") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    refused(&clip, &output, &["--crf", "99"], 2, "CRF 99");
    refused(&clip, &output, &["--preset", "14"], 2, "preset 14");
    refused(&clip, &output, &["--svt", "no-such-parameter=1"], 2, "no-such-parameter");
    refused(&clip, &output, &["--svt", "film-grain=9999"], 2, "film-grain");
    refused(&clip, &output, &["--svt", "film-grain"], 2, "name=value");
    refused(&clip, &output, &["--config", "no-such-file.toml"], 2, "no-such-file.toml");
    refused(&clip, &folder.path().join("no/out.mkv"), &[], 2, "folder does not exist");
    refused(&clip, folder.path(), &[], 2, "is a folder");
    std::fs::write(&output, b"precious").expect("a file");
    refused(&clip, &output, &[], 2, "--overwrite");
    assert_eq!(std::fs::read(&output).expect("a file"), b"precious");
    let copy = folder.path().join("in.mkv");
    std::fs::copy(&clip, &copy).expect("a copy");
    refused(&copy, &copy, &["--overwrite"], 2, "the output is the input");
    assert_eq!(std::fs::read(&copy).expect("the input"), std::fs::read(&clip).expect("the clip"));
}

#[test]
fn damage_is_counted_and_told_and_too_much_of_it_needs_consent() {
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let Some(clip) = fixture("damaged") else { return };
    let report = encode(&clip, &output, &[]);
    assert_eq!(report["decode"]["damaged_packets"], 1);
    assert!(report["warnings"].to_string().contains("1 packets cannot be decoded"), "{}", report["warnings"]);
    assert_eq!(report["output"]["frames"], 199);
    let Some(clip) = fixture("ruined") else { return };
    let report = encode(&clip, &output, &["--accept-damage"]);
    assert_eq!(
        (report["decode"]["damaged_packets"].as_u64(), report["output"]["frames"].as_u64()),
        (Some(10), Some(190))
    );
    let Some(clip) = fixture("truncated") else { return };
    let report = encode(&clip, &output, &["--accept-damage"]);
    assert_eq!(report["output"]["frames"], 123);
}

#[test]
fn chunks_of_a_film_that_is_too_damaged_are_kept_for_a_run_that_accepts_it() {
    let Some(clip) = fixture("ruined") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let run = |more: &[&str]| {
        let target = ["encode", "--preset", "12", "--target-vmaf", "80", "--chunk-size", "2", "--events", "ndjson"];
        drapto().args(target).args(more).args([&clip, &output]).output().expect("drapto runs")
    };
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("--accept-damage"), "{}", said(&refused));
    assert!(!output.exists());
    let accepted = run(&["--accept-damage"]);
    assert!(accepted.status.success(), "{}", said(&accepted));
    let events = String::from_utf8_lossy(&accepted.stdout);
    assert!(events.contains("\"event\":\"resumed\""), "{events}");
    assert!(output.exists());
    assert_eq!(names(folder.path()), ["out.mkv"], "the chunks go when the film is whole");
}

#[test]
fn an_audio_track_without_sound_is_kept_and_named() {
    let Some(clip) = fixture("noaudioframes") else { return };
    let folder = scratch();
    let report = encode(&clip, &folder.path().join("out.mkv"), &[]);
    assert!(report["warnings"].to_string().contains("no sound in it"), "{}", report["warnings"]);
    let Some(clip) = fixture("noaudio") else { return };
    encode(&clip, &folder.path().join("out.mkv"), &[]);
}

#[test]
fn no_clip_however_hostile_makes_the_program_crash() {
    let Some(folder) = media().map(|m| m.join("hostile")) else { return };
    let out_folder = scratch();
    let output = out_folder.path().join("out.mkv");
    for name in names(&folder) {
        let out = drapto()
            .args(["encode", "--preset", "10", "--overwrite", "--accept-damage"])
            .args([&folder.join(&name), &output])
            .output()
            .expect("drapto runs");
        let text = said(&out);
        // A code at all: a crash is a signal and has none.
        assert!(matches!(out.status.code(), Some(0 | 3)), "{name}: {:?} {text}", out.status);
        assert!(!text.contains("panicked") && !text.contains("internal error"), "{name}: {text}");
        assert!(names(out_folder.path()).iter().all(|n| n == "out.mkv"), "{name}: {:?}", names(out_folder.path()));
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_that_leaves_nothing() {
    let Some(clip) = fixture("sample") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    // A file size limit stands in for a full disk: writes fail with an error, as they do there.
    let script = r#"trap '' XFSZ; ulimit -f 64; exec "$0" encode --preset 13 --temp-dir "$3" "$1" "$2""#;
    let out = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_drapto")])
        .args([&clip, &output, folder.path()])
        .output()
        .expect("bash runs");
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("out."), "{}", said(&out));
    // Chunks that were finished stay, for a run with more room.
    let left = |n: &String| n.ends_with(".log") || n.starts_with(".out.drapto-");
    assert!(names(folder.path()).iter().all(left), "{:?}", names(folder.path()));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_stops_within_5_s_with_130_and_leaves_nothing() {
    let Some(clip) = fixture("sample") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    for signal in ["INT", "TERM"] {
        let mut run = drapto()
            .args(["encode", "--preset", "2"])
            .args([&clip, &output])
            .stderr(Stdio::piped())
            .spawn()
            .expect("drapto runs");
        let part = folder.path().join(".out.mkv.part");
        let begun = Instant::now();
        while !part.exists() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(500));
        let asked = Instant::now();
        let kill = Command::new("kill").args([format!("-{signal}"), run.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let status = run.wait().expect("an exit");
        assert_eq!(status.code(), Some(130), "SIG{signal}");
        assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let Some(clip) = fixture("everything") else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let out = drapto().args(["encode", "--dry-run"]).args([&clip, &output]).output().expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    let plan: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let actions: Vec<_> = plan.as_array().expect("a list").iter().map(|d| d["action"].as_str().unwrap_or("")).collect();
    assert_eq!(actions.iter().filter(|a| **a == "encoded").count(), 3);
    assert!(!actions.contains(&"dropped") && names(folder.path()).is_empty());
}

#[test]
fn events_are_json_lines_that_end_with_the_result() {
    let Some(clip) = fixture("noaudio") else { return };
    let folder = scratch();
    let out = drapto()
        .args(["encode", "--preset", "10", "--events", "ndjson"])
        .args([&clip, &folder.path().join("out.mkv")])
        .output()
        .expect("drapto runs");
    let text = String::from_utf8(out.stdout).expect("text");
    let events: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).expect("a JSON line")).collect();
    assert_eq!(events.first().map(|e| e["event"].clone()), Some("started".into()));
    assert_eq!(events.last().map(|e| e["event"].clone()), Some("finished".into()));
    assert!(events.iter().any(|e| e["event"] == "progress" && e["frames"] == 48));
}

#[test]
fn a_settings_file_is_used_and_flags_go_before_it() {
    let Some(clip) = fixture("noaudio") else { return };
    let folder = scratch();
    let file = folder.path().join("drapto.toml");
    std::fs::write(&file, "crf = 40\naudio = \"copy\"\n").expect("a file");
    let file = file.to_str().expect("a path");
    let output = folder.path().join("out.mkv");
    assert_eq!(encode(&clip, &output, &["--config", file])["quality"]["crf"], 40.0);
    assert_eq!(encode(&clip, &output, &["--config", file, "--crf", "30"])["quality"]["crf"], 30.0);
    std::fs::write(folder.path().join("bad.toml"), "speed = 1\n").expect("a file");
    let bad = drapto().args(["config", "check"]).arg(folder.path().join("bad.toml")).output().expect("drapto runs");
    assert_eq!(bad.status.code(), Some(2), "{}", said(&bad));
    assert!(said(&bad).contains("speed"));
    let shown = drapto().args(["config", "show", "--config", file]).output().expect("drapto runs");
    let shown = String::from_utf8(shown.stdout).expect("text");
    assert!(shown.lines().any(|l| l.starts_with("crf") && l.contains("40") && l.ends_with("file")), "{shown}");
}

#[test]
fn settings_come_from_system_user_file_environment_and_flags_the_later_before_the_earlier() {
    let folder = scratch();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name).join("drapto/config.toml");
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(&file, text).expect("a file");
        file
    };
    let all = [
        ("encoding", "preset"),
        ("audio", "mode"),
        ("crop", "mode"),
        ("processing", "chunk_size"),
        ("encoding", "vmaf_tolerance"),
    ];
    let values = |n: usize| {
        let of = ["preset = 1", "audio = \"copy\"", "crop = \"off\"", "chunk_size = 3", "vmaf_tolerance = 2"];
        of[n..].join("\n")
    };
    write("system", &values(0));
    write("user", &values(1));
    let named = write("named", &values(2));
    let shown = |more: &[&str]| {
        let mut command = drapto();
        command.env("XDG_CONFIG_DIRS", folder.path().join("system"));
        command.env("XDG_CONFIG_HOME", folder.path().join("user")).env("DRAPTO_CHUNK_SIZE", "4");
        command.args(["config", "show", "--config"]).arg(&named).args(["--vmaf-tolerance", "0.9"]).args(more);
        command.output().expect("drapto runs")
    };
    let out = shown(&[]);
    assert!(out.status.success(), "{}", said(&out));
    let text = String::from_utf8(out.stdout).expect("text");
    for ((section, key), origin) in all.iter().zip(["system", "user", "file", "environment", "flag"]) {
        let within =
            text.lines().skip_while(|l| *l != format!("[{section}]")).skip(1).take_while(|l| !l.starts_with('['));
        let line = within.into_iter().find(|l| l.split_whitespace().next() == Some(key)).expect("a line of the key");
        assert!(line.ends_with(origin), "{line}");
    }
    for (origin, name) in [("system", "system/drapto"), ("user", "user/drapto"), ("file", "named/drapto")] {
        assert!(text.lines().any(|l| l.starts_with(origin) && l.contains(name)), "{origin}: {text}");
    }
    // A report does not go where settings came from.
    let user = folder.path().join("user/drapto/config.toml");
    let mut command = drapto();
    command.env("XDG_CONFIG_HOME", folder.path().join("user")).args(["encode", "in.mkv", "--report"]).arg(&user);
    let out = command.output().expect("drapto runs");
    assert!(out.status.code() == Some(2) && said(&out).contains("settings file"), "{}", said(&out));
    assert_eq!(std::fs::read_to_string(&user).expect("the file"), values(1));
    // What is wrong in the user's file is told with its name and line, all of it at once.
    write("user", "audio = \"opus\"\npreset = 99\nvmaf_tolerence = 1\n");
    let out = shown(&[]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    let told = said(&out);
    for part in ["user/drapto/config.toml", "2 settings", "line 2: preset", "0 to 13", "did you mean vmaf_tolerance?"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // A file that is there and cannot be read is no file that is missing.
    std::fs::remove_file(&user).expect("a file");
    std::fs::create_dir(&user).expect("a folder");
    let out = shown(&[]);
    assert!(out.status.code() == Some(2) && said(&out).contains("cannot read the settings"), "{}", said(&out));
}

#[test]
fn the_report_has_the_names_of_the_contract() {
    let Some(clip) = fixture("sample") else { return };
    let folder = scratch();
    let report = encode(&clip, &folder.path().join("out.mkv"), &[]);
    for key in ["path", "bytes", "duration_s", "frames"] {
        assert!(!report["output"][key].is_null() && !report["input"][key].is_null(), "{key}");
    }
    for key in ["width", "height", "bit_depth", "crop", "color", "hdr", "codec"] {
        assert!(report["video"].get(key).is_some(), "video.{key}");
    }
    for key in ["mode", "target", "mean", "harmonic_mean", "p5", "min", "stride", "model"] {
        assert!(report["quality"].get(key).is_some(), "quality.{key}");
    }
    for key in ["index", "start_pts", "frames", "crf", "attempts", "bytes", "vmaf", "ceiling"] {
        assert!(report["chunks"][0].get(key).is_some(), "chunks.{key}");
    }
    for key in ["name", "items", "busy_s", "blocked_in_s", "blocked_out_s", "queue_high_water"] {
        assert!(report["stages"][0].get(key).is_some(), "stages.{key}");
    }
    for key in ["index", "kind", "codec", "action", "reason"] {
        assert!(array(&report, "streams").iter().all(|s| s.get(key).is_some()), "streams.{key}");
    }
    for key in ["reduction_percent", "peak_memory_bytes", "wall_s", "encode_fps", "versions"] {
        assert!(!report[key].is_null(), "{key}");
    }
    assert_eq!(report["chunks"][0]["frames"], 240);
}
