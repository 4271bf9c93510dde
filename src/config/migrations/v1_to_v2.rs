//! Version 1 has one CRF for all films, version 2 one for each size of picture.

use super::entry::Entry;

pub(super) fn migrate(entries: Vec<Entry>) -> Vec<Entry> {
    let of_sizes = |entry: Entry| match entry.place.as_slice() {
        [key] if key == "crf" => ["sd", "hd", "uhd"].map(|size| entry.clone().moved(&["crf", size])).to_vec(),
        _ => vec![entry],
    };
    entries.into_iter().flat_map(of_sizes).collect()
}
