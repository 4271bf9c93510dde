//! Made pictures through bwdif and idet.
#![allow(unsafe_code)]

use std::sync::Arc;

use super::*;
use crate::av::{Deinterlacer, FieldMeter};
use crate::base::{Span, Timestamp};
use crate::media::{Color, Combing, FieldFlags, Frame, HdrStatic, Subsampling};
use crate::media::{Parity, Selection};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;

/// A picture of `format` whose plane `p` holds `sample(p, x, y)`, of as many bits as the format has.
fn picture(
    format: &CStr,
    size: (usize, usize),
    flags: FieldFlags,
    sample: impl Fn(usize, usize, usize) -> u32,
) -> Frame {
    let mut raw = RawFrame::new().unwrap();
    let f = raw.as_mut_ptr();
    // SAFETY: the frame is ours; its buffers are allocated for the format and size set before, and each write stays
    // within a row's visible width.
    unsafe {
        let format = sys::av_get_pix_fmt(format.as_ptr());
        let d = sys::av_pix_fmt_desc_get(format).as_ref().unwrap();
        (*f).format = format as c_int;
        ((*f).width, (*f).height) = (size.0 as c_int, size.1 as c_int);
        assert_eq!(sys::av_frame_get_buffer(f, 0), 0);
        #[cfg(ffmpeg_6_1)]
        {
            let flag = |on: bool, flag: u32| if on { flag as c_int } else { 0 };
            (*f).flags |= flag(flags.interlaced, sys::AV_FRAME_FLAG_INTERLACED);
            (*f).flags |= flag(flags.top_first, sys::AV_FRAME_FLAG_TOP_FIELD_FIRST);
        }
        #[cfg(not(ffmpeg_6_1))]
        {
            ((*f).interlaced_frame, (*f).top_field_first) = (flags.interlaced.into(), flags.top_first.into());
        }
        (*f).repeat_pict = flags.repeats.into();
        for p in 0..d.nb_components as usize {
            let c = &d.comp[p];
            let (sx, sy) = if p == 0 { (0, 0) } else { (d.log2_chroma_w, d.log2_chroma_h) };
            let (w, h) = ((size.0 + (1 << sx) - 1) >> sx, (size.1 + (1 << sy) - 1) >> sy);
            for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
                let row = (*f).data[c.plane as usize].offset(y as isize * (*f).linesize[c.plane as usize] as isize);
                let place = row.add(x * c.step as usize + c.offset as usize);
                match c.depth > 8 {
                    true => place.cast::<u16>().write((sample(p, x, y) << c.shift) as u16),
                    false => place.write(sample(p, x, y) as u8),
                }
            }
        }
    }
    let picture = VideoFrame::new(raw, Rational::MILLI);
    Frame {
        index: 0,
        pts: Timestamp::new(0, Rational::MILLI),
        duration: None,
        width: size.0 as u32,
        height: size.1 as u32,
        format: picture.format(),
        color: Color::default(),
        hdr: HdrStatic::default(),
        dynamic: Default::default(),
        planes: Arc::new(picture),
    }
}

const TOP: FieldFlags = FieldFlags { interlaced: true, top_first: true, repeats: 0 };
const WHOLE: FieldFlags = FieldFlags { interlaced: false, top_first: false, repeats: 0 };

/// Something that moves smoothly over a background with detail, at time `t` in fields.
fn scene(x: usize, y: usize, t: usize) -> u32 {
    let inside = (t * 3..t * 3 + 30).contains(&(x + 20)) && (16..48).contains(&y);
    let wave = (x as f64 * 0.3 + y as f64 * 0.2).sin() * 30.0 + 90.0;
    if inside { 200 } else { wave as u32 }
}

/// Interlaced picture `n`, the top field first, with times that no film has.
fn interlaced(n: usize, flags: FieldFlags) -> Frame {
    let sample = |p: usize, x: usize, y: usize| if p == 0 { scene(x, y, 2 * n + y % 2) } else { 128 };
    let frame = picture(c"yuv420p", (WIDTH, HEIGHT), flags, sample);
    let base = Rational::positive(1, 90_000).unwrap();
    let ticks = (n as i64 * 7919) % 1009 - 500;
    Frame {
        index: 1000 + n as u64,
        pts: Timestamp::new(ticks, base),
        duration: Some(Span::new(1 + ticks.abs(), base)),
        ..frame
    }
}

