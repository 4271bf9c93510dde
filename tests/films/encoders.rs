//! Encoders on a real film: libx264 with pictures out of order, judged by libavcodec's decoder and ffprobe.

use std::path::Path;

use drapto::internals::av::{Decoder, DecoderOptions, Received, VideoFrame};
use drapto::internals::base::{CancelToken, ErrorKind, Rational};
use drapto::internals::media::{Crf, Frame, MediaInfo, Planes, StreamKind};
use drapto::internals::source::Pictures;
use drapto::internals::video::{Coded, EncodeSpec, KeyRequest, VideoEncoder, VideoParams, encoder};

use super::support;

const FRAMES: usize = 60;
const FORCED: u64 = 31;

fn first_video(info: &MediaInfo) -> Option<usize> {
    info.streams.iter().find(|s| s.kind == StreamKind::Video).map(|s| s.index)
}

fn film() -> Option<Vec<Frame>> {
    let path = support::media()?.join("film/flower.mp4");
    let mut pictures = Pictures::open(&path, first_video, DecoderOptions::default(), &CancelToken::new()).unwrap();
    Some((0..FRAMES).map(|_| pictures.next().unwrap().expect("a frame")).collect())
}

/// All pictures, and the configuration.
fn encode(frames: &[Frame]) -> Option<(Vec<Coded>, Vec<u8>)> {
    let factory = match encoder("libx264") {
        Ok(factory) => factory,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(std::env::var_os("CI").is_none(), "{error}");
            eprintln!("skipped: {error}");
            return None;
        }
    };
    let first = &frames[0];
    let rate = Rational::positive(30_000, 1_001).unwrap();
    let params = VideoParams { bit_depth: 8, color: first.color, ..VideoParams::new(first.width, first.height, rate) };
    let spec = EncodeSpec { forced_keyframes: true, ..EncodeSpec::new("libx264", Crf::whole(20).unwrap(), 4) };
    let mut encoder = factory.open(&spec, &params, &CancelToken::new()).unwrap();
    let mut coded = Vec::new();
    let mut take = |encoder: &mut dyn VideoEncoder| {
        while let Some(picture) = encoder.receive().unwrap() {
            coded.push(picture);
        }
    };
    for frame in frames {
        let key = if frame.index == FORCED { KeyRequest::Force } else { KeyRequest::Auto };
        encoder.send(frame, key).unwrap();
        take(&mut *encoder);
    }
    encoder.finish().unwrap();
    take(&mut *encoder);
    let config = encoder.codec_config().expect("a configuration");
    Some((coded, config))
}

/// PSNR of luma at 8 bits, in dB.
fn psnr(a: &dyn Planes, b: &dyn Planes, (width, height): (usize, usize)) -> f64 {
    let rows = |planes: &'_ dyn Planes| {
        let (plane, stride) = (planes.plane(0).to_vec(), planes.stride(0));
        (0..height).flat_map(move |y| plane[y * stride..][..width].to_vec()).collect::<Vec<u8>>()
    };
    let error: u64 = rows(a).iter().zip(&rows(b)).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (65_025.0 * (width * height) as f64 / error.max(1) as f64).log10()
}

/// Decodes the pictures in the order they came, each with its name as its time.
fn decoded(coded: &[Coded], config: &[u8]) -> Vec<(u64, VideoFrame)> {
    let mut decoder = Decoder::by_name("h264", config, Rational::MILLI, 1).unwrap();
    let mut shown = Vec::new();
    let mut take = |decoder: &mut Decoder| {
        while let Received::Frame(frame) = decoder.receive_video().unwrap() {
            shown.push((frame.pts().expect("a time").ticks() as u64, frame));
        }
    };
    for picture in coded {
        decoder.send_bytes(&picture.data, picture.frame_index as i64).unwrap();
        take(&mut decoder);
    }
    decoder.send_end().unwrap();
    take(&mut decoder);
    shown
}

#[test]
fn every_picture_of_libx264_is_the_frame_it_names() {
    let Some(frames) = film() else { return };
    let Some((coded, config)) = encode(&frames) else { return };
    assert!(!coded.is_sorted_by_key(|c| c.frame_index), "there are pictures out of order");
    let mut named: Vec<u64> = coded.iter().map(|c| c.frame_index).collect();
    named.sort_unstable();
    assert_eq!(named, (0..FRAMES as u64).collect::<Vec<_>>());
    assert!(coded.iter().any(|c| c.frame_index == FORCED && c.keyframe));

    let shown = decoded(&coded, &config);
    assert_eq!(shown.iter().map(|(name, _)| *name).collect::<Vec<_>>(), (0..FRAMES as u64).collect::<Vec<_>>());
    let size = (frames[0].width as usize, frames[0].height as usize);
    for (name, picture) in &shown {
        let own = psnr(picture, &*frames[*name as usize].planes, size);
        assert!(own > 36.0, "frame {name}: {own:.2} dB");
        for other in [name.wrapping_sub(1), name + 1] {
            let Some(other) = frames.get(other as usize) else { continue };
            let other = psnr(picture, &*other.planes, size);
            assert!(own > other, "frame {name}: {own:.2} dB, its neighbour {other:.2} dB");
        }
    }
}

