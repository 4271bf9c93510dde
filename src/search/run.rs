//! The run over all chunks, and what it came to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::feed::FeedFound;
use super::film::{Film, SearchFound};
use super::setup::{Prepared, Reopen, SearchInput};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::Target;
use crate::event::{Event, Sink};
use crate::flow::{Graph, StageReport, Stall};
use crate::media::PoolStats;
use crate::meter::{Model, Stride};
use crate::stages::progress::{Progress, Teller};
use crate::store::job::{ChunkRecord, Job, Opened};

/// A film whose chunks are all finished.
pub(crate) struct ChunkedFilm {
    pub(crate) job: Arc<Job>,
    pub(crate) film: Film,
    /// What decoding the source met with.
    pub(crate) feed: FeedFound,
    /// Frame buffers of all workers.
    pub(crate) pool: PoolStats,
    pub(crate) stages: Vec<StageReport>,
    pub(crate) time: Duration,
    /// Frames an earlier run encoded.
    pub(crate) resumed: u64,
    /// Encodes of chunks that this run made, and those it needed not make.
    pub(crate) encodes: (u64, u64),
    /// By chunk.
    pub(crate) records: Vec<ChunkRecord>,
    pub(crate) target: Target,
    /// How its chunks were scored as configured.
    pub(crate) stride: Stride,
    pub(crate) model: Model,
}

impl ChunkedFilm {
    /// Encodes what is not finished. Where an encoder hangs, its threads are left behind and the rest begins anew, from
    /// the chunks that are finished.
    pub(crate) fn encode(plan: SearchInput<'_>, teller: &Teller<'_>, cancel: &CancelToken) -> Result<Self> {
        let begun = Instant::now();
        let (mut hung, mut resumed, mut encodes) = (0, None, (0, 0));
        loop {
            let (prepared, reopen) = plan.prepare()?;
            if hung == 0 {
                say_how_it_was_found(teller.sink, &prepared.opened);
                warn_of_settings(teller.sink, &prepared);
            }
            let progress = Arc::new(Progress::default());
            let film = Self::attempt(&plan, (prepared, &reopen), (teller, &progress, begun), cancel);
            let resumed = *resumed.get_or_insert(progress.resumed());
            let (made, remembered) = progress.encodes();
            encodes = (encodes.0 + made, encodes.1 + remembered);
            match film {
                Ok(film) => return Ok(ChunkedFilm { resumed, encodes, ..film }),
                Err(error) if hung < HUNG_ENCODERS && is_of_an_encoder(&error) && plan.can_leave_an_encoder() => {
                    hung += 1;
                    let message = format!(
                        "{error}: that encoder is left behind, and the run goes on from the chunks that are finished"
                    );
                    teller.sink.event(&Event::Warning { message });
                }
                Err(error) => return Err(reopen.after(error)),
            }
        }
    }

    fn attempt(
        plan: &SearchInput<'_>,
        (prepared, reopen): (Prepared, &Reopen),
        (teller, progress, begun): (&Teller<'_>, &Arc<Progress>, Instant),
        cancel: &CancelToken,
    ) -> Result<Self> {
        let (stride, model) = (prepared.metric.stride, prepared.model);
        tracing::info!(layout = ?prepared.room.layout, memory = prepared.room.memory, job = %reopen.dir().display(), "chunks");
        teller.sink.event(&Event::Stage { name: "encode" });
        let mut graph = Graph::new(cancel);
        let promises = plan.build(&mut graph, prepared, progress)?;
        let stages = teller.wait(graph.start(), progress, true)?;
        let found = promises.found().and_then(|found| found.check(plan.picture.stream.index));
        let SearchFound { film, feed, pool } = found?;
        let (job, records) = finished(reopen, &film)?;
        Ok(ChunkedFilm {
            job: Arc::new(job),
            film,
            feed,
            pool,
            stages,
            time: begun.elapsed(),
            resumed: progress.resumed(),
            encodes: progress.encodes(),
            records,
            target: plan.target.clone(),
            stride,
            model,
        })
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

/// So many encoders of a run may hang; each leaves its memory behind.
const HUNG_ENCODERS: u32 = 3;

/// Whether the run stood still because an encoder did.
fn is_of_an_encoder(error: &Error) -> bool {
    Stall::in_error(error).is_some_and(|stall| stall.stages.iter().any(|stage| stage.starts_with("encode ")))
}

/// The job again, and its records of all chunks of `film`.
fn finished(reopen: &Reopen, film: &Film) -> Result<(Job, Vec<ChunkRecord>)> {
    let job = reopen.job()?;
    let record = |chunk| {
        let missing = || Error::new(ErrorKind::Output, "a finished chunk is no longer as it was written");
        job.finished(chunk).cloned().ok_or_else(missing).map_err(|e| e.with_chunk(chunk))
    };
    let records = (0..film.chunks.len()).map(record).collect::<Result<Vec<_>>>()?;
    Ok((job, records))
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
    let Prepared { metric, room, .. } = prepared;
    if metric.stride.is_even() {
        let message = format!(
            "a stride of {} is even: it beats with the encoder's pyramid of layers and can read up to 2.7 too high; \
             take an odd one",
            metric.stride.get()
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
