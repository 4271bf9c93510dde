//! A film in chunks, each as good as asked for, measured on its final bytes.
//!
//! ```text
//! feed ─► Chunk ─► schedule ─► Order ─► encode i ─► Unit ─► score i
//!                     ▲  │                  │                  │
//!                     │  └─► job directory  │ Free             │ Tried
//!                     └─────────────────────┴──────────────────┘
//! ```
//!
//! One decoder feeds all chunks; their frames stay in memory until they are finished, or are decoded again where
//! there is not the memory. What is finished is in the job directory; the film is put together from there.
#![deny(unsafe_code)]

mod assemble;
mod chunk;
mod cutter;
mod feed;
mod film;
mod layout;
mod memory;
mod probe;
mod scenes;
mod schedule;
mod trial;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use assemble::Chunks;
pub(crate) use cutter::Cutter;
pub(crate) use film::ChunkedFilm;
pub use scenes::{Scene, SceneChunk, ScenesReport, scenes};

use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::{EncodeSettings, Per, Target};
use crate::media::{Crf, MediaInfo, VideoInfo};
use crate::meter::{Model, SessionConfig, Stride};
use crate::pixel::Converter;
use crate::plan::{Calibration, Curve, SearchRules, lag};
use crate::plan::{PicturePlan, SourceFacts};
use crate::source::Pictures;
use crate::source::video_options;
use crate::stages::crew::Crew;
use crate::stages::queue::queue;
use crate::stages::stage::StageMeter;
use crate::stages::tally::Tally;
use crate::stages::treat::TreatedPictures;
use crate::store::facts;
use crate::store::job::{Identity, Job, Opened, place};
use crate::video::CRF_STEP;
use feed::{Feed, Keep};
use layout::Room;
use memory::FrameBudget;
use schedule::{Schedule, Title};
use trial::{EncodeTries, Note, ScoreTries, Unit};

/// Notes that wait for the scheduler, at most.
const NOTES: usize = 64;

