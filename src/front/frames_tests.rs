//! The surface for frames of the caller's own.

use super::*;
use crate::base::{CancelToken, ErrorKind, Result};

const SIZE: (u32, u32) = (192, 108);

/// A gradient that moves with `n`, in planes of 8 or 10 bits with rows further apart than they are long.
fn planes(n: usize, bit_depth: u8) -> [(Vec<u8>, usize); 3] {
    let bytes = if bit_depth > 8 { 2 } else { 1 };
    [(192, 108, 1), (96, 54, 2), (96, 54, 3)].map(|(width, height, step)| {
        let stride = width * bytes + 64;
        let mut plane = vec![0; stride * (height - 1) + width * bytes];
        for y in 0..height {
            for x in 0..width {
                let sample = ((x + y * step + n * 3) % 220 + 16) as u16;
                let at = y * stride + x * bytes;
                match bytes {
                    1 => plane[at] = sample as u8,
                    _ => plane[at..at + 2].copy_from_slice(&(sample << 2).to_ne_bytes()),
                }
            }
        }
        (plane, stride)
    })
}

fn picture(n: usize, bit_depth: u8) -> Picture {
    Picture::from_vecs(SIZE.0, SIZE.1, bit_depth, planes(n, bit_depth)).unwrap()
}

fn options(encoder: &str, bit_depth: u8) -> FrameEncoderOptions {
    let mut options = FrameEncoderOptions::new(SIZE.0, SIZE.1, (24, 1));
    options.set("video.encoder", encoder).unwrap();
    options.set("video.preset", if encoder == "svt-av1" { "12" } else { "4" }).unwrap();
    options.set("quality.crf", "30").unwrap();
    options.threads = 1;
    FrameEncoderOptions { bit_depth, ..options }
}

/// All packets of `count` pictures, the `key`-th forced to be a keyframe; received at the end only, which is the law's
/// hardest case.
fn encode(options: &FrameEncoderOptions, count: usize, key: Option<usize>) -> Result<Vec<EncodedFrame>> {
    let mut encoder = FrameEncoder::open(options, &CancelToken::new())?;
    for n in 0..count {
        encoder.send(&picture(n, options.bit_depth), n as i64 * 2, key == Some(n))?;
    }
    encoder.finish()?;
    encoder.finish()?;
    let mut packets = Vec::new();
    while let Some(packet) = encoder.receive()? {
        packets.push(packet);
    }
    assert!(encoder.receive()?.is_none(), "the end stays the end");
    assert!(encoder.codec_config().is_some());
    assert_eq!(encoder.send(&picture(0, options.bit_depth), 9999, false).unwrap_err().kind(), ErrorKind::Usage);
    Ok(packets)
}

#[test]
fn every_frame_comes_out_once_in_decode_order_whatever_the_encoder() {
    for (encoder, bit_depth) in [("svt-av1", 8), ("svt-av1", 10), ("libx264", 8), ("libx264", 10)] {
        let options = FrameEncoderOptions { forced_keyframes: true, ..options(encoder, bit_depth) };
        let packets = match encode(&options, 50, Some(20)) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                crate::base::skipped(error);
                continue;
            }
            packets => packets.unwrap(),
        };
        let mut shown: Vec<_> = packets.iter().map(|p| (p.index, p.pts)).collect();
        shown.sort_unstable();
        assert_eq!(shown, (0..50).map(|n| (n, n as i64 * 2)).collect::<Vec<_>>(), "{encoder}");
        assert!(packets.windows(2).all(|w| w[0].dts < w[1].dts), "{encoder}");
        assert!(packets.iter().all(|p| p.dts <= p.pts && !p.data().is_empty()), "{encoder}");
        let keys: Vec<_> = packets.iter().filter(|p| p.keyframe).map(|p| p.index).collect();
        assert_eq!(keys, [0, 20], "{encoder}");
        let reordered = packets.windows(2).any(|w| w[0].pts > w[1].pts);
        assert_eq!(reordered, encoder == "libx264", "{encoder}");
    }
}