fn run(deinterlacer: &mut Deinterlacer, frames: impl IntoIterator<Item = Frame>) -> Vec<Frame> {
    let mut out = Vec::new();
    for frame in frames {
        out.extend(deinterlacer.push(frame).unwrap());
    }
    out.extend(deinterlacer.finish().unwrap());
    out
}

/// The visible samples of all planes.
fn samples(frame: &Frame) -> Vec<u8> {
    let bytes = frame.format.bytes_per_sample().unwrap();
    let plane = |p: usize| {
        let ((width, height), data) = (frame.plane_size(p), frame.planes.plane(p));
        (0..height).flat_map(move |y| data[y * frame.planes.stride(p)..][..width * bytes].iter().copied())
    };
    (0..3).flat_map(plane).collect()
}

fn combing(frame: &Frame) -> f64 {
    let (luma, stride) = (frame.planes.plane(0), frame.planes.stride(0));
    let at = |x: usize, y: usize| f64::from(luma[y * stride + x]);
    let places = (1..HEIGHT - 1).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    let sum: f64 = places.map(|(x, y)| (at(x, y) - (at(x, y - 1) + at(x, y + 1)) / 2.0).abs()).sum();
    sum / ((HEIGHT - 2) * WIDTH) as f64
}

#[test]
fn as_many_pictures_come_out_as_go_in_with_their_own_attributes() {
    for selection in [Selection::All, Selection::Flagged] {
        for count in [0, 1, 2, 3, 50] {
            let out = run(&mut Deinterlacer::new(Parity::Auto, selection), (0..count).map(|n| interlaced(n, TOP)));
            assert_eq!(out.len(), count);
            for (n, out) in out.iter().enumerate() {
                let frame = interlaced(n, TOP);
                assert_eq!((out.index, out.pts, out.duration), (frame.index, frame.pts, frame.duration));
                assert_eq!((out.width, out.height, out.format), (frame.width, frame.height, frame.format));
                assert_eq!((out.color, out.hdr), (frame.color, frame.hdr));
            }
        }
    }
}

#[test]
fn what_moves_is_no_longer_combed() {
    let frames: Vec<_> = (0..12).map(|n| interlaced(n, TOP)).collect();
    for parity in [Parity::Auto, Parity::Top] {
        let out = run(&mut Deinterlacer::new(parity, Selection::All), frames.iter().cloned());
        for (before, after) in frames.iter().zip(&out) {
            assert!(combing(after) < combing(before) * 0.7, "{} before, {} after", combing(before), combing(after));
        }
    }
    // The rows that stay are those of the field that is first.
    let row = |frame: &Frame, y: usize| frame.planes.plane(0)[y * frame.planes.stride(0)..][..WIDTH].to_vec();
    for (parity, kept) in [(Parity::Top, 20), (Parity::Bottom, 21)] {
        let out = run(&mut Deinterlacer::new(parity, Selection::All), frames.iter().cloned());
        assert_eq!(row(&out[5], kept), row(&frames[5], kept));
        assert_ne!(row(&out[5], kept ^ 1), row(&frames[5], kept ^ 1));
    }
}

#[test]
fn pictures_that_are_not_flagged_come_through_bit_identical_between_others() {
    let flags = |n: usize| if n % 3 == 1 { TOP } else { WHOLE };
    let frames: Vec<_> = (0..9).map(|n| interlaced(n, flags(n))).collect();
    let out = run(&mut Deinterlacer::new(Parity::Auto, Selection::Flagged), frames.iter().cloned());
    let all = run(&mut Deinterlacer::new(Parity::Auto, Selection::All), frames.iter().cloned());
    for (n, ((before, after), all)) in frames.iter().zip(&out).zip(&all).enumerate() {
        let expected = if n % 3 == 1 { all } else { before };
        assert_eq!(samples(after), samples(expected), "picture {n}");
        assert_ne!(samples(all), samples(before), "picture {n}");
    }
}

#[test]
fn a_static_film_that_is_not_flagged_comes_through_bit_identical() {
    let still = || interlaced(0, WHOLE);
    let out = run(&mut Deinterlacer::new(Parity::Auto, Selection::Flagged), (0..5).map(|_| still()));
    assert_eq!(out.len(), 5);
    assert!(out.iter().all(|frame| samples(frame) == samples(&still())));
}

