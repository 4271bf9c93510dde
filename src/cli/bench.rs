//! `drapto bench`.

use std::fmt::Write;

use drapto::data::BenchReport;
use drapto::{CancelToken, EncodeSettings, Error, ErrorKind, Quality, Result};

use super::args::BenchArgs;
use super::progress::ProgressSink;
use super::signals;
use super::text::{print, print_json};

pub fn run(args: &BenchArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let output = std::env::temp_dir().join(format!("drapto-bench-{}.mkv", std::process::id()));
    let mut settings = EncodeSettings::new(&args.input, &output);
    settings.quality = Quality::Crf(args.crf);
    settings.preset = args.preset;
    if args.frames == 0 {
        return Err(Error::new(ErrorKind::Usage, "a bench of 0 frames measures nothing"));
    }
    let progress = ProgressSink::choose(false, false);
    let report = drapto::bench(&settings, args.frames, args.alone, &progress, &cancel);
    progress.finish();
    let _ = std::fs::remove_file(&output);
    let report = report?;
    if args.json { print_json(&report) } else { print(&table(&report)) }
}

fn table(report: &BenchReport) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let (w, h) = (report.width, report.height);
    let _ = writeln!(out, "{} frames of {w}x{h}, preset {}, CRF {}", report.frames, report.preset, report.crf);
    let _ =
        writeln!(out, "{:<10}{:>8}{:>10}{:>10}{:>12}{:>10}", "stage", "frames", "wall s", "CPU s", "frames/s", "GB/s");
    for stage in report.stages.iter().chain(&report.together) {
        let cpu = stage.cpu_s.map_or("?".to_owned(), |s| format!("{s:.2}"));
        let _ = writeln!(
            out,
            "{:<10}{:>8}{:>10.2}{:>10}{:>12.1}{:>10.3}",
            stage.name, stage.frames, stage.seconds, cpu, stage.fps, stage.gb_per_s
        );
    }
    if let Some(percent) = report.beside_encoder_percent {
        let _ = writeln!(out, "beside the encoder: {percent:.1} % of the processor time of a frame");
    }
    out
}
