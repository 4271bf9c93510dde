//! What rows have in common.

use crate::base::{Error, ErrorKind, Result};
use crate::config::setting::{Setting, SettingKind};
use crate::config::{EncodeSettings, Quality, Target};

/// A row that says nothing yet.
pub(super) const BASE: Setting = Setting {
    name: "",
    key: "",
    place: "",
    flag: None,
    value_name: "",
    kind: SettingKind::Text,
    in_file: None,
    unit: "",
    default: "",
    help: "",
    example: "",
    needs_target: false,
    set: |_, _| Ok(()),
    get: |_| None,
};

/// The target of settings that have one.
pub(super) fn target(settings: &mut EncodeSettings) -> Result<&mut Target> {
    match &mut settings.quality {
        Quality::Target(target) => Ok(target),
        Quality::Crf(_) => Err(Error::new(ErrorKind::Usage, "it has no meaning at a fixed CRF")),
    }
}

pub(super) fn of_target(settings: &EncodeSettings, get: impl Fn(&Target) -> Option<String>) -> Option<String> {
    match &settings.quality {
        Quality::Target(target) => get(target),
        Quality::Crf(_) => None,
    }
}

pub(super) fn word(value: &impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}
