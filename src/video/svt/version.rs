//! Whether the library that was loaded is the one this build was made for.
#![deny(unsafe_code)]

use svt_av1_sys as sys;

use crate::base::{Error, ErrorKind, Result};

use super::ffi;

/// The version the loaded SVT-AV1 library reports, such as `v2.3.0`.
pub fn library_version() -> String {
    ffi::version()
}

/// The loaded library's version and where the build took it from, such as `SVT-AV1 4.2.0, from the wheel av 19.0.2`.
pub fn library_and_origin() -> String {
    format!("SVT-AV1 {}, from {}", library_version().trim_start_matches('v'), sys::ORIGIN)
}

/// Whether one process can have several encoders open at the same time with the linked library.
///
/// 4.2 bears that itself. In 1.4 to 2.3 opening an encoder crashes one that is running, so each has a private copy of
/// the library; where none can be loaded (the library is linked statically, or the system is not Linux with glibc)
/// there is one encoder at a time.
pub fn many_encoders() -> bool {
    ffi::several_at_once()
}

/// Fails unless the loaded library has the interface this build was compiled for.
///
/// A distribution's FFmpeg may itself load another `libSvtAv1Enc`, and a wrong search path may put that one
/// first: its structures have other layouts, so encoding would corrupt memory. Call this once at start.
pub fn check_library_version() -> Result<()> {
    let loaded = library_version();
    if is_compatible(sys::HEADER_VERSION, &loaded) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Encode,
        format!(
            "the SVT-AV1 library that was loaded is {loaded}, but this program was built for {}: remove the other \
             libSvtAv1Enc from the library search path (LD_LIBRARY_PATH, DYLD_LIBRARY_PATH), or build again with \
             the installed development files",
            sys::HEADER_VERSION
        ),
    ))
}

/// Whether a program built with `header` can use the library `loaded`.
///
/// From 2.0 on new fields take the place of padding within one major version, so a later minor one will do;
/// 1.x removed fields without a new soname (1.5.0), so there the minor version must be the same.
fn is_compatible(header: &str, loaded: &str) -> bool {
    let (Some(built), Some(found)) = (numbers(header), numbers(loaded)) else { return false };
    match built[0] {
        0 | 1 => built[..2] == found[..2],
        _ => built[0] == found[0] && built <= found,
    }
}

/// `[major, minor, patch]` of `v2.3.0`, `2.3.0-rc1` or `v2.3.0-12-gabcdef`.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+', ' ']).map(str::parse::<u32>);
    Some([parts.next()?.ok()?, parts.next()?.ok()?, parts.next().and_then(|p| p.ok()).unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaded_library_is_the_one_built_against() {
        check_library_version().unwrap();
        assert!(library_version().contains(sys::HEADER_VERSION));
        let named = library_and_origin();
        assert!(named.starts_with(&format!("SVT-AV1 {}", sys::HEADER_VERSION)), "{named}");
    }

    #[test]
    fn a_library_of_another_interface_is_refused() {
        assert!(is_compatible("2.3.0", "v2.3.0"));
        assert!(is_compatible("2.3.0", "v2.3.1-4-gabcdef"));
        assert!(is_compatible("4.0.1", "v4.2.0"));
        assert!(!is_compatible("2.3.0", "v1.4.1"));
        assert!(!is_compatible("2.3.0", "v2.2.1"));
        assert!(!is_compatible("2.3.0", "v3.0.0"));
        assert!(!is_compatible("1.4.1", "v1.5.0"));
        assert!(!is_compatible("2.3.0", "nightly"));
    }
}
