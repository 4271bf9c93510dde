//! The import law and the other rules of the house that a compiler does not check.

use std::ops::Range;

use super::house::{self, Source};
use super::lexer::{Kind, Token, tokens};
use super::paths::{Path, declared_modules, paths};

/// Every room with its layer. A room may import the rooms of the layers below its own, never one beside it; see
/// [`ONLY`] for those that may import less.
const ROOMS: &[(&str, u8)] = &[
    ("base", 0),
    ("media", 1),
    ("syntax", 2),
    ("plan", 2),
    ("flow", 2),
    ("av", 2),
    ("event", 2),
    ("config", 2),
    ("source", 3),
    ("pixel", 3),
    ("hdr", 3),
    ("video", 3),
    ("audio", 3),
    ("meter", 3),
    ("container", 3),
    ("stages", 4),
    ("analyze", 4),
    ("store", 4),
    ("search", 5),
    ("verify", 5),
    ("assess", 5),
    ("still", 5),
    ("report", 6),
    ("encode", 7),
    ("front", 8),
    ("package", 8),
    ("library", 9),
    ("renditions", 9),
    ("service", 9),
    ("capi", 10),
    ("cli", 10),
];

/// Rooms that may import only these.
const ONLY: &[(&str, &[&str])] = &[("flow", &["base"]), ("capi", &[]), ("cli", &[])];

/// The rooms that `room` may import.
fn allowed(room: &str) -> Vec<&'static str> {
    if let Some((_, only)) = ONLY.iter().find(|(name, _)| *name == room) {
        return only.to_vec();
    }
    let layer = ROOMS.iter().find(|(name, _)| *name == room).map_or(0, |(_, layer)| *layer);
    ROOMS.iter().filter(|(_, other)| *other < layer).map(|(name, _)| *name).collect()
}

/// Crates that only some rooms may touch.
const CRATES: &[(&str, &[&str])] = &[
    ("ffmpeg_next", &["av"]),
    ("ffmpeg_sys_next", &["av"]),
    ("svt_av1_sys", &["video"]),
    ("libvmaf_sys", &["meter"]),
    ("vmaf_head_sys", &[]),
    ("opus", &["audio"]),
    ("ebur128", &["audio"]),
    ("fast_ssim2", &["meter"]),
    ("png", &["report"]),
    ("base64", &["report"]),
    ("image", &["still"]),
    ("webp", &["still"]),
    ("gif", &["still"]),
    ("hdr10plus", &["av", "hdr"]),
    ("dolby_vision", &["hdr"]),
    ("opusic_sys", &["audio"]),
    ("matroska_demuxer", &["container"]),
    ("mp4_atom", &["container"]),
    ("rusqlite", &["store"]),
    ("clap", &["cli"]),
    ("plotters", &["report"]),
    ("indicatif", &["cli"]),
    ("ctrlc", &["cli"]),
    ("tracing_subscriber", &["cli"]),
    ("walkdir", &["library"]),
    ("rayon", &["library"]),
];

/// A file of this many lines is to be split.
const TOO_LONG: usize = 600;

/// One file: its path below the project, with `/`, and its text.
pub type File<'a> = (&'a str, &'a str);

/// Checks the files of `src/` together; each complaint reads `src/audio/mod.rs:12: what and which rule`.
pub fn check(files: &[File]) -> Vec<String> {
    let lexed: Vec<_> = files.iter().map(|(path, text)| (*path, tokens(text), text.lines().count())).collect();
    let test_modules: Vec<String> =
        lexed.iter().flat_map(|(path, tokens, _)| test_child_modules(path, tokens)).collect();
    let denies: Vec<&str> = lexed.iter().filter(|(_, t, _)| denies_unsafe(t)).map(|(path, ..)| *path).collect();

    let mut out = Vec::new();
    let sources = sources(files, &test_modules);
    out.extend(house::circles(&sources));
    out.extend(house::double_names(&sources));
    out.extend(house::large_rooms(&sources));
    out.extend(house::front(&sources));
    for (path, tokens, lines) in &lexed {
        let Some(room) = room_of(path) else {
            out.push(format!("{path}:1: no such room in the plan of the house (ROOMS in tests/layers/rules.rs)"));
            continue;
        };
        let module = module_of(path);
        let file = Checked { path, room, tokens, paths: paths(tokens, &module) };
        file.imports(&mut out);
        file.crates(&mut out);
        file.unsafe_code(&denies, &mut out);
        if room != "cli"
            && !test_modules.iter().any(|m| module.join("::") == *m || module.join("::").starts_with(&format!("{m}::")))
        {
            file.printing(&mut out);
        }
        if *lines >= TOO_LONG {
            out.push(format!("{path}:{lines}: {lines} lines; files stay under {TOO_LONG}: split it"));
        }
    }
    out
}

