//! Digital closed captions (CTA-708-E), as text: what the windows of each service show, and when.
//!
//! Owns the assembly of caption channel packets out of `cc_data` and the state of windows and pens; packets, services and
//! codes are read by `cea708-types`. Colours, fonts, places and effects of windows are left out, and delays are not waited
//! for: SubRip has no word for them.
#![deny(unsafe_code)]

use cea708_types::DTVCCPacket;
use cea708_types::tables::{Code, DefineWindowArgs, WindowBits};

use crate::av::SubtitleCue;
use crate::base::{Error, ErrorKind, Rational, Result, Span, Timestamp};

/// The channels of services, from the first on; CTA-708 has 63, and no receiver must know more than six.
pub const SERVICES: [&str; 6] = ["service1", "service2", "service3", "service4", "service5", "service6"];
/// A construct whose bytes are to be used (`cc_valid`).
pub(super) const VALID: u8 = 4;
/// The most a packet has, its header included (§5).
const PACKET: usize = 128;
/// Rows and columns of a window (§8.4).
const ROWS: usize = 15;
const COLUMNS: usize = 42;

/// The digital captions of a film, picture by picture.
#[derive(Default)]
pub struct DigitalCaptions {
    /// A packet that more is to come of, and its length.
    packet: Vec<u8>,
    length: usize,
    services: [Service; SERVICES.len()],
    /// Packets with services beyond those.
    pub further: u64,
}

impl DigitalCaptions {
    /// Takes the constructs of a picture that is shown at `time`.
    ///
    /// # Errors
    /// Kind `Input` where a packet is damaged; it is left out.
    pub fn read(&mut self, constructs: &[u8], time: Timestamp) -> Result<()> {
        let mut outcome = Ok(());
        for [head, bytes @ ..] in constructs.as_chunks::<3>().0 {
            match (head & VALID != 0, head & 3) {
                // A packet begins; what is missing of the one before does not come any more.
                (true, 3) => {
                    self.packet.clear();
                    self.length = match usize::from(bytes[0] & 0x3F) {
                        0 => PACKET,
                        pairs => pairs * 2,
                    };
                }
                (true, 2) if !self.packet.is_empty() => {}
                _ => continue,
            }
            self.packet.extend(bytes);
            if self.packet.len() >= self.length {
                outcome = outcome.and(self.packet_is_whole());
                self.packet.clear();
            }
        }
        self.services.iter_mut().for_each(|service| service.shown_at(time));
        outcome
    }

    fn packet_is_whole(&mut self) -> Result<()> {
        let packet = DTVCCPacket::parse(&self.packet)
            .map_err(|e| Error::new(ErrorKind::Input, "a packet of digital captions is damaged").caused_by(e))?;
        let mut further = false;
        for block in packet.services() {
            match usize::from(block.number()).checked_sub(1).map(|n| self.services.get_mut(n)) {
                Some(Some(service)) => block.codes().iter().for_each(|code| service.take(code)),
                Some(None) => further = true,
                // Service 0 fills packets.
                None => {}
            }
        }
        self.further += u64::from(further);
        Ok(())
    }

    /// The channel of each service that has shown anything up to the film's `end`, and its cues.
    pub fn finish(self, end: Timestamp) -> Vec<(&'static str, Vec<SubtitleCue>)> {
        let tracks = self.services.into_iter().zip(SERVICES).map(|(mut service, channel)| {
            service.close(end);
            (channel, service.cues)
        });
        tracks.filter(|(_, cues)| !cues.is_empty()).collect()
    }
}

/// A service: its windows, and the cues they have made.
#[derive(Default)]
struct Service {
    windows: [Option<Window>; 8],
    current: usize,
    /// What is shown, and since when.
    shown: Option<(String, Timestamp)>,
    cues: Vec<SubtitleCue>,
}

struct Window {
    visible: bool,
    /// Where it lies, from the top, by its anchor.
    place: u8,
    rows: usize,
    columns: usize,
    text: Vec<[char; COLUMNS]>,
    row: usize,
    column: usize,
}

