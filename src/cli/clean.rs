//! `drapto clean`.

use std::path::{Path, PathBuf};

use drapto::leftovers::{Leftover, LeftoverKind, LeftoverState, leftovers};
use drapto::{CancelToken, Result};

use super::args::CleanArgs;
use super::text::{bytes, print, print_json};
use super::{layers, signals};

pub fn run(args: &CleanArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let mut found: Vec<Leftover> = Vec::new();
    for folder in folders(args)? {
        for leftover in leftovers(&folder, &cancel)? {
            if !found.iter().any(|known| known.path == leftover.path) {
                found.push(leftover);
            }
        }
    }
    let goes = |leftover: &Leftover| is_of_no_use(leftover, args.all);
    if args.json {
        return print_json(&found);
    }
    let mut free = 0;
    for leftover in &found {
        let removed = goes(leftover) && !args.dry_run;
        if removed {
            free += leftover.remove()?;
        }
        let what = match (goes(leftover), args.dry_run) {
            (true, false) => "removed",
            (true, true) => "would go",
            (false, _) => "kept",
        };
        let (path, size) = (leftover.path.display(), bytes(leftover.bytes));
        print(&format!("{what:<9}{size:>10}  {path}  ({})\n", words(leftover)))?;
    }
    match (found.is_empty(), args.dry_run) {
        (true, _) => print("nothing was left behind\n"),
        (false, true) => Ok(()),
        (false, false) => print(&format!("{} are free\n", bytes(free))),
    }
}

/// Where to look: the folders that were named, else this one, and where runs keep what they finish.
fn folders(args: &CleanArgs) -> Result<Vec<PathBuf>> {
    if !args.folders.is_empty() {
        return Ok(args.folders.clone());
    }
    let (values, _) = layers::layers(&args.files, &drapto::SettingValues::new())?;
    let (settings, _) = values.resolve("in", "out")?;
    let temp = settings.temp_dir.into_iter().chain([std::env::temp_dir()]);
    Ok([Path::new(".").to_path_buf()].into_iter().chain(temp).collect())
}

fn is_of_no_use(leftover: &Leftover, all: bool) -> bool {
    match leftover.state {
        LeftoverState::Dead { .. } => true,
        LeftoverState::Resumable { .. } => all,
        _ => false,
    }
}

/// What it is and how it is.
fn words(leftover: &Leftover) -> String {
    let what = match leftover.kind {
        LeftoverKind::Job => "a job",
        LeftoverKind::Input => "a copy of an input",
        LeftoverKind::Output => "an output",
        LeftoverKind::Log => "a log",
        _ => "something",
    };
    match &leftover.state {
        LeftoverState::Running => format!("{what} of a run that goes on"),
        LeftoverState::Resumable { chunks } => format!("{what} to go on with, {chunks} chunks finished"),
        LeftoverState::Dead { why } => format!("{what}: {why}"),
        _ => what.to_owned(),
    }
}
