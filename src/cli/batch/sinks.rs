//! Who is told what happens in a batch: the board or lines, JSON, the text log, the cache.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use drapto::batch::{BatchEvent, BatchSink};
use drapto::{CancelToken, Event, Report, Result};

use super::log::{TextLog, line};
use super::remember::Remembered;
use crate::cli::args::Talk;
use crate::cli::board::{Asked, Screen};
use crate::cli::progress::redraws;

/// All who watch.
pub struct Watchers {
    view: BatchView,
    log: TextLog,
    remembered: Arc<Remembered>,
    /// By position in the plan.
    reports: Mutex<BTreeMap<usize, Report>>,
}

/// How the user watches.
enum BatchView {
    Board(Screen),
    Lines,
    Json,
    Quiet,
}

/// What a view begins with.
pub struct BatchOpening {
    pub title: String,
    /// What each film of the plan is expected to take.
    pub costs: Vec<f64>,
    pub log: TextLog,
    pub remembered: Arc<Remembered>,
}

impl Watchers {
    /// As was asked for; keys cancel the tokens: `drain` after the films that run, `cancel` at once.
    pub fn open(talk: &Talk, opening: BatchOpening, (drain, cancel): (&CancelToken, &CancelToken)) -> Result<Self> {
        let BatchOpening { title, costs, log, remembered } = opening;
        let board = redraws() && std::io::stdin().is_terminal();
        let view = match (talk.events.is_some(), talk.quiet, board) {
            (true, ..) => BatchView::Json,
            (_, true, _) => BatchView::Quiet,
            (.., true) => {
                let (drain, on_key, stopped) = (drain.clone(), cancel.clone(), cancel.clone());
                let on_key = move |asked| match asked {
                    Asked::Pause => on_key.pause(),
                    Asked::GoOn => on_key.resume(),
                    Asked::Stop => {
                        on_key.resume();
                        drain.cancel();
                    }
                    Asked::Leave => on_key.cancel(),
                };
                BatchView::Board(Screen::open(title, costs, on_key, move || stopped.cancel())?)
            }
            _ => BatchView::Lines,
        };
        Ok(Watchers { view, log, remembered, reports: Mutex::default() })
    }

    /// Gives the terminal back.
    pub fn close(&self) {
        if let BatchView::Board(screen) = &self.view {
            screen.close();
        }
    }

    /// Says what the user should know before it begins.
    pub fn warn(&self, warnings: &[String]) {
        match &self.view {
            BatchView::Board(screen) => warnings.iter().for_each(|warning| screen.warn(warning)),
            BatchView::Lines => warnings.iter().for_each(|warning| write_line(&format!("⚠ {warning}"))),
            BatchView::Json => {
                warnings.iter().for_each(|warning| write_json(&Event::Warning { message: warning.clone() }))
            }
            BatchView::Quiet => {}
        }
    }

    /// The reports of the films that were encoded.
    pub fn reports(&self) -> BTreeMap<usize, Report> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl BatchSink for Watchers {
    fn batch_event(&self, event: &BatchEvent) {
        self.log.event(event);
        match &self.view {
            BatchView::Board(screen) => screen.batch_event(event),
            BatchView::Json => write_json(event),
            BatchView::Lines => match event {
                BatchEvent::File { event: Event::Warning { message }, .. } => write_line(&format!("⚠ {message}")),
                event => {
                    if let Some(line) = line(event) {
                        write_line(&line);
                    }
                }
            },
            BatchView::Quiet => {
                if let BatchEvent::FileFailed { .. } | BatchEvent::BreakerOpen { .. } = event
                    && let Some(line) = line(event)
                {
                    write_line(&format!("✗ {line}"));
                }
            }
        }
    }

    fn film_report(&self, file: usize, report: &Report) {
        self.remembered.done(report);
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).insert(file, report.clone());
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
