//! Text of subtitles as MP4 has it: `tx3g` (3GPP TS 26.245), which FFmpeg calls `mov_text`.
//!
//! Takes SubRip's text. Italics, bold and underlined text keep that in a `styl` box; other marks (fonts, colours, places) are
//! left out, as they are no plain text.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Result, Span, Timestamp};

/// The font of all text, and its size in points.
const FONT: &[u8] = b"Arial";
const POINTS: u8 = 16;

/// Opaque white.
const COLOUR: [u8; 4] = [0xFF; 4];

/// `face-style-flags` (§5.17.1): bold, italic, underlined.
const FACES: [(&str, u8); 3] = [("b", 1), ("i", 2), ("u", 4)];

/// A sample (§5.17): the text behind its length in two bytes, then the box of its styles, where it has any.
///
/// # Errors
/// `Encode` where the text is longer than the length can say.
pub(super) fn timed_text(text: &[u8]) -> Result<Vec<u8>> {
    let styled = StyledText::read(&String::from_utf8_lossy(text));
    let long = |_| Error::new(ErrorKind::Encode, "a subtitle is longer than mov_text can say");
    let length = u16::try_from(styled.plain.len()).map_err(long)?;
    let mut out = [&length.to_be_bytes()[..], styled.plain.as_bytes()].concat();
    let count = u16::try_from(styled.runs.len()).map_err(long)?;
    if count > 0 {
        out.extend((10 + 12 * u32::from(count)).to_be_bytes());
        out.extend(b"styl");
        out.extend(count.to_be_bytes());
        for (start, end, faces) in styled.runs {
            // In characters, of which there are no more than bytes.
            out.extend([(start as u16).to_be_bytes(), (end as u16).to_be_bytes(), 1u16.to_be_bytes()].concat());
            out.extend([faces, POINTS]);
            out.extend(COLOUR);
        }
    }
    Ok(out)
}

/// What a sample entry says of all its text (§5.16): at the bottom, centred.
pub(super) fn timed_text_style() -> Vec<u8> {
    let mut entry = vec![0; 4]; // Display flags: none.
    entry.extend([1, 0xFF]); // Centred, at the bottom.
    entry.extend([0; 4]); // No colour behind it.
    entry.extend([0; 8]); // The box: wherever the track is shown.
    entry.extend([0, 0, 0, 0, 0, 1, 0, POINTS]); // All characters: font 1, no face.
    entry.extend(COLOUR);
    entry.extend((13 + FONT.len() as u32).to_be_bytes());
    entry.extend(b"ftab\0\x01\0\x01");
    entry.push(FONT.len() as u8);
    entry.extend(FONT);
    entry
}

/// A text without marks, and the runs of characters that have a face: from, to and which.
#[derive(Debug, Default, PartialEq, Eq)]
struct StyledText {
    plain: String,
    runs: Vec<(usize, usize, u8)>,
}

impl StyledText {
    fn read(text: &str) -> Self {
        let (mut out, mut open) = (StyledText::default(), [0usize; 3]);
        let (mut rest, mut characters, mut begun) = (text, 0, 0);
        let faces =
            |open: &[usize; 3]| FACES.iter().zip(open).filter(|(_, n)| **n > 0).fold(0, |all, (f, _)| all | f.1);
        while !rest.is_empty() {
            let Some((mark, length)) = Mark::at(rest) else {
                let mut chars = rest.chars();
                out.plain.extend(chars.next());
                characters += 1;
                rest = chars.as_str();
                continue;
            };
            rest = &rest[length..];
            let (before, was) = (open, faces(&open));
            match mark {
                Mark::Open(face) => open[face] += 1,
                Mark::Close(face) => open[face] = open[face].saturating_sub(1),
                Mark::Other => {}
            }
            if before != open && faces(&open) != was {
                out.run(begun, characters, was);
                begun = characters;
            }
        }
        out.run(begun, characters, faces(&open));
        out
    }

    fn run(&mut self, from: usize, to: usize, faces: u8) {
        if faces != 0 && to > from {
            self.runs.push((from, to, faces));
        }
    }
}

