//! The paths a file names: in `use` trees and inline, with `self` and `super` resolved.

use super::lexer::Token;

/// One path as it stands in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Its segments. Those within the crate start with `crate`; `*` stands for a glob.
    pub segments: Vec<String>,
    /// The name it is bound to, for a `use`.
    pub binds: Option<String>,
    /// Whether it is a `use` that gives the name on: `pub use`, `pub(crate) use`.
    pub exports: bool,
    /// Its line, from 1.
    pub line: usize,
}

/// All paths of a file whose module is `module` (`["audio", "opus"]` for `src/audio/opus.rs`).
pub fn paths(tokens: &[Token], module: &[String]) -> Vec<Path> {
    let mut walk = Walk { tokens, at: 0, module: module.to_vec(), braces: Vec::new(), exports: false, out: Vec::new() };
    while walk.at < tokens.len() {
        walk.step();
    }
    walk.out
}

/// Names of the modules a file declares, inline or in files of their own.
pub fn declared_modules(tokens: &[Token]) -> Vec<(&str, usize)> {
    tokens
        .windows(3)
        .filter(|w| w[0].ident() == Some("mod") && (w[2].is(';') || w[2].is('{')))
        .filter_map(|w| Some((w[1].ident()?, w[1].line)))
        .collect()
}

struct Walk<'a> {
    tokens: &'a [Token],
    at: usize,
    module: Vec<String>,
    /// For each open brace: whether it opened a module.
    braces: Vec<bool>,
    /// Whether the `use` that is being read gives its names on.
    exports: bool,
    out: Vec<Path>,
}

impl Walk<'_> {
    fn ident(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).and_then(Token::ident)
    }

    fn sep(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(Token::is_sep)
    }

    fn punct(&self, at: usize, c: char) -> bool {
        self.tokens.get(at).is_some_and(|t| t.is(c))
    }

    fn step(&mut self) {
        let at = self.at;
        self.at += 1;
        if self.punct(at, '{') {
            self.braces.push(false);
        } else if self.punct(at, '}') {
            if self.braces.pop() == Some(true) {
                self.module.pop();
            }
        } else if let Some(word) = self.ident(at) {
            // After `::` or `.` a word continues something already seen.
            if at > 0 && (self.sep(at - 1) || self.punct(at - 1, '.')) {
                return;
            }
            match word {
                "mod" if self.punct(at + 2, '{') => {
                    self.module.push(self.ident(at + 1).unwrap_or_default().to_owned());
                    self.braces.push(true);
                    self.at = at + 3;
                }
                // `impl Trait + use<'a>` is another `use`.
                "use" if !self.punct(at + 1, '<') => {
                    self.exports = at > 0 && (self.ident(at - 1) == Some("pub") || self.punct(at - 1, ')'));
                    self.tree(&[]);
                    self.exports = false;
                }
                "extern" if self.ident(at + 1) == Some("crate") => {
                    let name = self.ident(at + 2).unwrap_or_default().to_owned();
                    self.push(vec![name], None, self.tokens[at].line);
                    self.at = at + 3;
                }
                _ if self.sep(at + 1) => self.inline(at),
                _ => {}
            }
        }
    }

    fn inline(&mut self, start: usize) {
        let mut segments = vec![self.ident(start).unwrap_or_default().to_owned()];
        let mut at = start + 1;
        while self.sep(at) {
            let Some(name) = self.ident(at + 1) else { break };
            segments.push(name.to_owned());
            at += 2;
        }
        self.push(segments, None, self.tokens[start].line);
        self.at = at;
    }

    /// One tree of a `use` from `self.at`, below `prefix`; ends at `,`, `}` or `;`.
    fn tree(&mut self, prefix: &[String]) {
        let mut segments = prefix.to_vec();
        if self.sep(self.at) {
            self.at += 1;
        }
        while let Some(token) = self.tokens.get(self.at) {
            let line = token.line;
            self.at += 1;
            if token.is('{') {
                while self.at < self.tokens.len() && !self.punct(self.at, '}') {
                    self.tree(&segments);
                    if self.punct(self.at, ',') {
                        self.at += 1;
                    }
                }
                self.at += 1;
                return;
            }
            let Some(name) = token.ident().or_else(|| token.is('*').then_some("*")) else { return };
            segments.push(name.to_owned());
            if self.sep(self.at) {
                self.at += 1;
                continue;
            }
            let mut binds = name.to_owned();
            if name == "self" && segments.len() > 1 {
                segments.pop();
                binds = segments.last().cloned().unwrap_or_default();
            }
            if self.ident(self.at) == Some("as") {
                binds = self.ident(self.at + 1).unwrap_or_default().to_owned();
                self.at += 2;
            }
            self.push(segments, Some(binds), line);
            return;
        }
    }

    fn push(&mut self, mut segments: Vec<String>, binds: Option<String>, line: usize) {
        let exports = self.exports;
        let mut base = match segments[0].as_str() {
            "self" | "super" => self.module.clone(),
            _ => return self.out.push(Path { segments, binds, exports, line }),
        };
        while let Some("self" | "super") = segments.first().map(String::as_str) {
            if segments.remove(0) == "super" {
                base.pop();
            }
        }
        base.insert(0, "crate".into());
        base.append(&mut segments);
        self.out.push(Path { segments: base, binds, exports, line });
    }
}
