//! What scripts/setup asks of a machine.
#![cfg(unix)]
#![deny(unsafe_code)]

#[path = "setup/wheel.rs"]
mod wheel;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What `scripts/setup --check` says where the Rust on the path is `version`.
fn said_to(version: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for tool in ["rustc", "cargo"] {
        let path = folder.path().join(tool);
        std::fs::write(&path, format!("#!/bin/sh\necho '{tool} {version} (abc 2026-01-01)'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup");
    let out = Command::new(script).arg("--check").env("PATH", path).output().unwrap();
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn the_setup_script_wants_the_rust_that_the_manifest_names() {
    let (major, minor) = env!("CARGO_PKG_RUST_VERSION").split_once('.').unwrap();
    let before: u32 = minor.parse::<u32>().unwrap() - 1;
    let floor = format!("{major}.{minor}");
    let wanted = format!("Rust {floor} or later is needed");
    let said = said_to(&format!("{major}.{before}.1"));
    assert!(said.contains(&wanted), "{said:?}");
    let said = said_to(&format!("{floor}.0"));
    assert!(!said.contains("or later is needed"), "{said:?}");
}
