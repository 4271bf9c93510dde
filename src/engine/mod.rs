//! Runs a film through the stages.
//!
//! Owns threads, channels, files in progress, verification and the report. Refuses to print, to exit and to
//! handle signals: it speaks through an event sink and stops by a token.
#![deny(unsafe_code)]

mod bench;
mod chunked;
mod crew;
mod crop;
mod demux;
mod encode;
mod fields;
mod inspect;
mod job;
mod look;
mod mux;
mod output;
mod picture;
mod pipeline;
mod queue;
mod report;
mod scenes;
mod sound;
mod stage;
mod streams;
mod tally;
mod treatment;
mod usage;
mod verify;
mod verify_source;
mod vmaf;

pub use crate::plan::TryRecord;
pub use bench::{BenchReport, BenchStage, bench};
pub use crop::{CropReport, crop};
pub use encode::{encode, plan};
pub use inspect::{DolbyVisionFacts, PictureReport, ProbeReport, inspect};
pub use job::job_dir;
pub use report::{
    ChunkReport, DolbyVisionReport, FileReport, QualityReport, Report, StreamReport, VideoReport, versions,
};
pub use scenes::{Scene, SceneChunk, ScenesReport, scenes};
pub use stage::StageReport;
pub use streams::{Action, StreamDecision};
pub use verify::{CheckResult, Verification};
pub use verify_source::verify;
pub use vmaf::{VmafOptions, vmaf};
