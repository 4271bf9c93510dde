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
//! use drapto::{CancelToken, EncodeSettings, Event};
//!
//! fn main() -> drapto::Result<()> {
//!     let settings = EncodeSettings::new("film.mkv", "film.av1.mkv");
//!     let sink = |event: &Event| {
//!         if let Event::Progress { frames, fps, .. } = event {
//!             println!("{frames} frames at {fps:.1} a second");
//!         }
//!     };
//!     let report = drapto::encode(&settings, &sink, &CancelToken::new())?;
//!     println!("{:.1} % smaller", report.reduction_percent);
//!     Ok(())
//! }
//! ```
#![deny(unsafe_code)]

pub mod analyze;
pub mod audio;
pub mod av;
pub mod base;
pub mod config;
pub mod container;
pub mod encode;
pub mod event;
pub mod flow;
pub mod hdr;
pub mod media;
pub mod meter;
pub mod pixel;
pub mod plan;
pub mod report;
pub mod search;
pub mod source;
pub mod stages;
pub mod store;
pub mod syntax;
pub mod verify;
pub mod video;

pub use analyze::{crop, inspect};
pub use base::{CancelToken, Error, ErrorKind, Result};
pub use config::{AudioMode, EncodeSettings, Quality};
pub use encode::{bench, encode, plan};
pub use event::{Event, Silent, Sink};
pub use report::Report;
pub use search::scenes;
pub use source::probe;
pub use verify::{VmafOptions, verify, vmaf};
