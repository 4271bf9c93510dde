//! What the board of a batch shows, from the batch's events. Pure: no terminal, no clock of its own.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use drapto::Event;
use drapto::batch::BatchEvent;

use super::super::progress::ScoreSum;

/// Messages that are remembered.
const MESSAGES: usize = 200;

/// A batch as it is.
pub struct BatchBoard {
    /// What it was asked for, in a line.
    pub title: String,
    begun: Instant,
    /// Films that are encoded, and what each is expected to cost, in any unit that is the same for all.
    pub films: usize,
    costs: Vec<f64>,
    cost_done: f64,
    pub done: usize,
    pub skipped: usize,
    pub failed: usize,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Films that are encoded at the moment, by position in the plan.
    pub panels: BTreeMap<usize, Panel>,
    pub messages: VecDeque<Message>,
    /// What the user asked for.
    pub asked: Asked,
    eta: Option<(Instant, Duration)>,
}

/// What was asked for at the keyboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    #[default]
    GoOn,
    Pause,
    Stop,
    Leave,
}

/// A line of what happened.
pub struct Message {
    pub mood: Mood,
    pub text: String,
}

/// How good that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    Doubtful,
    Bad,
}

/// A film that is encoded.
pub struct Panel {
    pub name: String,
    pub stage: &'static str,
    /// 0 to 1, where it is known.
    pub done: Option<f64>,
    pub fps: f64,
    pub eta_s: Option<f64>,
    /// The rate factor that was used last.
    pub crf: Option<f64>,
    scored: ScoreSum,
    pub cells: Vec<Cell>,
    pub message: Option<String>,
}

/// A chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Waiting,
    Running,
    Again,
    Kept,
}

impl Panel {
    fn new(input: &str) -> Self {
        Panel {
            name: name_of(input),
            stage: "look",
            done: None,
            fps: 0.0,
            eta_s: None,
            crf: None,
            scored: ScoreSum::default(),
            cells: Vec::new(),
            message: None,
        }
    }

    /// The score over all chunks that are kept.
    pub fn vmaf(&self) -> Option<f64> {
        self.scored.mean()
    }

    fn cell(&mut self, index: usize, cell: Cell) {
        if self.cells.len() <= index {
            self.cells.resize(index + 1, Cell::Waiting);
        }
        self.cells[index] = cell;
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Stage { name } => self.stage = name,
            Event::Progress { fps, eta_s, done, .. } => {
                (self.fps, self.eta_s) = (*fps, *eta_s);
                self.done = done.or(self.done);
            }
            Event::ChunkPlanned { index, finished, .. } => {
                self.cell(*index, if *finished { Cell::Kept } else { Cell::Waiting });
            }
            Event::ChunkBegun { index, attempt, crf } => {
                self.crf = Some(*crf);
                self.cell(*index, if *attempt > 1 { Cell::Again } else { Cell::Running });
            }
            Event::Chunk { index, frames, vmaf, crf, .. } => {
                self.crf = Some(*crf);
                self.scored.add(*frames, *vmaf);
                self.cell(*index, Cell::Kept);
            }
            Event::Sampled { crf, .. } => self.crf = Some(*crf),
            Event::Warning { message } => self.message = Some(message.clone()),
            _ => {}
        }
    }
}

