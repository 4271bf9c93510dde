//! What a run stands on.

use std::collections::BTreeMap;

/// Versions of drapto and of every native library it runs with.
pub fn versions() -> BTreeMap<String, String> {
    let mut versions = BTreeMap::from([
        ("drapto".to_owned(), format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("DRAPTO_GIT_HASH"))),
        ("svt-av1".to_owned(), crate::video::library_version()),
        ("libopus".to_owned(), crate::audio::opus_version()),
        ("libvmaf".to_owned(), crate::meter::version()),
    ]);
    versions.extend(crate::av::versions().into_iter().map(|(name, version)| (name.to_owned(), version)));
    versions
}
