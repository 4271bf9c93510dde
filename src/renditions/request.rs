//! Which renditions are asked for.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::film::FilmSpec;
use super::spec::Rendition;
use crate::base::{Error, ErrorKind, Result};
use crate::config::{SettingValues, nearest};

/// Renditions of one film.
///
/// ```
/// let mut request = drapto::rendition::RenditionRequest::new("film.mkv");
/// request.folder = Some("web".into());
/// request.add("{name}.720p.mp4:height=720")?;
/// request.add("{name}.webm:height=720,crf=32")?;
/// request.add("{name}.jpg:at=best,fit=1280x720")?;
/// # Ok::<(), drapto::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RenditionRequest {
    /// The film to read.
    pub input: PathBuf,
    /// Where files go whose names are not absolute; the current folder without. It has to be there.
    pub folder: Option<PathBuf>,
    /// Settings of all films. What was said for a rendition goes before them, and they before its defaults.
    pub settings: SettingValues,
    /// Whether existing files may be replaced.
    pub overwrite: bool,
    pub(super) renditions: Vec<Rendition>,
}

/// The words of a file of descriptions.
const TOP: &[&str] = &["rendition"];

impl RenditionRequest {
    /// None yet.
    pub fn new(input: impl Into<PathBuf>) -> Self {
        RenditionRequest {
            input: input.into(),
            folder: None,
            settings: SettingValues::new(),
            overwrite: false,
            renditions: Vec::new(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.renditions.len()
    }

    /// Adds MP4 (H.264 and AAC) in 1080, 720 and 480 lines, of which those above the film are left out, and WebM (AV1 and
    /// Opus) in at most 1080: `{name}.1080p.mp4` and so on, `{name}.webm`.
    pub fn add_standard(&mut self) {
        for (end, height, optional) in
            [("1080p.mp4", "1080", true), ("720p.mp4", "720", true), ("480p.mp4", "480", true), ("webm", "1080", false)]
        {
            let path = PathBuf::from(format!("{{name}}.{end}"));
            if let Ok(film) = FilmSpec::of_words(&path, &[("height".to_owned(), height.to_owned())]) {
                self.renditions.push(Rendition::Film { path, film, optional });
            }
        }
    }

    /// Adds one as `FILE` or `FILE:word=value,word=value`. What it is follows from the file's name; `{name}` in it is the
    /// film's name without its end.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] that tells everything that is wrong.
    pub fn add(&mut self, spec: &str) -> Result<()> {
        let read = Rendition::of_text(spec).and_then(|(path, words)| Rendition::of_words(&path, &words));
        self.renditions.push(read.map_err(|wrong| told(wrong.into_iter().map(|w| format!("{spec}: {w}")).collect()))?);
        Ok(())
    }

    /// Adds those of a description in TOML, `[[rendition]]` with `file` and words each, or in JSON of the same shape.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] that tells everything that is wrong with all of them.
    pub fn read(&mut self, text: &str) -> Result<()> {
        let table = parsed(text)?;
        let mut wrong = Vec::new();
        for key in table.keys().filter(|key| !TOP.contains(&key.as_str())) {
            let hint = nearest(key, TOP).map_or(String::new(), |near| format!("; did you mean [[{near}]]?"));
            wrong.push(format!("there is no {key}{hint}"));
        }
        let tables = match table.get("rendition") {
            Some(Value::Array(tables)) => tables.as_slice(),
            None => {
                wrong.push("there is no [[rendition]] in it".to_owned());
                &[]
            }
            Some(_) => {
                wrong.push("rendition is no list of tables; write [[rendition]]".to_owned());
                &[]
            }
        };
        let mut read = Vec::new();
        for (number, table) in tables.iter().enumerate() {
            match one(table) {
                Ok(rendition) => read.push(rendition),
                Err(all) => {
                    let name = table.get("file").and_then(Value::as_str).map_or(String::new(), |f| format!(" ({f})"));
                    wrong.extend(all.into_iter().map(|what| format!("rendition {}{name}: {what}", number + 1)));
                }
            }
        }
        if wrong.is_empty() {
            self.renditions.extend(read);
            return Ok(());
        }
        Err(told(wrong))
    }

    /// The file of a rendition: its name filled in, in its folder.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        let stem = self.input.file_stem().unwrap_or_default().to_string_lossy();
        let path = match path.to_str() {
            Some(text) => PathBuf::from(text.replace("{name}", &stem)),
            None => path.to_path_buf(),
        };
        self.folder.as_ref().map_or(path.clone(), |folder| folder.join(path))
    }
}

fn parsed(text: &str) -> Result<Map<String, Value>> {
    let unreadable = |e: String| Error::new(ErrorKind::Usage, format!("cannot read the renditions: {}", e.trim_end()));
    let value: Value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))?
    } else {
        toml::from_str(text).map_err(|e| unreadable(e.to_string()))?
    };
    match value {
        Value::Object(table) => Ok(table),
        _ => Err(unreadable("it is no table".to_owned())),
    }
}

