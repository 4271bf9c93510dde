//! One film from file to verified file.

mod report;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::chunked::ChunkedFilm;
use super::crew::Crew;
use super::look::Look;
use super::output::PartialOutput;
use super::pipeline::{FinishedPicture, Plan, start, video_options};
use super::report::Report;
use super::stage::StageReport;
use super::streams::{Action, StreamDecision, Task, UnknownCodecs, decide, in_track_order};
use super::tally::{Findings, Tally};
use super::usage::Stopwatch;
use super::verify::{Expected, ExpectedAudio, ExpectedTrack, ExpectedVideo, failure, verify_file};
use crate::audio::OPUS_RATE;
use crate::av::Input;
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Rounding, Span, Timestamp};
use crate::config::{EncodeSettings, Quality, Target};
use crate::container::reader::codec_ids;
use crate::event::{Event, Sink};
use crate::media::{MediaInfo, StreamInfo, StreamKind};

/// More lost pictures than this fail a run, unless damage was accepted.
const MAX_DAMAGE: f64 = 0.01;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// Encodes one file.
///
/// Blocks until the output is verified and in place, or the run failed; what happens meanwhile goes to
/// `sink`, from this and other threads. On any error the output's path is as it was before, with one
/// exception: a file that failed verification is kept as `*.failed.mkv`.
///
/// # Errors
/// By [`ErrorKind`]: `Usage` for settings that cannot be, `Input` and `Unsupported` for sources, `Output` for
/// what cannot be written, `Encode` for a stage that failed, `Verification`, and `Interrupted` after
/// `cancel`.
pub fn encode(settings: &EncodeSettings, sink: &dyn Sink, cancel: &CancelToken) -> Result<Report> {
    let clock = Stopwatch::start();
    settings.check()?;
    settings.check_crf(crate::video::CRF_STEP)?;
    crate::video::check_library_version()?;
    // Refused before anything is looked at.
    video_options(settings)?;
    let place = |e: Error| e.with_file(&settings.input);
    let input = Input::open(&settings.input, cancel)?;
    let info = input.info();
    let decisions = decisions(settings, &info)?;
    let output = PartialOutput::create(&settings.input, &settings.output, settings.overwrite)?;
    let look = Look::at(settings, main_stream(&info, &decisions).map_err(place)?, cancel).map_err(place)?;
    let run = Run { settings, sink, cancel, info, decisions, look };
    run.started();

    let chunked = match &settings.quality {
        Quality::Crf(_) => None,
        Quality::Target(target) => Some(run.chunks(target).map_err(place)?),
    };
    let tally = Arc::new(Tally::default());
    let finished = chunked.as_ref().map(|c| FinishedPicture { job: Arc::clone(&c.job), film: c.findings.film.clone() });
    let (mut stages, mut encode_time) = run.pipeline(input, finished, &output, &tally).map_err(place)?;
    let mut findings = tally.take();
    if let Some(chunked) = &chunked {
        chunked.add_to(&mut findings);
        stages.splice(0..0, chunked.stages.iter().cloned());
        encode_time += chunked.time;
    }
    if let Err(error) = run.judge_damage(&mut findings) {
        if let Some(chunked) = chunked {
            chunked.clean_up(false, sink);
        }
        return Err(place(error));
    }

    sink.event(&Event::Stage { name: "verify" });
    output.sync()?;
    let expected = run.expected(&findings);
    let verification = verify_file(output.path(), &expected, cancel)?;
    if !verification.pass {
        let error = failure(&verification);
        let kept = output.keep_as_failed()?;
        return Err(error.with_file(&kept));
    }
    let report = run.report(findings, stages, verification, &clock, encode_time, chunked.as_ref());
    output.publish()?;
    if let Some(chunked) = chunked {
        chunked.clean_up(settings.keep_temp, sink);
    }
    sink.event(&Event::Finished { output: settings.output.display().to_string(), bytes: report.output.bytes });
    Ok(report)
}

