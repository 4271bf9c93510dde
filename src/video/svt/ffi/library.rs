//! The library an encoder works with: the one that is linked, or a private copy of it.
//!
//! In 1.4 to 2.3 every opening empties and refills tables that running encoders read: one block table, laid out by
//! preset, size and CRF, and the compound masks, whose pointers are null for a moment. Two presets side by side crash
//! at once; equal settings crash at preset 2 at once and at preset 6 after some 2,000 openings. 4.2 gives each encoder
//! its own block table and fills the masks once, but with several encoders that shared it stood still once in some thirty runs
//! of tests, for a reason that is not known. Between them nothing is known.
//!
//! So each encoder that runs beside another has a library of its own, of 4.2 where a copy can be had: the file of the linked one, loaded
//! once more. The loader knows a file by its inode, so the copy is a file without a name, in memory; it exports
//! functions alone and looks its own symbols up in itself first, so copies share nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use svt_av1_sys as sys;

/// Whether the linked library itself bears several encoders at a time, where no copy can be had.
const SHARES: bool =
    sys::SVT_AV1_VERSION_MAJOR > 4 || (sys::SVT_AV1_VERSION_MAJOR == 4 && sys::SVT_AV1_VERSION_MINOR >= 2);

/// The library's functions.
#[derive(Clone, Copy)]
pub(super) struct Api {
    pub(super) init_handle: sys::InitHandle,
    pub(super) parse_parameter: unsafe extern "C" fn(
        *mut sys::EbSvtAv1EncConfiguration,
        *const std::ffi::c_char,
        *const std::ffi::c_char,
    ) -> sys::EbErrorType,
    pub(super) set_parameter:
        unsafe extern "C" fn(*mut sys::EbComponentType, *mut sys::EbSvtAv1EncConfiguration) -> sys::EbErrorType,
    pub(super) init: unsafe extern "C" fn(*mut sys::EbComponentType) -> sys::EbErrorType,
    pub(super) send_picture:
        unsafe extern "C" fn(*mut sys::EbComponentType, *mut sys::EbBufferHeaderType) -> sys::EbErrorType,
    pub(super) get_packet:
        unsafe extern "C" fn(*mut sys::EbComponentType, *mut *mut sys::EbBufferHeaderType, u8) -> sys::EbErrorType,
    pub(super) release_out_buffer: unsafe extern "C" fn(*mut *mut sys::EbBufferHeaderType),
    pub(super) deinit: unsafe extern "C" fn(*mut sys::EbComponentType) -> sys::EbErrorType,
    pub(super) deinit_handle: unsafe extern "C" fn(*mut sys::EbComponentType) -> sys::EbErrorType,
}

/// The functions that are linked.
const LINKED: Api = Api {
    init_handle: sys::svt_av1_enc_init_handle,
    parse_parameter: sys::svt_av1_enc_parse_parameter,
    set_parameter: sys::svt_av1_enc_set_parameter,
    init: sys::svt_av1_enc_init,
    send_picture: sys::svt_av1_enc_send_picture,
    get_packet: sys::svt_av1_enc_get_packet,
    release_out_buffer: sys::svt_av1_enc_release_out_buffer,
    deinit: sys::svt_av1_enc_deinit,
    deinit_handle: sys::svt_av1_enc_deinit_handle,
};

/// The libraries of the process; copies stay loaded, because the library leaves threads behind.
static LOADED: Mutex<Loaded> = Mutex::new(Loaded { libraries: Vec::new(), no_more: false });

struct Loaded {
    /// Each with whether an encoder has it; the linked one is first.
    libraries: Vec<(Api, bool)>,
    /// Another copy could not be loaded.
    no_more: bool,
}

fn loaded() -> MutexGuard<'static, Loaded> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if loaded.libraries.is_empty() {
        loaded.libraries.push((LINKED, false));
    }
    loaded
}

/// A library no other encoder works with, given back when this is dropped.
pub(super) struct Lease {
    pub(super) api: Api,
    /// Which; `None` where encoders share the linked one.
    index: Option<usize>,
}

impl Lease {
    /// `None` while all libraries are taken and no further copy can be had.
    pub(super) fn take() -> Option<Lease> {
        let mut loaded = loaded();
        let free = loaded.libraries.iter().position(|(_, taken)| !taken).or_else(|| loaded.load());
        if free.is_none() && SHARES {
            return Some(Lease { api: LINKED, index: None });
        }
        let (api, taken) = loaded.libraries.get_mut(free?)?;
        *taken = true;
        Some(Lease { api: *api, index: free })
    }

