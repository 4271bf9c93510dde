//! The library that is loaded is the one whose header was read, and its handles work.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;

use svt_av1_sys as sys;

fn loaded_version() -> String {
    // SAFETY: the function takes nothing and returns a static C string.
    unsafe { CStr::from_ptr(sys::svt_av1_get_version()) }.to_string_lossy().into_owned()
}

#[test]
fn the_loaded_library_is_of_the_headers_version() {
    let loaded = loaded_version();
    let number = loaded.trim_start_matches('v').split('-').next().unwrap();
    assert_eq!(number, sys::HEADER_VERSION, "loaded {loaded}");
    let macros =
        format!("{}.{}.{}", sys::SVT_AV1_VERSION_MAJOR, sys::SVT_AV1_VERSION_MINOR, sys::SVT_AV1_VERSION_PATCHLEVEL);
    assert_eq!(macros, sys::HEADER_VERSION);
}

#[test]
fn the_kept_declarations_are_those_of_the_header() {
    let kept = include_str!("../bindings/4.2.0.rs");
    let used = include_str!(concat!(env!("OUT_DIR"), "/bindings.rs"));
    if sys::HEADER_VERSION != "4.2.0" || env!("SVT_AV1_BINDINGS") == "kept" {
        assert_eq!(used == kept, sys::HEADER_VERSION == "4.2.0", "{} from {}", sys::HEADER_VERSION, sys::ORIGIN);
        eprintln!("skipped: no header of SVT-AV1 4.2.0 to compare with");
        return;
    }
    // Without rustfmt they are laid out otherwise.
    let words = |text: &str| text.split_whitespace().collect::<String>().replace(",)", ")");
    let file = concat!(env!("OUT_DIR"), "/bindings.rs");
    assert_eq!(words(used), words(kept), "if the header is right, copy {file} to bindings/4.2.0.rs");
}

#[test]
fn a_handle_is_created_with_defaults_and_destroyed() {
    let mut handle = ptr::null_mut();
    let mut config = MaybeUninit::<sys::EbSvtAv1EncConfiguration>::zeroed();
    // SAFETY: both pointers are to local storage; all-zero bytes are valid for every field of the C struct.
    let code = unsafe { sys::init_handle(sys::svt_av1_enc_init_handle, &mut handle, config.as_mut_ptr()) };
    assert_eq!(code, sys::EB_ErrorNone);
    assert!(!handle.is_null());
    // SAFETY: the library filled the struct, which was zeroed before.
    let mut config = unsafe { config.assume_init() };
    assert_eq!(config.encoder_bit_depth, 8, "the default of every version");
    // SAFETY: the configuration is initialised and the strings are C strings.
    let code = unsafe { sys::svt_av1_enc_parse_parameter(&mut config, c"preset".as_ptr(), c"7".as_ptr()) };
    assert_eq!((code, config.enc_mode), (sys::EB_ErrorNone, 7));
    // SAFETY: as above.
    let code = unsafe { sys::svt_av1_enc_parse_parameter(&mut config, c"no-such-name".as_ptr(), c"7".as_ptr()) };
    assert_eq!(code, sys::EB_ErrorBadParameter);
    // SAFETY: the handle came from init_handle and is not used afterwards.
    unsafe {
        sys::svt_av1_enc_deinit(handle);
        assert_eq!(sys::svt_av1_enc_deinit_handle(handle), sys::EB_ErrorNone);
    }
}

#[test]
fn the_api_differences_follow_the_versions() {
    let major = sys::SVT_AV1_VERSION_MAJOR;
    let minor = sys::SVT_AV1_VERSION_MINOR;
    assert_eq!(sys::INIT_HANDLE_TAKES_APP_DATA, major < 3);
    assert_eq!(sys::C_BOOL, major >= 3);
    assert_eq!(sys::QUARTER_STEP_CRF, major >= 4);
    assert_eq!(sys::LEVEL_OF_PARALLELISM, (major, minor) >= (2, 3));
}
