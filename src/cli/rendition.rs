//! `drapto rendition`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drapto::rendition::{RenditionReport, RenditionRequest, StillReport, renditions};
use drapto::sound::SoundFileReport;
use drapto::{CancelToken, Error, ErrorKind, Event, Report, Result, Sink};

use super::args::RenditionArgs;
use super::places::{self, Place};
use super::progress::ProgressSink;
use super::signals;
use super::text::{print, print_json};

pub fn run(args: &RenditionArgs) -> Result<()> {
    let (values, unknown) = super::layers::layers(&args.files, &args.chosen.0)?;
    let mut request = RenditionRequest::new(places::input(&args.input));
    request.settings = values;
    describe(args, &mut request)?;
    let films = request.encode_request()?;
    let report = args.report.as_deref().map(Place::of);
    let json = args.json || report == Some(Place::Stdout);
    if json && args.events.is_some() {
        return Err(Error::new(ErrorKind::Usage, "events and a report cannot both go to standard output"));
    }
    if let Some(films) = &films {
        films.check()?;
        let path = report.as_ref().and_then(Place::path);
        let written: Vec<(&str, &Path)> = path.map(|path| ("the report", path)).into_iter().collect();
        let read: Vec<(&str, &Path)> = args.renditions.iter().map(|path| ("the renditions", path.as_path())).collect();
        films.check_paths(&read, &written)?;
    }
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let progress = Arc::new(ProgressSink::choose(args.quiet, args.events.is_some()));
    for message in unknown {
        progress.event(&Event::Warning { message });
    }
    let made = renditions(&request, Arc::clone(&progress) as Arc<dyn Sink>, &cancel);
    progress.finish();
    let made = made?;
    if let Some(place @ (Place::Path(_) | Place::Stderr)) = &report {
        let text = serde_json::to_string_pretty(&made)
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot write the report as JSON").caused_by(e))?;
        place.write(&(text + "\n")).map_err(|e| {
            Error::new(ErrorKind::Output, "cannot write the report; the renditions are in place").caused_by(e)
        })?;
    }
    if json {
        return print_json(&made);
    }
    if args.quiet || args.events.is_some() { Ok(()) } else { print(&summary(&made)) }
}

/// What is asked for, by the command line's words.
fn describe(args: &RenditionArgs, request: &mut RenditionRequest) -> Result<()> {
    request.folder.clone_from(&args.folder);
    if let Some(file) = &args.renditions {
        let text = std::fs::read_to_string(file)
            .map_err(|e| Error::new(ErrorKind::Usage, "cannot read the renditions").caused_by(e).with_file(file))?;
        request.read(&text).map_err(|e| e.with_file(file))?;
    }
    let named = |kind: &str, path: &Path| match path.to_str() {
        Some(path) => Ok(format!("{path}:kind={kind}")),
        None => Err(Error::new(ErrorKind::Usage, "the name is no Unicode").with_file(path)),
    };
    for (kind, path) in [("poster", &args.poster), ("sheet", &args.sheet), ("gif", &args.gif)] {
        if let Some(path) = path {
            request.add(&named(kind, path)?)?;
        }
    }
    let mut wrong = Vec::new();
    for spec in &args.to {
        if let Err(error) = request.add(spec) {
            wrong.push(error.message().to_owned());
        }
    }
    if !wrong.is_empty() {
        return Err(Error::new(ErrorKind::Usage, wrong.join("\n  ")));
    }
    if args.standard || request.count() == 0 {
        if args.folder.is_none() && request.count() == 0 {
            request.folder = args.input.parent().map(Path::to_path_buf).filter(|f| !f.as_os_str().is_empty());
        }
        request.add_standard();
    }
    match &request.folder {
        Some(folder) if !folder.is_dir() => {
            Err(Error::new(ErrorKind::Usage, "there is no such folder").with_file(folder))
        }
        _ => Ok(()),
    }
}

/// What renditions came to, for people; what there is to know of films was told while they were made.
fn summary(made: &RenditionReport) -> String {
    let mut out = String::new();
    for film in &made.films {
        film_line(&mut out, film);
    }
    for still in &made.stills {
        still_line(&mut out, still);
    }
    for sound in &made.sounds {
        sound_line(&mut out, sound);
    }
    if let Some(first) = made.films.first() {
        let (frames, wall) = (first.decode.frames, first.wall_s);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {frames} pictures decoded once, {} in all", drapto::text::duration(wall));
    }
    out
}

fn film_line(out: &mut String, film: &Report) {
    let video = &film.video;
    let sound = film.streams.iter().filter(|s| s.decision.kind == drapto::data::StreamKind::Audio);
    let sound: Vec<&str> = sound.filter_map(|s| s.decision.output_codec.as_deref()).collect();
    let sound = if sound.is_empty() { "no sound".to_owned() } else { sound.join(", ") };
    let size = drapto::text::bytes(film.output.bytes);
    let checks = film.verification.checks.len();
    let _ = writeln!(
        out,
        "✓ {}  {}x{} {} + {sound}  {size}  {checks} checks passed",
        film.output.path.display(),
        video.width,
        video.height,
        video.codec
    );
}

fn still_line(out: &mut String, still: &StillReport) {
    let (w, h, size) = (still.width, still.height, drapto::text::bytes(still.bytes));
    let what = match (still.kind, still.duration_s) {
        (_, Some(seconds)) => format!("{} pictures in {seconds:.2} s", still.pictures),
        ("sheet", _) => format!("{} pictures of the film", still.at_s.len()),
        _ => still.at_s.first().map_or(String::new(), |at| format!("the picture at {at:.3} s")),
    };
    let _ = writeln!(out, "✓ {}  {w}x{h} {}  {what}  {size}", still.path.display(), still.format);
    for note in &still.notes {
        let _ = writeln!(out, "  ⚠ {note}");
    }
}

fn sound_line(out: &mut String, sound: &SoundFileReport) {
    let size = drapto::text::bytes(sound.bytes);
    let path: PathBuf = sound.output.clone();
    let _ = writeln!(out, "✓ {}  {} {}  {size}", path.display(), sound.codec, sound.layout);
    for note in &sound.notes {
        let _ = writeln!(out, "  ⚠ {note}");
    }
}
