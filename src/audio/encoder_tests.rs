//! The law of time and channels, checked by decoding what was encoded.
#![deny(unsafe_code)]

use super::*;
use crate::audio::ffi::OpusDecoder;
use crate::audio::layout::LayoutPlan;
use crate::audio::timeline::{is_jump, position_of, sample_base};
use crate::av::AudioFrame;
use crate::base::{Error, ErrorKind, Rational};
use crate::syntax::opus::{OPUS_RATE, OpusHead};
use crate::syntax::opus::{opus_head_facts, packet_samples};

/// FFmpeg's layout names whose Opus layout has that many channels, and the channels' order in Opus.
const LAYOUTS: [(&str, &[usize]); 9] = [
    ("mono", &[0]),
    ("stereo", &[0, 1]),
    ("3.0", &[0, 2, 1]),
    ("quad", &[0, 1, 2, 3]),
    ("5.0(side)", &[0, 2, 1, 3, 4]),
    ("5.1(side)", &[0, 2, 1, 4, 5, 3]),
    ("5.1", &[0, 2, 1, 4, 5, 3]),
    ("6.1", &[0, 2, 1, 5, 6, 4, 3]),
    ("7.1", &[0, 2, 1, 6, 7, 4, 5, 3]),
];

fn config(channels: u32, layout: &str, rate: u32) -> AudioConfig {
    let plan = LayoutPlan::for_source(channels, layout).unwrap();
    AudioConfig { plan: SoundPlan::opus(plan), source_rate: rate, start: None, level: None }
}

fn millis(ms: i64) -> Option<Timestamp> {
    Some(Timestamp::new(ms, Rational::MILLI))
}

fn frame(samples: &[f32], rate: u32, layout: &str, pts: Option<Timestamp>) -> Sound {
    AudioFrame::from_interleaved_f32(samples, rate, layout, pts).unwrap().into()
}

/// What comes out of an encoder, and what a player makes of it.
struct Heard {
    packets: Vec<Packet>,
    stats: AudioStats,
    head: OpusHead,
    /// Interleaved, without pre-skip and discard padding.
    pcm: Vec<f32>,
}

impl Heard {
    fn channels(&self) -> usize {
        usize::from(self.head.channels)
    }

    fn samples(&self) -> usize {
        self.pcm.len() / self.channels()
    }

    fn channel(&self, c: usize) -> Vec<f32> {
        self.pcm.iter().skip(c).step_by(self.channels()).copied().collect()
    }
}

/// Encodes the frames and plays the result by RFC 7845: pre-skip off the front, padding off the end.
fn hear(config: AudioConfig, frames: impl IntoIterator<Item = Sound>) -> Heard {
    let mut encoder = AudioEncoder::new(config).unwrap();
    let head = opus_head_facts(&encoder.track().unwrap().configuration).expect("our own header reads back");
    let mut packets = Vec::new();
    let mut sink = |p: Packet| {
        packets.push(p);
        Ok(())
    };
    for frame in frames {
        encoder.push(frame, &mut sink).unwrap();
    }
    let stats = encoder.finish(&mut sink).unwrap();
    let mut decoder = OpusDecoder::new(&head).unwrap();
    let channels = usize::from(head.channels);
    let mut pcm = Vec::new();
    for (i, packet) in packets.iter().enumerate() {
        let decoded = decoder.decode(&packet.data).unwrap();
        assert_eq!(packet_samples(&packet.data), Some((decoded.len() / channels) as u32));
        let last = i + 1 == packets.len();
        assert!(last || packet.trim.discard_padding_ns() == 0, "only the last packet is cut");
        let discard = (packet.trim.discard_padding_ns() as f64 * 48e3 / 1e9).round() as usize;
        let played = Span::new((decoded.len() / channels - discard) as i64, sample_base(OPUS_RATE));
        assert_eq!(packet.duration, Some(played));
        assert_eq!(packet.pts.ticks(), packets[0].pts.ticks() + 960 * i as i64);
        pcm.extend_from_slice(&decoded[..decoded.len() - discard * channels]);
    }
    pcm.drain(..pcm.len().min(usize::from(head.pre_skip) * channels));
    assert_eq!(stats.packets, packets.len() as u64);
    assert_eq!(stats.bytes, packets.iter().map(|p| p.data.len() as u64).sum::<u64>());
    assert_eq!(stats.samples as usize * channels, pcm.len(), "the decoded length is the stats' to the sample");
    Heard { packets, stats, head, pcm }
}

