//! `drapto batch`, `drapto plan`, and `drapto encode` of a folder.
//!
//! Owns what a batch says and writes beside its films: board or lines, log, report, page, notice. What becomes of films is
//! the library's.

mod expect;
mod log;
mod page;
mod remember;
mod sinks;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use drapto::batch::{
    Batch, BatchOptions, BatchPlan, BatchRules, BatchSink, BatchSummary, FilmFacts, ItemVerdict, OutputNames,
    SourceRule, WalkOptions, watch,
};
use drapto::data::{BatchSettings, Origin};
use drapto::{CancelToken, EncodeSettings, Error, ErrorKind, Quality, Result, SettingValues};

use super::args::{BatchArgs, PlanArgs, Talk};
use super::logs::LogFile;
use super::places::Place;
use super::text::{bytes, duration, print, print_json, write_warning};
use super::{ffi, layers, signals};
use expect::Expectation;
pub use remember::Remembered;
use sinks::Watchers;

/// How often a folder that is watched is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What a batch is asked for.
struct Ask {
    options: BatchOptions,
    settings: EncodeSettings,
    remembered: Arc<Remembered>,
    warnings: Vec<String>,
}

impl Ask {
    /// From all the places settings come from; `folder` goes before the setting of that name.
    fn new(
        inputs: &[PathBuf],
        folder: Option<&Path>,
        files: &layers::NamedFiles,
        flags: &SettingValues,
    ) -> Result<Self> {
        let (mut values, mut warnings) = layers::layers(files, flags)?;
        if let Some(folder) = folder {
            values.set("batch.directory", &folder.to_string_lossy(), Origin::Flag)?;
        }
        let (settings, said) = values.resolve("in", "out")?;
        warnings.extend(said);
        let remembered = Arc::new(Remembered::open(&settings, &mut warnings).shared_by(settings.batch.jobs));
        let batch = &settings.batch;
        let options = BatchOptions {
            inputs: inputs.to_vec(),
            names: OutputNames {
                folder: folder.map(Path::to_path_buf).or_else(|| batch.directory.clone()),
                suffix: (batch.suffix != BatchSettings::SUFFIX).then(|| batch.suffix.clone()),
            },
            walk: WalkOptions { by_content: batch.by_content, ..WalkOptions::default() },
            rules: rules(batch),
            jobs: batch.jobs as usize,
            min_reduction_percent: batch.min_reduction,
            skip_unreachable: batch.skip_unreachable,
            rename_skipped: batch.rename_skipped.clone(),
            source: match (batch.replace_source, batch.delete_source) {
                (true, _) => SourceRule::Replace,
                (false, true) => SourceRule::Delete,
                (false, false) => SourceRule::Keep,
            },
            memory: Some(Arc::clone(&remembered) as Arc<_>),
            settings: values,
        };
        Ok(Ask { options, settings, remembered, warnings })
    }

    fn plan(&self, cancel: &CancelToken) -> Result<BatchPlan> {
        BatchPlan::make(&self.options, self.look(cancel))
    }

    /// What a film is, remembered from the last time it was looked at.
    fn look(&self, cancel: &CancelToken) -> impl Fn(&Path) -> Result<FilmFacts> + Sync + use<> {
        let (remembered, cancel) = (Arc::clone(&self.remembered), cancel.clone());
        move |film: &Path| remembered.look_at(film, &cancel)
    }
}

fn rules(batch: &BatchSettings) -> BatchRules {
    BatchRules {
        min_duration_s: batch.min_duration,
        min_bytes: batch.min_size,
        min_bitrate_2160p_kbps: batch.min_bitrate_2160p.map(u64::from),
        min_bitrate_1080p_kbps: batch.min_bitrate_1080p.map(u64::from),
        min_bitrate_720p_kbps: batch.min_bitrate_720p.map(u64::from),
        ..BatchRules::default()
    }
}

/// `drapto plan`.
pub fn plan(args: &PlanArgs) -> Result<()> {
    say_plan(&args.inputs, None, &args.files, &args.chosen.0, args.json)
}

