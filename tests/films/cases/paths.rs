//! Further paths and names: what may be written, and where to.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use serde_json::Value;

use super::program::{desk_with, pictures};
use crate::support::*;

#[test]
fn no_path_that_is_written_may_be_one_that_is_read_however_it_is_spelled() {
    let Some((_folder, desk, film)) = desk_with("noaudio") else { return };
    let before =
        desk.bash("ln in.mp4 hard.json; ln -s in.mp4 soft.json; mkdir d; ln -s .. d/up; cp in.mp4 .out.mkv.part");
    assert!(before.status.success());
    std::fs::write(desk.at("set.toml"), "preset = 13\n").expect("a file");
    let before = desk.left();
    for arguments in [
        "--report hard.json in.mp4 out.mkv",
        "--report soft.json in.mp4 out.mkv",
        "--report d/up/in.mp4 in.mp4 out.mkv",
        "--report-html in.mp4 in.mp4 out.mkv",
        "--report r.json --report-html ./d/../r.json in.mp4 out.mkv",
        "--report d/up/new.mkv in.mp4 new.mkv",
        "--report set.toml --config set.toml in.mp4 out.mkv",
        "--overwrite in.mp4 soft.json",
        "--overwrite soft.json d/up/in.mp4",
        // What is written first is the source.
        ".out.mkv.part out.mkv",
        "--report .new.mkv.part in.mp4 new.mkv",
        "--report - --report-html - in.mp4 out.mkv",
        "--report - --events ndjson in.mp4 out.mkv",
        "in.mp4 -",
        "-",
    ] {
        let out = desk.bash(&format!("$E {arguments}"));
        assert_eq!(out.status.code(), Some(2), "{arguments}: {}", said(&out));
        assert!(!said(&out).contains("encoding"), "{arguments}: {}", said(&out));
        assert_eq!(desk.left(), before, "{arguments}");
        assert!(desk.is_whole(&film), "{arguments}");
    }
    assert_eq!(std::fs::read(desk.at(".out.mkv.part")).ok(), std::fs::read(&film).ok());
}

#[test]
fn folders_that_take_no_files_and_what_is_no_file_are_refused_before_the_encode() {
    let Some((_folder, desk, _)) = desk_with("noaudio") else { return };
    assert!(desk.bash("mkfifo p; mkdir d; echo x >f; ln -s nowhere/x.mkv to_nowhere").status.success());
    let socket = std::os::unix::net::UnixListener::bind(desk.at("s")).expect("a socket");
    let before = desk.left();
    for arguments in [
        "in.mp4 /proc/self/out.mkv",
        "--report /proc/self/r.json in.mp4 out.mkv",
        "--report d in.mp4 out.mkv",
        "--report f/r.json in.mp4 out.mkv",
        "--temp-dir f in.mp4 out.mkv",
        "--temp-dir /proc/x in.mp4 out.mkv",
        "--overwrite in.mp4 p",
        "--overwrite in.mp4 s",
        "--overwrite in.mp4 d",
        "--overwrite in.mp4 /dev/null",
        "--overwrite in.mp4 to_nowhere",
        "in.mp4 p",
    ] {
        let out = desk.bash(&format!("$E {arguments}"));
        assert_eq!(out.status.code(), Some(2), "{arguments}: {}", said(&out));
        assert_eq!(desk.left(), before, "{arguments}");
    }
    drop(socket);
}

#[test]
fn a_report_that_cannot_be_written_is_a_warning_and_follows() {
    let Some((_folder, desk, _)) = desk_with("noaudio") else { return };
    assert!(desk.bash("mkfifo p").status.success());
    for (arguments, name) in [
        ("--report /dev/full", "full.mkv"),
        ("--report p", "pipe.mkv"),
        ("--quiet --report-html /dev/full", "page.mkv"),
    ] {
        let out = desk.bash(&format!("$E {arguments} in.mp4 {name}"));
        let text = said(&out);
        assert!(out.status.success() && text.contains("cannot write the report"), "{arguments}: {text}");
        let json = &text[text.find("\n{").expect("the report") + 1..];
        let report: Value = serde_json::Deserializer::from_str(json).into_iter().next().expect("JSON").expect("JSON");
        assert_eq!(report["output"]["frames"], 48, "{arguments}");
        assert_eq!(pictures(&desk.at(name)), 48);
    }
    let is_pipe = desk.at("p").symlink_metadata().is_ok_and(|found| found.file_type().is_fifo());
    assert!(is_pipe, "the pipe stays one");
}

