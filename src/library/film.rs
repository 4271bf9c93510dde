//! One film of a batch: encoded, judged by what it came to, and its source settled.
#![deny(unsafe_code)]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::batch_plan::{BatchItem, ItemVerdict};
use super::event::{BatchEvent, BatchSink};
use super::lease::LeaseShare;
use super::look::cannot_read;
use super::options::BatchOptions;
use super::outcome::FileOutcome;
use super::place::{folder, make_folder};
use super::replace::{
    SettleOrder, SourceFate, SourceRule, VerifiedOutput, drop_copy, rename_aside, rename_free, settle,
};
use super::rules::SkipRule;
use super::stamp::FileStamp;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::{Quality, Target};
use crate::event::{Event, JobId, Sink};
use crate::front::{EncodeRequest, Outcome, start_with};
use crate::report::Report;

/// A film whose turn came.
pub(super) struct FilmTurn<'a> {
    /// Its position in the plan, and how many films that has.
    pub(super) file: usize,
    pub(super) total: usize,
    pub(super) item: &'a BatchItem,
    pub(super) options: &'a BatchOptions,
    /// What it has of the machine; `None` leaves that to the encode.
    pub(super) share: Option<LeaseShare>,
    pub(super) sink: &'a Arc<dyn BatchSink>,
    pub(super) cancel: &'a CancelToken,
}

