//! Decisions: where a film is cut, whether it is interlaced, which CRF is tried next, when a try is not worth going on.
//!
//! Owns arithmetic on measures and scores. Refuses I/O, FFI, threads and time: a decision depends on what it is
//! given alone, so that a run gives the same bytes with any number of workers and after any interruption.
//!
//! Size: every decision of the program is here, one a file; the largest, the schedule of tries, is a folder of its own.
#![deny(unsafe_code)]

mod allocation;
mod chunks;
mod clock;
mod crop;
mod curve;
mod facts;
mod fields;
mod loudness;
mod policy;
mod prior;
mod renditions;
mod samples;
mod schedule;
mod search;
mod shape;
mod streams;
mod stretch;
mod tail;
mod title;
mod tone;
mod treatment;
mod watch;
mod workers;

pub use chunks::{ChunkMeans, ChunkPlanner, ChunkRules, ChunkSpan, Cut, FramePoint, begins_scene};
pub use clock::{Clock, ClockJump, Tick, Ticking};
pub use crop::{CropRules, CropVote, Light, picture_in, sample_times, vote};
pub use curve::{CrfScale, Curve, Distance, SlopeBounds};
pub use facts::{
    CropReport, FACTS_VERSION, FieldPlace, FieldReport, Finding, LateStream, RpuFacts, ShapeFacts, SoundFacts,
    SourceFacts,
};
pub use fields::{Fields, is_told, judge};
pub use loudness::{
    LOUDNESS_TOLERANCE, LevelAim, LevelStep, Loudness, LoudnessTarget, MOST_GAIN, SoundLevel, TriedLevel, first_level,
    next_level,
};
pub use policy::{ChunkSearch, Tier};
pub use prior::{ChunkOutcome, LONGEST_LAG, forecast, lag, probe_crf, slope_of};
pub use renditions::{RenditionShape, RenditionVerdict, chosen};
pub use samples::{FilmMarks, SampleSpan, SampleStep, complexity, sample_spans, sample_step};
pub use schedule::{
    ChunkFacts, KeptChunk, ScheduleAction, ScheduleEvent, ScheduleRecord, ScheduleRules, Scheduler, ScoredFrames,
    TryEnd, TryRecord, shown,
};
pub use search::{Clamp, Forecast, Observation, Reading, Search, SearchRules, Step};
pub use shape::{lasting_size, size_lasts};
pub use streams::{is_image_codec, main_video, why_main};
pub use tail::{Piece, mean_crf};
pub use title::{Calibration, TitleRules, TitleWay, probed, title_crf};
pub(crate) use tone::for_screens;
pub use tone::played_depth;
pub(crate) use treatment::fitted;
pub use treatment::{PicturePlan, Treatment};
pub use watch::{Profile, Verdict, Watch, WatchSpec};
pub use workers::{Layout, Machine, Needs, layout, usual_encoders};

#[cfg(test)]
mod curve_tests;
#[cfg(test)]
mod tests;
