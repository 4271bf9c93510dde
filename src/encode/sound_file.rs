//! One track of a source as a file of sound alone: written under a temporary name, synced, decoded again, renamed.
//!
//! ```text
//! Source ─► decode ─► audio (rate, downmix, loudness, codec) ─► container::sound_file ─► verify ─► name
//!        └─► packets as they are (--copy) ─────────────────────┘
//! ```

use std::path::PathBuf;

use serde::Serialize;

use super::loudness::{Levelling, complaint};
use super::sound_words::{SoundWords, words_of};
use crate::analyze::{hear, track_loudness};
use crate::audio::{AudioConfig, AudioEncoder, SoundOptions, SoundPlan, check_encoder, codec_name};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Rounding, Span, Timestamp};
use crate::config::path_text::lossy;
use crate::config::{Downmix, EncodeSettings, LoudnessSettings, SoundCodec};
use crate::container::sound_file::{SoundFileMuxer, SoundFormat};
use crate::container::{Muxer, is_cut_short};
use crate::event::{Event, Sink};
use crate::media::{AudioInfo, AudioTrackParams, FileParams, MediaInfo, Packet, StreamInfo, StreamKind, TrackId};
use crate::plan::SoundLevel;
use crate::report::LoudnessReport;
use crate::source::{AudioDecoder, Source, looked_at};
use crate::stages::streams::{Action, StreamDecision, Task};
use crate::store::PartialOutput;
use crate::verify::{ExpectedSound, Verification, failure, verify_sound};

/// A file of sound that is asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SoundFileRequest {
    /// The film, or other file of sound, to read.
    pub input: PathBuf,
    /// The file to write; its ending says the format.
    pub output: PathBuf,
    /// Which track of sound, from 1; `None` takes the one a player would choose.
    pub track: Option<usize>,
    /// Bits a second, in thousands; `None` takes what the layout needs.
    pub bitrate: Option<u32>,
    /// Samples a second; `None` takes the source's, or the next above that the codec has.
    pub sample_rate: Option<u32>,
    /// To which layout it is mixed down; one of more channels than there are is refused.
    pub downmix: Downmix,
    /// How loud it is made.
    pub loudness: LoudnessSettings,
    /// Whether packets are copied; refused where the format holds another codec, or anything else is asked.
    pub copy: bool,
    /// Whether an existing output may be replaced.
    pub overwrite: bool,
    /// Whether a source of whose sound more than 1 % is lost is taken all the same.
    pub accept_damage: bool,
}

/// More lost sound than this part of it fails a run, unless damage was accepted; less than so many seconds is no loss: headers
/// are not exact.
const MAX_DAMAGE: f64 = 0.01;
const LEAST_LOSS_S: f64 = 0.5;

impl SoundFileRequest {
    /// The track a player would choose, as good as usual.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        SoundFileRequest {
            input: input.into(),
            output: output.into(),
            track: None,
            bitrate: None,
            sample_rate: None,
            downmix: Downmix::Off,
            loudness: LoudnessSettings::default(),
            copy: false,
            overwrite: false,
            accept_damage: false,
        }
    }

    fn check(&self, format: SoundFormat) -> Result<()> {
        let usage = |message: String| Err(Error::new(ErrorKind::Usage, message));
        let changed = self.downmix != Downmix::Off
            || self.loudness.target().is_some()
            || self.bitrate.is_some()
            || self.sample_rate.is_some();
        if self.copy && changed {
            return usage(
                "a track that is copied stays as it is: no bit rate, sample rate, downmix or loudness".to_owned(),
            );
        }
        if self.bitrate.is_some() && format.codec().is_lossless() {
            return usage(format!("{} loses nothing and has no bit rate to choose", format.codec().title()));
        }
        if self.copy { Ok(()) } else { check_encoder(format.codec()) }
    }
}

