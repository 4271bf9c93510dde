//! A request composed into a graph of stages, and what came of it.
//!
//! Owns the order of the parts of a run: look, encode, write, verify, report. Refuses to print, to exit and to handle
//! signals: it speaks through an event sink and stops by a token.
//!
//! Size: films, files of sound and what goes beside them are composed here, each part in a file of its own.
#![deny(unsafe_code)]

mod bench;
mod beside;
mod captions;
mod chosen;
mod damage;
mod deciding;
mod known;
mod loudness;
mod outcome;
mod pass;
mod paths;
mod provenance;
mod run;
mod sampled;
mod searched;
mod sound_file;
mod sound_groups;
mod sound_words;
mod space;
mod tracks;
mod usage;
mod wanted;

pub use bench::{BenchReport, BenchStage, bench};
pub(crate) use beside::Beside;
pub(crate) use paths::check_paths;
pub(crate) use run::encode_all;
pub use run::plan;
pub use sound_file::{SoundFileReport, SoundFileRequest, sound_file};