    /// Leaves the library to threads of an encoder that hang, if the next encoder can have another.
    pub(super) fn abandon(mut self) {
        if !loaded().no_more {
            self.index = None;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(index) = self.index
            && let Some((_, taken)) = loaded().libraries.get_mut(index)
        {
            *taken = false;
        }
    }
}

/// Whether several encoders can be open at a time; finds out by loading a copy where that is what it takes.
pub(in crate::video) fn several_at_once() -> bool {
    let mut loaded = loaded();
    SHARES || loaded.libraries.len() > 1 || loaded.load().is_some()
}

impl Loaded {
    /// Loads a copy; its index.
    fn load(&mut self) -> Option<usize> {
        if self.no_more {
            return None;
        }
        match copy() {
            Some(api) => {
                self.libraries.push((api, false));
                Some(self.libraries.len() - 1)
            }
            None => {
                self.no_more = true;
                None
            }
        }
    }
}

/// Loads the linked library's file once more. `None` where the library is part of the program, where its file
/// changed since it was loaded, and on systems other than Linux.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn copy() -> Option<Api> {
    use std::ffi::{CStr, CString, c_char, c_void};
    use std::fs::File;
    use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};

    // SAFETY: takes an address, fills a plain struct, for which zero is valid.
    let path = unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(sys::svt_av1_get_version as *const c_void, &mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        CStr::from_ptr(info.dli_fname).to_str().ok()?.to_owned()
    };
    // A static library's functions are in the program, and that is not to be loaded.
    path.rsplit('/').next().filter(|name| name.contains(".so"))?;
    let mut original = File::open(&path).ok()?;
    // SAFETY: the name is a C string; the descriptor that comes back is owned by the file alone.
    let mut memory = unsafe {
        let descriptor = libc::memfd_create(c"SvtAv1Enc".as_ptr(), libc::MFD_CLOEXEC);
        if descriptor < 0 {
            return None;
        }
        File::from_raw_fd(descriptor)
    };
    std::io::copy(&mut original, &mut memory).ok()?;
    // The loader knows libraries by name, too: the descriptor stays open, so that no other copy gets its number.
    let name = CString::new(format!("/proc/self/fd/{}", memory.as_raw_fd())).ok()?;
    // SAFETY: the name is a C string. The file is the library this process already runs, whose initialisers only
    // set up its own data.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_DEEPBIND) };
    let _ = memory.into_raw_fd();
    if library.is_null() {
        return None;
    }
    // SAFETY: the library is open and stays so; each name is of a function of the type it is given here, as the header
    // declares them, and that the file is of the same version is checked before anything else of it is called.
    unsafe {
        let version: unsafe extern "C" fn() -> *const c_char = function(library, c"svt_av1_get_version")?;
        let apart = !std::ptr::fn_addr_eq(version, sys::svt_av1_get_version as unsafe extern "C" fn() -> _);
        if !apart || CStr::from_ptr(version()) != CStr::from_ptr(sys::svt_av1_get_version()) {
            return None;
        }
        Some(Api {
            init_handle: function(library, c"svt_av1_enc_init_handle")?,
            parse_parameter: function(library, c"svt_av1_enc_parse_parameter")?,
            set_parameter: function(library, c"svt_av1_enc_set_parameter")?,
            init: function(library, c"svt_av1_enc_init")?,
            send_picture: function(library, c"svt_av1_enc_send_picture")?,
            get_packet: function(library, c"svt_av1_enc_get_packet")?,
            release_out_buffer: function(library, c"svt_av1_enc_release_out_buffer")?,
            deinit: function(library, c"svt_av1_enc_deinit")?,
            deinit_handle: function(library, c"svt_av1_enc_deinit_handle")?,
        })
    }
}

/// The function `name` of a library that `dlopen` gave.
///
/// # Safety
/// `library` must stay open, and `F` must be the function's type.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe fn function<F: Copy>(library: *mut std::ffi::c_void, name: &std::ffi::CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut std::ffi::c_void>()) };
    // SAFETY: by the contract of this function; the name is a C string.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    // SAFETY: of one size; that it is such a function is the contract.
    (!found.is_null()).then(|| unsafe { std::mem::transmute_copy(&found) })
}

/// As above: elsewhere there is none.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn copy() -> Option<Api> {
    None
}
