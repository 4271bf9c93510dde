//! drapto: films in, AV1 + Opus in Matroska out, in one process.
//!
//! ```text
//! file → source → Packet → source → Frame → pixel → Frame → video → Packet → container → file
//!                    └──────→ audio → Packet ─────────────────────────────────┘
//! ```
//!
//! libavformat and libavcodec demux and decode; reference-counted frames travel through bounded channels into
//! the linked SVT-AV1 and libopus; Matroska is written directly and read back before it gets its name. The
//! library never prints, exits or installs a signal handler: it tells an event sink and obeys a token.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use drapto::{EncodeRequest, Event, Outcome};
//!
//! fn main() -> drapto::Result<()> {
//!     let mut request = EncodeRequest::new("film.mkv", "film.av1.mkv");
//!     request.set("quality.target_vmaf", "93")?;
//!     let sink = |event: &Event| {
//!         if let Event::Progress { frames, fps, .. } = event {
//!             println!("{frames} frames at {fps:.1} a second");
//!         }
//!     };
//!     let job = drapto::start(request, Arc::new(sink))?;
//!     match job.wait()? {
//!         Outcome::Done(report) => println!("{:.1} % smaller", report.reduction_percent),
//!         Outcome::Skipped(reason) => println!("{reason}"),
//!         _ => {}
//!     }
//!     Ok(())
//! }
//! ```
#![deny(unsafe_code)]
#![deny(missing_docs)]
// What a public name's fields hold can be named, too.
#![deny(unnameable_types)]
// A room's root names all that the room gives on; some of it only benches and fuzz targets take.
#![cfg_attr(not(feature = "internals"), allow(unused_imports))]

// The C shells name the public API as a program does.
#[cfg(feature = "capi")]
extern crate self as drapto;

pub(crate) mod analyze;
pub(crate) mod assess;
pub(crate) mod audio;
pub(crate) mod av;
pub(crate) mod base;
#[cfg(feature = "capi")]
mod capi;
pub(crate) mod config;
pub(crate) mod container;
pub(crate) mod encode;
pub(crate) mod event;
// Whole by its own laws; encodes of files need no inbox and no drain, which its tests and programs that feed it do.
#[cfg_attr(not(feature = "internals"), allow(dead_code))]
pub(crate) mod flow;
pub(crate) mod front;
pub(crate) mod hdr;
pub(crate) mod library;
pub(crate) mod media;
pub(crate) mod meter;
pub(crate) mod pixel;
pub(crate) mod plan;
pub(crate) mod renditions;
pub(crate) mod report;
pub(crate) mod search;
pub(crate) mod source;
pub(crate) mod stages;
pub(crate) mod still;
pub(crate) mod store;
pub(crate) mod syntax;
pub(crate) mod verify;
pub(crate) mod video;

pub use analyze::{crop, inspect, loudness, probe};
pub use base::{CancelToken, Error, ErrorKind, Result, Timestamp};
pub use config::{EncodeSettings, Quality, SettingValues, setting, settings, template};
pub use encode::{bench, plan};
pub use event::{Event, JobEvent, JobId, Silent, Sink};
pub use flow::{Health, RunState};
pub use front::{
    EncodeRequest, EncodedFrame, FrameEncoder, FrameEncoderOptions, JobHandle, Outcome, OutputRequest, Picture,
    PictureMeter, PicturePool, SkipReason, start, start_with,
};
pub use media::Crf;
pub use meter::Scores;
pub use report::Report;
pub use search::scenes;

pub use verify::{Verification, VmafOptions, verify, vmaf};

/// What functions find and what stands in the fields of reports, facts, settings and events, as plain data.
pub mod data {
    pub use crate::analyze::{DolbyVisionFacts, PictureReport, ProbeReport, TrackLoudness};
    pub use crate::audio::AudioStats;
    pub use crate::base::{Rational, Rounding, Span};
    pub use crate::config::{
        AudioMode, BatchSettings, BitDepth, CrfBySize, Crop, Deinterlace, DolbyVisionMode, Downmix, Hwaccel, Ionice,
        LoudnessGoal, LoudnessGroup, LoudnessSettings, Origin, Per, PictureSettings, SampleSettings, SampleTier, Scale,
        Setting, SettingKind, SoundCodec, Target, ToneCurve,
    };
    pub use crate::container::provenance::{
        Provenance, ProvenanceChunk, ProvenancePiece, ProvenanceScore, ProvenanceTarget,
    };
    pub use crate::encode::{BenchReport, BenchStage};
    pub use crate::flow::{StageHealth, StageReport};
    pub use crate::media::{
        Attachment, AudioInfo, Chapter, ChapterAtom, ChapterDisplay, ChromaLocation, Color, ColorRange, ContentLight,
        Disposition, DolbyVision, Edition, EnhancementLayer, FieldOrder, Flip, HdrStatic, MasteringDisplay, Matrix,
        MediaInfo, Orientation, PixelCrop, PoolStats, Primaries, Rect, SimpleTag, StreamInfo, StreamKind, Subsampling,
        Tag, TagEntry, TagTargets, Transfer, VideoInfo,
    };
    pub use crate::meter::{FrameScore, MetricKind, Model, Stride};
    pub use crate::plan::{CropReport, Curve, Distance, Loudness, Observation, Piece, SlopeBounds, Tier, TryRecord};
    pub use crate::report::{
        CaptionReport, ChunkReport, DolbyVisionReport, FileReport, LoudnessReport, QualityReport, StreamReport,
        ToneReport, VideoReport,
    };
    pub use crate::search::{SampleReport, Scene, SceneChunk, ScenesReport};
    pub use crate::source::DecodeStats;
    pub use crate::stages::{Action, StreamDecision};
    pub use crate::verify::CheckResult;
}