/// What a file of sound came to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SoundFileReport {
    /// The source.
    #[serde(serialize_with = "lossy")]
    pub input: PathBuf,
    /// The file.
    #[serde(serialize_with = "lossy")]
    pub output: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The source's stream, and what it was.
    pub stream: usize,
    /// FFmpeg's name of its codec.
    pub source_codec: String,
    /// FFmpeg's name of its layout.
    pub source_layout: String,
    /// FFmpeg's name of the codec in the file.
    pub codec: String,
    /// FFmpeg's name of the layout in the file.
    pub layout: String,
    /// Samples a second in the file.
    pub sample_rate: u32,
    /// Samples a channel that are heard; absent of what was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Samples a decoder makes before those.
    pub delay_samples: u64,
    /// Samples a decoder makes after those.
    pub padding_samples: u64,
    /// Whether its packets are the source's.
    pub copied: bool,
    /// What was done to its channels and rate, and what the format has no place for.
    pub notes: Vec<String>,
    /// How loud it was made, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loudness: Option<LoudnessReport>,
    /// The file read back.
    pub verification: Verification,
}

/// Writes a track of sound of `request.input` into a file of its own.
///
/// # Errors
/// `Usage` for what cannot be asked for together, an unknown ending, a track there is not, an upmix; `Unsupported` for layouts the
/// codec does not have and encoders the library lacks, saying what to install; `Input`, `Output`, `Encode`, `Verification`,
/// `Interrupted` as of any encode.
pub fn sound_file(request: &SoundFileRequest, sink: &dyn Sink, cancel: &CancelToken) -> Result<SoundFileReport> {
    let format = SoundFormat::of(&request.output)?;
    request.check(format)?;
    looked_at(&request.input, cancel, |input| {
        let mut settings = EncodeSettings::new(&request.input, &request.output);
        settings.read_from = (input != request.input).then(|| input.to_path_buf());
        settings.loudness = request.loudness;
        let source = Source::open(input, cancel)?;
        let info = source.info().clone();
        drop(source);
        let stream = track_of(&info, request.track).map_err(|e| e.with_file(&request.input))?;
        let run = SoundRun { request, format, settings: &settings, info: &info, stream, sink, cancel };
        run.run().map_err(|e| e.with_file(&request.input))
    })
}

/// The `number`-th track of sound, or the one a player would choose.
fn track_of(info: &MediaInfo, number: Option<usize>) -> Result<&StreamInfo> {
    let tracks: Vec<&StreamInfo> = info.streams.iter().filter(|s| s.kind == StreamKind::Audio).collect();
    let Some(first) = tracks.first() else {
        return Err(Error::new(ErrorKind::Unsupported, "there is no sound in it"));
    };
    match number {
        None => Ok(tracks.iter().find(|s| s.disposition.default).unwrap_or(first)),
        Some(number) => number.checked_sub(1).and_then(|at| tracks.get(at)).copied().ok_or_else(|| {
            let count = tracks.len();
            let message = format!("there is no track {number} of sound: they are 1 to {count}");
            Error::new(ErrorKind::Usage, message)
        }),
    }
}

/// One file in the making.
struct SoundRun<'a> {
    request: &'a SoundFileRequest,
    format: SoundFormat,
    settings: &'a EncodeSettings,
    info: &'a MediaInfo,
    stream: &'a StreamInfo,
    sink: &'a dyn Sink,
    cancel: &'a CancelToken,
}

/// What was written.
struct WrittenSound {
    track: AudioTrackParams,
    layout: String,
    /// Samples that are heard, where they were counted, with those before and after.
    samples: Option<u64>,
    around: (u64, u64),
    chapters: usize,
    notes: Vec<String>,
}

