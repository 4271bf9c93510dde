//! The page of an analysis: verdict, findings, metrics over time, the worst pictures beside the reference's.
#![deny(unsafe_code)]

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plotters::prelude::*;

use super::page::{STYLE, escape};
use super::plots::{FAINT, LINE, POINTS, STEP, draw, failed, over_time};
use crate::assess::{Assessment, FindingKind, Judgement, QualityFinding, Thumbnail};
use crate::base::text::duration;
use crate::base::{Error, ErrorKind, Result};

const MORE_STYLE: &str = "\
.pass{color:#287a34}.warn{color:#9a6700}.fail{color:#b3261e}td.left,th.left{text-align:left}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:4px;margin:.4em 0 1.2em}.pair img{width:100%;height:auto}";

impl Assessment {
    /// The analysis as one HTML page that needs nothing beside itself: findings, plots over time and, where they were
    /// kept, the worst pictures beside the reference's.
    ///
    /// # Errors
    /// `Encode` where a plot or a picture cannot be drawn.
    pub fn html(&self) -> Result<String> {
        let title = escape(&self.file.file_name().unwrap_or_default().to_string_lossy());
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} – drapto</title>\n\
             <style>\n{STYLE}\n{MORE_STYLE}\n</style></head><body>\n\
             <h1>{title}: <span class=\"{0}\">{0}</span></h1>\n<p class=\"path\">{1}</p>\n",
            self.verdict,
            escape(&self.file.display().to_string()),
        );
        facts(&mut out, self);
        findings(&mut out, self);
        metrics(&mut out, self);
        for (metric, scores) in &self.series.metrics {
            let name = match metric.unit() {
                "" => metric.name().to_owned(),
                unit => format!("{} ({unit})", metric.name()),
            };
            let times = times(self, self.series.stride.max(1) as usize);
            plot(&mut out, &name, &times, scores, metric.more_is_better(), &[])?;
        }
        worst(&mut out, self)?;
        looks(&mut out, self)?;
        out.push_str("</body></html>\n");
        Ok(out)
    }
}

fn facts(out: &mut String, found: &Assessment) {
    out.push_str("<dl>\n");
    let mut fact = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(&value));
    };
    if let Some(p) = &found.picture {
        fact("picture", format!("{} {}×{}, {} bit", p.codec, p.width, p.height, p.bit_depth));
        fact("length", format!("{}, {} frames", duration(p.duration_s), p.frames));
        fact("bit rate", format!("{:.0} kb/s", p.bit_rate / 1000.0));
        if let Some(fields) = p.fields {
            fact("fields", fields.to_owned());
        }
        fact("scene cuts", p.cuts.to_string());
    }
    if let Some(reference) = &found.reference {
        fact("reference", reference.file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        fact("pairs", reference.pairs.to_string());
        if !reference.treatment.is_empty() {
            fact("the reference is", reference.treatment.clone());
        }
    }
    for track in &found.sound {
        let loud = track.loudness.as_ref().and_then(|l| l.integrated_lufs);
        let words = loud.map_or("silent, or too short".to_owned(), |lufs| format!("{lufs:.1} LUFS"));
        fact(&format!("stream {}, {} {}", track.stream, track.codec, track.layout), words);
    }
    out.push_str("</dl>\n");
}

fn span(from_s: Option<f64>, to_s: Option<f64>) -> String {
    match (from_s, to_s) {
        (Some(from), Some(to)) => format!("{from:.3} – {to:.3} s"),
        _ => String::new(),
    }
}

fn findings(out: &mut String, found: &Assessment) {
    let checks = found.checks.iter().filter(|c| c.judgement > Judgement::Pass);
    if found.findings.is_empty() && checks.clone().next().is_none() {
        out.push_str("<h2>Findings</h2>\n<p>none</p>\n");
        return;
    }
    out.push_str(
        "<h2>Findings</h2>\n<table><thead><tr><th class=\"left\"></th><th class=\"left\">kind</th><th>time</th>\
         <th>value</th><th></th></tr></thead><tbody>\n",
    );
    let mut row = |judgement: Judgement, kind: &str, time: String, value: String, text: &str| {
        let _ = writeln!(
            out,
            "<tr><td class=\"left {judgement}\">{judgement}</td><td class=\"left\">{}</td><td>{time}</td>\
             <td>{}</td><td>{}</td></tr>",
            escape(kind),
            escape(&value),
            escape(text)
        );
    };
    for c in checks {
        let kind = format!("{}.{}", c.metric, c.pooling.name());
        row(c.judgement, &kind, span(c.from_s, c.to_s), format!("{:.3}", c.value), "beyond its limit");
    }
    for f in &found.findings {
        let stream = f.stream.map_or(String::new(), |stream| format!("stream {stream}: "));
        let value = format!("{:.2} {}", f.value, f.unit);
        row(f.judgement, f.kind.name(), span(f.from_s, f.to_s), value, &format!("{stream}{}", f.message));
    }
    out.push_str("</tbody></table>\n");
    if !found.notes.is_empty() {
        out.push_str("<ul>\n");
        found.notes.iter().for_each(|note| {
            let _ = writeln!(out, "<li>{}</li>", escape(note));
        });
        out.push_str("</ul>\n");
    }
}

