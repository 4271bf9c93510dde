//! What an output says of how its video track was made: that it can be read, and that it is about this film.
#![deny(unsafe_code)]

use super::verification::Verification;
use crate::container::provenance::Provenance;
use crate::container::reader::Reader;
use crate::media::Tag;

/// The tags of the video track that say how it was made.
pub(super) fn provenance_tags(output: &Reader) -> Vec<Tag> {
    let video = output.tracks().iter().find(|t| t.video.is_some());
    video.map(|track| Provenance::among(&output.tags(Some(track.uid)))).unwrap_or_default()
}

/// Checks the texts of `tags` in a film of so many frames; a file that says nothing is not checked.
pub(super) fn check_provenance(result: &mut Verification, tags: &[Tag], frames: usize) {
    let Some(found) = Provenance::read(tags) else { return };
    let unreadable = if found.unreadable.is_empty() { "none".to_owned() } else { found.unreadable.join(", ") };
    result.check("unreadable tags of provenance", found.unreadable.is_empty(), "none", unreadable);
    if let Some(chunks) = found.chunks {
        let told: u64 = chunks.last().map_or(0, |c| c.first_frame + c.frames);
        result.check("frames of the chunks by provenance", told == frames as u64, frames, told);
    }
}
