//! What is asked for, as data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::extension;
use crate::base::{Error, ErrorKind, Result};
use crate::config::{EncodeSettings, Origin, SettingValues, nearest, setting};
use crate::encode::check_paths;
use crate::stages::spec::factory;
use crate::still::StillRequest;

/// The form of requests written as JSON; another is refused.
const VERSION: u32 = 1;

/// One file to write, and what is special about it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OutputRequest {
    /// The file to write: WebM or MP4 where its name ends so, else Matroska.
    pub path: PathBuf,
    /// Settings of this output; they go before those of the request.
    pub settings: SettingValues,
    /// Of renditions: whether it is one of a row of sizes of which those above the film are not meant.
    pub(crate) optional: bool,
}

/// One film to encode into one or more files.
///
/// ```
/// let mut request = drapto::EncodeRequest::new("film.mkv", "film.av1.mkv");
/// request.set("quality.target_vmaf", "93")?;
/// let small = request.add_output("film.480.mkv");
/// request.set_for(small, "picture.scale", "480")?;
/// let text = request.to_json()?;
/// assert_eq!(drapto::EncodeRequest::from_json(&text)?, request);
/// # Ok::<(), drapto::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RequestText", into = "RequestText")]
#[non_exhaustive]
pub struct EncodeRequest {
    /// The film to read.
    pub input: PathBuf,
    /// The files to write; at least one.
    pub outputs: Vec<OutputRequest>,
    /// Posters, contact sheets and previews to make of the same film, from the same decode where a file is encoded at a fixed
    /// CRF.
    pub stills: Vec<StillRequest>,
    /// Settings of all outputs. Where they come from is not written into JSON.
    pub settings: SettingValues,
    /// Cores that are this job's, where others of a batch run beside it.
    pub(crate) cores: Option<u32>,
    /// Whether outputs that would come to the same are left out.
    pub(crate) renditions: bool,
}

impl EncodeRequest {
    /// A request with default settings.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        let mut request = Self::without_outputs(input.into());
        request.add_output(output);
        request
    }

    pub(crate) fn without_outputs(input: PathBuf) -> Self {
        EncodeRequest {
            input,
            outputs: Vec::new(),
            stills: Vec::new(),
            settings: SettingValues::default(),
            cores: None,
            renditions: false,
        }
    }

    /// Adds a file to write; gives its index for [`set_for`](Self::set_for). The first has index 0.
    pub fn add_output(&mut self, path: impl Into<PathBuf>) -> usize {
        self.outputs.push(OutputRequest { path: path.into(), settings: SettingValues::default(), optional: false });
        self.outputs.len() - 1
    }

    /// Takes all shared settings from `settings`.
    #[must_use]
    pub fn with_settings(mut self, settings: SettingValues) -> Self {
        self.settings = settings;
        self
    }

    /// Sets a setting of all outputs by name: `set("quality.target_vmaf", "93")`. Names are those of
    /// [`settings`](crate::config::settings).
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names and values there are not.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.set(name, value, Origin::Request)
    }

    /// Sets a setting of one output.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names, values and outputs there are not.
    pub fn set_for(&mut self, output: usize, name: &str, value: &str) -> Result<()> {
        let count = self.outputs.len();
        let found = self.outputs.get_mut(output);
        let found = found.ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("there is no output {output}: the request has {count}"))
        })?;
        found.settings.set(name, value, Origin::Output)
    }

    /// A setting of the first output as a run would use it; `None` where it is made up during the run or nothing is set.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for names there are not and settings that cannot be together.
    pub fn get(&self, name: &str) -> Result<Option<String>> {
        setting(name)?;
        self.resolve(0)?.0.get(name)
    }

    /// The settings of one output, and sentences about what was set and has no meaning.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for settings that cannot be together and outputs there are not.
    pub fn resolve(&self, output: usize) -> Result<(EncodeSettings, Vec<String>)> {
        let found = self.outputs.get(output);
        let found = found.ok_or_else(|| Error::new(ErrorKind::Usage, format!("there is no output {output}")))?;
        let (settings, warnings) = self.settings.with_output(&found.settings).resolve(&self.input, &found.path)?;
        settings.check_crf(crate::video::CRF_STEP)?;
        Ok((EncodeSettings { cores: self.cores, ..settings }, warnings))
    }

    /// Checks the request without looking at its files; gives sentences about what was set and has no meaning.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`].
    pub fn check(&self) -> Result<Vec<String>> {
        if self.outputs.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "a request without outputs asks for nothing"));
        }
        for (index, still) in self.stills.iter().enumerate() {
            let others = self.outputs.iter().map(|o| &o.path).chain(self.stills[..index].iter().map(|s| &s.path));
            if others.into_iter().any(|other| *other == still.path) {
                return Err(Error::new(ErrorKind::Usage, "two outputs have this path").with_file(&still.path));
            }
            still.check()?;
        }
        let mut warnings = Vec::new();
        for (index, output) in self.outputs.iter().enumerate() {
            if self.outputs[..index].iter().any(|other| other.path == output.path) {
                return Err(Error::new(ErrorKind::Usage, "two outputs have this path").with_file(&output.path));
            }
            extension::check(&output.path)?;
            for warning in self.resolve(index)?.1 {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        Ok(warnings)
    }

    /// Checks every path the job will read or write against each other, for its folder and for what is there already, and
    /// with them those that the caller reads and writes beside it, each with what it is in words: `("the report", path)`.
    /// Paths are compared by what they lead to. Those of `writes` may be pipes and devices, which are to be written to.
    ///
    /// A job does this for its own paths when it begins.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] that names the path.
    pub fn check_paths(&self, reads: &[(&str, &Path)], writes: &[(&str, &Path)]) -> Result<()> {
        let resolved = (0..self.outputs.len()).map(|i| Ok(self.resolve(i)?.0)).collect::<Result<Vec<_>>>()?;
        check_paths(&resolved, reads, writes)
    }

    /// What the output of `input` is called where nobody says: `film.mkv` becomes `film.av1.mkv` beside it, or what the codec
    /// of `settings` is called in the place of `av1`, and a name whose end is no format's keeps it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for settings that cannot be together, [`ErrorKind::Unsupported`] for an encoder that is not there.
    pub fn default_output(input: &Path, settings: &SettingValues) -> Result<PathBuf> {
        let (settings, _) = settings.resolve(input, input)?;
        Ok(extension::default_output(input, factory(&settings)?.traits().codec))
    }

    /// Reads a request: `{"version": 1, "input": "film.mkv", "outputs": [{"path": "film.av1.mkv"}],
    /// "settings": {"quality.target_vmaf": 93}}`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for what is no request, and for another version.
    pub fn from_json(text: &str) -> Result<Self> {
        let read: RequestText = serde_json::from_str(text)
            .map_err(|e| Error::new(ErrorKind::Usage, "cannot read the request").caused_by(e))?;
        read.try_into()
    }

    /// Writes the request as JSON, as [`from_json`](Self::from_json) reads it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for paths that are no Unicode.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|e| Error::new(ErrorKind::Usage, "cannot write the request as JSON").caused_by(e))
    }
}

