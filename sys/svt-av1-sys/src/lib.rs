//! Declarations of the SVT-AV1 encoder API (1.4 to 4.x), made from the installed header at build time; for the library
//! out of a wheel, which has no header, they are kept in `bindings/`.
//!
//! Owns declarations and the facts of the header they came from; refuses any behaviour. The safe side is
//! drapto's `video` room. What differs between versions is told by the constants below and, to build
//! scripts of dependents, by `DEP_SVTAV1ENC_*` (`VERSION`, `INIT_HANDLE_TAKES_APP_DATA`, `C_BOOL`,
//! `LEVEL_OF_PARALLELISM`, `QUARTER_STEP_CRF`, `STATIC`, `LIB_DIR`, `ROOT`, `INCLUDE`, `ORIGIN`).
#![allow(missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals)]
#![allow(clippy::all, clippy::undocumented_unsafe_blocks)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

/// The version of the header, such as `2.3.0`.
pub const HEADER_VERSION: &str = env!("SVT_AV1_HEADER_VERSION");

/// Where the library comes from: `the wheel av 19.0.2`, `SVT_AV1_DIR`, `the system`.
pub const ORIGIN: &str = env!("SVT_AV1_ORIGIN");

/// Whether `svt_av1_enc_init_handle` takes the application's data as second argument (up to 2.x).
pub const INIT_HANDLE_TAKES_APP_DATA: bool = cfg!(svt_init_handle_takes_app_data);

/// Whether flags are C's `bool` (from 3.0) rather than the header's own 8-bit `Bool`.
pub const C_BOOL: bool = cfg!(svt_c_bool);

/// Whether the configuration has `level_of_parallelism`; else `logical_processors` alone.
pub const LEVEL_OF_PARALLELISM: bool = cfg!(svt_level_of_parallelism);

/// Whether CRF may be given in quarter steps (from 4.0).
pub const QUARTER_STEP_CRF: bool = cfg!(svt_quarter_step_crf);

/// Flags of the configuration and of buffers: `bool` from 3.0, the header's `Bool` before.
#[cfg(svt_c_bool)]
pub type Flag = bool;
/// Flags of the configuration and of buffers: `bool` from 3.0, the header's `Bool` before.
#[cfg(not(svt_c_bool))]
pub type Flag = Bool;

/// `value` as this version's [`Flag`].
pub fn flag(value: bool) -> Flag {
    value.into()
}

/// The type of `svt_av1_enc_init_handle`, whose arguments changed in 3.0.
#[cfg(svt_init_handle_takes_app_data)]
pub type InitHandle = unsafe extern "C" fn(
    *mut *mut EbComponentType,
    *mut core::ffi::c_void,
    *mut EbSvtAv1EncConfiguration,
) -> EbErrorType;
/// The type of `svt_av1_enc_init_handle`, whose arguments changed in 3.0.
#[cfg(not(svt_init_handle_takes_app_data))]
pub type InitHandle = unsafe extern "C" fn(*mut *mut EbComponentType, *mut EbSvtAv1EncConfiguration) -> EbErrorType;

/// Calls `init`, which is `svt_av1_enc_init_handle`, with the arguments that all versions have.
///
/// # Safety
/// As for the C function: both pointers must be valid for writes.
pub unsafe fn init_handle(
    init: InitHandle,
    handle: *mut *mut EbComponentType,
    config: *mut EbSvtAv1EncConfiguration,
) -> EbErrorType {
    #[cfg(svt_init_handle_takes_app_data)]
    // SAFETY: passed on from the caller; the application's data is never read by the library and may be null.
    return unsafe { init(handle, core::ptr::null_mut(), config) };
    #[cfg(not(svt_init_handle_takes_app_data))]
    // SAFETY: passed on from the caller.
    return unsafe { init(handle, config) };
}
