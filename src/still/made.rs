//! A still between its pictures and its file.

use crate::av::RgbPicture;

/// The pictures of a still, to be written.
pub(crate) struct MadeStill {
    /// With how long each is shown, in hundredths of a second, where it moves.
    pub(super) pictures: Vec<(RgbPicture, u16)>,
    /// When they are shown in the film, in seconds.
    pub(super) at: Vec<f64>,
    /// Whether they were brighter than screens are.
    pub(super) toned: bool,
    pub(super) quality: u8,
}
