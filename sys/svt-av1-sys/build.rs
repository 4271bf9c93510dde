//! Finds the SVT-AV1 encoder library and gives its declarations: made from its own header, or kept here where it has none.
//!
//! The first of these that is there:
//!
//! 1. `SVT_AV1_DIR`, an installation prefix;
//! 2. what `DRAPTO_SVT` names: `wheel`, or `trixie`, `system` and `distribution`, which all are what pkg-config finds;
//!    `newest` and nothing go on here;
//! 3. a 4.x that pkg-config finds;
//! 4. the library of a wheel, which scripts/setup puts below this workspace's `target`;
//! 5. what pkg-config finds.
//!
//! Differences between versions are read from the declarations, never assumed: each becomes a `cfg` here and a
//! `DEP_SVTAV1ENC_*` variable for the build scripts of dependents.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The versions this crate was written against: from 1.4 up to, but not including, 5.0.
const OLDEST: (u32, u32) = (1, 4);
const NEWEST_MAJOR: u32 = 4;

/// Where scripts/setup puts the library of the wheel, below the workspace's folder; always there, so that a build finds
/// it that has its own in another place.
const WHEEL: &str = "target/svt-av1-4.2.0";
/// The declarations of that library, made from the header of its version.
const WHEEL_BINDINGS: &str = "bindings/4.2.0.rs";

const INSTALL: &str = "\
Install the SVT-AV1 encoder's development files (scripts/setup does it):
    Debian, Ubuntu   apt install libsvtav1enc-dev
    Fedora           dnf install svt-av1-devel
    Arch             pacman -S svt-av1
    macOS            brew install svt-av1
or set SVT_AV1_DIR to the prefix of another installation (it holds include/svt-av1/EbSvtAv1Enc.h).";

/// File names of the shared library (or, on Windows, of what stands for it at link time).
const SHARED: &[&str] = &["libSvtAv1Enc.so", "libSvtAv1Enc.dylib", "libSvtAv1Enc.dll.a", "SvtAv1Enc.lib"];

/// An installed library: where its declarations come from and what to link.
struct Library {
    declarations: Declarations,
    linkage: Linkage,
    /// The prefix it lies in, whose shared libraries the loader would not find by itself.
    root: Option<PathBuf>,
    /// Where it comes from, as `drapto --version` says it after "from".
    origin: String,
}

enum Declarations {
    /// The folder of its headers.
    Headers(PathBuf),
    /// The file that keeps them.
    Kept(PathBuf),
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
    println!("cargo:rerun-if-env-changed=DRAPTO_SVT");
    // scripts/setup touches it when the wheel has come: cargo takes a path that is not there yet for one that changes
    // with every build.
    println!("cargo:rerun-if-changed={WHEEL_BINDINGS}");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nsvt-av1-sys: {message}\n");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let library = find()?;
    let bindings = match &library.declarations {
        Declarations::Headers(dir) => generate(dir)?,
        Declarations::Kept(file) => read(file)?,
    };
    let version = features(&bindings)?;
    if (version[0], version[1]) < OLDEST || version[0] > NEWEST_MAJOR {
        let [a, b, c] = version;
        return Err(format!(
            "found SVT-AV1 {a}.{b}.{c} from {}, but this crate knows {}.{} to {NEWEST_MAJOR}.x.\n{INSTALL}",
            library.origin, OLDEST.0, OLDEST.1
        ));
    }
    fs::write(out_dir()?.join("bindings.rs"), bindings).map_err(|e| format!("cannot write the bindings: {e}"))?;
    link(&library)
}

fn read(path: &Path) -> Result<String, String> {
    println!("cargo:rerun-if-changed={}", path.display());
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}\n{INSTALL}", path.display()))
}

/// The library by the order that stands at the head of this file.
fn find() -> Result<Library, String> {
    if let Some(dir) = env::var_os("SVT_AV1_DIR").filter(|dir| !dir.is_empty()) {
        return in_prefix(Path::new(&dir));
    }
    match env::var("DRAPTO_SVT").unwrap_or_default().as_str() {
        "" | "newest" => {}
        "wheel" => {
            let missing =
                || format!("DRAPTO_SVT is wheel, but there is none for this target: scripts/setup puts it in {WHEEL}.");
            return wheel()?.ok_or_else(missing);
        }
        "trixie" | "system" | "distribution" => return by_pkg_config(None),
        other => return Err(format!("DRAPTO_SVT is {other:?}, not newest, wheel, trixie, system or distribution")),
    }
    if let Ok(new) = by_pkg_config(Some(NEWEST_MAJOR)) {
        return Ok(new);
    }
    match wheel()? {
        Some(wheel) => Ok(wheel),
        None => by_pkg_config(None),
    }
}

/// The library that scripts/setup took from a wheel, where there is one for the system that is built for.
fn wheel() -> Result<Option<Library>, String> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?);
    let prefix = here.join("../..").join(WHEEL);
    let Ok(prefix) = prefix.canonicalize() else { return Ok(None) };
    // `av 19.0.2 x86_64`: the wheel, and what it is for.
    let note = read(&prefix.join("wheel"))?;
    let (name, architecture) = note.trim().rsplit_once(' ').ok_or("the note on the wheel is empty")?;
    let is = |key: &str, value: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).is_ok_and(|v| v == value);
    if !(is("OS", "linux") && is("ENV", "gnu") && is("ARCH", architecture)) {
        return Ok(None);
    }
    let linkage = shared_in(&[prefix.join("lib")])
        .ok_or_else(|| format!("{} holds no library: remove it and run scripts/setup", prefix.display()))?;
    let declarations = Declarations::Kept(here.join(WHEEL_BINDINGS));
    Ok(Some(Library { declarations, linkage, root: Some(prefix), origin: format!("the wheel {name}") }))
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
    let declarations = Declarations::Headers(headers);
    Ok(Library { declarations, linkage, root: Some(prefix.to_path_buf()), origin: "SVT_AV1_DIR".into() })
}

