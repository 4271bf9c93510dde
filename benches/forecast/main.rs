//! How well the first CRF of a chunk is forecast, on films and encoder versions that the forecast was not fitted to.
//!
//! ```text
//! cargo bench --bench forecast -- collect TABLE EVERY WAY[,WAY...] FILM...
//! cargo bench --bench forecast -- judge TABLE...
//! ```
//!
//! `collect` encodes every `EVERY`-th chunk of the films in each way (`preset:depth:crf:stride`) that the table does not
//! hold yet. `judge` replays forecast and search over what the tables hold. Without arguments, as `cargo bench` runs it,
//! the table beside this file is judged.

mod collect;
mod judge;
mod table;

use std::path::Path;

use table::{Row, Way};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        [] => judge::judge(&rows(&[concat!(env!("CARGO_MANIFEST_DIR"), "/benches/forecast/encodes.tsv")])?),
        ["judge", tables @ ..] => judge::judge(&rows(tables)?),
        ["collect", table, every, ways, films @ ..] => {
            let ways = ways.split(',').map(Way::parse).collect::<Fallible<Vec<_>>>()?;
            films.iter().try_for_each(|film| collect::collect(Path::new(film), &ways, every.parse()?, Path::new(table)))
        }
        _ => Err("arguments: collect TABLE EVERY WAYS FILM... | judge TABLE...".into()),
    }
}

/// All rows of the tables.
fn rows(tables: &[&str]) -> Fallible<Vec<Row>> {
    let mut rows = Vec::new();
    for table in tables {
        for line in std::fs::read_to_string(table)?.lines() {
            rows.push(Row::parse(line)?);
        }
    }
    Ok(rows)
}