/// What [`encode`] would do with each stream of the input, without doing it.
///
/// # Errors
/// As [`encode`], for settings and sources.
pub fn plan(settings: &EncodeSettings, cancel: &CancelToken) -> Result<Vec<StreamDecision>> {
    settings.check()?;
    let info = Input::open(&settings.input, cancel)?.info();
    decisions(settings, &info)
}

/// What becomes of each stream.
fn decisions(settings: &EncodeSettings, info: &MediaInfo) -> Result<Vec<StreamDecision>> {
    let unknown = unknown_codecs(&settings.input, info);
    let decisions = decide(info, settings.audio, &unknown);
    let in_file = |kind, message: &str| Err(Error::new(kind, message).with_file(&settings.input));
    match main_stream(info, &decisions) {
        Err(error) => Err(error.with_file(&settings.input)),
        Ok(main) if main.codec == "av1" && !settings.reencode => {
            in_file(ErrorKind::Skipped, "it is AV1 already (--reencode encodes it again)")
        }
        Ok(_) => Ok(decisions),
    }
}

/// The video stream that is encoded.
fn main_stream<'a>(info: &'a MediaInfo, decisions: &[StreamDecision]) -> Result<&'a StreamInfo> {
    let main = decisions.iter().find(|d| matches!(d.task, Task::EncodeVideo));
    main.and_then(|d| info.streams.get(d.index))
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, "there is no video stream in it"))
}

pub(super) struct Run<'a> {
    pub(super) settings: &'a EncodeSettings,
    pub(super) sink: &'a dyn Sink,
    pub(super) cancel: &'a CancelToken,
    pub(super) info: MediaInfo,
    decisions: Vec<StreamDecision>,
    pub(super) look: Look,
}

