//! A value of a settings file, and where it stands.

/// One value of a settings file.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) struct Entry {
    /// Where it stands, as `["encoding", "crf", "sd"]`.
    pub(in crate::config) place: Vec<String>,
    /// Where it stood when it was written, in the form of its file.
    pub(in crate::config) written: String,
    /// Its line, from 1 on.
    pub(in crate::config) line: usize,
    pub(in crate::config) value: toml::Value,
}

impl Entry {
    /// The same value in another place.
    pub(super) fn moved(self, place: &[&str]) -> Self {
        Entry { place: place.iter().map(|part| (*part).to_owned()).collect(), ..self }
    }

    /// Whether it stands there, itself or in a table that does.
    pub(in crate::config) fn is_in(&self, place: &[&str]) -> bool {
        self.place.len() >= place.len() && self.place.iter().zip(place).all(|(part, wanted)| part == wanted)
    }
}
