//! Build facts only: the git hash and the versions of the native libraries linked against.
use std::process::Command;

fn main() {
    let hash = command("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=DRAPTO_GIT_HASH={hash}");
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(head) = command("git", &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={head}");
    }
}

fn command(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let text = text.trim();
    (out.status.success() && !text.is_empty()).then(|| text.to_owned())
}