/// What would be done with the films of folders.
pub fn say_plan(
    inputs: &[PathBuf],
    folder: Option<&Path>,
    files: &layers::NamedFiles,
    flags: &SettingValues,
    json: bool,
) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let ask = Ask::new(inputs, folder, files, flags)?;
    let plan = ask.plan(&cancel)?;
    require_films(&plan, inputs)?;
    let expected: Vec<Option<Expectation>> =
        plan.items.iter().map(|item| ask.remembered.expect(item, &ask.settings)).collect();
    if json {
        let mut value = serde_json::to_value(&plan).map_err(no_json)?;
        for (item, expected) in value["items"].as_array_mut().into_iter().flatten().zip(&expected) {
            item["expected"] = serde_json::to_value(expected).map_err(no_json)?;
        }
        return print_json(&value);
    }
    let mut out = String::new();
    for (item, expected) in plan.items.iter().zip(&expected) {
        let name = item.input.display();
        out += &match (&item.verdict, expected) {
            (ItemVerdict::Skip(rule), _) => format!("○ {name}  {rule}\n"),
            (ItemVerdict::Settle { .. }, _) => format!("▶ {name}  is encoded; its source is to be settled\n"),
            (_, Some(e)) => format!(
                "▶ {name}  {} → about {} in about {}\n",
                bytes(item.bytes()),
                bytes(e.bytes),
                duration(e.seconds)
            ),
            (_, None) => format!("▶ {name}  {}\n", bytes(item.bytes())),
        };
    }
    for place in &plan.unreadable {
        out += &format!("✗ {}  {}\n", place.path.display(), place.why);
    }
    let sum = |value: fn(&Expectation) -> f64| expected.iter().flatten().map(value).sum::<f64>();
    let (seconds, size) = (sum(|e| e.seconds), sum(|e| e.bytes as f64));
    out += &format!(
        "{} of {} films, {} → about {} in about {}\n",
        plan.to_do(),
        plan.items.len(),
        bytes(plan.bytes()),
        bytes(size as u64),
        duration(seconds)
    );
    print(&out)?;
    warn(&ask.warnings);
    Ok(())
}

/// `drapto batch`; the exit code.
pub fn run(args: &BatchArgs) -> Result<u8> {
    run_batch(&args.inputs, None, &args.files, &args.chosen.0, &args.talk, args.watch)
}

/// Encodes the films of folders, below `folder` if there is one; the exit code.
pub fn run_batch(
    inputs: &[PathBuf],
    folder: Option<&Path>,
    files: &layers::NamedFiles,
    flags: &SettingValues,
    talk: &Talk,
    watches: bool,
) -> Result<u8> {
    let (cancel, drain) = (CancelToken::new(), CancelToken::new());
    signals::install(&cancel)?;
    let ask = Ask::new(inputs, folder, files, flags)?;
    ffi::stand_back(ask.settings.nice, ask.settings.ionice);
    let (log, unlogged) =
        LogFile::start(None, ask.settings.temp_dir.as_deref(), talk.log_level, ask.settings.keep_temp);
    let plan = ask.plan(&cancel)?;
    if !watches {
        require_films(&plan, inputs)?;
    }
    let costs = costs(&ask, &plan);
    let text_log = log::TextLog::open(&log_folder(&ask.options));
    let sink = Arc::new(Watchers::open(
        talk,
        sinks::BatchOpening { title: title(&ask), costs, log: text_log, remembered: Arc::clone(&ask.remembered) },
        (&drain, &cancel),
    )?);
    let warnings = ask.warnings.iter().cloned().chain(unlogged).collect::<Vec<_>>();
    sink.warn(&warnings);
    for place in &plan.unreadable {
        sink.warn(&[format!("{}: {}", place.path.display(), place.why)]);
    }
    let watchers: Arc<dyn BatchSink> = Arc::clone(&sink) as Arc<dyn BatchSink>;
    let summary = if watches {
        watch(&ask.options, LOOK_EVERY, ask.look(&cancel), &watchers, (&drain, &cancel))?
    } else {
        Batch::with_drain(plan, ask.options.clone(), drain.clone()).run(watchers, &cancel)
    };
    sink.close();
    let failed = summary.failed > 0;
    let kept = if failed { log.keep() } else { log.finish(true) };
    write_reports(&ask, talk, &summary, &sink)?;
    say_end(talk, &summary, kept.as_deref())?;
    warn(&ask.remembered.warnings());
    Ok(summary.exit_code())
}

