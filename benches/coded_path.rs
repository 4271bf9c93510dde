//! The coded half of the frame path: SVT-AV1, decoding its packets, and Matroska. Frames a second.

use std::io::Cursor;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use drapto::internals::av::{Decoder, DecoderOptions, Received};
use drapto::internals::base::{CancelToken, Rational, Timestamp};
use drapto::internals::container::Writer;
use drapto::internals::media::{
    Color, FileParams, Frame, FramePool, HdrStatic, Packet, PacketData, PixelFormat, TrackKind, TrackParams,
};
use drapto::internals::video::{Crf, EncoderConfig, SvtSession};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const FRAMES: u64 = 32;

fn frames() -> Vec<Frame> {
    let pool = FramePool::new(PixelFormat::YUV420P10, WIDTH, HEIGHT);
    let frame = |index: u64| {
        let mut buffer = pool.take();
        for (plane, stride) in buffer.planes_mut() {
            for (y, row) in plane.chunks_mut(stride).enumerate() {
                for (x, sample) in bytemuck::cast_slice_mut::<u8, u16>(row).iter_mut().enumerate() {
                    // A slope that moves, with some texture on it.
                    let texture = (x.wrapping_mul(y) >> 5) & 31;
                    *sample = ((x + y + 4 * index as usize) / 3 + texture) as u16 & 1023;
                }
            }
        }
        Frame {
            index,
            pts: Timestamp::new(index as i64 * 40, Rational::MILLI),
            duration: None,
            width: WIDTH,
            height: HEIGHT,
            format: PixelFormat::YUV420P10,
            color: Color::default(),
            hdr: HdrStatic::default(),
            dynamic: Default::default(),
            planes: Arc::new(buffer),
        }
    };
    (0..FRAMES).map(frame).collect()
}

fn encode_all(frames: &[Frame]) -> Vec<PacketData> {
    let rate = Rational::positive(25, 1).expect("a rate");
    let config = EncoderConfig::new(WIDTH, HEIGHT, rate, Crf::whole(30).expect("a CRF"), 10);
    let mut encoder = SvtSession::open_when_free(&config, &CancelToken::new()).expect("an encoder");
    let mut packets = Vec::new();
    for frame in frames {
        encoder.send(frame).expect("the encoder takes it");
        while let Some(packet) = encoder.receive().expect("the encoder works") {
            packets.push(packet.data);
        }
    }
    let mut rest = encoder.finish().expect("the encoder ends");
    while let Some(packet) = rest.next_packet().expect("the encoder works") {
        packets.push(packet.data);
    }
    packets
}

fn encode(c: &mut Criterion) {
    let frames = frames();
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(FRAMES)).sample_size(10);
    group.bench_function("SVT-AV1, preset 10, 720p", |b| b.iter(|| encode_all(&frames)));
    group.finish();
}

fn decode(c: &mut Criterion) {
    let packets = encode_all(&frames());
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(FRAMES)).sample_size(20);
    group.bench_function("AV1, one thread, 720p", |b| {
        b.iter(|| {
            let options = DecoderOptions { threads: 1, without_film_grain: true };
            let mut decoder = Decoder::av1(Rational::MILLI, options).expect("an AV1 decoder");
            let mut count = 0;
            let mut take = |decoder: &mut Decoder| {
                while let Received::Frame(_) = decoder.receive_video().expect("it decodes") {
                    count += 1;
                }
            };
            for (pts, packet) in packets.iter().enumerate() {
                decoder.send_bytes(packet, pts as i64).expect("it decodes");
                take(&mut decoder);
            }
            decoder.send_end().expect("it ends");
            take(&mut decoder);
            assert_eq!(count, FRAMES);
        });
    });
    group.finish();
}

fn mux(c: &mut Criterion) {
    let coded = encode_all(&frames());
    let track = drapto::internals::syntax::av1::track(&coded[0]).expect("a sequence header");
    let header = FileParams {
        muxing_app: "bench".into(),
        writing_app: "bench".into(),
        tracks: vec![TrackParams::new(TrackKind::Video(track))],
        ..FileParams::default()
    };
    let bytes: usize = coded.iter().map(|p| p.len()).sum();
    let mut group = c.benchmark_group("mux");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("Matroska, in memory", |b| {
        b.iter(|| {
            let mut writer = Writer::new(Cursor::new(Vec::with_capacity(2 * bytes)), None, &header).expect("a writer");
            for (index, data) in coded.iter().enumerate() {
                let mut packet = Packet::new(Timestamp::new(index as i64 * 40, Rational::MILLI), data.clone());
                packet.keyframe = index == 0;
                writer.write(0, &packet).expect("it writes");
            }
            writer.finish().expect("it ends")
        });
    });
    group.finish();
}

criterion_group!(coded_path, encode, decode, mux);
criterion_main!(coded_path);
