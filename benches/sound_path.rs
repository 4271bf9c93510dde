//! What measuring and changing the loudness of sound costs, on one core, decoding left out.
//!
//!     cargo bench --features internals --bench sound_path
//!
//! The throughput that criterion prints is samples a channel at 48 kHz: 9.6 M a second are 200 times real time. `SOUND`
//! names another film; its first audio track is taken, 30 s of it.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use drapto::internals::audio::{AudioConfig, LayoutPlan, LevelTrial, SoundMeter, SoundPlan};
use drapto::internals::base::CancelToken;
use drapto::internals::media::{Sound, StreamKind};
use drapto::internals::plan::SoundLevel;
use drapto::internals::source::{AudioDecoder, Source};

const SECONDS: usize = 30;

/// The decoded sound of a film, and what it becomes.
fn sound() -> (Vec<Sound>, SoundPlan) {
    let usual = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/media/film/sintel_trailer-720p.mp4");
    let path = std::env::var_os("SOUND").map_or_else(usual, PathBuf::from);
    let mut source = Source::open(&path, &CancelToken::new()).expect("a film; SOUND names one");
    let stream = source.info().streams.iter().find(|s| s.kind == StreamKind::Audio).cloned().expect("a track of sound");
    let audio = stream.audio.as_ref().expect("facts of the sound");
    let plan = SoundPlan::opus(LayoutPlan::for_source(audio.channels, &audio.layout).expect("a plan"));
    let mut decoder = AudioDecoder::of(source.input(), &stream).expect("a decoder");
    let (mut all, mut samples) = (Vec::new(), 0);
    while samples < SECONDS * audio.sample_rate as usize {
        let Some(packet) = source.read_packet().expect("a packet") else { break };
        if packet.stream() == stream.index {
            decoder.send(&packet).expect("sound");
            while let Some(sound) = decoder.receive() {
                samples += sound.samples;
                all.push(sound);
            }
        }
    }
    (all, plan)
}

fn sound_path(c: &mut Criterion) {
    let (sound, plan) = sound();
    let samples: f64 = sound.iter().map(|s| s.samples as f64 * 48_000.0 / f64::from(s.sample_rate)).sum();
    let mut group = c.benchmark_group("sound");
    group.sample_size(10).throughput(Throughput::Elements(samples as u64));
    group.bench_function("measure", |b| {
        b.iter(|| {
            let mut meter = SoundMeter::new(&plan, None).expect("a meter");
            sound.iter().for_each(|run| meter.push(run.clone()).expect("sound"));
            black_box(meter.finish().and_then(|meter| meter.loudness()).expect("a loudness"))
        });
    });
    let trial = |level: Option<SoundLevel>| {
        let config = AudioConfig { plan: plan.clone(), source_rate: 48_000, start: None, level };
        let mut trial = LevelTrial::new(config).expect("a trial");
        sound.iter().for_each(|run| trial.push(run.clone()).expect("sound"));
        black_box(trial.finish().expect("a loudness"))
    };
    let limited = SoundLevel { gain_db: 12.0, limit_dbtp: Some(-1.0) };
    group.bench_function("encode, decode, measure", |b| b.iter(|| trial(None)));
    group.bench_function("the same with a limiter that works", |b| b.iter(|| trial(Some(limited))));
    group.finish();
}

criterion_group!(benches, sound_path);
criterion_main!(benches);
