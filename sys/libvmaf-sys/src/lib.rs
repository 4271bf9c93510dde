//! Declarations of libvmaf.
#[cfg(feature = "vendored")]
pub use vmaf_head_sys::*;
