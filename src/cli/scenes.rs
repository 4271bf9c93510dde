//! `drapto scenes`.

use std::fmt::Write;

use drapto::data::ScenesReport;
use drapto::{CancelToken, Result};

use super::args::ScenesArgs;
use super::places::input;
use super::signals;
use super::text::{print, print_json};

pub fn run(args: &ScenesArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let scenes = drapto::scenes(input(&args.input), args.chunk_size, &cancel)?;
    if args.json { print_json(&scenes) } else { print(&describe(&scenes)) }
}

fn describe(scenes: &ScenesReport) -> String {
    // Writing to a String cannot fail.
    let mut out = format!("{:>5}  {:>12}  {:>8}  {:>6}  ends by\n", "chunk", "start", "frame", "frames");
    for c in &scenes.chunks {
        let _ =
            writeln!(out, "{:>5}  {:>10.3} s  {:>8}  {:>6}  {}", c.index, c.start_s, c.first_frame, c.frames, c.cut);
    }
    let (frames, chunks, count) = (scenes.frames, scenes.chunks.len(), scenes.scenes.len());
    let _ = writeln!(out, "{frames} frames in {chunks} chunks; {count} scene changes");
    out
}
