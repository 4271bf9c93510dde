//! Finds the SVT-AV1 encoder library and turns its own header into Rust declarations.
//!
//! The library is the one in `SVT_AV1_DIR` (an installation prefix), else the one pkg-config names.
//! Differences between versions are read from the header, never assumed: each becomes a `cfg` here and a
//! `DEP_SVTAV1ENC_*` variable for the build scripts of dependents.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The versions this crate was written against: from 1.4 up to, but not including, 5.0.
const OLDEST: (u32, u32) = (1, 4);
const NEWEST_MAJOR: u32 = 4;

const INSTALL: &str = "\
Install the SVT-AV1 encoder's development files:
    Debian, Ubuntu   apt install libsvtav1enc-dev
    Fedora           dnf install svt-av1-devel
    Arch             pacman -S svt-av1
    macOS            brew install svt-av1
or set SVT_AV1_DIR to the prefix of another installation (it holds include/svt-av1/EbSvtAv1Enc.h).";

/// File names of the shared library (or, on Windows, of what stands for it at link time).
const SHARED: &[&str] = &["libSvtAv1Enc.so", "libSvtAv1Enc.dylib", "libSvtAv1Enc.dll.a", "SvtAv1Enc.lib"];

/// An installed library: where its header lies and what to link.
struct Library {
    headers: PathBuf,
    linkage: Linkage,
    /// The prefix the user named, whose shared libraries the loader would not find by itself.
    root: Option<PathBuf>,
}

enum Linkage {
    /// The folder that holds the archive.
    Static(PathBuf),
    /// The folder and the file name of the shared library.
    Shared(PathBuf, &'static str),
    /// pkg-config has already printed what to link.
    Printed,
}

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SVT_AV1_DIR");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nsvt-av1-sys: {message}\n");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let library = match env::var_os("SVT_AV1_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => in_prefix(Path::new(&dir))?,
        None => by_pkg_config()?,
    };
    let api = read(&library.headers.join("EbSvtAv1.h"))?;
    let enc = read(&library.headers.join("EbSvtAv1Enc.h"))?;
    let version = [
        number(&api, "SVT_AV1_VERSION_MAJOR")?,
        number(&api, "SVT_AV1_VERSION_MINOR")?,
        number(&api, "SVT_AV1_VERSION_PATCHLEVEL")?,
    ];
    if (version[0], version[1]) < OLDEST || version[0] > NEWEST_MAJOR {
        let [a, b, c] = version;
        return Err(format!(
            "found SVT-AV1 {a}.{b}.{c} in {}, but this crate knows {}.{} to {NEWEST_MAJOR}.x.\n{INSTALL}",
            library.headers.display(),
            OLDEST.0,
            OLDEST.1
        ));
    }
    features(&enc, &api, version);
    bindings(&library.headers)?;
    link(&library)
}

fn read(path: &Path) -> Result<String, String> {
    println!("cargo:rerun-if-changed={}", path.display());
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}\n{INSTALL}", path.display()))
}

/// The value of `#define name value`.
fn number(header: &str, name: &str) -> Result<u32, String> {
    header
        .lines()
        .filter_map(|line| line.trim().strip_prefix("#define")?.trim().strip_prefix(name)?.trim().parse().ok())
        .next()
        .ok_or_else(|| format!("the header does not define {name}: is it SVT-AV1 {}.{} or later?", OLDEST.0, OLDEST.1))
}

