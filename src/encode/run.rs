//! A job from one source to its verified files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::beside::{self, Beside, JobStills, RenditionChoice};
use super::captions::CaptionFiles;
use super::chosen::choose_encoders;
use super::damage;
use super::deciding::{decisions, main_stream, no_video};
use super::known::facts_of;
use super::loudness::LevelledTracks;
use super::pass::{FinishedPicture, OutputFindings, PassFindings, PassOutput, PassPlan, PassSound, build};
use super::paths::{check_paths, stand_in};
use super::sampled::{self, Sampling};
use super::sound_groups::{SoundGroup, SoundGroups};
use super::space::{check_space, disks};
use super::usage::{Stopwatch, limit_cores};
use super::wanted::{check_held, wanted};
use crate::analyze::{Analysis, probe};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Span};
use crate::config::{EncodeSettings, Quality, VideoCodec};
use crate::container::Format;
use crate::event::{Event, Silent, Sink};
use crate::flow::{Graph, StageReport};
use crate::media::{MediaInfo, StreamInfo};
use crate::plan::{PicturePlan, SourceFacts};
use crate::report::Report;
use crate::search::{ChunkedFilm, SearchInput};
use crate::source::{Source, video_options};
use crate::stages::describe::{FileDescription, describe};
use crate::stages::disks::DiskWatch;
use crate::stages::progress::{JobProgress, Progress, Pulse, Teller};
use crate::stages::spec::factory;
use crate::stages::streams::{Action, StreamDecision, Task, in_track_order};
use crate::still::{StillReport, StillWatch};
use crate::store::PartialOutput;
use crate::syntax::opus::OPUS_RATE;
use crate::verify::{
    Expected, ExpectedAudio, ExpectedTrack, ExpectedVideo, expected_attachments, failure, verify_file,
};

