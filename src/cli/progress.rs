//! Progress as the user asked for it: a live view, a line now and then, JSON lines, or nothing.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use drapto::{Event, JobEvent, JobId, Sink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::text;

/// Where no view can be redrawn, how long it is from one line to the next: at least this long and this much of the job ...
const LINE_EVERY: Duration = Duration::from_secs(10);
const LINE_PART: f64 = 0.1;
/// ... but not longer than this; and the first comes early, to be of use for short films.
const LINE_AT_LAST: Duration = Duration::from_secs(300);
const FIRST_LINE: Duration = Duration::from_secs(2);

/// Events as the user sees them.
pub struct ProgressSink {
    view: View,
    scored: Mutex<ScoreSum>,
    /// The film that was said to be encoded: of several outputs it is said once.
    named: Mutex<Option<String>>,
}

/// How they reach the user.
enum View {
    /// One view that is redrawn.
    Live(ProgressBar),
    /// A line now and then.
    Lines(Mutex<LastLine>),
    /// One JSON object a line on standard output.
    Json,
    /// Nothing.
    Quiet,
}

/// When the last line was written, and how much was done then.
struct LastLine {
    at: Instant,
    done: f64,
    first: bool,
}

impl LastLine {
    fn new() -> Self {
        LastLine { at: Instant::now(), done: 0.0, first: true }
    }

    /// Whether it is time for the next.
    fn is_due(&mut self, now: Instant, done: Option<f64>) -> bool {
        let passed = now.saturating_duration_since(self.at);
        let more = done.is_none_or(|done| done >= self.done + LINE_PART);
        let due = match self.first {
            true => passed >= FIRST_LINE,
            false => (passed >= LINE_EVERY && more) || passed >= LINE_AT_LAST,
        };
        if due {
            *self = LastLine { at: now, done: done.unwrap_or(0.0), first: false };
        }
        due
    }
}

/// Whether standard error is a terminal on which a line can be drawn anew; one that is called dumb, or not called at all,
/// cannot (terminfo(5)).
pub fn redraws() -> bool {
    let named = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    std::io::stderr().is_terminal() && (named || cfg!(windows))
}

/// Finished chunks: their frames, and the sum of 1 / (VMAF + 1) over them.
#[derive(Default)]
pub struct ScoreSum {
    frames: f64,
    inverse: f64,
}

impl ScoreSum {
    pub fn add(&mut self, frames: u64, vmaf: f64) {
        self.frames += frames as f64;
        self.inverse += frames as f64 / (vmaf + 1.0);
    }

    /// The harmonic mean.
    pub fn mean(&self) -> Option<f64> {
        (self.frames > 0.0).then(|| self.frames / self.inverse - 1.0)
    }
}

impl ProgressSink {
    /// Chooses by flags and by whether standard error is a terminal.
    pub fn choose(quiet: bool, json: bool) -> Self {
        let view = match (json, quiet, redraws()) {
            (true, _, _) => View::Json,
            (_, true, _) => View::Quiet,
            (_, _, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
                bar.set_style(style(false));
                bar.enable_steady_tick(Duration::from_millis(250));
                View::Live(bar)
            }
            _ => View::Lines(Mutex::new(LastLine::new())),
        };
        ProgressSink { view, scored: Mutex::default(), named: Mutex::default() }
    }

    /// Takes the view off the screen.
    pub fn finish(&self) {
        if let View::Live(bar) = &self.view {
            bar.finish_and_clear();
        }
    }

    /// Whether this film was not named last.
    fn is_new(&self, input: &str) -> bool {
        self.named.lock().is_ok_and(|mut named| named.replace(input.to_owned()).as_deref() != Some(input))
    }

    fn say(&self, line: &str) {
        match &self.view {
            View::Live(bar) => bar.suspend(|| write_line(line)),
            View::Lines(_) => write_line(line),
            View::Json | View::Quiet => {}
        }
    }
}