#[test]
fn a_start_one_picture_early_gives_the_pictures_of_a_whole_run() {
    let flags = |n: usize| if n % 4 < 2 { TOP } else { WHOLE };
    for selection in [Selection::All, Selection::Flagged] {
        let deinterlaced = |from: usize, to: usize| {
            run(&mut Deinterlacer::new(Parity::Auto, selection), (from..to).map(|n| interlaced(n, flags(n))))
        };
        let whole = deinterlaced(0, 20);
        for (n, expected) in whole.iter().enumerate().take(19).skip(1) {
            let part = deinterlaced(n - 1, n + 2);
            assert_eq!(samples(&part[1]), samples(expected), "picture {n}, {selection:?}");
        }
        let last = deinterlaced(18, 20);
        assert_eq!(samples(&last[1]), samples(&whole[19]));
    }
}

#[test]
fn planar_formats_stay_and_others_become_planar() {
    let through = |format: &CStr| {
        let frames = (0..3).map(|n| picture(format, (WIDTH, HEIGHT), TOP, |_, x, y| 100 + ((x + n) ^ y) as u32));
        let out = run(&mut Deinterlacer::new(Parity::Auto, Selection::All), frames);
        assert_eq!(out.len(), 3);
        out[1].format
    };
    for subsampling in [Subsampling::Yuv420, Subsampling::Yuv422, Subsampling::Yuv444] {
        let name = |depth| match subsampling {
            Subsampling::Yuv420 => ["yuv420p", "yuv420p10", "yuv420p12"][depth],
            Subsampling::Yuv422 => ["yuv422p", "yuv422p10", "yuv422p12"][depth],
            _ => ["yuv444p", "yuv444p10", "yuv444p12"][depth],
        };
        for (i, depth) in [8, 10, 12].into_iter().enumerate() {
            let format = CString::new(name(i)).unwrap();
            assert_eq!(through(&format), PixelFormat::Planar { subsampling, depth }, "{format:?}");
        }
    }
    // What decoders in hardware give.
    assert_eq!(through(c"nv12"), PixelFormat::YUV420P8);
    assert_eq!(through(c"p010"), PixelFormat::YUV420P10);
    assert_eq!(through(c"yuyv422"), PixelFormat::Planar { subsampling: Subsampling::Yuv422, depth: 8 });
}

#[test]
fn semi_planar_pictures_are_deinterlaced_as_planar_ones_are() {
    let sample = |n: usize| move |p: usize, x: usize, y: usize| scene(x * (p + 1), y, 2 * n + y % 2);
    let through = |format: &CStr| {
        let frames = (0..4).map(|n| picture(format, (WIDTH, HEIGHT), TOP, sample(n)));
        run(&mut Deinterlacer::new(Parity::Auto, Selection::All), frames)
    };
    for (planar, semi) in [(c"yuv420p", c"nv12"), (c"yuv420p10", c"p010")] {
        let (planar, semi) = (through(planar), through(semi));
        assert!(planar.iter().zip(&semi).all(|(planar, semi)| samples(planar) == samples(semi)));
    }
}

#[test]
fn a_change_of_size_and_of_format_loses_no_picture() {
    let sizes = [(96, 64), (96, 64), (80, 48), (80, 48), (33, 17), (96, 64)];
    let formats = [c"yuv420p", c"yuv420p", c"yuv420p", c"yuv420p10", c"yuv420p", c"yuv420p"];
    let frames: Vec<_> = sizes
        .iter()
        .zip(formats)
        .map(|(size, format)| picture(format, *size, TOP, |_, x, y| ((x * y) % 200) as u32))
        .collect();
    let out = run(&mut Deinterlacer::new(Parity::Auto, Selection::All), frames.iter().cloned());
    let shape = |frames: &[Frame]| frames.iter().map(|f| (f.width, f.height, f.format)).collect::<Vec<_>>();
    assert_eq!(shape(&out), shape(&frames));
    let mut meter = FieldMeter::new();
    frames.iter().for_each(|frame| meter.push(frame).unwrap());
    assert_eq!(meter.finish().unwrap().looks.len(), frames.len());
}

#[test]
fn a_picture_of_a_pool_or_one_too_small_is_refused_in_words() {
    let mut frame = interlaced(0, TOP);
    frame.planes = Arc::new(crate::media::FramePool::new(frame.format, 96, 64).take());
    let refused = |frame: Frame| Deinterlacer::new(Parity::Auto, Selection::All).push(frame).err().unwrap();
    assert_eq!(refused(frame.clone()).kind(), ErrorKind::Unsupported);
    assert_eq!(FieldMeter::new().push(&frame).err().unwrap().kind(), ErrorKind::Unsupported);
    let error = refused(picture(c"yuv420p", (2, 2), TOP, |_, _, _| 16));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("bwdif"), "{error}");
}

