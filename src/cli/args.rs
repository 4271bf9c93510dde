//! What may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use drapto::config::{BitDepth, Crop, Hwaccel, Scale};

/// Films in, AV1 + Opus in Matroska out, in one process.
#[derive(Parser, Debug)]
#[command(name = "drapto", version, about, max_term_width = 100)]
#[command(args_override_self = true)]
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
    Encode(Box<EncodeArgs>),
    /// Show a file's streams, colour, HDR metadata, chapters and attachments.
    Probe(ProbeArgs),
    /// Show where a film would be cut into chunks, and its scenes.
    Scenes(ScenesArgs),
    /// Show which part of a film's picture is not black bars.
    Crop(CropArgs),
    /// Score a file against its reference with VMAF, frames paired by their order.
    Vmaf(VmafArgs),
    /// Check that an output is a faithful encode of its source.
    Verify(VerifyArgs),
    /// Time every stage of the encode path alone, then together.
    Bench(BenchArgs),
    /// Show, check or begin a settings file.
    Config(ConfigArgs),
}

#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct EncodeArgs {
    /// The film to encode: anything FFmpeg reads.
    pub input: PathBuf,
    /// The Matroska file to write [default: the input's name with .av1.mkv, beside it].
    pub output: Option<PathBuf>,
    /// VMAF that every chunk of the film has to meet, 1 to 99 [default: 93].
    #[arg(long, value_name = "V", conflicts_with = "crf")]
    pub target_vmaf: Option<f64>,
    /// How far a chunk may be from the target on either side, in VMAF [default: 0.5].
    #[arg(long, value_name = "V")]
    pub vmaf_tolerance: Option<f64>,
    /// Meet the target in every chunk, each at a CRF of its own, or over the whole title at one CRF [default: chunk].
    #[arg(long, value_name = "WHAT", conflicts_with = "crf")]
    pub per: Option<PerWhat>,
    /// The longest chunk, in seconds, 1 to 300 [default: 15].
    #[arg(long, value_name = "SECONDS")]
    pub chunk_size: Option<f64>,
    /// Score every N-th frame; take an odd N [default: 3 above preset 4, else 1].
    #[arg(long, value_name = "N")]
    pub stride: Option<u32>,
    /// The VMAF model, by libvmaf's name [default: vmaf_v0.6.1, above 2560x1440 vmaf_4k_v0.6.1].
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Constant rate factor, 1 (best) to 63, instead of a target.
    #[arg(long, value_name = "N")]
    pub crf: Option<f32>,
    /// Encoders at once when there is a target [default: by cores, memory and picture size].
    #[arg(long, value_name = "N")]
    pub workers: Option<u32>,
    /// The most memory for frames, encoders and meters when there is a target, as 4G or 1500M
    /// [default: 8G or 80 % of the machine, whichever is less].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<u64>,
    /// SVT-AV1 preset, 0 (slowest) to 13 (fastest) [default: 6].
    #[arg(long, value_name = "0-13")]
    pub preset: Option<u8>,
    /// Which part of the picture to encode: auto (what is within black bars), off, or W:H:X:Y [default: auto].
    #[arg(long, value_name = "WHAT")]
    pub crop: Option<Crop>,
    /// Scale to this height (the width follows), or to WIDTHxHEIGHT; scored against the scaled source.
    #[arg(long, value_name = "SIZE")]
    pub scale: Option<Scale>,
    /// Bits a sample of the output: 8, 10 or source [default: 10].
    #[arg(long, value_name = "BITS")]
    pub bit_depth: Option<BitDepth>,
    /// Deinterlace what is interlaced, at the same frame rate: auto or off [default: auto].
    #[arg(long, value_name = "MODE")]
    pub deinterlace: Option<DeinterlaceMode>,
    /// Dolby Vision: auto (carried where AV1 can), strip, or require (fail without it) [default: auto].
    #[arg(long, value_name = "MODE")]
    pub dolby_vision: Option<DolbyVision>,
    /// Synthesise film grain of this strength, 1 to 50; auto-off leaves grain to the encode [default: auto-off].
    #[arg(long, value_name = "N", value_parser = film_grain)]
    pub film_grain: Option<u8>,
    /// Decode in hardware: auto (where some opens and decodes the first picture), off, or videotoolbox, vaapi, cuda,
    /// vulkan; software takes over where it fails, with the same pictures [default: auto].
    #[arg(long, value_name = "WHAT")]
    pub hwaccel: Option<Hwaccel>,
    /// Encode a film again that is AV1 already, instead of leaving it alone (exit 5).
    #[arg(long)]
    pub reencode: bool,
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
    /// Write the report as a page with plots of score, CRF, bit rate and stages to this file.
    #[arg(long, value_name = "FILE.html")]
    pub report_html: Option<PathBuf>,
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
    /// Where finished chunks and the log are kept while the run lasts [default: beside the output; at a fixed CRF,
    /// where there is only a log, the system's folder for temporary files].
    #[arg(long, value_name = "DIR")]
    pub temp_dir: Option<PathBuf>,
    /// Keep chunks and log after a run that succeeded.
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
    /// Also look for black bars.
    #[arg(long)]
    pub crop: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct ScenesArgs {
    /// The film.
    pub input: PathBuf,
    /// The longest chunk, in seconds, 1 to 300.
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    pub chunk_size: f64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct CropArgs {
    /// The film.
    pub input: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct VmafArgs {
    /// The original.
    pub reference: PathBuf,
    /// What was made of it.
    pub distorted: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Score every N-th frame; take an odd N.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub stride: u32,
    /// The model, by libvmaf's name [default: vmaf_v0.6.1, above 2560x1440 vmaf_4k_v0.6.1].
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
}

#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The film that was encoded.
    pub source: PathBuf,
    /// What came of it.
    pub output: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct BenchArgs {
    /// The film to measure with.
    pub input: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Pictures to give each stage.
    #[arg(long, value_name = "N", default_value_t = 240)]
    pub frames: u64,
    /// Constant rate factor, 1 (best) to 63 [default: 25 up to 1080p, 29 above].
    #[arg(long, value_name = "N")]
    pub crf: Option<f32>,
    /// SVT-AV1 preset, 0 (slowest) to 13 (fastest).
    #[arg(long, value_name = "0-13", default_value_t = 6)]
    pub preset: u8,
    /// Leave out the run of the whole film through the whole pipeline.
    #[arg(long)]
    pub alone: bool,
}

#[derive(Args, Debug)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Print the settings an encode would use and where each comes from.
    Show {
        /// The settings file to read.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check a settings file.
    Check {
        /// The settings file.
        file: PathBuf,
    },
    /// Write a settings file with every key at its default, commented out.
    Init {
        /// Where to write it; an existing file is left alone.
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Audio {
    Opus,
    Copy,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DeinterlaceMode {
    Auto,
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DolbyVision {
    Auto,
    Strip,
    Require,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PerWhat {
    Chunk,
    Title,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Events {
    Ndjson,
}

/// SVT-AV1 parameters in the order they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SvtParameters(pub Vec<(String, String)>);

fn film_grain(text: &str) -> Result<u8, String> {
    match text {
        "auto-off" => Ok(0),
        number => {
            number.parse().ok().filter(|n| *n <= 50).ok_or_else(|| format!("{text:?} is not 0 to 50 or auto-off"))
        }
    }
}

/// Bytes, or a number with K, M, G or T (powers of 1024).
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text[digits.len()..].to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("{text:?} is no size; write 4G or 1500M")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no size; write 4G or 1500M"))?;
    number.checked_mul(1 << shift).filter(|&bytes| bytes > 0).ok_or_else(|| format!("{text:?} is out of range"))
}

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
    fn sizes_are_bytes_or_powers_of_1024() {
        for (text, bytes) in [("4G", 4u64 << 30), ("1500M", 1500 << 20), ("2GiB", 2 << 30), ("1k", 1024), ("77", 77)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1G", "4X", "1.5G", "0", "99999999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn svt_parameters_keep_their_order_and_a_wrong_one_is_named() {
        let parsed = svt_parameters("film-grain=8:tune=1").unwrap();
        assert_eq!(parsed.0, [("film-grain".into(), "8".into()), ("tune".into(), "1".into())]);
        assert!(svt_parameters("film-grain").unwrap_err().contains("film-grain"));
    }
}