fn one(table: &Value) -> std::result::Result<Rendition, Vec<String>> {
    let Value::Object(table) = table else { return Err(vec!["it is no table".to_owned()]) };
    let (mut words, mut wrong, mut file) = (Vec::new(), Vec::new(), None);
    for (word, value) in table {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => {
                wrong.push(format!("{word}: a value is text, a number or true or false"));
                continue;
            }
        };
        if word == "file" { file = Some(value) } else { words.push((word.clone(), value)) }
    }
    let Some(file) = file else {
        wrong.insert(0, "it has no file".to_owned());
        return Err(wrong);
    };
    match Rendition::of_words(Path::new(&file), &words) {
        Ok(rendition) if wrong.is_empty() => Ok(rendition),
        Ok(_) => Err(wrong),
        Err(more) => Err(wrong.into_iter().chain(more).collect()),
    }
}

/// One error of all that is wrong.
pub(super) fn told(wrong: Vec<String>) -> Error {
    match wrong.as_slice() {
        [one] => Error::new(ErrorKind::Usage, one),
        all => {
            let lines: String = all.iter().map(|what| format!("\n  {what}")).collect();
            Error::new(ErrorKind::Usage, format!("{} things are wrong with the renditions:{lines}", all.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_three_mistakes_tells_all_three() {
        let mut request = RenditionRequest::new("film.mkv");
        let text = "[[rendition]]\nfile = 'a.mp4'\nheigth = 720\n[[rendition]]\nfile = 'b.webm'\ncrf = 'high'\n\
                    [[rendition]]\nfile = 'c.jpg'\nquality = 400\n";
        let error = request.read(text).unwrap_err().to_string();
        for part in
            ["3 things", "rendition 1 (a.mp4)", "did you mean height?", "rendition 2 (b.webm)", "rendition 3 (c.jpg)"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert_eq!(request.count(), 0, "all or none");
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let (mut a, mut b) = (RenditionRequest::new("film.mkv"), RenditionRequest::new("film.mkv"));
        a.read("[[rendition]]\nfile = \"{name}.mp4\"\nheight = 480\ncrf = 23.5\n").unwrap();
        b.read(r#"{"rendition": [{"file": "{name}.mp4", "height": 480, "crf": 23.5}]}"#).unwrap();
        assert_eq!(a, b);
        for wrong in ["", "x = 1", "rendition = 3", "[[rendition]]\ncrf = 3", "[[rendition", "[1]"] {
            assert_eq!(a.read(wrong).unwrap_err().kind(), ErrorKind::Usage, "{wrong}");
        }
        a.folder = Some("web".into());
        assert_eq!(a.place(Path::new("{name}.x.mp4")), Path::new("web/film.x.mp4"));
    }
}
