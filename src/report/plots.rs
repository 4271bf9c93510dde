//! The plots of a report, as SVG.

use std::fmt::Display;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::facts::Report;
use crate::base::text::duration;
use crate::base::{Error, ErrorKind, Result};

const WIDTH: u32 = 1080;

/// Points of a line at most: a film's scores in more would only make the page large.
pub(super) const POINTS: usize = 1000;

pub(super) const LINE: RGBColor = RGBColor(31, 99, 176);
pub(super) const FAINT: RGBColor = RGBColor(150, 185, 222);
pub(super) const STEP: RGBColor = RGBColor(200, 92, 20);
const BAND: RGBColor = RGBColor(214, 236, 214);
const WAIT_IN: RGBColor = RGBColor(216, 216, 216);
const WAIT_OUT: RGBColor = RGBColor(240, 196, 150);

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One chunk over the film's time, in seconds.
struct Part<'a> {
    from: f64,
    to: f64,
    chunk: &'a super::facts::ChunkReport,
}

fn parts(report: &Report) -> Vec<Part<'_>> {
    let chunks = &report.chunks;
    // The last frame's duration is not known here; the end of the film is no earlier than its start.
    let end = chunks.last().map_or(0.0, |last| report.output.duration_s.max(last.start_pts));
    let next = |i: usize| chunks.get(i + 1).map_or(end, |c| c.start_pts);
    chunks.iter().enumerate().map(|(i, chunk)| Part { from: chunk.start_pts, to: next(i), chunk }).collect()
}

fn span(parts: &[Part<'_>]) -> std::ops::Range<f64> {
    let from = parts.first().map_or(0.0, |p| p.from);
    let to = parts.last().map_or(1.0, |p| p.to);
    from..to.max(from + 1e-3)
}

/// VMAF over time: frames, chunks and what was asked for. `None` where nothing was scored.
pub fn scores(report: &Report) -> Result<Option<String>> {
    let parts = parts(report);
    let frames = frame_scores(&parts);
    if frames.is_empty() {
        return Ok(None);
    }
    let (target, tolerance) = (report.quality.target, report.quality.tolerance.unwrap_or(0.0));
    let low = frames.iter().map(|p| p.lowest).chain(target).fold(100.0, f64::min);
    let range = ((low - 2.0) / 5.0).floor().max(0.0) * 5.0..100.0;
    let time = span(&parts);
    draw(320, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(time.clone(), range)
            .map_err(failed)?;
        if let Some(target) = target {
            let corners = [(time.start, target - tolerance), (time.end, target + tolerance)];
            chart.draw_series([Rectangle::new(corners, BAND.filled())]).map_err(failed)?;
        }
        let mesh = &mut chart.configure_mesh();
        let mesh =
            mesh.x_label_formatter(&|s| duration(*s)).y_desc("VMAF").x_desc("time").light_line_style(TRANSPARENT);
        mesh.draw().map_err(failed)?;
        let lowest = frames.iter().map(|p| (p.at, p.lowest));
        let mean = frames.iter().map(|p| (p.at, p.mean));
        let each = parts.iter().filter_map(|p| Some((p, p.chunk.vmaf?)));
        let steps = each.flat_map(|(p, vmaf)| [(p.from, vmaf), (p.to, vmaf)]);
        chart.draw_series(LineSeries::new(lowest, FAINT)).map_err(failed)?.label("lowest frame").legend(sample(FAINT));
        chart.draw_series(LineSeries::new(mean, LINE)).map_err(failed)?.label("frames").legend(sample(LINE));
        let line = LineSeries::new(steps, STEP.stroke_width(2));
        chart.draw_series(line).map_err(failed)?.label("chunks").legend(sample(STEP));
        let labels = &mut chart.configure_series_labels();
        labels.position(SeriesLabelPosition::LowerRight).background_style(WHITE.mix(0.85)).border_style(WAIT_IN);
        labels.draw().map_err(failed)
    })
    .map(Some)
}

/// CRF over time. `None` where there is one for the whole film.
pub fn crfs(report: &Report) -> Result<Option<String>> {
    let parts = parts(report);
    if parts.len() < 2 {
        return Ok(None);
    }
    let steps: Vec<(f64, f64)> = parts.iter().flat_map(|p| [(p.from, p.chunk.crf), (p.to, p.chunk.crf)]).collect();
    let low = steps.iter().fold(63.0, |low: f64, p| low.min(p.1));
    let high = steps.iter().fold(1.0, |high: f64, p| high.max(p.1));
    draw(220, |area| {
        let mut chart = over_time(area, span(&parts), (low - 2.0).max(0.0)..high + 2.0, "CRF")?;
        chart.draw_series(LineSeries::new(steps, STEP.stroke_width(2))).map(drop).map_err(failed)
    })
    .map(Some)
}

