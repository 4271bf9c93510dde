//! Counts, times and levels of resampled sound, with synthetic frames of every sample format.
#![allow(unsafe_code)]

use super::super::frame::RawFrame;
use super::*;
use crate::base::{Rational, Timestamp};

impl AudioFrame {
    /// A frame made of interleaved samples.
    ///
    /// `layout` is a name as in [`ChannelLayout::from_name`]; samples that do not fill all channels are left out.
    pub fn from_interleaved_f32(samples: &[f32], rate: u32, layout: &str, pts: Option<Timestamp>) -> Result<Self> {
        let unusable = || Error::new(ErrorKind::Usage, format!("no such sound: {layout} at {rate} Hz"));
        let layout = OwnedLayout::from_name(layout).ok_or_else(unusable)?;
        let channels = layout.0.nb_channels as usize;
        let count = samples.len() / channels;
        let mut raw = RawFrame::new()?;
        let frame = raw.as_mut_ptr();
        // SAFETY: the frame is ours alone. The layout is copied, the sizes are set before the buffer is
        // asked for, and that buffer then holds `count` interleaved samples of every channel.
        unsafe {
            (*frame).format = sys::AVSampleFormat::AV_SAMPLE_FMT_FLT as c_int;
            (*frame).sample_rate = c_int::try_from(rate).map_err(|_| unusable())?;
            (*frame).nb_samples = c_int::try_from(count).map_err(|_| unusable())?;
            (*frame).pts = pts.map_or(sys::AV_NOPTS_VALUE, Timestamp::ticks);
            let code = sys::av_channel_layout_copy(&mut (*frame).ch_layout, &layout.0);
            check(code, ErrorKind::Encode, "cannot copy a channel layout")?;
            if count > 0 {
                check(sys::av_frame_get_buffer(frame, 0), ErrorKind::Encode, "cannot allocate sound")?;
                std::ptr::copy_nonoverlapping(samples.as_ptr(), (*frame).data[0].cast(), count * channels);
            }
        }
        Ok(AudioFrame::new(raw, pts.map_or(Rational::MILLI, Timestamp::base)))
    }
}

/// A frame in any sample format, each channel a copy of `samples` (full scale 1.0) scaled by 1/(channel + 1).
fn frame(format: sys::AVSampleFormat, samples: &[f64], rate: u32, layout: &str) -> AudioFrame {
    use sys::AVSampleFormat as F;
    let layout = OwnedLayout::from_name(layout).unwrap();
    let channels = layout.0.nb_channels as usize;
    let mut raw = RawFrame::new().unwrap();
    let f = raw.as_mut_ptr();
    // SAFETY: the frame is ours; its buffer is allocated for the format, count and layout set before, and each
    // write below stays within plane, sample and channel of those.
    unsafe {
        (*f).format = format as c_int;
        (*f).sample_rate = rate as c_int;
        (*f).nb_samples = samples.len() as c_int;
        assert_eq!(sys::av_channel_layout_copy(&mut (*f).ch_layout, &layout.0), 0);
        assert_eq!(sys::av_frame_get_buffer(f, 0), 0);
        let planar = sys::av_sample_fmt_is_planar(format) != 0;
        for (i, sample) in samples.iter().enumerate() {
            for c in 0..channels {
                let value = sample / (c + 1) as f64;
                let (plane, at) = if planar { (c, i) } else { (0, i * channels + c) };
                let data = *(*f).extended_data.add(plane);
                match format {
                    F::AV_SAMPLE_FMT_U8 | F::AV_SAMPLE_FMT_U8P => *data.add(at) = (value * 127.0 + 128.0) as u8,
                    F::AV_SAMPLE_FMT_S16 | F::AV_SAMPLE_FMT_S16P => {
                        *data.cast::<i16>().add(at) = (value * 32767.0) as i16
                    }
                    F::AV_SAMPLE_FMT_S32 | F::AV_SAMPLE_FMT_S32P => {
                        *data.cast::<i32>().add(at) = (value * f64::from(i32::MAX)) as i32
                    }
                    F::AV_SAMPLE_FMT_S64 | F::AV_SAMPLE_FMT_S64P => {
                        *data.cast::<i64>().add(at) = (value * i64::MAX as f64) as i64
                    }
                    F::AV_SAMPLE_FMT_FLT | F::AV_SAMPLE_FMT_FLTP => *data.cast::<f32>().add(at) = value as f32,
                    _ => *data.cast::<f64>().add(at) = value,
                }
            }
        }
    }
    AudioFrame::new(raw, Rational::MILLI)
}

fn identity() -> Mixer {
    Box::new(|_| Ok(Mix { matrix: None, folds: false }))
}

fn formats() -> impl Iterator<Item = sys::AVSampleFormat> {
    (0..12).filter_map(sample_format)
}

