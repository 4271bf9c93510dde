//! The import law of the house, read from the sources: no room imports upward or sideways, foreign crates and
//! unsafe code stay in their places, the library neither prints nor ends the process, files stay short.
//!
//! The table is `ROOMS` in `layers/rules.rs`. The tests after the first prove that each rule can fail.
#![deny(unsafe_code)]

#[path = "layers/house.rs"]
mod house;
#[path = "layers/lexer.rs"]
mod lexer;
#[path = "layers/paths.rs"]
mod paths;
#[path = "layers/rules.rs"]
mod rules;

use std::fs;
use std::path::Path;

use rules::check;

#[test]
fn the_house_keeps_its_laws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, Path::new("src"), &mut files);
    assert!(files.len() > 10, "only {} files under src/", files.len());
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let complaints = check(&files);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The process is its owner's: a library that sets its allocator, even for a moment, sets the host's.
#[test]
fn the_command_line_alone_sets_the_allocator() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, Path::new("src"), &mut files);
    let sets = |text: &str| text.contains("libc::mallopt");
    let outside: Vec<_> = files.iter().filter(|(p, t)| !p.starts_with("src/cli/") && sets(t)).map(|(p, _)| p).collect();
    assert!(outside.is_empty(), "{outside:?}");
    assert!(files.iter().any(|(_, text)| sets(text)), "the rule finds something at all");
}

fn collect(root: &Path, folder: &Path, out: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(root.join(folder)).unwrap().map(|e| e.unwrap()).collect();
    entries.sort_by_key(|e| e.file_name());
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(root.join(&path)).unwrap();
            out.push((path.to_str().unwrap().replace('\\', "/"), text));
        }
    }
}

/// The complaints about one file, which gets the attribute every file needs on its first line.
fn complaints(path: &str, code: &str) -> Vec<String> {
    check(&[(path, &format!("#![deny(unsafe_code)] {code}"))])
}

/// Asserts one complaint, at `line` of `path`, that contains `part`.
#[track_caller]
fn fails(path: &str, code: &str, line: usize, part: &str) {
    let found = complaints(path, code);
    let [one] = found.as_slice() else { panic!("expected one complaint about {code:?}, found {found:#?}") };
    assert!(one.starts_with(&format!("{path}:{line}: ")) && one.contains(part), "{one}");
}

#[track_caller]
fn passes(path: &str, code: &str) {
    assert_eq!(complaints(path, code), Vec::<String>::new(), "about {code:?}");
}

#[test]
fn an_upward_or_sideways_import_is_found_however_it_is_written() {
    fails("src/base/mod.rs", "use crate::media::Frame;", 1, "base (layer 0) imports crate::media (layer 1), upward");
    fails(
        "src/audio/mod.rs",
        "\nuse crate::video::X;",
        2,
        "sideways; it may import only base, media, syntax, plan, flow, av, event, config",
    );
    fails(
        "src/audio/mod.rs",
        "use crate::{base::Error, media::{self, Frame}, \n video::{Encoder as E}};",
        2,
        "crate::video",
    );
    fails("src/audio/opus.rs", "fn f() {\n\n let x = crate::video::open(1); }", 3, "crate::video");
    fails("src/audio/opus.rs", "use super::super::encode;", 1, "crate::encode (layer 7), upward");
    fails("src/audio/opus.rs", "mod tests { use super::super::super::video as v; }", 1, "crate::video");
    fails("src/event.rs", "use super::config;", 1, "sideways");
    fails("src/plan/mod.rs", "use crate::av::Codec;", 1, "it may import only base, media");
    fails("src/media/mod.rs", "macro_rules! m { () => { $crate::av::x() } }", 1, "crate::av");
    fails("src/media/mod.rs", "impl From<crate::event::Event> for u8 {}", 1, "crate::event");
    fails("src/encode/mod.rs", "use crate::library::Cache;", 1, "upward");
    fails("src/encode/mod.rs", "use crate as all;", 1, "past the rooms");
    fails("src/encode/mod.rs", "use crate::Encode;", 1, "past the rooms");
    fails("src/encode/mod.rs", "use drapto::video::X;", 1, "round the import law");
    fails("src/attic/mod.rs", "", 1, "no such room");
}

