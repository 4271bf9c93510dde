//! Sessions against published scores, the reference tool's, and bad input.

use std::path::PathBuf;

use super::*;
use crate::base::ErrorKind;
use crate::media::{Frame, PixelFormat, Subsampling};

mod metric;
mod y4m;

/// The pairs with published scores; `None`, and a word about it, where they are not at hand.
fn pair(reference: &str, distorted: &str) -> Option<(Vec<Frame>, Vec<Frame>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/media/vmaf");
    if !folder.is_dir() {
        crate::base::missing(format_args!("{} is not here", folder.display()));
        return None;
    }
    Some((y4m::read(&folder.join(reference)), y4m::read(&folder.join(distorted))))
}

fn hrc() -> Option<(Vec<Frame>, Vec<Frame>)> {
    pair("src01_hrc00_576x324.yuv420p10le.y4m", "src01_hrc01_576x324.yuv420p10le.y4m")
}

fn small() -> Option<(Vec<Frame>, Vec<Frame>)> {
    pair("ref_160x90_8bit.y4m", "dis_160x90_8bit.y4m")
}

fn akiyo() -> Option<(Vec<Frame>, Vec<Frame>)> {
    pair("ref_akiyo_352x288_8bit.y4m", "dis_akiyo_352x288_8bit.y4m")
}

fn config(model: Model, frame: &Frame) -> SessionConfig {
    let depth = if frame.format == PixelFormat::YUV420P8 { 8 } else { 10 };
    SessionConfig::new(model, frame.width, frame.height, depth)
}

fn feed(config: SessionConfig, reference: &[Frame], distorted: &[Frame]) -> Session {
    assert_eq!(reference.len(), distorted.len());
    let mut session = Session::new(config).unwrap();
    for (r, d) in reference.iter().zip(distorted) {
        session.score(r.index, r, d).unwrap();
    }
    session
}

fn scores(config: SessionConfig, reference: &[Frame], distorted: &[Frame]) -> Scores {
    feed(config, reference, distorted).finish().unwrap()
}

#[track_caller]
fn near(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{got} is not within {tolerance} of {expected}");
}

/// Noise that a few bits of `seed` change, for any size and depth.
fn noise(index: u64, width: u32, height: u32, depth: u8, seed: u32) -> Frame {
    y4m::packed(index, width, height, depth, |bytes| {
        let mut state = seed.wrapping_add(index as u32).wrapping_mul(0x9E37_79B9) | 1;
        for byte in bytes.iter_mut() {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            *byte = state as u8;
        }
        // High bytes of 10-bit samples hold two bits.
        if depth == 10 {
            bytes.iter_mut().skip(1).step_by(2).for_each(|high| *high &= 3);
        }
    })
}

#[test]
fn published_means_are_met() {
    let Some((reference, distorted)) = hrc() else { return };
    near(scores(config(Model::V061, &reference[0]), &reference, &distorted).mean, 82.564_224_67, 1e-3);
    near(scores(config(Model::V061, &reference[0]), &reference, &reference).mean, 99.142_826, 1e-3);

    let Some((reference, distorted)) = small() else { return };
    let result = scores(config(Model::V061, &reference[0]), &reference, &distorted);
    near(result.mean, 92.520_958_88, 1e-3);
    let first = [93.913917, 94.925126, 94.687951, 94.459771, 92.898553, 92.253994];
    for (got, expected) in result.per_frame.iter().zip(first) {
        near(got.score, expected, 1e-5);
    }
    near(scores(config(Model::V061, &reference[0]), &reference, &reference).mean, 99.306_673_16, 1e-3);

    let Some((reference, distorted)) = akiyo() else { return };
    let unclipped = SessionConfig { clip: false, ..config(Model::V061, &reference[0]) };
    near(scores(unclipped, &reference, &distorted).mean, 132.732_952, 1e-2);
    near(scores(config(Model::V061, &reference[0]), &reference, &distorted).mean, 100.0, 0.0);
    near(scores(config(Model::V061Neg, &reference[0]), &reference, &distorted).mean, 88.030_463, 1e-3);
}

