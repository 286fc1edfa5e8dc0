//! A trace as a script, in a guest with real ZFS: it exits 0, and 1 when something else is expected.
#![cfg(feature = "real-pool")]

#[path = "common/guest.rs"]
#[allow(dead_code, reason = "it serves several tests")]
mod guest;

use std::process::Command;

/// What a script says in a guest, and how it ends.
fn run(script: &str) -> String {
    let files = [("a.sh", script.as_bytes())];
    guest::output(&guest::spec(""), &files, "{ sh a.sh; echo \"ended $?\"; }")
}

#[test]
fn a_script_needs_nothing_but_zfs() {
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/clone.trace");
    let script = Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(["script", trace])
        .output()
        .expect("ztwin");
    let script = String::from_utf8(script.stdout).expect("a script");
    assert_eq!(run(&script), "ended 0\n");

    let other = script.replace("\nEEXIST\n", "\nENOTDIR\n");
    assert_ne!(other, script);
    let wrong = run(&other);
    assert!(wrong.contains("mkdir tank/app:/f"), "{wrong}");
    assert!(wrong.ends_with("ended 1\n"), "{wrong}");
}
