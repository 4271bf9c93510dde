//! One rendition as words: `film.mp4:height=720,crf=23`, or a table of a file.

use std::path::{Path, PathBuf};

use super::film::FilmSpec;
use crate::config::nearest;
use crate::config::{Downmix, LoudnessGoal};
use crate::container::Format;
use crate::container::sound_file::SoundFormat;
use crate::encode::SoundFileRequest;
use crate::still::StillRequest;

/// What is made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rendition {
    /// A film, and whether it is one of a row of sizes of which those above the film are not meant.
    Film { path: PathBuf, film: FilmSpec, optional: bool },
    /// Sound alone; what it is made of is filled in later.
    Sound(Box<SoundFileRequest>),
    /// A picture or some.
    Still(StillRequest),
}

/// Words and values.
type RenditionWords = Vec<(String, String)>;

/// The words of sound alone.
const SOUND: &[&str] = &["track", "bitrate", "sample_rate", "downmix", "loudness"];

impl Rendition {
    pub(super) fn path(&self) -> &Path {
        match self {
            Rendition::Film { path, .. } => path,
            Rendition::Sound(sound) => &sound.output,
            Rendition::Still(still) => &still.path,
        }
    }

    /// Of a file's name and words; what it is follows from the name. `Err` holds a sentence for everything that is wrong.
    pub(super) fn of_words(path: &Path, words: &[(String, String)]) -> Result<Self, Vec<String>> {
        let ends = |all: &[&str]| {
            let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
            all.contains(&end.as_str())
        };
        if StillRequest::is_still(path) {
            return StillRequest::of_words(path, words, nearest).map(Rendition::Still);
        }
        if Format::of_name(path) != Format::Matroska || ends(&["mkv"]) {
            let film = FilmSpec::of_words(path, words)?;
            return Ok(Rendition::Film { path: path.to_path_buf(), film, optional: false });
        }
        match SoundFormat::of(path) {
            Ok(_) => sound(path, words).map(|sound| Rendition::Sound(Box::new(sound))),
            Err(_) => Err(vec![
                "no rendition is named so: films end in .mp4, .webm or .mkv, sound in .m4a, .mp3, .opus, .ogg, .flac, .wav, \
                 .ac3 or .eac3, stills in .jpg, .png, .webp or .gif"
                    .to_owned(),
            ]),
        }
    }

    /// Of `FILE:word=value,word=value`.
    pub(super) fn of_text(text: &str) -> Result<(PathBuf, RenditionWords), Vec<String>> {
        let (path, words) = text
            .match_indices(':')
            .find(|(at, _)| begins_with_a_word(&text[at + 1..]))
            .map_or((text, ""), |(at, _)| (&text[..at], &text[at + 1..]));
        if path.is_empty() {
            return Err(vec!["it names no file".to_owned()]);
        }
        let (mut out, mut wrong) = (Vec::new(), Vec::new());
        for part in words.split(',').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((word, value)) => out.push((word.trim().to_owned(), value.trim().to_owned())),
                None => wrong.push(format!("{part:?} is not word=value")),
            }
        }
        if wrong.is_empty() { Ok((PathBuf::from(path), out)) } else { Err(wrong) }
    }
}

fn begins_with_a_word(text: &str) -> bool {
    let word = text.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_' || c == '.' || c.is_ascii_digit());
    word.len() < text.len() && word.starts_with('=') && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn sound(path: &Path, words: &[(String, String)]) -> Result<SoundFileRequest, Vec<String>> {
    let mut request = SoundFileRequest::new("", path);
    let mut wrong = Vec::new();
    for (word, value) in words {
        let mut whole = |least: u32, most: u32| {
            let found = value.parse::<u32>().ok().filter(|n| (least..=most).contains(n));
            if found.is_none() {
                wrong.push(format!("{word} {value:?} is not {least} to {most}"));
            }
            found
        };
        match word.as_str() {
            "track" => request.track = whole(1, 1000).map(|n| n as usize),
            "bitrate" => request.bitrate = whole(16, 1536),
            "sample_rate" => request.sample_rate = whole(8000, 192_000),
            "downmix" => match value.as_str() {
                "off" => request.downmix = Downmix::Off,
                "stereo" => request.downmix = Downmix::Stereo,
                "mono" => request.downmix = Downmix::Mono,
                "5.1" => request.downmix = Downmix::Surround,
                other => wrong.push(format!("downmix {other:?} is not one of off, stereo, mono, 5.1")),
            },
            "loudness" => match value.parse::<LoudnessGoal>() {
                Ok(goal) => request.loudness.goal = goal,
                Err(error) => wrong.push(error.message().to_owned()),
            },
            other => {
                let hint = nearest(other, SOUND).map_or(String::new(), |near| format!("; did you mean {near}?"));
                wrong.push(format!("a file of sound has no {other}{hint} (it has {})", SOUND.join(", ")));
            }
        }
    }
    if wrong.is_empty() { Ok(request) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_path_and_words() {
        let read = |text: &str| {
            let (path, words) = Rendition::of_text(text).unwrap();
            (path.to_string_lossy().into_owned(), words)
        };
        assert_eq!(read("a.mp4"), ("a.mp4".to_owned(), Vec::new()));
        assert_eq!(read("a:b.mp4:height=720,crf=23").0, "a:b.mp4");
        let (path, words) = read("c:/d/p.jpg:at=1:02:03,quality=80");
        assert_eq!((path.as_str(), words.len(), words[0].1.as_str()), ("c:/d/p.jpg", 2, "1:02:03"));
        assert!(Rendition::of_text("a.mp4:height=1,oops").is_err());
    }

    #[test]
    fn what_it_is_follows_from_its_name() {
        let of = |path: &str| Rendition::of_words(Path::new(path), &[]);
        assert!(matches!(of("a.webm"), Ok(Rendition::Film { .. })));
        assert!(matches!(of("a.mkv"), Ok(Rendition::Film { .. })));
        assert!(matches!(of("a.mp3"), Ok(Rendition::Sound(_))));
        assert!(matches!(of("a.gif"), Ok(Rendition::Still(_))));
        assert!(of("a.avi").is_err() && of("noname").is_err());
    }
}