/// Cuts interleaved samples into frames of `size` samples with exact times from `start`, in 1/rate s.
fn cut(samples: &[f32], channels: usize, rate: u32, layout: &str, size: usize, start: i64) -> Vec<Sound> {
    let base = Rational::positive(1, rate as i32).unwrap();
    let parts = samples.chunks(size * channels).enumerate();
    parts.map(|(i, p)| frame(p, rate, layout, Some(Timestamp::new(start + (i * size) as i64, base)))).collect()
}

fn sine(frequency: f64, rate: u32, samples: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU * frequency / f64::from(rate);
    (0..samples).map(|i| 0.5 * (i as f64 * step).sin() as f32).collect()
}

/// The amplitude of one frequency (Goertzel's question, asked plainly).
fn amplitude(samples: &[f32], frequency: f64) -> f64 {
    let step = std::f64::consts::TAU * frequency / 48_000.0;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, s) in samples.iter().enumerate() {
        re += f64::from(*s) * (i as f64 * step).cos();
        im += f64::from(*s) * (i as f64 * step).sin();
    }
    2.0 * re.hypot(im) / samples.len() as f64
}

fn peak(samples: &[f32]) -> usize {
    samples.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap().0
}

/// A full-band click that no codec can move unnoticed: a short burst, loudest at `at`.
fn click(length: usize, at: usize) -> Vec<f32> {
    let mut samples = vec![0.0; length];
    for (offset, level) in [(-2, -0.1), (-1, 0.3), (0, 0.9), (1, 0.3), (2, -0.1)] {
        samples[(at as i64 + offset) as usize] = level;
    }
    samples
}

fn interleave(channels: &[Vec<f32>]) -> Vec<f32> {
    (0..channels[0].len()).flat_map(|i| channels.iter().map(move |c| c[i])).collect()
}

/// The index of the low-frequency channel in FFmpeg's order.
fn lfe(layout: &str) -> Option<usize> {
    layout.contains(".1").then_some(3)
}

#[test]
fn every_channel_of_every_layout_ends_in_its_own_place_at_its_own_level() {
    for (layout, order) in LAYOUTS {
        let n = order.len();
        let tone = |c: usize| if lfe(layout) == Some(c) { 60.0 } else { 400.0 + 350.0 * c as f64 };
        let source: Vec<_> = (0..n).map(|c| sine(tone(c), 48_000, 48_000)).collect();
        let frames = cut(&interleave(&source), n, 48_000, layout, 1_536, 0);
        let heard = hear(config(n as u32, layout, 48_000), frames);
        assert_eq!((heard.channels(), heard.samples()), (n, 48_000), "{layout}");
        assert_eq!(heard.head.mapping.family, u8::from(n > 2));
        for (out, input) in order.iter().enumerate() {
            let channel = heard.channel(out);
            let steady = &channel[4_800..43_200];
            for other in 0..n {
                let level = amplitude(steady, tone(other));
                if other == *input {
                    assert!((level - 0.5).abs() < 0.05, "{layout}: channel {out} has {level} of its tone");
                } else {
                    assert!(level < 0.02, "{layout}: channel {out} has {level} of channel {other}");
                }
            }
        }
    }
}

#[test]
fn a_click_lands_on_its_sample_in_every_layout() {
    for (layout, order) in LAYOUTS {
        let n = order.len();
        for (out, input) in order.iter().enumerate().filter(|(_, c)| lfe(layout) != Some(**c)) {
            let at = 7_001 + 997 * out;
            let mut source = vec![vec![0.0; 20_000]; n];
            source[*input] = click(20_000, at);
            let heard = hear(config(n as u32, layout, 48_000), cut(&interleave(&source), n, 48_000, layout, 1_000, 0));
            let found = peak(&heard.channel(out));
            assert!(found.abs_diff(at) <= 1, "{layout} channel {out}: {found} instead of {at}");
        }
    }
}

