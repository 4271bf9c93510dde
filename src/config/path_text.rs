//! Paths in JSON: text for people and their tools. A name may be bytes that are no Unicode; what is not becomes U+FFFD,
//! which is better than no report.
#![deny(unsafe_code)]

use std::path::{Path, PathBuf};

use serde::Serializer;

/// A path as text.
pub(crate) fn lossy<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}

/// A path as text where there is one.
pub(crate) fn lossy_if_any<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => lossy(path, to),
        None => to.serialize_none(),
    }
}

/// What is displayed, as it is.
pub(crate) fn as_text<S: Serializer>(value: &impl std::fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}
