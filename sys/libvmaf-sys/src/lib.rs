//! Declarations of libvmaf's C API, and nothing else: no wrappers, no policy.
//!
//! With the default feature `vendored` they are those of `vmaf-head-sys`, which compiles libvmaf from source
//! and links it statically with its built-in models. Without it they are generated from the header of the
//! library that pkg-config finds (2.3 or later). Names are bindgen's in both cases, so code above compiles
//! against either, as long as it leaves alone what came later than 2.3 (`gpumask`, the picture pool).

#[cfg(feature = "vendored")]
pub use vmaf_head_sys::*;

#[cfg(not(feature = "vendored"))]
#[allow(missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals, unused, clippy::all)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
#[cfg(not(feature = "vendored"))]
pub use bindings::*;

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    #[test]
    fn the_linked_library_has_the_declared_major_version() {
        // SAFETY: vmaf_version takes nothing and returns a NUL-terminated string constant.
        let version = unsafe { CStr::from_ptr(super::vmaf_version()) }.to_str().unwrap();
        // The text is `git describe` of the build, or the bare version; a tarball without git has only the latter.
        let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
        assert!(!version.is_empty(), "the library names no version");
        if let Some((major, _)) = digits.split_once('.') {
            assert_eq!(major.parse(), Ok(super::VMAF_API_VERSION_MAJOR), "linked {version}");
        }
    }

    #[test]
    fn a_built_in_model_loads() {
        let mut model = std::ptr::null_mut();
        let mut config = super::VmafModelConfig { name: std::ptr::null(), flags: 0 };
        // SAFETY: both pointers are valid for the call, the name is NUL-terminated, and a model that was
        // loaded is destroyed once.
        unsafe {
            assert_eq!(super::vmaf_model_load(&mut model, &mut config, c"vmaf_v0.6.1".as_ptr()), 0);
            super::vmaf_model_destroy(model);
        }
    }
}
