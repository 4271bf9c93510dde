//! Every metric under the one law of the trait; PSNR and SSIM against ffmpeg and their definitions.

use std::process::Command;

use super::*;

const VMAF: MetricKind = MetricKind::Vmaf { model: None };
const ALL: [MetricKind; 3] = [VMAF, MetricKind::Psnr, MetricKind::Ssim];

fn depth(frame: &Frame) -> u8 {
    if frame.format == PixelFormat::YUV420P8 { 8 } else { 10 }
}

fn open(spec: MetricSpec, frame: &Frame) -> Box<dyn Metric> {
    spec.open(frame.width, frame.height, depth(frame)).unwrap()
}

fn measure(spec: MetricSpec, reference: &[Frame], distorted: &[Frame]) -> Scores {
    let mut metric = open(spec, &reference[0]);
    for (one, other) in reference.iter().zip(distorted) {
        metric.push(one.index, one, other).unwrap();
    }
    metric.finish().unwrap()
}

/// The frames with their samples changed by up to `by`.
fn shaken(frames: &[Frame], by: u8) -> Vec<Frame> {
    let shake = |frame: &Frame| {
        y4m::packed(frame.index, frame.width, frame.height, 8, |bytes| {
            let planes = (0..3).flat_map(|plane| frame.planes.plane(plane)).enumerate();
            for (to, (n, sample)) in bytes.iter_mut().zip(planes) {
                *to = sample.saturating_add((n * 7919 % usize::from(by + 1)) as u8);
            }
        })
    };
    frames.iter().map(shake).collect()
}

#[test]
fn whatever_the_metric_identical_frames_are_at_the_top_and_worse_ones_below() {
    let reference: Vec<_> = (0..4).map(|n| noise(n, 96, 64, 8, 3)).collect();
    for kind in ALL {
        let spec = MetricSpec::new(kind);
        let same = measure(spec, &reference, &reference);
        let mut last = same.mean;
        let top = match kind {
            MetricKind::Vmaf { .. } => 95.0,
            MetricKind::Psnr => 60.0,
            MetricKind::Ssim => 0.999_999,
        };
        assert!(same.min >= top && same.mean <= kind.curve().highest + 1e-6, "{kind}: {same:?}");
        for by in [8, 32, 96] {
            let score = measure(spec, &reference, &shaken(&reference, by)).mean;
            assert!(score < last, "{kind}: {score} after {last}");
            last = score;
        }
    }
}

#[test]
fn whatever_the_metric_pairs_come_in_order_and_a_refused_one_changes_nothing() {
    let frames: Vec<_> = (0..3).map(|n| noise(n, 96, 64, 8, 3)).collect();
    let other = shaken(&frames, 9);
    let larger = noise(1, 98, 64, 8, 3);
    let deeper = noise(1, 96, 64, 10, 3);
    for kind in ALL {
        let spec = MetricSpec::new(kind);
        let mut metric = open(spec, &frames[0]);
        metric.push(41, &frames[0], &other[0]).unwrap();
        for index in [40, 41, 43] {
            let error = metric.push(index, &frames[1], &other[1]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
            assert!(error.to_string().ends_with(&format!("frame {index} where 42 has to come")), "{error}");
        }
        for (one, two, role) in
            [(&larger, &other[1], "reference"), (&frames[1], &larger, "distorted"), (&frames[1], &deeper, "distorted")]
        {
            let error = metric.push(42, one, two).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains(&format!("the {role} picture is")), "{error}");
        }
        metric.push(42, &frames[1], &other[1]).unwrap();
        metric.push(43, &frames[2], &other[2]).unwrap();
        let scores = metric.finish().unwrap();
        assert_eq!(scores.frames, 3);
        assert_eq!(scores.per_frame.iter().map(|s| s.index).collect::<Vec<_>>(), [41, 42, 43]);
        let alone = measure(spec, &frames, &other);
        assert_eq!(scores.mean, alone.mean, "{kind}");
    }
}

#[test]
fn whatever_the_metric_what_is_known_begins_what_comes_out_at_any_stride_and_with_threads() {
    let Some((reference, distorted)) = small() else { return };
    let twice = |frames: &[Frame]| -> Vec<Frame> {
        (0..).zip(frames.iter().chain(frames)).map(|(index, f)| Frame { index, ..f.clone() }).collect()
    };
    let (reference, distorted) = (twice(&reference), twice(&distorted));
    for kind in ALL {
        let every = measure(MetricSpec::new(kind), &reference, &distorted).per_frame;
        for (stride, threads) in [(1, 0), (3, 0), (7, 2)] {
            let spec = MetricSpec { stride: Stride::new(stride).unwrap(), threads, ..MetricSpec::new(kind) };
            let mut metric = open(spec, &reference[0]);
            let mut grown: Vec<FrameScore> = Vec::new();
            for (index, (one, other)) in (0..).zip(reference.iter().zip(&distorted)) {
                metric.push(index, one, other).unwrap();
                assert_eq!(metric.known()[..grown.len()], grown[..], "{kind}");
                grown = metric.known().to_vec();
            }
            assert!(!grown.is_empty() || threads > 0, "{kind} knows nothing while it runs");
            let scores = metric.finish().unwrap();
            assert_eq!(scores.per_frame[..grown.len()], grown[..]);
            let indices: Vec<_> = scores.per_frame.iter().map(|s| s.index).collect();
            assert_eq!(indices, (0..96).step_by(stride as usize).collect::<Vec<_>>(), "{kind}");
            assert_eq!((scores.frames, scores.stride, scores.metric.curve()), (96, spec.stride, kind.curve()));
            if kind != VMAF {
                // No picture but its own counts.
                assert!(scores.per_frame.iter().all(|s| every[s.index as usize] == *s), "{kind}");
            }
        }
    }
}

