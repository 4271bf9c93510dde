//! From settings to the tasks of a search: the job directory, the room there is, the graph.
#![deny(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cutter::Cutter;
use super::feed::{ChunkFeed, FeedFound, FeedPass, Keep};
use super::film::{Film, SearchFound};
use super::layout::Room;
use super::memory::FrameBudget;
use super::reading::FilmSource;
use super::relief::Relief;
use super::remembered::TryMemory;
use super::schedule::Schedule;
use super::template::TryTemplate;
use super::trial::{EncodeTries, ScoreTries, TryUnit};
use super::workers::{LocalWorkers, Note, Order};
use crate::base::{Error, ErrorKind, Result};
use crate::config::{EncodeSettings, Per, Target};
use crate::flow::{Bound, Graph, Promise};
use crate::media::{MediaInfo, PoolStats, VideoInfo};
use crate::meter::{MetricSpec, Model, Stride};
use crate::pixel::Converter;
use crate::plan::{
    LONGEST_LAG, Layout, PicturePlan, ScheduleRules, Scheduler, SearchRules, SourceFacts, TitleRules, TitleWay,
};
use crate::source::video_options;
use crate::stages::progress::Progress;
use crate::stages::spec::factory;
use crate::store::facts;
use crate::store::job::{Identity, JOB_FORMAT, Job, Opened, PlannedChunk, place};
use crate::video::EncoderTraits;

/// The least distance between tries, in quarters of a CRF of SVT-AV1.
const STEP: f64 = 4.0;

/// How often a chunk may fail (an encoder that breaks, not a score) before the run does.
const FAILURES: u32 = 2;

/// How long the stretch of a title is whose worst is raised, in seconds.
const STRETCH_S: f64 = 5.0;

/// Notes that wait for the scheduler, at most.
const NOTES: Bound = Bound::items(64);

/// Pictures between an encoder and its score task: as many as an encoder gives out at once, and where frames are held
/// anyway, as many again.
const UNITS: Bound = Bound::new(32, 64 << 20);
pub(super) const UNITS_HELD: Bound = Bound::new(64, 64 << 20);

/// What the search is made from.
pub(crate) struct SearchInput<'a> {
    pub(crate) settings: &'a EncodeSettings,
    pub(crate) target: &'a Target,
    pub(crate) info: &'a MediaInfo,
    pub(crate) facts: &'a SourceFacts,
    pub(crate) picture: &'a PicturePlan,
}

/// What is the same for all chunks.
pub(crate) struct Prepared {
    pub(crate) job: Job,
    pub(crate) opened: Opened,
    pub(crate) metric: MetricSpec,
    pub(crate) model: Model,
    pub(crate) room: Room,
    video: VideoInfo,
}

/// Which job a run works on, for opening it again when the film is put together.
pub(crate) struct Reopen {
    dir: PathBuf,
    identity: Identity,
}

impl Reopen {
    /// The job again, after the stages ended: every chunk file is checked against what was recorded.
    pub(crate) fn job(&self) -> Result<Job> {
        let (job, opened) = Job::open(&self.dir, &self.identity)?;
        tracing::debug!(?opened, "putting the film together");
        Ok(job)
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The error of a run that failed. What was finished stays where the same command can go on from it; it goes where
    /// there is nothing yet, or where the fault is the settings'. An input that cannot be read to its end may be readable
    /// the next time, and if it changed, the job begins anew by itself.
    pub(crate) fn after(&self, error: Error) -> Error {
        use ErrorKind::{Encode, Input, Interrupted, Output};
        let curable = matches!(error.kind(), Interrupted | Encode | Output | Input);
        // Not if a thread hangs: it still holds the job.
        if let Ok(job) = self.job()
            && (job.is_empty() || !curable)
        {
            if let Err(left) = job.remove() {
                tracing::warn!(%left, "the job directory stays");
            }
            return error;
        }
        if error.kind() != ErrorKind::Interrupted {
            return error;
        }
        let message = "interrupted; the same command goes on from the chunks that are finished";
        Error::new(ErrorKind::Interrupted, message).with_file(&self.dir)
    }
}

impl SearchInput<'_> {
    /// Opens the job and decides how the run is laid out.
    pub(crate) fn prepare(&self) -> Result<(Prepared, Reopen)> {
        let video = self.picture.video()?.clone();
        let model = self.model(&video)?;
        let metric = self.metric()?;
        let stride = metric.stride;
        let dir = place(self.settings.temp_dir.as_deref(), &self.settings.input, &self.settings.output);
        let reopen = Reopen { dir, identity: self.identity(stride, model)? };
        let (job, opened) = Job::open(&reopen.dir, &reopen.identity)?;
        facts::save(&reopen.dir, self.settings.source(), self.facts)?;
        let room = Room::of(self.settings, self.target, &video, self.picture.frame_bytes())?;
        Ok((Prepared { job, opened, metric, model, room, video }, reopen))
    }

