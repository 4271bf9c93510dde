//! What may be typed.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use drapto::data::{Origin, Setting, SettingKind};
use drapto::{Crf, SettingValues, settings};

use super::layers::NamedFiles;
use super::quality_args::{AnalyzeArgs, CompareArgs};

/// Films in, AV1 + Opus in Matroska out, in one process.
#[derive(Parser, Debug)]
#[command(name = "drapto", version = version(), about, max_term_width = 100)]
#[command(args_override_self = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 the encode failed, 2 wrong usage or configuration, 3 the input cannot be \
read or is unsupported, 4 the output failed verification or an analysis its thresholds, 5 skipped by a rule, 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// drapto's version and the encoder it runs with, which decides about speed and bytes.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| format!("{} ({})", env!("CARGO_PKG_VERSION"), drapto::process::encoder()))
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Encode a film to AV1 + Opus in Matroska and verify the result.
    Encode(Box<EncodeArgs>),
    /// Encode the films of folders, and remember where it was.
    Batch(Box<BatchArgs>),
    /// Say what would be done with the films of folders, how long that would take and what would come of it.
    Plan(Box<PlanArgs>),
    /// Show a file's streams, colour, HDR metadata, chapters and attachments.
    Probe(ProbeArgs),
    /// Show where a film would be cut into chunks, and its scenes.
    Scenes(ScenesArgs),
    /// Show which part of a film's picture is not black bars.
    Crop(CropArgs),
    /// Measure how loud each audio track is, or write one of them into a file of its own.
    Audio(Box<AudioArgs>),
    /// Make several sizes, codecs and containers of a film, sound alone, posters, contact sheets and GIFs, from one decode.
    Rendition(Box<RenditionArgs>),
    /// Score a file against its reference with VMAF, frames paired by their order.
    Vmaf(VmafArgs),
    /// Judge a file's pictures and sound, alone or beside its reference: metrics, findings, verdict.
    Analyze(AnalyzeArgs),
    /// Rank several encodes of one source, with BD-rate for curves.
    Compare(CompareArgs),
    /// Check that an output is a faithful encode of its source.
    Verify(VerifyArgs),
    /// Time every stage of the encode path alone, then together.
    Bench(BenchArgs),
    /// Show, check or begin a settings file.
    Config(ConfigArgs),
    /// Remove what runs left behind that ended early and is of no use any more.
    Clean(CleanArgs),
    /// Show, shorten or empty what drapto remembers of films.
    Cache(CacheArgs),
    /// List runs that ended, and what they saved.
    History(HistoryArgs),
    /// Print what makes a shell complete drapto's commands and flags.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, or write those of all commands into a folder.
    Man {
        /// The folder; it has to be there.
        folder: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct EncodeArgs {
    /// The film to encode: anything FFmpeg reads; or a folder of films.
    pub input: PathBuf,
    /// The file to write, Matroska, WebM or MP4 by its name [default: the input's name with .av1.mkv, beside it]; of a folder, a folder.
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub chosen: Chosen,
    /// Say what would become of each stream, or of each film of a folder, and do nothing.
    #[arg(display_order = 100, long)]
    pub dry_run: bool,
    /// Of a folder: when its films are encoded, go on looking for new ones.
    #[arg(display_order = 100, long)]
    pub watch: bool,
    #[command(flatten)]
    pub talk: Talk,
    #[command(flatten)]
    pub files: NamedFiles,
}

/// What a run says, and where.
#[derive(Args, Debug)]
pub struct Talk {
    /// Write the report as JSON to this file.
    #[arg(display_order = 101, long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// Write the report as a page with plots of score, CRF, bit rate and stages to this file.
    #[arg(display_order = 102, long, value_name = "FILE.html")]
    pub report_html: Option<PathBuf>,
    /// Write events to standard output, one JSON object a line, instead of progress and summary.
    #[arg(display_order = 103, long, value_name = "FORMAT")]
    pub events: Option<Events>,
    /// Show errors only.
    #[arg(display_order = 104, long, short)]
    pub quiet: bool,
    /// How much of the log goes to standard error: error, warn, info, debug or trace.
    #[arg(display_order = 105, long, value_name = "LEVEL", default_value = "error")]
    pub log_level: tracing::Level,
}

#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct BatchArgs {
    /// Folders of films, and films.
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub chosen: Chosen,
    /// When all films are encoded, go on looking for new ones.
    #[arg(display_order = 100, long)]
    pub watch: bool,
    #[command(flatten)]
    pub talk: Talk,
    #[command(flatten)]
    pub files: NamedFiles,
}