#[test]
fn the_length_is_exact_whatever_it_is() {
    for length in [1usize, 647, 648, 649, 959, 960, 961, 1_607, 1_608, 1_609, 48_000] {
        let heard = hear(config(2, "stereo", 48_000), cut(&vec![0.1; length * 2], 2, 48_000, "stereo", 1_024, 0));
        assert_eq!(heard.samples(), length);
        assert_eq!(heard.packets.len(), (length + 312).div_ceil(960));
        assert!(heard.packets.iter().all(|p| p.trim.discard_padding_ns() < 20_000_000));
    }
}

#[test]
fn the_first_packet_carries_the_start_less_the_pre_skip() {
    for (start, expected) in [(0, -312), (-48, -360), (96_000, 95_688)] {
        let heard = hear(config(1, "mono", 48_000), cut(&[0.0; 4_000], 1, 48_000, "mono", 1_000, start));
        assert_eq!(heard.head.pre_skip, 312);
        assert_eq!(heard.packets[0].pts, Timestamp::new(expected, sample_base(OPUS_RATE)));
        assert_eq!((heard.stats.gaps, heard.stats.overlaps, heard.stats.start_unknown), (0, 0, false));
    }
}

#[test]
fn a_stream_without_times_starts_where_the_container_says_or_at_0_and_says_so() {
    let frames = || (0..5).map(|_| frame(&[0.1; 1_000], 48_000, "mono", None));
    let heard = hear(config(1, "mono", 48_000), frames());
    assert_eq!((heard.packets[0].pts.ticks(), heard.samples(), heard.stats.start_unknown), (-312, 5_000, true));
    let known = AudioConfig { start: millis(2_000), ..config(1, "mono", 48_000) };
    let heard = hear(known, frames());
    assert_eq!((heard.packets[0].pts.ticks(), heard.samples(), heard.stats.start_unknown), (95_688, 5_000, false));
}

#[test]
fn other_rates_keep_length_and_place() {
    for rate in [8_000u32, 22_050, 44_100, 96_000] {
        let length = rate as usize * 2 + 17;
        let exact = (length as f64 * 48_000.0 / f64::from(rate)).round() as usize;
        let at = length / 3;
        let source = interleave(&[click(length, at), vec![0.0; length]]);
        let heard = hear(config(2, "stereo", rate), cut(&source, 2, rate, "stereo", 1_024, 0));
        assert_eq!(heard.samples(), exact, "{rate} Hz");
        let expected = at as f64 * 48_000.0 / f64::from(rate);
        let found = peak(&heard.channel(0));
        // At 8 kHz the click is as wide as six samples of the output.
        let slack = f64::max(1.0, 24_000.0 / f64::from(rate));
        assert!((found as f64 - expected).abs() <= slack, "{rate} Hz: {found} instead of {expected}");
        assert_eq!(heard.head.input_rate, rate);
    }
}

#[test]
fn an_hour_of_millisecond_times_makes_no_seam() {
    // 1024 samples at 44.1 kHz: 23.22 ms, rounded by Matroska in turn up and down.
    let length = 1_024i64;
    let count = 3_600 * 44_100 / length;
    let mut line = Vec::new();
    for i in 0..count {
        let pts = (i * length * 1_000 + 22_050) / 44_100;
        let exact = (i * length * 48_000 + 22_050) / 44_100;
        if is_jump(position_of(millis(pts).unwrap(), OPUS_RATE), exact, OPUS_RATE) {
            line.push(i);
        }
    }
    assert!(line.is_empty());
    // And through the encoder, with half a minute.
    let frames =
        (0..1_292).map(|i| frame(&[0.0; 1_024], 44_100, "mono", millis((i * length * 1_000 + 22_050) / 44_100)));
    let heard = hear(config(1, "mono", 44_100), frames);
    assert_eq!((heard.stats.gaps, heard.stats.overlaps, heard.stats.stray_timestamps), (0, 0, 0));
    assert_eq!(heard.samples() as i64, (1_292 * length * 48_000 + 22_050) / 44_100);
}