impl FilmTurn<'_> {
    /// Does what is to be done with the film; what it came to.
    pub(super) fn run(&self) -> FileOutcome {
        match self.outcome() {
            Ok(outcome) => outcome,
            Err(error) => self.outcome_of(&error),
        }
    }

    fn outcome(&self) -> Result<FileOutcome> {
        match &self.item.verdict {
            ItemVerdict::Encode => self.encode(),
            ItemVerdict::Settle { film } => self.settle_earlier(film),
            ItemVerdict::Skip(rule) => Ok(FileOutcome::skipped(rule.clone())),
        }
    }

    /// What an error says of the film: one that went or changed is no failure of ours.
    fn outcome_of(&self, error: &Error) -> FileOutcome {
        if error.kind() == ErrorKind::Interrupted {
            let request = self.options.request(&self.item.input, &self.item.output);
            let settings = request.and_then(|request| request.resolve(0));
            let job = settings.ok().and_then(|(settings, _)| settings.job_dir());
            return FileOutcome::Interrupted { resumable: job.is_some_and(|job| job.is_dir()) };
        }
        let of_input = matches!(error.kind(), ErrorKind::Input | ErrorKind::Unsupported);
        match FileStamp::of(&self.item.input) {
            Err(e) if of_input && e.kind() == io::ErrorKind::NotFound => FileOutcome::skipped(SkipRule::Vanished),
            Ok(now) if of_input && Some(now) != self.item.stamp => FileOutcome::skipped(SkipRule::StillWritten),
            _ => FileOutcome::failed(error),
        }
    }

    /// The film as it was planned; a reason where it is not.
    fn seen(&self) -> Result<FileStamp, FileOutcome> {
        match FileStamp::of(&self.item.input) {
            Ok(now) if Some(now) == self.item.stamp => Ok(now),
            Ok(_) => Err(FileOutcome::skipped(SkipRule::StillWritten)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(FileOutcome::skipped(SkipRule::Vanished)),
            Err(e) => Err(FileOutcome::failed(&cannot_read(&self.item.input, e))),
        }
    }

    fn encode(&self) -> Result<FileOutcome> {
        let clock = Instant::now();
        let seen = match self.seen() {
            Ok(seen) => seen,
            Err(outcome) => return Ok(outcome),
        };
        let output = &self.item.output;
        let cannot =
            |e| Error::new(ErrorKind::Output, "cannot make the output's folder").caused_by(e).with_file(output);
        make_folder(folder(output)).map_err(cannot)?;
        let request = self.request()?;
        self.started(seen);
        let sink = EncodeSink { file: self.file, sink: Arc::clone(self.sink) };
        let report = match start_with(request, Arc::new(sink), self.cancel)?.wait()? {
            Outcome::Done(report) => report,
            Outcome::Skipped(reason) => return Ok(FileOutcome::skipped(SkipRule::LeftAlone { why: reason.message })),
        };
        self.sink.film_report(self.file, &report);
        if let Some(rule) = self.came_to_nothing(&report) {
            return self.for_nothing(&report, rule);
        }
        let verified = VerifiedOutput::of_report(&report)?;
        let fate = self.settle(seen, &verified)?;
        if let SourceFate::Replaced { film } = &fate {
            self.bring_captions(&report, film);
        }
        Ok(FileOutcome::Done {
            bytes_in: report.input.bytes,
            bytes_out: report.output.bytes,
            reduction_percent: report.reduction_percent,
            wall_s: clock.elapsed().as_secs_f64(),
            fate,
        })
    }

    fn request(&self) -> Result<EncodeRequest> {
        let mut request = self.options.request(&self.item.input, &self.item.output)?;
        let target = matches!(request.resolve(0)?.0.quality, Quality::Target(_));
        // At a fixed CRF there is one encoder, which has a part of the cores.
        request.cores = self.share.map(|share| share.cores);
        if let Some(share) = self.share.filter(|_| target) {
            let size = self.item.facts.as_ref().map_or((0, 0), |facts| (facts.width, facts.height));
            let share = share.for_picture(size.0, size.1);
            request.set_for(0, "run.workers", &share.workers.to_string())?;
            request.set_for(0, "run.max_memory", &share.bytes.max(1).to_string())?;
        }
        Ok(request)
    }

    fn started(&self, seen: FileStamp) {
        self.sink.batch_event(&BatchEvent::FileStarted {
            file: self.file,
            total: self.total,
            input: self.item.input.display().to_string(),
            output: self.item.output.display().to_string(),
            bytes: seen.bytes,
        });
    }

    fn warn(&self, message: String) {
        let input = self.item.input.display().to_string();
        self.sink.batch_event(&BatchEvent::FileWarning { file: self.file, input, message });
    }

    /// Why the output is not worth keeping, where it is not.
    fn came_to_nothing(&self, report: &Report) -> Option<SkipRule> {
        let unreachable = || unreachable(report).filter(|_| self.options.skip_unreachable);
        unreachable().or_else(|| self.too_large(report.input.bytes, report.output.bytes))
    }

    fn too_large(&self, bytes_in: u64, bytes_out: u64) -> Option<SkipRule> {
        let least_percent = self.options.min_reduction_percent?;
        let reduction_percent = reduction(bytes_in, bytes_out);
        (reduction_percent < least_percent).then_some(SkipRule::NotSmaller {
            bytes_in,
            bytes_out,
            reduction_percent,
            least_percent,
        })
    }

    /// Removes what was written for nothing; the film stays, with another name where that was asked for.
    fn for_nothing(&self, report: &Report, rule: SkipRule) -> Result<FileOutcome> {
        for path in report.captions.iter().map(|c| &c.path).chain([&report.output.path]) {
            let cannot = |e| Error::new(ErrorKind::Output, "cannot remove the output").caused_by(e).with_file(path);
            std::fs::remove_file(path).map_err(cannot)?;
        }
        let mut renamed = None;
        if let Some(suffix) = &self.options.rename_skipped {
            match rename_aside(&self.item.input, suffix, &self.item.root) {
                Ok(path) => renamed = Some(path.display().to_string()),
                Err(error) => self.warn(error.to_string()),
            }
        }
        Ok(FileOutcome::Skipped { message: rule.to_string(), rule, renamed })
    }

    fn settle(&self, seen: FileStamp, output: &VerifiedOutput) -> Result<SourceFate> {
        let item = self.item;
        let rule = self.options.source;
        let fate = settle(&SettleOrder { rule, source: &item.input, seen, output, root: &item.root })?;
        match &fate {
            SourceFate::KeptBoth { why } => self.warn(format!("{why}: both it and its output stay")),
            SourceFate::Kept if FileStamp::of(&item.input).is_ok_and(|now| now != seen) => {
                self.warn("the film changed while it was encoded: its output is of what was there before".to_owned());
            }
            _ => {}
        }
        Ok(fate)
    }

    /// Captions that were written beside the output go with it to where it is now.
    fn bring_captions(&self, report: &Report, film: &Path) {
        for captions in &report.captions {
            let to = film.with_extension(format!("{}.srt", captions.channel));
            if to != captions.path
                && let Err(error) = rename_free(&captions.path, &to)
            {
                self.warn(error.to_string());
            }
        }
    }

    /// Goes on from an output of an earlier run, which is decoded and compared with the film first.
    fn settle_earlier(&self, film: &Path) -> Result<FileOutcome> {
        let clock = Instant::now();
        let seen = match self.seen() {
            Ok(seen) => seen,
            Err(outcome) => return Ok(outcome),
        };
        self.started(seen);
        let input = &self.item.input;
        let done = |bytes_in, bytes_out, fate| FileOutcome::Done {
            bytes_in,
            bytes_out,
            reduction_percent: reduction(bytes_in, bytes_out),
            wall_s: clock.elapsed().as_secs_f64(),
            fate,
        };
        if self.options.source == SourceRule::Replace && drop_copy(input, film)? {
            return Ok(done(seen.bytes, seen.bytes, SourceFate::Replaced { film: input.clone() }));
        }
        if self.is_av1_already() {
            return Ok(FileOutcome::skipped(SkipRule::AlreadyAv1));
        }
        let output = match VerifiedOutput::by_reading(input, film, self.cancel) {
            Ok(output) => output,
            // What has the place is another film.
            Err(error) if error.kind() == ErrorKind::Verification && film != self.item.output => {
                return Ok(FileOutcome::skipped(SkipRule::PlaceTaken { place: film.to_path_buf() }));
            }
            Err(error) => return Err(error),
        };
        if let Some(rule) = self.too_large(seen.bytes, output.bytes()) {
            // It is an earlier run's, which may have had another rule: it stays.
            return Ok(FileOutcome::skipped(rule));
        }
        let fate = self.settle(seen, &output)?;
        if film != self.item.output && matches!(fate, SourceFate::Replaced { .. }) {
            // Of what was brought from another disk; the film does not depend on it.
            if let Err(error) = drop_copy(film, &self.item.output) {
                self.warn(error.to_string());
            }
        }
        Ok(done(seen.bytes, output.bytes(), fate))
    }

    /// Whether the film was planned only for being one that may have a copy elsewhere.
    fn is_av1_already(&self) -> bool {
        let facts = self.item.facts.as_ref();
        !self.options.rules.reencode && facts.is_some_and(|facts| facts.codec.as_deref() == Some("av1"))
    }
}