/// Encodes one source into files: it is looked at once, and decoded once for all of them that have a fixed CRF.
/// Those with a target are searched one after the other. `outputs` name the same input. Sound is decoded once for all, and
/// encoded once for those that want the same of it.
///
/// Blocks until the outputs are verified and in place, or the run failed; what happens meanwhile goes to
/// `sink`, from this and other threads. On any error the outputs' paths are as they were before. Two kinds of file are
/// kept beside one: one that failed verification as `*.failed.mkv`, and a finished one whose path was taken by another
/// file during the run, and may not be replaced, as `*.finished.mkv`.
///
/// # Errors
/// By [`ErrorKind`]: `Usage` for settings that cannot be, `Input` and `Unsupported` for sources, `Output` for
/// what cannot be written, `Encode` for a stage that failed, `Verification`, and `Interrupted` after
/// `cancel`.
pub(crate) fn encode_all(
    outputs: &[EncodeSettings],
    beside: Beside<'_>,
    sink: &dyn Sink,
    cancel: &CancelToken,
    pulse: &Pulse,
) -> Result<Vec<Report>> {
    let clock = Stopwatch::start();
    let first = first(outputs)?;
    let cancel = &cancel.with_pace(outputs.iter().filter_map(|o| o.max_disk_io).min());
    // Before any other thread begins: what is begun inherits it.
    limit_cores(outputs.iter().map(|o| o.max_cpu).min().unwrap_or(100));
    crate::video::check_library_version()?;
    for settings in outputs {
        settings.check()?;
        // Refused before anything is looked at.
        video_options(&settings.hwaccel)?;
        let traits = factory(settings)?.traits();
        settings.check_crf(traits.scale.step)?;
        if let Some(codec) = settings.codec.filter(|codec| codec.name() != traits.codec) {
            let message = format!("{} makes {}, and {} is asked for", traits.name, traits.codec, codec.name());
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let format = Format::of_name(&settings.output);
        if !format.holds_video(traits.codec) {
            let instead: Vec<&str> =
                VideoCodec::ALL.map(VideoCodec::name).into_iter().filter(|c| format.holds_video(c)).collect();
            let message = format!(
                "{} cannot carry {}, which {} makes; --codec may be {} there",
                format.name(),
                traits.codec,
                traits.name,
                instead.join(" or ")
            );
            return Err(Error::new(ErrorKind::Usage, message).with_file(&settings.output));
        }
    }
    together(outputs)?;
    let stills: Vec<_> = beside.stills.iter().map(|still| (still.word(), still.path.as_path())).collect();
    check_paths(outputs, &[], &stills)?;
    let Some(spool) = stand_in(first, sink, cancel)? else {
        return encode_files(outputs, beside, sink, cancel, pulse, &clock);
    };
    let outputs: Vec<_> =
        outputs.iter().map(|o| EncodeSettings { read_from: Some(spool.path().to_path_buf()), ..o.clone() }).collect();
    encode_files(&outputs, beside, sink, cancel, pulse, &clock).map_err(|e| spool.named(e))
}

/// Encodes a source that can be sought in.
fn encode_files(
    outputs: &[EncodeSettings],
    beside: Beside<'_>,
    sink: &dyn Sink,
    cancel: &CancelToken,
    pulse: &Pulse,
    clock: &Stopwatch,
) -> Result<Vec<Report>> {
    let first = first(outputs)?;
    let place = |e: Error| e.with_file(&first.input);
    let analysis = Analysis::open(first.source(), cancel)?;
    let info = analysis.info().clone();
    // Refused before anything is looked at.
    SoundGroups::new(outputs).decisions(&info)?;
    let size = std::fs::metadata(first.source()).map_or(0, |facts| facts.len());
    check_space(outputs, size, info.duration_s)?;
    let disks = disks(outputs);
    let files =
        outputs.iter().map(|o| PartialOutput::create(&o.input, &o.output, o.overwrite)).collect::<Result<Vec<_>>>()?;
    let captions = outputs.iter().map(CaptionFiles::create).collect::<Result<Vec<_>>>()?;
    let stills = JobStills::create(first, beside)?;
    let facts = facts_of(outputs, analysis).map_err(place)?;
    let info = facts.refine(&info);
    let main = info.streams.get(facts.stream).ok_or_else(no_video).map_err(place)?;
    let choice = RenditionChoice::new(outputs, beside, (&facts, main), sink).map_err(place)?;
    let (files, mut captions, outputs) = (choice.of(files), choice.of(captions), choice.of(outputs.to_vec()));
    let outputs = choose_encoders(&outputs, &facts, main).map_err(place)?;
    let watch = stills.watch(first, (&facts, main, &info)).map_err(place)?;
    let groups = SoundGroups::new(&outputs);
    let sound = groups.levelled(&info, &facts.late, sink, cancel).map_err(place)?;
    let main = sound.first().map_or(&[][..], |group| &group.decisions);
    let main = main_stream(&info, main).map_err(place)?;
    let sampling = Sampling { info: &info, facts: &facts, main, sink, cancel, pulse, disks: &disks };
    let (outputs, samples): (Vec<_>, Vec<_>) = sampling.resolve(&outputs).map_err(place)?.into_iter().unzip();
    let parts = |fixed: bool| outputs.iter().filter(|o| matches!(o.quality, Quality::Crf(_)) == fixed).count();
    let job = JobProgress::new(parts(false) + parts(true).min(1));
    let mut runs = outputs
        .iter()
        .enumerate()
        .map(|(number, settings)| {
            let (codec, format) = (factory(settings)?.traits().codec, Format::of_name(&settings.output));
            let picture = PicturePlan::new(&facts, main, &wanted(settings, format, &facts)?)?;
            check_held(format, &picture)?;
            let (job, info, facts, disks, sound, group) = (&job, &info, &facts, &disks, &sound[..], groups.of(number));
            let SoundGroup { decisions: shared, levelled } = &sound[group];
            let decisions: Vec<_> = shared.iter().map(|d| d.coded_as(codec).kept_in(format)).collect();
            let said = levelled.said(describe(info, &decisions));
            let run = Run {
                settings,
                sink,
                cancel,
                pulse,
                job,
                disks,
                info,
                format,
                sound,
                group,
                decisions,
                said,
                facts,
                picture,
                levelled,
            };
            Ok(run)
        })
        .collect::<Result<Vec<_>>>()
        .map_err(place)?;
    runs.iter().for_each(Run::started);
    for (run, captions) in runs.iter().zip(&mut captions) {
        let source = (run.settings.source(), run.picture.stream.index);
        captions.iter_mut().try_for_each(|captions| captions.read(source, sink, cancel)).map_err(place)?;
    }
    let chunked = runs.iter().map(Run::chunks).collect::<Result<Vec<_>>>().map_err(place)?;
    for (run, chunked) in runs.iter_mut().zip(&chunked) {
        run.say_how_it_is_made(chunked.as_ref()).map_err(place)?;
    }
    let job = EncodeJob { runs, files, captions, chunked, stills, watch };
    let (mut reports, stills) = job.finish(clock).map_err(place)?;
    sampled::report(&mut reports, samples);
    beside::report(&mut reports, stills, choice);
    Ok(reports)
}

fn first(outputs: &[EncodeSettings]) -> Result<&EncodeSettings> {
    let first = outputs.first().ok_or_else(|| Error::new(ErrorKind::Usage, "there is no output to encode to"))?;
    match outputs.iter().find(|o| o.input != first.input) {
        Some(other) => Err(Error::new(ErrorKind::Usage, "the outputs of a job have one input").with_file(&other.input)),
        None => Ok(first),
    }
}

/// Refuses encodes that would wait for each other for ever: those of one pass are open at the same time.
fn together(outputs: &[EncodeSettings]) -> Result<()> {
    let fixed = outputs.iter().filter(|o| o.quality.is_one_pass());
    for settings in fixed.clone() {
        let same = fixed.clone().filter(|o| o.encoder == settings.encoder).count();
        if same > 1 && !factory(settings)?.many_at_once() {
            let encoder = &settings.encoder;
            let message = format!("this {encoder} can be open once at a time, not for {same} outputs of one decode");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    }
    Ok(())
}

/// What [`encode`] would do with each stream of the input, without doing it.
///
/// # Errors
/// As [`encode`], for settings and sources.
pub fn plan(settings: &EncodeSettings, cancel: &CancelToken) -> Result<Vec<StreamDecision>> {
    settings.check()?;
    let Some(spool) = stand_in(settings, &Silent, cancel)? else {
        return decided(settings, &probe(settings.source(), cancel)?);
    };
    let there = EncodeSettings { read_from: Some(spool.path().to_path_buf()), ..settings.clone() };
    probe(there.source(), cancel).and_then(|info| decided(&there, &info)).map_err(|e| spool.named(e))
}

/// What becomes of each stream in the file of a run that has one.
fn decided(settings: &EncodeSettings, info: &MediaInfo) -> Result<Vec<StreamDecision>> {
    let format = Format::of_name(&settings.output);
    Ok(decisions(settings, &[format], info)?.iter().map(|d| d.kept_in(format)).collect())
}

/// A job whose pictures are searched where they have a target; what is left is the pass that writes its files.
struct EncodeJob<'a> {
    runs: Vec<Run<'a>>,
    files: Vec<PartialOutput>,
    captions: Vec<Option<CaptionFiles>>,
    chunked: Vec<Option<ChunkedFilm>>,
    stills: JobStills,
    watch: Option<StillWatch>,
}

impl EncodeJob<'_> {
    fn finish(self, clock: &Stopwatch) -> Result<(Vec<Report>, Vec<StillReport>)> {
        let EncodeJob { runs, files, captions, chunked, stills, watch } = self;
        let encodes = chunked.iter().any(Option::is_none);
        // Where nothing is decoded for an encode, stills read what they need.
        let (with_pass, alone) = if encodes { (watch, None) } else { (None, watch) };
        let (findings, stages, time) = pass(&runs, &files, &chunked, (encodes, with_pass))?;
        let PassFindings { demux, decode, audio, outputs, stills: seen } = findings;
        let mut found = Vec::new();
        for ((run, chunked), output) in runs.iter().zip(&chunked).zip(outputs) {
            let of_pass = Findings::of_pass(&demux, &decode, &audio[run.group], output);
            let mut findings = chunked.iter().fold(of_pass, Findings::with_search);
            if factory(run.settings)?.traits().codec != "av1" {
                // Metadata of single pictures is written into AV1 alone.
                findings.carried.hdr10_plus = 0;
            }
            // Chunks that are finished stay: with --accept-damage the same command goes on from them.
            let (demux, decode) = (&findings.demux, &findings.decode.stats);
            let film = damage::FilmPromise::of(run.info, run.picture.stream.index, run.facts, &run.settings.input);
            let shown = findings.video.as_ref().and_then(|v| v.end);
            let warnings = damage::judge(&film, (demux, decode), shown, run.settings.accept_damage)?;
            findings.warnings.extend(warnings);
            found.push(findings);
        }
        for (findings, captions) in found.iter_mut().zip(&captions) {
            findings.warnings.extend(captions.iter().flat_map(CaptionFiles::warnings));
        }
        if let Some(run) = runs.first() {
            run.sink.event(&Event::Stage { name: "verify" });
        }
        let mut reports = Vec::new();
        let mut verified = Vec::new();
        for (((run, findings), file), chunked) in runs.iter().zip(found).zip(files).zip(&chunked) {
            let (report, file) = run.verified(findings, file, chunked.as_ref(), (stages.clone(), time), clock)?;
            reports.push(report);
            verified.push(file);
        }
        let still_reports = match runs.first() {
            Some(run) => stills.made(run.settings, run.picture.stream.index, (seen, alone), run.cancel)?,
            None => Vec::new(),
        };
        let sink = runs.first().map(|run| run.sink);
        let places = runs.iter().zip(verified).zip(captions).zip(chunked).zip(&mut reports);
        for ((((run, file), captions), chunked), report) in places {
            file.publish()?;
            if let Some(captions) = captions {
                report.captions = captions.publish(run.info.start_kept(run.settings.keep_start))?;
            }
            if let Some(chunked) = chunked {
                chunked.clean_up(run.settings.keep_temp, run.sink);
            }
            let output = run.settings.output.display().to_string();
            run.sink.event(&Event::Finished { output, bytes: report.output.bytes });
        }
        stills.publish(&still_reports, sink.unwrap_or(&Silent))?;
        Ok((reports, still_reports))
    }
}