/// A request as it is written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestText {
    version: u32,
    input: PathBuf,
    outputs: Vec<OutputText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stills: Vec<StillText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<String, Value>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputText {
    path: PathBuf,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<String, Value>,
}

/// A still as it is written: `{"path": "poster.jpg", "at": "12.5"}`.
#[derive(Clone, Serialize, Deserialize)]
struct StillText {
    path: PathBuf,
    #[serde(flatten)]
    words: BTreeMap<String, Value>,
}

impl StillText {
    fn of(still: &StillRequest) -> Self {
        let words = still.words().into_iter().map(|(word, value)| (word.to_owned(), value.into()));
        StillText { path: still.path.clone(), words: words.collect() }
    }

    fn read(self) -> Result<StillRequest> {
        let wrong = |what: Vec<String>| Error::new(ErrorKind::Usage, what.join("; ")).with_file(&self.path);
        let word = |(word, value): (&String, &Value)| match text(value) {
            Some(text) => Ok((word.clone(), text)),
            None => Err(wrong(vec![format!("{word}: a value is text, a number or a bool")])),
        };
        let words = self.words.iter().map(word).collect::<Result<Vec<_>>>()?;
        StillRequest::of_words(&self.path, &words, nearest).map_err(wrong)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn written(values: &SettingValues) -> BTreeMap<String, Value> {
    values.iter().map(|(setting, text, _)| (setting.name.to_owned(), text.into())).collect()
}

fn read(texts: &BTreeMap<String, Value>, origin: Origin) -> Result<SettingValues> {
    let mut values = SettingValues::default();
    if texts.contains_key("quality.crf") && texts.contains_key("quality.target_vmaf") {
        return Err(Error::new(ErrorKind::Usage, "quality.crf and quality.target_vmaf cannot be together"));
    }
    for (name, value) in texts {
        let text = text(value);
        let text =
            text.ok_or_else(|| Error::new(ErrorKind::Usage, format!("{name}: a value is text, a number or a bool")))?;
        values.set(name, &text, origin)?;
    }
    Ok(values)
}

impl From<EncodeRequest> for RequestText {
    fn from(request: EncodeRequest) -> Self {
        let outputs = request.outputs.iter();
        RequestText {
            version: VERSION,
            outputs: outputs.map(|o| OutputText { path: o.path.clone(), settings: written(&o.settings) }).collect(),
            stills: request.stills.iter().map(StillText::of).collect(),
            settings: written(&request.settings),
            input: request.input,
        }
    }
}

impl TryFrom<RequestText> for EncodeRequest {
    type Error = Error;

    fn try_from(text: RequestText) -> Result<Self> {
        if text.version != VERSION {
            let message = format!("requests of version {} are not known, only of {VERSION}", text.version);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let outputs = text.outputs.into_iter();
        let outputs = outputs
            .map(|o| {
                let settings = read(&o.settings, Origin::Output)?;
                Ok(OutputRequest { path: o.path, settings, optional: false })
            })
            .collect::<Result<_>>()?;
        let stills = text.stills.into_iter().map(StillText::read).collect::<Result<_>>()?;
        let settings = read(&text.settings, Origin::Request)?;
        Ok(EncodeRequest { outputs, stills, settings, ..EncodeRequest::without_outputs(text.input) })
    }
}
