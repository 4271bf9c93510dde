//! What holds between files: no import circle within a room, each type name once, rooms of a size one can know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::lexer::{Kind, Token};
use super::paths::{Path, declared_modules, paths};

/// A room of more lines than this has to say why.
pub const LARGE: usize = 3500;

/// As many names as the crate's root gives out at most.
pub const PUBLIC: usize = 45;

/// One file without what is for tests.
pub struct Source<'a> {
    pub path: &'a str,
    pub room: &'a str,
    /// `["audio", "opus"]` for `src/audio/opus.rs`.
    pub module: Vec<String>,
    pub tokens: Vec<Token>,
    /// Lines outside of tests.
    pub lines: usize,
    pub text: &'a str,
}

/// Circles between the files of a room, one complaint each: `src/a/b.rs -> src/a/c.rs -> src/a/b.rs: import circle`.
pub fn circles(files: &[Source]) -> Vec<String> {
    let house = House::new(files);
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in &house.files {
        for target in house.uses(file) {
            let other = &house.files[target];
            if other.source.room == file.source.room && other.source.path != file.source.path {
                edges.entry(file.source.path).or_default().insert(other.source.path);
            }
        }
    }
    let mut out = Vec::new();
    while let Some(circle) = shortest_circle(&edges) {
        let (from, to) = (circle[circle.len() - 2], circle[circle.len() - 1]);
        out.push(format!("{}: import circle", circle.join(" -> ")));
        if let Some(targets) = edges.get_mut(from) {
            targets.remove(to);
        }
    }
    out
}

/// A path of the graph that ends where it begins.
fn shortest_circle<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let circle_from = |start: &'a str| {
        let mut before: BTreeMap<&str, &'a str> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for next in edges.get(at).into_iter().flatten().copied() {
                if next == start {
                    let mut circle = vec![start, at];
                    while let Some(earlier) = before.get(circle[circle.len() - 1]).filter(|_| at != start) {
                        circle.push(earlier);
                    }
                    circle.reverse();
                    return Some(circle);
                }
                if !before.contains_key(next) {
                    before.insert(next, at);
                    queue.push_back(next);
                }
            }
        }
        None
    };
    edges.keys().filter_map(|start| circle_from(start)).min_by_key(Vec::len)
}

struct House<'a> {
    files: Vec<Known<'a>>,
    modules: BTreeMap<Vec<String>, usize>,
}

struct Known<'a> {
    source: &'a Source<'a>,
    paths: Vec<Path>,
    /// Modules in files of their own.
    children: BTreeSet<String>,
}

impl<'a> House<'a> {
    fn new(files: &'a [Source<'a>]) -> Self {
        let known = |source: &'a Source<'a>| Known {
            source,
            paths: paths(&source.tokens, &source.module),
            children: declared_modules(&source.tokens).into_iter().map(|(name, _)| name.to_owned()).collect(),
        };
        let files: Vec<_> = files.iter().filter(|f| !f.module.is_empty()).map(known).collect();
        let modules = files.iter().enumerate().map(|(i, f)| (f.source.module.clone(), i)).collect();
        House { files, modules }
    }

    /// The files whose items `file` uses. To give a name on (`pub use`) is not to use it.
    fn uses(&self, file: &Known) -> BTreeSet<usize> {
        let bare = bare_words(&file.source.tokens);
        let used = |path: &&Path| !path.exports || path.binds.as_deref().is_some_and(|name| bare.contains(name));
        file.paths.iter().filter(used).filter_map(|path| self.definer(&self.absolute(file, path)?, 8)).collect()
    }

    /// The path from the crate's root on; `None` for one that leaves the crate or starts with a name bound elsewhere.
    fn absolute(&self, file: &Known, path: &Path) -> Option<Vec<String>> {
        let head = &path.segments[0];
        if head == "crate" {
            return Some(path.segments[1..].to_vec());
        }
        let child = file.children.contains(head);
        child.then(|| file.source.module.iter().chain(&path.segments).cloned().collect())
    }

    /// The file that defines what `path` names, found through the modules and what they give on.
    fn definer(&self, path: &[String], depth: usize) -> Option<usize> {
        let mut module = Vec::new();
        let mut file = None;
        for (i, name) in path.iter().enumerate() {
            if let Some(at) = file
                && let Some(found) = self.bound(at, name, i + 1 < path.len(), &path[i + 1..], depth)
            {
                return Some(found);
            }
            module.push(name.clone());
            match self.modules.get(&module) {
                Some(next) => file = Some(*next),
                None => return file,
            }
        }
        file
    }

    /// What `name` is by the `use`s of the file `at`, followed by `rest`. A module of that name goes before it where
    /// something follows.
    fn bound(&self, at: usize, name: &str, inner: bool, rest: &[String], depth: usize) -> Option<usize> {
        let known = &self.files[at];
        if depth == 0 || (inner && known.children.contains(name)) {
            return None;
        }
        let path = known.paths.iter().find(|p| p.binds.as_deref() == Some(name))?;
        let target = self.absolute(known, path)?;
        self.definer(&target.iter().chain(rest).cloned().collect::<Vec<_>>(), depth - 1)
    }
}

