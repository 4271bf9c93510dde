//! What rows are found by.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A file as it was when it was looked at. One that has the same path, size and time of change is taken for the same;
/// who has to be surer compares a hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileMark {
    /// Absolute, links followed.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// When it was changed, in nanoseconds since 1970 (UTC); 0 where the file system does not say.
    pub modified_ns: i64,
}

impl FileMark {
    /// Of the file at `path` as it is now.
    ///
    /// # Errors
    /// What the system says where the file cannot be looked at.
    pub fn of(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let facts = path.metadata()?;
        let modified_ns = facts.modified().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
        });
        Ok(FileMark { bytes: facts.len(), modified_ns, path })
    }

    /// The path as it stands in the database.
    #[cfg(unix)]
    pub(super) fn path_bytes(&self) -> Cow<'_, [u8]> {
        use std::os::unix::ffi::OsStrExt;
        Cow::Borrowed(self.path.as_os_str().as_bytes())
    }

    /// The path as it stands in the database. What is no Unicode is lost: two such files may be taken for one where size
    /// and time are the same, too.
    #[cfg(not(unix))]
    pub(super) fn path_bytes(&self) -> Cow<'_, [u8]> {
        match self.path.to_string_lossy() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }
}

/// A key made of named values: all that decides what is kept under it. The same values in the same order give the same key,
/// on every machine and in every version; any others another.
///
/// ```
/// use drapto::cache::CacheKey;
///
/// let key = CacheKey::new("try").with("crf", "27.25").with("hash", [7; 32]);
/// assert_ne!(key.bytes(), CacheKey::new("try").with("crf", "27.5").with("hash", [7; 32]).bytes());
/// ```
#[derive(Clone, Debug)]
pub struct CacheKey(blake3::Hasher);

impl CacheKey {
    /// A key for `what` is kept, without values.
    pub fn new(what: &str) -> Self {
        CacheKey(blake3::Hasher::new_derive_key("drapto 2026-11 cache key")).part(what.as_bytes())
    }

    /// With a value. Numbers go in as text or as bytes of an order that is told.
    pub fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.part(name.as_bytes()).part(value.as_ref())
    }

    /// The key itself.
    pub fn bytes(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }

    /// Each part after its length, so that no two lists of parts are the same bytes.
    fn part(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(what: &str, values: &[(String, Vec<u8>)]) -> [u8; 32] {
        values.iter().fold(CacheKey::new(what), |key, (name, value)| key.with(name, value)).bytes()
    }

    proptest! {
        #[test]
        fn other_values_give_another_key_and_the_same_values_the_same(
            a in proptest::collection::vec(("[a-c]{0,2}", proptest::collection::vec(0u8..3, 0..3)), 0..3),
            b in proptest::collection::vec(("[a-c]{0,2}", proptest::collection::vec(0u8..3, 0..3)), 0..3),
        ) {
            prop_assert_eq!(key("try", &a) == key("try", &b), a == b);
            prop_assert_ne!(key("try", &a), key("tries", &a));
        }

        #[test]
        fn the_same_bytes_cut_elsewhere_give_another_key(
            text in "[ -~]{0,40}", cuts in proptest::array::uniform2(any::<prop::sample::Index>()),
        ) {
            let [a, b] = cuts.map(|cut| cut.index(text.len() + 1));
            let cut = |at: usize| CacheKey::new("try").with(&text[..at], &text[at..]).bytes();
            prop_assert_eq!(cut(a) == cut(b), a == b);
            let split = |at: usize| CacheKey::new(&text[..at]).with("", &text[at..]).bytes();
            prop_assert_eq!(split(a) == split(b), a == b);
        }
    }

    #[test]
    fn a_key_is_the_same_in_every_version() {
        let hex = blake3::Hash::from_bytes(CacheKey::new("try").with("crf", "30").bytes()).to_hex();
        assert_eq!(&hex[..16], "7ff1d1e7e0d60892", "what was kept under it would not be found again");
    }

    #[test]
    fn a_file_has_one_stamp_under_all_its_names_and_another_once_it_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let film = folder.path().join("film.mkv");
        std::fs::write(&film, b"film").unwrap();
        let stamp = FileMark::of(&film).unwrap();
        assert_eq!(stamp.bytes, 4);
        assert!(stamp.path.is_absolute() && stamp.modified_ns > 0, "{stamp:?}");
        assert_eq!(FileMark::of(&folder.path().join(".").join("film.mkv")).unwrap(), stamp);
        #[cfg(unix)]
        {
            let link = folder.path().join("link.mkv");
            std::os::unix::fs::symlink(&film, &link).unwrap();
            assert_eq!(FileMark::of(&link).unwrap(), stamp);
        }
        let file = std::fs::File::options().write(true).open(&film).unwrap();
        file.set_modified(UNIX_EPOCH - std::time::Duration::from_millis(1500)).unwrap();
        let older = FileMark::of(&film).unwrap();
        assert_eq!(older.modified_ns, -1_500_000_000);
        assert_ne!(older, stamp);
        assert_eq!(FileMark::of(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