#[test]
fn whatever_the_metric_bad_set_ups_and_empty_streams_are_refused() {
    for kind in ALL {
        let spec = MetricSpec::new(kind);
        let of = |spec: MetricSpec, width, height, depth| spec.open(width, height, depth).err().map(|e| e.kind());
        for (width, height, depth) in [(96, 64, 12), (96, 64, 0), (0, 64, 8), (96, 0, 8), (70_000, 64, 8)] {
            assert_eq!(of(spec, width, height, depth), Some(ErrorKind::Unsupported), "{kind} {width}x{height}");
        }
        assert_eq!(of(MetricSpec { threads: 100_000, ..spec }, 96, 64, 8), Some(ErrorKind::Usage));
        assert_eq!(spec.open(96, 64, 8).unwrap().finish().unwrap_err().kind(), ErrorKind::Input, "{kind}");
    }
    assert_eq!(MetricSpec::new(MetricKind::Ssim).open(10, 64, 8).err().map(|e| e.kind()), Some(ErrorKind::Unsupported));
}

#[test]
fn the_smallest_pictures_are_scored() {
    for (kind, sizes) in [
        (MetricKind::Psnr, &[(1, 1), (2, 1), (17, 3), (101, 61)][..]),
        (MetricKind::Ssim, &[(11, 11), (12, 11), (11, 300), (101, 61), (385, 390), (1281, 641)][..]),
    ] {
        for &(width, height) in sizes {
            for depth in [8, 10] {
                let frame = |seed| noise(0, width, height, depth, seed);
                let score = measure(MetricSpec::new(kind), &[frame(1)], &[frame(1)]).mean;
                assert!(score > 0.999, "{kind} {width}x{height}: {score}");
                let score = measure(MetricSpec::new(kind), &[frame(1)], &[frame(2)]).mean;
                assert!(score.is_finite(), "{kind} {width}x{height}: {score}");
            }
        }
    }
}

/// Each frame's `field` in the file of statistics that ffmpeg's filter `filter` writes for a pair of films.
fn by_ffmpeg(filter: &str, field: &str, reference: &str, distorted: &str) -> Option<Vec<f64>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/media/vmaf");
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(folder.join(distorted))
        .arg("-i")
        .arg(folder.join(reference))
        .args(["-lavfi", &format!("[0][1]{filter}=stats_file=-"), "-f", "null", "-"])
        .output();
    let Ok(out) = out else {
        crate::base::missing("there is no ffmpeg to compare with");
        return None;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let of = |line: &str| line.split(' ').find_map(|word| word.strip_prefix(field)?.strip_prefix(':')?.parse().ok());
    Some(text.lines().filter_map(of).collect())
}

/// Pairs of films with the names of their files.
fn films() -> Vec<(&'static str, &'static str)> {
    vec![
        ("src01_hrc00_576x324.yuv420p10le.y4m", "src01_hrc01_576x324.yuv420p10le.y4m"),
        ("ref_160x90_8bit.y4m", "dis_160x90_8bit.y4m"),
        ("ref_akiyo_352x288_8bit.y4m", "dis_akiyo_352x288_8bit.y4m"),
    ]
}

#[test]
fn psnr_of_films_is_ffmpegs() {
    for (one, other) in films() {
        let Some((reference, distorted)) = pair(one, other) else { return };
        let Some(expected) = by_ffmpeg("psnr", "psnr_y", one, other) else { return };
        let scores = measure(MetricSpec::new(MetricKind::Psnr), &reference, &distorted);
        assert_eq!(scores.per_frame.len(), expected.len());
        let off = scores.per_frame.iter().zip(&expected).map(|(s, e)| (s.score - e).abs()).fold(0.0, f64::max);
        eprintln!("{other}: PSNR {:.4} dB over {} frames, {off:.4} dB from ffmpeg at most", scores.mean, scores.frames);
        assert!(off < 0.01, "{other}: {off} dB");
    }
}

