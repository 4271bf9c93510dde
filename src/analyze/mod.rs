//! A look at a source before anything is made of it: what it holds, and what its picture is once it is decoded.
//!
//! Owns the looking: the first pictures and their metadata, black bars, fields, what an output tells of its making. Refuses to decide what is done about it
//! (that is `plan`'s) and to hide a look that failed. A source is opened once for all of it, and once more only where
//! it cannot be sought in, or its keyframes say too little.
//!
//! ```text
//! file ─► Analysis::open ─► MediaInfo
//!              └─ facts ─► first pictures ─► seeks: crop, fields ─► SourceFacts
//!                                               └─ (second opening: read from the start)
//! ```
#![deny(unsafe_code)]

mod analysis;
mod captions;
mod crop;
mod elements;
mod fields;
mod inspect;
mod loudness;
mod movie;
mod services;
mod shape;
mod sound;
mod told;

pub use analysis::{Analysis, Looks, probe};
pub use captions::{CaptionTrack, Captions, captions, to_srt};
pub use inspect::{DolbyVisionFacts, PictureReport, ProbeReport, crop, inspect};
pub use loudness::{TrackLoudness, loudness};
pub(crate) use loudness::{at_once, hear, track_loudness};
pub use services::{DigitalCaptions, SERVICES};
pub(crate) use told::{OutputFacts, plan_told_by};
