//! The board of a batch on a terminal: what runs, what is done, how long it will take; and the keys.
//!
//! Owns the screen while the batch runs, and gives it back whatever happens. Refuses to know what a key does to the batch:
//! that is said by a callback.

mod draw;
mod state;

use std::io::{Stderr, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use drapto::batch::{BatchEvent, BatchSink};
use drapto::{Error, ErrorKind, Result};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

use draw::{Look, draw};
pub use state::Asked;
use state::BatchBoard;

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(125);

/// The board while it is shown.
pub struct Screen {
    board: Arc<Mutex<BatchBoard>>,
    ended: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Screen {
    /// Takes the terminal. `on_key` is told what is asked for whenever that changes, and `interrupted` that Ctrl-C was
    /// pressed, which is no signal while keys are read one by one.
    ///
    /// # Errors
    /// `Output` where the terminal cannot be taken.
    pub fn open(
        title: String,
        costs: Vec<f64>,
        on_key: impl Fn(Asked) + Send + 'static,
        interrupted: impl Fn() + Send + 'static,
    ) -> Result<Self> {
        let failed = |e: std::io::Error| Error::new(ErrorKind::Output, "cannot draw on the terminal").caused_by(e);
        let board = Arc::new(Mutex::new(BatchBoard::new(title, costs, Instant::now())));
        let ended = Arc::new(AtomicBool::new(false));
        enable_raw_mode().map_err(failed)?;
        let terminal = execute!(stderr(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(stderr())))
            .inspect_err(|_| give_back())
            .map_err(failed)?;
        let (of_thread, until) = (Arc::clone(&board), Arc::clone(&ended));
        let thread = std::thread::spawn(move || show(terminal, &of_thread, &until, (&on_key, &interrupted)));
        Ok(Screen { board, ended, thread: Mutex::new(Some(thread)) })
    }

    /// Says something that is of no film.
    pub fn warn(&self, message: &str) {
        lock(&self.board).warn(message);
    }

    /// Gives the terminal back.
    pub fn close(&self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

impl BatchSink for Screen {
    fn batch_event(&self, event: &BatchEvent) {
        lock(&self.board).apply(event, Instant::now());
    }
}

fn lock(board: &Mutex<BatchBoard>) -> MutexGuard<'_, BatchBoard> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws until the batch ended, and gives the terminal back.
fn show(
    mut terminal: Terminal<CrosstermBackend<Stderr>>,
    board: &Mutex<BatchBoard>,
    ended: &AtomicBool,
    (on_key, interrupted): (&dyn Fn(Asked), &dyn Fn()),
) {
    let look = Look { colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) };
    while !ended.load(Ordering::Acquire) {
        // A terminal that is gone is no reason to end a batch.
        let _ = terminal.draw(|frame| draw(&lock(board), look, Instant::now(), frame));
        keys(board, on_key, interrupted);
    }
    drop(terminal);
    give_back();
}

/// Takes keys until it is time to draw.
fn keys(board: &Mutex<BatchBoard>, on_key: &dyn Fn(Asked), interrupted: &dyn Fn()) {
    let until = Instant::now() + EVERY;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match poll(left) {
            Ok(true) => {}
            Ok(false) => return,
            // Nobody is at the keyboard.
            Err(_) => return std::thread::sleep(left),
        }
        let Ok(Input::Key(key)) = read() else { continue };
        if key.kind != KeyEventKind::Press {
            continue;
        }
        let pressed = match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                interrupted();
                continue;
            }
            KeyCode::Char(c) => c,
            KeyCode::Enter => '\n',
            _ => continue,
        };
        let mut board = lock(board);
        let before = board.asked;
        let asked = board.press(pressed);
        drop(board);
        if asked != before {
            on_key(asked);
        }
    }
}

fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(stderr(), LeaveAlternateScreen);
}
