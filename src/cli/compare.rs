//! `drapto compare`.

use std::fmt::Write;

use drapto::quality::{Comparison, compare};
use drapto::{CancelToken, Result};

use super::analyze::pooled_line;
use super::places::input;
use super::quality_args::CompareArgs;
use super::text::{print, print_json};
use super::{ffi, signals};

pub fn run(args: &CompareArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    ffi::keep_memory();
    let found = compare(input(&args.reference), &args.compared()?, &args.measure.options()?, &cancel)?;
    if args.json { print_json(&found) } else { print(&describe(&found)) }
}

fn describe(found: &Comparison) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for file in &found.files {
        let curve = file.curve.as_ref().map_or(String::new(), |curve| format!("{curve}: "));
        let score = match (found.ranked_by, file.score) {
            (Some(metric), Some(score)) => format!("  {metric} {score:.3}"),
            _ => String::new(),
        };
        let dominated = if file.dominated { "  another is better with no more bits" } else { "" };
        let rate = file.bit_rate / 1000.0;
        let _ = writeln!(out, "{}. {curve}{}{score}  {rate:.1} kb/s{dominated}", file.rank, file.file.display());
        if !file.treatment.is_empty() {
            let _ = writeln!(out, "     reference {}", file.treatment);
        }
        for pooled in &file.metrics {
            let _ = writeln!(out, "     {:<12}{}", pooled.metric.name(), pooled_line(pooled));
        }
        for absent in &file.absent {
            let _ = writeln!(out, "     {:<12}not measured: {}", absent.metric.name(), absent.why);
        }
        if file.unpaired != (0, 0) {
            let (missing, extra) = file.unpaired;
            let _ = writeln!(out, "     ⚠ {missing} pictures of the reference and {extra} of the file have no partner");
        }
    }
    for gain in &found.curves {
        let _ = writeln!(out, "BD-rate of {} against {}", gain.curve, gain.against);
        for (metric, rate) in &gain.bd_rates {
            let _ = match rate {
                Ok(percent) => writeln!(out, "     {:<12}{percent:+.2} %", metric.name()),
                Err(why) => writeln!(out, "     {:<12}none: {why}", metric.name()),
            };
        }
    }
    out
}
