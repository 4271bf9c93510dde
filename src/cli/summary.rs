//! What a run came to, in a few lines.

use std::fmt::Write;

use drapto::engine::{Action, Report};
use drapto::media::StreamKind;

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
            "{} → AV1  {}x{}  {} bit  CRF {}  {} frames",
            v.source_codec, v.width, v.height, v.bit_depth, report.quality.crf, report.output.frames
        ),
    );
    for stream in &report.streams {
        let d = &stream.decision;
        if d.action == Action::Encoded && d.output_codec.as_deref() == Some("av1") {
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
    let checks = report.verification.checks.len();
    line("verified", format!("{checks} checks passed"));
    line(
        "time",
        format!(
            "{}  {:.1} fps  {:.2}x",
            text::duration(report.wall_s),
            report.encode_fps,
            report.output.duration_s / report.wall_s.max(1e-9)
        ),
    );
    out
}

fn lost(report: &Report) -> bool {
    report.streams.iter().any(|s| s.decision.action == Action::Dropped)
}
