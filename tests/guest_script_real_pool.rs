//! A trace as a script, in a guest with real ZFS: it exits 0, and 1 when something else is expected.
#![cfg(feature = "real-pool")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(pool: &str, directory: &Path, script: &str) -> Output {
    fs::write(directory.join("a.sh"), script).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(["capture", "--pool", pool, "-o"])
        .arg(directory.join("out"))
        .arg("--files")
        .arg(directory.join("a.sh"))
        .args(["--", "sh", "a.sh"])
        .output()
        .expect("ztwin")
}

#[test]
fn a_script_needs_nothing_but_zfs() {
    let pool = std::env::var("ZTWIN_REAL_POOL").expect("ZTWIN_REAL_POOL=vm:NAME");
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/clone.trace");
    let script = Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(["script", trace])
        .output()
        .expect("ztwin");
    let script = String::from_utf8(script.stdout).expect("a script");
    let directory = tempfile::tempdir().expect("a directory");

    let right = run(&pool, directory.path(), &script);
    let told = String::from_utf8_lossy(&right.stderr).into_owned();
    assert!(right.status.success(), "{told}");

    let other = script.replace("\nEEXIST\n", "\nENOTDIR\n");
    assert_ne!(other, script);
    let wrong = run(&pool, directory.path(), &other);
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        told.contains("the session ended with exit code 1"),
        "{told}"
    );
}
