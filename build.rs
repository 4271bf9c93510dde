//! Build facts only: the git hash, and which FFmpeg API the bindings were made from.
use std::process::Command;

/// FFmpeg versions at which the API that src/av uses changed.
const FFMPEG_VERSIONS: [&str; 2] = ["6_0", "6_1"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let hash = command("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=DRAPTO_GIT_HASH={hash}");
    if let Some(head) = command("git", &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={head}");
    }
    for version in FFMPEG_VERSIONS {
        println!("cargo:rustc-check-cfg=cfg(ffmpeg_{version})");
        if std::env::var(format!("DEP_FFMPEG_FFMPEG_{version}")).as_deref() == Ok("true") {
            println!("cargo:rustc-cfg=ffmpeg_{version}");
        }
    }
    run_path();
    static_companions();
}

/// What FFmpeg's archives need beside themselves: ffmpeg-sys names the archives alone.
fn static_companions() {
    println!("cargo:rerun-if-env-changed=FFMPEG_DIR");
    let Ok(dir) = std::env::var("FFMPEG_DIR") else { return };
    if std::env::var_os("CARGO_FEATURE_STATIC").is_none() {
        return;
    }
    println!("cargo:rustc-link-search=native={dir}/lib");
    for archive in ["dav1d"] {
        if std::path::Path::new(&format!("{dir}/lib/lib{archive}.a")).exists() {
            println!("cargo:rustc-link-lib=static={archive}");
        }
    }
    println!("cargo:rustc-link-lib=z");
}

/// A shared SVT-AV1 of SVT_AV1_DIR or of the wheel lies where the loader does not look: its folder becomes a run path. For
/// the wheel's, which is taken along (scripts/install-c), SVT_AV1_WHEEL_RUN_PATH names another.
fn run_path() {
    const ELSEWHERE: &str = "SVT_AV1_WHEEL_RUN_PATH";
    println!("cargo:rerun-if-env-changed={ELSEWHERE}");
    let fact = |name: &str| std::env::var(format!("DEP_SVTAV1ENC_{name}")).unwrap_or_default();
    let windows = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows");
    let dir = fact("LIB_DIR");
    if !dir.is_empty() && fact("STATIC") != "1" && !windows {
        let elsewhere = std::env::var(ELSEWHERE).ok().filter(|path| !path.is_empty());
        let dir = elsewhere.filter(|_| fact("ORIGIN").starts_with("the wheel")).unwrap_or(dir);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{dir}");
    }
}

fn command(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let text = text.trim();
    (out.status.success() && !text.is_empty()).then(|| text.to_owned())
}