    fn model(&self, video: &VideoInfo) -> Result<Model> {
        match &self.target.model {
            Some(name) => Model::parse(name),
            None => Ok(Model::for_size(video.width, video.height)),
        }
    }

    /// How tries are scored; refused here rather than after the first one.
    pub(super) fn metric(&self) -> Result<MetricSpec> {
        let video = self.picture.video()?;
        let stride = Stride::new(self.target.stride(self.settings.preset))?;
        let metric = MetricSpec { stride, ..MetricSpec::vmaf(Some(self.model(video)?)) };
        drop(metric.open(video.width, video.height, video.bit_depth)?);
        Ok(metric)
    }

    /// Whether further encoders can be had while one hangs.
    pub(crate) fn can_leave_an_encoder(&self) -> bool {
        factory(self.settings).is_ok_and(|factory| factory.many_at_once())
    }

    /// Everything the bytes of chunks depend on.
    fn identity(&self, stride: Stride, model: Model) -> Result<Identity> {
        let t = self.target;
        let svt: Vec<String> = self.settings.svt.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut identity = Identity::default()
            .with("job_format", JOB_FORMAT)
            .with_input(self.settings.source())?
            .with("stream", self.picture.stream.index)
            .with("crop", self.picture.treatment.crop.to_string())
            .with("size", format!("{:?}", self.picture.treatment.size()))
            .with("deinterlace", format!("{:?}", self.picture.treatment.deinterlace))
            .with("bit_depth", self.picture.treatment.depth)
            .with("dolby_vision", format!("{:?}", self.picture.treatment.dolby_vision))
            .with("film_grain", self.settings.picture.film_grain)
            .with("encoder", self.settings.encoder.as_str())
            .with("preset", self.settings.preset)
            .with("svt_parameters", svt.join(":"))
            .with("target_vmaf", t.vmaf)
            .with("vmaf_tolerance", t.tolerance)
            .with("per", t.per.name())
            .with("floor", format!("{:?}", t.floor()))
            .with("crf_min", t.crf_min)
            .with("crf_max", t.crf_max)
            .with("chunk_size", t.chunk_seconds)
            .with("vmaf_stride", stride.get())
            .with("every_where_rough", t.stride.is_none())
            .with("vmaf_model", model.name());
        let treatment = &self.picture.treatment;
        if let Some(tone) = treatment.tone {
            identity = identity.with("tonemap", format!("{tone:?}"));
        }
        if let Some(matrix) = treatment.matrix {
            identity = identity.with("matrix", format!("{matrix:?}"));
        }
        for (name, version) in crate::stages::versions() {
            identity = identity.with(&format!("version_of_{}", name.replace('-', "_")), version);
        }
        Ok(identity)
    }

    /// What every chunk's search may do.
    pub(super) fn rules(&self, metric: &MetricSpec) -> Result<SearchRules> {
        let t = self.target;
        let EncoderTraits { scale, search, name, reorders, .. } = factory(self.settings)?.traits();
        // The range is the user's, in steps the encoder knows: as the search goes, where it holds any.
        let step = scale.step * (STEP / search.steepness / f64::from(scale.step)).round().max(1.0) as u16;
        let (min, max) = t.crf_range(step).or_else(|_| t.crf_range(scale.step))?;
        let (min, max) = (min.max(scale.min), max.min(scale.max));
        if min > max {
            let (low, high, last) = (t.crf_min, t.crf_max, scale.max);
            let message =
                format!("no CRF from crf_min {low} to crf_max {high} is one of {name}'s, which end at {last}");
            return Err(Error::new(ErrorKind::Usage, message));
        }
        Ok(SearchRules {
            curve: metric.kind.curve().on(&search),
            scale: search,
            target: t.vmaf,
            tolerance: t.tolerance,
            min,
            max,
            step,
            finest: scale.step,
            max_tries: 4,
            ends: !reorders,
        })
    }

