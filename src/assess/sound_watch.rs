//! What is measured of one track of sound while it is decoded.
#![deny(unsafe_code)]

use super::finding::{FindingKind, QualityFinding};
use super::series::{SECOND, secs};
use super::thresholds::Thresholds;
use crate::audio::{LayoutPlan, SoundMeter, SoundPlan};
use crate::av::{AudioFrame, Mix, Resampler};
use crate::base::Result;
use crate::media::{Sound, StreamInfo};
use crate::plan::Loudness;

/// Below this nothing is heard: −60 dB of full scale, silencedetect's default.
const SILENT: f32 = 0.001;

/// A sample that is at least this is at full scale: the highest one of 16 bits.
const FULL: f32 = 32_767.0 / 32_768.0;

/// So many samples in a row at full scale are clipped.
const CLIPPED: u32 = 3;

/// Clipped samples no further apart than this are one finding.
const TOGETHER: i64 = SECOND;

/// Phase is looked at in blocks of this part of a second.
const BLOCKS: u32 = 10;

/// Below this correlation left and right are in opposite phase.
const OPPOSITE: f64 = -0.5;

/// The most stretches of one kind that are kept of a track.
const MOST: usize = 200;

/// A stretch of time and what it came to.
#[derive(Clone, Debug, PartialEq)]
struct SoundSpan {
    from: i64,
    to: i64,
    count: u64,
}

/// Measures one track.
pub(super) struct SoundWatch {
    stream: usize,
    samples: Resampler,
    channels: usize,
    rate: u32,
    loudness: Option<SoundMeter>,
    buffer: Vec<f32>,
    /// Of the next sample, in nanoseconds.
    now: i64,
    first: Option<i64>,
    /// Samples since the first time.
    counted: u64,
    /// How far the last time was from the samples counted, and the largest step of that with its time.
    drift: i64,
    step: (i64, i64),
    silence: Option<i64>,
    silences: Vec<SoundSpan>,
    peaks: Vec<f32>,
    runs: Vec<u32>,
    clipped: Vec<SoundSpan>,
    phase: PhaseMeter,
    notes: Vec<String>,
}

/// What a [`SoundWatch`] heard.
pub(super) struct WatchedSound {
    pub(super) findings: Vec<QualityFinding>,
    pub(super) loudness: Option<Loudness>,
    /// Correlation of left and right over all of it; `None` for one channel and silence.
    pub(super) correlation: Option<f64>,
    /// The highest sample of each channel.
    pub(super) peaks: Vec<f32>,
    /// First and last time.
    pub(super) span: Option<(f64, f64)>,
    pub(super) notes: Vec<String>,
}

impl SoundWatch {
    /// For the track `stream`.
    pub(super) fn new(stream: &StreamInfo) -> Self {
        let audio = stream.audio.as_ref();
        let (channels, layout) = audio.map_or((2, "stereo"), |audio| (audio.channels, &audio.layout));
        let plan = LayoutPlan::for_source(channels, layout);
        let meter = plan.and_then(|plan| SoundMeter::new(&SoundPlan::opus(plan), stream.start));
        let notes = meter.as_ref().err().map(|e| format!("loudness: {e}")).into_iter().collect();
        SoundWatch {
            stream: stream.index,
            samples: plain_resampler(1, 1),
            channels: 0,
            rate: 0,
            loudness: meter.ok(),
            buffer: Vec::new(),
            now: 0,
            first: None,
            counted: 0,
            drift: 0,
            step: (0, 0),
            silence: None,
            silences: Vec::new(),
            peaks: Vec::new(),
            runs: Vec::new(),
            clipped: Vec::new(),
            phase: PhaseMeter::default(),
            notes,
        }
    }

    /// Takes the next run of sound.
    ///
    /// # Errors
    /// `Unsupported` for sound of a form that cannot be converted.
    pub(super) fn push(&mut self, sound: Sound) -> Result<()> {
        if sound.samples == 0 || sound.sample_rate == 0 || sound.channels == 0 {
            return Ok(());
        }
        let form = (sound.channels as usize, sound.sample_rate);
        if form != (self.channels, self.rate) {
            self.new_form(form);
        }
        self.time(&sound);
        self.buffer.clear();
        self.samples.push(AudioFrame::of(&sound)?, &mut self.buffer)?;
        let buffer = std::mem::take(&mut self.buffer);
        self.hear(&buffer);
        self.buffer = buffer;
        if let Some(meter) = &mut self.loudness
            && let Err(error) = meter.push(sound)
        {
            self.notes.push(format!("loudness: {error}"));
            self.loudness = None;
        }
        Ok(())
    }

    fn new_form(&mut self, (channels, rate): (usize, u32)) {
        (self.channels, self.rate) = (channels, rate);
        // The same rate and channels: each sample comes out as it goes in, at once.
        self.samples = plain_resampler(rate, channels);
        self.peaks.resize(self.peaks.len().max(channels), 0.0);
        self.runs = vec![0; channels];
        (self.first, self.counted) = (None, 0);
        self.phase.restart(rate / BLOCKS);
    }