/// The files that are not for tests alone, without the parts that are.
fn sources<'a>(files: &[File<'a>], test_modules: &[String]) -> Vec<Source<'a>> {
    let mut out = Vec::new();
    for &(path, text) in files {
        let (Some(room), module) = (room_of(path), module_of(path)) else { continue };
        let name = module.join("::");
        let for_tests = test_modules.iter().any(|m| name == *m || name.starts_with(&format!("{m}::")));
        // `x_tests.rs` is `mod tests` of `x.rs`, by a `#[path]`.
        if for_tests || name.ends_with("_tests") {
            continue;
        }
        let all = tokens(text);
        let tests = test_ranges(&all);
        let test_lines: usize = tests.iter().map(|r| all[r.end - 1].line - all[r.start].line + 1).sum();
        let kept = (0..all.len()).filter(|i| !tests.iter().any(|r| r.contains(i))).map(|i| all[i].clone()).collect();
        out.push(Source {
            path,
            room,
            module,
            tokens: kept,
            lines: text.lines().count() - test_lines.min(text.lines().count()),
            text,
        });
    }
    out
}

struct Checked<'a> {
    path: &'a str,
    /// A room of the table, `cli` for `src/main.rs`, or `lib` for `src/lib.rs`.
    room: &'a str,
    tokens: &'a [Token],
    paths: Vec<Path>,
}