#[test]
fn a_copied_picture_and_one_that_was_taken_over_give_the_same_bytes() {
    let pool = PicturePool::new(SIZE.0, SIZE.1, 10).unwrap();
    let mut both = [Vec::new(), Vec::new()];
    for (owned, out) in both.iter_mut().enumerate() {
        let mut encoder = FrameEncoder::open(&options("svt-av1", 10), &CancelToken::new()).unwrap();
        for n in 0..6 {
            let planes = planes(n, 10);
            let picture = match owned {
                0 => pool.copy(planes.each_ref().map(|(bytes, stride)| (bytes.as_slice(), *stride))),
                _ => Picture::from_vecs(SIZE.0, SIZE.1, 10, planes),
            };
            encoder.send(&picture.unwrap(), n as i64, false).unwrap();
        }
        encoder.finish().unwrap();
        while let Some(packet) = encoder.receive().unwrap() {
            out.extend_from_slice(packet.data());
        }
    }
    assert!(!both[0].is_empty() && both[0] == both[1]);
    assert!(format!("{pool:?}").contains("allocations: 1"), "a pool's memory is used again: {pool:?}");
}

#[test]
fn pictures_that_cannot_be_say_what_is_wrong() {
    let refused = |planes: [(&[u8], usize); 3], size: (u32, u32), depth, words: &str| {
        let error = Picture::from_planes(size.0, size.1, depth, planes).unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains(words), "{error}");
    };
    let (luma, chroma) = ([16; 64], [128; 16]);
    let whole: [(&[u8], usize); 3] = [(&luma, 8), (&chroma, 4), (&chroma, 4)];
    let with = |index: usize, plane: (&'static [u8], usize)| {
        let mut planes: [(&[u8], usize); 3] = [(&[16; 64], 8), (&[128; 16], 4), (&[128; 16], 4)];
        planes[index] = plane;
        planes
    };
    refused(whole, (8, 8), 9, "not 9");
    refused(whole, (0, 8), 8, "0x8");
    refused(whole, (8, 70_000), 8, "8x70000");
    refused(with(0, (&[16; 63], 8)), (8, 8), 8, "plane 0 has 63 bytes");
    refused(with(1, (&[16; 16], 3)), (8, 8), 8, "the rows of plane 1 are 3 bytes apart and 4 bytes long");
    refused(with(2, (&[], 4)), (8, 8), 8, "plane 2 has 0 bytes");
    refused(with(2, (&[1; 9], usize::MAX)), (8, 8), 8, "plane 2 has 9 bytes");
    let large = [(&[255; 128][..], 16), (&[0; 32][..], 8), (&[0; 32][..], 8)];
    refused(large, (8, 8), 10, "plane 0 has a sample of 65535, which is more than 10 bits");
    // Odd sizes round their chroma up.
    let odd = Picture::from_planes(7, 7, 8, whole).unwrap();
    assert_eq!((odd.width(), odd.height(), odd.bit_depth()), (7, 7, 8));
    assert!(odd.plane(3).is_empty() && odd.plane(0).len() >= 7 * 8 - 1);
}

#[test]
fn encoders_refuse_what_they_cannot_do_and_go_on() {
    let error = |options: &FrameEncoderOptions| FrameEncoder::open(options, &CancelToken::new()).unwrap_err();
    let good = options("svt-av1", 8);
    let wide = error(&FrameEncoderOptions { width: 16_386, ..good.clone() });
    assert!(wide.kind() == ErrorKind::Unsupported && wide.to_string().contains("16386"), "{wide}");
    let odd = FrameEncoderOptions { width: 191, ..good.clone() };
    if crate::video::limits().even {
        let odd = error(&odd);
        assert!(odd.kind() == ErrorKind::Unsupported && odd.to_string().contains("even"), "{odd}");
    } else {
        FrameEncoder::open(&odd, &CancelToken::new()).unwrap();
    }
    assert!(error(&FrameEncoderOptions { frame_rate: (0, 1), ..good.clone() }).to_string().contains("frame rate 0/1"));
    assert!(error(&FrameEncoderOptions { time_base: Some((1, 0)), ..good.clone() }).to_string().contains("base 1/0"));
    assert!(error(&FrameEncoderOptions { encoder: "x".to_owned(), ..good.clone() }).to_string().contains("svt-av1"));
    let parameters = vec![("no-such".to_owned(), "1".to_owned())];
    assert!(error(&FrameEncoderOptions { parameters, ..good.clone() }).to_string().contains("no-such"));

    let mut encoder = FrameEncoder::open(&good, &CancelToken::new()).unwrap();
    let mut refused = |picture: &Picture, pts, key, words: &str| {
        let error = encoder.send(picture, pts, key).unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains(words), "{error}");
    };
    refused(&picture(0, 10), 0, false, "192x108 in 10 bits came to an encoder of 192x108 in 8");
    refused(&picture(0, 8), 0, true, "forced_keyframes");
    encoder.send(&picture(0, 8), 5, false).unwrap();
    let error = encoder.send(&picture(1, 8), 5, false).unwrap_err();
    assert!(error.to_string().contains("a frame at 5 came after the one at 5"), "{error}");
    encoder.send(&picture(1, 8), 6, false).unwrap();
    encoder.finish().unwrap();
    let received: Vec<_> = std::iter::from_fn(|| encoder.receive().unwrap()).map(|p| p.pts).collect();
    assert_eq!(received, [5, 6]);
}