    /// Compares the time of a run with the samples that came before it.
    fn time(&mut self, sound: &Sound) {
        let Some(at) = sound.pts.map(|pts| pts.as_nanos()) else { return };
        let first = *self.first.get_or_insert_with(|| {
            self.drift = 0;
            at
        });
        let expected = first + self.length(self.counted);
        let drift = at - expected;
        let step = drift - self.drift;
        if step.abs() > self.step.0.abs() {
            self.step = (step, at);
        }
        self.drift = drift;
        self.now = at;
    }

    fn length(&self, samples: u64) -> i64 {
        (i128::from(samples) * i128::from(SECOND) / i128::from(self.rate.max(1))) as i64
    }

    fn hear(&mut self, samples: &[f32]) {
        let begun = self.now;
        let channels = self.channels.max(1);
        let each = SECOND as f64 / f64::from(self.rate.max(1));
        for (n, frame) in samples.chunks_exact(channels).enumerate() {
            let at = || begun + (n as f64 * each) as i64;
            let mut loudest = 0.0f32;
            for (channel, sample) in frame.iter().enumerate() {
                let level = sample.abs();
                loudest = loudest.max(level);
                self.peaks[channel] = self.peaks[channel].max(level);
                if level >= FULL {
                    self.runs[channel] += 1;
                    if self.runs[channel] >= CLIPPED {
                        let count = if self.runs[channel] == CLIPPED { u64::from(CLIPPED) } else { 1 };
                        self.clip(at(), count);
                    }
                } else {
                    self.runs[channel] = 0;
                }
            }
            match (loudest < SILENT, self.silence) {
                (true, None) => self.silence = Some(at()),
                (false, Some(from)) => {
                    self.end_silence(from, at());
                    self.silence = None;
                }
                _ => {}
            }
            if channels >= 2 {
                self.phase.push(frame[0], frame[1], at());
            }
        }
        let frames = (samples.len() / channels) as u64;
        self.counted += frames;
        self.now = begun + self.length(frames);
    }

    fn clip(&mut self, at: i64, count: u64) {
        // What follows the last finding that is kept is counted to it: a file that clips all over is one.
        let full = self.clipped.len() >= MOST;
        match self.clipped.last_mut() {
            Some(last) if at - last.to <= TOGETHER || full => (last.to, last.count) = (at, last.count + count),
            _ => self.clipped.push(SoundSpan { from: at, to: at, count }),
        }
    }

    /// Silences under a tenth of a second are between words and of no use.
    fn end_silence(&mut self, from: i64, to: i64) {
        if to - from >= SECOND / 10 {
            self.silences.push(SoundSpan { from, to, count: 0 });
            if self.silences.len() > MOST {
                // The shortest is the first that nobody misses.
                let shortest =
                    (0..self.silences.len()).min_by_key(|at| self.silences[*at].to - self.silences[*at].from);
                self.silences.remove(shortest.unwrap_or(0));
            }
        }
    }

    /// What was heard, by the limits of what is worth finding.
    ///
    /// # Errors
    /// `Encode` where the loudness cannot be measured.
    pub(super) fn finish(mut self, thresholds: &Thresholds) -> Result<WatchedSound> {
        if let Some(from) = self.silence.take() {
            self.end_silence(from, self.now);
        }
        self.phase.end(self.now);
        let loudness = self.loudness.take().map(|meter| meter.finish()?.loudness()).transpose()?;
        let mut findings = self.silence_findings(thresholds);
        findings.extend(self.clipping_findings());
        findings.extend(self.phase_findings(thresholds));
        findings.extend(self.dead_channels());
        findings.extend(self.drift_finding());
        findings.extend(loudness.iter().flat_map(loudness_findings));
        let span = self.first.map(|_| (secs(self.begin()), secs(self.now)));
        let findings = findings.into_iter().map(|f| f.of_stream(self.stream)).collect();
        let correlation = self.phase.all();
        Ok(WatchedSound { findings, loudness, correlation, peaks: self.peaks, span, notes: self.notes })
    }

    fn begin(&self) -> i64 {
        self.first.unwrap_or(0)
    }

    fn silence_findings(&self, thresholds: &Thresholds) -> Vec<QualityFinding> {
        let Some(limit) = thresholds.finding(FindingKind::Silence).first(false) else { return Vec::new() };
        let long = self.silences.iter().filter(|s| secs(s.to - s.from) >= limit);
        long.map(|s| {
            let length = secs(s.to - s.from);
            let message = format!("silence for {length:.2} s");
            QualityFinding::new(FindingKind::Silence, Some((secs(s.from), secs(s.to))), length, message)
        })
        .collect()
    }

    fn clipping_findings(&self) -> Vec<QualityFinding> {
        let found = self.clipped.iter().map(|s| {
            let message = format!("{} samples in runs at full scale", s.count);
            QualityFinding::new(FindingKind::Clipping, Some((secs(s.from), secs(s.to))), s.count as f64, message)
        });
        found.collect()
    }

