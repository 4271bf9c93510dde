//! The report of a batch, as JSON and as a page.

use std::collections::BTreeMap;
use std::fmt::Write;

use drapto::batch::{BatchSummary, FileOutcome};
use drapto::{EncodeSettings, Error, ErrorKind, Report, Result};
use serde_json::{Value, json};

use crate::cli::text::{bytes, duration};

/// The summary, with what each film's own report says of its quality and time, and the settings.
pub fn report(summary: &BatchSummary, reports: &BTreeMap<usize, Report>, settings: &EncodeSettings) -> Result<Value> {
    let failed = |e| Error::new(ErrorKind::Encode, "cannot write the batch as JSON").caused_by(e);
    let mut value = serde_json::to_value(summary).map_err(failed)?;
    value["settings"] = serde_json::to_value(settings).map_err(failed)?;
    value["reduction_percent"] = json!(reduction(summary.bytes_in, summary.bytes_out));
    for (file, report) in reports {
        if let Some(item) = value["items"].get_mut(*file) {
            item["report"] = serde_json::to_value(report).map_err(failed)?;
        }
    }
    Ok(value)
}

fn reduction(bytes_in: u64, bytes_out: u64) -> f64 {
    if bytes_in == 0 { 0.0 } else { 100.0 - 100.0 * bytes_out as f64 / bytes_in as f64 }
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #8884;vertical-align:top}\
td.n,th.n{text-align:right;white-space:nowrap}.done{color:#287a34}.skipped{color:#8a6d00}.failed{color:#b3261e}\
.bar{background:#8883;height:.6rem;border-radius:.3rem}.bar i{display:block;height:100%;background:#287a34;border-radius:.3rem}\
@media(prefers-color-scheme:dark){body{background:#151515;color:#ddd}.done{color:#7fd18b}.skipped{color:#e0c060}.failed{color:#ff8a80}}";

/// A page that needs no network.
pub fn html(summary: &BatchSummary, reports: &BTreeMap<usize, Report>) -> String {
    let BatchSummary { done, skipped, failed, left, bytes_in, bytes_out, wall_s, .. } = summary;
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>drapto: {done} films</title><style>{STYLE}</style></head><body>\n\
         <h1>{done} films done</h1>\n<p>{} → {}, {:.1} % smaller, in {}; {skipped} left alone, {failed} failed, {left} to \
         go.</p>\n<table><thead><tr><th>film</th><th class=\"n\">before</th><th class=\"n\">after</th><th>saved</th>\
         <th class=\"n\">VMAF</th><th class=\"n\">CRF</th><th class=\"n\">time</th></tr></thead><tbody>\n",
        bytes(*bytes_in),
        bytes(*bytes_out),
        reduction(*bytes_in, *bytes_out),
        duration(*wall_s),
    );
    // Writing to a String cannot fail.
    for (file, item) in summary.items.iter().enumerate() {
        let name = escaped(&item.input.to_string_lossy());
        let _ = match &item.outcome {
            FileOutcome::Done { bytes_in, bytes_out, reduction_percent, wall_s, .. } => {
                let report = reports.get(&file);
                let score = report.and_then(|r| r.quality.harmonic_mean);
                let crf = report.map(|r| format!("{:.1}", r.quality.crf));
                let width = reduction_percent.clamp(0.0, 100.0);
                writeln!(
                    out,
                    "<tr><td class=\"done\">{name}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>\
                     {reduction_percent:.1} %<div class=\"bar\"><i style=\"width:{width:.0}%\"></i></div></td>\
                     <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                    bytes(*bytes_in),
                    bytes(*bytes_out),
                    score.map_or("–".to_owned(), |score| format!("{score:.2}")),
                    crf.unwrap_or("–".to_owned()),
                    duration(*wall_s)
                )
            }
            other => {
                let (class, why) = words(other);
                writeln!(out, "<tr><td class=\"{class}\">{name}</td><td colspan=\"6\">{}</td></tr>", escaped(&why))
            }
        };
    }
    out + "</tbody></table></body></html>\n"
}

fn words(outcome: &FileOutcome) -> (&'static str, String) {
    match outcome {
        FileOutcome::Skipped { message, .. } => ("skipped", message.clone()),
        FileOutcome::Failed { message, .. } => ("failed", message.clone()),
        FileOutcome::Interrupted { .. } => ("skipped", "stopped".to_owned()),
        _ => ("skipped", "its turn did not come".to_owned()),
    }
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_films_are_text_on_the_page() {
        assert_eq!(escaped("<b>\"a\" & b"), "&lt;b&gt;&quot;a&quot; &amp; b");
        let page = html(&BatchSummary::default(), &BTreeMap::new());
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n") && page.contains("0 films done"));
    }
}