impl Run<'_> {
    /// The main video of the source.
    fn video(&self) -> Option<&StreamInfo> {
        self.info.streams.get(self.look.stream.index)
    }

    /// Frames to come, as far as the container knows.
    fn total_frames(&self) -> Option<u64> {
        let stream = self.video()?;
        stream.frames.or_else(|| {
            let rate = stream.video.as_ref()?.frame_rate?.as_f64();
            let seconds = stream.duration.map(Span::as_secs_f64).or(self.info.duration_s)?;
            Some((seconds * rate).round() as u64).filter(|&n| n > 0)
        })
    }

    fn started(&self) {
        self.sink.event(&Event::Started {
            input: self.settings.input.display().to_string(),
            output: self.settings.output.display().to_string(),
            frames: self.total_frames(),
            duration_s: self.info.duration_s,
        });
        for decision in self.decisions.iter().filter(|d| d.action == Action::Dropped) {
            let kind = format!("{:?}", decision.kind).to_lowercase();
            let reason = decision.reason.as_deref().unwrap_or_default();
            let message = format!("{kind} stream {} ({}) is not kept: {reason}", decision.index, decision.codec);
            self.sink.event(&Event::Warning { message });
        }
    }

    /// Encodes the picture in chunks into the job directory.
    fn chunks(&self, target: &Target) -> Result<ChunkedFilm> {
        ChunkedFilm::encode(self, target)
    }

    fn pipeline(
        &self,
        input: Input,
        finished: Option<FinishedPicture>,
        output: &PartialOutput,
        tally: &Arc<Tally>,
    ) -> Result<(Vec<StageReport>, Duration)> {
        let stage = if finished.is_some() { "mux" } else { "encode" };
        self.sink.event(&Event::Stage { name: stage });
        let begun = Instant::now();
        let mut crew = Crew::new(self.cancel);
        let plan = Plan {
            settings: self.settings,
            info: &self.info,
            decisions: &self.decisions,
            look: &self.look,
            path: &self.settings.output,
            finished,
        };
        let started = output.file().and_then(|file| start(&mut crew, &plan, input, file, tally));
        if let Err(error) = started {
            // Stages that already run see their neighbours missing; they are told that it is no end.
            crew.cancel().cancel();
            let _ = crew.wait(self.settings.stall_timeout, || {});
            return Err(error);
        }
        let stages = self.wait(crew, tally, stage == "encode")?;
        Ok((stages, begun.elapsed()))
    }

    /// Waits for the stages of a crew, telling how far they are.
    pub(super) fn wait(&self, crew: Crew, tally: &Tally, counts: bool) -> Result<Vec<StageReport>> {
        let total = self.total_frames();
        let begun = Instant::now();
        let mut last = Instant::now();
        let tell = || {
            for chunk in tally.finished_chunks() {
                self.sink.event(&chunk);
            }
            if counts {
                let film = total.zip(self.info.duration_s);
                self.sink.event(&progress(tally, film, begun.elapsed().as_secs_f64()));
            }
        };
        let stages = crew.wait(self.settings.stall_timeout, || {
            if last.elapsed() >= PROGRESS {
                last = Instant::now();
                tell();
            }
        });
        tell();
        stages
    }

    /// Fails a run that lost too much of its source; notes lesser losses for the report.
    fn judge_damage(&self, findings: &mut Findings) -> Result<()> {
        let decode = &findings.decode;
        let mut damage = decode.damage();
        let mut words = Vec::new();
        if decode.damaged_packets + decode.damaged_frames > 0 {
            words.push(format!(
                "{} packets cannot be decoded and {} of {} pictures are damaged",
                decode.damaged_packets, decode.damaged_frames, decode.frames
            ));
        }
        if let Some(stopped) = &findings.demux.stopped {
            words.push(format!("reading stopped early: {stopped}"));
        }
        if let Some(missing) = self.missing(findings.demux.end_s) {
            damage = damage.max(missing);
            words.push(format!("{:.1} % of the film is missing at its end", missing * 100.0));
        }
        if words.is_empty() {
            return Ok(());
        }
        let message = format!("the source is damaged: {}", words.join("; "));
        if damage > MAX_DAMAGE && !self.settings.accept_damage {
            let cause = decode.first_error.clone().map(|e| format!(" (first: {e})")).unwrap_or_default();
            return Err(Error::new(
                ErrorKind::Input,
                format!("{message}{cause}; --accept-damage encodes it all the same"),
            ));
        }
        findings.warnings.push(message);
        Ok(())
    }

    /// The share of the film that the container promises and the packets do not hold.
    fn missing(&self, end_s: f64) -> Option<f64> {
        let start = self.info.streams.iter().filter_map(|s| s.start).map(Timestamp::as_secs_f64).fold(0.0, f64::min);
        let promised = self.info.duration_s?;
        let short = promised - (end_s - start);
        (short > 1.0 && short > promised * MAX_DAMAGE).then_some(short / promised)
    }

    fn expected(&self, findings: &Findings) -> Expected {
        let video = findings.video.as_ref();
        Expected {
            title: self.info.title.clone(),
            tracks: in_track_order(&self.decisions)
                .into_iter()
                .filter_map(|d| self.expected_track(d, findings))
                .collect(),
            chapters: expected_chapters(&self.info),
            attachments: expected_attachments(&self.info, &self.decisions),
            video: ExpectedVideo {
                times: video.map(|v| v.times.clone()).unwrap_or_default(),
                end: video.and_then(|v| v.end),
                width: video.map_or(0, |v| v.width),
                height: video.map_or(0, |v| v.height),
                sample_aspect_ratio: video.and_then(|v| v.sample_aspect_ratio),
                rotation: video.map_or(0, |v| v.rotation),
                field_order: video.map(|v| v.field_order).unwrap_or_default(),
                color: video.map(|v| v.color).unwrap_or_default(),
                hdr: video.map(|v| v.hdr).unwrap_or_default(),
                messages: video.map(|v| v.messages.clone()).unwrap_or_default(),
                dolby_vision: video.and_then(|v| v.dolby_vision),
                digests: video.map(|v| v.digests.clone()),
            },
        }
    }

    fn expected_track(&self, decision: &StreamDecision, findings: &Findings) -> Option<ExpectedTrack> {
        let mut track = ExpectedTrack::new(decision, self.info.streams.get(decision.index)?)?;
        let audio = findings.audio.get(&decision.index);
        let base = Rational::positive(1, OPUS_RATE as i32)?;
        track.packets = match &decision.task {
            Task::EncodeAudio(_) => audio.and_then(|a| a.stats).map(|s| s.packets),
            Task::CopyAudio(_) => Some(audio.map_or(0, |a| a.packets)),
            _ => None,
        };
        track.audio = audio.map(|a| ExpectedAudio {
            start: a.start,
            length: a.stats.map(|s| Span::new(i64::try_from(s.samples).unwrap_or(i64::MAX), base)),
            tolerance_s: 1.5 / f64::from(OPUS_RATE),
        });
        Some(track)
    }
}

