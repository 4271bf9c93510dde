//! Stills as words: `kind`, `at`, `grid` and the like, from a description file, a command line, a request's JSON.

use std::path::Path;

use super::request::{PosterOptions, PreviewOptions, SheetOptions, SheetTimes, StillForm, StillFormat, StillRequest};

/// The words of each kind.
const POSTER: &[&str] = &["kind", "at", "within", "fit", "quality"];
const SHEET: &[&str] = &["kind", "at", "grid", "width", "times", "quality"];
const PREVIEW: &[&str] = &["kind", "start", "duration", "width", "fps", "colors", "loop"];
const KINDS: &[&str] = &["poster", "sheet", "gif"];

impl StillRequest {
    /// A still of words and values; `Err` holds a sentence for everything that is wrong. `near` finds what a word may have
    /// been meant to be.
    pub(crate) fn of_words(
        path: &Path,
        words: &[(String, String)],
        near: impl Fn(&str, &[&'static str]) -> Option<&'static str>,
    ) -> Result<Self, Vec<String>> {
        let said = |name: &str| words.iter().rev().find(|(word, _)| word == name).map(|(_, value)| value.as_str());
        let by_name = if StillFormat::of(path) == Some(StillFormat::Gif) { "gif" } else { "poster" };
        let kind = said("kind").unwrap_or(by_name);
        let known = match kind {
            "poster" => POSTER,
            "sheet" => SHEET,
            "gif" => PREVIEW,
            other => {
                return Err(vec![format!("kind {other:?} is not one of {}", KINDS.join(", "))]);
            }
        };
        let mut wrong = Vec::new();
        for (word, _) in words.iter().filter(|(word, _)| !known.contains(&word.as_str())) {
            let hint = near(word, known).map_or(String::new(), |near| format!("; did you mean {near}?"));
            wrong.push(format!("a {kind} has no {word}{hint} (it has {})", known[1..].join(", ")));
        }
        let mut read = Read { said: &said, wrong: &mut wrong };
        let kind = match kind {
            "sheet" => StillForm::Sheet(read.sheet()),
            "gif" => StillForm::Preview(read.preview()),
            _ => StillForm::Poster(read.poster()),
        };
        let request = StillRequest { path: path.to_path_buf(), kind };
        if wrong.is_empty()
            && let Err(error) = request.check()
        {
            wrong.push(error.message().to_owned());
        }
        if wrong.is_empty() { Ok(request) } else { Err(wrong) }
    }

    /// The same as words, which [`of_words`](Self::of_words) reads.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let mut out = vec![("kind", self.word().to_owned())];
        match &self.kind {
            StillForm::Poster(PosterOptions { at, within, fit, quality }) => {
                out.extend(at.map(|at| ("at", at.to_string())));
                out.extend(within.map(|(from, to)| ("within", format!("{from}-{to}"))));
                out.extend(fit.map(|(w, h)| ("fit", format!("{w}x{h}"))));
                out.push(("quality", quality.to_string()));
            }
            StillForm::Sheet(SheetOptions { columns, rows, width, at, times, quality }) => {
                let at = if *at == SheetTimes::Even { "even" } else { "scenes" };
                out.push(("at", at.to_owned()));
                out.push(("grid", format!("{columns}x{rows}")));
                out.push(("width", width.to_string()));
                out.push(("times", times.to_string()));
                out.push(("quality", quality.to_string()));
            }
            StillForm::Preview(PreviewOptions { start, seconds, width, fps, colors, repeat }) => {
                out.extend(start.map(|start| ("start", start.to_string())));
                out.push(("duration", seconds.to_string()));
                out.push(("width", width.to_string()));
                out.push(("fps", fps.to_string()));
                out.push(("colors", colors.to_string()));
                out.push(("loop", repeat.to_string()));
            }
        }
        out
    }
}

struct Read<'a, S> {
    said: &'a S,
    wrong: &'a mut Vec<String>,
}

