//! The command line: arguments in, text and exit codes out. One file a command.
//!
//! Owns the terminal, signals, logs and spelling. Uses the public API only, so that whatever it can do, a
//! program that links drapto can do.
//!
//! Size: every command is here, one a file; the batch and its board are folders of their own.
#![deny(unsafe_code)]

mod analyze;
mod args;
mod audio;
mod batch;
mod bench;
mod board;
mod cache;
mod clean;
mod compare;
mod config;
mod crop;
mod encode;
#[allow(unsafe_code)]
mod ffi;
mod history;
mod import;
mod layers;
mod logs;
mod manual;
mod places;
mod probe;
mod progress;
mod quality_args;
mod rendition;
mod scenes;
mod signals;
mod summary;
mod text;
mod verify;
mod vmaf;

use std::process::ExitCode;

use clap::Parser;
use drapto::{ErrorKind, Result};

use args::{Cli, Command};

/// Runs the program.
pub fn main() -> ExitCode {
    ffi::limit_arenas();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own text; help and version are results, the rest is wrong usage.
            let code = if error.use_stderr() { ErrorKind::Usage.exit_code() } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    drapto::process::quiet_libraries();
    drapto::process::around_opening(ffi::zeroed_memory);
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nothing can be done about a standard error that is closed.
            let _ = text::write_error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// The exit code of a command that came to its end.
fn run(cli: Cli) -> Result<u8> {
    let done = match cli.command {
        Command::Encode(args) => return encode::run(*args),
        Command::Batch(args) => return batch::run(&args),
        Command::Plan(args) => batch::plan(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Scenes(args) => scenes::run(&args),
        Command::Crop(args) => crop::run(&args),
        Command::Audio(args) => audio::run(&args),
        Command::Rendition(args) => rendition::run(&args),
        Command::Vmaf(args) => vmaf::run(&args),
        Command::Analyze(args) => analyze::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Config(args) => config::run(&args.command),
        Command::Clean(args) => clean::run(&args),
        Command::Cache(args) => cache::run(&args.command),
        Command::History(args) => history::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::man(folder.as_deref()),
    };
    done.map(|()| 0)
}