#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct PlanArgs {
    /// Folders of films, and films.
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub chosen: Chosen,
    /// Print JSON.
    #[arg(display_order = 100, long)]
    pub json: bool,
    #[command(flatten)]
    pub files: NamedFiles,
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
pub struct AudioArgs {
    /// The film, or other file with sound.
    pub input: PathBuf,
    /// The file to write: mp3, m4a, aac, ogg, oga, opus, flac, wav, ac3 or eac3 by its ending; without it the loudness of all
    /// tracks is measured: integrated, range, maxima, true peak.
    pub output: Option<PathBuf>,
    /// Which audio track to write, from 1 [default: the one a player would choose].
    #[arg(long, value_name = "N", requires = "output")]
    pub track: Option<usize>,
    /// Bit rate in kb/s [default: by codec and layout, as 192 for MP3 in stereo].
    #[arg(long, value_name = "KBPS", requires = "output", value_parser = clap::value_parser!(u32).range(16..=1536))]
    pub bitrate: Option<u32>,
    /// Samples a second [default: the source's, or the next above that the codec has].
    #[arg(long, value_name = "HZ", requires = "output")]
    pub sample_rate: Option<u32>,
    /// Mix down to stereo, mono or 5.1, by ITU-R BS.775.
    #[arg(long, value_name = "LAYOUT", requires = "output", value_parser = ["stereo", "mono", "5.1"])]
    pub downmix: Option<String>,
    /// Make it so loud: ebu (-23 LUFS), atsc (-24), streaming (-14), or a number.
    #[arg(long, value_name = "LOUDNESS", requires = "output", allow_negative_numbers = true)]
    pub loudness: Option<drapto::data::LoudnessGoal>,
    /// The highest true peak in dBTP where the loudness is changed [default: -1; atsc: -2].
    #[arg(long, value_name = "DBTP", requires = "loudness", allow_negative_numbers = true)]
    pub true_peak: Option<f64>,
    /// Copy the packets: the format has to hold the source's codec, and nothing else may be asked for.
    #[arg(long, requires = "output")]
    pub copy: bool,
    /// Replace an existing output.
    #[arg(long, requires = "output")]
    pub overwrite: bool,
    /// Take a source of whose sound more than 1 % is lost.
    #[arg(long, requires = "output")]
    pub accept_damage: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(args_override_self = true)]
#[command(after_help = RENDITION_WORDS)]
pub struct RenditionArgs {
    /// The film.
    pub input: PathBuf,
    /// Where files go whose names are not absolute; it has to be there [default: the current folder, for the standard set the
    /// film's].
    pub folder: Option<PathBuf>,
    /// Make this file, with words that say how, as {name}.720p.mp4:height=720,crf=23; may be given several times. What it is
    /// follows from its name.
    #[arg(long, value_name = "FILE[:WORD=VALUE,...]", action = ArgAction::Append)]
    pub to: Vec<String>,
    /// Make the files that this TOML or JSON file describes: [[rendition]] with file and the words of each.
    #[arg(long, value_name = "FILE.toml")]
    pub renditions: Option<PathBuf>,
    /// Make the standard set, also beside others: MP4 (H.264, AAC) of 1080, 720 and 480 lines, those not above the film, and
    /// WebM (AV1, Opus) [default: where nothing else is asked for].
    #[arg(long)]
    pub standard: bool,
    /// Make a poster of the best picture: .jpg, .png or .webp.
    #[arg(long, value_name = "FILE")]
    pub poster: Option<PathBuf>,
    /// Make a contact sheet of 4 by 4 pictures at even intervals: .jpg, .png or .webp.
    #[arg(long, value_name = "FILE")]
    pub sheet: Option<PathBuf>,
    /// Make a moving preview of 4 seconds: .gif.
    #[arg(long, value_name = "FILE.gif")]
    pub gif: Option<PathBuf>,
    #[command(flatten)]
    pub chosen: Chosen,
    /// Write what came of it as JSON to this file.
    #[arg(display_order = 101, long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(display_order = 102, long)]
    pub json: bool,
    /// Write events to standard output, one JSON object a line, instead of progress and summary.
    #[arg(display_order = 103, long, value_name = "FORMAT")]
    pub events: Option<Events>,
    /// Show errors only.
    #[arg(display_order = 104, long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub files: NamedFiles,
}

