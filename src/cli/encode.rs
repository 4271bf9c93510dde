//! `drapto encode`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drapto::config::{Deinterlace, DolbyVisionMode, FileSettings, Per, Quality, Target};
use drapto::{AudioMode, CancelToken, EncodeSettings, Error, ErrorKind, Result};

use super::args::{Audio, DeinterlaceMode, DolbyVision, EncodeArgs, PerWhat};
use super::logs::LogFile;
use super::progress::Progress;
use super::{print, print_json, signals, summary};

pub fn run(args: EncodeArgs) -> Result<()> {
    let settings = resolve(&args)?;
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    if args.dry_run {
        return print_json(&drapto::plan(&settings, &cancel)?);
    }
    let job = drapto::store::job_dir(&settings);
    let log = LogFile::start(job.as_deref(), settings.temp_dir.as_deref(), args.log_level, args.keep_temp)?;
    tracing::info!(?settings, "encode");
    let progress = Progress::choose(args.quiet, args.events.is_some());
    let result = drapto::encode(&settings, &progress, &cancel);
    progress.finish();
    match &result {
        Ok(_) => {
            if let Some(path) = log.finish(true) {
                note(&args, &format!("log: {}", path.display()));
            }
        }
        Err(error) => {
            // For the log: on the terminal the error is said once, at the end.
            tracing::info!(%error, "failed");
            match error.kind() {
                ErrorKind::Encode | ErrorKind::Verification => {
                    note(&args, &format!("log: {}", log.keep().display()));
                }
                _ => drop(log.finish(false)),
            }
        }
    }
    let report = result?;
    if let Some(path) = &args.report {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot write the report as JSON").caused_by(e))?;
        write_report(path, text + "\n")?;
    }
    if let Some(path) = &args.report_html {
        write_report(path, drapto::report::html(&report)?)?;
    }
    if args.quiet || args.events.is_some() {
        return Ok(());
    }
    print(&summary::summary(&report))
}

fn note(args: &EncodeArgs, line: &str) {
    if !args.quiet {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

/// Defaults, then the settings file, then flags.
fn resolve(args: &EncodeArgs) -> Result<EncodeSettings> {
    let output = args.output.clone().unwrap_or_else(|| default_output(&args.input));
    let mut settings = EncodeSettings::new(&args.input, output);
    if let Some(path) = &args.config {
        FileSettings::read(path)?.apply(&mut settings);
    }
    settings.quality = quality(args, settings.quality)?;
    settings.workers = args.workers.or(settings.workers);
    settings.max_memory = args.max_memory.or(settings.max_memory);
    settings.temp_dir = args.temp_dir.clone().or(settings.temp_dir);
    settings.keep_temp |= args.keep_temp;
    settings.preset = args.preset.unwrap_or(settings.preset);
    treat(args, &mut settings);
    if let Some(svt) = &args.svt {
        settings.svt.extend(svt.0.clone());
    }
    settings.audio = match args.audio {
        Some(Audio::Opus) => AudioMode::Opus,
        Some(Audio::Copy) => AudioMode::Copy,
        None => settings.audio,
    };
    settings.overwrite |= args.overwrite;
    settings.accept_damage |= args.accept_damage;
    settings.stall_timeout = Duration::from_secs(args.stall_timeout);
    settings.check()?;
    Ok(settings)
}

/// What the flags say of the picture.
fn treat(args: &EncodeArgs, settings: &mut EncodeSettings) {
    let picture = &mut settings.picture;
    picture.crop = args.crop.unwrap_or(picture.crop);
    picture.scale = args.scale.or(picture.scale);
    picture.bit_depth = args.bit_depth.unwrap_or(picture.bit_depth);
    picture.film_grain = args.film_grain.unwrap_or(picture.film_grain);
    picture.deinterlace = match args.deinterlace {
        Some(DeinterlaceMode::Auto) => Deinterlace::Auto,
        Some(DeinterlaceMode::Off) => Deinterlace::Off,
        None => picture.deinterlace,
    };
    picture.dolby_vision = match args.dolby_vision {
        Some(DolbyVision::Auto) => DolbyVisionMode::Auto,
        Some(DolbyVision::Strip) => DolbyVisionMode::Strip,
        Some(DolbyVision::Require) => DolbyVisionMode::Require,
        None => picture.dolby_vision,
    };
    if let Some(hwaccel) = &args.hwaccel {
        settings.hwaccel = hwaccel.clone();
    }
    settings.reencode |= args.reencode;
}

/// What the flags say of quality, on top of what the file said.
fn quality(args: &EncodeArgs, from_file: Quality) -> Result<Quality> {
    if let Some(crf) = args.crf {
        return Ok(Quality::Crf(Some(crf)));
    }
    let aimed = args.target_vmaf.is_some();
    let mut target = match from_file {
        Quality::Target(target) => target,
        Quality::Crf(_) if aimed => Target::default(),
        fixed => return Ok(fixed),
    };
    target.vmaf = args.target_vmaf.unwrap_or(target.vmaf);
    target.tolerance = args.vmaf_tolerance.unwrap_or(target.tolerance);
    target.per = match args.per {
        Some(PerWhat::Chunk) => Per::Chunk,
        Some(PerWhat::Title) => Per::Title,
        None => target.per,
    };
    target.chunk_seconds = args.chunk_size.unwrap_or(target.chunk_seconds);
    target.stride = args.stride.or(target.stride);
    target.model = args.model.clone().or(target.model);
    Ok(Quality::Target(target))
}

/// `film.mkv` becomes `film.av1.mkv` beside it.
fn default_output(input: &Path) -> PathBuf {
    input.with_extension("av1.mkv")
}

/// Written beside its place and renamed, as the film is.
fn write_report(path: &Path, text: String) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::new(ErrorKind::Output, "cannot write the report").caused_by(e).with_file(path);
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    std::fs::write(&partial, text).map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)
}
