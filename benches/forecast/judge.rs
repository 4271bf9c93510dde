//! Replays the forecast and the search over measured encodes, with constants fitted to other films or to another
//! version of the encoder.
//!
//! What a chunk scores at a CRF that was not measured lies on the line through those beside it, in the distance of
//! VMAF's curve. The replay is of the plan's own code; only what is fitted is put in its place.

use std::collections::BTreeMap;

use drapto::internals::media::Crf;
use drapto::internals::plan::{
    ChunkMeans, ChunkOutcome, CrfScale, Curve, LONGEST_LAG, Observation, Search, SearchRules, Step, forecast, lag,
    probe_crf, slope_of,
};

use super::Fallible;
use super::table::Row;

const TARGET: f64 = 93.0;
const TOLERANCE: f64 = 0.5;
/// The preset of probes.
const PROBE: u8 = 11;
/// What the curve adds to motion and detail before it takes the logarithm.
const LEAST: f64 = 0.05;
/// The least slope a measured curve is taken to have, a CRF.
const FLATTEST: f64 = 0.005;

/// A chunk at one preset of one version.
struct Chunk {
    means: ChunkMeans,
    probe: f64,
    /// CRF and distance of what was measured, by CRF.
    points: Vec<(f64, f64)>,
}

/// The chunks of a film in order, encoded by one version at one preset.
struct Film {
    version: String,
    name: String,
    preset: u8,
    chunks: Vec<Chunk>,
}

/// What came of some films.
#[derive(Default)]
struct Tally {
    chunks: u32,
    at_once: u32,
    encodes: u32,
}

impl Chunk {
    /// The distance at `crf`, by the line through the two measured points nearest to it.
    fn distance(&self, crf: f64) -> f64 {
        let last = self.points.len() - 1;
        let right = self.points.iter().position(|p| crf <= p.0).unwrap_or(last).clamp(1, last);
        let ((c0, d0), (c1, d1)) = (self.points[right - 1], self.points[right]);
        d0 + ((d1 - d0) / (c1 - c0)).max(FLATTEST) * (crf - c0)
    }

    /// How far the probe is off, and the slope over all that was measured.
    fn shown(&self, at: f64) -> (f64, f64) {
        let (first, last) = (self.points[0], self.points[self.points.len() - 1]);
        (Curve::VMAF.distance(self.probe) - self.distance(at), ((last.1 - first.1) / (last.0 - first.0)).max(FLATTEST))
    }
}

/// The films of `rows`, of those presets for which each chunk was probed and encoded at three CRFs or more.
fn films(rows: &[Row]) -> Vec<Film> {
    let mut by_chunk = BTreeMap::<(u8, &str, &str, usize), Vec<&Row>>::new();
    for row in rows.iter().filter(|row| row.way.preset != PROBE) {
        by_chunk.entry((row.way.preset, &row.version, &row.film, row.chunk)).or_default().push(row);
    }
    let mut films = Vec::<Film>::new();
    for ((preset, version, name, chunk), mut encodes) in by_chunk {
        let is_probe =
            |row: &&Row| row.way.preset == PROBE && row.version == version && row.film == name && row.chunk == chunk;
        let Some(probe) = rows.iter().find(is_probe).filter(|_| encodes.len() >= 3) else { continue };
        encodes.sort_by_key(|row| row.way.crf_quarters);
        let points = encodes.iter().map(|row| (f64::from(row.way.crf_quarters) / 4.0, Curve::VMAF.distance(row.score)));
        let means = ChunkMeans { detail: probe.detail, motion: probe.motion, brightness: probe.brightness };
        let chunk = Chunk { means, probe: probe.score, points: points.collect() };
        match films.last_mut().filter(|f| f.preset == preset && f.version == version && f.name == name) {
            Some(film) => film.chunks.push(chunk),
            None => films.push(Film { version: version.into(), name: name.into(), preset, chunks: vec![chunk] }),
        }
    }
    films
}

/// What makes `y` from each row's inputs with the least sum of weighted squares. Inputs and `y` are of about 1; the
/// small weight towards 0 keeps what a few films do not tell.
fn least_squares<const N: usize>(rows: &[([f64; N], f64, f64)]) -> [f64; N] {
    const TOWARDS_ZERO: f64 = 0.3;
    let (mut a, mut y) = ([[0.0; N]; N], [0.0; N]);
    for (input, output, weight) in rows {
        for i in 0..N {
            y[i] += weight * input[i] * output;
            (0..N).for_each(|j| a[i][j] += weight * input[i] * input[j]);
        }
    }
    // The first input is the constant.
    (1..N).for_each(|i| a[i][i] += TOWARDS_ZERO);
    // The matrix is positive definite: no pivot is 0.
    for i in 0..N {
        for j in (0..N).filter(|&j| j != i) {
            let times = a[j][i] / a[i][i];
            (0..N).for_each(|k| a[j][k] -= times * a[i][k]);
            y[j] -= times * y[i];
        }
    }
    std::array::from_fn(|i| y[i] / a[i][i])
}

