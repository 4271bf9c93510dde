//! What a run came to, in a few lines.

use std::fmt::Write;

use drapto::Report;
use drapto::data::{Action, StreamKind, VideoReport};

use super::text;

/// The lines at the end of an encode.
pub fn summary(report: &Report) -> String {
    let name = report.input.path.file_name().unwrap_or_default().to_string_lossy();
    let mark = if report.warnings.is_empty() && !lost(report) { '✓' } else { '⚠' };
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{mark} {name}");
    let mut line = |label: &str, value: String| {
        let _ = writeln!(out, "  {label:<12}{value}");
    };
    line("output", report.output.path.display().to_string());
    line(
        "size",
        format!(
            "{} → {}  ({:.1} % {})",
            text::bytes(report.input.bytes),
            text::bytes(report.output.bytes),
            report.reduction_percent.abs(),
            if report.reduction_percent >= 0.0 { "smaller" } else { "larger" }
        ),
    );
    let v = &report.video;
    line(
        "video",
        format!(
            "{} → {}  {}x{}{}  {} bit  CRF {}  {} frames",
            v.source_codec,
            codec(v.codec),
            v.width,
            v.height,
            treatment(v),
            v.bit_depth,
            crfs(report),
            report.output.frames
        ),
    );
    if let Some(hdr) = hdr(v) {
        line("hdr", hdr);
    }
    let q = &report.quality;
    if let (Some(target), Some(tolerance), Some(mean)) = (q.target, q.tolerance, q.harmonic_mean) {
        let worst = q.worst_chunk.map_or(String::new(), |w| format!(", worst chunk {w:.2}"));
        let relative = q.relative.map_or(String::new(), |why| format!("; relative: {why}"));
        line("quality", format!("VMAF {mean:.2}  (target {target} ± {tolerance}){worst}{relative}"));
        let once = report.chunks.iter().filter(|c| c.attempts <= 1).count();
        line("chunks", format!("{}, {once} of them encoded once", report.chunks.len()));
    }
    if let Some(samples) = &report.samples {
        let count = samples.starts_s.len();
        line(
            "samples",
            format!("VMAF {:.2} at CRF {} in {count} of {} frames", samples.score, samples.crf, samples.frames),
        );
    }
    for stream in &report.streams {
        let d = &stream.decision;
        if d.action == Action::Encoded && d.kind == StreamKind::Video {
            continue;
        }
        let language = d.language.as_deref().map_or(String::new(), |l| format!(" {l}"));
        let to = match (&d.output_codec, d.action) {
            (_, Action::Dropped) => "not kept".to_owned(),
            (Some(codec), Action::Encoded | Action::Converted) => format!("→ {codec}"),
            _ => "kept".to_owned(),
        };
        let why = d.reason.as_deref().map_or(String::new(), |r| format!("  ({r})"));
        // FFmpeg has no codec for most files that are attached; their media type says more.
        let what = if d.kind == StreamKind::Attachment { d.output_codec.as_ref() } else { None }.unwrap_or(&d.codec);
        line(&format!("{:?}", d.kind).to_lowercase(), format!("{what}{language} {to}{why}"));
    }
    for loudness in &report.loudness {
        line("loudness", format!("stream {}: {}", loudness.stream, loudness.words()));
    }
    let checks = report.verification.checks.len();
    line("verified", format!("{checks} checks passed"));
    line(
        "time",
        format!(
            "{}  {:.1} fps  {:.2}x{}",
            text::duration(report.wall_s),
            report.encode_fps,
            report.output.duration_s / report.wall_s.max(1e-9),
            utilisation(report)
        ),
    );
    out
}

/// What people call a codec.
fn codec(name: &str) -> &str {
    match name {
        "av1" => "AV1",
        "h264" => "H.264",
        "hevc" => "H.265",
        other => other,
    }
}

/// What was done to the picture.
fn treatment(v: &VideoReport) -> String {
    let whole = format!("{}x{}", v.source_width, v.source_height);
    let crop = v.crop.as_ref().map(|crop| format!("{crop} of {whole}"));
    let (width, height) = v.crop.as_ref().map_or((v.source_width, v.source_height), |crop| {
        let mut sides = crop.split(':').filter_map(|n| n.parse().ok());
        (sides.next().unwrap_or(v.width), sides.next().unwrap_or(v.height))
    });
    let scaled = ((width, height) != (v.width, v.height)).then(|| "scaled".to_owned());
    let deinterlaced = v.deinterlaced.then(|| "deinterlaced".to_owned());
    let done: Vec<String> = [crop, scaled, deinterlaced].into_iter().flatten().collect();
    if done.is_empty() { String::new() } else { format!(" ({})", done.join(", ")) }
}

/// HDR of the output; `None` for films that have none.
fn hdr(v: &VideoReport) -> Option<String> {
    let dolby = v.dolby_vision.as_ref().map(|d| match &d.output {
        Some(output) => format!("Dolby Vision {} → {output}", d.source),
        None => format!("Dolby Vision {} not kept", d.source),
    });
    let kind = (v.hdr_kind != "SDR").then(|| v.hdr_kind.to_owned());
    let parts: Vec<String> = [kind, dolby].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// How busy the processor was.
fn utilisation(report: &Report) -> String {
    report.utilisation.map_or(String::new(), |u| format!("  {:.0} % of {} cores", u * 100.0, report.cores))
}

/// The CRF, or the range over the chunks.
fn crfs(report: &Report) -> String {
    let crfs = || report.chunks.iter().map(|c| c.crf);
    let (low, high) = (crfs().fold(f64::MAX, f64::min), crfs().fold(0.0, f64::max));
    if low < high { format!("{low}–{high} (mean {:.1})", report.quality.crf) } else { report.quality.crf.to_string() }
}

fn lost(report: &Report) -> bool {
    report.streams.iter().any(|s| s.decision.action == Action::Dropped)
}