impl Service {
    fn take(&mut self, code: &Code) {
        use Code as C;
        match code {
            C::SetCurrentWindow0 => self.current = 0,
            C::SetCurrentWindow1 => self.current = 1,
            C::SetCurrentWindow2 => self.current = 2,
            C::SetCurrentWindow3 => self.current = 3,
            C::SetCurrentWindow4 => self.current = 4,
            C::SetCurrentWindow5 => self.current = 5,
            C::SetCurrentWindow6 => self.current = 6,
            C::SetCurrentWindow7 => self.current = 7,
            C::ClearWindows(which) => self.each(*which, |w| w.iter_mut().for_each(Window::clear)),
            C::DisplayWindows(which) => self.each(*which, |w| w.iter_mut().for_each(|w| w.visible = true)),
            C::HideWindows(which) => self.each(*which, |w| w.iter_mut().for_each(|w| w.visible = false)),
            C::ToggleWindows(which) => self.each(*which, |w| w.iter_mut().for_each(|w| w.visible = !w.visible)),
            C::DeleteWindows(which) => self.each(*which, |w| *w = None),
            C::Reset => self.windows = Default::default(),
            C::DefineWindow(args) => self.define(args),
            other => {
                if let Some(Some(window)) = self.windows.get_mut(self.current) {
                    window.take(other);
                }
            }
        }
    }

    fn each(&mut self, which: WindowBits, change: impl Fn(&mut Option<Window>)) {
        let bits = u8::from(which);
        let chosen = self.windows.iter_mut().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
        chosen.for_each(|(_, window)| change(window));
    }

    /// A window that is there keeps its text (§8.10.5.2).
    fn define(&mut self, args: &DefineWindowArgs) {
        self.current = usize::from(args.window_id & 7);
        let (rows, columns) = (usize::from(args.row_count) + 1, usize::from(args.column_count) + 1);
        let empty = || Window {
            visible: false,
            place: 0,
            rows: 0,
            columns: 0,
            text: vec![[' '; COLUMNS]; ROWS],
            row: 0,
            column: 0,
        };
        let window = self.windows[self.current].get_or_insert_with(empty);
        (window.visible, window.place) = (args.visible, args.anchor_vertical);
        (window.rows, window.columns) = (rows.min(ROWS), columns.min(COLUMNS));
        (window.row, window.column) = (window.row.min(window.rows - 1), window.column.min(window.columns - 1));
    }

    /// Compares what is visible with what was. Text that only grows is one cue, from its first letter on.
    fn shown_at(&mut self, time: Timestamp) {
        let mut visible: Vec<&Window> = self.windows.iter().flatten().filter(|w| w.visible).collect();
        visible.sort_by_key(|w| w.place);
        let lines: Vec<String> = visible.into_iter().flat_map(Window::lines).collect();
        let text = lines.join("\n");
        match &mut self.shown {
            Some((shown, _)) if *shown == text => {}
            Some((shown, _)) if text.starts_with(shown.as_str()) => *shown = text,
            _ => {
                self.close(time);
                self.shown = Some((text, time)).filter(|(text, _)| !text.is_empty());
            }
        }
    }

    fn close(&mut self, end: Timestamp) {
        if let Some((text, start)) = self.shown.take() {
            let length = end.as_nanos().saturating_sub(start.as_nanos()).max(0);
            self.cues.push(SubtitleCue {
                start,
                duration: Some(Span::new(length, Rational::NANO)),
                text: text.into_bytes(),
            });
        }
    }
}

impl Window {
    fn clear(&mut self) {
        self.text.iter_mut().for_each(|row| row.fill(' '));
        (self.row, self.column) = (0, 0);
    }

    fn take(&mut self, code: &Code) {
        match code {
            Code::FF => self.clear(),
            Code::CR => {
                self.column = 0;
                if self.row + 1 < self.rows {
                    self.row += 1;
                } else {
                    // The last row: what is there moves up.
                    self.text[..self.rows].rotate_left(1);
                    self.text[self.rows - 1].fill(' ');
                }
            }
            Code::HCR => {
                self.text[self.row].fill(' ');
                self.column = 0;
            }
            Code::BS => {
                self.column = self.column.saturating_sub(1);
                self.text[self.row][self.column] = ' ';
            }
            Code::SetPenLocation(at) => {
                self.row = usize::from(at.row).min(self.rows - 1);
                self.column = usize::from(at.column).min(self.columns - 1);
            }
            other => {
                if let Some(letter) = letter(other) {
                    self.text[self.row][self.column] = letter;
                    self.column = (self.column + 1).min(self.columns - 1);
                }
            }
        }
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let lines = self.text[..self.rows].iter().map(|row| row.iter().collect::<String>().trim().to_owned());
        lines.filter(|line| !line.is_empty())
    }
}