/// The words of renditions, below the flags.
const RENDITION_WORDS: &str = "Words of films (.mp4, .webm, .mkv): codec (av1, h264, hevc), fit (WIDTHxHEIGHT, a box that is \
turned for pictures higher than wide) or height (720 is a box of 1280x720), upscale (true enlarges smaller films), crf or \
target_vmaf, preset, bit_depth, crop, audio (a codec, or copy), audio_bitrate, downmix, loudness, and any setting by its whole \
name, as video.keep_start=true. Without them MP4 has H.264 at CRF 22 in 8 bits and AAC, WebM AV1 at CRF 30 and Opus, both in \
stereo; flags of this command hold for all films.

Words of sound (.m4a, .mp3, .opus, .ogg, .flac, .wav, .ac3, .eac3): track, bitrate, sample_rate, downmix, loudness.

Words of stills (.jpg, .png, .webp): at (a time as 12.5 or 1:02:03, or best), within (60-1:30), fit, quality (1 to 100); with \
kind=sheet: at (even or scenes), grid (4x4), width of each, times (whether each says its time), quality. Of .gif: start, \
duration, width, fps, colors, loop.";

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
    pub crf: Option<Crf>,
    /// SVT-AV1 preset, 0 (slowest) to 13 (fastest).
    #[arg(long, value_name = "0-13", default_value_t = 6)]
    pub preset: u8,
    /// Leave out the run of the whole film through the whole pipeline.
    #[arg(long)]
    pub alone: bool,
}

#[derive(Args, Debug)]
pub struct CleanArgs {
    /// Where to look, and below [default: this folder, and where runs keep what they finish].
    pub folders: Vec<PathBuf>,
    /// Also remove what the same command would go on from.
    #[arg(long)]
    pub all: bool,
    /// Say what would go, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print what was found as JSON, and do nothing.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub files: NamedFiles,
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
        #[command(flatten)]
        files: NamedFiles,
        #[command(flatten)]
        chosen: Box<Chosen>,
    },
    /// Check a settings file.
    Check {
        /// The settings file.
        file: PathBuf,
    },
    /// Make a settings file of a config.ini of the AUTO VMAF ENCODER, and say what has no counterpart.
    Import {
        /// The config.ini.
        ini: PathBuf,
        /// Where to write the settings file; an existing file is left alone [default: standard output].
        file: Option<PathBuf>,
    },
    /// Write a settings file with every key at its default, commented out.
    Init {
        /// Where to write it; an existing file is left alone.
        file: PathBuf,
    },
}

#[derive(Args, Debug)]
pub struct CacheArgs {
    #[command(subcommand)]
    pub command: CacheCommand,
}

#[derive(Subcommand, Debug)]
pub enum CacheCommand {
    /// Show where the cache is, its size and what is in it.
    Stats {
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Take out what was not used for long, or until the cache is small enough; the history stays.
    #[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
    Prune {
        /// What was not used for so many days.
        #[arg(long, value_name = "DAYS", group = "what")]
        older_than: Option<u32>,
        /// What was not used the longest, until the cache takes this at most, as 500M or 2G.
        #[arg(long, value_name = "SIZE", group = "what", value_parser = drapto::text::size)]
        max_size: Option<u64>,
    },
    /// Take out everything but the history.
    Clear {
        /// Take out the history instead.
        #[arg(long)]
        history: bool,
    },
}

#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// The most runs to list, from the newest on.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Events {
    Ndjson,
}

/// The flags of the settings, made from the table in which each is declared once.
#[derive(Debug, Default)]
pub struct Chosen(pub SettingValues);