/// Luma as numbers from 0 to 255.
fn luma(frame: &Frame) -> Vec<f64> {
    let bytes = &frame.planes.plane(0);
    match depth(frame) {
        8 => bytes.iter().map(|&s| f64::from(s)).collect(),
        _ => bytes.as_chunks::<2>().0.iter().map(|&s| f64::from(u16::from_ne_bytes(s)) / 4.0).collect(),
    }
}

/// SSIM by its definition (Wang et al. 2004, equation 13, Gaussian window of 11 × 11 with σ 1.5, inner windows only), of
/// pictures whose shorter side is below 384, which are not shrunk.
fn ssim_by_definition(one: &Frame, other: &Frame) -> f64 {
    let (width, height) = (one.width as usize, one.height as usize);
    let weights: Vec<f64> = (-5..=5).map(|x| (-f64::from(x * x) / (2.0 * 1.5 * 1.5)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let (inner_w, inner_h) = (width - 10, height - 10);
    let blur = |plane: &dyn Fn(usize) -> f64| -> Vec<f64> {
        let row = |n: usize| {
            let (y, x) = (n / inner_w, n % inner_w);
            weights.iter().enumerate().map(|(i, w)| w / sum * plane(y * width + x + i)).sum::<f64>()
        };
        let rows: Vec<f64> = (0..height * inner_w).map(row).collect();
        let column = |n: usize| weights.iter().enumerate().map(|(i, w)| w / sum * rows[n + i * inner_w]).sum();
        (0..inner_h * inner_w).map(column).collect()
    };
    let (a, b) = (luma(one), luma(other));
    let (mean_a, mean_b) = (blur(&|i| a[i]), blur(&|i| b[i]));
    let (square_a, square_b, both) = (blur(&|i| a[i] * a[i]), blur(&|i| b[i] * b[i]), blur(&|i| a[i] * b[i]));
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let at = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (va, vb, cov) = (square_a[i] - ma * ma, square_b[i] - mb * mb, both[i] - ma * mb);
        (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    };
    (0..inner_w * inner_h).map(at).sum::<f64>() / (inner_w * inner_h) as f64
}

/// ffmpeg's SSIM has square windows of 8 × 8 at every fourth sample, so it is another number, but not far away.
#[test]
fn ssim_of_films_is_that_of_its_definition() {
    for (one, other) in films() {
        let Some((reference, distorted)) = pair(one, other) else { return };
        let scores = measure(MetricSpec::new(MetricKind::Ssim), &reference, &distorted);
        let some = scores.per_frame.iter().step_by(12);
        let expected = |s: &FrameScore| ssim_by_definition(&reference[s.index as usize], &distorted[s.index as usize]);
        let off = some.map(|s| (s.score - expected(s)).abs()).fold(0.0, f64::max);
        assert!(off < 1e-4, "{other}: {off} from the definition");
        let square = by_ffmpeg("ssim", "Y", one, other).map(|all| all.iter().sum::<f64>() / all.len() as f64);
        eprintln!("{other}: SSIM {:.6}, {off:.1e} from the definition at most; ffmpeg's {square:?}", scores.mean);
        assert!(square.is_none_or(|square| (square - scores.mean).abs() < 0.03), "{square:?} {}", scores.mean);
    }
}

#[test]
fn a_spec_is_written_and_read() {
    let spec = |kind, stride| MetricSpec { kind, stride: Stride::new(stride).unwrap(), ..MetricSpec::default() };
    for (spec, text) in [
        (spec(VMAF, 1), r#"{"kind":{"vmaf":{}},"stride":1,"threads":0,"clip":true}"#),
        (
            spec(MetricKind::Vmaf { model: Some(Model::V0614k) }, 5),
            r#"{"kind":{"vmaf":{"model":"vmaf_4k_v0.6.1"}},"stride":5,"threads":0,"clip":true}"#,
        ),
        (spec(MetricKind::Psnr, 3), r#"{"kind":"psnr","stride":3,"threads":0,"clip":true}"#),
        (spec(MetricKind::Ssim, 1), r#"{"kind":"ssim","stride":1,"threads":0,"clip":true}"#),
    ] {
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
        assert_eq!(serde_json::from_str::<MetricSpec>(text).unwrap(), spec);
    }
    assert_eq!(serde_json::from_str::<MetricSpec>("{}").unwrap(), MetricSpec::default());
    for bad in [r#"{"stride":0}"#, r#"{"kind":"mse"}"#, r#"{"kind":{"vmaf":{"model":"v9"}}}"#, r#"{"strides":1}"#] {
        assert!(serde_json::from_str::<MetricSpec>(bad).is_err(), "{bad}");
    }
}

#[test]
fn vmaf_through_the_trait_is_that_of_a_session() {
    let Some((reference, distorted)) = small() else { return };
    let through = measure(MetricSpec::new(VMAF), &reference, &distorted);
    assert_eq!(through, scores(config(Model::V061, &reference[0]), &reference, &distorted));
}