impl SoundRun<'_> {
    fn run(&self) -> Result<SoundFileReport> {
        let audio = self.stream.audio.as_ref().filter(|a| a.channels > 0 && a.sample_rate > 0);
        let audio = audio.ok_or_else(|| {
            let message = "its channels and sample rate are unknown: nothing of it can be decoded";
            Error::new(ErrorKind::Unsupported, message).with_stream(self.stream.index)
        })?;
        let plan = if self.request.copy { None } else { Some(self.plan(audio)?) };
        if self.request.copy {
            self.check_copy()?;
        }
        let request = self.request;
        let file = PartialOutput::create(&request.input, &request.output, request.overwrite)?;
        self.sink.event(&Event::Started {
            input: request.input.display().to_string(),
            output: request.output.display().to_string(),
            frames: None,
            duration_s: self.info.duration_s,
        });
        let (level, loudness) = match &plan {
            Some(plan) => self.level(plan)?,
            None => (None, None),
        };
        self.sink.event(&Event::Stage { name: "encode" });
        let words = words_of(self.info, self.stream, self.format);
        let mut writer = SoundWriter { file: &file, format: self.format, words: &words, muxer: None, zero: None };
        let written = match &plan {
            Some(plan) => self.encode(plan, audio, level, &mut writer)?,
            None => self.copy(audio, &mut writer)?,
        };
        let chapters = writer.finish()?;
        file.sync()?;
        self.finish(file, WrittenSound { chapters, ..written }, loudness, &words)
    }

    fn plan(&self, audio: &AudioInfo) -> Result<SoundPlan> {
        let SoundFileRequest { downmix, bitrate, sample_rate, .. } = self.request;
        let options = SoundOptions {
            codec: self.format.codec(),
            downmix: *downmix,
            bitrate: bitrate.map(|kbps| kbps * 1000),
            rate: *sample_rate,
        };
        let plan = SoundPlan::new(audio, options).map_err(|e| e.with_stream(self.stream.index))?;
        if plan.layout.upmix_refused {
            let (from, to) = (&audio.layout, downmix.layout().unwrap_or_default());
            let message = format!("{from} is not mixed up to {to}: it has fewer channels");
            return Err(Error::new(ErrorKind::Usage, message).with_stream(self.stream.index));
        }
        Ok(plan)
    }

    fn check_copy(&self) -> Result<()> {
        let wanted = self.format.codec();
        let there = self.stream.codec.as_str();
        let same = there == codec_name(wanted) || wanted == SoundCodec::Pcm && there == "pcm_s24le";
        if same {
            return Ok(());
        }
        let message =
            format!("its sound is {there}, and the file holds {}; without --copy it is encoded", wanted.title());
        Err(Error::new(ErrorKind::Usage, message).with_stream(self.stream.index))
    }

    /// What is done to the loudness.
    fn level(&self, plan: &SoundPlan) -> Result<(Option<SoundLevel>, Option<LoudnessReport>)> {
        let decision = StreamDecision {
            index: self.stream.index,
            kind: StreamKind::Audio,
            codec: self.stream.codec.clone(),
            output_codec: Some(plan.codec_name().to_owned()),
            language: None,
            action: Action::Encoded,
            reason: None,
            task: Task::EncodeAudio(plan.clone()),
        };
        let (sink, cancel) = (self.sink, self.cancel);
        let decisions = [decision];
        let levelling =
            Levelling { settings: self.settings, info: self.info, late: &[], decisions: &decisions, sink, cancel };
        let levelled = levelling.level()?;
        Ok((levelled.levels.get(&self.stream.index).copied(), levelled.reports.into_iter().next()))
    }

    fn encode(
        &self,
        plan: &SoundPlan,
        audio: &AudioInfo,
        level: Option<SoundLevel>,
        writer: &mut SoundWriter<'_>,
    ) -> Result<WrittenSound> {
        let index = self.stream.index;
        let source = Source::open(self.settings.source(), self.cancel)?;
        let mut decoder = AudioDecoder::of(source.input(), self.stream)?;
        let (start, source_rate) = (self.stream.start, audio.sample_rate);
        let mut encoder = AudioEncoder::new(AudioConfig { plan: plan.clone(), source_rate, start, level })?;
        let (track, delay) = (encoder.track()?, encoder.delay());
        let mut padding = 0;
        let mut write = |packet: Packet| {
            padding = packet.trim.end.map_or(0, |end| end.ticks().max(0) as u64);
            writer.write(packet, &track, delay)
        };
        hear(source, &mut decoder, index, self.cancel, |sound| encoder.push(sound, &mut write))
            .map_err(|e| e.with_stream(index))?;
        let (stats, last) = encoder.finish_configured(&mut write).map_err(|e| e.with_stream(index))?;
        if stats.samples == 0 {
            return Err(Error::new(ErrorKind::Input, "there is no sound in it").with_stream(index));
        }
        if let Some(configuration) = last {
            writer.configure(&configuration)?;
        }
        let (damaged, _) = decoder.damage();
        let lost = self.lost(stats.samples as f64 / f64::from(plan.rate), (damaged, stats.frames));
        if let Some(lost) = lost.as_ref().filter(|_| !self.request.accept_damage) {
            let message = format!("{lost} (--accept-damage takes what there is)");
            return Err(Error::new(ErrorKind::Input, message).with_stream(index));
        }
        let delay = delay.ticks().max(0) as u64;
        let mut notes: Vec<String> = plan.note(source_rate).into_iter().collect();
        notes.extend(lost);
        if damaged > 0 {
            notes.push(format!("{damaged} packets of the source cannot be decoded"));
        }
        if delay > 0 && self.format.is_bare() {
            let late = delay as f64 * 1000.0 / f64::from(plan.rate);
            notes.push(format!(
                "the format has no place for the codec's delay: the sound begins {late:.1} ms late in it"
            ));
        }
        let layout = plan.layout.layout().to_owned();
        Ok(WrittenSound { track, layout, samples: Some(stats.samples), around: (delay, padding), chapters: 0, notes })
    }

    /// What is said of a source of which so many seconds were heard, and so many packets beside so many runs were damaged, where
    /// that is too little.
    fn lost(&self, heard_s: f64, (damaged, runs): (u64, u64)) -> Option<String> {
        let promised = self.stream.length_s().or(self.info.duration_s)?;
        let short = promised - heard_s > (promised * MAX_DAMAGE).max(LEAST_LOSS_S);
        if short && is_cut_short(self.settings.source()) != Some(false) {
            return Some(format!("the source breaks off after {heard_s:.1} s of {promised:.1} s of sound"));
        }
        let many = damaged as f64 > MAX_DAMAGE * (damaged + runs) as f64;
        many.then(|| format!("{damaged} packets of the source's sound are damaged, more than 1 %"))
    }

    /// Copies the packets, their times counted in samples.
    fn copy(&self, audio: &AudioInfo, writer: &mut SoundWriter<'_>) -> Result<WrittenSound> {
        let index = self.stream.index;
        let place = |e: Error| e.with_stream(index);
        let mut source = Source::open(self.settings.source(), self.cancel)?;
        source.keep_only(&[index]);
        let base = Rational::positive(1, audio.sample_rate as i32).unwrap_or(Rational::MILLI);
        let mut track = AudioTrackParams {
            bit_depth: audio.bits,
            ..AudioTrackParams::new(
                self.stream.codec.as_str(),
                self.stream.extradata.clone(),
                audio.channels,
                audio.sample_rate,
            )
        };
        let (mut clock, mut padding) = (None, 0);
        while let Some(packet) = source.read_packet()? {
            self.cancel.check()?;
            if packet.stream() != index {
                continue;
            }
            let (lead, end) = packet.skip_samples();
            let delay = Span::new(i64::from(lead.max(audio.initial_padding)), base);
            let clock = clock.get_or_insert_with(|| {
                track.codec_delay = (delay.ticks() > 0).then_some(delay);
                CopyClock { codec: &self.stream.codec, base, at: -delay.ticks() }
            });
            padding = u64::from(end);
            let copy = clock.copy(packet, end);
            writer.write(copy, &track, track.codec_delay.unwrap_or(Span::new(0, base))).map_err(place)?;
        }
        let delay = track.codec_delay.map_or(0, |delay| delay.ticks().max(0) as u64);
        let (layout, notes) = (audio.layout.clone(), Vec::new());
        Ok(WrittenSound { track, layout, samples: None, around: (delay, padding), chapters: 0, notes })
    }

    /// Reads the file back and gives it its name.
    fn finish(
        &self,
        file: PartialOutput,
        written: WrittenSound,
        loudness: Option<LoudnessReport>,
        words: &SoundWords,
    ) -> Result<SoundFileReport> {
        let WrittenSound { track, layout, samples, around, chapters, mut notes } = written;
        self.sink.event(&Event::Stage { name: "verify" });
        let expected = ExpectedSound {
            format: self.format,
            codec: track.codec.name().to_owned(),
            channels: track.channels,
            sample_rate: if track.codec.is("opus") { 48_000 } else { track.sample_rate },
            samples,
            around,
            title: words.title.clone(),
            tags: words.tags.clone(),
            cover: words.cover.is_some(),
            chapters,
        };
        let verification = verify_sound(file.path(), &expected, self.cancel)?;
        if !verification.pass {
            return Err(failure(&verification).with_file(&self.request.output));
        }
        let loudness = match loudness {
            None => None,
            Some(report) => {
                let after = track_loudness(file.path(), 0, self.cancel)?;
                let report = LoudnessReport { after: Some(after), ..report };
                notes.extend(complaint(&report));
                Some(report)
            }
        };
        file.publish()?;
        let bytes = std::fs::metadata(&self.request.output).map_or(0, |facts| facts.len());
        let output = self.request.output.display().to_string();
        self.sink.event(&Event::Finished { output, bytes });
        Ok(SoundFileReport {
            input: self.request.input.clone(),
            output: self.request.output.clone(),
            bytes,
            stream: self.stream.index,
            source_codec: self.stream.codec.clone(),
            source_layout: self.stream.audio.as_ref().map_or(String::new(), |a| a.layout.clone()),
            codec: track.codec.name().to_owned(),
            layout,
            sample_rate: expected.sample_rate,
            samples,
            delay_samples: around.0,
            padding_samples: around.1,
            copied: self.request.copy,
            notes,
            loudness,
            verification,
        })
    }
}

