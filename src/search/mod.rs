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
mod reading;
mod relief;
mod remembered;
mod run;
mod samples;
mod scenes;
mod schedule;
mod setup;
mod template;
mod trial;
mod workers;

pub(crate) use assemble::chunks;
pub(crate) use cutter::Cutter;
pub(crate) use film::Film;
pub(crate) use layout::memory_of;
pub(crate) use run::ChunkedFilm;
pub use samples::SampleReport;
pub use scenes::{Scene, SceneChunk, ScenesReport, scenes};
pub(crate) use setup::SearchInput;