/// Bit rate of each chunk over time. `None` where there is one for the whole film.
pub fn sizes(report: &Report) -> Result<Option<String>> {
    let parts = parts(report);
    if parts.len() < 2 {
        return Ok(None);
    }
    let rate = |p: &Part<'_>| p.chunk.bytes as f64 * 8.0 / 1000.0 / (p.to - p.from).max(1e-3);
    let most = parts.iter().map(rate).fold(1.0, f64::max);
    draw(220, |area| {
        let mut chart = over_time(area, span(&parts), 0.0..most * 1.05, "kbit/s")?;
        let bar = |p: &Part<'_>| Rectangle::new([(p.from, 0.0), (p.to, rate(p))], LINE.mix(0.6).filled());
        chart.draw_series(parts.iter().map(bar)).map_err(failed)?;
        let edge = |p: &Part<'_>| Rectangle::new([(p.from, 0.0), (p.to, rate(p))], WHITE);
        chart.draw_series(parts.iter().map(edge)).map(drop).map_err(failed)
    })
    .map(Some)
}

/// What each stage spent its time on.
pub fn stages(report: &Report) -> Result<Option<String>> {
    let stages = &report.stages;
    if stages.is_empty() {
        return Ok(None);
    }
    let n = stages.len() as i32;
    let most = stages.iter().map(|s| s.busy_s + s.blocked_in_s + s.blocked_out_s).fold(1e-3, f64::max);
    draw(64 + 26 * stages.len() as u32, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(110)
            .build_cartesian_2d(0.0..most, (0..n).into_segmented())
            .map_err(failed)?;
        let name = |v: &SegmentValue<i32>| match v {
            SegmentValue::CenterOf(row) => stages.get((n - 1 - row) as usize).map_or(String::new(), |s| s.name.clone()),
            _ => String::new(),
        };
        let mesh = &mut chart.configure_mesh();
        mesh.y_label_formatter(&name).y_labels(stages.len()).x_desc("seconds").disable_y_mesh();
        mesh.light_line_style(TRANSPARENT).draw().map_err(failed)?;
        let bars = stages.iter().enumerate().flat_map(|(i, s)| {
            let row = n - 1 - i as i32;
            let ends = [s.busy_s, s.busy_s + s.blocked_in_s, s.busy_s + s.blocked_in_s + s.blocked_out_s];
            let bar = move |from: f64, to: f64, color: RGBColor| {
                let corners = [(from, SegmentValue::Exact(row)), (to, SegmentValue::Exact(row + 1))];
                let mut bar = Rectangle::new(corners, color.filled());
                bar.set_margin(4, 4, 0, 0);
                bar
            };
            [bar(0.0, ends[0], LINE), bar(ends[0], ends[1], WAIT_IN), bar(ends[1], ends[2], WAIT_OUT)]
        });
        chart.draw_series(bars).map(drop).map_err(failed)
    })
    .map(Some)
}

/// A moment of the film: scores of the frames about it.
struct Moment {
    at: f64,
    mean: f64,
    lowest: f64,
}

fn frame_scores(parts: &[Part<'_>]) -> Vec<Moment> {
    let scored: usize = parts.iter().map(|p| p.chunk.scores.len()).sum();
    let together = scored.div_ceil(POINTS).max(1);
    let of = |p: &Part<'_>| -> Vec<Moment> {
        let each = (p.to - p.from) / p.chunk.scores.len().max(1) as f64;
        let moment = |(i, scores): (usize, &[f64])| Moment {
            at: p.from + (i * together) as f64 * each + scores.len() as f64 * each / 2.0,
            mean: scores.iter().sum::<f64>() / scores.len() as f64,
            lowest: scores.iter().copied().fold(100.0, f64::min),
        };
        p.chunk.scores.chunks(together).enumerate().map(moment).collect()
    };
    parts.iter().flat_map(of).collect()
}

fn sample(color: RGBColor) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2))
}

pub(super) type PlotArea<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// A plane with the film's time below.
pub(super) fn over_time<'a, 'b>(
    area: &'a Area<'b>,
    time: std::ops::Range<f64>,
    range: std::ops::Range<f64>,
    what: &str,
) -> Result<PlotArea<'a, 'b>> {
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(time, range)
        .map_err(failed)?;
    let mesh = &mut chart.configure_mesh();
    mesh.x_label_formatter(&|s| duration(*s)).y_desc(what).x_desc("time").light_line_style(TRANSPARENT);
    mesh.draw().map_err(failed)?;
    Ok(chart)
}

pub(super) fn draw(height: u32, plot: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    plot(&area)?;
    area.present().map_err(failed)?;
    drop(area);
    Ok(svg)
}

pub(super) fn failed(why: impl Display) -> Error {
    Error::new(ErrorKind::Encode, format!("cannot draw the report: {why}"))
}
