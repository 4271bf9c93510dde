//! The rows of the table of settings, by what they are about.
//!
//! Owns each setting's declaration. Refuses to look any up: that is [`registry`](super::registry)'s.

mod batch;
mod files;
mod picture;
mod quality;
mod row;
mod run;
mod samples;

use super::setting::Setting;

/// All rows, in the order of the help.
pub(super) fn all() -> Vec<Setting> {
    [quality::SETTINGS, samples::SETTINGS, run::SETTINGS, picture::SETTINGS, files::SETTINGS, batch::SETTINGS].concat()
}
