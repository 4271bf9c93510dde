//! The run over all chunks, and what it came to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::crew::Crew;
use super::super::encode::Run;
use super::super::job::{ChunkRecord, Job, Opened};
use super::super::report::{ChunkReport, QualityReport};
use super::super::stage::StageReport;
use super::super::tally::{Findings, Tally};
use super::{Plan, Prepared, Reopen};
use crate::base::{Error, ErrorKind, Result};
use crate::config::{Per, Target};
use crate::event::{Event, Sink};
use crate::media::Transfer;
use crate::meter::{Pooled, SessionConfig};
use crate::plan::Clamp;

/// A film whose chunks are all finished.
pub(in crate::engine) struct ChunkedFilm {
    pub(in crate::engine) job: Arc<Job>,
    pub(in crate::engine) findings: Findings,
    pub(in crate::engine) stages: Vec<StageReport>,
    pub(in crate::engine) time: Duration,
    /// Frames an earlier run encoded.
    pub(in crate::engine) resumed: u64,
    records: Vec<ChunkRecord>,
    target: Target,
    session: SessionConfig,
}

impl ChunkedFilm {
    /// Encodes what is not finished.
    pub(in crate::engine) fn encode(run: &Run<'_>, target: &Target) -> Result<Self> {
        let begun = Instant::now();
        let plan = Plan { settings: run.settings, target, info: &run.info, look: &run.look };
        let (prepared, reopen) = plan.prepare()?;
        say_how_it_was_found(run.sink, &prepared.opened);
        warn_of_settings(run.sink, &prepared);
        let session = prepared.session;
        tracing::info!(layout = ?prepared.room.layout, memory = prepared.room.memory, job = %reopen.dir().display(), "chunks");

        run.sink.event(&Event::Stage { name: "encode" });
        let tally = Arc::new(Tally::default());
        let mut crew = Crew::new(run.cancel);
        if let Err(error) = plan.start(&mut crew, prepared, &tally) {
            crew.cancel().cancel();
            let _ = crew.wait(run.settings.stall_timeout, || {});
            return Err(reopen.after(error));
        }
        let stages = run.wait(crew, &tally, true).map_err(|error| reopen.after(error))?;
        let findings = tally.take();
        let film = Self::whole(plan, &reopen, stages, findings, session, begun).map_err(|error| reopen.after(error))?;
        Ok(ChunkedFilm { resumed: tally.resumed.load(Ordering::Relaxed), ..film })
    }

    /// The film, once its stages ended well.
    fn whole(
        plan: Plan<'_>,
        reopen: &Reopen,
        stages: Vec<StageReport>,
        findings: Findings,
        session: SessionConfig,
        begun: Instant,
    ) -> Result<Self> {
        if findings.film.times.is_empty() {
            let damage = findings.decode.first_error.clone().or(findings.demux.stopped.clone());
            let why = damage.map_or(String::new(), |e| format!(" ({e})"));
            let message = format!("no picture of it can be decoded{why}");
            return Err(Error::new(ErrorKind::Input, message).with_stream(plan.look.stream.index));
        }
        let job = reopen.job()?;
        let record = |chunk| {
            let missing = || Error::new(ErrorKind::Output, "a finished chunk is no longer as it was written");
            job.finished(chunk).cloned().ok_or_else(missing).map_err(|e| e.with_chunk(chunk))
        };
        let records = (0..findings.film.chunks.len()).map(record).collect::<Result<Vec<_>>>()?;
        Ok(ChunkedFilm {
            job: Arc::new(job),
            findings,
            stages,
            time: begun.elapsed(),
            resumed: 0,
            records,
            target: plan.target.clone(),
            session,
        })
    }

    /// Adds what decoding the source met with.
    pub(in crate::engine) fn add_to(&self, findings: &mut Findings) {
        findings.decode = self.findings.decode.clone();
        findings.decoder.clone_from(&self.findings.decoder);
        findings.pool = self.findings.pool;
        findings.carried = self.findings.carried.clone();
        findings.demux.stopped = self.findings.demux.stopped.clone().or(findings.demux.stopped.take());
        findings.demux.end_s = findings.demux.end_s.max(self.findings.demux.end_s);
    }

    /// Removes the job directory, or says where it is.
    pub(in crate::engine) fn clean_up(self, keep: bool, sink: &dyn Sink) {
        let dir = self.job.dir().to_path_buf();
        let say = |message: String| sink.event(&Event::Warning { message });
        if keep {
            return tracing::info!(dir = %dir.display(), "the chunks are kept");
        }
        // The stages that shared it ended.
        if let Some(job) = Arc::into_inner(self.job)
            && let Err(error) = job.remove()
        {
            say(format!("the finished chunks cannot be removed: {error}"));
        }
    }

