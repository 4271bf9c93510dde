//! How the board looks, at any size of the terminal.

use std::time::Instant;

use drapto::text::{bytes, duration};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::state::{Asked, BatchBoard, Cell, Mood, Panel};

/// Colours, or none (NO_COLOR).
#[derive(Clone, Copy)]
pub struct Look {
    pub colours: bool,
}

impl Look {
    fn of(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    fn mood(self, mood: Mood) -> Style {
        self.of(match mood {
            Mood::Good => Color::Green,
            Mood::Doubtful => Color::Yellow,
            Mood::Bad => Color::Red,
        })
    }

    fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

/// Lines of a panel: name and numbers, chunks.
const PANEL: u16 = 2;

/// Draws all of it.
pub fn draw(board: &BatchBoard, look: Look, now: Instant, frame: &mut Frame) {
    let area = frame.area();
    // What does not fit is left out from below, the keys first of all.
    let panels = (board.panels.len() as u16 * (PANEL + 1)).min(area.height.saturating_sub(3));
    let rows = [Constraint::Length(2), Constraint::Length(panels), Constraint::Min(0), Constraint::Length(1)];
    let [head, films, messages, keys] = Layout::vertical(rows).areas(area);
    frame.render_widget(Paragraph::new(overall(board, look, now, area.width)), head);
    draw_panels(board, look, frame, films);
    let room = usize::from(messages.height);
    let last = board.messages.iter().rev().take(room).collect::<Vec<_>>().into_iter().rev();
    let lines: Vec<Line> = last.map(|m| Line::styled(m.text.clone(), look.mood(m.mood))).collect();
    frame.render_widget(Paragraph::new(lines), messages);
    if keys.y > films.y {
        frame.render_widget(Paragraph::new(Line::styled(help(board.asked), look.of(Color::DarkGray))), keys);
    }
}

fn help(asked: Asked) -> &'static str {
    match asked {
        Asked::GoOn => "q stops after the films that run  ·  p pauses",
        Asked::Pause => "paused  ·  p goes on  ·  q stops after the films that run",
        Asked::Stop => "stops after the films that run  ·  q again leaves at once; the same command goes on from there",
        Asked::Leave => "leaving",
    }
}

/// The two lines over all films.
fn overall(board: &BatchBoard, look: Look, now: Instant, width: u16) -> Vec<Line<'static>> {
    let part = board.part();
    let of_films = format!("{} of {} films", board.done, board.films);
    let mut first = vec![Span::styled(of_films, look.bold())];
    for (count, what, mood) in [(board.skipped, "left alone", Mood::Doubtful), (board.failed, "failed", Mood::Bad)] {
        if count > 0 {
            first.push(Span::styled(format!("  {count} {what}"), look.mood(mood)));
        }
    }
    if board.bytes_in > 0 {
        let saved = board.bytes_in.saturating_sub(board.bytes_out);
        let percent = 100.0 * saved as f64 / board.bytes_in as f64;
        let sizes = format!("  {} → {}", bytes(board.bytes_in), bytes(board.bytes_out));
        first.push(Span::raw(sizes));
        first.push(Span::styled(format!("  saved {} ({percent:.0} %)", bytes(saved)), look.of(Color::Green)));
    }
    if !board.title.is_empty() {
        first.push(Span::styled(format!("  {}", board.title), look.of(Color::DarkGray)));
    }
    let eta = board.eta(now).map_or(String::new(), |left| format!("  ETA {}", duration(left.as_secs_f64().ceil())));
    let end = format!(" {:>3.0} %  {}{eta}", (part * 100.0).floor(), duration(board.elapsed(now).as_secs_f64()));
    let room = usize::from(width).saturating_sub(end.chars().count());
    let mut second = bar(part, room, look);
    second.push(Span::raw(end));
    vec![Line::from(first), Line::from(second)]
}

fn bar(part: f64, room: usize, look: Look) -> Vec<Span<'static>> {
    let full = ((part * room as f64).floor() as usize).min(room);
    vec![
        Span::styled("█".repeat(full), look.of(Color::Cyan)),
        Span::styled("░".repeat(room - full), look.of(Color::DarkGray)),
    ]
}

fn draw_panels(board: &BatchBoard, look: Look, frame: &mut Frame, area: Rect) {
    for (at, panel) in board.panels.values().enumerate() {
        let top = area.y + 1 + at as u16 * (PANEL + 1);
        let height = PANEL.min((area.y + area.height).saturating_sub(top));
        if height == 0 {
            break;
        }
        let place = Rect { x: area.x, y: top, width: area.width, height };
        frame.render_widget(Paragraph::new(lines(panel, look, area.width)), place);
    }
}

