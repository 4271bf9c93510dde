//! The hot frame path, stage by stage: 8→10 bit conversion per kernel, the frame pool, the measures of pictures, VMAF.
//!
//! Bytes a second are bytes of *output* for the conversion. Pictures are 1920×1080.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use drapto::internals::base::{Rational, Timestamp};
use drapto::internals::media::{Color, ColorRange, Frame, FramePool, HdrStatic, PixelFormat, Planes};
use drapto::internals::meter::{Model, Session, SessionConfig, Stride};
use drapto::internals::pixel::{
    ByteRows, Converter, Level, Mapping, PictureMeasurer, SampleRows, Stores, borders, widen_plane,
};

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;
const OUTPUT_BYTES: u64 = WIDTH as u64 * HEIGHT as u64 * 3;

/// A picture of moving texture, so that VMAF has something to look at.
fn frame(format: PixelFormat, range: ColorRange, index: u64) -> Frame {
    let mut buffer = FramePool::new(format, WIDTH, HEIGHT).take();
    let shift = index as usize * 3;
    for (plane, stride) in buffer.planes_mut() {
        for (y, row) in plane.chunks_mut(stride).enumerate() {
            for (x, byte) in row.iter_mut().enumerate() {
                let texture = ((x + shift) ^ y).wrapping_mul(0x9E37) >> 9;
                *byte = if format == PixelFormat::YUV420P10 && x % 2 == 1 { texture & 3 } else { texture } as u8;
            }
        }
    }
    let planes: Arc<dyn Planes> = Arc::new(buffer);
    Frame {
        index,
        pts: Timestamp::new(index as i64, Rational::MILLI),
        duration: None,
        width: WIDTH,
        height: HEIGHT,
        format,
        color: Color { range, ..Color::default() },
        hdr: HdrStatic::default(),
        dynamic: Default::default(),
        planes,
    }
}

/// Whole pictures into buffers of a pool in turn, as in a running pipeline: eight are in flight, so the memory
/// written is not in the nearer caches.
fn widen(c: &mut Criterion) {
    let mut group = c.benchmark_group("widen");
    group.throughput(Throughput::Bytes(OUTPUT_BYTES));
    let source = frame(PixelFormat::YUV420P8, ColorRange::Limited, 0);
    let pool = FramePool::new(PixelFormat::YUV420P10, WIDTH, HEIGHT);
    let mut buffers: Vec<_> = (0..8).map(|_| pool.take()).collect();
    for level in Level::available() {
        for (range, luma, chroma) in
            [("limited", Mapping::Limited, Mapping::Limited), ("full", Mapping::FullLuma, Mapping::FullChroma)]
        {
            for stores in [Stores::Cached, Stores::Streaming] {
                if stores == Stores::Streaming && level != Level::Avx2 {
                    continue;
                }
                let mut turn = 0;
                group.bench_function(format!("{}/{range}/{stores:?}", level.name()), |b| {
                    b.iter(|| {
                        turn = (turn + 1) % buffers.len();
                        for (i, (bytes, stride)) in buffers[turn].planes_mut().into_iter().enumerate() {
                            let src = ByteRows { bytes: source.planes.plane(i), stride: source.planes.stride(i) };
                            let dst = SampleRows { samples: bytemuck::cast_slice_mut(bytes), stride: stride / 2 };
                            let mapping = if i == 0 { luma } else { chroma };
                            widen_plane(level, mapping, stores, src, dst, source.plane_size(i))
                                .expect("the planes fit");
                        }
                        black_box(&buffers[turn]);
                    });
                });
            }
        }
    }
    group.finish();
}

/// The converter as the pipeline uses it, eight frames in flight.
fn convert(c: &mut Criterion) {
    let mut group = c.benchmark_group("convert");
    group.throughput(Throughput::Bytes(OUTPUT_BYTES));
    for (name, format) in [("8-bit", PixelFormat::YUV420P8), ("10-bit, passed through", PixelFormat::YUV420P10)] {
        let source = frame(format, ColorRange::Limited, 0);
        let mut converter = Converter::new();
        let mut flight = std::collections::VecDeque::with_capacity(8);
        group.bench_function(name, |b| {
            b.iter(|| {
                if flight.len() == 8 {
                    flight.pop_front();
                }
                flight.push_back(converter.for_encoder(source.clone()).expect("a size and format it takes"));
            });
        });
    }
    group.finish();
}

fn pool(c: &mut Criterion) {
    let pool = FramePool::new(PixelFormat::YUV420P10, WIDTH, HEIGHT);
    drop(pool.take());
    c.bench_function("pool/take and drop", |b| b.iter(|| black_box(pool.take())));
}

/// What is measured of a picture while a film is cut into chunks; bytes of its luma.
fn measure(c: &mut Criterion) {
    let mut group = c.benchmark_group("measure");
    for (name, format, bytes) in [("8-bit", PixelFormat::YUV420P8, 1), ("10-bit", PixelFormat::YUV420P10, 2)] {
        group.throughput(Throughput::Bytes(u64::from(WIDTH) * u64::from(HEIGHT) * bytes));
        let pictures: Vec<_> = (0..4).map(|i| frame(format, ColorRange::Limited, i)).collect();
        let (mut meter, mut turn) = (PictureMeasurer::new(), 0);
        group.bench_function(name, |b| {
            b.iter(|| {
                turn += 1;
                black_box(meter.measure(&pictures[turn % pictures.len()]).expect("a planar picture"))
            });
        });
    }
    group.finish();
}

/// The measure black bars are found by, per kernel; bytes of luma.
fn bars(c: &mut Criterion) {
    let mut group = c.benchmark_group("borders");
    for (name, format, bytes) in [("8-bit", PixelFormat::YUV420P8, 1), ("10-bit", PixelFormat::YUV420P10, 2)] {
        group.throughput(Throughput::Bytes(u64::from(WIDTH) * u64::from(HEIGHT) * bytes));
        let picture = frame(format, ColorRange::Limited, 0);
        for level in Level::available() {
            group.bench_function(format!("{}/{name}", level.name()), |b| {
                b.iter(|| black_box(borders(level, &picture).expect("a planar picture")));
            });
        }
    }
    group.finish();
}

/// One pair a step in one open session, in this thread.
fn vmaf(c: &mut Criterion) {
    let mut group = c.benchmark_group("vmaf");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for (name, format, depth) in [("8-bit", PixelFormat::YUV420P8, 8), ("10-bit", PixelFormat::YUV420P10, 10)] {
        let pair: Vec<_> = (0..2).map(|i| frame(format, ColorRange::Limited, i)).collect();
        for stride in [1, 5] {
            let config = SessionConfig {
                stride: Stride::new(stride).expect("not zero"),
                ..SessionConfig::new(Model::V061, WIDTH, HEIGHT, depth)
            };
            let mut session = Session::new(config).expect("a size VMAF takes");
            group.bench_function(format!("{name}, stride {stride}"), |b| {
                b.iter(|| {
                    let index = session.fed();
                    let turn = index as usize % 2;
                    session.score(index, &pair[turn], &pair[1 - turn]).expect("libvmaf scores it");
                });
            });
        }
    }
    group.finish();
}

criterion_group!(frame_path, widen, convert, pool, measure, bars, vmaf);
criterion_main!(frame_path);
