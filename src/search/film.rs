//! The run over all chunks, and what it came to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Prepared, Reopen, SearchInput};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::Target;
use crate::event::{Event, Sink};
use crate::meter::SessionConfig;
use crate::stages::crew::Crew;
use crate::stages::progress::Teller;
use crate::stages::stage::StageReport;
use crate::stages::tally::{Findings, Tally};
use crate::store::job::{ChunkRecord, Job, Opened};

/// A film whose chunks are all finished.
pub(crate) struct ChunkedFilm {
    pub(crate) job: Arc<Job>,
    pub(crate) findings: Findings,
    pub(crate) stages: Vec<StageReport>,
    pub(crate) time: Duration,
    /// Frames an earlier run encoded.
    pub(crate) resumed: u64,
    /// By chunk.
    pub(crate) records: Vec<ChunkRecord>,
    pub(crate) target: Target,
    pub(crate) session: SessionConfig,
}

impl ChunkedFilm {
    /// Encodes what is not finished.
    pub(crate) fn encode(plan: SearchInput<'_>, teller: &Teller<'_>, cancel: &CancelToken) -> Result<Self> {
        let begun = Instant::now();
        let (prepared, reopen) = plan.prepare()?;
        say_how_it_was_found(teller.sink, &prepared.opened);
        warn_of_settings(teller.sink, &prepared);
        let session = prepared.session;
        tracing::info!(layout = ?prepared.room.layout, memory = prepared.room.memory, job = %reopen.dir().display(), "chunks");

        teller.sink.event(&Event::Stage { name: "encode" });
        let tally = Arc::new(Tally::default());
        let mut crew = Crew::new(cancel);
        if let Err(error) = plan.start(&mut crew, prepared, &tally) {
            crew.cancel().cancel();
            let _ = crew.wait(teller.stall_timeout, || {});
            return Err(reopen.after(error));
        }
        let stages = teller.wait(crew, &tally, true).map_err(|error| reopen.after(error))?;
        let findings = tally.take();
        let film = Self::whole(plan, &reopen, stages, findings, session, begun).map_err(|error| reopen.after(error))?;
        Ok(ChunkedFilm { resumed: tally.resumed.load(Ordering::Relaxed), ..film })
    }

    /// The film, once its stages ended well.
    fn whole(
        plan: SearchInput<'_>,
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
            return Err(Error::new(ErrorKind::Input, message).with_stream(plan.picture.stream.index));
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
    pub(crate) fn add_to(&self, findings: &mut Findings) {
        findings.decode = self.findings.decode.clone();
        findings.decoder.clone_from(&self.findings.decoder);
        findings.pool = self.findings.pool;
        findings.carried = self.findings.carried.clone();
        findings.demux.stopped = self.findings.demux.stopped.clone().or(findings.demux.stopped.take());
        findings.demux.end_s = findings.demux.end_s.max(self.findings.demux.end_s);
    }

    /// Removes the job directory, or says where it is.
    pub(crate) fn clean_up(self, keep: bool, sink: &dyn Sink) {
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
