//! Settings files.

use std::path::Path;

use serde::Deserialize;

use super::{AudioMode, EncodeSettings};
use crate::base::{Error, ErrorKind, Result};

/// A settings file with every key, commented out at its default.
pub const TEMPLATE: &str = "\
# drapto settings. Flags on the command line go before this file.

# Constant rate factor, 1 to 63. Without it: 25 up to 1080p, 29 above.
# crf = 25

# SVT-AV1 preset, 0 (slowest) to 13 (fastest).
# preset = 6

# \"opus\" encodes audio tracks, \"copy\" keeps them where Matroska can carry the codec.
# audio = \"opus\"

# Replace an output that exists.
# overwrite = false

# Encode a source of which more than 1 % of the pictures are lost.
# accept_damage = false

# Further SVT-AV1 parameters by the encoder's own names (a table: keep it last).
# [svt]
# film-grain = \"8\"
";

/// What a settings file says; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct FileSettings {
    pub crf: Option<f32>,
    pub preset: Option<u8>,
    #[serde(default)]
    pub svt: std::collections::BTreeMap<String, String>,
    pub audio: Option<AudioMode>,
    pub overwrite: Option<bool>,
    pub accept_damage: Option<bool>,
}

impl FileSettings {
    /// Reads a settings file; a wrong one is a `Usage` error that names line and key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::new(ErrorKind::Usage, "cannot read the settings").caused_by(e).with_file(path))?;
        Self::parse(&text).map_err(|e| e.with_file(path))
    }

    /// Parses the text of a settings file.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| Error::new(ErrorKind::Usage, e.to_string().trim_end().to_owned()))
    }

    /// Puts what the file says into `settings`.
    pub fn apply(&self, settings: &mut EncodeSettings) {
        settings.crf = self.crf.or(settings.crf);
        settings.preset = self.preset.unwrap_or(settings.preset);
        settings.svt.extend(self.svt.clone());
        settings.audio = self.audio.unwrap_or(settings.audio);
        settings.overwrite = self.overwrite.unwrap_or(settings.overwrite);
        settings.accept_damage = self.accept_damage.unwrap_or(settings.accept_damage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_nothing_until_it_is_edited_and_then_every_key_is_known() {
        assert_eq!(FileSettings::parse(TEMPLATE).unwrap(), FileSettings::default());
        let edited: Vec<&str> = TEMPLATE
            .lines()
            .filter_map(|l| l.strip_prefix("# "))
            .filter(|l| l.contains(" = ") || l.starts_with('['))
            .collect();
        let settings = FileSettings::parse(&edited.join("\n")).unwrap();
        assert_eq!(settings.crf, Some(25.0));
        assert_eq!(settings.svt.get("film-grain").map(String::as_str), Some("8"));
        assert_eq!(settings.accept_damage, Some(false));
    }

    #[test]
    fn an_unknown_key_is_a_usage_error_that_names_it() {
        let error = FileSettings::parse("speed = 3").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("speed"), "{error}");
    }
}
