//! Stills of a film: a poster, a contact sheet, a moving preview; JPEG, PNG, WebP and GIF.
//!
//! Owns which pictures are taken, how they are shown (upright, in square samples, in the colours of screens), how they are
//! written, and that a file decodes to what was meant. Refuses to decide how a film is decoded: it watches the pictures of
//! whoever decodes it, and reads a film by itself only where nobody does.
//!
//! ```text
//! treated pictures ─► StillWatch (all stills of a run) ─► StillFile: encoded ─► written, decoded again, renamed
//! ```
#![deny(unsafe_code)]

mod best;
mod coded;
mod digits;
mod fields;
mod file;
mod gif_file;
mod made;
mod preview;
mod read;
mod request;
mod sheet;
mod shown;
mod stage;
mod watch;

pub use file::StillReport;
pub(crate) use file::{StillFile, made};
pub(crate) use made::MadeStill;
pub(crate) use read::read_stills;
pub use read::stills;
pub(crate) use request::still_treatment;
pub use request::{PosterOptions, PreviewOptions, SheetOptions, SheetTimes, StillForm, StillRequest};
pub(crate) use stage::WatchStills;
pub(crate) use watch::StillWatch;