    /// Adds the tasks to `graph`. When they end well, all chunks are in the job directory.
    pub(crate) fn build(
        &self,
        graph: &mut Graph,
        prepared: Prepared,
        progress: &Arc<Progress>,
    ) -> Result<SearchPromises> {
        let Prepared { mut job, metric, room, video, .. } = prepared;
        let (to_schedule, notes) = graph.channel::<Note>(NOTES);
        let units = if room.layout.held.is_some() { UNITS_HELD } else { UNITS };
        let (mut orders, mut pools) = (Vec::new(), Vec::new());
        for worker in 0..room.layout.workers {
            let (order_outlet, order_port) = graph.channel::<Order>(Bound::items(2));
            let (unit_outlet, unit_port) = graph.channel::<TryUnit>(units);
            orders.push(order_outlet);
            let encode = EncodeTries {
                worker,
                orders: order_port,
                units: unit_outlet,
                notes: to_schedule.clone(),
                converter: Converter::to_depth(video.bit_depth),
                progress: Arc::clone(progress),
            };
            pools.push(graph.task(("encode", worker), move |context| encode.run(context)));
            let score = ScoreTries { units: unit_port, notes: to_schedule.clone() };
            pools.push(graph.task(("score", worker), move |context| score.run(context)));
        }
        let feed = self.feed(&room, &mut job, to_schedule)?;
        let feed = graph.task("feed", move |context| feed.run(context));
        let schedule = Schedule {
            workers: LocalWorkers { orders, notes },
            template: TryTemplate::new(self.settings, self.picture.stream.index, video, self.picture.treatment, metric),
            scheduler: Scheduler::new(self.schedule(&metric, room.layout)?),
            job,
            progress: Arc::clone(progress),
            film: Film::default(),
            works: BTreeMap::new(),
            done: false,
            remembered: TryMemory::open(self.settings.cache(), self.settings.source()),
            asked: BTreeMap::new(),
            known: VecDeque::new(),
            relief: Relief::default(),
        };
        let film = graph.task("schedule", move |context| schedule.run(context));
        Ok(SearchPromises { film, feed, pools })
    }

    /// What the order of work follows from.
    fn schedule(&self, metric: &MetricSpec, layout: Layout) -> Result<ScheduleRules> {
        let (film_s, chunk_s, floor) = (self.info.duration_s, self.target.chunk_seconds, self.target.floor());
        let way = match (self.target.per, floor) {
            (Per::Title, Some(floor)) => {
                let rate = self.picture.video()?.frame_rate.map_or(25.0, |r| r.as_f64()).clamp(1.0, 240.0);
                Some(TitleWay::EqualSlope { floor, stretch: (STRETCH_S * rate).round() as u64 })
            }
            (Per::TitleCrf, _) => Some(TitleWay::OneCrf),
            _ => None,
        };
        Ok(ScheduleRules {
            search: self.rules(metric)?,
            lag: LONGEST_LAG,
            title: way.map(|way| TitleRules::new(way, film_s, chunk_s)),
            // What a byte does in each chunk is known by its probe.
            probes: floor.is_some() || factory(self.settings)?.traits().probe.pays(self.settings.preset),
            stride: metric.stride.get(),
            every_where_rough: self.target.stride.is_none(),
            layout,
            max_failures: FAILURES,
        })
    }

    fn feed(&self, room: &Room, job: &mut Job, notes: crate::flow::Outlet<Note>) -> Result<ChunkFeed> {
        let source = FilmSource {
            path: self.settings.source().to_path_buf(),
            stream: self.picture.stream.index,
            options: video_options(&self.settings.hwaccel)?,
            treatment: self.picture.treatment,
        };
        let planned = job.take_planned();
        let with_state = |planned: PlannedChunk| {
            let kept = job.finished(planned.segment.chunk);
            let finished = kept.is_some_and(|kept| kept.is_of(&planned.segment));
            (planned, finished)
        };
        Ok(ChunkFeed {
            source,
            cutter: Cutter::new(self.target.chunk_seconds),
            keep: room.layout.held.map_or(Keep::File, |bytes| Keep::Held(FrameBudget::new(bytes))),
            planned: planned.into_iter().map(with_state).collect(),
            read: job.film_read().cloned(),
            notes,
            pass: FeedPass::default(),
        })
    }
}

/// What the tasks of a search will have found.
pub(crate) struct SearchPromises {
    film: Promise<Film>,
    feed: Promise<FeedFound>,
    pools: Vec<Promise<PoolStats>>,
}

impl SearchPromises {
    /// What they found, after they all ended well.
    pub(super) fn found(self) -> Result<SearchFound> {
        let (film, feed) = (self.film.found()?, self.feed.found()?);
        let pools = self.pools.iter().map(Promise::found).collect::<Result<Vec<_>>>()?;
        let pool = pools.into_iter().fold(feed.pool, PoolStats::plus);
        Ok(SearchFound { film, feed, pool })
    }
}