impl Chosen {
    fn read(matches: &ArgMatches) -> Result<SettingValues, clap::Error> {
        let mut values = SettingValues::default();
        let refused = |e: drapto::Error| clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{e}\n"));
        for setting in settings().iter().filter(|s| s.flag.is_some()) {
            if setting.key == "temp_dir" {
                if let Some(path) = matches.get_one::<PathBuf>(setting.key) {
                    values.set_temp_dir(path, Origin::Flag).map_err(refused)?;
                }
                continue;
            }
            let text = match setting.kind {
                SettingKind::Switch => matches.get_flag(setting.key).then(|| "true".to_owned()),
                _ => matches.get_one::<String>(setting.key).cloned(),
            };
            if let Some(text) = text {
                // Checked already as it was parsed.
                values.set(setting.name, &text, Origin::Flag).map_err(refused)?;
            }
        }
        Ok(values)
    }
}

impl FromArgMatches for Chosen {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::read(matches).map(Chosen)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = Self::read(matches)?;
        Ok(())
    }
}

impl Args for Chosen {
    fn augment_args(command: clap::Command) -> clap::Command {
        let flags = settings().iter().enumerate();
        command.args(flags.filter_map(|(index, setting)| Some(flag(index, setting, setting.flag?))))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

fn flag(index: usize, setting: &'static Setting, name: &'static str) -> Arg {
    // Where things are kept comes after what is to be done.
    let late = ["temp_dir", "keep_temp", "stall_timeout"].contains(&setting.key);
    let arg = Arg::new(setting.key).long(name).help(setting.sentence());
    let arg = arg.display_order(if late { 200 + index } else { index });
    let arg = match setting.kind {
        SettingKind::Switch => return arg.action(ArgAction::SetTrue),
        _ if setting.key == "temp_dir" => arg.value_parser(clap::value_parser!(PathBuf)),
        SettingKind::OneOf(words) => arg.value_parser(PossibleValuesParser::new(words)),
        _ => arg.value_parser(move |text: &str| setting.check(text).map(|()| text.to_owned())),
    };
    // `--loudness -16`
    let below_zero = matches!(setting.kind, SettingKind::Number { min, .. } if min < 0.0) || setting.key == "loudness";
    let arg = arg.value_name(setting.value_name).allow_negative_numbers(below_zero);
    if matches!(setting.key, "target_vmaf" | "per") { arg.conflicts_with("crf") } else { arg }
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
    fn every_setting_is_in_the_help_with_its_sentence_and_default() {
        let mut command = Cli::command();
        let help = command.find_subcommand_mut("encode").unwrap().render_help().to_string();
        // However it is wrapped.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for setting in settings() {
            let Some(flag) = setting.flag else { continue };
            let value = if setting.value_name.is_empty() { "" } else { &format!(" <{}>", setting.value_name) };
            let entry = format!("--{flag}{value} {}", setting.sentence());
            assert!(help.contains(&entry), "{entry}");
        }
    }

    #[test]
    fn flags_are_settings_of_which_the_last_holds() {
        let read = |args: &[&str]| {
            let all = ["drapto", "encode", "in.mkv"].iter().chain(args);
            match Cli::try_parse_from(all).map(|cli| cli.command) {
                Ok(Command::Encode(args)) => Ok(args.chosen.0),
                Ok(_) => panic!("another command"),
                Err(e) => Err(e.to_string()),
            }
        };
        let chosen = read(&["--preset", "4", "--preset", "5", "--overwrite", "--svt", "tune=1"]).unwrap();
        let (settings, _) = chosen.resolve("in.mkv", "out.mkv").unwrap();
        assert_eq!((settings.preset, settings.overwrite, settings.svt.len()), (5, true, 1));
        let error = read(&["--crf", "25.1"]).unwrap_err();
        assert!(error.contains("CRF 25.1 ") && !error.contains("25.1000"), "{error}");
        assert!(read(&["--crf", "30", "--target-vmaf", "90"]).unwrap_err().contains("cannot be used with"));
        assert!(read(&["--svt", "film-grain"]).unwrap_err().contains("name=value"));
    }
}
