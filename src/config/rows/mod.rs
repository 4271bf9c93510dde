//! The rows of the table of settings, by what they are about.
//!
//! Owns each setting's declaration. Refuses to look any up: that is [`registry`](super::registry)'s.

mod audio;
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
    let groups =
        [quality::SETTINGS, samples::SETTINGS, run::SETTINGS, picture::SETTINGS, audio::SETTINGS, files::SETTINGS];
    groups.into_iter().chain([batch::SETTINGS]).flatten().copied().collect()
}
