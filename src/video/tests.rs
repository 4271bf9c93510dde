//! The law of the trait, which every encoder keeps.
#![deny(unsafe_code)]

use super::svt::tests::support::{film, frame};
use super::*;
use crate::base::{CancelToken, ErrorKind, Rational, Result};
use crate::media::Frame;

const SIZE: (u32, u32) = (320, 180);

/// Every encoder that needs no hardware; says which is missing, and fails for that under CI.
fn factories() -> Vec<&'static dyn EncoderFactory> {
    let software =
        |name: &&str| !["_nvenc", "_qsv", "_vaapi", "_videotoolbox"].iter().any(|family| name.ends_with(family));
    let found = names().into_iter().filter(software).filter_map(|name| match encoder(name) {
        Ok(factory) => Some(factory),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(std::env::var_os("CI").is_none(), "{error}");
            eprintln!("skipped: {error}");
            None
        }
    });
    found.collect()
}

fn libx264() -> Option<&'static dyn EncoderFactory> {
    factories().into_iter().find(|factory| factory.traits().name == "libx264")
}

fn params(factory: &dyn EncoderFactory) -> VideoParams {
    let rate = Rational::positive(24, 1).unwrap();
    VideoParams { bit_depth: factory.traits().depths[0], ..VideoParams::new(SIZE.0, SIZE.1, rate) }
}

fn spec(factory: &dyn EncoderFactory) -> EncodeSpec {
    let traits = factory.traits();
    EncodeSpec::new(traits.name, traits.scale.nearest(Crf::whole(35).unwrap()), traits.probe.preset)
}

fn open(factory: &dyn EncoderFactory) -> Box<dyn VideoEncoder> {
    factory.open(&spec(factory), &params(factory), &CancelToken::new()).unwrap()
}

fn frames(factory: &dyn EncoderFactory, count: usize) -> impl Iterator<Item = Frame> {
    film(SIZE.0, SIZE.1, factory.traits().depths[0], count)
}

fn feed(encoder: &mut dyn VideoEncoder, frame: &Frame, key: KeyRequest, all: &mut Vec<Coded>) {
    encoder.send(frame, key).unwrap();
    all.extend(std::iter::from_fn(|| encoder.receive().unwrap()));
}

/// Sends the frames, those at `forced` as keyframes; all pictures, in decode order.
fn drive(encoder: &mut dyn VideoEncoder, frames: impl Iterator<Item = Frame>, forced: &[u64]) -> Vec<Coded> {
    let mut all = Vec::new();
    for frame in frames {
        let key = if forced.contains(&frame.index) { KeyRequest::Force } else { KeyRequest::Auto };
        feed(encoder, &frame, key, &mut all);
    }
    encoder.finish().unwrap();
    all.extend(std::iter::from_fn(|| encoder.receive().unwrap()));
    all
}

fn refused(factory: &dyn EncoderFactory, spec: EncodeSpec, video: VideoParams, kind: ErrorKind, part: &str) {
    let error = factory.open(&spec, &video, &CancelToken::new()).err().expect(part);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(part), "{part}: {error}");
}

