//! Decodes a film once and encodes it in two sizes, both scored, into two files.
//!
//! ```text
//! cargo run --release --example two_sizes -- film.mkv film.1080.mkv film.480.mkv [NAME=VALUE...]
//! ```
//!
//! A smaller film keeps its size in the first file and has half its height, or 480 lines, in the second. Further
//! arguments are settings of both, such as `video.preset=10` or `quality.measure=false`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drapto::{CancelToken, EncodeRequest, Event, Outcome, Report};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, large, small, settings @ ..] = arguments.as_slice() else {
        return Err("usage: two_sizes INPUT LARGE.mkv SMALL.mkv [NAME=VALUE...]".into());
    };
    drapto::process::quiet_libraries();
    let request = request(input, large, small, settings)?;
    let job = drapto::start(request, Arc::new(said))?;
    let mut last = Instant::now();
    while !job.is_finished() {
        std::thread::sleep(Duration::from_millis(50));
        if last.elapsed() >= Duration::from_secs(1) {
            last = Instant::now();
            println!("{}\n", job.health());
        }
    }
    match job.wait()? {
        Outcome::Done(first) => std::iter::once(&*first).chain(&first.others).for_each(show),
        Outcome::Skipped(reason) => println!("{reason}"),
        _ => {}
    }
    Ok(())
}

fn request(input: &str, large: &str, small: &str, settings: &[String]) -> drapto::Result<EncodeRequest> {
    let info = drapto::probe(Path::new(input), &CancelToken::new())?;
    let height = info.streams.iter().find_map(|s| s.video.as_ref()).map_or(0, |video| video.height);
    let mut request = EncodeRequest::new(input, large);
    request.set("quality.crf", "32")?;
    request.set("quality.measure", "true")?;
    request.set("output.overwrite", "true")?;
    if height > 1080 {
        request.set_for(0, "picture.scale", "1080")?;
    }
    let second = request.add_output(small);
    let lines = if height > 480 { 480 } else { (height / 4 * 2).max(64) };
    request.set_for(second, "picture.scale", &lines.to_string())?;
    for setting in settings {
        let (name, value) = setting.split_once('=').unwrap_or((setting.as_str(), "true"));
        request.set(name, value)?;
    }
    Ok(request)
}

/// Events come from the job's threads.
fn said(event: &Event) {
    match event {
        Event::Progress { frames, fps, .. } => println!("{frames} frames, {fps:.1} a second"),
        other => println!("{other:?}"),
    }
}

fn show(report: &Report) {
    let (video, quality) = (&report.video, &report.quality);
    let score = quality.mean.map_or("not measured".to_owned(), |mean| format!("VMAF {mean:.2}"));
    let path = report.output.path.display();
    println!("{path}: {}x{}, {} bytes, {score}", video.width, video.height, report.output.bytes);
    if report.others.is_empty() {
        return;
    }
    println!("{:.1} s, processor {:.2} s", report.wall_s, report.cpu_s.unwrap_or(0.0));
}