/// Refuses a plan without films, with the folder that has none.
fn require_films(plan: &BatchPlan, inputs: &[PathBuf]) -> Result<()> {
    plan.require_films().map_err(|e| match inputs.first() {
        Some(folder) => e.with_file(folder),
        None => e,
    })
}

/// What films are expected to cost, in seconds; all the same where nothing is known of one.
fn costs(ask: &Ask, plan: &BatchPlan) -> Vec<f64> {
    let seconds = |item| ask.remembered.expect(item, &ask.settings).map_or(0.0, |e| e.seconds);
    plan.items.iter().map(seconds).collect()
}

/// What is asked for, in a line.
fn title(ask: &Ask) -> String {
    let settings = &ask.settings;
    let quality = match &settings.quality {
        Quality::Target(target) => format!("VMAF {} ± {}", target.vmaf, target.tolerance),
        Quality::Crf(Some(crf)) => format!("CRF {crf}"),
        Quality::Crf(None) => "CRF by size".to_owned(),
    };
    format!("preset {}, {quality}", settings.preset)
}

/// Where the text log is: with the outputs.
fn log_folder(options: &BatchOptions) -> PathBuf {
    let first = options.inputs.first().map_or(Path::new("."), PathBuf::as_path);
    let beside = if first.is_dir() { first } else { first.parent().unwrap_or(Path::new(".")) };
    options.names.folder.clone().unwrap_or_else(|| beside.to_path_buf())
}

fn write_reports(ask: &Ask, talk: &Talk, summary: &BatchSummary, sink: &Watchers) -> Result<()> {
    let value = page::report(summary, &sink.reports(), &ask.settings)?;
    let text = serde_json::to_string_pretty(&value).map_err(no_json)? + "\n";
    let write = |place: &Place, what: &str, text: &str| {
        if let Err(error) = place.write(text) {
            write_warning(&format!("cannot write the batch's {what}: {error}"));
        }
    };
    if let Some(path) = &talk.report {
        write(&Place::of(path), "report", &text);
    }
    if let Some(path) = &talk.report_html {
        write(&Place::of(path), "page", &page::html(summary, &sink.reports()));
    }
    if let Some(command) = &ask.settings.batch.notify {
        notify(command, talk.report.as_deref(), &text)?;
    }
    Ok(())
}

/// Runs the user's command with the report's path behind it.
fn notify(command: &str, report: Option<&Path>, text: &str) -> Result<()> {
    let failed = |e| Error::new(ErrorKind::Output, "cannot run the command of --notify").caused_by(e);
    let mut kept = None;
    let path = match report.filter(|path| path.is_file()) {
        Some(path) => path.to_path_buf(),
        None => {
            let path = std::env::temp_dir().join(format!("drapto-report-{}.json", std::process::id()));
            std::fs::write(&path, text).map_err(failed)?;
            kept.insert(path).clone()
        }
    };
    let status = Command::new("sh").arg("-c").arg(format!("{command} \"$1\"")).arg("sh").arg(&path).status();
    if let Some(path) = kept {
        // Whoever wants to keep it has read it.
        let _ = std::fs::remove_file(path);
    }
    match status.map_err(failed)? {
        status if status.success() => Ok(()),
        status => {
            write_warning(&format!("the command of --notify ended with {status}"));
            Ok(())
        }
    }
}

/// The last lines.
fn say_end(talk: &Talk, summary: &BatchSummary, log: Option<&Path>) -> Result<()> {
    if talk.quiet || talk.events.is_some() {
        return Ok(());
    }
    let BatchSummary { done, skipped, failed, left, bytes_in, bytes_out, wall_s, .. } = summary;
    let mut out = format!("{done} done, {skipped} left alone, {failed} failed");
    if *left > 0 {
        out += &format!(", {left} to go: the same command goes on from there");
    }
    if *bytes_in > 0 {
        let percent = 100.0 - 100.0 * *bytes_out as f64 / *bytes_in as f64;
        out += &format!("\n{} → {}  ({percent:.1} % smaller)", bytes(*bytes_in), bytes(*bytes_out));
    }
    out += &format!("  {}\n", duration(*wall_s));
    if let Some(log) = log {
        out += &format!("log: {}\n", log.display());
    }
    print(&out)
}

fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| write_warning(warning));
}

fn no_json(cause: serde_json::Error) -> Error {
    Error::new(ErrorKind::Encode, "cannot write the batch as JSON").caused_by(cause)
}
