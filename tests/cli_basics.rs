//! The command line: help texts, exit codes, and what is said when something is wrong.

#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "texts of tests are short, and read better in one expression"
)]

use std::path::Path;
use std::process::{Command, Output};

fn ztwin(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(args)
        .current_dir(directory)
        .env_remove("CLICOLOR_FORCE")
        .env("NO_COLOR", "1")
        .output()
        .expect("ztwin runs")
}

/// The exit code, and both streams.
fn run(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let output = ztwin(directory, args);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (
        output.status.code().expect("no signal"),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn empty() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn help_texts() {
    let directory = empty();
    for (name, args) in [
        ("ztwin", &["--help"][..]),
        ("check", &["check", "--help"]),
        ("diff", &["diff", "--help"]),
        ("record", &["record", "--help"]),
        ("image", &["image", "--help"]),
        ("sim", &["sim", "--help"]),
    ] {
        let (code, out, err) = run(directory.path(), args);
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        insta::assert_snapshot!(format!("help_{name}"), out);
    }
    let (code, out, _) = run(directory.path(), &["--version"]);
    assert_eq!(
        (code, out),
        (0, format!("ztwin {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn wrong_use_ends_with_2() {
    let directory = empty();
    let at = directory.path();
    std::fs::write(at.join("a.trace"), "  $ zfs list 'tank\n").expect("written");
    std::fs::create_dir(at.join("none")).expect("made");
    let cases: &[&[&str]] = &[
        &["check", "a.trace"],
        &["check", "missing.trace"],
        &["check", "none"],
        &["check", "--openzfs", "2.2"],
        &["check", "--shard", "0/3"],
        &["record", "--pool", "model", "a.trace"],
        &["record", "--pool", "vm:trixie"],
        &["diff", "a.trace"],
        &["frobnicate"],
        &[],
    ];
    let mut all = String::new();
    for args in cases {
        let (code, out, err) = run(at, args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        all += &format!("$ ztwin {}\n{err}\n", args.join(" "));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_pool_that_cannot_be_had_ends_with_3() {
    let directory = empty();
    std::fs::write(directory.path().join("a.trace"), "  $ zfs list tank\n").expect("written");
    for command in ["diff", "record"] {
        let (code, out, err) = run(directory.path(), &[command, "--pool", "nope", "a.trace"]);
        assert_eq!((code, out.as_str()), (3, ""), "{err}");
        assert!(err.contains("'nope'"), "{err}");
    }
}
