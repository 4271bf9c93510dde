//! Progress as the user asked for it: a live view, a line now and then, JSON lines, or nothing.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use drapto::{Event, Sink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::text;

/// Off a terminal, how often a line is written.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How events reach the user.
pub enum Progress {
    /// One view that is redrawn.
    Live(ProgressBar),
    /// A line now and then.
    Lines(Mutex<Instant>),
    /// One JSON object a line on standard output.
    Json,
    /// Nothing.
    Quiet,
}

impl Progress {
    /// Chooses by flags and by whether standard error is a terminal.
    pub fn choose(quiet: bool, json: bool) -> Self {
        match (json, quiet, std::io::stderr().is_terminal()) {
            (true, _, _) => Progress::Json,
            (_, true, _) => Progress::Quiet,
            (_, _, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
                bar.set_style(style(false));
                bar.enable_steady_tick(Duration::from_millis(250));
                Progress::Live(bar)
            }
            _ => Progress::Lines(Mutex::new(Instant::now())),
        }
    }

    /// Takes the view off the screen.
    pub fn finish(&self) {
        if let Progress::Live(bar) = self {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: &str) {
        match self {
            Progress::Live(bar) => bar.suspend(|| write_line(line)),
            Progress::Lines(_) => write_line(line),
            Progress::Json | Progress::Quiet => {}
        }
    }
}

fn write_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A name that leaves room for the numbers on a line of 80.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 20;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// With a known length there is a bar; without one, a spinner.
fn style(known_length: bool) -> ProgressStyle {
    let template = if known_length {
        "{prefix} {wide_bar} {percent:>3}% {pos}/{len} {msg}"
    } else {
        "{prefix} {spinner} {pos} frames {msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Sink for Progress {
    fn event(&self, event: &Event) {
        if let Progress::Json = self {
            if let Ok(line) = serde_json::to_string(event) {
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
            return;
        }
        match event {
            Event::Started { input, frames, duration_s, .. } => {
                let name = std::path::Path::new(input).file_name().unwrap_or_default().to_string_lossy().into_owned();
                if let Progress::Live(bar) = self {
                    bar.set_prefix(shortened(&name));
                    if let Some(frames) = frames {
                        bar.set_length(*frames);
                        bar.set_style(style(true));
                    }
                } else {
                    let length = duration_s.map_or(String::new(), |s| format!(", {}", text::duration(s)));
                    self.say(&format!("encoding {name}{length}"));
                }
            }
            Event::Stage { name: "verify" } => {
                if let Progress::Live(bar) = self {
                    bar.set_message("verifying");
                } else {
                    self.say("verifying");
                }
            }
            Event::Progress { frames, fps, speed, bytes, eta_s, .. } => {
                self.progress(*frames, *fps, *speed, *bytes, *eta_s)
            }
            Event::Warning { message } => self.say(&format!("⚠ {message}")),
            _ => {}
        }
    }
}

impl Progress {
    fn progress(&self, frames: u64, fps: f64, speed: f64, bytes: u64, eta_s: Option<f64>) {
        let eta = eta_s.map_or(String::new(), |s| format!(" ETA {}", text::duration(s)));
        let rest = format!("encode {fps:.1} fps {speed:.2}x {}{eta}", text::bytes(bytes));
        match self {
            Progress::Live(bar) => {
                if bar.length().is_some_and(|length| frames > length) {
                    bar.set_length(frames);
                }
                bar.set_position(frames);
                bar.set_message(rest);
            }
            Progress::Lines(last) => {
                let Ok(mut last) = last.lock() else { return };
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    write_line(&format!("{frames} frames  {rest}"));
                }
            }
            Progress::Json | Progress::Quiet => {}
        }
    }
}
