//! The page.

use std::fmt::Write;

use super::facts::{ChunkReport, Report};
use super::plots;
use crate::base::Result;
use crate::base::text::{bytes, duration};

pub(super) const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;color:#222;background:#fff;max-width:1080px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin:0}h2{font-size:1.1em;margin:2em 0 .3em}.path{color:#666;margin:.2em 0 1.2em}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:.6em;margin:0}
dl div{background:#f4f5f7;border-radius:6px;padding:.5em .8em}dt{color:#666;font-size:.85em}
dd{margin:0;font-size:1.15em;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;display:block}.key{color:#666;font-size:.85em;margin:0}
.key b{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .9em;vertical-align:-.05em}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92em}
th,td{text-align:right;padding:.25em .6em;border-bottom:1px solid #e4e6e9}th{color:#666;font-weight:500}
th:last-child,td:last-child{text-align:left}.low td{background:#fdf0e6}ul{margin:.3em 0;padding-left:1.2em}";

impl Report {
    /// The report as one HTML page that needs nothing beside itself: plots of score, CRF, bit rate and stages, and a table
    /// of the chunks.
    ///
    /// # Errors
    /// `Encode` where a plot cannot be drawn.
    pub fn html(&self) -> Result<String> {
        html(self)
    }
}

fn html(report: &Report) -> Result<String> {
    let title = report.input.path.file_name().unwrap_or_default().to_string_lossy();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{0} – drapto</title>\n\
         <style>\n{STYLE}\n</style></head><body>\n<h1>{0}</h1>\n<p class=\"path\">{1}</p>\n",
        escape(&title),
        escape(&report.output.path.display().to_string()),
    );
    facts(&mut out, report);
    if !report.warnings.is_empty() {
        out.push_str("<h2>Warnings</h2>\n<ul>\n");
        for warning in &report.warnings {
            let _ = writeln!(out, "<li>{}</li>", escape(warning));
        }
        out.push_str("</ul>\n");
    }
    section(&mut out, "Score over time", "", plots::scores(report)?);
    section(&mut out, "CRF over time", "", plots::crfs(report)?);
    section(&mut out, "Bit rate of the chunks", "", plots::sizes(report)?);
    let key = "<p class=\"key\"><b style=\"background:#1f63b0\"></b>at work<b style=\"background:#d8d8d8\"></b>waits for \
               the stage before<b style=\"background:#f0c496\"></b>waits for the stage after</p>\n";
    section(&mut out, "Stages", key, plots::stages(report)?);
    if !report.chunks.is_empty() {
        chunks(&mut out, report);
    }
    let versions: Vec<String> = report.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let _ = writeln!(out, "<p class=\"path\">{}</p>\n</body></html>", escape(&versions.join(" · ")));
    Ok(out)
}

fn facts(out: &mut String, report: &Report) {
    out.push_str("<dl>\n");
    let mut fact = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    };
    let v = &report.video;
    let q = &report.quality;
    fact("source", bytes(report.input.bytes));
    fact("result", format!("{} (−{:.1} %)", bytes(report.output.bytes), report.reduction_percent).replace("−-", "+"));
    fact("picture", format!("{}×{}, {} bit", v.width, v.height, v.bit_depth));
    fact("length", format!("{}, {} frames", duration(report.output.duration_s), report.output.frames));
    if let Some(target) = q.target {
        fact("target", format!("{target} ± {} per {}", q.tolerance.unwrap_or(0.0), q.mode));
    }
    if let Some(score) = q.harmonic_mean {
        fact("VMAF, harmonic mean", format!("{score:.2}"));
    }
    if let Some(p5) = q.p5 {
        fact("VMAF, 5th percentile", format!("{p5:.2}"));
    }
    if let Some(worst) = q.worst_chunk {
        fact("worst chunk", format!("{worst:.2}"));
    }
    if let Some(why) = q.relative {
        fact("scores are relative", why.to_owned());
    }
    fact("CRF", format!("{:.1}", q.crf));
    if let Some(encodes) = q.encodes_a_chunk {
        fact("encodes a frame", format!("{encodes:.2}"));
    }
    for track in &report.loudness {
        fact(&format!("loudness, stream {}", track.stream), track.words());
    }
    fact("time", format!("{}, {:.1} fps", duration(report.wall_s), report.encode_fps));
    if let Some(utilisation) = report.utilisation {
        fact("processor", format!("{:.0} % of {} cores", utilisation * 100.0, report.cores));
    }
    if let Some(memory) = report.peak_memory_bytes {
        fact("peak memory", bytes(memory));
    }
    out.push_str("</dl>\n");
}

fn section(out: &mut String, title: &str, key: &str, plot: Option<String>) {
    if let Some(svg) = plot {
        let _ = write!(out, "<h2>{title}</h2>\n{key}{svg}");
    }
}

fn chunks(out: &mut String, report: &Report) {
    out.push_str(
        "<h2>Chunks</h2>\n<table><thead><tr><th>chunk</th><th>start</th><th>frames</th><th>CRF</th><th>VMAF</th>\
         <th>size</th><th>tries</th></tr></thead><tbody>\n",
    );
    let lowest = report.quality.target.unwrap_or(0.0) - report.quality.tolerance.unwrap_or(0.0);
    for c in &report.chunks {
        let low = if c.vmaf.is_some_and(|vmaf| vmaf < lowest) { " class=\"low\"" } else { "" };
        let _ = writeln!(
            out,
            "<tr{low}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            c.index,
            duration(c.start_pts),
            c.frames,
            c.crf,
            c.vmaf.map_or(String::new(), |vmaf| format!("{vmaf:.2}")),
            bytes(c.bytes),
            escape(&tries(c)),
        );
    }
    out.push_str("</tbody></table>\n");
}

/// `41 → 92.10 (all), 39 → 93.05; why it missed`.
fn tries(chunk: &ChunkReport) -> String {
    let each = chunk.tries.iter().map(|t| {
        let stopped = if t.whole { "" } else { " (stopped early)" };
        let from = if t.from > 0 { format!(" from frame {} on", t.from) } else { String::new() };
        format!("{}{from} → {:.2}{stopped}", t.crf, t.score)
    });
    let mut text = each.collect::<Vec<_>>().join(", ");
    if let Some(note) = &chunk.note {
        let _ = write!(text, "; {note}");
    }
    text
}

/// Text as it stands between tags and in attributes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_of_films_cannot_become_markup() {
        assert_eq!(escape("<b>\"R&B\"</b>"), "&lt;b&gt;&quot;R&amp;B&quot;&lt;/b&gt;");
    }
}