#[test]
fn every_sample_format_comes_out_at_its_own_level() {
    let samples: Vec<f64> = (0..1000).map(|i| 0.5 * (i as f64 * 0.05).sin()).collect();
    let mut count = 0;
    for format in formats() {
        let mut resampler = Resampler::new(48_000, 3, identity());
        let mut out = Vec::new();
        resampler.push(&frame(format, &samples, 48_000, "3.0"), &mut out).unwrap();
        resampler.flush(&mut out).unwrap();
        assert_eq!(out.len(), 3000);
        // SAFETY: asks a constant of a known format.
        let bytes = unsafe { sys::av_get_bytes_per_sample(format) };
        // The test's own rounding towards zero, one and a half steps of 8 or 16 bits.
        let slack = [0.0, 0.012, 5e-5][bytes.min(2) as usize];
        for (i, sample) in samples.iter().enumerate() {
            for c in 0..3 {
                let error = (f64::from(out[i * 3 + c]) - sample / (c + 1) as f64).abs();
                assert!(error < slack, "{format:?} sample {i} channel {c}: {error}");
            }
        }
        count += 1;
    }
    assert_eq!(count, 12);
}

#[test]
fn the_count_is_exact_at_every_rate_and_the_delay_is_all_that_is_inside() {
    for rate in [
        1_000, 5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_056, 44_100, 44_101, 47_999, 48_000, 88_200, 96_000,
        192_000, 352_800, 1_411_200,
    ] {
        for total in [1usize, 7, 1_152, 44_100, 100_003] {
            let samples = vec![0.25f64; total];
            let mut resampler = Resampler::new(48_000, 1, identity());
            let mut out = Vec::new();
            for part in samples.chunks(1_152) {
                let f = frame(sys::AVSampleFormat::AV_SAMPLE_FMT_S16, part, rate, "mono");
                resampler.push(&f, &mut out).unwrap();
                let segment = resampler.segment.as_ref().unwrap();
                // SAFETY: the context is alive.
                let delay = unsafe { sys::swr_get_delay(segment.swr.as_ptr(), 48_000) };
                let off = segment.given as i64 + delay - segment.due() as i64;
                // One input sample is 48 output samples at 1 kHz.
                let slack = 2 + 48_000 / i64::from(rate);
                assert!(off.abs() <= slack, "{rate} Hz: {off} samples between delay and count");
            }
            let exact = (total as f64 * 48_000.0 / f64::from(rate)).round() as u64;
            assert_eq!(resampler.position(), exact);
            resampler.flush(&mut out).unwrap();
            assert_eq!(out.len() as u64, exact, "{total} samples at {rate} Hz");
            assert_eq!(resampler.position(), exact);
        }
    }
}

#[test]
fn the_filter_itself_gives_the_count_to_within_a_sample() {
    for rate in [8_000, 11_025, 22_050, 32_000, 44_100, 44_101, 96_000, 192_000] {
        let input = ResampleInput {
            format: sys::AVSampleFormat::AV_SAMPLE_FMT_FLT as c_int,
            rate,
            layout: ChannelLayout::unspecified(1),
        };
        let mut segment = Segment::new(&input, &Mix { matrix: None, folds: false }, 48_000, 1).unwrap();
        let mut out = Vec::new();
        let f = frame(sys::AVSampleFormat::AV_SAMPLE_FMT_FLT, &vec![0.5; 20_011], rate, "mono");
        segment.push(&f, &mut out).unwrap();
        // SAFETY: a null input drains.
        while unsafe { segment.convert(null_mut(), 0, &mut out) }.unwrap() > 0 {}
        let off = segment.given as i64 - segment.due() as i64;
        assert!((-1..=4).contains(&off), "{rate} Hz: {off}");
        // Soxr goes on with silence behind the last sample of the source, which shows as ringing before it.
        let (at, slack) = match has_soxr() {
            true => ((20_011 - 8) * 48_000 / rate as usize, 0.05),
            false => (segment.due() as usize - 1 - usize::from(off < 0), 0.01),
        };
        let tail = &out[at];
        assert!((tail - 0.5).abs() < slack, "{rate} Hz: the source's samples, not the filter's run-out: {tail}");
    }
}

#[test]
fn an_impulse_stays_where_it_was() {
    for rate in [22_050u32, 44_100, 96_000] {
        let mut samples = vec![0.0f64; 30_000];
        samples[12_345] = 1.0;
        let mut resampler = Resampler::new(48_000, 1, identity());
        let mut out = Vec::new();
        for part in samples.chunks(1_024) {
            let f = frame(sys::AVSampleFormat::AV_SAMPLE_FMT_FLTP, part, rate, "mono");
            resampler.push(&f, &mut out).unwrap();
        }
        resampler.flush(&mut out).unwrap();
        let peak = out.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap().0;
        let expected = 12_345.0 * 48_000.0 / f64::from(rate);
        assert!((peak as f64 - expected).abs() <= 1.0, "{rate} Hz: {peak} against {expected}");
    }
}

