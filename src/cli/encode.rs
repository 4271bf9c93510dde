//! `drapto encode`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drapto::{CancelToken, EncodeRequest, Error, ErrorKind, Event, JobHandle, Outcome, Result, SettingValues, Sink};

use super::args::EncodeArgs;
use super::logs::LogFile;
use super::progress::ProgressSink;
use super::text::{print, print_json};
use super::{signals, summary};

pub fn run(args: EncodeArgs) -> Result<()> {
    let (values, unknown) = layers(args.config.as_deref(), &args.chosen.0)?;
    let output = args.output.clone().unwrap_or_else(|| default_output(&args.input));
    let request = EncodeRequest::new(&args.input, output).with_settings(values);
    let (settings, _) = request.resolve(0)?;
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    if args.dry_run {
        return print_json(&drapto::plan(&settings, &cancel)?);
    }
    let job = settings.job_dir();
    let log = LogFile::start(job.as_deref(), settings.temp_dir.as_deref(), args.log_level, settings.keep_temp)?;
    tracing::info!(?settings, "encode");
    let progress = Arc::new(ProgressSink::choose(args.quiet, args.events.is_some()));
    for message in unknown {
        progress.event(&Event::Warning { message });
    }
    let result = drapto::start_with(request, Arc::clone(&progress) as Arc<dyn Sink>, &cancel)
        .and_then(JobHandle::wait)
        .and_then(|outcome| match outcome {
            Outcome::Done(report) => Ok(report),
            Outcome::Skipped(reason) => Err(reason.into()),
            _ => Err(Error::new(ErrorKind::Encode, "the job came to nothing")),
        });
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
        write_report(path, report.html()?)?;
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

/// Defaults, then the settings file, then the environment, then flags; and sentences about what is none of them.
pub(super) fn layers(config: Option<&Path>, flags: &SettingValues) -> Result<(SettingValues, Vec<String>)> {
    let mut values = SettingValues::new();
    if let Some(path) = config {
        values.read_file(path)?;
    }
    let unicode =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let warnings = values.read_environment(unicode)?;
    values.extend(flags);
    Ok((values, warnings))
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