/// Where copied packets lie, counted in samples: Matroska's milliseconds would make the end of an Ogg file inexact.
struct CopyClock<'a> {
    codec: &'a str,
    base: Rational,
    at: i64,
}

impl CopyClock<'_> {
    fn copy(&mut self, packet: crate::av::InputPacket, end: u32) -> Packet {
        let samples = self.samples(&packet);
        let pts = Timestamp::new(self.at, self.base);
        self.at += samples;
        let mut copy = Packet::new(pts, crate::media::PacketData::new(Vec::new()));
        copy.duration = Some(Span::new((samples - i64::from(end)).max(0), self.base));
        copy.trim = crate::media::Trim::at_end(Span::new(i64::from(end), self.base));
        copy.data = packet.into_data();
        copy
    }

    /// Samples that a packet decodes to.
    fn samples(&self, packet: &crate::av::InputPacket) -> i64 {
        /// All frames of AAC, MP3 and AC-3 are so many samples long, or a multiple; the container's rounding is far less.
        const GRAIN: i64 = 64;
        let told = packet.duration().map_or(0, |d| d.rescale(self.base, Rounding::Nearest).ticks());
        match self.codec {
            "opus" => crate::syntax::opus::packet_samples(packet.data()).map_or(told, i64::from),
            "aac" | "mp3" | "ac3" | "eac3" => (told + GRAIN / 2) / GRAIN * GRAIN,
            _ => told,
        }
    }
}