    pub(in crate::engine) fn quality(&self) -> QualityReport {
        let scores = self.pooled();
        let frames: u64 = self.records.iter().map(|r| r.frames).sum();
        let weighted = |value: fn(&ChunkRecord) -> f64| {
            self.records.iter().map(|r| value(r) * r.frames as f64).sum::<f64>() / (frames as f64).max(1.0)
        };
        let encoded: u64 =
            self.records.iter().map(|r| r.tries.iter().map(|t| t.frames).sum::<u64>().max(r.frames)).sum();
        QualityReport {
            mode: self.target.per.name(),
            crf: weighted(|r| r.crf.as_f64()),
            target: Some(self.target.vmaf),
            tolerance: Some(self.target.tolerance),
            worst_chunk: self.records.iter().map(|r| r.harmonic_mean).min_by(f64::total_cmp),
            encodes_a_chunk: Some(encoded as f64 / (frames as f64).max(1.0)),
            relative: self.relative(),
            mean: scores.map(|s| s.mean),
            harmonic_mean: scores.map(|s| s.harmonic_mean),
            p5: scores.map(|s| s.p5),
            min: scores.map(|s| s.min),
            stride: Some(self.session.stride.get()),
            model: Some(self.session.model.name().to_owned()),
        }
    }

    /// Over all frames that were scored.
    fn pooled(&self) -> Option<Pooled> {
        Pooled::of(self.records.iter().flat_map(scores))
    }

    fn relative(&self) -> Option<&'static str> {
        let transfer = self.findings.film.shown.map(|s| s.color.transfer)?;
        [Transfer::PQ, Transfer::HLG].contains(&transfer).then_some("VMAF has no model for HDR")
    }

    pub(in crate::engine) fn chunks(&self) -> Vec<ChunkReport> {
        let report = |r: &ChunkRecord| ChunkReport {
            index: r.chunk,
            start_pts: r.start_s,
            frames: r.frames,
            crf: r.crf.as_f64(),
            attempts: r.tries.len() as u32,
            bytes: r.bytes,
            vmaf: Some(r.harmonic_mean),
            ceiling: r.ceiling,
            note: r.clamp.map(|clamp| self.note(r, clamp)),
            tries: r.tries.clone(),
            scores: scores(r).collect(),
        };
        self.records.iter().map(report).collect()
    }

    fn note(&self, r: &ChunkRecord, clamp: Clamp) -> String {
        let (crf, score) = (r.crf, r.harmonic_mean);
        match clamp {
            Clamp::Above => format!("better than asked for even at CRF {crf}: {score:.2}"),
            Clamp::Below => format!("the target cannot be met: CRF {crf} scores {score:.2}"),
            Clamp::Ceiling => {
                let ceiling = r.ceiling.unwrap_or(0.0);
                format!("the source against itself scores {ceiling:.2}, so {:.2} was aimed at", r.aim)
            }
            Clamp::BetweenSteps => format!("no CRF lies nearer to the target than {crf}: {score:.2}"),
            Clamp::Missed => format!("{} tries did not land nearer to {:.2} than {score:.2}", r.tries.len(), r.aim),
        }
    }

    /// What the user should know of chunks that are worse than asked for.
    pub(in crate::engine) fn warnings(&self) -> Vec<String> {
        if self.target.per == Per::Title {
            let score = self.pooled().map_or(0.0, |s| s.harmonic_mean);
            let (aim, tolerance) = (self.target.vmaf, self.target.tolerance);
            let miss = (score - aim).abs() > tolerance;
            let message = || format!("the title scores {score:.2}, which is not within {tolerance} of {aim}");
            return miss.then(message).into_iter().collect();
        }
        let low = |r: &&ChunkRecord| r.harmonic_mean < self.target.vmaf - self.target.tolerance;
        let chunk = |r: &ChunkRecord| {
            let note = r.clamp.map_or(String::new(), |clamp| format!(": {}", self.note(r, clamp)));
            format!("chunk {} at {:.1} s scores {:.2}{note}", r.chunk, r.start_s, r.harmonic_mean)
        };
        let mut warnings: Vec<String> = self.records.iter().filter(low).map(chunk).collect();
        let further = warnings.len().saturating_sub(NAMED);
        if further > 0 {
            warnings.truncate(NAMED);
            warnings.push(format!("{further} further chunks are below the target; the report names them"));
        }
        warnings
    }
}

/// Chunks below the target that are named one by one.
const NAMED: usize = 5;

fn scores(record: &ChunkRecord) -> impl Iterator<Item = f64> {
    record.scores.iter().map(|&s| f64::from(s) / 100.0)
}

fn say_how_it_was_found(sink: &dyn Sink, opened: &Opened) {
    let say = |message: String| sink.event(&Event::Warning { message });
    match opened {
        Opened::Fresh | Opened::Resumed { finished: 0, damaged: 0 } => {}
        Opened::Resumed { finished, damaged } => {
            let damaged = match damaged {
                0 => String::new(),
                n => format!("; {n} are damaged and encoded again"),
            };
            sink.event(&Event::Resumed { finished: *finished });
            if !damaged.is_empty() {
                say(format!("{finished} chunks are finished already{damaged}"));
            }
        }
        Opened::Restarted { why } => say(format!("an earlier run's chunks do not fit and are encoded anew: {why}")),
    }
}

fn warn_of_settings(sink: &dyn Sink, prepared: &Prepared) {
    let Prepared { session, room, .. } = prepared;
    if session.stride.is_even() {
        let message = format!(
            "a stride of {} is even: it beats with the encoder's pyramid of layers and can read up to 2.7 too high; \
             take an odd one",
            session.stride.get()
        );
        sink.event(&Event::Warning { message });
    }
    if room.layout.short > 0 {
        let (memory, more) = (room.memory >> 20, (room.layout.short >> 20) + 1);
        let message =
            format!("one encoder of this picture takes about {more} MiB more than the {memory} MiB of memory");
        sink.event(&Event::Warning { message });
    }
}