fn shared_in(dirs: &[PathBuf]) -> Option<Linkage> {
    dirs.iter().find_map(|dir| {
        let name = SHARED.iter().find(|name| dir.join(name).exists())?;
        Some(Linkage::Shared(dir.clone(), name))
    })
}

/// The library pkg-config names, of one major version where one is wanted.
fn by_pkg_config(major: Option<u32>) -> Result<Library, String> {
    let mut wanted = pkg_config::Config::new();
    wanted.cargo_metadata(false);
    if let Some(major) = major {
        wanted.range_version(&*major.to_string()..&*(major + 1).to_string());
    }
    let found = wanted
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
    let declarations = Declarations::Headers(headers);
    Ok(Library { declarations, linkage, root: None, origin: "the system".into() })
}

/// Says as `cfg` and as metadata how this version's API differs from the others'; the version.
fn features(bindings: &str) -> Result<[u32; 3], String> {
    // However they are laid out, which depends on whether rustfmt is installed.
    let code: String = bindings.split_whitespace().collect();
    let version = [
        number(&code, "SVT_AV1_VERSION_MAJOR")?,
        number(&code, "SVT_AV1_VERSION_MINOR")?,
        number(&code, "SVT_AV1_VERSION_PATCHLEVEL")?,
    ];
    let [major, minor, patch] = version;
    println!("cargo:rustc-env=SVT_AV1_HEADER_VERSION={major}.{minor}.{patch}");
    println!("cargo:version={major}.{minor}.{patch}");
    let init = code.split_once("pubfnsvt_av1_enc_init_handle(").map_or("", |(_, rest)| rest);
    let arguments = init.split(')').next().unwrap_or("").replace("::", ".").matches(':').count();
    let facts = [
        ("svt_init_handle_takes_app_data", "init_handle_takes_app_data", arguments == 3),
        ("svt_c_bool", "c_bool", !code.contains("pubtypeBool=u8;")),
        ("svt_level_of_parallelism", "level_of_parallelism", code.contains("publevel_of_parallelism:")),
        ("svt_quarter_step_crf", "quarter_step_crf", code.contains("pubextended_crf_qindex_offset:")),
    ];
    for (cfg, key, holds) in facts {
        println!("cargo:rustc-check-cfg=cfg({cfg})");
        if holds {
            println!("cargo:rustc-cfg={cfg}");
        }
        println!("cargo:{key}={}", u8::from(holds));
    }
    Ok(version)
}

/// The value of a constant in declarations without blanks.
fn number(code: &str, name: &str) -> Result<u32, String> {
    code.split_once(&format!("pubconst{name}:u32="))
        .and_then(|(_, rest)| rest.split(';').next()?.parse().ok())
        .ok_or_else(|| format!("the header does not define {name}: is it SVT-AV1 {}.{} or later?", OLDEST.0, OLDEST.1))
}

fn generate(headers: &Path) -> Result<String, String> {
    for header in ["EbSvtAv1.h", "EbSvtAv1Enc.h"] {
        println!("cargo:rerun-if-changed={}", headers.join(header).display());
    }
    let bindings = bindgen::Builder::default()
        .header(headers.join("EbSvtAv1Enc.h").to_string_lossy())
        .clang_arg(format!("-I{}", headers.display()))
        .allowlist_function("svt_av1_.*|svt_add_metadata|svt_metadata_array_free")
        .allowlist_type("Eb.*|SvtAv1.*|SvtMetadata.*")
        .allowlist_var("EB_BUFFERFLAG_.*|SVT_AV1_.*|MAX_ENC_PRESET")
        // Its callback is given a C `va_list`: of another type on each processor, and not to be read from Rust.
        .blocklist_item("svt_av1_set_log_callback|SvtAv1LogCallback|.*va_list.*")
        .prepend_enum_name(false)
        .derive_default(false)
        .layout_tests(false)
        .generate_comments(false)
        .generate()
        .map_err(|e| format!("bindgen cannot read EbSvtAv1Enc.h (is libclang installed?): {e}"))?;
    Ok(bindings.to_string())
}

/// Says what to link, and to dependents where it came from.
fn link(library: &Library) -> Result<(), String> {
    if let Declarations::Headers(dir) = &library.declarations {
        println!("cargo:include={}", dir.display());
    }
    println!("cargo:rustc-env=SVT_AV1_ORIGIN={}", library.origin);
    println!("cargo:origin={}", library.origin);
    let kept = matches!(library.declarations, Declarations::Kept(_));
    println!("cargo:rustc-env=SVT_AV1_BINDINGS={}", if kept { "kept" } else { "header" });
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
            let file = dir.join(name);
            println!("cargo:rerun-if-changed={}", file.display());
            link_by_own_name(&file, name)?;
            if kept {
                found_by_cargo(&file)?;
            }
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

/// Puts a link to `file`, which no system has, where `cargo run` and `cargo test` have the loader look: in programs of
/// other packages no run path leads to it.
fn found_by_cargo(file: &Path) -> Result<(), String> {
    let real = file.canonicalize().map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let link = out_dir()?.join(real.file_name().unwrap_or_default());
    let _ = fs::remove_file(&link);
    #[cfg(unix)]
    std::os::unix::fs::symlink(&real, &link).map_err(|e| format!("cannot write {}: {e}", link.display()))?;
    Ok(())
}

fn out_dir() -> Result<PathBuf, String> {
    env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| "OUT_DIR is not set: this script runs under cargo".into())
}
