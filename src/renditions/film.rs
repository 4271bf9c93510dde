//! A rendition that is a film: its words, and what it is where they say nothing.

use std::path::Path;

use crate::base::Error;
use crate::config::{Origin, SettingValues, nearest};
use crate::container::Format;

/// A film to be made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FilmSpec {
    /// What was said.
    said: SettingValues,
    /// What holds where the request does not say otherwise: by setting.
    defaults: Vec<(&'static str, String)>,
}

/// Words, with what they are called as settings; those without are made something of here.
const WORDS: &[(&str, Option<&str>)] = &[
    ("codec", Some("video.codec")),
    ("fit", None),
    ("height", None),
    ("upscale", None),
    ("crf", Some("quality.crf")),
    ("target_vmaf", Some("quality.target_vmaf")),
    ("preset", Some("video.preset")),
    ("bit_depth", Some("picture.bit_depth")),
    ("crop", Some("picture.crop")),
    ("audio", None),
    ("audio_bitrate", Some("audio.bitrate")),
    ("downmix", Some("audio.downmix")),
    ("loudness", Some("audio.loudness")),
];

/// The CRF of each codec that is about as good as the others' (AV1 by SVT-AV1, H.264 by libx264, HEVC by libx265).
const CRFS: [(&str, &str); 3] = [("av1", "30"), ("h264", "22"), ("hevc", "24")];

impl FilmSpec {
    /// Of words and values; `Err` holds a sentence for everything that is wrong.
    pub(super) fn of_words(path: &Path, words: &[(String, String)]) -> Result<Self, Vec<String>> {
        let said = |name: &str| words.iter().rev().find(|(word, _)| word == name).map(|(_, value)| value.as_str());
        let mut values = SettingValues::new();
        let mut wrong = Vec::new();
        let mut set = |wrong: &mut Vec<String>, name: &str, value: &str, word: &str| {
            if let Err(error) = values.set(name, value, Origin::Output) {
                wrong.push(of_word(word, &error));
            }
        };
        for (word, value) in words {
            match WORDS.iter().find(|(known, _)| known == word) {
                Some((_, Some(setting))) => set(&mut wrong, setting, value, word),
                Some((_, None)) => {}
                // A setting by its whole name.
                None if word.contains('.') => set(&mut wrong, word, value, word),
                None => {
                    let known: Vec<&'static str> = WORDS.iter().map(|(known, _)| *known).collect();
                    let hint = nearest(word, &known).map_or(String::new(), |near| format!("; did you mean {near}?"));
                    wrong.push(format!("a film has no {word}{hint} (it has {})", known.join(", ")));
                }
            }
        }
        if let Some(codec) = said("audio") {
            let (name, value) = if codec == "copy" { ("audio.mode", codec) } else { ("audio.codec", codec) };
            set(&mut wrong, name, value, "audio");
        }
        if said("crf").is_some() && said("target_vmaf").is_some() {
            wrong.push("crf and target_vmaf cannot be together".to_owned());
        }
        match box_of(&said) {
            Ok(Some(scale)) => set(&mut wrong, "picture.scale", &scale, "fit"),
            Ok(None) => {}
            Err(what) => wrong.push(what),
        }
        if wrong.is_empty() { Ok(FilmSpec { defaults: defaults(path, &said), said: values }) } else { Err(wrong) }
    }

    /// Its settings in a request of these: a default gives way to what was said for the whole run.
    pub(super) fn settings(&self, of_run: &SettingValues) -> Result<SettingValues, Error> {
        let mut out = SettingValues::new();
        for (name, value) in &self.defaults {
            let said = of_run.get(name)?.is_some_and(|(_, origin)| origin >= Origin::Flag);
            // Of a target that was said for the whole run, no CRF is left.
            let target = *name == "quality.crf"
                && of_run.get("quality.target_vmaf")?.is_some_and(|(_, origin)| origin >= Origin::Flag);
            if !said && !target {
                out.set(name, value, Origin::Output)?;
            }
        }
        for (setting, value, _) in self.said.iter() {
            out.set(setting.name, value, Origin::Output)?;
        }
        Ok(out)
    }
}

fn of_word(word: &str, error: &Error) -> String {
    let message = error.message();
    if message.contains(word) { message.to_owned() } else { format!("{word}: {message}") }
}