/// Writes packets so that the first sample that is heard is at zero. The header waits for the first packet, which tells where
/// that is in the source, and with it where chapters are.
struct SoundWriter<'a> {
    file: &'a PartialOutput,
    format: SoundFormat,
    words: &'a SoundWords,
    muxer: Option<Box<SoundFileMuxer>>,
    zero: Option<Timestamp>,
}

impl SoundWriter<'_> {
    fn write(&mut self, mut packet: Packet, track: &AudioTrackParams, delay: Span) -> Result<()> {
        let zero = *self.zero.get_or_insert_with(|| packet.pts.plus(delay));
        if self.muxer.is_none() {
            let params: FileParams = self.words.params(track.clone(), zero);
            let muxer = SoundFileMuxer::new(self.file.file()?, self.file.path(), self.format, &params)?;
            self.muxer = Some(Box::new(muxer));
        }
        packet.pts = Timestamp::new(packet.pts.ticks() - zero.ticks(), packet.pts.base());
        match &mut self.muxer {
            Some(muxer) => muxer.write(TrackId(0), &packet),
            None => Ok(()),
        }
    }

    fn configure(&mut self, configuration: &[u8]) -> Result<()> {
        self.muxer.as_mut().map_or(Ok(()), |muxer| muxer.configure(configuration))
    }

    /// Ends the file; how many chapters it has.
    fn finish(self) -> Result<usize> {
        let empty = || Error::new(ErrorKind::Input, "there is no sound in it");
        self.muxer.ok_or_else(empty)?.finish()?;
        let zero = self.zero.unwrap_or(Timestamp::new(0, Rational::MILLI));
        Ok(if self.format.holds_chapters() { self.words.chapters_from(zero).len() } else { 0 })
    }
}
