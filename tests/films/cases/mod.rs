//! Inputs that broke encoders: every row of `../shared/cases/EXPECTED.tsv` against what drapto makes of it now.
//!
//! The table is written to `target/cases-table.md`. Each kind has a file of its own here, with the checks of its rows
//! ([`Row`]) and tests for further inputs of the same kind.

mod broadcast;
mod clock;
mod elements;
mod paths;
mod pictures;
mod program;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// `DRAPTO_TEST_ROW` limits it to rows whose names contain it.
#[test]
fn every_case_comes_out_as_expected() {
    let Some(folder) = cases() else { return };
    let expected = std::fs::read_to_string(folder.join("EXPECTED.tsv")).expect("the list is readable");
    let only = std::env::var("DRAPTO_TEST_ROW").unwrap_or_default();
    let wanted: Vec<(&str, &str)> = expected
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split('\t');
            columns.next().zip(columns.next())
        })
        .filter(|(name, _)| name.contains(&only))
        .collect();
    let found = found(&folder, &wanted);
    let mut table = String::from("| case | expected | found | |\n|---|---|---|---|\n");
    for ((name, wanted), found) in wanted.iter().zip(&found) {
        let (text, verdict) = match found {
            Ok(text) => (text, "pass"),
            Err(text) => (text, "FAIL"),
        };
        let _ = writeln!(table, "| {name} | {wanted} | {text} | {verdict} |");
    }
    std::fs::write(root().join("target/cases-table.md"), &table).expect("the table is written");
    assert!(found.iter().all(Result::is_ok), "{table}");
}

/// What comes of each row, two at a time: most of them wait for others' programs.
fn found(folder: &Path, wanted: &[(&str, &str)]) -> Vec<Found> {
    let rows = rows();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(vec![Err("not run".to_owned()); wanted.len()]);
    let work = || {
        while let Some((at, (name, _))) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| wanted.get(at).map(|w| (at, w)))
        {
            let row = rows.iter().find(|row| row.name == *name);
            let result = row.map_or(Err("no check".to_owned()), |row| run(row, folder));
            found.lock().expect("no check holds it")[at] = result;
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    found.into_inner().expect("no check holds it")
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
