//! Which SVT-AV1 scripts/setup comes to, on machines that are told apart by programs of these tests.
//!
//! The script runs from a copy of its own, so that no test touches this build's library; package managers fail, so that
//! none installs anything; pkg-config, pip, uname and getconf say what the test wants.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LIBRARY: &str = "libSvtAv1Enc-0123abcd.so.4.2.0";
const PREFIX: &str = "target/svt-av1-4.2.0";

/// What a run said, in both streams, and how it ended.
struct Said {
    text: String,
    code: Option<i32>,
}

/// A machine with every package, glibc on x86-64, pip that knows the wheel and SVT-AV1 2.3.0.
struct Machine {
    folder: tempfile::TempDir,
    which: Option<&'static str>,
}

impl Machine {
    fn new() -> Machine {
        let machine = Machine { folder: tempfile::tempdir().unwrap(), which: None };
        for kept in
            ["Cargo.toml", "scripts/setup", "sys/svt-av1-sys/LICENSE-SVT-AV1", "sys/svt-av1-sys/bindings/4.2.0.rs"]
        {
            let to = machine.at(kept);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(Path::new(ROOT).join(kept), to).unwrap();
        }
        std::fs::create_dir(machine.at("bin")).unwrap();
        for manager in ["apt-get", "dnf", "pacman", "brew", "sudo"] {
            machine.program(manager, "echo 'not in tests' >&2; exit 1");
        }
        machine.program("uname", r#"case $* in -m) echo x86_64 ;; *) echo Linux ;; esac"#);
        machine.program("getconf", "echo glibc 2.36");
        machine.program("rustc", "echo 'rustc 1.999.0 (abc 2026-01-01)'");
        machine.program("cargo", "");
        machine.svt("2.3.0");
        machine.pip(r#"mkdir -p "$to" && cp "$here/../av.whl" "$to/av-19.0.2-cp312-abi3-manylinux_2_28_x86_64.whl""#);
        machine.make_wheel();
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Puts a program before all others.
    fn program(&self, name: &str, body: &str) {
        let path = self.at("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\nhere=$(dirname \"$0\")\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// pkg-config finds SVT-AV1 of this version, and every other library as new as is asked for.
    fn svt(&self, version: &str) {
        let body = r#"case "$*" in
    --modversion\ SvtAv1Enc) echo VERSION ;;
    --modversion*) echo 60.0.0 ;;
    --exists\ SvtAv1Enc*) printf '%s\n' "${2##* }" VERSION | sort -V -C ;;
esac"#;
        self.program("pkg-config", &body.replace("VERSION", version));
    }

    /// `python3 -m pip download` does `body`, with `$to` as the folder it is to write to; it leaves a note that it ran.
    fn pip(&self, body: &str) {
        let real = Command::new("sh").args(["-c", "command -v python3"]).output().unwrap();
        let real = String::from_utf8(real.stdout).unwrap();
        let head = r#"[ "$1 $2" = '-m pip' ] || exec REAL "$@"
[ "$3" != --version ] || exit 0
touch "$here/../asked"
while [ "$1" != -d ]; do shift; done
to=$2
"#;
        self.program("python3", &(head.replace("REAL", real.trim()) + body));
    }

    /// A wheel with a library in it; the script's copy expects its hash.
    fn make_wheel(&self) {
        let make = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z:\n    \
                    z.writestr('av.libs/' + sys.argv[2], b'library')\n    z.writestr('av/__init__.py', b'')\n";
        let wheel = self.at("av.whl");
        let made = Command::new("python3").args(["-c", make]).arg(&wheel).arg(LIBRARY).status().unwrap();
        assert!(made.success());
        let sum = Command::new("sha256sum").arg(&wheel).output().unwrap().stdout;
        let sum = String::from_utf8(sum).unwrap();
        let script = std::fs::read_to_string(self.at("scripts/setup")).unwrap();
        let (before, rest) = script.split_once("x86_64) wheel_sha256=").unwrap();
        let script = format!("{before}x86_64) wheel_sha256={}{}", &sum[..64], &rest[64..]);
        std::fs::write(self.at("scripts/setup"), script).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let path = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(self.at("scripts/setup"));
        command.args(arguments).env("PATH", path).env_remove("SVT_AV1_DIR").env_remove("DRAPTO_SVT");
        if let Some(which) = self.which {
            command.env("DRAPTO_SVT", which);
        }
        command
    }

    fn setup(&self, arguments: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        Said { text: text.into_owned(), code: status.code() }
    }

    fn asked_pip(&self) -> bool {
        self.at("asked").exists()
    }

    /// What lies in `target`.
    fn left(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.at("target")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// The next choice was taken, and `why` was said, in one line.
#[track_caller]
fn expect_next_choice(machine: &Machine, why: &str) {
    let said = machine.setup(&[]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    let line = said.text.lines().find(|line| line.contains("no SVT-AV1 4.2.0 from the wheel av 19.0.2: "));
    let line = line.unwrap_or_else(|| panic!("{}", said.text));
    assert!(line.contains(why) && line.contains("; taking "), "{line}");
    assert!(said.text.contains("all there (SVT-AV1 2.3.0, "), "{}", said.text);
    assert_eq!(machine.left(), Vec::<String>::new());
}

#[test]
fn the_wheel_is_taken_where_the_systems_is_older_than_4_and_a_second_run_asks_nobody() {
    let machine = Machine::new();
    let said = machine.setup(&[]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("all there (SVT-AV1 4.2.0 from the wheel av 19.0.2, "), "{}", said.text);
    assert_eq!(machine.left(), ["svt-av1-4.2.0"]);
    let prefix = machine.at(PREFIX);
    assert_eq!(std::fs::read(prefix.join("lib").join(LIBRARY)).unwrap(), b"library");
    assert_eq!(std::fs::read_link(prefix.join("lib/libSvtAv1Enc.so")).unwrap(), Path::new(LIBRARY));
    assert_eq!(std::fs::read_to_string(prefix.join("wheel")).unwrap(), "av 19.0.2 x86_64\n");
    let licence = std::fs::read_to_string(prefix.join("LICENSE-SVT-AV1")).unwrap();
    assert!(licence.contains("BSD-3-Clause-Clear") && licence.contains("Alliance for Open Media Patent License 1.0"));
    let pc = std::fs::read_to_string(prefix.join("lib/pkgconfig/SvtAv1Enc.pc")).unwrap();
    assert!(pc.contains("\nVersion: 4.2.0\n") && pc.contains("prefix=${pcfiledir}/../..\n"), "{pc}");

    std::fs::remove_file(machine.at("asked")).unwrap();
    let said = machine.setup(&[]);
    assert_eq!((said.code, said.text.lines().count()), (Some(0), 1), "{}", said.text);
    assert!(said.text.contains("SVT-AV1 4.2.0 from the wheel"), "{}", said.text);
    assert_eq!(machine.setup(&["--check"]).code, Some(0));
    assert!(!machine.asked_pip());

    // What lost its library is had again.
    std::fs::remove_file(prefix.join("lib").join(LIBRARY)).unwrap();
    assert_eq!(machine.setup(&["--check"]).code, Some(1));
    assert_eq!(machine.setup(&[]).code, Some(0));
    assert_eq!(std::fs::read(prefix.join("lib").join(LIBRARY)).unwrap(), b"library");
}

#[test]
fn without_network_the_next_choice_is_taken_and_said() {
    let machine = Machine::new();
    machine
        .pip("echo 'WARNING: Retrying' >&2; echo 'ERROR: No matching distribution found for av==19.0.2' >&2; exit 1");
    expect_next_choice(&machine, "pip says: ERROR: No matching distribution");
    // A pip that dies without a word.
    machine.pip("exit 2");
    expect_next_choice(&machine, "pip says: nothing");
}

#[test]
fn a_wheel_of_another_hash_is_not_used() {
    let machine = Machine::new();
    machine.pip(r#"mkdir -p "$to" && { cat "$here/../av.whl"; echo; } >"$to/av-19.0.2-x86_64.whl""#);
    expect_next_choice(&machine, "av-19.0.2-x86_64.whl is not the file that was expected");
}

#[test]
fn without_pip_the_next_choice_is_taken_and_said() {
    let machine = Machine::new();
    machine.program("python3", "exit 1");
    expect_next_choice(&machine, "python3 has no pip");
}

#[test]
fn musl_and_unknown_processors_take_the_next_choice() {
    let machine = Machine::new();
    machine.program("getconf", "echo 'getconf: GNU_LIBC_VERSION: unknown variable' >&2; exit 1");
    expect_next_choice(&machine, "glibc");
    let machine = Machine::new();
    machine.program("uname", r#"case $* in -m) echo riscv64 ;; *) echo Linux ;; esac"#);
    expect_next_choice(&machine, "riscv64");
    assert!(!machine.asked_pip());
}

#[test]
fn nothing_stands_in_for_a_wheel_that_was_asked_for_by_name() {
    let mut machine = Machine::new();
    machine.which = Some("wheel");
    machine.pip("echo 'ERROR: no network' >&2; exit 1");
    let said = machine.setup(&[]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.text.contains("ERROR: no network") && !said.text.contains("taking"), "{}", said.text);
    machine.which = Some("fastest");
    let said = machine.setup(&[]);
    assert_eq!(said.code, Some(2), "{}", said.text);
    assert!(said.text.contains("DRAPTO_SVT is 'fastest'"), "{}", said.text);
}

#[test]
fn a_systems_4_and_what_is_named_go_before_the_wheel() {
    let mut machine = Machine::new();
    machine.svt("4.0.1");
    assert!(machine.setup(&[]).text.contains("all there (SVT-AV1 4.0.1, "));
    machine.svt("2.3.0");
    machine.which = Some("trixie");
    assert!(machine.setup(&[]).text.contains("all there (SVT-AV1 2.3.0, "));
    machine.svt("1.4.1");
    for which in ["system", "distribution"] {
        machine.which = Some(which);
        let said = machine.setup(&[]);
        assert!(said.text.contains("all there (SVT-AV1 1.4.1, "), "{}", said.text);
    }
    assert!(!machine.asked_pip());
    // What nobody named is the newest.
    machine.which = Some("newest");
    let said = machine.setup(&[]);
    assert!(said.text.contains("all there (SVT-AV1 4.2.0 from the wheel"), "{}", said.text);
}

#[test]
fn a_look_only_reports() {
    let machine = Machine::new();
    let said = machine.setup(&["--check"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.text.contains("missing: SVT-AV1 4.2.0, from the wheel av 19.0.2"), "{}", said.text);
    assert!(!machine.asked_pip());
    assert_eq!(machine.left(), Vec::<String>::new());
}

#[test]
fn a_setup_that_is_killed_leaves_no_half_a_library() {
    let machine = Machine::new();
    machine.pip(r#"mkdir -p "$to" && cp "$here/../av.whl" "$to/" && touch "$here/../halfway" && sleep 1"#);
    let mut child = machine.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !machine.at("halfway").exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "pip was not asked");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!machine.at(PREFIX).exists());
    let said = machine.setup(&[]);
    assert!(said.text.contains("all there (SVT-AV1 4.2.0 from the wheel"), "{}", said.text);
    assert!(machine.at(PREFIX).join("lib").join(LIBRARY).exists());
}