    fn phase_findings(&self, thresholds: &Thresholds) -> Vec<QualityFinding> {
        let Some(limit) = thresholds.finding(FindingKind::Phase).first(false) else { return Vec::new() };
        let long = self.phase.opposite.iter().filter(|s| secs(s.to - s.from) >= limit);
        long.map(|s| {
            let length = secs(s.to - s.from);
            let message = format!("left and right are in opposite phase for {length:.2} s: mono playback loses them");
            QualityFinding::new(FindingKind::Phase, Some((secs(s.from), secs(s.to))), length, message)
        })
        .collect()
    }

    fn dead_channels(&self) -> Vec<QualityFinding> {
        let sounds = self.peaks.iter().any(|peak| *peak >= SILENT);
        let dead = (0..self.peaks.len()).filter(|at| sounds && self.peaks.len() <= 2 && self.peaks[*at] < SILENT);
        dead.map(|at| {
            let message = format!("nothing is heard in channel {} of {}", at + 1, self.peaks.len());
            QualityFinding::new(FindingKind::DeadChannel, None, 1.0, message)
        })
        .collect()
    }

    fn drift_finding(&self) -> Option<QualityFinding> {
        let total = self.drift as f64 / 1e6;
        if total.abs() < 1.0 {
            return None;
        }
        let step = self.step.0 as f64 / 1e6;
        let how = match step.abs() >= total.abs() / 2.0 {
            true => format!("most of it at {:.3} s, {step:+.0} ms", secs(self.step.1)),
            false => "bit by bit".to_owned(),
        };
        let message = format!("the times of sound are {total:+.0} ms off its samples at the end, {how}");
        Some(QualityFinding::new(FindingKind::Drift, Some((secs(self.begin()), secs(self.now))), total.abs(), message))
    }
}

fn loudness_findings(loudness: &Loudness) -> Vec<QualityFinding> {
    let mut out = Vec::new();
    if let Some(peak) = loudness.true_peak_dbtp {
        out.push(QualityFinding::new(FindingKind::TruePeak, None, peak, format!("the true peak is {peak:.1} dBTP")));
    }
    if let Some(lufs) = loudness.integrated_lufs {
        let message = format!("the loudness is {lufs:.1} LUFS");
        out.push(QualityFinding::new(FindingKind::Loud, None, lufs, message.clone()));
        out.push(QualityFinding::new(FindingKind::Soft, None, lufs, message));
    }
    out
}

/// Samples as they are, as interleaved numbers.
fn plain_resampler(rate: u32, channels: usize) -> Resampler {
    Resampler::new(rate, channels, Box::new(|_| Ok(Mix { matrix: None, folds: false })))
}

/// Correlation of left and right in blocks.
#[derive(Default)]
struct PhaseMeter {
    block: u32,
    filled: u32,
    begun: i64,
    /// Sums of left·left, right·right, left·right: of the block, and of all.
    sums: [f64; 3],
    totals: [f64; 3],
    since: Option<i64>,
    opposite: Vec<SoundSpan>,
    /// When blocks that are too soft to be told began, after the last that could.
    untold: Option<i64>,
}

impl PhaseMeter {
    fn restart(&mut self, block: u32) {
        (self.block, self.filled, self.sums) = (block.max(1), 0, [0.0; 3]);
    }

    fn push(&mut self, left: f32, right: f32, at: i64) {
        if self.filled == 0 {
            self.begun = at;
        }
        let (l, r) = (f64::from(left), f64::from(right));
        self.sums[0] += l * l;
        self.sums[1] += r * r;
        self.sums[2] += l * r;
        self.filled += 1;
        if self.filled == self.block {
            self.close();
        }
    }

    fn close(&mut self) {
        let [l, r, both] = self.sums;
        let told = (l / f64::from(self.filled.max(1))).min(r / f64::from(self.filled.max(1)))
            >= f64::from(SILENT) * f64::from(SILENT);
        self.totals.iter_mut().zip(self.sums).for_each(|(total, sum)| *total += sum);
        (self.sums, self.filled) = ([0.0; 3], 0);
        match (told, self.since) {
            (true, None) if both / (l * r).sqrt() < OPPOSITE => self.since = Some(self.begun),
            (true, Some(from)) if both / (l * r).sqrt() >= OPPOSITE => {
                self.add(from, self.untold.unwrap_or(self.begun));
                self.since = None;
            }
            _ => {}
        }
        self.untold = if told || self.since.is_none() { None } else { self.untold.or(Some(self.begun)) };
    }

    fn add(&mut self, from: i64, to: i64) {
        if self.opposite.len() < MOST {
            self.opposite.push(SoundSpan { from, to, count: 0 });
        }
    }

    fn end(&mut self, at: i64) {
        if let Some(from) = self.since.take() {
            self.add(from, self.untold.unwrap_or(at));
        }
        self.totals.iter_mut().zip(self.sums).for_each(|(total, sum)| *total += sum);
    }

    /// Over all of the track.
    fn all(&self) -> Option<f64> {
        let [l, r, both] = self.totals;
        (l > 0.0 && r > 0.0).then(|| both / (l * r).sqrt())
    }
}