fn reduction(bytes_in: u64, bytes_out: u64) -> f64 {
    if bytes_in == 0 { 0.0 } else { (1.0 - bytes_out as f64 / bytes_in as f64) * 100.0 }
}

/// Whether no encode reached the film's target: as a whole it scores less than the target allows, and a chunk does even at
/// the lowest CRF. A film some of whose chunks cannot reach it, and which does as a whole, is reachable.
fn unreachable(report: &Report) -> Option<SkipRule> {
    let Quality::Target(target) = &report.settings.quality else { return None };
    let score = report.quality.harmonic_mean?;
    let low = |score: f64| score < target.vmaf - target.tolerance;
    let lowest = lowest_crf(target);
    let tried = report.chunks.iter().any(|chunk| chunk.crf <= lowest && chunk.vmaf.is_some_and(low));
    (low(score) && tried).then_some(SkipRule::Unreachable { target: target.vmaf, score })
}

/// The lowest CRF that searches try, with half a step for means over pieces.
fn lowest_crf(target: &Target) -> f64 {
    // As the search does: in whole steps where the range holds one.
    let range = target.crf_range(4).or_else(|_| target.crf_range(crate::video::CRF_STEP));
    range.map_or(target.crf_min, |(lowest, _)| lowest.as_f64()) + 0.5
}

/// Gives events of an encode on, with the film they are of.
struct EncodeSink {
    file: usize,
    sink: Arc<dyn BatchSink>,
}

impl Sink for EncodeSink {
    /// Events of jobs alone come here.
    fn event(&self, _: &Event) {}

    fn job_event(&self, job: JobId, event: &Event) {
        self.sink.batch_event(&BatchEvent::File { file: self.file, job, event: event.clone() });
    }
}