#[test]
fn reports_go_to_standard_output_pipes_and_devices_by_any_name() {
    let Some((_folder, desk, _)) = desk_with("noaudio") else { return };
    for (number, script) in [
        "$E --report - in.mp4 NAME",
        "$E --report /dev/stdout in.mp4 NAME",
        "$E --report /proc/self/fd/1 in.mp4 NAME",
        "mkfifo p; cat p & $E --report p in.mp4 NAME >&2; wait",
        "$E --report /dev/stdout in.mp4 NAME >r.json; cat r.json",
        "$E --report r2.json in.mp4 NAME >r2.json; cat r2.json",
        "ln -s /dev/null n; ln -s r4.json r3.json; $E --report r3.json --report-html n in.mp4 NAME >&2; cat r4.json",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{number}.mkv");
        let out = desk.bash(&script.replace("NAME", &name));
        assert!(out.status.success(), "{script}: {}", said(&out));
        let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{script}: {e}"));
        assert_eq!(report["output"]["frames"], 48, "{script}");
        assert_eq!(pictures(&desk.at(&name)), 48);
    }
    assert!(desk.at("r3.json").symlink_metadata().is_ok_and(|found| found.is_symlink()));
    assert!(Path::new("/dev/null").symlink_metadata().is_ok_and(|found| found.file_type().is_char_device()));
}

#[test]
fn names_that_are_no_unicode_work_for_every_file_of_a_search() {
    let Some((_folder, desk, _)) = desk_with("noaudio") else { return };
    let script = r"mkdir -p $'d\xff/t\xfd' e; mv in.mp4 $'d\xff/\xe9.mkv'
        $drapto encode --target-vmaf 80 --preset 13 --keep-temp --temp-dir $'d\xff/t\xfd' \
            --report $'d\xff/r\xe9.json' --report-html $'d\xff/h\xe9.html' \
            $'d\xff/\xe9.mkv' $'d\xff/o\xfe.mkv'
        $drapto verify $'d\xff/\xe9.mkv' $'d\xff/o\xfe.mkv' && $drapto probe --json $'d\xff/o\xfe.mkv' >/dev/null";
    let out = desk.bash(script);
    assert!(out.status.success(), "{}", said(&out));
    let folder = desk.at(OsStr::from_bytes(b"d\xff"));
    let report = std::fs::read(folder.join(OsStr::from_bytes(b"r\xe9.json"))).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["output"]["frames"], 48);
    assert!(report["settings"]["output"].as_str().is_some_and(|path| path.ends_with("o\u{fffd}.mkv")));
    assert_eq!(names(&folder).len(), 5, "{:?}", names(&folder));
    assert_eq!(names(&folder.join(OsStr::from_bytes(b"t\xfd"))).len(), 1, "the job");
    let out = desk.bash(
        "export DRAPTO_TEMP_DIR=$'d\\xff/t\\xfd'; $drapto encode --crf 50 --preset 13 $'d\\xff/\\xe9.mkv' e/o.mkv",
    );
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(names(&desk.at("e")), ["o.mkv"]);
}

#[test]
fn names_as_long_as_they_can_be_have_room_for_jobs_and_reports() {
    let Some((_folder, desk, _)) = desk_with("noaudio") else { return };
    let name = |end: &str| format!("{}{end}", "ü".repeat((255 - end.len()) / 2));
    let (film, output, report) = (name(".mp4"), name(".mkv"), name(".json"));
    let script =
        format!("mv in.mp4 {film}; $drapto encode --target-vmaf 80 --preset 13 --report {report} {film} {output}");
    let out = desk.bash(&script);
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(pictures(&desk.at(&output)), 48);
    // The default output's name would be longer than the input's.
    let out = desk.bash(&format!("$E {film}"));
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(desk.left().len(), 4, "{:?}", desk.left());
}