/// The pass that writes all files of a job.
fn pass(
    runs: &[Run<'_>],
    files: &[PartialOutput],
    chunked: &[Option<ChunkedFilm>],
    (encodes, stills): (bool, Option<StillWatch>),
) -> Result<(PassFindings, Vec<StageReport>, Duration)> {
    let Some(run) = runs.first() else { return Err(Error::new(ErrorKind::Usage, "there is no output to encode to")) };
    run.sink.event(&Event::Stage { name: if encodes { "encode" } else { "mux" } });
    let begun = Instant::now();
    let mut source = Source::open(run.settings.source(), run.cancel)?;
    source.expect(&run.facts.late);
    let progress = Arc::new(Progress::default());
    let mut outputs = Vec::new();
    for (number, ((run, file), chunked)) in runs.iter().zip(files).zip(chunked).enumerate() {
        outputs.push(PassOutput {
            settings: run.settings,
            picture: &run.picture,
            decisions: &run.decisions,
            sound: run.group,
            said: &run.said,
            format: run.format,
            file: file.file()?,
            path: file.path().to_path_buf(),
            finished: chunked.as_ref().map(|c| FinishedPicture { job: Arc::clone(&c.job), film: c.film.clone() }),
            // The first file's pictures are counted, once.
            progress: if number == 0 { Arc::clone(&progress) } else { Arc::default() },
        });
    }
    let mut graph = Graph::new(run.cancel);
    let sound = run.sound.iter();
    let sound = sound.map(|g| PassSound { decisions: &g.decisions, levels: &g.levelled.levels }).collect();
    let promises = build(&mut graph, PassPlan { info: run.info, sound, outputs, stills }, source)?;
    let stages = run.teller().wait(graph.start(), &progress, encodes)?;
    Ok((promises.found()?, stages, begun.elapsed()))
}

/// Everything found out about one file.
pub(super) struct Findings {
    pub(super) demux: crate::stages::demux::DemuxFindings,
    pub(super) decode: crate::stages::picture::DecodeFound,
    pub(super) carried: crate::media::Carried,
    pub(super) pool: crate::media::PoolStats,
    pub(super) audio: std::collections::BTreeMap<usize, crate::stages::sound::AudioFindings>,
    pub(super) crf: f64,
    pub(super) scores: Option<crate::meter::Scores>,
    pub(super) video: Option<crate::stages::track::VideoFindings>,
    pub(super) mux: crate::container::MuxStats,
    /// Things the user should know, in order of appearance.
    pub(super) warnings: Vec<String>,
}

impl Findings {
    fn of_pass(
        demux: &crate::stages::demux::DemuxFindings,
        decode: &crate::stages::picture::DecodeFound,
        audio: &std::collections::BTreeMap<usize, crate::stages::sound::AudioFindings>,
        output: OutputFindings,
    ) -> Self {
        let OutputFindings { converted, checked, crf, video, mux } = output;
        Findings {
            demux: demux.clone(),
            decode: decode.clone(),
            carried: converted.carried,
            pool: converted.pool.plus(checked.pool),
            audio: audio.clone(),
            crf,
            scores: checked.scores,
            video,
            mux,
            warnings: demux.warnings.clone(),
        }
    }

    /// With what the search met with that decoded the source.
    fn with_search(mut self, film: &ChunkedFilm) -> Self {
        let feed = film.feed.clone();
        let read = feed.read;
        self.demux.end_s = self.demux.end_s.max(read.end_s);
        self.demux.picture_end_s = self.demux.picture_end_s.max(read.end_s);
        self.demux.stopped = feed.stopped.or(self.demux.stopped);
        let decode = crate::stages::picture::DecodeFound { decoder: read.decoder, stats: read.stats };
        Findings { decode, carried: read.carried, pool: film.pool, ..self }
    }
}

/// One file of a job.
pub(super) struct Run<'a> {
    pub(super) settings: &'a EncodeSettings,
    pub(super) sink: &'a dyn Sink,
    cancel: &'a CancelToken,
    pulse: &'a Pulse,
    job: &'a JobProgress,
    disks: &'a DiskWatch,
    levelled: &'a LevelledTracks,
    pub(super) info: &'a MediaInfo,
    pub(super) format: Format,
    /// What becomes of the sound in all files, and the group of this one.
    sound: &'a [SoundGroup],
    group: usize,
    /// As of this file.
    pub(super) decisions: Vec<StreamDecision>,
    /// What it says of itself.
    pub(super) said: FileDescription,
    pub(super) facts: &'a SourceFacts,
    pub(super) picture: PicturePlan,
}