#[test]
fn options_are_read_as_they_are_written_and_by_the_names_of_settings() {
    let mut options = options("libx264", 10);
    options.set("video.svt", "tune=film:aq-mode=1").unwrap();
    options.set("bit_depth", "8").unwrap();
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<FrameEncoderOptions>(&text).unwrap(), options);
    assert_eq!((options.bit_depth, options.parameters.len()), (8, 2));
    let least: FrameEncoderOptions = serde_json::from_str(r#"{"width": 64, "height": 48}"#).unwrap();
    assert_eq!(least, FrameEncoderOptions::new(64, 48, (25, 1)));
    assert!(serde_json::from_str::<FrameEncoderOptions>(r#"{"width": 64, "height": 48, "speed": 1}"#).is_err());
    let refused = options.set("run.workers", "2").unwrap_err();
    assert!(refused.to_string().contains("no meaning for an encoder alone"), "{refused}");
    assert!(options.set("picture.bit_depth", "source").is_err() && options.set("no.such", "1").is_err());
}

#[test]
fn a_meter_scores_pairs_and_refuses_those_of_another_size() {
    for depth in [8, 10] {
        let mut meter = PictureMeter::open("vmaf", SIZE.0, SIZE.1, depth).unwrap();
        for n in 0..4 {
            meter.push(&picture(n, depth), &picture(n, depth)).unwrap();
            assert_eq!(
                meter.push(&picture(n, depth), &picture(n, 18 - depth)).unwrap_err().kind(),
                ErrorKind::Unsupported
            );
        }
        assert_eq!(meter.pairs(), 4);
        let scores = meter.finish().unwrap();
        assert!(scores.frames == 4 && scores.mean > 90.0, "{scores:?}");
    }
    let spec = r#"{"kind": {"vmaf": {"model": "vmaf_v0.6.1"}}, "stride": 3, "threads": 1}"#;
    let mut meter = PictureMeter::open(spec, SIZE.0, SIZE.1, 8).unwrap();
    (0..7).for_each(|n| meter.push(&picture(n, 8), &picture(n + 9, 8)).unwrap());
    let scores = meter.finish().unwrap();
    assert_eq!((scores.per_frame.len(), scores.stride.get()), (3, 3));
    for name in ["psnr", "ssim"] {
        let mut meter = PictureMeter::open(name, SIZE.0, SIZE.1, 8).unwrap();
        meter.push(&picture(0, 8), &picture(9, 8)).unwrap();
        assert!(meter.finish().unwrap().mean > 0.0, "{name}");
    }
    for bad in ["mse", "vmaf_v9", "{", r#"{"kind": "vmaf", "stride": 0}"#] {
        assert_eq!(PictureMeter::open(bad, 192, 108, 8).unwrap_err().kind(), ErrorKind::Usage, "{bad}");
    }
    assert_eq!(PictureMeter::open("vmaf", 192, 108, 8).unwrap().finish().unwrap_err().kind(), ErrorKind::Input);
}
