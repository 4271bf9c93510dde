//! `drapto analyze`.

use std::fmt::Write;
use std::path::Path;

use drapto::quality::{Assessment, Judgement, MetricCheck, PooledMetric, QualityFinding, assess};
use drapto::{CancelToken, Error, ErrorKind, Result};

use super::places::Place;
use super::quality_args::AnalyzeArgs;
use super::text::{duration, print};
use super::{ffi, signals};

pub fn run(args: &AnalyzeArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    ffi::keep_memory();
    let (reference, file) = args.reference_and_file();
    let options = args.options()?;
    let outputs = outputs(args)?;
    let found = assess(reference, file, &options, &cancel)?;
    for (kind, place) in &outputs {
        let text = match kind {
            AnalysisForm::Json => json(&found)?,
            AnalysisForm::Page => found.html()?,
            AnalysisForm::JUnit => found.junit(),
        };
        place.write(&text).map_err(|e| {
            let error = Error::new(ErrorKind::Output, "the analysis cannot be written").caused_by(e);
            match place.path() {
                Some(path) => error.with_file(path),
                None => error,
            }
        })?;
    }
    if args.json {
        print(&json(&found)?)?;
    } else if !outputs.iter().any(|(_, place)| *place == Place::Stdout) {
        print(&describe(&found))?;
    }
    match found.verdict {
        Judgement::Fail => Err(Error::new(ErrorKind::Verification, failures(&found)).with_file(file)),
        Judgement::Warn | Judgement::Pass => Ok(()),
    }
}

/// The forms an analysis is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnalysisForm {
    Json,
    Page,
    JUnit,
}

/// Where it is written; checked before anything is measured.
fn outputs(args: &AnalyzeArgs) -> Result<Vec<(AnalysisForm, Place)>> {
    let given = [
        (AnalysisForm::Json, &args.report),
        (AnalysisForm::Page, &args.report_html),
        (AnalysisForm::JUnit, &args.junit),
    ];
    let mut out: Vec<(AnalysisForm, Place)> = Vec::new();
    for (kind, path) in given {
        let Some(path) = path else { continue };
        let place = Place::of(path);
        if out.iter().any(|(_, other)| *other == place) || (args.json && place == Place::Stdout) {
            return Err(Error::new(ErrorKind::Usage, "two forms of the analysis cannot go to the same place"));
        }
        let read = args.files.iter().chain(&args.thresholds);
        if let Some(written) = place.path()
            && read.into_iter().any(|read| is_same_file(read, written))
        {
            return Err(Error::new(ErrorKind::Usage, "a report never replaces what is read").with_file(written));
        }
        out.push((kind, place));
    }
    Ok(out)
}

/// Whether both lead to one file, links followed.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn json(found: &Assessment) -> Result<String> {
    let text = serde_json::to_string(found)
        .map_err(|e| Error::new(ErrorKind::Encode, "cannot write the analysis as JSON").caused_by(e))?;
    Ok(text + "\n")
}

fn failures(found: &Assessment) -> String {
    let findings = found.findings.iter().filter(|f| f.judgement == Judgement::Fail).map(finding_line);
    let checks = found.checks.iter().filter(|c| c.judgement == Judgement::Fail).map(check_line);
    let all: Vec<String> = checks.chain(findings).collect();
    let more = if all.len() > 1 { format!(", and {} more", all.len() - 1) } else { String::new() };
    format!("the verdict is fail: {}{more}", all.first().map_or("", String::as_str))
}

fn sign(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Pass => "✓",
        Judgement::Warn => "⚠",
        Judgement::Fail => "✗",
    }
}

