//! What a film is expected to take, from what earlier ones took.

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

/// Seconds a film takes whatever its length: it is opened, looked at and read back.
const A_FILM_S: f64 = 0.3;

/// What the film of `item` will take.
pub fn expect(cache: Option<&Cache>, item: &BatchItem, settings: &EncodeSettings) -> Option<Expectation> {
    let facts = item.facts.as_ref().filter(|_| matches!(item.verdict, ItemVerdict::Encode))?;
    expected(cache, facts, settings)
}

fn expected(cache: Option<&Cache>, facts: &FilmFacts, settings: &EncodeSettings) -> Option<Expectation> {
    let frames = frames(facts)?;
    let pixels = facts.width.saturating_mul(facts.height);
    let estimate = |stage| {
        let key = key(settings, stage, pixels);
        let prior = key.prior();
        (cache.map_or(prior, |cache| cache.estimate(&key)), prior.seconds_per_frame)
    };
    let (time, _) = estimate("film");
    let longer = if time.matched == 0 { prior(settings) } else { 1.0 };
    let (size, usual) = estimate("bytes");
    let a_frame = usual_bytes(pixels) * size.seconds_per_frame / usual;
    Some(Expectation {
        seconds: A_FILM_S + frames * time.seconds_per_frame * longer,
        bytes: ((frames * a_frame) as u64).min(facts.bytes),
        films: time.matched,
    })
}

/// What a film took is remembered, as if it had had the machine alone; `at_once` films shared it.
pub fn record(cache: &Cache, report: &Report, settings: &EncodeSettings, at_once: u32) {
    let frames = report.output.frames as f64;
    if frames < 1.0 || report.encode_fps <= 0.0 {
        return;
    }
    let pixels = report.video.source_width.saturating_mul(report.video.source_height);
    let seconds = (report.wall_s - A_FILM_S).max(report.wall_s / 10.0);
    cache.record(&key(settings, "film", pixels), seconds / frames / f64::from(at_once.max(1)));
    // Sizes are remembered as times: by how much more than usual they are.
    let key = key(settings, "bytes", pixels);
    let more = report.output.bytes as f64 / frames / usual_bytes(pixels);
    cache.record(&key, more * key.prior().seconds_per_frame);
}

/// Bytes a frame has before anything was measured.
fn usual_bytes(pixels: u32) -> f64 {
    f64::from(pixels.max(1)) * BITS_A_PIXEL / 8.0
}

fn key(settings: &EncodeSettings, stage: &str, pixels: u32) -> PerformanceKey {
    // Films at a target and at a CRF are other work.
    let quality = match &settings.quality {
        Quality::Target(target) => format!("{}{}", target.per.name(), target.vmaf),
        Quality::Crf(crf) => crf.map_or("crf".to_owned(), |crf| format!("crf{crf}")),
    };
    PerformanceKey {
        stage: stage.to_owned(),
        encoder: format!("{} {quality}", drapto::process::encoder()),
        pixels: pixels.max(1),
        preset: settings.preset,
        complexity: 1.0,
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
        assert!((first.bytes as f64 / (2500.0 * 1280.0 * 720.0 * BITS_A_PIXEL / 8.0) - 1.0).abs() < 0.01, "{first:?}");
        // Films that were four times as large and took twice as long.
        for _ in 0..6 {
            let time = key(&settings, "film", 1280 * 720);
            cache.record(&time, 2.0 * TARGET * time.prior().seconds_per_frame);
            let size = key(&settings, "bytes", 1280 * 720);
            cache.record(&size, 4.0 * size.prior().seconds_per_frame);
        }
        let then = expected(Some(&cache), &facts, &settings).unwrap();
        assert!((then.bytes as f64 / first.bytes as f64 - 4.0).abs() < 0.5, "{first:?} {then:?}");
        assert!((then.seconds / first.seconds - 2.0).abs() < 0.25 && then.films > 0, "{first:?} {then:?}");
        assert!(expected(None, &FilmFacts::default(), &settings).is_none());
    }
}