#[test]
fn every_frame_is_named_once_and_can_be_decoded_in_time() {
    for factory in factories() {
        let mut encoder = open(factory);
        let shown = frames(factory, 60).map(|f| Frame { index: f.index + 7, ..f });
        let coded = drive(&mut *encoder, shown, &[]);
        let delay = encoder.reorder_delay();
        let mut named: Vec<u64> = coded.iter().map(|c| c.frame_index).collect();
        named.sort_unstable();
        assert_eq!(named, (7..67).collect::<Vec<_>>(), "{factory:?}");
        assert_eq!(coded.iter().map(|c| c.decode_index).collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
        assert!(coded[0].keyframe && coded[0].frame_index == 7);

        let mut times = DecodeTimes::new(delay);
        frames(factory, 60).for_each(|f| times.push(f.pts));
        times.end();
        let mut last = None;
        for picture in &coded {
            let decoded = times.at(picture.decode_index).unwrap();
            assert!(last.is_none_or(|last| last < decoded));
            assert!(decoded.ticks() <= picture.frame_index as i64 - 7, "{factory:?}: {picture:?} at {decoded:?}");
            last = Some(decoded);
        }
    }
}

#[test]
fn the_end_stays_the_end_and_takes_no_frame() {
    for factory in factories() {
        let mut encoder = open(factory);
        assert_eq!(drive(&mut *encoder, frames(factory, 3), &[]).len(), 3);
        encoder.finish().unwrap();
        assert!(encoder.receive().unwrap().is_none());
        let late = frame(SIZE.0, SIZE.1, factory.traits().depths[0], 3);
        assert_eq!(encoder.send(&late, KeyRequest::Auto).unwrap_err().kind(), ErrorKind::Encode);
        assert!(encoder.codec_config().is_some_and(|config| !config.is_empty()));

        assert_eq!(drive(&mut *open(factory), frames(factory, 0), &[]).len(), 0);
    }
}

#[test]
fn a_forced_keyframe_is_a_keyframe_that_nothing_leans_over() {
    for factory in factories() {
        let spec = EncodeSpec { forced_keyframes: true, ..spec(factory) };
        let mut encoder = factory.open(&spec, &params(factory), &CancelToken::new()).unwrap();
        let coded = drive(&mut *encoder, frames(factory, 40), &[17, 33]);
        for key in [17, 33] {
            let place = coded.iter().position(|c| c.frame_index == key).unwrap();
            assert!(coded[place].keyframe, "{factory:?}: {key}");
            assert!(coded[place..].iter().all(|c| c.frame_index >= key), "{factory:?}: {key}");
        }

        let frame = frames(factory, 1).next().unwrap();
        let error = open(factory).send(&frame, KeyRequest::Force).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}

#[test]
fn dropping_an_encoder_without_its_end_neither_hangs_nor_fails() {
    for factory in factories() {
        for sent in [0, 1, 20] {
            let mut encoder = open(factory);
            for frame in frames(factory, sent) {
                feed(&mut *encoder, &frame, KeyRequest::Auto, &mut Vec::new());
            }
        }
    }
}

#[test]
fn a_cancelled_run_opens_no_encoder() {
    for factory in factories() {
        let cancel = CancelToken::new();
        cancel.cancel();
        let error = factory.open(&spec(factory), &params(factory), &cancel).err().expect("cancelled");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}

#[test]
fn wrong_frames_are_refused_and_the_right_one_is_taken_after() {
    for factory in factories() {
        let depth = factory.traits().depths[0];
        let good = |n| frame(SIZE.0, SIZE.1, depth, n);
        let mut encoder = open(factory);
        let mut fails = |wrong: Frame, part: &str| {
            let error = encoder.send(&wrong, KeyRequest::Auto).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Encode);
            assert!(error.to_string().contains(part), "{error}");
        };
        fails(frame(322, 180, depth, 0), "322x180");
        fails(Frame { planes: frame(64, 64, depth, 0).planes, ..good(0) }, "shorter");
        encoder.send(&good(0), KeyRequest::Auto).unwrap();
        let mut fails = |wrong: Frame, part: &str| {
            let error = encoder.send(&wrong, KeyRequest::Auto).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        };
        fails(good(2), "frame 2 came where frame 1 was due");
        encoder.send(&good(1), KeyRequest::Auto).unwrap();
        encoder.finish().unwrap();
        assert_eq!(std::iter::from_fn(|| encoder.receive().unwrap()).count(), 2);
    }
}

#[test]
fn what_an_encoder_cannot_do_is_refused_by_name() {
    use ErrorKind::{Unsupported, Usage};
    for factory in factories() {
        let (traits, spec, params) = (factory.traits(), spec(factory), params(factory));
        let preset = traits.fastest_preset + 1;
        refused(factory, EncodeSpec { preset, ..spec.clone() }, params.clone(), Usage, "preset");
        refused(factory, EncodeSpec { encoder: "x".into(), ..spec.clone() }, params.clone(), Usage, "\"x\"");
        refused(factory, spec.clone(), VideoParams { bit_depth: 12, ..params.clone() }, Usage, "12");
        let width = traits.limits.max_width + 2;
        refused(factory, spec.clone(), VideoParams { width, ..params.clone() }, Unsupported, "larger");
        if traits.scale.max < Crf::MAX {
            refused(factory, EncodeSpec { quality: Crf::MAX, ..spec.clone() }, params.clone(), Usage, "CRF 63");
        }
        let parameters = vec![("no-such-thing".to_owned(), "1".to_owned())];
        refused(factory, EncodeSpec { parameters, ..spec.clone() }, params.clone(), Usage, "no-such-thing=1");
        let parameters = vec![("preset".to_owned(), "1".to_owned())];
        refused(factory, EncodeSpec { parameters, ..spec }, params, Usage, "preset=1");
    }
    assert_eq!(encoder("libx263").unwrap_err().kind(), Usage);
}

#[test]
fn a_key_that_x264_only_warns_of_is_refused_by_name() {
    let Some(factory) = libx264() else { return };
    for (name, value, part) in [
        ("x264-params", "bframes=2:nosuch=1", "nosuch=1"),
        ("x264opts", "bframes=zz", "bframes=zz"),
        ("aq-mode", "9x", "aq-mode=9x"),
        ("x264-params", "annexb=0", "annexb=0"),
    ] {
        let parameters = vec![("bf".to_owned(), "2".to_owned()), (name.to_owned(), value.to_owned())];
        refused(factory, EncodeSpec { parameters, ..spec(factory) }, params(factory), ErrorKind::Usage, part);
    }
}

#[test]
fn x264_really_gives_pictures_out_of_display_order() {
    let Some(factory) = libx264() else { return };
    for (b_frames, delay) in [("3", 2), ("0", 0)] {
        let parameters = vec![("bf".to_owned(), b_frames.to_owned())];
        let spec = EncodeSpec { parameters, ..spec(factory) };
        let mut encoder = factory.open(&spec, &params(factory), &CancelToken::new()).unwrap();
        assert_eq!(encoder.reorder_delay(), delay);
        let coded = drive(&mut *encoder, frames(factory, 40), &[]);
        assert_eq!(coded.is_sorted_by_key(|c| c.frame_index), delay == 0);
    }
}

#[test]
fn hdr10_metadata_reaches_the_streams_of_x264_and_x265() {
    // The first byte of an SEI unit's header, its length, and whether the unit is among the parameter sets.
    for (name, header, in_config) in [("libx264", &[6u8][..], false), ("libx265", &[0x4E, 1], true)] {
        let found = factories().into_iter().find(|factory| factory.traits().name == name);
        let Some(factory) = found.filter(|factory| factory.traits().depths.contains(&10)) else { continue };
        let (color, hdr) = svt::tests::hdr10();
        let video = VideoParams { bit_depth: 10, color, hdr, ..params(factory) };
        let mut encoder = factory.open(&spec(factory), &video, &CancelToken::new()).unwrap();
        let coded = drive(&mut *encoder, film(SIZE.0, SIZE.1, 10, 3), &[]);
        let bytes = if in_config { encoder.codec_config().unwrap() } else { coded[0].data.to_vec() };
        // H.264 D.1, H.265 D.2: payload types 137 and 144.
        let payload = |kind: u8, length: u8| {
            let head = [header, &[kind, length]].concat();
            let at = bytes.windows(head.len()).position(|w| w == head).expect("a message");
            bytes[at + head.len()..][..4].to_vec()
        };
        assert_eq!(payload(137, 24), [0x21, 0x34, 0x9b, 0xaa], "{name}: green at 8500, 39850");
        assert_eq!(payload(144, 4), [3, 0xe8, 1, 0x90], "{name}");
    }
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let bytes = |coded: Vec<Coded>| coded.iter().map(|c| c.data.to_vec()).collect::<Vec<_>>();
    for factory in factories() {
        let of = || bytes(drive(&mut *open(factory), frames(factory, 30), &[]));
        assert!(of() == of(), "{factory:?}");
    }
}

#[test]
fn svt_av1_writes_behind_the_trait_what_it_writes_alone() {
    let factory = encoder("svt-av1").unwrap();
    let through: Vec<_> =
        drive(&mut *open(factory), frames(factory, 40), &[]).iter().map(|c| c.data.to_vec()).collect();
    let config = EncoderConfig { bit_depth: 8, ..svt::tests::support::config(SIZE.0, SIZE.1, 11) };
    let alone = svt::tests::support::encode(&config, frames(factory, 40));
    assert!(through == svt::tests::support::bytes(&alone));
}

#[test]
fn every_depth_that_is_said_to_be_taken_is() -> Result<()> {
    for factory in factories() {
        for depth in factory.traits().depths {
            let video = VideoParams { bit_depth: *depth, ..params(factory) };
            let mut encoder = factory.open(&spec(factory), &video, &CancelToken::new())?;
            assert_eq!(drive(&mut *encoder, film(SIZE.0, SIZE.1, *depth, 4), &[]).len(), 4);
        }
    }
    Ok(())
}

#[test]
fn the_scale_of_svt_av1_is_that_of_its_library() {
    let scale = encoder("svt-av1").unwrap().traits().scale;
    assert_eq!((scale.min, scale.max, scale.step), (Crf::MIN, Crf::MAX, CRF_STEP));
    let near = |v: f64| scale.nearest(Crf::from_f64(v).unwrap()).as_f64();
    let halves_go_down = match CRF_STEP {
        1 => [30.0, 30.25, 30.5, 30.75, 63.0],
        _ => [30.0, 30.0, 30.0, 31.0, 63.0],
    };
    assert_eq!([30.0, 30.25, 30.5, 30.75, 63.0].map(near), halves_go_down);
}

#[test]
fn the_default_crf_depends_on_the_picture_not_on_its_orientation() {
    let scale = encoder("svt-av1").unwrap().traits().scale;
    for (width, height, crf) in [
        (720, 576, 25.0),
        (1280, 720, 25.0),
        (1920, 1080, 25.0),
        (1920, 1088, 25.0),
        (1080, 1920, 25.0),
        (2560, 1440, 29.0),
        (3840, 1600, 29.0),
        (3840, 2160, 29.0),
        (2160, 3840, 29.0),
    ] {
        assert_eq!(scale.default_for(width, height).as_f64(), crf, "{width}x{height}");
    }
}