#[test]
fn a_gap_becomes_silence_of_its_own_length() {
    for rate in [48_000u32, 44_100] {
        let second = sine(440.0, rate, rate as usize);
        let mut frames = cut(&second, 1, rate, "mono", 1_024, 0);
        frames.extend(cut(&second, 1, rate, "mono", 1_024, i64::from(rate) * 5 / 2));
        let heard = hear(config(1, "mono", rate), frames);
        assert_eq!((heard.stats.gaps, heard.stats.inserted_samples), (1, 72_000));
        assert_eq!(heard.samples(), 168_000);
        let pcm = heard.channel(0);
        let level = |from: usize, to: usize| pcm[from..to].iter().map(|s| s * s).sum::<f32>() / (to - from) as f32;
        assert!(level(4_800, 47_000) > 0.1 && level(121_000, 165_000) > 0.1);
        assert!(level(49_000, 119_000) < 1e-5, "silence in between");
        let loud = |s: &f32| s.abs() > 0.1;
        let end = 48_000 - pcm[..100_000].iter().rev().position(loud).map_or(0, |n| 100_000 - n);
        let start = 100_000 + pcm[100_000..].iter().position(loud).unwrap();
        assert!(end.abs_diff(0) < 200 && start.abs_diff(120_000) < 200, "{rate}: {end} {start}");
    }
}

#[test]
fn an_overlap_is_cut_to_the_sample() {
    for rate in [48_000u32, 44_100] {
        let length = rate as usize;
        let mut frames = cut(&vec![0.0; length], 1, rate, "mono", 1_024, 0);
        // Starts half a second back: what lies before 1 s was given already. The click is at 1.25 s.
        let again = click(length, length * 3 / 4);
        frames.extend(cut(&again, 1, rate, "mono", 1_024, i64::from(rate) / 2));
        let heard = hear(config(1, "mono", rate), frames);
        assert_eq!((heard.stats.overlaps, heard.stats.trimmed_samples), (1, 24_000), "{rate}");
        assert_eq!(heard.samples(), 72_000);
        assert!(peak(&heard.channel(0)).abs_diff(60_000) <= 1);
    }
}

#[test]
fn a_gap_after_an_overlap_is_not_filled_twice() {
    let second = vec![0.1; 48_000];
    let mut frames = cut(&second, 1, 48_000, "mono", 1_000, 0);
    frames.extend(cut(&second[..4_800], 1, 48_000, "mono", 1_000, 24_000));
    frames.extend(cut(&second, 1, 48_000, "mono", 1_000, 72_000));
    let heard = hear(config(1, "mono", 48_000), frames);
    // 0 to 1 s, nothing of the repetition, silence to 1.5 s, then another second.
    assert_eq!((heard.samples(), heard.stats.inserted_samples, heard.stats.trimmed_samples), (120_000, 24_000, 4_800));
}

#[test]
fn one_wrong_timestamp_does_not_tear_the_sound_apart() {
    for wrong in [90_000, -500, i64::MAX / 2] {
        let frames = (0..50).map(|i| frame(&[0.1; 960], 48_000, "mono", millis(if i == 20 { wrong } else { i * 20 })));
        let heard = hear(config(1, "mono", 48_000), frames);
        assert_eq!(heard.samples(), 48_000, "{wrong}");
        assert_eq!((heard.stats.gaps, heard.stats.overlaps), (0, 0));
        assert_eq!(heard.stats.stray_timestamps, u64::from(wrong < i64::MAX / 2), "beyond all time it is no timestamp");
    }
}

#[test]
fn times_that_jump_for_hours_are_an_error_with_its_place() {
    for far in [2 * 3_600_000i64, -20 * 60_000] {
        let mut encoder = AudioEncoder::new(config(1, "mono", 48_000)).unwrap();
        let mut sink = |_| Ok(());
        let mut push = |ms| encoder.push(frame(&[0.0; 960], 48_000, "mono", millis(ms)), &mut sink);
        push(0).unwrap();
        push(far).unwrap();
        let error = push(far + 20).unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Input, Some("audio")));
        assert!(error.to_string().contains(&format!("at {:.3} s", far as f64 / 1e3)), "{error}");
    }
}

