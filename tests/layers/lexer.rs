//! Just enough of Rust's lexical grammar to see code without its comments, strings and lifetimes.

/// One token that the checks look at, with the line it stands on (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword; `r#type` is `type`.
    Ident(String),
    /// `::`
    PathSep,
    /// Any other character of code. Literals are one `'0'`, so that they separate what stands around them.
    Punct(char),
}

impl Token {
    pub fn ident(&self) -> Option<&str> {
        match &self.kind {
            Kind::Ident(name) => Some(name),
            _ => None,
        }
    }

    pub fn is(&self, c: char) -> bool {
        self.kind == Kind::Punct(c)
    }

    pub fn is_sep(&self) -> bool {
        self.kind == Kind::PathSep
    }
}

/// Splits Rust source into tokens. Source that does not compile gives some tokens, never a panic.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1, out: Vec::new() };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    lexer.out
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    out: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn bump(&mut self) {
        if self.peek(0) == '\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn emit(&mut self, kind: Kind, line: usize) {
        self.out.push(Token { kind, line });
    }

    fn step(&mut self) {
        let (c, next, line) = (self.peek(0), self.peek(1), self.line);
        match c {
            '/' if next == '/' => {
                while self.at < self.chars.len() && self.peek(0) != '\n' {
                    self.bump();
                }
            }
            '/' if next == '*' => self.block_comment(),
            '"' => self.string(0, true),
            '\'' => self.quote(),
            ':' if next == ':' => {
                self.at += 2;
                self.emit(Kind::PathSep, line);
            }
            c if c.is_alphabetic() || c == '_' => self.word(),
            c if c.is_ascii_digit() => {
                while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                    self.bump();
                }
                self.emit(Kind::Punct('0'), line);
            }
            c if c.is_whitespace() => self.bump(),
            c => {
                self.bump();
                self.emit(Kind::Punct(c), line);
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.bump();
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    /// A string from its opening quote; it ends at a quote followed by `hashes` hash signs.
    fn string(&mut self, hashes: usize, escapes: bool) {
        let line = self.line;
        self.bump();
        while self.at < self.chars.len() {
            match self.peek(0) {
                '\\' if escapes => {
                    self.bump();
                    self.bump();
                }
                '"' if (1..=hashes).all(|i| self.peek(i) == '#') => {
                    self.at += 1 + hashes;
                    break;
                }
                _ => self.bump(),
            }
        }
        self.emit(Kind::Punct('0'), line);
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) {
        let line = self.line;
        if self.peek(1) != '\\' && self.peek(2) != '\'' {
            self.at += 1; // a lifetime: its name follows and is dropped
            while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                self.at += 1;
            }
            return;
        }
        self.bump();
        while self.at < self.chars.len() && self.peek(0) != '\'' {
            if self.peek(0) == '\\' {
                self.bump();
            }
            self.bump();
        }
        self.bump();
        self.emit(Kind::Punct('0'), line);
    }

    fn word(&mut self) {
        let (start, line) = (self.at, self.line);
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            self.at += 1;
        }
        let word: String = self.chars[start..self.at].iter().collect();
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        let hashes = (0..).take_while(|i| self.peek(*i) == '#').count();
        match self.peek(if raw { hashes } else { 0 }) {
            '"' if raw => {
                self.at += hashes;
                self.string(hashes, false);
            }
            '"' if matches!(word.as_str(), "b" | "c") => self.string(0, true),
            '\'' if word == "b" => self.quote(),
            c if word == "r" && hashes == 1 && (c.is_alphabetic() || c == '_') => {
                self.at += 1;
                self.word();
            }
            _ => self.emit(Kind::Ident(word), line),
        }
    }
}
