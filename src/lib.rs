//! drapto: films in, AV1 + Opus in Matroska out, in one process.
#![deny(unsafe_code)]

pub mod audio;
pub mod av;
pub mod base;
pub mod config;
pub mod container;
pub mod engine;
pub mod event;
pub mod media;
pub mod meter;
pub mod pixel;
pub mod source;
pub mod video;