#[test]
fn no_sound_makes_no_packets() {
    for frames in [vec![], vec![frame(&[], 48_000, "mono", millis(5))]] {
        let heard = hear(config(1, "mono", 48_000), frames);
        assert_eq!((heard.packets.len(), heard.stats.frames, heard.stats.samples), (0, 0, 0));
    }
}

#[test]
fn bit_rates_are_near_what_was_asked_for() {
    for (layout, order) in LAYOUTS {
        let n = order.len();
        // Filtered noise with a tone: busy, but like sound. A plain xorshift, different in each channel.
        let noise = |c: usize| {
            let mut state = 0x9e37_79b9_u32.wrapping_mul(c as u32 + 1);
            let mut low = 0.0;
            sine(220.0 * (c + 1) as f64, 48_000, 96_000).into_iter().map(move |tone| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                low += 0.2 * (state as f32 / u32::MAX as f32 - 0.5 - low);
                0.4 * tone + low
            })
        };
        let source: Vec<Vec<f32>> = (0..n).map(|c| noise(c).collect()).collect();
        let config = config(n as u32, layout, 48_000);
        let asked = f64::from(config.plan.layout.bitrate());
        let heard = hear(config, cut(&interleave(&source), n, 48_000, layout, 1_024, 0));
        let rate = heard.stats.bytes as f64 * 8.0 / 2.0;
        assert!((0.7..1.4).contains(&(rate / asked)), "{layout}: {rate:.0} of {asked:.0} b/s");
    }
}

#[test]
fn a_layout_that_changes_in_mid_stream_is_mixed_to_the_planned_one() {
    let stereo = interleave(&[sine(500.0, 48_000, 48_000), sine(900.0, 48_000, 48_000)]);
    let mut frames = cut(&stereo, 2, 48_000, "stereo", 1_024, 0);
    let mut six = vec![vec![0.0; 44_100]; 6];
    six[2] = sine(1_500.0, 44_100, 44_100);
    frames.extend(cut(&interleave(&six), 6, 44_100, "5.1(side)", 1_024, 44_100));
    let heard = hear(config(2, "stereo", 48_000), frames);
    assert_eq!((heard.samples(), heard.stats.format_changes, heard.stats.downmixed), (96_000, 1, true));
    for c in 0..2 {
        let centre = amplitude(&heard.channel(c)[52_000..92_000], 1_500.0);
        assert!((centre - 0.5 * 0.293).abs() < 0.02, "the centre is in both: {centre}");
    }
}

#[test]
fn samples_that_are_no_numbers_do_not_reach_the_encoder() {
    let mut samples = sine(440.0, 48_000, 48_000);
    samples[10_000] = f32::NAN;
    samples[20_000] = f32::NEG_INFINITY;
    samples[30_000] = 1e30;
    let heard = hear(config(1, "mono", 48_000), cut(&samples, 1, 48_000, "mono", 1_024, 0));
    assert_eq!(heard.stats.damaged_samples, 3);
    assert!(heard.pcm.iter().all(|s| s.is_finite()));
    assert!((amplitude(&heard.channel(0)[33_000..47_000], 440.0) - 0.5).abs() < 0.05);
}

#[test]
fn the_sinks_error_stops_the_encoder() {
    let mut encoder = AudioEncoder::new(config(1, "mono", 48_000)).unwrap();
    let mut full = |_| Err(Error::new(ErrorKind::Output, "disk full"));
    let error = encoder.push(frame(&[0.0; 2_000], 48_000, "mono", millis(0)), &mut full).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output);
}

#[test]
fn the_same_sound_makes_the_same_bytes_however_it_is_cut() {
    let source = interleave(&[sine(300.0, 44_100, 50_000), sine(700.0, 44_100, 50_000)]);
    let bytes = |size: usize| -> Vec<Vec<u8>> {
        let frames = cut(&source, 2, 44_100, "stereo", size, 0);
        hear(config(2, "stereo", 44_100), frames).packets.iter().map(|p| p.data.to_vec()).collect()
    };
    assert_eq!(bytes(1_024), bytes(1_024));
    assert_eq!(bytes(1_024), bytes(4_096));
}