/// A film's name without its folders.
fn name_of(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

impl BatchBoard {
    /// Of a batch whose films are expected to cost so much, by position in the plan.
    pub fn new(title: String, costs: Vec<f64>, now: Instant) -> Self {
        BatchBoard {
            title,
            begun: now,
            films: 0,
            costs,
            cost_done: 0.0,
            done: 0,
            skipped: 0,
            failed: 0,
            bytes_in: 0,
            bytes_out: 0,
            panels: BTreeMap::new(),
            messages: VecDeque::new(),
            asked: Asked::default(),
            eta: None,
        }
    }

    /// Takes what happened.
    pub fn apply(&mut self, event: &BatchEvent, now: Instant) {
        match event {
            BatchEvent::BatchStarted { to_do, .. } => self.films = *to_do,
            BatchEvent::FileStarted { file, input, .. } => {
                self.panels.insert(*file, Panel::new(input));
            }
            BatchEvent::File { file, event, .. } => {
                if let Some(panel) = self.panels.get_mut(file) {
                    panel.apply(event);
                }
            }
            BatchEvent::FileDone { file, input, bytes_in, bytes_out, reduction_percent, .. } => {
                (self.done, self.bytes_in, self.bytes_out) =
                    (self.done + 1, self.bytes_in + bytes_in, self.bytes_out + bytes_out);
                let score = self.panels.get(file).and_then(Panel::vmaf);
                let score = score.map_or(String::new(), |vmaf| format!(", VMAF {vmaf:.2}"));
                let sizes = format!("{} → {}", drapto::text::bytes(*bytes_in), drapto::text::bytes(*bytes_out));
                self.ended(
                    *file,
                    Mood::Good,
                    format!("✓ {}  {sizes} ({reduction_percent:.1} %){score}", name_of(input)),
                );
            }
            BatchEvent::FileSkipped { file, input, message, .. } => {
                self.skipped += 1;
                self.ended(*file, Mood::Doubtful, format!("○ {}  {message}", name_of(input)));
            }
            BatchEvent::FileFailed { file, input, message, .. } => {
                self.failed += 1;
                self.ended(*file, Mood::Bad, format!("✗ {}  {message}", name_of(input)));
            }
            BatchEvent::FileInterrupted { file, input, .. } => {
                self.ended(*file, Mood::Doubtful, format!("○ {}  stopped", name_of(input)));
            }
            BatchEvent::FileWarning { input, message, .. } => {
                self.say(Mood::Doubtful, format!("⚠ {}  {message}", name_of(input)));
            }
            BatchEvent::BreakerOpen { message, .. } => self.say(Mood::Bad, format!("✗ {message}")),
            _ => {}
        }
        self.expect(now);
    }

    fn ended(&mut self, file: usize, mood: Mood, text: String) {
        self.panels.remove(&file);
        self.cost_done += self.cost(file);
        self.say(mood, text);
    }

    /// Says something that is of no film.
    pub fn warn(&mut self, message: &str) {
        self.say(Mood::Doubtful, format!("⚠ {message}"));
    }

    fn say(&mut self, mood: Mood, text: String) {
        self.messages.push_back(Message { mood, text });
        if self.messages.len() > MESSAGES {
            self.messages.pop_front();
        }
    }

    fn cost(&self, file: usize) -> f64 {
        self.costs.get(file).copied().unwrap_or(0.0)
    }

    /// How much of the batch is done, 0 to 1, by what its films are expected to cost.
    pub fn part(&self) -> f64 {
        let total: f64 = self.costs.iter().sum();
        let running: f64 = self.panels.iter().map(|(file, panel)| self.cost(*file) * panel.done.unwrap_or(0.0)).sum();
        if total > 0.0 { ((self.cost_done + running) / total).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Time since the batch began.
    pub fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    /// Works out how long it will still take.
    fn expect(&mut self, now: Instant) {
        /// Below this part nothing is known.
        const LEAST: f64 = 0.005;
        let (part, elapsed) = (self.part(), self.elapsed(now));
        if part < LEAST || self.asked == Asked::Pause {
            return;
        }
        let left = elapsed.mul_f64((1.0 - part) / part);
        // Between events it counts down; it moves to what is known now by a tenth, so that it does not jump.
        let shown = self.eta_at(now).map_or(left, |shown| shown.mul_f64(0.9) + left.mul_f64(0.1));
        self.eta = Some((now, shown));
    }

    fn eta_at(&self, now: Instant) -> Option<Duration> {
        let (then, left) = self.eta?;
        Some(left.saturating_sub(now.saturating_duration_since(then)))
    }

    /// How long it will still take, where that can be said.
    pub fn eta(&self, now: Instant) -> Option<Duration> {
        self.eta_at(now)
    }

    /// A key was pressed; what is asked for then.
    pub fn press(&mut self, key: char) -> Asked {
        self.asked = match (key, self.asked) {
            ('q' | '\n', Asked::Stop | Asked::Leave) => Asked::Leave,
            ('q' | '\n', _) => Asked::Stop,
            ('p' | ' ', Asked::GoOn) => Asked::Pause,
            ('p' | ' ', Asked::Pause) => Asked::GoOn,
            (_, asked) => asked,
        };
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use drapto::JobId;

    use super::*;

    fn started(file: usize) -> BatchEvent {
        let (input, output) = (format!("films/{file}.mkv"), String::new());
        BatchEvent::FileStarted { file, total: 2, input, output, bytes: 10 }
    }

    fn of(file: usize, event: Event) -> BatchEvent {
        BatchEvent::File { file, job: JobId(1), event }
    }

    fn progress(done: f64) -> Event {
        let (frames, position_s, fps, speed, bytes) = (0, 0.0, 24.0, 1.0, 0);
        Event::Progress { stage: "encode", frames, position_s, fps, speed, bytes, eta_s: None, done: Some(done) }
    }

    #[test]
    fn chunks_are_cells_that_wait_run_run_again_and_are_kept() {
        let now = Instant::now();
        let mut board = BatchBoard::new(String::new(), vec![1.0], now);
        board.apply(&started(0), now);
        for index in 0..4 {
            board.apply(&of(0, Event::ChunkPlanned { index, start_s: 0.0, frames: 24, finished: index == 0 }), now);
        }
        for (index, attempt) in [(1, 1), (2, 2)] {
            board.apply(&of(0, Event::ChunkBegun { index, attempt, crf: 30.0 }), now);
        }
        assert_eq!(board.panels[&0].cells, [Cell::Kept, Cell::Running, Cell::Again, Cell::Waiting]);
        let chunk = Event::Chunk { index: 2, start_s: 0.0, frames: 24, crf: 31.0, vmaf: 93.0, attempts: 2, bytes: 1 };
        board.apply(&of(0, chunk), now);
        let panel = &board.panels[&0];
        assert_eq!((panel.cells[2], panel.crf), (Cell::Kept, Some(31.0)));
        assert!((panel.vmaf().unwrap() - 93.0).abs() < 1e-9);
    }

    #[test]
    fn the_time_left_follows_from_what_films_cost_and_counts_down() {
        let begun = Instant::now();
        let at = |s: u64| begun + Duration::from_secs(s);
        let mut board = BatchBoard::new(String::new(), vec![30.0, 10.0], begun);
        board.apply(&BatchEvent::BatchStarted { films: 2, to_do: 2, bytes: 20, jobs: 1 }, begun);
        board.apply(&started(0), begun);
        assert_eq!(board.eta(begun), None);
        board.apply(&of(0, progress(1.0 / 3.0)), at(10));
        assert_eq!(board.eta(at(10)), Some(Duration::from_secs(30)));
        assert_eq!(board.eta(at(15)), Some(Duration::from_secs(25)));
        assert_eq!(board.eta(at(99)), Some(Duration::ZERO));
        let message = "broken".to_owned();
        let cause = drapto::batch::FailureCause::of(&drapto::Error::new(drapto::ErrorKind::Input, "broken"));
        board.apply(&BatchEvent::FileFailed { file: 0, input: "films/0.mkv".to_owned(), cause, message }, at(30));
        assert!((board.part() - 0.75).abs() < 1e-9 && board.panels.is_empty());
        assert_eq!((board.failed, board.messages.back().unwrap().text.as_str()), (1, "✗ 0.mkv  broken"));
    }

    #[test]
    fn the_first_q_stops_and_the_second_leaves() {
        let mut board = BatchBoard::new(String::new(), Vec::new(), Instant::now());
        assert_eq!([board.press('p'), board.press('x'), board.press(' ')], [Asked::Pause, Asked::Pause, Asked::GoOn]);
        assert_eq!([board.press('q'), board.press('p'), board.press('\n')], [Asked::Stop, Asked::Stop, Asked::Leave]);
    }
}