/// A mark of SubRip: `<i>`, `</font>`, `{\an8}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// A face begins, by its place in `FACES`.
    Open(usize),
    /// It ends.
    Close(usize),
    /// What is left out.
    Other,
}

impl Mark {
    /// The mark that `text` begins with, and its length in bytes.
    fn at(text: &str) -> Option<(Self, usize)> {
        let end = match text.as_bytes() {
            [b'<', b'/' | b'a'..=b'z' | b'A'..=b'Z', ..] => text.find('>')?,
            [b'{', b'\\', ..] => return Some((Mark::Other, text.find('}')? + 1)),
            _ => return None,
        };
        let name = text[1..end].to_ascii_lowercase();
        let face = |name: &str| FACES.iter().position(|(face, _)| *face == name);
        let mark = match name.strip_prefix('/') {
            Some(name) => face(name.trim()).map(Mark::Close),
            None => face(name.trim()).map(Mark::Open),
        };
        Some((mark.unwrap_or(Mark::Other), end + 1))
    }
}

/// Cues on their way into a track that shows one sample at a time: where cues overlap, a sample holds the text of all of them.
///
/// Law: cues come in the order of their starts. A cue without an end lasts until the next one begins.
#[derive(Debug, Default)]
pub(super) struct CueMerger {
    /// What is shown from `since` on: text and end.
    shown: Vec<(String, Option<Timestamp>)>,
    since: Option<Timestamp>,
}

/// What is shown from one time to another.
pub(super) type ShownText = (Timestamp, Option<Span>, String);

impl CueMerger {
    /// Takes a cue; what was shown up to its start.
    pub(super) fn push(&mut self, start: Timestamp, length: Option<Span>, text: String) -> Vec<ShownText> {
        let mut out = self.until(start);
        // What has no end is replaced.
        self.shown.retain(|(_, end)| end.is_some());
        self.since = Some(start);
        self.shown.push((text, length.map(|length| start.plus(length))));
        out.retain(|(_, length, _)| length.is_none_or(|length| length.ticks() > 0));
        out
    }

    /// What was shown and ended by `now`.
    pub(super) fn ended(&mut self, now: Timestamp) -> Vec<ShownText> {
        let mut out = Vec::new();
        while let Some(end) = self.shown.iter().filter_map(|(_, end)| *end).min_by_key(|end| end.as_nanos())
            && end.as_nanos() <= now.as_nanos()
        {
            out.extend(self.segment(Some(end)));
            self.shown.retain(|(_, e)| e.is_none_or(|e| e.as_nanos() > end.as_nanos()));
            self.since = Some(end);
        }
        out
    }

    /// What was shown until `now`, also where it goes on.
    fn until(&mut self, now: Timestamp) -> Vec<ShownText> {
        let mut out = self.ended(now);
        if self.since.is_some_and(|since| since.as_nanos() < now.as_nanos()) {
            out.extend(self.segment(Some(now)));
            self.since = Some(now);
        }
        out
    }

    /// What is shown to the end.
    pub(super) fn finish(&mut self) -> Vec<ShownText> {
        let last = self.shown.iter().filter_map(|(_, end)| *end).max_by_key(|end| end.as_nanos());
        match last {
            Some(last) => self.until(last),
            None => self.segment(None).into_iter().collect(),
        }
    }