impl Checked<'_> {
    fn imports(&self, out: &mut Vec<String>) {
        for (name, line) in declared_modules(self.tokens) {
            if self.room == "lib" && name == "cli" {
                out.push(format!("{}:{line}: cli stands under src/main.rs only, never in the library", self.path));
            }
            if self.path == "src/main.rs" && room(name).is_some() && name != "cli" {
                out.push(format!(
                    "{}:{line}: the program uses the library as drapto::{name}, it has no copy",
                    self.path
                ));
            }
        }
        if self.room == "lib" {
            return;
        }
        for path in &self.paths {
            if let Some(complaint) = self.import(path) {
                out.push(format!("{}:{}: {complaint}", self.path, path.line));
            }
        }
    }

    fn import(&self, path: &Path) -> Option<String> {
        let outer = matches!(self.room, "cli" | "capi");
        match path.segments[0].as_str() {
            "drapto" if !outer => {
                return Some(format!(
                    "{} goes round the import law; name the room with crate::",
                    path.segments.join("::")
                ));
            }
            "crate" => {}
            _ => return None,
        }
        let target = path.segments.get(1).map_or("*", String::as_str);
        if target == self.room {
            return None;
        }
        if outer {
            // The names that lib.rs itself exports are public; the rooms behind them are not.
            return (target == "*" || room(target).is_some()).then(|| {
                format!("{} imports crate::{target}: capi and cli use the public API only (drapto::...)", self.room)
            });
        }
        let (_, layer) = room(self.room)?;
        let allowed = allowed(self.room);
        match room(target) {
            _ if allowed.contains(&target) => None,
            Some((_, other)) => {
                let way = match other.cmp(layer) {
                    std::cmp::Ordering::Greater => "upward",
                    std::cmp::Ordering::Equal => "sideways",
                    std::cmp::Ordering::Less => "which it has no business with",
                };
                let may = if allowed.is_empty() { "std".to_owned() } else { allowed.join(", ") };
                Some(format!(
                    "{} (layer {layer}) imports crate::{target} (layer {other}), {way}; it may import only {may}",
                    self.room
                ))
            }
            None => Some(format!("{} imports crate::{target} past the rooms; name the room it comes from", self.room)),
        }
    }

    fn crates(&self, out: &mut Vec<String>) {
        let modules = declared_modules(self.tokens);
        for path in &self.paths {
            let head = path.segments[0].as_str();
            let Some((name, rooms)) = CRATES.iter().find(|(name, _)| *name == head) else { continue };
            // A module or import of that name in this file hides the crate.
            let hidden = modules.iter().any(|(module, _)| module == name)
                || self.paths.iter().any(|p| p.segments[0] == "crate" && p.binds.as_deref() == Some(*name));
            if !hidden && !rooms.contains(&self.room) {
                let may = if rooms.is_empty() { "no room".to_owned() } else { rooms.join(" and ") };
                out.push(format!("{}:{}: {} uses the crate {name}; {may} may", self.path, path.line, self.room));
            }
        }
    }

    fn unsafe_code(&self, denies: &[&str], out: &mut Vec<String>) {
        if unsafe_may_live_in(self.path) {
            return;
        }
        for (i, token) in self.tokens.iter().enumerate() {
            let complaint = match token.ident() {
                Some("unsafe") => "unsafe code lives in ffi.rs, ffi/ and SIMD leaves (*_avx2.rs ...) only",
                Some("unsafe_code") if self.lets_in(i) && !self.lets_in_a_named_file(i) => {
                    "unsafe_code may be allowed only on the declaration of such a file (mod ffi; mod x_avx2;)"
                }
                _ => continue,
            };
            out.push(format!("{}:{}: {complaint}", self.path, token.line));
        }
        let is_root = self.path == "src/main.rs" || self.path == "src/lib.rs" || module_of(self.path).len() == 1;
        let covered =
            denies.contains(&self.path) || (!is_root && module_roots(self.path).any(|r| denies.contains(&r.as_str())));
        if !covered {
            out.push(format!("{}:1: no #![deny(unsafe_code)] here or in its module's root", self.path));
        }
    }

    /// Whether `unsafe_code` at `i` stands in `allow(...)`, `warn(...)` or `expect(...)`.
    fn lets_in(&self, i: usize) -> bool {
        let before = self.tokens[..i].iter().rev().find(|t| t.ident().is_some_and(|w| LEVELS.contains(&w)));
        before.and_then(Token::ident).is_some_and(|word| !matches!(word, "deny" | "forbid"))
    }

    /// Whether the attribute around token `i` belongs to `mod NAME;` of a file where unsafe code may live.
    fn lets_in_a_named_file(&self, i: usize) -> bool {
        let mut rest = self.tokens[i..].iter().skip_while(|t| !t.is(']')).skip(1).peekable();
        while rest.peek().is_some_and(|t| t.is('#')) {
            while rest.next().is_some_and(|t| !t.is(']')) {}
        }
        let mut rest = rest.skip_while(|t| t.ident() != Some("mod") && !t.is(';') && !t.is('{'));
        rest.next().is_some_and(|t| t.ident() == Some("mod"))
            && rest.next().and_then(Token::ident).is_some_and(is_unsafe_name)
            && rest.next().is_some_and(|t| t.is(';'))
    }

    fn printing(&self, out: &mut Vec<String>) {
        let tests = test_ranges(self.tokens);
        if tests.iter().any(|r| r.len() == self.tokens.len()) {
            return;
        }
        for (i, pair) in self.tokens.windows(2).enumerate() {
            let Some(name @ ("print" | "println" | "eprint" | "eprintln" | "dbg")) = pair[0].ident() else { continue };
            if pair[1].is('!') && !tests.iter().any(|r| r.contains(&i)) {
                out.push(format!(
                    "{}:{}: {name}! outside src/cli and src/main.rs: a library never prints",
                    self.path, pair[0].line
                ));
            }
        }
        let test_lines: Vec<_> =
            tests.iter().map(|r| self.tokens[r.start].line..=self.tokens[r.end - 1].line).collect();
        for path in self.paths.iter().filter(|p| !test_lines.iter().any(|r| r.contains(&p.line))) {
            for pair in path.segments.windows(2) {
                let what = match (pair[0].as_str(), pair[1].as_str()) {
                    ("process", "exit" | "abort") => "a library never ends the process",
                    ("io", "stdout" | "stderr") => "a library never prints",
                    _ => continue,
                };
                out.push(format!(
                    "{}:{}: {}::{} outside src/cli and src/main.rs: {what}",
                    self.path, path.line, pair[0], pair[1]
                ));
            }
        }
    }
}