/// The letter a code stands for; none for commands.
fn letter(code: &Code) -> Option<char> {
    match code {
        // Two bytes of what receivers of other scripts know (§7.1.5.1).
        Code::P16(unit) => char::from_u32(u32::from(*unit)),
        Code::NUL | Code::ETX => None,
        other => other.char(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::new(ms, Rational::MILLI)
    }

    /// A packet of one block for `service`, as constructs.
    fn packet(service: u8, codes: &[u8]) -> Vec<u8> {
        let mut body = vec![0, service << 5 | codes.len() as u8];
        body.extend(codes);
        body.resize(body.len().next_multiple_of(2), 0);
        body[0] = (body.len() / 2) as u8;
        body.chunks(2).enumerate().flat_map(|(n, pair)| [if n == 0 { 0xFF } else { 0xFE }, pair[0], pair[1]]).collect()
    }

    fn texts(said: &[&[u8]]) -> Vec<String> {
        let mut captions = DigitalCaptions::default();
        for (n, codes) in said.iter().enumerate() {
            captions.read(&packet(1, codes), at(n as i64)).unwrap();
        }
        let cues = captions.finish(at(100)).into_iter().flat_map(|(_, cues)| cues);
        cues.map(|cue| String::from_utf8(cue.text).unwrap()).collect()
    }

    #[test]
    fn windows_are_read_as_receivers_draw_them() {
        let window: &[u8] = &[0x98, 0x20, 60, 0, 1, 9, 0];
        assert_eq!(texts(&[window, b"ab", b"\x08c", b"\x0C", b"d"]), ["ab", "ac", "d"], "backspace, and a new form");
        assert_eq!(texts(&[window, b"ab\x0Dcd\x0Eef"]), ["ab\nef"], "a row that is begun again");
        assert_eq!(texts(&[window, b"ab", b"\x8B\x01", b"\x8B\x01"]), ["ab", "ab"], "toggled");
        assert_eq!(texts(&[window, b"ab", b"\x8F", b"cd"]), ["ab"], "after a reset there is no window");
        let lower: &[u8] = &[0x99, 0x20, 70, 0, 0, 9, 0];
        assert_eq!(texts(&[[lower, b"below", window, b"above"].concat().as_slice()]), ["above\nbelow"]);
        assert_eq!(texts(&[window, b"0123456789xyz"]), ["012345678z"], "the last column is written over");
        assert_eq!(texts(&[window, b"\x18\x4E\x2D\x10\x25"]), ["\u{4E2D}\u{2026}"]);
    }

    #[test]
    fn a_packet_that_never_ends_is_left_out() {
        let mut captions = DigitalCaptions::default();
        let whole = packet(1, &[0x98, 0x20, 60, 0, 1, 9, 0, b'a']);
        captions.read(&whole[..6], at(0)).unwrap();
        captions.read(&whole, at(1)).unwrap();
        let tracks = captions.finish(at(3));
        assert_eq!(tracks.len(), 1);
        assert_eq!((tracks[0].0, tracks[0].1.len(), tracks[0].1[0].start), ("service1", 1, at(1)));
    }

    proptest! {
        #[test]
        fn any_bytes_make_cues_in_order(pictures in prop::collection::vec(prop::collection::vec(any::<(bool, [u8; 2])>(), 0..40), 0..20)) {
            let mut captions = DigitalCaptions::default();
            for (n, constructs) in pictures.iter().enumerate() {
                let bytes: Vec<u8> = constructs.iter().flat_map(|(first, b)| [0xFE | u8::from(*first), b[0], b[1]]).collect();
                let _ = captions.read(&bytes, at(n as i64));
            }
            for (_, cues) in captions.finish(at(pictures.len() as i64)) {
                let ends = cues.iter().map(|c| c.start.plus(c.duration.unwrap()));
                prop_assert!(ends.zip(&cues[1..]).all(|(end, next)| end.as_nanos() <= next.start.as_nanos()));
            }
        }
    }
}