    fn segment(&self, end: Option<Timestamp>) -> Option<ShownText> {
        let since = self.since.filter(|_| !self.shown.is_empty())?;
        let texts: Vec<&str> = self.shown.iter().map(|(text, _)| text.as_str()).collect();
        Some((since, end.map(|end| end.since(since)), texts.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Rational;

    fn read(text: &str) -> (String, Vec<(usize, usize, u8)>) {
        let StyledText { plain, runs } = StyledText::read(text);
        (plain, runs)
    }

    #[test]
    fn faces_are_kept_and_other_marks_are_left_out() {
        for (text, plain, runs) in [
            ("<i>Grüße</i>, <font color=\"#fff\">you</font>", "Grüße, you", &[(0, 5, 2)][..]),
            ("a<b>b<I>c</b>d</i>e", "abcde", &[(1, 2, 1), (2, 3, 3), (3, 4, 2)]),
            ("{\\an8}<u>Above", "Above", &[(0, 5, 4)]),
            ("1 < 2 and {this} <3 stays", "1 < 2 and {this} <3 stays", &[]),
            ("<i></i>cut <i", "cut <i", &[]),
            ("</i>", "", &[]),
        ] {
            assert_eq!(read(text), (plain.to_owned(), runs.to_vec()), "{text}");
        }
        assert_eq!(timed_text("é".as_bytes()).unwrap(), [0, 2, 0xC3, 0xA9]);
        let styled =
            [0, 1, b'x', 0, 0, 0, 22, b's', b't', b'y', b'l', 0, 1, 0, 0, 0, 1, 0, 1, 2, 16, 255, 255, 255, 255];
        assert_eq!(timed_text(b"<i>x</i>").unwrap(), styled);
        assert_eq!(timed_text(&[b'x'; 70_000]).unwrap_err().kind(), ErrorKind::Encode);
    }

    fn ms(ms: i64) -> Timestamp {
        Timestamp::new(ms, Rational::MILLI)
    }

    /// All that is shown for these cues: from, to, text.
    fn shown(cues: &[(i64, i64, &str)]) -> Vec<(i64, i64, String)> {
        let mut merger = CueMerger::default();
        let mut out = Vec::new();
        for (start, end, text) in cues {
            let length = (*end >= 0).then(|| Span::new(end - start, Rational::MILLI));
            out.extend(merger.push(ms(*start), length, (*text).to_owned()));
        }
        out.extend(merger.finish());
        let at = |t: Timestamp| t.as_nanos() / 1_000_000;
        let end = |start: Timestamp, length: Option<Span>| length.map_or(-1, |length| at(start.plus(length)));
        out.into_iter().map(|(start, length, text)| (at(start), end(start, length), text)).collect()
    }

    #[test]
    fn cues_that_overlap_are_shown_together_while_they_do() {
        let text = |from, to, text: &str| (from, to, text.to_owned());
        assert_eq!(shown(&[(0, 10, "a"), (20, 30, "b")]), [text(0, 10, "a"), text(20, 30, "b")]);
        assert_eq!(
            shown(&[(0, 30, "a"), (10, 20, "b"), (40, 50, "c")]),
            [text(0, 10, "a"), text(10, 20, "a\nb"), text(20, 30, "a"), text(40, 50, "c")]
        );
        assert_eq!(shown(&[(0, 10, "a"), (0, 10, "b")]), [text(0, 10, "a\nb")]);
        assert_eq!(shown(&[(0, -1, "a"), (10, -1, "b")]), [text(0, 10, "a"), text(10, -1, "b")]);
        assert_eq!(shown(&[]), []);
    }

    proptest! {
        #[test]
        fn what_is_shown_never_overlaps_and_every_cue_is_there(gaps in prop::collection::vec((0i64..8, 1i64..30), 0..12)) {
            let mut at = 0;
            let cues: Vec<(i64, i64, String)> = gaps.iter().enumerate().map(|(n, (gap, length))| {
                at += gap;
                (at, at + length, format!("<{n}>"))
            }).collect();
            let given: Vec<(i64, i64, &str)> = cues.iter().map(|(from, to, text)| (*from, *to, text.as_str())).collect();
            let found = shown(&given);
            prop_assert!(found.windows(2).all(|pair| pair[0].1 <= pair[1].0));
            for moment in 0..at + 31 {
                let wanted: Vec<&str> = given.iter().filter(|(f, t, _)| (*f..*t).contains(&moment)).map(|c| c.2).collect();
                let have = found.iter().find(|(f, t, _)| (*f..*t).contains(&moment)).map_or("", |c| c.2.as_str());
                prop_assert_eq!(wanted.join("\n"), have);
            }
        }

        #[test]
        fn any_text_is_taken(text in "(<i>|</i>|<b>|\\{\\\\|[a-c<>{}/é]){0,40}") {
            let (plain, runs) = read(&text);
            let count = plain.chars().count();
            prop_assert!(runs.iter().all(|(from, to, faces)| from < to && *to <= count && *faces != 0));
            prop_assert!(runs.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        }
    }
}
