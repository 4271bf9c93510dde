//! What the end of a file's name says: which names an output may have, and what the output of a film is called.

use std::path::{Path, PathBuf};

use crate::base::{Error, ErrorKind, Result};
use crate::container::Format;
use crate::store::fitting;

/// Matroska's own (RFC 9559 section 21).
const MATROSKA: [&str; 4] = ["mkv", "mka", "mk3d", "mks"];

/// Of other media files and streams, and of what else nobody would call a film.
const OTHERS: &[&str] = &[
    "mp4", "m4v", "m4a", "mov", "qt", "webm", "weba", "avi", "divx", "ts", "m2ts", "mts", "m2t", "trp", "mpg", "mpeg",
    "mpe", "m1v", "m2v", "vob", "evo", "dat", "ogg", "ogv", "ogm", "oga", "opus", "flv", "f4v", "wmv", "wma", "asf",
    "wtv", "3gp", "3g2", "mxf", "gxf", "lxf", "rm", "rmvb", "ra", "nut", "y4m", "yuv", "ivf", "obu", "av1", "h264",
    "264", "avc", "h265", "265", "hevc", "vc1", "dv", "dif", "amv", "bik", "smk", "swf", "nsv", "roq", "iso", "img",
    "mp3", "mp2", "aac", "ac3", "eac3", "dts", "thd", "flac", "wav", "w64", "aiff", "caf", "mlp", "gif", "apng", "png",
    "jpg", "jpeg", "webp", "avif", "heic", "tif", "tiff", "bmp", "dpx", "exr", "tga", "srt", "ass", "ssa", "vtt",
    "sup", "m3u8", "mpd", "json", "html", "txt", "log", "toml", "xml", "zip",
];

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// Refuses names that promise a format that is not written. A name whose end is no format's (`Show.S01E01`) promises none.
///
/// # Errors
/// `Usage`.
pub(super) fn check(output: &Path) -> Result<()> {
    let other = |end: &String| OTHERS.contains(&end.as_str()) && Format::of_name(output) == Format::Matroska;
    match extension(output).filter(other) {
        Some(end) => {
            let message = format!("no file is written that .{end} stands for; name it .mkv, .webm, .mp4 or .ts");
            Err(Error::new(ErrorKind::Usage, message).with_file(output))
        }
        None => Ok(()),
    }
}

/// `film.mkv` becomes `film.av1.mkv` beside it, `Show.S01E01` becomes `Show.S01E01.av1.mkv`, where the codec is AV1.
pub(super) fn default_output(input: &Path, codec: &str) -> PathBuf {
    matroska_name(input, &format!(".{codec}"))
}

/// The Matroska file beside `input` that has its name without the end that is a format's, and `suffix`.
pub(crate) fn matroska_name(input: &Path, suffix: &str) -> PathBuf {
    let known = extension(input).is_some_and(|end| MATROSKA.contains(&&*end) || OTHERS.contains(&&*end));
    let stem = if known { input.file_stem() } else { input.file_name() };
    input.with_file_name(fitting("", stem.unwrap_or_default(), &format!("{suffix}.mkv")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_formats_are_refused_and_names_of_none_are_not() {
        for name in ["a.avi", "a.MTS", "b/c.mov", "x.json"] {
            assert_eq!(check(Path::new(name)).unwrap_err().kind(), ErrorKind::Usage, "{name}");
        }
        for name in [
            "a.mkv",
            "a.MKA",
            "a.mk3d",
            "a.mp4",
            "a.WebM",
            "a.m4v",
            "a.TS",
            "Show.S01E01",
            "Mr. Bean",
            "film",
            "mp4",
            ".mp4",
            "a.mp4.mkv",
        ] {
            check(Path::new(name)).unwrap();
        }
    }

    #[test]
    fn the_default_output_loses_only_what_is_a_known_ending() {
        for (input, output) in [
            ("d/film.mkv", "d/film.av1.mkv"),
            ("film.M2TS", "film.av1.mkv"),
            ("Show.S01E01", "Show.S01E01.av1.mkv"),
            ("Show.S01E02.mp4", "Show.S01E02.av1.mkv"),
            ("film", "film.av1.mkv"),
            (".mp4", ".mp4.av1.mkv"),
        ] {
            assert_eq!(default_output(Path::new(input), "av1"), Path::new(output), "{input}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn names_that_are_no_unicode_and_names_that_are_long_have_an_output_too() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let name = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        assert_eq!(default_output(&name(b"lat\xe9in.mp4"), "av1"), name(b"lat\xe9in.av1.mkv"));
        assert_eq!(default_output(Path::new("film.mp4"), "hevc"), Path::new("film.hevc.mkv"));
        let long = default_output(Path::new(&format!("{}.mkv", "y".repeat(251))), "av1");
        assert!(long.as_os_str().len() <= 255 && long.to_string_lossy().ends_with(".av1.mkv"), "{}", long.display());
    }
}