/// The library under an installation prefix; an archive is preferred, because whoever names a prefix
/// usually built it to ship.
fn in_prefix(prefix: &Path) -> Result<Library, String> {
    let headers = prefix.join("include/svt-av1");
    if !headers.join("EbSvtAv1Enc.h").is_file() {
        return Err(format!(
            "SVT_AV1_DIR is {}, but there is no include/svt-av1/EbSvtAv1Enc.h in it.\n{INSTALL}",
            prefix.display()
        ));
    }
    let mut dirs: Vec<PathBuf> = vec![prefix.join("lib"), prefix.join("lib64")];
    // Debian's multiarch folders, such as lib/x86_64-linux-gnu.
    if let Ok(entries) = fs::read_dir(prefix.join("lib")) {
        let mut sub: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
        sub.sort();
        dirs.extend(sub);
    }
    let archive = dirs.iter().find(|dir| dir.join("libSvtAv1Enc.a").exists());
    let linkage = match archive {
        Some(dir) => Linkage::Static(dir.clone()),
        None => shared_in(&dirs).ok_or_else(|| {
            format!(
                "SVT_AV1_DIR is {}, but neither libSvtAv1Enc.a nor a shared libSvtAv1Enc is in its lib, lib64 or \
                 lib/<architecture>.\n{INSTALL}",
                prefix.display()
            )
        })?,
    };
    Ok(Library { headers, linkage, root: Some(prefix.to_path_buf()) })
}

fn shared_in(dirs: &[PathBuf]) -> Option<Linkage> {
    dirs.iter().find_map(|dir| {
        let name = SHARED.iter().find(|name| dir.join(name).exists())?;
        Some(Linkage::Shared(dir.clone(), name))
    })
}

/// The library pkg-config names.
fn by_pkg_config() -> Result<Library, String> {
    let found = pkg_config::Config::new()
        .cargo_metadata(false)
        .probe("SvtAv1Enc")
        .map_err(|e| format!("pkg-config does not find SvtAv1Enc.\n{INSTALL}\n\npkg-config says: {e}"))?;
    let mut dirs = found.link_paths.clone();
    dirs.extend(pkg_config::get_variable("SvtAv1Enc", "libdir").ok().map(PathBuf::from));
    let linkage = match shared_in(&dirs) {
        Some(shared) => shared,
        None => {
            pkg_config::probe_library("SvtAv1Enc").map_err(|e| e.to_string())?;
            Linkage::Printed
        }
    };
    // Default folders (/usr/include) are left out of pkg-config's answer, so they are tried too.
    let mut candidates = found.include_paths.clone();
    candidates.extend(found.include_paths.iter().map(|p| p.join("svt-av1")));
    if let Ok(dir) = pkg_config::get_variable("SvtAv1Enc", "includedir") {
        candidates.push(Path::new(&dir).join("svt-av1"));
        candidates.push(PathBuf::from(dir));
    }
    let headers = candidates
        .into_iter()
        .find(|dir| dir.join("EbSvtAv1Enc.h").is_file())
        .ok_or_else(|| format!("pkg-config finds SvtAv1Enc, but EbSvtAv1Enc.h is not where it says.\n{INSTALL}"))?;
    Ok(Library { headers, linkage, root: None })
}

/// Says as `cfg` and as metadata how this version's API differs from the others'.
fn features(enc: &str, api: &str, version: [u32; 3]) {
    let [major, minor, patch] = version;
    println!("cargo:rustc-env=SVT_AV1_HEADER_VERSION={major}.{minor}.{patch}");
    println!("cargo:version={major}.{minor}.{patch}");
    // Comments do not count: a header may mention what it no longer has.
    let code: String = without_comments(enc).split_whitespace().collect::<Vec<_>>().join(" ");
    let api_code = without_comments(api);
    let has = |word: &str| code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word);
    let init = code.split_once("svt_av1_enc_init_handle(").map_or("", |(_, rest)| rest.split(')').next().unwrap_or(""));
    let facts = [
        ("svt_init_handle_takes_app_data", "init_handle_takes_app_data", init.matches(',').count() == 2),
        ("svt_c_bool", "c_bool", !api_code.contains("typedef uint8_t Bool")),
        ("svt_level_of_parallelism", "level_of_parallelism", has("level_of_parallelism")),
        ("svt_quarter_step_crf", "quarter_step_crf", has("extended_crf_qindex_offset")),
        ("svt_log_callback", "log_callback", has("svt_av1_set_log_callback")),
    ];
    for (cfg, key, holds) in facts {
        println!("cargo:rustc-check-cfg=cfg({cfg})");
        if holds {
            println!("cargo:rustc-cfg={cfg}");
        }
        println!("cargo:{key}={}", u8::from(holds));
    }
}

