//! With the feature `vendored` there is nothing to do: vmaf-head-sys builds and links libvmaf. Without it,
//! finds the system's library through pkg-config and reads its header.
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_VENDORED").is_none()
        && let Err(message) = system()
    {
        eprintln!("error: {message}");
        std::process::exit(1);
    }
}

fn system() -> Result<(), String> {
    // 2.3 has all of the API used above: the context, built-in models, luma-only pictures.
    let library = pkg_config::Config::new().atleast_version("2.3.0").probe("libvmaf").map_err(|error| {
        format!(
            "libvmaf 2.3 or later was not found by pkg-config.\n\
             Install its development package (Fedora: libvmaf-devel, Arch: vmaf, Homebrew: libvmaf), or set \
             PKG_CONFIG_PATH to the folder of libvmaf.pc,\n\
             or build with the default feature `vendored`, which compiles libvmaf itself (needs meson, ninja, \
             nasm and xxd).\n{error}"
        )
    })?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?);
    bindgen::Builder::default()
        .header_contents("libvmaf-sys.h", "#include <libvmaf/libvmaf.h>\n#include <libvmaf/version.h>\n")
        .clang_args(library.include_paths.iter().map(|path| format!("-I{}", path.display())))
        .allowlist_item("(vmaf|Vmaf|VMAF)_?.*")
        .layout_tests(false)
        .generate()
        .map_err(|error| format!("the header of libvmaf {} cannot be read: {error}", library.version))?
        .write_to_file(Path::join(&out, "bindings.rs"))
        .map_err(|error| format!("cannot write {}: {error}", out.display()))
}