/// The two lines of a film.
fn lines(panel: &Panel, look: Look, width: u16) -> Vec<Line<'static>> {
    let mut first = vec![Span::styled(panel.name.clone(), look.of(Color::Cyan).add_modifier(Modifier::BOLD))];
    let mut say = |text: String| first.push(Span::raw(format!("  {text}")));
    say(panel.stage.to_owned());
    if let Some(done) = panel.done {
        say(format!("{:.0} %", (done * 100.0).floor()));
    }
    if panel.fps > 0.0 {
        say(format!("{:.1} fps", panel.fps));
    }
    if let Some(crf) = panel.crf {
        say(format!("CRF {crf}"));
    }
    if let Some(vmaf) = panel.vmaf() {
        say(format!("VMAF {vmaf:.2}"));
    }
    if let Some(eta) = panel.eta_s {
        say(format!("ETA {}", duration(eta.ceil())));
    }
    if let Some(message) = &panel.message {
        first.push(Span::styled(format!("  ⚠ {message}"), look.mood(Mood::Doubtful)));
    }
    let second = match panel.cells.is_empty() {
        true => bar(panel.done.unwrap_or(0.0), usize::from(width), look),
        false => grid(&panel.cells, usize::from(width), look),
    };
    vec![Line::from(first), Line::from(second)]
}

/// Chunks as cells: one each, or where there are more of them than columns, the last ones, whose work is to be seen.
fn grid(cells: &[Cell], width: usize, look: Look) -> Vec<Span<'static>> {
    let first = cells.len().saturating_sub(width);
    let cell = |cell: &Cell| match cell {
        Cell::Waiting => Span::styled("·", look.of(Color::DarkGray)),
        Cell::Running => Span::styled("▶", look.of(Color::Yellow)),
        Cell::Again => Span::styled("↻", look.of(Color::Red)),
        Cell::Kept => Span::styled("█", look.of(Color::Green)),
    };
    cells[first..].iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use drapto::batch::BatchEvent;
    use drapto::{Event, JobId};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn board(now: Instant) -> BatchBoard {
        let mut board = BatchBoard::new("preset 6, VMAF 93".to_owned(), vec![1.0, 1.0], now);
        board.apply(&BatchEvent::BatchStarted { films: 3, to_do: 2, bytes: 20, jobs: 1 }, now);
        let (input, output) = ("films/a.mkv".to_owned(), "films/a.av1.mkv".to_owned());
        board.apply(&BatchEvent::FileStarted { file: 0, total: 3, input, output, bytes: 10 }, now);
        for index in 0..3 {
            let planned = Event::ChunkPlanned { index, start_s: 0.0, frames: 24, finished: index == 0 };
            board.apply(&BatchEvent::File { file: 0, job: JobId(1), event: planned }, now);
        }
        let begun = Event::ChunkBegun { index: 1, attempt: 1, crf: 30.0 };
        board.apply(&BatchEvent::File { file: 0, job: JobId(1), event: begun }, now);
        board
    }

    fn screen(board: &BatchBoard, width: u16, height: u16, now: Instant) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(board, Look { colours: false }, now, frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_film_that_runs_has_a_panel_with_its_chunks_and_none_afterwards() {
        let now = Instant::now();
        let mut board = board(now);
        let shown = screen(&board, 80, 12, now);
        for part in ["0 of 2 films", "a.mkv", "█▶·", "CRF 30", "q stops"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let (input, message) = ("films/a.mkv".to_owned(), "broken".to_owned());
        let cause = drapto::batch::FailureCause::of(&drapto::Error::new(drapto::ErrorKind::Input, "broken"));
        board.apply(&BatchEvent::FileFailed { file: 0, input, cause, message }, now + Duration::from_secs(1));
        let shown = screen(&board, 80, 12, now);
        assert!(!shown.contains("█▶·") && shown.contains("✗ a.mkv  broken") && shown.contains("1 failed"), "{shown}");
    }

    #[test]
    fn it_is_drawn_at_any_size() {
        let now = Instant::now();
        let board = board(now);
        for (width, height) in [(1, 1), (3, 2), (10, 3), (40, 5), (200, 60)] {
            screen(&board, width, height, now);
        }
    }
}
