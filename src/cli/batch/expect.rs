//! What a film is expected to take, from what earlier ones took: each part of the work by itself, as they follow different
//! things. How hard a film is for the encoder is taken from the bits its source spends on a pixel.

use drapto::batch::{BatchItem, FilmFacts, ItemVerdict};
use drapto::cache::{Cache, PerformanceKey};
use drapto::{EncodeSettings, Quality, Report};
use serde::Serialize;

/// Seconds and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expectation {
    pub seconds: f64,
    pub bytes: u64,
    /// How many films that are like it this rests on.
    pub films: u32,
}

/// What frames of films are taken to be a second where a container does not say.
const FRAME_RATE: f64 = 24.0;

/// How much longer a target takes than one encode, and what else a film takes.
const TARGET: f64 = 1.6;

/// Bits a pixel of films at a VMAF of 93, before anything was measured: 0.02 to 0.06 over nine films of 360p to 720p.
const BITS_A_PIXEL: f64 = 0.04;

/// Seconds a film takes whatever its length: it is opened and looked at.
const A_FILM_S: f64 = 0.3;

/// Bits that sources spend on a pixel where they are as hard as most: 0.03 to 0.3 over the same films.
const USUAL_SOURCE_BITS: f64 = 0.1;

/// The exponent with which bytes of outputs follow those of sources.
const BYTES_POWER: f64 = 0.5;

/// The parts of the work that follow one another: what encodes, which is a search where there is a target, and what is read
/// back and compared.
const PARTS: [&str; 2] = ["encode", "verify"];

/// What the film of `item` will take.
pub fn expect(cache: Option<&Cache>, item: &BatchItem, settings: &EncodeSettings) -> Option<Expectation> {
    let facts = item.facts.as_ref().filter(|_| matches!(item.verdict, ItemVerdict::Encode))?;
    expected(cache, facts, settings)
}

fn expected(cache: Option<&Cache>, facts: &FilmFacts, settings: &EncodeSettings) -> Option<Expectation> {
    let frames = frames(facts)?;
    let film = FilmKind::new((facts.width, facts.height), facts.bytes, frames);
    let estimate = |stage| {
        let key = key(settings, stage, film);
        let prior = key.prior();
        (cache.map_or(prior, |cache| cache.estimate(&key)), prior.seconds_per_frame)
    };
    let [encode, verify] = PARTS.map(|stage| estimate(stage).0);
    let longer = if encode.matched == 0 { prior(settings) } else { 1.0 };
    let (size, usual) = estimate("bytes");
    let a_frame = film.usual_bytes() * size.seconds_per_frame / usual;
    Some(Expectation {
        seconds: A_FILM_S + frames * (encode.seconds_per_frame * longer + verify.seconds_per_frame),
        bytes: ((frames * a_frame) as u64).min(facts.bytes),
        films: encode.matched,
    })
}

/// What of a film decides how long a frame of it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct FilmKind {
    pixels: u32,
    complexity: f64,
}

impl FilmKind {
    fn new((width, height): (u32, u32), bytes: u64, frames: f64) -> Self {
        let pixels = width.saturating_mul(height).max(1);
        let bits = bytes as f64 * 8.0 / (frames.max(1.0) * f64::from(pixels));
        // What is hardly compressed says nothing of its pictures.
        let complexity = (bits / USUAL_SOURCE_BITS).clamp(1.0 / 16.0, 16.0);
        FilmKind { pixels, complexity }
    }

    /// Bytes a frame has before anything was measured.
    fn usual_bytes(self) -> f64 {
        f64::from(self.pixels) * BITS_A_PIXEL / 8.0 * self.complexity.powf(BYTES_POWER)
    }
}

/// What a film took is remembered, as if it had had the machine alone; `at_once` films shared it.
pub fn record(cache: &Cache, report: &Report, settings: &EncodeSettings, at_once: u32) {
    let frames = report.output.frames as f64;
    if frames < 1.0 || report.encode_fps <= 0.0 {
        return;
    }
    let film = FilmKind::new((report.video.source_width, report.video.source_height), report.input.bytes, frames);
    if is_whole(report) {
        let encode = frames / report.encode_fps;
        let verify = (report.wall_s - encode - A_FILM_S).max(report.wall_s / 100.0);
        for (stage, seconds) in PARTS.into_iter().zip([encode, verify]) {
            cache.record(&key(settings, stage, film), seconds / frames / f64::from(at_once.max(1)));
        }
    }
    // Sizes are remembered as times: by how much more than usual they are.
    let key = key(settings, "bytes", film);
    let more = report.output.bytes as f64 / frames / film.usual_bytes();
    cache.record(&key, more * key.prior().seconds_per_frame);
}

/// Whether the run did all of the work: it neither went on from an earlier one nor remembered what encodes come to.
fn is_whole(report: &Report) -> bool {
    let chunks = report.chunks.len() as u64;
    let made = report.quality.encodes_made.is_none_or(|made| made >= chunks);
    made && report.quality.encodes_remembered.unwrap_or(0) == 0
}

fn key(settings: &EncodeSettings, stage: &str, film: FilmKind) -> PerformanceKey {
    // Films at a target and at a CRF are other work.
    let quality = match &settings.quality {
        Quality::Target(target) => format!("{}{}", target.per.name(), target.vmaf),
        Quality::Crf(crf) => crf.map_or("crf".to_owned(), |crf| format!("crf{crf}")),
    };
    PerformanceKey {
        stage: stage.to_owned(),
        encoder: format!("{} {quality}", drapto::process::encoder()),
        pixels: film.pixels,
        preset: settings.preset,
        complexity: film.complexity,
        // Bytes are not shared among cores.
        cores: if stage == "bytes" { 1 } else { cores(settings) },
    }
}

fn cores(settings: &EncodeSettings) -> u32 {
    let all = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    (all * u32::from(settings.max_cpu) / 100).max(1)
}

/// By how much the time of a film is more than that of one encode of it.
fn prior(settings: &EncodeSettings) -> f64 {
    if settings.quality.is_one_pass() { 1.0 } else { TARGET }
}

fn frames(facts: &FilmFacts) -> Option<f64> {
    Some(facts.duration_s? * facts.frame_rate.unwrap_or(FRAME_RATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_films_came_to_is_expected_of_films_like_them() {
        let cache = Cache::in_memory().unwrap();
        let settings = EncodeSettings::new("in", "out");
        let facts = FilmFacts {
            bytes: 1 << 30,
            duration_s: Some(100.0),
            width: 1280,
            height: 720,
            frame_rate: Some(25.0),
            ..FilmFacts::default()
        };
        let first = expected(Some(&cache), &facts, &settings).unwrap();
        assert_eq!(first.films, 0);
        let film = FilmKind::new((1280, 720), 1 << 30, 2500.0);
        assert!((first.bytes as f64 / (2500.0 * film.usual_bytes()) - 1.0).abs() < 0.01, "{first:?}");
        // Films that were four times as large and took twice as long.
        for _ in 0..6 {
            for (stage, more) in [("encode", 2.0 * TARGET), ("verify", 2.0), ("bytes", 4.0)] {
                let key = key(&settings, stage, film);
                cache.record(&key, more * key.prior().seconds_per_frame);
            }
        }
        let then = expected(Some(&cache), &facts, &settings).unwrap();
        assert!((then.bytes as f64 / first.bytes as f64 - 4.0).abs() < 0.5, "{first:?} {then:?}");
        assert!((then.seconds / first.seconds - 2.0).abs() < 0.25 && then.films > 0, "{first:?} {then:?}");
        assert!(expected(None, &FilmFacts::default(), &settings).is_none());
    }
}