#[test]
fn a_matrix_routes_without_touching_the_samples() {
    // Six channels: the third and the fourth change places with the last two.
    let order = [0usize, 2, 1, 4, 5, 3];
    let mut matrix = vec![0.0; 36];
    order.iter().enumerate().for_each(|(out, input)| matrix[out * 6 + input] = 1.0);
    let samples: Vec<f32> = (0..6 * 4_800).map(|i| (i as f32 * 0.37).sin() * 0.9).collect();
    let mixer: Mixer = Box::new(move |_| Ok(Mix { matrix: Some(matrix.clone()), folds: false }));
    let mut resampler = Resampler::new(48_000, 6, mixer);
    let mut out = Vec::new();
    let f = AudioFrame::from_interleaved_f32(&samples, 48_000, "5.1(side)", None).unwrap();
    resampler.push(&f, &mut out).unwrap();
    resampler.flush(&mut out).unwrap();
    assert_eq!(out.len(), samples.len());
    for (i, row) in out.chunks(6).enumerate() {
        for (c, input) in order.iter().enumerate() {
            assert_eq!(row[c].to_bits(), samples[i * 6 + input].to_bits(), "sample {i} channel {c}");
        }
    }
}

#[test]
fn a_change_of_format_rate_or_layout_loses_nothing() {
    let mixer: Mixer = Box::new(|layout| {
        let folds = layout.channels() > 1;
        Ok(Mix { matrix: Some(vec![1.0 / layout.channels() as f64; layout.channels()]), folds })
    });
    let mut resampler = Resampler::new(48_000, 1, mixer);
    let mut out = Vec::new();
    let mut expected = 0;
    for (format, rate, layout, exact) in [
        (sys::AVSampleFormat::AV_SAMPLE_FMT_S16, 44_100u32, "mono", 48_000),
        (sys::AVSampleFormat::AV_SAMPLE_FMT_FLTP, 44_100, "mono", 48_000),
        (sys::AVSampleFormat::AV_SAMPLE_FMT_FLTP, 96_000, "mono", 48_000),
        (sys::AVSampleFormat::AV_SAMPLE_FMT_FLTP, 96_000, "22.2", 48_000),
    ] {
        let samples = vec![0.1; rate as usize];
        resampler.push(&frame(format, &samples, rate, layout), &mut out).unwrap();
        expected += exact;
        assert_eq!(resampler.position(), expected);
    }
    resampler.flush(&mut out).unwrap();
    assert_eq!(out.len() as u64, expected);
    assert_eq!(resampler.changes(), 3);
    assert!(resampler.did_downmix());
}

#[test]
fn what_cannot_be_converted_is_refused() {
    let push = |f: &AudioFrame, channels| Resampler::new(48_000, channels, identity()).push(f, &mut Vec::new());
    for (rate, layout, channels) in
        [(0, "mono", 1), (999, "mono", 1), (i32::MAX as u32, "mono", 1), (48_000, "255 channels", 255)]
    {
        let f = AudioFrame::from_interleaved_f32(&[0.0; 510], rate, layout, None).unwrap();
        assert_eq!(push(&f, channels).unwrap_err().kind(), ErrorKind::Unsupported, "{rate} Hz {layout}");
    }
    let f = AudioFrame::from_interleaved_f32(&[0.0; 4], 48_000, "stereo", None).unwrap();
    assert_eq!(push(&f, 1).unwrap_err().kind(), ErrorKind::Encode, "a mix that does not fit");
    assert!(AudioFrame::from_interleaved_f32(&[], 48_000, "no such layout", None).is_err());
}

#[test]
fn layouts_are_read_as_channel_numbers() {
    let ids = |name: &str| ChannelLayout::from_name(name).and_then(|l| l.ids().map(<[u32]>::to_vec));
    assert_eq!(ids("5.1(side)"), Some(vec![0, 1, 2, 3, 9, 10]));
    assert_eq!(ids("FR+FL"), Some(vec![1, 0]), "custom order");
    assert_eq!(ids("6 channels"), None);
    assert_eq!(ChannelLayout::from_name("6 channels").unwrap().channels(), 6);
    assert!(ChannelLayout::from_name("ambisonic 1").unwrap().is_ambisonic());
    assert!(ChannelLayout::default_for(255).is_none());
    assert_eq!(ChannelLayout::default_for(24).unwrap().channels(), 24);
    let f = AudioFrame::from_interleaved_f32(&[0.0; 12], 48_000, "5.1(side)", None).unwrap();
    assert_eq!((f.layout_name().as_str(), f.samples(), f.channels()), ("5.1(side)", 2, 6));
    assert_eq!(Some(f.layout()), ChannelLayout::from_name("5.1(side)"));
}
