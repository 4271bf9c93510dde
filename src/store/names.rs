//! Names for files beside others, as long as file systems take them.
#![deny(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The longest name, in bytes: POSIX's NAME_MAX of ext4, XFS, Btrfs, ZFS and APFS.
const LONGEST: usize = 255;

/// `before`, `stem` and `after` as one name. Where that would be too long, the stem is cut and a hash of it keeps the name
/// apart from those of other stems.
pub(crate) fn fitting(before: &str, stem: &OsStr, after: &str) -> OsString {
    let joined = |stem: &OsStr| {
        let mut name = OsString::from(before);
        name.push(stem);
        name.push(after);
        name
    };
    let whole = joined(stem);
    if whole.len() <= LONGEST {
        return whole;
    }
    let hash = blake3::hash(stem.as_encoded_bytes()).to_hex();
    let room = LONGEST.saturating_sub(before.len() + after.len() + 9);
    let text = stem.to_string_lossy();
    joined(OsStr::new(&format!("{}~{}", &text[..boundary(&text, room)], &hash[..8])))
}

/// The path of a file beside `target` whose name is that of `target` with `extension` for its own.
pub(crate) fn with_extension(target: &Path, extension: &str) -> PathBuf {
    let stem = target.file_stem().unwrap_or_default();
    target.with_file_name(fitting("", stem, &format!(".{extension}")))
}

/// The last place at or before byte `most` of `text` where no character is cut.
fn boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_and_long_ones_are_cut_where_no_character_is_and_kept_apart() {
        assert_eq!(fitting(".", OsStr::new("film.mkv"), ".part"), ".film.mkv.part");
        let long = |last: &str| format!("{}{last}.mkv", "ü".repeat(125));
        let [a, b] = ["a", "b"].map(|last| fitting(".", OsStr::new(&long(last)), ".part"));
        assert!(a != b && a.len() <= LONGEST && b.len() <= LONGEST, "{a:?} {b:?}");
        assert!(a.to_str().is_some_and(|a| a.starts_with(".üü") && a.ends_with(".part")));
        assert_eq!(a, fitting(".", OsStr::new(&long("a")), ".part"), "two runs have to meet at one name");
    }

    #[test]
    fn an_extension_is_replaced_and_the_name_still_fits() {
        assert_eq!(with_extension(Path::new("a/film.mkv"), "failed.mkv"), Path::new("a/film.failed.mkv"));
        let long = PathBuf::from(format!("a/{}.mkv", "y".repeat(251)));
        let failed = with_extension(&long, "failed.mkv");
        assert!(
            failed.file_name().is_some_and(|n| n.len() <= LONGEST) && failed.to_string_lossy().ends_with(".failed.mkv")
        );
    }
}