impl<'a, S: Fn(&str) -> Option<&'a str>> Read<'a, S> {
    fn value<T>(&mut self, name: &str, default: T, read: impl Fn(&str) -> Option<T>, what: &str) -> T {
        let Some(text) = (self.said)(name) else { return default };
        read(text).unwrap_or_else(|| {
            self.wrong.push(format!("{name} {text:?} is not {what}"));
            default
        })
    }

    fn poster(&mut self) -> PosterOptions {
        let base = PosterOptions::default();
        let at = |text: &str| if text == "best" { Some(None) } else { time(text).map(Some) };
        let part = |text: &str| text.split_once('-').and_then(|(a, b)| Some(Some((time(a)?, time(b)?))));
        PosterOptions {
            at: self.value("at", base.at, at, "a time (12.5 or 1:02:03) or best"),
            within: self.value("within", base.within, part, "two times, as 60-1:30"),
            fit: self.value("fit", base.fit, |text| sides(text).map(Some), "a size, as 1280x720"),
            quality: self.value("quality", base.quality, |text| text.parse().ok(), "1 to 100"),
        }
    }

    fn sheet(&mut self) -> SheetOptions {
        let base = SheetOptions::default();
        let at = |text: &str| match text {
            "even" => Some(SheetTimes::Even),
            "scenes" => Some(SheetTimes::Scenes),
            _ => None,
        };
        let (columns, rows) = self.value("grid", (base.columns, base.rows), sides, "columns and rows, as 4x4");
        SheetOptions {
            columns,
            rows,
            width: self.value("width", base.width, |text| text.parse().ok(), "a whole number"),
            at: self.value("at", base.at, at, "even or scenes"),
            times: self.value("times", base.times, yes, "true or false"),
            quality: self.value("quality", base.quality, |text| text.parse().ok(), "1 to 100"),
        }
    }

    fn preview(&mut self) -> PreviewOptions {
        let base = PreviewOptions::default();
        PreviewOptions {
            start: self.value("start", base.start, |text| time(text).map(Some), "a time, as 12.5 or 1:02:03"),
            seconds: self.value("duration", base.seconds, time, "a time in seconds"),
            width: self.value("width", base.width, |text| text.parse().ok(), "a whole number"),
            fps: self.value("fps", base.fps, |text| text.parse().ok(), "a number"),
            colors: self.value("colors", base.colors, |text| text.parse().ok(), "a whole number"),
            repeat: self.value("loop", base.repeat, yes, "true or false"),
        }
    }
}

/// `1:02:03.5`, `2:03` or `123.5`, in seconds.
fn time(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let parts: Vec<&str> = text.trim().trim_end_matches('s').split(':').collect();
    if parts.len() > 3 {
        return None;
    }
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        let value: f64 = if last { part.parse().ok()? } else { f64::from(part.parse::<u32>().ok()?) };
        if !(value.is_finite() && value >= 0.0) || (at > 0 && value >= 60.0) {
            return None;
        }
        seconds = seconds * 60.0 + value;
    }
    Some(seconds)
}

fn sides(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

fn yes(text: &str) -> Option<bool> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in
            [("12.5", Some(12.5)), ("1:02", Some(62.0)), ("1:02:03.5", Some(3723.5)), ("90", Some(90.0))]
        {
            assert_eq!(time(text), seconds, "{text}");
        }
        for text in ["", "x", "1:60", "-1", "1:2:3:4", "inf", "1.5:00"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn stills_come_back_from_their_words() {
        let all = [
            ("p.jpg", words(&[("at", "1:02"), ("fit", "640x480"), ("quality", "80")])),
            ("p.webp", words(&[("within", "10-20.5")])),
            ("s.png", words(&[("kind", "sheet"), ("grid", "3x2"), ("at", "scenes"), ("times", "false")])),
            (
                "g.gif",
                words(&[("start", "3"), ("duration", "2.5"), ("fps", "10"), ("colors", "64"), ("loop", "false")]),
            ),
        ];
        for (path, said) in all {
            let request = StillRequest::of_words(Path::new(path), &said, |_, _| None).unwrap();
            let again: Vec<_> = request.words().into_iter().map(|(a, b)| (a.to_owned(), b)).collect();
            assert_eq!(StillRequest::of_words(Path::new(path), &again, |_, _| None).unwrap(), request);
        }
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let said = words(&[("att", "3"), ("quality", "best"), ("fit", "640")]);
        let wrong = StillRequest::of_words(Path::new("p.jpg"), &said, |_, known| known.get(1).copied()).unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].contains("did you mean at?"), "{wrong:?}");
    }
}
