//! What a film is expected to take, from what earlier ones took: each part of the work by itself, as they follow different
//! things.
//!
//! How hard a film is for the encoder is not known before it is encoded. The bits that its source spends on a pixel do not
//! tell: over three films of 0.03 to 0.08 the encode took 4.5 to 4.9e-8 core seconds a pixel, and its own bits fell.

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

/// Encodes of a chunk that has a target, scored frames of each frame that is kept, and the preset of the fast encode that
/// comes first, up to this preset of the others (the README's tables).
const ENCODES: f64 = 1.3;
const SCORED: f64 = 0.55;
const PROBE_PRESET: u8 = 11;
const LAST_PROBED: u8 = 9;

/// A film with a target that is shorter than this, in seconds, has too few chunks for two encoders side by side: a core idles
/// for so much of the time (0.67 to 0.72 of two cores were used, 0.93 else).
const SHORT_S: f64 = 30.0;
const SHORT: f64 = 1.35;

/// Bits that a source spends on a pixel, where nobody says how long it is.
const SOURCE_BITS: f64 = 0.1;

/// Bits a pixel of films at a VMAF of 93, before anything was measured: 0.02 to 0.06 over nine films of 360p to 720p.
const BITS_A_PIXEL: f64 = 0.04;

/// Seconds a film takes whatever its length: it is opened and looked at.
const A_FILM_S: f64 = 0.4;

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
    let pixels = facts.width.saturating_mul(facts.height);
    let estimate = |stage| {
        let key = key(settings, stage, pixels);
        let prior = key.prior();
        (cache.map_or(prior, |cache| cache.estimate(&key)), prior.seconds_per_frame)
    };
    let [encode, verify] = PARTS.map(|stage| estimate(stage).0);
    let a_frame_s = if encode.matched == 0 { prior(settings, pixels) } else { encode.seconds_per_frame };
    let encode_s = frames * a_frame_s * idle(settings, frames / facts.frame_rate.unwrap_or(FRAME_RATE));
    let (size, usual) = estimate("bytes");
    let a_frame = usual_bytes(pixels) * size.seconds_per_frame / usual;
    Some(Expectation {
        seconds: A_FILM_S + encode_s + frames * verify.seconds_per_frame,
        bytes: ((frames * a_frame) as u64).min(facts.bytes),
        films: encode.matched,
    })
}

/// Bytes a frame has before anything was measured.
fn usual_bytes(pixels: u32) -> f64 {
    f64::from(pixels.max(1)) * BITS_A_PIXEL / 8.0
}

/// What a film took is remembered, as if it had had the machine alone; `at_once` films shared it.
pub fn record(cache: &Cache, report: &Report, settings: &EncodeSettings, at_once: u32) {
    let frames = report.output.frames as f64;
    if frames < 1.0 || report.encode_fps <= 0.0 {
        return;
    }
    let pixels = report.video.source_width.saturating_mul(report.video.source_height);
    if is_whole(report) {
        let encode = frames / report.encode_fps;
        let verify = (report.wall_s - encode - A_FILM_S).max(report.wall_s / 100.0);
        let encode = encode / idle(settings, report.output.duration_s);
        for (stage, seconds) in PARTS.into_iter().zip([encode, verify]) {
            cache.record(&key(settings, stage, pixels), seconds / frames / f64::from(at_once.max(1)));
        }
    }
    // Sizes are remembered as times: by how much more than usual they are.
    let key = key(settings, "bytes", pixels);
    let more = report.output.bytes as f64 / frames / usual_bytes(pixels);
    cache.record(&key, more * key.prior().seconds_per_frame);
}

/// Whether the run did all of the work: it neither went on from an earlier one nor remembered what encodes come to.
fn is_whole(report: &Report) -> bool {
    let chunks = report.chunks.len() as u64;
    let made = report.quality.encodes_made.is_none_or(|made| made >= chunks);
    made && report.quality.encodes_remembered.unwrap_or(0) == 0
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

/// Seconds a frame of the encode, or of the search for a target, before anything was measured.
fn prior(settings: &EncodeSettings, pixels: u32) -> f64 {
    let of = |stage: &str, preset| PerformanceKey { preset, ..key(settings, stage, pixels) }.prior().seconds_per_frame;
    let encode = of("encode", settings.preset);
    if settings.quality.is_one_pass() {
        return encode;
    }
    let probe = if settings.preset <= LAST_PROBED { of("encode", PROBE_PRESET) } else { 0.0 };
    ENCODES * encode + probe + SCORED * of("score", settings.preset)
}

/// By how much longer a film takes that is too short to keep all cores busy.
fn idle(settings: &EncodeSettings, seconds: f64) -> f64 {
    if settings.quality.is_one_pass() || seconds >= SHORT_S { 1.0 } else { SHORT }
}

fn frames(facts: &FilmFacts) -> Option<f64> {
    let by_time = facts.duration_s.map(|seconds| seconds * facts.frame_rate.unwrap_or(FRAME_RATE));
    let pixels = f64::from(facts.width) * f64::from(facts.height);
    // A raw stream has no length.
    let by_size = || (pixels > 0.0).then(|| facts.bytes as f64 * 8.0 / (SOURCE_BITS * pixels));
    by_time.or_else(by_size)
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
        let pixels = 1280 * 720;
        assert!((first.bytes as f64 / (2500.0 * usual_bytes(pixels)) - 1.0).abs() < 0.01, "{first:?}");
        // Films that were four times as large and took twice as long.
        for _ in 0..6 {
            cache.record(&key(&settings, "encode", pixels), 2.0 * prior(&settings, pixels));
            for (stage, more) in [("verify", 2.0), ("bytes", 4.0)] {
                let key = key(&settings, stage, pixels);
                cache.record(&key, more * key.prior().seconds_per_frame);
            }
        }
        let then = expected(Some(&cache), &facts, &settings).unwrap();
        assert!((then.bytes as f64 / first.bytes as f64 - 4.0).abs() < 0.5, "{first:?} {then:?}");
        assert!((then.seconds / first.seconds - 2.0).abs() < 0.25 && then.films > 0, "{first:?} {then:?}");
        assert!(expected(None, &FilmFacts::default(), &settings).is_none());
    }
}
