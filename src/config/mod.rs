//! What a run is asked to do, after defaults.
//!
//! Owns the settings types, their defaults and their ranges, the table in which each setting is declared once, and the
//! layers values come from: settings file, environment, flags, program. Refuses to read the environment or arguments by
//! itself, and to do anything.
#![deny(unsafe_code)]

mod file;
mod parse;
pub(crate) mod path_text;
mod registry;
mod setting;
mod settings;
mod values;

pub use crate::media::{BitDepth, Crop, Deinterlace, DolbyVisionMode, Hwaccel, PictureSettings, Scale};
pub use file::template;
pub use parse::size;
pub(crate) use parse::{parameters, parameters_text};
pub use registry::{setting, settings};
pub use setting::{Setting, SettingKind};
pub use settings::{AudioMode, EncodeSettings, Per, Quality, Target};
pub use values::{Origin, SettingValues};