fn write_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn write_json(value: &impl serde::Serialize) {
    if let Ok(line) = serde_json::to_string(value) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
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

impl Sink for ProgressSink {
    fn job_event(&self, job: JobId, event: &Event) {
        match &self.view {
            View::Json => write_json(&JobEvent { event, job }),
            _ => self.event(event),
        }
    }

    fn event(&self, event: &Event) {
        if let View::Json = &self.view {
            return write_json(event);
        }
        match event {
            Event::Started { input, frames, duration_s, .. } => {
                let name = std::path::Path::new(input).file_name().unwrap_or_default().to_string_lossy().into_owned();
                if let View::Live(bar) = &self.view {
                    bar.set_prefix(shortened(&name));
                    if let Some(frames) = frames {
                        bar.set_length(*frames);
                        bar.set_style(style(true));
                    }
                } else if self.is_new(input) {
                    let length = duration_s.map_or(String::new(), |s| format!(", {}", text::duration(s)));
                    self.say(&format!("encoding {name}{length}"));
                }
            }
            Event::Stage { name: "loudness" } => match &self.view {
                View::Live(bar) => bar.set_message("measuring the sound"),
                _ => self.say("measuring the sound"),
            },
            Event::Stage { name: "verify" } => {
                if let View::Live(bar) = &self.view {
                    bar.set_message("verifying");
                } else {
                    self.say("verifying");
                }
            }
            Event::Progress { frames, fps, speed, bytes, eta_s, done, .. } => {
                self.progress(*frames, (*fps, *speed), *bytes, *eta_s, *done)
            }
            Event::Resumed { finished } => self.say(&format!("{finished} chunks are finished already")),
            Event::Chunk { frames, vmaf, .. } => {
                if let Ok(mut scored) = self.scored.lock() {
                    scored.add(*frames, *vmaf);
                }
            }
            Event::Warning { message } => self.say(&format!("⚠ {message}")),
            _ => {}
        }
    }
}

impl ProgressSink {
    fn progress(&self, frames: u64, (fps, speed): (f64, f64), bytes: u64, eta_s: Option<f64>, done: Option<f64>) {
        let eta = eta_s.map_or(String::new(), |s| format!(" ETA {}", text::duration(s)));
        let mean = self.scored.lock().ok().and_then(|scored| scored.mean());
        let vmaf = mean.map_or(String::new(), |mean| format!(" VMAF {mean:.2}"));
        let rest = format!("encode {fps:.1} fps {speed:.2}x {}{vmaf}{eta}", text::bytes(bytes));
        match &self.view {
            View::Live(bar) => {
                if bar.length().is_some_and(|length| frames > length) {
                    bar.set_length(frames);
                }
                bar.set_position(frames);
                bar.set_message(rest);
            }
            View::Lines(last) => {
                let Ok(mut last) = last.lock() else { return };
                if last.is_due(Instant::now(), done) {
                    let percent = done.map_or(String::new(), |done| format!("{:.0} %  ", (done * 100.0).floor()));
                    write_line(&format!("{percent}{frames} frames  {rest}"));
                }
            }
            View::Json | View::Quiet => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_after_ten_seconds_and_ten_percent_whichever_is_later() {
        let mut last = LastLine::new();
        let begun = last.at;
        let mut lines = |every: f64, seconds: u64| {
            let due = (1..=seconds)
                .filter(|s| last.is_due(begun + Duration::from_secs(*s), Some((*s as f64 * every).min(1.0))));
            due.collect::<Vec<_>>()
        };
        // A job of 50 s; one of half an hour and one of ten hours below.
        assert_eq!(lines(0.02, 50), [2, 12, 22, 32, 42]);
        for (seconds, most) in [(1800, 181), (36_000, 300)] {
            let mut last = LastLine::new();
            let begun = last.at;
            let due: Vec<u64> = (1..=seconds)
                .filter(|s| last.is_due(begun + Duration::from_secs(*s), Some(*s as f64 / seconds as f64)))
                .collect();
            assert!(due.windows(2).all(|pair| (180..=most).contains(&(pair[1] - pair[0]))), "{due:?}");
        }
        let mut unknown = LastLine::new();
        let begun = unknown.at;
        assert_eq!((1..=35).filter(|s| unknown.is_due(begun + Duration::from_secs(*s), None)).count(), 4);
    }
}