fn describe(found: &Assessment) -> String {
    let mut out = format!("\n{} {}: {}\n", sign(found.verdict), found.file.display(), found.verdict);
    // Writing to a String cannot fail.
    let mut row = |name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<12}{text}");
    };
    if let Some(p) = &found.picture {
        let fields = p.fields.map_or(String::new(), |fields| format!("  {fields}"));
        let size = format!("{}  {}x{}  {} bit{fields}", p.codec, p.width, p.height, p.bit_depth);
        let rate = p.bit_rate / 1000.0;
        row("picture", &format!("{size}  {} frames  {}  {rate:.0} kb/s", p.frames, duration(p.duration_s)));
        let known = [
            ("outside of range", p.means.outside_percent, " %"),
            ("banding", p.means.banding, ""),
            ("blockiness", p.means.blockiness, ""),
            ("blur", p.means.blur, ""),
        ];
        let known = known.into_iter().filter_map(|(name, mean, unit)| Some(format!("{name} {:.2}{unit}", mean?)));
        row("", &known.chain([format!("{} cuts", p.cuts)]).collect::<Vec<_>>().join("  "));
    }
    for track in &found.sound {
        let loud = track.loudness.as_ref().and_then(|l| l.integrated_lufs).map(|l| format!("  {l:.1} LUFS"));
        let peak = track.loudness.as_ref().and_then(|l| l.true_peak_dbtp).map(|p| format!("  peak {p:.1} dBTP"));
        let phase = track.correlation.map(|c| format!("  correlation {c:.2}"));
        let rest: String = [loud, peak, phase].into_iter().flatten().collect();
        row("sound", &format!("stream {}  {} {}{rest}", track.stream, track.codec, track.layout));
    }
    if let Some(reference) = &found.reference {
        let treated =
            if reference.treatment.is_empty() { String::new() } else { format!(" ({})", reference.treatment) };
        row("reference", &format!("{}{treated}, {} pairs", reference.file.display(), reference.pairs));
    }
    for pooled in &found.metrics {
        row(pooled.metric.name(), &pooled_line(pooled));
    }
    for absent in &found.absent {
        row(absent.metric.name(), &format!("not measured: {}", absent.why));
    }
    for note in &found.notes {
        row("note", note);
    }
    let checks = found.checks.iter().filter(|c| c.judgement > Judgement::Pass);
    for line in checks
        .map(|c| (c.judgement, check_line(c)))
        .chain(found.findings.iter().map(|f| (f.judgement, finding_line(f))))
    {
        let _ = writeln!(out, "  {} {}", sign(line.0), line.1);
    }
    out
}

/// `mean 93.21  harmonic 93.10  ...`.
pub fn pooled_line(pooled: &PooledMetric) -> String {
    let digits = if matches!(pooled.metric.name(), "ssim" | "ms_ssim") { 4 } else { 2 };
    let harmonic = pooled.harmonic_mean.map_or(String::new(), |h| format!("  harmonic {h:.digits$}"));
    let bad = match pooled.more_is_better {
        true => [("p5", pooled.p5), ("p1", pooled.p1), ("min", pooled.min)],
        false => [("p95", pooled.p95), ("p99", pooled.p99), ("max", pooled.max)],
    };
    let bad: String = bad.iter().map(|(name, value)| format!("  {name} {value:.digits$}")).collect();
    let unit = if pooled.unit.is_empty() { String::new() } else { format!(" {}", pooled.unit) };
    let model = pooled.model.map_or(String::new(), |model| format!("  ({model})"));
    let stride = if pooled.stride > 1 { format!("  one picture in {}", pooled.stride) } else { String::new() };
    let relative = if pooled.relative.is_some() { "  relative: PQ or HLG" } else { "" };
    format!("mean {:.digits$}{unit}{harmonic}{bad}{model}{stride}{relative}", pooled.mean)
}

fn check_line(check: &MetricCheck) -> String {
    let limit = if check.judgement == Judgement::Fail { check.fail } else { check.warn };
    let limit = limit.map_or(String::new(), |limit| format!(", the limit is {limit}"));
    let span = span(check.from_s, check.to_s).map_or(String::new(), |span| format!("; worst at {span}"));
    format!("{}.{} is {:.2}{limit}{span}", check.metric, check.pooling.name(), check.value)
}

fn finding_line(finding: &QualityFinding) -> String {
    let stream = finding.stream.map_or(String::new(), |stream| format!("stream {stream}: "));
    let span = span(finding.from_s, finding.to_s).map_or(String::new(), |span| format!("{span}  "));
    format!("{span}{}: {stream}{}", finding.kind.name(), finding.message)
}

/// `12.000–14.400 s`.
fn span(from_s: Option<f64>, to_s: Option<f64>) -> Option<String> {
    Some(format!("{:.3}–{:.3} s", from_s?, to_s?))
}
