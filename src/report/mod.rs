//! A run's report, and an analysis, as people read them: one HTML page that needs nothing beside itself.
//!
//! Owns the words, tables and plots of the page. Refuses files (the page is a `String`), scripts and the network.
#![deny(unsafe_code)]

mod assessment;
mod facts;
mod page;
mod plots;

pub use facts::{
    CaptionReport, ChunkReport, DolbyVisionReport, FileReport, LoudnessReport, QualityReport, Report, StreamReport,
    ToneReport, VideoReport,
};
