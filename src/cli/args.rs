//! What may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Films in, AV1 + Opus in Matroska out, in one process.
#[derive(Parser, Debug)]
#[command(name = "drapto", version, about, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 the encode failed, 2 wrong usage or configuration, 3 the input cannot be \
read or is unsupported, 4 the output failed verification, 5 skipped by a rule, 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Encode a film to AV1 + Opus in Matroska and verify the result.
    Encode(EncodeArgs),
    /// Show a file's streams, colour, HDR metadata, chapters and attachments.
    Probe(ProbeArgs),
}

#[derive(Args, Debug)]
pub struct EncodeArgs {
    /// The film to encode: anything FFmpeg reads.
    pub input: PathBuf,
    /// The Matroska file to write [default: the input's name with .av1.mkv, beside it].
    pub output: Option<PathBuf>,
    /// Constant rate factor, 1 (best) to 63 [default: 25 up to 1080p, 29 above].
    #[arg(long, value_name = "N")]
    pub crf: Option<f32>,
    /// SVT-AV1 preset, 0 (slowest) to 13 (fastest) [default: 6].
    #[arg(long, value_name = "0-13")]
    pub preset: Option<u8>,
    /// Further SVT-AV1 parameters by the encoder's own names, applied last.
    #[arg(long, value_name = "K=V:K=V", value_parser = svt_parameters)]
    pub svt: Option<SvtParameters>,
    /// Encode audio tracks to Opus, or copy them where Matroska can carry the codec [default: opus].
    #[arg(long, value_name = "MODE")]
    pub audio: Option<Audio>,
    /// Replace the output if it exists.
    #[arg(long)]
    pub overwrite: bool,
    /// Encode a source of which more than 1 % of the pictures are lost.
    #[arg(long)]
    pub accept_damage: bool,
    /// Say what would become of each stream, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Write the report as JSON to this file.
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// Write events to standard output, one JSON object a line, instead of progress and summary.
    #[arg(long, value_name = "FORMAT")]
    pub events: Option<Events>,
    /// Show errors only.
    #[arg(long, short)]
    pub quiet: bool,
    /// How much of the log goes to standard error: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    pub log_level: tracing::Level,
    /// Read settings from this TOML file; flags go before it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where logs are kept while the run lasts [default: the system's folder for temporary files].
    #[arg(long, value_name = "DIR")]
    pub temp_dir: Option<PathBuf>,
    /// Keep the log after a run that succeeded.
    #[arg(long)]
    pub keep_temp: bool,
    /// Stop when no stage makes progress for this long, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub stall_timeout: u64,
}

#[derive(Args, Debug)]
pub struct ProbeArgs {
    /// The file to look at.
    pub input: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Audio {
    Opus,
    Copy,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Events {
    Ndjson,
}

/// SVT-AV1 parameters in the order they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SvtParameters(pub Vec<(String, String)>);

fn svt_parameters(text: &str) -> Result<SvtParameters, String> {
    text.split(':')
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(format!("{part:?} is not of the form name=value")),
        })
        .collect::<Result<Vec<_>, _>>()
        .map(SvtParameters)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn svt_parameters_keep_their_order_and_a_wrong_one_is_named() {
        let parsed = svt_parameters("film-grain=8:tune=1").unwrap();
        assert_eq!(parsed.0, [("film-grain".into(), "8".into()), ("tune".into(), "1".into())]);
        assert!(svt_parameters("film-grain").unwrap_err().contains("film-grain"));
    }
}
