//! Is a file good enough, and what is wrong with it? Its pictures and its sound, alone or beside a reference.
//!
//! Owns what is measured of a finished file, what counts as a finding, the thresholds and the verdict, and the comparison of
//! several encodes of one source. Refuses to repair, to check what was promised of an output (that is `verify`'s) and to draw
//! pages (`report` does). A file is decoded once for all of it, and so is its reference:
//!
//! ```text
//! reference ─► decoded ─► treated as the file was ─┐
//! file ──────► decoded ─┬─────────────────────────┴► metrics ─► pooled ─► checks ─┐
//!                       ├► picture watch ─► series ─► findings ───────────────────┼► verdict
//!                       └► sound watch ───────────► findings ────────────────────┘
//! ```
//!
//! Metrics are libvmaf's and fast-ssim2's; blocks, blur and fields are libavfilter's. Black, still, legal range and doubled
//! pictures are measured here, in one reading of the samples at their own depth, and sound in one pass of its own.
#![deny(unsafe_code)]

mod bd_rate;
mod color;
mod compare;
mod film;
mod finding;
mod junit;
mod metric;
mod options;
mod pairing;
mod picture_findings;
mod picture_watch;
mod report;
mod run;
mod series;
mod sound_watch;
mod stills;
mod thresholds;

pub use compare::{ComparedFile, Comparison, CurveGain, RankedFile, compare};
pub use finding::{FindingKind, Judgement, QualityFinding};
pub use metric::{PooledMetric, Pooling, QualityMetric};
pub use options::AssessOptions;
pub use report::{
    AbsentMetric, AssessedPicture, AssessedReference, AssessedSeries, AssessedSound, Assessment, MetricCheck,
    PictureMeans, Thumbnail, WorstPicture,
};
pub use run::assess;
pub use thresholds::{QualityLimit, Thresholds};