/// The means are those of the command-line tool of libvmaf 3.2.0, scores to six digits.
#[test]
fn every_model_agrees_with_the_reference_tool() {
    let Some((reference, distorted)) = hrc() else { return };
    let means = [
        (Model::V061, 82.564227),
        (Model::V061Neg, 80.680458),
        (Model::V0614k, 88.967897),
        (Model::V0614kNeg, 87.510942),
        (Model::V1D30, 88.913599),
        (Model::V1D30Uhd, 96.494697),
        (Model::V1D50, 89.962396),
        (Model::V1D15Uhd, 89.232883),
        (Model::V1HfrD30, 91.324343),
        (Model::V1HfrD30Uhd, 99.188638),
        (Model::V1HfrD50, 92.369077),
        (Model::V1HfrD15Uhd, 91.935449),
    ];
    assert_eq!(means.map(|(model, _)| model), Model::ALL);
    for (model, mean) in means {
        match Session::new(config(model, &reference[0])) {
            // A system's older library has fewer models.
            Err(error) => assert!(model.is_v1() && error.kind() == ErrorKind::Unsupported, "{error}"),
            Ok(_) => near(scores(config(model, &reference[0]), &reference, &distorted).mean, mean, 2e-6),
        }
    }
}

/// `vmaf --subsample N`: count, mean, harmonic mean and minimum as that tool printed them.
#[test]
fn a_stride_gives_what_the_reference_tool_gives_with_subsample() {
    let Some((reference, distorted)) = small() else { return };
    for (stride, count, mean, harmonic, min) in [
        (1, 48, 92.520903, 92.505621, 90.273022),
        (2, 24, 92.585964, 92.569077, 90.290017),
        (3, 16, 93.043766, 93.032329, 91.139671),
        (5, 10, 92.370416, 92.359591, 90.854793),
        (7, 7, 92.67188, 92.653623, 90.290017),
    ] {
        for threads in [0, 3] {
            let stride = Stride::new(stride).unwrap();
            let config = SessionConfig { stride, threads, ..config(Model::V061, &reference[0]) };
            let result = scores(config, &reference, &distorted);
            assert_eq!((result.per_frame.len(), result.frames, result.stride), (count, 48, stride));
            near(result.mean, mean, 1e-6);
            near(result.harmonic_mean, harmonic, 1e-6);
            near(result.min, min, 1e-6);
            assert!(result.per_frame.iter().all(|s| stride.selects(s.index)));
        }
    }
}

#[test]
fn scores_known_while_a_stream_runs_are_those_of_one_session_over_all_of_it() {
    for (model, stride) in
        [(Model::V061, 1), (Model::V061, 3), (Model::V061Neg, 3), (Model::V061, 7), (Model::V1D30, 5)]
    {
        // The models of version 1 want larger pictures.
        let Some((reference, distorted)) = (if model.is_v1() { hrc() } else { small() }) else { return };
        let config = SessionConfig { stride: Stride::new(stride).unwrap(), ..config(model, &reference[0]) };
        // Twice the clip, for more than one block.
        let twice = |frames: &[Frame]| -> Vec<Frame> {
            (0..).zip(frames.iter().chain(frames)).map(|(index, f)| Frame { index, ..f.clone() }).collect()
        };
        let (reference, distorted) = (twice(&reference), twice(&distorted));
        let whole = scores(config, &reference, &distorted);
        for length in [1, 2, 46, 47, 48, 49, 50, 51, 95, 96].into_iter().filter(|&n| n <= reference.len()) {
            let mut running = RunningSession::new(config).unwrap();
            for (index, (one, other)) in (7..).zip(reference.iter().zip(&distorted).take(length)) {
                running.score(index, one, other).unwrap();
            }
            let known = running.known().to_vec();
            assert_eq!(
                known.is_empty(),
                model.is_v1() || length as u32 <= 48u32.div_ceil(stride) * stride - stride + 1,
                "{model:?} {length}"
            );
            let all = running.finish().unwrap();
            let alone = scores(config, &reference[..length], &distorted[..length]);
            let shifted = |s: &FrameScore| FrameScore { index: s.index + 7, ..*s };
            let expected: Vec<_> = alone.per_frame.iter().map(shifted).collect();
            assert_eq!(all.per_frame, expected, "{model:?} stride {stride} of {length}");
            assert_eq!(known, whole.per_frame[..known.len()].iter().map(shifted).collect::<Vec<_>>());
            assert_eq!((all.frames, all.harmonic_mean), (alone.frames, alone.harmonic_mean));
        }
    }
}