#[test]
fn what_the_law_allows_passes() {
    passes(
        "src/encode/mod.rs",
        "use crate::{base::Result, plan, container::*}; use super::encode::x; mod a { use super::b; }",
    );
    passes(
        "src/audio/opus.rs",
        "use super::layout; use crate::audio::layout::x; use crate::base::Error; fn f() { self::g() }",
    );
    passes(
        "src/audio/mod.rs",
        "// use crate::video::X;\n/* crate::video /* nested */ */ fn f<'video>() -> &'video str { \"crate::video::x\" }",
    );
    passes(
        "src/audio/mod.rs",
        "const C: char = '\"'; const Q: char = '\\''; const R: &str = r#\"use crate::video; \" \"#; use crate::base;",
    );
    passes("src/audio/mod.rs", "fn f(x: &u8) -> impl Fn() + use<'_> { move || () }");
    passes("src/lib.rs", "pub use encode::Encode; pub use crate::base::Error; pub(crate) mod encode;");
}

#[test]
fn the_command_line_and_the_c_interface_use_the_public_api_only() {
    fails("src/cli/encode.rs", "use crate::encode::Pipeline;", 1, "public API only");
    fails("src/main.rs", "mod cli;\nmod encode;", 2, "has no copy");
    fails("src/lib.rs", "mod base;\nmod cli;", 2, "never in the library");
    fails("src/capi/mod.rs", "use crate::encode::Pipeline;", 1, "public API only");
    passes(
        "src/cli/encode.rs",
        "use crate::cli::progress; use super::args; use drapto::encode::encode; use clap::Parser;",
    );
    passes("src/capi/mod.rs", "use crate::Encode; use crate::capi::panic; use drapto::Error;");
}

#[test]
fn a_foreign_crate_outside_its_rooms_is_found() {
    fails("src/source/mod.rs", "use ffmpeg_next as ffmpeg;", 1, "av may");
    fails("src/audio/mod.rs", "fn f() { unsafe_free(); \n ffmpeg_sys_next::av_free(x) }", 2, "ffmpeg_sys_next; av may");
    fails("src/encode/mod.rs", "use svt_av1_sys::*;", 1, "video may");
    fails("src/encode/mod.rs", "extern crate libvmaf_sys;", 1, "meter may");
    fails("src/container/mod.rs", "use opus::Encoder;", 1, "audio may");
    fails("src/source/mod.rs", "use matroska_demuxer::MatroskaFile;", 1, "container may");
    fails("src/encode/mod.rs", "use indicatif::ProgressBar;", 1, "cli may");
    passes("src/audio/mod.rs", "use opus::Encoder; use opusic_sys as ffi;");
    passes("src/container/mod.rs", "mod opus; fn f(opus: u8) { opus::head(codec::opus, x.opus) }");
    passes("src/container/mux.rs", "use super::opus; fn f() { opus::head() }");
    passes("src/main.rs", "use clap::Parser;");
}

#[test]
fn unsafe_code_outside_the_named_files_is_found() {
    fails("src/video/mod.rs", "\nfn f() { unsafe { g() } }", 2, "unsafe code lives in ffi.rs");
    fails("src/video/mod.rs", "#[allow(unsafe_code)] fn f() {}", 1, "only on the declaration of such a file");
    fails(
        "src/video/mod.rs",
        "#[allow(dead_code, unsafe_code)] mod glue;",
        1,
        "only on the declaration of such a file",
    );
    fails("src/pixel/avx2.rs", "unsafe fn f() {}", 1, "SIMD leaves");
    passes("src/video/ffi.rs", "fn f() { unsafe { g() } }");
    passes("src/av/ffi/frame.rs", "unsafe impl Send for X {}");
    passes("src/pixel/widen_avx2.rs", "unsafe fn f() {}");
    passes(
        "src/video/mod.rs",
        "#[allow(unsafe_code)] #[cfg(unix)] pub(crate) mod ffi; #[allow(unsafe_code)] mod widen_neon;",
    );
}

#[test]
fn a_room_that_does_not_deny_unsafe_code_is_found() {
    let complaint = |files: &[rules::File]| check(files).join("|");
    assert!(complaint(&[("src/video/mod.rs", "//! #![deny(unsafe_code)]")]).contains("src/video/mod.rs:1: no #![deny"));
    assert!(complaint(&[("src/lib.rs", "#![deny(unsafe_code)]"), ("src/event.rs", "")]).contains("src/event.rs:1: no"));
    assert!(complaint(&[("src/main.rs", "#![deny(missing_docs)]")]).contains("src/main.rs:1: no"));
    assert_eq!(complaint(&[("src/video/mod.rs", "#![forbid(unsafe_code)]"), ("src/video/x.rs", "")]), "");
    assert_eq!(complaint(&[("src/video/ffi.rs", "#![allow(unsafe_code)]")]), "");
}