fn without_comments(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    loop {
        let block = rest.find("/*");
        let line = rest.find("//");
        let (start, end) = match (block, line) {
            (Some(b), l) if l.is_none_or(|l| b < l) => (b, rest[b..].find("*/").map(|e| b + e + 2)),
            (_, Some(l)) => (l, rest[l..].find('\n').map(|e| l + e)),
            _ => break,
        };
        out.push_str(&rest[..start]);
        out.push(' ');
        rest = end.map_or("", |e| &rest[e..]);
    }
    out.push_str(rest);
    out
}

fn bindings(headers: &Path) -> Result<(), String> {
    let out = out_dir()?;
    bindgen::Builder::default()
        .header(headers.join("EbSvtAv1Enc.h").to_string_lossy())
        .clang_arg(format!("-I{}", headers.display()))
        .allowlist_function("svt_av1_.*|svt_add_metadata|svt_metadata_array_free")
        .allowlist_type("Eb.*|SvtAv1.*|SvtMetadata.*")
        .allowlist_var("EB_BUFFERFLAG_.*|SVT_AV1_.*|MAX_ENC_PRESET")
        .prepend_enum_name(false)
        .derive_default(false)
        .layout_tests(false)
        .generate_comments(false)
        .generate()
        .map_err(|e| format!("bindgen cannot read EbSvtAv1Enc.h (is libclang installed?): {e}"))?
        .write_to_file(out.join("bindings.rs"))
        .map_err(|e| format!("cannot write the bindings: {e}"))
}

/// Says what to link, and to dependents where it came from.
fn link(library: &Library) -> Result<(), String> {
    println!("cargo:include={}", library.headers.display());
    println!("cargo:static={}", u8::from(matches!(library.linkage, Linkage::Static(_))));
    let windows = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows");
    match &library.linkage {
        Linkage::Printed => {}
        Linkage::Static(dir) => {
            println!("cargo:rustc-link-search=native={}", dir.display());
            println!("cargo:rustc-link-lib=static=SvtAv1Enc");
            // What SVT-AV1's own .pc file lists under Libs.private; no version since 1.4 needs C++.
            if !windows {
                println!("cargo:rustc-link-lib=dylib=pthread");
                println!("cargo:rustc-link-lib=dylib=m");
            }
        }
        Linkage::Shared(dir, name) => {
            link_by_own_name(&dir.join(name), name)?;
            if let Some(root) = &library.root {
                println!("cargo:root={}", root.display());
                println!("cargo:lib_dir={}", dir.display());
                // For this crate's own tests only: a library cannot set the run path of those who link it, so
                // dependents read DEP_SVTAV1ENC_LIB_DIR and do it themselves.
                if !windows {
                    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", dir.display());
                }
            }
        }
    }
    Ok(())
}

/// Links `file` under a name that no search path holds but ours.
///
/// By the usual name the linker would take whichever libSvtAv1Enc comes first in the folders that all crates
/// of a program add, and a system's own folder is often among them. What the program asks the loader for
/// is the name inside the file, so a link of another name changes nothing else.
fn link_by_own_name(file: &Path, name: &str) -> Result<(), String> {
    let out = out_dir()?;
    let (prefix, rest) = name.split_at(if name.starts_with("lib") { 3 } else { 0 });
    let own = out.join(format!("{prefix}drapto_{rest}"));
    let _ = fs::remove_file(&own);
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(file, &own);
    #[cfg(not(unix))]
    let made = fs::copy(file, &own).map(|_| ());
    made.map_err(|e| format!("cannot write {}: {e}", own.display()))?;
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=dylib=drapto_SvtAv1Enc");
    Ok(())
}

fn out_dir() -> Result<PathBuf, String> {
    env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| "OUT_DIR is not set: this script runs under cargo".into())
}
