//! What a run is asked to do, after defaults.
//!
//! Owns the settings types, their defaults and their ranges, the table in which each setting is declared once, and the
//! layers values come from: settings file, environment, flags, program. Refuses to read the environment or arguments by
//! itself, and to do anything.
#![deny(unsafe_code)]

mod batch;
mod file;
mod loudness;
mod migrations;
mod parse;
pub(crate) mod path_text;
mod registry;
mod rows;
mod setting;
mod settings;
mod sound;
mod template;
mod values;
mod video_codec;

pub use crate::media::{
    BitDepth, Crop, Deinterlace, DolbyVisionMode, Hwaccel, PictureSettings, SampleSettings, SampleTier, Scale,
    ToneCurve,
};
pub use batch::BatchSettings;
pub use loudness::{LoudnessGoal, LoudnessGroup, LoudnessSettings};
pub use parse::size;
pub(crate) use parse::{parameters, parameters_text};
pub(crate) use registry::nearest;
pub use registry::{setting, settings};
pub use setting::{Setting, SettingKind};
pub use settings::{AudioMode, CrfBySize, EncodeSettings, Ionice, Per, Quality, Target};
pub use sound::{Downmix, SoundCodec};
pub use template::template;
pub use values::{Origin, SettingValues};
pub use video_codec::VideoCodec;
