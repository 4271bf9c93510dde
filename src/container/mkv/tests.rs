//! Tests of the room: files are written, then read by code that is not ours (`matroska-demuxer`, mkvmerge,
//! mkvinfo, FFmpeg). A tool or a clip that is absent is named on standard error and its part is left out.
#![deny(unsafe_code)]

pub(in crate::container) mod helpers;
mod hostile;
mod layout;
mod remux;
mod whole;