/// How far a run is; `film` is the frames and seconds of it, as far as they are known.
fn progress(tally: &Tally, film: Option<(u64, f64)>, elapsed: f64) -> Event {
    let frames = tally.encoded.load(Ordering::Relaxed);
    // Chunks are not encoded in order: there the seconds are those of the frames that are done.
    let done_s = film.map_or(0.0, |(total, seconds)| frames as f64 / total.max(1) as f64 * seconds);
    let position_s = tally.position_s().unwrap_or(done_s);
    let resumed = tally.resumed.load(Ordering::Relaxed);
    let fps = frames.saturating_sub(resumed) as f64 / elapsed.max(1e-9);
    let left = film.map(|(total, _)| total.saturating_sub(frames) as f64);
    let speed = position_s * (1.0 - resumed as f64 / frames.max(1) as f64) / elapsed.max(1e-9);
    Event::Progress {
        stage: "encode",
        frames,
        position_s,
        fps,
        speed,
        bytes: tally.bytes.load(Ordering::Relaxed),
        eta_s: left.filter(|_| fps > 0.0).map(|left| left / fps),
    }
}

pub(super) fn expected_chapters(info: &MediaInfo) -> Vec<(i64, Option<String>)> {
    let ms = |t: Timestamp| t.rescale(Rational::MILLI, Rounding::Nearest).ticks();
    info.chapters.iter().map(|c| (ms(c.start), c.title.clone())).collect()
}

pub(super) fn expected_attachments(info: &MediaInfo, decisions: &[StreamDecision]) -> Vec<(String, u64)> {
    let kept = |stream: usize| decisions.iter().any(|d| d.index == stream && matches!(d.task, Task::Attach));
    info.attachments.iter().filter(|a| kept(a.stream)).map(|a| (a.name.clone(), a.data.len() as u64)).collect()
}

/// Asks the Matroska file itself about tracks whose codec FFmpeg does not know (`S_TEXT/WEBVTT` before 6.1).
pub(super) fn unknown_codecs(path: &Path, info: &MediaInfo) -> UnknownCodecs {
    let strange = |s: &&StreamInfo| s.codec == "unknown" && s.kind == StreamKind::Subtitle;
    if !info.container.contains("matroska") || !info.streams.iter().any(|s| strange(&s)) {
        return UnknownCodecs::new();
    }
    let Ok(tracks) = codec_ids(path) else { return UnknownCodecs::new() };
    // FFmpeg makes a stream of each video, audio and subtitle track, in the file's order.
    let carried = tracks.into_iter().filter(|t| t.kind.is_some());
    let streams = info.streams.iter().filter(|s| s.kind != StreamKind::Attachment);
    streams
        .zip(carried)
        .filter(|(s, t)| strange(s) && t.kind == Some(s.kind) && t.codec_id.starts_with("S_TEXT/"))
        .map(|(s, t)| (s.index, (t.codec_id, t.codec_private)))
        .collect()
}
