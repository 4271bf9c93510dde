//! Inputs that broke encoders: every row of `../shared/cases/EXPECTED.tsv` against what drapto makes of it now.
//!
//! The table is written to `target/cases-table.md`. Each kind has a file of its own here, with the checks of its rows
//! ([`Row`]) and tests for further inputs of the same kind.

mod broadcast;
mod clock;
mod elements;
mod pictures;
mod program;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::support::*;

/// What one row of `EXPECTED.tsv` is checked by. `name` is the row's first column.
pub struct Row {
    pub name: &'static str,
    pub check: fn(&Lab) -> Found,
}

/// What was found, in a few words: `Ok` if that is right. Checks may panic as well, with the reason.
pub type Found = Result<String, String>;

/// Where a check works.
pub struct Lab {
    /// The folder of cases.
    pub cases: PathBuf,
    /// Scratch, of its own for each row.
    pub dir: PathBuf,
}

impl Lab {
    /// The case's file.
    pub fn case(&self, name: &str) -> PathBuf {
        self.cases.join(name)
    }

    /// Encodes a case quickly at a fixed CRF; where the output is, and the report.
    pub fn encode(&self, name: &str, more: &[&str]) -> (PathBuf, serde_json::Value) {
        let output = self.dir.join("out.mkv");
        let report = encode(&self.case(name), &output, more);
        (output, report)
    }
}

/// `Ok(found)` where `right`.
pub fn right_if(right: bool, found: impl Into<String>) -> Found {
    if right { Ok(found.into()) } else { Err(found.into()) }
}

/// The shared folder of cases, beside the project; `None` (and a word about it) where it is absent.
pub fn cases() -> Option<PathBuf> {
    let folder = root().join("../shared/cases");
    if folder.join("EXPECTED.tsv").is_file() {
        return Some(folder);
    }
    missing(&format!("there are no cases in {}", folder.display()));
    None
}

fn rows() -> Vec<&'static Row> {
    [broadcast::ROWS, clock::ROWS, elements::ROWS, pictures::ROWS, program::ROWS].into_iter().flatten().collect()
}

#[test]
fn every_case_comes_out_as_expected() {
    let Some(folder) = cases() else { return };
    let expected = std::fs::read_to_string(folder.join("EXPECTED.tsv")).expect("the list is readable");
    let rows = rows();
    let mut table = String::from("| case | expected | found | |\n|---|---|---|---|\n");
    let mut wrong = Vec::new();
    for line in expected.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(name), Some(wanted)) = (columns.next(), columns.next()) else { continue };
        let found = match rows.iter().find(|row| row.name == name) {
            Some(row) => run(row, &folder),
            None => Err("no check".to_owned()),
        };
        let (text, verdict) = match &found {
            Ok(text) => (text, "pass"),
            Err(text) => (text, "FAIL"),
        };
        let _ = writeln!(table, "| {name} | {wanted} | {text} | {verdict} |");
        if found.is_err() {
            wrong.push(format!("{name}: {text}"));
        }
    }
    std::fs::write(root().join("target/cases-table.md"), &table).expect("the table is written");
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}

fn run(row: &Row, cases: &Path) -> Found {
    let dir = scratch();
    let lab = Lab { cases: cases.to_path_buf(), dir: dir.path().to_path_buf() };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (row.check)(&lab)));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default())
    })
}