/// The words of a file that stand outside of `use` and continue no path or call.
fn bare_words(tokens: &[Token]) -> BTreeSet<&str> {
    let mut out = BTreeSet::new();
    let mut in_use = false;
    for (i, token) in tokens.iter().enumerate() {
        match token.ident() {
            Some("use") if !tokens.get(i + 1).is_some_and(|t| t.is('<')) => in_use = true,
            // `mod name;` declares, it does not use.
            Some(word)
                if !in_use && !(i > 0 && (follows_a_path(&tokens[i - 1]) || tokens[i - 1].ident() == Some("mod"))) =>
            {
                out.insert(word);
            }
            _ if token.is(';') => in_use = false,
            _ => {}
        }
    }
    out
}

/// Types of one name at two places, both named.
pub fn double_names(files: &[Source]) -> Vec<String> {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    let mut out = Vec::new();
    for file in files {
        for (name, line) in type_names(&file.tokens) {
            let place = format!("{}:{line}", file.path);
            match first.get(name) {
                Some(earlier) => {
                    out.push(format!("{place}: a type {name} stands at {earlier} already; names are unique"));
                }
                None => drop(first.insert(name.to_owned(), place)),
            }
        }
    }
    out
}

/// The structs, enums, unions, traits and aliases that a file defines; not the types a trait or impl is given.
fn type_names(tokens: &[Token]) -> Vec<(&str, usize)> {
    let mut out = Vec::new();
    // For each open brace: whether it holds what belongs to a trait or impl.
    let mut braces = Vec::new();
    let mut opener = None;
    for (i, token) in tokens.iter().enumerate() {
        match &token.kind {
            Kind::Punct('{') => braces.push(matches!(opener.take(), Some("impl" | "trait"))),
            Kind::Punct('}') => {
                braces.pop();
                opener = None;
            }
            Kind::Punct(';') => opener = None,
            Kind::Ident(word) => {
                let word = word.as_str();
                if matches!(word, "impl" | "trait" | "fn" | "mod" | "match" | "let") {
                    opener = opener.or(Some(word));
                }
                let name = tokens.get(i + 1).and_then(Token::ident);
                let after = |c| tokens.get(i + 2).is_some_and(|t| t.is(c));
                let defines = match word {
                    "struct" | "enum" | "trait" => true,
                    "union" => after('{') || after('<'),
                    "type" => (after('=') || after('<')) && braces.last() != Some(&true),
                    _ => false,
                };
                if let Some(name) = name.filter(|_| defines) {
                    out.push((name, token.line));
                }
            }
            _ => {}
        }
    }
    out
}

/// Lines of each room, without tests.
pub fn room_lines<'a>(files: &[Source<'a>]) -> BTreeMap<&'a str, usize> {
    let mut rooms = BTreeMap::new();
    for file in files {
        *rooms.entry(file.room).or_default() += file.lines;
    }
    rooms
}

/// Rooms of more than [`LARGE`] lines whose root has no line `//! Size: why`.
pub fn large_rooms(files: &[Source]) -> Vec<String> {
    let says_why = |room: &str| {
        let root = files.iter().find(|f| f.module == [room]);
        root.is_some_and(|f| f.text.lines().any(|l| l.strip_prefix("//! Size: ").is_some_and(|why| !why.is_empty())))
    };
    let large = room_lines(files).into_iter().filter(|(room, lines)| *lines > LARGE && !says_why(room));
    large
        .map(|(room, lines)| {
            format!("src/{room}/mod.rs:1: the room has {lines} lines without tests, over {LARGE}; split it, or say why in a line `//! Size: ...`")
        })
        .collect()
}

/// Rooms that the crate's root opens to all, and more public names there than [`PUBLIC`]. Modules that it holds itself are
/// not counted: they are the fields of what it names.
pub fn front(files: &[Source]) -> Vec<String> {
    let Some(root) = files.iter().find(|f| f.path == "src/lib.rs") else { return Vec::new() };
    let tokens = without_inline_modules(&root.tokens);
    let mut out = Vec::new();
    for words in tokens.windows(4).filter(|w| w[1].ident() == Some("mod") && w[3].is(';')) {
        if words[0].ident() == Some("pub") {
            let name = words[2].ident().unwrap_or_default();
            out.push(format!("src/lib.rs:{}: the room {name} is open to all; rooms are pub(crate)", words[2].line));
        }
    }
    let given = paths(&tokens, &[]).into_iter().filter(|path| path.exports).count();
    let own = tokens.windows(2).filter(|w| w[0].ident() == Some("pub") && defines(&w[1])).count();
    if given + own > PUBLIC {
        out.push(format!("src/lib.rs:1: {} public names; at most {PUBLIC}", given + own));
    }
    out
}

fn defines(token: &Token) -> bool {
    matches!(token.ident(), Some("fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "union"))
}

fn without_inline_modules(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].ident() == Some("mod") && tokens.get(at + 2).is_some_and(|t| t.is('{')) {
            let mut depth = 0;
            at += 2;
            while at < tokens.len() {
                depth += i32::from(tokens[at].is('{')) - i32::from(tokens[at].is('}'));
                at += 1;
                if depth == 0 {
                    break;
                }
            }
        } else {
            out.push(tokens[at].clone());
            at += 1;
        }
    }
    out
}

fn follows_a_path(before: &Token) -> bool {
    before.is('.') || before.is_sep()
}