#[test]
fn a_stride_changes_no_score_of_the_frames_it_selects() {
    let Some((reference, distorted)) = small() else { return };
    for model in [Model::V061, Model::V061Neg] {
        let every = config(model, &reference[0]);
        for (stride, length) in [(2, 48), (3, 47), (4, 9), (4, 10), (4, 12), (5, 48), (9, 1), (9, 2), (9, 9), (9, 48)] {
            let scores_of = |stride| {
                let config = SessionConfig { stride: Stride::new(stride).unwrap(), ..every };
                feed(config, &reference[..length], &distorted[..length]).finish().unwrap().per_frame
            };
            let mut expected = scores_of(1);
            expected.retain(|s| s.index.is_multiple_of(u64::from(stride)));
            assert_eq!(scores_of(stride), expected, "{model}, every {stride} of {length}");
        }
    }
}

#[test]
fn our_pooling_is_libvmafs() {
    let Some((reference, distorted)) = small() else { return };
    for stride in [1, 4, 5] {
        let config = SessionConfig { stride: Stride::new(stride).unwrap(), ..config(Model::V061, &reference[0]) };
        let mut session = feed(config, &reference, &distorted);
        let per_frame = session.flush().unwrap();
        // libvmaf counts the pairs that it was given.
        let last = (0..session.fed() as u32).rev().find_map(|position| config.given_as(position)).unwrap();
        let (mean, harmonic, min) = session.context.pooled(last).unwrap();
        let ours = Scores::pool(config.kind(), config.stride, session.fed(), per_frame).unwrap();
        near(ours.mean, mean, 1e-10);
        near(ours.harmonic_mean, harmonic, 1e-10);
        near(ours.min, min, 0.0);
    }
}

#[test]
fn pooling_of_known_numbers() {
    let pool = |values: &[f64]| {
        let frames = values.iter().enumerate().map(|(i, &score)| FrameScore { index: i as u64, score }).collect();
        Scores::pool(MetricKind::Vmaf { model: Some(Model::V061) }, Stride::EVERY, values.len() as u64, frames)
    };
    let one_bad = pool(&[99.0, 0.0]).unwrap();
    near(one_bad.mean, 49.5, 0.0);
    near(one_bad.harmonic_mean, 2.0 / (0.01 + 1.0) - 1.0, 1e-12);
    let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    let result = pool(&values).unwrap();
    assert_eq!((result.min, result.p5), (1.0, 5.0));
    assert_eq!(pool(&values[..20]).unwrap().p5, 81.0);
    assert_eq!(pool(&values[..21]).unwrap().p5, 81.0);
    assert_eq!(pool(&[]).unwrap_err().kind(), ErrorKind::Input);
    assert_eq!(pool(&[f64::NAN]).unwrap_err().kind(), ErrorKind::Encode);
}