const LEVELS: &[&str] = &["allow", "expect", "warn", "deny", "forbid"];

fn room(name: &str) -> Option<&'static (&'static str, u8)> {
    ROOMS.iter().find(|(room, _)| *room == name)
}

/// `src/audio/opus.rs` → `["audio", "opus"]`; `src/audio/mod.rs` and `src/audio.rs` → `["audio"]`; the roots → `[]`.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(inner, "lib" | "main") || parts.last().is_some_and(|p| p == "mod") {
        parts.pop();
    }
    parts
}

fn room_of(path: &str) -> Option<&'static str> {
    match path {
        "src/lib.rs" => Some("lib"),
        "src/main.rs" => Some("cli"),
        _ => room(module_of(path).first()?).map(|(name, _)| *name),
    }
}

/// The files that may be the root of a module around `path`, up to its room (the crate's root is no excuse).
fn module_roots(path: &str) -> impl Iterator<Item = String> {
    let module = module_of(path);
    (1..=module.len()).flat_map(move |n| {
        let stem = module[..n].join("/");
        [format!("src/{stem}.rs"), format!("src/{stem}/mod.rs")]
    })
}

fn is_unsafe_name(stem: &str) -> bool {
    let simd = |suffix: &str| ["avx", "avx2", "avx512", "neon", "sse2", "ssse3", "sse41"].contains(&suffix);
    stem == "ffi" || stem.rsplit_once('_').is_some_and(|(_, suffix)| simd(suffix))
}

fn unsafe_may_live_in(path: &str) -> bool {
    let module = module_of(path);
    module.last().is_some_and(|stem| is_unsafe_name(stem)) || module.iter().any(|part| part == "ffi")
}

/// Whether the file has `#![deny(unsafe_code)]` or `#![forbid(unsafe_code)]`.
fn denies_unsafe(tokens: &[Token]) -> bool {
    (0..tokens.len()).filter(|i| tokens[*i].is('#') && tokens.get(i + 1).is_some_and(|t| t.is('!'))).any(|i| {
        let attribute: Vec<_> = tokens[i..].iter().take_while(|t| !t.is(']')).filter_map(Token::ident).collect();
        matches!(attribute.first(), Some(&"deny" | &"forbid")) && attribute.contains(&"unsafe_code")
    })
}

/// The tokens of items under `#[cfg(test)]` or `#[test]`; all of them for `#![cfg(test)]`.
fn test_ranges(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for i in 0..tokens.len() {
        if !tokens[i].is('#') || ranges.last().is_some_and(|r| r.contains(&i)) {
            continue;
        }
        let inner = tokens.get(i + 1).is_some_and(|t| t.is('!'));
        let Some(end) = tokens[i..].iter().position(|t| t.is(']')).map(|n| i + n) else { continue };
        let words: Vec<_> = tokens[i..end].iter().filter_map(Token::ident).collect();
        let for_tests =
            words == ["test"] || (words.first() == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not"));
        if for_tests && inner {
            return std::iter::once(0..tokens.len()).collect();
        }
        if for_tests {
            ranges.push(i..item_end(tokens, end + 1));
        }
    }
    ranges
}

/// One past the item that starts at `at`: its `;` or the brace that closes it.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match token.kind {
            Kind::Punct('{' | '(' | '[') => depth += 1,
            Kind::Punct('}' | ')' | ']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.is('}') {
                    return i + 1;
                }
            }
            Kind::Punct(';') if depth == 0 => return i + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Modules in files of their own that a file declares under `#[cfg(test)]`, as `room::tests`.
fn test_child_modules(path: &str, tokens: &[Token]) -> Vec<String> {
    let module = module_of(path);
    let ranges = test_ranges(tokens);
    ranges
        .iter()
        .flat_map(|r| declared_modules(&tokens[r.clone()]))
        .map(|(name, _)| module.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("::"))
        .collect()
}