/// VMAF's curve with what follows from the pictures fitted to these films.
fn fitted(films: &[&Film], rules: &SearchRules) -> Curve {
    let at = probe_crf(rules).as_f64();
    let (mut offsets, mut slopes) = (Vec::new(), Vec::new());
    for film in films {
        // A film of many chunks tells more than one of a single chunk, but not as many times more.
        let weight = 1.0 / (film.chunks.len() as f64).sqrt();
        for chunk in &film.chunks {
            let (offset, slope) = chunk.shown(at);
            let [motion, detail] = [chunk.means.motion, chunk.means.detail].map(|measure| (measure + LEAST).ln());
            offsets.push(([1.0, motion, detail], offset, weight));
            slopes.push(([1.0, motion], slope.ln(), weight));
        }
    }
    let ([probe_offset, by_motion, by_detail], [slope, motion_power]) =
        (least_squares(&offsets), least_squares(&slopes));
    let probe_offset_by = [by_motion, by_detail];
    Curve { probe_offset, probe_offset_by, slope_of_motion: slope.exp(), motion_power, ..Curve::VMAF }
}

fn rules(curve: Curve) -> Fallible<SearchRules> {
    let (min, max) = (Crf::whole(8)?, Crf::whole(55)?);
    let (scale, target, tolerance) = (CrfScale::SVT_AV1, TARGET, TOLERANCE);
    Ok(SearchRules { curve, scale, target, tolerance, min, max, step: 4, finest: 1, max_tries: 4, ends: true })
}

/// Goes over a film as a run does.
fn replay(film: &Film, rules: &SearchRules, tally: &mut Tally) {
    let curve = &rules.curve;
    let mut outcomes = Vec::<ChunkOutcome>::new();
    for (index, chunk) in film.chunks.iter().enumerate() {
        let known = (index + 1).saturating_sub(lag(index, LONGEST_LAG));
        let forecast = forecast(&outcomes[..known], &chunk.means, Some(chunk.probe), rules);
        let mut search = Search::new(rules.clone(), forecast);
        let score = |crf: Crf| curve.score(chunk.distance(crf.as_f64())).clamp(0.0, 100.0);
        let crf = loop {
            match search.next() {
                Step::Try(crf) => search.observe(Observation { crf, score: score(crf), whole: true }),
                Step::MeasureCeiling => search.observe_ceiling(100.0),
                Step::Done { crf, .. } => break crf,
            }
        };
        let reachable = score(rules.min) >= TARGET - TOLERANCE && score(rules.max) <= TARGET + TOLERANCE;
        if reachable {
            tally.chunks += 1;
            tally.encodes += search.points().len() as u32;
            tally.at_once += u32::from((score(search.points()[0].crf) - TARGET).abs() <= TOLERANCE);
        }
        let slope = slope_of(curve, search.points().iter().copied());
        let (means, probe) = (chunk.means, Some(chunk.probe));
        outcomes.push(ChunkOutcome { means, crf, score: score(crf), probe, slope });
    }
}

/// Prints the table: how many chunks met the target at once, and encodes a chunk.
pub fn judge(rows: &[Row]) -> Fallible<()> {
    let films = films(rows);
    let shipped = rules(Curve::VMAF)?;
    println!(
        "| preset | film | SVT-AV1 | chunks | as it ships | film left out | version left out |\n|---|---|---|---|---|---|---|"
    );
    let mut totals = BTreeMap::<u8, [Tally; 3]>::new();
    for film in &films {
        let fit = |keep: &dyn Fn(&Film) -> bool| {
            let others: Vec<&Film> = films.iter().filter(|f| f.preset == film.preset && keep(f)).collect();
            rules(if others.is_empty() { Curve::VMAF } else { fitted(&others, &shipped) })
        };
        let all = [shipped.clone(), fit(&|f| f.name != film.name)?, fit(&|f| f.version != film.version)?];
        let mut cells = Vec::new();
        let mut chunks = 0;
        for (way, rules) in all.iter().enumerate() {
            let mut tally = Tally::default();
            replay(film, rules, &mut tally);
            cells.push(tally.to_string());
            chunks = tally.chunks;
            let total = &mut totals.entry(film.preset).or_default()[way];
            total.chunks += tally.chunks;
            total.at_once += tally.at_once;
            total.encodes += tally.encodes;
        }
        println!("| {} | {} | {} | {chunks} | {} |", film.preset, film.name, film.version, cells.join(" | "));
    }
    for (preset, total) in totals {
        let cells: Vec<String> = total.iter().map(Tally::to_string).collect();
        println!("| {preset} | **all** | | {} | {} |", total[0].chunks, cells.join(" | "));
    }
    Ok(())
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = |n: u32| f64::from(n) / f64::from(self.chunks.max(1));
        match self.chunks {
            0 => f.write_str("–"),
            _ => write!(f, "{:.0} %, {:.2}", 100.0 * part(self.at_once), part(self.encodes)),
        }
    }
}