#[test]
fn a_library_that_prints_or_exits_is_found() {
    fails("src/encode/mod.rs", "fn f() {\nprintln!(\"x\") }", 2, "println! outside src/cli");
    fails("src/encode/mod.rs", "fn f() { std::eprintln!(\"x\") }", 1, "eprintln!");
    fails("src/encode/mod.rs", "fn f() { dbg!(1); }", 1, "dbg!");
    fails("src/encode/mod.rs", "fn f() { std::process::exit(1) }", 1, "never ends the process");
    fails("src/encode/mod.rs", "use std::process::{Command, exit};", 1, "process::exit");
    fails("src/encode/mod.rs", "fn f() { write!(std::io::stderr(), \"x\") }", 1, "io::stderr");
    fails("src/encode/mod.rs", "#[cfg(not(test))] fn f() { println!() }", 1, "println!");
    fails("src/encode/mod.rs", "#[cfg(test)] mod tests { fn f() {} }\nfn f() { println!() }", 2, "println!");
    passes(
        "src/encode/mod.rs",
        "#[cfg(test)] mod tests { #[test] fn f() { eprintln!(\"skipped\"); std::process::exit(1) } }",
    );
    passes("src/cli/mod.rs", "fn f() { println!(); std::process::exit(2) }");
    passes("src/main.rs", "fn main() { eprintln!() }");
    let room = "#![deny(unsafe_code)] #[cfg(test)] mod tests;";
    assert_eq!(check(&[("src/av/mod.rs", room), ("src/av/tests.rs", "fn f() { eprintln!() }")]), Vec::<String>::new());
    assert_eq!(
        check(&[("src/av/mod.rs", "#![deny(unsafe_code)] mod tests;"), ("src/av/tests.rs", "fn f() { eprintln!() }")])
            .len(),
        1
    );
}

#[test]
fn a_long_file_is_found() {
    fails("src/encode/mod.rs", &"\n".repeat(600), 600, "files stay under 600");
    passes("src/encode/mod.rs", &"\n".repeat(598));
}

/// Asserts that the files, each with the attribute a room's root needs, get exactly the `expected` complaints.
#[track_caller]
fn house(files: &[(&str, &str)], expected: &[&str]) {
    let texts: Vec<_> = files.iter().map(|(path, text)| (*path, format!("#![deny(unsafe_code)] {text}"))).collect();
    let found = check(&texts.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>());
    assert_eq!(found, expected, "about {files:#?}");
}

#[test]
fn an_import_circle_between_the_files_of_a_room_is_found() {
    let circle = "src/plan/prior.rs -> src/plan/search.rs -> src/plan/prior.rs: import circle";
    let root = ("src/plan/mod.rs", "mod prior; mod search; pub use prior::Prior; pub(crate) use search::Rules;");
    let prior = ("src/plan/prior.rs", "use super::search::Rules; pub struct Prior;");
    house(&[root, prior, ("src/plan/search.rs", "use crate::plan::prior; pub struct Rules;")], &[circle]);
    house(&[root, prior, ("src/plan/search.rs", "fn f() { super::prior::g() } pub struct Rules;")], &[circle]);
    // Through what the root gives on.
    house(&[root, prior, ("src/plan/search.rs", "use super::Prior; pub struct Rules;")], &[circle]);
    house(&[root, prior, ("src/plan/search.rs", "use crate::plan::{Prior as P}; pub struct Rules;")], &[circle]);
    // Of three.
    house(
        &[
            ("src/plan/mod.rs", "mod a; mod b; mod c;"),
            ("src/plan/a.rs", "use super::b;"),
            ("src/plan/b.rs", "use super::c::f;"),
            ("src/plan/c.rs", "use super::a::g;"),
        ],
        &["src/plan/a.rs -> src/plan/b.rs -> src/plan/c.rs -> src/plan/a.rs: import circle"],
    );
}

#[test]
fn a_root_that_uses_its_children_and_is_used_by_them_is_a_circle() {
    let circle = "src/hdr/mod.rs -> src/hdr/t35.rs -> src/hdr/mod.rs: import circle";
    let child = ("src/hdr/t35.rs", "use super::damaged; pub fn wrap() {}");
    house(&[("src/hdr/mod.rs", "mod t35; fn damaged() {} fn f() { t35::wrap() }"), child], &[circle]);
    house(&[("src/hdr/mod.rs", "mod t35; use t35::wrap; fn damaged() {}"), child], &[circle]);
    house(&[("src/hdr/mod.rs", "mod t35; pub use t35::wrap; fn damaged() {} fn f() { wrap() }"), child], &[circle]);
}