/// Pictures between an encoder and its score stage: as many as an encoder gives out at once, and where frames are held
/// anyway, as many again.
const UNITS: usize = 32;
const UNITS_HELD: usize = 64;
const UNIT_BYTES: usize = 64 << 20;

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
    pub(crate) session: SessionConfig,
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
    /// there is nothing yet, or where the fault is the input's or the settings'.
    pub(crate) fn after(&self, error: Error) -> Error {
        let curable = matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Encode | ErrorKind::Output);
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
        let (width, height) = (video.width, video.height);
        let model = match &self.target.model {
            Some(name) => Model::parse(name)?,
            None => Model::for_size(width, height),
        };
        let mut session = SessionConfig::new(model, width, height, video.bit_depth);
        session.stride = Stride::new(self.target.stride(self.settings.preset))?;
        // Refused here rather than after the first chunk.
        drop(crate::meter::Session::new(session)?);
        let dir = place(self.settings.temp_dir.as_deref(), &self.settings.input, &self.settings.output);
        let reopen = Reopen { dir, identity: self.identity(&session)? };
        let (job, opened) = Job::open(&reopen.dir, &reopen.identity)?;
        facts::save(&reopen.dir, &self.settings.input, self.facts)?;
        let room = Room::of(self.settings, self.target, &video, self.picture.frame_bytes());
        Ok((Prepared { job, opened, session, room, video }, reopen))
    }

    /// Everything the bytes of chunks depend on.
    fn identity(&self, session: &SessionConfig) -> Result<Identity> {
        let t = self.target;
        let svt: Vec<String> = self.settings.svt.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut identity = Identity::default()
            .with_input(&self.settings.input)?
            .with("stream", self.picture.stream.index)
            .with("crop", self.picture.treatment.crop.to_string())
            .with("size", format!("{:?}", self.picture.treatment.size()))
            .with("deinterlace", format!("{:?}", self.picture.treatment.deinterlace))
            .with("bit_depth", self.picture.treatment.depth)
            .with("dolby_vision", format!("{:?}", self.picture.treatment.dolby_vision))
            .with("film_grain", self.settings.picture.film_grain)
            .with("preset", self.settings.preset)
            .with("svt_parameters", svt.join(":"))
            .with("target_vmaf", t.vmaf)
            .with("vmaf_tolerance", t.tolerance)
            .with("per", t.per.name())
            .with("crf_min", f64::from(t.crf_min))
            .with("crf_max", f64::from(t.crf_max))
            .with("chunk_size", t.chunk_seconds)
            .with("vmaf_stride", session.stride.get())
            .with("vmaf_model", session.model.name());
        for (name, version) in crate::stages::versions() {
            identity = identity.with(&format!("version_of_{}", name.replace('-', "_")), version);
        }
        Ok(identity)
    }

    /// What every chunk's search may do.
    fn rules(&self) -> Result<SearchRules> {
        let t = self.target;
        // The range is the user's, in steps the encoder knows.
        let (min, max) = ((t.crf_min.ceil()), (t.crf_max.floor()));
        Ok(SearchRules {
            curve: Curve::VMAF,
            target: t.vmaf,
            tolerance: t.tolerance,
            min: Crf::from_f64(f64::from(min))?,
            max: Crf::from_f64(f64::from(max.max(min)))?,
            step: 4,
            finest: CRF_STEP,
            max_tries: 4,
        })
    }

    /// Starts the stages in `crew`. When they end well, all chunks are in the job directory.
    pub(crate) fn start(&self, crew: &mut Crew, prepared: Prepared, tally: &Arc<Tally>) -> Result<()> {
        let Prepared { job, session, room, video, .. } = prepared;
        let cancel = crew.cancel().clone();
        let (schedule_meter, feed_meter) = (StageMeter::new("schedule"), StageMeter::new("feed"));
        let (to_schedule, notes) = queue::<Note>(NOTES, usize::MAX, &cancel, &feed_meter, &schedule_meter);
        let units = if room.layout.held.is_some() { UNITS_HELD } else { UNITS };
        let mut orders = Vec::new();
        for worker in 0..room.layout.workers {
            let encode = StageMeter::new(format!("encode {worker}"));
            let score = StageMeter::new(format!("score {worker}"));
            let (order_sender, order_receiver) = queue(2, usize::MAX, &cancel, &schedule_meter, &encode);
            let (unit_sender, unit_receiver) = queue::<Unit>(units, UNIT_BYTES, &cancel, &encode, &score);
            orders.push(order_sender);
            let state = EncodeTries {
                worker,
                orders: order_receiver,
                units: unit_sender,
                notes: to_schedule.for_stage(&encode),
                converter: Converter::to_depth(video.bit_depth),
                tally: Arc::clone(tally),
                cancel: cancel.clone(),
            };
            crew.spawn("encode", &encode, state, |s, meter| s.run(meter))?;
            let state = ScoreTries {
                units: unit_receiver,
                notes: to_schedule.for_stage(&score),
                converter: Converter::to_depth(video.bit_depth),
                tally: Arc::clone(tally),
            };
            crew.spawn("score", &score, state, |s, meter| s.run(meter))?;
        }
        let feed = self.feed(&room, &job, to_schedule, tally, &cancel)?;
        crew.spawn("feed", &feed_meter, feed, |s, meter| s.run(meter))?;
        let state = Schedule {
            notes,
            orders,
            settings: self.settings.clone(),
            video,
            session,
            rules: self.rules()?,
            lag: lag(self.info.duration_s, self.target.chunk_seconds),
            layout: room.layout,
            title: self.title(&job),
            job,
            tally: Arc::clone(tally),
            free: (0..room.layout.workers).rev().collect(),
            works: BTreeMap::new(),
            outcomes: Vec::new(),
            ended: false,
        };
        crew.spawn("schedule", &schedule_meter, state, |s, meter| s.run(meter))
    }

    /// How the title's one CRF is found, if there is to be one.
    fn title(&self, job: &Job) -> Option<Title> {
        (self.target.per == Per::Title).then(|| Title {
            calibration: Calibration::of(self.info.duration_s, self.target.chunk_seconds),
            crf: job.title(),
        })
    }

    fn feed(
        &self,
        room: &Room,
        job: &Job,
        notes: crate::stages::queue::Sender<Note>,
        tally: &Arc<Tally>,
        cancel: &CancelToken,
    ) -> Result<Feed> {
        let (path, stream) = (self.settings.input.clone(), self.picture.stream.index);
        let treatment = self.picture.treatment;
        let pictures = Pictures::open(&path, |_| Some(stream), video_options(&self.settings.hwaccel)?, cancel)?;
        Ok(Feed {
            pictures: TreatedPictures::new(pictures, treatment),
            cutter: Cutter::new(self.target.chunk_seconds),
            keep: match room.layout.held {
                Some(bytes) => Keep::Held(FrameBudget::new(bytes)),
                None => Keep::File { path, stream, treatment },
            },
            finished: job.finished_segments(),
            notes,
            tally: Arc::clone(tally),
            cancel: cancel.clone(),
            waiting: VecDeque::new(),
            before: None,
            shown: None,
        })
    }
}