fn metrics(out: &mut String, found: &Assessment) {
    if found.metrics.is_empty() && found.absent.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Metrics</h2>\n<table><thead><tr><th class=\"left\">metric</th><th>mean</th><th>harmonic mean</th>\
         <th>5th percentile</th><th>1st percentile</th><th>minimum</th><th>maximum</th><th></th></tr></thead><tbody>\n",
    );
    for m in &found.metrics {
        let harmonic = m.harmonic_mean.map_or(String::new(), |mean| format!("{mean:.4}"));
        let note = [m.model, m.relative].into_iter().flatten().collect::<Vec<_>>().join("; ");
        let _ = writeln!(
            out,
            "<tr><td class=\"left\">{}</td><td>{:.4}</td><td>{harmonic}</td><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td>\
             <td>{:.4}</td><td>{}</td></tr>",
            m.metric,
            m.mean,
            m.p5,
            m.p1,
            m.min,
            m.max,
            escape(&note)
        );
    }
    for absent in &found.absent {
        let _ = writeln!(
            out,
            "<tr><td class=\"left\">{}</td><td colspan=\"6\"></td><td>{}</td></tr>",
            absent.metric,
            escape(&absent.why)
        );
    }
    out.push_str("</tbody></table>\n");
}

/// What was measured without a reference, over time.
fn looks(out: &mut String, found: &Assessment) -> Result<()> {
    let series = &found.series;
    let percent = |values: &[f32]| values.iter().map(|v| v * 100.0).collect::<Vec<f32>>();
    let every = times(found, 1);
    let looked = times(found, series.looked_every.max(1));
    plot(out, "dark samples (%)", &every, &percent(&series.dark), false, &of_kind(found, FindingKind::Black))?;
    plot(
        out,
        "difference from the picture before (%)",
        &every,
        &percent(&series.moved),
        true,
        &of_kind(found, FindingKind::Freeze),
    )?;
    plot(
        out,
        "outside of the legal range (%)",
        &every,
        &percent(&series.outside),
        false,
        &of_kind(found, FindingKind::Range),
    )?;
    plot(out, "banding (CAMBI)", &looked, &series.banding, false, &of_kind(found, FindingKind::Banding))?;
    plot(out, "blockiness", &looked, &series.blockiness, false, &of_kind(found, FindingKind::Blockiness))?;
    plot(out, "blur (samples)", &looked, &series.blur, false, &of_kind(found, FindingKind::Blur))
}

fn of_kind(found: &Assessment, kind: FindingKind) -> Vec<&QualityFinding> {
    found.findings.iter().filter(|f| f.kind == kind).collect()
}

fn times(found: &Assessment, every: usize) -> Vec<f64> {
    found.series.time_s.iter().copied().step_by(every).collect()
}

/// One series over time: means of neighbours and the worst of them, with the stretches of findings behind; nothing where
/// nothing was measured.
fn plot(
    out: &mut String,
    name: &str,
    times: &[f64],
    values: &[f32],
    low_is_bad: bool,
    findings: &[&QualityFinding],
) -> Result<()> {
    let known: Vec<(f64, f64)> =
        times.iter().zip(values).filter(|(_, v)| v.is_finite()).map(|(at, v)| (*at, f64::from(*v))).collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else { return Ok(()) };
    let time = first.0..last.0.max(first.0 + 1e-3);
    let low = known.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let high = known.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    let room = ((high - low) * 0.05).max(high.abs() * 0.001).max(1e-3);
    let together = known.len().div_ceil(POINTS).max(1);
    let bad = |part: &[(f64, f64)]| {
        let values = part.iter().map(|p| p.1);
        if low_is_bad { values.fold(f64::INFINITY, f64::min) } else { values.fold(f64::NEG_INFINITY, f64::max) }
    };
    let mean = |part: &[(f64, f64)]| part.iter().map(|p| p.1).sum::<f64>() / part.len() as f64;
    let svg = draw(200, |area| {
        let mut chart = over_time(area, time.clone(), low - room..high + room, name)?;
        for finding in findings {
            let (Some(from), Some(to)) = (finding.from_s, finding.to_s) else { continue };
            let corners = [(from.max(time.start), low - room), (to.min(time.end), high + room)];
            chart.draw_series([Rectangle::new(corners, STEP.mix(0.25).filled())]).map_err(failed)?;
        }
        let worst = known.chunks(together).map(|part| (part[0].0, bad(part)));
        let usual = known.chunks(together).map(|part| (part[0].0, mean(part)));
        chart.draw_series(LineSeries::new(worst, FAINT)).map_err(failed)?;
        chart.draw_series(LineSeries::new(usual, LINE)).map(drop).map_err(failed)
    })?;
    let _ = write!(out, "<h2>{}</h2>\n{svg}", escape(name));
    Ok(())
}

fn worst(out: &mut String, found: &Assessment) -> Result<()> {
    if found.worst.is_empty() {
        return Ok(());
    }
    out.push_str("<h2>The worst pictures: the reference's, and the file's</h2>\n");
    for picture in &found.worst {
        let _ = writeln!(
            out,
            "<p class=\"key\">{:.3} s, picture {}, {} {:.3}</p>\n<div class=\"pair\">{}{}</div>",
            picture.at_s,
            picture.index,
            picture.metric,
            picture.score,
            image(&picture.reference, "reference")?,
            image(&picture.file, "file")?
        );
    }
    Ok(())
}

/// A picture as PNG within the page.
fn image(picture: &Thumbnail, of: &str) -> Result<String> {
    let failed =
        |e: png::EncodingError| Error::new(ErrorKind::Encode, "a picture cannot be drawn on the page").caused_by(e);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&picture.rgb).map_err(failed)?;
    writer.finish().map_err(failed)?;
    let (width, height) = (picture.width, picture.height);
    let data = STANDARD.encode(bytes);
    Ok(format!("<img alt=\"{of}\" width=\"{width}\" height=\"{height}\" src=\"data:image/png;base64,{data}\">"))
}