impl Run<'_> {
    /// The main video of the source.
    pub(super) fn video(&self) -> Option<&StreamInfo> {
        self.info.streams.get(self.picture.stream.index)
    }

    /// Frames to come, as far as the container knows.
    fn total_frames(&self) -> Option<u64> {
        let stream = self.video()?;
        stream.frames.or_else(|| {
            let rate = stream.video.as_ref()?.frame_rate?.as_f64();
            let seconds = stream.length_s().or(self.info.duration_s)?;
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

    fn teller(&self) -> Teller<'_> {
        Teller {
            sink: self.sink,
            frames: self.total_frames(),
            seconds: self.info.duration_s,
            stall_timeout: self.settings.stall_timeout,
            pulse: self.pulse,
            job: self.job,
            disks: self.disks,
        }
    }

    /// Encodes the picture in chunks into the job directory, where it has a target.
    fn chunks(&self) -> Result<Option<ChunkedFilm>> {
        let Quality::Target(target) = &self.settings.quality else { return Ok(None) };
        let (settings, info, facts, picture) = (self.settings, self.info, self.facts, &self.picture);
        let search = SearchInput { settings, target, info, facts, picture };
        ChunkedFilm::encode(search, &self.teller(), self.cancel).map(Some)
    }

    /// The report of a file that was written, once it was read back.
    fn verified(
        &self,
        mut findings: Findings,
        file: PartialOutput,
        chunked: Option<&ChunkedFilm>,
        (mut stages, mut time): (Vec<StageReport>, Duration),
        clock: &Stopwatch,
    ) -> Result<(Report, PartialOutput)> {
        file.sync()?;
        let verification = verify_file(file.path(), self.format, &self.expected(&findings), self.cancel)?;
        if !verification.pass {
            let error = failure(&verification);
            let kept = file.keep_as_failed()?;
            return Err(error.with_file(&kept));
        }
        if let Some(chunked) = chunked {
            stages.splice(0..0, chunked.stages.iter().cloned());
            time += chunked.time;
        }
        let (loudness, complaints) = self.levelled.measured(file.path(), &self.decisions, self.cancel)?;
        findings.warnings.extend(complaints);
        let report = self.report(findings, stages, verification, clock, time, chunked);
        Ok((Report { loudness, ..report }, file))
    }

    fn expected(&self, findings: &Findings) -> Expected {
        let video = findings.video.as_ref();
        let expected = Expected {
            said: self.said.clone(),
            tracks: in_track_order(&self.decisions)
                .into_iter()
                .filter_map(|d| self.expected_track(d, findings))
                .collect(),
            attachments: expected_attachments(self.info, &self.decisions),
            video: ExpectedVideo {
                times: video.map(|v| v.times.clone()).unwrap_or_default(),
                end: video.and_then(|v| v.end),
                width: video.map_or(0, |v| v.width),
                height: video.map_or(0, |v| v.height),
                sample_aspect_ratio: video.and_then(|v| v.sample_aspect_ratio),
                rotation: video.map_or(0, |v| v.rotation),
                stereo_mode: self.picture.stream.video.as_ref().map_or(0, |v| v.stereo_mode),
                field_order: video.map(|v| v.field_order).unwrap_or_default(),
                color: video.map(|v| v.color).unwrap_or_default(),
                hdr: video.map(|v| v.hdr).unwrap_or_default(),
                messages: video.map(|v| v.messages.clone()).unwrap_or_default(),
                dolby_vision: video.and_then(|v| v.dolby_vision),
                digests: video.map(|v| v.digests.clone()),
            },
        };
        expected.later(self.info.start_kept(self.settings.keep_start))
    }

    fn expected_track(&self, decision: &StreamDecision, findings: &Findings) -> Option<ExpectedTrack> {
        let mut track = ExpectedTrack::new(decision, self.info.streams.get(decision.index)?)?;
        let audio = findings.audio.get(&decision.index);
        let rate = audio.and_then(|a| a.stats).map_or(OPUS_RATE, |s| s.sample_rate);
        let base = Rational::positive(1, i32::try_from(rate).ok()?)?;
        track.packets = match &decision.task {
            Task::EncodeAudio(_) => audio.and_then(|a| a.stats).map(|s| s.packets),
            Task::CopyAudio(_) => Some(audio.map_or(0, |a| a.packets)),
            _ => None,
        };
        track.audio = audio.map(|a| ExpectedAudio {
            start: a.start,
            length: a.stats.map(|s| Span::new(i64::try_from(s.samples).unwrap_or(i64::MAX), base)),
            tolerance_s: 1.5 / f64::from(rate),
            delay: a.delay,
        });
        Some(track)
    }
}
