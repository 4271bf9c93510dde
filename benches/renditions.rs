//! What three renditions and a poster from one decode cost, against the films without the poster and against three runs of
//! the ffmpeg command line.
//!
//!     cargo bench --features internals --bench renditions
//!
//! `FILM` names another film. Of each way the wall time of three turns is printed, the best first; of ours the CPU time, too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use drapto::rendition::{RenditionRequest, renditions};
use drapto::{CancelToken, Silent};

const HEIGHTS: [u32; 3] = [720, 480, 360];

/// Wall and CPU time of our way, in seconds.
fn ours(film: &Path, folder: &Path, poster: bool) -> (f64, f64) {
    let mut request = RenditionRequest::new(film);
    (request.folder, request.overwrite) = (Some(folder.to_path_buf()), true);
    for height in HEIGHTS {
        request.add(&format!("{height}.mp4:height={height},crf=23,crop=off")).expect("words of a film");
    }
    if poster {
        request.add("poster.jpg").expect("words of a poster");
    }
    let report = renditions(&request, Arc::new(Silent), &CancelToken::new()).expect("renditions");
    (report.films[0].wall_s, report.films[0].cpu_s.unwrap_or_default())
}

/// Wall time of three runs of ffmpeg, one after the other, in seconds; `None` where it is not installed.
fn theirs(film: &Path, folder: &Path) -> Option<f64> {
    let begun = Instant::now();
    for height in HEIGHTS {
        let scale = format!("scale=-2:{height}:flags=lanczos");
        let run = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y", "-i"])
            .arg(film)
            .args(["-vf", &scale, "-c:v", "libx264", "-crf", "23", "-c:a", "aac", "-ac", "2"])
            .arg(folder.join(format!("ffmpeg.{height}.mp4")))
            .status();
        run.ok().filter(|status| status.success())?;
    }
    Some(begun.elapsed().as_secs_f64())
}

fn main() {
    let usual = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/media/film/sintel_trailer-720p.mp4");
    let film = std::env::var_os("FILM").map_or_else(usual, PathBuf::from);
    let folder = tempfile::tempdir().expect("a scratch folder");
    let turn = |_| (ours(&film, folder.path(), true), ours(&film, folder.path(), false), theirs(&film, folder.path()));
    let mut all: Vec<_> = (0..3).map(turn).collect();
    all.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
    for (with, without, ffmpeg) in all {
        let cpu = with.1 / without.1.max(1e-9);
        println!("three and a poster {:.2} s ({:.2} s of CPU, {cpu:.3} of the three alone)", with.0, with.1);
        println!("the three          {:.2} s ({:.2} s of CPU)", without.0, without.1);
        if let Some(ffmpeg) = ffmpeg {
            println!("three ffmpeg runs  {ffmpeg:.2} s, {:.2} of ours", ffmpeg / with.0);
        }
    }
}
