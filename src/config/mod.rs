//! What a run is asked to do, after defaults.
//!
//! Owns the settings types, their defaults and their ranges, and settings files in TOML. Refuses to know
//! how arguments are spelled (that is the command line's) and to do anything.
#![deny(unsafe_code)]

mod file;
mod settings;

pub use crate::media::{BitDepth, Crop, Deinterlace, DolbyVisionMode, Hwaccel, PictureSettings, Scale};
pub use file::{FileSettings, TEMPLATE};
pub use settings::{AudioMode, EncodeSettings, Per, Quality, Target, default_crf};
