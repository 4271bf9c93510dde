//! drapto on films, as its user meets it: the program, its files, its exit codes.
//!
//! Results are judged by code that is not ours (ffprobe, ffmpeg, mkvmerge); where such a tool or the folder of
//! real clips is absent a test says so and goes on with what there is.

mod analyze;
mod batch;
mod cache;
mod carried;
mod cases;
mod chunk_files;
mod containers;
mod crop;
mod decode;
mod encode;
mod encoders;
mod errors;
mod fallback;
mod hdr;
mod jobs;
mod kills;
mod loudness;
mod overnight;
mod picture;
mod probe;
mod provenance;
mod quality;
mod renditions;
mod scenes;
mod scores;
mod sound;
mod support;
mod table;
mod time;
mod tone;
mod verify;