/// The box the picture fits into, as the setting has it.
fn box_of<'a>(said: &impl Fn(&str) -> Option<&'a str>) -> Result<Option<String>, String> {
    let enlarge = match said("upscale") {
        None | Some("false") => "fit",
        Some("true") => "fill",
        Some(other) => return Err(format!("upscale {other:?} is neither true nor false")),
    };
    match (said("fit"), said("height")) {
        (Some(_), Some(_)) => Err("fit and height cannot be together".to_owned()),
        (Some(sides), None) => Ok(Some(format!("{enlarge}:{sides}"))),
        (None, Some(height)) => {
            let high: u32 = height.parse().map_err(|_| format!("height {height:?} is no whole number"))?;
            // What people call 720p is 1280 wide; wider films are lower.
            let wide = (f64::from(high) * 16.0 / 18.0).round() as u32 * 2;
            Ok(Some(format!("{enlarge}:{wide}x{high}")))
        }
        (None, None) if enlarge == "fill" => Err("upscale needs a fit or height".to_owned()),
        (None, None) => Ok(None),
    }
}

/// What plays everywhere: H.264 in 8 bits with AAC in MP4, AV1 with Opus in WebM, both in stereo; AV1 with Opus in Matroska.
fn defaults<'a>(path: &Path, said: &impl Fn(&str) -> Option<&'a str>) -> Vec<(&'static str, String)> {
    let format = Format::of_name(path);
    let codec = said("codec").unwrap_or(if format == Format::Mp4 { "h264" } else { "av1" });
    let crf = CRFS.iter().find(|(known, _)| *known == codec).map_or("25", |(_, crf)| crf);
    let mut out = vec![("video.codec", codec.to_owned()), ("source.reencode", "true".to_owned())];
    if said("target_vmaf").is_none() && said("quality.target_vmaf").is_none() {
        out.push(("quality.crf", crf.to_owned()));
    }
    if codec == "h264" {
        out.push(("picture.bit_depth", "8".to_owned()));
    }
    out.push(("audio.codec", if format == Format::Mp4 { "aac" } else { "opus" }.to_owned()));
    if format != Format::Matroska && said("audio") != Some("copy") {
        out.push(("audio.downmix", "stereo".to_owned()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(path: &str, words: &[(&str, &str)]) -> Result<FilmSpec, Vec<String>> {
        let words: Vec<_> = words.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        FilmSpec::of_words(Path::new(path), &words)
    }

    fn setting(film: &FilmSpec, of_run: &SettingValues, name: &str) -> Option<String> {
        film.settings(of_run).unwrap().get(name).unwrap().map(|(text, _)| text.to_owned())
    }

    #[test]
    fn what_is_not_said_follows_from_the_container_and_gives_way_to_flags() {
        let none = SettingValues::new();
        let mp4 = film("a.mp4", &[("height", "720")]).unwrap();
        for (name, value) in [
            ("video.codec", "h264"),
            ("audio.codec", "aac"),
            ("quality.crf", "22"),
            ("picture.scale", "fit:1280x720"),
            ("picture.bit_depth", "8"),
        ] {
            assert_eq!(setting(&mp4, &none, name).as_deref(), Some(value), "{name}");
        }
        let webm = film("a.webm", &[("fit", "640x640"), ("upscale", "true")]).unwrap();
        assert_eq!(setting(&webm, &none, "picture.scale").as_deref(), Some("fill:640x640"));
        assert_eq!(setting(&webm, &none, "audio.codec").as_deref(), Some("opus"));
        let mut flags = SettingValues::new();
        flags.set("quality.crf", "35", Origin::Flag).unwrap();
        assert_eq!(setting(&mp4, &flags, "quality.crf"), None, "the flag holds");
        let said = film("a.mp4", &[("crf", "18")]).unwrap();
        assert_eq!(setting(&said, &flags, "quality.crf").as_deref(), Some("18"));
    }

    #[test]
    fn all_that_is_wrong_is_told_with_what_was_meant() {
        let wrong = film("a.mp4", &[("codek", "h264"), ("crf", "99"), ("fit", "1280"), ("audio", "mp5")]).unwrap_err();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert!(wrong[0].contains("did you mean codec?"), "{wrong:?}");
        assert!(film("a.mp4", &[("fit", "640x480"), ("height", "480")]).is_err());
    }
}
