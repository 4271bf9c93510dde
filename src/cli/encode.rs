//! `drapto encode`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drapto::{
    CancelToken, EncodeRequest, Error, ErrorKind, Event, JobHandle, Outcome, Report, Result, SettingValues, Sink,
};

use super::args::EncodeArgs;
use super::batch::Remembered;
use super::logs::LogFile;
use super::places::{self, DASH, Place};
use super::progress::ProgressSink;
use super::text::{print, print_json};
use super::{batch, ffi, signals, summary};

pub fn run(args: EncodeArgs) -> Result<u8> {
    if args.input.is_dir() {
        return films(&args);
    }
    if args.watch {
        return Err(Error::new(ErrorKind::Usage, "only folders are watched").with_file(&args.input));
    }
    film(args).map(|()| 0)
}

/// A folder of films; the exit code.
fn films(args: &EncodeArgs) -> Result<u8> {
    let (inputs, folder) = (std::slice::from_ref(&args.input), args.output.as_deref());
    if let Some(file) = folder.filter(|folder| folder.exists() && !folder.is_dir()) {
        return Err(Error::new(ErrorKind::Usage, "the films of a folder go into a folder").with_file(file));
    }
    if args.dry_run {
        return batch::say_plan(inputs, folder, &args.files, &args.chosen.0, false).map(|()| 0);
    }
    batch::run_batch(inputs, folder, &args.files, &args.chosen.0, &args.talk, args.watch)
}

/// One film.
fn film(args: EncodeArgs) -> Result<()> {
    let (values, unknown) = super::layers::layers(&args.files, &args.chosen.0)?;
    let (input, output) = files(&args, &values)?;
    let read: Vec<PathBuf> = values.files().map(|(_, path)| path.to_path_buf()).collect();
    let request = EncodeRequest::new(input, output).with_settings(values);
    request.check()?;
    let (settings, _) = request.resolve(0)?;
    let reports = Reports::new(&args);
    reports.check(&request, &args, &read)?;
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    if args.dry_run {
        return print_json(&drapto::plan(&settings, &cancel)?);
    }
    ffi::stand_back(settings.nice, settings.ionice);
    let job = settings.job_dir();
    let (log, unlogged) =
        LogFile::start(job.as_deref(), settings.temp_dir.as_deref(), args.talk.log_level, settings.keep_temp);
    tracing::info!(?settings, "encode");
    let progress = Arc::new(ProgressSink::choose(args.talk.quiet, args.talk.events.is_some()));
    for message in unknown.into_iter().chain(unlogged) {
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
                    if let Some(path) = log.keep() {
                        note(&args, &format!("log: {}", path.display()));
                    }
                }
                _ => drop(log.finish(false)),
            }
        }
    }
    let report = result?;
    let mut said = Vec::new();
    let remembered = Remembered::open(&settings, &mut said);
    remembered.done(&report);
    said.extend(remembered.warnings());
    said.iter().for_each(|warning| note(&args, &format!("⚠ {warning}")));
    reports.write(&report)?;
    if args.talk.quiet || args.talk.events.is_some() {
        return Ok(());
    }
    let text = summary::summary(&report);
    // What reads the report from standard output wants nothing else there.
    if !reports.to_stdout() {
        return print(&text);
    }
    note(&args, text.trim_end());
    Ok(())
}

/// What is read and written, by the command line's words.
fn files(args: &EncodeArgs, values: &SettingValues) -> Result<(PathBuf, PathBuf)> {
    let usage = |message: &str| Err(Error::new(ErrorKind::Usage, message));
    let from_stdin = args.input.as_os_str() == DASH;
    let output = match &args.output {
        Some(output) if output.as_os_str() == DASH => {
            return usage("a film is read back before it is given out, which standard output cannot be; name a file");
        }
        Some(output) => output.clone(),
        None if from_stdin => return usage("a film from standard input has no name; name the output"),
        None => EncodeRequest::default_output(&args.input, values)?,
    };
    Ok((places::input(&args.input).to_path_buf(), output))
}

/// The reports that were asked for.
struct Reports {
    json: Option<Place>,
    html: Option<Place>,
}

impl Reports {
    fn new(args: &EncodeArgs) -> Self {
        let place = |path: &Option<PathBuf>| path.as_deref().map(Place::of);
        Reports { json: place(&args.talk.report), html: place(&args.talk.report_html) }
    }

    /// Whether one goes to standard output.
    fn to_stdout(&self) -> bool {
        [&self.json, &self.html].into_iter().any(|place| *place == Some(Place::Stdout))
    }

    /// Checks all paths of the run before it begins; `read` are the settings files.
    fn check(&self, request: &EncodeRequest, args: &EncodeArgs, read: &[PathBuf]) -> Result<()> {
        if self.to_stdout() && args.talk.events.is_some() {
            return Err(Error::new(ErrorKind::Usage, "events and a report cannot both go to standard output"));
        }
        if self.json == self.html && matches!(self.json, Some(Place::Stdout | Place::Stderr)) {
            return Err(Error::new(ErrorKind::Usage, "the report and the page cannot go to the same place"));
        }
        let config: Vec<(&str, &Path)> = read.iter().map(|path| ("the settings file", path.as_path())).collect();
        let reports = [("the report", &self.json), ("the report's page", &self.html)];
        let writes: Vec<(&str, &Path)> =
            reports.into_iter().filter_map(|(what, place)| Some((what, place.as_ref()?.path()?))).collect();
        request.check_paths(&config, &writes)
    }

    /// Writes them. The film is in place by then: a report that cannot be written is a warning, and is said instead.
    fn write(&self, report: &Report) -> Result<()> {
        let text = serde_json::to_string_pretty(report)
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot write the report as JSON").caused_by(e))?;
        let text = text + "\n";
        let mut failed = false;
        if let Some(place) = &self.json {
            failed |= !written(place, "report", &text);
        }
        if let Some(place) = &self.html {
            failed |= !written(place, "report's page", &report.html()?);
        }
        if failed {
            // Nothing can be done about a standard error that is closed.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
        Ok(())
    }
}

fn written(place: &Place, what: &str, text: &str) -> bool {
    let done = place.write(text);
    if let Err(error) = &done {
        let to = match place {
            Place::Path(path) => path.display().to_string(),
            Place::Stdout => "standard output".to_owned(),
            Place::Stderr => "standard error".to_owned(),
        };
        let _ = writeln!(std::io::stderr().lock(), "⚠ {to}: cannot write the {what}: {error}; it follows here");
    }
    done.is_ok()
}

fn note(args: &EncodeArgs, line: &str) {
    if !args.talk.quiet {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}