#[test]
fn the_meter_sees_order_repeats_and_flags() {
    let look = |frames: &mut dyn Iterator<Item = Frame>| {
        let mut meter = FieldMeter::new();
        frames.for_each(|frame| meter.push(&frame).unwrap());
        meter.finish().unwrap()
    };
    for count in [0, 1, 2, 20] {
        let verdict = look(&mut (0..count).map(|n| interlaced(n, TOP)));
        assert_eq!((verdict.looks.len(), verdict.counts.pictures), (count, count));
        assert_eq!((verdict.counts.flagged_interlaced, verdict.counts.flagged_top_first), (count, count));
    }
    let verdict = look(&mut (0..20).map(|n| interlaced(n, TOP)));
    assert!(verdict.looks[1..19].iter().all(|look| look.single == Combing::Top), "{:?}", verdict.looks);
    // 3:2 pulldown of film pictures that last 2.5 fields each: which one each field is of.
    let field = |n: usize, bottom: bool| {
        [(0, 0), (1, 1), (1, 2), (2, 3), (3, 3)][n % 5].0 * usize::from(!bottom)
            + [(0, 0), (1, 1), (1, 2), (2, 3), (3, 3)][n % 5].1 * usize::from(bottom)
            + n / 5 * 4
    };
    let flags = FieldFlags { repeats: 1, ..WHOLE };
    let telecined = |n: usize| {
        picture(
            c"yuv420p",
            (WIDTH, HEIGHT),
            flags,
            |p, x, y| if p == 0 { scene(x, y, field(n, y % 2 == 1)) } else { 128 },
        )
    };
    let verdict = look(&mut (0..30).map(telecined));
    assert_eq!((verdict.counts.flagged_repeats, verdict.counts.flagged_interlaced), (30, 0));
    assert_eq!((verdict.counts.repeated_top, verdict.counts.repeated_bottom), (6, 6), "{:?}", verdict.looks);
}

/// `frame` of 4:2:0 without its first two columns, in the same memory, as a decoder crops.
fn cropped(frame: &Frame) -> Frame {
    let whole = frame.planes.as_any().downcast_ref::<VideoFrame>().unwrap();
    let mut raw = RawFrame::new().unwrap();
    // SAFETY: the new frame shares the buffers; its planes begin one sample (two of luma) later in rows that are
    // shorter by as much.
    unsafe {
        let f = raw.as_mut_ptr();
        assert_eq!(sys::av_frame_ref(f, whole.raw().as_ptr()), 0);
        (*f).width -= 2;
        for (plane, columns) in [(0, 2), (1, 1), (2, 1)] {
            (*f).data[plane] = (*f).data[plane].add(columns);
        }
    }
    Frame { width: frame.width - 2, planes: Arc::new(VideoFrame::new(raw, Rational::MILLI)), ..frame.clone() }
}

#[test]
fn pictures_that_begin_at_any_byte_are_as_good_as_aligned_ones() {
    let size = (WIDTH + 2, HEIGHT);
    let made = |n: usize, left: usize| {
        let sample =
            move |p: usize, x: usize, y: usize| scene(x + if p == 0 { 2 * left } else { left }, y, 2 * n + y % 2);
        picture(c"yuv420p", if left == 0 { size } else { (WIDTH, HEIGHT) }, TOP, sample)
    };
    let shifted: Vec<_> = (0..6).map(|n| cropped(&made(n, 0))).collect();
    let aligned: Vec<_> = (0..6).map(|n| made(n, 1)).collect();
    let through = |frames: &[Frame]| run(&mut Deinterlacer::new(Parity::Top, Selection::All), frames.iter().cloned());
    for (a, b) in through(&shifted).iter().zip(&through(&aligned)) {
        assert_eq!(samples(a), samples(b));
    }
    let seen = |frames: &[Frame]| {
        let mut meter = FieldMeter::new();
        frames.iter().for_each(|frame| meter.push(frame).unwrap());
        meter.finish().unwrap()
    };
    assert_eq!(seen(&shifted), seen(&aligned));
}