/// The stream behind start codes, as a file of its own needs it.
fn annex_b(coded: &[Coded], config: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut unit = |unit: &[u8]| {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(unit);
    };
    let mut at = 6;
    for sets in [config[5] & 0x1f, 1] {
        for _ in 0..sets {
            let len = usize::from(u16::from_be_bytes([config[at], config[at + 1]]));
            unit(&config[at + 2..][..len]);
            at += 2 + len;
        }
        at += 1;
    }
    for picture in coded {
        let mut rest = &picture.data[..];
        while let Some((len, after)) = rest.split_first_chunk::<4>() {
            let (this, after) = after.split_at(u32::from_be_bytes(*len) as usize);
            unit(this);
            rest = after;
        }
    }
    out
}

#[test]
fn others_see_in_a_stream_of_libx264_what_went_in() {
    let Some(frames) = film() else { return };
    let Some((coded, config)) = encode(&frames) else { return };
    if !support::tool("ffprobe") {
        return;
    }
    let folder = support::scratch();
    let path = folder.path().join("film.h264");
    std::fs::write(&path, annex_b(&coded, &config)).unwrap();
    check(&path, &coded);
}

fn check(path: &Path, coded: &[Coded]) {
    let entries = "stream=codec_name,profile,width,height,pix_fmt,color_space,color_range,has_b_frames,nb_read_frames:\
                   frame=key_frame,pict_type";
    let found = support::ffprobe(path, &["-count_frames", "-show_entries", entries]);
    let stream = &found["streams"][0];
    for (key, expected) in [
        ("codec_name", "h264"),
        ("profile", "High"),
        ("width", "960"),
        ("height", "540"),
        ("pix_fmt", "yuv420p"),
        ("color_space", "smpte170m"),
        ("color_range", "tv"),
        ("has_b_frames", "2"),
        ("nb_read_frames", "60"),
    ] {
        assert_eq!(stream[key].to_string().replace('"', ""), expected, "{key}");
    }
    let shown = support::array(&found, "frames");
    let keys = |n: &usize| shown[*n]["key_frame"] == 1;
    let mut said: Vec<usize> = coded.iter().filter(|c| c.keyframe).map(|c| c.frame_index as usize).collect();
    said.sort_unstable();
    assert_eq!((0..shown.len()).filter(keys).collect::<Vec<_>>(), said);
    assert!(said.contains(&(FORCED as usize)));
    assert!(shown.iter().any(|f| f["pict_type"] == "B"));
}

/// With several frames at once libx265 3.5 gave other bytes about once in ten times on a busy machine.
#[test]
fn libx265_gives_the_same_bytes_on_a_busy_machine() {
    let Some(frames) = film() else { return };
    let factory = match encoder("libx265") {
        Ok(factory) => factory,
        Err(error) => return support::missing(&error.to_string()),
    };
    let first = &frames[0];
    let rate = Rational::positive(30_000, 1_001).unwrap();
    let params = VideoParams { bit_depth: 8, color: first.color, ..VideoParams::new(first.width, first.height, rate) };
    let spec = EncodeSpec::new("libx265", Crf::whole(40).unwrap(), 9);
    let bytes = || {
        let mut encoder = factory.open(&spec, &params, &CancelToken::new()).unwrap();
        let mut all = Vec::new();
        for frame in &frames {
            encoder.send(frame, KeyRequest::Auto).unwrap();
            all.extend(std::iter::from_fn(|| encoder.receive().unwrap()));
        }
        encoder.finish().unwrap();
        all.extend(std::iter::from_fn(|| encoder.receive().unwrap()));
        all.iter().flat_map(|coded| coded.data.to_vec()).collect::<Vec<u8>>()
    };
    let of_thread = || (0..4).map(|_| bytes()).collect::<Vec<_>>();
    let all: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(of_thread)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|one| *one == all[0]), "{:?}", all.iter().map(Vec::len).collect::<Vec<_>>());
}