#[test]
fn files_that_use_each_other_one_way_pass() {
    let root = "mod prior; mod search; pub use prior::Prior; pub use search::Rules; pub use crate::base::Error;";
    let prior = ("src/plan/prior.rs", "use super::{Rules, Error}; pub struct Prior;");
    house(&[("src/plan/mod.rs", root), prior, ("src/plan/search.rs", "pub struct Rules;")], &[]);
    let tests = "pub struct Rules; #[cfg(test)] mod tests { use super::super::Prior; }";
    house(&[("src/plan/mod.rs", root), prior, ("src/plan/search.rs", tests)], &[]);
    // A test module in a file of its own.
    house(
        &[
            ("src/plan/mod.rs", "mod a; #[cfg(test)] mod tests; use a::f; fn g() {}"),
            ("src/plan/a.rs", ""),
            ("src/plan/tests.rs", "use super::g; use super::a;"),
        ],
        &[],
    );
    // What the root itself defines and only its children use.
    house(&[("src/plan/mod.rs", "mod a; pub use a::f; fn g() {}"), ("src/plan/a.rs", "use super::g;")], &[]);
}

#[test]
fn a_type_name_that_stands_twice_is_found() {
    let twice = |first: &str, second: &str| {
        house(
            &[("src/av/mod.rs", first), ("src/hdr/mod.rs", &format!("\n{second}"))],
            &["src/hdr/mod.rs:2: a type Level stands at src/av/mod.rs:1 already; names are unique"],
        );
    };
    twice("pub struct Level;", "enum Level {}");
    twice("mod inner { struct Level<T>(T); }", "pub(crate) trait Level {}");
    twice("type Level = u8;", "fn f() { union Level { a: u8 } }");
    twice("impl Level {} struct Level;", "type Level<T> = Vec<T>;");
}

#[test]
fn type_names_that_stand_once_pass() {
    let stage =
        "trait Stage { type In; fn f() -> Self::In; } impl Stage for u8 { type In = u8; fn f() -> u8 { { 1 } } }";
    let with_tests = "struct Level; impl Stage for Level { type In = u16; } #[cfg(test)] mod tests { struct Kept; }";
    house(&[("src/av/mod.rs", stage), ("src/hdr/mod.rs", with_tests), ("src/pixel/mod.rs", "enum Kept {}")], &[]);
}

#[test]
fn a_room_too_large_to_know_is_found() {
    let long = "\n".repeat(590);
    let files = ["a", "b", "c", "d", "e", "f"].map(|name| (format!("src/av/{name}.rs"), long.clone()));
    let room = |root: &str, more: &str| {
        let mut all = files.to_vec();
        all.push(("src/av/mod.rs".to_owned(), format!("{root}\n#![deny(unsafe_code)]\n{more}")));
        check(&all.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>())
    };
    let found = room("//! Libav.", "");
    assert!(found.len() == 1 && found[0].contains("has 3542 lines without tests, over 3500"), "{found:#?}");
    assert_eq!(room("//! Libav.\n//! Size: the surface of a C library.", ""), Vec::<String>::new());
    let tested = ["a", "b", "c", "d", "e", "f"].map(|name| format!("#[cfg(test)]\nmod {name};"));
    assert_eq!(room("//! Libav.", &tested.join("\n")), Vec::<String>::new());
}

#[test]
fn a_room_open_to_all_or_too_many_public_names_are_found() {
    let open = "src/lib.rs:2: the room video is open to all; rooms are pub(crate)";
    house(&[("src/lib.rs", "pub(crate) mod base; mod media;\npub mod video;")], &[open]);
    house(&[("src/lib.rs", "mod base; pub mod data { pub use crate::base::*; }")], &[]);
    let names = |n: usize| (0..n).map(|i| format!("A{i}")).collect::<Vec<_>>().join(", ");
    let root = |n: usize| format!("mod base; use base::Private; pub use base::{{{}}}; pub fn f() {{}}", names(n));
    house(&[("src/lib.rs", &root(44))], &[]);
    house(&[("src/lib.rs", &root(45))], &["src/lib.rs:1: 46 public names; at most 45"]);
}