/// Files of sound alone.
///
/// ```no_run
/// use drapto::sound::{SoundFileRequest, sound_file};
/// use drapto::{CancelToken, Silent};
///
/// let mut request = SoundFileRequest::new("film.mkv", "film.mp3");
/// request.downmix = drapto::data::Downmix::Stereo;
/// let report = sound_file(&request, &Silent, &CancelToken::new())?;
/// println!("{} samples", report.samples.unwrap_or_default());
/// # Ok::<(), drapto::Error>(())
/// ```
pub mod sound {
    pub use crate::encode::{SoundFileReport, SoundFileRequest, sound_file};
}

/// Several sizes, codecs and containers of a film, sound alone and stills, from one decode.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use drapto::rendition::{RenditionRequest, renditions};
/// use drapto::{CancelToken, Silent};
///
/// let mut request = RenditionRequest::new("film.mkv");
/// request.add_standard();
/// request.add("poster.jpg:at=best")?;
/// let report = renditions(&request, Arc::new(Silent), &CancelToken::new())?;
/// println!("{} films, {} stills", report.films.len(), report.stills.len());
/// # Ok::<(), drapto::Error>(())
/// ```
pub mod rendition {
    pub use crate::renditions::{RenditionReport, RenditionRequest, renditions};
    pub use crate::still::{
        PosterOptions, PreviewOptions, SheetOptions, SheetTimes, StillForm, StillReport, StillRequest, stills,
    };
}

/// What runs that ended early left on disks.
pub mod leftovers {
    pub use crate::store::leftovers::{Leftover, LeftoverKind, LeftoverState, leftovers};
}

/// Folders of films: which are encoded and why others are not, several at once, and what becomes of their sources.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use drapto::CancelToken;
/// use drapto::batch::{Batch, BatchEvent, BatchOptions, BatchPlan, look_at};
///
/// let cancel = CancelToken::new();
/// let options = BatchOptions::new("films");
/// let plan = BatchPlan::make(&options, |film| look_at(film, &cancel))?;
/// let sink = |event: &BatchEvent| {
///     if let BatchEvent::FileFailed { input, message, .. } = event {
///         println!("{input}: {message}");
///     }
/// };
/// let summary = Batch::new(plan, options).run(Arc::new(sink), &cancel);
/// println!("{} encoded, {} left alone", summary.done, summary.skipped);
/// # Ok::<(), drapto::Error>(())
/// ```
pub mod batch {
    pub use crate::library::{
        Batch, BatchEvent, BatchItem, BatchLease, BatchMemory, BatchOptions, BatchPlan, BatchRules, BatchSink,
        BatchSummary, CircuitBreaker, FailureCause, FileOutcome, FileStamp, FileSummary, FilmFacts, FilmKey,
        ItemVerdict, KnownSkip, LeaseShare, OutputNames, SizeClass, SkipRule, SourceFate, SourceRule, UnreadablePlace,
        WalkOptions, Walked, Watchlist, judge, look_at, walk, watch,
    };
}

/// Whether files are good enough: metrics against a reference, what is wrong without one, thresholds, verdicts, comparisons.
///
/// ```no_run
/// use std::path::Path;
///
/// use drapto::CancelToken;
/// use drapto::quality::{AssessOptions, Judgement, assess};
///
/// let found = assess(Some(Path::new("film.mkv")), Path::new("film.av1.mkv"), &AssessOptions::default(), &CancelToken::new())?;
/// for finding in &found.findings {
///     println!("{}: {}", finding.judgement, finding.message);
/// }
/// assert_ne!(found.verdict, Judgement::Fail);
/// # Ok::<(), drapto::Error>(())
/// ```
pub mod quality {
    pub use crate::assess::{
        AbsentMetric, AssessOptions, AssessedPicture, AssessedReference, AssessedSeries, AssessedSound, Assessment,
        ComparedFile, Comparison, CurveGain, FindingKind, Judgement, MetricCheck, PictureMeans, PooledMetric, Pooling,
        QualityFinding, QualityLimit, QualityMetric, RankedFile, Thresholds, Thumbnail, WorstPicture, assess, compare,
    };
}

/// What drapto remembers from run to run. A program that wants none of it opens none.
pub mod cache {
    pub use crate::store::cache::{
        Cache, CacheKey, CacheRemoved, CacheStats, CacheTable, CachedTry, Estimate, FileMark, HistoryEntry,
        HistoryTotals, KnownOutcome, PerformanceKey, RunOutcome, default_path,
    };
}

/// Numbers as people read and write them.
pub mod text {
    pub use crate::base::text::{bytes, duration};
    pub use crate::config::size;
}

/// What concerns the whole process, which drapto leaves as it is unless its owner asks for a change.
pub mod process {
    pub use crate::video::around_opening;

    /// The SVT-AV1 that is loaded and where this build took it from: `SVT-AV1 4.2.0, from the wheel av 19.0.2`.
    pub fn encoder() -> String {
        crate::video::library_and_origin()
    }

    /// Silences the linked libraries' own logs (FFmpeg's and SVT-AV1's), for the whole process and for good.
    ///
    /// drapto never does this by itself: a program that uses those libraries too may want to hear them.
    pub fn quiet_libraries() {
        crate::video::quiet_logs();
        crate::av::quiet_logs();
    }
}

/// The rooms behind the front door, for this project's own benches, fuzz targets and tests; no promise holds for them.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    macro_rules! rooms {
        ($($room:ident)*) => { $(pub mod $room { pub use crate::$room::*; })* };
    }
    rooms! {
        analyze assess audio av base config container encode event flow front hdr library media meter pixel plan report search source stages syntax verify video
    }
}