#[test]
fn the_same_frames_score_the_same_in_any_thread_and_alongside_others() {
    let frames = |seed| (0..6).map(|i| noise(i, 160, 90, 10, seed)).collect::<Vec<_>>();
    let (reference, distorted) = (frames(1), frames(2));
    // Unclipped, because noise against noise is worth less than nothing.
    let config = SessionConfig { clip: false, ..config(Model::V061, &reference[0]) };
    let run = |threads| scores(SessionConfig { threads, ..config }, &reference, &distorted);
    let expected = run(0);
    assert!(expected.per_frame.windows(2).all(|w| w[0].score != w[1].score), "{expected:?}");
    assert_eq!(run(2), expected);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..3).map(|_| scope.spawn(|| run(0))).collect();
        for other in others {
            assert_eq!(other.join().unwrap(), expected);
        }
    });
}

#[test]
fn a_stream_may_begin_at_any_index_and_must_not_skip_one() {
    let frame = |i| noise(i, 64, 64, 8, 5);
    let mut session = Session::new(config(Model::V061, &frame(0))).unwrap();
    session.score(100, &frame(0), &frame(0)).unwrap();
    let error = session.score(102, &frame(1), &frame(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(error.to_string(), "at 0.042 s: VMAF was given frame 102 where 101 has to come");
    session.score(101, &frame(1), &frame(1)).unwrap();
    let result = session.finish().unwrap();
    assert_eq!(result.per_frame.iter().map(|s| s.index).collect::<Vec<_>>(), [100, 101]);
    assert_eq!(result.frames, 2);
}

#[test]
fn a_session_without_frames_says_so() {
    let session = Session::new(SessionConfig::new(Model::V061, 64, 64, 8)).unwrap();
    assert_eq!(session.finish().unwrap_err().kind(), ErrorKind::Input);
}

#[test]
fn a_session_may_be_dropped_at_any_moment() {
    for threads in [0, 2] {
        let frame = noise(0, 96, 64, 8, 1);
        let config = SessionConfig { threads, ..config(Model::V061, &frame) };
        drop(Session::new(config).unwrap());
        let mut session = Session::new(config).unwrap();
        session.score(0, &frame, &frame).unwrap();
    }
}

#[test]
fn the_smallest_and_odd_sizes_work_and_smaller_ones_are_refused() {
    let finite = |model, width, height, depth| {
        let frames = |seed| (0..3).map(|i| noise(i, width, height, depth, seed)).collect::<Vec<_>>();
        let (reference, distorted) = (frames(1), frames(2));
        let config = SessionConfig::new(model, width, height, depth);
        assert_eq!(scores(config, &reference, &distorted).per_frame.len(), 3);
    };
    for depth in [8, 10] {
        for (width, height) in [(33, 17), (34, 18), (100, 60), (101, 61), (320, 17), (33, 240), (641, 359)] {
            finite(Model::V061, width, height, depth);
        }
        if Session::new(SessionConfig::new(Model::V1D30, 216, 216, depth)).is_ok() {
            for (width, height) in [(216, 160), (160, 216), (217, 161), (321, 241)] {
                finite(Model::V1D30, width, height, depth);
            }
        }
    }
    for (model, width, height) in [
        (Model::V061, 0, 0),
        (Model::V061, 16, 8),
        (Model::V061, 32, 17),
        (Model::V061, 33, 16),
        (Model::V061, 1920, 2),
        (Model::V061, 65_535, 65_535),
        (Model::V061, u32::MAX, 100),
        (Model::V1D30, 159, 400),
        (Model::V1D30, 215, 215),
    ] {
        let error = Session::new(SessionConfig::new(model, width, height, 8)).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(&format!("{width}x{height}")), "{error}");
    }
}

#[test]
fn other_formats_sizes_depths_and_short_planes_are_refused() {
    let good = noise(0, 64, 48, 8, 1);
    let mut session = Session::new(config(Model::V061, &good)).unwrap();
    let yuv422 = PixelFormat::Planar { subsampling: Subsampling::Yuv422, depth: 8 };
    let bad = [
        (Frame { format: yuv422, ..good.clone() }, "64x48 Yuv422 8-bit"),
        (Frame { format: PixelFormat::YUV420P10, ..good.clone() }, "64x48 Yuv420 10-bit"),
        (Frame { format: PixelFormat::Other(23), ..good.clone() }, "64x48 pixel format 23"),
        (noise(0, 66, 48, 8, 1), "66x48"),
        (Frame { planes: noise(0, 64, 40, 8, 1).planes, ..good.clone() }, "cut short"),
    ];
    for (bad, word) in bad {
        for (reference, distorted, role) in [(&bad, &good, "reference"), (&good, &bad, "distorted")] {
            let error = session.score(0, reference, distorted).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let message = error.to_string();
            assert!(
                message.starts_with("at 0.000 s: ") && message.contains(word) && message.contains(role),
                "{message}"
            );
        }
    }
    // None of that spoils the session.
    session.score(0, &good, &good).unwrap();
    assert_eq!(session.finish().unwrap().frames, 1);

    for depth in [0, 9, 12, 16] {
        let error = Session::new(SessionConfig::new(Model::V061, 64, 48, depth)).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let many = SessionConfig { threads: 100_000, ..SessionConfig::new(Model::V061, 64, 48, 8) };
    assert_eq!(Session::new(many).err().map(|e| e.kind()), Some(ErrorKind::Usage));
}

#[test]
fn stray_bits_above_the_tenth_are_held_off() {
    let wild = y4m::packed(0, 216, 216, 10, |bytes| bytes.fill(0xFF));
    let white = y4m::packed(0, 216, 216, 10, |bytes| {
        bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|s| *s = 1023u16.to_ne_bytes());
    });
    for model in [Model::V061, Model::V1D30] {
        let Ok(mut session) = Session::new(config(model, &white)) else { continue };
        session.score(0, &wild, &white).unwrap();
        let same = scores(config(model, &white), std::slice::from_ref(&white), std::slice::from_ref(&white));
        assert_eq!(session.finish().unwrap().mean, same.mean);
    }
}

#[test]
fn models_are_found_by_name_and_size() {
    for &model in Model::ALL {
        assert_eq!(Model::parse(model.name()).unwrap(), model);
        assert_eq!(Model::parse(model.name().strip_prefix("vmaf_").unwrap()).unwrap(), model);
        assert_eq!(model.c_name().to_str().unwrap(), model.name());
    }
    let error = Model::parse("vmaf_v9").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("vmaf_4k_v0.6.1neg"), "{error}");
    for (width, height, model) in [
        (1920, 1080, Model::V061),
        (1080, 1920, Model::V061),
        (2560, 1440, Model::V061),
        (2562, 1080, Model::V0614k),
        (3840, 1600, Model::V0614k),
        (2048, 1536, Model::V0614k),
    ] {
        assert_eq!(Model::for_size(width, height), model, "{width}x{height}");
    }
}

#[test]
fn a_stride_is_at_least_one_and_knows_whether_it_is_even() {
    assert_eq!(Stride::new(0).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(Stride::default().get(), 1);
    assert!(Stride::new(8).unwrap().is_even() && !Stride::new(7).unwrap().is_even());
    assert_eq!((0..10).filter(|&i| Stride::new(3).unwrap().selects(i)).collect::<Vec<_>>(), [0, 3, 6, 9]);
}

#[test]
fn scores_serialise_with_the_names_of_the_report() {
    let frame = noise(0, 64, 48, 8, 1);
    let result = scores(config(Model::V061, &frame), std::slice::from_ref(&frame), std::slice::from_ref(&frame));
    let json = serde_json::to_value(&result).unwrap();
    let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["frames", "harmonic_mean", "mean", "min", "model", "p5", "stride"]);
    assert_eq!((json["model"].as_str(), json["stride"].as_u64()), (Some("vmaf_v0.6.1"), Some(1)));
}
